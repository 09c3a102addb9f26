"""H(Y | X): entropies inside a sample of input cells, and their average."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.counting import (
    ENTROPY,
    KEPT,
    N_COLUMNS,
    ONCE,
    PLUGIN,
    THRICE,
    TWICE,
    ZHANG,
    cell_entropies,
)
from ei_fast.measures.entropy import MIN_COVERAGE, Estimator, digamma_table, log_table
from ei_fast.measures.unseen import Unseen


@dataclass(frozen=True, eq=False)
class SampledCells:
    """Entropies inside a sample of cells.

    Attributes
    ----------
    statistics : ndarray (r, 7)
        As from the kernel `cell_entropies`.
    m : int
        Points in a cell.
    estimator : Estimator
    control : ndarray (r,)
        What a control variate has in excess of its known mean in each cell; 0 without one.
    slope : float
        How much of it is taken off.
    """

    statistics: NDArray[np.float64]
    m: int
    estimator: Estimator
    control: NDArray[np.float64] | float = 0.0
    slope: float = 0.0

    @property
    def share(self) -> NDArray[np.float64]:
        """Share of the samples that each cell keeps."""
        return self.statistics[:, KEPT] / self.m

    @cached_property
    def unseen(self) -> Unseen:
        """What the cells together have not met yet: one cell alone says little about it."""
        kept, once, twice, thrice = self.statistics[:, (KEPT, ONCE, TWICE, THRICE)].sum(axis=0)
        return Unseen.after(kept, once, twice, thrice)

    @cached_property
    def _best(self) -> NDArray[np.float64]:
        """Entropy of every cell by Zhang's estimator, each with its part in the unseen."""
        parts = self.unseen.a_single * self.statistics[:, ONCE] - self.unseen.a_double * self.statistics[:, TWICE]
        return self.statistics[:, ZHANG] + parts / np.maximum(self.statistics[:, KEPT], 1)

    @cached_property
    def corrected(self) -> NDArray[np.float64]:
        """Entropy of every cell, corrected for bias."""
        return self._best if self.estimator.sees_unseen else self.statistics[:, ENTROPY]

    @property
    def entropies(self) -> NDArray[np.float64]:
        """Entropy of every cell, corrected for bias and by the control."""
        return self.corrected - self.slope * self.control

    def regressed(self) -> "SampledCells":
        """The same cells with the slope that the sample itself suggests."""
        deviation = self.control - np.mean(self.control)
        spread = float(np.sum(deviation**2))
        return replace(self, slope=float(np.sum(self.corrected * deviation)) / spread if spread > 0 else 0.0)

    @property
    def bias(self) -> float:
        """Size of the bias that may be left in the mean of `entropies`."""
        return self.unseen.bias + abs(self.mean(self.corrected - self._best))

    @property
    def coverage(self) -> float:
        """Good-Turing coverage inside a cell, on average."""
        return 1.0 - float(self.statistics[:, ONCE].sum() / max(self.statistics[:, KEPT].sum(), 1.0))

    @property
    def resolved(self) -> bool:
        """Whether the average of `entropies` can be relied on."""
        return self.coverage >= MIN_COVERAGE and not self.unseen.endless

    @property
    def plugin(self) -> NDArray[np.float64]:
        """Uncorrected entropy of every cell: in expectation not above the true one."""
        return self.statistics[:, PLUGIN]

    def mean(self, values: NDArray[np.float64]) -> float:
        """Average over cells, each weighing by what it keeps."""
        # Not a product of vectors: for long ones BLAS wakes threads of its own, which hold the other cores long after,
        # wait for each other where cores are taken, and add up in an order that depends on how many they are.
        return float(np.sum(self.share * values)) / max(float(self.share.sum()), 1e-300)

    def mean_stderr(self, values: NDArray[np.float64]) -> float:
        """Standard error of `mean` for drawn cells: a ratio's."""
        deviations = self.share * (values - self.mean(values)) / max(self.share.mean(), 1e-300)
        freedom = len(values) - 1
        # Student's t of few cells, to first order, in the normal's place.
        return float(np.sqrt(np.sum(deviations**2) / freedom / len(values))) * (1 + 1.21 / freedom)


def statistics_of(keys: NDArray[np.uint64], estimator: Estimator) -> NDArray[np.float64]:
    """Statistics of cells, (r, 7), from the keys (r, m) of the points in each."""
    size = keys.shape[1] + 1
    statistics = np.empty((len(keys), N_COLUMNS))
    cell_entropies(
        keys,
        log_table(size),
        digamma_table(size),
        estimator.heads(size),
        estimator.weights(size),
        estimator.addend,
        estimator.chao_shen,
        statistics,
    )
    return statistics
