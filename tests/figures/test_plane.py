"""The causal plane shows the figures it is given."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from drawn import panels_of, paths_of, short_trajectory, shown_ticks
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from slow_cases import some_slow

import ei_fast as ef
from ei_fast.figures.colours import layer_colours
from ei_fast.figures.overview import plot_overview
from ei_fast.training.columns import MEASURES
from ei_fast.training.trajectory import Trajectory

NO_LEGEND = Legend(Figure(), [], [])


def test_coordinates_are_the_pair_turned_by_45_degrees():
    trajectory = short_trajectory()
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
    display = ef.CausalPlaneDisplay.from_trajectory(short_trajectory())
    ax = Figure().subplots()
    assert display.plot(ax) is display
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert len(paths_of(ax)) == 3
    for k, path in enumerate(paths_of(ax)):
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
    ax = ef.CausalPlaneDisplay.from_trajectory(short_trajectory()).plot(Figure().subplots()).ax_
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
    trajectory = short_trajectory()
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
    runs = {"seed 0": short_trajectory(7, 2), "seed 1": short_trajectory(5, 2, seed=1)}
    # Farther out than the first one.
    for name in ("ei", "sensitivity"):
        getattr(runs["seed 1"], name)[:] *= 3
    runs["seed 1"].degeneracy[:] = runs["seed 1"].sensitivity - runs["seed 1"].ei
    ax = Figure().subplots()
    for name, trajectory in runs.items():
        ef.CausalPlaneDisplay.from_trajectory(trajectory).plot(ax, run=name)
    assert [len(path.get_segments()) for path in paths_of(ax)] == [6, 6, 4, 4]
    for path in paths_of(ax):
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
        ef.CausalPlaneDisplay.from_trajectory(short_trajectory(0)).plot(Figure().subplots())


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
    display = ef.CausalPlaneDisplay.from_trajectory(short_trajectory()).plot()
    assert dict(plt.rcParams) == style
    plt.close(display.figure_)


@pytest.mark.parametrize("n_layers", [1, 2, 12])
@pytest.mark.parametrize("n_steps", some_slow([1, 3, 2, 3000], 2))
def test_any_size_is_drawn_so_that_it_can_be_read(n_layers, n_steps):
    """At 300 pixels' width no text leaves the picture, and what is drawn leaves room for the data."""
    trajectory = short_trajectory(n_steps, n_layers)
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
        for text in [ax.xaxis.label, ax.yaxis.label, *shown_ticks(ax), *(ax.get_legend() or NO_LEGEND).get_texts()]:
            if text.get_text():
                box = text.get_window_extent()
                # A pixel for the sides of letters.
                assert min(box.x0, box.y0) >= -1, text
                assert box.x1 <= width + 1, text
                assert box.y1 <= height + 1, text


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
    trajectory = short_trajectory()
    trajectory.ei[2] = trajectory.degeneracy[2] = np.nan
    trajectory.sensitivity[:, 1] = np.nan
    figure = plot_overview(trajectory)
    figure.savefig(tmp_path / "overview.png")
    # Nothing leads to the third record, and nothing of the second layer is in the plane.
    ax = ef.CausalPlaneDisplay.from_trajectory(trajectory).plot(Figure().subplots()).ax_
    assert [len(path.get_segments()) for path in paths_of(ax)] == [4, 0, 4]
    panels = panels_of(ef.plot_measures(trajectory))
    missing = {
        title: [np.flatnonzero(np.isnan(line.get_ydata())).tolist() for line in panels[title].lines[:3]]
        for title in ("EI", "sensitivity", "φ")
    }
    assert missing == {"EI": [[2]] * 3, "sensitivity": [[], list(range(7)), []], "φ": [[]] * 3}


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
