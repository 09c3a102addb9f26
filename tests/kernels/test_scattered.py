"""Kernels of edges that are drawn, against those of all edges and against formulas."""

import math

import numpy as np
import pytest
from numba import config
from scipy.special import zeta
from scipy.stats import norm

from ei_fast.kernels.edges import (
    edges_that_cross,
    scattered_sensitivity,
    sensitivity_edges,
    sharpness,
    shuffle,
)
from ei_fast.kernels.parts import edges_parts
from ei_fast.kernels.scattered_parts import _LOG_SINC, multiply_by_narrow, scattered_parts
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.layer import Layer


def _binned(n_in, n_out, kind="plain", drop=False, baseline=0.0):
    rng = np.random.default_rng(n_in)
    weight = rng.uniform(-3, 3, (n_in, n_out)) / np.sqrt(n_in)
    if kind == "heavy":
        weight *= 10 ** rng.uniform(-3, 1, weight.shape)
    elif kind == "one dominates":
        weight[1] *= 1e4
    elif kind == "zeros":
        weight[rng.random(weight.shape) < 0.5] = 0.0
    out_range = (0.1, 1.0) if drop else (0.0, 1.0)
    layer = Layer(weight, rng.normal(size=n_out), "relu" if drop else "sigmoid")
    return BinnedLayer(layer, 0, (0.0, 1.0), out_range, 8, 8, drop, baseline)


def _some(binned, n_edges=60):
    weights = binned.weight.T.copy()
    places = np.flatnonzero(weights)
    chosen = np.sort(np.random.default_rng(0).choice(places, min(n_edges, len(places)), replace=False))
    return weights, chosen // weights.shape[1], chosen % weights.shape[1]


def _table(steps):
    return steps.breaks, steps.sizes, steps.codes, steps.rows


def test_coefficients_of_the_logarithm_of_sinc():
    c = np.arange(1, 13)
    np.testing.assert_allclose(_LOG_SINC, zeta(2 * c) / (c * np.pi ** (2 * c)), rtol=1e-14)


def test_products_of_narrow_uniforms():
    # The widest are as wide as they may be: 1 at the last frequency.
    terms, period = 50, 40.0
    half_widths = np.linspace(0.0, 1.0, 300) * period / (2 * np.pi * terms)
    product = np.full(terms, 2.0)
    multiply_by_narrow(half_widths, period, product)
    t = 2 * np.pi * np.arange(1, terms + 1) / period
    np.testing.assert_allclose(product, 2 * np.sinc(np.outer(t, half_widths) / np.pi).prod(axis=1), rtol=1e-12)


# As plain Python every edge of a wide output takes minutes.
N_IN = [3] if config.DISABLE_JIT else [3, 30, 300, 2000]


@pytest.mark.parametrize("n_in", N_IN)
@pytest.mark.parametrize("kind", ["plain", "heavy", "one dominates", "zeros"])
def test_parts_of_some_edges_are_those_of_all(n_in, kind):
    binned = _binned(n_in, 6, kind)
    weights, outputs, inputs = _some(binned)
    steps, centres = binned.steps, binned.bias + 0.5 * binned.weight.sum(axis=0)
    every, some = np.empty(weights.shape), np.empty(len(inputs))
    orders = np.argsort(-np.abs(weights), axis=1, kind="stable")
    rest = (steps.outside, steps.n_bins + 1)
    edges_parts(weights, orders, centres, 1.0, 8, *_table(steps), *rest, every)
    scattered_parts(weights, centres, 1.0, 8, *_table(steps), *rest, outputs, inputs, some)
    np.testing.assert_allclose(some, every[outputs, inputs], rtol=0, atol=1e-11)
    assert every.max() > 1e-4


@pytest.mark.parametrize(("drop", "baseline"), [(False, 0.0), (False, 0.7), (True, 0.0)])
def test_sensitivity_of_some_edges_is_that_of_all_and_of_those_that_cross(drop, baseline):
    binned = _binned(30, 20, "zeros", drop, baseline)
    weights, outputs, inputs = _some(binned)
    steps = binned.steps
    every, some = np.empty(binned.weight.shape), np.empty(len(inputs))
    of_layer = (binned.bias, binned.baselines, binned.in_edges, *_table(steps), steps.n_bins + 1, steps.outside)
    sensitivity_edges(binned.weight.copy(), *of_layer, every)
    scattered_sensitivity(weights, *of_layer, outputs, inputs, some)
    np.testing.assert_array_equal(some, every[inputs, outputs])
    crosses = np.empty(weights.shape, np.bool_)
    ends = (binned.bias, binned.baselines, 0.0, 1.0)
    undefined = edges_that_cross(weights, *ends, *_table(steps), steps.outside, crosses)
    assert (np.nan_to_num(every.T[~crosses]) < 1e-12).all()
    assert 0 < np.count_nonzero(every.T[crosses] > 0) <= crosses.sum() < crosses.size
    assert undefined == np.isnan(every).sum()
    assert (undefined > 0) == drop


@pytest.mark.parametrize("drop", [False, True])
def test_sharpness_is_fishers_information(drop):
    binned = _binned(30, 4, drop=drop)
    steps, centres, spreads = binned.steps, np.array([0.2, -0.3, 1.0, 0.5]), np.array([0.5, 1.0, 0.7, 0.0])
    out = np.empty(4)
    sharpness(centres, spreads, *_table(steps), steps.n_bins + 1, steps.outside, out)
    assert out[3] == 0.0
    for j in range(3):

        def kept(centre, j=j):
            p = np.diff(norm.cdf(steps.breaks_of(j), centre, spreads[j]), prepend=0.0, append=1.0)
            p = np.bincount(steps.codes_of(j), p, steps.n_bins + 1)[: steps.n_bins]
            return p / p.sum()

        h = 1e-5
        slope = (kept(centres[j] + h) - kept(centres[j] - h)) / (2 * h)
        p = kept(centres[j])
        assert out[j] == pytest.approx((slope[p > 1e-9] ** 2 / p[p > 1e-9]).sum(), rel=1e-5)


def test_a_shuffle_reaches_every_order_equally_often():
    counts = {}
    rng, n, orders = np.random.default_rng(0), 24_000, math.factorial(4)
    for _ in range(n):
        order = np.empty(4, np.int64)
        shuffle(rng.random(4), order)
        assert sorted(order) == [0, 1, 2, 3]
        counts[tuple(order)] = counts.get(tuple(order), 0) + 1
    assert len(counts) == orders
    chi_square = sum((count - n / orders) ** 2 / (n / orders) for count in counts.values())
    # 23 degrees of freedom: mean 23, standard deviation 6.8.
    assert chi_square < 23 + 4 * math.sqrt(46)
