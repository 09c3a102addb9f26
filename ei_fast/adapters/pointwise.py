"""Activations that a model computes in several steps, as x * sigmoid(x), put together to one.

Between a value and a later one lies an activation if the later one depends on the earlier one alone, number by number,
and nothing else reads what comes about in between.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.operations import Affine, Combine, Op, Pointwise, Recording, Same, alive
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
class OfNumbers:
    """A function of several values, number by number, some of which are numbers: None stands for one that is given."""

    function: Callable[..., Any]
    numbers: tuple[float | None, ...]

    @property
    def __name__(self) -> str:
        return self.function.__name__.strip("_")

    def __call__(self, *given: Array) -> Array:
        rest = iter(given)
        with np.errstate(all="ignore"):
            values = self.function(*(next(rest) if number is None else number for number in self.numbers))
        return np.asarray(values, dtype=np.float64)


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
    return Activation(_Celu(alpha), (-alpha, np.inf))


@dataclass(frozen=True)
class _Celu:
    """The function of it, which can be pickled."""

    alpha: float
    __name__ = "celu"

    def __call__(self, s: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.maximum(s, 0) + np.minimum(0, self.alpha * np.expm1(s / self.alpha))


def power_of(exponent: float) -> Activation | None:
    """The square or the cube; None of any other power."""
    if exponent == 2.0:
        return Activation(np.square, (0.0, np.inf))
    return Activation(cube, (-np.inf, np.inf)) if exponent == 3.0 else None


def cube(s: Array) -> Array:
    """The third power."""
    return s**3


def activation_of(function: Callable[[Array], Array]) -> Activation:
    """The activation that a function is: by its name if that is known."""
    return _named(function) or Activation(function, (-np.inf, np.inf))


def _named(function: Callable[[Array], Array]) -> Activation | None:
    # Steps in float32 round what they multiply with; its own arithmetic is compared when all is verified.
    far = np.geomspace(12.0, 1e6, 50)
    s = np.concatenate([-far[::-1], np.linspace(-12.0, 12.0, 4801), far])
    with np.errstate(all="ignore"):
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


def maps_each(
    function: Callable[..., Array],
    operands: Sequence[NDArray],
    kinds: str,
    result: NDArray,
    result_kind: str,
    eps: float,
) -> bool:
    """Whether a function makes every number of a result of those in the same place of the operands, and of no others.

    It is called on them one below the other, backwards and in two parts: what depends on a place, on another number or
    on how many there are, and what draws at random, gives something else. So it is on numbers that are drawn, since
    those of a run may hide what it does: a sum over channels, all but one of which are 0.

    Parameters
    ----------
    function : callable
        Takes arrays of one shape, and returns one.
    operands : sequence of ndarray (rows, ...)
    kinds : str
        Of the operands, a letter each as NumPy has them: numbers ("f"), integers ("i" or "u"), or 0 and 1 ("b").
    result_kind : str
        Of the result.
    eps : float
        To which share of itself the result was rounded.
    """
    rounds = result_kind in "iu" and "f" in kinds
    if rounds or not result.ndim or not result.size or any(operand.shape != result.shape for operand in operands):
        return False
    rows = max(8, ceil(64 * len(result) / result.size))
    drawn = [_drawn(kind, (rows, *result.shape[1:]), seed) for seed, kind in enumerate(kinds)]
    try:
        expected = np.asarray(function(*drawn))
        # What is the same everywhere is made of nothing.
        if expected.shape != drawn[0].shape or (expected == expected.flat[0]).all():
            return False
        return _in_columns(function, drawn, expected, eps) and _in_columns(function, operands, result, eps)
    except Exception:
        # Whatever it raises, it does not take numbers one by one.
        return False


def _drawn(kind: str, shape: tuple[int, ...], seed: int) -> Array:
    """Numbers large and small, in the arithmetic of a kind."""
    rng = np.random.default_rng(seed)
    if kind == "b":
        return rng.integers(0, 2, shape).astype(np.float64)
    numbers: Array = rng.normal(size=shape) * np.power(10.0, rng.uniform(-1, 2, shape))
    return numbers if kind == "f" else np.abs(numbers).round()


def _in_columns(function: Callable[..., Array], operands: Sequence[NDArray], result: NDArray, eps: float) -> bool:
    """Whether a function does the same to numbers one below the other, backwards and in two parts."""
    columns = [np.asarray(values, dtype=np.float64).reshape(-1, 1)[::-1] for values in (*operands, result)]
    few = len(columns[0]) // 3
    parts = [np.asarray(function(*(column[part] for column in columns[:-1]))) for part in (np.s_[:few], np.s_[few:])]
    sizes = [np.abs(values[np.isfinite(values)]).max(initial=0.0) for values in columns]
    found, rounded = np.concatenate(parts), 64 * eps
    with np.errstate(invalid="ignore"):
        return found.shape == columns[-1].shape and np.allclose(
            found, columns[-1], rtol=rounded, atol=rounded * max(sizes), equal_nan=True
        )


def does_alone(function: Callable[[Array], NDArray[np.floating]]) -> bool:
    """Whether a function, of a column of numbers, makes of each what it makes of it where there is no other.

    What decides by the largest of them, or by their mean, or divides by it, does not.
    """
    far = np.geomspace(1e-2, 1e3, 6)
    column = np.concatenate([-far, [0.0], far])[:, None]
    together = function(column)
    alone = np.concatenate([function(number) for number in column[:, None]])
    return np.allclose(alone, together, rtol=1e-5, atol=1e-6, equal_nan=True)


def put_together(recording: Recording) -> Recording:
    """The recording with every activation of several steps in one operation."""
    ops = list(recording.ops)
    readers: dict[int, list[Op]] = {}
    # What is computed and not used, as for an assertion, is no reader.
    for op in alive(recording)[0]:
        for value in op.reads:
            readers.setdefault(value, []).append(op)
    for start, writer in [(op.writes[0], op) for op in ops if len(op.writes) == 1]:
        if writer not in ops:
            # It is a step of an activation that was found.
            continue
        fits = partial(_one_by_one, recording=recording, shape=recording.values[start].shape)
        activation, steps = _activation_in(start, list(parts_after(start, ops, readers, recording, fits)))
        if activation is not None:
            whole = Op(steps[-1].name, Pointwise(activation), (start,), steps[-1].writes)
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
            named = _named(composite(start, steps))
        if named is not None and str(named) != str(activation):
            activation, taken, n_taken = named, steps, n
    return activation, taken, n_taken


def _is_straight(steps: Sequence[Op]) -> bool:
    """Whether no step is more than a scale and shift."""
    return all(_is_line(op) or isinstance(op.does, Same) for op in steps)


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
            # What is no number on the way may be none in the end: `where` leaves it out.
            function = does.activation.function or does.activation
        else:
            assert isinstance(does, Combine)
            function = does.function
        functions.append((function, tuple(place[value] for value in op.reads)))
        place[op.writes[0]] = len(functions)
    return tuple(functions)
