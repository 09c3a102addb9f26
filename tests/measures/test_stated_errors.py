"""What intervals and brackets are made of, term by term, where the answer is known."""

from dataclasses import replace

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.intervention.of_layer import intervention_on
from ei_fast.kernels.keys import DROPPED
from ei_fast.measures.constants import Z95
from ei_fast.measures.counting.estimators import ZHANG_UNSEEN
from ei_fast.measures.entropies.bounds import bounds_on
from ei_fast.measures.entropies.cells import CellEntropies, CellStatistics
from ei_fast.measures.entropies.drawn_cells import sample_given_points
from ei_fast.measures.entropies.ends import most_entropy
from ei_fast.measures.entropies.estimate import EntropyEstimate
from ei_fast.measures.joint.estimate import JointEI, compose
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import run_here
from ei_fast.network.binned import BinnedLayer
from ei_fast.runtime.threads import Threads

N_SEEDS = 40
MIN_HELD = 0.975 - 3 * np.sqrt(0.975 * 0.025 / N_SEEDS)
"""Share of so many seeds at which a bound of 97.5 % confidence holds, three standard errors less."""


def _bounds(function, seed, **binned):
    """Bounds on both entropies, from a sample of 16,384 points."""
    layer = BinnedLayer(function, 0, (0.0, 1.0), **({"out_range": (-1.0, 1.0), "in_bins": 8, "out_bins": 8} | binned))
    do = intervention_on(layer, seed)

    def measured():
        sample = yield from sample_given_points(do, MeasureOptions(), 4096)
        return (yield from bounds_on(do, sample))

    with Threads(1) as threads:
        return run_here(measured(), threads)


@pytest.mark.parametrize("drop", [False, True], ids=["clip", "drop"])
def test_bounds_of_one_output_are_tight_and_hold(drop):
    # Of one output the sum of the outputs' entropies is the entropy, so that nothing but errors keeps bounds apart.
    layer = ef.Layer([[3.0], [-2.0]], [-0.4], "tanh")
    params = {"out_range": (-0.8, 0.9), "out_of_range": "drop"} if drop else {"out_range": (-1.0, 1.0)}
    known = ef.analyze(layer, tol=0.0005, random_state=0, pairwise="none", **params)[0]
    assert known.ei_stderr < 0.001
    function = ef.Function(layer, 2, 1, (-1.0, 1.0))
    found = [_bounds(function, seed, out_range=params["out_range"], drop=drop) for seed in range(N_SEEDS)]
    for name, truth in (("output", known.output_entropy), ("conditional", known.conditional_entropy)):
        low, high = (np.array([getattr(getattr(bounds, name), end) for bounds in found]) for end in ("low", "high"))
        assert np.mean(low <= truth) >= MIN_HELD, name
        assert np.mean(high >= truth) >= MIN_HELD, name
        # The plug-in entropy of the 64 points in a cell is too low by some (states - 1) / (128 ln 2).
        assert truth - low.mean() < 0.2, name
        assert high.mean() - truth < 0.2, name
    least = np.array([bounds.least for bounds in found])
    assert np.mean(least <= known.ei) >= MIN_HELD
    assert known.ei - least.mean() < 0.2


def test_cells_that_keep_hardly_anything_may_have_any_entropy():
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 4, (200, 64)).astype(np.uint64)
    full = _cells(keys)
    keys[:50, 5:] = DROPPED
    poor = _cells(keys)
    assert full.bias < 0.05
    # A quarter of the cells keep five points of 64.
    assert 0.25 * 6.0 <= poor.bias < 0.25 * 6.0 + 0.1


def _cells(keys):
    statistics = CellStatistics.of_keys(keys, ZHANG_UNSEEN)
    return CellEntropies(statistics, keys.shape[1], ZHANG_UNSEEN, keys.size, most=6.0)


def test_the_mean_over_few_cells_has_a_wider_interval():
    # Of eight normal numbers the interval of a normal distribution, with their own spread, holds 91 times in 100.
    cells = _cells(np.zeros((8, 64), np.uint64))
    values = np.random.default_rng(0).normal(size=(5000, 8))
    held = [abs(cells.mean(row)) <= Z95 * cells.mean_stderr(row) for row in values]
    assert 0.93 < np.mean(held) < 0.96


def test_the_error_of_a_controls_mean_is_part_of_the_error():
    cells = _cells(np.random.default_rng(0).integers(0, 4, (200, 64)).astype(np.uint64))
    control = np.random.default_rng(1).normal(size=200)
    known = replace(cells, control=control, slope=0.5)
    estimated = replace(known, control_stderr=0.1)
    assert estimated.stderr == pytest.approx(np.hypot(known.stderr, 0.5 * 0.1))
    # Without a control there is nothing of it.
    assert replace(cells, control_stderr=0.1).stderr == cells.stderr


