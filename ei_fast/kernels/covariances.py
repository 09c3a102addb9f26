"""Covariances of the pre-activations under uniform inputs, their Cholesky factors, and what is computed of these."""

import numpy as np

from ei_fast.kernels.jit import jit

_ROWS = 32
"""Rows of a covariance that are summed together. It changes no figure."""

MIN_VARIANCE = 1e-14
"""Of an output given those before it; less is rounding."""


@jit
def covariance_of(weight, out):
    """Write the covariance of x @ weight into `out` (m, m), each x_i with variance 1/12, independent; symmetric."""
    n, m = weight.shape
    out[:] = 0.0
    # Some rows at a time, which stay in a cache; each number adds up in the order of the inputs.
    for first in range(0, m, _ROWS):
        last = min(first + _ROWS, m)
        for i in range(n):
            for j in range(first, last):
                share = weight[i, j] / 12.0
                for k in range(j + 1):
                    out[j, k] += share * weight[i, k]
    for j in range(m):
        for k in range(j):
            out[k, j] = out[j, k]


@jit
def cholesky_of(covariance, ridge, factor):
    """Write the Cholesky factor of a covariance, with `ridge` added to its diagonal, into the lower triangle."""
    m = covariance.shape[0]
    # The factor transposed: a column lies in one piece, and all its numbers are worked on side by side.
    columns, left = np.empty((m, m), np.float64), np.empty(m, np.float64)
    for j in range(m):
        for i in range(j, m):
            left[i] = covariance[i, j]
        for k in range(j):
            own = columns[k, j]
            for i in range(j, m):
                left[i] -= columns[k, i] * own
        pivot = np.sqrt(max(left[j] + ridge, MIN_VARIANCE))
        columns[j, j] = factor[j, j] = pivot
        for i in range(j + 1, m):
            columns[j, i] = factor[i, j] = left[i] / pivot


@jit
def excess_of_squares(factor, weight, x, out):
    """Write z^T K^-1 z - z^T z for the pre-activations z = x @ weight of some inputs (r, n) into `out` (r,).

    K = factor @ factor.T. Up to a constant it is twice the part of -ln q, q the density of a Gaussian, that comes from
    outputs depending on each other.
    """
    m = factor.shape[0]
    z = np.empty(m, np.float64)
    for r in range(x.shape[0]):
        z[:] = 0.0
        for i in range(x.shape[1]):
            for j in range(m):
                z[j] += x[r, i] * weight[i, j]
        out[r] = 0.0
        for j in range(m):
            out[r] -= z[j] * z[j]
            for k in range(j):
                z[j] -= factor[j, k] * z[k]
            z[j] /= factor[j, j]
            out[r] += z[j] * z[j]


@jit
def trace_of_inverse(factor):
    """Return the trace of the inverse of factor @ factor.T: the sum of the squares of the factor's inverse."""
    m = factor.shape[0]
    column, total = np.empty(m, np.float64), 0.0
    for k in range(m):
        for j in range(k, m):
            left = 1.0 if j == k else 0.0
            for i in range(k, j):
                left -= factor[j, i] * column[i]
            column[j] = left / factor[j, j]
            total += column[j] * column[j]
    return total
