"""Intervals that hold what they say they hold: 200 seeds on each of eight layers."""

from functools import cache

import naive
import numpy as np
import pytest
from slow_cases import some_slow

import ei_fast as ef

SEEDS = range(1000, 1200)

# EI and its standard error in bits by naive.joint_ei_by_sampling with 8,192 cells (4 inputs: every cell) of 16,384
# points each, 4e7 samples anywhere and 8e6 cells for the control's mean; None: on a grid of 400 x 400 points a cell.
LAYERS = [
    # n_in, n_out, scale, activation, EI, its error
    (2, 2, 1.0, "sigmoid", None, 0.0005),
    (2, 2, 5.0, "tanh", None, 0.0005),
    (4, 4, 1.0, "relu", 4.12623, 0.00020),
    (4, 4, 5.0, "sigmoid", 5.75936, 0.00026),
    (6, 6, 1.0, "tanh", 5.99757, 0.00070),
    (6, 6, 5.0, "relu", 5.10985, 0.00046),
    (25, 6, 1.0, "sigmoid", 3.56207, 0.00047),
    (25, 6, 5.0, "tanh", 9.76324, 0.00074),
]


def _layer(n_in, n_out, scale, activation):
    weight = np.random.default_rng(1).uniform(-1, 1, (n_in, n_out)) * scale / np.sqrt(n_in)
    layer = ef.Layer(weight, activation=activation)
    # The references of ReLU were computed over all that interval arithmetic allows.
    (in_range, out_range), *_ = ef.Network([layer]).ranges(out_range="hull")
    return layer, (layer.weight, layer.bias, activation, in_range, 8, out_range, 8)


def _reference(case):
    *which, reference, error = case
    if reference is None:
        return naive.joint_ei_on_a_grid(*_layer(*which)[1], points=400), error
    return reference, error


@cache
def _reports(case, n_seeds):
    layer = _layer(*case[:4])[0]
    return [ef.analyze(layer, out_range="hull", random_state=seed, pairwise="none")[0] for seed in SEEDS[:n_seeds]]


def _held(case, reports):
    reference, _ = _reference(case)
    return np.mean([low <= reference <= high for low, high in (report.ei_interval for report in reports)])


@pytest.mark.parametrize("case", LAYERS)
@pytest.mark.slow
def test_every_layer(case):
    reference, error = _reference(case)
    reports = _reports(case, 200)
    assert _held(case, reports) >= 0.9
    rms = np.sqrt(np.mean([(report.ei - reference) ** 2 for report in reports]) - error**2)
    assert np.mean([report.ei_stderr for report in reports]) == pytest.approx(rms, rel=0.2)
    # The default tol is kept.
    assert rms < 0.01


@pytest.mark.slow
def test_all_layers_together():
    assert 0.93 <= np.mean([_held(case, _reports(case, 200)) for case in LAYERS]) <= 0.98


@pytest.mark.slow
def test_a_quarter_of_the_seeds():
    # Of 400 intervals that hold 95 times in 100, three standard errors more or less.
    held = [_held(case, _reports(case, 50)) for case in LAYERS]
    assert abs(np.mean(held) - 0.95) <= 3 * np.sqrt(0.95 * 0.05 / 400)


@pytest.mark.parametrize("case", some_slow([(case,) for case in LAYERS if case[4] is not None], 4))
def test_the_references_are_the_oracles(case):
    *which, reference, error = case
    # The last one's states are so many that fewer samples would leave a bias.
    n = 8_000_000 if which[:3] == [25, 6, 5.0] else 1_000_000
    again, error_again = naive.joint_ei_by_sampling(
        *_layer(*which)[1], np.random.default_rng(77), n_cells=512, m=4096, n=n, n_control=200_000
    )
    assert error_again < 0.01
    assert abs(again - reference) < 4 * np.hypot(error, error_again)
