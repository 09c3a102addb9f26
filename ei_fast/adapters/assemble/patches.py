"""Where a convolution is: of the windows that lie wholly inside what it reads, what they see."""

from collections.abc import Sequence
from math import prod

import numpy as np

from ei_fast.adapters.graph import Places, Window, spread

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
