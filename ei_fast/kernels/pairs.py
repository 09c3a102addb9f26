"""Counting samples by the state of the outputs and the bin of one input."""

import numpy as np

from ei_fast.kernels.jit import jit


@jit
def count_pairs(states, codes, bins, counts):
    """Count samples into a table of every state of the outputs with every bin of an input.

    Parameters
    ----------
    states : (n,) int32
        Number of the state of each sample.
    codes : (n,) uint16
        Bin of the input in each sample.
    bins : int
        Number of these bins.
    counts : (n_states * bins,) int32, added to
        Of state k with bin b at k * bins + b.
    """
    for t in range(states.shape[0]):
        counts[np.int64(states[t]) * bins + codes[t]] += 1


@jit
def pair_sums(counts, bins, digamma_table, of_bins, out):
    """Write what entropies of the pairs and of the input's bins are made of.

    Parameters
    ----------
    counts : (n_states * bins,) int32
        As of `count_pairs`.
    bins : int
    digamma_table : (any,) float64
        digamma(c) / ln 2 for c = 0, 1, ...; beyond it the asymptotic series, exact to rounding from c = 1000 on.
    of_bins : (bins,) int64, output
        How often the input was in each bin.
    out : (6,) float64, output
        Number of points; of pairs met; of pairs met once, twice and thrice; and the sum over pairs of
        c digamma(c) / ln 2.
    """
    of_bins[:] = 0
    out[:] = 0.0
    for first in range(0, counts.shape[0], bins):
        for b in range(bins):
            c = np.int64(counts[first + b])
            if c == 0:
                continue
            of_bins[b] += c
            out[0] += c
            out[1] += 1
            if c <= 3:
                out[1 + c] += 1
            if c < digamma_table.shape[0]:
                out[5] += c * digamma_table[c]
            else:
                out[5] += c * (np.log(c) - 0.5 / c - 1 / (12.0 * c * c)) / np.log(2.0)
