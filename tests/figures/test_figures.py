"""Pictures show the figures they are given."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from slow_cases import some_slow

import ei_fast as ef
from ei_fast.figures.colours import layer_colours
from ei_fast.figures.explained import plot_definition, plot_explained_plane
from ei_fast.figures.known import bounds_of, limits_of
from ei_fast.figures.measures import plot_measure, plot_metrics
from ei_fast.figures.multiples import plot_bands, plot_layers, plot_multiples
from ei_fast.figures.overview import plot_overview
from ei_fast.figures.style import BOUND, BRACKET
from ei_fast.figures.ticks import log_ticks, tick_text
from ei_fast.training.columns import MEASURES
from ei_fast.training.losses import turning_point
from ei_fast.training.trajectory import Trajectory

NO_LEGEND = Legend(Figure(), [], [])


def _trajectory(n_steps=7, n_layers=3, metrics=True, seed=0):
    rng = np.random.default_rng(seed)
    sensitivity, ei = rng.uniform(0, 20, (n_steps, n_layers)), rng.uniform(0, 9, (n_steps, n_layers))
    measures = {"ei": ei, "ei_stderr": 0.01 + 0 * ei, "sensitivity": sensitivity, "degeneracy": sensitivity - ei}
    measures |= {"ei_parts": ei / 2, "phi_ff": ei / 3, "sensitivity_stderr": 0 * ei}
    beside = {
        "loss": rng.uniform(0.1, 1, n_steps),
        "val_loss": rng.uniform(0.1, 1, n_steps),
        "accuracy": rng.uniform(0, 1, n_steps),
    }
    return Trajectory(np.arange(n_steps) * 10, [f"fc{k}" for k in range(n_layers)], measures, beside if metrics else {})


def test_coordinates_are_the_pair_turned_by_45_degrees():
    trajectory = _trajectory()
    display = ef.CausalPlaneDisplay.from_trajectory(trajectory)
    turned = (
        np.array([[1, -1], [1, 1]])
        / np.sqrt(2)
        @ np.stack([trajectory.sensitivity.ravel(), trajectory.degeneracy.ravel()])
    )
    np.testing.assert_allclose(display.horizontal.ravel(), turned[0])
    np.testing.assert_allclose(display.vertical.ravel(), turned[1])
    np.testing.assert_allclose(display.horizontal, trajectory.ei / np.sqrt(2))


def _paths(ax):
    return [artist for artist in ax.collections if isinstance(artist, LineCollection)]


def test_the_plane_draws_what_it_holds():
    display = ef.CausalPlaneDisplay.from_trajectory(_trajectory())
    ax = Figure().subplots()
    assert display.plot(ax) is display
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert len(_paths(ax)) == 3
    for k, path in enumerate(_paths(ax)):
        places = np.stack([display.horizontal[:, k], display.vertical[:, k]], axis=1)
        np.testing.assert_array_equal(path.get_segments(), np.stack([places[:-1], places[1:]], axis=1))
        # Time as fading: from step to step firmer.
        assert (np.diff(path.get_colors()[:, 3]) > 0).all()
        first, last = (line for line in ax.lines if line.get_color() == layer_colours(3)[k])
        assert [*first.get_xdata(), *first.get_ydata()] == places[0].tolist()
        assert [*last.get_xdata(), *last.get_ydata()] == places[-1].tolist()
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["fc0", "fc1", "fc2"]
    assert legend.get_title().get_text() == "steps 0 (open) to 60 (filled)"


def test_the_nullcline_is_drawn_and_named():
    ax = ef.CausalPlaneDisplay.from_trajectory(_trajectory()).plot(Figure().subplots()).ax_
    assert sum(list(line.get_xdata()) == [0.0, 0.0] for line in ax.lines) == 1
    label = next(text for text in ax.texts if text.get_text() == "EI = 0")
    assert label.get_position()[0] == 0.0
    assert ax.get_xlim()[0] < 0.0


def test_arrowheads_point_along_the_way():
    ei, sensitivity = np.linspace(1, 5, 101)[:, None], np.linspace(2, 30, 101)[:, None]
    display = ef.CausalPlaneDisplay(sensitivity, sensitivity - ei, ["fc"], np.arange(101))
    arrows = [text for text in display.plot(Figure().subplots()).ax_.texts if hasattr(text, "arrow_patch")]
    assert len(arrows) == 2
    for arrow, share in zip(arrows, (0.35, 0.7), strict=True):
        # The way is even here: where a share of it is gone, to a step.
        places = np.column_stack([display.horizontal, display.vertical])
        assert places.tolist().index(list(arrow.xy)) in (100 * share, round(100 * share) + 1)
        assert arrow.xyann[0] < arrow.xy[0]
        assert arrow.xyann[1] < arrow.xy[1]


def test_the_error_of_a_point_is_drawn_around_it():
    """Shadows on the axes are 95 % intervals; where sensitivity is exact, it is the same all along the stroke."""
    trajectory = _trajectory()
    display = ef.CausalPlaneDisplay.from_trajectory(trajectory)
    ax = display.plot(Figure().subplots()).ax_
    outlines = [artist for artist in ax.collections if isinstance(artist, PolyCollection)]
    assert len(outlines) == 3
    for k, drawn in enumerate(outlines):
        corners = np.array([path.vertices for path in drawn.get_paths()])
        assert len(corners) == len(trajectory)
        middle = (corners.max(axis=1) + corners.min(axis=1)) / 2
        np.testing.assert_allclose(middle, np.stack([display.horizontal[:, k], display.vertical[:, k]], axis=1))
        half = np.ptp(corners[..., 0], axis=1) / 2
        np.testing.assert_allclose(half, 1.959964 * trajectory.ei_stderr[:, k] / np.sqrt(2), rtol=1e-6)
        # (horizontal + vertical) / sqrt(2) is sensitivity.
        np.testing.assert_allclose(
            corners.sum(axis=2) / np.sqrt(2), np.repeat(trajectory.sensitivity[:, [k]], corners.shape[1], axis=1)
        )
    wider = ef.CausalPlaneDisplay([[7.0]], [[3.0]], ["fc"], None, [[0.3]], [[0.4]])
    ellipse = wider.error_ellipses(0)[0]
    # Var(vertical) = (4 Var(sensitivity) + Var(EI)) / 2; its highest point lies between two corners.
    np.testing.assert_allclose(
        np.ptp(ellipse, axis=0) / 2, 1.959964 * np.sqrt([0.09 / 2, (4 * 0.16 + 0.09) / 2]), rtol=0.01
    )


def test_several_runs_in_one_plane():
    runs = {"seed 0": _trajectory(7, 2), "seed 1": _trajectory(5, 2, seed=1)}
    # Farther out than the first one.
    for name in ("ei", "sensitivity"):
        getattr(runs["seed 1"], name)[:] *= 3
    runs["seed 1"].degeneracy[:] = runs["seed 1"].sensitivity - runs["seed 1"].ei
    ax = Figure().subplots()
    for name, trajectory in runs.items():
        ef.CausalPlaneDisplay.from_trajectory(trajectory).plot(ax, run=name)
    assert [len(path.get_segments()) for path in _paths(ax)] == [6, 6, 4, 4]
    for path in _paths(ax):
        places = np.array(path.get_segments())
        assert (places > [ax.get_xlim()[0], ax.get_ylim()[0]]).all()
        assert (places < [ax.get_xlim()[1], ax.get_ylim()[1]]).all()
    entries = dict(
        zip([text.get_text() for text in ax.get_legend().get_texts()], ax.get_legend().legend_handles, strict=True)
    )
    assert list(entries) == ["fc0", "fc1", "seed 0", "seed 1"]
    assert entries["seed 0"].get_marker() != entries["seed 1"].get_marker()
    assert sum(list(line.get_xdata()) == [0.0, 0.0] for line in ax.lines) == 1
    assert sum(text.get_text() == "EI = 0" for text in ax.texts) == 1


def test_a_plane_without_steps_is_refused():
    with pytest.raises(ValueError, match="There is no step to draw"):
        ef.CausalPlaneDisplay.from_trajectory(_trajectory(0)).plot(Figure().subplots())


def test_a_report_is_one_point_a_layer(random_weight):
    report = ef.analyze([random_weight(3, 2, 5.0), random_weight(2, 2, 5.0)], random_state=0)
    display = ef.CausalPlaneDisplay.from_report(report).plot(Figure().subplots())
    assert display.horizontal.shape == (1, 2)
    np.testing.assert_allclose(display.horizontal[0], [layer.ei / np.sqrt(2) for layer in report])
    points = [line for line in display.ax_.lines if line.get_label().startswith("layer")]
    assert len(points) == 2
    np.testing.assert_allclose([line.get_xdata()[0] for line in points], display.horizontal[0])


def test_a_plane_of_its_own():
    style = dict(plt.rcParams)
    display = ef.CausalPlaneDisplay.from_trajectory(_trajectory()).plot()
    assert dict(plt.rcParams) == style
    plt.close(display.figure_)


@pytest.mark.parametrize("n_layers", [1, 2, 12])
@pytest.mark.parametrize("n_steps", some_slow([1, 3, 2, 3000], 2))
def test_any_size_is_drawn_so_that_it_can_be_read(n_layers, n_steps):
    """At 300 pixels' width no text leaves the picture, and what is drawn leaves room for the data."""
    trajectory = _trajectory(n_steps, n_layers)
    figure = Figure(figsize=(3.0, 2.8), dpi=100, layout="constrained")
    ef.CausalPlaneDisplay.from_trajectory(trajectory).plot(figure.subplots())
    _check_readable(figure, least=0.5)
    figure = ef.plot_measures(trajectory)
    figure.set_dpi(300 / figure.get_figwidth())
    _check_readable(figure, least=0.1)
    assert len(set(layer_colours(n_layers))) == n_layers


