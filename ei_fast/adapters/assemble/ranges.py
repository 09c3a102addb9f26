"""Ranges of what layers give while a model is read, found when they are asked for.

The quantiles of a wide layer's outputs take longer than all else that is read of it, and few are needed before it is
measured: those that a pool behind it, or a layer that starts anew, is told its range by.
"""

from functools import cached_property
from typing import Protocol

import numpy as np

from ei_fast.network.bins import Range, Ranges, hull_of
from ei_fast.network.layer import Function, Layer
from ei_fast.network.network import Network


class Ranged(Protocol):
    """A value whose range is known, or can be found."""

    @property
    def range(self) -> Ranges:
        """Over which it is binned."""

    @property
    def widest(self) -> Ranges:
        """A range that holds it, which takes no time to find."""


class Known:
    """A value of which the range is known."""

    def __init__(self, limits: Ranges):
        self.range = self.widest = limits


class Outputs:
    """What a layer gives for inputs of some range.

    Raises
    ------
    ValueError
        Where outputs overflow.
    """

    def __init__(self, layer: Layer | Function, before: Ranged):
        self._layer, self._before = layer, before
        # What the widest range leads to need not be reached.
        self.widest = _widest(layer, before.widest) or self.range

    @cached_property
    def range(self) -> Range:
        """What it reaches, or the codomain of its activation."""
        return hull_of(Network([self._layer.over(self._before.range)]).ranges()[0][1])


def _widest(layer: Layer | Function, in_range: Ranges) -> Range | None:
    """What interval arithmetic allows the outputs; None where that is more than a float holds."""
    if layer.out_range is not None:
        return layer.out_range
    assert isinstance(layer, Layer)
    smallest, largest = layer.preactivation_hull(layer.in_range or in_range)
    ends = layer.activation.codomain
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(ends).all():
            try:
                lows, highs = layer.activation.image(smallest, largest)
            except ValueError:
                # A user's function is not what it was said to be, if perhaps only beyond what the layer reaches.
                return None
            ends = float(lows.min()), float(highs.max())
        sizes = largest.max() - smallest.min(), ends[1] - ends[0]
    return ends if np.isfinite(sizes).all() else None
