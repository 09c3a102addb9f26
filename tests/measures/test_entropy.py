"""Entropy estimators: their formulas against the oracle's, their bias where the entropy is known."""

import naive
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from ei_fast.kernels.keys import DROPPED
from ei_fast.measures.counting.counts import Counts
from ei_fast.measures.counting.estimators import estimator_named
from ei_fast.measures.counting.sampled import entropy_of_keys
from ei_fast.measures.counting.unseen import NOTHING_UNSEEN, UnseenStates
from ei_fast.measures.entropies.cells import CellEntropies, CellStatistics

NAMES = ["plugin", "miller-madow", "grassberger", "chao-shen", "auto"]


def _entropy(p):
    return float(-(p[p > 0] * np.log2(p[p > 0])).sum())


def _drawn(p, n, seed):
    return np.random.default_rng(seed).choice(len(p), n, p=p).astype(np.uint64)


def _geometric_parts(n_states):
    """States of all sizes, such as hyperplanes leave of a cell."""
    p = np.random.default_rng(3).exponential(size=n_states) ** 3
    return p / p.sum()


@pytest.mark.parametrize("name", NAMES[:4])
@pytest.mark.parametrize(
    "counts", [[1], [5], [1, 1], [3, 1, 1, 2, 9], [5000, 4097, 2, 1], [1] * 40, list(range(1, 60))]
)
def test_formulas(name, counts):
    got = estimator_named(name).entropy(np.array([0, *counts]))
    # Large counts take the place of Grassberger's G by its limit.
    assert got == pytest.approx(naive.entropy_by(name, counts), abs=1e-7 if max(counts) > 4000 else 1e-9)


@pytest.mark.parametrize("counts", [[5], [3, 1, 1, 2, 9], [1] * 40, list(range(1, 60))])
def test_zhangs_formula(counts):
    assert estimator_named("auto").entropy(np.array(counts)) == pytest.approx(
        naive.entropy_by("zhang", counts), abs=1e-9
    )


@pytest.mark.parametrize(
    ("p", "n"),
    [(p, n) for p in (np.full(64, 1 / 64), _geometric_parts(100)) for n in (500, 4000)]
    + [(_geometric_parts(1000), 4000)],
)
def test_bias_and_error_are_as_stated(p, n):
    estimates = [entropy_of_keys(_drawn(p, n, seed), estimator_named("auto")) for seed in range(400)]
    errors = np.array([one.value for one in estimates]) - _entropy(p)
    stated = np.array([one.stderr for one in estimates])
    assert abs(errors.mean()) < 4 * errors.std() / 20 + np.mean([one.bias for one in estimates])
    assert errors.std() == pytest.approx(stated.mean(), rel=0.2)


@pytest.mark.parametrize("name", NAMES[:4])
def test_a_biased_estimator_says_how_much(name):
    p = _geometric_parts(300)
    estimates = [entropy_of_keys(_drawn(p, 1000, seed), estimator_named(name)) for seed in range(100)]
    bias = np.mean([one.value for one in estimates]) - _entropy(p)
    assert abs(bias) < 1.5 * np.mean([one.bias + abs(one.shift) for one in estimates]) + 0.01


def test_auto_beats_the_others_inside_cells():
    # 400 cells of 64 points each, states of all sizes in every one: the average of their entropies.
    rng = np.random.default_rng(0)
    cells = [rng.exponential(size=30) ** 4 for _ in range(400)]
    cells = [p / p.sum() for p in cells]
    truth = np.mean([_entropy(p) for p in cells])
    bias = {}
    for name in NAMES:
        estimates = []
        for seed in range(10):
            keys = np.stack([_drawn(p, 64, 1000 * seed + k) for k, p in enumerate(cells)])
            estimator = estimator_named(name)
            inside = CellEntropies(CellStatistics.of_keys(keys, estimator), 64, estimator, keys.size)
            estimates.append(inside.mean(inside.entropies))
        bias[name] = np.mean(estimates) - truth
    assert abs(bias["auto"]) < 0.01
    assert bias["plugin"] < bias["miller-madow"] < bias["grassberger"] < -0.01


def test_an_endless_tail_is_not_believed():
    # 3 % of the probability in states that never come twice: the coverage is high, the entropy unknown.
    rng = np.random.default_rng(0)
    keys = np.where(rng.random(100_000) < 0.03, rng.integers(10, 2**62, 100_000), rng.integers(0, 8, 100_000))
    entropy = entropy_of_keys(keys.astype(np.uint64), estimator_named("auto"))
    assert entropy.coverage > 0.95
    assert not entropy.resolved


def test_a_few_stray_states_are_no_tail():
    keys = np.append(np.arange(2**16) % 8, [100, 101]).astype(np.uint64)
    entropy = entropy_of_keys(keys, estimator_named("auto"))
    assert entropy.resolved
    assert entropy.value == pytest.approx(3.0, abs=0.001)


