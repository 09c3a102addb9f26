"""The probability of a rectangle of pre-activations under uniform inputs, by expectation propagation.

Notes
-----
P(y) is the integral, over inputs x in the box (-1/2, 1/2)^n, of a product of factors of one number each: for every
input the uniform density, for every output whether its pre-activation lies in its interval. **Expectation propagation**
(Minka 2001, Uncertainty in Artificial Intelligence 17, 362-369; for rectangles of a Gaussian Cunningham, Hennig &
Lacoste-Julien 2011, arXiv 1111.6832) puts a Gaussian *site* exp(-precision (z - centre)^2 / 2) in the place of each. In
a round every site is chosen anew: together with what all other sites leave of its number, the *cavity*, it has the mean
and the variance that the factor has together with it. The product of all sites is a Gaussian, whose integral,
corrected by what each factor has in excess of its site, is the estimate.

It draws no samples, and for layers it is off by hundredths of a bit to some tenths. How much, it does not say itself:
it serves as a control, whose error chains find.

**Narrow intervals** have sites of a precision of 1e10 and more. So a cavity is not found by a difference of two
precisions: of a number whose site has precision p and centre c, the *share* of the cavity in the precision under all
sites is a, and the mean is moved from c by d. Then the cavity has the precision p a / (1 - a) and the mean c + d / a.
"""

import numpy as np

from ei_fast.kernels.covariances import cholesky_of
from ei_fast.kernels.jit import inner, jit
from ei_fast.kernels.normal import normal_moments
from ei_fast.kernels.rectangles import bounded_outputs

_LEAST_PRECISION = 1e-4
"""Of a site, that of an input or output with variance 1 being 1: less could not be divided by, and means nothing."""

_LEAST_SHARE = 1e-9
"""Of a cavity: an input that no output listens to has none."""


@inner
def _site(precision, mean, low, high):
    """Return the site of an interval in a cavity, and ln of the part of the cavity that is in the interval.

    Returns
    -------
    log_mass, site_precision, site_centre : float
    """
    scale = 1.0 / np.sqrt(precision)
    log_mass, middle, variance = normal_moments((low - mean) / scale, (high - mean) / scale)
    both = precision / variance
    site_precision = max(both - precision, _LEAST_PRECISION)
    return log_mass, site_precision, (both * (mean + scale * middle) - precision * mean) / site_precision


@inner
def _renew_sites(low, high, shares, moves, precisions, centres):
    """Choose the site of every number anew, whose share and move under all sites are given.

    Returns
    -------
    float
        Sum over numbers of ln of what the factors have in excess of the sites that there were.
    """
    excess = 0.0
    for k in range(shares.shape[0]):
        share = max(shares[k], _LEAST_SHARE)
        precision, distance = precisions[k] * share / (1.0 - share), moves[k] / share
        # -ln of the site's own mean in the cavity; the factor's mean there is exp(log_mass).
        excess += 0.5 * (distance * distance * precision * (1.0 - share) - np.log(share))
        log_mass, precisions[k], centres[k] = _site(precision, centres[k] + distance, low[k], high[k])
        excess += log_mass
    return excess


@inner
def _add_products(weight, scales, out):
    """Add the sum over inputs of scale * weight_j * weight_k to the lower triangle of `out` (m, m)."""
    n, m = weight.shape
    for i in range(n):
        for j in range(m):
            share = scales[i] * weight[i, j]
            for k in range(j + 1):
                out[j, k] += share * weight[i, k]


@inner
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


@inner
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


@inner
def _innovations(weight, x_centres, s_centres, inverse, out):
    """Write L^-1 R (centres of the outputs' sites - means by the inputs' sites) into `out` (m,)."""
    n, m = weight.shape
    missing = s_centres.copy()
    for i in range(n):
        for j in range(m):
            missing[j] -= weight[i, j] * x_centres[i]
    out[:] = 0.0
    for j in range(m):
        for k in range(j, m):
            out[k] += inverse[j, k] * missing[j]


@inner
def _shares_of_inputs(weight, scales, inverse, innovations, shares, moves):
    """Write share and move of every input: the squared length of L^-1 R W^T C, and its product with innovations."""
    n, m = weight.shape
    column = np.empty(m, np.float64)
    for i in range(n):
        column[:] = 0.0
        for j in range(m):
            share = scales[i] * weight[i, j]
            for k in range(j, m):
                column[k] += share * inverse[j, k]
        shares[i], moves[i] = 0.0, 0.0
        for k in range(m):
            shares[i] += column[k] * column[k]
            moves[i] += column[k] * innovations[k]
        shares[i] /= scales[i]


@inner
def _shares_of_outputs(precisions, inverse, innovations, shares, moves):
    """Write share and move of every output: the diagonal of A^-1, and minus R^-1 L^-T innovations."""
    m = precisions.shape[0]
    for j in range(m):
        shares[j], moves[j] = 0.0, 0.0
        for k in range(j, m):
            shares[j] += inverse[j, k] * inverse[j, k]
            moves[j] -= inverse[j, k] * innovations[k]
        shares[j] /= precisions[j]
        moves[j] /= precisions[j]


@inner
def _log_probability(weight, low, high, n_rounds):
    """Return ln of the probability of one rectangle (m,), all of whose outputs have an edge that matters.

    Notes
    -----
    The sites together are those of the inputs, a Gaussian with variances C, times densities of the outputs around their
    centres with precisions R^2, constants apart: by the matrix inversion lemma all that has to be factored is
    A = 1 + R W^T C W R, and the integral of their product is that of the innovations L^-1 R (centres - means).
    """
    n, m = weight.shape
    ends, inverse, innovations = np.full(n, 0.5), np.empty((m, m), np.float64), np.empty(m, np.float64)
    x_precisions, x_centres = np.full(n, 12.0), np.zeros(n, np.float64)
    s_precisions, s_centres = np.empty(m, np.float64), np.empty(m, np.float64)
    x_shares, x_moves = np.empty(n, np.float64), np.empty(n, np.float64)
    s_shares, s_moves = np.empty(m, np.float64), np.empty(m, np.float64)
    # Sites begin as the Gaussian with the inputs' mean and variance, and as no restriction of the outputs.
    for j in range(m):
        _, s_precisions[j], s_centres[j] = _site(1.0, 0.0, low[j], high[j])
    log_probability = 0.0
    for _ in range(n_rounds):
        scales = 1.0 / x_precisions
        half_log_det = _factored(weight, scales, np.sqrt(s_precisions), inverse)
        _innovations(weight, x_centres, s_centres, inverse, innovations)
        _shares_of_inputs(weight, scales, inverse, innovations, x_shares, x_moves)
        _shares_of_outputs(s_precisions, inverse, innovations, s_shares, s_moves)
        log_probability = 0.5 * np.sum(np.log(2.0 * np.pi * scales)) - half_log_det
        log_probability -= 0.5 * np.sum(innovations * innovations)
        log_probability += _renew_sites(-ends, ends, x_shares, x_moves, x_precisions, x_centres)
        log_probability += _renew_sites(low, high, s_shares, s_moves, s_precisions, s_centres)
    return log_probability


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
