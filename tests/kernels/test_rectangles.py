"""Rectangles of output states and their Gaussian probabilities, against plain NumPy and SciPy."""

import naive
import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import multivariate_normal

from ei_fast.kernels.covariances import cholesky_of, covariance_of, excess_of_squares, trace_of_inverse
from ei_fast.kernels.rectangles import (
    FAR,
    NO_EDGE,
    bounded_outputs,
    draw_in_rectangle,
    factor_in_order,
    log_mean_exp,
    log_rectangles,
    marginal_surprise,
    sample_rectangles,
    select_outputs,
    uniform_of,
)

RNG = np.random.default_rng(3)
WEIGHT = RNG.normal(size=(5, 3))
WEIGHT[2, 1] = 0.0
# Two step functions; in the second, neighbouring intervals have one code.
BREAKS = np.array([[-1.0, 0.2, np.inf], [-2.0, 0.0, 1.0]])
SIZES, CODES = np.array([2, 3]), np.array([[0, 1, 2, 2], [4, 4, 1, 0]], np.uint16)
ROWS = np.array([0, 1, 0])


def _samples(count=64):
    keys = np.arange(5, dtype=np.uint64) + np.uint64(17)
    centres = np.random.default_rng(4).normal(size=(count, 3))
    sds = np.sqrt((WEIGHT**2).sum(axis=0) / 12)
    x, states = np.empty((count, 5)), np.empty((count, 3), np.uint16)
    low, high = np.empty((count, 3)), np.empty((count, 3))
    sample_rectangles(keys, 7, WEIGHT, centres, sds, BREAKS, SIZES, CODES, ROWS, x, states, low, high)
    return keys, centres, sds, x, states, low, high


def test_states_and_the_intervals_that_hold_them():
    keys, centres, sds, x, states, low, high = _samples()
    expected = [[naive.uniform(keys, i, 7 + r) for i in range(5)] for r in range(len(x))]
    np.testing.assert_array_equal(x, expected)
    s = x @ WEIGHT
    for j in range(3):
        k = ROWS[j]
        breaks = BREAKS[k, : SIZES[k]]
        np.testing.assert_array_equal(states[:, j], CODES[k][np.searchsorted(breaks, centres[:, j] + s[:, j], "right")])
        # Everywhere in its interval an output has this code, and just outside it another.
        for r in range(len(x)):
            for end, step in ((low[r, j], 1e-9), (high[r, j], -1e-9)):
                if abs(end) < NO_EDGE:
                    inside, outside = (centres[r, j] + (end + by) * sds[j] for by in (step, -step))
                    codes = CODES[k][np.searchsorted(breaks, [inside, outside], "right")]
                    assert codes[0] == states[r, j] != codes[1]
    assert (low * sds <= s + 1e-12).all()
    assert (s <= high * sds + 1e-12).all()
    assert (states[:, 1] != 4).any()
    assert not (np.isclose(high[:, 1] * sds[1] + centres[:, 1], -2.0)).any()


def test_an_output_that_does_not_move_has_no_edges():
    weight = np.zeros((5, 3))
    x, states, low, high = np.empty((2, 5)), np.empty((2, 3), np.uint16), np.empty((2, 3)), np.empty((2, 3))
    keys, centres = np.arange(5, dtype=np.uint64), np.zeros((2, 3))
    sample_rectangles(keys, 0, weight, centres, np.zeros(3), BREAKS, SIZES, CODES, ROWS, x, states, low, high)
    assert (low == -NO_EDGE).all()
    assert (high == NO_EDGE).all()


def test_covariance():
    out = np.empty((3, 3))
    covariance_of(WEIGHT, out)
    np.testing.assert_allclose(out, WEIGHT.T @ WEIGHT / 12, rtol=1e-13)


def test_outputs_without_an_edge_that_matters_are_left_out():
    chosen = np.empty(4, np.int64)
    low = np.array([-NO_EDGE, -FAR - 1, -1.0, -NO_EDGE])
    high = np.array([NO_EDGE, FAR + 1, NO_EDGE, FAR - 0.1])
    assert bounded_outputs(low, high, chosen) == 2
    assert chosen[:2].tolist() == [2, 3]


def _gaussian(m, seed=0):
    weight = np.random.default_rng(seed).normal(size=(m + 2, m))
    covariance = weight.T @ weight
    scale = np.sqrt(np.diag(covariance))
    return covariance / scale / scale[:, None]


def test_the_factor_is_that_of_the_chosen_outputs_in_their_new_order():
    covariance = _gaussian(6)
    low, high = np.array([-3.0, 0.1, -1.0, -0.2, -NO_EDGE, 1.0]), np.array([3.0, 0.4, 1.0, 0.1, NO_EDGE, 1.01])
    order = np.array([0, 1, 2, 3, 5])
    factor, lowest, highest = np.empty((5, 5)), np.empty(5), np.empty(5)
    select_outputs(covariance, low, high, order, 0.3, factor, lowest, highest)
    factor_in_order(factor, lowest, highest, order)
    assert sorted(order.tolist()) == [0, 1, 2, 3, 5]
    # The least probable interval comes first, an almost certain one last.
    assert order[0] == 5
    assert order[-1] == 0
    np.testing.assert_array_equal(lowest, low[order])
    np.testing.assert_array_equal(highest, high[order])
    triangle = np.tril(factor)
    expected = covariance[np.ix_(order, order)] + 0.09 * np.eye(5)
    np.testing.assert_allclose(triangle @ triangle.T, expected, atol=1e-12)


