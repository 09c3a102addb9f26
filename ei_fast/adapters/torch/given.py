"""Integers that a user has given, as token ids: where they become numbers, values begin that layers read.

A table in which they are looked up gives vectors, and a time that is made a floating number is one. What is only chosen
by them, as the nodes of a graph by its edges, is no value of its own; neither is what compares them.
"""

from collections.abc import Callable, Mapping, Sequence

import torch

from ei_fast.adapters.sources import range_beyond
from ei_fast.adapters.torch.call import Call
from ei_fast.adapters.torch.each import makes_anew

LOOKED_UP = "a table of vectors, in which the integers of the example inputs are looked up, and no layer"
_MADE = "made of integers of the example inputs, and no layer"

_LOOKUPS = {"embedding", "embedding_bag"}
# What they say of the first argument is where to take it from, or where to put it.
_BY_INDEX = {
    "getitem", "index_select", "gather", "take", "take_along_dim", "index", "scatter", "scatter_add", "scatter_reduce",
    "index_add", "index_reduce", "index_put", "index_copy", "segment_reduce", "repeat_interleave", "bincount",
}  # fmt: skip


def why_followed(
    call: Call,
    written: Sequence[torch.Tensor],
    given: Mapping[int, torch.Tensor],
    is_learned: Callable[[torch.Tensor], bool],
) -> str | None:
    """What a function makes of integers that were given, and of no other value.

    Returns
    -------
    str or None
        Why it is no layer, where it makes values of them; "" where it makes other integers; None where what it makes
        does not depend on them in a way that is followed.
    """
    tensors = call.tensors
    of_given = [tensor for tensor in tensors if id(tensor) in given]
    if not of_given or not written or makes_anew(call.name, (0,)):
        return None
    if any(tensor.dtype == torch.bool for tensor in written):
        return None
    is_floating = all(tensor.is_floating_point() for tensor in written)
    if call.name in _LOOKUPS:
        return LOOKED_UP if is_floating else None
    if call.name in _BY_INDEX and tensors[0] is not of_given[0]:
        return LOOKED_UP if is_floating and is_learned(tensors[0]) else None
    return _MADE if is_floating else ""


def drawn_beyond(vectors: Sequence[torch.Tensor]) -> None:
    """Draw vectors that were looked up anew, from a range ten times as wide as theirs."""
    for tensor in vectors:
        low, high = float(tensor.min()), float(tensor.max())
        tensor.uniform_(*range_beyond((low, high)))
