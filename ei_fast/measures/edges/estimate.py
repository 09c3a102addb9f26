"""What is known of a per-edge measure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class EdgeEstimate:
    """Bits of every edge; NaN where no sample is kept.

    Attributes
    ----------
    matrix : ndarray (n_in, n_out)
        Corrected estimates of weak edges may come out slightly below 0.
    stderr : float
        Standard error of the sum; 0.0 where exact, NaN where not measured.
    bias : float
        Size of the correction that the estimator made to the sum: what it leaves is less.
    n_samples : int
        Simulated points in every edge's histogram; 0 where exact.
    """

    matrix: NDArray[np.float64]
    stderr: float
    bias: float
    n_samples: int

    @classmethod
    def exact(cls, matrix: NDArray[np.float64]) -> "EdgeEstimate":
        """Known to rounding."""
        return cls(matrix=matrix, stderr=0.0, bias=0.0, n_samples=0)

    @classmethod
    def not_measured(cls, n_in: int, n_out: int) -> "EdgeEstimate":
        """NaN for every edge."""
        return cls(matrix=np.full((n_in, n_out), np.nan), stderr=np.nan, bias=0.0, n_samples=0)

    @property
    def total(self) -> float:
        """The layer's figure, bits."""
        return float(self.matrix.sum())
