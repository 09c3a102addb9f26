"""Operations that start a layer: dense maps, convolutions, and parts of a model that are measured as one map."""

from dataclasses import dataclass
from math import prod
from typing import ClassVar, Protocol

import numpy as np

from ei_fast.adapters.graph.fusion import folded_before
from ei_fast.adapters.graph.opaque import Unknown
from ei_fast.adapters.graph.operation import Start
from ei_fast.adapters.graph.view import Array, View, per_neuron
from ei_fast.adapters.graph.window import Window
from ei_fast.network.layer import Function

# 256 MiB.
_MAX_GROUPED = 2**25


class _Weighted(Protocol):
    """A map that has weights."""

    @property
    def weight(self) -> Array: ...

    @property
    def bias(self) -> Array: ...

    @property
    def axis(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Dense(Start):
    """x @ weight + bias over the last axis; weight (n_in, n_out)."""

    weight: Array
    bias: Array

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
    """A dense map of every window of a value (channels, ...); weight (channels * window, n_out), see `conv`."""

    weight: Array
    bias: Array
    window: Window
    axis = 0

    @property
    def n_in(self) -> int:
        return len(self.weight)

    @property
    def channels(self) -> int:
        """Of the value that it reads."""
        return len(self.weight) // prod(self.window.size)

    def entered(self, view: View, here: View) -> "tuple[View, Conv]":
        taken_in = folded(self, view)
        return (here, self) if taken_in is None else (view, Conv(*taken_in, self.window))


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
    per_channel = len(start.weight) // len(scale)
    return folded_before(start.weight, start.bias, np.repeat(scale, per_channel), np.repeat(shift, per_channel))


def conv(kernel: Array, bias: Array | None, groups: int, window: Window) -> "Conv | Unknown":
    """A convolution from a kernel (n_out, channels / groups, ...): what is in another group has weight 0."""
    n_out, per_group = kernel.shape[:2]
    n_weights = groups * kernel.size
    if groups > 1 and n_weights > _MAX_GROUPED:
        why = f"its {groups} groups side by side would take {n_weights} weights, more than {_MAX_GROUPED}"
        return Unknown(why, is_convolution=True)
    by_group = kernel.reshape(groups, n_out // groups, -1)
    weight = np.zeros((groups, by_group.shape[2], groups, n_out // groups))
    for group in range(groups):
        weight[group, :, group] = by_group[group].T
    n_in = groups * per_group * prod(kernel.shape[2:])
    return Conv(weight.reshape(n_in, n_out), np.zeros(n_out) if bias is None else bias, window)
