"""The probability of a rectangle of pre-activations under uniform inputs, by expectation propagation.

Notes
-----
P(y) is the integral, over inputs x in the box (-1/2, 1/2)^n, of a product of factors of one number each: for every
input the uniform density, for every output whether its pre-activation lies in its interval. **Expectation propagation**
(Minka 2001, Uncertainty in Artificial Intelligence 17, 362-369; for rectangles of a Gaussian Cunningham, Hennig &
Lacoste-Julien 2011, arXiv 1111.6832) puts a Gaussian *site* exp(-precision z^2 / 2 + pull z) in the place of each. In a
round every site is chosen anew: together with what all other sites leave of its number, the *cavity*, it has the mean
and the variance that the factor has together with it. The product of all sites is a Gaussian, whose integral,
corrected by what each factor has in excess of its site, is the estimate.

It draws no samples, and for layers it is off by hundredths of a bit to some tenths. How much, it does not say itself:
it serves as a control, whose error chains find.

Sites begin as the Gaussian with the inputs' mean and variance, and as no restriction of the outputs.
"""

import numpy as np

from ei_fast.kernels.jit import jit
from ei_fast.kernels.normal import normal_moments
from ei_fast.kernels.rectangles import bounded_outputs, cholesky_of

_LEAST_PRECISION = 1e-4
"""Of a site, that of an input or output with variance 1 being 1: less could not be divided by, and means nothing."""

_LEAST_SHARE = 1e-9
"""Of the precision under all sites, that of a cavity: an input that no output listens to has none, but for rounding."""


@jit
def _log_integral(precision, pull):
    """Return ln of the integral of exp(-precision z^2 / 2 + pull z), sqrt(2 pi) apart."""
    return 0.5 * (pull * pull / precision - np.log(precision))


@jit
def _renew_sites(means, variances, low, high, precisions, pulls):
    """Choose the site of every number anew, given its mean and variance under all sites.

    Returns
    -------
    float
        Sum over numbers of ln of what the factors have in excess of the sites that there were.
    """
    excess = 0.0
    for k in range(means.shape[0]):
        precision = max(1.0 / variances[k] - precisions[k], _LEAST_SHARE / variances[k])
        pull = means[k] / variances[k] - pulls[k]
        mean, scale = pull / precision, 1.0 / np.sqrt(precision)
        log_mass, middle, variance = normal_moments((low[k] - mean) / scale, (high[k] - mean) / scale)
        excess += log_mass + _log_integral(precision, pull) - _log_integral(1.0 / variances[k], means[k] / variances[k])
        middle, variance = mean + scale * middle, scale * scale * variance
        precisions[k] = max(1.0 / variance - precision, _LEAST_PRECISION)
        pulls[k] = middle / variance - pull
    return excess


@jit
def _add_products(weight, scales, out):
    """Add the sum over inputs of scale * weight_j * weight_k to the lower triangle of `out` (m, m)."""
    n, m = weight.shape
    for i in range(n):
        for j in range(m):
            share = scales[i] * weight[i, j]
            for k in range(j + 1):
                out[j, k] += share * weight[i, k]


@jit
def _invert(factor, root, inverse):
    """Write the transpose of factor^-1 diag(root), factor lower-triangular, into the upper triangle of `inverse`."""
    m = factor.shape[0]
    for j in range(m):
        inverse[j, j] = root[j] / factor[j, j]
        for k in range(j + 1, m):
            left = 0.0
            for i in range(j, k):
                left -= factor[k, i] * inverse[j, i]
            inverse[j, k] = left / factor[k, k]


@jit
def _factored(weight, scales, root, inverse):
    """Factor A = 1 + R W^T C W R, C and R diagonal with `scales` (n,) and `root` (m,).

    Returns
    -------
    float
        Half of ln det A; `inverse` (m, m) is the transpose of L^-1 R, L the Cholesky factor of A.
    """
    m = root.shape[0]
    a, factor = np.zeros((m, m), np.float64), np.empty((m, m), np.float64)
    _add_products(weight, scales, a)
    for j in range(m):
        for k in range(j + 1):
            a[j, k] *= root[j] * root[k]
        a[j, j] += 1.0
    cholesky_of(a, 0.0, factor)
    _invert(factor, root, inverse)
    half = 0.0
    for j in range(m):
        half += np.log(factor[j, j])
    return half


