"""Norms by the statistics of each position, layer norm and RMS norm, that a model writes out in several operations."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.graph import Affine, Op, Recording, Reduce, Role, Same
from ei_fast.adapters.graph.view import Array

# How many operations may lie between what is normed and its mean, and how many positions are looked at.
_MOST_BEFORE, _POSITIONS = 3, 256
# What is added to the variance may show, where values are small.
_TOLERANCE = 0.01


def norms_in(
    recording: Recording, ops: Sequence[Op], readers: Mapping[int, Sequence[Op]]
) -> Iterator[tuple[str, list[Op]]]:
    """Which norm each is, and its operations, with the scale and shift behind it."""
    writers = {value: op for op in ops for value in op.writes}
    taken: set[Op] = set()
    for op in ops:
        if op in taken or not _is_mean_of_position(op, recording):
            continue
        before = _before(op, writers, recording)
        found = _norm_from(op, before, ops, readers, recording)
        if found is not None:
            kind, steps = found
            steps += _scales_behind(steps[-1], readers)
            taken.update(steps)
            yield kind, steps


def _is_mean_of_position(op: Op, recording: Recording) -> bool:
    if not isinstance(op.does, Reduce):
        return False
    return op.does.mean and op.does.axes == (len(recording.shape(op.reads[0])) - 1,)


def _before(op: Op, writers: Mapping[int, Op], recording: Recording) -> list[Op]:
    """What led to the values of which the mean is, the last of it first, each from one value of the same shape."""
    steps: list[Op] = []
    shape = recording.shape(op.reads[0])
    before = writers.get(op.reads[0])
    while before is not None and len(steps) < _MOST_BEFORE and before.does.role is not Role.STARTS:
        if len(before.reads) != 1 or recording.shape(before.reads[0]) != shape:
            break
        steps.append(before)
        before = writers.get(before.reads[0])
    return steps


def _norm_from(
    mean: Op, before: Sequence[Op], ops: Sequence[Op], readers: Mapping[int, Sequence[Op]], recording: Recording
) -> tuple[str, list[Op]] | None:
    """The norm that begins with a mean, and all its operations."""
    sources = [mean.reads[0], *(op.reads[0] for op in before)]
    shape = recording.shape(mean.reads[0])
    inside, waiting, steps = {*sources, mean.writes[0]}, set(readers.get(mean.writes[0], ())), [mean]
    for op in ops[ops.index(mean) + 1 :]:
        if op not in waiting:
            continue
        waiting.discard(op)
        if op.does.role is Role.STARTS or len(op.writes) != 1 or not inside.issuperset(op.reads):
            return None
        steps.append(op)
        [made] = op.writes
        if not waiting and recording.shape(made) == shape:
            for source in sources:
                kind = norm_between(recording.values[source], recording.values[made])
                if kind is not None:
                    own = [one for one in before if set(readers[one.writes[0]]).issubset({*before, *steps})]
                    return kind, [*own[::-1], *steps]
        if made in recording.outputs:
            return None
        inside.add(made)
        waiting.update(readers.get(made, ()))
    return None


def _scales_behind(op: Op, readers: Mapping[int, Sequence[Op]]) -> list[Op]:
    """The scales and shifts that follow; those that a layer takes in are part of that as well."""
    steps: list[Op] = []
    following = readers.get(op.writes[0], ())
    while len(following) == 1 and isinstance(following[0].does, (Affine, Same)):
        steps.append(following[0])
        following = readers.get(following[0].writes[0], ())
    return steps


def norm_between(before: NDArray[np.floating], after: NDArray[np.floating]) -> str | None:
    """Which norm makes the one of the other, but for a scale and a shift of each neuron; None where none does."""
    x, y = (np.asarray(one, dtype=np.float64).reshape(-1, one.shape[-1]) for one in (before, after))
    some = np.unique(np.linspace(0, len(x) - 1, min(len(x), _POSITIONS)).astype(int))
    x, y = x[some], y[some]
    if len(some) < 4 or x.shape[1] < 2 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    centred = x - x.mean(axis=1, keepdims=True)
    for kind, of in (("rms_norm", x), ("layer_norm", centred)):
        size = np.sqrt(np.mean(of * of, axis=1, keepdims=True))
        if (size > 0).all() and _is_scaled(of / size, y):
            return kind
    return None


def _is_scaled(one: Array, other: Array) -> bool:
    """Whether each neuron of the one is a scale and a shift of the same neuron of the other."""
    a, b = one - one.mean(axis=0), other - other.mean(axis=0)
    square = np.sum(a * a, axis=0)
    scale = np.sum(a * b, axis=0) / np.where(square > 0, square, 1.0)
    off = np.abs(b - a * scale).max(initial=0.0)
    return bool(off <= _TOLERANCE * np.abs(b).max(initial=0.0) and np.abs(b).max(initial=0.0) > 0)
