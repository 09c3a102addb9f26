"""What adapters write down of a model: operations on values that depend on its input.

A value has one row for each row of the input; what comes after is the shape of a sample. Which operations there are is
told here, and nothing of the frameworks in which they were seen.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.network.activations import Activation
from ei_fast.network.layer import Function

Array = NDArray[np.float64]
Places = NDArray[np.intp]
Step = tuple[Hashable, ...]


@dataclass(frozen=True)
class Window:
    """What moves over the axes behind the channels, each of the fields having one number for each of them.

    Attributes
    ----------
    size, stride, dilation : tuple of int
    before : tuple of int
        How far the first window begins before the first value: what is there is padding.
    """

    size: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    before: tuple[int, ...]

    @classmethod
    def over(cls, size: Sequence[int], stride: object = 1, dilation: object = 1, before: object = 0) -> "Window":
        """A window from numbers, or a number for all axes."""
        return cls(tuple(size), *(_for_each(value, len(size)) for value in (stride, dilation, before)))

    def coordinates(self, extent: Sequence[int]) -> list[Places]:
        """Along each axis, (windows, size): where they are in the value of which there are `extent` windows."""
        return [
            stride * np.arange(n)[:, None] - before + dilation * np.arange(size)
            for n, size, stride, dilation, before in zip(
                extent, self.size, self.stride, self.dilation, self.before, strict=True
            )
        ]

    def begun_before(self, padding: Sequence[int]) -> "Window":
        """The window over the values before they were padded by so many at their beginning."""
        before = tuple(n + more for n, more in zip(self.before, padding, strict=True))
        return Window(self.size, self.stride, self.dilation, before)

    def seen_through(self, outer: "Window") -> "Window":
        """The smallest box that holds all that the windows inside a window of `outer` see."""
        inner = zip(self.size, self.stride, self.dilation, self.before, strict=True)
        size, stride, before = [], [], []
        for (n, step, gap, start), n_outer, outer_step, outer_gap, outer_start in zip(
            inner, outer.size, outer.stride, outer.dilation, outer.before, strict=True
        ):
            size.append((n_outer - 1) * outer_gap * step + (n - 1) * gap + 1)
            stride.append(outer_step * step)
            before.append(outer_start * step + start)
        return Window.over(size, tuple(stride), 1, tuple(before))


def _for_each(value: object, n: int) -> tuple[int, ...]:
    if isinstance(value, (tuple, list)):
        return tuple(int(v) for v in value) * (n if len(value) == 1 else 1)
    return (int(value),) * n  # type: ignore[call-overload]


@dataclass(frozen=True, eq=False)
class Dense:
    """x @ weight + bias over the last axis; weight (n_in, n_out)."""

    weight: Array
    bias: Array


@dataclass(frozen=True, eq=False)
class Conv:
    """A dense map of every window of a value (channels, ...); weight (channels * window, n_out), see `conv`."""

    weight: Array
    bias: Array
    window: Window


# 256 MiB.
_MAX_WEIGHTS = 2**25


def conv(kernel: Array, bias: Array | None, groups: int, window: Window) -> "Conv | Unknown":
    """A convolution from a kernel (n_out, channels / groups, ...): what is in another group has weight 0."""
    n_out, per_group = kernel.shape[:2]
    n_weights = groups * kernel.size
    if groups > 1 and n_weights > _MAX_WEIGHTS:
        return Unknown(f"its {groups} groups side by side would take {n_weights} weights, more than {_MAX_WEIGHTS}")
    by_group = kernel.reshape(groups, n_out // groups, -1)
    weight = np.zeros((groups, by_group.shape[2], groups, n_out // groups))
    for group in range(groups):
        weight[group, :, group] = by_group[group].T
    n_in = groups * per_group * prod(kernel.shape[2:])
    return Conv(weight.reshape(n_in, n_out), np.zeros(n_out) if bias is None else bias, window)


@dataclass(frozen=True)
class Pool:
    """The largest value or the mean in every window of a value (channels, ...), channel by channel."""

    window: Window
    mean: bool = False


@dataclass(frozen=True)
class Reduce:
    """The largest value or the mean along `axes` of a sample."""

    axes: tuple[int, ...]
    mean: bool

    @classmethod
    def along(cls, axes: Iterable[int], n_axes: int, mean: bool) -> "Reduce | None":
        """From axes of a whole value, of which it has `n_axes`; None where rows are mixed, or all is."""
        of_value = {int(axis) % n_axes for axis in axes}
        return None if 0 in of_value or not of_value else cls(tuple(axis - 1 for axis in sorted(of_value)), mean)


@dataclass(frozen=True, eq=False)
class Affine:
    """scale * x + shift, value by value; each of a shape that spreads to that of a sample, or a number."""

    scale: Array
    shift: Array

    @classmethod
    def by(cls, what: str, constant: Array, comes_first: bool) -> "Affine | None":
        """What "add", "sub", "mul" or "div" with a constant does to a value that comes first, or second.

        None where the value divides, or is divided by 0.
        """
        one, zero = np.ones(()), np.zeros(())
        if what == "add":
            return cls(one, constant)
        if what == "sub":
            return cls(one, -constant) if comes_first else cls(-one, constant)
        if what == "mul":
            return cls(constant, zero)
        return cls(1.0 / constant, zero) if comes_first and np.all(constant != 0) else None


@dataclass(frozen=True)
class Pointwise:
    """An activation."""

    activation: Activation


@dataclass(frozen=True)
class Combine:
    """Several values, or one several times, number by number."""

    function: Callable[..., Array]


@dataclass(frozen=True)
class Softmax:
    """Softmax over the last axis, or its logarithm."""

    log: bool = False


@dataclass(frozen=True, eq=False)
class Same:
    """The values as they are, in another shape or order: `order` says which of a sample's values is where."""

    order: Places | None = None


