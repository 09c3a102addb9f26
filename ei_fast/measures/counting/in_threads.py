"""States of large samples, counted by several threads: by tables where these are small, otherwise by ranges of keys.

What comes out is what one thread would count, whatever the number of threads and of ranges: states in rising order and
whole numbers.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.counting import run_lengths
from ei_fast.kernels.keys import DROPPED
from ei_fast.kernels.ranges import add_to_table, count_in_ranges, sort_evenly, sort_into_ranges, states_of_tables, tally
from ei_fast.measures.constants import FEWEST_SHARED_KEYS, LARGE_MULTIPLICITY, SHARES
from ei_fast.measures.counting.counts import Counts, fits_a_table
from ei_fast.runtime.threads import Threads

Keys = NDArray[np.uint64]

_BUCKETS = 2**12
"""Values of the leading bits that say which ranges a key may be in."""
_SAMPLED = 64
"""Keys that are looked at for each range, so that ranges hold about as many each: to within an eighth or so."""
_KEYS_A_BUCKET, _LARGEST_BUCKET = 4, 64
"""Keys of a bucket that is sorted by insertion, about; and at the most, beyond which all are sorted as they are."""
_ENTRIES_A_STATE = 4
"""Entries of a table for each key of a range up to which the table is faster than sorting."""


def counted(keys: Keys, threads: Threads, in_place: bool = True) -> Counts:
    """Count the keys (n,) of a sample, which may be overwritten `in_place`; dropped ones are left out."""
    if len(keys) < FEWEST_SHARED_KEYS:
        return Counts.of(keys, in_place)
    largest = max(threads.map(lambda share: int(keys[share].max()), shared_out(len(keys), SHARES)))
    # Each table is filled and added up: more of them than threads, or than they are smaller than the sample, cost more
    # than they save.
    n_tables = min(len(keys) // (largest + 1), threads.n_jobs)
    if n_tables > 1:
        return counted_in_tables(keys, n_tables, largest, threads)
    if threads.n_jobs == 1 and fits_a_table(largest, len(keys)):
        return Counts.of(keys, in_place)
    return counted_in_ranges(keys if in_place else keys.copy(), SHARES, threads)


def tallied(counted: Counts, threads: Threads, fewest: int = FEWEST_SHARED_KEYS) -> Counts:
    """The same counts with their multiplicities, so that nothing is left to be done for every state."""
    if len(counted.counts) < fewest:
        return counted

    def of_share(share: slice) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        counts = counted.counts[share]
        largest = int(counts.max(initial=0))
        n_states = np.zeros(min(largest + 1, LARGE_MULTIPLICITY), np.int64)
        tally(counts, n_states)
        return n_states, counts[counts >= LARGE_MULTIPLICITY] if largest >= LARGE_MULTIPLICITY else counts[:0]

    tallies, large = zip(*threads.map(of_share, shared_out(len(counted.counts), SHARES)), strict=True)
    n_states = np.zeros(max(map(len, tallies)), np.int64)
    for of_small in tallies:
        n_states[: len(of_small)] += of_small
    multiplicity = np.flatnonzero(n_states)
    larger, n_larger = np.unique(np.concatenate(large), return_counts=True)
    both = np.concatenate([multiplicity, larger]), np.concatenate([n_states[multiplicity], n_larger])
    return replace(counted, tally=both)


def shared_out(n: int, n_shares: int) -> list[slice]:
    """Consecutive parts of n items, about as long each."""
    ends = [n * k // n_shares for k in range(n_shares + 1)]
    return [slice(*ends[k : k + 2]) for k in range(n_shares)]


def counted_in_tables(keys: Keys, n_tables: int, largest: int, threads: Threads) -> Counts:
    """By a table with an entry for every possible key, one for each share of the keys."""
    nothing, size = np.uint64(0), largest + 1
    tables = np.zeros((n_tables, size), np.int32)
    shares = shared_out(len(keys), n_tables)
    threads.map(lambda k: add_to_table(keys[shares[k]], nothing, tables[k]), range(n_tables))
    states, counts = np.empty(size, np.uint64), np.empty(size, np.int64)

    def states_of(part: slice) -> int:
        found: int = states_of_tables(tables, part.start, part.stop, nothing, states[part], counts[part])
        return found

    parts = shared_out(size, n_tables)
    return _joined(states, counts, [part.start for part in parts], threads.map(states_of, parts), threads)


def counted_in_ranges(keys: Keys, n_ranges: int, threads: Threads) -> Counts:
    """By ranges of keys, each of which is sorted, or counted in a table of its own; the keys are overwritten."""
    shift, firsts, splitters = _ranges_of(keys, n_ranges)
    shares = shared_out(len(keys), n_ranges)
    in_ranges = np.zeros((n_ranges, len(splitters) + 1), np.int64)
    threads.map(lambda k: count_in_ranges(keys[shares[k]], shift, firsts, splitters, in_ranges[k]), range(n_ranges))
    # Where the keys of each share go: range by range, and in a range share by share.
    after = np.cumsum(in_ranges.T).reshape(in_ranges.T.shape)
    places, ends = (after - in_ranges.T).T.copy(), np.append(0, after[:, -1])
    sorted_out = np.empty(len(keys), np.uint64)
    threads.map(
        lambda k: sort_into_ranges(keys[shares[k]], shift, firsts, splitters, places[k], sorted_out), range(n_ranges)
    )
    # States take the place of the keys that they were, and counts that of the keys as they came.
    counts = keys.view(np.int64)
    parts = [slice(*ends[k : k + 2]) for k in range(len(ends) - 1)]
    found = threads.map(lambda part: _count_range(sorted_out[part], keys[part], counts[part]), parts)
    return _joined(sorted_out, counts, [part.start for part in parts], found, threads)


def _ranges_of(keys: Keys, n_ranges: int) -> tuple[np.uint64, NDArray[np.int64], Keys]:
    """Shift, first ranges of buckets, and splitters, as the kernels take them."""
    sample = keys[:: max(1, len(keys) // (_SAMPLED * n_ranges))]
    sample = np.sort(sample[sample != DROPPED])
    splitters = np.unique(sample[len(sample) * np.arange(1, n_ranges) // n_ranges]) if len(sample) else sample
    largest = int(sample[-1]) if len(sample) else 0
    shift = max(0, largest.bit_length() - _BUCKETS.bit_length() + 1)
    lowest_of_buckets = np.arange(_BUCKETS, dtype=np.uint64) << np.uint64(shift)
    firsts = np.append(np.searchsorted(splitters, lowest_of_buckets, side="right"), len(splitters))
    return np.uint64(shift), firsts, splitters


def _count_range(keys: Keys, scratch: Keys, counts: NDArray[np.int64]) -> int:
    """Write the states of some keys over them, and how often each occurred; return how many states there are.

    `counts` may be the memory of `scratch`, since a state is read before its count is written.
    """
    if not len(keys):
        return 0
    lowest = keys.min()
    size = int(keys.max()) - int(lowest) + 1
    if size <= _ENTRIES_A_STATE * len(keys):
        table = np.zeros((1, size), np.int32)
        add_to_table(keys, lowest, table[0])
        n_states: int = states_of_tables(table, 0, size, lowest, keys, counts)
        return n_states
    # Two at the least: a key has no 64 bits to be shifted by.
    n_buckets = 2 << (len(keys) // (2 * _KEYS_A_BUCKET)).bit_length()
    shift = max(0, (size - 1).bit_length() - n_buckets.bit_length() + 1)
    ends = np.zeros(n_buckets + 1, np.int64)
    if sort_evenly(keys, lowest, np.uint64(shift), ends, _LARGEST_BUCKET, scratch):
        n_states = run_lengths(scratch, keys, counts)
    else:
        keys.sort()
        n_states = run_lengths(keys, keys, counts)
    return n_states


def _joined(
    states: Keys, counts: NDArray[np.int64], begins: Sequence[int], found: Sequence[int], threads: Threads
) -> Counts:
    """States and counts, of which so many were found from each of the begins on, in one piece."""
    ends = np.append(0, np.cumsum(found))
    all_states, all_counts = np.empty(ends[-1], np.uint64), np.empty(ends[-1], np.int64)

    def join(k: int) -> None:
        part, source = slice(*ends[k : k + 2]), slice(begins[k], begins[k] + found[k])
        all_states[part], all_counts[part] = states[source], counts[source]

    threads.map(join, range(len(found)))
    return Counts(all_states, all_counts)
