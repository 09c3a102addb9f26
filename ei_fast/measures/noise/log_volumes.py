"""ln of the volume by which matrices stretch, 1/2 ln det(A' A), with what is singular told from what is merely small.

Notes
-----
A matrix is given as exp(log_rows) times `matrix`, row by row: slopes of saturated neurons are smaller than any float.
Scaling rows by numbers that are not 0 changes no rank, so that the rank is that of `matrix` without the rows whose
scale is 0. The volume of a square matrix is the product of the scales times |det matrix|. That of a taller one is the
product of the diagonal of R in a QR decomposition; where its rows differ much in size, of one with the rows sorted by
size and the columns pivoted, which is accurate row by row (Cox & Higham 1998).
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_UNSUSPICIOUS = 1e-6
"""Ratio of the smallest to the largest entry of R's diagonal above which a matrix is not looked at again."""


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
    for k in np.flatnonzero(_is_suspicious(diagonals) & ~has_too_few_rows):
        if is_singular(matrices[k][log_rows[k] > -np.inf]):
            logs[k] = -np.inf
        else:
            volume, basis[k] = _graded(scaled[k])
            logs[k] = n * largest[k, 0] + volume
    return logs, basis if wants_basis else None


def scaled_by_rows(matrices: Array, log_rows: Array) -> tuple[Array, Array]:
    """Matrices times the scales of their rows relative to the largest of each, and the logarithms (s, 1) of these."""
    largest = log_rows.max(axis=1, keepdims=True)
    largest = np.where(np.isfinite(largest), largest, 0.0)
    return np.exp(log_rows - largest)[:, :, None] * matrices, largest


def _of_square(matrices: Array, log_rows: Array) -> Array:
    diagonals = np.abs(np.diagonal(np.linalg.qr(matrices, mode="r"), axis1=1, axis2=2))
    logs = np.asarray(np.linalg.slogdet(matrices)[1] + log_rows.sum(axis=1), np.float64)
    for k in np.flatnonzero(_is_suspicious(diagonals)):
        if is_singular(matrices[k]):
            logs[k] = -np.inf
    return logs


def _is_suspicious(diagonals: Array) -> NDArray[np.bool_]:
    return np.asarray(diagonals.min(axis=1) <= _UNSUSPICIOUS * diagonals.max(axis=1), np.bool_)


def is_singular(matrix: Array) -> bool:
    """Whether a matrix (d, n) has a rank below n, within rounding, once its rows and columns have one size."""
    d, n = matrix.shape
    scaled = matrix.copy()
    for _ in range(3):
        for axis in (1, 0):
            sizes = np.abs(scaled).max(axis=axis, keepdims=True, initial=0.0)
            # By powers of 2, which round nothing.
            scaled = np.ldexp(scaled, -np.frexp(sizes)[1])
    scaled = scaled[np.abs(scaled).max(axis=1, initial=0.0) > 0]
    if len(scaled) < n:
        return True
    values = np.linalg.svd(scaled, compute_uv=False)
    return bool(values[-1] <= max(d, n) * np.finfo(np.float64).eps * values[0])


def _graded(matrix: Array) -> tuple[float, Array]:
    """ln of the volume of a matrix whose rows differ much in size, and a basis."""
    # Its import takes long, and hardly any matrix needs it.
    from scipy.linalg import qr

    order = np.argsort(-np.abs(matrix).max(axis=1), kind="stable")
    q, r, _ = qr(matrix[order], mode="economic", pivoting=True)
    basis = np.empty_like(q)
    basis[order] = q
    with np.errstate(divide="ignore"):
        return float(np.log(np.abs(np.diag(r))).sum()), basis
