"""Pictures hold their shape: many layers, long names, one or thousands of steps, light and dark styles."""

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from slow_cases import some_slow
from trajectories import trajectory_of

import ei_fast as ef
from ei_fast.figures.colours import is_dark, layer_colours, paper
from ei_fast.figures.key import DEPTH, MOST_ENTRIES, text_width
from ei_fast.figures.motion import motion_of
from ei_fast.figures.overview import plot_overview
from ei_fast.figures.video import Frames

LAYERS = [1, 8, 20, 60]


def _share(artist, figure):
    box = artist.get_window_extent()
    return np.array([box.width, box.height]) / (figure.get_size_inches() * figure.dpi)


def _check_inside(artist, figure):
    box = artist.get_window_extent()
    width, height = figure.get_size_inches() * figure.dpi
    # A pixel for the sides of letters.
    assert box.x0 >= -1, artist
    assert box.y0 >= -1, artist
    assert box.x1 <= width + 1, artist
    assert box.y1 <= height + 1, artist


def _keys(ax):
    found = [artist for artist in ax.artists if artist.get_gid() == DEPTH]
    return [*found, *([ax.get_legend()] if ax.get_legend() else [])]


@pytest.mark.parametrize("n_layers", LAYERS)
@pytest.mark.parametrize("names", some_slow(["eighty", "dotted", "short"], 1))
def test_the_plane_keeps_its_place(n_layers, names):
    display = ef.CausalPlaneDisplay.from_trajectory(trajectory_of(n_layers, 5, names, bounds=True)).plot()
    figure = display.figure_
    figure.draw_without_rendering()
    assert (_share(display.ax_, figure) >= [0.5, 0.6]).all()
    for key in _keys(display.ax_):
        _check_inside(key, figure)
    assert sum(_share(key, figure)[1] for key in _keys(display.ax_)) <= 0.27
    plt.close(figure)


@pytest.mark.parametrize("n_layers", some_slow(LAYERS[::-1], 3))
def test_frames_of_a_video_keep_their_shape(n_layers):
    frames = Frames(motion_of(trajectory_of(n_layers, 3, "eighty", bounds=True)), 125)
    ax = frames.points.axes
    share = _share(ax, ax.figure)
    assert (share >= [0.5, 0.6]).all(), share
    for key in _keys(ax):
        _check_inside(key, ax.figure)
    beside = next(other for other in ax.figure.axes if other is not ax)
    assert (_share(beside, ax.figure) >= [0.2, 0.6]).all()


def test_curves_of_layers_need_no_key_of_their_own():
    frames = Frames(motion_of(trajectory_of(20, 3, "eighty", metrics=False)), 125)
    ax = frames.points.axes
    beside = next(other for other in ax.figure.axes if other is not ax)
    assert beside.get_legend() is None
    assert len(frames.markers) == 20
    assert (_share(ax, ax.figure) >= [0.5, 0.6]).all()


def test_more_metrics_than_have_room_leave_the_panel_to_the_data():
    trajectory = trajectory_of(2, 4)
    trajectory.metrics.update({f"loss_of_head_{k}": np.linspace(1, 2, 4) + k for k in range(40)})
    figure = ef.plot_measures(trajectory)
    figure.draw_without_rendering()
    panel = next(ax for ax in figure.axes if ax.axison and ax.get_legend())
    assert _share(panel, figure)[1] >= 0.08
    assert panel.get_legend().get_texts()[-2].get_text() == "… of 42"


@pytest.mark.parametrize("n_layers", some_slow([20, 8, 1, 60], 2))
def test_measures_keep_their_shape(n_layers):
    figure = ef.plot_measures(trajectory_of(n_layers, 5, "eighty", bounds=True))
    figure.draw_without_rendering()
    panels = [ax for ax in figure.axes if ax.axison]
    assert len(panels) == 6
    for panel in panels:
        assert (_share(panel, figure) >= [0.35, 0.12]).all()
    for ax in figure.axes:
        for key in _keys(ax):
            _check_inside(key, figure)
            if not ax.axison:
                assert _share(key, figure)[1] <= 0.25


