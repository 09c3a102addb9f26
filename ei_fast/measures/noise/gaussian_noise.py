"""Gaussian noise on the outputs of a map, which its Jacobian is divided by."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class GaussianNoise:
    """Independent noise on each output, or correlated noise.

    Attributes
    ----------
    log_deviations : ndarray (n_out,)
        Logarithms of the diagonal of `factor`: of independent noise, of its standard deviations.
    factor : ndarray (n_out, n_out), optional
        Lower triangular, the Cholesky factor of the covariance; None where the noise is independent.
    """

    log_deviations: Array
    factor: Array | None = None

    @classmethod
    def independent(cls, deviations: Array) -> "GaussianNoise":
        """Noise with these standard deviations (n_out,)."""
        return cls(np.log(deviations))

    @classmethod
    def correlated(cls, covariance: Array) -> "GaussianNoise | None":
        """Noise of this covariance (n_out, n_out); None where it is not positive definite."""
        if not (np.diag(covariance) > 0).all():
            return None
        deviations = np.sqrt(np.diag(covariance))
        if not np.count_nonzero(covariance - np.diag(np.diag(covariance))):
            return cls.independent(deviations)
        try:
            # Of the correlations, which do not under- or overflow.
            factor = deviations[:, None] * np.linalg.cholesky(covariance / np.outer(deviations, deviations))
        except np.linalg.LinAlgError:
            return None
        return cls(np.log(np.diag(factor)), factor)
