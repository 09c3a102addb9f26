"""The Fourier series of an edge's CDFs, at all breakpoints and for all bins of the edge's input at once.

The notes of `parts` say what they are CDFs of, and where another route is taken.
"""

import numpy as np

from ei_fast.kernels.jit import inner
from ei_fast.kernels.uniform_sums import sinc, support_of

MAX_TERMS = 8192
"""Terms of a Fourier series beyond which another route is taken. Work and memory grow with terms times inputs; fewer
would send more layers with a few dominating weights to the closed form, which lumps the narrow inputs together."""

_PEELED_SHARE = 0.05
"""Half width inside a bin, relative to the support of the others, above which the widest input's uniform is integrated
out on its own edge too. Integrating out divides by the half width, so that the series' errors grow by at most
1 / 0.05 = 20 times; a narrower uniform hardly slows the series and stays in it."""


@inner
def trigonometry(positions, peeled, period, terms):
    """Return sines and cosines of every frequency times every position at which a series is summed.

    Parameters
    ----------
    positions : (K,) float64
    peeled : float
        0, or the half width that is integrated out: the series is then summed at positions + peeled and at
        positions - peeled.
    period : float
    terms : int

    Returns
    -------
    sines, cosines : (terms, K or 2 K) float64
        Row m has frequency 2 pi (m + 1) / period; where there are 2 K columns, those of positions + peeled are first.
    """
    n_breaks = positions.shape[0]
    n_positions = 2 * n_breaks if peeled > 0.0 else n_breaks
    sines, cosines = np.empty((terms, n_positions), np.float64), np.empty((terms, n_positions), np.float64)
    for m in range(terms):
        t = 2 * np.pi * (m + 1) / period
        for v in range(n_positions):
            z = positions[v % n_breaks]
            if peeled > 0.0:
                z = z + peeled if v < n_breaks else z - peeled
            sines[m, v], cosines[m, v] = np.sin(t * z), np.cos(t * z)
    return sines, cosines


@inner
def _series_sums(phi, period, spacing, in_bins, sines, cosines, integrated, sums):
    """Write the sums over a Fourier series, at every position less the shift of every input bin, into `sums`.

    Parameters
    ----------
    phi : (terms,) float64
        Characteristic function at the frequencies t_m = 2 pi (m + 1) / period.
    period, spacing : float
    in_bins : int
    sines, cosines : (terms, V) float64
        As from `trigonometry`.
    integrated : bool
        False: sums[v, p] = (2 / period) * sum over m of phi_m sin(t_m z) / t_m with z = position v - shift p.
        True: its integral over z but for a constant, -(2 / period) * sum over m of phi_m cos(t_m z) / t_m**2.
    sums : (V, in_bins) float64, output

    Notes
    -----
    Positions and shifts separate: sin(t (z - s)) = sin(t z) cos(t s) - cos(t z) sin(t s), and the cosine likewise.
    The shifts are equally spaced: one rotation by t * spacing leads from each shift's sine and cosine to the next.
    """
    terms, n_positions = sines.shape
    sums[:] = 0.0
    shift_sine = np.empty(in_bins, np.float64)
    shift_cosine = np.empty(in_bins, np.float64)
    for m in range(terms):
        t = 2 * np.pi * (m + 1) / period
        coefficient = 2 / period * phi[m] / t
        if integrated:
            coefficient /= -t
        s, c = np.sin(-t * spacing * 0.5 * (in_bins - 1)), np.cos(t * spacing * 0.5 * (in_bins - 1))
        step_sine, step_cosine = np.sin(t * spacing), np.cos(t * spacing)
        for p in range(in_bins):
            shift_sine[p] = coefficient * s
            shift_cosine[p] = coefficient * c
            s, c = s * step_cosine + c * step_sine, c * step_cosine - s * step_sine
        for v in range(n_positions):
            position_sine, position_cosine = sines[m, v], cosines[m, v]
            sums_of_position = sums[v]
            if integrated:
                for p in range(in_bins):
                    sums_of_position[p] += position_cosine * shift_cosine[p] + position_sine * shift_sine[p]
            else:
                for p in range(in_bins):
                    sums_of_position[p] += position_sine * shift_cosine[p] - position_cosine * shift_sine[p]


@inner
def _integration_constant(phi, period):
    """Return what the integrated series must be raised by to be 0 at -period / 2.

    There t_m z = -pi (m + 1), so that the constant is (2 / period) * sum over m of phi_m cos(pi (m + 1)) / t_m**2.
    """
    constant = 0.0
    for m in range(phi.shape[0]):
        t = 2 * np.pi * (m + 1) / period
        constant += 2 / period * phi[m] / (t * t) * (1.0 if m % 2 == 1 else -1.0)
    return constant


