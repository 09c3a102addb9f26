"""Mutual information of two sample vectors."""

from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.kernels.histograms import add_to_histograms, histogram_information
from ei_fast.kernels.keys import NEVER
from ei_fast.measures.constants import TABLE_OF_COUNTS
from ei_fast.measures.counting.estimators import estimator_named
from ei_fast.network.bins import Range, check_bins
from ei_fast.network.vectors import as_vector, codes_of, two_ranges
from ei_fast.parameters import CONSTRAINTS, OutOfRange
from ei_fast.validation import as_numpy_ships

_OWNER = "mutual_information"
HistogramEstimator = Literal["plugin", "miller-madow", "grassberger", "chao-shen"]
_ESTIMATORS = get_args(HistogramEstimator)


@as_numpy_ships
def mutual_information(
    x: ArrayLike,
    y: ArrayLike,
    bins: int | tuple[int, int] = 8,
    range: tuple[Range, Range] | None = None,
    entropy: HistogramEstimator = "plugin",
    *,
    out_of_range: OutOfRange = "clip",
) -> float:
    """Estimate the mutual information of two sample vectors, from their joint histogram.

    Parameters
    ----------
    x, y : array-like (n,)
        Paired samples, real and finite.
    bins : int or (int, int), default 8
        Number of equal bins over the range of each vector, or one number for x and one for y.
    range : ((float, float), (float, float)), optional
        Ranges of x and of y: from the smallest to the largest value where not given.
    entropy : "plugin", "miller-madow", "grassberger" or "chao-shen", default "plugin"
        Estimator of the three entropies. With all but the first the result may be below 0.
    out_of_range : "clip" or "drop", default "clip"
        Whether values outside `range` are counted in the outermost bins, or their pairs are left out.

    Returns
    -------
    float
        I(X; Y) in bits.

    Raises
    ------
    TypeError, ValueError
        The message names the parameter, the rule and the value.

    Notes
    -----
    I(X; Y) = H(X) + H(Y) - H(X, Y), each entropy of the binned samples (Shannon 1948).

    Examples
    --------
    >>> import ei_fast as ef
    >>> ef.mutual_information([0, 0, 1, 1], [0, 1, 2, 3], bins=(2, 4))
    1.0
    >>> ef.mutual_information([0, 0, 1, 1, 9], [0, 0, 1, 1, 0], 2, ((0, 1), (0, 1)), out_of_range="drop")
    1.0
    """
    vectors = [as_vector(values, name, _OWNER) for name, values in (("x", x), ("y", y))]
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
    CONSTRAINTS["out_of_range"].checked("out_of_range", out_of_range, _OWNER)
    n_bins = check_bins(bins, _OWNER)
    ranges = [None, None] if range is None else two_ranges(range, _OWNER)
    codes = [codes_of(*given, _OWNER) for given in zip(vectors, ranges, n_bins, strict=True)]
    if out_of_range == "drop":
        kept = _inside(vectors, ranges)
        codes = [code[kept] for code in codes]
    histogram = np.zeros((1, 1, *n_bins), np.int32)
    add_to_histograms(codes[0][None], codes[1][None], NEVER, histogram)
    tables = estimator_named(entropy).histogram_tables(TABLE_OF_COUNTS)
    bits = float(histogram_information(histogram[0, 0], *tables)[0])
    return max(bits, 0.0) if entropy == "plugin" else bits


def _inside(vectors: list[NDArray[Any]], ranges: list[Any]) -> NDArray[np.bool_]:
    """Which pairs lie inside both ranges, their ends included.

    Raises
    ------
    ValueError
        Where none does.
    """
    kept = np.ones(len(vectors[0]), np.bool_)
    for vector, limits in zip(vectors, ranges, strict=True):
        if limits is not None:
            kept &= np.asarray((vector >= limits[0]) & (vector <= limits[1]), np.bool_)
    if not kept.any():
        raise ValueError(
            f"The 'range' parameter of {_OWNER} must hold at least one pair with out_of_range='drop'. Got {ranges}, "
            "which holds none. Give wider ranges, or out_of_range='clip'."
        )
    return kept
