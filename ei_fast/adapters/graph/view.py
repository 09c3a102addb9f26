"""A value as it comes from an earlier one, through operations that move, scale and shift its numbers."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.graph.window import Places

PADDING = -1
"""In the place of a number that comes from nowhere."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class View:
    """Which numbers of a sample of an earlier value are where, and the affine maps on the way.

    Attributes
    ----------
    source : int
        The earlier value.
    places : ndarray of int
        Of the shape that a sample has now; -1 where there is padding.
    scale, shift : ndarray, optional
        Of the same shape; NaN where there is padding.
    """

    source: int
    places: Places
    scale: Array | None = None
    shift: Array | None = None

    @classmethod
    def of(cls, value: int, shape: tuple[int, ...]) -> "View":
        """A value as it is; `shape` is that of a sample of it."""
        return cls(value, np.arange(prod(shape)).reshape(shape))

    def moved(self, move: Callable[[NDArray[Any], float], NDArray[Any]]) -> "View":
        """The view behind what moves numbers about; `move` takes them, and what stands for padding."""
        places = move(self.places, PADDING)
        scale, shift = (None if part is None else move(part, np.nan) for part in (self.scale, self.shift))
        return replace(self, places=places, scale=scale, shift=shift)

    def scaled(self, scale: Array, shift: Array) -> "View":
        """The view behind an affine map, number by number."""
        if self.scale is not None and self.shift is not None:
            scale, shift = scale * self.scale, scale * self.shift + shift
        return replace(self, scale=scale, shift=shift)

    @property
    def is_identity(self) -> bool:
        """Whether all is in the order that it was in."""
        return np.array_equal(self.places.reshape(-1), np.arange(self.places.size))

    @property
    def is_padded(self) -> bool:
        """Whether some of it comes from nowhere."""
        return bool((self.places < 0).any())

    def back(self, values: NDArray[Any]) -> NDArray[Any]:
        """What stands at the places of the view, at those of the source; flat."""
        result = np.empty(self.places.size, dtype=values.dtype)
        result[self.places.reshape(-1)] = np.broadcast_to(values, self.places.shape).reshape(-1)
        return result


def per_neuron(values: Array, axis: int) -> Array | None:
    """One number a neuron, or a channel, along `axis`; None where they differ; what is padded is NaN and no matter."""
    rows = np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])
    low, high = np.fmin.reduce(rows), np.fmax.reduce(rows)
    return low if np.array_equal(low, high) else None
