"""The path from a Gaussian to the box that chains follow: one density for every level, as a table.

At a level an input is rho U + d Z, U uniform on (-1/2, 1/2) and Z standard normal, d**2 = (1 - rho**2) / 12: a Gaussian
for rho = 0, uniform for rho = 1, with variance 1/12 everywhere. Levels are at equal distances by the Fisher metric of
this family: from one to the next an input's density changes about as much everywhere. The metric is that of one
input alone, so that one schedule serves all layers; only the number of levels is chosen.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ei_fast.kernels.levels import GRID, GRID_SIZE, GUIDE

_NODES = 257
"""Points at which the metric is evaluated. The length of the path is 1.211."""
_FIRST, _LAST = 0.04, 0.995
"""Ends of where it is: it is constant below, and 0 to within 1e-3 above."""

Values = NDArray[np.float64]


def tables_of(n_levels: int) -> tuple[Values, NDArray[np.int64]]:
    """Tables and guides of the levels as `kernels.chains.forward_chains` takes them; level 0 is the Gaussian."""
    tables, guides = _tables(n_levels)
    return tables.copy(), guides.copy()


@lru_cache(maxsize=16)
def _tables(n_levels: int) -> tuple[Values, NDArray[np.int64]]:
    grid = np.arange(GRID_SIZE + 1) / GRID - GRID_SIZE / GRID
    taus, lengths = _lengths()
    levels = np.interp(lengths[-1] * (1 - np.arange(n_levels + 1) / n_levels), lengths, taus)
    lower = np.stack([_cdf(grid, tau) for tau in levels])
    upper = 2 * lower[:, -1:] - lower[:, -2::-1]
    tables = np.concatenate([lower, upper, upper[:, -1:]], axis=1)
    parts = np.arange(GUIDE + 1) / GUIDE
    guides = np.stack([np.searchsorted(table[:-1], parts, side="left") - 1 for table in tables])
    return tables, np.maximum(guides, 0)


@lru_cache(maxsize=1)
def _lengths() -> tuple[Values, Values]:
    """Length of the path from the box to each of some values of tau, where d = tau**2 / sqrt(12).

    In tau the metric is finite at the box, where the density's edges are smeared over a width d.
    """
    taus = np.linspace(0.0, 1.0, _NODES)
    speeds = np.array([_speed(min(max(tau, _FIRST), _LAST)) for tau in taus])
    return taus, np.concatenate([[0.0], np.cumsum(0.5 * (speeds[1:] + speeds[:-1]) * np.diff(taus))])


def _speed(tau: float) -> float:
    """Root of the Fisher information about tau: the mean square of the derivative of the log density."""
    step, edge = 1e-3, tau**2 / np.sqrt(12)
    # Fine around the edge of the box at 1/2, where a nearly uniform density changes.
    x = np.unique(
        np.concatenate([np.linspace(0.0, 0.5, 400), np.linspace(max(0.0, 0.5 - 8 * edge), 0.5 + 9 * edge, 1500)])
    )
    before, here, after = (_density(x, tau + by) for by in (-step, 0.0, step))
    squares = np.where(here > 1e-280, ((after - before) / (2 * step)) ** 2 / np.maximum(here, 1e-280), 0.0)
    return float(np.sqrt(2 * np.trapezoid(squares, x)))


def _family(tau: float) -> tuple[float, float]:
    """Half of rho, and d."""
    return 0.5 * float(np.sqrt(max(1.0 - tau**4, 0.0))), tau**2 / float(np.sqrt(12))


def _density(x: Values, tau: float) -> Values:
    half, d = _family(tau)
    density: Values = (ndtr((x + half) / d) - ndtr((x - half) / d)) / (2 * half)
    return density


def _cdf(x: Values, tau: float) -> Values:
    """P(rho U + d Z < x) = (d / rho) (psi((x + rho/2) / d) - psi((x - rho/2) / d)), psi(z) = z Phi(z) + phi(z)."""
    half, d = _family(tau)
    if d == 0.0:
        return np.clip(x + 0.5, 0.0, 1.0)
    if half < 1e-3:
        of_gaussian: Values = ndtr(x / d)
        return of_gaussian
    return d / (2 * half) * (_psi((x + half) / d) - _psi((x - half) / d))


def _psi(z: Values) -> Values:
    psi: Values = z * ndtr(z) + np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return psi
