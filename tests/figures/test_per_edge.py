"""Figures per edge: everything is divided by the same number."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from trajectories import trajectory_of

import ei_fast as ef
from ei_fast.figures.measures import plot_measure
from ei_fast.figures.scale import edges_of, scaled
from ei_fast.training.columns import MEASURES

EDGES = np.array([150.0, 36.0, 36.0])


def test_every_coordinate_is_divided_by_the_number_of_edges():
    trajectory = trajectory_of(3, 6, bounds=True)
    layer, edge = (ef.CausalPlaneDisplay.from_trajectory(trajectory, per) for per in ("layer", "edge"))
    np.testing.assert_allclose(edge.horizontal, layer.horizontal / EDGES)
    np.testing.assert_allclose(edge.vertical, layer.vertical / EDGES)
    np.testing.assert_array_equal(edge.bracketed, layer.bracketed)
    for k, n_edges in enumerate(EDGES):
        np.testing.assert_allclose(edge.error_ellipses(k), layer.error_ellipses(k) / n_edges)
        np.testing.assert_allclose(edge.bracket_bars(k), layer.bracket_bars(k) / n_edges)
        for bars in ("interval_bars", "bounds_bars"):
            one, other = (getattr(display, bars)(k) for display in (edge, layer))
            both = np.isfinite(one) & np.isfinite(other)
            np.testing.assert_allclose(one[both], (other / n_edges)[both])
    ax = edge.plot(Figure().subplots()).ax_
    assert ax.get_xlabel() == "EI / √2  [bits per edge]"
    assert ax.get_ylabel() == "(sensitivity + degeneracy) / √2  [bits per edge]"


def test_a_report_per_edge(random_weight):
    report = ef.analyze([random_weight(5, 3, 5.0), random_weight(3, 2, 5.0)], random_state=0)
    display = ef.CausalPlaneDisplay.from_report(report, per="edge")
    np.testing.assert_allclose(display.horizontal[0] * 2**0.5, [report[0].ei / 15, report[1].ei / 6])
    np.testing.assert_array_equal(edges_of(report, "test"), [15, 6])


def test_measures_per_edge_with_their_bands():
    trajectory = trajectory_of(3, 6, bounds=True)
    figures = [ef.plot_measures(trajectory, per=per) for per in ("layer", "edge")]
    for one, other in zip(*(figure.axes for figure in figures), strict=True):
        if other.get_title(loc="left"):
            assert other.get_ylabel() == "bits per edge"
            for k in range(3):
                np.testing.assert_allclose(other.lines[k].get_ydata() * EDGES[k], one.lines[k].get_ydata())
    ax = Figure().subplots()
    plot_measure(trajectory, "sensitivity", ax, per="edge")
    np.testing.assert_allclose(ax.lines[0].get_ydata(), trajectory.sensitivity[:, 0] / 150)


def test_scaled_per_edge_it_is_another_trajectory():
    trajectory = trajectory_of(3, 6)
    before = trajectory.ei.copy()
    divided = scaled(trajectory, "edge", "test")
    assert scaled(trajectory, "layer", "test") is trajectory
    for name in MEASURES:
        np.testing.assert_allclose(getattr(divided, name), getattr(trajectory, name) / EDGES)
    np.testing.assert_array_equal(trajectory.ei, before)
    assert divided.metrics.keys() == trajectory.metrics.keys()
    assert divided.widths == trajectory.widths


@pytest.mark.parametrize("per", ["edges", "", None, 1, ["edge"]])
def test_another_word_is_refused(per):
    trajectory = trajectory_of(3, 6)
    for owner, call in (
        ("CausalPlaneDisplay", ef.CausalPlaneDisplay.from_trajectory),
        ("plot_measures", lambda trajectory, per: ef.plot_measures(trajectory, per=per)),
    ):
        with pytest.raises(ValueError, match=f"'per' parameter of {owner} must be 'layer' or 'edge'. Got"):
            call(trajectory, per)


def test_unknown_widths_are_refused():
    trajectory = trajectory_of(3, 6)
    trajectory.provenance.pop("layers")
    for draw in (ef.CausalPlaneDisplay.from_trajectory, lambda one, per: ef.plot_measures(one, per=per)):
        with pytest.raises(ValueError, match=r"'per' parameter of .* Got 'edge' instead. Record it with a Recorder"):
            draw(trajectory, "edge")
    for edges in (None, [1.0, 2.0], [0.0], [np.nan]):
        with pytest.raises(ValueError, match="'edges' parameter of CausalPlaneDisplay must be the number of edges"):
            ef.CausalPlaneDisplay([[3.0]], [[1.0]], ["fc"], edges=edges, per="edge")
