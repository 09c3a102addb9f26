"""H(Y | X): entropies inside a sample of input cells, and their average."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.counting import ENTROPY, KEPT, N_COLUMNS, ONCE, PLUGIN, THRICE, TWICE, ZHANG, cell_entropies
from ei_fast.measures.constants import (
    MIN_COVERAGE,
    MIN_EFFECTIVE_CELLS,
    MIN_EXPLAINED,
    MIN_KEPT_IN_CELL,
    MIN_VARIED,
    NONE_SEEN,
    SKEWNESS,
    STUDENT_T,
    UNSEEN_MODEL_ERROR_IN_CELLS,
)
from ei_fast.measures.counting.estimators import EntropyEstimator
from ei_fast.measures.counting.unseen import UnseenStates


@dataclass(frozen=True, eq=False)
class CellStatistics:
    """What was counted inside each of r cells.

    Attributes
    ----------
    array : ndarray (r, 7)
        As the kernel `cell_entropies` fills it; it is what files and stages keep.
    """

    array: NDArray[np.float64]

    @classmethod
    def of_keys(cls, keys: NDArray[np.uint64], estimator: EntropyEstimator) -> "CellStatistics":
        """From the output keys (r, m) of the points in each cell."""
        array = np.empty((len(keys), N_COLUMNS))
        cell_entropies(keys, *estimator.cell_tables(keys.shape[1]), array)
        return cls(array)

    @classmethod
    def of_one_state(cls, count: int, n_points: int) -> "CellStatistics":
        """Of cells in which all points are in one state."""
        array = np.zeros((count, N_COLUMNS))
        array[:, KEPT] = n_points
        return cls(array)

    @classmethod
    def none(cls) -> "CellStatistics":
        """Of no cell."""
        return cls(np.empty((0, N_COLUMNS)))

    def __len__(self) -> int:
        return len(self.array)

    @property
    def entropy(self) -> NDArray[np.float64]:
        """Entropy in bits by the estimator asked for, what is unseen not included."""
        return self.array[:, ENTROPY]

    @property
    def zhang(self) -> NDArray[np.float64]:
        """Entropy in bits by Zhang's estimator."""
        return self.array[:, ZHANG]

    @property
    def plugin(self) -> NDArray[np.float64]:
        """Uncorrected entropy in bits: in expectation not above the true one."""
        return self.array[:, PLUGIN]

    @property
    def once(self) -> NDArray[np.float64]:
        """Number of states seen once ..."""
        return self.array[:, ONCE]

    @property
    def twice(self) -> NDArray[np.float64]:
        """... and twice."""
        return self.array[:, TWICE]

    @property
    def thrice(self) -> NDArray[np.float64]:
        """... and thrice."""
        return self.array[:, THRICE]

    @property
    def kept(self) -> NDArray[np.float64]:
        """Number of points that were kept."""
        return self.array[:, KEPT]

    def unseen(self) -> UnseenStates:
        """What the cells together have not met yet: one cell alone says little about it."""
        kept, once, twice, thrice = self.array[:, (KEPT, ONCE, TWICE, THRICE)].sum(axis=0)
        return UnseenStates.after(kept, once, twice, thrice, UNSEEN_MODEL_ERROR_IN_CELLS)


