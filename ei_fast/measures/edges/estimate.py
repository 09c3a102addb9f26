"""What is known of a per-edge measure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.constants import LARGE_MATRIX

Matrix = NDArray[np.float64] | NDArray[np.float32]


@dataclass(frozen=True)
class EdgeEstimate:
    """Bits of every edge; NaN where no sample is kept, and where an edge was not measured.

    Attributes
    ----------
    matrix : ndarray (n_in, n_out)
        Corrected estimates of weak edges may come out slightly below 0. In single precision beyond `LARGE_MATRIX`
        edges.
    stderr : float
        Standard error of the sum; 0.0 where exact, NaN where not measured.
    bias : float
        Size of the correction that the estimator made to the sum: what it leaves is less.
    n_samples : int
        Simulated points in every edge's histogram; 0 where exact.
    estimated_total : float or None
        The layer's figure, bits, where some edges only were measured.
    """

    matrix: Matrix
    stderr: float
    bias: float
    n_samples: int
    estimated_total: float | None = None

    @classmethod
    def exact(cls, matrix: Matrix) -> "EdgeEstimate":
        """Known to rounding."""
        return cls(matrix=matrix, stderr=0.0, bias=0.0, n_samples=0)

    @classmethod
    def not_measured(cls, n_in: int, n_out: int) -> "EdgeEstimate":
        """NaN for every edge."""
        # One number, seen at every edge.
        matrix = np.broadcast_to(np.array(np.nan, matrix_type(n_in, n_out)), (n_in, n_out))
        return cls(matrix=matrix, stderr=np.nan, bias=0.0, n_samples=0, estimated_total=np.nan)

    @property
    def total(self) -> float:
        """The layer's figure, bits."""
        if self.estimated_total is not None:
            return self.estimated_total
        return float(self.matrix.sum(dtype=np.float64))


def matrix_type(n_in: int, n_out: int) -> type[np.floating]:
    """Precision of a matrix of so many edges."""
    return np.float32 if n_in * n_out > LARGE_MATRIX else np.float64
