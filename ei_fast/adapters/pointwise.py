"""Activations that a model computes in several steps, as x * sigmoid(x), put together to one.

Between a value and a later one lies an activation if the later one depends on the earlier one alone, number by number,
and nothing else reads what comes about in between.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.operations import Affine, Combine, Op, Pointwise, Recording, Same
from ei_fast.network.activations import Activation

Array = NDArray[np.float64]

# Those that frameworks are known to write out in steps.
_WRITTEN_OUT = (
    Activation("silu"),
    Activation("gelu"),
    Activation("gelu", approximate="tanh"),
    Activation("mish"),
    Activation("hard_silu"),
    Activation("hard_sigmoid"),
    Activation("softplus"),
    Activation("softsign"),
    Activation("relu"),
    Activation("relu6"),
    Activation("sigmoid"),
    Activation("tanh"),
)


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


@dataclass(frozen=True)
class Line:
    """scale * x + shift."""

    scale: float
    shift: float

    def __call__(self, x: Array) -> Array:
        return self.scale * x + self.shift


def clipped(low: float, high: float) -> Activation:
    """What cuts off below and above."""
    return Activation("relu6") if (low, high) == (0, 6) else Activation("hard_tanh", min_val=low, max_val=high)


def activation_of(function: Callable[[Array], Array]) -> Activation:
    """The activation that a function is: by its name if that is known."""
    return _named(function) or Activation(function, (-np.inf, np.inf))


def _named(function: Callable[[Array], Array]) -> Activation | None:
    # Steps in float32 round what they multiply with; its own arithmetic is compared when all is verified.
    far = np.geomspace(12.0, 1e6, 50)
    s = np.concatenate([-far[::-1], np.linspace(-12.0, 12.0, 4801), far])
    values = function(s)
    return next((a for a in _WRITTEN_OUT if np.allclose(values, a(s), rtol=1e-6, atol=1e-6)), None)


def put_together(recording: Recording) -> Recording:
    """The recording with every activation of several steps in one operation."""
    ops = list(recording.ops)
    readers: dict[int, list[Op]] = {}
    for op in ops:
        for value in op.reads:
            readers.setdefault(value, []).append(op)
    for start in [op.writes[0] for op in ops if len(op.writes) == 1]:
        if len(readers.get(start, ())) < 2 or start in recording.outputs:
            continue
        steps = _steps_to_one(start, ops, readers, recording)
        if steps:
            activation = activation_of(Composite(as_functions(start, steps)))
            # What is halved at the end, say, may have a name, where its double has none.
            last = readers.get(steps[-1].writes[0], [])
            if len(last) == 1 and is_line(last[0]) and steps[-1].writes[0] not in recording.outputs:
                named = _named(Composite(as_functions(start, [*steps, last[0]])))
                if named is not None:
                    activation, steps = named, [*steps, last[0]]
            whole = Op(steps[-1].name, Pointwise(activation), (start,), steps[-1].writes)
            at = ops.index(steps[-1])
            ops = [whole if k == at else op for k, op in enumerate(ops) if k == at or op not in steps]
            readers[start] = [whole]
    return replace(recording, ops=ops)


def is_line(op: Op) -> bool:
    return isinstance(op.does, Affine) and np.size(op.does.scale) == 1 == np.size(op.does.shift)


def _steps_to_one(start: int, ops: Sequence[Op], readers: dict[int, list[Op]], recording: Recording) -> list[Op]:
    """The operations from a value to the first that is all that is left of it; none where there is no such."""
    inside, waiting, steps = {start}, set(readers[start]), []
    shape = recording.values[start].shape
    for op in ops:
        if op not in waiting:
            continue
        waiting.discard(op)
        as_it_is = isinstance(op.does, Same) and op.does.order is None
        one_by_one = as_it_is or isinstance(op.does, (Pointwise, Combine)) or is_line(op)
        end = op.writes[0] if op.writes else -1
        if not one_by_one or not inside.issuperset(op.reads) or recording.values[end].shape != shape:
            return []
        steps.append(op)
        if not waiting:
            return steps
        if end in recording.outputs:
            return []
        inside.add(end)
        waiting.update(readers.get(end, ()))
    return []


def as_functions(start: int, steps: Sequence[Op]) -> tuple[tuple[Callable[..., Array], tuple[int, ...]], ...]:
    place = {start: 0}
    functions: list[tuple[Callable[..., Array], tuple[int, ...]]] = []
    for op in steps:
        does = op.does
        if isinstance(does, Affine):
            function: Callable[..., Array] = Line(float(np.ravel(does.scale)[0]), float(np.ravel(does.shift)[0]))
        elif isinstance(does, Same):
            function = np.positive
        elif isinstance(does, Pointwise):
            function = does.activation
        else:
            assert isinstance(does, Combine)
            function = does.function
        functions.append((function, tuple(place[value] for value in op.reads)))
        place[op.writes[0]] = len(functions)
    return tuple(functions)
