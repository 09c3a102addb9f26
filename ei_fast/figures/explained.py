"""Pictures that explain: where the measures are read off in the causal plane, and what each of them is.

The numbers in them are no layer's: they are chosen so that everything can be seen.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from ei_fast.figures.axes import axes_or_own, check_axes, figure_of
from ei_fast.figures.colours import ink, layer_colours, paper
from ei_fast.figures.style import SMALL

# Bits of the example layer.
_SENSITIVITY, _EI = 7.0, 4.0
# Inches; the small one has 260 pixels' width at 100 dots an inch.
_PLANE, _SMALL_PICTURE = (4.8, 4.0), (2.6, 1.9)


def plot_explained_plane(ax: Axes | None = None) -> Figure:
    """Draw the causal plane with one example layer, and where its EI, sensitivity and degeneracy are read off.

    The axes of sensitivity and degeneracy are turned by 45 degrees. Both scales are equal, so that right angles are
    right.

    Parameters
    ----------
    ax : matplotlib Axes, optional
        Those of a new figure, known to no window system, where not given.

    Returns
    -------
    Figure
        The one that was drawn into.

    Raises
    ------
    TypeError
        Where `ax` is something else than one matplotlib Axes.

    Examples
    --------
    >>> figure = plot_explained_plane()
    >>> figure.axes[0].get_aspect()
    1.0

    The picture of the documentation:

    >>> plot_explained_plane().savefig("plane_explained.png", dpi=200)  # doctest: +SKIP
    """
    check_axes(ax, "plot_explained_plane")
    ax = axes_or_own(ax, _PLANE)
    degeneracy = _SENSITIVITY - _EI
    point = _turned(_SENSITIVITY, degeneracy)
    _draw_axis(ax, _turned(10.4, 0.0), _colour("sensitivity"), "sensitivity", "degeneracy = 0")
    _draw_axis(ax, _turned(0.0, 6.4), _colour("degeneracy"), "degeneracy")
    ax.plot([0.0, 0.0], [-0.9, 9.2], color=ink(0.65), linewidth=1.2, linestyle="--", zorder=1)
    ax.text(-0.15, 9.1, "EI nullcline:\nEI = 0", va="top", ha="right", fontsize=SMALL, color=ink(0.65))
    on_sensitivity, on_degeneracy = _turned(_SENSITIVITY, 0.0), _turned(0.0, degeneracy)
    _drop(ax, point, on_sensitivity, _colour("sensitivity"))
    _drop(ax, point, on_degeneracy, _colour("degeneracy"))
    _drop(ax, point, (0.0, point[1]), _colour("ei"))
    _measure(ax, (0.0, 0.0), on_sensitivity, _colour("sensitivity"), f"sensitivity\n{_SENSITIVITY:g} bits")
    _measure(ax, (0.0, 0.0), on_degeneracy, _colour("degeneracy"), f"degeneracy\n{degeneracy:g} bits")
    said = f"EI / √2 = {point[0]:.1f}\nEI = {_EI:g} bits"
    _measure(ax, (0.0, point[1]), point, _colour("ei"), said)
    ax.plot(*point, "o", color=ink(1.0), markersize=8.0, zorder=5)
    ax.text(point[0] + 0.3, point[1], "a layer", fontsize=SMALL + 1.0, va="center", color=ink(1.0))
    _draw_moves(ax, point)
    ax.set(xlim=(-5.4, 8.0), ylim=(-0.9, 9.4), aspect=1.0)
    ax.set_xlabel("(sensitivity - degeneracy) / √2 = EI / √2  [bits]".replace("-", "−"), fontsize=SMALL)
    ax.set_ylabel("(sensitivity + degeneracy) / √2  [bits]", fontsize=SMALL)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=SMALL)
    return figure_of(ax)


def plot_definition(name: str, ax: Axes | None = None) -> Figure:
    """Draw what a measure is, on a layer of three inputs and two outputs.

    Inputs that are set to values drawn at random are full, with an arrow beside them; those that are held are empty.
    What is looked at has a frame around it: one frame around several neurons means their joint state.

    Parameters
    ----------
    name : str
        ``"ei"``, ``"sensitivity"``, ``"degeneracy"``, ``"ei_parts"`` or ``"phi_ff"``.
    ax : matplotlib Axes, optional
        Those of a new figure, known to no window system, where not given. It can be read at a width of 260 pixels.

    Returns
    -------
    Figure
        The one that was drawn into.

    Raises
    ------
    TypeError
        Where `ax` is something else than one matplotlib Axes.
    ValueError
        For another name.

    Examples
    --------
    >>> figure = plot_definition("sensitivity")
    >>> figure.axes[0].get_title(loc="left")
    'sensitivity'
    """
    if name not in DEFINITIONS:
        raise ValueError(
            f"The 'name' parameter of plot_definition must be one of {', '.join(map(repr, DEFINITIONS))}. "
            f"Got {name!r} instead."
        )
    check_axes(ax, "plot_definition")
    ax = axes_or_own(ax, _SMALL_PICTURE)
    what = DEFINITIONS[name]
    if what.bars:
        _draw_bars(ax, what)
    else:
        _draw_layer(ax, what)
    ax.set_title(what.title, loc="left", fontsize=SMALL + 2.0, fontweight="bold")
    ax.text(0.0, -0.02, what.said, transform=ax.transAxes, va="top", fontsize=SMALL, linespacing=1.25, color=ink(0.9))
    return figure_of(ax)


@dataclass(frozen=True)
class Definition:
    """What a measure is, in words and in what is drawn of it.

    Attributes
    ----------
    title, said : str
    moving : tuple of int
        Inputs that are set at random.
    looked_at : tuple of int
        Inputs and outputs that are looked at: inputs from 0 to 2, outputs 3 and 4.
    edges : tuple of (int, int)
        Edges, from input to output, that are drawn firm.
    bars : tuple of (str, float)
        In place of a layer: measures, by their names in `DEFINITIONS`, and their bits; the third is the first less the
        second.
    """

    title: str
    said: str
    moving: tuple[int, ...] = ()
    looked_at: tuple[int, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    bars: tuple[tuple[str, float], ...] = ()


_ALL_EDGES = tuple((i, j) for i in range(3) for j in (3, 4))

DEFINITIONS = {
    "ei": Definition(
        "EI",
        "All inputs move, each on its own.\nBits that the state of all outputs\ntells about the state of all inputs.",
        moving=(0, 1, 2),
        looked_at=(0, 1, 2, 3, 4),
        edges=_ALL_EDGES,
    ),
    "sensitivity": Definition(
        "sensitivity",
        "One input moves, the others are held\nat the baseline. Bits that one output\n"
        "tells about it; summed over all edges.",
        moving=(1,),
        looked_at=(1, 3),
        edges=((1, 3),),
    ),
    "degeneracy": Definition(
        "degeneracy",
        "What the edges carry one by one, less\nwhat the layer carries as a whole:\nsensitivity − EI.",
        bars=(("sensitivity", 7.0), ("ei", 4.0), ("degeneracy", 3.0)),
    ),
    "ei_parts": Definition(
        "EI_parts",
        "All inputs move, and one edge is\nlooked at: the others are noise to it.\nBits, summed over all edges.",
        moving=(0, 1, 2),
        looked_at=(1, 3),
        edges=((1, 3),),
    ),
    "phi_ff": Definition(
        "φ",
        "What the layer carries as a whole, less\nwhat its edges carry while all inputs\nmove: EI − EI_parts.",
        bars=(("ei", 7.0), ("ei_parts", 5.0), ("phi_ff", 2.0)),
    ),
}
"""The five measures, by the names of their figures in reports."""

# Where the neurons of the layer stand: three inputs, two outputs.
_PLACES = np.array([[0.0, 2.0], [0.0, 1.0], [0.0, 0.0], [2.6, 1.5], [2.6, 0.5]])
_RADIUS = 0.27


def _turned(sensitivity: float, degeneracy: float) -> tuple[float, float]:
    return (sensitivity - degeneracy) / np.sqrt(2.0), (sensitivity + degeneracy) / np.sqrt(2.0)


def _draw_moves(ax: Axes, point: tuple[float, float]) -> None:
    """Which way leaves EI as it is, and which way it grows."""
    x, y = point
    for way in (1.0, -1.0):
        _arrow(ax, (x, y + 0.25 * way), (x, y + 1.5 * way), ink(0.8))
    ax.text(x + 0.2, y + 1.3, "a vertical move:\nEI unchanged", fontsize=SMALL, va="center", color=ink(0.8))
    _arrow(ax, (0.3, -0.5), (2.2, -0.5), ink(0.8))
    ax.text(2.4, -0.5, "EI grows", fontsize=SMALL, va="center", color=ink(0.8))


def _colour(name: str) -> str:
    """The colour that a measure has in all of these pictures."""
    return layer_colours(len(DEFINITIONS))[list(DEFINITIONS).index(name)]


def _arrow(ax: Axes, begin: tuple[float, float], end: tuple[float, float], colour: str, style: str = "-|>") -> None:
    arrow = FancyArrowPatch(begin, end, arrowstyle=style, color=colour, mutation_scale=9.0, shrinkA=0.0, shrinkB=0.0)
    arrow.set(linewidth=1.3, zorder=3)
    ax.add_patch(arrow)


def _draw_axis(ax: Axes, end: tuple[float, float], colour: str, name: str, line: str = "") -> None:
    """A turned axis with its name at the end, and on its other side what holds all along it."""
    _arrow(ax, (0.0, 0.0), end, colour)
    is_right = end[0] > 0
    style: dict[str, Any] = {"rotation_mode": "anchor", "fontsize": SMALL, "rotation": 45.0 if is_right else -45.0}
    style["ha"] = "right" if is_right else "left"
    ax.text(*end, f"   {name}   ", va="bottom", color=colour, **style)
    ax.text(*end, f"   {line}   ", va="top", color=ink(0.6), **style)


def _drop(ax: Axes, begin: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    """A perpendicular from the point to an axis."""
    ax.plot(*zip(begin, end, strict=True), color=colour, linewidth=1.0, linestyle=":", zorder=2)
    ax.plot(*end, "o", color=paper(), markeredgecolor=colour, markersize=4.5, zorder=4)


def _measure(ax: Axes, begin: tuple[float, float], end: tuple[float, float], colour: str, said: str) -> None:
    """A firm length between two points, with what it is: above a horizontal one, below those along the axes."""
    ax.plot(*zip(begin, end, strict=True), color=colour, linewidth=3.5, alpha=0.45, solid_capstyle="butt", zorder=2)
    middle = np.add(begin, end) / 2.0
    side = 0.0 if begin[1] == end[1] else float(np.sign(end[0] - begin[0]))
    ax.annotate(
        said,
        (float(middle[0]), float(middle[1])),
        xytext=(6.0 * side, -6.0 if side else 5.0),
        textcoords="offset points",
        ha={0.0: "center", 1.0: "left", -1.0: "right"}[side],
        va="top" if side else "bottom",
        fontsize=SMALL,
        color=colour,
    )


def _draw_layer(ax: Axes, what: Definition) -> None:
    """Three inputs and two outputs with their edges: what moves is full, what is held is empty."""
    blue, orange, *_ = layer_colours(2)
    for edge in _ALL_EDGES:
        firm = edge in what.edges
        ends = _PLACES[list(edge)]
        colour, width = (ink(0.9), 1.8) if firm else (ink(0.25), 0.9)
        ax.plot(*ends.T, color=colour, linewidth=width, zorder=1 + firm)
    for k, (x, y) in enumerate(_PLACES):
        is_output = k > 2
        colour = orange if is_output else blue
        full = (is_output and k in what.looked_at) or k in what.moving
        seen = full or k in what.looked_at
        circle = Circle((x, y), _RADIUS, facecolor=colour if full else paper(), linewidth=1.6, zorder=4)
        circle.set_edgecolor(colour if seen else ink(0.35))
        ax.add_patch(circle)
        if k in what.moving:
            _arrow(ax, (x - 0.55, y - 0.3), (x - 0.55, y + 0.3), blue, "<|-|>")
        elif not is_output:
            ax.text(x - 0.42, y, "held", ha="right", va="center", fontsize=SMALL, color=ink(0.6))
    _draw_frames(ax, what)
    ax.set(xlim=(-1.35, 3.6), ylim=(-0.5, 2.5), aspect=1.0)
    ax.set_axis_off()


def _draw_frames(ax: Axes, what: Definition) -> None:
    """A frame around what is looked at on each side: together, where it is one state."""
    for side in ((0, 1, 2), (3, 4)):
        places = _PLACES[[k for k in side if k in what.looked_at]]
        low, high = places.min(axis=0) - _RADIUS, places.max(axis=0) + _RADIUS
        width, height = high - low
        shape = "round,pad=0.1,rounding_size=0.25"
        frame = FancyBboxPatch((low[0], low[1]), width, height, boxstyle=shape, fill=False)
        frame.set(edgecolor=ink(0.7), linewidth=1.1, linestyle=(0, (3, 2)), zorder=3)
        ax.add_patch(frame)


def _draw_bars(ax: Axes, what: Definition) -> None:
    """Two measures as bars, one below the other and both to the same end, and what is left of the longer."""
    (_, most), (_, less), (_, rest) = what.bars
    for k, ((name, bits), left, sign) in enumerate(
        zip(what.bars, (0.0, most - less, 0.0), ("", "− ", "= "), strict=True)
    ):
        ax.barh(-k, bits, 0.62, left, color=_colour(name), zorder=2)
        ax.text(-0.25, -k, sign + DEFINITIONS[name].title, ha="right", va="center", fontsize=SMALL, color=ink(0.9))
    ax.plot([rest, rest], [-2.31, -0.69], color=ink(0.5), linewidth=1.0, linestyle=":", zorder=1)
    ax.set(xlim=(-4.2, 7.6), ylim=(-2.6, 0.6))
    ax.set_axis_off()