@dataclass(frozen=True, eq=False)
class CellEntropies:
    """Entropies inside a sample of cells.

    Attributes
    ----------
    statistics : CellStatistics
    points_a_cell : int
    estimator : EntropyEstimator
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

    statistics: CellStatistics
    points_a_cell: int
    estimator: EntropyEstimator
    n_points: int
    control: NDArray[np.float64] | float = 0.0
    control_stderr: float = 0.0
    slope: float = 0.0
    most: float = 0.0
    are_all: bool = False

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.statistics)

    @cached_property
    def weights(self) -> NDArray[np.float64]:
        """Weight of each cell: the share of the samples that it keeps, or 1."""
        return self.statistics.kept / self.points_a_cell if self.are_all else np.ones(self.n_cells)

    @cached_property
    def unseen(self) -> UnseenStates:
        """What the cells together have not met yet."""
        return self.statistics.unseen()

    @cached_property
    def _best(self) -> NDArray[np.float64]:
        """Entropy of every cell by Zhang's estimator, each with its share of what is unseen."""
        unseen = self.unseen.per_singleton * self.statistics.once - self.unseen.per_doubleton * self.statistics.twice
        return self.statistics.zhang + unseen / np.maximum(self.statistics.kept, 1)

    @cached_property
    def corrected(self) -> NDArray[np.float64]:
        """Entropy of every cell, corrected for bias."""
        return self._best if self.estimator.adds_unseen else self.statistics.entropy

    @cached_property
    def entropies(self) -> NDArray[np.float64]:
        """Entropy of every cell, corrected for bias and by the control."""
        return self.corrected - self.slope * self.control

    def regressed(self) -> "CellEntropies":
        """The same cells with the slope that the sample itself suggests; 0 where the control explains little."""
        if self.n_varied < MIN_VARIED:
            return replace(self, slope=0.0)
        of_control, of_entropy = self.control - np.mean(self.control), self.corrected - np.mean(self.corrected)
        spread, together = float(np.sum(of_control**2)), float(np.sum(of_entropy * of_control))
        if together**2 <= MIN_EXPLAINED * spread * float(np.sum(of_entropy**2)):
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
        n_poor = (
            0 if self.are_all else np.count_nonzero(self.statistics.kept < min(MIN_KEPT_IN_CELL, self.points_a_cell))
        )
        return self.unseen.model_error + self._bias_of_rare_cells + n_poor / max(self.n_cells, 1) * self.most

    @property
    def _bias_of_rare_cells(self) -> float:
        """What the mean may be off by since few of the cells, or none, have any entropy."""
        if self.are_all:
            return 0.0
        if not self.n_varied:
            return min(NONE_SEEN / max(self.n_cells, 1), 1.0) * self.most
        deviations = self.weights * (self.entropies - self.mean(self.entropies)) / max(self.weights.mean(), 1e-300)
        squares = float(np.sum(deviations**2))
        return SKEWNESS * abs(float(np.sum(deviations**3))) / max(squares, 1e-300) / self.n_cells

    @property
    def cost(self) -> float:
        """Points a cell, where to find out that it needs none counts as one."""
        return self.n_points / max(self.n_cells, 1) + 1

    @cached_property
    def n_varied(self) -> int:
        """Cells in which more than one state was seen: of those that can move, as their points have shown."""
        return int(np.count_nonzero(self.statistics.plugin > 0))

    @property
    def coverage(self) -> float:
        """Good-Turing coverage inside a cell, on average."""
        return 1.0 - float(self.statistics.once.sum() / max(self.statistics.kept.sum(), 1.0))

    @property
    def resolved(self) -> bool:
        """Whether the average of `entropies` can be relied on."""
        enough = self.are_all or self.n_effective >= MIN_EFFECTIVE_CELLS
        return self.coverage >= MIN_COVERAGE and not self.unseen.without_end and enough

    @property
    def n_effective(self) -> float:
        """Number of cells of equal weight whose average would have the same error."""
        return float(self.weights.sum() ** 2 / max(np.sum(self.weights**2), 1e-300))

    @property
    def plugin(self) -> NDArray[np.float64]:
        """Uncorrected entropy of every cell: in expectation not above the true one."""
        return self.statistics.plugin

    def mean(self, values: NDArray[np.float64]) -> float:
        """Average over cells by their `weights`."""
        # Not a product of vectors: for long ones BLAS wakes threads of its own, which hold the other cores long after,
        # wait for each other where cores are taken, and add up in an order that depends on how many they are.
        return float(np.sum(self.weights * values)) / max(float(self.weights.sum()), 1e-300)

    @property
    def stderr(self) -> float:
        """Standard error of the mean of `entropies`, by the best estimate of each, whichever was asked for."""
        return float(np.hypot(self.mean_stderr(self._unexplained), self.slope * self.control_stderr))

    @property
    def spread(self) -> float:
        """Standard deviation over cells, bits, of what the control leaves of their entropies ..."""
        return self.mean_stderr(self._unexplained) * float(np.sqrt(self.n_cells))

    @property
    def explained(self) -> float:
        """... and of what it explains, where its mean is not known and all of the cells were asked for it."""
        return abs(self.slope) * self.control_stderr * float(np.sqrt(self.n_cells))

    @cached_property
    def _unexplained(self) -> NDArray[np.float64]:
        """The best estimate of every cell's entropy, whichever was asked for, less the control."""
        return self._best - self.slope * self.control

    def mean_stderr(self, values: NDArray[np.float64]) -> float:
        """Standard error of `mean` for drawn cells: a ratio's."""
        freedom = len(values) - 1
        if freedom < 1:
            return self.most
        deviations = self.weights * (values - self.mean(values)) / max(self.weights.mean(), 1e-300)
        return float(np.sqrt(np.sum(deviations**2) / freedom / len(values))) * (1 + STUDENT_T / freedom)
