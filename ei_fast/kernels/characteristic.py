"""The characteristic function of a sum of independent uniforms: a product of sincs, or its logarithm's power series.

Notes
-----
Of uniforms of half widths a_k it is phi(t) = product of sinc(a_k t), sinc u = sin(u) / u. For |u| < pi

    ln sinc u = -sum over p >= 1 of zeta(2p) / p * (u / pi)**(2p)

(the logarithm of Euler's product), so that with a the widest half width

    ln phi(t) = -sum over p >= 1 of zeta(2p) / p * (a t / pi)**(2p) * sum over k of (a_k / a)**(2p).

The sums over k are the same for every t. Of many uniforms none is wide beside the sum, so that a t is small wherever
phi is not: a dozen orders then take the place of a sine for each uniform at each frequency. All terms have one sign,
and nothing cancels.
"""

import numpy as np
from scipy.special import zeta

from ei_fast.kernels.jit import inner
from ei_fast.kernels.uniform_sums import sinc

MANY_UNIFORMS = 256
"""Uniforms from which on the power series is used; the product takes 24 sines for each of them."""

_WIDEST = 0.5
"""a t / pi up to which the series is used: its terms then fall fourfold from one to the next."""

_ORDERS = 36
"""Orders of the series at the most: _WIDEST**(2 * 36) is 2e-22, and a sum over k is at most their number."""

_LEFT_OUT = 1e-18
"""What orders that are left out may change ln phi by."""

_ZETA = np.array([zeta(2 * p) / p for p in range(1, _ORDERS + 1)])


@inner
def characteristic(half_widths, extent, phi):
    """Write the characteristic function of a sum at the frequencies pi (m + 1) / extent into `phi` (terms,).

    `half_widths`, (n,) float64, are in falling order.
    """
    n_by_series = 0
    if half_widths.shape[0] >= MANY_UNIFORMS:
        n_by_series = min(np.int64(_WIDEST * extent / half_widths[0]), phi.shape[0])
        _by_series(half_widths, extent, phi[:n_by_series])
    for m in range(n_by_series, phi.shape[0]):
        t = np.pi * (m + 1) / extent
        phi[m] = 1.0
        for k in range(half_widths.shape[0]):
            phi[m] *= sinc(t * half_widths[k])


@inner
def _by_series(half_widths, extent, phi):
    """Do what `characteristic` does, by the power series of the logarithm."""
    n, terms = half_widths.shape[0], phi.shape[0]
    ratio = half_widths[0] / extent
    largest = (terms * ratio) ** 2
    orders = 1
    while orders < _ORDERS and n * largest ** (orders + 1) > _LEFT_OUT:
        orders += 1
    sums = np.zeros(orders, np.float64)
    for k in range(n):
        square = (half_widths[k] / half_widths[0]) ** 2
        power = 1.0
        for p in range(orders):
            power *= square
            sums[p] += power
    for m in range(terms):
        square = ((m + 1) * ratio) ** 2
        log_phi = 0.0
        for p in range(orders - 1, -1, -1):
            log_phi = (log_phi - _ZETA[p] * sums[p]) * square
        phi[m] = np.exp(log_phi)
