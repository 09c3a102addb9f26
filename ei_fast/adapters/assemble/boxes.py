"""Blocks of convolutions: the map from the box that one place of their output sees to that place."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.graph import Block, Window
from ei_fast.adapters.graph.view import Array
from ei_fast.network.layer import Function


@dataclass
class AtOneBox:
    """The map of one box, by the map of whole images: it stands in an image that is 0 elsewhere.

    Attributes
    ----------
    shapes : (tuple of int, tuple of int)
        Of an image that is read, and of one that is written, channels first.
    box : tuple of slice
        Where the box is in the image that is read.
    place : tuple of int
        Where in the image that is written its outputs are.
    """

    whole: Callable[[Array], Any]
    shapes: tuple[tuple[int, ...], tuple[int, ...]]
    box: tuple[slice, ...]
    place: tuple[int, ...]

    def __call__(self, x: Array) -> Array:
        read, written = self.shapes
        images = np.zeros((len(x), *read))
        at: Any = (slice(None), slice(None), *self.box)
        images[at] = x.reshape(len(x), read[0], *(along.stop - along.start for along in self.box))
        made = np.asarray(self.whole(images.reshape(len(x), -1))).reshape(len(x), *written)
        return _at(made, self.place)


def of_one_box(block: Block, shapes: tuple[Sequence[int], Sequence[int]]) -> Block:
    """A block of whole images as that of one box, where one place of its output sees a box inside; else as it is.

    Parameters
    ----------
    shapes : (tuple of int, tuple of int)
        Of an image that is read, and of one that is written, channels first.
    """
    read, written = (tuple(shape) for shape in shapes)
    function = block.function
    if len(read) != len(written) or len(read) < 2 or function.n_in != prod(read) or function.patch is not None:
        return block
    place = tuple(n // 2 for n in written[1:])
    found = _box_seen(function, (read, written), place)
    if found is None:
        return block
    box, strides = found
    size = tuple(at.stop - at.start for at in box)
    before = tuple(k * step - at.start for k, step, at in zip(place, strides, box, strict=True))
    fn = AtOneBox(function.fn, (read, written), box, place)
    n_in, patch = read[0] * prod(size), (read[0], *size)
    one = replace(function, fn=fn, n_in=n_in, n_out=written[0], patch=patch)
    return replace(block, function=one, axis=-len(read), window=Window.over(size, strides, 1, before))


def _box_seen(
    function: Function, shapes: tuple[tuple[int, ...], tuple[int, ...]], place: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[int, ...]] | None:
    """The box that a place of the output sees, and how far apart those of neighbours are; None where it sees a border.

    What is no number spreads to all that depends on it.
    """
    read, written = shapes
    box: list[slice] = []
    strides: list[int] = []
    for axis, n in enumerate(read[1:]):
        images = np.zeros((n, *read))
        # In each of them one line across this axis.
        np.moveaxis(images, axis + 2, 1)[np.arange(n), np.arange(n)] = np.nan
        try:
            with np.errstate(all="ignore"):
                made = np.asarray(function.fn(images.reshape(n, -1))).reshape(n, *written)
        except Exception:
            # It takes no such numbers.
            return None
        neighbour = tuple(k - 1 if d == axis else k for d, k in enumerate(place))
        if place[axis] < 1:
            return None
        ends = [_ends(np.isnan(_at(made, k))) for k in (place, neighbour)]
        if ends[0] is None or ends[1] is None:
            return None
        (first, last), (before, behind) = ends[0], ends[1]
        step = first - before
        if before < 1 or not last < n - 1 or step < 1 or last - behind != step:
            return None
        box.append(slice(first, last + 1))
        strides.append(step)
    return tuple(box), tuple(strides)


def _at(images: Array, place: tuple[int, ...]) -> Array:
    """What stands at one place of each image, (images, channels)."""
    at: Any = (slice(None), slice(None), *place)
    result: Array = images[at]
    return result


def _ends(seen: NDArray[np.bool_]) -> tuple[int, int] | None:
    """First and last of the places that are seen; None where there are none."""
    places = np.flatnonzero(seen.any(axis=1))
    return (int(places[0]), int(places[-1])) if places.size else None
