"""Pictures go into axes of one's own."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawn import short_trajectory
from matplotlib.figure import Figure

import ei_fast as ef
from ei_fast.figures.colours import metric_styles
from ei_fast.figures.explained import plot_definition, plot_explained_plane
from ei_fast.figures.measures import plot_measure, plot_metrics
from ei_fast.figures.multiples import plot_bands, plot_layers, plot_multiples


def test_every_picture_goes_into_axes_of_ones_own():
    trajectory = short_trajectory()
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


def _pictures_into(ax):
    trajectory, weights = short_trajectory(n_layers=1), {"w0": np.eye(2)}
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


def test_ends_of_intervals_that_lie_the_other_way_are_refused():
    stacked = [[[1.0], [2.0]], [[3.0], [4.0]]]
    with pytest.raises(ValueError, match=r"'ei_interval' .* must have shape \(2, 1, 2\). Got \(2, 2, 1\)"):
        ef.CausalPlaneDisplay([[3.0], [4.0]], [[1.0], [0.0]], ["fc1"], ei_interval=stacked)


def test_eight_metrics_are_told_apart():
    styles = {(style["color"], style["linestyle"]) for style in metric_styles(8)}
    assert len(styles) == 8
