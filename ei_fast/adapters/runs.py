"""From a model that can be run to a `Network`: it runs on random inputs, and its layers must do what it did."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, zip_longest
from math import prod
from typing import Any

import numpy as np

from ei_fast.adapters.assemble.network import assemble
from ei_fast.adapters.graph import Recording, Unknown
from ei_fast.adapters.graph.recording import PathStep
from ei_fast.adapters.graph.view import Array
from ei_fast.adapters.verify import verify
from ei_fast.network.bins import Range
from ei_fast.network.network import Network

Run = Callable[[Array], Recording]

# Of how many rows the runs may be, by how much memory they take: unlikely as widths, since what has as many rows, and
# is not known, comes from the inputs in a way that was not seen.
_ROWS = (1021, 509, 251, 127, 61, 31, 13, 7)
# Every place of an image is another sample for a convolution.
_ROWS_OF_IMAGES = 61
_MAX_VALUES = 2**25
_BEYOND = 10.0
_runs = count()


def network_from_runs(
    run: Run,
    shape: tuple[int, ...],
    in_range: Range,
    check: bool,
    block_names: Sequence[str] = (),
    probed: Recording | None = None,
    *,
    keeps_probed: bool = False,
) -> Network:
    """The layers of a model, in the order in which it runs them.

    Parameters
    ----------
    run : callable
        Runs the model on inputs (rows, *shape) and writes down what it does.
    check : bool
        Whether every layer is compared with the model on random inputs, inside `in_range` and beyond it.
    block_names : sequence of str
        What the user wants measured as a block.
    probed : Recording, optional
        Of a run on a few inputs, where there has been one; it is all that it takes where nothing is compared.
    keeps_probed : bool
        Whether that is needed afterwards. What it holds is let go otherwise.

    Raises
    ------
    TypeError, ValueError
        Naming the layer or parameter, the rule and the remedy. What the model itself raises comes through.
    """
    # What is kept of a run is every value, and how many there are is not known before.
    probed = probed or run(random_inputs(in_range, 2, shape))
    if not check and not block_names and _tells_all(probed):
        network, _ = assemble(probed, in_range)
        return network
    kept = sum(prod(probed.shape(value)) for value in probed.values)
    fitting = (n for n in _ROWS if n * kept <= _MAX_VALUES and (len(shape) < 3 or n <= _ROWS_OF_IMAGES))
    rows = next(fitting, _ROWS[-1])
    if not keeps_probed:
        probed.forget()
    recording = run(random_inputs(in_range, rows, shape))
    network, pieces = assemble(recording, in_range)
    missing = [name for name in block_names if name not in recording.blocks]
    if missing:
        raise ValueError(
            f"The 'blocks' parameter must name modules that the model runs on its input. Got {missing[0]!r}, "
            "which it does not run, or runs inside another block."
        )
    if check:
        verify(pieces, recording)
        path = recording.path
        # Before there is another.
        recording.forget()
        beyond = _run_beyond(run, in_range, rows, shape)
        if beyond.path != path:
            raise ValueError(
                f"The model does not do the same for all inputs: {_where_they_part(path, beyond.path)}. "
                "Name the module that decides in 'blocks' to measure it whole, or use verify=False to measure what it "
                "does inside in_range."
            )
        verify(pieces, beyond)
    return network


def _run_beyond(run: Run, in_range: Range, rows: int, shape: tuple[int, ...]) -> Recording:
    """A run on inputs of which many lie outside `in_range`."""
    low, high = in_range
    middle, half = 0.5 * (low + high), 0.5 * _BEYOND * (high - low)
    try:
        return run(random_inputs((middle - half, middle + half), rows, shape))
    except Exception as error:
        error.add_note(
            f"Raised for inputs beyond in_range, from {middle - half:.4g} to {middle + half:.4g}, for which layers are "
            "compared with the model as well. Where it takes none of these, use verify=False."
        )
        raise


def _tells_all(recording: Recording) -> bool:
    """Whether nothing in a run can be owed to the number of its rows: all was understood, and no width is the same."""
    rows = len(recording.values[0])
    return rows in _ROWS and all(
        not isinstance(op.does, Unknown) and all(rows not in recording.shape(value) for value in op.writes)
        for op in recording.ops
    )


def _where_they_part(one: Sequence[PathStep], other: Sequence[PathStep]) -> str:
    after = "the input"
    for first, second in zip_longest(one, other):
        if first != second:
            break
        after = repr(first[0])
    steps = " or ".join("ended" if step is None else f"went on with {step[0]!r}" for step in (first, second))
    return f"after {after} it {steps}"


@contextmanager
def draws_left_to_the_caller() -> Iterator[None]:
    """After this, Python and NumPy draw what they would have drawn; within it, each time something else.

    What is drawn when a model runs is no weight of it, and is found out by that.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    seed = next(_runs)
    try:
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def random_inputs(in_range: Range, rows: int, shape: Sequence[int]) -> Array:
    """The same whenever they are drawn, (rows, *shape)."""
    return np.random.default_rng(0).uniform(*in_range, (rows, *shape))


def check_shape(input_shape: Any) -> tuple[int, ...]:
    """Return `input_shape` if it is the shape of a sample, or say why not."""
    shape = tuple(input_shape) if isinstance(input_shape, Sequence) else ()
    if not shape or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in shape):
        raise ValueError(
            f"The 'input_shape' parameter of as_network must be integers >= 1, those of one sample. "
            f"Got {input_shape!r} instead."
        )
    return shape
