"""Layers of attention taken apart head by head, and put together again to what each head does as a whole.

The products are those of Elhage et al. (2021), *A Mathematical Framework for Transformer Circuits*. A head writes
A (x W_V W_O) to the residual stream, where A = softmax(x_q W_Q W_K^T x_k^T) says between which positions. So what it
does is told by two maps of the stream's own space. OV, W_V W_O, says what is written where a position is attended to.
QK, W_Q W_K^T, says what of a position is sought in the others: a bilinear form, measured as the linear map from a
query's position to the vector with which the keys' positions are multiplied.

With biases, OV is x W_V W_O + b_V W_O: what a head writes that attends to one position alone, and, as attention sums
to 1, b_V W_O is what it adds wherever it attends. The bias of the output projection belongs to no head. QK is
x W_Q W_K^T + b_Q W_K^T. What b_K adds is the same for all keys of a query, and softmax takes it away. Factors that all
scores have in common, as 1 / sqrt(d), are left out: ranges that are derived grow and shrink with them. Keys that are
put beside those of positions, as PyTorch's bias_k and its zeros, are no position's, and QK says nothing of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.graph.attention import USE_HEADS, is_attention
from ei_fast.network.bins import Range, hull_of
from ei_fast.network.layer import Function, Layer
from ei_fast.network.network import Network

Columns = NDArray[np.intp]
Use = tuple[str, int]
"""The name of a dense map, and how many of that name came before it."""


@dataclass(frozen=True)
class Head:
    """Which columns of the projections make the queries, keys and values of a head, and which rows take what it gives.

    An empty array stands where that is not known.
    """

    q: Columns
    k: Columns
    v: Columns
    out: Columns


@dataclass(frozen=True)
class Heads:
    """One attention.

    Attributes
    ----------
    name : str
    heads : list of Head
    q, k, v, out : (str, int) or None
        The dense maps; None where there is none.
    qk : str
        "" where QK is what the scores are made of; "same" where it is so at the same position only, as with rotary
        positions; else why there is none.
    ov : str
        "" where OV is what is written; else why there is none.
    """

    name: str
    heads: list[Head]
    q: Use | None
    k: Use | None
    v: Use | None
    out: Use | None
    qk: str = ""
    ov: str = ""


@dataclass
class _Split:
    """What stands in the place of a layer."""

    parts: list[Layer] = field(default_factory=list)
    composed: list[Layer] = field(default_factory=list)


def by_head(network: Network, found: Sequence[Heads]) -> Network:
    """The network with every attention head by head.

    Parameters
    ----------
    found : sequence of Heads
        What was seen of each attention.

    Raises
    ------
    ValueError
        Where the heads of an attention are not known, or there is none.
    """
    _check_all_known(network, found)
    places = _places(network)
    ranges = [hull_of(limits) for limits, _ in network.ranges()]
    splits: dict[int, _Split] = {}
    skipped = [(name, reason.replace(USE_HEADS, "")) for name, reason in network.skipped]
    notes = list(network.notes)
    for one in found:
        index = {part: _place(one, part, places, network) for part in ("q", "k", "v", "out")}
        last = max(place for place in index.values() if place is not None)
        composed = splits.setdefault(last, _Split()).composed
        composed += _products(one, index, network, ranges)
        skipped += _not_composed(one)
        notes += _notes(one, index, network)
    for place in _used(found, places, network):
        splits.setdefault(place, _Split()).parts = _parts(place, found, places, network, ranges[place])
    return _put(network, splits, ranges, skipped, notes)


def _check_all_known(network: Network, found: Sequence[Heads]) -> None:
    named = {name for name, reason in network.skipped if is_attention(reason)}
    if not named and not found:
        raise ValueError(
            "With heads=True the model must have attention, softmax(Q K^T) V, of projected queries, keys and values. "
            "Got none that could be seen. Leave 'heads' out."
        )
    known = {one.name for one in found}
    missing = sorted(named - known)
    if missing:
        others = f"; known are those of {', '.join(sorted(known))}" if known else ""
        raise ValueError(
            f"With heads=True it must be seen which outputs of a dense layer are each head's. Got the attention "
            f"{missing[0]!r}, whose queries, keys or values were not followed from such layers head by head{others}. "
            "Leave 'heads' out to measure its projections whole."
        )


def _places(network: Network) -> dict[Use, int]:
    """Where in the network a dense map is."""
    uses: dict[str, int] = {}
    places: dict[Use, int] = {}
    for place, layer in enumerate(network):
        base, _, number = str(layer.name).rpartition("#")
        name = base if base and number.isdigit() else str(layer.name)
        places[name, uses.get(name, 0)] = place
        uses[name] = uses.get(name, 0) + 1
    return places


def _place(one: Heads, part: str, places: Mapping[Use, int], network: Network) -> int | None:
    """The place of one of its dense maps; None where it has none."""
    use: Use | None = getattr(one, part)
    if use is None:
        return None
    columns = np.concatenate([getattr(head, part) for head in one.heads])
    place = places.get(use)
    layer = None if place is None else network[place]
    width = 0 if layer is None else layer.n_in if part == "out" else layer.n_out
    if not isinstance(layer, Layer) or layer.patch is not None or columns.max(initial=-1) >= width:
        raise ValueError(
            f"With heads=True what the attention {one.name!r} reads and writes must be dense layers that are measured. "
            f"Got {use[0]!r}, which is none. Leave 'heads' out to measure the others whole."
        )
    return place


def _used(found: Sequence[Heads], places: Mapping[Use, int], network: Network) -> list[int]:
    """Places of the layers that have heads."""
    of_all = (_place(one, part, places, network) for one in found for part in ("q", "k", "v", "out"))
    return sorted({place for place in of_all if place is not None})


def _parts(
    place: int, found: Sequence[Heads], places: Mapping[Use, int], network: Network, in_range: Range
) -> list[Layer]:
    """A layer, head by head, and what of it is no head's."""
    layer = network[place]
    assert isinstance(layer, Layer)
    uses = [
        (one, part)
        for one in found
        for part in ("q", "k", "v", "out")
        if getattr(one, part) is not None and places[getattr(one, part)] == place
    ]
    by_rows = any(part == "out" for _, part in uses)
    rest = np.ones(layer.n_in if by_rows else layer.n_out, dtype=bool)
    parts: list[Layer] = []
    for one, part in uses:
        middle = f".{part}" if len(uses) > 1 else ""
        several = dict.fromkeys(tuple(getattr(head, part).tolist()) for head in one.heads)
        for number, columns in enumerate(several):
            which = np.array(columns, dtype=np.intp)
            rest[which] = False
            parts.append(_part(layer, which, by_rows, f"{layer.name}{middle}.head{number}", in_range))
    if rest.any():
        parts.append(_part(layer, np.flatnonzero(rest), by_rows, f"{layer.name}.rest", in_range))
    return parts


