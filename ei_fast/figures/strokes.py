"""What the causal plane is drawn of: guides, paths, and the bars and areas of what is known less well."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from numpy.typing import ArrayLike, NDArray

from ei_fast.figures.colours import ink, paper
from ei_fast.figures.known import alone
from ei_fast.figures.style import BOUND, BRACKET, FEW_BARS, FEW_LAYERS, SMALL

Points = NDArray[np.float64]

_GUIDE = "ei_fast guide"
_ARROWS_AT = (0.35, 0.7)
_MANY_STEPS = 300
# Of more steps so many bars and pieces of a path are drawn, evenly over all: more would lie on each other.
_MOST_BARS, _MOST_PIECES = 300, 100
# Of many layers: the least size of marks and arrowheads, and how many errors all have together.
_SMALLEST, _ERRORS_TOGETHER = 0.45, 160


@dataclass(frozen=True)
class Stroke:
    """How a layer's path is drawn.

    Attributes
    ----------
    colour, marker : str
    n_layers : int
        Layers in the picture.
    """

    colour: str
    marker: str
    n_layers: int = 1

    @property
    def scale(self) -> float:
        """Size of marks and arrowheads, 1 where layers are few."""
        return max(_SMALLEST, min(1.0, float((FEW_LAYERS / self.n_layers) ** 0.5)))

    @property
    def most_errors(self) -> int:
        """Steps whose error is drawn, at the most."""
        return _MOST_BARS if self.n_layers <= FEW_LAYERS else max(2, _ERRORS_TOGETHER // self.n_layers)


def draw_guides(ax: Axes) -> None:
    """The EI nullcline, and the line on which degeneracy is 0."""
    ax.axvline(0.0, color=ink(0.65), linewidth=1.2, linestyle="--", zorder=1)
    ax.axline((0.0, 0.0), slope=1.0, color=ink(0.5), linewidth=1.0, linestyle=":", zorder=1)


def make_room(ax: Axes) -> tuple[float, float]:
    """Widen the axes so that the nullcline is well inside; their horizontal limits."""
    low, high = ax.get_xlim()
    low, high = min(low, -0.06 * (high - low)), max(high, 0.06 * (high - low))
    ax.set_xlim(low, high)
    return low, high


def name_guides(ax: Axes) -> None:
    """Make room for the nullcline, and say at both lines what they are; where limits have changed, anew."""
    for text in [text for text in ax.texts if text.get_gid() == _GUIDE]:
        text.remove()
    _, high = make_room(ax)
    style: dict[str, Any] = {"color": ink(0.6), "fontsize": SMALL - 1, "gid": _GUIDE, "zorder": 1, "clip_on": True}
    ax.text(0.0, 0.99, "EI = 0", rotation=90, transform=ax.get_xaxis_transform(), va="top", ha="right", **style)
    ax.text(
        *(high, high),
        "degeneracy = 0 ",
        rotation=45,
        rotation_mode="anchor",
        transform_rotates_text=True,
        ha="right",
        va="bottom",
        **style,
    )


def draw_brackets(ax: Axes, bars: Points, stroke: Stroke) -> None:
    """Where brackets lie, as a faint area from each to the next with the bars in it.

    A bar that is the path's first or last step has marks at both ends, open or filled: a bracket has no middle.

    Parameters
    ----------
    ax : matplotlib Axes
    bars : ndarray (n_steps, 2, 2)
        NaN where a step is no bracket.
    stroke : Stroke
    """
    colour = stroke.colour
    there = np.isfinite(bars.sum(axis=(1, 2)))
    _draw_swept_area(ax, bars, to_rgba(colour, 0.1 * stroke.scale), zorder=1.1, gid=BRACKET)
    shown = _some(np.flatnonzero(there), _MOST_BARS)
    lines = LineCollection(list(bars[shown]), colors=[to_rgba(colour, 0.2)], linewidths=0.5, zorder=1.2, gid=BRACKET)
    ax.add_collection(lines)
    for k, face in ((0, paper()), (len(bars) - 1, colour)) if len(bars) > 1 else ((0, colour),):
        if there[k]:
            ax.plot(*bars[k].T, color=colour, linewidth=1.0, alpha=0.8, zorder=2.5, gid=BRACKET)
            ax.plot(
                *bars[k].T,
                marker=stroke.marker,
                linestyle="",
                color=colour,
                markerfacecolor=face,
                markersize=4.0 * stroke.scale,
                zorder=2.6,
                gid=BRACKET,
            )


def draw_bounds(ax: Axes, bars: Points, stroke: Stroke) -> None:
    """Where bounds around estimates lie, as an area from each to the next, fainter than that of brackets.

    The path's first and last step have a thin bar, and a fainter one those from which no area leads to the next.

    Parameters
    ----------
    ax : matplotlib Axes
    bars : ndarray (n_steps, 2, 2)
        NaN where a step has none.
    stroke : Stroke
    """
    there = np.isfinite(bars.sum(axis=(1, 2)))
    _draw_swept_area(ax, bars, to_rgba(stroke.colour, 0.06 * stroke.scale), zorder=1.0, gid=BOUND)
    ends = [k for k in (0, len(bars) - 1)[: len(bars)] if there[k]]
    single = [k for k in _some(alone(there), _MOST_BARS) if k not in ends]
    if ends or single:
        alphas, widths = [0.35] * len(ends) + [0.2] * len(single), [0.8] * len(ends) + [0.5] * len(single)
        colours = [to_rgba(stroke.colour, alpha * stroke.scale) for alpha in alphas]
        lines = LineCollection(
            list(bars[ends + single]), colors=colours, linewidths=widths, capstyle="butt", zorder=1.05, gid=BOUND
        )
        ax.add_collection(lines)


def _draw_swept_area(ax: Axes, bars: Points, face: tuple[float, float, float, float], zorder: float, gid: str) -> None:
    """The area that bars (n_steps, 2, 2) sweep from each step to the next, where neither is NaN."""
    there = np.isfinite(bars.sum(axis=(1, 2)))
    # Of many bars some are left out, and have room all the same.
    ax.update_datalim(bars[there].reshape(-1, 2))
    begins, ends = _joined(there)
    if not len(begins):
        return
    corners = np.concatenate([bars[begins], bars[ends][:, ::-1]], axis=1)
    # All one way around, so that what several cover is as faint as what one does.
    x, y = np.moveaxis(corners, 2, 0)
    turns = (x * np.roll(y, -1, axis=1) - y * np.roll(x, -1, axis=1)).sum(axis=1)
    corners[turns <= 0] = corners[turns <= 0][:, ::-1]
    closed = np.concatenate([corners, corners[:, :1]], axis=1).reshape(-1, 2)
    codes = np.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(corners))
    # `add_patch` would look for the extremes of every side, as if it were not straight.
    ax.add_artist(PathPatch(Path(closed, codes), facecolor=face, linewidth=0, zorder=zorder, gid=gid))


def _joined(there: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Steps from which an area leads to another, and those: neighbours, or, of many, those of some kept evenly."""
    steps = np.flatnonzero(there)
    stretches = [one for one in np.split(steps, np.flatnonzero(np.diff(steps) > 1) + 1) if len(one) > 1]
    if not stretches:
        return steps[:0], steps[:0]
    stretches = [stretches[k] for k in _some(np.arange(len(stretches)), _MOST_BARS // 2)]
    share = max(1.0, len(steps) / _MOST_BARS)
    kept = [_some(stretch, max(2, int(len(stretch) / share))) for stretch in stretches]
    begins = np.concatenate([stretch[:-1] for stretch in kept])
    return begins, np.concatenate([stretch[1:] for stretch in kept])


def _some(steps: ArrayLike, most: int) -> NDArray[np.int64]:
    """At most so many of the steps, evenly spread, with the first and the last."""
    steps = np.asarray(steps, dtype=np.int64)
    if len(steps) <= most:
        return steps
    return steps[np.linspace(0, len(steps) - 1, most).round().astype(np.int64)]


def draw_errors(ax: Axes, outlines: Points, seen: NDArray[np.bool_], stroke: Stroke) -> None:
    """Draw the error of points as light areas, those of the first and the last step with firm edges.

    Parameters
    ----------
    ax : matplotlib Axes
    outlines : ndarray (n_steps, n_corners, 2)
    seen : ndarray of bool (n_steps,)
        Where there is an error to be drawn.
    stroke : Stroke
    """
    drawn, colour = _some(np.flatnonzero(seen), stroke.most_errors), stroke.colour
    if not len(drawn):
        return
    # The first and the last step have marks, out of which an interval is to be seen.
    firm = np.isin(drawn, (0, len(seen) - 1))
    light = 0.3 if len(seen) <= FEW_BARS else 0.12
    edges = [to_rgba(colour, 0.6 if one else light) for one in firm]
    # A stroke has no area: its edge is what is seen of it.
    widths = np.where(firm, 1.6, 0.8)
    areas = PolyCollection(list(outlines[drawn]), facecolors=to_rgba(colour, 0.15), edgecolors=edges, linewidths=widths)
    areas.set_zorder(1.5)
    ax.add_collection(areas)


def draw_path(ax: Axes, x: Points, y: Points, stroke: Stroke) -> Line2D:
    """A path that grows firmer with time, from an open to a filled mark, arrowheads along its way.

    NaN breaks it; known steps that stand alone are dots, and an end that is not known has no mark. The filled mark is
    returned.
    """
    colour, marker = stroke.colour, stroke.marker
    if len(x) > 1:
        _draw_line(ax, np.stack([x, y], axis=1), colour)
        single = [k for k in alone(np.isfinite(x + y)) if 0 < k < len(x) - 1]
        if single:
            ax.scatter(x[single], y[single], s=6.0, color=colour, marker=marker, linewidths=0, zorder=2)
        size = 6.0 * stroke.scale
        ax.plot(x[0], y[0], marker, color=colour, markerfacecolor=paper(), markersize=size, zorder=3)
        _draw_arrows(ax, x, y, stroke)
    (last,) = ax.plot(x[-1], y[-1], marker, color=colour, markersize=6.5 * stroke.scale, zorder=4)
    return last


def _draw_line(ax: Axes, points: Points, colour: str) -> None:
    """The line of a path, firmer from piece to piece: a piece a step, or, of many steps, some together."""
    n_steps = len(points) - 1
    if n_steps < _MANY_STEPS:
        whole = np.isfinite(points.sum(axis=1))
        pieces = list(np.stack([points[:-1], points[1:]], axis=1)[whole[:-1] & whole[1:]])
        at = np.flatnonzero(whole[:-1] & whole[1:]) / max(n_steps - 1, 1)
    else:
        begins = np.unique(np.linspace(0, n_steps, _MOST_PIECES + 1).astype(int))
        pieces = [points[begin : end + 1] for begin, end in pairwise(begins)]
        at = np.linspace(0.0, 1.0, len(pieces))
    fading = [to_rgba(colour, 0.25 + 0.75 * share) for share in at]
    width = 1.8 if n_steps < _MANY_STEPS else 0.8
    ax.add_collection(LineCollection(pieces, colors=fading, linewidths=width, capstyle="butt"))


def _draw_arrows(ax: Axes, x: Points, y: Points, stroke: Stroke) -> None:
    """Arrowheads where shares of the way are gone, along the way of the last twentieth and not of one noisy step."""
    x, y = (values[np.isfinite(x + y)] for values in (x, y))
    if len(x) < 2:
        return
    lengths = np.hypot(np.diff(x) / (np.ptp(x) or 1.0), np.diff(y) / (np.ptp(y) or 1.0))
    gone = np.concatenate([[0.0], np.cumsum(lengths)])
    if gone[-1] == 0.0:
        return
    for share in _ARROWS_AT:
        k = int(np.clip(np.searchsorted(gone, share * gone[-1]), 1, len(x) - 1))
        before = min(int(np.searchsorted(gone, (share - 0.05) * gone[-1], side="right")) - 1, k - 1)
        ax.annotate(
            "",
            xy=(x[k], y[k]),
            xytext=(x[before], y[before]),
            arrowprops={
                "arrowstyle": "-|>",
                "color": stroke.colour,
                "linewidth": 0,
                "shrinkA": 0,
                "shrinkB": 0,
                "mutation_scale": 14 * stroke.scale,
            },
            zorder=3.5,
        )
