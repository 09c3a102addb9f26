"""The standard normal distribution: its CDF, its quantiles, and what an interval of it holds."""

from math import erfc

import numpy as np

from ei_fast.kernels.jit import inner

_ROOT_HALF = np.sqrt(0.5)
_LOG_ROOT_TWO_PI = 0.5 * np.log(2 * np.pi)

_MIN_MASS = 1e-280
"""Mass below which an interval's logarithm comes from the asymptotic form of the tail."""

_NARROW, _LEVEL = 0.01, 0.5
"""Width of an interval, and its product with the distance from 0, below which moments come from a series: differences
lose digits as one over the fourth power of the width; the series is off by less than 1e-4 of the variance."""

_GRID = 128.0
_END = 8.0
_CDF = np.array([0.5 * erfc(-(k / _GRID - _END) * _ROOT_HALF) for k in range(int(2 * _END * _GRID) + 2)])
"""The CDF at multiples of 1 / _GRID from -_END on; interpolated it is off by less than 2e-6."""


# Coefficients of AS 241, the highest power first: numerators and denominators.
_CENTRAL_ABOVE = (
    2.5090809287301226727e3,
    3.3430575583588128105e4,
    6.7265770927008700853e4,
    4.5921953931549871457e4,
    1.3731693765509461125e4,
    1.9715909503065514427e3,
    1.3314166789178437745e2,
    3.3871328727963666080e0,
)
_CENTRAL_BELOW = (
    5.2264952788528545610e3,
    2.8729085735721942674e4,
    3.9307895800092710610e4,
    2.1213794301586595867e4,
    5.3941960214247511077e3,
    6.8718700749205790830e2,
    4.2313330701600911252e1,
    1.0,
)
_TAIL_ABOVE = (
    7.74545014278341407640e-4,
    2.27238449892691845833e-2,
    2.41780725177450611770e-1,
    1.27045825245236838258e0,
    3.64784832476320460504e0,
    5.76949722146069140550e0,
    4.63033784615654529590e0,
    1.42343711074968357734e0,
)
_TAIL_BELOW = (
    1.05075007164441684324e-9,
    5.47593808499534494600e-4,
    1.51986665636164571966e-2,
    1.48103976427480074590e-1,
    6.89767334985100004550e-1,
    1.67638483018380384940e0,
    2.05319162663775882187e0,
    1.0,
)
_FAR_TAIL_ABOVE = (
    2.01033439929228813265e-7,
    2.71155556874348757815e-5,
    1.24266094738807843860e-3,
    2.65321895265761230930e-2,
    2.96560571828504891230e-1,
    1.78482653991729133580e0,
    5.46378491116411436990e0,
    6.65790464350110377720e0,
)
_FAR_TAIL_BELOW = (
    2.04426310338993978564e-15,
    1.42151175831644588870e-7,
    1.84631831751005468180e-5,
    7.86869131145613259100e-4,
    1.48753612908506148525e-2,
    1.36929880922735805310e-1,
    5.99832206555887937690e-1,
    1.0,
)


@inner
def normal_cdf(x):
    """Return P(Z < x) of a standard normal Z."""
    return 0.5 * erfc(-x * _ROOT_HALF)


@inner
def rough_cdf(x):
    """Return P(Z < x) to 2e-6, from a table: for choices that need no accuracy."""
    place = (x + _END) * _GRID
    if place <= 0.0:
        return 0.0
    if place >= 2 * _END * _GRID:
        return 1.0
    k = np.int64(place)
    return _CDF[k] + (place - k) * (_CDF[k + 1] - _CDF[k])


@inner
def _polynomial(coefficients, x):
    """Return the polynomial with these coefficients, the highest power first, by Horner's rule."""
    value = coefficients[0]
    for k in range(1, len(coefficients)):
        value = value * x + coefficients[k]
    return value


@inner
def _central_quantile(q):
    """Return the quantile of 1/2 + q for |q| <= 0.425."""
    r = 0.180625 - q * q
    return q * _polynomial(_CENTRAL_ABOVE, r) / _polynomial(_CENTRAL_BELOW, r)


@inner
def _tail_quantile(p):
    """Return minus the quantile of p for p < 0.075."""
    r = np.sqrt(-np.log(p))
    if r <= 5.0:
        return _polynomial(_TAIL_ABOVE, r - 1.6) / _polynomial(_TAIL_BELOW, r - 1.6)
    return _polynomial(_FAR_TAIL_ABOVE, r - 5.0) / _polynomial(_FAR_TAIL_BELOW, r - 5.0)