def test_draws_lie_in_their_intervals_and_antithetic_ones_mirror_each_other():
    covariance = _gaussian(4)
    factor, low, high, order = (
        covariance.copy(),
        np.array([-1.0, 0.0, -2, 0.5]),
        np.array([0.5, 1.0, NO_EDGE, 0.9]),
        np.arange(4),
    )
    factor_in_order(factor, low, high, order)
    z, log_weights = np.empty((4, 6)), np.empty(6)
    draw_in_rectangle(factor, low, high, np.uint64(5), True, z, log_weights)
    s = np.tril(factor) @ z
    assert (s >= low[:, None] - 1e-12).all()
    assert (s <= high[:, None] + 1e-12).all()
    shares = (ndtr(z[0]) - ndtr(low[0])) / (ndtr(high[0]) - ndtr(low[0]))
    np.testing.assert_allclose(shares[::2] + shares[1::2], 1.0)
    np.testing.assert_allclose(shares[0], uniform_of(np.uint64(5), 0))


def test_the_log_of_a_mean():
    values = np.log([1.0, 2.0, 6.0])
    log_mean, variance = log_mean_exp(values + 900.0)
    np.testing.assert_allclose(log_mean, 900.0 + np.log(3.0))
    np.testing.assert_allclose(variance, np.var([1.0, 2.0, 6.0], ddof=1) / 3 / 9)
    assert log_mean_exp(np.array([-np.inf, -np.inf]))[0] == -np.inf


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_probabilities_of_rectangles(noise):
    covariance = _gaussian(3, seed=1)
    low = np.array([[-1.0, 0.3, -NO_EDGE], [-0.2, -0.1, -0.3], [-NO_EDGE, -FAR - 1, -NO_EDGE], [2.5, -NO_EDGE, -1.0]])
    high = np.array([[0.5, 1.0, 0.2], [0.1, 0.2, 0.0], [NO_EDGE, NO_EDGE, FAR + 1], [3.0, 0.0, 0.5]])
    keys, out = np.arange(4, dtype=np.uint64), np.empty((4, 2))
    log_rectangles(covariance, noise, low, high, 400, keys, out)
    exact = [
        multivariate_normal.cdf(
            np.minimum(b, 40), cov=covariance + noise**2 * np.eye(3), lower_limit=np.maximum(a, -40)
        )
        for a, b in zip(low, high, strict=True)
    ]
    assert out[2].tolist() == [0.0, 0.0]
    stated = np.sqrt(out[:, 1])
    assert (np.abs(np.exp(out[:, 0]) / exact - 1) <= 4 * stated + 1e-4).all()
    assert stated.max() < 0.05


def test_surprise_of_single_outputs():
    low, high, out = np.array([[-1.0, -NO_EDGE], [0.0, 1.0]]), np.array([[0.5, NO_EDGE], [0.2, 9.0]]), np.empty(2)
    marginal_surprise(low, high, out)
    p = ndtr(np.minimum(high, 40)) - ndtr(np.maximum(low, -40))
    np.testing.assert_allclose(out, -np.log(p).sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize("ridge", [0.0, 0.04])
def test_what_outputs_have_in_common(ridge):
    weight = RNG.normal(size=(6, 4))
    covariance, factor = np.empty((4, 4)), np.zeros((4, 4))
    covariance_of(weight, covariance)
    cholesky_of(covariance, ridge, factor)
    whole = covariance + ridge * np.eye(4)
    np.testing.assert_allclose(factor, np.linalg.cholesky(whole), atol=1e-14)
    np.testing.assert_allclose(trace_of_inverse(factor), np.trace(np.linalg.inv(whole)), rtol=1e-12)
    x, out = RNG.uniform(-0.5, 0.5, (50, 6)), np.empty(50)
    excess_of_squares(factor, weight, x, out)
    z = x @ weight
    np.testing.assert_allclose(out, (z * np.linalg.solve(whole, z.T).T).sum(axis=1) - (z**2).sum(axis=1), atol=1e-12)


@pytest.mark.parametrize(("n", "m"), [(3, 1), (5, 7), (9, 40), (70, 33)])
def test_covariances_and_their_factors_add_up_in_order(n, m):
    weight = np.random.default_rng(n).normal(size=(n, m))
    covariance, factor, expected = np.empty((m, m)), np.zeros((m, m)), np.zeros((m, m))
    covariance_of(weight, covariance)
    for row in weight:
        expected += (row / 12.0)[:, None] * row
    np.testing.assert_array_equal(np.tril(covariance), np.tril(expected))
    np.testing.assert_array_equal(covariance, covariance.T)
    cholesky_of(covariance, 1e-3, factor)
    by_number = np.zeros((m, m))
    for j in range(m):
        for i in range(j, m):
            left = covariance[i, j]
            for k in range(j):
                left -= by_number[i, k] * by_number[j, k]
            by_number[i, j] = np.sqrt(max(left + 1e-3, 1e-14)) if i == j else left / by_number[j, j]
    np.testing.assert_array_equal(factor, by_number)
