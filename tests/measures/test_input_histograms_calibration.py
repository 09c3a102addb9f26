"""How often 95 % intervals of EI hold it where inputs are drawn from histograms: enumerated layers, over seeds."""

import naive
import naive_histograms as slow
import numpy as np
import pytest
from scipy.special import expit

import ei_fast as ef


def _codes(weight, out_bins):
    return lambda x: naive.bins_of(naive.outputs(x, weight, np.zeros(weight.shape[1]), "sigmoid"), (0.0, 1.0), out_bins)


def _dense():
    weight, p = np.array([[4.0, -2.0], [3.0, 5.0], [-6.0, 1.0]]), np.random.default_rng(0).dirichlet([0.7] * 4, 3)
    return weight, p, slow.information(slow.joint_table(_codes(weight, 8), p, 8, 60)), (4, 8)


def _skewed():
    """One bin holds nearly all: cells in which outputs move are rare."""
    weight, p = np.array([[5.0], [-4.0], [3.0]]), np.array([[0.97, 0.01, 0.01, 0.01]] * 3)
    return weight, p, slow.information(slow.joint_table(_codes(weight, 4), p, 4, 60)), (4, 4)


def _blocks():
    """Three blocks of two inputs and an output, of which nothing shows: a function of far more cells than are drawn."""
    rng = np.random.default_rng(2)
    weights, p = [rng.normal(size=(2, 1)) * 5 for _ in range(3)], rng.dirichlet([0.3] * 8, 6)
    truth = sum(
        slow.information(slow.joint_table(_codes(weight, 4), p[2 * k : 2 * k + 2], 4, 200))
        for k, weight in enumerate(weights)
    )

    def outputs(x):
        return np.concatenate([expit(x[:, 2 * k : 2 * k + 2] @ weight) for k, weight in enumerate(weights)], axis=1)

    return ef.Function(outputs, 6, 3, (0.0, 1.0)), p, truth, (8, 4)


LAYERS = {"dense": _dense, "skewed": _skewed, "blocks": _blocks}


def _covered(name, n_seeds, tol, **options):
    layer, p, truth, bins = LAYERS[name]()
    groups = [
        ef.effective_information(layer, bins=bins, in_distribution=p, random_state=seed, tol=tol, **options)
        for seed in range(n_seeds)
    ]
    # The grid of the oracle is fine, and not infinitely so.
    return np.mean([group.interval[0] - 2e-4 <= truth <= group.interval[1] + 2e-4 for group in groups])


@pytest.mark.endurance
@pytest.mark.parametrize("tol", [0.1, 0.01])
@pytest.mark.parametrize("name", LAYERS)
def test_of_six_hundred_intervals_93_in_100_hold_the_truth(name, tol):
    # Of two hundred seeds 92.5 % once held it, of the four hundred after them 95.8 %: what so few say is up to chance.
    assert _covered(name, 600, tol) >= 0.93


@pytest.mark.endurance
@pytest.mark.parametrize("name", LAYERS)
def test_so_they_do_where_points_are_given(name):
    assert _covered(name, 600, 0.01, n_samples=2**14) >= 0.93