@jit
def _renew_inputs(weight, precisions, pulls, s_pulls, inverse, means, variances, carried):
    """Write mean and variance of every input, and L^-1 R W^T C of what pulls at them into `carried`; return their part
    of ln of the integral.
    """
    n, m = weight.shape
    moved = np.zeros((n, m), np.float64)
    log_integral = 0.5 * n * np.log(2.0 * np.pi)
    carried[:] = 0.0
    for i in range(n):
        pull, scale = pulls[i], 1.0 / precisions[i]
        for j in range(m):
            pull += weight[i, j] * s_pulls[j]
            share = scale * weight[i, j]
            for k in range(j, m):
                moved[i, k] += share * inverse[j, k]
        means[i], variances[i] = scale * pull, scale
        for k in range(m):
            variances[i] -= moved[i, k] * moved[i, k]
            carried[k] += moved[i, k] * pull
        log_integral += 0.5 * (scale * pull * pull + np.log(scale))
    for i in range(n):
        for k in range(m):
            means[i] -= moved[i, k] * carried[k]
    return log_integral


@jit
def _renew_outputs(weight, x_means, precisions, inverse, means, variances):
    """Write mean and variance of every output, given the inputs' means."""
    n, m = weight.shape
    means[:] = 0.0
    for i in range(n):
        for j in range(m):
            means[j] += weight[i, j] * x_means[i]
    for j in range(m):
        left = precisions[j]
        for k in range(j, m):
            left -= inverse[j, k] * inverse[j, k]
        variances[j] = left / (precisions[j] * precisions[j])


@jit
def _renew_moments(weight, x_precisions, x_pulls, s_precisions, s_pulls, x_means, x_variances, s_means, s_variances):
    """Write mean and variance of every input and output under all sites; return ln of the integral of their product.

    Notes
    -----
    The precision of the inputs is C^-1 + W R^2 W^T, with C the diagonal variances of the inputs' sites and R^2 the
    precisions of the outputs'. By the matrix inversion lemma, all that has to be factored is A = 1 + R W^T C W R. The
    outputs' covariance is R^-1 (1 - A^-1) R^-1.
    """
    m = weight.shape[1]
    inverse, carried = np.empty((m, m), np.float64), np.empty(m, np.float64)
    half_log_det = _factored(weight, 1.0 / x_precisions, np.sqrt(s_precisions), inverse)
    log_integral = _renew_inputs(weight, x_precisions, x_pulls, s_pulls, inverse, x_means, x_variances, carried)
    _renew_outputs(weight, x_means, s_precisions, inverse, s_means, s_variances)
    return log_integral - half_log_det - 0.5 * np.sum(carried * carried)


@jit
def _log_probability(weight, low, high, n_rounds):
    """Return ln of the probability of one rectangle (m,), all of whose outputs have an edge that matters."""
    n, m = weight.shape
    x_means, x_variances = np.zeros(n, np.float64), np.full(n, 1.0 / 12.0)
    s_means, s_variances = np.zeros(m, np.float64), np.ones(m, np.float64)
    x_precisions, x_pulls = np.full(n, 12.0), np.zeros(n, np.float64)
    s_precisions, s_pulls = np.zeros(m, np.float64), np.zeros(m, np.float64)
    ends = np.full(n, 0.5)
    # Those of the inputs are right as long as nothing else restricts them.
    _renew_sites(s_means, s_variances, low, high, s_precisions, s_pulls)
    log_integral = 0.0
    for k in range(n_rounds):
        if k > 0:
            _renew_sites(x_means, x_variances, -ends, ends, x_precisions, x_pulls)
            _renew_sites(s_means, s_variances, low, high, s_precisions, s_pulls)
        log_integral = _renew_moments(
            weight, x_precisions, x_pulls, s_precisions, s_pulls, x_means, x_variances, s_means, s_variances
        )
    x_excess = _renew_sites(x_means, x_variances, -ends, ends, x_precisions, x_pulls)
    s_excess = _renew_sites(s_means, s_variances, low, high, s_precisions, s_pulls)
    return log_integral + x_excess + s_excess


@jit
def propagated(weight, low, high, n_rounds, out):
    """Write ln of the probability of each rectangle under uniform inputs, by expectation propagation, into `out`.

    Parameters
    ----------
    weight : (n_in, n_out) float64
        Weights in units of the outputs' standard deviations.
    low, high : (r, n_out) float64
        As from `sample_rectangles`.
    n_rounds : int
        Rounds in which all sites are chosen anew.
    out : (r,) float64, output
        NaN where rounding has left nothing of a variance.
    """
    n_in, n_out = weight.shape
    chosen = np.empty(n_out, np.int64)
    for r in range(low.shape[0]):
        m = bounded_outputs(low[r], high[r], chosen)
        own_weight = np.empty((n_in, m), np.float64)
        lowest, highest = np.empty(m, np.float64), np.empty(m, np.float64)
        for j in range(m):
            lowest[j], highest[j] = low[r, chosen[j]], high[r, chosen[j]]
            for i in range(n_in):
                own_weight[i, j] = weight[i, chosen[j]]
        out[r] = _log_probability(own_weight, lowest, highest, n_rounds) if m else 0.0
