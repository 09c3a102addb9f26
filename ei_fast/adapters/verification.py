"""The proof that layers are what the model was seen to do."""

from collections.abc import Sequence
from itertools import zip_longest

import numpy as np

from ei_fast.adapters.chain import Piece
from ei_fast.adapters.operations import Array, Recording, Step
from ei_fast.network.layer import Function, Layer


def verify(pieces: Sequence[Piece], recordings: Sequence[Recording], digits: float, eps: float) -> None:
    """Raise ValueError where a layer does not do what the model was seen to do.

    Parameters
    ----------
    digits : float
        What rounding may make of a sum of products, as a share of the sum of their sizes.
    eps : float
        Of the arithmetic that the model ran in: what rounding may make of an output, as a share of it.
    """
    first = recordings[0]
    for other in recordings[1:]:
        if other.path != first.path:
            raise ValueError(
                f"The model does not do the same for all inputs: {_where_they_part(first.path, other.path)}. "
                "Name the module that decides in 'blocks' to measure it whole, or use verify=False to measure what it "
                "does inside in_range."
            )
    for piece in pieces:
        for recording in recordings:
            layer = piece.layer
            x, expected = recording.rows(piece.start, piece.inputs), recording.rows(piece.end, piece.outputs)
            allowed = digits * _size_of_sums(layer, x, expected) + 64 * eps * np.max(np.abs(expected), initial=0.0)
            off = np.abs(layer(x) - expected)
            if not np.all(off <= allowed):
                raise ValueError(
                    f"Layer {layer.name!r} as extracted differs from the model's by up to {np.max(off):.3g} on random "
                    "inputs: it would be measured wrongly. Name it, or the module around it, in 'blocks' to measure it "
                    "as it runs."
                )
            if isinstance(layer, Function):
                _check_row_by_row(layer, x, expected, allowed)


def _size_of_sums(layer: Layer | Function, x: Array, expected: Array) -> float:
    """What rounding is a share of; of a map that does not tell, the size of its outputs."""
    tells = layer if isinstance(layer, Layer) else layer.fn
    if hasattr(tells, "size_of_sums"):
        return tells.size_of_sums(x)
    return float(np.max(np.abs(expected), initial=0.0))


def _check_row_by_row(layer: Function, x: Array, expected: Array, allowed: float) -> None:
    """Raise ValueError where what a map makes of a row depends on the other rows, or on their number."""
    few = len(x) // 3
    again = np.concatenate([layer(x[:few]), layer(x[few:][::-1])[::-1]])
    if not np.all(np.abs(again - expected) <= allowed):
        raise ValueError(
            f"The block {layer.name!r} must map every row by itself. What it makes of one depends on the others, or on "
            "what it did before. It has no effective information; name a smaller block."
        )


def _where_they_part(one: Sequence[Step], other: Sequence[Step]) -> str:
    after = "the input"
    for first, second in zip_longest(one, other):
        if first != second:
            break
        after = repr(first[0])
    told = " or ".join("ended" if step is None else f"went on with {step[0]!r}" for step in (first, second))
    return f"after {after} it {told}"
