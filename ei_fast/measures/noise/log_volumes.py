"""ln of the volume by which matrices stretch, 1/2 ln det(A' A), with what is singular told from what is merely small.

Notes
-----
A matrix is given as exp(log_rows) times `matrix`, row by row: slopes of saturated neurons are smaller than any float.
Scaling rows by numbers that are not 0 changes no rank, so that the rank is that of `matrix` without the rows whose
scale is 0. The volume of a square matrix is the product of the scales times |det matrix|. That of a taller one is the
product of the diagonal of R in a QR decomposition, unless rows differ so much in size that this drowns small ones.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDINGS = 64.0
"""By how many times the rounding of a matrix of its size a singular Jacobian may differ from one, having been computed.
"""

_UNSUSPICIOUS = 1e-10
"""Ratio of the smallest to the largest entry of R's diagonal above which a matrix is not looked at again: rounding
changes the volume of such a one by at most some 1e-5 of it."""


def log_volumes(matrices: Array, log_rows: Array, wants_basis: bool = False) -> tuple[Array, Array | None]:
    """Return the logarithm of each matrix's volume, and where wanted an orthonormal basis of its columns' span.

    Parameters
    ----------
    matrices : ndarray (s, d, n), d >= n
        Up to the scale of their rows.
    log_rows : ndarray (s, d) or (1, d)
        Logarithms of these scales; -inf for a row that is 0.
    wants_basis : bool

    Returns
    -------
    logs : ndarray (s,)
        -inf where a matrix has a rank below n, within the accuracy of a float64.
    basis : ndarray (s, d, n) or None
        None where not wanted, and where d = n: the columns then span everything.
    """
    _, d, n = matrices.shape
    log_rows = np.broadcast_to(log_rows, matrices.shape[:2])
    if d == n:
        return _of_square(matrices, log_rows), None
    scaled, largest = scaled_by_rows(matrices, log_rows)
    basis, r = np.linalg.qr(scaled)
    diagonals = np.abs(np.diagonal(r, axis1=1, axis2=2))
    with np.errstate(divide="ignore"):
        logs = n * largest[:, 0] + np.log(diagonals).sum(axis=1)
    has_too_few_rows = (log_rows > -np.inf).sum(axis=1) < n
    logs[has_too_few_rows] = -np.inf
    looked_at = np.flatnonzero(_is_suspicious(diagonals) & ~has_too_few_rows)
    if len(looked_at):
        volumes, basis[looked_at] = _graded(matrices[looked_at], log_rows[looked_at] - largest[looked_at])
        logs[looked_at] = n * largest[looked_at, 0] + volumes
    return logs, basis if wants_basis else None


def scaled_by_rows(matrices: Array, log_rows: Array) -> tuple[Array, Array]:
    """Matrices times the scales of their rows relative to the largest of each, and the logarithms (s, 1) of these."""
    largest = log_rows.max(axis=1, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0.0)
    return np.exp(log_rows - largest)[:, :, None] * matrices, largest


def _of_square(matrices: Array, log_rows: Array) -> Array:
    diagonals = np.abs(np.diagonal(np.linalg.qr(matrices, mode="r"), axis1=1, axis2=2))
    logs = np.asarray(np.linalg.slogdet(matrices)[1] + log_rows.sum(axis=1), np.float64)
    looked_at = np.flatnonzero(_is_suspicious(diagonals))
    if len(looked_at):
        logs[looked_at[_are_singular(matrices[looked_at], _ROUNDINGS)]] = -np.inf
    return logs


def _is_suspicious(diagonals: Array) -> NDArray[np.bool_]:
    return np.asarray(diagonals.min(axis=1) <= _UNSUSPICIOUS * diagonals.max(axis=1), np.bool_)


def log_determinant(matrix: Array) -> float:
    """ln|det| of a square matrix that is known exactly; -inf where it is singular, within rounding."""
    return -np.inf if _are_singular(matrix[None], 1.0)[0] else float(np.linalg.slogdet(matrix)[1])


def _are_singular(matrices: Array, roundings: float) -> NDArray[np.bool_]:
    """Whether square matrices are singular, within so many roundings, once their rows and columns have one size."""
    scaled, _ = _balanced(matrices)
    values = np.linalg.svd(scaled, compute_uv=False)
    allowed = roundings * matrices.shape[-1] * np.finfo(np.float64).eps
    return np.asarray(values[:, -1] <= allowed * values[:, 0], np.bool_)


def _balanced(matrices: Array) -> tuple[Array, NDArray[np.intp]]:
    """Matrices whose rows and columns have about one size, and the powers of 2 by which columns were divided."""
    scaled, exponents = matrices, np.zeros((len(matrices), 1, matrices.shape[2]), np.intp)
    for _ in range(3):
        scaled = np.ldexp(scaled, -np.frexp(np.abs(scaled).max(axis=2, keepdims=True))[1])
        of_columns = np.frexp(np.abs(scaled).max(axis=1, keepdims=True))[1]
        scaled, exponents = np.ldexp(scaled, -of_columns), exponents + of_columns
    return scaled, exponents


def _graded(matrices: Array, log_rows: Array) -> tuple[Array, Array]:
    """ln of the volumes of matrices whose rows differ much in size, and bases; -inf where they are singular.

    By Gaussian elimination with complete pivoting, A = L U: the volume of A is that of L, which is benign, times
    |det U|. What is left of a row is 0 where it is no larger than its rounding, so that a row that is a multiple of a
    larger one does not hide a third that is much smaller than both.
    """
    s, d, n = matrices.shape
    each = np.arange(s)
    _, exponents = _balanced(matrices)
    rows = np.ldexp(matrices, -exponents)
    sizes = np.abs(rows).max(axis=2)
    # Row k of what is eliminated is exp(logs[k]) times rows[k], whose entries are at most 1.
    rows = np.divide(rows, sizes[:, :, None], out=np.zeros_like(rows), where=sizes[:, :, None] > 0)
    logs = log_rows + _log(sizes)
    lower, volumes = np.zeros((s, d, n)), float(np.log(2.0)) * exponents.sum(axis=(1, 2))
    is_left = np.ones((s, d), np.bool_)
    for k in range(n):
        left = np.where(is_left, logs + _log(np.abs(rows).max(axis=2)), -np.inf)
        pivots = np.argmax(left, axis=1)
        volumes = volumes + left[each, pivots]
        of_pivots = rows[each, pivots]
        columns = np.argmax(np.abs(of_pivots), axis=1)
        divisors = of_pivots[each, columns]
        factors = np.where(is_left, rows[each, :, columns] / np.where(divisors == 0, 1.0, divisors)[:, None], 0.0)
        relative = logs - np.maximum(logs[each, pivots], -np.finfo(np.float64).max)[:, None]
        lower[:, :, k] = factors * np.exp(np.minimum(relative, 700.0))
        is_left[each, pivots] = False
        factors[each, pivots] = 0.0
        rows -= factors[:, :, None] * of_pivots[:, None, :]
        rows[each, :, columns] = 0.0
        rows[np.abs(rows).max(axis=2) <= _ROUNDINGS * n * np.finfo(np.float64).eps] = 0.0
    lower[volumes == -np.inf] = np.eye(d, n)
    basis, r = np.linalg.qr(lower)
    return volumes + np.log(np.abs(np.diagonal(r, axis1=1, axis2=2))).sum(axis=1), basis


def _log(sizes: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(sizes), np.float64)
