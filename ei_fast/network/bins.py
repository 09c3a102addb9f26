"""The rule by which values fall into bins, the same everywhere: comparison with a table of edges.

Bin k of [low, high] holds edges[k] <= v < edges[k + 1]. The value high belongs to the last bin, and under clipping
values outside belong to the outermost bins.
"""

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.validation import as_float

Range = tuple[float, float]
Ranges = Range | tuple[Range, ...]
"""One range for all neurons of a layer, or one for each of them."""

_LARGE = 2.0**960

MAX_BINS = 32_768
"""Most bins of a neuron: indices are kept in 16 bits, with room for the code of values outside the range."""


def bin_edges(limits: Range, bins: int) -> NDArray[np.float64]:
    """Edges of `bins` equal bins over `limits`, shape (bins + 1,).

    An edge is (low * (bins - k) + high * k) / bins: correctly rounded on (0, 1), and mirrored exactly
    on a range symmetric about 0.
    """
    low, high = limits
    k = np.arange(bins + 1, dtype=np.float64)
    # Products of the largest numbers would overflow.
    scale = 1.0 if max(abs(low), abs(high)) < _LARGE else 2.0**-64
    edges = (low * scale * (bins - k) + high * scale * k) / bins / scale
    edges[0], edges[-1] = low, high
    return edges


def bin_index(values: ArrayLike, edges: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Bin index of each value, clipped into the outermost bins; same shape as `values`."""
    return np.searchsorted(edges[1:-1], values, side="right").astype(np.uint16)


def ends_of(limits: Ranges | NDArray[np.float64], n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper end of the range of each of n neurons, (n,) each."""
    if isinstance(limits, tuple) and not is_each(limits):
        low, high = limits
        return np.full(n, low), np.full(n, high)
    ends = np.array(limits, dtype=np.float64)
    return ends[:, 0].copy(), ends[:, 1].copy()


def edges_of_each(limits: Ranges, bins: int) -> NDArray[np.float64]:
    """Edges of the bins of each neuron, (n, bins + 1); or (1, bins + 1) where all neurons have the same range."""
    ranges: tuple[Range, ...] = limits if is_each(limits) else (limits,)  # type: ignore[assignment]
    return np.array([bin_edges(of_neuron, bins) for of_neuron in ranges])


def index_of_each(values: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Bin index of each value of the neurons, (m, n), whose edges are as of `edges_of_each`."""
    if len(edges) == 1:
        return bin_index(values, edges[0])
    return np.stack([bin_index(values[:, j], own) for j, own in enumerate(edges)], axis=1)


def can_be_divided(limits: Ranges, bins: int) -> bool:
    """Whether the edges of so many bins differ after rounding."""
    if not is_each(limits):
        low, high = limits
        if high - low > 1e-9 * max(abs(low), abs(high)) and high - low > 1e-300:  # type: ignore[operator, arg-type]
            return True
    return bool((np.diff(edges_of_each(limits, bins), axis=1) > 0).all())


def is_each(limits: Ranges) -> bool:
    """Whether there is a range for each neuron, and not the same range for all."""
    return isinstance(limits[0], tuple)


def union(first: Ranges, second: Ranges) -> Ranges:
    """The smallest range that holds both; neuron by neuron where there is a range for each in both."""
    if is_each(first) != is_each(second):
        return union(hull_of(first), hull_of(second))
    if is_each(first):
        return tuple(union(a, b) for a, b in zip(first, second, strict=True))  # type: ignore[arg-type, misc]
    return min(first[0], second[0]), max(first[1], second[1])  # type: ignore[return-value]


def ranges_from(values: Any) -> Any:
    """Ranges, or ranges of layers, as tuples, from the nested lists of a file."""
    return tuple(map(ranges_from, values)) if isinstance(values, (list, tuple)) else float(values)


def hull_of(limits: Ranges) -> Range:
    """The smallest range that holds the ranges of all neurons."""
    if not is_each(limits):
        return limits  # type: ignore[return-value]
    ends = np.reshape(limits, (-1, 2))
    return float(ends[:, 0].min()), float(ends[:, 1].max())


def widened(low: float, high: float) -> Range:
    """The range; or a wider one around its middle, where it is no wider than rounding errors."""
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        middle = 0.5 * (low + high)
        half = max(0.5, 1e-9 * abs(middle))
        return middle - half, middle + half
    return low, high


def check_range(limits: Any, name: str, owner: str) -> Range:
    """Return `limits` as two floats with low < high; TypeError or ValueError where they are not."""
    rule = f"The {name!r} parameter of {owner} must be two finite numbers (low, high) with low < high"
    try:
        low, high = limits
        numbers = isinstance(low, Real) and isinstance(high, Real)
    except (TypeError, ValueError):
        numbers = False
    if not numbers:
        raise TypeError(f"{rule}. Got {limits!r} instead.")
    low, high = as_float(low), as_float(high)
    if not (np.isfinite(low) and np.isfinite(high) and low < high and np.isfinite(high - low)):
        hint = " Swap the two ends." if low > high else ""
        if low < high and np.isfinite(low) and np.isfinite(high):
            hint = " Its width is more than the largest number that a float holds: give a range half as wide."
        raise ValueError(f"{rule}. Got {limits!r} instead.{hint}")
    if not np.all(np.diff(bin_edges((low, high), 2)) > 0):
        raise ValueError(f"{rule}, far enough apart to be divided. Got {limits!r} instead.")
    return low, high


def check_ranges(limits: Any, n: int, name: str, owner: str) -> Ranges:
    """Return `limits` as a range, or as a tuple of one for each of n neurons; TypeError or ValueError otherwise.

    A single pair of numbers is one range for all of them.
    """
    pairs = _pairs_in(limits)
    if pairs is None:
        return check_range(limits, name, owner)
    if len(pairs) != n:
        raise ValueError(
            f"The {name!r} parameter of {owner} must be one pair (low, high), or a sequence of {n} such pairs, one for "
            f"each neuron. Got {len(pairs)} pairs instead. Give one for each."
        )
    return tuple(check_range(pair, f"{name}[{k}]", owner) for k, pair in enumerate(pairs))


def _pairs_in(limits: Any) -> list[Any] | None:
    """The ranges of the neurons, where there is one for each; None where it is one for all, or nothing of the kind."""
    if not isinstance(limits, (tuple, list, np.ndarray)) or not len(limits):
        return None
    pairs = list(limits)
    return pairs if isinstance(pairs[0], (tuple, list, np.ndarray)) else None


def check_bins(bins: Any, owner: str) -> tuple[int, int]:
    """Return `bins`, an integer or (in_bins, out_bins), as a pair; TypeError or ValueError where it is neither."""
    rule = f"The 'bins' parameter of {owner} must be an integer from 2 to {MAX_BINS}, or two: (in_bins, out_bins)"
    pair = tuple(bins) if isinstance(bins, (tuple, list, np.ndarray)) else (bins, bins)
    if len(pair) != 2 or not all(isinstance(b, Integral) and not isinstance(b, (bool, np.bool_)) for b in pair):
        raise TypeError(f"{rule}. Got {bins!r} instead.")
    in_bins, out_bins = int(pair[0]), int(pair[1])
    if not (min(in_bins, out_bins) >= 2 and max(in_bins, out_bins) <= MAX_BINS):
        raise ValueError(f"{rule}: one bin carries no information. Got {bins!r} instead.")
    return in_bins, out_bins
