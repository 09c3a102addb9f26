"""Small multiples: a small causal plane for each layer, or for each run; and what several runs have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ei_fast.figures.axes import axes_or_own, check_axes, figure_of, panels_of
from ei_fast.figures.colours import layer_colours
from ei_fast.figures.key import draw_key, lay_out
from ei_fast.figures.measures import TITLES
from ei_fast.figures.names import shortened
from ei_fast.figures.plane import CausalPlaneDisplay
from ei_fast.figures.scale import Per, axis_titles, in_unit, scaled
from ei_fast.figures.strokes import draw_guides, make_room
from ei_fast.figures.style import FEW_LAYERS, SMALL, quiet, ranges_said
from ei_fast.training.trajectory import Trajectory

Values = NDArray[np.float64]

# Inches: of a panel, and of a figure whose axes' names have room.
_PANEL, _LEAST = (1.55, 1.45), (4.0, 3.2)
_TICKS = SMALL - 2.0


def plot_layers(trajectory: Trajectory, ax: Axes | None = None, per: Per = "layer") -> Figure:
    """Draw a small causal plane for each layer, each on a scale of its own, so that no layer flattens another.

    Parameters
    ----------
    trajectory : Trajectory
        A training; of several runs one, taken by `Trajectory.of_run`.
    ax : matplotlib Axes, optional
        Divided into panels, as `figure.subplots()` makes them; those of a new figure, known to no window system, where
        not given.
    per : "layer" or "edge", default "layer"
        Whether figures are those of whole layers, in bits, or divided by the layer's number of edges.

    Returns
    -------
    Figure
        The one that was drawn into.

    Raises
    ------
    TypeError
        Where `ax` is something else than one matplotlib Axes.
    ValueError
        Where the trajectory has no step or several runs, `per` is another word, or ``"edge"`` and the trajectory does
        not say the widths of its layers; and where `ax` was placed by hand, and so cannot be divided.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4))
    >>> for step in range(3):
    ...     _ = recorder.record([np.eye(2), np.eye(2)])
    >>> figure = plot_layers(recorder.trajectory_)
    >>> [ax.get_title(loc="left") for ax in figure.axes if ax.axison]
    ['layer0', 'layer1']
    """
    check_axes(ax, "plot_layers")
    display = CausalPlaneDisplay.from_trajectory(trajectory, per)
    figure, panels = _panels(ax, len(display.layers))
    for k, (panel, name) in enumerate(zip(panels, shortened(display.layers), strict=True)):
        display.plot_layer(k, panel)
        _make_small(panel, name)
    _name_axes(figure, per, [*_span(trajectory), ranges_said(trajectory.ranges), "each layer on its own scale"])
    return figure


def plot_multiples(trajectories: Mapping[str, Trajectory], ax: Axes | None = None, per: Per = "layer") -> Figure:
    """Draw a small causal plane for each run, all on one scale, so that seeds can be compared at a glance.

    Parameters
    ----------
    trajectories : mapping of str to Trajectory
        Runs by their names, with the same layers.
    ax : matplotlib Axes, optional
        Divided into panels, as `figure.subplots()` makes them; those of a new figure, known to no window system, where
        not given.
    per : "layer" or "edge", default "layer"
        Whether figures are those of whole layers, in bits, or divided by the layer's number of edges.

    Returns
    -------
    Figure
        The one that was drawn into.

    Raises
    ------
    TypeError
        Where `ax` is something else than one matplotlib Axes.
    ValueError
        Where there is no run, one has no step, or runs have other layers than the first; and for `per` and
        `ax` as in `plot_layers`.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4))
    >>> for step in range(3):
    ...     _ = recorder.record([np.eye(2)])
    >>> figure = plot_multiples({"seed 0": recorder.trajectory_, "seed 1": recorder.trajectory_})
    >>> [ax.get_title(loc="left") for ax in figure.axes if ax.axison]
    ['seed 0', 'seed 1']
    """
    check_axes(ax, "plot_multiples")
    first = _same_layers(trajectories, "plot_multiples")
    figure, panels = _panels(ax, len(trajectories), with_key=True)
    key = panels.pop()
    shown = shortened(list(trajectories))
    for panel, trajectory, name in zip(panels, trajectories.values(), shown, strict=True):
        display = CausalPlaneDisplay.from_trajectory(trajectory, per)
        for k in range(len(display.layers)):
            display.plot_layer(k, panel, among=8 + 4 * len(display.layers))
        _make_small(panel, name)
    for axis in "xy":
        ends = [getattr(panel, f"get_{axis}lim")() for panel in panels]
        for panel in panels:
            getattr(panel, f"set_{axis}lim")(min(low for low, _ in ends), max(high for _, high in ends))
    _name_axes(figure, per, [*_span(first), ranges_said(first.ranges), "one scale for all runs"])
    lay_out(key)
    draw_key(key, _handles(len(first.layers), marker="o", linestyle=""), first.layers, inside=True, is_laid_out=True)
    return figure


def plot_bands(trajectories: Mapping[str, Trajectory], ax: Axes | None = None, per: Per = "layer") -> Figure:
    """Draw all measures over the steps of several runs: a line for their median, a band around all.

    The band reaches from the least to the greatest value of the runs. Runs that were recorded at other steps than the
    first are read off between their neighbouring steps; beyond their first or last step they do not count.

    Parameters
    ----------
    trajectories : mapping of str to Trajectory
        Runs by their names, with the same layers.
    ax : matplotlib Axes, optional
        Divided into panels, as `figure.subplots()` makes them; those of a new figure, known to no window system, where
        not given.
    per : "layer" or "edge", default "layer"
        Whether measures are those of whole layers, in bits, or divided by the layer's number of edges.

    Returns
    -------
    Figure
        The one that was drawn into.

    Raises
    ------
    TypeError
        Where `ax` is something else than one matplotlib Axes.
    ValueError
        Where there is no run, one has no step, or runs have other layers than the first; and for `per` and
        `ax` as in `plot_layers`.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4))
    >>> for step in range(3):
    ...     _ = recorder.record([np.eye(2)])
    >>> figure = plot_bands({"seed 0": recorder.trajectory_, "seed 1": recorder.trajectory_})
    >>> figure.axes[1].lines[0].get_ydata().tolist()  # EI
    [4.0, 4.0, 4.0]
    """
    check_axes(ax, "plot_bands")
    first = _same_layers(trajectories, "plot_bands")
    runs = [scaled(trajectory, per, "plot_bands") for trajectory in trajectories.values()]
    ax = axes_or_own(ax, (6.0, 5.1))
    panels = panels_of(ax, 3, 2, down=True)
    key = panels[len(TITLES)]
    for panel, (measure, title) in zip(panels, TITLES.items(), strict=False):
        values = np.stack([_at(first.steps, run.steps, getattr(run, measure)) for run in runs])
        _draw_bands(panel, first.steps, values)
        panel.set_title(title, loc="left", fontsize="medium")
        panel.set_ylabel(in_unit("bits", per), fontsize="small")
    for panel in (panels[2], panels[4]):
        panel.set_xlabel("training step", fontsize="small")
    key.set_axis_off()
    said = [f"line: median of {len(runs)} runs", "band: least to greatest of them", ranges_said(first.ranges)]
    lay_out(ax)
    draw_key(key, _handles(len(first.layers), linewidth=1.5), first.layers, said, inside=True, is_laid_out=True)
    return figure_of(ax)


def _draw_bands(ax: Axes, steps: NDArray[np.int64], values: Values) -> None:
    """Bands of values (n_runs, n_steps, n_layers) over the steps; a step that no run has is left out."""
    n_layers = values.shape[2]
    there: NDArray[np.bool_] = np.any(np.isfinite(values), axis=0)
    for k, colour in enumerate(layer_colours(n_layers)):
        at = there[:, k]
        ours = values[:, at, k]
        least, greatest = np.nanmin(ours, axis=0, initial=np.inf), np.nanmax(ours, axis=0, initial=-np.inf)
        alpha = 0.2 * min(1.0, FEW_LAYERS / n_layers)
        ax.fill_between(steps[at], least, greatest, color=colour, alpha=alpha, linewidth=0)
        ax.plot(steps[at], np.nanmedian(ours, axis=0), color=colour, linewidth=1.5 if n_layers <= FEW_LAYERS else 1.0)
    quiet(ax)
    ax.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(4))


def _at(steps: NDArray[np.int64], own: NDArray[np.int64], values: Values) -> Values:
    """Values (n_own, n_layers) at other steps, between neighbouring ones; NaN before the first and after the last."""
    if np.array_equal(steps, own):
        return values
    return np.stack([np.interp(steps, own, column, left=np.nan, right=np.nan) for column in values.T], axis=1)


def _same_layers(trajectories: Mapping[str, Trajectory], owner: str) -> Trajectory:
    """The first run; ValueError where there is none, one has no step, or layers differ."""
    if not trajectories:
        raise ValueError(f"The 'trajectories' parameter of {owner} must hold at least one run. Got none.")
    first = next(iter(trajectories.values()))
    for name, trajectory in trajectories.items():
        trajectory.check_one_run()
        if not len(trajectory) or trajectory.layers != first.layers:
            raise ValueError(
                f"The 'trajectories' parameter of {owner} must hold runs of at least one step with the layers "
                f"{', '.join(first.layers)}. Got {trajectory!r} as {name!r}."
            )
    return first


def _panels(ax: Axes | None, count: int, *, with_key: bool = False) -> tuple[Figure, list[Axes]]:
    """Small axes, about as many across as down, and where asked for one more at the end, for the key."""
    places = count + with_key
    columns = min(int(np.ceil(np.sqrt(places * 1.2))), places)
    rows = -(-places // columns)
    ax = axes_or_own(ax, (max(_PANEL[0] * columns, _LEAST[0]), max(_PANEL[1] * rows + 0.5, _LEAST[1])))
    panels = panels_of(ax, rows, columns)
    for panel in panels[count:]:
        panel.set_axis_off()
    return figure_of(ax), panels[:places]


def _make_small(ax: Axes, name: str) -> None:
    """Guides, a name and few ticks for a small plane that is drawn."""
    ax.autoscale_view()
    draw_guides(ax)
    make_room(ax)
    quiet(ax)
    ax.set_title(name, loc="left", fontsize=SMALL - 1.0, pad=2.0, parse_math=False)
    ax.tick_params(labelsize=_TICKS, pad=1.5, length=2.0)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_locator(MaxNLocator(3))


def _span(trajectory: Trajectory) -> list[str]:
    steps = trajectory.steps
    return [f"steps {steps[0]} (open) to {steps[-1]} (filled)"] if len(steps) > 1 else []


def _name_axes(figure: Figure, per: str, notes: Sequence[str]) -> None:
    """Say once for all panels what their axes are; above them what else is to be known."""
    horizontal, vertical = axis_titles(per)
    figure.supxlabel(horizontal, fontsize=SMALL)
    figure.supylabel(vertical, fontsize=SMALL)
    said = "; ".join(filter(None, notes))
    figure.suptitle(said, fontsize=SMALL, x=0.01, ha="left", wrap=True)


def _handles(n_layers: int, **style: Any) -> list[Line2D]:
    return [Line2D([], [], color=colour, **style) for colour in layer_colours(n_layers)]
