"""Counting states: a small hash table for each input cell, sorted keys or a table for a whole sample.

The *multiplicity* of a state is how many samples are in it. Samples with the key `DROPPED` are never counted.

Notes
-----
Entropy estimators that differ only in two tables are one formula here. For n samples of K states with multiplicities c:

    H = total_table[n] - sum of c * count_table[c] / n + state_term * (K - 1) / n        in bits.

* plug-in: both tables are log2;
* Miller-Madow: the same, and state_term = 1 / (2 ln 2);
* Grassberger (2003, arXiv:physics/0307138, eq. 35): total_table is log2, count_table his G(c) / ln 2;
* Zhang (Neural Computation 24:1368, 2012): both tables are digamma / ln 2.

Chao and Shen's estimator has a formula of its own (`chao_shen_entropy`).
"""

import numpy as np

from ei_fast.kernels.jit import inner, jit
from ei_fast.kernels.keys import DROPPED
from ei_fast.kernels.search import count_at_most

HASH_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""2**64 divided by the golden ratio, to an odd number: the upper bits of key times it are the key's slot in a hash
table (Fibonacci hashing: Knuth, The Art of Computer Programming 3, section 6.4)."""

_SMALLEST_TABLE = 4
"""Slots of the smallest hash table."""

ENTROPY, ZHANG, PLUGIN, ONCE, TWICE, THRICE, KEPT = 0, 1, 2, 3, 4, 5, 6
"""Columns of what `cell_entropies` writes."""
N_COLUMNS = 7
"""Number of these columns."""


@inner
def _count_states(keys, slot_keys, slot_counts, used):
    """Count the states of one cell in a hash table with open addressing, and return how many states there are.

    Parameters
    ----------
    keys : (m,) uint64
    slot_keys : (size,) uint64, scratch
        Key of each slot that is taken; size is a power of two and at least 2 m.
    slot_counts : (size,) int64, output
        Multiplicity of the state in each slot; all zero on entry.
    used : (m,) int64, output
        The slots taken, in the order in which their states were met, come first.
    """
    size = slot_keys.shape[0]
    index_bits = 0
    while (1 << index_bits) < size:
        index_bits += 1
    shift = np.uint64(64 - index_bits)
    n_states = 0
    for key in keys:
        if key == DROPPED:
            continue
        slot = np.int64((key * HASH_MULTIPLIER) >> shift)
        while slot_counts[slot] > 0 and slot_keys[slot] != key:
            slot = (slot + 1) & (size - 1)
        if slot_counts[slot] == 0:
            slot_keys[slot] = key
            used[n_states] = slot
            n_states += 1
        slot_counts[slot] += 1
    return n_states


@inner
def _are_equal(keys):
    """Return whether all keys (m,) of a cell are the same."""
    for t in range(1, keys.shape[0]):
        if keys[t] != keys[0]:
            return False
    return True


@inner
def _table_size(m):
    """Return how many slots a hash table for m keys has: a power of two, of which at most half are taken."""
    size = _SMALLEST_TABLE
    while size < 2 * m:
        size *= 2
    return size


@inner
def chao_shen_entropy(counts, n, n_singletons):
    """Return the entropy in bits by the estimator of Chao & Shen.

    Its source is Environmental and Ecological Statistics 10:429, 2003. Probabilities of the states seen are shrunk by
    the coverage (eq. 6 there). Each term -p log2 p is divided by the probability 1 - (1 - p)**n that the state is seen
    at all (eq. 8, after Horvitz & Thompson).

    Parameters
    ----------
    counts : (any,) integers
        Multiplicities; entries of 0 count for nothing.
    n : int
        Their sum.
    n_singletons : int or float
        How many of them are 1.
    """
    # Where all states are singletons the coverage would be 0: one fewer is then counted.
    coverage = 1.0 - min(n_singletons, n - 1) / n
    entropy = 0.0
    for c in counts:
        if c > 0:
            p = coverage * c / n
            entropy -= p * np.log2(p) / (1.0 - (1.0 - p) ** n)
    return entropy


@jit
def cell_entropies(keys, log2_table, digamma_table, total_table, count_table, state_term, is_chao_shen, out):
    """Write the entropies of the states inside each cell into `out`, and how many states are singletons and so on.

    Parameters
    ----------
    keys : (r, m) uint64
        Keys of m samples inside each of r cells.
    log2_table, digamma_table : (m + 1,) float64
        log2 c and digamma(c) / ln 2 for c = 0 ... m, 0 for c = 0.
    total_table, count_table, state_term : (m + 1,) float64, (m + 1,) float64, float
        The estimator asked for, in bits; see the module's notes.
    is_chao_shen : bool
        Whether that of Chao and Shen is asked for instead.
    out : (r, 7) float64, output
        ENTROPY, ZHANG, PLUGIN: bits by the estimator asked for, by Zhang's and by plug-in. ONCE, TWICE, THRICE: number
        of states with multiplicity 1, 2 and 3. KEPT: samples that are not dropped. A cell with a single state has
        entropies of exactly 0 whatever an estimator's formula gives, and 0 in ONCE, TWICE and THRICE.
    """
    n_cells, m = keys.shape
    size = _table_size(m)
    slot_keys = np.empty(size, np.uint64)
    slot_counts = np.empty(size, np.int64)
    slot_counts[:] = 0
    used, counts = np.empty(m, np.int64), np.empty(m, np.int64)
    for r in range(n_cells):
        out[r] = 0.0
        if _are_equal(keys[r]):
            out[r, KEPT] = 0 if keys[r, 0] == DROPPED else m
            continue
        n_states = _count_states(keys[r], slot_keys, slot_counts, used)
        # A literal 0 would be another type, for which all that it is passed to would be compiled again.
        n = np.int64(0)
        count_sum, digamma_sum, log2_sum = 0.0, 0.0, 0.0
        for k in range(n_states):
            c = slot_counts[used[k]]
            slot_counts[used[k]] = 0
            counts[k] = c
            n += c
            count_sum += c * count_table[c]
            digamma_sum += c * digamma_table[c]
            log2_sum += c * log2_table[c]
            if c <= 3 and n_states > 1:
                out[r, ONCE + c - 1] += 1
        out[r, KEPT] = n
        if n_states > 1:
            out[r, ZHANG] = digamma_table[n] - digamma_sum / n
            out[r, PLUGIN] = log2_table[n] - log2_sum / n
            if is_chao_shen:
                out[r, ENTROPY] = chao_shen_entropy(counts[:n_states], n, out[r, ONCE])
            else:
                out[r, ENTROPY] = total_table[n] - count_sum / n + state_term * (n_states - 1) / n


@jit
def information_variance(keys, states, output_influence, total_table, cell_influence, information, kept_share, out):
    """Write what the samples inside each cell add to the variance of an EI whose cells are all enumerated.

    What differs from cell to cell is then no error. Only the spread inside the cells is, of each sample's influence on
    EI = H(Y) - H(Y | X). That influence is

        (influence on H(Y) - influence on the entropy of its cell - EI) / kept_share

    for a sample that is kept, and 0 for one that is dropped: EI is a ratio of means, over all samples, of pointwise
    information and of the indicator of being kept, and this is the linear term of the ratio.

    Parameters
    ----------
    keys : (r, m) uint64
        Keys of m samples inside each of r cells.
    states, output_influence : (K,) uint64, (K,) float64
        All states in rising order, and the influence on H(Y) of a sample in each, in bits.
    total_table, cell_influence : (m + 1,) float64
        The influence, on the entropy of its cell, of a sample whose state has multiplicity c among the n samples kept
        in the cell is total_table[n] + cell_influence[c], in bits.
    information : float
        EI in bits.
    kept_share : float
        Share of all samples that is kept.
    out : (r, 2) float64, output
        Variance of the mean influence of the cell's samples, in bits**2, and number of its states. Both are 0 where all
        samples are in one state, or all are dropped: their influence is then known without an error.
    """
    n_cells, m = keys.shape
    size = _table_size(m)
    slot_keys = np.empty(size, np.uint64)
    slot_counts = np.empty(size, np.int64)
    slot_counts[:] = 0
    used = np.empty(m, np.int64)
    for r in range(n_cells):
        out[r] = 0.0
        if _are_equal(keys[r]):
            continue
        n_states = _count_states(keys[r], slot_keys, slot_counts, used)
        n_kept = 0
        for k in range(n_states):
            n_kept += slot_counts[used[k]]
        mean, mean_square = 0.0, 0.0
        for k in range(n_states):
            slot = used[k]
            c = slot_counts[slot]
            slot_counts[slot] = 0
            influence = (
                output_influence[count_at_most(states, slot_keys[slot]) - 1]
                - total_table[n_kept]
                - cell_influence[c]
                - information
            ) / kept_share
            mean += c * influence / m
            mean_square += c * influence * influence / m
        out[r, 0] = max(mean_square - mean * mean, 0.0) / (m - 1)
        out[r, 1] = n_states


@jit
def append_kept(found, rows, keys, n_kept):
    """Append the keys of new samples that are not dropped to those that their cells have, as far as there is room.

    Parameters
    ----------
    found : (k, m) uint64
        Keys of new samples of k cells.
    rows : (k,) int64
        The row of `keys` and entry of `n_kept` of each of these cells.
    keys : (r, m) uint64, output
        Keys kept so far; those appended follow the first n_kept[row] of their row.
    n_kept : (r,) int64, output
        How many keys each row has; raised by those appended.
    """
    for k in range(found.shape[0]):
        row = rows[k]
        for key in found[k]:
            if key != DROPPED and n_kept[row] < keys.shape[1]:
                keys[row, n_kept[row]] = key
                n_kept[row] += 1


@jit
def run_lengths(sorted_keys, states, counts):
    """Write the distinct keys of a sorted array and their multiplicities, and return how many there are.

    Parameters
    ----------
    sorted_keys : (n,) uint64
        In rising order, so that `DROPPED` comes last.
    states, counts : (>= number of states,) uint64, int64, output
        Only the first entries, as many as are returned, are written.
    """
    n_states = 0
    t = 0
    while t < sorted_keys.shape[0] and sorted_keys[t] != DROPPED:
        start = t
        while t < sorted_keys.shape[0] and sorted_keys[t] == sorted_keys[start]:
            t += 1
        states[n_states] = sorted_keys[start]
        counts[n_states] = t - start
        n_states += 1
    return n_states


@jit
def merged(states, counts, other_states, other_counts, all_states, all_counts):
    """Write the states of two samples and how often each occurred in both together; return how many states there are.

    Parameters
    ----------
    states, counts, other_states, other_counts : (K,), (K,), (L,), (L,) uint64, int64
        States of each sample in rising order, and how often each occurred.
    all_states, all_counts : (K + L,) uint64, int64, output
        Only the first entries, as many as are returned, are written.
    """
    n_states, i, j = 0, 0, 0
    while i < states.shape[0] or j < other_states.shape[0]:
        is_first = j == other_states.shape[0] or (i < states.shape[0] and states[i] <= other_states[j])
        state = states[i] if is_first else other_states[j]
        all_states[n_states], all_counts[n_states] = state, 0
        if is_first:
            all_counts[n_states] += counts[i]
            i += 1
        if j < other_states.shape[0] and other_states[j] == state:
            all_counts[n_states] += other_counts[j]
            j += 1
        n_states += 1
    return n_states


@jit
def tabulated(keys, table, states, counts):
    """Write the distinct keys of an array and their multiplicities, and return how many there are.

    The result is that of `run_lengths` of the sorted keys, by a table with an entry for every possible key.

    Parameters
    ----------
    keys : (n,) uint64
        In any order, none of them `DROPPED`.
    table : (more than the largest key,) int32, scratch
        All zero on entry.
    states, counts : (>= number of states,) uint64, int64, output
        Only the first entries, as many as are returned, are written.
    """
    for key in keys:
        table[key] += 1
    n_states = 0
    for key in range(table.shape[0]):
        if table[key] > 0:
            states[n_states] = key
            counts[n_states] = table[key]
            n_states += 1
    return n_states


@jit
def regression_sums(counts, control, multiplicities, influence):
    """Return the sums that a regression of influence on a control variate takes, over all samples.

    Parameters
    ----------
    counts : (K,) int64
        Multiplicity of each state.
    control : (K,) float64
        Control variate of a sample in each state.
    multiplicities : (T,) int64
        The distinct values of `counts`, in rising order.
    influence : (T,) float64
        Jackknife influence, in bits, of one sample whose state has the multiplicity; 0 on average over samples.

    Returns
    -------
    mean, squares, products : float
        With n samples and deviation = control - mean: sum of counts * control / n, sum of counts * deviation**2, and
        sum of counts * influence * deviation.
    """
    n, total = 0, 0.0
    for k in range(counts.shape[0]):
        n += counts[k]
        total += counts[k] * control[k]
    mean = total / n
    squares, products = 0.0, 0.0
    for k in range(counts.shape[0]):
        deviation = control[k] - mean
        squares += counts[k] * deviation * deviation
        products += counts[k] * influence[count_at_most(multiplicities, counts[k]) - 1] * deviation
    return mean, squares, products


@jit
def regression_cubes(counts, control, multiplicities, influence, mean, slope):
    """Return the sum over samples of the third power of what a regression leaves of their influence.

    Parameters
    ----------
    counts, control, multiplicities, influence
        As of `regression_sums`.
    mean : float
        Mean of the control over samples.
    slope : float
        Of the regression.

    Returns
    -------
    float
        Sum of counts * (influence - slope * (control - mean))**3.
    """
    cubes = 0.0
    for k in range(counts.shape[0]):
        residual = influence[count_at_most(multiplicities, counts[k]) - 1] - slope * (control[k] - mean)
        cubes += counts[k] * residual * residual * residual
    return cubes
