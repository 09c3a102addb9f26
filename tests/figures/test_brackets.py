"""Brackets and bounds are bars and bands, and never a line."""

from dataclasses import replace

import numpy as np
import pytest
from drawn import bands_of, bars_of, panels_of, partly_bracketed, paths_of
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

import ei_fast as ef
from ei_fast.figures.colours import layer_colours
from ei_fast.figures.known import bounds_of, limits_of
from ei_fast.figures.style import BOUND, BRACKET
from ei_fast.training.trajectory import Trajectory


def _brackets(ax):
    found = [artist for artist in ax.collections if isinstance(artist, LineCollection) and artist.get_gid() == BRACKET]
    return [np.array(artist.get_segments()) for artist in found]


def test_no_line_leads_through_the_midpoints_of_brackets():
    trajectory, known = partly_bracketed()
    panels = panels_of(ef.plot_measures(trajectory))
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
    trajectory, known = partly_bracketed()
    ax = ef.CausalPlaneDisplay.from_trajectory(trajectory).plot(Figure().subplots()).ax_
    paths = [path.get_segments() for path in paths_of(ax) if path.get_gid() != BRACKET]
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


@pytest.mark.parametrize(("title", "name"), [("EI", "ei"), ("degeneracy", "degeneracy"), ("φ", "phi_ff")])
def test_bounds_are_a_fainter_band_around_that_of_the_interval(title, name):
    trajectory, known = _wide()
    ax = panels_of(ef.plot_measures(trajectory))[title]
    wide, part, narrow = layer_colours(3)
    values = getattr(trajectory, name)
    by = {"ei": (20, 25, 1, 2), "degeneracy": (25, 20, 2, 1), "phi_ff": (20, 25, 1, 2)}[name]
    for gid, (below, above) in ((BOUND, by[:2]), (None, by[2:])):
        band = bands_of(ax, wide, gid)
        ends = [(value - below, value + above) for value in values[:, 0]]
        assert band == {step: pytest.approx(one) for step, one in enumerate(ends)}
    assert not bands_of(ax, narrow, BOUND)
    assert len(bands_of(ax, narrow, None)) == 8
    # Where a bracket breaks the path, bands are broken, too; a step that stands alone has bars.
    assert set(bands_of(ax, part, BOUND)) == set(bands_of(ax, part, None)) == {1, 2, 3}
    low, high = limits_of(trajectory, name)
    under, over = bounds_of(trajectory, name)
    assert bars_of(ax, part, None) == {6: pytest.approx((low[6, 1], high[6, 1]))}
    assert bars_of(ax, part, BRACKET) == {
        k: pytest.approx((low[k, 1], high[k, 1])) for k in np.flatnonzero(~known[:, 1])
    }
    assert bars_of(ax, part, BOUND) == {k: pytest.approx((under[k, 1], over[k, 1])) for k in (4, 5, 6)}
    alphas = {
        gid: max(one.get_alpha() for one in ax.collections if one.get_gid() == gid and isinstance(one, PolyCollection))
        for gid in (BOUND, None)
    }
    assert alphas[BOUND] < alphas[None]


def test_bounds_are_spoken_of_where_they_are_seen():
    for bounds in (True, False):
        trajectory, _ = _wide(bounds)
        figure = ef.plot_measures(trajectory)
        panels = panels_of(figure)
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
    for artist in panels_of(ef.plot_measures(trajectory))["EI"].collections:
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