def _check_readable(figure, least):
    figure.draw_without_rendering()
    width, height = figure.get_size_inches() * figure.dpi
    for ax in figure.axes:
        if not ax.axison:
            continue
        assert ax.get_window_extent().height >= least * height
        for text in [ax.xaxis.label, ax.yaxis.label, *_shown_ticks(ax), *(ax.get_legend() or NO_LEGEND).get_texts()]:
            if text.get_text():
                box = text.get_window_extent()
                # A pixel for the sides of letters.
                assert min(box.x0, box.y0) >= -1, text
                assert box.x1 <= width + 1, text
                assert box.y1 <= height + 1, text


def _shown_ticks(ax):
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        yield from (tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high)


def test_a_layer_that_does_not_move_is_drawn(tmp_path):
    still = Trajectory([0, 1], ["a"], {name: np.ones((2, 1)) for name in MEASURES}, {})
    figure = Figure(layout="constrained")
    ax = ef.CausalPlaneDisplay.from_trajectory(still).plot(figure.subplots()).ax_
    figure.savefig(tmp_path / "plane.png")
    # EI is taken from sensitivity and degeneracy here: 0.
    marks = [line for line in ax.lines if line.get_color() == layer_colours(1)[0] and len(line.get_xdata())]
    assert [[*mark.get_xdata(), *mark.get_ydata()] for mark in marks] == [pytest.approx([0.0, np.sqrt(2)])] * 2
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert left < 0 < right
    assert bottom < np.sqrt(2) < top


