"""Weights and ranges near the ends of the floating-point numbers: a power of two away nothing changes."""

import numpy as np
import pytest

import ei_fast as ef

FIGURES = ("ei", "ei_stderr", "sensitivity", "ei_parts", "output_entropy")


def _figures(layer, **params):
    report = ef.analyze(layer, random_state=0, **params)[0]
    assert np.isfinite([getattr(report, name) for name in FIGURES]).all()
    return [getattr(report, name) for name in FIGURES]


def _weights(n_in, n_out):
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (n_in, n_out)), rng.uniform(-1, 1, n_out)


@pytest.mark.parametrize("activation", ["linear", "relu", "leaky_relu"])
@pytest.mark.parametrize("exponent", [-1000, -500, 500, 990])
@pytest.mark.parametrize("shape", [(2, 2), (6, 4), (1, 3)])
def test_of_weights(activation, exponent, shape):
    weight, bias = _weights(*shape)
    factor = 2.0**exponent
    plain = _figures(ef.Layer(weight, bias, activation))
    assert plain == _figures(ef.Layer(weight * factor, bias * factor, activation))


@pytest.mark.parametrize("exponent", [-990, -500, 500, 1000])
@pytest.mark.parametrize("in_range", [(0.0, 1.0), (-1.0, 0.75)])
def test_of_the_range_of_the_inputs(exponent, in_range):
    weight, bias = _weights(5, 3)
    factor = 2.0**exponent
    for baseline in (0.0, 0.375):
        plain = _figures(ef.Layer(weight, bias), in_range=in_range, baseline=baseline)
        params = {"in_range": tuple(end * factor for end in in_range), "baseline": baseline * factor}
        assert plain == _figures(ef.Layer(weight / factor, bias), **params)


@pytest.mark.parametrize("activation", ["gelu", "silu", "elu", "softplus", "mish", "tanh", "sigmoid"])
@pytest.mark.parametrize("exponent", [-1000, 900])
def test_no_figure_is_ever_silently_undefined(activation, exponent):
    weight, bias = _weights(4, 3)
    factor = 2.0**exponent
    _figures(ef.Layer(weight * factor, bias * factor, activation))


def test_weights_that_differ_by_all_that_numbers_differ_by():
    report = ef.analyze(ef.Layer([[1e150, 1e-150], [1e-150, 1e-160]], activation="linear"), random_state=0)[0]
    assert np.isfinite([report.ei, report.sensitivity, report.ei_parts]).all()
