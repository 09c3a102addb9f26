"""Counting states: a small hash table for each input cell, sorted keys for a whole sample.

The entropy of n samples with counts c is log2(n) - sum(c * weights[c]) / n, the weights in bits being
a table: log2(c) for the plug-in estimator, a digamma-like function of c for its corrections. Samples
are counted as two halves, since entropies of halves tell how much bias is left in the whole.
"""

import numpy as np

from ei_fast.kernels.jit import jit

_HASH = np.uint64(0x9E3779B97F4A7C15)

WHOLE, HALVES, PLUGIN, SINGLES = 0, 1, 2, 3
"""Columns of what `cell_entropies` returns."""


@jit
def _count_row(row, slot_key, slot_counts, used):
    """Count the states of one row into an all-zero open-addressing table; return how many there are.

    slot_counts[s] holds the counts in the first and in the second half; used[:n] the slots taken.
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
        slot = np.int64((key * _HASH) >> down)
        while slot_counts[slot, 0] + slot_counts[slot, 1] > 0 and slot_key[slot] != key:
            slot = (slot + 1) & (size - 1)
        if slot_counts[slot, 0] + slot_counts[slot, 1] == 0:
            slot_key[slot] = key
            used[n_used] = slot
            n_used += 1
        slot_counts[slot, 0 if t < half else 1] += 1
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
def cell_entropies(keys, weights, out):
    """Entropies in bits of each row of `keys` (r, m).

    out (r, 4): by `weights` of the whole row, mean of its two halves, plug-in of the whole row, and
    the number of states seen once. A row of one state has entropy exactly 0, whatever the weights.
    """
    n_cells, m = keys.shape
    half = m // 2
    size = _table_size(m)
    slot_key = np.empty(size, np.uint64)
    slot_counts = np.zeros((size, 2), np.int64)
    used = np.empty(m, np.int64)
    for r in range(n_cells):
        out[r] = 0.0
        if _is_one_state(keys[r]):
            continue
        n_used = _count_row(keys[r], slot_key, slot_counts, used)
        whole, plugin, first, second = 0.0, 0.0, 0.0, 0.0
        singles, in_first, in_second = 0, 0, 0
        for k in range(n_used):
            a, b = slot_counts[used[k], 0], slot_counts[used[k], 1]
            slot_counts[used[k], 0] = 0
            slot_counts[used[k], 1] = 0
            c = a + b
            whole += c * weights[c]
            plugin += c * np.log2(c)
            singles += c == 1
            if a > 0:
                first += a * weights[a]
                in_first += 1
            if b > 0:
                second += b * weights[b]
                in_second += 1
        out[r, WHOLE] = np.log2(m) - whole / m
        if in_first > 1:
            out[r, HALVES] += 0.5 * (np.log2(half) - first / half)
        if in_second > 1:
            out[r, HALVES] += 0.5 * (np.log2(m - half) - second / (m - half))
        out[r, PLUGIN] = np.log2(m) - plugin / m
        out[r, SINGLES] = singles


@jit
def information_variance(keys, states, log_probability, second_order, out):
    """Variance of each row's mean of log2 p(state | row) - log2 p(state), where rows are all there is.

    Parameters
    ----------
    keys : (r, m) uint64
    states, log_probability : (K,) uint64, float64
        Sorted, holding every key, and log2 p of each.
    second_order : float
        What every state that a row of several has adds to the variance, times m**2: the whole of it
        where the row's states are equally likely.
    out : (r,) float64, output
        0 for a row of one state: it always gains the same.
    """
    n_cells, m = keys.shape
    size = _table_size(m)
    slot_key = np.empty(size, np.uint64)
    slot_counts = np.zeros((size, 2), np.int64)
    used = np.empty(m, np.int64)
    for r in range(n_cells):
        out[r] = 0.0
        if _is_one_state(keys[r]):
            continue
        n_used = _count_row(keys[r], slot_key, slot_counts, used)
        mean, square = 0.0, 0.0
        for k in range(n_used):
            slot = used[k]
            c = slot_counts[slot, 0] + slot_counts[slot, 1]
            slot_counts[slot, 0] = 0
            slot_counts[slot, 1] = 0
            low, high = 0, states.shape[0] - 1
            while low < high:
                middle = (low + high) // 2
                if states[middle] < slot_key[slot]:
                    low = middle + 1
                else:
                    high = middle
            gain = np.log2(c / m) - log_probability[low]
            mean += c * gain / m
            square += c * gain * gain / m
        out[r] = max(square - mean * mean, 0.0) / (m - 1) + second_order * n_used / m**2


@jit
def merge_states(first, second, states, counts):
    """Count the states of two sorted key arrays; return how many differ.

    states[:n] are the distinct keys in order, counts[:n] (n, 2) how often each stands in either array.
    """
    i, j, n = 0, 0, 0
    while i < first.shape[0] or j < second.shape[0]:
        if j == second.shape[0] or (i < first.shape[0] and first[i] <= second[j]):
            key = first[i]
        else:
            key = second[j]
        a, b = i, j
        while i < first.shape[0] and first[i] == key:
            i += 1
        while j < second.shape[0] and second[j] == key:
            j += 1
        states[n] = key
        counts[n, 0] = i - a
        counts[n, 1] = j - b
        n += 1
    return n