def test_what_is_undefined_is_left_out(tmp_path):
    trajectory = _trajectory()
    trajectory.ei[2] = trajectory.degeneracy[2] = np.nan
    trajectory.sensitivity[:, 1] = np.nan
    figure = plot_overview(trajectory)
    figure.savefig(tmp_path / "overview.png")
    # Nothing leads to the third record, and nothing of the second layer is in the plane.
    ax = ef.CausalPlaneDisplay.from_trajectory(trajectory).plot(Figure().subplots()).ax_
    assert [len(path.get_segments()) for path in _paths(ax)] == [4, 0, 4]
    panels = _panels(ef.plot_measures(trajectory))
    missing = {
        title: [np.flatnonzero(np.isnan(line.get_ydata())).tolist() for line in panels[title].lines[:3]]
        for title in ("EI", "sensitivity", "φ")
    }
    assert missing == {"EI": [[2]] * 3, "sensitivity": [[], list(range(7)), []], "φ": [[]] * 3}


def _panels(figure):
    return {
        ax.get_title(loc="left") or ax.get_legend().get_texts()[0].get_text(): ax for ax in figure.axes if ax.axison
    }


def test_measures_over_time_show_the_trajectory():
    trajectory = _trajectory()
    panels = _panels(ef.plot_measures(trajectory))
    assert set(panels) == {"EI", "sensitivity", "degeneracy", "EI_parts", "φ", "loss", "accuracy"}
    for title, name in (
        ("EI", "ei"),
        ("sensitivity", "sensitivity"),
        ("degeneracy", "degeneracy"),
        ("EI_parts", "ei_parts"),
        ("φ", "phi_ff"),
    ):
        lines = [line for line in panels[title].lines if len(line.get_xdata()) == len(trajectory)]
        assert len(lines) == 3
        for k, line in enumerate(lines):
            np.testing.assert_array_equal(line.get_xdata(), trajectory.steps)
            np.testing.assert_array_equal(line.get_ydata(), getattr(trajectory, name)[:, k])
    for k, name in enumerate(("loss", "val_loss")):
        np.testing.assert_array_equal(panels["loss"].lines[k].get_ydata(), trajectory.metrics[name])
    np.testing.assert_array_equal(panels["accuracy"].lines[0].get_ydata(), trajectory.metrics["accuracy"])


def _texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_least_validation_loss_is_marked_in_every_panel():
    trajectory = _trajectory()
    trajectory.metrics["val_loss"][:] = [9, 5, 4, np.nan, 3, 6, 7]
    panels = _panels(ef.plot_measures(trajectory))
    for panel in panels.values():
        assert sum(list(line.get_xdata()) == [40, 40] for line in panel.lines) == 1
    mark = next(line for line in panels["loss"].lines if line.get_label() == "least at step 40")
    assert [*mark.get_xdata(), *mark.get_ydata()] == [40, 3]
    assert "least at step 40" in _texts(panels["loss"])


@pytest.mark.parametrize(
    "losses", [[9, 8, 7, 6, 5, 4, 3], [1, 2, 3, 4, 5, 6, 7], [5, 3, 3, 4, 3, 3, 3], [np.nan, 2, 3, 4, 4, 4, 4]]
)
def test_where_no_minimum_is_inside_that_is_said(losses):
    trajectory = _trajectory()
    trajectory.metrics["val_loss"][:] = losses
    panels = _panels(ef.plot_measures(trajectory))
    assert "val loss: no minimum inside" in _texts(panels["loss"])
    assert not any(len(line.get_xdata()) == 2 for panel in panels.values() for line in panel.lines)


def test_measures_over_time_without_metrics():
    panels = _panels(ef.plot_measures(_trajectory(metrics=False)))
    assert set(panels) == {"EI", "sensitivity", "degeneracy", "EI_parts", "φ"}


