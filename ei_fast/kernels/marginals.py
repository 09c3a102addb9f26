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

A quantile is where the CDF reaches a level, found by searching the CDF. Each route is a kernel of its own, so that only
those are compiled that are taken.
"""

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.characteristic import characteristic
from ei_fast.kernels.closed_form import closed_cdf
from ei_fast.kernels.jit import inner, jit
from ei_fast.kernels.series import MAX_TERMS, dominated_cdf
from ei_fast.kernels.uniform_sums import CLOSED_FORM_INPUTS, half_widths_of, support_of, terms_needed

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


@inner
def _series_terms(half_widths, extent):
    """Return the terms that the series with period 2 * `extent` takes; more than MAX_TERMS where it is not used."""
    if half_widths.shape[0] <= CLOSED_FORM_INPUTS:
        return MAX_TERMS + 1
    return terms_needed(half_widths, np.int64(0), half_widths[0], 2 * extent, MAX_TERMS)


@inner
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
def _cdfs_by_series(weights, orders, centres, range_width, breaks, sizes, rows, out, peeled_terms):
    """Write the CDFs of outputs that have a series, or no input, into `out`; see `marginal_cdfs`.

    `peeled_terms`, (n_out,) int64, is for all others: the terms of a series without the widest input, and 0 where there
    is none; for those that are written it is -1.
    """
    for j in range(weights.shape[0]):
        half_widths = half_widths_of(weights[j], orders[j], range_width)
        n_breaks = sizes[rows[j]]
        peeled_terms[j] = -1
        if half_widths.shape[0] == 0:
            for k in range(n_breaks):
                out[j, k] = 1.0 if centres[j] < breaks[rows[j], k] else 0.0
            continue
        extent = extent_of(half_widths)
        terms = _series_terms(half_widths, extent)
        if terms > MAX_TERMS:
            peeled_terms[j] = _terms_without_the_widest(half_widths)
            continue
        phi = np.empty(terms, np.float64)
        characteristic(half_widths, extent, phi)
        for k in range(n_breaks):
            out[j, k] = _cdf_by_series(phi, extent, breaks[rows[j], k] - centres[j])


@inner
def _terms_without_the_widest(half_widths):
    """Return the terms of the series of all uniforms but the widest, 0 where there are too many or few uniforms."""
    if half_widths.shape[0] <= CLOSED_FORM_INPUTS:
        return 0
    others = half_widths[1:]
    terms = terms_needed(others, np.int64(0), others[0], 2 * support_of(others), MAX_TERMS)
    return terms if terms <= MAX_TERMS else 0


@inner
def sum_cdf_terms(half_widths, extent):
    """Return the terms of the series that `sum_cdf` takes; 0 where it takes none."""
    terms = _series_terms(half_widths, extent)
    return terms if terms <= MAX_TERMS else 0


@inner
def sum_cdf(half_widths, phi, extent, positions, out):
    """Write P(S < position) into `out` (K,), the sum's characteristic function having as many terms as the series."""
    if phi.shape[0]:
        for k in range(positions.shape[0]):
            out[k] = _cdf_by_series(phi, extent, positions[k])
        return
    cdf = np.empty((1, positions.shape[0]), np.float64)
    peeled_terms = _terms_without_the_widest(half_widths)
    # A literal 1 would be another type, for which all that it is passed to would be compiled again.
    if peeled_terms > 0:
        dominated_cdf(half_widths, 0.0, np.int64(1), positions, peeled_terms, cdf)
    else:
        closed_cdf(np.int64(0), half_widths, positions, np.int64(1), 0.0, cdf)
    for k in range(positions.shape[0]):
        out[k] = cdf[0, k]


@jit
def _cdfs_without_the_widest(weights, orders, centres, range_width, breaks, sizes, rows, out, peeled_terms):
    """Write the CDFs of the outputs whose `peeled_terms` are above 0 into `out`; see `marginal_cdfs`."""
    for j in range(weights.shape[0]):
        if peeled_terms[j] > 0:
            half_widths = half_widths_of(weights[j], orders[j], range_width)
            n_breaks = sizes[rows[j]]
            cdf = np.empty((1, n_breaks), np.float64)
            positions = breaks[rows[j], :n_breaks] - centres[j]
            dominated_cdf(half_widths, 0.0, np.int64(1), positions, peeled_terms[j], cdf)
            for k in range(n_breaks):
                out[j, k] = cdf[0, k]


@jit
def _cdfs_in_closed_form(weights, orders, centres, range_width, breaks, sizes, rows, out, peeled_terms):
    """Write the CDFs of the outputs whose `peeled_terms` are 0 into `out`; see `marginal_cdfs`."""
    for j in range(weights.shape[0]):
        if peeled_terms[j] == 0:
            half_widths = half_widths_of(weights[j], orders[j], range_width)
            n_breaks = sizes[rows[j]]
            cdf = np.empty((1, n_breaks), np.float64)
            positions = breaks[rows[j], :n_breaks] - centres[j]
            closed_cdf(np.int64(0), half_widths, positions, np.int64(1), 0.0, cdf)
            for k in range(n_breaks):
                out[j, k] = cdf[0, k]


