"""I(X_i; Y | X_others) of every input: drawn cells of the other inputs, in which input i moves through all its bins.

In a cell of the others it is the entropy of Y less the mean entropy inside the bins of input i. The same points serve
both: as many in each bin. What differs from cell to cell is the same in both, so that the difference is known several
times better than either entropy. Each input has cells of its own: what a cell tells of one input goes with what it
tells of another, and the sum would be known less well from the same cells.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Intervention, Keys
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.counting import KEPT, ONCE, THRICE, TWICE, ZHANG
from ei_fast.measures.constants import LN2, MIN_COVERAGE, NONE_SEEN, SKEWNESS, STDERR_SHARE, STUDENT_T
from ei_fast.measures.counting.estimators import ZHANG_UNSEEN
from ei_fast.measures.entropies.cells import CellEntropies, CellStatistics
from ei_fast.measures.entropies.sample import points_ceiling
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.profile.component import InputFigures
from ei_fast.measures.profile.constants import (
    FEWEST_FREED_CELLS,
    FREED_BIAS_LEFT,
    FREED_BIAS_TAKEN_OFF,
    FREED_GROUPS,
    FREED_POINTS_A_BIN,
    GIVEN_TOL,
    HOPELESS_CELLS,
    MAX_FREED_POINTS_A_BIN,
    PROBED_CELLS,
)
from ei_fast.measures.profile.figure import Figure, total
from ei_fast.measures.stages import Arrays, Method, SimulationStage
from ei_fast.runtime.threads import Threads

Values = NDArray[np.float64]

_CELLS_AN_INPUT, _POINTS_AN_INPUT = 2**30, 2**44
"""Numbers of the streams that each input has for itself."""

_SUMMED = [ZHANG, KEPT, ONCE, TWICE, THRICE]


@dataclass(frozen=True, eq=False)
class FreedInputs(SimulationStage):
    """The first r cells of some inputs, with m points in each bin of the input that moves.

    Its arrays are sums over groups of cells, (n_in, groups, 4, 5), of the columns `_SUMMED` of what is counted in each
    cell, in each of its bins, and in the same for each half of the points; and what input i tells inside each cell,
    (n_in, r), bits, what is unseen not included.
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
        sums, values = zip(*threads.map(self._of_input, self.inputs[begin:end]), strict=True)
        return np.array(sums), np.array(values)

    def _of_input(self, i: int) -> tuple[Values, Values]:
        do, m, r, bins = self.intervention, self.m, self.n_cells, self.intervention.in_bins
        cells = np.repeat(do.drawn_cells(Stream.FREED_CELLS, i * _CELLS_AN_INPUT, r), bins, axis=0)
        cells[:, i] = np.tile(np.arange(bins), r)
        keys = do.keys_inside(Stream.FREED_POINTS, i * _POINTS_AN_INPUT, cells, m)
        # The first and the second half of the points of each bin.
        halves = np.ascontiguousarray(keys.reshape(r, bins, 2, m // 2).transpose(0, 2, 1, 3))
        shapes = ((keys, bins * m), (keys, m), (halves, bins * m // 2), (halves, m // 2))
        counted = [
            CellStatistics.of_keys(of_all.reshape(-1, n), ZHANG_UNSEEN).array[:, _SUMMED].reshape(r, -1, 5).sum(axis=1)
            for of_all, n in shapes
        ]
        by_cell = np.stack(counted, axis=1)
        firsts = r * np.arange(min(r, FREED_GROUPS)) // min(r, FREED_GROUPS)
        return np.add.reduceat(by_cell, firsts, axis=0), by_cell[:, 0, 0] - by_cell[:, 1, 0] / bins


def entropies_of(keys: Keys) -> CellEntropies:
    """Entropies inside cells, from the keys (r, m) of the points in each."""
    return CellEntropies(CellStatistics.of_keys(keys, ZHANG_UNSEEN), keys.shape[1], ZHANG_UNSEEN, keys.size)


def _entropy(sums: Values, points: Values) -> Values:
    """Mean entropy in bits of cells with so many points each, from sums (..., 5) over them; see `UnseenStates`."""
    zhang, kept, once, twice, thrice = np.moveaxis(sums, -1, 0)
    decay = 2 * (twice + 1) / np.maximum(once - 1, 1.0)
    growth = np.maximum(decay * (1 + decay) - 6 * thrice / np.maximum(once, 1.0), 0.0) / decay**2
    unseen = once / kept * (1 + 2 * growth) / (1 + 3 * growth) / (decay * LN2)
    entropy: Values = zhang * points / kept + np.where(once < 2, 0.0, unseen)
    return entropy


@dataclass(frozen=True, eq=False)
class Freed:
    """I(X_i; Y | X_others) of every input, from the cells of `FreedInputs`.

    Attributes
    ----------
    sums : ndarray (n_in, groups, 4, 5)
    values : ndarray (n_in, r)
    m : int
        Points in each bin.
    bins : int
        Of an input.
    """

    sums: Values
    values: Values
    m: int
    bins: int

    @property
    def n_points(self) -> int:
        """Points simulated."""
        return self.values.size * self.bins * self.m

    @property
    def coverage(self) -> float:
        """Inside bins, on average."""
        _, kept, once, _, _ = self.sums[:, :, 1].sum(axis=(0, 1)).tolist()
        return float(1.0 - once / kept)

    @property
    def resolved(self) -> bool:
        """Whether the states inside cells were counted."""
        return self.coverage >= MIN_COVERAGE

    @property
    def n_cells(self) -> int:
        """Cells of each input."""
        return len(self.values[0])

    def _estimates(self, sums: Values) -> tuple[Values, Values]:
        """Bits that inputs tell, what halves show of the bias taken off, and how much halves have more."""
        points = self.m * np.array([self.bins, 1, self.bins / 2, 0.5])
        of_cells, of_bins, of_halves, of_half_bins = np.moveaxis(_entropy(sums, points), -1, 0)
        value = of_cells - of_bins
        change = of_halves - of_half_bins - value
        return value - FREED_BIAS_TAKEN_OFF * change, change

    @cached_property
    def _variances(self) -> Values:
        """Of each input, (n_in,), by leaving out one group of cells after the other.

        The cells of an input share what is estimated of unseen states, so that their spread is not all of the error.
        """
        groups = self.sums.shape[1]
        without, _ = self._estimates(self.sums.sum(axis=1, keepdims=True) - self.sums)
        deviations = without - without.mean(axis=1, keepdims=True)
        variances: Values = (deviations**2).sum(axis=1) * (groups - 1) / groups
        return variances

    @property
    def is_unseen_noise(self) -> bool:
        """Whether most of the error is in what unseen states are estimated to add, not in cells that differ."""
        of_cells = float(self.values.var(axis=1, ddof=1).sum()) / self.n_cells
        return float(self._variances.sum()) > 2 * of_cells

    @property
    def bias_of_points(self) -> float:
        """Bits by which the sum may be off since points in a bin are few; what it has beside comes of few cells."""
        _, change = self._estimates(self.sums.sum(axis=1))
        return FREED_BIAS_LEFT * abs(float(change.sum()))

    @property
    def _is_told(self) -> NDArray[np.bool_]:
        told: NDArray[np.bool_] = (self.values != 0.0).any(axis=1)
        return told

    @property
    def _none_seen(self) -> float:
        return min(NONE_SEEN / self.n_cells, 1.0) * float(np.log2(self.bins))

    @property
    def figures(self) -> InputFigures:
        """What is known of each input, and of the sum."""
        corrected, change = self._estimates(self.sums.sum(axis=1))
        is_told, freedom = self._is_told, max(self.sums.shape[1] - 1, 1)
        stderr = np.sqrt(self._variances) * (1 + STUDENT_T / freedom)
        each = [
            Figure.estimated(
                float(corrected[i]),
                float(stderr[i]),
                FREED_BIAS_LEFT * abs(float(change[i]))
                + (self._skewness(self.values[[i]]) if is_told[i] else self._none_seen),
            )
            for i in range(len(corrected))
        ]
        bias = self.bias_of_points + float(np.count_nonzero(~is_told)) * self._none_seen
        if is_told.any():
            bias += self._skewness(self.values[is_told])
        freedom *= max(int(np.count_nonzero(is_told)), 1)
        of_sum = float(np.sqrt(self._variances.sum())) * (1 + STUDENT_T / freedom)
        return InputFigures(each, total(each, of_sum, bias))

    def _skewness(self, values: Values) -> float:
        """Bits by which the sum over inputs of the mean of values (inputs, r) may be off since few cells differ."""
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
        larger = _larger(found, sum_of_all, aim, ceiling // (do.n_in * bins))
        if larger is None:
            return found
        found = yield from _freed_in(do, *larger)


def _larger(found: Freed, sum_of_all: Figure, aim: float, most: int) -> tuple[int, int] | None:
    """Points a bin and cells of each input with which the sum is known better; None beyond `most` of both together."""
    m, n_cells, of_points = found.m, found.n_cells, found.bias_of_points
    is_biased = not found.resolved or of_points > STDERR_SHARE * aim
    if m < MAX_FREED_POINTS_A_BIN and (is_biased or found.is_unseen_noise):
        # Of what is left then, more cells may be asked for in another round.
        return (2 * m, n_cells) if 2 * m * n_cells <= most else None
    wanted = n_cells * max((sum_of_all.stderr / (STDERR_SHARE * aim)) ** 2, 2 * (sum_of_all.bias - of_points) / aim)
    enlarged = int(min(wanted, most // m))
    return (m, enlarged) if enlarged >= 1.05 * n_cells else None


def aim_of_given(options: MeasureOptions, bits: float) -> float:
    """The error, bits, to which the sum over inputs is to be known where it is about so many bits."""
    return options.tol * max(1.0, GIVEN_TOL * bits)


def _points_a_bin(do: Intervention) -> Method[int | None]:
    """Points in a bin with which its states can be counted, from a few cells of one input; None if none do."""
    m = FREED_POINTS_A_BIN
    while m <= MAX_FREED_POINTS_A_BIN:
        (sums, values) = yield FreedInputs(do, m, PROBED_CELLS, [0])
        coverage = Freed(sums, values, m, do.in_bins).coverage
        if coverage >= MIN_COVERAGE:
            return m
        if coverage < HOPELESS_CELLS:
            return None
        m *= 2
    return None


def _freed_in(do: Intervention, m: int, n_cells: int) -> Method[Freed]:
    """From so many cells of each input, with m points in each bin."""
    sums, values = yield FreedInputs(do, m, n_cells, range(do.n_in))
    return Freed(sums, values, m, do.in_bins)
