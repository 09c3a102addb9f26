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
    BEYOND_PILOT,
    BOUNDED_CELLS,
    BOUNDED_POINTS_A_CELL,
    CELLS_TO_FIND,
    CONTROL_WORK,
    DEAR_COVERAGE,
    FEWEST_IF_CEILING,
    HOPELESS_COVERAGE,
    HOPELESS_WORK,
    LEAST_FOR_BOUNDS,
    MAX_FOR_EVENTS,
    MAX_POINTS_A_CELL,
    MAX_TRIED,
    MIN_EVENTS,
    MIN_FOR_HOPELESS,
    MIN_KEPT,
    MIN_PILOT_CELLS,
    MIN_POINTS,
    MOVING_TASK_WORK,
    PILOT_CELLS,
    PILOT_POINTS_ANYWHERE,
    POINTS_FOR_BOUNDS,
    ROUNDS,
    ROUNDS_OF_GIVEN_POINTS,
    TASK_POINTS,
    UNRESOLVED_COVERAGE,
)
from ei_fast.measures.counting.counts import Counts
from ei_fast.measures.counting.estimators import EntropyEstimator
from ei_fast.measures.counting.in_threads import counted, tallied
from ei_fast.measures.counting.sampled import SampledEntropy, entropy_of_counts
from ei_fast.measures.entropies.allocation import Demand, Sizes, best_sizes, points_a_cell
from ei_fast.measures.entropies.cells import CellEntropies, CellStatistics
from ei_fast.measures.entropies.controls import NO_CONTROLS, Controls, controls_of
from ei_fast.measures.entropies.kept import cells_of_kept, keys_of_kept
from ei_fast.measures.entropies.sample import Sample, points_ceiling
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


def sample_to_tol(
    intervention: Intervention, options: MeasureOptions, stops_if_hopeless: bool = False
) -> Method[Sample | None]:
    """Cells, points in each and points anywhere for which the cost is least, from a pilot with streams of its own.

    Where the pilot shows that no sample will resolve the output's states, the sample is one for bounds. With
    `stops_if_hopeless` there is none, or, where a longer pilot shows it, one that resolves at most H(Y | X).
    """
    demand = Demand(options.tol, points_ceiling(intervention, options.effort))
    draws = CellDraws(intervention, options.estimator)
    output, counts = yield from _pilot_output(draws, demand)
    if not output.n_kept:
        nothing = CellEntropies(CellStatistics.none(), MIN_POINTS, options.estimator, 0)
        return Sample(output, nothing, 0.0, output.n_samples)
    kept = output.n_kept / output.n_samples
    draws, demand = replace(draws, kept=kept), replace(demand, kept=kept)
    if _is_hopeless(output, demand):
        return None if stops_if_hopeless else (yield from _sample_for_bounds(draws, demand))
    controls = yield InThreads(partial(controls_of, intervention))
    draws = replace(draws, controls=controls)
    pilot, m = yield from _pilot_cells(draws, demand)
    if pilot.n_cells < 2:
        # So little is kept that no cell was found which keeps anything: all that is left are bounds.
        return Sample(output, pilot, 0.0, output.n_samples + pilot.n_points)
    # Where samples are dropped, what a pilot knows of EI is too little to relax the aim.
    tol = demand.tol if intervention.drop else options.tol_of(output.value - pilot.mean(pilot.entropies))
    demand = replace(demand, tol=tol, cost_of_finding=_cost_of_finding(draws))
    sizes, output = yield from _sizes_from_pilots(draws, demand, pilot, m, counts, output.n_samples)
    enough = DEAR_COVERAGE if 2 * sizes.n > demand.ceiling else UNRESOLVED_COVERAGE
    if stops_if_hopeless and output.coverage < enough and sizes.n > output.n_samples:
        # H(Y) is another method's; H(Y | X) may be of use to it.
        n = min(output.n_samples, POINTS_FOR_BOUNDS)
        return (yield from sample_drawn_cells(draws, replace(sizes, n=n), pilot.slope))
    number = 0
    while True:
        sample = yield from sample_drawn_cells(draws, sizes, pilot.slope, number)
        if sample.is_good_enough(demand.tol) or 2 * max(sample.n_samples, sizes.n_draws) > demand.ceiling:
            return sample
        sizes, number = sizes.enlarged(sample, demand.tol), number + 1


def _pilot_output(draws: CellDraws, demand: Demand) -> Method[tuple[SampledEntropy, Counts]]:
    """The output's entropy from the fewest points that show enough samples outside the commonest state."""
    n, most, number = PILOT_POINTS_ANYWHERE, min(MAX_FOR_EVENTS, demand.ceiling), 0
    if _may_be_hopeless_early(draws, demand):
        n = LEAST_FOR_BOUNDS
    counts = yield from _pilot_counts(draws, 0, n, "output-0")
    while True:
        output = entropy_of_counts(counts, n, draws.estimator)
        if output.n_kept < MIN_KEPT:
            most = demand.ceiling // 2
        if _is_hopeless(output, demand):
            return output, counts
        is_whole = n >= PILOT_POINTS_ANYWHERE
        if is_whole and ((output.departures >= MIN_EVENTS and output.n_kept >= MIN_KEPT) or 4 * n > most):
            return output, counts
        number += 1
        counts = Counts.sum([counts, (yield from _pilot_counts(draws, n, 4 * n, f"output-{number}"))])
        n *= 4


