"""Vectors of samples and the bins of their values, without losing what a float64 cannot hold where they stand."""

from math import ceil, floor
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.network.bins import Range, bin_edges, bin_index, check_range
from ei_fast.validation import check_unmasked, without_gradient

_LARGEST = int(np.finfo(np.float64).max)
_NARROW = 2.0**-30
"""Of the largest value: where a range is narrower, edges of bins would be rounded by much."""


def as_vector(values: ArrayLike, name: str, owner: str) -> NDArray[Any]:
    """A vector of finite numbers: float64, or integers or longer floats as they are, which `codes_of` moves first."""
    rule = f"The {name!r} parameter of {owner} must be a vector of real, finite numbers"
    check_unmasked(values, rule)
    try:
        vector = np.asarray(without_gradient(values))
    # The last is what PyTorch raises for tensors that hold no values.
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise TypeError(f"{rule}. Got {type(values).__name__} instead: {error}.") from None
    if isinstance(values, (list, tuple)) or vector.dtype.kind == "O":
        vector = _as_integers(values, vector)
    if vector.dtype.kind not in "fiub" and not _is_of_integers(vector):
        raise TypeError(f"{rule}. Got {type(values).__name__} of {vector.dtype} instead.")
    if vector.ndim != 1 or not vector.size:
        raise ValueError(f"{rule}, at least one. Got shape {vector.shape} instead.")
    if vector.dtype.kind == "f" and not np.isfinite(vector).all():
        at = int(np.flatnonzero(~np.isfinite(vector))[0])
        raise ValueError(f"{rule}. Got {vector[at]} at index {at} instead.")
    if vector.dtype.kind == "O" and max(abs(one) for one in vector) > _LARGEST:
        at = next(k for k, one in enumerate(vector) if abs(one) > _LARGEST)
        raise ValueError(f"{rule}. Got an integer at index {at} that is larger than any float instead: scale it down.")
    # What a float64 does not hold is shifted before it is made one.
    is_wide = vector.dtype.kind == "O" or vector.dtype.itemsize > (8 if vector.dtype.kind == "f" else 4)
    return vector if is_wide else vector.astype(np.float64)


def _as_integers(values: Any, vector: NDArray[Any]) -> NDArray[Any]:
    """Python's integers as they are, where NumPy has no type for all of them and would round them."""
    if vector.ndim != 1 or vector.dtype.kind not in "fO" or not all(isinstance(one, Integral) for one in values):
        return vector
    found = np.empty(len(vector), object)
    found[:] = [int(one) for one in values]
    return found


def _is_of_integers(vector: NDArray[Any]) -> bool:
    return vector.dtype.kind == "O" and all(isinstance(one, int) for one in vector.flat)


def two_ranges(ranges: Any, owner: str) -> list[Any]:
    """The two that a pair of ranges is made of."""
    try:
        of_x, of_y = ranges
        if len(of_x) == len(of_y) == 2:
            return [of_x, of_y]
    except (TypeError, ValueError):
        pass
    # Of one range for both nothing is to be said of its ends, which may be right.
    raise TypeError(
        f"The 'range' parameter of {owner} must be ((low, high), (low, high)), of x and of y. Got {ranges!r} instead."
    )


def codes_of(values: NDArray[Any], limits: Any, bins: int, owner: str) -> NDArray[np.uint16]:
    """The bin of every value, over limits or from the smallest to the largest of them."""
    if limits is None:
        low, high = values.min(), values.max()
        if low == high:
            # A single value falls into a single bin, whatever the range around it.
            return np.zeros(len(values), np.uint16)
    else:
        low, high = _ends(limits, values.dtype, owner)
    values, (low, high) = _near_zero(values, low, high)
    edges = bin_edges((low, high), bins)
    if not np.all(np.diff(edges) > 0):
        raise ValueError(
            f"The 'bins' parameter of {owner} must be no more than can be told apart. Got {bins} over "
            f"a range of width {high - low} instead."
        )
    return bin_index(values, edges)


def _ends(limits: Any, dtype: np.dtype, owner: str) -> tuple[Any, Any]:
    """Ends of a range that was given, checked; integers where those would be rounded as floats."""
    try:
        low, high = limits
        whole = isinstance(low, Real) and isinstance(high, Real) and _is_whole(low) and _is_whole(high)
    # Infinities and NaN are no integers.
    except (TypeError, ValueError, OverflowError):
        whole = False
    if whole and dtype.kind in "iuO" and 0 < int(high) - int(low) < 2**1023 and max(abs(low), abs(high)) > 2**53:
        return int(low), int(high)
    return check_range(limits, "range", owner)


def _is_whole(number: Any) -> bool:
    return bool(int(number) == number)


def _near_zero(values: NDArray[Any], low: Any, high: Any) -> tuple[NDArray[np.float64], Range]:
    """Values and the ends of their range, moved and scaled so that no bin is lost by rounding or by overflow.

    Moving by the lower end is exact where it is done.
    """
    if values.dtype != np.float64:
        if values.dtype.kind == "f":
            moved = np.clip(values, low, high) - values.dtype.type(low)
            return moved.astype(np.float64), (0.0, float(values.dtype.type(high) - values.dtype.type(low)))
        if max(abs(int(low)), abs(int(high)), abs(int(values.min())), abs(int(values.max()))) <= 2**53:
            return values.astype(np.float64), (float(low), float(high))
        # NumPy's integers are made floats by floor.
        low, high = (
            int(end) if isinstance(end, Integral) else rounded(end) for end, rounded in ((low, floor), (high, ceil))
        )
        # A range wider than floats go is made narrower, with all in it.
        shift = max((high - low).bit_length() - 1000, 0)
        moved = [float((min(max(int(one), low), high) - low) >> shift) for one in values]
        return np.array(moved), (0.0, float((high - low) >> shift))
    low, high = float(low), float(high)
    size = max(abs(low), abs(high))
    if high * 0.25 - low * 0.25 > np.finfo(float).max * 0.25:
        # The width of the range overflows.
        return values * 0.25, (low * 0.25, high * 0.25)
    if high - low < size * _NARROW:
        values, low, high = np.clip(values, low, high) - low, 0.0, high - low
    return values, (low, high)
