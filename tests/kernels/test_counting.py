"""Counts against numpy.unique, entropies against the definitions written out."""

import naive
import numpy as np
import pytest

from ei_fast.kernels.counting import (
    HALVES,
    KEPT,
    PLUGIN,
    SINGLES,
    WHOLE,
    cell_entropies,
    information_variance,
    merge_counts,
    run_lengths,
)
from ei_fast.kernels.keys import DROPPED
from ei_fast.measures.entropy import estimator_named

ESTIMATORS = ["plugin", "miller-madow", "grassberger", "chao-shen"]


def _statistics(keys, name="plugin"):
    estimator = estimator_named(name)
    out = np.ones((len(keys), 5))
    cell_entropies(keys, estimator.weights(keys.shape[1] + 1), estimator.addend, estimator.chao_shen, out)
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
    m = keys.shape[1]
    for row, got in zip(keys, _statistics(keys, name), strict=True):
        if not len(_kept(row)):
            assert not got.any()
            continue
        halves = [naive.entropy_by(name, _counts(half)) for half in (row[: m // 2], row[m // 2 :])]
        assert got[WHOLE] == pytest.approx(naive.entropy_by(name, _counts(row)), abs=1e-12)
        assert got[HALVES] == pytest.approx(np.mean(halves), abs=1e-12)
        assert got[PLUGIN] == pytest.approx(naive.entropy(_kept(row)), abs=1e-12)
        assert got[SINGLES] == (np.count_nonzero(_counts(row) == 1) if len(_counts(row)) > 1 else 0)
        assert got[KEPT] == len(_kept(row))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_one_state_has_entropy_exactly_zero(name):
    keys = np.full((2, 64), 7, np.uint64)
    keys[1, :10] = DROPPED
    assert _statistics(keys, name).tolist() == [[0, 0, 0, 0, 64], [0, 0, 0, 0, 54]]


def test_run_lengths_and_merged_counts_are_exact():
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 30, 50).astype(np.uint64), rng.integers(20, 60, 70).astype(np.uint64)
    first[3] = DROPPED
    runs = []
    for keys in (first, second):
        states, counts = np.empty(len(keys), np.uint64), np.empty(len(keys), np.int64)
        n = run_lengths(np.sort(keys), states, counts)
        runs.append((states[:n], counts[:n]))
        expected = np.unique(_kept(keys), return_counts=True)
        np.testing.assert_array_equal(states[:n], expected[0])
        np.testing.assert_array_equal(counts[:n], expected[1])
    states, counts = np.empty(120, np.uint64), np.empty(120, np.int64)
    n = merge_counts(*runs[0], *runs[1], states, counts)
    expected = np.unique(_kept(np.concatenate([first, second])), return_counts=True)
    np.testing.assert_array_equal(states[:n], expected[0])
    np.testing.assert_array_equal(counts[:n], expected[1])


def test_information_variance(keys):
    states, counts = np.unique(_kept(keys), return_counts=True)
    log_p = np.log2(counts / counts.sum())
    share, information = counts.sum() / keys.size, 0.3
    out = np.empty(len(keys))
    information_variance(keys, states, log_p, information, share, 3.0, out)
    m = keys.shape[1]
    for row, got in zip(keys, out, strict=True):
        tells = np.zeros(m)
        inverse, own = np.unique(_kept(row), return_inverse=True, return_counts=True)[1:]
        gain = np.log2(own / own.sum())[inverse] - log_p[np.searchsorted(states, _kept(row))] if own.size else own
        tells[row != DROPPED] = (gain - information) / share
        one_state = len(np.unique(row)) == 1
        expected = 0.0 if one_state else tells.var(ddof=1) / m + 3.0 * len(own) / m**2
        assert got == pytest.approx(expected, abs=1e-12)
