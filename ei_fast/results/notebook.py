"""Reports as a notebook shows them: pictures, a table, and what flags mean where one points at them."""

from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from math import isfinite, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from ei_fast.measures.quantities import QUANTITIES
from ei_fast.network.rows import widths_text
from ei_fast.shown.blocks import in_blocks
from ei_fast.shown.colours import colours_of
from ei_fast.shown.drawing import Axes, map_of, scale_of, spread, values_beside
from ei_fast.shown.page import explained, lines, named, page, pictures, table
from ei_fast.shown.tags import Html, tag, together

if TYPE_CHECKING:
    from ei_fast.results.layer_report import LayerReport

_MOST_SQUARES = 32
"""Rows and columns of a matrix that are drawn; of larger ones each square is the mean of several edges."""


def flags_said(flags: Sequence[str], meaning: Callable[[str], str]) -> Html:
    """Flags one after the other, each with its meaning."""
    said = [explained(flag, meaning(flag)) for flag in flags]
    return together(*(part for k, one in enumerate(said) for part in ((", ", one) if k else (one,))))


def report_in_html(
    header: Sequence[str], rows: Sequence[Sequence[str]], layers: "Sequence[LayerReport]", told: Sequence[str]
) -> Html:
    """The table of a report below two pictures, and the lines that are told below it.

    Parameters
    ----------
    header, rows : sequences of str
        As they are printed; the name of a layer comes first, its flags last.
    layers : sequence of LayerReport
    told : sequence of str
    """
    colours = colours_of(len(layers))
    cells = [
        (named(row[0], colour), *row[1:-1], flags_said(layer.flags, layer.meaning))
        for row, layer, colour in zip(rows, layers, colours, strict=True)
    ]
    blocks = [block for block, _ in in_blocks([layer.name for layer in layers]) or [("", "")] * len(layers)]
    drawn = pictures(_plane(layers, colours), _ei_of_each(layers, colours))
    return page(drawn, table(header, cells, range(3, len(header) - 1), blocks), lines(told))


def _plane(layers: "Sequence[LayerReport]", colours: Sequence[str]) -> Html | None:
    """The layers in the causal plane; None where none has a place in it."""
    points = [plane_point(layer.ei, layer.sensitivity) for layer in layers]
    axes = plane_axes(points)
    if axes is None:
        return None
    for layer, (x, y), colour in zip(layers, points, colours, strict=True):
        axes.mark(x, y, f"{layer.name}: EI {layer.ei:.3f}, degeneracy {layer.degeneracy:.3f} bits", colour)
    return axes.svg()


def plane_point(ei: float, sensitivity: float) -> tuple[float, float]:
    """Where a layer is in the causal plane: EI / √2 to the right, (sensitivity + degeneracy) / √2 upwards."""
    return ei / sqrt(2.0), (2.0 * sensitivity - ei) / sqrt(2.0)


def plane_axes(points: Sequence[tuple[float, float]]) -> Axes | None:
    """The causal plane around some points, with the line on which degeneracy is 0; None where there is no point."""
    there = [point for point in points if all(map(isfinite, point))]
    if not there:
        return None
    xs, ys = zip(*there, strict=True)
    axes = Axes(spread(xs, 0.0), spread(ys, 0.0), "Causal plane", "EI / √2, bits", "(sensitivity + degeneracy) / √2")
    dashed = {"stroke_dasharray": "3 3", "stroke_width": 1, "opacity": 0.6}
    axes.line([0.0, 0.0], list(axes.y), "EI = 0", **dashed)
    # Where degeneracy is 0 both coordinates are equal.
    low, high = max(axes.x[0], axes.y[0]), min(axes.x[1], axes.y[1])
    if low < high:
        axes.line([low, high], [low, high], "degeneracy = 0", **dashed)
    return axes


def _ei_of_each(layers: "Sequence[LayerReport]", colours: Sequence[str]) -> Html | None:
    """EI of the layers side by side, with intervals."""
    intervals = [layer.ei_interval for layer in layers]
    names = [layer.name for layer in layers]
    return values_beside(names, [layer.ei for layer in layers], intervals, title="EI of each layer", colours=colours)


def layer_in_html(layer: "LayerReport") -> Html:
    """The figures of one layer with their errors, EI on its scale, its edges, and what is to be known of them."""
    most = min(layer.n_in * np.log2(layer.in_bins), layer.n_out * np.log2(layer.out_bins))
    scale = scale_of(layer.ei, layer.ei_interval, layer.ei_bounds, ceiling=float(most))
    edges = map_of(squares(layer.ei_parts_matrix), "EI_parts of edges", "outputs", "inputs")
    head = together(named(layer.name), f": {widths_text(layer)}, {layer.activation}, ")
    bins = f"{layer.in_bins} and {layer.out_bins} bins"
    title = tag("p", tag("b", head, bins))
    cells = [
        (quantity.title, f"{getattr(layer, quantity.name):.4f}", f"{getattr(layer, quantity.stderr):.2g}")
        for quantity in QUANTITIES
    ]
    known = ei_in_words(layer.ei_interval, layer.ei_bounds, layer.joint_method == "exact")
    told = [known, layer.explain()]
    return page(title, pictures(scale, edges), table(("figure", "bits", "standard error"), cells, (1, 2)), lines(told))


def ei_in_words(interval: tuple[float, float], bounds: tuple[float, float], is_exact: bool) -> str:
    """What is known of EI beside its value."""
    if is_exact:
        return "EI is exact to rounding."
    words = f"95 % interval of EI: {interval[0]:.4f} to {interval[1]:.4f} bits"
    if all(map(isfinite, bounds)) and tuple(bounds) != tuple(interval):
        words += f"; bounds that rest on no model: {bounds[0]:.4f} to {bounds[1]:.4f}"
    return f"{words}."


def squares(matrix: Any) -> list[list[float]]:
    """A matrix of a few rows and columns, each entry the mean of as many of the given one as it takes."""
    values = np.asarray(matrix, dtype=np.float64)
    for axis in (0, 1):
        n = values.shape[axis]
        if n > _MOST_SQUARES:
            begins = np.linspace(0, n, _MOST_SQUARES + 1).astype(np.intp)
            parts = (np.take(values, range(a, b), axis) for a, b in pairwise(begins))
            values = np.stack([_mean(part, axis) for part in parts], axis)
    rows: list[list[float]] = values.tolist()
    return rows


def _mean(part: Any, axis: int) -> Any:
    """The mean of what is there; NaN where nothing is."""
    there = np.isfinite(part)
    n = there.sum(axis)
    return np.where(n > 0, np.where(there, part, 0.0).sum(axis) / np.maximum(n, 1), np.nan)


def printed_in_html(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Collection[int],
    told: Sequence[str],
    *drawn: Html | None,
) -> Html:
    """A table as it is printed, names first, below pictures and above lines."""
    cells = [(named(row[0]), *row[1:]) for row in rows]
    return page(pictures(*drawn), table(header, cells, right), lines(told))
