"""Volumes of Jacobians, sample by sample, against arithmetic of 800 digits: of networks however saturated they are."""

from itertools import pairwise

import numpy as np
import pytest
from mpmath import mp

import ei_fast as ef
from ei_fast.measures.noise.chains import chain_of
from ei_fast.measures.noise.gaussian_noise import GaussianNoise
from ei_fast.measures.noise.log_volumes import log_determinant, log_volumes

FUNCTIONS = {
    "linear": (lambda s: s, lambda s: mp.mpf(1)),
    "tanh": (mp.tanh, lambda s: 1 / mp.cosh(s) ** 2),
    "sigmoid": (lambda s: 1 / (1 + mp.exp(-s)), lambda s: 1 / ((1 + mp.exp(s)) * (1 + mp.exp(-s)))),
    "gelu": (lambda s: s * mp.ncdf(s), lambda s: mp.ncdf(s) + s * mp.npdf(s)),
    "softplus": (lambda s: mp.log(1 + mp.exp(s)), lambda s: 1 / (1 + mp.exp(-s))),
    "elu": (lambda s: s if s > 0 else mp.expm1(s), lambda s: mp.mpf(1) if s > 0 else mp.exp(s)),
    "silu": (
        lambda s: s / (1 + mp.exp(-s)),
        lambda s: 1 / (1 + mp.exp(-s)) + s / ((1 + mp.exp(s)) * (1 + mp.exp(-s))),
    ),
    "leaky_relu": (
        lambda s: s if s > 0 else s * mp.mpf(0.01),
        lambda s: mp.mpf(1) if s > 0 else mp.mpf(0.01),
    ),
}


def _exact(layers, x):
    with mp.workdps(800):
        y, jacobian = mp.matrix([mp.mpf(float(one)) for one in x]), mp.eye(len(x))
        for layer in layers:
            function, slope = FUNCTIONS[layer.activation.name]
            weight = mp.matrix(layer.weight.T.tolist())
            s = weight * y + mp.matrix(layer.bias.tolist())
            jacobian = mp.diag([slope(one) for one in s]) * weight * jacobian
            y = mp.matrix([function(one) for one in s])
        return float(mp.log(mp.det(jacobian.T * jacobian)) / 2)


@pytest.mark.parametrize("seed", range(20))
def test_networks_of_any_scale(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    widths = [n, *(int(rng.integers(n, n + 5)) for _ in range(int(rng.integers(1, 4))))]
    layers = [
        ef.Layer(
            rng.normal(size=(a, b)) * rng.uniform(0.2, 4), 2 * rng.normal(size=b), str(rng.choice(list(FUNCTIONS)))
        )
        for a, b in pairwise(widths)
    ]
    u = rng.random((5, n))
    found = chain_of(layers, (-2.0, 1.0)).log_volumes(u, GaussianNoise.independent(np.ones(widths[-1])))
    expected = [_exact(layers, -2.0 + 3.0 * one) + n * np.log(3.0) for one in u]
    assert found == pytest.approx(np.array(expected), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize(("d", "n"), [(2, 2), (3, 2), (7, 4), (30, 20)])
def test_matrices_with_rows_of_any_size(d, n):
    rng = np.random.default_rng(d)
    matrices, log_rows = rng.normal(size=(60, d, n)), rng.normal(size=(60, d)) * rng.choice([1, 40, 300], (60, 1))
    matrices[::5, 1] = 2 * matrices[::5, 0]
    log_rows[::7, -1] = -np.inf
    found, basis = log_volumes(matrices, log_rows, wants_basis=True)
    for k in range(0, 60, 3 if d < 10 else 20):
        with mp.workdps(900):
            rows = mp.diag([mp.exp(mp.mpf(float(one))) if one > -np.inf else mp.mpf(0) for one in log_rows[k]])
            scaled = rows * mp.matrix(matrices[k].tolist())
            gram = mp.det(scaled.T * scaled)
            expected = float(mp.log(gram) / 2) if gram > mp.mpf(10) ** -850 else -np.inf
        assert found[k] == pytest.approx(expected, rel=1e-8, abs=2e-5)
    if d > n:
        regular = found > -np.inf
        assert np.abs(np.swapaxes(basis, 1, 2) @ basis - np.eye(n))[regular].max() < 1e-12


def test_ranks_within_rounding():
    rng = np.random.default_rng(0)
    flat = rng.normal(size=(20, 6, 3)) @ rng.normal(size=(20, 3, 4))
    assert (log_volumes(flat, np.zeros((20, 6)))[0] == -np.inf).all()
    square = rng.normal(size=(20, 5, 4)) @ rng.normal(size=(20, 4, 5))
    assert (log_volumes(square, np.zeros((20, 5)))[0] == -np.inf).all()
    assert log_determinant(np.ones((3, 3))) == -np.inf
    assert log_determinant(np.diag([1e-200, 1e200])) == pytest.approx(0.0, abs=1e-9)