@pytest.mark.parametrize("n_layers", [MOST_ENTRIES, MOST_ENTRIES + 1])
def test_many_layers_have_a_bar_by_depth_and_no_entries(n_layers):
    trajectory = trajectory_of(n_layers, 3)
    ax = ef.CausalPlaneDisplay.from_trajectory(trajectory).plot(Figure(layout="constrained").subplots()).ax_
    bars = [artist for artist in ax.artists if artist.get_gid() == DEPTH]
    entries = [text.get_text() for text in ax.get_legend().get_texts()]
    if n_layers <= MOST_ENTRIES:
        assert not bars
        assert entries == [f"{k}.feed_forward" for k in range(n_layers)]
    else:
        assert not entries
        first, strip, last = bars[0].get_child().get_children()
        assert [first.get_text(), last.get_text()] == ["0.feed_forward", f"{n_layers - 1}.feed_forward"]
        colours = [to_rgba(piece.get_facecolor()) for piece in strip.get_children()]
        assert colours == [to_rgba(colour) for colour in layer_colours(n_layers)]


def test_a_second_run_does_not_double_the_bar():
    ax = Figure(layout="constrained").subplots()
    for seed in range(2):
        ef.CausalPlaneDisplay.from_trajectory(trajectory_of(12, 3, seed=seed)).plot(ax, run=f"seed {seed}")
    assert sum(artist.get_gid() == DEPTH for artist in ax.artists) == 1
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["seed 0", "seed 1"]


@pytest.mark.parametrize("name", ["_hidden", "$x^2$", "a$b$c", "层.一"])
@pytest.mark.filterwarnings("ignore:Glyph")
def test_names_are_what_they_are(name):
    """No formula in dollars, and none is left out for a leading underscore."""
    display = ef.CausalPlaneDisplay([[3.0, 1.0]], [[1.0, 0.0]], [name, "other"]).plot(Figure().subplots())
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == [name, "other"]
    display.figure_.draw_without_rendering()


def test_widths_of_text_are_measured():
    figure = Figure(dpi=72)
    for text in ("model.layers.3", "iiii", "WWWW"):
        drawn = figure.text(0.0, 0.0, text, fontsize=8.0).get_window_extent()
        assert text_width(text, 8.0) == pytest.approx(drawn.width, abs=2.0)


def _luminance(colour):
    linear = np.array(to_rgba(colour)[:3])
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def _contrast(one, other):
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


STYLES = ["dark_background", "default", "seaborn-v0_8-darkgrid", "Solarize_Light2"]


@pytest.mark.parametrize("style", some_slow(STYLES, 1))
def test_all_is_seen_against_the_paper_of_a_style(style):
    with plt.style.context(style):
        trajectory = trajectory_of(20, 4, bounds=True)
        figures = [plot_overview(trajectory)]
        frames = Frames(motion_of(trajectory), 40)
        figures.append(frames.points.axes.figure)
        behind = paper()
        assert is_dark() == (style == "dark_background")
        colours = layer_colours(20)
    drawn = [(1.3, colour) for colour in colours] if style != "Solarize_Light2" else []
    for figure in figures:
        for ax in figure.axes:
            assert _contrast(ax.get_facecolor(), behind) == pytest.approx(1.0)
            drawn += [(3.0, text.get_color()) for text in ax.texts if text.get_text()]
            drawn += [(3.0, label.get_color()) for label in (ax.xaxis.label, ax.yaxis.label) if label.get_text()]
            lines = [
                line for line in ax.lines if line.get_gid() == "ei_fast metric" or list(line.get_xdata()) == [0, 0]
            ]
            drawn += [(2.5, line.get_color()) for line in lines]
            # The grid is faint, and there.
            assert 1.05 <= _contrast(ax.get_xgridlines()[0].get_color(), behind) <= 1.6 or not ax.axison
    for least, colour in drawn:
        # Solarized text is pale by intention: what is drawn in shades of it is paler.
        assert _contrast(colour, behind) >= (least if style != "Solarize_Light2" else 1.5), colour


