"""Which inputs, outputs and edges of a layer carry how much, and what is left without more and more of them."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ei_fast.figures.axes import axes_or_new, check_axes, figure_of, panels_of
from ei_fast.figures.colours import ink, layer_colours
from ei_fast.figures.style import LEGEND, SMALL, quiet
from ei_fast.measures.quantities import BY_NAME
from ei_fast.results.ablation import MEASURES, ONE_OF, Ablation, AblationCurve
from ei_fast.validation import check_one_of

_DIVERGING = "PuOr"


def plot_ablation(ablation: Ablation, measure: str = "ei", ax: Axes | None = None) -> Figure:
    """Draw by how much a measure changes without each input, output or edge.

    Of neurons each has a dot at the change, and of EI a line for its 95 % interval; edges are a map, inputs down and
    outputs across.

    Parameters
    ----------
    ablation : Ablation
        From `ablation`.
    measure : "ei", "sensitivity" or "ei_parts", default "ei"
        The measure.
    ax : matplotlib Axes, optional
        A new figure's, where not given.

    Returns
    -------
    Figure
        The one that was drawn into.

    Raises
    ------
    TypeError
        Where `ablation` is none, or `ax` something else than one matplotlib Axes.
    ValueError
        For another measure.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> import ei_fast as ef
    >>> figure = ef.plot_ablation(ef.ablation(np.eye(2), activation="linear"), ax=Figure().subplots())
    >>> figure.axes[0].lines[-1].get_ydata().tolist()
    [-3.0, -3.0]
    """
    if not isinstance(ablation, Ablation):
        raise TypeError(
            f"The 'ablation' parameter of plot_ablation must be an Ablation. Got {type(ablation).__name__} instead. "
            "Make one first: ef.ablation(layer)."
        )
    check_one_of("plot_ablation", "measure", measure, MEASURES)
    check_axes(ax, "plot_ablation")
    ax = axes_or_new(ax, (4.8, 3.2))
    title = f"change of {BY_NAME[measure].symbol} [bits]"
    changes = getattr(ablation, f"{measure}_change")
    if ablation.what == "edges":
        image = ax.imshow(changes, norm=CenteredNorm(), cmap=_DIVERGING, aspect="auto", interpolation="nearest")
        ax.set_xlabel("output", fontsize="small")
        ax.set_ylabel("input", fontsize="small")
        bar = figure_of(ax).colorbar(image, ax=ax, pad=0.02)
        bar.set_label(title, fontsize="small")
        bar.ax.tick_params(labelsize=SMALL)
        ax.tick_params(labelsize=SMALL)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(MaxNLocator(6, integer=True))
        return figure_of(ax)
    (colour,) = layer_colours(1)
    places = np.arange(len(changes))
    ax.axhline(0.0, color=ink(0.4), linewidth=1.0, zorder=1)
    if measure == "ei":
        ax.vlines(places, ablation.ei_change_low, ablation.ei_change_high, color=colour, linewidth=1.4)
    ax.plot(places, changes, "o", color=colour, markersize=4)
    quiet(ax)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.set_xlabel(f"{ONE_OF[ablation.what]} left out", fontsize="small")
    ax.set_ylabel(title, fontsize="small")
    return figure_of(ax)


def plot_ablation_curve(curve: AblationCurve, ax: Axes | None = None) -> Figure:
    """Draw EI, and the loss where one was given, against the share that is left out, a line for each order.

    Around EI a band is its 95 % interval. Of random orders each has a faint line, and their mean a firm one.

    Parameters
    ----------
    curve : AblationCurve
        From `ablation_curve`.
    ax : matplotlib Axes, optional
        Divided into two panels where there is a loss; those of a new figure, where not given.

    Returns
    -------
    Figure
        The one that was drawn into.

    Raises
    ------
    TypeError
        Where `curve` is none, or `ax` something else than one matplotlib Axes.
    ValueError
        Where there is a loss and `ax` was placed by hand, and so cannot be divided.

    Examples
    --------
    >>> import numpy as np
    >>> from matplotlib.figure import Figure
    >>> import ei_fast as ef
    >>> curve = ef.ablation_curve(np.eye(4), "inputs", shares=(0, 0.5), orders=["ei"], activation="linear")
    >>> figure = ef.plot_ablation_curve(curve, Figure().subplots())
    >>> figure.axes[0].lines[0].get_ydata().tolist()
    [12.0, 6.0]
    """
    if not isinstance(curve, AblationCurve):
        raise TypeError(
            f"The 'curve' parameter of plot_ablation_curve must be an AblationCurve. Got {type(curve).__name__} "
            "instead. Make one first: ef.ablation_curve(layer)."
        )
    check_axes(ax, "plot_ablation_curve")
    has_loss = any(np.isfinite(curve.of(order, "loss")).any() for order in curve.orders)
    ax = axes_or_new(ax, (7.2 if has_loss else 4.8, 3.2))
    panels = panels_of(ax, 1, 2) if has_loss else [ax]
    lines: list[Any] = []
    for order, colour in zip(curve.orders, layer_colours(len(curve.orders)), strict=True):
        for panel, column in zip(panels, ("ei", "loss"), strict=False):
            line = _draw_order(curve, order, column, panel, colour)
            lines += [line] if column == "ei" else []
    for panel, title in zip(panels, ("EI [bits]", "loss"), strict=False):
        quiet(panel)
        panel.set_xlabel(f"share of {curve.what} left out", fontsize="small")
        panel.set_ylabel(title, fontsize="small")
    names = [BY_NAME[order].symbol if order in BY_NAME else order for order in curve.orders]
    names = [f"least {name} first" if name not in ("random",) else name for name in names]
    panels[0].legend(lines, names, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(names), **LEGEND)
    return figure_of(ax)


def _draw_order(curve: AblationCurve, order: str, column: str, ax: Axes, colour: str) -> Any:
    """The line of one order, which of several draws is their mean."""
    shares, values = curve.of(order, "share")[0], curve.of(order, column)
    if len(values) > 1:
        for draw in values:
            ax.plot(shares, draw, color=colour, linewidth=0.7, alpha=0.4)
    elif column == "ei":
        low, high = curve.of(order, "ei_low")[0], curve.of(order, "ei_high")[0]
        ax.fill_between(shares, low, high, color=colour, alpha=0.2, linewidth=0)
    (line,) = ax.plot(shares, values.mean(axis=0), color=colour, linewidth=1.6, marker="o", markersize=3)
    return line
