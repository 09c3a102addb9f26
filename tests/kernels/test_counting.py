"""Counts against numpy.unique, entropies against the definitions written with digamma functions."""

import naive
import numpy as np
import pytest

from ei_fast.kernels.counting import (
    HALVES,
    PLUGIN,
    SINGLES,
    WHOLE,
    cell_entropies,
    information_variance,
    merge_states,
)
from ei_fast.measures.entropy import grassberger_weights


@pytest.fixture(params=[(3, 16), (40, 64), (2, 33), (10**9, 50), (1, 20)])
def keys(request):
    n_states, m = request.param
    rng = np.random.default_rng(n_states)
    states = rng.integers(0, 2**63, n_states if n_states < 1000 else m).astype(np.uint64)
    return rng.choice(states, (5, m))


def _counts(row):
    return np.unique(row, return_counts=True)[1]


def test_cell_entropies(keys):
    m = keys.shape[1]
    out = np.empty((len(keys), 4))
    cell_entropies(keys, grassberger_weights(m + 1), out)
    for row, got in zip(keys, out, strict=True):
        halves = [naive.grassberger(_counts(half)) for half in (row[: m // 2], row[m // 2 :])]
        assert got[WHOLE] == pytest.approx(naive.grassberger(_counts(row)), abs=1e-12)
        assert got[HALVES] == pytest.approx(np.mean(halves), abs=1e-12)
        assert got[PLUGIN] == pytest.approx(naive.entropy(row), abs=1e-12)
        assert got[SINGLES] == (np.count_nonzero(_counts(row) == 1) if len(_counts(row)) > 1 else 0)


def test_one_state_has_entropy_exactly_zero():
    out = np.ones((1, 4))
    cell_entropies(np.full((1, 64), 7, np.uint64), grassberger_weights(65), out)
    assert not out.any()


def test_merged_counts_are_exact():
    rng = np.random.default_rng(1)
    first, second = rng.integers(0, 30, 50).astype(np.uint64), rng.integers(20, 60, 70).astype(np.uint64)
    states, counts = np.empty(120, np.uint64), np.empty((120, 2), np.int64)
    n = merge_states(np.sort(first), np.sort(second), states, counts)
    expected = np.unique(np.concatenate([first, second]))
    np.testing.assert_array_equal(states[:n], expected)
    np.testing.assert_array_equal(counts[:n, 0], [np.count_nonzero(first == key) for key in expected])
    np.testing.assert_array_equal(counts[:n, 1], [np.count_nonzero(second == key) for key in expected])


def test_information_variance(keys):
    states, counts = np.unique(keys, return_counts=True)
    log_p = np.log2(counts / counts.sum())
    out = np.empty(len(keys))
    information_variance(keys, states, log_p, 3.0, out)
    m = keys.shape[1]
    for row, got in zip(keys, out, strict=True):
        inverse, own = np.unique(row, return_inverse=True, return_counts=True)[1:]
        gain = np.log2(own / m)[inverse] - log_p[np.searchsorted(states, row)]
        expected = gain.var(ddof=1) / m + 3.0 * len(own) / m**2 if len(own) > 1 else 0.0
        assert got == pytest.approx(expected, abs=1e-12)
