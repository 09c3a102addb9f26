"""The axes that a picture is drawn into: checked, made where none are given, and divided into panels."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase
from matplotlib.gridspec import GridSpecFromSubplotSpec


def check_axes(ax: Any, owner: str, *, optional: bool = True) -> None:
    """Raise TypeError, before anything is drawn, where one axes are wanted and something else is given.

    Parameters
    ----------
    ax : matplotlib Axes or None
        What was given as the parameter `ax`.
    owner : str
        Whose parameter it is, for the message.
    optional : bool, default True
        Whether there may be none.
    """
    if isinstance(ax, Axes) or (optional and ax is None):
        return
    nothing = ", or nothing" if optional else ""
    is_array = isinstance(ax, np.ndarray)
    entries = ax.ravel() if is_array else ax if isinstance(ax, (list, tuple)) else ()
    if len(entries) and all(isinstance(one, Axes) for one in entries):
        index = ", ".join("0" * ax.ndim) if is_array else "0"
        shape = f" of shape {ax.shape}" if is_array else ""
        got, remedy = f"{type(ax).__name__}{shape} of {len(entries)} axes", f"Give one of them, like axes[{index}]"
    elif isinstance(ax, FigureBase):
        got, remedy = type(ax).__name__, "Give axes of it, like figure.subplots()"
    else:
        got, remedy = repr(ax), f"Give what figure.subplots() makes{nothing}"
    raise TypeError(f"The 'ax' parameter of {owner} must be one matplotlib Axes. Got {got}. {remedy}.")


def axes_or_new(ax: Axes | None, figsize: tuple[float, float]) -> Axes:
    """`ax`, or that of a new figure of pyplot, which its windows and notebooks show."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=figsize, layout="constrained")
    return ax


def axes_or_own(ax: Axes | None, figsize: tuple[float, float]) -> Axes:
    """`ax`, or that of a new figure that is known to no window system."""
    return Figure(figsize=figsize, layout="constrained").subplots() if ax is None else ax


def figure_of(ax: Axes) -> Figure:
    """The figure that axes stand in, however deep."""
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def panels_of(ax: Axes, rows: int, columns: int, *, down: bool = False, below: float = 0.0) -> list[Axes]:
    """Axes of a grid in the place of `ax`, which is left empty.

    Parameters
    ----------
    ax : matplotlib Axes
    rows, columns : int
        Of the grid.
    down : bool, default False
        Whether they come column by column, and not row by row.
    below : float, default 0.0
        Height, in rows, of further axes below all columns, which come last; none where 0.

    Returns
    -------
    list of Axes

    Raises
    ------
    ValueError
        Where `ax` was placed by hand, and so has no place that can be divided.
    """
    figure = ax.figure
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            "The 'ax' parameter must be axes of a grid, as figure.subplots() makes them, to be divided. "
            "Got axes that were placed by hand. Give axes of figure.subplots(), or nothing."
        )
    ax.set_axis_off()
    heights = [1.0] * rows + [below] * bool(below)
    grid = GridSpecFromSubplotSpec(len(heights), columns, place, height_ratios=heights)
    table = [[figure.add_subplot(grid[row, column]) for column in range(columns)] for row in range(rows)]
    panels = [panel for line in (zip(*table, strict=True) if down else table) for panel in line]
    return [*panels, figure.add_subplot(grid[rows, :])] if below else panels
