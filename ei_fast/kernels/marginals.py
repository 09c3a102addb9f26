"""The distribution of one output's pre-activation under do(L1 = H^max): its CDF and its quantiles.

Notes
-----
The pre-activation is its centre plus a sum S of independent uniforms with half widths a_k (`uniform_sums`), symmetric
about the centre. Its standard deviation is sd = sqrt(sum of a_k**2 / 3).

1. S is strictly sub-Gaussian: its moment generating function, the product of sinh(a_k t) / (a_k t), is nowhere above
   that of the Gaussian of the same variance, since sinh(x) / x <= exp(x**2 / 6). By Chernoff's bound
   P(|S| > z) <= 2 exp(-z**2 / (2 sd**2)).
2. So S practically ends at its *extent*: its support, or `FAR` standard deviations where that is less. What lies beyond
   is lost in rounding.
3. With the period 2 * extent in place of 2 * support the Fourier series of the CDF takes a few dozen terms whatever
   the number of inputs, whose support grows as n_in but whose standard deviation as sqrt(n_in).
4. Few inputs, and inputs of which one dominates, go the ways of `parts`.

A quantile is where the CDF reaches a level, found by searching the CDF.
"""

import numpy as np

from ei_fast.kernels.closed_form import closed_cdf
from ei_fast.kernels.jit import jit
from ei_fast.kernels.series import MAX_TERMS, dominated_cdf
from ei_fast.kernels.uniform_sums import CLOSED_FORM_INPUTS, half_widths_of, sinc, terms_needed

FAR = 8.6
"""Standard deviations beyond which a sum of uniforms has a probability of at most 2 exp(-8.6**2 / 2) = 2e-16, the
rounding of a number near 1."""

_BISECTIONS = 52
"""Halvings of the interval that holds a quantile: as many as the fraction of a float64 has bits."""

_GRID = 64
"""Positions at which a CDF without a series of its own is evaluated in one call, which sets its tables up anew."""

_GRID_ROUNDS = 9
"""Rounds in which the interval that holds a quantile shrinks to one of _GRID + 1 pieces: 65**9 is as much as 2**54."""


@jit
def extent_of(half_widths):
    """Return how far a sum of uniforms gets from its centre: its support, or `FAR` standard deviations if that is less.

    `half_widths` are in falling order, and at least one.
    """
    # Relative to the widest, so that no square leaves the range of floating-point numbers.
    support, squares = 0.0, 0.0
    for a in half_widths:
        support += a / half_widths[0]
        squares += (a / half_widths[0]) ** 2
    return half_widths[0] * min(support, FAR * np.sqrt(squares / 3))


@jit
def _series_terms(half_widths, extent):
    """Return the terms that the series with period 2 * `extent` takes; more than MAX_TERMS where it is not used."""
    if half_widths.shape[0] <= CLOSED_FORM_INPUTS:
        return MAX_TERMS + 1
    return terms_needed(half_widths, 0, half_widths[0], 2 * extent, MAX_TERMS)


@jit
def characteristic(half_widths, extent, phi):
    """Write the characteristic function of the sum at the frequencies pi (m + 1) / extent into `phi` (terms,)."""
    for m in range(phi.shape[0]):
        t = np.pi * (m + 1) / extent
        phi[m] = 1.0
        for k in range(half_widths.shape[0]):
            phi[m] *= sinc(t * half_widths[k])


@jit
def _cdf_by_series(phi, extent, z):
    """Return P(S < z) as 1/2 + z / (2 extent) + (1 / pi) * sum over m >= 1 of phi_m sin(m pi z / extent) / m.

    One rotation by pi z / extent leads from the sine and cosine of each multiple to those of the next.
    """
    if z >= extent:
        return 1.0
    if z <= -extent:
        return 0.0
    angle = np.pi * z / extent
    step_sine, step_cosine = np.sin(angle), np.cos(angle)
    sine, cosine = step_sine, step_cosine
    series = 0.0
    for m in range(phi.shape[0]):
        series += phi[m] * sine / (m + 1)
        sine, cosine = sine * step_cosine + cosine * step_sine, cosine * step_cosine - sine * step_sine
    return min(max(0.5 + 0.5 * z / extent + series / np.pi, 0.0), 1.0)


@jit
def _cdf_without_series(half_widths, positions, cdf):
    """Write P(S < position) into `cdf` (1, K) where the series of S itself converges too slowly.

    The widest input is integrated out where the others then have a series. Otherwise, and with few inputs, it is in
    closed form.
    """
    # A literal 1 would be another type, for which all that it is passed to would be compiled again.
    single_bin = np.int64(1)
    others = half_widths[1:]
    terms = MAX_TERMS + 1
    if half_widths.shape[0] > CLOSED_FORM_INPUTS:
        terms = terms_needed(others, 0, others[0], 2 * others.sum(), MAX_TERMS)
    if terms <= MAX_TERMS:
        dominated_cdf(half_widths, 0.0, single_bin, positions, terms, cdf)
    else:
        closed_cdf(np.int64(0), half_widths, positions, single_bin, 0.0, cdf)


