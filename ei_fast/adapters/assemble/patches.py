"""Where a convolution is: of the windows that lie wholly inside what it reads, what they see."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from math import prod

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.graph import Conv, Places, Window, spread

MAX_GATHERED = 2**22
"""Numbers that the verification of a layer gathers."""


def patches(places: Places, window: Window, extent: Sequence[int]) -> tuple[Places, Places]:
    """Of the windows that lie wholly inside the values at `places` (channels, ...), what they see and which they are.

    Returns
    -------
    inputs : ndarray of int (m, n_in)
    which : ndarray of int (m,)
        Their numbers among all windows.
    """
    along = window.coordinates(extent)
    inner = [np.flatnonzero(((at >= 0) & (at < n)).all(axis=1)) for at, n in zip(along, places.shape[1:], strict=True)]
    counts = [len(which) for which in inner]
    n_in = places.shape[0] * prod(window.size)
    if 0 in counts:
        return np.empty((0, n_in), dtype=np.intp), np.empty(0, dtype=np.intp)
    most = max(64, MAX_GATHERED // n_in)
    some = spread(prod(counts), most)
    which = [one[k] for one, k in zip(inner, np.unravel_index(some, counts), strict=True)]
    # (m, channels, size, ...): each axis of the window along an axis of its own.
    grid = [
        np.expand_dims(at[k], tuple(d for d in range(1, len(along) + 2) if d != axis + 2))
        for axis, (at, k) in enumerate(zip(along, which, strict=True))
    ]
    channels = np.arange(len(places)).reshape(-1, *(1 for _ in along))
    inputs = places[(channels, *grid)].reshape(len(some), n_in)
    inside = (inputs >= 0).all(axis=1)
    return inputs[inside], np.ravel_multi_index(which, tuple(extent))[inside]


def border_patch(start: Conv, places: Places, extent: Sequence[int]) -> tuple[Conv, Places, Places] | None:
    """Of the windows that reach beyond the values at `places`, or into padding, the one of which most is inside.

    What is outside is 0 and no input: its weights are left out.

    Returns
    -------
    start : Conv
        The map from what is inside.
    inputs : ndarray of int (1, n_in)
    which : ndarray of int (1,)
        Its number among all windows.
    """
    inside = _inside(places, start.window.coordinates(extent))
    if inside is None or not all(of_axis.size and of_axis.any() for of_axis in inside):
        return None
    which = [_fullest(of_axis.sum(axis=1)) for of_axis in inside]
    kept = [np.flatnonzero(of_axis[k]) for of_axis, k in zip(inside, which, strict=True)]
    along = [at[k][of] for at, k, of in zip(start.window.coordinates(extent), which, kept, strict=True)]
    channels = np.arange(len(places))
    of_group = np.arange(len(places) // start.groups)
    rows = np.arange(len(start.weight)).reshape(len(of_group), *start.window.size)[np.ix_(of_group, *kept)]
    window = replace(start.window, size=tuple(len(of_axis) for of_axis in kept))
    border = replace(start, weight=start.weight[rows.reshape(-1)], window=window)
    number = np.ravel_multi_index(which, tuple(extent))
    return border, places[np.ix_(channels, *along)].reshape(1, -1), np.array([number], dtype=np.intp)


def _fullest(numbers: NDArray[np.intp]) -> int:
    """The place of the largest of some numbers; where that is several times, the one in the middle."""
    places = np.flatnonzero(numbers == numbers.max())
    return int(places[(len(places) - 1) // 2])


def _inside(places: Places, along: Sequence[Places]) -> list[NDArray[np.bool_]] | None:
    """Along each axis, (windows, size): what of the windows is neither beyond the values nor padding.

    None where what is padded is no margin.
    """
    real = places >= 0
    lines: list[NDArray[np.bool_]]
    lines = [np.asarray(real.any(axis=tuple(d for d in range(real.ndim) if d != axis))) for axis in range(real.ndim)]
    box = reduce(np.logical_and.outer, lines)
    if not lines[0].all() or not np.array_equal(real, box):
        return None
    return [
        (at >= 0) & (at < len(line)) & line[np.clip(at, 0, len(line) - 1)]
        for at, line in zip(along, lines[1:], strict=True)
    ]
