"""Bounds on both entropies of layers whose states outnumber any sample.

H(Y) is at most the sum of the outputs' own entropies, and so is the entropy inside a cell; a plug-in
entropy is in expectation below the true one, and so is -log2 of the probability that two samples
coincide (the Renyi entropy of order 2). Single outputs are mostly well sampled where their joint is not; and
so are a few of them together, whose EI is a lower bound on that of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.do import Cells, Intervention
from ei_fast.intervention.streams import Stream
from ei_fast.measures.constants import (
    BOUNDS_WORK,
    MIN_BOUND_CELLS,
    MIN_COLLISIONS,
    MIN_EFFECTIVE_CELLS,
    MIN_OUTPUT_POINTS,
    OUTPUT_CELLS,
    OUTPUT_POINTS,
    OUTPUT_POINTS_A_CELL,
    SAFE_COVERAGE,
    SUBSET_BITS,
    SUBSET_CELLS,
    SUBSET_POINTS,
    SUBSET_POINTS_A_CELL,
    Z95,
)
from ei_fast.measures.counting.estimators import ZHANG_UNSEEN
from ei_fast.measures.counting.in_threads import counted
from ei_fast.measures.counting.sampled import SampledEntropy, entropy_of_counts
from ei_fast.measures.entropies.bounds_of_kept import bounds_of_kept
from ei_fast.measures.entropies.cells import CellEntropies, CellStatistics
from ei_fast.measures.entropies.ends import cells_of_statistics, least_ei, most_entropy
from ei_fast.measures.entropies.estimate import EntropyEstimate
from ei_fast.measures.entropies.sample import Sample
from ei_fast.measures.entropies.tasks import points_a_task
from ei_fast.measures.stages import Arrays, InThreads, Method, SimulationStage, below_each_other
from ei_fast.runtime.threads import Threads

_INSIDE_SINGLES = OUTPUT_CELLS * OUTPUT_POINTS_A_CELL
_OF_SINGLES = OUTPUT_POINTS + _INSIDE_SINGLES
_OF_A_SUBSET = SUBSET_POINTS + SUBSET_CELLS * SUBSET_POINTS_A_CELL
_ROUNDING = 1e-10
"""Bits by which the entropy of an output that is known may be off."""


@dataclass(frozen=True)
class Bounds:
    """Bounds on both entropies and on EI, in bits, each widened by its 95 % sampling error.

    Attributes
    ----------
    output, conditional : EntropyEstimate
        H(Y) and H(Y | X).
    least : float
        Lower bound on EI: that of some of the outputs.
    n_samples : int
        Points simulated, those of the undersampled entropies included.
    """

    output: EntropyEstimate
    conditional: EntropyEstimate
    least: float
    n_samples: int


def bounds_on(intervention: Intervention, sample: Sample, least: float = 0.0) -> Method[Bounds]:
    """Bounds where the entropies of a `sample` cannot be relied on; `least` is a lower bound on EI, known already."""
    output, inside, n_samples = sample.output, sample.inside, sample.n_samples
    output_low = least_entropy(output)
    conditional_low = inside.mean(inside.plugin) - Z95 * inside.mean_stderr(inside.plugin)
    if intervention.drop:
        kept = output.n_kept / max(output.n_samples, 1)
        if inside.are_all:
            # Where nothing is kept no samples were tried.
            kept *= inside.n_cells / 2.0**intervention.log2_cells
        bounds = yield from bounds_of_kept(intervention, kept)
        output_high, conditional_high = bounds.output_high, bounds.conditional_high
        least = max(least, bounds.ei_low)
        n_samples += bounds.n_samples
        if inside.n_effective < MIN_EFFECTIVE_CELLS:
            conditional_low = 0.0
    else:
        if isinstance(intervention, DenseIntervention):
            yield InThreads(intervention.know_outputs)
        share = _affordable_share(intervention)
        outputs, inside_outputs = yield SingleOutputs(intervention, min(share, _share_inside(intervention)))
        # One sample serves all outputs, so that their errors may add up.
        output_high, inside_sum = float(outputs.sum()), inside_outputs.sum(axis=0)
        conditional_high = float(inside_sum.mean() + Z95 * inside_sum.std(ddof=1) / np.sqrt(len(inside_sum)))
        inside_means = inside_outputs.mean(axis=1)
        n_tries = 0
        # As many outputs as can be counted together have no more EI than that.
        if least < SUBSET_BITS:
            of_subset, n_tries = yield InThreads(
                lambda threads: _ei_of_a_subset(intervention, share, outputs, inside_means, threads)
            )
            least = max(least, of_subset)
        n_inside = inside_outputs.shape[1] * OUTPUT_POINTS_A_CELL
        n_anywhere = int(share * OUTPUT_POINTS) if intervention.output_entropies is None else 0
        of_singles = len(intervention.output_groups()) * (n_inside + n_anywhere)
        n_samples += of_singles + int(share * n_tries * _OF_A_SUBSET)
    return Bounds(
        EntropyEstimate.bounded(max(float(output_low), 0.0), output_high, n_samples=output.n_samples),
        EntropyEstimate.bounded(max(conditional_low, 0.0), conditional_high, n_samples=inside.n_points),
        least,
        n_samples,
    )


def least_entropy(output: SampledEntropy) -> float:
    """Lower bound on H(Y): of the plug-in entropy and of the collision entropy, where that is known well."""
    low = output.plugin - Z95 * output.stderr
    if output.collisions >= MIN_COLLISIONS:
        pairs = output.n_kept * (output.n_kept - 1) / 2
        # At most the log of a Poisson count's relative error, twice over.
        margin = 2 * Z95 / np.log(2) / np.sqrt(output.collisions)
        low = max(low, np.log2(pairs / output.collisions) - margin)
    return low


def _affordable_share(intervention: Intervention) -> float:
    """Share of the usual points, where a user's function would take too long."""
    if not intervention.is_costly:
        return 1.0
    points = len(intervention.output_groups()) * _OF_SINGLES + _OF_A_SUBSET
    return min(1.0, BOUNDS_WORK / (points * intervention.work))


