"""Pictures show the figures they are given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

import ei_fast as ef
from ei_fast.figures.measures import plot_measures
from ei_fast.figures.style import layer_colours
from ei_fast.training.trajectory import MEASURES, Trajectory


def _trajectory(n_steps=7, n_layers=3, metrics=True):
    rng = np.random.default_rng(0)
    sensitivity, ei = rng.uniform(0, 20, (n_steps, n_layers)), rng.uniform(0, 9, (n_steps, n_layers))
    measures = {"ei": ei, "ei_stderr": 0.01 + 0 * ei, "sensitivity": sensitivity, "degeneracy": sensitivity - ei}
    measures |= {"ei_parts": ei / 2, "phi_ff": ei / 2}
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


def test_the_plane_draws_what_it_holds():
    display = ef.CausalPlaneDisplay.from_trajectory(_trajectory())
    ax = Figure().subplots()
    assert display.plot(ax) is display
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    paths = [artist for artist in ax.collections if isinstance(artist, LineCollection)]
    assert len(paths) == 3
    for k, path in enumerate(paths):
        segments = np.array(path.get_segments())
        np.testing.assert_allclose(
            segments[:, 0], np.stack([display.horizontal[:-1, k], display.vertical[:-1, k]], axis=1)
        )
        np.testing.assert_allclose(
            segments[:, 1], np.stack([display.horizontal[1:, k], display.vertical[1:, k]], axis=1)
        )
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["fc0", "fc1", "fc2", "EI = 0 (nullcline)", "degeneracy = 0"]
    nullcline = next(line for line in ax.lines if line.get_label().startswith("EI = 0"))
    assert set(nullcline.get_xdata()) == {0.0}
    low, high = ax.get_xlim()
    assert low < 0 < display.horizontal.max() < high


def test_a_report_is_one_point_a_layer(random_weight):
    report = ef.analyze([random_weight(3, 2, 5.0), random_weight(2, 2, 5.0)], random_state=0)
    display = ef.CausalPlaneDisplay.from_report(report).plot(Figure().subplots())
    assert display.horizontal.shape == (1, 2)
    np.testing.assert_allclose(display.horizontal[0], [layer.ei / np.sqrt(2) for layer in report])
    points = [line for line in display.ax_.lines if line.get_label().startswith("layer")]
    np.testing.assert_allclose([line.get_xdata()[0] for line in points], display.horizontal[0])


def test_a_plane_of_its_own():
    style = dict(plt.rcParams)
    display = ef.CausalPlaneDisplay.from_trajectory(_trajectory()).plot()
    assert dict(plt.rcParams) == style
    plt.close(display.figure_)


@pytest.mark.parametrize("n_layers", [1, 2, 12])
@pytest.mark.parametrize("n_steps", [1, 2, 3, 300])
def test_any_size_is_drawn(n_layers, n_steps, tmp_path):
    trajectory = _trajectory(n_steps, n_layers)
    figure = Figure(layout="constrained")
    ef.CausalPlaneDisplay.from_trajectory(trajectory).plot(figure.subplots())
    figure.savefig(tmp_path / "plane.png")
    plot_measures(trajectory).savefig(tmp_path / "measures.png")
    assert len(set(layer_colours(n_layers))) == n_layers


def test_a_layer_that_does_not_move_is_drawn(tmp_path):
    still = Trajectory([0, 1], ["a"], {name: np.ones((2, 1)) for name in MEASURES}, {})
    figure = Figure(layout="constrained")
    ef.CausalPlaneDisplay.from_trajectory(still).plot(figure.subplots())
    figure.savefig(tmp_path / "plane.png")


def test_measures_over_time_show_the_trajectory():
    trajectory = _trajectory()
    figure = plot_measures(trajectory)
    by_title = {ax.get_title(loc="left"): ax for ax in figure.axes}
    assert list(by_title) == ["EI", "sensitivity", "degeneracy", "loss", "other metrics"]
    for title, name in (("EI", "ei"), ("sensitivity", "sensitivity"), ("degeneracy", "degeneracy")):
        for k, line in enumerate(by_title[title].lines):
            np.testing.assert_array_equal(line.get_xdata(), trajectory.steps)
            np.testing.assert_array_equal(line.get_ydata(), getattr(trajectory, name)[:, k])
    assert [line.get_label() for line in by_title["loss"].lines] == ["loss", "val loss"]
    np.testing.assert_array_equal(by_title["other metrics"].lines[0].get_ydata(), trajectory.metrics["accuracy"])


def test_measures_over_time_without_metrics():
    assert len(plot_measures(_trajectory(metrics=False)).axes) == 3