@pytest.mark.parametrize(("n_once", "is_bounded"), [(10, True), (60, False), (200, False)])
def test_an_entropy_has_an_upper_bound_where_nearly_all_of_it_is_seen(n_once, is_bounded):
    # Of 1,000 samples 1 %, 6 % and 20 % are in states of their own, the others four to a state.
    keys = np.append(np.arange(1000 - n_once) // 4, 10_000 + np.arange(n_once)).astype(np.uint64)
    assert (most_entropy(keys, 12.0) < 12.0) == is_bounded


def _entropy(value, stderr, bias, shift=0.0):
    return EntropyEstimate.estimated(value, stderr, bias, method="zhang+unseen", n_samples=100, shift=shift)


def _half_width(stderr, bias):
    """Of a 95 % interval: a bias of unknown sign and size up to `bias` has the variance bias**2 / 3."""
    return 1.959963984540054 * np.sqrt(stderr**2 + bias**2 / 3)


def test_errors_of_a_difference():
    found = compose(_entropy(3.0, 0.03, 0.02), _entropy(1.0, 0.04, 0.01), method="conditional", n_samples=200)
    assert (found.value, found.output_entropy, found.conditional_entropy, found.n_samples) == (2.0, 3.0, 1.0, 200)
    # Independent errors; sizes of biases of unknown sign add up.
    assert (found.stderr, found.bias) == (pytest.approx(0.05), pytest.approx(0.03))
    half = _half_width(0.05, 0.03)
    assert (found.low, found.high) == (pytest.approx(2 - half), pytest.approx(2 + half))
    assert found.error == pytest.approx(np.hypot(0.05, 0.03))
    # Of the same points the error is another, and is given.
    same = compose(_entropy(3.0, 0.03, 0.0), _entropy(1.0, 0.04, 0.0), method="m", n_samples=1, stderr=0.01)
    assert same.stderr == 0.01


def test_an_interval_is_about_the_best_estimate_and_holds_the_other():
    found = compose(_entropy(3.0, 0.01, 0.0, shift=0.1), _entropy(1.0, 0.0, 0.0, shift=-0.2), method="m", n_samples=1)
    assert found.shift == pytest.approx(0.3)
    assert (found.value, found.low, found.high) == (2.0, 2.0, pytest.approx(2.3 + _half_width(0.01, 0.0)))
    assert found.error == pytest.approx(np.hypot(0.01, 0.3))


def test_a_bracket_of_two():
    output, conditional = (
        EntropyEstimate.bounded(5.0, 6.0, n_samples=10),
        EntropyEstimate.bounded(1.0, 2.5, n_samples=5),
    )
    ends = [compose(output, conditional, method="m", n_samples=20, least=least) for least in (0.0, 3.0)]
    assert [(found.low, found.high) for found in ends] == [(2.5, 5.0), (3.0, 5.0)]
    assert [found.value for found in ends] == [3.75, 4.0]
    assert ends[0].stderr == pytest.approx(1.25 / 1.959963984540054)
    # One entropy that is bracketed is enough; and EI is never below 0.
    half_known = compose(_entropy(2.0, 0.0, 0.0), conditional, method="m", n_samples=20)
    assert half_known.undersampled
    assert (half_known.low, half_known.high) == (0.0, 1.0)


def test_errors_of_components_together():
    parts = [
        compose(_entropy(3.0, 0.03, 0.02, 0.1), _entropy(1.0, 0.0, 0.01), method="conditional", n_samples=200),
        compose(_entropy(2.0, 0.04, 0.03), _entropy(0.5, 0.0, 0.0), method="conditional", n_samples=300),
        JointEI.exact(1.0, 1.25),
    ]
    whole = JointEI.sum(parts, ceiling=20.0)
    assert (whole.value, whole.output_entropy, whole.conditional_entropy, whole.n_samples) == (4.5, 6.25, 1.75, 500)
    assert (whole.stderr, whole.bias, whole.shift) == tuple(map(pytest.approx, (0.05, 0.06, 0.1)))
    assert whole.low == pytest.approx(min(4.5, 4.6 - _half_width(0.05, 0.06)))
    assert whole.high == pytest.approx(4.6 + _half_width(0.05, 0.06))
    assert (whole.method, whole.estimator, whole.undersampled) == ("conditional", "zhang+unseen", False)
    bounds = EntropyEstimate.bounded(5.0, 6.0, n_samples=10), EntropyEstimate.bounded(1.0, 2.5, n_samples=5)
    bracketed = JointEI.sum([*parts, compose(*bounds, method="conditional", n_samples=20)], ceiling=8.0)
    assert bracketed.undersampled
    assert bracketed.estimator == "bounds"
    ends = sum(part.low for part in parts) + 2.5, sum(part.high for part in parts) + 5.0
    # Nothing is above the ceiling.
    assert ends[1] > 8
    assert (bracketed.low, bracketed.high) == (pytest.approx(ends[0]), 8.0)
    assert bracketed.value == pytest.approx((bracketed.low + bracketed.high) / 2)