@inner
def normal_quantile(p):
    """Return z with P(Z < z) = p for 0 < p < 1, to about 1e-15.

    Notes
    -----
    The rational approximations of algorithm AS 241 (Wichura 1988, Applied Statistics 37, 477-484).
    """
    q = p - 0.5
    if abs(q) <= 0.425:
        return _central_quantile(q)
    return -_tail_quantile(p) if q < 0.0 else _tail_quantile(1.0 - p)


@inner
def _log_of_tail(high, width):
    """Return ln P(low < Z < high) far below 0, low = high - width, with the rate of the exponential and its decay.

    The density at high + y, y < 0, is that at high times exp(-rate * -y), exact as |high| grows.
    """
    rate = max(-high, 1.0)
    decay = np.exp(-rate * min(width, 1e6))
    return -0.5 * high * high - _LOG_ROOT_TWO_PI - np.log(rate) + np.log(max(1.0 - decay, 1e-300)), rate, decay


@inner
def log_mass_between(low, high):
    """Return ln P(low < Z < high), as `normal_between` does, to the last bit."""
    if low > 0.0:
        low, high = -high, -low
    mass = normal_cdf(high) - normal_cdf(low)
    return np.log(mass) if mass > _MIN_MASS else _log_of_tail(high, high - low)[0]


@inner
def normal_between(low, high, uniform):
    """Return ln P(low < Z < high), and the point of the interval below which that share `uniform` of its mass lies.

    Parameters
    ----------
    low, high : float
        Ends of the interval, low < high; infinite or huge where there is none.
    uniform : float
        In (0, 1).

    Notes
    -----
    An interval above 0 is mirrored, so that differences of the CDF keep their digits in the tail. Where even
    those vanish the tail is an exponential of rate |end|.
    """
    mirrored = low > 0.0
    if mirrored:
        low, high, uniform = -high, -low, 1.0 - uniform
    below = normal_cdf(low)
    mass = normal_cdf(high) - below
    if mass > _MIN_MASS:
        log_mass = np.log(mass)
        share = below + uniform * mass
        z = normal_quantile(share) if share < 1.0 else high
    else:
        log_mass, rate, decay = _log_of_tail(high, high - low)
        z = high + np.log(1.0 - uniform * (1.0 - decay)) / rate
    z = min(max(z, low), high)
    return log_mass, -z if mirrored else z


@inner
def normal_moments(low, high):
    """Return ln P(low < Z < high) of a standard normal Z, and the mean and variance of Z in there.

    Parameters
    ----------
    low, high : float
        Ends of the interval, low < high; huge, but finite, where there is none.

    Notes
    -----
    Mirrored, and far out in the tail exponential, as in `normal_between`.
    """
    width, centre = high - low, 0.5 * (low + high)
    fall = width * abs(centre)
    if width < _NARROW and fall < _LEVEL:
        # An exponential whose rate is the distance from 0.
        log_mass = np.log(width) - _LOG_ROOT_TWO_PI - 0.5 * centre * centre + fall * fall / 24.0 - width * width / 24.0
        square = width * width / 12.0
        return log_mass, centre * (1.0 - square * (1.0 - fall * fall / 60.0)), square * (1.0 - fall * fall / 20.0)
    mirrored = low > 0.0
    if mirrored:
        low, high = -high, -low
    mass = normal_cdf(high) - normal_cdf(low)
    if mass > _MIN_MASS:
        log_mass, scale = np.log(mass), np.exp(-_LOG_ROOT_TWO_PI) / mass
        at_low, at_high = scale * np.exp(-0.5 * low * low), scale * np.exp(-0.5 * high * high)
        mean = at_low - at_high
        variance = 1.0 + low * at_low - high * at_high - mean * mean
    else:
        rate, span = max(-high, 1.0), min(width, 1e6)
        decay = np.exp(-rate * span)
        log_mass = -0.5 * high * high - _LOG_ROOT_TWO_PI - np.log(rate) + np.log(1.0 - decay)
        share = span * decay / (1.0 - decay)
        mean = high - 1.0 / rate + share
        variance = 1.0 / (rate * rate) - share * share / decay if decay > 0.0 else 1.0 / (rate * rate)
    return log_mass, -mean if mirrored else mean, variance
