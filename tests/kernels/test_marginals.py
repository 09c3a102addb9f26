"""The distribution of one output's pre-activation against 80-digit arithmetic and quadrature."""

import naive
import numpy as np
import pytest

from ei_fast.kernels.marginals import lower_quantiles, marginal_cdfs

WEIGHTS = {
    "one input": [2.0],
    "two": [1.0, -0.3],
    "four": [0.5, -0.4, 1.0, 0.2],
    "six": [0.5, -0.4, 1.0, 0.2, 0.7, -0.9],
    "one dominates": [1e6, *np.linspace(0.2, 1.0, 12)],
    "one leads": [30.0, *np.linspace(0.2, 1.0, 12)],
    "equal": [1.0] * 30,
    "many": np.random.default_rng(0).normal(size=300),
}


def _rows(weights):
    weights = np.atleast_2d(np.asarray(weights, float))
    return weights, np.argsort(-np.abs(weights), axis=1, kind="stable")


@pytest.mark.parametrize("name", WEIGHTS)
def test_cdf(name):
    weights, orders = _rows(WEIGHTS[name])
    widths = np.abs(weights[0]) * 3.0 / 2
    spread = np.sqrt((widths**2).sum() / 3)
    at = np.linspace(-1.2, 1.2, 25) * min(widths.sum(), 9 * spread)
    out, first = np.empty((1, 25)), np.array([0])
    marginal_cdfs(weights, orders, np.array([0.25]), 3.0, at[None] + 0.25, np.array([25]), first, out)
    np.testing.assert_allclose(
        out[0], naive.uniform_sum_cdf(at, widths), atol=2e-10 if name == "one dominates" else 1e-12
    )


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize("level", [1e-2, 1e-4, 1e-6])
def test_quantiles(name, level):
    weights, orders = _rows(WEIGHTS[name])
    out = np.empty(1)
    lower_quantiles(weights, orders, 3.0, level, out)
    widths = np.abs(weights[0]) * 3.0 / 2
    if len(widths) == 1:
        # Alone it may reach everything that it can.
        assert out[0] == -widths[0]
    else:
        # Where one dominates the oracle interpolates, to about 1e-10.
        error = 2e-10 if name == "one dominates" else 1e-12
        np.testing.assert_allclose(naive.uniform_sum_cdf(out, widths), level, rtol=1e-6, atol=error)


def test_every_output_has_its_own_breakpoints():
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(3, 6))
    weights[1, 4] = 0.0
    weights[2] = 0.0
    weights, orders = _rows(weights)
    centres = np.array([0.1, -0.4, 0.0])
    breaks, sizes = np.array([[-1.0, -0.2, 0.1], [0.0, 0.5, np.inf]]), np.array([3, 2])
    rows, out = np.array([1, 0, 0]), np.empty((3, 3))
    marginal_cdfs(weights, orders, centres, 1.0, breaks, sizes, rows, out)
    for j in range(3):
        one, n, its = np.empty((1, 3)), sizes[rows[j]], slice(j, j + 1)
        marginal_cdfs(weights[its], orders[its], centres[its], 1.0, breaks, sizes, rows[its], one)
        expected = naive.uniform_sum_cdf(breaks[rows[j], :n] - centres[j], np.abs(weights[j]) / 2) if j < 2 else one[0]
        np.testing.assert_allclose(one[0, :n], expected[:n], rtol=0, atol=1e-12)
        np.testing.assert_array_equal(out[j], one[0])
    assert out[0, 2] == 1.0
    # Without inputs the pre-activation is its centre.
    assert out[2].tolist() == [0.0, 0.0, 1.0]
