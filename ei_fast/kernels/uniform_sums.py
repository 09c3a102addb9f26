"""Distributions of sums of independent uniforms, each centred at 0 with a half width of its own.

Two routes to the CDF, both good to about 1e-13. Few uniforms: the divided-difference formula, arranged so
that nothing cancels. Many: the support is bounded, so that the CDF is a Fourier series in which the
characteristic function, a product of sincs, stands for the coefficients.
"""

import numpy as np

from ei_fast.kernels.jit import jit

TOLERANCE = 1e-13


@jit
def suffix_moments(widths, moments):
    """Of the last n - k of n half widths, for k = 0 ... n: support, and central moments 2, 4 and 6; (n + 1, 4)."""
    n = widths.shape[0]
    moments[n] = 0.0
    # Cumulants add up: of a uniform they are a**2/3, -2 a**4/15, 16 a**6/63.
    k2, k4, k6 = 0.0, 0.0, 0.0
    for k in range(n - 1, -1, -1):
        a = widths[k]
        k2 += a**2 / 3
        k4 -= 2 * a**4 / 15
        k6 += 16 * a**6 / 63
        moments[k, 0] = moments[k + 1, 0] + a
        moments[k, 1] = k2
        moments[k, 2] = k4 + 3 * k2**2
        moments[k, 3] = k6 + 15 * k4 * k2 + 15 * k2**3
    return moments


@jit
def _beyond_support(z, moments, order):
    """E[(z - X)**order] / order! by binomial expansion over the even central moments (2, 4 and 6)."""
    value, power, factor = 0.0, 1.0, 1.0
    for k in range(order + 1):
        rest = order - k
        if rest % 2 == 0:
            moment = 1.0 if rest == 0 else moments[rest // 2]
            for q in range(1, rest + 1):
                moment /= q
            value += power / factor * moment
        power *= z
        factor *= k + 1
    return value


@jit
def few_uniforms_cdf(z, widths, moments):
    """The CDF of the sum of up to seven uniforms at z, their half widths in falling order.

    With J for one more integration and the largest width a taken away, the CDF integrated any number of times
    is (J(z + a) - J(z - a)) / 2a. Outside the support of what is left it is 0 on the left and
    E[(z - X)**order] / order! on the right, so that no difference of large numbers is ever taken.
    """
    # Positions still to be evaluated, each with the widths taken away so far and a sign; depth first.
    at = np.empty(16, np.float64)
    taken = np.empty(16, np.int64)
    sign = np.empty(16, np.float64)
    at[0], taken[0], sign[0] = z, 0, 1.0
    n_open = 1
    value = 0.0
    while n_open > 0:
        n_open -= 1
        here, k, factor = at[n_open], taken[n_open], sign[n_open]
        if here <= -moments[k, 0]:
            continue
        if here >= moments[k, 0]:
            value += factor * _beyond_support(here, moments[k], k)
            continue
        a = widths[k]
        at[n_open], taken[n_open], sign[n_open] = here + a, k + 1, factor / (2 * a)
        at[n_open + 1], taken[n_open + 1], sign[n_open + 1] = here - a, k + 1, -factor / (2 * a)
        n_open += 2
    return value


@jit
def log_tail(widths, largest, shrunk, t):
    """Log of a bound on what the series loses beyond frequency t, the largest width being `shrunk`.

    |sinc u| is at most 1/u, and exp(-u**2/6) up to u = pi.
    """
    total = 0.0
    decaying = 0
    for k in range(widths.shape[0]):
        u = t * (shrunk if k == largest else widths[k])
        if u > 1.0:
            decaying += 1
        if u > np.pi:
            total -= np.log(u)
        elif u > 1.0:
            total -= max(np.log(u), u * u / 6)
        else:
            total -= u * u / 6
    return total - np.log(np.pi * max(decaying, 1))


@jit
def terms_needed(widths, largest, shrunk, period, most):
    """Terms after which the series is exact to TOLERANCE, or most + 1."""
    goal = np.log(TOLERANCE)
    high = 8
    while log_tail(widths, largest, shrunk, 2 * np.pi * high / period) > goal:
        if high > most:
            return most + 1
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if log_tail(widths, largest, shrunk, 2 * np.pi * middle / period) > goal:
            low = middle
        else:
            high = middle
    return high


@jit
def sinc(u):
    return 1.0 - u * u / 6 if abs(u) < 1e-5 else np.sin(u) / u


@jit
def leave_one_out(widths, in_bins, period, phi):
    """Characteristic functions (n, terms) of the sums with width i replaced by its in_bins-th part.

    Products come from prefixes and suffixes: sincs have zeros, so that nothing may be divided out.
    """
    n, terms = phi.shape
    factor = np.empty(n, np.float64)
    suffix = np.empty(n + 1, np.float64)
    for m in range(terms):
        t = 2 * np.pi * (m + 1) / period
        suffix[n] = 1.0
        for k in range(n - 1, -1, -1):
            factor[k] = sinc(t * widths[k])
            suffix[k] = suffix[k + 1] * factor[k]
        prefix = 1.0
        for k in range(n):
            phi[k, m] = prefix * suffix[k + 1] * sinc(t * widths[k] / in_bins)
            prefix *= factor[k]
