"""Joint EI by the conditional estimator: EI = H(Y) - H(Y | X), X never counted.

Y is a function of x, so H(Y | X) is the plain average over input cells of the entropy of Y inside
one; H(Y) comes from samples over the whole input range (mathematics: Mattsson et al. 2020, eq. 2, by
the chain rule). Where the cells are few every one is visited and the same samples serve both
entropies; otherwise cells are drawn. Where samples are dropped the cells weigh by what is kept: they
are drawn through kept points.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Cells, Intervention
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.counting import N_COLUMNS, information_variance
from ei_fast.kernels.keys import DROPPED
from ei_fast.measures.bounds import bracketed_ei
from ei_fast.measures.cells import SampledCells, of_still_cells, statistics_of
from ei_fast.measures.control import NO_CONTROLS, Controls, controls_of
from ei_fast.measures.entropy import (
    Counts,
    Entropy,
    Estimator,
    digamma_bits,
    digamma_table,
    entropy_of_counts,
    surprise,
    variance_of_mean,
)
from ei_fast.measures.estimate import JointEI
from ei_fast.measures.kept import ROUNDS, cells_of_kept, keys_of_kept
from ei_fast.runtime.threads import Arrays, Workers, share_of, stacked

MAX_POINTS = 2**24
"""Points that one part of a layer is given at the most ..."""
MAX_WORK = 2**34
"""... and multiply-adds, whichever is less: beyond it `tol` is given up."""

_TASK_POINTS = 2**16
_MAX_ENUMERATED_CELLS, _MAX_LISTED_CELLS = 2**12, 2**18
"""Cells of which every one is visited, and among which those that may keep anything are looked for, at the most."""
_PILOT_CELLS, _PILOT_POINTS, _MIN_PILOT_CELLS = 256, 2**14, 64
_FEW_ROUNDS, _MOST_FOUND = 8, 16
"""Where the number of points is given: times those to be kept that are tried in a cell, and cells found for each that
is entered, at the most."""
_MIN_EVENTS, _MOST_FOR_EVENTS, _MIN_KEPT = 64, 2**18, 2**10
"""Cells that move, and samples outside the commonest state, on which an error can be judged; the most cells, or points,
that are tried for the sake of it; and samples kept on which an entropy can be judged."""
_MOST_TRIED = 2**14
"""Cells of which it is found out whether they can move, where the number of points is given."""
_BEYOND_PILOT = 8
"""Times the points of a pilot for which it can tell how many are needed."""
_HOPELESS_COVERAGE, _MIN_FOR_HOPELESS, _HOPELESS_WORK = 0.05, 3 * 2**12, 2**32
_BOUNDED_CELLS = 256
_MOST_NEW = 0.01
"""Share of a cell's points, at the most, that may be in states which no other point has met, where points run short."""
_CONTROL_WORK = 300
"""Multiply-adds that a control's term of one bin of one output in one cell costs as much as."""
# With fewer, which samples are found good enough would depend on how they fell, and that is a bias.
_FEW_POINTS, _MIN_POINTS, _MAX_POINTS_A_CELL = 32, 64, 4096
_BIAS_SHARE, _STDERR_SHARE = 0.3, 0.75
"""Parts of `tol` given to the bias of each entropy and to the standard error; what is left is reserve."""


