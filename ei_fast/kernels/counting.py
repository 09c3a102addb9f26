"""Counting states: a small hash table for each input cell, sorted keys for a whole sample.

The entropy of n samples with counts c is heads[n] - sum(c * weights[c]) / n + addend * (states - 1) / n, both tables
in bits: log2 for plug-in and Miller-Madow, digamma for Zhang, a function near it for Grassberger; Chao and
Shen's estimator has a formula of its own. Dropped samples are not counted.
"""

import numpy as np

from ei_fast.kernels.dense import count_at_most
from ei_fast.kernels.jit import jit
from ei_fast.kernels.keys import DROPPED

_HASH = np.uint64(0x9E3779B97F4A7C15)

ENTROPY, ZHANG, PLUGIN, ONCE, TWICE, THRICE, KEPT = 0, 1, 2, 3, 4, 5, 6
"""Columns of what `cell_entropies` returns."""
N_COLUMNS = 7


@jit
def _count_row(row, slot_key, slot_counts, used):
    """Count the states of one row into an all-zero open-addressing table; return how many there are.

    used[:n] are the slots taken.
    """
    size = slot_key.shape[0]
    bits = 0
    while (1 << bits) < size:
        bits += 1
    down = np.uint64(64 - bits)
    n_used = 0
    for key in row:
        if key == DROPPED:
            continue
        slot = np.int64((key * _HASH) >> down)
        while slot_counts[slot] > 0 and slot_key[slot] != key:
            slot = (slot + 1) & (size - 1)
        if slot_counts[slot] == 0:
            slot_key[slot] = key
            used[n_used] = slot
            n_used += 1
        slot_counts[slot] += 1
    return n_used


@jit
def _is_one_state(row):
    for t in range(1, row.shape[0]):
        if row[t] != row[0]:
            return False
    return True


@jit
def _table_size(m):
    size = 4
    while size < 2 * m:
        size *= 2
    return size


@jit
def _chao_shen(counts, n, singles):
    """Chao & Shen 2003: probabilities shrunk by the coverage, each state weighed by its chance of being seen."""
    coverage = 1.0 - min(singles, n - 1) / n
    entropy = 0.0
    for c in counts:
        p = coverage * c / n
        entropy -= p * np.log2(p) / (1.0 - (1.0 - p) ** n)
    return entropy


@jit
def cell_entropies(keys, logs, digammas, heads, weights, addend, chao_shen, out):
    """Entropies in bits of each row of `keys` (r, m), and how many states were seen once, twice and thrice.

    Parameters
    ----------
    keys : (r, m) uint64
    logs, digammas, heads, weights : (m + 1,) float64
        log2 c, digamma(c) / ln 2, and the two tables of the estimator asked for; see above.
    addend : float
    chao_shen : bool
    out : (r, 7) float64, output
        The entropy by the estimator asked for, by Zhang's and by plug-in; states seen once, twice, thrice;
        samples kept. A row of one state has entropy exactly 0, whatever an estimator's formula says.
    """
    n_cells, m = keys.shape
    size = _table_size(m)
    slot_key = np.empty(size, np.uint64)
    slot_counts = np.zeros(size, np.int64)
    used, counts = np.empty(m, np.int64), np.empty(m, np.int64)
    for r in range(n_cells):
        out[r] = 0.0
        if _is_one_state(keys[r]):
            out[r, KEPT] = 0 if keys[r, 0] == DROPPED else m
            continue
        states = _count_row(keys[r], slot_key, slot_counts, used)
        n = 0
        weighted, weighted_digamma, weighted_log = 0.0, 0.0, 0.0
        for k in range(states):
            c = slot_counts[used[k]]
            slot_counts[used[k]] = 0
            counts[k] = c
            n += c
            weighted += c * weights[c]
            weighted_digamma += c * digammas[c]
            weighted_log += c * logs[c]
            if c <= 3 and states > 1:
                out[r, ONCE + c - 1] += 1
        out[r, KEPT] = n
        if states > 1:
            out[r, ZHANG] = digammas[n] - weighted_digamma / n
            out[r, PLUGIN] = logs[n] - weighted_log / n
            if chao_shen:
                out[r, ENTROPY] = _chao_shen(counts[:states], n, out[r, ONCE])
            else:
                out[r, ENTROPY] = heads[n] - weighted / n + addend * (states - 1) / n