def _share_inside(intervention: Intervention) -> float:
    """Share of the usual cells for single outputs: of a very wide layer even one of them says much."""
    return min(1.0, BOUNDS_WORK / (_INSIDE_SINGLES * intervention.work))


def _ei_of_a_subset(
    intervention: Intervention,
    share: float,
    outputs: NDArray[np.float64],
    inside_outputs: NDArray[np.float64],
    threads: Threads,
) -> tuple[float, int]:
    """Lower bound on EI: that of the outputs with most EI each, as many as can be counted together; and tries.

    It is a plain call, not a stage: every job of a split measure simulates all of it, at every attempt.

    Parameters
    ----------
    share : float
        Of the usual points.
    outputs, inside_outputs : ndarray (n_out,)
        Entropy of each output, and inside a cell.
    """
    order = np.argsort(inside_outputs - outputs, kind="stable")
    cells = intervention.drawn_cells(Stream.BOUND_CELLS, 0, max(MIN_BOUND_CELLS, int(share * SUBSET_CELLS)))
    n_points = max(MIN_OUTPUT_POINTS, int(share * SUBSET_POINTS))
    n = int(np.count_nonzero(np.cumsum(outputs[order]) <= SUBSET_BITS))
    # States of very unequal probability need more samples than their entropy says.
    n_tries = 0
    while n > 0:
        n_tries += 1
        watched = intervention.restricted(np.sort(order[:n]))
        output = _output_of(watched, n_points, threads)
        inside = _inside(watched, cells, threads)
        if output.resolved and inside.resolved:
            return least_ei(output, inside), n_tries
        n = n * 3 // 4
    return 0.0, n_tries


def _output_of(watched: Intervention, n_points: int, threads: Threads) -> SampledEntropy:
    """Entropy of the outputs that are watched, from so many points anywhere."""
    keys, per_task = np.empty(n_points, np.uint64), points_a_task(watched, n_points, n_points)
    threads.map(
        lambda first: watched.fill_anywhere(Stream.BOUND_MARGINAL, first, keys[first : first + per_task]),
        range(0, n_points, per_task),
    )
    return entropy_of_counts(counted(keys, threads), n_points, ZHANG_UNSEEN)