@pytest.mark.parametrize("recorded", [(), ("loss",), ("accuracy",), ("loss", "accuracy")], ids=", ".join)
def test_no_place_among_the_measures_is_empty(recorded):
    trajectory = _trajectory()
    trajectory.metrics = {name: trajectory.metrics[name] for name in recorded}
    (whole, *panels, key) = ef.plot_measures(trajectory).axes
    assert all(panel.axison for panel in panels)
    assert [text.get_text() for text in key.get_legend().get_texts()] == ["fc0", "fc1", "fc2"]
    # Below the key there is nothing, nor beside it where it has a row of its own.
    assert not key.axison
    assert not whole.axison
    assert key.get_subplotspec().is_last_row()
    n_columns = 1 if len(panels) % 2 else 2
    assert len(key.get_subplotspec().colspan) == n_columns


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
    assert _bands(ax, colour, None) == {1: (1.0, 1.0), 2: (19.0, 21.0), 3: (38.0, 43.0)}
    assert _bands(ax, colour, BOUND) == {1: (1.0, 1.0), 2: (15.0, 26.0), 3: (30.0, 49.0)}
    assert _bars(ax, colour, BRACKET) == {4: (35.0, 65.0)}
    (crosses,) = [line for line in ax.lines if line.get_gid() == "broken"]
    assert crosses.get_ydata().tolist() == [35.0]
    said = ax.get_legend().get_title().get_text()
    assert "bounds alone" in said
    assert "rest on no model" in said
    # Frames of older versions have no such columns.
    older = frame[["in_bins", "out_bins", "layer", "ei", "ei_stderr", "sensitivity", "flags"]]
    ax = ef.plot_bins(older[:3], Figure().subplots()).axes[0]
    assert _bands(ax, colour, None)[2] == pytest.approx((20 - 0.979982, 20 + 0.979982))
    assert not _bands(ax, colour, BOUND)


def test_bins_of_inputs_and_outputs_apart():
    sweep = ef.bin_sweep(5 * np.eye(2), bins=((4, 8), (8, 8)), random_state=0)
    (ax,) = ef.plot_bins(sweep, Figure().subplots()).axes
    assert [text.get_text() for text in ax.get_xticklabels()] == ["4, 8", "8, 8"]


def test_every_picture_goes_into_axes_of_ones_own():
    trajectory = _trajectory()
    report = ef.analyze([np.eye(2) * 5, np.eye(2)], random_state=0)
    style = dict(plt.rcParams)
    figure = Figure(figsize=(16, 14), layout="constrained")
    axes = figure.subplots(2, 2).ravel()
    assert ef.CausalPlaneDisplay.from_trajectory(trajectory).plot(ax=axes[0]).figure_ is figure
    assert ef.plot_measures(trajectory, ax=axes[1]) is figure
    assert ef.plot_edges(report, ax=axes[2]) is figure
    assert ef.plot_bins(ef.bin_sweep(np.eye(2), bins=(4, 8), random_state=0), ax=axes[3]) is figure
    figure.draw_without_rendering()
    assert dict(plt.rcParams) == style
    assert not plt.get_fignums()
    with pytest.raises(ValueError, match="must be axes of a grid"):
        ef.plot_measures(trajectory, ax=figure.add_axes((0.1, 0.1, 0.5, 0.5)))


def _partly_bracketed(convention="each"):
    """Layers of twelve steps: one is known at all, one at steps 0 to 3, 6 and 9 to 11, one at none."""
    rng = np.random.default_rng(1)
    known = np.ones((12, 3), dtype=bool)
    known[:, 2] = known[[4, 5, 7, 8], 1] = False
    ei, sensitivity = rng.uniform(5, 9, (12, 3)), rng.uniform(10, 20, (12, 3))
    half = np.where(known, 0.3, 4.0)
    measures = {"ei": ei, "ei_stderr": half / 1.96, "ei_low": ei - half, "ei_high": ei + 1.2 * half}
    measures |= {"sensitivity": sensitivity, "degeneracy": sensitivity - ei, "ei_parts": ei / 2, "phi_ff": ei / 2}
    measures |= {"ei_parts_stderr": 0.5 + 0 * ei, "sensitivity_stderr": 0.25 + 0 * ei}
    flags = [[() if one else ("undersampled",) for one in step] for step in known]
    return Trajectory(
        np.arange(12), ["a", "b", "c"], measures, {}, {"convention": convention, "ranges": []}, flags=flags
    ), known


def _brackets(ax):
    found = [artist for artist in ax.collections if isinstance(artist, LineCollection) and artist.get_gid() == BRACKET]
    return [np.array(artist.get_segments()) for artist in found]


def test_no_line_leads_through_the_midpoints_of_brackets():
    trajectory, known = _partly_bracketed()
    panels = _panels(ef.plot_measures(trajectory))
    for title, name in (("EI", "ei"), ("degeneracy", "degeneracy"), ("φ", "phi_ff")):
        lines = [line for line in panels[title].lines if len(line.get_xdata()) == 12]
        for k, line in enumerate(lines):
            np.testing.assert_array_equal(np.isfinite(line.get_ydata()), known[:, k])
        bars = _brackets(panels[title])
        assert [len(one) for one in bars] == [4, 12]
        low, high = limits_of(trajectory, name)
        np.testing.assert_allclose(bars[1][:, :, 1], np.stack([low[:, 2], high[:, 2]], axis=1))
        np.testing.assert_array_equal(bars[0][:, 0, 0], [4, 5, 7, 8])
    # What EI has no part in is known.
    for title in ("sensitivity", "EI_parts"):
        assert not _brackets(panels[title])
        assert all(np.isfinite(line.get_ydata()).all() for line in panels[title].lines)


