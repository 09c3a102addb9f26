"""From a model that can be run to a `Network`: it runs on random inputs, and its layers must do what it did."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count, zip_longest
from math import prod
from typing import Any

import numpy as np

from ei_fast.adapters.assemble.auto_blocks import with_blocks_found
from ei_fast.adapters.assemble.network import assemble
from ei_fast.adapters.blocks import AUTO
from ei_fast.adapters.graph import Recording, Recurs, Unknown
from ei_fast.adapters.graph.recording import PathStep
from ei_fast.adapters.seen import ends_in, with_seen
from ei_fast.adapters.sources import ROWS, OfShape, Source, range_beyond
from ei_fast.adapters.verify import verify
from ei_fast.network.bins import Range
from ei_fast.network.network import Network

Run = Callable[[Any], Recording]

_runs = count()


def network_from_runs(
    run: Run,
    inputs: tuple[int, ...] | Source,
    in_range: Range,
    check: bool,
    block_names: Sequence[str] | str = (),
    probed: Recording | None = None,
) -> Network:
    """The layers of a model, in the order in which it runs them.

    Parameters
    ----------
    run : callable
        Runs the model on inputs, (rows, ...) or what the source draws, and writes down what it does.
    inputs : tuple of int, or Source
        The shape of one sample, or where the inputs come from.
    check : bool
        Whether every layer is compared with the model on random inputs, inside `in_range` and beyond it.
    block_names : sequence of str
        What the user wants measured as a block; "auto" where residual blocks and gated units are to be found.
    probed : Recording, optional
        Of a run on a few inputs, where there has been one; it is all that it takes where nothing is compared. What it
        holds is let go.

    Raises
    ------
    TypeError, ValueError
        Naming the layer or parameter, the rule and the remedy. What the model itself raises comes through.
    """
    source = OfShape(inputs) if isinstance(inputs, tuple) else inputs
    # What is kept of a run is every value, and how many there are is not known before.
    probed = probed or run(source.drawn(in_range, 2))
    finds, block_names = block_names == AUTO, () if block_names == AUTO else block_names
    if not check and not block_names and not finds and _tells_all(probed):
        outline, (network, pieces) = probed.outline, assemble(probed, in_range)
        probed.forget()
        return with_seen(network, pieces, run, source, outline)
    rows = source.rows_for(sum(prod(probed.shape(value)) for value in probed.values))
    if rows == probed.rows_of_inputs:
        # The same numbers are drawn whenever they are.
        recording = probed
    else:
        probed.forget()
        recording = run(source.drawn(in_range, rows))
    network, pieces = assemble(with_blocks_found(recording, in_range) if finds else recording, in_range)
    missing = [name for name in block_names if name not in recording.blocks]
    if missing:
        raise ValueError(
            f"The 'blocks' parameter must name modules that the model runs on its input. Got {missing[0]!r}, "
            "which it does not run, or runs inside another block."
        )
    outline = recording.outline
    ends = ends_in(recording, pieces) if source.is_as_given(rows) else None
    if check:
        verify(pieces, recording)
    # Before there is another.
    recording.forget()
    if check:
        beyond = _run_beyond(run, in_range, rows, source)
        if beyond.path != outline.path:
            raise ValueError(
                f"The model does not do the same for all inputs: {_where_they_part(outline.path, beyond.path)}. "
                "Name the module that decides in 'blocks' to measure it whole, or use verify=False to measure what it "
                "does inside in_range."
            )
        verify(pieces, beyond)
        del beyond
    return with_seen(network, pieces, run, source, outline, ends)


def _run_beyond(run: Run, in_range: Range, rows: int, source: Source) -> Recording:
    """A run on inputs of which many lie outside `in_range`."""
    low, high = range_beyond(in_range)
    try:
        return run(source.beyond(in_range, rows))
    except Exception as error:
        error.add_note(
            f"Raised for inputs beyond in_range, from {low:.4g} to {high:.4g}, for which layers are "
            "compared with the model as well. Where it takes none of these, use verify=False."
        )
        raise


def _tells_all(recording: Recording) -> bool:
    """Whether nothing in a run can be owed to the number of its rows: all was understood, and no width is the same."""
    rows = recording.rows_of_inputs
    return rows in ROWS and all(
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


def check_shape(input_shape: Any) -> tuple[int, ...]:
    """Return `input_shape` if it is the shape of a sample, or say why not."""
    shape = tuple(input_shape) if isinstance(input_shape, Sequence) else ()
    if not shape or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in shape):
        raise ValueError(
            f"The 'input_shape' parameter of as_network must be integers >= 1, those of one sample. "
            f"Got {input_shape!r} instead."
        )
    return shape


def check_unrolled(recording: Recording, unroll: int | None) -> None:
    """Raise ValueError where steps of recurrent cells are to be one map, and the model has run none."""
    if unroll is not None and not any(isinstance(op.does, Recurs) for op in recording.ops):
        raise ValueError(
            "The 'unroll' parameter of as_network is for models that run recurrent layers whose cells are known, "
            f"outside of 'blocks'. Got {unroll!r} for a model that runs none. Leave it out."
        )
