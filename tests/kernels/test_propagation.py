"""Expectation propagation against brute force, and against a slow one with matrices of all inputs."""

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import truncnorm

from ei_fast.kernels.propagation import propagated
from ei_fast.kernels.rectangles import NO_EDGE

ROUNDS = 30
LAYERS = {"fewer": (5, 3), "as many": (4, 4), "more": (3, 6)}


def _layer(n_in, n_out, seed=0):
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(n_in, n_out))
    weight /= np.sqrt((weight**2).sum(axis=0) / 12)
    # Intervals around what some inputs lead to, some of them open.
    s = rng.uniform(-0.5, 0.5, (20, n_in)) @ weight
    low, high = s - rng.uniform(0.2, 1.5, s.shape), s + rng.uniform(0.2, 1.5, s.shape)
    low[rng.random(s.shape) < 0.2] = -NO_EDGE
    high[rng.random(s.shape) < 0.2] = NO_EDGE
    return weight, low, high


def _propagated(weight, low, high, n_rounds=ROUNDS):
    out = np.empty(len(low))
    propagated(np.ascontiguousarray(weight), np.ascontiguousarray(low), np.ascontiguousarray(high), n_rounds, out)
    return out


def _slowly(weight, low, high, n_rounds):
    """The same fixed point with the inputs' full precision matrix, and moments from SciPy."""
    n_in, n_out = weight.shape
    directions = np.concatenate([np.eye(n_in), weight.T])
    low, high = np.append(np.full(n_in, -0.5), low), np.append(np.full(n_in, 0.5), high)
    precision, pull = np.append(np.full(n_in, 12.0), np.zeros(n_out)), np.zeros(n_in + n_out)

    def log_integral(precision, pull):
        return 0.5 * (pull**2 / precision - np.log(precision))

    for k in range(n_rounds + 1):
        matrix = (directions.T * precision) @ directions
        covariance, total = np.linalg.inv(matrix), directions.T @ pull
        mean, variance = directions @ covariance @ total, np.einsum("ki,ij,kj->k", directions, covariance, directions)
        cavity_precision, cavity_pull = np.maximum(1 / variance - precision, 1e-9), mean / variance - pull
        at, scale = cavity_pull / cavity_precision, cavity_precision**-0.5
        inside = truncnorm((low - at) / scale, (high - at) / scale, at, scale)
        masses = ndtr((high - at) / scale) - ndtr((low - at) / scale)
        excess = (
            np.log(masses) + log_integral(cavity_precision, cavity_pull) - log_integral(1 / variance, mean / variance)
        )
        whole = 0.5 * (total @ covariance @ total - np.linalg.slogdet(matrix)[1] + n_in * np.log(2 * np.pi))
        if k == n_rounds:
            return whole + excess.sum()
        moments = inside.mean(), inside.var()
        precision, pull = 1 / moments[1] - cavity_precision, moments[0] / moments[1] - cavity_pull
    raise AssertionError


@pytest.mark.parametrize("name", LAYERS)
def test_where_it_converges(name):
    weight, low, high = _layer(*LAYERS[name])
    expected = [_slowly(weight, *ends, ROUNDS) for ends in zip(low[:4], high[:4], strict=True)]
    np.testing.assert_allclose(_propagated(weight, low[:4], high[:4]), expected, atol=2e-4)


@pytest.mark.parametrize("name", LAYERS)
def test_it_is_near_the_truth(name):
    weight, low, high = _layer(*LAYERS[name])
    s = np.random.default_rng(1).uniform(-0.5, 0.5, (400_000, len(weight))) @ weight
    counts = np.array([((s >= a) & (s < b)).all(axis=1).sum() for a, b in zip(low, high, strict=True)])
    seen = counts > 400
    assert seen.sum() >= 5
    errors = (_propagated(weight, low, high, 2)[seen] - np.log(counts[seen] / len(s))) / np.log(2)
    # Counting alone is off by 1 / sqrt(400) nats or less.
    assert np.abs(errors).max() < 0.5
    assert abs(errors.mean()) < 0.15


def test_two_rounds_are_nearly_all_of_it():
    weight, low, high = _layer(8, 5, 3)
    rounds = [_propagated(weight, low, high, n) / np.log(2) for n in (1, 2, 3, ROUNDS)]
    errors = [np.abs(found - rounds[-1]).max() for found in rounds[:-1]]
    assert errors[1] < 0.1
    assert errors[2] < 0.5 * errors[1] < 0.5 * errors[0]


def test_what_changes_nothing():
    weight, low, high = _layer(6, 4)
    found = _propagated(weight, low, high)
    rng = np.random.default_rng(2)
    inputs, outputs = rng.permutation(6), rng.permutation(4)
    signs = np.array([1, -1, 1, -1])
    unheard, edgeless = np.vstack([weight, np.zeros(4)]), np.full((len(low), 1), NO_EDGE)
    for other in (
        _propagated(weight[inputs], low, high),
        _propagated(weight[:, outputs], low[:, outputs], high[:, outputs]),
        _propagated(weight * signs, np.where(signs > 0, low, -high), np.where(signs > 0, high, -low)),
        _propagated(-weight, -high, -low),
        _propagated(unheard, low, high),
        _propagated(np.column_stack([weight, weight[:, 0]]), np.hstack([low, -edgeless]), np.hstack([high, edgeless])),
    ):
        np.testing.assert_allclose(other, found, atol=1e-7)


def test_no_edges_and_narrow_ones():
    weight = _layer(3, 2)[0]
    assert (_propagated(weight, np.full((2, 2), -NO_EDGE), np.full((2, 2), NO_EDGE)) == 0.0).all()
    # The density of the pre-activations, times the area of ever smaller rectangles.
    areas = [(1e-2, 1e-2), (1e-4, 1e-3), (1e-6, 1e-6)]
    logs = [_propagated(weight, np.full((1, 2), 0.1), 0.1 + np.array([[a, b]]))[0] - np.log(a * b) for a, b in areas]
    np.testing.assert_allclose(logs, logs[0], atol=0.02)