def _inside(watched: Intervention, cells: Cells, threads: Threads) -> CellEntropies:
    """Entropies inside cells of the outputs that are watched."""
    m = SUBSET_POINTS_A_CELL
    per_task = max(1, points_a_task(watched, len(cells) * m, len(cells) * m) // m)

    def statistics_of(first: int) -> NDArray[np.float64]:
        keys = watched.keys_inside(Stream.BOUND_POINTS, first * m, cells[first : first + per_task], m)
        return CellStatistics.of_keys(keys, ZHANG_UNSEEN).array

    statistics = np.concatenate(threads.map(statistics_of, range(0, len(cells), per_task)))
    return cells_of_statistics(statistics, m, len(cells) * m)


@dataclass(frozen=True)
class SingleOutputs(SimulationStage):
    """Upper bounds on the entropy of every output, (n_out,), and on that inside each of some cells, (n_out, r).

    The items are groups of outputs that are simulated together. Where the entropies themselves are known no sample is
    drawn for them.
    """

    intervention: Intervention
    share: float

    @property
    def name(self) -> str:
        return f"{self.intervention.name}-single-outputs"

    @property
    def n_items(self) -> int:
        return len(self.intervention.output_groups())

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        do = self.intervention
        cells = do.drawn_cells(Stream.BOUND_CELLS, 0, max(MIN_BOUND_CELLS, int(self.share * OUTPUT_CELLS)))
        n_points = max(MIN_OUTPUT_POINTS, int(self.share * OUTPUT_POINTS))

        # What no sample can exceed stands in where an output alone has more bins than the sample can see.
        most, known = float(np.log2(do.out_bins)), do.output_entropies

        def anywhere(outputs: range) -> NDArray[np.float64]:
            if known is not None:
                return known[outputs.start : outputs.stop] + _ROUNDING
            bins = do.bins_anywhere(outputs, Stream.BOUND_MARGINAL, n_points)
            return np.array([most_entropy(of_output, most) for of_output in bins])

        groups = do.output_groups()[begin:end]
        nothing = np.empty(0), np.empty((0, len(cells)))
        inside = _statistics_of_outputs(do, groups, cells, threads)
        return below_each_other(
            [
                nothing,
                *zip(
                    threads.map(anywhere, groups),
                    threads.map(lambda found: _most_inside(found, most), inside),
                    strict=True,
                ),
            ]
        )


def _statistics_of_outputs(
    do: Intervention, groups: Sequence[range], cells: Cells, threads: Threads
) -> list[NDArray[np.float64]]:
    """What was counted of every output of each group inside cells, (outputs, r, 7)."""
    m = OUTPUT_POINTS_A_CELL
    per_task = max(1, min(points_a_task(do, len(groups) * len(cells) * m, len(cells) * m) // m, len(cells)))
    firsts = range(0, len(cells), per_task)

    def statistics_of(task: tuple[range, int]) -> NDArray[np.float64]:
        outputs, first = task
        bins = do.bins_inside(outputs, Stream.BOUND_POINTS, cells[first : first + per_task], m, first * m)
        return np.stack([CellStatistics.of_keys(of_output, ZHANG_UNSEEN).array for of_output in bins])

    found = threads.map(statistics_of, [(outputs, first) for outputs in groups for first in firsts])
    return [np.concatenate(found[k : k + len(firsts)], axis=1) for k in range(0, len(found), len(firsts))]


def _most_inside(statistics: NDArray[np.float64], most: float) -> NDArray[np.float64]:
    """Upper bounds on the entropies of outputs inside cells, (outputs, r), from what was counted (outputs, r, 7)."""
    bounds = np.empty(statistics.shape[:2])
    for k, of_output in enumerate(statistics):
        cell = cells_of_statistics(of_output, OUTPUT_POINTS_A_CELL, of_output.shape[0] * OUTPUT_POINTS_A_CELL)
        is_safe = 1 - cell.statistics.once / OUTPUT_POINTS_A_CELL > SAFE_COVERAGE
        bounds[k] = np.where(is_safe, cell.corrected, most)
    return bounds