def marginal_cdfs(
    weights: NDArray[np.float64],
    orders: NDArray[np.int64],
    centres: NDArray[np.float64],
    range_width: float,
    breaks: NDArray[np.float64],
    sizes: NDArray[np.int64],
    rows: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    """Write P(pre-activation < breakpoint) of several outputs, all inputs uniform over their range, into `out`.

    Parameters
    ----------
    weights, orders : (n_out, n_in) float64, int64
        Weights into each output, and its inputs by falling size of their weights.
    centres : (n_out,) float64
        Pre-activations with every input in the middle of its range.
    range_width : float
        Width of the input range.
    breaks, sizes, rows : (R, K) float64, (R,) int64, (n_out,) int64
        Output j has the first sizes[rows[j]] breakpoints of row rows[j].
    out : (n_out, K) float64, output
        1 beyond an output's own breakpoints.
    """
    layer = (weights, orders, centres, range_width, breaks, sizes, rows)
    out.fill(1.0)
    peeled_terms = np.empty(len(weights), np.int64)
    _cdfs_by_series(*layer, out, peeled_terms)
    if (peeled_terms > 0).any():
        _cdfs_without_the_widest(*layer, out, peeled_terms)
    if (peeled_terms == 0).any():
        _cdfs_in_closed_form(*layer, out, peeled_terms)


@jit
def _quantiles_by_series(weights, orders, range_width, level, extents, out, peeled_terms):
    """Write the quantiles of outputs that have a series, or at most one input, into `out`; see `lower_quantiles`.

    `peeled_terms` is as in `_cdfs_by_series`; `extents`, (n_out,) float64, is where it is not negative.
    """
    for j in range(weights.shape[0]):
        half_widths = half_widths_of(weights[j], orders[j], range_width)
        peeled_terms[j], extents[j] = -1, 0.0
        if half_widths.shape[0] < 2:
            out[j] = -half_widths[0] if half_widths.shape[0] == 1 else 0.0
            continue
        extents[j] = extent_of(half_widths)
        terms = _series_terms(half_widths, extents[j])
        if terms <= MAX_TERMS:
            out[j] = _quantile_by_series(half_widths, extents[j], terms, level)
        else:
            peeled_terms[j] = _terms_without_the_widest(half_widths)


@inner
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


@inner
def _write_grid(low, high, positions):
    """Write positions (n,) that divide an interval into n + 1 equal pieces."""
    for k in range(_GRID):
        positions[k] = low + (high - low) * (k + 1) / (_GRID + 1)


@inner
def _piece(low, high, positions, cdf, level):
    """Return the ends of the piece of an interval that holds the `level` quantile, by a CDF (1, n) at `positions`."""
    n_below = 0
    while n_below < _GRID and cdf[0, n_below] < level:
        n_below += 1
    return positions[n_below - 1] if n_below > 0 else low, positions[n_below] if n_below < _GRID else high


@jit
def _quantiles_without_the_widest(weights, orders, range_width, level, extents, out, peeled_terms):
    """Write the quantiles of the outputs whose `peeled_terms` are above 0 into `out`, by finer and finer grids."""
    positions, cdf = np.empty(_GRID, np.float64), np.empty((1, _GRID), np.float64)
    for j in range(weights.shape[0]):
        if peeled_terms[j] > 0:
            half_widths = half_widths_of(weights[j], orders[j], range_width)
            low, high = -extents[j], 0.0
            for _ in range(_GRID_ROUNDS):
                _write_grid(low, high, positions)
                dominated_cdf(half_widths, 0.0, np.int64(1), positions, peeled_terms[j], cdf)
                low, high = _piece(low, high, positions, cdf, level)
            out[j] = high


@jit
def _quantiles_in_closed_form(weights, orders, range_width, level, extents, out, peeled_terms):
    """Write the quantiles of the outputs whose `peeled_terms` are 0 into `out`, by finer and finer grids."""
    positions, cdf = np.empty(_GRID, np.float64), np.empty((1, _GRID), np.float64)
    for j in range(weights.shape[0]):
        if peeled_terms[j] == 0:
            half_widths = half_widths_of(weights[j], orders[j], range_width)
            low, high = -extents[j], 0.0
            for _ in range(_GRID_ROUNDS):
                _write_grid(low, high, positions)
                closed_cdf(np.int64(0), half_widths, positions, np.int64(1), 0.0, cdf)
                low, high = _piece(low, high, positions, cdf, level)
            out[j] = high


def lower_quantiles(
    weights: NDArray[np.float64],
    orders: NDArray[np.int64],
    range_width: float,
    level: float,
    out: NDArray[np.float64],
) -> None:
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
    extents, peeled_terms = np.empty(len(weights)), np.empty(len(weights), np.int64)
    _quantiles_by_series(weights, orders, range_width, level, extents, out, peeled_terms)
    layer = (weights, orders, range_width, level, extents, out, peeled_terms)
    if (peeled_terms > 0).any():
        _quantiles_without_the_widest(*layer)
    if (peeled_terms == 0).any():
        _quantiles_in_closed_form(*layer)
