"""Small multiples: of layers each on its own scale, of runs all on one, and what several runs have in common."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from slow_cases import some_slow
from trajectories import trajectory_of

import ei_fast as ef
from ei_fast.figures.key import DEPTH
from ei_fast.figures.multiples import plot_bands, plot_layers, plot_multiples
from ei_fast.training.trajectory import Trajectory


def _paths(ax):
    return [one for one in ax.collections if type(one) is LineCollection and not one.get_gid()]


def _shown(figure):
    return [ax for ax in figure.axes if ax.axison]


@pytest.mark.parametrize("n_layers", some_slow([1, 5, 60, 20], 2))
def test_each_layer_has_a_plane_of_its_own(n_layers):
    trajectory = trajectory_of(n_layers, 4)
    display = ef.CausalPlaneDisplay.from_trajectory(trajectory)
    figure = plot_layers(trajectory)
    figure.draw_without_rendering()
    panels = _shown(figure)
    assert len(panels) == n_layers
    for k, ax in enumerate(panels):
        (path,) = _paths(ax)
        np.testing.assert_array_equal(path.get_segments()[0][0], [display.horizontal[0, k], display.vertical[0, k]])
        assert ax.get_xlim()[0] < 0 < ax.get_xlim()[1]
        box = ax.get_window_extent()
        assert box.width >= 60
        assert box.height >= 50
    titles = [ax.get_title(loc="left") for ax in panels]
    assert len(set(titles)) == n_layers


def test_layers_per_edge_say_so():
    figure = plot_layers(trajectory_of(2, 4), per="edge")
    assert figure.get_supxlabel() == "EI / √2  [bits per edge]"
    assert "each layer on its own scale" in figure.get_suptitle()


def test_runs_share_one_scale():
    runs = {f"seed {seed}": trajectory_of(3, 4 + seed, seed=seed) for seed in range(3)}
    figure = plot_multiples(runs)
    figure.draw_without_rendering()
    panels = _shown(figure)
    assert [ax.get_title(loc="left") for ax in panels] == list(runs)
    assert len({ax.get_xlim() + ax.get_ylim() for ax in panels}) == 1
    for ax, trajectory in zip(panels, runs.values(), strict=True):
        assert [len(path.get_segments()) for path in _paths(ax)] == [len(trajectory) - 1] * 3
        places = np.concatenate([np.concatenate(path.get_segments()) for path in _paths(ax)])
        assert (places >= [ax.get_xlim()[0], ax.get_ylim()[0]]).all()
        assert (places <= [ax.get_xlim()[1], ax.get_ylim()[1]]).all()
    key = next(ax for ax in figure.axes if ax.get_legend())
    assert key.get_legend().get_texts()[0].get_text().startswith("0")


def test_many_layers_of_many_runs_have_a_bar():
    figure = plot_multiples({f"seed {seed}": trajectory_of(20, 2, seed=seed) for seed in range(2)})
    assert sum(artist.get_gid() == DEPTH for ax in figure.axes for artist in ax.artists) == 1


def test_bands_reach_from_the_least_to_the_greatest_of_the_runs():
    runs = {f"seed {seed}": trajectory_of(2, 6, seed=seed) for seed in range(4)}
    figure = plot_bands(runs)
    figure.draw_without_rendering()
    ax = next(ax for ax in figure.axes if ax.get_title(loc="left") == "sensitivity")
    values = np.stack([run.sensitivity for run in runs.values()])
    for k, (line, band) in enumerate(zip(ax.lines, ax.collections, strict=True)):
        np.testing.assert_allclose(line.get_ydata(), np.median(values[:, :, k], axis=0))
        assert isinstance(band, PolyCollection)
        corners = band.get_paths()[0].vertices
        assert corners[:, 1].max() == values[:, :, k].max()
        assert corners[:, 1].min() == values[:, :, k].min()
    said = next(ax for ax in figure.axes if ax.get_legend()).get_legend().get_title().get_text()
    assert "line: median of 4 runs" in said
    assert "band: least to greatest" in said


def test_runs_at_other_steps_are_read_off_between_them():
    first, second = trajectory_of(1, 5), trajectory_of(1, 3)
    measures = {name: getattr(second, name) for name in ("ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts")}
    second = Trajectory([0, 20, 30], second.layers, measures | {"phi_ff": second.phi_ff}, {})
    second.ei[:, 0] = first.ei[[0, 2, 3], 0]
    ax = next(ax for ax in plot_bands({"a": first, "b": second}).axes if ax.get_title(loc="left") == "EI")
    middle = ax.lines[0].get_ydata()
    between = (second.ei[0, 0] + second.ei[1, 0]) / 2
    np.testing.assert_allclose(middle, [first.ei[0, 0], (first.ei[1, 0] + between) / 2, *first.ei[2:, 0]])


def test_what_cannot_be_drawn_together_is_refused():
    for draw in (plot_multiples, plot_bands):
        with pytest.raises(ValueError, match="'trajectories' parameter of plot_.* at least one run. Got none"):
            draw({})
        with pytest.raises(ValueError, match="with the layers .* as 'b'"):
            draw({"a": trajectory_of(2, 3), "b": trajectory_of(3, 3)})
        with pytest.raises(ValueError, match="at least one step"):
            draw({"a": Trajectory.empty(["fc"])})
        with pytest.raises(ValueError, match="'per' parameter"):
            draw({"a": trajectory_of(2, 3)}, per="edges")
    with pytest.raises(ValueError, match="There is no step"):
        plot_layers(Trajectory.empty(["fc"]))


def test_multiples_go_into_axes_of_ones_own_and_leave_the_style_alone():
    style = dict(plt.rcParams)
    figure = Figure(figsize=(12, 5), layout="constrained")
    axes = figure.subplots(1, 2)
    assert plot_layers(trajectory_of(3, 3), ax=axes[0]) is figure
    assert plot_bands({"a": trajectory_of(3, 3)}, ax=axes[1]) is figure
    assert dict(plt.rcParams) == style
    assert not plt.get_fignums()