@dataclass(frozen=True)
class Pad:
    """Something put before and after the values along the axes of a sample, (before, after) for each of them."""

    widths: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Block:
    """Part of the model that is measured as one map."""

    function: Function


@dataclass(frozen=True)
class Unknown:
    """Anything else, and why it is no layer."""

    reason: str


Does = Dense | Conv | Pool | Reduce | Affine | Pointwise | Combine | Softmax | Same | Pad | Block | Unknown


def with_rows_apart(does: Does, several: Sequence[bool], n_read: int, n_written: int, rows: int) -> Does | None:
    """What an operation means for values that are noted with the rows of the input first; None where that is not known.

    A reshape may put other axes of a sample to the rows, as ``x.reshape(-1, width)`` of samples (time, width) does
    before a dense layer. What does the same to every row then means the same with these axes apart.

    Parameters
    ----------
    several : sequence of bool
        Of each value that is read, whether several rows of it make one of the input.
    n_read, n_written, rows : int
        Rows of what is read, of what is written and of the input.
    """
    if isinstance(does, Same) and n_read != n_written:
        fits = does.order is None and (any(several) or n_read == rows) and n_written % rows == 0
        return does if fits else None
    if not any(several):
        return does
    if not all(several) or n_read != n_written or (isinstance(does, Same) and does.order is not None):
        return None
    return does if isinstance(does, (Dense, Affine, Pointwise, Combine, Softmax, Same, Block)) else None


@dataclass(frozen=True, eq=False)
class Op:
    """One operation: which values it reads and writes, by number."""

    name: str
    does: Does
    reads: tuple[int, ...]
    writes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Recording:
    """One run of a model.

    Attributes
    ----------
    ops : list of Op
        In the order in which they were done.
    values : dict of ndarray
        By number, (rows, ...), float32 where the model computes so. The model's input is number 0.
    outputs : tuple of int
        Numbers of the values that the model returns.
    path : tuple of tuple
        What was done, each time beginning with a name, for comparison with another run.
    arithmetic : str
        The coarsest that the model ran in.
    blocks : frozenset of str
        Names of the blocks that it ran.
    has_blocks : bool
        Whether parts of the model may be named, to be measured as one map.
    told : tuple
        What was read out of the values in a way that shows not what becomes of it; see `torch_decisions`.
    """

    ops: list[Op]
    values: dict[int, NDArray[np.floating]]
    outputs: tuple[int, ...]
    path: tuple[Step, ...]
    arithmetic: str
    blocks: frozenset[str] = frozenset()
    has_blocks: bool = True
    told: tuple[Any, ...] = ()

    def shape(self, value: int) -> tuple[int, ...]:
        """Of one sample of a value."""
        return self.values[value].shape[1:]

    def rows(self, value: int, places: Places) -> Array:
        """What stands at `places` (m, n) of each sample, as (rows * m, n) in float64."""
        values = self.values[value]
        found = values.reshape(len(values), -1)[:, places].reshape(-1, places.shape[1])
        return found.astype(np.float64, copy=False)


def alive(recording: Recording) -> tuple[list[Op], list[Op]]:
    """The operations on which the outputs depend, and the others."""
    needed = set(recording.outputs)
    alive, dead = [], []
    for op in reversed(recording.ops):
        if needed.intersection(op.writes):
            needed.update(op.reads)
            alive.append(op)
        else:
            dead.append(op)
    return alive[::-1], dead[::-1]
