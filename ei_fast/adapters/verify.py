"""Layers must do what the model was seen to do."""

from collections.abc import Sequence

import numpy as np

from ei_fast.adapters.assemble.network import Piece
from ei_fast.adapters.graph import Recording, Recurs
from ei_fast.adapters.graph.view import Array
from ei_fast.network.layer import Function, Layer

# Rows of which each is given to a block by itself.
_ALONE = 8
# Of how many rows, the largest, it is told by how much sums may be rounded.
_LARGEST = 16
# Multiply-adds from which on not all rows of a layer are compared; rows that are, and samples of each place.
_MUCH_WORK, _ENOUGH_ROWS, _FEWEST_SAMPLES = 2**26, 61, 3
# What rounding may make of a sum of products, as a share of the sum of their sizes.
_DIGITS = {"float64": 1e-8, "float32": 1e-4, "float16": 2e-2, "bfloat16": 1e-1}
# What rounding may make of an output, as a share of it.
_EPS = {"float64": 2.0**-52, "float32": 2.0**-23, "float16": 2.0**-10, "bfloat16": 2.0**-7}


def verify(pieces: Sequence[Piece], recording: Recording) -> None:
    """Raise ValueError where a layer does not do what the model was seen to do."""
    for piece in pieces:
        layer = piece.layer
        compared = _compared(piece, recording)
        x = recording.rows(piece.start, piece.inputs, compared)
        expected = recording.rows(piece.end, piece.outputs, compared)
        # What overflows in the model's arithmetic shows nothing, and makes everything look small.
        shown = np.isfinite(x).all(axis=1) & np.isfinite(expected).all(axis=1)
        x, expected = x[shown], expected[shown]
        if not len(x):
            raise ValueError(
                f"Layer {layer.name!r} cannot be compared with the model's, which is not finite on random inputs. Give "
                "an 'in_range' on which it is, or use verify=False."
            )
        made, allowed = _made_and_allowed(layer, x, expected, recording.arithmetic)
        with np.errstate(over="ignore", invalid="ignore"):
            off = np.abs(made - expected)
        if not np.all(off <= allowed):
            raise ValueError(
                f"Layer {layer.name!r} as extracted differs from the model's by up to {np.max(off):.3g} on random "
                f"inputs: it would be measured wrongly. {_remedy(recording)}"
            )
        if isinstance(layer, Function):
            _check_row_by_row(layer, x, expected, allowed)
    for op in recording.ops:
        if isinstance(op.does, Recurs):
            _check_steps(op.does, recording)


def _compared(piece: Piece, recording: Recording) -> int:
    """Samples of a run on which a layer is compared: all, or of a large one as many as say the same.

    A row is an answer to every weight, and each place that a layer is at is compared in a few samples.
    """
    samples, n_places = recording.rows_of_inputs, len(piece.inputs)
    if isinstance(piece.layer, Function) or samples * n_places * piece.layer.n_in * piece.layer.n_out < _MUCH_WORK:
        return samples
    return min(samples, max(_FEWEST_SAMPLES, -(-_ENOUGH_ROWS // n_places)))


def _check_steps(does: Recurs, recording: Recording) -> None:
    """Raise ValueError where what a cell's maps lead to is not what the model had, step by step."""
    # What is no number differs too.
    if not does.off <= _DIGITS[recording.arithmetic] * does.size:
        raise ValueError(
            f"The maps of {does.name!r} as extracted lead to states that differ from the model's by up to "
            f"{does.off:.3g} on random inputs: they would be measured wrongly. {_remedy(recording)}"
        )


def _remedy(recording: Recording) -> str:
    if recording.has_blocks:
        return "Name it, or the module around it, in 'blocks' to measure it as it runs."
    return "Measure what holds it as a Function of your own."


def _made_and_allowed(layer: Layer | Function, x: Array, expected: Array, arithmetic: str) -> tuple[Array, Array]:
    """What a layer makes of inputs, and what rounding may make of that, (m, n_out) each."""
    of_sums = _DIGITS[arithmetic] * _size_of_sums(layer, x, expected)
    allowed = np.full(expected.shape, of_sums + 64 * _EPS[arithmetic] * np.max(np.abs(expected), initial=0.0))
    if isinstance(layer, Function):
        with np.errstate(over="ignore", invalid="ignore"):
            return layer(x), allowed
    with np.errstate(all="ignore"):
        sums = layer.preactivations(x)
        made = layer.activation(sums)
        # A steep activation makes more of an error than there was. Just beyond the sums it may be no number.
        activation = layer.activation.function or layer.activation
        low, high = (np.asarray(activation(sums + off)) for off in (-of_sums, of_sums))
        return made, np.fmax(allowed, np.abs(high - low))


def _size_of_sums(layer: Layer | Function, x: Array, expected: Array) -> float:
    """What rounding is a share of; of a map that does not tell, the size of its outputs."""
    tells = layer if isinstance(layer, Layer) else layer.fn
    if hasattr(tells, "size_of_sums"):
        # Of all rows it would take as long as what the layer makes of them, and tell hardly more.
        sizes = np.abs(x).sum(axis=1)
        return tells.size_of_sums(x[np.argsort(sizes)[-_LARGEST:]])
    return float(np.max(np.abs(expected), initial=0.0))


def _check_row_by_row(layer: Function, x: Array, expected: Array, allowed: Array) -> None:
    """Raise ValueError where what a map makes of a row depends on the other rows, or on their number."""
    few = len(x) // 3
    again = np.concatenate([layer(x[:few]), layer(x[few:][::-1])[::-1]])
    alone = range(0, len(x), max(1, len(x) // _ALONE))
    by_itself = np.concatenate([layer(x[k : k + 1]) for k in alone])
    if not (
        np.all(np.abs(again - expected) <= allowed) and np.all(np.abs(by_itself - expected[alone]) <= allowed[alone])
    ):
        raise ValueError(
            f"The block {layer.name!r} must map every row by itself. What it makes of one depends on the others, or on "
            "what it did before. It has no effective information; name a smaller block."
        )
