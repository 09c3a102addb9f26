"""Both entropies from every input cell: the cells together are a stratified sample of all inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Cells, Intervention
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.counting import N_COLUMNS, information_variance
from ei_fast.kernels.keys import DROPPED
from ei_fast.measures.constants import (
    MAX_ENUMERATED_CELLS,
    MAX_LISTED_CELLS,
    MIN_POINTS,
    MIN_POINTS_VISITED,
    PILOT_POINTS_ANYWHERE,
    STDERR_SHARE,
    TASK_POINTS,
)
from ei_fast.measures.counting.counts import Counts
from ei_fast.measures.counting.estimators import EntropyEstimator, digamma_bits, digamma_table
from ei_fast.measures.counting.in_threads import counted, tallied
from ei_fast.measures.counting.sampled import (
    SampledEntropy,
    entropy_of_counts,
    jackknife_influence,
    variance_of_mean,
)
from ei_fast.measures.entropies.cells import CellEntropies, CellStatistics
from ei_fast.measures.entropies.sample import Sample, points_ceiling
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Arrays, InThreads, Method, SimulationStage
from ei_fast.runtime.threads import Threads


def cells_to_visit(intervention: Intervention, options: MeasureOptions) -> Cells | None:
    """All cells that may keep anything, where they are few enough for each to be given the points that it needs.

    None as well where some are likelier than others: these are drawn as often as they occur.

    Where samples are dropped a few points in each cell say so. They are a plain call, not a stage: every job of a
    split measure simulates them, at every attempt, and so does `explain_choice`.
    """
    if not intervention.cells_weigh_alike:
        return None
    most, drop = MAX_ENUMERATED_CELLS, intervention.drop
    if options.n_samples is not None:
        most = min(most, options.n_samples // MIN_POINTS)
    if intervention.log2_cells > np.log2(MAX_LISTED_CELLS if drop else max(most, 1)):
        return None
    cells = intervention.enumerated_cells(0, intervention.in_bins ** len(intervention.inputs))
    if not drop:
        return cells
    cells = cells[intervention.open_cells(cells)]
    if not 0 < len(cells) <= most:
        return None
    m = max(1, PILOT_POINTS_ANYWHERE // len(cells))
    keys = intervention.keys_inside(Stream.PILOT_POINTS, 0, cells, m)
    kept = np.count_nonzero(keys != DROPPED) / (m * len(cells))
    n_points = points_ceiling(intervention, options.effort) if options.n_samples is None else options.n_samples
    return cells if kept * n_points >= MIN_POINTS * len(cells) else None


def sample_every_cell(intervention: Intervention, cells: Cells, options: MeasureOptions) -> Method[Sample]:
    """Visit the cells in rounds, with more points in each until `tol` is reached or the work is at its ceiling."""
    n_cells, ceiling = len(cells), points_ceiling(intervention, options.effort)
    m = first_points_a_cell(n_cells) if options.n_samples is None else options.n_samples // n_cells
    number = 0
    while True:
        sample = yield from _round(intervention, cells, m, options.estimator, number)
        at_ceiling = options.n_samples is not None or 2 * m * n_cells > ceiling
        if at_ceiling or sample.is_good_enough(options.tol):
            return sample
        m, number = _next_points_a_cell(sample, m, options.tol, ceiling), number + 1


def first_points_a_cell(n_cells: int) -> int:
    """Points in each cell with which visits begin where their number is not given."""
    m = MIN_POINTS_VISITED
    while m * n_cells < 2 * PILOT_POINTS_ANYWHERE:
        m *= 2
    return m


def _next_points_a_cell(sample: Sample, m: int, tol: float, ceiling: int) -> int:
    """Points a cell with which `tol` should be reached, twice as many at least.

    The bias falls about as 1/m, the standard error as its root at least.
    """
    n_cells = sample.inside.n_cells
    while 2 * m * n_cells <= ceiling:
        m *= 2
        fewer = sample.n_samples / (m * n_cells)
        if np.hypot(sample.stderr * np.sqrt(fewer), sample.bias * fewer) <= STDERR_SHARE * tol:
            break
    return m


def _round(
    intervention: Intervention, cells: Cells, m: int, estimator: EntropyEstimator, number: int
) -> Method[Sample]:
    """All cells with m points in each."""
    keys, statistics = yield VisitedCells(intervention, cells, m, estimator, number)
    n_samples = len(cells) * m
    inside = CellEntropies(CellStatistics(statistics), m, estimator, n_samples, are_all=True)
    counts = yield InThreads(lambda threads: tallied(counted(keys.reshape(-1), threads, in_place=False), threads))
    output = entropy_of_counts(counts, n_samples, estimator)
    (variances,) = yield InformationVariance.of(intervention, keys, counts, output, inside, number)
    # Only what varies inside the cells is an error.
    variance, n_states = variances.sum(axis=0)
    stderr = np.sqrt(variance_of_mean(variance / len(cells) ** 2, n_states, max(output.n_kept, 1)))
    return Sample(output, inside, float(stderr), n_samples)


@dataclass(frozen=True)
class VisitedCells(SimulationStage):
    """Output keys (r, m) of m points in each of r cells, and their statistics (r, 7)."""

    intervention: Intervention
    cells: Cells
    m: int
    estimator: EntropyEstimator
    round: int

    @property
    def name(self) -> str:
        return f"{self.intervention.name}-every-cell-{self.round}"

    @property
    def n_items(self) -> int:
        return len(self.cells)

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        m, per_task = self.m, max(1, TASK_POINTS // self.m)
        keys, statistics = np.empty((end - begin, m), np.uint64), np.empty((end - begin, N_COLUMNS))

        def visit(first: int) -> None:
            stop = min(first + per_task, end)
            found = self.intervention.keys_inside(Stream.POINTS, first * m, self.cells[first:stop], m)
            keys[first - begin : stop - begin] = found
            statistics[first - begin : stop - begin] = CellStatistics.of_keys(found, self.estimator).array

        threads.map(visit, range(begin, end, per_task))
        return keys, statistics


@dataclass(frozen=True)
class InformationVariance(SimulationStage):
    """Of each cell, (r, 2): variance, bits**2, of what its points add to H(Y) - H(Y | X); and its number of states.

    The attributes have the names of the arguments of the kernel `information_variance`.
    """

    intervention: Intervention
    keys: NDArray[np.uint64]
    states: NDArray[np.uint64]
    output_influence: NDArray[np.float64]
    cell_influence: NDArray[np.float64]
    information: float
    kept_share: float
    round: int

    @property
    def name(self) -> str:
        return f"{self.intervention.name}-every-cell-variance-{self.round}"

    @property
    def n_items(self) -> int:
        return len(self.keys)

    @classmethod
    def of(
        cls,
        intervention: Intervention,
        keys: NDArray[np.uint64],
        counts: Counts,
        output: SampledEntropy,
        inside: CellEntropies,
        number: int,
    ) -> "InformationVariance":
        """Of the points of one round, `number`."""
        kept = max(output.n_kept, 1)
        return cls(
            intervention,
            keys,
            counts.states,
            digamma_bits(kept) + jackknife_influence(counts.counts, output.unseen),
            jackknife_influence(np.arange(inside.points_a_cell + 1), inside.unseen),
            output.plugin - inside.mean(inside.plugin),
            kept / output.n_samples,
            number,
        )

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        m = self.keys.shape[1]
        per_task = max(1, TASK_POINTS // m)

        def variances(first: int) -> NDArray[np.float64]:
            found = np.empty((min(first + per_task, end) - first, 2))
            information_variance(
                self.keys[first : first + len(found)],
                self.states,
                self.output_influence,
                digamma_table(m + 1),
                self.cell_influence,
                self.information,
                self.kept_share,
                found,
            )
            return found

        blocks: Sequence[NDArray[np.float64]] = threads.map(variances, range(begin, end, per_task))
        return (np.concatenate([np.empty((0, 2)), *blocks]),)
