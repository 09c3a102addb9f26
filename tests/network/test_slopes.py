"""Slopes of activations against differences of their values, and far out where these underflow."""

import mpmath
import numpy as np
import pytest

import ei_fast as ef
from ei_fast.network.formulas import FAMILIES
from ei_fast.network.slopes import Slopes

VARIANTS = [
    *((name, {}) for name in FAMILIES),
    ("gelu", {"approximate": "tanh"}),
    ("elu", {"alpha": 0.3}),
    ("leaky_relu", {"negative_slope": 0.2}),
    ("leaky_relu", {"negative_slope": 0.0}),
    ("softplus", {"beta": 3.0}),
    ("hard_tanh", {"min_val": -2.0, "max_val": 0.5}),
]


@pytest.mark.parametrize(("name", "params"), VARIANTS)
def test_every_activation_against_differences(name, params):
    activation = ef.Activation(name, **params)
    slopes = Slopes(activation)
    s = np.random.default_rng(0).uniform(-9, 9, 5000)
    s = s[np.min([np.abs(s - knot) for knot in (*slopes.knots, 99.0)], axis=0) > 1e-3]
    h = 1e-4
    differences = (activation(s - 2 * h) - 8 * activation(s - h) + 8 * activation(s + h) - activation(s + 2 * h)) / (
        12 * h
    )
    signs, logs = slopes(s)
    assert np.abs(signs * np.exp(logs) - differences).max() < 1e-10
    flat = np.zeros(len(s), bool)
    for low, high in slopes.flats:
        flat |= (s > low) & (s < high)
    assert ((logs == -np.inf) == flat).all()


EXACT = {
    "sigmoid": lambda s: 1 / (1 + mpmath.exp(-s)),
    "tanh": mpmath.tanh,
    "gelu": lambda s: s * mpmath.ncdf(s),
    "silu": lambda s: s / (1 + mpmath.exp(-s)),
    "mish": lambda s: s * mpmath.tanh(mpmath.log(1 + mpmath.exp(s))),
    "softplus": lambda s: mpmath.log(1 + mpmath.exp(s)),
    "log_sigmoid": lambda s: -mpmath.log(1 + mpmath.exp(-s)),
}


@pytest.mark.parametrize("name", EXACT)
def test_far_out_where_floats_underflow(name):
    with mpmath.workdps(400):
        for s in (-60.0, -25.0, -3.0, -0.5, 0.7, 4.0, 25.0, 200.0):
            slope = mpmath.diff(EXACT[name], mpmath.mpf(s))
            sign, log = Slopes(ef.Activation(name))(np.array([s]))
            assert log[0] == pytest.approx(float(mpmath.log(abs(slope))), rel=1e-10, abs=1e-13)
            assert sign[0] == np.sign(float(mpmath.sign(slope)))


def test_a_users_function_is_differentiated():
    own = Slopes(ef.Activation(np.sin, (-1.0, 1.0)))
    s = np.linspace(-3, 3, 50)
    signs, logs = own(s)
    assert not own.is_formula
    assert np.abs(signs * np.exp(logs) - np.cos(s)).max() < 1e-9
    assert own.flats == ()
