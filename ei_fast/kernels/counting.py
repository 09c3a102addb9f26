"""Counting states: a small hash table for each input cell, sorted keys for a whole sample.

The entropy of n samples with counts c is log2(n) - sum(c * weights[c]) / n + addend * (states - 1) / n, the
weights in bits being a table: log2(c) for plug-in and Miller-Madow, a digamma-like function of c for
Grassberger; Chao and Shen's estimator has a formula of its own. Samples are counted as two halves,
since entropies of halves tell how much bias is left in the whole. Dropped samples are not counted.
"""

import numpy as np

from ei_fast.kernels.jit import jit
from ei_fast.kernels.keys import DROPPED

_HASH = np.uint64(0x9E3779B97F4A7C15)

WHOLE, HALVES, PLUGIN, SINGLES, KEPT = 0, 1, 2, 3, 4
"""Columns of what `cell_entropies` returns."""


@jit
def _count_row(row, slot_key, slot_counts, used):
    """Count the states of one row into an all-zero open-addressing table; return how many there are.

    slot_counts[s] holds the counts in the first half, in the second and in both; used[:n] the slots taken.
    """
    m = row.shape[0]
    half = m // 2
    size = slot_key.shape[0]
    bits = 0
    while (1 << bits) < size:
        bits += 1
    down = np.uint64(64 - bits)
    n_used = 0
    for t in range(m):
        key = row[t]
        if key == DROPPED:
            continue
        slot = np.int64((key * _HASH) >> down)
        while slot_counts[slot, 2] > 0 and slot_key[slot] != key:
            slot = (slot + 1) & (size - 1)
        if slot_counts[slot, 2] == 0:
            slot_key[slot] = key
            used[n_used] = slot
            n_used += 1
        slot_counts[slot, 0 if t < half else 1] += 1
        slot_counts[slot, 2] += 1
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
def _entropy(slot_counts, used, column, weights, addend, chao_shen):
    """Entropy in bits of the counts in one column of the table's slots in use; 0 for a single state."""
    n, states, singles = 0, 0, 0
    weighted = 0.0
    for k in range(used.shape[0]):
        c = slot_counts[used[k], column]
        if c > 0:
            n += c
            states += 1
            singles += c == 1
            weighted += c * weights[c]
    if states < 2:
        return 0.0
    if not chao_shen:
        return np.log2(n) - weighted / n + addend * (states - 1) / n
    # Chao & Shen 2003: probabilities shrunk by the coverage, each state weighed by its chance of being seen.
    coverage = 1.0 - min(singles, n - 1) / n
    entropy = 0.0
    for k in range(used.shape[0]):
        c = slot_counts[used[k], column]
        if c > 0:
            p = coverage * c / n
            entropy -= p * np.log2(p) / (1.0 - (1.0 - p) ** n)
    return entropy


@jit
def cell_entropies(keys, weights, addend, chao_shen, out):
    """Entropies in bits of each row of `keys` (r, m).

    out (r, 5): of the whole row by the given estimator, mean of its two halves, plug-in of the whole row,
    the number of states seen once, and the number of samples kept. A row of one state has entropy
    exactly 0, whatever an estimator's formula says.
    """
    n_cells, m = keys.shape
    size = _table_size(m)
    slot_key = np.empty(size, np.uint64)
    slot_counts = np.zeros((size, 3), np.int64)
    all_used = np.empty(m, np.int64)
    for r in range(n_cells):
        out[r] = 0.0
        if _is_one_state(keys[r]):
            out[r, KEPT] = 0 if keys[r, 0] == DROPPED else m
            continue
        used = all_used[: _count_row(keys[r], slot_key, slot_counts, all_used)]
        out[r, WHOLE] = _entropy(slot_counts, used, 2, weights, addend, chao_shen)
        first = _entropy(slot_counts, used, 0, weights, addend, chao_shen)
        second = _entropy(slot_counts, used, 1, weights, addend, chao_shen)
        kept, plugin, singles = 0, 0.0, 0
        for k in range(used.shape[0]):
            c = slot_counts[used[k], 2]
            kept += c
            plugin += c * np.log2(c)
            singles += c == 1
            slot_counts[used[k]] = 0
        # Where few samples are kept one half may have none: it then says nothing.
        out[r, HALVES] = 0.5 * (first + second)
        if kept > 0 and used.shape[0] > 1:
            out[r, PLUGIN] = np.log2(kept) - plugin / kept
            out[r, SINGLES] = singles
        out[r, KEPT] = kept


@jit
def information_variance(keys, states, log_probability, information, kept_share, second_order, out):
    """Variance of each row's mean of what a sample tells, where rows are all the cells there are.

    A kept sample tells (log2 p(state | row) - log2 p(state) - information) / kept_share, a dropped one 0.

    Parameters
    ----------
    keys : (r, m) uint64
    states, log_probability : (K,) uint64, float64
        Sorted, holding every key, and log2 p of each.
    information, kept_share : float
        What a sample tells on average, and how many are kept; 0 and 1 under clipping do as well.
    second_order : float
        What every state that a row of several has adds to the variance, times m**2: the whole of it
        where the row's states are equally likely.
    out : (r,) float64, output
        0 for a row of one state: it always tells the same.
    """
    n_cells, m = keys.shape
    size = _table_size(m)
    slot_key = np.empty(size, np.uint64)
    slot_counts = np.zeros((size, 3), np.int64)
    all_used = np.empty(m, np.int64)
    for r in range(n_cells):
        out[r] = 0.0
        if _is_one_state(keys[r]):
            continue
        used = all_used[: _count_row(keys[r], slot_key, slot_counts, all_used)]
        kept = 0
        for k in range(used.shape[0]):
            kept += slot_counts[used[k], 2]
        mean, square = 0.0, 0.0
        for k in range(used.shape[0]):
            slot = used[k]
            c = slot_counts[slot, 2]
            slot_counts[slot] = 0
            low, high = 0, states.shape[0] - 1
            while low < high:
                middle = (low + high) // 2
                if states[middle] < slot_key[slot]:
                    low = middle + 1
                else:
                    high = middle
            gain = (np.log2(c / kept) - log_probability[low] - information) / kept_share
            mean += c * gain / m
            square += c * gain * gain / m
        out[r] = max(square - mean * mean, 0.0) / (m - 1) + second_order * used.shape[0] / m**2


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
def merge_counts(states_a, counts_a, states_b, counts_b, states, counts):
    """Add up the counts of two samples whose states are in order; return how many states there are."""
    i, j, n = 0, 0, 0
    while i < states_a.shape[0] or j < states_b.shape[0]:
        from_a = j == states_b.shape[0] or (i < states_a.shape[0] and states_a[i] <= states_b[j])
        key = states_a[i] if from_a else states_b[j]
        counts[n] = 0
        if i < states_a.shape[0] and states_a[i] == key:
            counts[n] += counts_a[i]
            i += 1
        if j < states_b.shape[0] and states_b[j] == key:
            counts[n] += counts_b[j]
            j += 1
        states[n] = key
        n += 1
    return n