def _part(layer: Layer, which: Columns, by_rows: bool, name: str, in_range: Range) -> Layer:
    """Some columns of a layer; or some rows, whose sum with others the layer is, without its bias."""
    if by_rows:
        return Layer(layer.weight[which], None, "linear", name, in_range=in_range)
    return Layer(layer.weight[:, which], layer.bias[which], layer.activation, name, in_range=in_range)


def _products(one: Heads, index: Mapping[str, int | None], network: Network, ranges: Sequence[Range]) -> list[Layer]:
    """OV and QK of each head."""
    layers = {part: None if place is None else network[place] for part, place in index.items()}
    made: list[Layer] = []
    for kind, first, second, why in (("qk", "q", "k", one.qk), ("ov", "v", "out", one.ov)):
        a, b, place = layers[first], layers[second], index[first]
        if why not in ("", "same") or not isinstance(a, Layer) or not isinstance(b, Layer) or place is None:
            continue
        for number, head in enumerate(one.heads):
            columns = getattr(head, first)
            behind = b.weight[:, head.k].T if kind == "qk" else b.weight[head.out]
            made.append(
                Layer(
                    a.weight[:, columns] @ behind,
                    a.bias[columns] @ behind,
                    "linear",
                    f"{one.name}.{kind}.head{number}",
                    in_range=ranges[place],
                )
            )
    return made


def _not_composed(one: Heads) -> list[tuple[str, str]]:
    """Which products there are none of, and why."""
    said = []
    if one.q is None or one.k is None or one.qk not in ("", "same"):
        said.append((f"{one.name}.qk", one.qk or "queries or keys come from no dense layer"))
    if one.v is None or one.out is None or one.ov:
        said.append((f"{one.name}.ov", one.ov or "no dense layer reads what the heads give as they give it"))
    return [(name, f"it is no product of two dense layers: {why}") for name, why in said]


def _notes(one: Heads, index: Mapping[str, int | None], network: Network) -> list[tuple[str, str]]:
    notes = []
    if one.qk == "same":
        notes.append(
            (f"{one.name}.qk", "positions turn queries and keys: QK is that of a query and key at one position")
        )
    out = None if index["out"] is None else network[index["out"]]
    if isinstance(out, Layer) and out.bias.any():
        notes.append((str(out.name), "its bias is added to the sum of all heads, and is none of theirs"))
    return notes


def _put(
    network: Network,
    splits: Mapping[int, _Split],
    ranges: Sequence[Range],
    skipped: Sequence[tuple[str, str]],
    notes: Sequence[tuple[str, str]],
) -> Network:
    """The network with these in the place of its layers, and the ranges that these had."""
    layers: list[Layer | Function] = []
    restarts: list[int] = []
    is_kept = True
    for place, layer in enumerate(network):
        split = splits.get(place, _Split())
        here: list[Layer | Function] = list(split.parts) or [layer]
        if not split.parts:
            if place in network.restarts or (place and not is_kept):
                here = [layer.over(ranges[place])] if layer.in_range is None else [layer]
                restarts.append(len(layers))
        else:
            restarts += range(len(layers), len(layers) + len(here))
        is_kept = not split.parts and not split.composed
        restarts += range(len(layers) + len(here), len(layers) + len(here) + len(split.composed))
        layers += [*here, *split.composed]
    return Network(layers, network.in_range, restarts, skipped=skipped, notes=list(dict.fromkeys(notes)))