@pytest.mark.parametrize("n_layers", [4, 20])
def test_edges_of_layers_with_long_names(n_layers):
    layers = [ef.Layer(np.eye(2), name=f"{'block_of_a_long_model.' * 3}{k}.dense") for k in range(n_layers)]
    report = ef.analyze(ef.Network(layers), random_state=0)
    figure = ef.plot_edges(report)
    figure.draw_without_rendering()
    panels = [ax for ax in figure.axes if ax.images]
    assert len({ax.get_title(loc="left") for ax in panels}) == n_layers
    for one, other in pairwise(panels):
        titles = [ax._left_title.get_window_extent() for ax in (one, other)]
        assert not titles[0].overlaps(titles[1])


def test_open_marks_show_the_paper():
    with plt.style.context("dark_background"):
        ax = ef.CausalPlaneDisplay.from_trajectory(trajectory_of(2, 4)).plot(Figure().subplots()).ax_
        frames = Frames(motion_of(trajectory_of(2, 4)), 40)
        assert paper() == "#000000"
    faces = {to_rgba(line.get_markerfacecolor()) for line in ax.lines if len(line.get_xdata()) == 1}
    assert to_rgba("black") in faces
    assert to_rgba("white") not in faces
    assert {to_rgba(marker.get_markeredgecolor()) for marker in frames.markers} == {to_rgba("black")}
    pixels = next(frames.drawn([1]))
    assert pixels[0, 0, :3].tolist() == [0, 0, 0]


@pytest.mark.parametrize("n_steps", some_slow([5000, 1, 2, 301], 2))
def test_any_number_of_steps_is_drawn_with_few_strokes(n_steps):
    trajectory = trajectory_of(3, n_steps, bounds=True)
    display = ef.CausalPlaneDisplay.from_trajectory(trajectory).plot(Figure(layout="constrained").subplots())
    ax = display.ax_
    assert max((len(one.get_paths()) for one in ax.collections), default=0) <= 300
    assert max((len(one.get_path().vertices) for one in ax.patches), default=0) <= 5 * 600
    display.figure_.draw_without_rendering()
    # What is drawn less often still reaches as far.
    bars = [display.bounds_bars(k) for k in range(3)]
    if np.isfinite(bars[0]).any():
        assert ax.dataLim.x1 >= np.nanmax([np.nanmax(one[..., 0], initial=0.0) for one in bars]) - 0.1
    for path, k in zip(
        [one for one in ax.collections if type(one) is LineCollection and not one.get_gid()], (0, 1, 2), strict=False
    ):
        places = np.concatenate([np.full((1, 2), np.nan), *path.get_segments()])
        known = np.isfinite(places).all(axis=1)
        assert not known.any() or places[known][0].tolist() == [display.horizontal[0, k], display.vertical[0, k]]
    figure = ef.plot_measures(trajectory)
    for panel in figure.axes:
        bands = [one for one in panel.collections if isinstance(one, PolyCollection)]
        assert all(len(path.vertices) <= 2 * 1001 + 3 for band in bands for path in band.get_paths())
    figure.draw_without_rendering()


def test_bands_of_thousands_of_steps_are_the_hull_of_every_few():
    trajectory = trajectory_of(1, 5000)
    trajectory.ei_low, trajectory.ei_high = trajectory.ei - 1.0, trajectory.ei + 1.0
    trajectory.ei_high[1234] = 40.0
    ax = next(ax for ax in ef.plot_measures(trajectory).axes if ax.get_title(loc="left") == "EI")
    (band,) = [one for one in ax.collections if isinstance(one, PolyCollection)]
    corners = band.get_paths()[0].vertices
    assert corners[:, 1].max() == 40.0
    assert (corners[:, 0].min(), corners[:, 0].max()) == (0, 49990)
