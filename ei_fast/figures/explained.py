"""Pictures that explain: where the measures are read off in the causal plane, and what each of them is.

The numbers in them are no layer's: they are chosen so that everything can be seen.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from ei_fast.figures.style import SMALL, ink, layer_colours, paper

# Bits of the example layer.
_SENSITIVITY, _EI = 7.0, 4.0
_PLANE, _SMALL_PICTURE = (4.8, 4.4), (2.6, 1.9)
_WIDTH = 260
"""Pixels of width at which the pictures of definitions can be read."""


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

    Examples
    --------
    >>> figure = plot_explained_plane()
    >>> figure.axes[0].get_aspect()
    1.0

    The picture of the documentation:

    >>> plot_explained_plane().savefig("plane_explained.png", dpi=200)  # doctest: +SKIP
    """
    ax = _own(ax, _PLANE)
    blue, orange, green, *_ = layer_colours(4)
    degeneracy = _SENSITIVITY - _EI
    point = _turned(_SENSITIVITY, degeneracy)
    _draw_axis(ax, _turned(9.4, 0.0), orange, "sensitivity", "degeneracy = 0")
    _draw_axis(ax, _turned(0.0, 6.4), green, "degeneracy", "")
    nullcline = {"color": ink(0.65), "linewidth": 1.2, "linestyle": "--", "zorder": 1}
    ax.plot([0.0, 0.0], [-0.6, 9.0], **nullcline)
    ax.text(-0.12, 9.0, "EI nullcline: EI = 0", rotation=90, va="top", ha="right", fontsize=SMALL, color=ink(0.65))
    _drop(ax, point, _turned(_SENSITIVITY, 0.0), orange)
    _drop(ax, point, _turned(0.0, degeneracy), green)
    _drop(ax, point, (0.0, point[1]), blue)
    _measure(ax, (0.0, 0.0), _turned(_SENSITIVITY, 0.0), orange, f"sensitivity\n{_SENSITIVITY:g} bits")
    _measure(ax, (0.0, 0.0), _turned(0.0, degeneracy), green, f"degeneracy\n{degeneracy:g} bits", above=False)
    _measure(ax, (0.0, point[1]), point, blue, f"EI / √2, here {_EI:g} bits / √2")
    ax.plot(*point, "o", color=ink(1.0), markersize=8.0, zorder=5)
    ax.text(point[0] + 0.25, point[1] - 0.05, "a layer", fontsize=SMALL + 1.0, va="center", color=ink(1.0))
    for way in (1.0, -1.0):
        _arrow(ax, (point[0], point[1] + 0.25 * way), (point[0], point[1] + 1.5 * way), ink(0.8))
    ax.text(
        point[0] + 0.15, point[1] + 1.35, "a vertical move:\nEI unchanged", fontsize=SMALL, va="center", color=ink(0.8)
    )
    _arrow(ax, (point[0] + 0.3, point[1] - 0.6), (point[0] + 1.7, point[1] - 0.6), ink(0.8))
    ax.text(point[0] + 1.75, point[1] - 0.6, " EI grows", fontsize=SMALL, va="center", color=ink(0.8))
    ax.set(xlim=(-5.4, 7.6), ylim=(-0.9, 9.2), aspect=1.0)
    ax.set_xlabel("(sensitivity - degeneracy) / √2 = EI / √2  [bits]".replace("-", "−"), fontsize=SMALL)
    ax.set_ylabel("(sensitivity + degeneracy) / √2  [bits]", fontsize=SMALL)
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=SMALL)
    return ax.get_figure(root=True)  # type: ignore[return-value]


