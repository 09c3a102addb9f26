"""Activations that a model computes in several steps, as x * sigmoid(x), put together to one.

Between a value and a later one lies an activation if the later one depends on the earlier one alone, number by number,
and nothing else reads what comes about in between.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

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
    Activation("selu"),
    Activation("log_sigmoid"),
    Activation("linear"),
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


def celu(alpha: float) -> Activation:
    """The exponential unit whose slope is 1 on both sides of 0."""
    if alpha == 1.0:
        return Activation("elu")
    return Activation(lambda s: np.maximum(s, 0) + np.minimum(0, alpha * np.expm1(s / alpha)), (-alpha, np.inf))


def power_of(exponent: float) -> Activation | None:
    """The square or the cube; None of any other power."""
    if exponent == 2.0:
        return Activation(np.square, (0.0, np.inf))
    return Activation(_cube, (-np.inf, np.inf)) if exponent == 3.0 else None


def _cube(s: Array) -> Array:
    return s**3


def activation_of(function: Callable[[Array], Array]) -> Activation:
    """The activation that a function is: by its name if that is known."""
    return _named(function) or Activation(function, (-np.inf, np.inf))


def _named(function: Callable[[Array], Array]) -> Activation | None:
    # Steps in float32 round what they multiply with; its own arithmetic is compared when all is verified.
    far = np.geomspace(12.0, 1e6, 50)
    s = np.concatenate([-far[::-1], np.linspace(-12.0, 12.0, 4801), far])
    values = function(s)
    known = (*_WRITTEN_OUT, *_with_parameters(function))
    return next((a for a in known if np.allclose(values, a(s), rtol=1e-6, atol=1e-6)), None)


def _with_parameters(function: Callable[[Array], Array]) -> Iterator[Activation]:
    """Members of the families that have a parameter, as the ends of a function tell it."""
    least, at_minus_one, most = (shortest(value) for value in function(np.array([-1e6, -1.0, 1e6])))
    if -np.inf < at_minus_one < 0:
        yield Activation("leaky_relu", negative_slope=-at_minus_one)
    if -1e6 < least < 0:
        yield Activation("elu", alpha=-least)
    if -1e6 < least < most < 1e6:
        yield Activation("hard_tanh", min_val=least, max_val=most)


def shortest(number: float) -> float:
    """A number that float32 holds is taken for the shortest one that is rounded to it."""
    with np.errstate(over="ignore"):
        rounded = np.float32(number)
    return float(str(rounded)) if rounded == number else float(number)


def put_together(recording: Recording) -> Recording:
    """The recording with every activation of several steps in one operation."""
    ops = list(recording.ops)
    readers: dict[int, list[Op]] = {}
    for op in ops:
        for value in op.reads:
            readers.setdefault(value, []).append(op)
    for start in [op.writes[0] for op in ops if len(op.writes) == 1]:
        fits = partial(_one_by_one, recording=recording, shape=recording.values[start].shape)
        activation, steps = _activation_in(start, list(parts_after(start, ops, readers, recording, fits)))
        if activation is not None:
            whole = Op(steps[-1].name, Pointwise(activation), (start,), steps[-1].writes)
            at = ops.index(steps[-1])
            ops = [whole if k == at else op for k, op in enumerate(ops) if k == at or op not in steps]
            readers[start] = [whole]
    return replace(recording, ops=ops)


def _activation_in(start: int, parts: Sequence[list[Op]]) -> tuple[Activation | None, list[Op]]:
    """The activation that the first of some parts are, and their steps: as many as have a name, or else one that parts.

    What is halved at the end, say, may have a name, where its double has none; what leaves it as it is, is no part.
    """
    steps: list[Op] = []
    activation, taken = None, steps
    for part in parts:
        steps = [*steps, *part]
        if all(_is_line(op) or isinstance(op.does, Same) for op in steps):
            continue
        does = steps[0].does
        if len(steps) == 1 and isinstance(does, Pointwise):
            named: Activation | None = does.activation
        else:
            named = _named(composite(start, steps))
        if named is not None and str(named) != str(activation):
            activation, taken = named, steps
    if len(taken) < 2 and parts and len(parts[0]) > 1:
        return activation_of(composite(start, parts[0])), parts[0]
    return (activation, taken) if len(taken) > 1 else (None, [])


def _is_line(op: Op) -> bool:
    return isinstance(op.does, Affine) and np.size(op.does.scale) == 1 == np.size(op.does.shift)


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


def is_one_by_one(op: Op) -> bool:
    """Whether what an operation makes of a number depends on nothing else but numbers in the same place."""
    as_it_is = isinstance(op.does, Same) and op.does.order is None
    return as_it_is or isinstance(op.does, (Pointwise, Combine)) or _is_line(op)


def _one_by_one(op: Op, recording: Recording, shape: tuple[int, ...]) -> bool:
    return is_one_by_one(op) and len(op.writes) == 1 and recording.values[op.writes[0]].shape == shape


def composite(start: int, steps: Sequence[Op]) -> Composite:
    """What steps, each of which is one by one, make of a number of the value that they start from."""
    return Composite(_as_functions(start, steps))


def _as_functions(start: int, steps: Sequence[Op]) -> tuple[tuple[Callable[..., Array], tuple[int, ...]], ...]:
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
