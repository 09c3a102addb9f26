"""Rectangles of pre-activations that stand for output states, and their probability under a Gaussian.

Notes
-----
An output state is, for every output j, an interval of its pre-activation s_j: together a rectangle. Sampled inputs
give sampled states (`sample_rectangles`), each of which is scored by the probability of its rectangle under a Gaussian
S that has the mean and covariance of the pre-activations (`log_rectangles`). Everything is in units of each output's
standard deviation, relative to its mean.

**The probability of a rectangle** is that of the separation of variables of Geweke, Hajivassiliou and Keane (Genz
1992, Journal of Computational and Graphical Statistics 1, 141-149). With S = L Z, L the Cholesky factor and Z standard
normal, the rectangle is a sequence of intervals for Z_1, Z_2 given Z_1, and so on. Z is drawn from its
intervals, one after the other; the product of the intervals' probabilities is an unbiased estimate.

**The order of the outputs** is that in which the least probable interval comes first, those before it taken at their
means (Gibson, Glasbey & Elston 1994): it leaves the products with the least variance.
"""

import numpy as np

from ei_fast.kernels.covariances import MIN_VARIANCE
from ei_fast.kernels.jit import inner, jit
from ei_fast.kernels.normal import log_mass_between, normal_between, normal_cdf, rough_cdf
from ei_fast.kernels.search import count_at_most
from ei_fast.kernels.uniforms import GAMMA, fill_uniforms, mix64

FAR = 6.4
"""Standard deviations beyond which an edge is as good as none: leaving it out changes an entropy by less than 1e-6
bits, since sums of uniforms have lighter tails than the Gaussian."""

NO_EDGE = 1e150
"""Where an interval has no end."""


@jit
def sample_rectangles(stream_keys, first, weight, centres, sds, breaks, sizes, codes, rows, x, states, low, high):
    """Write sampled inputs and the rectangles of the output states that they lead to.

    Parameters
    ----------
    stream_keys : (n_in,) uint64
        Key of every input neuron's own stream of uniforms.
    first : int
        Number of the first sample in the streams.
    weight : (n_in, n_out) float64
        Weights times the width over which each input moves.
    centres : (r, n_out) float64
        Pre-activations in the middle of where the inputs of each sample move.
    sds : (n_out,) float64
        Standard deviations of the pre-activations; 0 where an output does not move.
    breaks, sizes, codes, rows
        As of `dense_keys`.
    x : (r, n_in) float64, output
        Inputs on (-1/2, 1/2), in units of the width over which they move.
    states : (r, n_out) uint16, output
        Codes of the outputs.
    low, high : (r, n_out) float64, output
        Ends of the intervals that the pre-activations are in, relative to the centre and in units of `sds`.
    """
    n_in, n_out = weight.shape
    uniforms = np.empty((n_in, x.shape[0]), np.float32)
    fill_uniforms(stream_keys, first, x.shape[0], uniforms)
    s = np.empty(n_out, np.float64)
    for r in range(x.shape[0]):
        s[:] = 0.0
        for i in range(n_in):
            x[r, i] = uniforms[i, r]
            for j in range(n_out):
                s[j] += weight[i, j] * x[r, i]
        for j in range(n_out):
            own_breaks, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
            k = count_at_most(own_breaks, centres[r, j] + s[j])
            states[r, j] = own_codes[k]
            # Neighbouring intervals with one code are one.
            last = k
            while k > 0 and own_codes[k - 1] == states[r, j]:
                k -= 1
            while last < own_breaks.shape[0] and own_codes[last + 1] == states[r, j]:
                last += 1
            low[r, j], high[r, j] = -NO_EDGE, NO_EDGE
            if sds[j] > 0.0 and k > 0:
                low[r, j] = (own_breaks[k - 1] - centres[r, j]) / sds[j]
            if sds[j] > 0.0 and last < own_breaks.shape[0]:
                high[r, j] = (own_breaks[last] - centres[r, j]) / sds[j]


@jit
def bounded_outputs(low, high, chosen):
    """Write the numbers of the outputs with an edge that matters into `chosen` (n_out,) int64; return how many."""
    n = 0
    for j in range(low.shape[0]):
        if low[j] > -FAR or high[j] < FAR:
            chosen[n] = j
            n += 1
    return n


@inner
def select_outputs(covariance, low, high, chosen, noise, factor, lowest, highest):
    """Write what belongs to the chosen outputs (m,): covariance, with a noise on each output, and intervals."""
    m = chosen.shape[0]
    for j in range(m):
        lowest[j], highest[j] = low[chosen[j]], high[chosen[j]]
        for i in range(m):
            factor[j, i] = covariance[chosen[j], chosen[i]]
        factor[j, j] += noise * noise


