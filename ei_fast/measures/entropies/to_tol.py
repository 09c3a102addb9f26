"""Sizes of a sample of drawn cells from pilots: those that reach `tol` at least cost, or those for bounds alone."""

from dataclasses import replace
from functools import partial

from ei_fast.intervention.do import Intervention
from ei_fast.intervention.streams import Stream
from ei_fast.measures.constants import (
    BEYOND_PILOT,
    BOUNDED_CELLS,
    BOUNDED_POINTS_A_CELL,
    CONTROL_WORK,
    DEAR_COVERAGE,
    FEWEST_IF_CEILING,
    HOPELESS_COVERAGE,
    HOPELESS_WORK,
    LEAST_FOR_BOUNDS,
    MAX_FOR_EVENTS,
    MAX_POINTS_A_CELL,
    MIN_EVENTS,
    MIN_FOR_HOPELESS,
    MIN_KEPT,
    MIN_PILOT_CELLS,
    MIN_POINTS,
    PILOT_CELLS,
    PILOT_POINTS_ANYWHERE,
    POINTS_FOR_BOUNDS,
    UNRESOLVED_COVERAGE,
)
from ei_fast.measures.counting.counts import Counts
from ei_fast.measures.counting.sampled import SampledEntropy, entropy_of_counts
from ei_fast.measures.entropies.allocation import Demand, Sizes, best_sizes, points_a_cell
from ei_fast.measures.entropies.cells import CellEntropies, CellStatistics
from ei_fast.measures.entropies.controls import controls_of
from ei_fast.measures.entropies.drawn_cells import CellDraws, DrawnCells, PointsAnywhere, sample_drawn_cells
from ei_fast.measures.entropies.sample import Sample, points_ceiling
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import InThreads, Method


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
