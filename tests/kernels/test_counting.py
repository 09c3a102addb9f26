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
    cell_entropies,
    information_variance,
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
        for column, times in ((ONCE, 1), (TWICE, 2), (THRICE, 3)):
            assert got[column] == (np.count_nonzero(counts == times) if len(counts) > 1 else 0)
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


def test_information_variance(keys):
    states, counts = np.unique(_kept(keys), return_counts=True)
    rng = np.random.default_rng(0)
    m = keys.shape[1]
    surprise, heads, inside = rng.normal(size=len(states)), rng.normal(size=m + 1), rng.normal(size=m + 1)
    share, information = counts.sum() / keys.size, 0.3
    out = np.empty((len(keys), 2))
    information_variance(keys, states, surprise, heads, inside, information, share, out)
    for row, (variance, n_states) in zip(keys, out, strict=True):
        tells = np.zeros(m)
        inverse, own = np.unique(_kept(row), return_inverse=True, return_counts=True)[1:]
        if own.size:
            gain = surprise[np.searchsorted(states, _kept(row))] - heads[own.sum()] - inside[own][inverse]
            tells[row != DROPPED] = (gain - information) / share
        one_state = len(np.unique(row)) == 1
        assert variance == pytest.approx(0.0 if one_state else tells.var(ddof=1) / m, abs=1e-12)
        assert n_states == (0 if one_state else len(own))


@pytest.mark.parametrize("n_states", [1, 7, 500])
def test_a_table_tells_what_sorting_tells(n_states):
    keys = np.random.default_rng(n_states).integers(0, n_states, 300).astype(np.uint64)
    expected, expected_counts = np.unique(keys, return_counts=True)
    states, counts = np.empty(300, np.uint64), np.empty(300, np.int64)
    n = tabulated(keys, np.zeros(n_states, np.int32), states, counts)
    np.testing.assert_array_equal(states[:n], expected)
    np.testing.assert_array_equal(counts[:n], expected_counts)


def test_regression_sums():
    rng = np.random.default_rng(0)
    counts, figure = rng.integers(1, 9, 300), rng.normal(5.0, 2.0, 300)
    times, place = np.unique(counts, return_inverse=True)
    tells = np.log(times)
    samples = np.repeat(figure, counts), np.repeat(tells[place], counts)
    mean, spread, together = regression_sums(counts, figure, times, tells)
    deviation = samples[0] - samples[0].mean()
    assert mean == pytest.approx(samples[0].mean(), rel=1e-12)
    assert spread == pytest.approx((deviation**2).sum(), rel=1e-12)
    assert together == pytest.approx((samples[1] * deviation).sum(), rel=1e-9)
    cubes = regression_cubes(counts, figure, times, tells, mean, 0.7)
    assert cubes == pytest.approx(((samples[1] - 0.7 * deviation) ** 3).sum(), rel=1e-9)
