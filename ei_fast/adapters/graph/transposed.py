"""Transposed convolutions, as the map from the patch of inputs that feed a block of outputs to this block.

With strides s each input feeds outputs s apart, so that the outputs are of as many kinds as there are places in a block
of the size of the strides: each kind sees the same inputs through weights of its own. Such a block begins where the
first weight of an input falls.
"""

from dataclasses import dataclass
from math import ceil, gcd, prod
from typing import ClassVar

import numpy as np

from ei_fast.adapters.graph.opaque import Unknown
from ei_fast.adapters.graph.operation import Start
from ei_fast.adapters.graph.starts import Conv, folded
from ei_fast.adapters.graph.view import Array, View
from ei_fast.adapters.graph.window import Places, Window

# 256 MiB.
_MAX_WEIGHTS = 2**25


@dataclass(frozen=True, eq=False)
class Transposed(Start):
    """A transposed convolution with strides.

    Attributes
    ----------
    weight : ndarray (channels * window, n_channels * block)
        The outputs of a channel stand together.
    bias : ndarray (n_channels * block,)
    window : Window
        What the blocks that lie wholly inside the output see.
    stride, first : tuple of int
        Size of a block, and where the first of them begins.
    """

    weight: Array
    bias: Array
    window: Window
    stride: tuple[int, ...]
    first: tuple[int, ...]
    axis = 0
    groups: ClassVar[int] = 1

    @property
    def n_in(self) -> int:
        return len(self.weight)

    @property
    def channels(self) -> int:
        """Of the value that it reads."""
        return len(self.weight) // prod(self.window.size)

    @property
    def of_channel(self) -> int:
        """Outputs of a block of one channel."""
        return prod(self.stride)

    def entered(self, view: View, here: View) -> "tuple[View, Transposed]":
        taken_in = folded(self, view)
        return (here, self) if taken_in is None else (view, Transposed(*taken_in, self.window, self.stride, self.first))

    def blocks(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """How many blocks lie wholly inside along each axis of places."""
        return tuple(max(0, (n - first) // step) for n, first, step in zip(shape, self.first, self.stride, strict=True))

    def outputs(self, at: Places) -> Places:
        """Of the numbers `at` (n_channels, ...) of its outputs, those of each block."""
        blocks = self.blocks(at.shape[1:])
        inside = tuple(
            slice(first, first + n * step) for first, n, step in zip(self.first, blocks, self.stride, strict=True)
        )
        axes = [part for n, step in zip(blocks, self.stride, strict=True) for part in (n, step)]
        parts = at[:, *inside].reshape(len(at), *axes)
        n_axes = len(blocks)
        order = [*range(1, 2 * n_axes, 2), 0, *range(2, 2 * n_axes + 1, 2)]
        return parts.transpose(order).reshape(prod(blocks), -1)


def transposed(kernel: Array, bias: Array | None, groups: int, window: Window) -> "Conv | Transposed | Unknown":
    """A transposed convolution from a kernel (channels, n_channels / groups, ...).

    Parameters
    ----------
    window : Window
        Of the convolution that it is the transposed of.
    """
    spread = _of_groups(kernel, groups)
    # Along each axis: how many places before the last input of a block the one is that a weight belongs to.
    behind = [
        gap * np.arange(n) // step for n, gap, step in zip(window.size, window.dilation, window.stride, strict=True)
    ]
    apart = [gcd(*of_axis.tolist()) or 1 for of_axis in behind]
    size = tuple(int(of_axis[-1]) // gap + 1 for of_axis, gap in zip(behind, apart, strict=True))
    n_weights = spread.shape[0] * spread.shape[1] * prod(size) * prod(window.stride)
    if n_weights > _MAX_WEIGHTS:
        why = f"its weights, for all outputs of a block side by side, would be {n_weights}, more than {_MAX_WEIGHTS}"
        return Unknown(why, is_convolution=True)
    weight = np.zeros((spread.shape[0], *size, spread.shape[1], *window.stride))
    for place in np.ndindex(*window.size):
        seen = tuple(int(of_axis[-1] - of_axis[t]) // gap for of_axis, t, gap in zip(behind, place, apart, strict=True))
        kind = tuple(gap * t % step for gap, t, step in zip(window.dilation, place, window.stride, strict=True))
        weight[:, *seen, :, *kind] = spread[:, :, *place]
    starts = [ceil(before / step) for before, step in zip(window.before, window.stride, strict=True)]
    before = tuple(int(of_axis[-1]) - start for of_axis, start in zip(behind, starts, strict=True))
    sees = Window.over(size, 1, tuple(apart), before)
    n_out = np.zeros(spread.shape[1]) if bias is None else bias
    of_channel = prod(window.stride)
    weight, bias = weight.reshape(-1, spread.shape[1] * of_channel), np.repeat(n_out, of_channel)
    if of_channel == 1:
        return Conv(weight, bias, sees)
    first = tuple(
        start * step - padded for start, step, padded in zip(starts, window.stride, window.before, strict=True)
    )
    return Transposed(weight, bias, sees, window.stride, first)


def _of_groups(kernel: Array, groups: int) -> Array:
    """A kernel (channels, n_channels, ...) in which what is in another group is 0."""
    n_in, per_group = kernel.shape[:2]
    spread = np.zeros((n_in, groups * per_group, *kernel.shape[2:]))
    of_group = n_in // groups
    for group in range(groups):
        rows, columns = (
            slice(group * of_group, (group + 1) * of_group),
            slice(group * per_group, (group + 1) * per_group),
        )
        spread[rows, columns] = kernel[rows]
    return spread