@inner
def _cdf_of_series(z, period, support, series):
    """Return the CDF 1/2 + z / period + `series` at z, 0 and 1 beyond the support, and never outside [0, 1]."""
    if z >= support:
        return 1.0
    if z <= -support:
        return 0.0
    return min(max(0.5 + z / period + series, 0.0), 1.0)


@inner
def _integrated_cdf_of_series(z, period, support, series):
    """Return the integral up to z of a CDF 1/2 + y / period + oscillations, `series` being that of the oscillations.

    Above the support it is E[z - S] = z, below 0. In between the smooth part is integrated from -period / 2 on.
    """
    if z >= support:
        return z
    if z <= -support:
        return 0.0
    half = period / 2
    return (z + half) / 2 + (z * z - half * half) / (2 * period) + series


@inner
def series_cdf(phi, period, support, peeled, positions, spacing, in_bins, sines, cosines, sums, cdf):
    """Write the CDFs of an edge into `cdf`, by Fourier series.

    Parameters
    ----------
    phi : (terms,) float64
        Characteristic function of the sum of all uniforms but the peeled one, at the frequencies
        2 pi (m + 1) / period.
    period, support : float
        Of the series, and of that sum: support <= period / 2.
    peeled : float
        0, or the half width of one dominating uniform that is integrated out. With G the integrated CDF of the sum of
        the others the CDF is (G(z + peeled) - G(z - peeled)) / (2 peeled), and G's series has a period no longer than
        twice the others' support.
    positions : (K,) float64
        Breakpoints less the pre-activation's centre.
    spacing : float
        By how much the centre moves from one bin of the edge's input to the next.
    in_bins : int
    sines, cosines : (terms, K or 2 K) float64
        As from `trigonometry`.
    sums : (K or 2 K, in_bins) float64, scratch
    cdf : (in_bins, K) float64, output
        P(sum < position k | input in bin p).
    """
    n_breaks = positions.shape[0]
    _series_sums(phi, period, spacing, in_bins, sines, cosines, peeled > 0.0, sums)
    constant = _integration_constant(phi, period) if peeled > 0.0 else 0.0
    for p in range(in_bins):
        shift = spacing * (p - 0.5 * (in_bins - 1))
        for k in range(n_breaks):
            z = positions[k] - shift
            if peeled == 0.0:
                cdf[p, k] = _cdf_of_series(z, period, support, sums[k, p])
            else:
                above = _integrated_cdf_of_series(z + peeled, period, support, sums[k, p] + constant)
                below = _integrated_cdf_of_series(z - peeled, period, support, sums[n_breaks + k, p] + constant)
                cdf[p, k] = min(max((above - below) / (2 * peeled), 0.0), 1.0)


@inner
def dominated_cdf(half_widths, spacing, in_bins, positions, terms, cdf):
    """Write the CDFs of the edge of the widest input into `cdf`, by Fourier series.

    Inside a bin of its input the widest uniform is narrower by `in_bins`. It is integrated out where it still is wider
    than `_PEELED_SHARE` of the others' support, and one factor of the characteristic function elsewhere.

    Parameters
    ----------
    half_widths : (n,) float64
        Of all inputs' contributions, in falling order.
    spacing : float
        By how much the pre-activation's centre moves from one bin of the widest input to the next.
    in_bins : int
        1 where the input is uniform over the whole range: `cdf` is then that of the pre-activation itself.
    positions : (K,) float64
        Breakpoints less the pre-activation's centre.
    terms : int
        Of the series.
    cdf : (in_bins, K) float64, output
        P(sum < position k | input in bin p).
    """
    own = half_widths[0] / in_bins
    others = half_widths[1:]
    of_others = support_of(others)
    peeled = own if own > _PEELED_SHARE * of_others else 0.0
    support = of_others if peeled > 0.0 else of_others + own
    period = 2 * support
    phi = np.empty((1, terms), np.float64)
    for m in range(terms):
        t = 2 * np.pi * (m + 1) / period
        phi[0, m] = 1.0
        for k in range(others.shape[0]):
            phi[0, m] *= sinc(t * others[k])
        if peeled == 0.0:
            phi[0, m] *= sinc(t * own)
    sines, cosines = trigonometry(positions, peeled, period, terms)
    sums = np.empty((sines.shape[1], in_bins), np.float64)
    series_cdf(phi[0], period, support, peeled, positions, spacing, in_bins, sines, cosines, sums, cdf)
