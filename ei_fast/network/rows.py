"""A network as rows of a table, one for each layer, with the ranges over which it is binned."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ei_fast.network.bins import Ranges, hull_of, is_each
from ei_fast.network.layer import Layer

if TYPE_CHECKING:
    from ei_fast.network.network import Network

HEADER = ("layer", "kind", "neurons", "activation", "inputs", "outputs")

RESTARTED = (
    "* not the outputs of the layer before, one for one: the model's own input, another arrangement of those "
    "outputs, the range seen for random inputs, or the one given to layers that are measured each by itself"
)
"""What a star behind the range of a layer's inputs means."""

# Ranges of neurons that are shown one after the other, as those of an input, a hidden state and a gate.
_MOST_RANGES = 3


def rows_of(network: "Network") -> list[tuple[str, ...]]:
    """A row for each layer, below `HEADER`."""
    rows: list[tuple[str, ...]] = []
    for index, (layer, (in_range, out_range)) in enumerate(zip(network, network.ranges(), strict=True)):
        kind, activation = ("dense", str(layer.activation)) if isinstance(layer, Layer) else ("function", "")
        inputs = f"{_range_text(in_range)} *" if index in network.restarts else _range_text(in_range)
        rows.append((str(layer.name), kind, widths_text(layer), activation, inputs, _range_text(out_range)))
    return rows


def shape_of(patch: Sequence[int]) -> str:
    """A shape as text: 3x5x5."""
    return "x".join(map(str, patch))


def widths_text(layer: Any) -> str:
    """Numbers of inputs and outputs of a layer or of its report, as text; those of one patch, or of one position."""
    if layer.patch is None:
        return f"{layer.n_in} -> {layer.n_out}" + (" per position" if layer.per_position else "")
    return f"{shape_of(layer.patch)} -> {layer.n_out} per patch"


def _range_text(ranges: Ranges) -> str:
    """A range; or several of neurons one after the other, with how many have each, where these are few."""
    pairs: list[Any] = list(ranges) if is_each(ranges) else [ranges]
    runs = [(limits, len(list(same))) for limits, same in groupby(pairs)]
    if len(runs) > _MOST_RANGES:
        runs = [(hull_of(ranges), 1)]
    texts = [f"({limits[0]:.4g}, {limits[1]:.4g})" for limits, _ in runs]
    if len(runs) == 1:
        return texts[0]
    return " ".join(f"{n} x {text}" for text, (_, n) in zip(texts, runs, strict=True))