@inner
def _least_probable(first, mean, variance, low, high):
    """Return the output from `first` on whose interval holds least, given means and variances."""
    best, least = first, 2.0
    for j in range(first, mean.shape[0]):
        scale = 1.0 / np.sqrt(max(variance[j], MIN_VARIANCE))
        p = rough_cdf((high[j] - mean[j]) * scale) - rough_cdf((low[j] - mean[j]) * scale)
        if p < least:
            best, least = j, p
    return best


@inner
def _swap(k, best, columns, mean, variance, low, high, order, places):
    """Exchange two outputs in all that is kept of them; `columns` have rows up to number k only."""
    for array in (mean, variance, low, high):
        array[k], array[best] = array[best], array[k]
    for numbers in (order, places):
        numbers[k], numbers[best] = numbers[best], numbers[k]
    for i in range(k):
        columns[i, k], columns[i, best] = columns[i, best], columns[i, k]


@inner
def _subtract_columns(columns, k):
    """Subtract from column k of the factor, below its diagonal, what the columns before it explain.

    Four columns at a time, one after the other, so that the sum is loaded and stored a quarter as often.
    """
    m, column = columns.shape[0], columns[k]
    whole = k - k % 4
    for i in range(0, whole, 4):
        a, b, c, d = columns[i], columns[i + 1], columns[i + 2], columns[i + 3]
        share_a, share_b, share_c, share_d = a[k], b[k], c[k], d[k]
        for j in range(k + 1, m):
            left = column[j] - share_a * a[j]
            left -= share_b * b[j]
            left -= share_c * c[j]
            column[j] = left - share_d * d[j]
    for i in range(whole, k):
        a = columns[i]
        share = a[k]
        for j in range(k + 1, m):
            column[j] -= share * a[j]


@inner
def factor_in_order(factor, low, high, order):
    """Order outputs by their intervals and factor their covariance, in place.

    A column of the factor is made when its output is chosen, from the columns before it: a third of the work, and of
    the memory moved far less, than if all that is left of the covariance were brought up to date at every choice.

    Parameters
    ----------
    factor : (m, m) float64
        The covariance; on return its lower triangle is the Cholesky factor of the covariance in the new order.
    low, high : (m,) float64
        Ends of the intervals; on return in the new order.
    order : (m,) int64
        Numbers of the outputs; on return in the new order.
    """
    m = factor.shape[0]
    mean, variance, places = np.zeros(m, np.float64), np.empty(m, np.float64), np.empty(m, np.int64)
    columns = np.empty((m, m), np.float64)
    for j in range(m):
        variance[j], places[j] = factor[j, j], j
    for k in range(m):
        best = _least_probable(k, mean, variance, low, high)
        if best != k:
            _swap(k, best, columns, mean, variance, low, high, order, places)
        pivot = np.sqrt(max(variance[k], MIN_VARIANCE))
        inverse = 1.0 / pivot
        column, row = columns[k], factor[places[k]]
        column[k] = pivot
        for j in range(k + 1, m):
            column[j] = row[places[j]]
        _subtract_columns(columns, k)
        # The mean of the standard normal inside the interval.
        lowest, highest = (low[k] - mean[k]) * inverse, (high[k] - mean[k]) * inverse
        middle = min(max(0.0, lowest), highest)
        mass = normal_cdf(highest) - normal_cdf(lowest)
        if mass > 1e-12:
            middle = (np.exp(-0.5 * lowest * lowest) - np.exp(-0.5 * highest * highest)) / (np.sqrt(2 * np.pi) * mass)
            middle = min(max(middle, lowest), highest)
        for j in range(k + 1, m):
            column[j] *= inverse
            variance[j] -= column[j] * column[j]
            mean[j] += column[j] * middle
    for j in range(m):
        for i in range(j + 1):
            factor[j, i] = columns[i, j]


@inner
def ordered_rectangle(covariance, noise, low, high, chosen):
    """Return the chosen outputs (m,) in their new order, the factor of their covariance, and their intervals.

    Parameters
    ----------
    covariance, low, high, chosen, noise
        As of `select_outputs`.
    """
    m = chosen.shape[0]
    order = chosen.copy()
    factor, lowest, highest = np.empty((m, m), np.float64), np.empty(m, np.float64), np.empty(m, np.float64)
    select_outputs(covariance, low, high, order, noise, factor, lowest, highest)
    factor_in_order(factor, lowest, highest, order)
    return order, factor, lowest, highest