@dataclass(frozen=True)
class Plan:
    """How an EI is to be sampled.

    Attributes
    ----------
    tol : float
        Bits: the root of (standard error**2 + bias**2) to aim for.
    n_samples : int or None
        All simulated points, in place of what `tol` asks for.
    estimator : Estimator
        Of both entropies.
    kept : float
        About the share of the samples that is kept.
    """

    tol: float
    n_samples: int | None
    estimator: Estimator
    kept: float = 1.0

    def shared(self, n_parts: int) -> "Plan":
        """The plan for each of so many independent parts."""
        n_samples = None if self.n_samples is None else max(_MIN_POINTS, self.n_samples // max(n_parts, 1))
        return replace(self, tol=self.tol / np.sqrt(max(n_parts, 1)), n_samples=n_samples)


@dataclass(frozen=True)
class Sample:
    """Both entropies from one simulation.

    Attributes
    ----------
    output : Entropy
        H(Y).
    inside : SampledCells
        H(Y | X) cell by cell.
    stderr : float
        Standard error of their difference.
    n_samples : int
    """

    output: Entropy
    inside: SampledCells
    stderr: float
    n_samples: int

    @property
    def bias(self) -> float:
        """Size of the bias that may be left in the difference, of unknown sign."""
        return self.output.bias + self.inside.bias

    @property
    def shift(self) -> float:
        """What the best estimate of the difference has more than that by the estimator asked for."""
        return self.output.shift - self.inside.shift

    @property
    def kept_nothing(self) -> bool:
        """Whether no point was kept, neither anywhere nor to draw a cell through."""
        return self.output.n_kept == 0 and not len(self.inside.statistics)

    @property
    def resolved(self) -> bool:
        """Whether both entropies can be relied on."""
        kept = self.output.n_kept
        # What few samples have in common may be chance alone.
        too_few = kept < min(_MIN_EVENTS, self.output.n_samples)
        return not too_few and self.output.resolved and self.inside.resolved

    def is_good_enough(self, tol: float) -> bool:
        """Whether the root of squared error and squared bias is within `tol`."""
        return self.resolved and float(np.hypot(self.stderr, self.bias + abs(self.shift))) <= tol

    def estimate(self, intervention: Intervention, workers: Workers) -> JointEI:
        """EI, or a bracket of bounds where an entropy cannot be relied on."""
        if self.kept_nothing:
            return JointEI.undefined(self.n_samples)
        if not self.resolved:
            return bracketed_ei(intervention, self.output, self.inside, self.n_samples, workers)
        # A control takes off as much as it has in excess, which may be more than there is room for.
        most = intervention.n_out * float(np.log2(intervention.out_bins))
        conditional = min(max(self.inside.mean(self.inside.entropies), 0.0), most)
        output, name = min(self.output.value, most), self.inside.estimator.name
        return JointEI.sampled(output, conditional, self.stderr, self.bias, self.n_samples, name, self.shift)


def conditional_ei(intervention: Intervention, plan: Plan, workers: Workers) -> JointEI:
    """Joint EI of a connected part of a layer."""
    if (cells := _cells_to_visit(intervention, plan)) is not None:
        sample = _by_every_cell(intervention, cells, plan, workers)
    elif plan.n_samples is None:
        sample = _by_drawn_cells(intervention, plan, workers)
    else:
        sample = _by_so_many_points(intervention, plan, plan.n_samples, workers)
    return sample.estimate(intervention, workers)


def _cells_to_visit(intervention: Intervention, plan: Plan) -> Cells | None:
    """All cells that may keep anything, where they are few enough for each to be given the points that it needs."""
    most, drop = _MAX_ENUMERATED_CELLS, intervention.drop
    if plan.n_samples is not None:
        most = min(most, plan.n_samples // _MIN_POINTS)
    if intervention.log2_cells > np.log2(_MAX_LISTED_CELLS if drop else max(most, 1)):
        return None
    cells = intervention.enumerated_cells(0, intervention.in_bins ** len(intervention.inputs))
    if not drop:
        return cells
    cells = cells[intervention.open_cells(cells)]
    if not 0 < len(cells) <= most:
        return None
    m = max(1, _PILOT_POINTS // len(cells))
    kept = np.count_nonzero(intervention.keys_inside(Stream.PILOT_POINTS, 0, cells, m) != DROPPED) / (m * len(cells))
    points = _points_ceiling(intervention) if plan.n_samples is None else plan.n_samples
    return cells if kept * points >= _MIN_POINTS * len(cells) else None


def _by_every_cell(intervention: Intervention, cells: Cells, plan: Plan, workers: Workers) -> Sample:
    n_cells = len(cells)
    if plan.n_samples is not None:
        return _every_cell(intervention, cells, plan.n_samples // n_cells, plan, workers)
    m = _FEW_POINTS
    while m * n_cells < 2 * _PILOT_POINTS:
        m *= 2
    ceiling = _points_ceiling(intervention)
    while True:
        sample = _every_cell(intervention, cells, m, plan, workers)
        if sample.is_good_enough(plan.tol) or 2 * m * n_cells > ceiling:
            return sample
        # The bias falls as 1/m, or nearly, the standard error as its root at least: go straight to where it should do.
        while 2 * m * n_cells <= ceiling:
            m *= 2
            fewer = sample.n_samples / (m * n_cells)
            if np.hypot(sample.stderr * np.sqrt(fewer), sample.bias * fewer) <= _STDERR_SHARE * plan.tol:
                break


def _every_cell(intervention: Intervention, cells: Cells, m: int, plan: Plan, workers: Workers) -> Sample:
    """All cells with m points in each, which together are a stratified sample of all that may be kept."""
    n_cells, per_task = len(cells), max(1, _TASK_POINTS // m)

    def share(k: int, n: int) -> Arrays:
        begin, end = share_of(n_cells, k, n)
        keys, statistics = np.empty((end - begin, m), np.uint64), np.empty((end - begin, N_COLUMNS))

        def visit(first: int) -> None:
            stop = min(first + per_task, end)
            found = intervention.keys_inside(Stream.POINTS, first * m, cells[first:stop], m)
            keys[first - begin : stop - begin] = found
            statistics[first - begin : stop - begin] = statistics_of(found, plan.estimator)

        workers.map(visit, range(begin, end, per_task))
        return keys, statistics

    keys, statistics = workers.shared(share, stacked)
    inside = SampledCells(statistics, m, plan.estimator, n_cells * m, are_all=True)
    counts = Counts.of(keys.flatten())
    output = entropy_of_counts(counts, n_cells * m, plan.estimator)
    visited = [keys[first : first + per_task] for first in range(0, n_cells, per_task)]
    stderr = _stderr_of_every_cell(visited, inside, output, counts, workers)
    return Sample(output, inside, stderr, n_cells * m)


def _stderr_of_every_cell(
    visited: list[NDArray[np.uint64]], inside: SampledCells, output: Entropy, counts: Counts, workers: Workers
) -> float:
    """Standard error of H(Y) - H(Y | X) from the same points: only what varies inside the cells is an error."""
    kept = max(output.n_kept, 1)
    tells = digamma_bits(kept) + surprise(counts.counts, output.unseen)
    tells_inside = surprise(np.arange(inside.m + 1), inside.unseen)
    information = output.plugin - inside.mean(inside.plugin)

    def spread(keys: NDArray[np.uint64]) -> NDArray[np.float64]:
        out = np.empty((len(keys), 2))
        information_variance(
            keys,
            counts.states,
            tells,
            digamma_table(inside.m + 1),
            tells_inside,
            information,
            kept / output.n_samples,
            out,
        )
        return out

    variance, n_states = np.concatenate(workers.map(spread, visited)).sum(axis=0)
    return float(np.sqrt(variance_of_mean(variance / len(inside.statistics) ** 2, n_states, kept)))


def _by_so_many_points(intervention: Intervention, plan: Plan, n_samples: int, workers: Workers) -> Sample:
    """Half of the points inside cells, of which there must be enough to know their spread."""
    m = int(np.clip(n_samples // 256, 16, _MIN_POINTS))
    n_cells = max(2, n_samples // 2 // m)
    if intervention.drop:
        # A part of the points finds cells, in which those that are kept take some times as many.
        kept = _anywhere(intervention, Stream.PILOT_MARGINAL, (0, n_samples // 16), workers).total
        plan = replace(plan, kept=max(kept, 1) / max(n_samples // 16, 1))
        n_cells = max(2, n_cells // min(int(np.ceil(1 / plan.kept)), _FEW_ROUNDS))
        draws = max(2, min(n_samples // 4, int(_MOST_FOUND * n_cells / plan.kept)))
        sizes = Sizes(draws, m, n_samples // 2, max(1, int(draws * plan.kept) // n_cells))
        return _drawn_cells(intervention, sizes, controls_of(intervention), None, plan, workers, _FEW_ROUNDS)
    n_cells = _cells_for_so_many_moving(intervention, n_cells)
    # Where a few more move than should, each takes fewer points.
    m = max(2, min(m, n_samples // 2 // max(_n_moving(intervention, Stream.CELLS, n_cells), 1)))
    controls = controls_of(intervention) if n_cells >= _MIN_PILOT_CELLS else NO_CONTROLS
    return _drawn_cells(intervention, Sizes(n_cells, m, max(4, n_samples // 2)), controls, None, plan, workers)


def _cells_for_so_many_moving(intervention: Intervention, wanted: int) -> int:
    """Cells to be drawn so that about as many as are wanted can move: the others take no points."""
    tried = wanted
    while True:
        moving = _n_moving(intervention, Stream.PILOT_CELLS, tried)
        if 2 * moving >= wanted or 4 * tried > _MOST_TRIED:
            return min(wanted * tried // max(moving, 1), max(wanted, _MOST_TRIED))
        tried *= 4


def _n_moving(intervention: Intervention, stream: Stream, n_cells: int) -> int:
    """How many of the first cells of a stream can move."""
    return int(np.count_nonzero(intervention.moving(intervention.drawn_cells(stream, 0, n_cells))))


def _by_drawn_cells(intervention: Intervention, plan: Plan, workers: Workers) -> Sample:
    """Cells, points in each and points anywhere for which the cost is least, from a pilot of its own streams."""
    ceiling = _points_ceiling(intervention)
    output, counted = _pilot_output(intervention, plan, ceiling, workers)
    if not output.n_kept:
        nothing = SampledCells(np.empty((0, N_COLUMNS)), _MIN_POINTS, plan.estimator, 0)
        return Sample(output, nothing, 0.0, output.n_samples)
    plan = replace(plan, kept=output.n_kept / output.n_samples)
    if output.coverage < _HOPELESS_COVERAGE and output.n_kept >= _MIN_FOR_HOPELESS:
        # Bounds are all there will be, and they gain little from more points. (Of few samples hardly any are in a state
        # that another has met, which says nothing yet.)
        n = min(ceiling // 2, 2**18, max(2**14, _HOPELESS_WORK // intervention.work))
        sizes = Sizes(_draws(_BOUNDED_CELLS, plan), max(_MIN_POINTS, n // _BOUNDED_CELLS), n)
        return _drawn_cells(intervention, sizes, NO_CONTROLS, 0.0, plan, workers)
    controls = controls_of(intervention)
    pilot, m = _pilot_cells(intervention, controls, plan, ceiling, workers)
    if len(pilot.statistics) < 2:
        # So little is kept that no cell was found which keeps anything: all that is left are bounds.
        return Sample(output, pilot, 0.0, output.n_samples + pilot.n_points)
    finding = 0.0
    if intervention.drop:
        of_control = 0.0 if controls.cells is None else _CONTROL_WORK * intervention.n_out * intervention.out_bins
        finding = 1 / plan.kept + of_control / intervention.work
    if (known := controls.entropy_of(intervention)) is not None:
        output = Entropy.exact(known)
    elif controls.output is not None:
        output = entropy_of_counts(counted, output.n_samples, plan.estimator, controls.output)
    sizes = _best_within(pilot, m, output, plan, ceiling, finding)
    while (n := sizes.n // _BEYOND_PILOT) > output.n_samples:
        # States that few points met, and what is added for those not met, make a short pilot too noisy.
        counted = _anywhere(intervention, Stream.PILOT_MARGINAL, (0, n), workers)
        output = entropy_of_counts(counted, n, plan.estimator, controls.output)
        sizes = _best_within(pilot, m, output, plan, ceiling, finding)
    while True:
        sample = _drawn_cells(intervention, sizes, controls, pilot.slope, plan, workers)
        if sample.is_good_enough(plan.tol) or 2 * max(sample.n_samples, sizes.n_cells) > ceiling:
            return sample
        sizes = sizes.mended(sample, plan.tol)


def _pilot_output(intervention: Intervention, plan: Plan, ceiling: int, workers: Workers) -> tuple[Entropy, Counts]:
    """The output's entropy from so few points that its states can be told common from rare, and their counts."""
    n, most = _PILOT_POINTS, min(_MOST_FOR_EVENTS, ceiling)
    while True:
        counted = _anywhere(intervention, Stream.PILOT_MARGINAL, (0, n), workers)
        output = entropy_of_counts(counted, n, plan.estimator)
        if output.n_kept < _MIN_KEPT:
            most = ceiling // 2
        if (output.departures >= _MIN_EVENTS and output.n_kept >= _MIN_KEPT) or 4 * n > most:
            return output, counted
        n *= 4


def _pilot_cells(
    intervention: Intervention, controls: Controls, plan: Plan, ceiling: int, workers: Workers
) -> tuple[SampledCells, int]:
    """Cells of which enough move to know their spread, if that many can be had; and the points that a cell needs."""
    streams = (Stream.PILOT_CELLS, Stream.PILOT_POINTS)
    n_cells, m = _PILOT_CELLS, _MIN_POINTS

    def cells(m: int) -> tuple[SampledCells, int]:
        draws = min(_draws(n_cells, plan), ceiling // 4)
        drawn = _drawn(intervention, streams, (0, draws), m, controls, plan, workers)
        return _sampled(intervention, drawn, m, controls, plan).regressed(), draws

    while True:
        pilot, draws = cells(m)
        if pilot.n_moving >= _MIN_EVENTS or 4 * (draws + pilot.n_points) > min(_MOST_FOR_EVENTS, ceiling):
            break
        n_cells *= 4
    m = _enough_points(pilot, plan.tol, intervention.whole_cells, ceiling)
    if _MIN_POINTS < m <= _MAX_POINTS_A_CELL:
        # Part of the cells' spread is noise, of which less is left with more points.
        n_cells = max(_MIN_PILOT_CELLS, n_cells * _MIN_POINTS // m)
        pilot, _ = cells(m)
    return pilot, m


def _draws(n_cells: float, plan: Plan) -> int:
    """How many draws give so many cells: as many, or those of points of which a share is kept and leads to cells."""
    return int(n_cells / plan.kept)


@dataclass(frozen=True)
class Sizes:
    """How many draws of cells, points in each of those that can move, and points anywhere.

    Of cells drawn through kept points one in `stride` draws is entered; all of them tell the control's mean.
    """

    n_cells: int
    m: int
    n: int
    stride: int = 1

    def mended(self, sample: Sample, tol: float) -> "Sizes":
        """Twice as many of what this `sample` was short of, the pilot having been too hopeful."""
        few_inside = self.m < _MAX_POINTS_A_CELL and _is_short(sample.inside, tol)
        few_outside = _is_short(sample.output, tol)
        if few_inside or few_outside:
            # Bias: of entropies inside cells by the points in a cell, of the output's by those anywhere.
            return replace(self, m=self.m * 2 if few_inside else self.m, n=self.n * 2 if few_outside else self.n)
        return replace(self, n_cells=2 * self.n_cells, n=2 * self.n)


def _is_short(entropy: Entropy | SampledCells, tol: float) -> bool:
    return not entropy.resolved or entropy.bias + abs(entropy.shift) > _BIAS_SHARE * tol


def _enough_points(pilot: SampledCells, tol: float, whole_cells: bool, ceiling: int) -> int:
    """Points in a cell with which bias should be small enough: it falls as one over them, or nearly."""
    m = pilot.m
    most = ceiling // (2 * _MIN_PILOT_CELLS)
    if whole_cells:
        most = min(most, _MAX_POINTS_A_CELL)
    bias = pilot.unseen.bias + abs(pilot.shift)
    while bias * pilot.m / m > _BIAS_SHARE * tol and 2 * m <= most:
        m *= 2
    return m


def _best_within(pilot: SampledCells, m: int, output: Entropy, plan: Plan, ceiling: int, finding: float) -> Sizes:
    """Sizes that reach `tol` with m points in a cell; where points run short, with as many as leave the least error."""
    bias = pilot.unseen.bias + abs(pilot.shift)
    best, least = None, np.inf
    while True:
        sizes, variance = _cheapest(pilot, m, output, plan, ceiling, finding)
        error = float(np.hypot(np.sqrt(variance), bias * pilot.m / m))
        if best is None or error < least:
            best, least = sizes, error
        m //= 2
        if error <= plan.tol or m < _MIN_POINTS or (1 - pilot.coverage) * pilot.m / m > _MOST_NEW:
            return best


def _cheapest(
    pilot: SampledCells, m: int, output: Entropy, plan: Plan, ceiling: int, finding: float
) -> tuple[Sizes, float]:
    """Sizes with m points in a cell that reach `tol` with the fewest points, up to `ceiling`; and their variance.

    `finding` is what it costs, in points, to find a cell and its control; 0 where cells are drawn blindly.
    """
    # Minimise the sum of n cost with the sum of spread**2 / n = variance over cells that are entered, those that are
    # found, which tell what the control explains, and points anywhere.
    spread, explained = max(pilot.spread, 0.05), pilot.explained
    cost = pilot.cost * m / pilot.m + (0.0 if explained else finding)
    both = spread * np.sqrt(cost) + explained * np.sqrt(finding)
    spread_output = output.stderr * np.sqrt(output.n_samples)
    variance = (_STDERR_SHARE * plan.tol) ** 2
    n = 0.0
    if output.n_samples:
        n = spread_output * (both + spread_output) / variance
        # The output's bias wants so many at least: it falls as one over them, or faster.
        bias = output.bias + abs(output.shift)
        n = max(n, output.n_samples, output.n_samples * bias / (_BIAS_SHARE * plan.tol))
    left = variance - (spread_output**2 / n if n else 0.0)
    n_cells = spread * both / np.sqrt(cost) / left
    # No fewer than it took to see enough of them move, and as many more as these fell short.
    enough = _MIN_EVENTS * len(pilot.statistics) / max(pilot.n_moving, 1)
    n_cells = max(n_cells, min(1.5 * enough, len(pilot.statistics)))
    n_found = max(n_cells, explained * both / np.sqrt(finding) / left if explained else 0.0)
    shrink = min(1.0, ceiling / (n_cells * cost + n + (n_found * finding if explained else 0.0)))
    n_cells, n_found, n = max(_MIN_PILOT_CELLS, n_cells * shrink), n_found * shrink, n * shrink
    stride = max(1, int(n_found / n_cells))
    draws = min(_draws(n_cells * stride, plan), ceiling)
    of_output = spread_output**2 / n if n else 0.0
    expected = spread**2 / n_cells + explained**2 / (n_cells * stride) + of_output
    return Sizes(draws, m, max(4, int(n)) if n else 0, stride), expected


def _drawn_cells(
    intervention: Intervention,
    sizes: Sizes,
    controls: Controls,
    slope: float | None,
    plan: Plan,
    workers: Workers,
    rounds: int = ROUNDS,
) -> Sample:
    """Entropies of drawn cells, by a `slope` found elsewhere or their own, and of points anywhere."""

    def share(k: int, n: int) -> Arrays:
        counted = _anywhere(intervention, Stream.MARGINAL, share_of(sizes.n, k, n), workers)
        streams, draws = (Stream.CELLS, Stream.POINTS), share_of(sizes.n_cells, k, n)
        drawn = _drawn(intervention, streams, draws, sizes.m, controls, plan, workers, sizes.stride, rounds)
        return counted.states, counted.counts, *drawn

    def together(shares: Sequence[Arrays]) -> Arrays:
        counted = Counts.sum([Counts(states, counts) for states, counts, *_ in shares])
        return counted.states, counted.counts, *stacked([one[2:] for one in shares])

    states, counts, *drawn = workers.shared(share, together)
    if (known := controls.entropy_of(intervention)) is not None:
        output = Entropy.exact(known)
    else:
        output = entropy_of_counts(Counts(states, counts), sizes.n, plan.estimator, controls.output)
    inside = _sampled(intervention, drawn, sizes.m, controls, plan)
    inside = inside.regressed() if slope is None else replace(inside, slope=slope)
    stderr = float(np.hypot(output.stderr, inside.stderr))
    n_samples = inside.n_points + sizes.n + (sizes.n_cells if intervention.drop else 0)
    return Sample(output, inside, stderr, n_samples)


def _points_ceiling(intervention: Intervention) -> int:
    return min(MAX_POINTS, max(intervention.least_points, MAX_WORK // intervention.work))


def _drawn(
    intervention: Intervention,
    streams: tuple[Stream, Stream],
    cells: tuple[int, int],
    m: int,
    controls: Controls,
    plan: Plan,
    workers: Workers,
    stride: int = 1,
    rounds: int = ROUNDS,
) -> Arrays:
    """What is in draws number `cells[0]` to `cells[1]` - 1 of a stream: cells, or points whose cell it is if kept.

    Returns
    -------
    statistics : ndarray (r, 7)
        Of the cells that were entered.
    control : ndarray (R,)
        Of all that were found; 0 without one.
    entered : ndarray (R,), bool
    n_points : ndarray
        Points simulated inside cells, by task.
    """
    begin, end = cells
    per_task = max(1, _TASK_POINTS // m)
    if intervention.drop:
        per_task = int(np.clip(_draws(per_task * stride, plan), 1, _TASK_POINTS // 4))

    def control_of(found: Cells) -> NDArray[np.float64]:
        return np.zeros(len(found)) if controls.cells is None else controls.cells(found)

    def visit_kept(first: int) -> Arrays:
        numbers, found = cells_of_kept(intervention, streams[0], first, min(per_task, end - first))
        entered = numbers % stride == 0
        keys, simulated = keys_of_kept(intervention, streams[1], numbers[entered], found[entered], m, rounds)
        return statistics_of(keys, plan.estimator), control_of(found), entered, np.array([simulated])

    def visit(first: int) -> Arrays:
        chosen = intervention.drawn_cells(streams[0], first, min(per_task, end - first))
        # What no edge of an output crosses is in one state, and takes no points.
        moving = np.flatnonzero(intervention.moving(chosen))
        statistics = of_still_cells(len(chosen), m)
        if len(moving):
            keys = intervention.keys_from(streams[1], (first + moving) * m, chosen[moving], m)
            statistics[moving] = statistics_of(keys, plan.estimator)
        return statistics, control_of(chosen), np.full(len(chosen), True), np.array([len(moving) * m])

    visited = workers.map(visit_kept if intervention.drop else visit, range(begin, end, per_task))
    return stacked([(np.empty((0, N_COLUMNS)), np.empty(0), np.empty(0, np.bool_), np.empty(0, np.int64)), *visited])


def _sampled(
    intervention: Intervention, drawn: Sequence[NDArray], m: int, controls: Controls, plan: Plan
) -> SampledCells:
    """Drawn cells, with what is known of their intervention."""
    statistics, control, entered, n_points = drawn
    most = intervention.n_out * float(np.log2(intervention.out_bins))
    mean, stderr = 0.0 if controls.cells is None else controls.cells.mean, 0.0
    if mean is None:
        # By what all cells that were found have.
        n = len(control)
        mean, stderr = (float(control.mean()), float(control.std()) / np.sqrt(n)) if n else (0.0, 0.0)
    excess = control[entered] - mean
    return SampledCells(statistics, m, plan.estimator, int(n_points.sum()), excess, stderr, most=most)


def _anywhere(intervention: Intervention, stream: Stream, points: tuple[int, int], workers: Workers) -> Counts:
    """States of points anywhere, number `points[0]` to `points[1]` - 1 of a stream, counted."""
    begin, end = points
    # One array for them all, sorted where it is: fresh memory costs more than what is written into it.
    keys = np.empty(end - begin, np.uint64)

    def visit(first: int) -> None:
        intervention.fill_anywhere(stream, first, keys[first - begin : first - begin + _TASK_POINTS])

    workers.map(visit, range(begin, end, _TASK_POINTS))
    return Counts.of(keys)