def test_brackets_in_the_plane_are_bars_and_no_path():
    trajectory, known = _partly_bracketed()
    ax = ef.CausalPlaneDisplay.from_trajectory(trajectory).plot(Figure().subplots()).ax_
    paths = [path.get_segments() for path in _paths(ax) if path.get_gid() != BRACKET]
    # Steps 0 to 3 and 9 to 11 of the second layer are joined, each to its next.
    assert [len(path) for path in paths] == [11, 3 + 2, 0]
    bars = _brackets(ax)
    assert [len(one) for one in bars] == [4, 12]
    for ends, at in zip(bars, (~known[:, 1], ~known[:, 2]), strict=True):
        k = 1 if len(ends) == 4 else 2
        # Back from the plane to EI and sensitivity.
        ei = np.stack([trajectory.ei_low[at, k], trajectory.ei_high[at, k]], axis=1)
        np.testing.assert_allclose(ends[..., 0] * np.sqrt(2), ei)
        np.testing.assert_allclose(ends.sum(axis=2) / np.sqrt(2), np.repeat(trajectory.sensitivity[at, k, None], 2, 1))
    outlines = [artist for artist in ax.collections if isinstance(artist, PolyCollection)]
    assert [len(one.get_paths()) for one in outlines] == [12, 8]
    # The lonely step is there, as a dot.
    dots = [one.get_offsets() for one in ax.collections if type(one).__name__ == "PathCollection"]
    assert [len(one) for one in dots] == [1]
    np.testing.assert_allclose(dots[0][0, 0] * np.sqrt(2), trajectory.ei[6, 1])
    assert "bounds alone" in ax.get_legend().get_title().get_text()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b", "c"]


def test_a_report_with_brackets_shows_them(random_weight):
    report = ef.analyze(random_weight(12, 40, 1.0), tol=1.0, random_state=0, joint="conditional")
    assert "undersampled" in report[0].flags
    (bar,) = _brackets(ef.CausalPlaneDisplay.from_report(report).plot(Figure().subplots()).ax_)
    np.testing.assert_allclose(bar[0, :, 0] * np.sqrt(2), report[0].ei_interval)


def test_every_measure_has_the_band_of_its_error():
    trajectory, _ = _partly_bracketed()
    below, above = {}, {}
    for name in ("ei", "sensitivity", "degeneracy", "ei_parts", "phi_ff"):
        low, high = limits_of(trajectory, name)
        values = getattr(trajectory, name)
        below[name], above[name] = (values - low)[0, 0], (high - values)[0, 0]
    z = 1.959964
    assert below == pytest.approx(
        {
            "ei": 0.3,
            "sensitivity": z * 0.25,
            "degeneracy": np.hypot(0.36, z * 0.25),
            "ei_parts": z * 0.5,
            "phi_ff": np.hypot(0.3, z * 0.5),
        },
        rel=1e-6,
    )
    assert above["phi_ff"] == pytest.approx(np.hypot(0.36, z * 0.5), rel=1e-6)
    panels = _panels(ef.plot_measures(trajectory))
    assert all(
        any(isinstance(artist, PolyCollection) for artist in panels[title].collections)
        for title in ("EI", "sensitivity", "degeneracy", "EI_parts", "φ")
    )


def _wide(bounds=True):
    """Layers of eight steps: one with wide bounds; one that is bracketed but for steps 1 to 3 and 6, whose bounds are
    wider than its bracket at steps 4 and 5; one whose bounds are its interval.
    """
    known = np.ones((8, 3), dtype=bool)
    known[[0, 4, 5, 7], 1] = False
    ei = np.linspace([30.0, 20.0, 10.0], [60.0, 40.0, 12.0], 8)
    low, high = ei - np.where(known, 1.0, 8.0), ei + np.where(known, 2.0, 8.0)
    under, over = ei - np.array([20.0, 8.0, 1.0]), ei + np.array([25.0, 8.0, 2.0])
    under[[4, 5], 1] -= 4.0
    over[known[:, 1], 1] += 5.0
    measures = {"ei": ei, "ei_stderr": 0.3 + 0 * ei, "ei_low": low, "ei_high": high}
    measures |= {"ei_bounds_low": under, "ei_bounds_high": over} if bounds else {}
    measures |= {"sensitivity": 2 * ei, "degeneracy": ei, "ei_parts": ei / 2, "phi_ff": ei / 2}
    measures |= {"ei_parts_stderr": 0 * ei, "sensitivity_stderr": 0 * ei}
    flags = [[() if one else ("undersampled",) for one in step] for step in known]
    return Trajectory(np.arange(8), ["wide", "part", "narrow"], measures, {}, flags=flags), known


