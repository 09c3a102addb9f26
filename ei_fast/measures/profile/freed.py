"""I(X_i; Y | X_others) of every input: drawn cells of the other inputs, in which input i moves through all its bins.

In a cell of the others it is the entropy of Y less the mean entropy inside the bins of input i. The same points serve
both: as many in each bin. What differs from cell to cell is the same in both, so that the difference is known several
times better than either entropy. Each input has cells of its own: what a cell tells of one input goes with what it
tells of another, and the sum would be known less well from the same cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Intervention, Keys
from ei_fast.intervention.streams import Stream
from ei_fast.measures.constants import MIN_COVERAGE, NONE_SEEN, SKEWNESS, STDERR_SHARE, STUDENT_T
from ei_fast.measures.counting.estimators import ZHANG_UNSEEN
from ei_fast.measures.entropies.cells import CellEntropies, CellStatistics
from ei_fast.measures.entropies.sample import points_ceiling
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.profile.component import InputFigures
from ei_fast.measures.profile.constants import (
    FEWEST_FREED_CELLS,
    FREED_BIAS_LEFT,
    FREED_BIAS_TAKEN_OFF,
    FREED_POINTS_A_BIN,
    GIVEN_TOL,
    HOPELESS_CELLS,
    MAX_FREED_POINTS_A_BIN,
    PROBED_CELLS,
)
from ei_fast.measures.profile.figure import Figure, total
from ei_fast.measures.stages import Arrays, Method, SimulationStage
from ei_fast.runtime.threads import Threads

_CELLS_AN_INPUT, _POINTS_AN_INPUT = 2**30, 2**44
"""Numbers of the streams that each input has for itself."""


@dataclass(frozen=True, eq=False)
class FreedInputs(SimulationStage):
    """The first r cells of some inputs, with m points in each bin of the input that moves.

    Its arrays are I(X_i; Y) in bits inside each cell, (n_in, r); by how much halves of the points have more, (n_in, r);
    and of each input the coverage inside bins, (n_in,).
    """

    intervention: Intervention
    m: int
    n_cells: int
    inputs: Sequence[int]

    @property
    def name(self) -> str:
        return f"{self.intervention.name}-freed-{self.m}-{self.n_cells}-{len(self.inputs)}"

    @property
    def n_items(self) -> int:
        return len(self.inputs)

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        rows = threads.map(self._of_input, self.inputs[begin:end])
        values, changes, coverage = zip(*rows, strict=True)
        return np.array(values), np.array(changes), np.array(coverage)

    def _of_input(self, i: int) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        do, m, r, bins = self.intervention, self.m, self.n_cells, self.intervention.in_bins
        cells = np.repeat(do.drawn_cells(Stream.FREED_CELLS, i * _CELLS_AN_INPUT, r), bins, axis=0)
        cells[:, i] = np.tile(np.arange(bins), r)
        keys = do.keys_inside(Stream.FREED_POINTS, i * _POINTS_AN_INPUT, cells, m).reshape(r, bins, m)
        values, coverage = information_inside(keys)
        # The first and the second half of the points of each bin.
        halves = keys.reshape(r, bins, 2, m // 2).transpose(0, 2, 1, 3).reshape(2 * r, bins, m // 2)
        in_halves, _ = information_inside(np.ascontiguousarray(halves))
        return values, in_halves.reshape(r, 2).mean(axis=1) - values, coverage


def information_inside(keys: Keys) -> tuple[NDArray[np.float64], float]:
    """I(X_i; Y) in bits in each of r cells, from the keys (r, bins, m) in each bin; and the coverage inside bins."""
    r, bins, m = keys.shape
    of_cell, of_bins = (entropies_of(keys.reshape(shape)) for shape in ((r, bins * m), (r * bins, m)))
    return of_cell.corrected - of_bins.corrected.reshape(r, bins).mean(axis=1), of_bins.coverage


def entropies_of(keys: Keys) -> CellEntropies:
    """Entropies inside cells, from the keys (r, m) of the points in each."""
    return CellEntropies(CellStatistics.of_keys(keys, ZHANG_UNSEEN), keys.shape[1], ZHANG_UNSEEN, keys.size)


@dataclass(frozen=True, eq=False)
class Freed:
    """I(X_i; Y | X_others) of every input, from the cells of `FreedInputs`.

    Attributes
    ----------
    values, changes : ndarray (n_in, r)
        Bits inside cells, and by how much halves of the points have more.
    coverage : float
        Inside bins, on average over the inputs.
    most : float
        Bits that an input can tell at the most.
    n_points : int
        Points simulated.
    """

    values: NDArray[np.float64]
    changes: NDArray[np.float64]
    coverage: float
    most: float
    n_points: int

    @property
    def resolved(self) -> bool:
        """Whether the states inside cells were counted."""
        return self.coverage >= MIN_COVERAGE

    @property
    def n_cells(self) -> int:
        """Cells of each input."""
        return len(self.values[0])

    @property
    def _corrected(self) -> NDArray[np.float64]:
        return self.values - FREED_BIAS_TAKEN_OFF * self.changes

    @property
    def bias_of_rare_cells(self) -> float:
        """Bits by which the sum may be off since no cell of some inputs, or few, tell anything."""
        return float(sum(self._rare(self._corrected[[i]]) for i in np.flatnonzero(~self._is_told)))

    @property
    def _is_told(self) -> NDArray[np.bool_]:
        told: NDArray[np.bool_] = (self.values != 0.0).any(axis=1)
        return told

    @property
    def figures(self) -> InputFigures:
        """What is known of each input, and of the sum."""
        corrected, halves = self._corrected, FREED_BIAS_LEFT * self.changes.mean(axis=1)
        each = [
            Figure.estimated(
                float(corrected[i].mean()),
                self._stderr(corrected[[i]]),
                abs(float(halves[i])) + self._rare(corrected[[i]]),
            )
            for i in range(len(corrected))
        ]
        told = corrected[self._is_told]
        bias = abs(float(halves.sum())) + self.bias_of_rare_cells + (self._rare(told) if len(told) else 0.0)
        return InputFigures(each, total(each, self._stderr(corrected), bias))

    def _stderr(self, values: NDArray[np.float64]) -> float:
        """Standard error of the sum over inputs of the mean of values (inputs, r)."""
        freedom = max(self.n_cells - 1, 1)
        return float(np.sqrt(values.var(axis=1, ddof=1).sum() / self.n_cells)) * (1 + STUDENT_T / freedom)

    def _rare(self, values: NDArray[np.float64]) -> float:
        """Bits by which a sum may be off since few of the cells differ, or none."""
        if not values.any():
            return min(NONE_SEEN / self.n_cells, 1.0) * self.most
        deviations = values - values.mean(axis=1, keepdims=True)
        squares = float(np.sum(deviations**2))
        return SKEWNESS * abs(float(np.sum(deviations**3))) / max(squares, 1e-300) / self.n_cells


def freed(do: Intervention, options: MeasureOptions) -> Method[Freed | None]:
    """As many cells, and points in each, as the sum over inputs takes; None where states cannot be counted."""
    bins, ceiling = do.in_bins, points_ceiling(do, options.effort)
    if options.n_samples is not None:
        m = FREED_POINTS_A_BIN
        n_cells = max(2, options.n_samples // (do.n_in * bins * m))
        return (yield from _freed_in(do, m, n_cells))
    enough = yield from _points_a_bin(do)
    if enough is None:
        return None
    m = enough
    if do.n_in * bins * m * PROBED_CELLS > ceiling:
        return None
    n_cells = max(PROBED_CELLS, min(FEWEST_FREED_CELLS, ceiling // (do.n_in * bins * m)))
    found = yield from _freed_in(do, m, n_cells)
    while True:
        sum_of_all = found.figures.sum
        aim = aim_of_given(options, sum_of_all.value)
        if found.resolved and sum_of_all.error <= aim:
            return found
        n_cells = found.n_cells
        rare = found.bias_of_rare_cells
        if not found.resolved or sum_of_all.bias - rare > STDERR_SHARE * aim:
            m *= 2
        wanted = n_cells * max((sum_of_all.stderr / (STDERR_SHARE * aim)) ** 2, 2 * rare / aim, 1.0)
        most = ceiling // (do.n_in * bins * m)
        n_cells = int(min(wanted, most))
        is_same = m * bins * found.n_cells * do.n_in == found.n_points
        if m > MAX_FREED_POINTS_A_BIN or n_cells < found.n_cells or (is_same and n_cells < 1.05 * found.n_cells):
            return found
        found = yield from _freed_in(do, m, n_cells)


def aim_of_given(options: MeasureOptions, bits: float) -> float:
    """The error, bits, to which the sum over inputs is to be known where it is about so many bits."""
    return options.tol * max(1.0, GIVEN_TOL * bits)


def _points_a_bin(do: Intervention) -> Method[int | None]:
    """Points in a bin with which its states can be counted, from a few cells of one input; None if none do."""
    m = FREED_POINTS_A_BIN
    while m <= MAX_FREED_POINTS_A_BIN:
        _, _, coverage = yield FreedInputs(do, m, PROBED_CELLS, [0])
        if coverage[0] >= MIN_COVERAGE:
            return m
        if coverage[0] < HOPELESS_CELLS:
            return None
        m *= 2
    return None


def _freed_in(do: Intervention, m: int, n_cells: int) -> Method[Freed]:
    """From so many cells of each input, with m points in each bin."""
    values, changes, coverage = yield FreedInputs(do, m, n_cells, range(do.n_in))
    n_points = values.size * do.in_bins * m
    return Freed(values, changes, float(coverage.mean()), float(np.log2(do.in_bins)), n_points)
