"""Distributions of sums of independent uniforms, each centred at 0 and with a half width of its own.

Under do(H^max) a pre-activation is its centre plus such a sum: input i contributes a uniform of half width
|weight_i| * (width of the input range) / 2.

Notes
-----
Let S = U_1 + ... + U_n, U_k uniform on [-a_k, a_k], F its CDF and A = a_1 + ... + a_n its support: F is 0 below -A and
1 above A. Two routes lead to F, both exact to about `TOLERANCE`.

**Few uniforms: closed form** (`few_uniforms_cdf`).

1. Take U_1 away and call the sum of the others R. Then F is the mean of R's CDF over [z - a_1, z + a_1]:
   F(z) = (G(z + a_1) - G(z - a_1)) / (2 a_1), where G is R's CDF integrated once.
2. The same holds for G and for every further integration. So k uniforms are taken away by evaluating the CDF of the
   remaining sum, integrated k times, at all 2**k positions z +- a_1 ... +- a_k. The weight of each value is
   1 / (2 a_1 ... 2 a_k), negative where an odd number of half widths is subtracted.
3. The CDF of R integrated k times is E[max(z - R, 0)**k] / k!. Below R's support it is 0. Above it is
   E[(z - R)**k] / k!, a polynomial in z whose coefficients are R's moments. Only between these must one more uniform be
   taken away. The widest goes first: what is left then has a small support, and most positions lie outside it.

Taking all n uniforms away at once is the textbook formula: differences of 2**n numbers z**n / n!, in which narrow
uniforms are lost by cancellation. Here they enter by their moments.

**Many uniforms: Fourier series** (`terms_needed`, `leave_one_out`).

1. The characteristic function of S is phi(t) = product of sinc(a_k t), sinc u = sin(u) / u.
2. The density vanishes outside [-A, A]. With a period T >= 2 A it therefore equals its Fourier series there:
   1/T + (2/T) * sum over m >= 1 of phi(t_m) cos(t_m z), t_m = 2 pi m / T.
3. Integrated from 0, where F is 1/2 by symmetry:
   F(z) = 1/2 + z/T + (2/T) * sum over m >= 1 of phi(t_m) sin(t_m z) / t_m.
4. phi falls at least as fast as 1 / t**n once all a_k t exceed 1, so that for many uniforms a few dozen terms do.
"""

import numpy as np

from ei_fast.kernels.jit import inner

TOLERANCE = 1e-13
"""Probability that the Fourier series may leave out: some hundred times the rounding of a number near 1, which its sum
carries in any case."""

CLOSED_FORM_INPUTS = 4
"""Number of uniforms up to which no series is tried. It converges as 1 / t**n: four uniforms of one width would take
1,203 terms to `TOLERANCE`, five 366, eight 72, whereas the closed form takes at most 2**n positions."""

_SINC_TAYLOR = 1e-5
"""|u| below which sinc u is 1 - u**2 / 6: the next term, u**4 / 120, is then below 1e-22 and lost in rounding."""

_FIRST_TERMS = 8
"""Number of terms with which the search of `terms_needed` begins."""

_MAX_OPEN = 16
"""Places of the stack of `few_uniforms_cdf`. Depth first, each uniform taken away leaves one position waiting: with up
to seven uniforms at most eight are open at once."""


@inner
def half_widths_of(weight, order, range_width):
    """Return the half widths of all inputs' contributions to one pre-activation.

    Parameters
    ----------
    weight : (n_in,) float64
    order : (n_in,) int64
        Inputs by falling size of their weights.
    range_width : float
        Width of the range over which every input is uniform.

    Returns
    -------
    (n,) float64
        In falling order, in units of the pre-activation; inputs of weight 0 are left out.
    """
    n = 0
    while n < order.shape[0] and weight[order[n]] != 0.0:
        n += 1
    half_widths = np.empty(n, np.float64)
    for k in range(n):
        half_widths[k] = np.abs(weight[order[k]]) * range_width / 2
    return half_widths


@inner
def support_of(half_widths):
    """Return how far the sum of centred uniforms with these half widths, (n,) float64, gets from 0."""
    support = 0.0
    for a in half_widths:
        support += a
    return support


@inner
def suffix_moments(half_widths, moments):
    """Write support and central moments of the sums of the last n - k of n uniforms into moments[k], k = 0 ... n.

    Parameters
    ----------
    half_widths : (n,) float64
    moments : (n + 1, 4) float64, output
        Columns: support, and central moments 2, 4 and 6. The odd ones are 0 by symmetry.

    Returns
    -------
    moments

    Notes
    -----
    Cumulants of independent variables add up. A uniform of half width a has the cumulants a**2 / 3, -2 a**4 / 15 and
    16 a**6 / 63 of order 2, 4 and 6. With odd cumulants 0 the central moments are mu2 = k2, mu4 = k4 + 3 k2**2 and
    mu6 = k6 + 15 k4 k2 + 15 k2**3.
    """
    n = half_widths.shape[0]
    for column in range(moments.shape[1]):
        moments[n, column] = 0.0
    cumulant_2, cumulant_4, cumulant_6 = 0.0, 0.0, 0.0
    for k in range(n - 1, -1, -1):
        a = half_widths[k]
        cumulant_2 += a**2 / 3
        cumulant_4 -= 2 * a**4 / 15
        cumulant_6 += 16 * a**6 / 63
        moments[k, 0] = moments[k + 1, 0] + a
        moments[k, 1] = cumulant_2
        moments[k, 2] = cumulant_4 + 3 * cumulant_2**2
        moments[k, 3] = cumulant_6 + 15 * cumulant_4 * cumulant_2 + 15 * cumulant_2**3
    return moments