@inner
def uniform_of(key, number):
    """Return uniform number `number` of a stream of its own: in (0, 1), with 53 bits."""
    word = mix64(key + GAMMA * np.uint64(number))
    return (np.float64(word >> np.uint64(11)) + 0.5) * 2.0**-53


@inner
def draw_in_rectangle(factor, low, high, key, antithetic, z, log_weights):
    """Draw from the intervals one after the other, R times.

    Parameters
    ----------
    factor : (m, m) float64
        Cholesky factor of the covariance, as of `factor_in_order`.
    low, high : (m,) float64
        Ends of the intervals, in its order.
    key : uint64
        Of the stream of uniforms, of which the first R * m are used.
    antithetic : bool
        Whether draws 2 k and 2 k + 1 share their uniforms, u and 1 - u.
    z : (m, R) float64, output
        Standard normal coordinates of the draws.
    log_weights : (R,) float64, output
        Log of the product of the intervals' probabilities, of which exp has the rectangle's probability as its mean.
    """
    m, n_draws = z.shape
    mean = np.empty(n_draws, np.float64)
    log_weights[:] = 0.0
    for k in range(m):
        mean[:] = 0.0
        for i in range(k):
            share = factor[k, i]
            for r in range(n_draws):
                mean[r] += share * z[i, r]
        inverse = 1.0 / factor[k, k]
        for r in range(n_draws):
            if antithetic and r % 2:
                uniform = 1.0 - uniform_of(key, (r - 1) * m + k)
            else:
                uniform = uniform_of(key, r * m + k)
            log_mass, z[k, r] = normal_between((low[k] - mean[r]) * inverse, (high[k] - mean[r]) * inverse, uniform)
            log_weights[r] += log_mass


@inner
def log_mean_exp(values):
    """Return ln of the mean of exp(values) (n,), and the relative variance of that mean were they independent."""
    largest = values.max()
    if not largest > -np.inf:
        return -np.inf, 0.0
    total, squares = 0.0, 0.0
    for value in values:
        weight = np.exp(value - largest)
        total += weight
        squares += weight * weight
    n = values.shape[0]
    mean = total / n
    variance = max(squares / n - mean * mean, 0.0) / max(n - 1, 1)
    return largest + np.log(mean), variance / (mean * mean)


@jit
def log_rectangles(covariance, noise, low, high, n_draws, keys, out):
    """Write ln of the probability of each rectangle under a Gaussian, as estimated, into `out`.

    Parameters
    ----------
    covariance : (n_out, n_out) float64
        Of the outputs, in units of their standard deviations.
    noise : float
        Standard deviation, in these units, of a noise that is added to every output.
    low, high : (r, n_out) float64
        As from `sample_rectangles`.
    n_draws : int
        Draws for each rectangle; an even number.
    keys : (r,) uint64
        Key of the stream of uniforms of each rectangle.
    out : (r, 2) float64, output
        ln of the estimate; and the relative variance of the estimate, half of which is about what its log is too
        low.
    """
    n_out = low.shape[1]
    chosen = np.empty(n_out, np.int64)
    pairs = np.empty(n_draws // 2, np.float64)
    for r in range(low.shape[0]):
        m = bounded_outputs(low[r], high[r], chosen)
        out[r] = 0.0
        if m == 0:
            continue
        _, factor, lowest, highest = ordered_rectangle(covariance, noise, low[r], high[r], chosen[:m])
        z, log_weights = np.empty((m, n_draws), np.float64), np.empty(n_draws, np.float64)
        draw_in_rectangle(factor, lowest, highest, keys[r], True, z, log_weights)
        for k in range(n_draws // 2):
            a, b = log_weights[2 * k], log_weights[2 * k + 1]
            pairs[k] = max(a, b) + np.log(0.5 * (1.0 + np.exp(-abs(a - b)))) if max(a, b) > -np.inf else -np.inf
        out[r, 0], out[r, 1] = log_mean_exp(pairs)


@jit
def marginal_surprise(low, high, out):
    """Write the sum over outputs of -ln P(low < Z < high), Z standard normal, of each rectangle into `out` (r,)."""
    for r in range(low.shape[0]):
        out[r] = 0.0
        for j in range(low.shape[1]):
            if low[r, j] > -FAR or high[r, j] < FAR:
                out[r] -= log_mass_between(low[r, j], high[r, j])
