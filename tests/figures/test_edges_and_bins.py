"""Edges on one scale, and measures over the numbers of bins."""

import numpy as np
import pytest
from drawn import bands_of, bars_of
from matplotlib.figure import Figure

import ei_fast as ef
from ei_fast.figures.colours import layer_colours
from ei_fast.figures.style import BOUND, BRACKET


def test_edges_are_drawn_on_one_scale(random_weight):
    report = ef.analyze([random_weight(5, 4, 5.0), random_weight(4, 3, 5.0)], random_state=0)
    for measure, matrix in (("sensitivity", "sensitivity_matrix"), ("ei_parts", "ei_parts_matrix")):
        figure = ef.plot_edges(report, measure)
        images = [ax.images[0] for ax in figure.axes if ax.images]
        assert len(images) == 2
        for image, layer in zip(images, report, strict=True):
            np.testing.assert_array_equal(image.get_array(), getattr(layer, matrix))
            assert image.get_clim() == (0.0, max(getattr(one, matrix).max() for one in report))
    ax = Figure().subplots()
    assert ef.plot_edges(report[1], ax=ax) is ax.figure
    np.testing.assert_array_equal(ax.images[0].get_array(), report[1].sensitivity_matrix)
    assert len(ef.plot_edges(ef.analyze([np.eye(2) * 5] * 12, random_state=0)).axes) == 1 + 12 + 1


def test_edges_that_were_not_measured_are_refused():
    with pytest.raises(ValueError, match=r"pairwise='none'. Measure again"):
        ef.plot_edges(ef.analyze(np.eye(2), pairwise="none", random_state=0))
    with pytest.raises(ValueError, match=r"'measure' parameter of plot_edges must be 'sensitivity' or"):
        ef.plot_edges(ef.analyze(np.eye(2), random_state=0), "phi_ff")


def test_bins_are_drawn_and_what_is_too_coarse_is_crossed(random_weight):
    sweep = ef.bin_sweep([random_weight(25, 6, 1.0), 5 * np.eye(6)], bins=(4, 8, 32), random_state=0, tol=0.05)
    figure = ef.plot_bins(sweep, Figure().subplots())
    (ax,) = figure.axes
    broken = sweep["flags"].str.contains("sensitivity < EI")
    assert broken.any()
    assert not broken.all()
    for name in ("layer0", "layer1"):
        rows = sweep[sweep["layer"] == name]
        ei = next(line for line in ax.lines if line.get_label() == name)
        np.testing.assert_array_equal(ei.get_xdata(), [2, 3, 5])
        np.testing.assert_array_equal(ei.get_ydata(), rows["ei"])
        mine = [line for line in ax.lines if line.get_color() == ei.get_color()]
        assert any(np.array_equal(line.get_ydata(), rows["sensitivity"]) for line in mine)
        (crosses,) = (line for line in mine if line.get_gid() == "broken")
        np.testing.assert_array_equal(crosses.get_ydata(), rows["ei"][broken[rows.index]])
    assert "crosses: EI > sensitivity" in ax.get_legend().get_title().get_text()
    assert [text.get_text() for text in ax.get_xticklabels()] == ["4", "8", "32"]


def test_brackets_and_bounds_over_bins():
    ei = np.array([1.0, 20.0, 40.0, 50.0])
    values = {"in_bins": [2, 4, 8, 16], "out_bins": [2, 4, 8, 16], "layer": ["fc"] * 4, "ei": ei, "ei_stderr": 0.5}
    values |= {"sensitivity": [2.0, 30.0, 60.0, 30.0], "flags": ["", "", "", "undersampled, sensitivity < EI"]}
    below, above = np.array([[0, 1, 2, 15], [0, 5, 10, 15]]), np.array([[0, 1, 3, 15], [0, 6, 9, 15]])
    values |= {"ei_low": ei - below[0], "ei_high": ei + above[0]}
    values |= {"ei_bounds_low": ei - below[1], "ei_bounds_high": ei + above[1]}
    frame = pytest.importorskip("pandas").DataFrame(values)
    ax = ef.plot_bins(frame, Figure().subplots()).axes[0]
    (colour,) = layer_colours(1)
    (line,) = [line for line in ax.lines if line.get_label() == "fc"]
    np.testing.assert_array_equal(line.get_ydata(), [1.0, 20.0, 40.0, np.nan])
    assert bands_of(ax, colour, None) == {1: (1.0, 1.0), 2: (19.0, 21.0), 3: (38.0, 43.0)}
    assert bands_of(ax, colour, BOUND) == {1: (1.0, 1.0), 2: (15.0, 26.0), 3: (30.0, 49.0)}
    assert bars_of(ax, colour, BRACKET) == {4: (35.0, 65.0)}
    (crosses,) = [line for line in ax.lines if line.get_gid() == "broken"]
    assert crosses.get_ydata().tolist() == [35.0]
    said = ax.get_legend().get_title().get_text()
    assert "bounds alone" in said
    assert "rest on no model" in said
    # Frames of older versions have no such columns.
    older = frame[["in_bins", "out_bins", "layer", "ei", "ei_stderr", "sensitivity", "flags"]]
    ax = ef.plot_bins(older[:3], Figure().subplots()).axes[0]
    assert bands_of(ax, colour, None)[2] == pytest.approx((20 - 0.979982, 20 + 0.979982))
    assert not bands_of(ax, colour, BOUND)


def test_bins_of_inputs_and_outputs_apart():
    sweep = ef.bin_sweep(5 * np.eye(2), bins=((4, 8), (8, 8)), random_state=0)
    (ax,) = ef.plot_bins(sweep, Figure().subplots()).axes
    assert [text.get_text() for text in ax.get_xticklabels()] == ["4, 8", "8, 8"]
