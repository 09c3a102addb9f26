"""Operations done again by what they mean, in NumPy: for frameworks that tell what they do, and not what was called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax

from ei_fast.adapters.graph.opaque import Combine
from ei_fast.adapters.graph.operation import Operation
from ei_fast.adapters.graph.rearranging import Pad, Same
from ei_fast.adapters.graph.starts import Conv, Dense
from ei_fast.adapters.graph.steps import Affine, Pointwise, Reduce, Softmax
from ei_fast.adapters.graph.view import Array

# Numbers that the windows of a convolution take at once.
_MOST_AT_ONCE = 2**22
_NAMES = {"add": "add", "subtract": "sub", "multiply": "mul"}

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ByMeaning:
    """An operation, to be done again.

    Attributes
    ----------
    reads : tuple of (int, tuple of int)
        Numbers of the values that it reads, and the shapes of a sample of them.
    shape : tuple of int
        Of a sample of what it gives.
    """

    does: Operation
    reads: tuple[tuple[int, Shape], ...]
    shape: Shape

    @property
    def name(self) -> str:
        """Of a sum, a difference or a product."""
        does = self.does
        return _NAMES.get(getattr(does.function, "__name__", ""), "") if isinstance(does, Combine) else ""

    @property
    def can_be_done(self) -> bool:
        return type(self.does) in _DONE

    def __call__(self, values: Mapping[int, Array]) -> list[Array]:
        given = [values[number] for number, _ in self.reads]
        return [np.asarray(_DONE[type(self.does)](self.does, given, self.shape))]

    def joined(self, calls: Any, entry: int, exit: int, rows: int) -> Callable[[Array], Array]:
        """Operations, each with the numbers of the values that it gives, as one function of so many rows."""
        return joined(calls, entry, exit, rows)


def joined(calls: Any, entry: int, exit: int, rows: int) -> Callable[[Array], Array]:
    """What is done again one after the other as one function of so many rows."""
    return StepsInNumPy(tuple(calls), entry, exit, rows)


@dataclass(frozen=True, eq=False)
class StepsInNumPy:
    """What is done again one after the other as the function of a `Function`; see `torch.again.Steps`."""

    calls: tuple[tuple[Any, tuple[int, ...]], ...]
    entry: int
    exit: int
    rows: int

    def __call__(self, x: Array) -> Array:
        return np.concatenate([self._of_rows(x[k : k + self.rows]) for k in range(0, len(x), self.rows)])

    def _of_rows(self, x: Array) -> Array:
        reads = (read for again, _ in self.calls for read in again.reads)
        shape = next(shape for number, shape in reads if number == self.entry)
        # The last row stands in the place of those that are missing.
        full = np.concatenate([x, np.repeat(x[-1:], self.rows - len(x), axis=0)])
        values: dict[int, Array] = {self.entry: full.reshape(self.rows, *shape)}
        for again, writes in self.calls:
            values.update(zip(writes, again(values), strict=True))
        return values[self.exit].reshape(self.rows, -1)[: len(x)].astype(np.float64, copy=False)


def _dense(does: Dense, given: Sequence[Array], shape: Shape) -> Array:
    return given[0] @ does.weight + does.bias


def _conv(does: Conv, given: Sequence[Array], shape: Shape) -> Array:
    [x] = given
    places = np.arange(x[0].size).reshape(x.shape[1:])
    along = does.window.coordinates(shape[1:])
    at: Any = [np.arange(len(places))]
    outside = np.zeros((1,) * (1 + 2 * len(along)), dtype=bool)
    n = len(along)
    for axis, coordinates in enumerate(along):
        # The windows lie along the first axes, what each of them sees along the last.
        wide = coordinates.reshape(
            *(len(coordinates) if d == axis else 1 for d in range(n)),
            1,
            *(coordinates.shape[1] if d == axis else 1 for d in range(n)),
        )
        outside = outside | (wide < 0) | (wide >= places.shape[axis + 1])
        at.append(np.clip(wide, 0, places.shape[axis + 1] - 1))
    at[0] = at[0].reshape(*(1 for _ in along), -1, *(1 for _ in along))
    seen = np.where(outside, x[0].size, places[tuple(at)]).reshape(prod(shape[1:]), -1)
    flat = np.concatenate([x.reshape(len(x), -1), np.zeros((len(x), 1))], axis=1)
    step = max(1, _MOST_AT_ONCE // seen.size)
    parts = [does.of_patches(flat[k : k + step][:, seen]) for k in range(0, len(x), step)]
    return np.moveaxis(np.concatenate(parts), 2, 1).reshape(len(x), *shape)


def _affine(does: Affine, given: Sequence[Array], shape: Shape) -> Array:
    return does.scale * given[0] + does.shift


def _pointwise(does: Pointwise, given: Sequence[Array], shape: Shape) -> Array:
    made: Array = does.of_number(given[0])
    return made


def _combine(does: Combine, given: Sequence[Array], shape: Shape) -> Array:
    made: Array = does.function(*given)
    return made


def _same(does: Same, given: Sequence[Array], shape: Shape) -> Array:
    flat = given[0].reshape(len(given[0]), -1)
    return (flat if does.order is None else flat[:, does.order.reshape(-1)]).reshape(-1, *shape)


def _pad(does: Pad, given: Sequence[Array], shape: Shape) -> Array:
    return np.pad(given[0], ((0, 0), *does.widths))


def _softmax(does: Softmax, given: Sequence[Array], shape: Shape) -> Array:
    made: Array = (log_softmax if does.log else softmax)(given[0], axis=-1)
    return made


def _reduce(does: Reduce, given: Sequence[Array], shape: Shape) -> Array:
    axes = tuple(axis + 1 for axis in does.axes)
    made: Array = given[0].mean(axis=axes) if does.mean else given[0].max(axis=axes)
    return made.reshape(-1, *shape)


_DONE: dict[type, Callable[[Any, Sequence[Array], Shape], Array]] = {
    **{Dense: _dense, Conv: _conv, Affine: _affine, Pointwise: _pointwise, Combine: _combine},
    **{Same: _same, Pad: _pad, Softmax: _softmax, Reduce: _reduce},
}
"""How operations are done."""
