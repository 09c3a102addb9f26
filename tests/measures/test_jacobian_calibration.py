"""Intervals of EI in noise form hold what they say they hold: 200 seeds on each of some maps."""

from functools import cache

import numpy as np
import pytest

import ei_fast as ef

SEEDS = range(200)
MAPS = {
    "6 to 9, tanh": ([(6, 9)], "tanh", (-1.0, 1.0)),
    "4 to 6, sigmoid": ([(4, 6)], "sigmoid", (0.0, 1.0)),
    "6 to 9 to 6, tanh": ([(6, 9), (9, 6)], "tanh", (-1.0, 1.0)),
    "4 to 6 to 4, GELU": ([(4, 6), (6, 4)], "gelu", (0.0, 1.0)),
    "5 to 5 to 5, sigmoid": ([(5, 5), (5, 5)], "sigmoid", (0.0, 1.0)),
}


def _map(name):
    widths, activation, in_range = MAPS[name]
    rng = np.random.default_rng(1)
    layers = [ef.Layer(2 * rng.normal(size=(n, m)) / np.sqrt(n), activation=activation) for n, m in widths]
    return ef.Network(layers, in_range)


@cache
def _reference(name):
    return ef.jacobian_ei(_map(name), 0.01, random_state=10**6, n_samples=2**20)


@pytest.mark.endurance
@pytest.mark.parametrize("name", MAPS)
def test_intervals_hold(name):
    truth = _reference(name)
    results = [ef.jacobian_ei(_map(name), 0.01, random_state=seed, tol=0.02) for seed in SEEDS]
    ends = np.array([result.interval for result in results])
    values = np.array([result.value for result in results])
    held = np.mean((ends[:, 0] <= truth.value) & (truth.value <= ends[:, 1]))
    stated = np.mean([result.stderr for result in results])
    print(f"{name}: held {held:.1%}, sd {values.std():.5f}, stated {stated:.5f}, reference ± {truth.stderr:.5f}")
    assert held >= 0.93
    assert 0.85 < values.std() / stated < 1.15
    assert abs(values.mean() - truth.value) < 4 * np.hypot(values.std() / np.sqrt(len(values)), truth.stderr)


def test_few_seeds_of_one_map():
    name = "5 to 5 to 5, sigmoid"
    truth = ef.jacobian_ei(_map(name), 0.01, random_state=10**6, n_samples=2**17)
    off = []
    for seed in range(20):
        result = ef.jacobian_ei(_map(name), 0.01, random_state=seed, n_samples=2048)
        off.append((result.value - truth.value) / np.hypot(result.stderr, truth.stderr))
    assert np.abs(off).max() < 4
    assert 0.6 < np.std(off) < 1.5
