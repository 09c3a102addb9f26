"""Samples of the inputs of a layer: checked, and in their bins."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.network.bins import Ranges, edges_of_each, ends_of, index_of_each
from ei_fast.validation import as_numbers


def as_samples(values: Any, owner: str, n_in: int | None = None) -> NDArray[np.float64]:
    """Samples as an array (rows, n_in) of float64.

    Raises
    ------
    TypeError, ValueError
        Where they are no such array of finite numbers.
    """
    columns = "a column for each input" if n_in is None else f"a column for each of {n_in} inputs"
    rule = f"The 'samples' parameter of {owner} must be an array of finite numbers with a row a sample and {columns}"
    samples = as_numbers(values, rule)
    if samples.ndim != 2 or not samples.size or (n_in is not None and samples.shape[1] != n_in):
        raise ValueError(
            f"{rule}. Got shape {samples.shape} instead. Reshape activations of several axes to two, and transpose "
            "what has a column a sample."
        )
    samples = samples.astype(np.float64)
    if not np.isfinite(samples).all():
        row, i = np.argwhere(~np.isfinite(samples))[0]
        raise ValueError(f"{rule}. Got {samples[row, i]} in row {row}, column {i} instead. Leave such rows out.")
    return samples


def codes_of_samples(samples: NDArray[np.float64], in_range: Ranges, bins: int, owner: str) -> NDArray[np.int32]:
    """Bins (rows, n_in) of samples; ValueError where one is outside the range of its input."""
    low, high = ends_of(in_range, samples.shape[1])
    outside = (samples < low) | (samples > high)
    if outside.any():
        row, i = np.argwhere(outside)[0]
        raise ValueError(
            f"The 'in_range' parameter of {owner} must hold all samples. Got {(float(low[i]), float(high[i]))} for "
            f"input {i}, and {samples[row, i]} in row {row}: {int(outside.any(axis=1).sum())} of {len(samples)} rows "
            f"have such. Give in_range={_holding(samples)} here, and where the layer is measured; or clip the samples."
        )
    return index_of_each(samples, edges_of_each(in_range, bins)).astype(np.int32)


def _holding(samples: NDArray[np.float64]) -> tuple[float, float]:
    """The smallest range that holds all samples; a wider one of samples that are all the same."""
    low, high = float(samples.min()), float(samples.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)


def probabilities_of_codes(codes: NDArray[np.int32], bins: int) -> NDArray[np.float64]:
    """Share (n_in, bins) of the samples that is in each bin of every input."""
    counts = np.stack([np.bincount(of_input, minlength=bins) for of_input in codes.T])
    shares: NDArray[np.float64] = counts / len(codes)
    return shares