def _of_layer(ax, colour, gid, kind):
    found = [artist for artist in ax.collections if isinstance(artist, kind) and artist.get_gid() == gid]
    colours = [one.get_colors() if kind is LineCollection else one.get_facecolor() for one in found]
    return [one for one, its in zip(found, colours, strict=True) if to_hex(its[0]) == colour.lower()]


def _bands(ax, colour, gid):
    """Lowest and highest y of a layer's bands by step."""
    bands = {}
    for artist in _of_layer(ax, colour, gid, PolyCollection):
        for path in artist.get_paths():
            for x in np.unique(path.vertices[:, 0]):
                y = path.vertices[path.vertices[:, 0] == x, 1]
                bands[round(x)] = y.min(), y.max()
    return bands


def _bars(ax, colour, gid):
    """Both ends of a layer's bars by step."""
    segments = [one for artist in _of_layer(ax, colour, gid, LineCollection) for one in artist.get_segments()]
    return {round(one[0][0]): (one[0][1], one[1][1]) for one in segments}


@pytest.mark.parametrize(("title", "name"), [("EI", "ei"), ("degeneracy", "degeneracy"), ("φ", "phi_ff")])
def test_bounds_are_a_fainter_band_around_that_of_the_interval(title, name):
    trajectory, known = _wide()
    ax = _panels(ef.plot_measures(trajectory))[title]
    wide, part, narrow = layer_colours(3)
    values = getattr(trajectory, name)
    by = {"ei": (20, 25, 1, 2), "degeneracy": (25, 20, 2, 1), "phi_ff": (20, 25, 1, 2)}[name]
    for gid, (below, above) in ((BOUND, by[:2]), (None, by[2:])):
        band = _bands(ax, wide, gid)
        ends = [(value - below, value + above) for value in values[:, 0]]
        assert band == {step: pytest.approx(one) for step, one in enumerate(ends)}
    assert not _bands(ax, narrow, BOUND)
    assert len(_bands(ax, narrow, None)) == 8
    # Where a bracket breaks the path, bands are broken, too; a step that stands alone has bars.
    assert set(_bands(ax, part, BOUND)) == set(_bands(ax, part, None)) == {1, 2, 3}
    low, high = limits_of(trajectory, name)
    under, over = bounds_of(trajectory, name)
    assert _bars(ax, part, None) == {6: pytest.approx((low[6, 1], high[6, 1]))}
    assert _bars(ax, part, BRACKET) == {k: pytest.approx((low[k, 1], high[k, 1])) for k in np.flatnonzero(~known[:, 1])}
    assert _bars(ax, part, BOUND) == {k: pytest.approx((under[k, 1], over[k, 1])) for k in (4, 5, 6)}
    alphas = {
        gid: max(one.get_alpha() for one in ax.collections if one.get_gid() == gid and isinstance(one, PolyCollection))
        for gid in (BOUND, None)
    }
    assert alphas[BOUND] < alphas[None]


def test_bounds_are_spoken_of_where_they_are_seen():
    for bounds in (True, False):
        trajectory, _ = _wide(bounds)
        figure = ef.plot_measures(trajectory)
        panels = _panels(figure)
        plane = ef.CausalPlaneDisplay.from_trajectory(trajectory).plot(Figure().subplots()).ax_
        titles = [ax.get_legend().get_title().get_text() for ax in (plane, *figure.axes) if ax.get_legend()]
        assert sum("rest on no model" in title for title in titles) == 2 * bounds
        drawn = [any(one.get_gid() == BOUND for one in panels[name].collections) for name in ("EI", "φ", "degeneracy")]
        assert drawn == [bounds] * 3
        assert not [one for name in ("sensitivity", "EI_parts") for one in panels[name].collections if one.get_gid()]


def test_what_is_a_little_wider_than_the_interval_is_not_drawn():
    trajectory, _ = _wide()
    trajectory.ei_bounds_low[:] = trajectory.ei_low
    trajectory.ei_bounds_high[:] = trajectory.ei_high + 0.1
    for artist in _panels(ef.plot_measures(trajectory))["EI"].collections:
        assert artist.get_gid() != BOUND
    assert np.isnan(ef.CausalPlaneDisplay.from_trajectory(trajectory).bounds_bars(0)).all()


def test_an_unbounded_bound_is_none():
    trajectory, _ = _wide()
    trajectory.ei_bounds_low[:] = -np.inf
    trajectory.ei_bounds_high[:] = np.inf
    assert BOUND not in [one.get_gid() for ax in ef.plot_measures(trajectory).axes for one in ax.collections]
    assert np.isnan(ef.CausalPlaneDisplay.from_trajectory(trajectory).bounds_bars(0)).all()


