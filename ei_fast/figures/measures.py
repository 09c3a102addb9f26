"""Measures over training time, beside whatever else was recorded."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ei_fast.figures.axes import axes_or_own, check_axes, figure_of, panels_of
from ei_fast.figures.colours import ink, layer_colours, metric_styles
from ei_fast.figures.key import draw_key, lay_out, legend_above
from ei_fast.figures.known import alone, bounds_of, bracketed, limits_of, reach_beyond
from ei_fast.figures.scale import in_unit, scaled
from ei_fast.figures.style import BOUND, BOUNDS, BRACKETS, FEW_LAYERS, draw_limits, quiet, ranges_said
from ei_fast.figures.ticks import label_logarithmically
from ei_fast.measures.quantities import QUANTITIES
from ei_fast.training.losses import least_validation_loss, split_metrics
from ei_fast.training.trajectory import Trajectory

Values = NDArray[np.float64]

TITLES = {quantity.name: quantity.symbol for quantity in QUANTITIES}
"""Of the measures, in the order in which they are drawn."""

_OF_EI = tuple(quantity.name for quantity in QUANTITIES if quantity.ei_sign)
# Up to so many steps each is marked by a dot.
_FEW_STEPS = 30
# A scale of powers of ten for losses that fall further than this.
_FAR = 10.0
# Height of a row that holds nothing but the key, in rows of panels.
_KEY = 0.5
# Lines that are metrics, and the mark of the least of them.
_METRIC, _MARK = "ei_fast metric", "ei_fast mark"


def plot_measures(trajectory: Trajectory, ax: Axes | None = None, per: Literal["layer", "edge"] = "layer") -> Figure:
    """Draw all measures of every layer over the steps, and losses and other metrics beside them.

    The measures are EI, sensitivity, degeneracy, EI_parts and φ, in bits.

    Where a validation loss was recorded and turns, a line in every panel marks the step of its least value: the loss
    afterwards rises by more than its own noise (`turning_point` says how that is told). Where it does not, the panel
    of losses says so. Around each line a band is the 95 % interval, and around that, where they are visibly wider, a
    fainter one the bounds on EI that rest on no model of the layer, with the error of what EI is taken from or with.
    Where EI is only known to lie between bounds, light bars stand for it, which no line joins.

    Parameters
    ----------
    trajectory : Trajectory
        A training; of several runs one, taken by `Trajectory.of_run`.
    ax : matplotlib Axes, optional
        Divided into panels, as `figure.subplots()` makes them; those of a new figure, known to no window system, where
        not given.
    per : "layer" or "edge", default "layer"
        Whether measures are those of whole layers, in bits, or divided by the layer's number of edges, with all errors
        and bounds: so wide layers do not flatten narrow ones.

    Returns
    -------
    Figure
        The one that was drawn into.

    Raises
    ------
    TypeError
        Where `ax` is something else than one matplotlib Axes.
    ValueError
        Where the trajectory holds several runs, `per` is another word, or ``"edge"`` and the trajectory does not say
        the widths of its layers; and where `ax` was placed by hand, and so cannot be divided.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> import ei_fast as ef
    >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4))
    >>> for step in range(3):
    ...     _ = recorder.record([np.eye(2)], loss=1.0 / (1 + step))
    >>> figure = ef.plot_measures(recorder.trajectory_, Figure().subplots())
    >>> len(figure.axes) > 5
    True
    """
    check_axes(ax, "plot_measures")
    trajectory.check_one_run()
    trajectory = scaled(trajectory, per, "plot_measures")
    losses, others = split_metrics(trajectory)
    beside = [panel for panel in (losses, others) if panel]
    used = len(TITLES) + len(beside)
    # The key takes the place that an odd number of panels leaves, or else has a row below all.
    rows, below = (used + 1) // 2, 0.0 if used % 2 else _KEY
    ax = axes_or_own(ax, (6.0, 1.7 * (rows + below)))
    panels = panels_of(ax, rows, 2, down=True, below=below)
    for panel, measure in zip(panels, TITLES, strict=False):
        _draw_measure(trajectory, measure, panel)
        panel.set_ylabel(in_unit("bits", per), fontsize="small")
    for panel, metrics in zip(panels[len(TITLES) :], beside, strict=False):
        draw_metrics(trajectory.steps, metrics, panel, metric_styles(len(metrics)))
    marks = _mark_least_validation_loss(trajectory, panels[:used], losses)
    panels[-1].set_axis_off()
    for panel in (panels[rows - 1], panels[used - 1]):
        panel.set_xlabel("training step", fontsize="small")
    _draw_keys(trajectory, panels, marks)
    return figure_of(ax)


def _draw_keys(trajectory: Trajectory, panels: Sequence[Axes], marks: Mapping[str, Line2D]) -> None:
    """Legends of the metrics, and the key of the layers in the last of the panels, which holds nothing else."""
    # Once for all of them: it takes as long as the rest together.
    lay_out(panels[0])
    of_metrics, of_layers = panels[len(TITLES) : -1], panels[-1]
    for k, panel in enumerate(of_metrics):
        # Losses come first.
        legend_above(panel, *_metric_lines(panel), further=None if k else marks, is_laid_out=True)
    notes = [
        ranges_said(trajectory.ranges),
        BRACKETS if bracketed(trajectory).any() else "",
        BOUNDS if any(artist.get_gid() == BOUND for panel in panels for artist in panel.collections) else "",
    ]
    handles = panels[0].lines[: len(trajectory.layers)]
    draw_key(of_layers, handles, trajectory.layers, notes, inside=True, is_laid_out=True)


def plot_measure(trajectory: Trajectory, measure: str, ax: Axes, per: Literal["layer", "edge"] = "layer") -> None:
    """Draw one measure of every layer over the steps, in bits, with the 95 % band of its error where that is known.

    Where EI is bracketed the measures that it enters are bars, and no line leads through their midpoints. Bounds that
    are visibly wider than the band, or the bar, are a fainter one.

    Parameters
    ----------
    trajectory : Trajectory
        A training.
    measure : str
        A key of `TITLES`.
    ax : matplotlib Axes
        Drawn into as it is, without a key.
    per : "layer" or "edge", default "layer"
        As in `plot_measures`.

    Raises
    ------
    TypeError
        Where `ax` is something else than one matplotlib Axes.
    ValueError
        Where `per` is another word, or ``"edge"`` and the trajectory does not say the widths of its layers.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> import ei_fast as ef
    >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4))
    >>> for step in range(3):
    ...     _ = recorder.record([np.eye(2)])
    >>> ax = Figure().subplots()
    >>> plot_measure(recorder.trajectory_, "ei", ax)
    >>> ax.lines[0].get_ydata().tolist()
    [4.0, 4.0, 4.0]
    """
    check_axes(ax, "plot_measure", optional=False)
    _draw_measure(scaled(trajectory, per, "plot_measure"), measure, ax)
    ax.set_ylabel(in_unit("bits", per), fontsize="small")


def _draw_measure(trajectory: Trajectory, measure: str, ax: Axes) -> None:
    """One measure of every layer over the steps, in the unit of the trajectory."""
    steps, values = trajectory.steps, getattr(trajectory, measure)
    limits, bounds = limits_of(trajectory, measure), bounds_of(trajectory, measure)
    brackets = bracketed(trajectory) if measure in _OF_EI else np.zeros(values.shape, dtype=bool)
    beyond = reach_beyond(limits, bounds)
    dots = _dots(steps)
    n_layers = len(trajectory.layers)
    width = 1.5 if n_layers <= FEW_LAYERS else 1.0
    for k, (layer, colour) in enumerate(zip(trajectory.layers, layer_colours(n_layers), strict=True)):
        known = ~brackets[:, k]
        # Steps between brackets, to which no line leads, are dots.
        single = {"marker": "o", "markersize": 1.5, "markevery": alone(known)} if not known.all() else {}
        marks = dots or single
        ax.plot(steps, np.where(known, values[:, k], np.nan), color=colour, linewidth=width, label=layer, **marks)
        ends, widest = (np.stack([low[:, k], high[:, k]], axis=1) for low, high in (limits, bounds))
        draw_limits(ax, steps, ends, widest, known=known, beyond=beyond[:, k], colour=colour, n_layers=n_layers)
    quiet(ax)
    _few_ticks(ax)
    ax.set_title(TITLES[measure], loc="left", fontsize="medium")


def plot_metrics(
    steps: NDArray[np.integer],
    metrics: Mapping[str, Values],
    ax: Axes,
    styles: Sequence[Mapping[str, Any]] | None = None,
) -> None:
    """Draw losses, accuracies and the like over the steps, with a legend above the axes.

    Parameters
    ----------
    steps : ndarray (n_steps,)
        Training steps.
    metrics : mapping of str to ndarray (n_steps,)
        NaN where a step did not have one.
    ax : matplotlib Axes
        Drawn into as it is.
    styles : sequence of dict, optional
        Color, linestyle and linewidth of each; greys where not given.

    Raises
    ------
    TypeError
        Where `ax` is something else than one matplotlib Axes.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> ax = Figure().subplots()
    >>> plot_metrics(np.arange(3), {"val_loss": np.array([0.9, np.nan, 0.7])}, ax)
    >>> ax.lines[0].get_label(), ax.lines[0].get_ydata().tolist()
    ('val loss', [0.9, 0.7])
    """
    check_axes(ax, "plot_metrics", optional=False)
    draw_metrics(steps, metrics, ax, styles or metric_styles(len(metrics)))
    legend_above(ax, *_metric_lines(ax))


def draw_metrics(
    steps: NDArray[np.integer], metrics: Mapping[str, Values], ax: Axes, styles: Sequence[Mapping[str, Any]]
) -> None:
    """Metrics over the steps as in `plot_metrics`, without a legend."""
    for (name, values), style in zip(metrics.items(), styles, strict=True):
        seen = np.isfinite(values)
        ax.plot(steps[seen], values[seen], label=name.replace("_", " "), gid=_METRIC, **style, **_dots(steps))
    quiet(ax)
    _few_ticks(ax)
    if falls_far(metrics):
        ax.set_yscale("log")
        label_logarithmically(ax.yaxis)


def falls_far(metrics: Mapping[str, Values], far: float = _FAR) -> bool:
    """Whether positive values span more than a factor of `far`, so that a scale of powers of ten shows them best."""
    finite = np.concatenate([values[np.isfinite(values)] for values in metrics.values()])
    return bool(len(finite) and finite.min() > 0 and finite.max() > far * finite.min())


def _mark_least_validation_loss(
    trajectory: Trajectory, panels: list[Axes], losses: Mapping[str, Values]
) -> dict[str, Line2D]:
    """Mark where the validation loss turns in all panels; what the legend of losses says of it, with the mark."""
    found = least_validation_loss(trajectory)
    if found is None:
        return {}
    name, index = found
    ax = panels[len(TITLES)]
    if index is None:
        # An empty line, for the legend's sake.
        (mark,) = ax.plot([], [], linestyle="", gid=_MARK)
        said = f"{name.replace('_', ' ')}: no minimum inside"
    else:
        step, least = int(trajectory.steps[index]), losses[name][index]
        for panel in panels:
            panel.axvline(step, color=ink(0.55), linewidth=1.0, linestyle=(0, (4, 2)), zorder=1)
        said = f"least at step {step}"
        (mark,) = ax.plot(step, least, "D", color=ink(0.9), markersize=5, zorder=4, label=said, gid=_MARK)
    return {said: mark}


def _metric_lines(ax: Axes) -> tuple[list[Line2D], list[str]]:
    """Lines of metrics and their names; the vertical line of the least loss is none."""
    lines = [line for line in ax.lines if line.get_gid() == _METRIC]
    return lines, [str(line.get_label()) for line in lines]


def _dots(steps: NDArray[np.integer]) -> dict[str, Any]:
    return {"marker": "o", "markersize": 3.0} if len(steps) <= _FEW_STEPS else {}


def _few_ticks(ax: Axes) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(4))
