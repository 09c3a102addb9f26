"""Sensitivity and EI_parts of a dense layer whose inputs are drawn from histograms, exactly."""

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.histogram_sums import edge_cdfs
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.entropies import entropies_of

Array = NDArray[np.float64]


def parts_into(binned: BinnedLayer, output: int, weight: Array) -> Array:
    """I(X_i; Y_j) in bits of the edges from all inputs into one output j, (n_in,), with every input drawn.

    An edge of weight 0 has exactly 0 bits, whether or not anything is kept.
    """
    assert binned.histograms is not None
    low, high = binned.span
    found = np.zeros(len(weight))
    given, order = binned.histograms.contributions(weight, (high - low) / binned.in_bins)
    if len(order):
        centre = binned.bias[output] + 0.5 * (low + high) * weight.sum()
        cdfs = edge_cdfs(given, binned.steps.breaks_of(output) - centre, len(order))
        found[order] = _information(binned, output, cdfs, given.probabilities)
    return found


def sensitivity_into(binned: BinnedLayer, output: int, weight: Array) -> Array:
    """I(X_i; Y_j) in bits of the edges from all inputs into one output j, (n_in,), with only x_i drawn.

    The others are at the baseline. NaN where nothing is kept.
    """
    assert binned.histograms is not None
    breaks, edges = binned.steps.breaks_of(output), binned.in_edges
    constants = binned.bias[output] + (np.cumsum(binned.baselines * weight)[-1] - binned.baselines * weight)
    ends = weight[:, None] * edges + constants[:, None]
    low, high = np.minimum(ends[:, :-1], ends[:, 1:])[..., None], np.maximum(ends[:, :-1], ends[:, 1:])[..., None]
    # Where a weight is 0 a breakpoint belongs to the interval above it.
    moves, width = high > low, np.where(high > low, high - low, 1.0)
    cdfs = np.where(moves, np.clip((breaks - low) / width, 0.0, 1.0), low < breaks)
    return _information(binned, output, cdfs, binned.histograms.probabilities)


def _information(binned: BinnedLayer, output: int, cdfs: Array, probabilities: Array) -> Array:
    """Information (n,) in bits from CDFs (n, bins, K) at an output's breakpoints given an input's bin; NaN of nothing.

    Weights of what is dropped are left out, and the others made to add up to 1.
    """
    codes, n_codes = binned.steps.codes_of(output), binned.steps.n_bins + 1
    pieces = np.maximum(np.diff(np.maximum.accumulate(cdfs, axis=2), axis=2, prepend=0.0, append=1.0), 0.0)
    tables = np.zeros((*cdfs.shape[:2], n_codes))
    for k, code in enumerate(codes):
        tables[:, :, code] += pieces[:, :, k]
    tables *= probabilities[:, :, None]
    tables[:, :, binned.steps.outside] = 0.0
    kept = tables.sum(axis=(1, 2))
    of_inputs, of_outputs = tables.sum(axis=2), tables.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = (_surprise(of_inputs) + _surprise(of_outputs) - _surprise(tables)) / kept + np.log2(kept)
    # With a single code the information is exactly 0, whatever rounding has left.
    n_met = np.count_nonzero(of_outputs > 0, axis=1)
    return np.where(kept > 0, np.where(n_met > 1, np.maximum(bits, 0.0), 0.0), np.nan)


def _surprise(weights: Array) -> Array:
    """-sum of w log2 w over all axes but the first."""
    return entropies_of(weights.reshape(len(weights), -1))
