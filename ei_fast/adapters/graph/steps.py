"""Operations that follow a map and become part of its layer: scales and shifts, activations and pools."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ei_fast.adapters.graph.operation import Followed, Operation, Role, Step
from ei_fast.adapters.graph.rearranging import Pad
from ei_fast.adapters.graph.starts import Conv, Dense
from ei_fast.adapters.graph.view import Array, View, per_neuron
from ei_fast.adapters.graph.window import Window
from ei_fast.network.activations import Activation

# Weights of a convolution at all places that its pool sees.
_MAX_POOLED = 2**24


@dataclass(frozen=True, eq=False)
class Affine(Step):
    """scale * x + shift, value by value; each of a shape that spreads to that of a sample, or a number."""

    scale: Array
    shift: Array
    role = Role.FOLDS
    alone = "a scale and shift that belongs to no layer"

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

    @property
    def is_by_row(self) -> bool:
        return True

    @property
    def of_number(self) -> "Line | None":
        if np.size(self.scale) != 1 or np.size(self.shift) != 1:
            return None
        return Line(float(np.ravel(self.scale)[0]), float(np.ravel(self.shift)[0]))

    @property
    def scales_all_alike(self) -> bool:
        """Whether it multiplies all values with one number, and does nothing else."""
        scales = np.ravel(self.scale)
        return not np.any(self.shift) and scales.size > 0 and bool(np.all(scales == scales[0]))

    def seen(self, view: View, shape: tuple[int, ...]) -> View:
        return view.scaled(*(np.broadcast_to(part, shape) for part in (self.scale, self.shift)))

    def as_step(self, followed: Followed) -> "Affine | None":
        scale, shift = (
            per_neuron(followed.view.back(part).reshape(followed.shape), followed.start.axis)
            for part in (self.scale, self.shift)
        )
        return None if scale is None or shift is None else Affine(scale, shift)


@dataclass(frozen=True)
class Line:
    """scale * x + shift."""

    scale: float
    shift: float

    def __call__(self, x: Array) -> Array:
        return self.scale * x + self.shift


@dataclass(frozen=True)
class Pointwise(Step):
    """An activation."""

    activation: Activation
    role = Role.ACTIVATES
    alone = "an activation that follows no dense layer or convolution"

    @property
    def is_by_row(self) -> bool:
        return True

    @property
    def of_number(self) -> Callable[..., Array]:
        # What is no number on the way may be none in the end: `where` leaves it out.
        return self.activation.function or self.activation

    def as_step(self, followed: Followed) -> "Pointwise":
        return self


@dataclass(frozen=True)
class Softmax(Step):
    """Softmax over the last axis, or its logarithm."""

    log: bool = False
    role = Role.ACTIVATES
    alone = "a softmax that follows no dense layer"

    @property
    def is_by_row(self) -> bool:
        return True

    def as_step(self, followed: Followed) -> "Softmax | None":
        start = followed.start
        if not isinstance(start, Dense):
            return None
        is_over_neurons = followed.view.is_identity and followed.view.places.shape[-1] == start.weight.shape[1]
        return self if is_over_neurons else None


@dataclass(frozen=True)
class Pool(Step):
    """The largest value or the mean in every window of a value (channels, ...), channel by channel."""

    window: Window
    mean: bool = False
    role = Role.POOLS
    alone = "a pool that follows no convolution, or sees too much of it at once, or nowhere without padding"

    def behind(self, padding: Pad) -> "Pool | None":
        """The pool over the values before they were padded; None where channels were."""
        if padding.widths[0] != (0, 0):
            return None
        return replace(self, window=self.window.begun_before([n for n, _ in padding.widths[1:]]))

    def n_weights(self, start: Conv) -> int:
        """Of the map from the box that the pool sees through a convolution, at all places that it takes in."""
        box = prod(start.window.seen_through(self.window).size)
        return start.channels * box * prod(self.window.size) * len(start.bias)

    def fits(self, followed: Followed) -> bool:
        """Whether it may end the layer that a convolution has begun."""
        start = followed.start
        return isinstance(start, Conv) and followed.with_pools and self.n_weights(start) <= _MAX_POOLED

    def as_step(self, followed: Followed) -> "Pool | None":
        view = followed.view
        is_arranged = self.fits(followed) and view.is_identity and view.places.shape == followed.shape
        return self if is_arranged else None


@dataclass(frozen=True)
class Reduce(Operation):
    """The largest value or the mean along `axes` of a sample."""

    axes: tuple[int, ...]
    mean: bool
    role = Role.POOLS
    alone = "a mean or maximum that is no pool over all places of a convolution, or sees too much of it at once"

    @classmethod
    def along(cls, axes: Iterable[int], n_axes: int, mean: bool) -> "Reduce | None":
        """From axes of a whole value, of which it has `n_axes`; None where rows are mixed, or all is."""
        of_value = {int(axis) % n_axes for axis in axes}
        return None if 0 in of_value or not of_value else cls(tuple(axis - 1 for axis in sorted(of_value)), mean)

    def as_step(self, followed: Followed) -> Pool | None:
        """As a pool, if it takes in every place of a channel and leaves the channels in their order."""
        pool = Pool(Window.over(followed.shape[1:]), self.mean)
        if not pool.fits(followed):
            return None
        places, n_channels = followed.view.places, followed.shape[0]
        kept = [axis for axis in range(places.ndim) if axis not in self.axes]
        if prod(places.shape[axis] for axis in kept) != n_channels:
            return None
        channels = places.transpose(*kept, *self.axes).reshape(n_channels, -1) // prod(followed.shape[1:])
        return pool if (channels == np.arange(n_channels)[:, None]).all() else None
