"""Unbounded activations at default settings, narrow and wide, against the oracle over the same range."""

import naive
import numpy as np
import pytest

import ei_fast as ef

ACTIVATIONS = ["relu", "gelu", "silu", "linear"]
N_OUT, BINS, IN_RANGE = 3, 8, (-1.0, 1.0)


def _measured(n_in, activation):
    rng = np.random.default_rng(n_in)
    layer = ef.Layer(rng.uniform(-1, 1, (n_in, N_OUT)) / np.sqrt(n_in), rng.uniform(-0.2, 0.2, N_OUT), activation)
    return layer, ef.analyze(ef.Network([layer], IN_RANGE), random_state=0)[0]


def _check(n_in, activation, n_cells, m, n):
    layer, report = _measured(n_in, activation)
    limits = report.out_range
    for i, j in ((0, 0), (n_in // 2, 1), (n_in - 1, 2)):
        weight, bias = layer.weight[:, j], layer.bias[j]
        expected = naive.parts_of_edge(i, weight, bias, activation, IN_RANGE, BINS, limits, BINS)
        assert report.ei_parts_matrix[i, j] == pytest.approx(expected, abs=1e-6)
        expected = naive.edge_information(weight[i], bias, activation, IN_RANGE, BINS, limits, BINS)
        assert report.sensitivity_matrix[i, j] == pytest.approx(expected, abs=1e-3)
    rng = np.random.default_rng(0)
    expected, error = naive.joint_ei_by_sampling(
        layer.weight, layer.bias, activation, IN_RANGE, BINS, limits, BINS, rng, n_cells, m, n, n_control=50_000
    )
    assert error < 0.03
    assert abs(report.ei - expected) < 4 * np.hypot(error, report.ei_stderr)
    # Ten outputs would tell a bit or more.
    assert report.ei > 0.1 * N_OUT
    assert not {"outputs in one bin", "outputs outside range"} & set(report.flags)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_25_inputs(activation):
    _check(25, activation, n_cells=512, m=1024, n=1_000_000)


@pytest.mark.slow
@pytest.mark.parametrize("activation", ["gelu"])
def test_784_inputs(activation):
    _check(784, activation, n_cells=256, m=1024, n=250_000)


@pytest.mark.endurance
@pytest.mark.parametrize("n_in", [784, 4096])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_wider(activation, n_in):
    _check(n_in, activation, n_cells=256, m=1024, n=200_000)
