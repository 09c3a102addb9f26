"""The distribution of one output's pre-activation under do(L1 = H^max): its CDF and its quantiles.

The pre-activation is its centre plus a sum of independent uniforms. Such a sum is strictly sub-Gaussian: its moment
generating function is nowhere above that of the Gaussian of its variance, since sinh(x)/x <= exp(x**2/6), and so
P(|sum| > z) <= 2 exp(-z**2 / 2 sd**2). What lies beyond `FAR` standard deviations is below rounding, which is why
the period of the Fourier series need not be longer than that, however wide the support: a few dozen terms do
for any number of inputs.
"""

import numpy as np

from ei_fast.kernels.jit import jit
from ei_fast.kernels.parts import MAX_TERMS, closed_cdf, dominated_cdf
from ei_fast.kernels.uniform_sums import sinc, terms_needed

FAR = 8.6
"""Standard deviations beyond which a sum of uniforms has a probability of at most 2 exp(-8.6**2 / 2) = 2e-16."""

_CLOSED = 4
_GRID = 64
"""Positions at which a CDF without a series is evaluated in one go."""


@jit
def _half_widths(weight, order, width):
    """Half widths of the inputs' contributions, in falling order, those of weight 0 left out."""
    n = 0
    while n < order.shape[0] and weight[order[n]] != 0.0:
        n += 1
    widths = np.empty(n, np.float64)
    for k in range(n):
        widths[k] = np.abs(weight[order[k]]) * width / 2
    return widths


@jit
def _extent(widths):
    """How far a sum of uniforms gets from its centre: its support, or `FAR` standard deviations."""
    # Relative to the largest, so that no square leaves the range of floating-point numbers.
    support, squares = 0.0, 0.0
    for a in widths:
        support += a / widths[0]
        squares += (a / widths[0]) ** 2
    return widths[0] * min(support, FAR * np.sqrt(squares / 3))


@jit
def _series_terms(widths, extent):
    """Terms of the series with period 2 `extent`, MAX_TERMS + 1 where there is none that is short enough."""
    if widths.shape[0] <= _CLOSED:
        return MAX_TERMS + 1
    return terms_needed(widths, 0, widths[0], 2 * extent, MAX_TERMS)


@jit
def _characteristic(widths, extent, phi):
    """Characteristic function at the frequencies pi m / extent, m = 1, 2, ..."""
    for m in range(phi.shape[0]):
        t = np.pi * (m + 1) / extent
        phi[m] = 1.0
        for k in range(widths.shape[0]):
            phi[m] *= sinc(t * widths[k])


@jit
def _series_value(phi, extent, z):
    """P(sum < z) by the series, its sines by rotation."""
    if z >= extent:
        return 1.0
    if z <= -extent:
        return 0.0
    turn = np.pi * z / extent
    ds, dc = np.sin(turn), np.cos(turn)
    s, c = ds, dc
    total = 0.0
    for m in range(phi.shape[0]):
        total += phi[m] * s / (m + 1)
        s, c = s * dc + c * ds, c * dc - s * ds
    return min(max(0.5 + 0.5 * z / extent + total / np.pi, 0.0), 1.0)


@jit
def _few_or_dominated(widths, positions, cdf):
    """P(sum < position) where few inputs matter, in closed form or with the widest input integrated out; cdf (1, K)."""
    # A literal would have everything that it is passed to compiled once more for it.
    one = np.int64(1)
    rest = widths[1:]
    terms = MAX_TERMS + 1
    if widths.shape[0] > _CLOSED:
        terms = terms_needed(rest, 0, rest[0], 2 * rest.sum(), MAX_TERMS)
    if terms <= MAX_TERMS:
        dominated_cdf(widths, 0.0, one, positions, terms, cdf)
    else:
        closed_cdf(np.int64(0), widths, positions, one, 0.0, cdf)


@jit
def marginal_cdf(weight, order, centre, width, breaks, out):
    """P(pre-activation < break) for every break, with all inputs uniform over a range of `width`; out (K,).

    `order` lists the inputs by falling size of their weights.
    """
    widths = _half_widths(weight, order, width)
    if widths.shape[0] == 0:
        for k in range(breaks.shape[0]):
            out[k] = 1.0 if centre < breaks[k] else 0.0
        return
    extent = _extent(widths)
    terms = _series_terms(widths, extent)
    if terms <= MAX_TERMS:
        phi = np.empty(terms, np.float64)
        _characteristic(widths, extent, phi)
        for k in range(breaks.shape[0]):
            out[k] = _series_value(phi, extent, breaks[k] - centre)
        return
    cdf = np.empty((1, breaks.shape[0]), np.float64)
    _few_or_dominated(widths, breaks - centre, cdf)
    out[:] = cdf[0]


@jit
def marginal_cdfs(weights, orders, centres, width, breaks, sizes, rows, out):
    """`marginal_cdf` of every row of `weights`, `orders` and `centres`, one an output; out (n_out, K).

    Output j has the first sizes[r] of breaks[r], r = rows[j]; beyond them its CDF is 1.
    """
    for j in range(weights.shape[0]):
        n = sizes[rows[j]]
        out[j, n:] = 1.0
        marginal_cdf(weights[j], orders[j], centres[j], width, breaks[rows[j], :n], out[j, :n])


@jit
def _lower_quantile(widths, level):
    """Where the CDF of a centred sum of uniforms reaches `level`, below 1/2."""
    extent = _extent(widths)
    terms = _series_terms(widths, extent)
    low, high = -extent, 0.0
    if terms <= MAX_TERMS:
        phi = np.empty(terms, np.float64)
        _characteristic(widths, extent, phi)
        for _ in range(52):
            middle = 0.5 * (low + high)
            if _series_value(phi, extent, middle) < level:
                low = middle
            else:
                high = middle
        return high
    positions = np.empty(_GRID, np.float64)
    cdf = np.empty((1, _GRID), np.float64)
    for _ in range(9):
        for k in range(_GRID):
            positions[k] = low + (high - low) * (k + 1) / (_GRID + 1)
        _few_or_dominated(widths, positions, cdf)
        reached = 0
        while reached < _GRID and cdf[0, reached] < level:
            reached += 1
        if reached < _GRID:
            high = positions[reached]
        if reached > 0:
            low = positions[reached - 1]
    return high


@jit
def lower_quantiles(weights, orders, width, level, out):
    """How far below its centre the `level` quantile of each output's pre-activation lies, out (n_out,), <= 0.

    The distribution is symmetric: the 1 - level quantile lies as far above. Where a single input alone moves an output
    it is the end of what that output reaches.
    """
    for j in range(weights.shape[0]):
        widths = _half_widths(weights[j], orders[j], width)
        if widths.shape[0] == 0:
            out[j] = 0.0
        elif widths.shape[0] == 1:
            out[j] = -widths[0]
        else:
            out[j] = _lower_quantile(widths, level)
