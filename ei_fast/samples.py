"""Mutual information of two sample vectors."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.kernels.histograms import add_to_histograms, histogram_information
from ei_fast.kernels.keys import NEVER
from ei_fast.measures.entropy import estimator_named
from ei_fast.network.bins import Range, bin_edges, bin_index, check_bins, check_range
from ei_fast.network.numbers import as_numpy_ships, check_unmasked

_OWNER = "mutual_information"
_ESTIMATORS = ("plugin", "miller-madow", "grassberger", "chao-shen")


@as_numpy_ships
def mutual_information(
    x: ArrayLike,
    y: ArrayLike,
    bins: int | tuple[int, int] = 8,
    range: tuple[Range, Range] | None = None,
    entropy: str = "plugin",
) -> float:
    """I(X; Y) in bits of two sample vectors, from their joint histogram.

    Parameters
    ----------
    x, y : array-like (n,)
        Real and finite.
    bins : int or (int, int), default 8
        Equal bins over the range of each.
    range : ((float, float), (float, float)), optional
        Ranges of x and of y: from the smallest to the largest value where not given. Values outside belong to
        the outermost bins.
    entropy : str, default "plugin"
        Estimator of the three entropies: "plugin", "miller-madow", "grassberger" or "chao-shen". All but the
        first may come out below 0.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        Naming the parameter, the rule and the value.

    Examples
    --------
    >>> import ei_fast as ef
    >>> ef.mutual_information([0, 0, 1, 1], [0, 1, 2, 3], bins=(2, 4))
    1.0
    """
    vectors = [_vector(values, name) for name, values in (("x", x), ("y", y))]
    if len(vectors[0]) != len(vectors[1]):
        raise ValueError(
            f"The 'x' and 'y' parameters of {_OWNER} must be of one length. "
            f"Got {len(vectors[0])} and {len(vectors[1])} instead."
        )
    if not isinstance(entropy, str) or entropy not in _ESTIMATORS:
        raise ValueError(
            f"The 'entropy' parameter of {_OWNER} must be one of {', '.join(map(repr, _ESTIMATORS))}. "
            f"Got {entropy!r} instead."
        )
    n_bins = check_bins(bins, _OWNER)
    ranges = [None, None] if range is None else _two_ranges(range)
    codes = [_codes(*one) for one in zip(vectors, ranges, n_bins, strict=True)]
    histogram = np.zeros((1, 1, *n_bins), np.int32)
    add_to_histograms(codes[0][None], codes[1][None], NEVER, histogram)
    estimator = estimator_named(entropy)
    parity = int(entropy == "grassberger")
    bits, _, _ = histogram_information(
        histogram[0, 0], estimator.weights(4096), parity, estimator.addend, estimator.chao_shen
    )
    return max(bits, 0.0) if entropy == "plugin" else bits


def _vector(values: ArrayLike, name: str) -> NDArray[np.float64]:
    rule = f"The {name!r} parameter of {_OWNER} must be a vector of real, finite numbers"
    check_unmasked(values, rule)
    try:
        vector = np.asarray(values)
        if vector.dtype.kind not in "fiub":
            raise TypeError
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{rule}. Got {type(values).__name__} instead.") from None
    if vector.ndim != 1 or not vector.size:
        raise ValueError(f"{rule}, at least one. Got shape {vector.shape} instead.")
    vector = vector.astype(np.float64)
    if not np.isfinite(vector).all():
        at = int(np.flatnonzero(~np.isfinite(vector))[0])
        raise ValueError(f"{rule}. Got {vector[at]} at index {at} instead.")
    return vector


def _two_ranges(ranges: Any) -> list[Range]:
    try:
        of_x, of_y = ranges
    except (TypeError, ValueError):
        raise TypeError(
            f"The 'range' parameter of {_OWNER} must be ((low, high), (low, high)), of x and of y. "
            f"Got {ranges!r} instead."
        ) from None
    return [check_range(of_x, "range", _OWNER), check_range(of_y, "range", _OWNER)]


def _codes(values: NDArray[np.float64], limits: Range | None, bins: int) -> NDArray[np.uint16]:
    if limits is None and values.max() * 0.25 - values.min() * 0.25 > np.finfo(float).max * 0.25:
        # From end to end it is more than the largest number.
        values = values * 0.25
    edges = bin_edges(_own_range(values) if limits is None else limits, bins)
    if not np.all(np.diff(edges) > 0):
        raise ValueError(
            f"The 'bins' parameter of {_OWNER} must be no more than can be told apart. Got {bins} over "
            f"{(float(edges[0]), float(edges[-1]))} instead."
        )
    return bin_index(values, edges)


def _own_range(values: NDArray[np.float64]) -> Range:
    low, high = float(values.min()), float(values.max())
    # One value alone falls into one bin, wherever the range is laid around it.
    return (low, high) if low < high else (low - 0.5, high + 0.5)
