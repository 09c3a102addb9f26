"""Errors of differences of entropies of the same points in two layers, against how these differ from draw to draw."""

import numpy as np
import pytest

from ei_fast.measures.ablation import noise
from ei_fast.measures.counting.counts import Counts
from ei_fast.measures.counting.estimators import ZHANG_UNSEEN
from ei_fast.measures.counting.sampled import entropy_of_counts
from ei_fast.measures.counting.unseen import UnseenStates
from ei_fast.measures.entropies.cells import CellEntropies, CellStatistics


def _pairs(rng, n, n_states, power, share):
    """States of n points in two layers: of the second a share of the points moves on to another part of its state."""
    p = np.arange(1, n_states + 1.0) ** -power
    first = rng.choice(n_states, n, p=p / p.sum())
    moved = rng.random(n) < share
    return first, np.where(moved, n_states + first % (n_states // 3), first)


def _counted(states):
    """Entropy and how it moves, of states that are given by numbers."""
    _, inverse, counts = np.unique(states, return_inverse=True, return_counts=True)
    often = counts[inverse]
    estimate = entropy_of_counts(Counts.of(states.astype(np.uint64)), len(states), ZHANG_UNSEEN)
    return estimate.value, noise.PointNoise.of(often, np.bincount(often, minlength=4))


@pytest.mark.parametrize(("n_states", "power", "share"), [(60, 0.5, 0.2), (3000, 1.0, 0.3), (4000, 0.8, 0.05)])
def test_the_error_of_points_is_what_differs_from_draw_to_draw(n_states, power, share):
    rng = np.random.default_rng(0)
    differences, variances = [], []
    for _ in range(300):
        (whole, of_whole), (one, of_one) = (_counted(some) for some in _pairs(rng, 4000, n_states, power, share))
        differences.append(one - whole)
        variances.append(noise.variance_of_difference(of_one, of_whole)[0])
    # 300 draws tell a standard deviation to 4 %; the second order of what is seen counts for a little too much.
    assert 0.88 < np.sqrt(np.mean(variances)) / np.std(differences) < 1.25


def test_the_error_of_cells_is_what_differs_from_draw_to_draw():
    rng = np.random.default_rng(1)
    p = np.arange(1, 201.0) ** -1.2
    means, errors = [], []
    for _ in range(200):
        keys = rng.choice(200, (300, 64), p=p / p.sum()).astype(np.uint64)
        statistics = CellStatistics.of_keys(keys, ZHANG_UNSEEN)
        means.append(CellEntropies(statistics, 64, ZHANG_UNSEEN, keys.size).entropies.mean())
        errors.append(noise.influences_of_cells(statistics).std() / 300**0.5)
    assert 0.88 < np.mean(errors) / np.std(means) < 1.15
    # Without the number of states seen thrice it is far too small.
    unseen, old = statistics.unseen(), statistics.zhang.copy()
    old += (unseen.per_singleton * statistics.once - unseen.per_doubleton * statistics.twice) / 64
    assert old.std() / 300**0.5 < 0.8 * np.std(means)


def test_slopes_are_those_between_two_numbers():
    slopes = noise.slopes_of_unseen(1000, (100.0, 25.0, 9.0))
    for k, step in enumerate((10.0, 5.0, 3.0)):
        above, below = [100.0, 25.0, 9.0], [100.0, 25.0, 9.0]
        above[k] += step
        below[k] -= step
        bits = UnseenStates.after(1000, *above).bits - UnseenStates.after(1000, *below).bits
        assert slopes[k] == pytest.approx(1000 * bits / (2 * step))
    assert slopes[0] > 0 > slopes[1]
    assert np.isfinite(noise.slopes_of_unseen(10, (0.0, 0.0, 0.0))).all()


def test_layers_that_are_equal_have_no_error():
    _, of_whole = _counted(np.random.default_rng(0).integers(0, 50, 500))
    variance, parts = noise.variance_of_difference(of_whole, of_whole)
    assert variance == 0.0
    assert not parts.any()
