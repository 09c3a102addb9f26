"""Counting by ranges of keys against NumPy's sort and its unique."""

import numpy as np
import pytest

from ei_fast.kernels.keys import DROPPED
from ei_fast.kernels.ranges import (
    add_to_table,
    count_in_ranges,
    sort_evenly,
    sort_into_ranges,
    states_of_tables,
    tally,
)


def _keys(kind, n=400):
    rng = np.random.default_rng(0)
    keys = {
        "any": rng.integers(0, 2**64 - 1, n, dtype=np.uint64),
        "packed": rng.binomial(7, 0.5, n).astype(np.uint64) << np.uint64(60),
        "small": rng.integers(0, 50, n).astype(np.uint64),
        "equal": np.full(n, 2**62 + 5, np.uint64),
    }[kind]
    keys[::7] = DROPPED
    return keys


KINDS = ("any", "packed", "small", "equal")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shift", [0, 4, 56])
def test_each_key_goes_to_its_range(kind, shift):
    keys = _keys(kind)
    kept = keys[keys != DROPPED]
    # A key on a splitter is above it.
    splitters = np.unique(np.sort(kept)[[30, 100, 250]])
    lowest = np.arange(256, dtype=np.uint64) << np.uint64(shift)
    firsts = np.append(np.searchsorted(splitters, lowest, side="right"), len(splitters))
    counts = np.zeros(len(splitters) + 1, np.int64)
    count_in_ranges(keys, np.uint64(shift), firsts, splitters, counts)
    expected = np.searchsorted(splitters, kept, side="right")
    np.testing.assert_array_equal(counts, np.bincount(expected, minlength=len(counts)))
    places, out = np.append(0, np.cumsum(counts)[:-1]), np.zeros(len(kept), np.uint64)
    sort_into_ranges(keys, np.uint64(shift), firsts, splitters, places, out)
    np.testing.assert_array_equal(out, kept[np.argsort(expected, kind="stable")])
    np.testing.assert_array_equal(places, np.cumsum(counts))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("buckets", [2, 16, 256])
def test_even_buckets_are_sorted_and_others_left(kind, buckets):
    keys = _keys(kind)
    keys = keys[keys != DROPPED]
    size = int(keys.max() - keys.min()) + 1
    shift = max(0, (size - 1).bit_length() - buckets.bit_length() + 1)
    counts = np.bincount(((keys - keys.min()) >> np.uint64(shift)).astype(int))
    assert len(counts) <= buckets
    for most, is_sorted in ((counts.max(), True), (counts.max() - 1, False)):
        out = np.zeros(len(keys), np.uint64)
        found = sort_evenly(keys, keys.min(), np.uint64(shift), np.zeros(buckets + 1, np.int64), int(most), out)
        assert found == is_sorted
        np.testing.assert_array_equal(out, np.sort(keys) if is_sorted else np.zeros(len(keys), np.uint64))


def test_states_of_several_tables():
    rng = np.random.default_rng(0)
    keys, lowest = rng.integers(1000, 1040, 200).astype(np.uint64), np.uint64(1000)
    tables = np.zeros((3, 40), np.int32)
    for table, part in zip(tables, np.array_split(keys, 3), strict=True):
        add_to_table(part, lowest, table)
    expected, expected_counts = np.unique(keys[(keys >= 1010) & (keys < 1035)], return_counts=True)
    states, counts = np.empty(40, np.uint64), np.empty(40, np.int64)
    n = states_of_tables(tables, 10, 35, lowest, states, counts)
    np.testing.assert_array_equal(states[:n], expected)
    np.testing.assert_array_equal(counts[:n], expected_counts)


def test_multiplicities_beyond_the_table_are_left_out():
    n_states = np.ones(4, np.int64)
    tally(np.array([1, 3, 3, 4, 10**12]), n_states)
    assert n_states.tolist() == [1, 2, 1, 3]
