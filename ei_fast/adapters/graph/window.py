"""Windows that move over the places of images and sequences, as those of convolutions and pools."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.intp]
"""Which numbers of a sample, counted through all its axes, or which places of an image or sequence."""


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

    def padded_to(self, n_values: Sequence[int], n_windows: Sequence[int], more_behind: bool = True) -> "Window":
        """The window over so many values that gives so many windows: padding on both sides, as "same" means it.

        Parameters
        ----------
        more_behind : bool
            Whether what is odd of the padding is put behind the values, or before them.
        """
        before = []
        for n, m, size, stride, dilation in zip(
            n_values, n_windows, self.size, self.stride, self.dilation, strict=True
        ):
            total = max((m - 1) * stride + (size - 1) * dilation + 1 - n, 0)
            before.append(total // 2 if more_behind else total - total // 2)
        return Window(self.size, self.stride, self.dilation, tuple(before))

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


def spread(n: int, most: int) -> Places:
    """At most so many of n numbers, from the first to the last."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.intp))
