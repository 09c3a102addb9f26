"""Differences of two networks or trainings, and networks beside what chance makes of them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ei_fast.figures.axes import axes_or_new, check_axes, figure_of
from ei_fast.figures.colours import ink, layer_colours
from ei_fast.figures.key import draw_key
from ei_fast.figures.names import shortened
from ei_fast.figures.style import LEGEND, SMALL, draw_limits, quiet
from ei_fast.measures.quantities import BY_NAME, NAMES
from ei_fast.results.comparison import Comparison
from ei_fast.results.differences import Difference
from ei_fast.results.null_report import NullReport
from ei_fast.training.comparison import TrajectoryComparison
from ei_fast.validation import check_one_of

# Height of a layer's row, and of all that is not a row, in inches.
_ROW, _REST = 0.32, 1.1


def plot_comparison(
    comparison: Comparison | TrajectoryComparison, measure: str = "ei", ax: Axes | None = None
) -> Figure:
    """Draw how a measure differs between two networks, layer by layer, or between two trainings, over the steps.

    Of networks each layer has a dot at the difference, and a line for its 95 % interval; where a figure is known by
    bounds alone, a light bar stands for what these leave. Of trainings the intervals are bands around the lines, and
    such bars.

    Parameters
    ----------
    comparison : Comparison or TrajectoryComparison
        From `compare`, or from `Trajectory.compare`.
    measure : str, default "ei"
        ``"ei"``, ``"sensitivity"``, ``"degeneracy"``, ``"ei_parts"`` or ``"phi_ff"``.
    ax : matplotlib Axes, optional
        A new figure's, where not given.

    Returns
    -------
    Figure
        The one that was drawn into.

    Raises
    ------
    TypeError
        Where `comparison` is no comparison, or `ax` something else than one matplotlib Axes.
    ValueError
        For another measure.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> import ei_fast as ef
    >>> a, b = (ef.analyze({"w0": weight}, activation="linear", bins=4) for weight in (np.diag([1, 0]), np.eye(2)))
    >>> figure = ef.plot_comparison(ef.compare(a, b), "sensitivity", Figure().subplots())
    >>> figure.axes[0].lines[-1].get_xdata().tolist()
    [2.0]
    """
    if not isinstance(comparison, (Comparison, TrajectoryComparison)):
        raise TypeError(
            "The 'comparison' parameter of plot_comparison must be what ef.compare or Trajectory.compare returns. Got "
            f"{type(comparison).__name__} instead. Compare two reports first: ef.compare(a, b)."
        )
    check_one_of("plot_comparison", "measure", measure, NAMES)
    check_axes(ax, "plot_comparison")
    if isinstance(comparison, TrajectoryComparison):
        return _plot_over_steps(comparison, measure, ax)
    ax = axes_or_new(ax, (4.8, _REST + _ROW * len(comparison)))
    found = [getattr(layer, measure) for layer in comparison]
    rows = np.arange(len(found))
    ax.axvline(0.0, color=ink(0.4), linewidth=1.0, zorder=1)
    (colour,) = layer_colours(1)
    bracketed = np.array([_is_bracketed(one) for one in found])
    for row, one, is_bar in zip(rows, found, bracketed, strict=True):
        ax.hlines(row, one.low, one.high, color=colour, linewidth=4.0 if is_bar else 1.6, alpha=0.3 if is_bar else 1.0)
    ax.plot(np.array([one.difference for one in found])[~bracketed], rows[~bracketed], "o", color=colour, markersize=5)
    _name_rows(ax, [layer.name for layer in comparison])
    ax.set_xlabel(f"difference of {BY_NAME[measure].symbol} [bits]", fontsize="small")
    return figure_of(ax)


def _is_bracketed(found: Difference) -> bool:
    """Whether a difference is known by bounds alone."""
    return bool(np.isnan(found.stderr) and not np.isnan(found.low))


def _plot_over_steps(comparison: TrajectoryComparison, measure: str, ax: Axes | None) -> Figure:
    ax = axes_or_new(ax, (4.8, 3.2))
    found: Difference = getattr(comparison, measure)
    ends = np.stack([found.low, found.high], axis=2)
    known = ~(np.isnan(found.stderr) & ~np.isnan(found.low))
    names = shortened(comparison.layers)
    lines = []
    ax.axhline(0.0, color=ink(0.4), linewidth=1.0, zorder=1)
    for k, colour in enumerate(layer_colours(len(names))):
        nowhere = np.zeros(len(comparison), dtype=bool)
        draw_limits(
            ax, comparison.steps, ends[:, k], ends[:, k], known=known[:, k], beyond=nowhere, colour=colour,
            n_layers=len(names),
        )  # fmt: skip
        values = np.where(known[:, k], found.difference[:, k], np.nan)
        lines += ax.plot(comparison.steps, values, color=colour, linewidth=1.5, marker="o", markersize=2.5)
    quiet(ax)
    ax.set_xlabel("training step", fontsize="small")
    ax.set_ylabel(f"difference of {BY_NAME[measure].symbol} [bits]", fontsize="small")
    draw_key(ax, lines, names)
    return figure_of(ax)


def plot_null(null: NullReport, measure: str = "ei", ax: Axes | None = None) -> Figure:
    """Draw a measure of every layer beside the same of layers drawn by chance.

    Each of these is a faint tick, their mean and two standard deviations around it a grey line; the dot is what was
    measured. Layers whose figures are known by bounds alone have a cross in place of the dot, and no z.

    Parameters
    ----------
    null : NullReport
        From `null_report`.
    measure : str, default "ei"
        ``"ei"``, ``"sensitivity"``, ``"degeneracy"``, ``"ei_parts"`` or ``"phi_ff"``.
    ax : matplotlib Axes, optional
        A new figure's, where not given.

    Returns
    -------
    Figure
        The one that was drawn into.

    Raises
    ------
    TypeError
        Where `null` is no `NullReport`, or `ax` something else than one matplotlib Axes.
    ValueError
        For another measure.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> import ei_fast as ef
    >>> null = ef.null_report([np.eye(3)], "shuffled", n=5, activation="linear", bins=4)
    >>> figure = ef.plot_null(null, ax=Figure().subplots())
    >>> figure.axes[0].lines[-1].get_xdata().tolist()
    [6.0]
    """
    if not isinstance(null, NullReport):
        raise TypeError(
            f"The 'null' parameter of plot_null must be a NullReport. Got {type(null).__name__} instead. Make one "
            "first: ef.null_report(model)."
        )
    check_one_of("plot_null", "measure", measure, NAMES)
    check_axes(ax, "plot_null")
    ax = axes_or_new(ax, (4.8, _REST + _ROW * len(null)))
    (colour,) = layer_colours(1)
    entries: dict[str, Any] = {}
    for row, layer in enumerate(null):
        figure = getattr(layer, measure)
        (entries["by chance"],) = _ticks(ax, figure.draws, row)
        ends = figure.mean + 2.0 * figure.sd * np.array([-1.0, 1.0])
        (entries["mean ± 2 sd"],) = ax.plot(ends, [row, row], color=ink(0.6), linewidth=2.0, zorder=2)
        mark = "x" if figure.n_bracketed else "o"
        (dot,) = ax.plot(figure.value, row, mark, color=colour, markersize=6, zorder=4)
        entries["measured, by bounds alone" if figure.n_bracketed else "measured"] = dot
        if not np.isnan(figure.z):
            ax.annotate(
                f"z = {figure.z:+.1f}", (1.0, row), xycoords=("axes fraction", "data"), xytext=(4, 0),
                textcoords="offset points", va="center", fontsize=SMALL, annotation_clip=False,
            )  # fmt: skip
    _name_rows(ax, [layer.name for layer in null])
    ax.set_xlabel(f"{BY_NAME[measure].symbol} [bits]", fontsize="small")
    ax.legend(entries.values(), entries.keys(), loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, **LEGEND)
    return figure_of(ax)


def _ticks(ax: Axes, values: NDArray[np.float64], row: int) -> Any:
    """A faint tick at each value."""
    return ax.plot(values, np.full(len(values), row), "|", color=ink(0.35), markersize=12, alpha=0.5, zorder=1)


def _name_rows(ax: Axes, names: list[str]) -> None:
    """The first layer above the others."""
    quiet(ax)
    ax.set_yticks(np.arange(len(names)), shortened(names))
    ax.set_ylim(len(names) - 0.4, -0.6)
