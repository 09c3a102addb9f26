"""Sums of uniforms against arithmetic with 80 digits, direct products and quadrature."""

from math import comb, factorial

import naive
import numpy as np
import pytest
from mpmath import mp

from ei_fast.kernels.uniform_sums import (
    TOLERANCE,
    _integrated_cdf_above_support,
    few_uniforms_cdf,
    half_widths_of,
    leave_one_out,
    log_remainder,
    sinc,
    suffix_moments,
    terms_needed,
)

HALF_WIDTHS = [
    [1.0],
    [1.0, 0.3],
    [1.0, 1e-6],
    [2.0, 1.0, 0.5],
    [1.0, 1.0, 1.0, 1.0],
    [1e3, 1.0, 0.4, 1e-3],
    [1.0, 0.9, 0.7, 0.5, 0.3],
    [3.0, 2.0, 1.0, 0.5, 0.25, 0.1, 0.01],
]
EPSILON = np.finfo(float).eps


def _moments(half_widths):
    moments = np.full((len(half_widths) + 1, 4), np.nan)
    suffix_moments(half_widths, moments)
    return moments


def _moment_of_sum(half_widths, order):
    """E[S**order] of a sum of uniforms, one uniform after the other by the binomial theorem."""
    raw = [1.0] + [0.0] * order
    for a in half_widths:
        of_uniform = [a**q / (q + 1) if q % 2 == 0 else 0.0 for q in range(order + 1)]
        raw = [sum(comb(q, j) * raw[q - j] * of_uniform[j] for j in range(q + 1)) for q in range(order + 1)]
    return raw[order]


def test_half_widths_leave_out_weights_of_zero():
    weight = np.array([0.5, 0.0, -2.0, 1.0, 0.0])
    order = np.array([2, 3, 0, 1, 4])
    assert half_widths_of(weight, order, 3.0).tolist() == [3.0, 1.5, 0.75]
    assert half_widths_of(np.zeros(2), np.arange(2), 3.0).shape == (0,)


@pytest.mark.parametrize("u", [0.0, 1e-12, 9.9e-6, -9.9e-6, 1.1e-5, 0.1, 2.0, 3.0, -50.0, 1e4])
def test_sinc(u):
    with mp.workdps(50):
        expected = float(mp.sin(mp.mpf(u)) / mp.mpf(u)) if u else 1.0
    assert sinc(u) == pytest.approx(expected, rel=2 * EPSILON)


@pytest.mark.parametrize("half_widths", HALF_WIDTHS)
def test_suffix_moments(half_widths):
    got = _moments(np.array(half_widths))
    for k in range(len(half_widths) + 1):
        rest = half_widths[k:]
        expected = [sum(rest), *(_moment_of_sum(rest, order) for order in (2, 4, 6))]
        np.testing.assert_allclose(got[k], expected, rtol=1e-14)


@pytest.mark.parametrize("order", range(8))
def test_integrated_cdf_above_the_support(order):
    half_widths = np.array([1.0, 0.5, 0.2])
    for z in (1.7, 2.5, 10.0):
        expected = sum(
            comb(order, q) * z ** (order - q) * (-1) ** q * _moment_of_sum(half_widths, q) for q in range(order + 1)
        )
        got = _integrated_cdf_above_support(z, _moments(half_widths)[0], order)
        assert got == pytest.approx(expected / factorial(order), rel=1e-13)


@pytest.mark.parametrize("half_widths", HALF_WIDTHS)
def test_few_uniforms(half_widths):
    half_widths = np.array(half_widths)
    z = np.concatenate([np.linspace(-1.1, 1.1, 23) * half_widths.sum(), [0.0, half_widths[0], -half_widths[0]]])
    got = [few_uniforms_cdf(position, half_widths, _moments(half_widths)) for position in z]
    np.testing.assert_allclose(got, naive.uniform_sum_cdf(z, half_widths), rtol=0, atol=TOLERANCE)


def _phi(half_widths, t):
    return np.prod(np.sinc(np.multiply.outer(t, half_widths) / np.pi), axis=1)


@pytest.mark.parametrize(
    "half_widths", [np.ones(6), np.ones(25), np.linspace(0.2, 1.0, 12), np.array([5.0, 1, 1, 1, 1])]
)
@pytest.mark.parametrize("inside", [1.0, 0.125])
def test_the_remainder_is_bounded(half_widths, inside):
    period = 2 * half_widths.sum()
    replaced = half_widths.copy()
    replaced[0] *= inside
    m = np.arange(1, 20_000)
    t = 2 * np.pi * m / period
    sizes = np.abs(_phi(replaced, t)) / (np.pi * m)
    for last in (8, 15, 30, 60):
        bound = np.exp(log_remainder(half_widths, 0, replaced[0], t[last - 1]))
        assert sizes[last:].sum() <= bound
    # The bound is of use: it falls, and faster for more uniforms.
    assert log_remainder(half_widths, 0, replaced[0], 4 * t[9]) < log_remainder(half_widths, 0, replaced[0], t[9]) - 2


def test_the_remainder_is_the_formula():
    # One factor in each of the three regions of u = a t: up to 1, up to pi, beyond.
    half_widths, t = np.array([0.5, 2.0, 2.2, 9.0]), 1.0
    expected = -(0.5**2) / 6 - 2.0**2 / 6 - 2.2**2 / 6 - np.log(4.0) - np.log(3 * np.pi)
    # exp(-u**2 / 6) and 1 / u cross at u = 1.94 or so: at 2.0 and 2.2 the larger exponent is taken.
    expected += (2.0**2 / 6 - max(2.0**2 / 6, np.log(2.0))) + (2.2**2 / 6 - max(2.2**2 / 6, np.log(2.2)))
    assert log_remainder(half_widths, 3, 4.0, t) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("n", "expected"), [(4, 1203), (5, 366), (8, 72), (25, 20)])
def test_terms_needed(n, expected):
    half_widths = np.ones(n)
    terms = terms_needed(half_widths, 0, 1.0, 2.0 * n, 8192)
    assert terms == expected
    bounds = [log_remainder(half_widths, 0, 1.0, np.pi * m / n) for m in (terms - 1, terms)]
    assert bounds[0] > np.log(TOLERANCE) >= bounds[1]


def test_too_many_terms_are_said_to_be_too_many():
    assert terms_needed(np.ones(2), 0, 1.0, 4.0, 8192) > 8192
    assert terms_needed(np.ones(4), 0, 1.0, 8.0, 1000) > 1000


@pytest.mark.parametrize("in_bins", [1, 8])
def test_leave_one_out(in_bins):
    # With equal half widths all sincs are 0 at the same frequencies.
    for half_widths in (np.linspace(2.0, 0.1, 7), np.ones(6)):
        period = 2 * half_widths.sum()
        phi = np.full((len(half_widths), 40), np.nan)
        leave_one_out(half_widths, in_bins, period, phi)
        t = 2 * np.pi * np.arange(1, 41) / period
        for k in range(len(half_widths)):
            held = half_widths.copy()
            held[k] /= in_bins
            np.testing.assert_allclose(phi[k], _phi(held, t), rtol=1e-11, atol=1e-15)