def test_bounds_in_the_plane_lie_along_constant_sensitivity():
    trajectory, known = _wide()
    display = ef.CausalPlaneDisplay.from_trajectory(trajectory)
    bars = display.bounds_bars(0)
    ei = np.stack([trajectory.ei_bounds_low, trajectory.ei_bounds_high], axis=2)
    np.testing.assert_allclose(bars[..., 0] * np.sqrt(2), ei[:, 0])
    np.testing.assert_allclose(bars.sum(axis=2) / np.sqrt(2), trajectory.sensitivity[:, [0, 0]])
    seen = np.isfinite(display.bounds_bars(1)).all(axis=(1, 2))
    assert np.flatnonzero(seen).tolist() == [1, 2, 3, 4, 5, 6]
    assert np.isnan(display.bounds_bars(2)).all()
    # Intervals of brackets are none.
    assert np.isfinite(display.interval_bars(1)).all(axis=(1, 2)).tolist() == known[:, 1].tolist()
    ax = display.plot(Figure().subplots()).ax_
    lines = [one for one in ax.collections if one.get_gid() == BOUND and isinstance(one, LineCollection)]
    # First and last step; of the second layer the ends are brackets, and the rest is an area.
    assert [len(one.get_segments()) for one in lines] == [2]
    np.testing.assert_allclose(lines[0].get_segments(), bars[[0, -1]])
    areas = [one for one in ax.patches if one.get_gid() == BOUND]
    assert [round(len(one.get_path().vertices) / 5) for one in areas] == [7, 5]


def test_the_interval_in_the_plane_is_that_of_the_trajectory():
    """Which holds more than the standard error, and reaches further to one side."""
    trajectory, _ = _wide()
    ellipse = ef.CausalPlaneDisplay.from_trajectory(trajectory).error_ellipses(0)
    ends = np.stack([ellipse[..., 0].min(axis=1), ellipse[..., 0].max(axis=1)], axis=1) * np.sqrt(2)
    np.testing.assert_allclose(ends, trajectory.ei[:, [0]] + [-1.0, 2.0])
    np.testing.assert_allclose(ellipse.sum(axis=2) / np.sqrt(2), np.repeat(trajectory.sensitivity[:, [0]], 25, axis=1))


def test_a_report_with_bounds_shows_them(random_weight):
    report = ef.analyze(random_weight(3, 2, 4.0), random_state=0)
    layer = replace(
        report[0], ei_interval=(2.0, 3.0), ei_bounds=(1.0, 5.0), ei=2.5, degeneracy=report[0].sensitivity - 2.5
    )
    display = ef.CausalPlaneDisplay.from_report(ef.Report([layer], [], {}))
    np.testing.assert_allclose(display.bounds_bars(0)[0, :, 0] * np.sqrt(2), [1.0, 5.0])
    np.testing.assert_allclose(display.interval_bars(0)[0, :, 0] * np.sqrt(2), [2.0, 3.0])
    ax = display.plot(Figure().subplots()).ax_
    (line,) = [one for one in ax.collections if one.get_gid() == BOUND]
    assert len(line.get_segments()) == 1
    assert ax.get_xlim()[1] > 5.0 / np.sqrt(2)
    assert "rest on no model" in ax.get_legend().get_title().get_text()


@pytest.mark.parametrize("convention", ["each", "first", "all"])
def test_the_convention_of_the_ranges_stands_on_every_picture(convention):
    trajectory, _ = _partly_bracketed(convention)
    said = {"each": "each record", "first": "the first record", "all": "all records together"}[convention]
    plane = ef.CausalPlaneDisplay.from_trajectory(trajectory).plot(Figure().subplots()).ax_
    figure = ef.plot_measures(trajectory)
    titles = [ax.get_legend().get_title().get_text() for ax in (plane, *figure.axes) if ax.get_legend()]
    assert sum(f"ranges: those of {said}" in title for title in titles) == 2


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.2, 2.5, ["0.2", "0.5", "1", "2"]),
        (0.05, 3, ["0.1", "0.3", "1", "3"]),
        (1e-7, 3e-7, ["10⁻⁷", "2×10⁻⁷", "3×10⁻⁷"]),
        (0.21, 0.29, ["0.22", "0.24", "0.26", "0.28"]),
        (1e-9, 1, ["10⁻⁹", "10⁻⁷", "10⁻⁵", "0.001", "0.1"]),
    ],
)
def test_ticks_of_powers_of_ten_are_numbers(low, high, expected):
    assert [tick_text(tick) for tick in log_ticks(low, high)] == expected


@pytest.mark.parametrize("span", np.geomspace(11, 1e30, 12))
@pytest.mark.parametrize("least", [1.7e-9, 0.013, 4.0])
def test_losses_of_any_span_have_ticks_that_can_be_read(least, span):
    figure = Figure(figsize=(3, 1.7), layout="constrained")
    ax = figure.subplots()
    plot_metrics(np.arange(50), {"loss": np.geomspace(least, least * span, 50)}, ax)
    figure.draw_without_rendering()
    assert ax.get_yscale() == "log"
    shown = list(_shown_ticks(ax))
    values = [tick.get_text() for tick in shown if tick in [one.label1 for one in ax.yaxis.get_major_ticks()]]
    assert 2 <= len(values) <= 5
    assert not any(tick.label1.get_text() for tick in ax.yaxis.get_minor_ticks())


