"""Counts against numpy.unique, entropies against the definitions written out."""

import naive
import numpy as np
import pytest

from ei_fast.kernels.counting import (
    ENTROPY,
    KEPT,
    N_COLUMNS,
    ONCE,
    PLUGIN,
    THRICE,
    TWICE,
    ZHANG,
    _are_equal,
    _count_states,
    _table_size,
    append_kept,
    cell_entropies,
    chao_shen_entropy,
    information_variance,
    merged,
    regression_cubes,
    regression_sums,
    run_lengths,
    tabulated,
)
from ei_fast.kernels.keys import DROPPED
from ei_fast.measures.counting.estimators import estimator_named

ESTIMATORS = ["plugin", "miller-madow", "grassberger", "chao-shen"]


def _statistics(keys, name="plugin"):
    out = np.ones((len(keys), N_COLUMNS))
    cell_entropies(keys, *estimator_named(name).cell_tables(keys.shape[1]), out)
    return out


@pytest.fixture(params=[(3, 16), (40, 64), (2, 33), (10**9, 50), (1, 20), (-5, 40)])
def keys(request):
    n_states, m = request.param
    rng = np.random.default_rng(abs(n_states))
    states = rng.integers(0, 2**63, min(abs(n_states), m)).astype(np.uint64)
    if n_states < 0:
        # Some samples, and one whole row, are dropped.
        states[0] = DROPPED
    keys = rng.choice(states, (5, m))
    if n_states < 0:
        keys[2] = DROPPED
    return keys


def _kept(row):
    return row[row != DROPPED]


def _counts(row):
    return np.unique(_kept(row), return_counts=True)[1]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_cell_entropies(keys, name):
    for row, got in zip(keys, _statistics(keys, name), strict=True):
        counts = _counts(row)
        if not len(counts):
            assert not got.any()
            continue
        assert got[ENTROPY] == pytest.approx(naive.entropy_by(name, counts), abs=1e-12)
        assert got[ZHANG] == pytest.approx(naive.entropy_by("zhang", counts), abs=1e-12)
        assert got[PLUGIN] == pytest.approx(naive.entropy(_kept(row)), abs=1e-12)
        for column, multiplicity in ((ONCE, 1), (TWICE, 2), (THRICE, 3)):
            assert got[column] == (np.count_nonzero(counts == multiplicity) if len(counts) > 1 else 0)
        assert got[KEPT] == len(_kept(row))


@pytest.mark.parametrize("name", [*ESTIMATORS, "auto"])
def test_one_state_has_entropy_exactly_zero(name):
    keys = np.full((2, 64), 7, np.uint64)
    keys[1, :10] = DROPPED
    assert _statistics(keys, name).tolist() == [[0] * 6 + [64], [0] * 6 + [54]]


def test_run_lengths_are_exact():
    keys = np.random.default_rng(1).integers(0, 30, 50).astype(np.uint64)
    keys[3] = DROPPED
    states, counts = np.empty(len(keys), np.uint64), np.empty(len(keys), np.int64)
    n = run_lengths(np.sort(keys), states, counts)
    expected = np.unique(_kept(keys), return_counts=True)
    np.testing.assert_array_equal(states[:n], expected[0])
    np.testing.assert_array_equal(counts[:n], expected[1])


@pytest.mark.parametrize(("n", "other_n"), [(40, 60), (1, 5), (0, 3), (3, 0)])
def test_counts_of_two_samples_are_those_of_both_together(n, other_n):
    rng = np.random.default_rng(n)
    keys, other_keys = (rng.integers(0, 30, size).astype(np.uint64) for size in (n, other_n))
    states, counts = np.empty(n + other_n, np.uint64), np.empty(n + other_n, np.int64)
    parts = [part for sample in (keys, other_keys) for part in np.unique(sample, return_counts=True)]
    n_states = merged(*parts, states, counts)
    expected = np.unique(np.concatenate([keys, other_keys]), return_counts=True)
    np.testing.assert_array_equal(states[:n_states], expected[0])
    np.testing.assert_array_equal(counts[:n_states], expected[1])


def test_information_variance(keys):
    states, counts = np.unique(_kept(keys), return_counts=True)
    rng = np.random.default_rng(0)
    m = keys.shape[1]
    of_output, of_total, of_cell = rng.normal(size=len(states)), rng.normal(size=m + 1), rng.normal(size=m + 1)
    share, information = counts.sum() / keys.size, 0.3
    out = np.empty((len(keys), 2))
    information_variance(keys, states, of_output, of_total, of_cell, information, share, out)
    for row, (variance, n_states) in zip(keys, out, strict=True):
        influence = np.zeros(m)
        inverse, own = np.unique(_kept(row), return_inverse=True, return_counts=True)[1:]
        if own.size:
            of_samples = of_output[np.searchsorted(states, _kept(row))] - of_total[own.sum()] - of_cell[own][inverse]
            influence[row != DROPPED] = (of_samples - information) / share
        one_state = len(np.unique(row)) == 1
        assert variance == pytest.approx(0.0 if one_state else influence.var(ddof=1) / m, abs=1e-12)
        assert n_states == (0 if one_state else len(own))


