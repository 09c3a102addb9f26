"""How all pictures look: quiet axes and legends, and what stands for intervals, bounds and brackets along an axis."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from numpy.typing import NDArray

from ei_fast.figures.colours import ink
from ei_fast.figures.known import alone
from ei_fast.training.ranges import SAID

FEW_LAYERS = 8
"""Of more layers lines are thinner, marks smaller and bands fainter, so that together they hide nothing."""

FEW_BARS = 60
"""Of so many steps each bar is drawn as firm as one: more of them stand side by side."""

# More pieces of a band are narrower than a pixel.
_MOST_BANDS = 500

# So few have room to be broad.
_BROAD_BARS = 15

BRACKET = "ei_fast bracket"
"""Of bars that stand for brackets, among the artists of a picture."""

BRACKETS = "bars: EI known by bounds alone"
"""What is said of such bars."""

BOUND = "ei_fast bound"
"""Of what stands for bounds around an estimate, among the artists of a picture."""

BOUNDS = "faint: bounds on EI that rest on no model"
"""What is said of them."""

SMALL = 8.0
"""Points of text beside the data."""

LEGEND: dict[str, Any] = {
    "frameon": False,
    "fontsize": SMALL,
    "handlelength": 1.4,
    "handletextpad": 0.5,
    "columnspacing": 1.0,
    "labelspacing": 0.25,
    "borderaxespad": 0.2,
    "title_fontsize": SMALL,
    "alignment": "left",
}
"""How every legend looks."""


def ranges_said(convention: str) -> str:
    """Over which ranges the records are binned, as it stands on every picture; "" where it is not known."""
    return f"ranges: {SAID[convention]}" if convention in SAID else ""


def draw_limits(
    ax: Axes,
    x: NDArray[Any],
    interval: NDArray[np.float64],
    bounds: NDArray[np.float64],
    *,
    known: NDArray[np.bool_],
    beyond: NDArray[np.bool_],
    colour: str,
    n_layers: int = 1,
) -> None:
    """Draw what is known of values along an axis: bands where a line joins them, bars where they are brackets.

    Parameters
    ----------
    ax : matplotlib Axes
    x : ndarray (n,)
    interval : ndarray (n, 2)
        Ends of the interval, or of the bracket where a value is not `known`.
    bounds : ndarray (n, 2)
        Drawn fainter.
    known : ndarray of bool (n,)
        Where there is a value with an interval, and no bracket.
    beyond : ndarray of bool (n,)
        Where `bounds` are visibly wider than `interval`.
    colour : str
    n_layers : int, default 1
        In these axes.
    """
    firm = min(1.0, FEW_LAYERS / n_layers)
    if beyond[known].any():
        _draw_band(ax, x, bounds, known, colour, gid=BOUND, alpha=0.08 * firm)
    if (interval[known, 1] > interval[known, 0]).any():
        _draw_band(ax, x, interval, known, colour, alpha=0.2 * firm)
    _draw_bars(ax, x, bounds, ~known & beyond, colour, BOUND)
    _draw_bars(ax, x, interval, ~known, colour, BRACKET)


def _draw_band(
    ax: Axes,
    x: NDArray[Any],
    ends: NDArray[np.float64],
    there: NDArray[np.bool_],
    colour: str,
    *,
    alpha: float,
    gid: str | None = None,
) -> None:
    """Draw what is known of values that a line joins: a band, and a bar at each that has no neighbour.

    Parameters
    ----------
    ax : matplotlib Axes
    x : ndarray (n,)
    ends : ndarray (n, 2)
        From which value to which.
    there : ndarray of bool (n,)
        Where anything is drawn.
    colour : str
    alpha : float
    gid : str, optional
        `BOUND` where it stands for bounds.
    """
    single = np.isin(np.arange(len(x)), alone(there))
    joined = there & ~single
    if joined.any():
        at, low, high, where = _coarser(x, ends, joined)
        ax.fill_between(at, low, high, where=where, color=colour, alpha=alpha, linewidth=0, gid=gid)
    _draw_bars(ax, x, ends, single & (ends[:, 1] > ends[:, 0]), colour, gid)


def _coarser(
    x: NDArray[Any], ends: NDArray[np.float64], there: NDArray[np.bool_]
) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Places, lower and upper ends of a band, and where it is: of thousands of steps the hull of every few."""
    if len(x) <= 2 * _MOST_BANDS:
        return x, ends[:, 0], ends[:, 1], there
    begins = np.arange(0, len(x), -(-len(x) // _MOST_BANDS))
    low = np.fmin.reduceat(np.where(there, ends[:, 0], np.nan), begins)
    high = np.fmax.reduceat(np.where(there, ends[:, 1], np.nan), begins)
    # To the last step, and not to where the last few begin.
    at = np.append(x[begins[:-1]], x[-1])
    return at, low, high, np.logical_and.reduceat(there, begins)


def _draw_bars(
    ax: Axes, x: NDArray[Any], ends: NDArray[np.float64], there: NDArray[np.bool_], colour: str, gid: str | None = None
) -> None:
    """Draw light bars from one end of what is known to the other, with nothing inside.

    Parameters
    ----------
    ax : matplotlib Axes
    x : ndarray (n,)
        Of all values, drawn or not: where they are many, bars stand side by side.
    ends : ndarray (n, 2)
    there : ndarray of bool (n,)
        Where a bar is drawn.
    colour : str
    gid : str, optional
        `BRACKET` or `BOUND`, where bars stand for those; bounds are fainter.
    """
    if not there.any():
        return
    at = np.repeat(x[there].astype(np.float64)[:, None], 2, axis=1)
    # Many together are a faint area, and no darker than a few.
    few, faint = len(x) <= FEW_BARS, gid == BOUND
    bars = LineCollection(
        list(np.stack([at, ends[there]], axis=2)),
        colors=colour,
        alpha=(0.3 if few else 0.12) * (0.5 if faint else 1.0),
        linewidths=2.4 if len(x) <= _BROAD_BARS else 1.2 if few else 0.8,
        capstyle="butt",
    )
    bars.set(zorder=1.1 if faint else 1.2, gid=gid)
    ax.add_collection(bars)
    ax.autoscale_view()


def quiet(ax: Axes) -> None:
    """Take away the box and lay a faint grid behind the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(True, color=ink(0.08), linewidth=0.8)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=SMALL)
