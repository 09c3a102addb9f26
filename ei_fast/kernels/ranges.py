"""Counting states by ranges of their keys, so that threads share it out: each range is counted by itself.

Every range holds the keys from one *splitter* on, up to the next. Splitters rise, so that the states of one range after
the other are in rising order.
"""

import numpy as np

from ei_fast.kernels.jit import inlined, jit
from ei_fast.kernels.keys import DROPPED


@inlined
def _range_of(key, shift, firsts, splitters):
    """Return the number of splitters <= key: by the key's leading bits, and bisection where these leave a choice."""
    bucket = min(key >> shift, np.uint64(firsts.shape[0] - 2))
    low, high = firsts[bucket], firsts[bucket + np.uint64(1)]
    while low < high:
        middle = (low + high) // 2
        if splitters[middle] <= key:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def count_in_ranges(keys, shift, firsts, splitters, counts):
    """Add the number of keys in each range to `counts`; dropped ones are in none.

    Parameters
    ----------
    keys : (n,) uint64
    shift : uint64
        A key's leading bits, ``key >> shift``, are the number of its bucket; larger keys are in the last one.
    firsts : (buckets + 1,) int64
        A key of bucket b is in one of the ranges firsts[b] ... firsts[b + 1].
    splitters : (ranges - 1,) uint64
    counts : (ranges,) int64, added to
    """
    for key in keys:
        if key != DROPPED:
            counts[_range_of(key, shift, firsts, splitters)] += 1


@jit
def sort_into_ranges(keys, shift, firsts, splitters, places, out):
    """Write each key that is not dropped to the next place of its range in `out`.

    Parameters
    ----------
    keys, shift, firsts, splitters
        As of `count_in_ranges`.
    places : (ranges,) int64
        Where the next key of each range goes; raised by those written.
    out : (any,) uint64, output
    """
    for key in keys:
        if key != DROPPED:
            number = _range_of(key, shift, firsts, splitters)
            out[places[number]] = key
            places[number] += 1


@jit
def sort_evenly(keys, lowest, shift, ends, most, out):
    """Sort keys that are spread about evenly: by their bucket, and each small bucket by insertion.

    Parameters
    ----------
    keys : (n,) uint64
        None of them dropped.
    lowest : uint64
        Not above any key.
    shift : uint64
        ``(key - lowest) >> shift`` is the number of a key's bucket; at most 63.
    ends : (buckets + 1,) int64, scratch
        All zero on entry.
    most : int
        Keys of the largest bucket that is sorted.
    out : (n,) uint64, output
        The keys in rising order.

    Returns
    -------
    bool
        False, and nothing is written, where a bucket would be larger.
    """
    for key in keys:
        ends[((key - lowest) >> shift) + np.uint64(1)] += 1
    for bucket in range(1, ends.shape[0]):
        if ends[bucket] > most:
            return False
    for bucket in range(1, ends.shape[0]):
        ends[bucket] += ends[bucket - 1]
    # The end of the bucket before moves on with every key, to where the bucket itself ends.
    for key in keys:
        bucket = (key - lowest) >> shift
        out[ends[bucket]] = key
        ends[bucket] += 1
    begin = 0
    for bucket in range(ends.shape[0] - 1):
        for k in range(begin + 1, ends[bucket]):
            key, place = out[k], k
            while place > begin and out[place - 1] > key:
                out[place] = out[place - 1]
                place -= 1
            out[place] = key
        begin = ends[bucket]
    return True


@jit
def add_to_table(keys, lowest, table):
    """Add the number of keys with each value to `table`: entry k is that of the key lowest + k.

    Parameters
    ----------
    keys : (n,) uint64
        None of them dropped, nor beyond the table.
    lowest : uint64
    table : (any,) int32, added to
    """
    for key in keys:
        table[key - lowest] += np.int32(1)


@jit
def states_of_tables(tables, begin, end, lowest, states, counts):
    """Write the states that tables have counted, and how often all tables have; return how many there are.

    Parameters
    ----------
    tables : (any, size) int32
        As of `add_to_table`.
    begin, end : int
        Entries `begin` ... `end` - 1 are looked at.
    lowest : uint64
        The key of the first entry.
    states, counts : (>= number of states,) uint64, int64, output
        Only the first entries, as many as are returned, are written.
    """
    n_states = 0
    for k in range(begin, end):
        total = np.int64(0)
        for number in range(tables.shape[0]):
            total += tables[number, k]
        if total > 0:
            states[n_states] = lowest + np.uint64(k)
            counts[n_states] = total
            n_states += 1
    return n_states


@jit
def tally(counts, n_states):
    """Add the number of states with each multiplicity to `n_states`; larger ones than it has are left out.

    Parameters
    ----------
    counts : (K,) int64
        Multiplicity of every state.
    n_states : (any,) int64, added to
    """
    for k in range(counts.shape[0]):
        if counts[k] < n_states.shape[0]:
            n_states[counts[k]] += 1
