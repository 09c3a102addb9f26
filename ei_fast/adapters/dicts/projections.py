"""Projections of attention that are stored as no 2-D weight each.

PyTorch's multi-head attention has query, key and value above each other in one entry; Flax and Keras have kernels of
(inputs, heads, size of a head) and (heads, size of a head, outputs), which are dense layers with the heads in a row.
"""

import re
from functools import partial

from ei_fast.adapters.dicts.found import Arrays, Entries, FoundLayer, FoundParts, array_of, is_weight
from ei_fast.adapters.dicts.values import shape_of

_STACKED, _BIAS = "in_proj_weight", "in_proj_bias"


def projections_in(entries: Entries) -> FoundParts:
    """A dense layer for each projection: in attention to another sequence the query reads other inputs than the rest.

    Where queries, keys and values are of different widths, each has an entry of its own, and the biases are stacked.
    """
    found = FoundParts()
    for key in entries:
        begin = key.removesuffix(_STACKED)
        if begin != key and is_weight(entries[key]) and shape_of(entries[key])[0] % 3 == 0:
            weights = [(key, k) for k in range(3)]
        elif key.removesuffix("q_proj_weight") != key and f"{key[: -len('q_proj_weight')]}k_proj_weight" in entries:
            begin = key.removesuffix("q_proj_weight")
            weights = [(f"{begin}{of}_proj_weight", 0) for of in "qkv"]
            if not all(one in entries and is_weight(entries[one]) for one, _ in weights):
                continue
        else:
            continue
        _take(begin, weights, entries, found)
    _of_heads(entries, found)
    return found


def _take(begin: str, weights: list[tuple[str, int]], entries: Entries, found: FoundParts) -> None:
    bias = f"{begin}{_BIAS}"
    has_bias = entries.get(bias) is not None
    n_out = shape_of(entries[weights[0][0]])[0] // (3 if weights[0][0] == weights[1][0] else 1)
    for k, (of, (weight, block)) in enumerate(zip("qkv", weights, strict=True)):
        keys = (weight, bias) if has_bias else (weight,)
        found.keys.update(keys)
        read = partial(_projection, entries, weight, block * n_out, bias if has_bias else None, k * n_out, n_out)
        found.layers.append(FoundLayer(f"{begin}{of}", shape_of(entries[weight])[1], n_out, keys, read))


def _projection(entries: Entries, weight: str, row: int, bias: str | None, first: int, n_out: int) -> Arrays:
    own = array_of(entries, weight)[row : row + n_out].T
    return own, None if bias is None else array_of(entries, bias)[first : first + n_out]


def _of_heads(entries: Entries, found: FoundParts) -> None:
    for query in entries:
        match = re.fullmatch(r"(.*[./]|)query[./]kernel", query)
        if match is None:
            continue
        begin, end = match[1], query[-len("/kernel") :]
        outs = [f"{begin}{name}{end}" for name in ("out", "attention_output") if f"{begin}{name}{end}" in entries]
        inputs = [f"{begin}{name}{end}" for name in ("query", "key", "value")]
        if len(outs) != 1 or not all(key in entries and len(shape_of(entries[key])) == 3 for key in (*inputs, *outs)):
            continue
        if shape_of(entries[inputs[2]])[1:] != shape_of(entries[outs[0]])[:2]:
            continue
        for key in (*inputs, *outs):
            shape, bias = shape_of(entries[key]), re.sub("kernel$", "bias", key)
            n_in = shape[0] if key in inputs else shape[0] * shape[1]
            keys = (key, bias) if entries.get(bias) is not None else (key,)
            found.keys.update(keys)
            read = partial(_in_a_row, entries, keys, n_in)
            found.layers.append(FoundLayer(key[: -len(end)], n_in, shape[0] * shape[1] * shape[2] // n_in, keys, read))


def _in_a_row(entries: Entries, keys: tuple[str, ...], n_in: int) -> Arrays:
    weight, *bias = (array_of(entries, key) for key in keys)
    return weight.reshape(n_in, -1), bias[0].reshape(-1) if bias else None