@pytest.mark.parametrize("n", [100, 1000, 10**5])
def test_a_sample_in_one_state_does_not_show_that_there_is_no_other(n):
    # None of n samples meets a state of probability 3.6 / n with a probability of exp(-3.6), which is above 2.5 %.
    p = 3.6 / n
    entropy = entropy_of_keys(np.zeros(n, np.uint64), estimator_named("auto"))
    assert entropy.value == 0.0
    assert _entropy(np.array([p, 1 - p])) < entropy.bias < 1.1 * _entropy(np.array([p, 1 - p]))


def test_a_state_seen_once_may_have_others_beside_it():
    # 999 samples of one state and one of another: a second state of its probability, not met, would add 1 / n of the
    # probability, whose part in the entropy is log2(e) / n at least.
    keys = np.append(np.zeros(999), 1).astype(np.uint64)
    entropy = entropy_of_keys(keys, estimator_named("auto"))
    assert entropy.unseen.bits == 0.0
    assert entropy.bias >= 1 / 1000 / np.log(2)
    unseen = UnseenStates.after(1000, 1, 0, 0)
    assert 1 / 1000 / np.log(2) <= unseen.model_error < 0.01
    assert UnseenStates.after(1000, 0, 5, 0).model_error == 0.0


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0])
def test_the_unseen_of_a_power_law(exponent):
    # New states at the rate U(v) = v**-a: f1 = n U, f2 = -n**2 U'/2, f3 = n**3 U''/6, and the integral of U/v is U/a.
    n = 10_000
    rate = n**-exponent
    once, twice = n * rate, n * rate * exponent / 2
    thrice = n * rate * exponent * (exponent + 1) / 6
    unseen = UnseenStates.after(1e12 * n, 1e12 * once, 1e12 * twice, 1e12 * thrice)
    assert unseen.bits == pytest.approx(rate / exponent / np.log(2), rel=1e-4)
    assert unseen.per_singleton * once - unseen.per_doubleton * twice == pytest.approx(n * unseen.bits, rel=1e-9)


@pytest.mark.parametrize(("exponent", "has_no_end"), [(0.1, True), (0.25, True), (0.35, False), (1.0, False)])
def test_a_discovery_rate_that_hardly_falls_has_no_end(exponent, has_no_end):
    # New states at the rate U(v) = 0.1 (v / n)**-a at v near n: counts as above, of so many samples that chance is out.
    n, once = 10**9, 10**8
    unseen = UnseenStates.after(n, once, once * exponent / 2, once * exponent * (exponent + 1) / 6)
    assert unseen.bits > 0.1
    assert unseen.without_end == has_no_end


@pytest.mark.parametrize("largest", [900, 5000, 2**63 - 1])
@pytest.mark.parametrize("dropped", [0, 100])
def test_counts_of_keys_of_any_size(largest, dropped):
    keys = np.random.default_rng(0).integers(0, largest, 1000).astype(np.uint64)
    keys[:dropped] = DROPPED
    expected, expected_counts = np.unique(keys[dropped:], return_counts=True)
    counted = Counts.of(keys)
    np.testing.assert_array_equal(counted.states, expected)
    np.testing.assert_array_equal(counted.counts, expected_counts)
    assert not len(Counts.of(np.empty(0, np.uint64)).counts)


class _Control:
    """A control variate that knows of events which no sample met: so many bits of its mean."""

    mean = 1.0

    def __init__(self, missed=0.0):
        self._missed = missed

    def __call__(self, counts):
        return np.log(counts.states)

    def missed(self, counts):
        return self._missed, 0.0


def test_what_a_control_knows_to_be_missed_may_be_wrong():
    keys = np.random.default_rng(0).geometric(0.1, 1000).astype(np.uint64)
    without, with_some = (entropy_of_keys(keys, estimator_named("auto"), _Control(missed)) for missed in (0.0, 0.05))
    assert with_some.bias == pytest.approx(without.bias + 0.05, abs=1e-12)
    assert with_some.value == without.value


def test_any_number_of_threads_of_blas():
    # So many states that BLAS would share out what is summed over them.
    keys = np.random.default_rng(0).geometric(1e-4, 200_000).astype(np.uint64)
    entropies = []
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            entropies.append(entropy_of_keys(keys, estimator_named("auto"), _Control()))
    assert entropies[0] == entropies[1]


def test_what_was_met_often_leaves_nothing_unseen():
    assert UnseenStates.after(1000, 0, 0, 0, 0.0) == NOTHING_UNSEEN
    assert NOTHING_UNSEEN.bits == NOTHING_UNSEEN.model_error == 0.0