def test_the_least_of_a_noisy_loss_is_no_turn():
    """Of 300 records of a loss that falls, or stands, with noise: in the old way nearly each had its mark."""
    rng = np.random.default_rng(0)
    x = np.linspace(0, 1, 300)
    for level in (0 * x, 20 * np.exp(-6 * x), -5 * x):
        found = sum(turning_point(level + rng.normal(size=300)) is not None for _ in range(400))
        # Four in 400 by chance, and at most ten in all but a hundredth of all such tests.
        assert found <= 10
    turns = [turning_point(40 * (x - 0.4) ** 2 + rng.normal(size=300)) for _ in range(100)]
    assert all(turn is not None and 60 < turn < 180 for turn in turns)


def test_a_noisy_loss_that_ends_near_its_least_is_not_marked():
    trajectory = _trajectory(300)
    noise = np.random.default_rng(3).normal(size=300)
    noise[290] = -4.0 if noise.min() > -4.0 else noise.min() - 0.1
    trajectory.metrics["val_loss"][:] = 1 + np.exp(-np.arange(300) / 60) + 0.02 * noise
    trajectory.metrics["val_loss"][290] = trajectory.metrics["val_loss"].min() - 0.001
    panels = _panels(ef.plot_measures(trajectory))
    assert not any("least at step" in text for text in _texts(panels["loss"]))


def _pictures_into(ax):
    trajectory, weights = _trajectory(n_layers=1), {"w0": np.eye(2)}
    few = {"activation": "linear", "bins": 4}
    plane = ef.CausalPlaneDisplay.from_trajectory(trajectory)
    return {
        "plot_measures": lambda: ef.plot_measures(trajectory, ax=ax),
        "plot_measure": lambda: plot_measure(trajectory, "ei", ax),
        "plot_metrics": lambda: plot_metrics(trajectory.steps, trajectory.metrics, ax),
        "CausalPlaneDisplay.plot": lambda: plane.plot(ax),
        "CausalPlaneDisplay.plot_layer": lambda: plane.plot_layer(0, ax),
        "plot_edges": lambda: ef.plot_edges(ef.analyze(weights, **few), ax=ax),
        "plot_bins": lambda: ef.plot_bins(ef.bin_sweep([np.eye(2)], bins=(2, 4), activation="linear"), ax),
        "plot_layers": lambda: plot_layers(trajectory, ax),
        "plot_multiples": lambda: plot_multiples({"a": trajectory}, ax),
        "plot_bands": lambda: plot_bands({"a": trajectory}, ax),
        "plot_explained_plane": lambda: plot_explained_plane(ax),
        "plot_definition": lambda: plot_definition("ei", ax),
    }


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        (Figure().subplots(2, 2), r"Got ndarray of shape \(2, 2\) of 4 axes. Give one of them, like axes\[0, 0\]"),
        (Figure().subplots(2), r"Got ndarray of shape \(2,\) of 2 axes. Give one of them, like axes\[0\]"),
        (list(Figure().subplots(1, 3)), r"Got list of 3 axes. Give one of them, like axes\[0\]"),
        (Figure(), r"Got Figure. Give axes of it, like figure.subplots\(\)"),
        ("left", r"Got 'left'. Give what figure.subplots\(\) makes(, or nothing)?\."),
    ],
    ids=["grid", "column", "list", "figure", "text"],
)
def test_what_are_not_one_axes_is_refused_by_every_picture(given, remedy):
    for owner, draw in _pictures_into(given).items():
        with pytest.raises(TypeError, match=f"The 'ax' parameter of {owner} must be one matplotlib Axes. {remedy}"):
            draw()


@pytest.mark.parametrize("owner", ["plot_measure", "plot_metrics", "CausalPlaneDisplay.plot_layer"])
def test_what_draws_into_a_picture_is_given_its_axes(owner):
    with pytest.raises(
        TypeError, match=rf"'ax' parameter of {owner} .*Got None. Give what figure.subplots\(\) makes\.$"
    ):
        _pictures_into(None)[owner]()


def test_a_plane_of_tensors_that_need_a_gradient_is_drawn_and_of_other_shapes_refused():
    torch = pytest.importorskip("torch")
    tensor = torch.ones(3, 2, requires_grad=True)
    display = ef.CausalPlaneDisplay(tensor.bfloat16(), tensor, ["a", "b"], ei_stderr=tensor)
    np.testing.assert_array_equal(display.horizontal, 0.0)
    with pytest.raises(ValueError, match=r"'sensitivity' parameter of CausalPlaneDisplay must .* for 3 layers"):
        ef.CausalPlaneDisplay(tensor, tensor, ["a", "b", "c"])
    with pytest.raises(ValueError, match="'sensitivity' and 'degeneracy' parameters of CausalPlaneDisplay must"):
        ef.CausalPlaneDisplay(tensor, tensor[:2], ["a", "b"])
    with pytest.raises(TypeError, match="'degeneracy' parameter of CausalPlaneDisplay must be an array of real"):
        ef.CausalPlaneDisplay(tensor, [["x", "y"]], ["a", "b"])
    with pytest.raises(ValueError, match="'ei_stderr' parameter of CausalPlaneDisplay must have shape"):
        ef.CausalPlaneDisplay(tensor, tensor, ["a", "b"], ei_stderr=tensor[:, :1].T)
