"""Activations that a model computes in several steps, as x * sigmoid(x), put together to one.

Between a value and a later one lies an activation if the later one depends on the earlier one alone, number by number,
and nothing else reads what comes about in between.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.activations.known import activation_of, known_activation
from ei_fast.adapters.graph import Affine, Op, Pointwise, Recording, Same
from ei_fast.network.activations import Activation

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Composite:
    """Steps from a number to a number; each is a function of what earlier ones gave, the first of which was given."""

    steps: tuple[tuple[Callable[..., Array], tuple[int, ...]], ...]
    __name__ = "composite"

    def __call__(self, s: Array) -> Array:
        values = [s]
        with np.errstate(all="ignore"):
            for function, reads in self.steps:
                values.append(function(*(values[k] for k in reads)))
        return values[-1]


def put_together(recording: Recording) -> Recording:
    """The recording with every activation of several steps in one operation."""
    ops = list(recording.ops)
    readers: dict[int, list[Op]] = {}
    # What is computed and not used, as for an assertion, is no reader.
    for op in recording.alive()[0]:
        for value in op.reads:
            readers.setdefault(value, []).append(op)
    for start, writer in [(op.writes[0], op) for op in ops if len(op.writes) == 1]:
        if writer not in ops:
            # It is a step of an activation that was found.
            continue
        fits = partial(is_one_by_one, shape=recording.values[start].shape, values=recording.values)
        activation, steps = _activation_in(start, list(parts_after(start, ops, readers, recording, fits)))
        if activation is not None:
            uses = frozenset[str]().union(*(op.uses for op in steps))
            whole = Op(steps[-1].name, Pointwise(activation), (start,), steps[-1].writes, uses)
            at = ops.index(steps[-1])
            ops = [whole if k == at else op for k, op in enumerate(ops) if k == at or op not in steps]
            readers[start] = [whole]
    return replace(recording, ops=ops)


def _activation_in(start: int, parts: Sequence[list[Op]]) -> tuple[Activation | None, list[Op]]:
    """The activation that some parts in a row are, and their steps: all but the scales and shifts at their end.

    What is halved at the end, say, may have a name, where its double has none; what leaves it as it is, is no part.
    Scales and shifts at the beginning are none either, unless it has a name with them: the layer before takes them in.
    """
    bent = [k for k, part in enumerate(parts) if not _is_straight(part)]
    if not bent:
        return None, []
    named, taken, n_taken = _longest_named(start, parts)
    if n_taken <= bent[-1]:
        if bent[0] > 0:
            return None, []
        taken = [op for part in parts[: bent[-1] + 1] for op in part]
        named = None
    if len(taken) == 1 and isinstance(taken[0].does, Pointwise):
        return None, []
    return named or activation_of(composite(start, taken)), taken


def _longest_named(start: int, parts: Sequence[list[Op]]) -> tuple[Activation | None, list[Op], int]:
    """The activation with a name that the most parts are, their steps, and how many parts these are."""
    steps: list[Op] = []
    activation, taken, n_taken = None, steps, 0
    for n, part in enumerate(parts, 1):
        steps = [*steps, *part]
        if _is_straight(steps):
            continue
        does = steps[0].does
        if len(steps) == 1 and isinstance(does, Pointwise):
            named: Activation | None = does.activation
        else:
            named = known_activation(composite(start, steps))
        if named is not None and str(named) != str(activation):
            activation, taken, n_taken = named, steps, n
    return activation, taken, n_taken


def _is_straight(steps: Sequence[Op]) -> bool:
    """Whether no step, each of which is done number by number, is more than a scale and shift."""
    return all(isinstance(op.does, (Affine, Same)) for op in steps)


def steps_to_one(
    start: int, ops: Sequence[Op], readers: Mapping[int, Sequence[Op]], recording: Recording, fits: Callable[[Op], bool]
) -> list[Op]:
    """The operations from a value to the first that is all that is left of it; none where there is no such.

    Parameters
    ----------
    fits : callable
        Whether an operation may be one of them.
    """
    inside, waiting, steps = {start}, set(readers[start]), []
    for op in ops:
        if op not in waiting:
            continue
        waiting.discard(op)
        if not fits(op) or len(op.writes) != 1 or not inside.issuperset(op.reads):
            return []
        steps.append(op)
        if not waiting:
            return steps
        [end] = op.writes
        if end in recording.outputs:
            return []
        inside.add(end)
        waiting.update(readers.get(end, ()))
    return []


def parts_after(
    start: int, ops: Sequence[Op], readers: Mapping[int, Sequence[Op]], recording: Recording, fits: Callable[[Op], bool]
) -> Iterator[list[Op]]:
    """What lies between a value and the first that is all that is left of it, then between that and the next."""
    while start in readers and start not in recording.outputs:
        steps = steps_to_one(start, ops, readers, recording, fits)
        if not steps:
            return
        yield steps
        [start] = steps[-1].writes


def composite(start: int, steps: Sequence[Op]) -> Composite:
    """What steps, each of which is done number by number, make of a number of the value that they start from."""
    place = {start: 0}
    functions: list[tuple[Callable[..., Array], tuple[int, ...]]] = []
    for op in steps:
        function = op.does.of_number
        assert function is not None
        functions.append((function, tuple(place[value] for value in op.reads)))
        place[op.writes[0]] = len(functions)
    return Composite(tuple(functions))


def composite_if_any(start: int, ops: Sequence[Op], values: Mapping[int, NDArray[np.floating]]) -> Composite | None:
    """What operations make of each number of a value; None where some is not done so, or reads what is no step."""
    inside, shape = {start}, values[start].shape
    for op in ops:
        if not is_one_by_one(op, shape, values) or not inside.issuperset(op.reads):
            return None
        inside.update(op.writes)
    return composite(start, ops)


def is_one_by_one(op: Op, shape: tuple[int, ...], values: Mapping[int, NDArray[np.floating]]) -> bool:
    """Whether what an operation makes of a number depends on nothing else but numbers in the same place."""
    return op.does.of_number is not None and len(op.writes) == 1 and values[op.writes[0]].shape == shape
