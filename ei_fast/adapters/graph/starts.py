"""Operations that start a layer: dense maps, convolutions, and parts of a model that are measured as one map."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Protocol

import numpy as np

from ei_fast.adapters.graph.fusion import folded_before
from ei_fast.adapters.graph.operation import Start
from ei_fast.adapters.graph.view import Array, View, per_neuron
from ei_fast.adapters.graph.window import Window
from ei_fast.network.activations import Activation
from ei_fast.network.grouped import GroupedLayer, at_columns
from ei_fast.network.layer import Function, Layer


class _Weighted(Protocol):
    """A map that has weights."""

    @property
    def weight(self) -> Array: ...

    @property
    def bias(self) -> Array: ...

    @property
    def axis(self) -> int: ...

    @property
    def n_in(self) -> int: ...

    @property
    def groups(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Dense(Start):
    """x @ weight + bias over the last axis; weight (n_in, n_out)."""

    weight: Array
    bias: Array
    groups: ClassVar[int] = 1

    @property
    def n_in(self) -> int:
        return len(self.weight)

    @property
    def is_by_row(self) -> bool:
        return True

    def entered(self, view: View, here: View) -> "tuple[View, Dense]":
        # What was padded is no output of the layer before.
        taken_in = None if view.is_padded else folded(self, view)
        return (here, self) if taken_in is None else (view, Dense(*taken_in))


@dataclass(frozen=True, eq=False)
class Conv(Start):
    """A dense map of every window of a value (channels, ...).

    Attributes
    ----------
    weight : ndarray (channels / groups * window, n_out)
        Of each output from the channels of its group; see `conv`.
    """

    weight: Array
    bias: Array
    window: Window
    groups: int = 1
    axis = 0

    @property
    def n_in(self) -> int:
        return len(self.weight) * self.groups

    @property
    def channels(self) -> int:
        """Of the value that it reads."""
        return self.n_in // prod(self.window.size)

    def entered(self, view: View, here: View) -> "tuple[View, Conv]":
        taken_in = folded(self, view)
        return (here, self) if taken_in is None else (view, Conv(*taken_in, self.window, self.groups))

    def of_patches(self, seen: Array) -> Array:
        """What it makes (..., n_out) of patches (..., n_in)."""
        if self.groups == 1:
            return np.asarray(seen @ self.weight + self.bias)
        made = self.layer("linear").preactivations(seen.reshape(-1, self.n_in))
        return made.reshape(*seen.shape[:-1], -1)

    def layer(self, activation: str | Activation, name: str | None = None) -> Layer:
        """The map of one patch."""
        patch = (self.channels, *self.window.size)
        if self.groups == 1:
            return Layer(self.weight, self.bias, activation, name, patch=patch)
        return GroupedLayer(self.weight, self.groups, self.bias, activation, name, patch=patch)


@dataclass(frozen=True, eq=False)
class Block(Start):
    """Part of the model that is measured as one map; where it is that of one position, its neurons are along `axis`."""

    function: Function
    axis: int = -1
    # What is to be known of it.
    note: str = ""
    # What it sees of an image, where it is the map of one box.
    window: Window | None = None
    alone: ClassVar[str] = "a block whose inputs are scaled and shifted on the way to it"

    @property
    def n_in(self) -> int:
        return self.function.n_in

    @property
    def is_by_row(self) -> bool:
        return True

    def entered(self, view: View, here: View) -> "tuple[View, Block] | None":
        return None if view.scale is not None else (here if view.is_padded else view, self)


def folded(start: "_Weighted", view: View) -> tuple[Array, Array] | None:
    """Weights and bias with the affine maps on the way folded in; None where these differ from place to place."""
    if view.scale is None or view.shift is None:
        return start.weight, start.bias
    scale, shift = (per_neuron(part, start.axis) for part in (view.scale, view.shift))
    if scale is None or shift is None:
        return None
    per_channel = start.n_in // len(scale)
    scale, shift = np.repeat(scale, per_channel), np.repeat(shift, per_channel)
    if start.groups == 1:
        return folded_before(start.weight, start.bias, scale, shift)
    n_out = len(start.bias)
    scale, shift = (at_columns(part, start.groups, n_out) for part in (scale, shift))
    return scale * start.weight, start.bias + (shift * start.weight).sum(axis=0)


def conv(kernel: Array, bias: Array | None, groups: int, window: Window) -> Conv:
    """A convolution from a kernel (n_out, channels / groups, ...)."""
    n_out = len(kernel)
    # Row by row, as sums over inputs are taken.
    weight = np.ascontiguousarray(kernel.reshape(n_out, -1).T)
    return Conv(weight, np.zeros(n_out) if bias is None else bias, window, groups)