def plot_definition(name: str, ax: Axes | None = None) -> Figure:
    """Draw what a measure is, on a layer of three inputs and two outputs.

    Neurons that are set to values drawn at random are full and have a wavy sign; those that are held still are empty.
    What is looked at has a frame.

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
    ax = _own(ax, _SMALL_PICTURE)
    what = DEFINITIONS[name]
    if what.bars:
        _draw_bars(ax, what)
    else:
        _draw_layer(ax, what)
    ax.set_title(what.title, loc="left", fontsize=SMALL + 2.0, fontweight="bold")
    ax.text(0.0, -0.02, what.said, transform=ax.transAxes, va="top", fontsize=SMALL, linespacing=1.25, color=ink(0.9))
    return ax.get_figure(root=True)  # type: ignore[return-value]


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
    is_joint : bool
        Whether what is looked at on either side is one state.
    bars : tuple of (str, float, str)
        In place of a layer: names, bits and signs of measures.
    """

    title: str
    said: str
    moving: tuple[int, ...] = ()
    looked_at: tuple[int, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    is_joint: bool = False
    bars: tuple[tuple[str, float, str], ...] = ()


_ALL_EDGES = tuple((i, j) for i in range(3) for j in (3, 4))

DEFINITIONS = {
    "ei": Definition(
        "EI",
        "All inputs move, each on its own.\nBits that the state of all outputs\ntells about the state of all inputs.",
        moving=(0, 1, 2),
        looked_at=(0, 1, 2, 3, 4),
        edges=_ALL_EDGES,
        is_joint=True,
    ),
    "sensitivity": Definition(
        "sensitivity",
        "One input moves, the others are held\nat the baseline. Bits that one output\ntells about it; summed over all edges.",
        moving=(1,),
        looked_at=(1, 3),
        edges=((1, 3),),
    ),
    "degeneracy": Definition(
        "degeneracy",
        "What the edges carry one by one, less\nwhat the layer carries as a whole:\nsensitivity − EI.",
        bars=(("sensitivity", 7.0, ""), ("EI", 4.0, "−"), ("degeneracy", 3.0, "=")),
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
        bars=(("EI", 4.0, ""), ("EI_parts", 2.5, "−"), ("φ", 1.5, "=")),
    ),
}
"""The five measures, by the names of their figures in reports."""

# Where the neurons of the layer stand: three inputs, two outputs.
_PLACES = np.array([[0.0, 2.0], [0.0, 1.0], [0.0, 0.0], [2.6, 1.5], [2.6, 0.5]])
_RADIUS = 0.27


def _own(ax: Axes | None, size: tuple[float, float]) -> Axes:
    return Figure(figsize=size, layout="constrained").subplots() if ax is None else ax


def _turned(sensitivity: float, degeneracy: float) -> tuple[float, float]:
    return (sensitivity - degeneracy) / np.sqrt(2.0), (sensitivity + degeneracy) / np.sqrt(2.0)


def _arrow(ax: Axes, begin: tuple[float, float], end: tuple[float, float], colour: str, style: str = "-|>") -> None:
    sizes = {"mutation_scale": 9.0, "linewidth": 1.3, "shrinkA": 0.0, "shrinkB": 0.0}
    ax.add_patch(FancyArrowPatch(begin, end, arrowstyle=style, color=colour, zorder=3, **sizes))


def _angle(end: tuple[float, float]) -> float:
    return float(np.degrees(np.arctan2(end[1], end[0])))


def _draw_axis(ax: Axes, end: tuple[float, float], colour: str, name: str, line: str) -> None:
    """A turned axis with its name at the end, and what the line itself is."""
    _arrow(ax, (0.0, 0.0), end, colour)
    is_right = end[0] > 0
    angle = _angle(end) if is_right else _angle(end) - 180.0
    style: dict[str, Any] = {"rotation": angle, "rotation_mode": "anchor", "fontsize": SMALL}
    ax.text(
        *end,
        f"{name} " if is_right else f" {name}",
        ha="right" if is_right else "left",
        va="bottom",
        color=colour,
        **style,
    )
    if line:
        ax.text(*end, f"{line} ", ha="right", va="top", color=ink(0.6), **style)


def _drop(ax: Axes, begin: tuple[float, float], end: tuple[float, float], colour: str) -> None:
    """A perpendicular from the point to an axis."""
    ax.plot(*zip(begin, end, strict=True), color=colour, linewidth=1.0, linestyle=":", zorder=2)
    ax.plot(*end, "o", color=paper(), markeredgecolor=colour, markersize=4.5, zorder=4)


def _measure(
    ax: Axes, begin: tuple[float, float], end: tuple[float, float], colour: str, said: str, above: bool = True
) -> None:
    """A firm length between two points, with what it is."""
    ax.plot(*zip(begin, end, strict=True), color=colour, linewidth=3.5, alpha=0.45, solid_capstyle="butt", zorder=2)
    middle = np.add(begin, end) / 2.0
    away = np.subtract(end, begin)
    rotation = _angle(tuple(away)) if away[0] > 0 else _angle(tuple(away)) - 180.0
    ax.annotate(
        said,
        tuple(middle),
        xytext=(0.0, 4.0) if rotation == 0.0 else (6.0, -6.0) if away[0] > 0 else (-6.0, -6.0),
        textcoords="offset points",
        ha="center" if rotation == 0.0 else "left" if away[0] > 0 else "right",
        va="bottom" if rotation == 0.0 else "top",
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
        style = {"facecolor": colour if full else paper(), "edgecolor": colour if seen else ink(0.35)}
        ax.add_patch(_circle((x, y), **style))
        if k in what.moving:
            _arrow(ax, (x - 0.55, y - 0.3), (x - 0.55, y + 0.3), blue, "<|-|>")
        elif not is_output:
            ax.text(x - 0.42, y, "held", ha="right", va="center", fontsize=SMALL, color=ink(0.6))
    _draw_frames(ax, what)
    ax.set(xlim=(-1.35, 3.6), ylim=(-0.5, 2.5), aspect=1.0)
    ax.set_axis_off()


def _circle(place: tuple[float, float], **style: Any) -> Any:
    from matplotlib.patches import Circle

    return Circle(place, _RADIUS, linewidth=1.6, zorder=4, **style)


def _draw_frames(ax: Axes, what: Definition) -> None:
    """A frame around what is looked at on each side: together, where it is one state."""
    from matplotlib.patches import FancyBboxPatch

    for side in ((0, 1, 2), (3, 4)):
        places = _PLACES[[k for k in side if k in what.looked_at]]
        low, high = places.min(axis=0) - _RADIUS, places.max(axis=0) + _RADIUS
        frame = FancyBboxPatch(tuple(low), *(high - low), boxstyle="round,pad=0.1,rounding_size=0.25", fill=False)
        frame.set(edgecolor=ink(0.7), linewidth=1.1, linestyle=(0, (3, 2)), zorder=3)
        ax.add_patch(frame)


def _draw_bars(ax: Axes, what: Definition) -> None:
    """Measures as bars one below the other, each from where the one before leaves off, with the sign between them."""
    colours = [*layer_colours(4)[1:2], layer_colours(4)[0], layer_colours(4)[2]]
    left = 0.0
    for k, (name, bits, sign) in enumerate(what.bars):
        if sign == "−":
            left = what.bars[0][1] - bits
        elif sign == "=":
            left = 0.0
        ax.barh(-k, bits, 0.62, left, color=colours[k], zorder=2)
        ax.text(-0.25, -k, f"{sign} {name}".strip(), ha="right", va="center", fontsize=SMALL, color=ink(0.9))
    rest = what.bars[2][1]
    ax.plot([rest, rest], [-2.31, -0.69], color=ink(0.5), linewidth=1.0, linestyle=":", zorder=1)
    ax.set(xlim=(-4.2, 7.6), ylim=(-2.6, 0.6))
    ax.set_axis_off()
