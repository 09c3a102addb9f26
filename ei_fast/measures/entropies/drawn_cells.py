"""H(Y | X) from input cells that are drawn, and H(Y) from points over the whole input range.

Where samples are dropped the cells weigh by what is kept: they are drawn through kept points.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Cells, Intervention
from ei_fast.intervention.streams import Stream
from ei_fast.measures.constants import (
    CELLS_TO_FIND,
    MAX_TRIED,
    MIN_PILOT_CELLS,
    MIN_POINTS,
    MOVING_TASK_WORK,
    ROUNDS,
    ROUNDS_OF_GIVEN_POINTS,
    TASK_POINTS,
)
from ei_fast.measures.counting.counts import Counts
from ei_fast.measures.counting.estimators import EntropyEstimator
from ei_fast.measures.counting.in_threads import counted, tallied
from ei_fast.measures.counting.sampled import SampledEntropy, entropy_of_counts
from ei_fast.measures.entropies.allocation import Sizes
from ei_fast.measures.entropies.cells import CellEntropies, CellStatistics
from ei_fast.measures.entropies.controls import NO_CONTROLS, Controls, controls_of
from ei_fast.measures.entropies.kept import cells_of_kept, keys_of_kept
from ei_fast.measures.entropies.sample import Sample
from ei_fast.measures.entropies.tasks import points_a_task
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Arrays, InThreads, Method, SimulationStage, Stage, below_each_other
from ei_fast.runtime.threads import Threads


@dataclass(frozen=True)
class CellDraws:
    """How cells are drawn, and what is done with them.

    Attributes
    ----------
    intervention : Intervention
    estimator : EntropyEstimator
    controls : Controls
    kept : float
        About the share of the samples that is kept.
    rounds : int
        Times m points that are simulated in a cell, at the most, to find m that are kept.
    """

    intervention: Intervention
    estimator: EntropyEstimator
    controls: Controls = NO_CONTROLS
    kept: float = 1.0
    rounds: int = ROUNDS

    def control_in(self, cells: Cells) -> NDArray[np.float64]:
        """The control of each cell; 0 without one."""
        return np.zeros(len(cells)) if self.controls.cells is None else self.controls.cells(cells)

    def entropies(self, drawn: Arrays, m: int) -> CellEntropies:
        """Entropies of the cells of a `DrawnCells` stage."""
        statistics, control, entered, n_points = drawn
        mean, stderr = 0.0 if self.controls.cells is None else self.controls.cells.mean, 0.0
        if mean is None:
            # By what all cells that were found have.
            n = len(control)
            mean, stderr = (float(control.mean()), float(control.std()) / np.sqrt(n)) if n else (0.0, 0.0)
        return CellEntropies(
            CellStatistics(statistics),
            m,
            self.estimator,
            int(n_points.sum()),
            control=control[entered] - mean,
            control_stderr=stderr,
            most=self.intervention.most_output_bits,
        )

    def output(self, counts: Counts, n_samples: int) -> SampledEntropy:
        """H(Y) of counted points, or as it is known."""
        known = self.controls.entropy_of(self.intervention)
        if known is not None:
            return SampledEntropy.known(known)
        return entropy_of_counts(counts, n_samples, self.estimator, self.controls.output)


@dataclass(frozen=True)
class PointsAnywhere(SimulationStage):
    """States of points number `first`, ... over the whole input range, and how often each occurred."""

    intervention: Intervention
    stream: Stream
    n_points: int
    number: int | str = 0
    first: int = 0
    is_shared: bool = True

    @property
    def name(self) -> str:
        return f"{self.intervention.name}-{self.stream.name.lower()}-{self.number}"

    @property
    def n_items(self) -> int:
        return self.n_points

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        # One array for them all, sorted in place: fresh memory costs more than what is written into it.
        keys, per_task = np.empty(end - begin, np.uint64), points_a_task(self.intervention, end - begin, TASK_POINTS)

        def visit(first: int) -> None:
            block = keys[first - begin : first - begin + per_task]
            self.intervention.fill_anywhere(self.stream, self.first + first, block)

        threads.map(visit, range(begin, end, per_task))
        counts = counted(keys, threads)
        return counts.states, counts.counts

    def join(self, parts: Sequence[Arrays]) -> Arrays:
        together = Counts.sum([Counts(states, counts) for states, counts in parts])
        return together.states, together.counts


@dataclass(frozen=True)
class DrawnCells(Stage):
    """What is in the first draws of a stream: cells, or points whose cells are entered if they are kept.

    Its arrays are the statistics (r, 7) of the cells entered; the control (R,) of all cells found; which of these were
    entered (R,), bool; and the numbers of points simulated inside cells, by task.
    """

    draws: CellDraws
    streams: tuple[Stream, Stream]
    n_draws: int
    m: int
    stride: int = 1
    number: int = 0
    is_shared: bool = True

    @property
    def name(self) -> str:
        return f"{self.draws.intervention.name}-{self.streams[0].name.lower()}-{self.number}"

    @property
    def n_items(self) -> int:
        return self.n_draws

    @property
    def is_thread_safe(self) -> bool:
        return self.draws.intervention.is_thread_safe

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        per_task = max(1, points_a_task(self.draws.intervention, (end - begin) * self.m, TASK_POINTS) // self.m)
        visit = self._visit
        if self.draws.intervention.drop:
            per_task = max(1, TASK_POINTS // self.m)
            per_task = int(np.clip(int(per_task * self.stride / self.draws.kept), 1, TASK_POINTS // 4))
            visit = self._visit_kept
        tasks = [(first, min(first + per_task, end)) for first in range(begin, end, per_task)]
        nothing = (CellStatistics.none().array, np.empty(0), np.empty(0, np.bool_), np.empty(0, np.int64))
        return below_each_other([nothing, *threads.map(lambda task: visit(*task), tasks)])

    def _visit(self, first: int, end: int) -> Arrays:
        """Every draw is a cell."""
        do, m = self.draws.intervention, self.m
        cells = do.drawn_cells(self.streams[0], first, end - first)
        # What no edge of an output crosses is in one state, and takes no points.
        moving = np.flatnonzero(do.moving(cells))
        statistics = CellStatistics.of_one_state(len(cells), m).array
        if len(moving):
            keys = do.keys_from(self.streams[1], (first + moving) * m, cells[moving], m)
            statistics[moving] = CellStatistics.of_keys(keys, self.draws.estimator).array
        entered, n_points = np.full(len(cells), True), np.array([len(moving) * m])
        return statistics, self.draws.control_in(cells), entered, n_points

    def _visit_kept(self, first: int, end: int) -> Arrays:
        """Every draw is a point; the cells of those that are kept are found, and one in `stride` draws is entered."""
        do, m = self.draws.intervention, self.m
        numbers, found = cells_of_kept(do, self.streams[0], first, end - first)
        entered = numbers % self.stride == 0
        keys, simulated = keys_of_kept(do, self.streams[1], numbers[entered], found[entered], m, self.draws.rounds)
        statistics = CellStatistics.of_keys(keys, self.draws.estimator).array
        return statistics, self.draws.control_in(found), entered, np.array([simulated])


def sample_drawn_cells(draws: CellDraws, sizes: Sizes, slope: float | None, number: int = 0) -> Method[Sample]:
    """Both entropies from samples of given sizes; cells are regressed on a control by a `slope`, or by their own."""
    do = draws.intervention
    (states, counts), drawn = yield (
        PointsAnywhere(do, Stream.MARGINAL, sizes.n, number),
        DrawnCells(draws, (Stream.CELLS, Stream.POINTS), sizes.n_draws, sizes.m, sizes.stride, number),
    )
    counted_states = yield InThreads(lambda threads: tallied(Counts(states, counts), threads))
    output = draws.output(counted_states, sizes.n)
    inside = draws.entropies(drawn, sizes.m)
    inside = inside.regressed() if slope is None else replace(inside, slope=slope)
    n_samples = inside.n_points + sizes.n + (sizes.n_draws if do.drop else 0)
    return Sample(output, inside, float(np.hypot(output.stderr, inside.stderr)), n_samples)


def sample_given_points(intervention: Intervention, options: MeasureOptions, n_samples: int) -> Method[Sample]:
    """Half of the points inside cells, as many as their spread needs; half anywhere; under drop some find the cells."""
    m = int(np.clip(n_samples // 256, 16, MIN_POINTS))
    n_cells = max(2, n_samples // 2 // m)
    draws = CellDraws(intervention, options.estimator)
    if intervention.drop:
        return (yield from _given_points_among_kept(draws, n_samples, n_cells, m))
    n_cells = yield from _cells_for_so_many_moving(intervention, n_cells)
    # Where a few more move than should, each takes fewer points.
    n_moving = yield _n_moving(intervention, Stream.CELLS, n_cells)
    m = max(2, min(m, n_samples // 2 // max(n_moving, 1)))
    if n_cells >= MIN_PILOT_CELLS:
        controls = yield InThreads(partial(controls_of, intervention))
        draws = replace(draws, controls=controls)
    return (yield from sample_drawn_cells(draws, Sizes(n_cells, m, max(4, n_samples // 2)), None))


def _given_points_among_kept(draws: CellDraws, n_samples: int, n_cells: int, m: int) -> Method[Sample]:
    """A share of the points finds cells, in which those that are kept take some times as many."""
    n_pilot = n_samples // 16
    _, counts = yield PointsAnywhere(draws.intervention, Stream.PILOT_MARGINAL, n_pilot, is_shared=False)
    kept = max(int(counts.sum()), 1) / max(n_pilot, 1)
    controls = yield InThreads(partial(controls_of, draws.intervention))
    draws = replace(draws, controls=controls, kept=kept, rounds=ROUNDS_OF_GIVEN_POINTS)
    n_cells = max(2, n_cells // min(int(np.ceil(1 / kept)), ROUNDS_OF_GIVEN_POINTS))
    n_draws = max(2, min(n_samples // 4, int(CELLS_TO_FIND * n_cells / kept)))
    stride = max(1, int(n_draws * kept) // n_cells)
    return (yield from sample_drawn_cells(draws, Sizes(n_draws, m, n_samples // 2, stride), None))


def _cells_for_so_many_moving(intervention: Intervention, wanted: int) -> Method[int]:
    """Cells to be drawn so that about as many as are wanted can move: the others take no points."""
    tried = wanted
    while True:
        moving: int = yield _n_moving(intervention, Stream.PILOT_CELLS, tried)
        if 2 * moving >= wanted or 4 * tried > MAX_TRIED:
            return min(wanted * tried // max(moving, 1), max(wanted, MAX_TRIED))
        tried *= 4


def _n_moving(intervention: Intervention, stream: Stream, n_cells: int) -> InThreads:
    """How many of the first cells of a stream can move."""
    per_task = max(1, MOVING_TASK_WORK // intervention.work)

    def of_cells(first: int) -> int:
        cells = intervention.drawn_cells(stream, first, min(per_task, n_cells - first))
        return int(np.count_nonzero(intervention.moving(cells)))

    return InThreads(lambda threads: sum(threads.map(of_cells, range(0, n_cells, per_task))))
