"""Maps of whole samples that do the same at each of their positions, as the map of one: told by running them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from ei_fast.adapters.graph.starts import Block
from ei_fast.adapters.graph.view import Array
from ei_fast.network.layer import Function

# Samples whose positions are put in another order, and how much farther apart they are the second time.
_SAMPLES = 16
_BEYOND = 10.0
# What rounding may make of an output, as a share of the largest.
_ROUNDED = {"float64": 1e-9, "float32": 1e-4}


@dataclass(frozen=True)
class Positions:
    """Where the positions of a sample are.

    Attributes
    ----------
    shape : tuple of int
        Of the positions.
    channels_first : bool
        Whether what stands at one of them lies along the first axis of a sample, or along the last.
    """

    shape: tuple[int, ...]
    channels_first: bool

    @property
    def number(self) -> int:
        return prod(self.shape)

    def apart(self, samples: Array) -> Array:
        """One row for each position of each of the samples, which are flat."""
        if not self.channels_first:
            return samples.reshape(len(samples) * self.number, -1)
        return np.moveaxis(samples.reshape(len(samples), -1, self.number), 1, 2).reshape(len(samples) * self.number, -1)

    def together(self, rows: Array) -> Array:
        """The samples, flat, whose positions these rows are."""
        n_samples = len(rows) // self.number
        samples = rows.reshape(n_samples, self.number, -1)
        return (np.moveaxis(samples, 2, 1) if self.channels_first else samples).reshape(n_samples, -1)


@dataclass
class AtOnePlace:
    """The map of one position, by the map of whole samples that does it at all of them."""

    whole: Callable[[Array], Any]
    positions: Positions

    def __call__(self, x: Array) -> Array:
        # What is missing of the last sample is filled up with its last position.
        missing = -len(x) % self.positions.number
        rows = np.concatenate([x, np.repeat(x[-1:], missing, axis=0)]) if missing else x
        return self.positions.apart(np.asarray(self.whole(self.positions.together(rows))))[: len(x)]


def block_of(
    function: Function,
    shapes: tuple[Sequence[int], Sequence[int]],
    seen: tuple[float, float],
    arithmetic: str,
    images_first: bool,
) -> Block:
    """A part of a model as a block: of one position, where it maps each position of a sample by itself and alike.

    Parameters
    ----------
    function : Function
        The part, as the map of whole samples.
    shapes : (tuple of int, tuple of int)
        Of a sample of what it reads, and of what it writes.
    seen : (float, float)
        From where to where the numbers are that it was seen to read.
    arithmetic : str
        In which it computes.
    images_first : bool
        Whether images have their channels first.
    """
    for positions in _candidates(tuple(shapes[0]), tuple(shapes[1]), images_first):
        if _is_each(function, positions, seen, _ROUNDED.get(arithmetic, 0.0)):
            n_in, n_out = function.n_in // positions.number, function.n_out // positions.number
            patch = (n_in, *(1 for _ in positions.shape)) if positions.channels_first else None
            fn = AtOnePlace(function.fn, positions)
            axis = -len(shapes[0]) if positions.channels_first else -1
            return Block(replace(function, fn=fn, n_in=n_in, n_out=n_out, patch=patch), axis)
    return Block(function)


def _candidates(read: tuple[int, ...], written: tuple[int, ...], images_first: bool) -> Iterator[Positions]:
    """Where the positions may be, the likeliest first."""
    last = Positions(read[:-1], channels_first=False)
    first = Positions(read[1:], channels_first=True)
    # Of a sample (time, width) what stands at one time is along the last axis.
    several = [last] if len(read) < 3 else [first, last] if images_first else [last, first]
    for positions in several:
        same = read[1:] == written[1:] if positions.channels_first else read[:-1] == written[:-1]
        if len(read) == len(written) > 1 and same and positions.number > 1:
            yield positions


def _is_each(function: Function, positions: Positions, seen: tuple[float, float], rounded: float) -> bool:
    """Whether a map gives each position what it gives it among others, and in another place."""
    rng = np.random.default_rng(0)
    middle, half = 0.5 * (seen[0] + seen[1]), max(0.5 * (seen[1] - seen[0]), 1e-3)
    width = function.n_in // positions.number
    order = rng.permutation(_SAMPLES * positions.number)
    try:
        for far in (half, _BEYOND * half):
            rows = rng.uniform(middle - far, middle + far, (len(order), width))
            made, again = (
                positions.apart(np.asarray(function.fn(positions.together(these)))) for these in (rows, rows[order])
            )
            allowed = rounded * np.max(np.abs(made[np.isfinite(made)]), initial=0.0)
            with np.errstate(invalid="ignore"):
                if not np.allclose(made[order], again, rtol=0.0, atol=allowed, equal_nan=True):
                    return False
    except Exception:
        # Whatever it raises, it is not for any order of positions.
        return False
    return True
