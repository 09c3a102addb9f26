"""A network as a notebook shows it: its widths as a picture, and the table of `describe`."""

from collections.abc import Sequence
from math import log10
from typing import TYPE_CHECKING

from ei_fast.network.rows import HEADER, RESTARTED, rows_of
from ei_fast.network.shares import share_in_lines
from ei_fast.shown.blocks import in_blocks
from ei_fast.shown.colours import colours_of
from ei_fast.shown.drawing import svg_of
from ei_fast.shown.page import lines, named, page, pictures, table
from ei_fast.shown.skips import skips_in_lines
from ei_fast.shown.tags import Html, tag

if TYPE_CHECKING:
    from ei_fast.network.network import Network

_MOST_DRAWN = 60
"""Layers in the picture; the table has all."""
_HEIGHT = 110


def network_in_html(network: "Network") -> Html:
    """Widths, layers with their ranges, and what was skipped or is to be known."""
    colours = colours_of(len(network))
    cells: list[Sequence[object]] = []
    try:
        rows = rows_of(network)
    except ValueError as error:
        # A network whose ranges overflow is refused where it is measured; here it is only looked at.
        return page(tag("p", repr(network)), tag("p", error))
    for (name, *others), colour in zip(rows, colours, strict=True):
        cells.append((named(name, colour), *others))
    blocks = [block for block, _ in in_blocks([row[0] for row in rows]) or [("", "")] * len(rows)]
    told = [RESTARTED] if network.restarts else []
    told += skips_in_lines(network.notes, "note on") + skips_in_lines(network.skipped)
    told += share_in_lines(network.parameters, len(network))
    return page(pictures(_widths(network, colours)), table(HEADER, cells, blocks=blocks), lines(told))


def _widths(network: "Network", colours: Sequence[str]) -> Html | None:
    """Bars as high as the layers' inputs and outputs are many, on a logarithmic scale, joined by the layers."""
    if len(network) > _MOST_DRAWN:
        return None
    most = max(max(layer.n_in, layer.n_out) for layer in network)

    def high(n: int) -> float:
        return 12.0 + (_HEIGHT - 12.0) * log10(n) / max(log10(most), 1.0)

    step = max(14, min(90, 640 // len(network)))
    parts = []
    for k, (layer, colour) in enumerate(zip(network, colours, strict=True)):
        left, right = 10 + k * step, 10 + (k + 1) * step - 4
        before, after = high(layer.n_in) / 2, high(layer.n_out) / 2
        middle = 10 + _HEIGHT / 2
        corners = f"{left},{middle - before:.1f} {right},{middle - after:.1f} {right},{middle + after:.1f} "
        corners += f"{left},{middle + before:.1f}"
        said = tag("title", f"{layer.name}: {layer.n_in} to {layer.n_out}")
        parts.append(tag("polygon", said, points=corners, fill=colour, fill_opacity=0.45, stroke=colour))
        if step > 30:
            parts.append(_count(left, layer.n_in, k == 0 or network[k - 1].n_out != layer.n_in))
    if step > 30:
        parts.append(_count(10 + len(network) * step - 4, network[len(network) - 1].n_out, True))
    return svg_of(parts, 24 + len(network) * step, _HEIGHT + 36, f"widths of {len(network)} layers, each a bar")


def _count(at: float, n: int, is_new: bool) -> Html:
    return tag("text", n if is_new else "", x=at, y=_HEIGHT + 26, text_anchor="middle")
