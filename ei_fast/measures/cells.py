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
from ei_fast.measures.estimate import NONE_SEEN, SKEW
from ei_fast.measures.unseen import MODEL_ERROR_IN_CELLS, Unseen

_LEAST_EXPLAINED = 0.2
"""Part of the variance over cells below which a control is none: far above what a few dozen cells show by chance."""
_LEAST_MOVING = 48
"""Cells that move without which a slope would be fitted to each of them rather than to what they have in common."""
_FEW_KEPT = 16
"""Kept points without which a cell's entropy is as good as unknown."""


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
    n_points : int
        Points that were simulated; none in a cell that is known to be in one state.
    control : ndarray (r,)
        What a control variate has in excess of its mean in each cell; 0 without one.
    control_stderr : float
        Standard error of that mean, 0 where it is known.
    slope : float
        How much of it is taken off.
    most : float
        Bits that a cell can have at the most.
    are_all : bool
        Whether the cells are all that keep anything: what differs from cell to cell is then no error, and each weighs
        by what it keeps. Drawn cells, which are drawn through kept points where samples are dropped, weigh the same.
    """

    statistics: NDArray[np.float64]
    m: int
    estimator: Estimator
    n_points: int
    control: NDArray[np.float64] | float = 0.0
    control_stderr: float = 0.0
    slope: float = 0.0
    most: float = 0.0
    are_all: bool = False

    @cached_property
    def share(self) -> NDArray[np.float64]:
        """Weight of each cell: the share of the samples that it keeps, or 1."""
        return self.statistics[:, KEPT] / self.m if self.are_all else np.ones(len(self.statistics))

    @cached_property
    def unseen(self) -> Unseen:
        """What the cells together have not met yet: one cell alone says little about it."""
        kept, once, twice, thrice = self.statistics[:, (KEPT, ONCE, TWICE, THRICE)].sum(axis=0)
        return Unseen.after(kept, once, twice, thrice, MODEL_ERROR_IN_CELLS)

    @cached_property
    def _best(self) -> NDArray[np.float64]:
        """Entropy of every cell by Zhang's estimator, each with its part in the unseen."""
        parts = self.unseen.a_single * self.statistics[:, ONCE] - self.unseen.a_double * self.statistics[:, TWICE]
        return self.statistics[:, ZHANG] + parts / np.maximum(self.statistics[:, KEPT], 1)

    @cached_property
    def corrected(self) -> NDArray[np.float64]:
        """Entropy of every cell, corrected for bias."""
        return self._best if self.estimator.sees_unseen else self.statistics[:, ENTROPY]

    @cached_property
    def entropies(self) -> NDArray[np.float64]:
        """Entropy of every cell, corrected for bias and by the control."""
        return self.corrected - self.slope * self.control

    def regressed(self) -> "SampledCells":
        """The same cells with the slope that the sample itself suggests; 0 where the control explains little."""
        if self.n_moving < _LEAST_MOVING:
            return replace(self, slope=0.0)
        deviation, own = self.control - np.mean(self.control), self.corrected - np.mean(self.corrected)
        spread, together = float(np.sum(deviation**2)), float(np.sum(own * deviation))
        if together**2 <= _LEAST_EXPLAINED * spread * float(np.sum(own**2)):
            # Where cells hardly differ any slope would do, and chance would choose one of any size.
            return replace(self, slope=0.0)
        return replace(self, slope=together / spread)

    @property
    def shift(self) -> float:
        """What the best estimate of the mean has more than that by the estimator asked for."""
        return self.mean(self._best - self.corrected)

    @property
    def bias(self) -> float:
        """Size of the bias that may be left in the mean of `entropies`, of unknown sign."""
        n_poor = 0 if self.are_all else np.count_nonzero(self.statistics[:, KEPT] < min(_FEW_KEPT, self.m))
        return self.unseen.bias + self._of_rare_cells + n_poor / max(len(self.statistics), 1) * self.most

    @property
    def _of_rare_cells(self) -> float:
        """What the mean may be off by since few of the cells, or none, have any entropy."""
        if self.are_all:
            return 0.0
        if not self.n_moving:
            return min(NONE_SEEN / max(len(self.statistics), 1), 1.0) * self.most
        deviations = self.share * (self.entropies - self.mean(self.entropies)) / max(self.share.mean(), 1e-300)
        squares = float(np.sum(deviations**2))
        return SKEW * abs(float(np.sum(deviations**3))) / max(squares, 1e-300) / len(self.statistics)

    @property
    def cost(self) -> float:
        """Points a cell, where to find out that it needs none counts as one."""
        return self.n_points / max(len(self.statistics), 1) + 1

    @cached_property
    def n_moving(self) -> int:
        """Cells in which more than one state was seen."""
        return int(np.count_nonzero(self.statistics[:, PLUGIN] > 0))

    @property
    def coverage(self) -> float:
        """Good-Turing coverage inside a cell, on average."""
        return 1.0 - float(self.statistics[:, ONCE].sum() / max(self.statistics[:, KEPT].sum(), 1.0))

    @property
    def resolved(self) -> bool:
        """Whether the average of `entropies` can be relied on."""
        return self.coverage >= MIN_COVERAGE and not self.unseen.endless and (self.are_all or self.n_effective >= 8)

    @property
    def n_effective(self) -> float:
        """So many cells of equal weight would tell as much."""
        return float(self.share.sum() ** 2 / max(np.sum(self.share**2), 1e-300))

    @property
    def plugin(self) -> NDArray[np.float64]:
        """Uncorrected entropy of every cell: in expectation not above the true one."""
        return self.statistics[:, PLUGIN]

    def mean(self, values: NDArray[np.float64]) -> float:
        """Average over cells, each weighing by what it keeps."""
        # Not a product of vectors: for long ones BLAS wakes threads of its own, which hold the other cores long after,
        # wait for each other where cores are taken, and add up in an order that depends on how many they are.
        return float(np.sum(self.share * values)) / max(float(self.share.sum()), 1e-300)

    @property
    def stderr(self) -> float:
        """Standard error of the mean of `entropies`, by the best estimate of each, whichever was asked for."""
        return float(np.hypot(self.mean_stderr(self._left), self.slope * self.control_stderr))

    @property
    def spread(self) -> float:
        """Standard deviation over cells, bits, of what the control leaves of their entropies ..."""
        return self.mean_stderr(self._left) * float(np.sqrt(len(self.statistics)))

    @property
    def explained(self) -> float:
        """... and of what it explains, where its mean is not known and all of the cells were asked for it."""
        return abs(self.slope) * self.control_stderr * float(np.sqrt(len(self.statistics)))

    @cached_property
    def _left(self) -> NDArray[np.float64]:
        """The best estimate of every cell's entropy, whichever was asked for, less the control."""
        return self._best - self.slope * self.control

    def mean_stderr(self, values: NDArray[np.float64]) -> float:
        """Standard error of `mean` for drawn cells: a ratio's."""
        freedom = len(values) - 1
        if freedom < 1:
            return self.most
        deviations = self.share * (values - self.mean(values)) / max(self.share.mean(), 1e-300)
        # Student's t of few cells, to first order, in the normal's place.
        return float(np.sqrt(np.sum(deviations**2) / freedom / len(values))) * (1 + 1.21 / freedom)


def of_still_cells(count: int, m: int) -> NDArray[np.float64]:
    """Statistics of cells, (count, 7), in which all of m points are in one state."""
    statistics = np.zeros((count, N_COLUMNS))
    statistics[:, KEPT] = m
    return statistics


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
