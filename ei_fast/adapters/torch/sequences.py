"""Whether the rows of a batch stand alone in a model of PyTorch, or make one sequence.

Recurrent layers and attention take a matrix for one sequence that belongs to no batch. What a model does to samples of
which nobody has said that they are sequences would then be measured with time in the place of rows.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.graph import Op, Operation, Recording, Unknown
from ei_fast.adapters.graph.attention import Attention
from ei_fast.adapters.sources import random_inputs
from ei_fast.network.bins import Range

Run = Callable[[NDArray[np.float64]], Recording]

# What takes a matrix for a sequence. Other functions may read numbers of the whole batch, and are named where skipped.
_OF_SEQUENCES = {
    "lstm", "gru", "rnn_tanh", "rnn_relu", "multi_head_attention_forward", "scaled_dot_product_attention", "matmul",
    "bmm", "baddbmm", "einsum", "cumsum", "cumprod", "logcumsumexp",
}  # fmt: skip
# Steps of the sequence that is tried, and rows of which it is.
_TIME, _ROWS = 7, 3
# Of the largest number of a value: what is more is no rounding.
_ROUNDING = 1e-5


def check_rows_alone(run: Run, usual: Recording, in_range: Range) -> None:
    """Raise ValueError where a model makes rows of other rows, though nobody has said what one sample is.

    Parameters
    ----------
    run : callable
        Runs the model on inputs (rows, width).
    usual : Recording
        A run on random inputs.
    """
    if all(op.does.is_by_row for op in usual.ops):
        return
    inputs = usual.values[0].astype(np.float64)
    mixing = _mixing(run, inputs, usual, in_range)
    if mixing is None:
        return
    width = inputs.shape[1]
    raise ValueError(
        f"The model takes a batch of samples of shape ({width},) for one sequence: {mixing.name!r} makes each row of "
        f"others as well. {_remedy(run, width, in_range)}"
    )


def _remedy(run: Run, width: int, in_range: Range) -> str:
    """What to do, as the model takes several sequences or does not."""
    shape = (_TIME, width)
    inputs = random_inputs(in_range, _ROWS, shape)
    try:
        takes_several = _mixing(run, inputs, run(inputs), in_range) is None
    except Exception:
        takes_several = True
    if takes_several:
        return (
            f"Give input_shape=, (time, features) of one sample, as input_shape={shape}; or input_shape=({width},), "
            "where the rows of a batch belong together."
        )
    return (
        "Build it with batch_first=True, so that rows come first and time second, load its weights, and give "
        f"input_shape=, (time, features) of one sample, as input_shape={shape}; or give input_shape=({width},), where "
        "the rows of a batch belong together."
    )


def _mixing(run: Run, inputs: NDArray[np.float64], usual: Recording, in_range: Range) -> Op | None:
    """The operation that makes rows of others as steps of a sequence; None where there is none, or it is not seen."""
    changed = inputs.copy()
    changed[[0, -1]] = np.random.default_rng(1).uniform(*in_range, changed[[0, -1]].shape)
    other = run(changed)
    if [op.writes for op in other.ops] != [op.writes for op in usual.ops]:
        # It goes another way, which is said elsewhere.
        return None
    first = next((k for k, op in enumerate(usual.ops) if _mixes(op, (usual, other), len(inputs))), -1)
    # Rows of a sequence that is put in a batch of its own are seen as such again when it is taken out.
    return next((op for op in usual.ops[: first + 1][::-1] if _is_of_sequences(op.does)), None)


def _is_of_sequences(does: Operation) -> bool:
    """Whether an operation that makes rows of others does so since it takes them for a sequence."""
    if isinstance(does, Attention):
        return True
    if isinstance(does, Unknown):
        return does.reason.split(" ")[0] in _OF_SEQUENCES
    return not does.is_by_row


def _mixes(op: Op, runs: Sequence[Recording], rows: int) -> bool:
    """Whether what it writes in rows whose inputs are the same in two runs differs."""
    for number in op.writes:
        one, another = (run.values[number] for run in runs)
        if one.shape == another.shape and one.ndim and len(one) == rows:
            far = _ROUNDING * np.abs(one, where=np.isfinite(one), out=np.zeros(one.shape)).max(initial=0.0)
            if not np.allclose(one[1:-1], another[1:-1], rtol=0.0, atol=far, equal_nan=True):
                return True
    return False
