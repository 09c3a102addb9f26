"""EI_parts, exactly, against inclusion-exclusion with 80 digits and against quadrature: 1e-6 bits an edge."""

import naive
import numpy as np
import pytest
from slow_cases import some_slow
from truths import OUT_RANGES

import ei_fast as ef

TOL = 1e-6


def _check(weight, bias, edges, activation="sigmoid", in_range=(0.0, 1.0), bins=8, out_range=None, drop=False):
    out_range = out_range or OUT_RANGES[activation]
    in_bins, out_bins = (bins, bins) if isinstance(bins, int) else bins
    matrix = ef.ei_parts_matrix(
        ef.Layer(weight, bias, activation),
        bins=bins,
        in_range=in_range,
        out_range=out_range,
        out_of_range="drop" if drop else "clip",
    )
    for i, j in edges:
        expected = naive.parts_of_edge(
            i, weight[:, j], bias[j], activation, in_range, in_bins, out_range, out_bins, drop
        )
        assert matrix[i, j] == pytest.approx(expected, abs=TOL)
    return matrix


@pytest.mark.parametrize("scale", some_slow([5.0, 1.0], 1))
@pytest.mark.parametrize("n_in", [1, 2, 3, 10, 100, 1000])
def test_any_number_of_inputs(random_weight, n_in, scale):
    weight = random_weight(n_in, 2, scale)
    largest, smallest = np.abs(weight).argmax(axis=0)[0], np.abs(weight).argmin(axis=0)[0]
    _check(weight, np.array([0.3, -0.2]), {(largest, 0), (smallest, 0), (0, 1)})


@pytest.mark.parametrize("n_in", [6, 30])
def test_weights_over_six_orders_of_magnitude(n_in):
    weight = np.logspace(0, -6, n_in)[:, None] * np.random.default_rng(0).choice([-1, 1], (n_in, 1))
    _check(4 * weight, np.zeros(1), [(0, 0), (n_in // 2, 0), (n_in - 1, 0)])


@pytest.mark.parametrize("ratio", some_slow([1e3, 30.0, 1e6], 1))
@pytest.mark.parametrize("n_in", [2, 9, 40])
def test_one_weight_that_dominates(random_weight, n_in, ratio):
    weight = random_weight(n_in, 1) / ratio
    weight[1] = 3.0
    _check(weight, np.array([-1.0]), [(0, 0), (1, 0)])


def test_a_zero_weight_has_exactly_none(random_weight):
    weight = random_weight(12, 3, 3.0)
    weight[[2, 5, 5], [0, 0, 2]] = 0.0
    matrix = _check(weight, np.zeros(3), [(0, 0), (5, 1)])
    assert matrix[2, 0] == matrix[5, 0] == matrix[5, 2] == 0.0
    assert np.count_nonzero(matrix) == 33


@pytest.mark.parametrize(
    ("bins", "n_in"),
    [
        *((4, 5), (64, 2), ((256, 32), 2), (64, 40), ((4, 64), 40)),
        pytest.param((32, 256), 2, marks=pytest.mark.slow),
    ],
)
def test_any_number_of_bins(random_weight, bins, n_in):
    _check(random_weight(n_in, 1, 4.0), np.array([-0.5]), [(0, 0)], bins=bins)


@pytest.mark.parametrize("drop", [False, True], ids=["clip", "drop"])
@pytest.mark.parametrize("activation", OUT_RANGES)
def test_every_activation(random_weight, activation, drop):
    low, high = OUT_RANGES[activation]
    if drop:
        low, high = 0.5 * low + 0.1 * high, 0.7 * high + 0.1 * low
    weight = random_weight(4, 2, 5.0)
    _check(weight, np.array([0.0, -0.7]), [(0, 0), (3, 1)], activation, (-1.0, 1.0), 8, (low, high), drop)


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "hard_sigmoid", "softsign", "gelu"])
@pytest.mark.parametrize("bias", some_slow([-3.0, 12.0, 3.0, -12.0], 2))
def test_biases_that_saturate(random_weight, activation, bias):
    _check(random_weight(6, 1, 5.0), np.array([bias]), [(0, 0), (5, 0)], activation)


def test_more_than_is_there_is_never_found(random_weight):
    # The probabilities come from a series: what it leaves must not show as bits where there are none.
    for activation in OUT_RANGES:
        matrix = ef.ei_parts_matrix(ef.Layer(random_weight(20, 5, 3.0), activation=activation), bins=(8, 4))
        assert (matrix >= 0).all()
        assert (matrix <= 2).all()


def test_the_layers_figure_is_the_sum_and_phi_the_difference(random_weight):
    report = ef.analyze(random_weight(6, 4, 3.0), random_state=0)[0]
    assert report.ei_parts == pytest.approx(report.ei_parts_matrix.sum(), abs=1e-12)
    assert report.phi_ff == pytest.approx(report.ei - report.ei_parts, abs=1e-12)
    assert report.phi_ff_stderr == report.ei_stderr


def test_copies_have_a_negative_phi():
    # k copies of one identity output: EI counts it once, EI_parts k times.
    report = ef.analyze(ef.Layer(np.ones((1, 5)), activation="linear"), out_range=(0.0, 1.0))[0]
    assert report.phi_ff == pytest.approx(-4 * 3, abs=1e-9)


def test_an_output_that_is_never_kept_is_undefined():
    layer = ef.Layer([[1.0, 1.0], [1.0, 0.5]], [0.0, 50.0], "linear")
    matrix = ef.ei_parts_matrix(layer, out_range=(0.0, 2.0), out_of_range="drop")
    assert np.isnan(matrix[:, 1]).all()
    assert (matrix[:, 0] > 0).all()