@inner
def _integrated_cdf_above_support(z, moments, order):
    """Return the CDF of a sum, integrated `order` times, at a position above the sum's support.

    That is E[(z - S)**order] / order!, by the binomial theorem the sum over even q of
    z**(order - q) / (order - q)! * E[S**q] / q!.

    Parameters
    ----------
    z : float
    moments : (4,) float64
        Support and central moments 2, 4 and 6 of the sum, as from `suffix_moments`.
    order : int
        At most 7, beyond which moment 8 would be needed.
    """
    value, power, factorial = 0.0, 1.0, 1.0
    for exponent in range(order + 1):
        q = order - exponent
        if q % 2 == 0:
            moment = 1.0 if q == 0 else moments[q // 2]
            for divisor in range(1, q + 1):
                moment /= divisor
            value += power / factorial * moment
        power *= z
        factorial *= exponent + 1
    return value


@inner
def few_uniforms_cdf(z, half_widths, moments):
    """Return P(S < z) of a sum S of up to seven uniforms, in closed form; see the module's notes.

    Parameters
    ----------
    z : float
        Position from the sum's centre.
    half_widths : (n,) float64
        In falling order, n <= 7.
    moments : (n + 1, 4) float64
        As from `suffix_moments`.
    """
    # Positions at which a CDF is still to be evaluated: how many uniforms have been taken away there, and the signed
    # weight of its value. Depth first.
    position = np.empty(_MAX_OPEN, np.float64)
    taken = np.empty(_MAX_OPEN, np.int64)
    factor = np.empty(_MAX_OPEN, np.float64)
    position[0], taken[0], factor[0] = z, 0, 1.0
    n_open = 1
    value = 0.0
    while n_open > 0:
        n_open -= 1
        y, k, signed_weight = position[n_open], taken[n_open], factor[n_open]
        if y <= -moments[k, 0]:
            continue
        if y >= moments[k, 0]:
            value += signed_weight * _integrated_cdf_above_support(y, moments[k], k)
            continue
        a = half_widths[k]
        position[n_open], taken[n_open], factor[n_open] = y + a, k + 1, signed_weight / (2 * a)
        position[n_open + 1], taken[n_open + 1], factor[n_open + 1] = y - a, k + 1, -signed_weight / (2 * a)
        n_open += 2
    return value


@inner
def log_remainder(half_widths, replaced, replacement, t):
    """Return the natural logarithm of the bound on what the Fourier series of the CDF has beyond frequency t.

    Parameters
    ----------
    half_widths : (n,) float64
    replaced : int
        Index of a uniform ...
    replacement : float
        ... that has this half width instead.
    t : float
        Frequency of the last term, 2 pi m / period.

    Notes
    -----
    With u_k = a_k t, |sinc u| <= 1/u everywhere, and |sinc u| <= exp(-u**2 / 6) up to u = pi, since the logarithm of
    sinc has only negative coefficients. The product B of the smaller bounds holds at frequency t. The n' factors with
    u_k > 1 are taken to fall on as 1/t, so that term m' > m is at most B (m / m')**n' / (pi m'), and the sum of all of
    them at most B / (pi n').
    """
    log_bound = 0.0
    n_falling = 0
    for k in range(half_widths.shape[0]):
        u = t * (replacement if k == replaced else half_widths[k])
        if u > 1.0:
            n_falling += 1
        if u > np.pi:
            log_bound -= np.log(u)
        elif u > 1.0:
            log_bound -= max(np.log(u), u * u / 6)
        else:
            log_bound -= u * u / 6
    return log_bound - np.log(np.pi * max(n_falling, 1))


@inner
def terms_needed(half_widths, replaced, replacement, period, max_terms):
    """Return after how many terms the Fourier series of the CDF is exact to `TOLERANCE`.

    Parameters
    ----------
    half_widths, replaced, replacement
        As of `log_remainder`.
    period : float
        Period of the series.
    max_terms : int
        Where more are needed some number above it is returned.
    """
    allowed = np.log(TOLERANCE)
    high = _FIRST_TERMS
    while log_remainder(half_widths, replaced, replacement, 2 * np.pi * high / period) > allowed:
        if high > max_terms:
            return max_terms + 1
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if log_remainder(half_widths, replaced, replacement, 2 * np.pi * middle / period) > allowed:
            low = middle
        else:
            high = middle
    return high


@inner
def sinc(u):
    """Return sin(u) / u, 1 at u = 0."""
    return 1.0 - u * u / 6 if abs(u) < _SINC_TAYLOR else np.sin(u) / u


@inner
def leave_one_out(half_widths, in_bins, period, phi):
    """Write the characteristic functions of n sums, in each of which one input is held inside a bin, into `phi`.

    Parameters
    ----------
    half_widths : (n,) float64
    in_bins : int
        Bins of an input: inside a bin its half width is divided by as many.
    period : float
        Period of the Fourier series.
    phi : (n, terms) float64, output
        phi[k, m] is that of the sum with half width k divided by `in_bins`, at frequency 2 pi (m + 1) / period.

    Notes
    -----
    The product of all factors but one is a product of those before it and one of those behind it. Dividing the product
    of all by the one would fail where a sinc is 0.
    """
    n, terms = phi.shape
    factor = np.empty(n, np.float64)
    product_from = np.empty(n + 1, np.float64)
    for m in range(terms):
        t = 2 * np.pi * (m + 1) / period
        product_from[n] = 1.0
        for k in range(n - 1, -1, -1):
            factor[k] = sinc(t * half_widths[k])
            product_from[k] = product_from[k + 1] * factor[k]
        product_before = 1.0
        for k in range(n):
            phi[k, m] = product_before * product_from[k + 1] * sinc(t * half_widths[k] / in_bins)
            product_before *= factor[k]