@jit
def information_variance(keys, states, output_surprise, heads, inside_surprise, information, kept_share, out):
    """Variance of each row's mean of what a sample tells, where rows are all the cells there are.

    A kept sample tells (surprise of its state - its surprise inside the row - information) / kept_share, a
    dropped one 0.

    Parameters
    ----------
    keys : (r, m) uint64
    states, output_surprise : (K,) uint64, float64
        Sorted, holding every key, and what a sample of each tells, in bits.
    heads, inside_surprise : (m + 1,) float64
        What a sample of a state seen c times among n in a row tells is heads[n] + inside_surprise[c].
    information, kept_share : float
        What a sample tells on average, and how many are kept; 0 and 1 under clipping do as well.
    out : (r, 2) float64, output
        The variance, and the number of states; 0 and 0 for a row of one state: it always tells the same.
    """
    n_cells, m = keys.shape
    size = _table_size(m)
    slot_key = np.empty(size, np.uint64)
    slot_counts = np.zeros(size, np.int64)
    used = np.empty(m, np.int64)
    for r in range(n_cells):
        out[r] = 0.0
        if _is_one_state(keys[r]):
            continue
        n_states = _count_row(keys[r], slot_key, slot_counts, used)
        kept = 0
        for k in range(n_states):
            kept += slot_counts[used[k]]
        mean, square = 0.0, 0.0
        for k in range(n_states):
            slot = used[k]
            c = slot_counts[slot]
            slot_counts[slot] = 0
            gain = (
                output_surprise[count_at_most(states, slot_key[slot]) - 1]
                - heads[kept]
                - inside_surprise[c]
                - information
            ) / kept_share
            mean += c * gain / m
            square += c * gain * gain / m
        out[r, 0] = max(square - mean * mean, 0.0) / (m - 1)
        out[r, 1] = n_states


@jit
def append_kept(found, rows, keys, have):
    """Append the kept ones of found[k] (m,) to keys[rows[k]], of which the first have[rows[k]] are there."""
    for k in range(found.shape[0]):
        row = rows[k]
        for key in found[k]:
            if key != DROPPED and have[row] < keys.shape[1]:
                keys[row, have[row]] = key
                have[row] += 1


@jit
def run_lengths(ordered, states, counts):
    """Distinct keys of a sorted array, and how often each is in it; return how many differ, DROPPED left out."""
    n = 0
    t = 0
    while t < ordered.shape[0] and ordered[t] != DROPPED:
        start = t
        while t < ordered.shape[0] and ordered[t] == ordered[start]:
            t += 1
        states[n] = ordered[start]
        counts[n] = t - start
        n += 1
    return n


@jit
def tabulated(keys, table, states, counts):
    """What `run_lengths` says of the same keys, of which each has an entry in the all-zero `table`."""
    for key in keys:
        table[key] += 1
    n = 0
    for key in range(table.shape[0]):
        if table[key] > 0:
            states[n] = key
            counts[n] = table[key]
            n += 1
    return n


@jit
def regression_sums(counts, figure, times, tells):
    """What a regression of `tells` on `figure` over all samples takes: the figure's mean, and sums of products.

    Parameters
    ----------
    counts : (K,) int64
        Samples of each state.
    figure : (K,) float64
        Of each state.
    times, tells : (T,) int64, float64
        The different counts, sorted, and what a sample tells whose state has as many; 0 on average.

    Returns
    -------
    mean, spread, together : float
        sum(counts * figure) / n, sum(counts * deviation**2) and sum(counts * tells * deviation).
    """
    n, total = 0, 0.0
    for k in range(counts.shape[0]):
        n += counts[k]
        total += counts[k] * figure[k]
    mean = total / n
    spread, together = 0.0, 0.0
    for k in range(counts.shape[0]):
        deviation = figure[k] - mean
        spread += counts[k] * deviation * deviation
        together += counts[k] * tells[count_at_most(times, counts[k]) - 1] * deviation
    return mean, spread, together


@jit
def regression_cubes(counts, figure, times, tells, mean, slope):
    """What such a regression leaves, to the third power: sum(counts * (tells - slope * (figure - mean))**3)."""
    cubes = 0.0
    for k in range(counts.shape[0]):
        left = tells[count_at_most(times, counts[k]) - 1] - slope * (figure[k] - mean)
        cubes += counts[k] * left * left * left
    return cubes
