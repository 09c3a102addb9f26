"""States that threads count: those that NumPy finds, for any number of threads and any kind of keys."""

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.kernels.keys import DROPPED
from ei_fast.measures.counting import in_threads
from ei_fast.measures.counting.counts import Counts
from ei_fast.measures.counting.in_threads import counted, counted_in_ranges, counted_in_tables, tallied
from ei_fast.runtime.threads import Threads

N = 50_000


def _keys(kind):
    rng = np.random.default_rng(0)
    anything = rng.integers(0, 2**63, N, dtype=np.uint64)
    return {
        "hashes": anything,
        "some dropped": np.where(rng.random(N) < 0.4, DROPPED, anything),
        "all dropped": np.full(N, DROPPED),
        "one state": np.full(N, 7, np.uint64),
        "one state in a hash": np.full(N, anything[0]),
        "few hashes": anything[np.minimum(rng.geometric(0.01, N), 999)],
        "one common state": np.where(rng.random(N) < 0.9, anything[5], anything),
        "packed": sum(rng.binomial(7, 0.5, N).astype(np.uint64) << np.uint64(3 * j) for j in range(20)),
        "table": rng.integers(0, N // 3, N).astype(np.uint64),
        "skewed table": np.minimum(rng.geometric(1e-3, N), 40_000).astype(np.uint64),
        "large table": rng.integers(0, 3 * N, N).astype(np.uint64),
        "two far apart": rng.integers(0, 2, N).astype(np.uint64) * np.uint64(2**62),
    }[kind]


KINDS = (
    *("hashes", "some dropped", "all dropped", "one state", "one state in a hash", "few hashes", "one common state"),
    *("packed", "table", "skewed table", "large table", "two far apart"),
)


def _check(found, keys):
    states, counts = np.unique(keys[keys != DROPPED], return_counts=True)
    np.testing.assert_array_equal(found.states, states)
    np.testing.assert_array_equal(found.counts, counts)
    assert found.states.dtype == np.uint64
    assert found.counts.dtype == np.int64


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_jobs", [1, 2, 5])
def test_counts_are_those_of_numpy(monkeypatch, kind, n_jobs):
    monkeypatch.setattr(in_threads, "FEWEST_SHARED_KEYS", 1000)
    keys = _keys(kind)
    with Threads(n_jobs) as threads:
        for in_place in (False, True):
            given = keys.copy()
            found = counted(given, threads, in_place)
            _check(found, keys)
            assert in_place or (given == keys).all()
        with_tally = tallied(found, threads, fewest=1)
    assert with_tally.total == found.total == np.count_nonzero(keys != DROPPED)
    for of_threads, expected in zip(with_tally.multiplicities(), Counts.of(keys).multiplicities(), strict=True):
        np.testing.assert_array_equal(of_threads, expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_ranges", [1, 2, 17, 256])
def test_any_number_of_ranges(kind, n_ranges):
    keys = _keys(kind)
    _check(counted_in_ranges(keys.copy(), n_ranges, Threads(1)), keys)


@pytest.mark.parametrize("n_tables", [1, 3, 64])
def test_any_number_of_tables(n_tables):
    keys = _keys("skewed table")
    _check(counted_in_tables(keys, n_tables, int(keys.max()), Threads(1)), keys)


def test_large_multiplicities(monkeypatch):
    monkeypatch.setattr(in_threads, "LARGE_MULTIPLICITY", 5)
    counts = np.random.default_rng(0).geometric(0.1, 5000)
    counts[::1000] = 2**40
    with Threads(2) as threads:
        found = tallied(Counts(np.arange(5000, dtype=np.uint64), counts), threads, fewest=1)
    expected, n_states = np.unique(counts, return_counts=True)
    np.testing.assert_array_equal(found.multiplicities()[0], expected)
    np.testing.assert_array_equal(found.multiplicities()[1], n_states)


SHARED = {
    "conditional": {"joint": "conditional", "n_samples": 2**19, "pairwise": "none"},
    "plug-in": {"joint": "plugin", "n_samples": 2**18, "pairwise": "none"},
    "plug-in, dropped": {
        "joint": "plugin", "n_samples": 2**18, "pairwise": "none", "out_of_range": "drop", "out_range": (0.2, 0.8),
    },
    "annealed": {"joint": "annealed", "n_samples": 512, "pairwise": "none"},
    "gaussian": {"joint": "gaussian", "n_samples": 4096, "pairwise": "none"},
}  # fmt: skip


@pytest.mark.parametrize("name", SHARED)
def test_reports_of_any_number_of_threads(random_weight, name):
    weight = random_weight(40, 24, 3.0)
    one, two, many = (ef.analyze(weight, random_state=3, n_jobs=n, **SHARED[name])[0].figures() for n in (1, 2, 40))
    for figure, value in one.items():
        np.testing.assert_array_equal(two[figure], value, err_msg=figure)
        np.testing.assert_array_equal(many[figure], value, err_msg=figure)


def test_bounds_of_functions_see_the_same_points_as_before(random_weight):
    seen = []
    weight = random_weight(30, 12, 3.0)

    def function(x):
        seen.append(len(x))
        return np.tanh(x @ weight)

    block = ef.Function(function, 30, 12, (-1.0, 1.0))
    first, second = (ef.analyze(block, n_samples=2048, pairwise="none", random_state=0, n_jobs=n)[0].ei for n in (1, 4))
    assert first == second
    # All points anywhere, and all inside cells, of a subset in one call each.
    assert 2**17 in seen


@pytest.mark.parametrize("n_samples", [1, 2, 3, 5, 8])
def test_counts_of_several_samples_are_those_of_all_together(n_samples):
    samples = np.split(_keys("packed")[: 1000 * n_samples] % np.uint64(97), n_samples)
    found = Counts.sum([Counts.of(keys) for keys in samples])
    states, counts = np.unique(np.concatenate(samples), return_counts=True)
    np.testing.assert_array_equal(found.states, states)
    np.testing.assert_array_equal(found.counts, counts)