@jit
def sum_cdf_terms(half_widths, extent):
    """Return the terms of the series that `sum_cdf` takes; 0 where it takes none."""
    terms = _series_terms(half_widths, extent)
    return terms if terms <= MAX_TERMS else 0


@jit
def sum_cdf(half_widths, phi, extent, positions, out):
    """Write P(S < position) into `out` (K,), the sum's characteristic function having as many terms as the series."""
    if phi.shape[0]:
        for k in range(positions.shape[0]):
            out[k] = _cdf_by_series(phi, extent, positions[k])
        return
    cdf = np.empty((1, positions.shape[0]), np.float64)
    _cdf_without_series(half_widths, positions, cdf)
    out[:] = cdf[0]


@jit
def marginal_cdf(weight, order, centre, range_width, breaks, out):
    """Write P(pre-activation < breakpoint) of one output into `out`, all inputs uniform over their range.

    Parameters
    ----------
    weight : (n_in,) float64
        Weights from all inputs.
    order : (n_in,) int64
        Inputs by falling size of their weights.
    centre : float
        Pre-activation with every input in the middle of its range.
    range_width : float
        Width of the input range.
    breaks : (K,) float64
        Breakpoints of the binned activation.
    out : (K,) float64, output
    """
    half_widths = half_widths_of(weight, order, range_width)
    if half_widths.shape[0] == 0:
        for k in range(breaks.shape[0]):
            out[k] = 1.0 if centre < breaks[k] else 0.0
        return
    extent = extent_of(half_widths)
    phi = np.empty(sum_cdf_terms(half_widths, extent), np.float64)
    characteristic(half_widths, extent, phi)
    sum_cdf(half_widths, phi, extent, breaks - centre, out)


@jit
def marginal_cdfs(weights, orders, centres, range_width, breaks, sizes, rows, out):
    """Write P(pre-activation < breakpoint) of several outputs into `out`.

    Parameters
    ----------
    weights, orders, centres : (n_out, n_in) float64, (n_out, n_in) int64, (n_out,) float64
        For each output what `marginal_cdf` takes.
    range_width : float
        Width of the input range.
    breaks, sizes, rows : (R, K) float64, (R,) int64, (n_out,) int64
        Output j has the first sizes[rows[j]] breakpoints of row rows[j].
    out : (n_out, K) float64, output
        1 beyond an output's own breakpoints.
    """
    for j in range(weights.shape[0]):
        n = sizes[rows[j]]
        out[j, n:] = 1.0
        marginal_cdf(weights[j], orders[j], centres[j], range_width, breaks[rows[j], :n], out[j, :n])


@jit
def _quantile_by_series(half_widths, extent, terms, level):
    """Return the `level` quantile of a sum whose CDF has a series of `terms` terms, by bisection."""
    phi = np.empty(terms, np.float64)
    characteristic(half_widths, extent, phi)
    low, high = -extent, 0.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if _cdf_by_series(phi, extent, middle) < level:
            low = middle
        else:
            high = middle
    return high


@jit
def _quantile_without_series(half_widths, extent, level):
    """Return the `level` quantile of a sum whose CDF has no series, by finer and finer grids."""
    low, high = -extent, 0.0
    positions = np.empty(_GRID, np.float64)
    cdf = np.empty((1, _GRID), np.float64)
    for _ in range(_GRID_ROUNDS):
        for k in range(_GRID):
            positions[k] = low + (high - low) * (k + 1) / (_GRID + 1)
        _cdf_without_series(half_widths, positions, cdf)
        n_below = 0
        while n_below < _GRID and cdf[0, n_below] < level:
            n_below += 1
        if n_below < _GRID:
            high = positions[n_below]
        if n_below > 0:
            low = positions[n_below - 1]
    return high


@jit
def _lower_quantile(half_widths, level):
    """Return where the CDF of a centred sum of at least two uniforms reaches `level` < 1/2: a position below 0."""
    extent = extent_of(half_widths)
    terms = _series_terms(half_widths, extent)
    if terms <= MAX_TERMS:
        return _quantile_by_series(half_widths, extent, terms, level)
    return _quantile_without_series(half_widths, extent, level)


@jit
def lower_quantiles(weights, orders, range_width, level, out):
    """Write how far below its centre the `level` quantile of each output's pre-activation lies into `out`.

    The distribution is symmetric: the 1 - level quantile lies as far above the centre. Where a single input moves an
    output, it is the end of what the output reaches instead of a quantile.

    Parameters
    ----------
    weights, orders : (n_out, n_in) float64, int64
        Weights into each output, and its inputs by falling size of their weights.
    range_width : float
        Width of the input range.
    level : float
        Probability below the quantile, less than 1/2.
    out : (n_out,) float64, output
        At most 0, in units of the pre-activation.
    """
    for j in range(weights.shape[0]):
        half_widths = half_widths_of(weights[j], orders[j], range_width)
        if half_widths.shape[0] == 0:
            out[j] = 0.0
        elif half_widths.shape[0] == 1:
            out[j] = -half_widths[0]
        else:
            out[j] = _lower_quantile(half_widths, level)