def _pilot_counts(draws: CellDraws, first: int, end: int, number: str) -> Method[Counts]:
    """Of points number `first` to `end` - 1 of the pilot."""
    states, counts = yield PointsAnywhere(
        draws.intervention, Stream.PILOT_MARGINAL, end - first, number, first, is_shared=False
    )
    return Counts(states, counts)


def _may_be_hopeless_early(draws: CellDraws, demand: Demand) -> bool:
    """Whether a first look at LEAST_FOR_BOUNDS points may tell that no sample will do."""
    return demand.ceiling <= FEWEST_IF_CEILING and not draws.intervention.drop


def _is_hopeless(output: SampledEntropy, demand: Demand) -> bool:
    """Whether a pilot shows that the output's states will not be resolved: bounds are then all there will be.

    Of few samples hardly any are in a state that another has met, which says nothing yet, unless there will never be
    many.
    """
    if output.n_kept >= MIN_FOR_HOPELESS:
        return output.coverage < HOPELESS_COVERAGE
    return demand.ceiling <= FEWEST_IF_CEILING and output.n_kept >= LEAST_FOR_BOUNDS and output.collisions == 0


def sample_for_bounds(intervention: Intervention, options: MeasureOptions) -> Method[Sample]:
    """A sample of a layer whose states no sample resolves: bounds gain little from more points.

    Where samples are dropped it takes a pilot to know how many are kept: see `sample_to_tol`.
    """
    demand = Demand(options.tol, points_ceiling(intervention, options.effort))
    return (yield from _sample_for_bounds(CellDraws(intervention, options.estimator), demand))


def _sample_for_bounds(draws: CellDraws, demand: Demand) -> Method[Sample]:
    most = max(LEAST_FOR_BOUNDS, HOPELESS_WORK // draws.intervention.work)
    n = min(demand.ceiling // 2, POINTS_FOR_BOUNDS, most)
    n_cells = min(BOUNDED_CELLS, n // BOUNDED_POINTS_A_CELL)
    sizes = Sizes(demand.draws(n_cells), max(BOUNDED_POINTS_A_CELL, n // n_cells), n)
    return (yield from sample_drawn_cells(draws, sizes, 0.0))


def _pilot_cells(draws: CellDraws, demand: Demand) -> Method[tuple[CellEntropies, int]]:
    """Cells of which enough varied to know their spread, if that many can be had; and the points that a cell needs."""
    n_cells, m, number = PILOT_CELLS, MIN_POINTS, 0
    while True:
        pilot, n_draws = yield from _pilot_of(draws, demand, n_cells, m, number)
        number += 1
        if pilot.n_varied >= MIN_EVENTS or 4 * (n_draws + pilot.n_points) > min(MAX_FOR_EVENTS, demand.ceiling):
            break
        n_cells *= 4
    m = points_a_cell(pilot, demand.tol, draws.intervention.whole_cells, demand.ceiling)
    if MIN_POINTS < m <= MAX_POINTS_A_CELL:
        # Part of the cells' spread is noise, of which less is left with more points.
        n_cells = max(MIN_PILOT_CELLS, n_cells * MIN_POINTS // m)
        pilot, _ = yield from _pilot_of(draws, demand, n_cells, m, number)
    return pilot, m


def _pilot_of(draws: CellDraws, demand: Demand, n_cells: int, m: int, number: int) -> Method[tuple[CellEntropies, int]]:
    """So many cells with m points in each, and how many draws they took."""
    n_draws = min(demand.draws(n_cells), demand.ceiling // 4)
    streams = (Stream.PILOT_CELLS, Stream.PILOT_POINTS)
    drawn = yield DrawnCells(draws, streams, n_draws, m, number=number, is_shared=False)
    return draws.entropies(drawn, m).regressed(), n_draws


def _cost_of_finding(draws: CellDraws) -> float:
    """What it costs, in points, to find a cell through a kept point and to compute its control."""
    do = draws.intervention
    if not do.drop:
        return 0.0
    of_control = 0.0 if draws.controls.cells is None else CONTROL_WORK * do.n_out * do.out_bins
    return 1 / draws.kept + of_control / do.work


def _sizes_from_pilots(
    draws: CellDraws, demand: Demand, pilot: CellEntropies, m: int, counts: Counts, n_counted: int
) -> Method[tuple[Sizes, SampledEntropy]]:
    """The best sizes, from a pilot of the output that is long enough to be believed; and what that found.

    `counts` are of the first `n_counted` points of that pilot.
    """
    output = draws.output(counts, n_counted)
    sizes, number = best_sizes(pilot, m, output, demand), 0
    while (n := sizes.n // BEYOND_PILOT) > output.n_samples:
        # States that few points met, and what is added for those not met, make a short pilot too noisy.
        counts = Counts.sum([counts, (yield from _pilot_counts(draws, n_counted, n, f"sizes-{number}"))])
        n_counted, output = n, entropy_of_counts(counts, n, draws.estimator, draws.controls.output)
        sizes, number = best_sizes(pilot, m, output, demand), number + 1
    return sizes, output
