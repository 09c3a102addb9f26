"""The normal distribution against SciPy, far into the tails."""

import numpy as np
import pytest
from scipy.special import log_ndtr, ndtr, ndtri

from ei_fast.kernels.normal import normal_between, normal_cdf, normal_moments, normal_quantile, rough_cdf


def test_cdf_and_quantile():
    x = np.linspace(-37.0, 8.0, 200)
    np.testing.assert_allclose([normal_cdf(v) for v in x], ndtr(x), rtol=1e-12)
    p = np.concatenate(
        [10.0 ** -np.arange(1.0, 300.0, 7.0), np.linspace(0.001, 0.999, 400), 1 - 1e-12 * np.arange(1, 9)]
    )
    np.testing.assert_allclose([normal_quantile(v) for v in p], ndtri(p), rtol=1e-11, atol=1e-14)


def test_rough_cdf_is_as_rough_as_it_says():
    x = np.random.default_rng(0).uniform(-9, 9, 3000)
    assert np.abs([rough_cdf(v) for v in x] - ndtr(x)).max() < 2e-6


def _log_mass(low, high):
    """ln P(low < Z < high), by the upper or the lower tail."""
    if low > 0:
        low, high = -high, -low
    return log_ndtr(high) + np.log1p(-np.exp(log_ndtr(low) - log_ndtr(high)))


@pytest.mark.parametrize("low", [-45.0, -30.0, -9.0, -1.0, 0.0, 0.4, 7.0, 29.0, 44.0])
@pytest.mark.parametrize("width", [1e-3, 0.3, 2.0, 1e150])
def test_intervals(low, width):
    log_mass, z = normal_between(low, low + width, 0.3)
    # Where the tail itself underflows it is an exponential.
    np.testing.assert_allclose(log_mass, _log_mass(low, low + width), rtol=1e-3 if abs(low) > 36 else 1e-9, atol=1e-15)
    assert low <= z <= low + width
    if abs(low) < 10:
        np.testing.assert_allclose(np.exp(_log_mass(low, z) - log_mass), 0.3, rtol=1e-7)


def test_the_whole_line():
    log_mass, z = normal_between(-1e150, 1e150, 0.5)
    assert log_mass == 0.0
    assert z == 0.0


@pytest.mark.parametrize("low", [-45.0, -30.0, -9.0, -1.0, 0.0, 0.4, 7.0, 29.0, 36.9, 44.0])
@pytest.mark.parametrize("width", [1e-6, 1e-3, 0.03, 0.3, 2.0, 1e150])
def test_moments_of_intervals(low, width):
    high = low + width
    log_mass, mean, variance = normal_moments(low, high)
    # On a grid of the part that holds nearly all: an integral is a sum there.
    nearest = min(max(0.0, low), high)
    z = np.linspace(max(low, nearest - 12.0), min(high, nearest + 12.0), 400_001)
    density = np.exp(0.5 * (nearest**2 - z**2))
    weights = density * np.where((z == z[0]) | (z == z[-1]), 0.5, 1.0)
    expected = float(weights @ z / weights.sum())
    assert log_mass == pytest.approx(_log_mass(low, high), rel=1e-4, abs=1e-4)
    spread = np.sqrt(float(weights @ (z - expected) ** 2 / weights.sum()))
    # Beyond 37 the tail is an exponential, which is off by one over the square of the distance.
    assert mean == pytest.approx(expected, abs=3e-3 * spread)
    assert variance == pytest.approx(spread**2, rel=2e-3 if abs(nearest) < 36 or width < 0.01 else 1e-2)
    assert normal_moments(-high, -low) == pytest.approx((log_mass, -mean, variance), rel=1e-9)