@pytest.mark.parametrize("n_states", [1, 7, 500])
def test_a_table_counts_as_sorting_does(n_states):
    keys = np.random.default_rng(n_states).integers(0, n_states, 300).astype(np.uint64)
    expected, expected_counts = np.unique(keys, return_counts=True)
    states, counts = np.empty(300, np.uint64), np.empty(300, np.int64)
    n = tabulated(keys, np.zeros(n_states, np.int32), states, counts)
    np.testing.assert_array_equal(states[:n], expected)
    np.testing.assert_array_equal(counts[:n], expected_counts)


def test_regression_sums():
    rng = np.random.default_rng(0)
    counts, control = rng.integers(1, 9, 300), rng.normal(5.0, 2.0, 300)
    multiplicities, entries = np.unique(counts, return_inverse=True)
    influence = np.log(multiplicities)
    samples = np.repeat(control, counts), np.repeat(influence[entries], counts)
    mean, squares, products = regression_sums(counts, control, multiplicities, influence)
    deviation = samples[0] - samples[0].mean()
    assert mean == pytest.approx(samples[0].mean(), rel=1e-12)
    assert squares == pytest.approx((deviation**2).sum(), rel=1e-12)
    assert products == pytest.approx((samples[1] * deviation).sum(), rel=1e-9)
    cubes = regression_cubes(counts, control, multiplicities, influence, mean, 0.7)
    assert cubes == pytest.approx(((samples[1] - 0.7 * deviation) ** 3).sum(), rel=1e-9)


@pytest.mark.parametrize("m", [1, 2, 3, 16, 17, 1000])
def test_a_hash_table_is_at_most_half_full(m):
    size = _table_size(m)
    assert size >= max(2 * m, 4)
    assert size & (size - 1) == 0
    assert size < 4 * m or size == 4


@pytest.mark.parametrize("m", [2, 9, 64])
def test_states_that_hash_to_one_place_are_told_apart(m):
    # The last slot of the table, so that the search for a free one goes on at its beginning.
    multiplier, size = 0x9E3779B97F4A7C15, _table_size(m)
    inverse = pow(multiplier, -1, 2**64)
    states = [((((size - 1) * 2**64 // size) + k) * inverse) % 2**64 for k in range(m)]
    keys = np.array(states + states[:2] + [int(DROPPED)], np.uint64)
    slot_keys, slot_counts, used = np.zeros(size, np.uint64), np.zeros(size, np.int64), np.empty(m, np.int64)
    n_states = _count_states(keys, slot_keys, slot_counts, used)
    assert n_states == m
    assert used.tolist() == [size - 1, *range(m - 1)]
    assert dict(zip(slot_keys[used].tolist(), slot_counts[used].tolist(), strict=True)) == {
        state: 2 if k < 2 else 1 for k, state in enumerate(states)
    }
    assert slot_counts.sum() == m + 2


def test_equal_keys():
    keys = np.full(9, 5, np.uint64)
    assert _are_equal(keys)
    for t in (0, 4, 8):
        different = keys.copy()
        different[t] = 6
        assert not _are_equal(different)


@pytest.mark.parametrize("counts", [[3, 1, 1, 7], [1, 1, 1, 1], [2, 2], [40, 1, 0, 5, 0]])
def test_chao_shen(counts):
    counts = np.array(counts)
    got = chao_shen_entropy(counts, counts.sum(), np.count_nonzero(counts == 1))
    assert got == pytest.approx(naive.entropy_by("chao-shen", counts[counts > 0]), abs=1e-12)


def test_kept_keys_are_appended_as_far_as_there_is_room():
    keys = np.full((3, 4), DROPPED)
    keys[0, :3], keys[2, 0] = [1, 2, 3], 4
    n_kept = np.array([3, 0, 1])
    found = np.array([[10, int(DROPPED), 11], [int(DROPPED), 20, 21]], np.uint64)
    append_kept(found, np.array([0, 2]), keys, n_kept)
    nothing = int(DROPPED)
    assert keys.tolist() == [[1, 2, 3, 10], [nothing] * 4, [4, 20, 21, nothing]]
    assert n_kept.tolist() == [4, 0, 3]
