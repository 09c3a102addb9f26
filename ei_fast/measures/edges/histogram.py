"""Sensitivity and EI_parts by simulation: joint histograms of every edge, filled block by block.

The only way for maps that are not dense layers, and an independent check of the exact one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Codes, Intervention
from ei_fast.intervention.of_layer import intervention_on
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.histograms import add_influence, add_to_histograms, histograms_information
from ei_fast.kernels.keys import NEVER
from ei_fast.measures.constants import (
    EXPECTED_IN_HISTOGRAMS,
    HISTOGRAM_BLOCK,
    HISTOGRAM_COUNTS_IN_TABLE,
    HISTOGRAM_DIGAMMAS_IN_TABLE,
    HISTOGRAM_MAX_POINTS,
    HISTOGRAM_MAX_WORK,
    HISTOGRAM_PILOT,
    INFLUENCE_POINTS,
    LN2,
    MIN_COVERAGE,
    SENSITIVITY_PILOT,
    STDERR_SHARE,
)
from ei_fast.measures.cost import Cost
from ei_fast.measures.counting.estimators import PLUGIN, EntropyEstimator, digamma_bits
from ei_fast.measures.counting.unseen import UnseenStates
from ei_fast.measures.edges.estimate import EdgeEstimate
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Arrays, Method, SimulationStage, below_each_other
from ei_fast.network.binned import BinnedLayer
from ei_fast.runtime.threads import Threads


def histogram_cost(binned: BinnedLayer, measure: str, options: MeasureOptions) -> Cost:
    """What the edges of a layer are expected to take: each input moves alone for sensitivity, all at once for EI_parts.

    How many points `tol` needs is known by a pilot only: for sensitivity no more than the pilot's, as a rule.
    """
    layer, work = binned.layer, intervention_on(binned, 0).work
    counted = layer.n_in * layer.n_out
    if measure == "sensitivity":
        points = options.n_samples or SENSITIVITY_PILOT
        return replace(Cost.of_points(points * layer.n_in, work), counts=points * counted)
    points = options.n_samples or min(EXPECTED_IN_HISTOGRAMS, max(HISTOGRAM_PILOT, HISTOGRAM_MAX_WORK // work))
    return replace(Cost.of_points(points, work), counts=points * counted)


def histogram_ei_parts(binned: BinnedLayer, options: MeasureOptions, seed: int) -> Method[EdgeEstimate]:
    """I(X_i; Y_j) in bits of every edge with all inputs uniform, by simulation.

    There are as many points as asked for, or as `tol` needs by the figures of a pilot.
    """
    do, estimator = intervention_on(binned, seed), options.estimator
    if options.n_samples is not None:
        return (yield from _counted_ei_parts(do, options.n_samples, estimator, "given"))
    ceiling = min(HISTOGRAM_MAX_POINTS, max(HISTOGRAM_PILOT, HISTOGRAM_MAX_WORK // do.work))
    pilot = yield from _counted_ei_parts(do, min(HISTOGRAM_PILOT, ceiling), estimator, "pilot")
    needed = pilot.n_samples * max((pilot.stderr / (STDERR_SHARE * options.tol)) ** 2, pilot.bias / options.tol)
    n = int(min(max(np.nan_to_num(needed), pilot.n_samples), ceiling))
    return pilot if n == pilot.n_samples else (yield from _counted_ei_parts(do, n, estimator, "needed"))


def _counted_ei_parts(do: Intervention, n: int, estimator: EntropyEstimator, name: str) -> Method[EdgeEstimate]:
    """From so many points."""
    rows = _groups_of_inputs(do)
    histograms = yield JointHistograms(do, n, rows, name, is_shared=name != "pilot")
    bits, variances, corrections, influences = yield EdgeInformation(do, n, rows, estimator, tuple(histograms), name)
    # Groups share their samples, so that influences add up sample by sample.
    influence = sum(influences[1:], influences[0])
    second_order, counted_twice = variances.T
    first_order = float(np.var(influence)) / n - sum(counted_twice.tolist())
    stderr = float(np.sqrt(max(first_order, 0.0) + sum(second_order.tolist())))
    return EdgeEstimate(matrix=bits, stderr=stderr, bias=sum(corrections.tolist()), n_samples=n)


def _groups_of_inputs(do: Intervention) -> list[slice]:
    """Inputs that are worked on in one task; each group simulates the samples again.

    Two, so that there is work for two threads; one where samples are a user's code.
    """
    size = max(1, -(-do.n_in // (1 if do.is_costly else 2)))
    return [slice(first, min(first + size, do.n_in)) for first in range(0, do.n_in, size)]


def filled(blocks: Iterable[tuple[Codes, Codes]], shape: tuple[int, int, int, int], outside: int) -> NDArray[np.int32]:
    """Joint histograms (n_x, n_out, in_bins, out_bins) of blocks of input and output bins."""
    histograms = np.zeros(shape, np.int32)
    for x_codes, y_codes in blocks:
        add_to_histograms(x_codes, y_codes, outside, histograms)
    return histograms


def _blocks(begin: int, end: int) -> Iterator[tuple[int, int]]:
    """First sample and number of samples of each block."""
    for first in range(begin, end, HISTOGRAM_BLOCK):
        yield first, min(HISTOGRAM_BLOCK, end - first)


@dataclass(frozen=True)
class JointHistograms(SimulationStage):
    """Joint histograms of every edge, an array (rows, n_out, in_bins, out_bins) for each group of inputs."""

    intervention: Intervention
    n_points: int
    rows: list[slice]
    label: str
    is_shared: bool = True

    @property
    def name(self) -> str:
        return f"histograms-{self.label}"

    @property
    def n_items(self) -> int:
        return self.n_points

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        do = self.intervention

        def fill(rows: slice) -> NDArray[np.int32]:
            codes = (do.codes_anywhere(Stream.HISTOGRAM, first, count) for first, count in _blocks(begin, end))
            blocks = ((x_codes[rows], y_codes) for x_codes, y_codes in codes)
            return filled(blocks, (rows.stop - rows.start, do.n_out, do.in_bins, do.out_bins), do.outside)

        return tuple(threads.map(fill, self.rows))

    def join(self, parts: Sequence[Arrays]) -> Arrays:
        return tuple(sum(of_group[1:], of_group[0]) for of_group in zip(*parts, strict=True))


@dataclass(frozen=True)
class EdgeInformation(SimulationStage):
    """What histograms say, by groups of inputs, which are the items.

    Its arrays are the bits (n_in, n_out) of every edge; of each group the second-order variance of its sum and what the
    first order counts of it twice, bits**2, (groups, 2); the size of the correction to each group's sum, bits,
    (groups,); and the influence of some samples on it, (groups, samples).
    """

    intervention: Intervention
    n_points: int
    rows: list[slice]
    estimator: EntropyEstimator
    histograms: tuple[NDArray[np.int32], ...]
    label: str
    is_shared: bool = False

    @property
    def name(self) -> str:
        return f"histograms-information-{self.label}"

    @property
    def n_items(self) -> int:
        return len(self.rows)

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        return below_each_other(threads.map(self._group, range(begin, end)))

    def _group(self, group: int) -> Arrays:
        do, n, histograms, estimator = self.intervention, self.n_points, self.histograms[group], self.estimator
        bits = np.empty(histograms.shape[:2])
        freedom, kept = np.empty(bits.shape, np.int64), np.empty(bits.shape, np.int64)
        size = HISTOGRAM_DIGAMMAS_IN_TABLE if estimator.adds_unseen else HISTOGRAM_COUNTS_IN_TABLE
        histograms_information(histograms, *estimator.histogram_tables(size), bits, freedom, kept)
        # Where x and y are independent the first order vanishes; what is left is a chi-square, of which the samples'
        # influences have twice the variance.
        at_least_one = np.maximum(kept, 1)
        second_order = chance = float((2 * freedom / (2 * at_least_one * LN2) ** 2).sum())
        correction = float((freedom / (2 * at_least_one * LN2)).sum())
        if estimator.adds_unseen:
            noise, left = add_unseen(histograms, kept, bits)
            second_order += noise + left**2 / 3
        # Where samples are dropped more are looked at, since few may be kept.
        influence = np.zeros(min(n, INFLUENCE_POINTS if do.outside == NEVER else HISTOGRAM_PILOT))
        x_codes, y_codes = do.codes_anywhere(Stream.HISTOGRAM, 0, len(influence))
        add_influence(x_codes[self.rows[group]], y_codes, do.outside, histograms, n, influence)
        return bits, np.array([[second_order, 2 * chance]]), np.array([correction]), influence[None]


def add_unseen(
    histograms: NDArray[np.int32], kept: NDArray[np.int64], bits: NDArray[np.float64]
) -> tuple[float, float]:
    """Make `bits` (n_in, n_out) those by Zhang's estimator with what it misses; variance and bias of the latter's sum.

    Where samples are dropped an edge may keep fewer than its histogram has cells, and the states not met then hold
    most of the bias. One edge says little about them, so all edges of an output, which keep the same samples, do
    together. What is taken off does not leave less than nothing; where too many states are new, all of it may be wrong.
    """
    # Of I(X; Y) = H(X) + H(Y) - H(X, Y).
    terms = ((-1, histograms), (1, histograms.sum(axis=3)), (1, histograms.sum(axis=2)))
    variance, bias = 0.0, 0.0
    for j in np.flatnonzero(kept[0] > 0):
        n, informative = int(kept[0, j]), np.flatnonzero(bits[:, j])
        if not len(informative):
            continue
        bits[informative, j] += digamma_bits(n) - np.log2(n)
        most = max(float(bits[informative, j].sum()), 0.0)
        added, noise, left, resolved = 0.0, 0.0, 0.0, True
        for sign, counts in terms:
            once, twice, thrice = (int(np.count_nonzero(counts[informative, j] == c)) for c in (1, 2, 3))
            unseen = UnseenStates.after(n * len(informative), once, twice, thrice)
            added += sign * unseen.bits * len(informative)
            noise += (unseen.per_singleton**2 * once + unseen.per_doubleton**2 * twice) / n**2
            left += unseen.model_error * len(informative)
            seen_enough = once <= (1 - MIN_COVERAGE) * n * len(informative)
            resolved = resolved and seen_enough and not unseen.without_end
        bits[informative, j] += float(np.clip(added, -most, 0.0)) / len(informative)
        variance += min(noise, most**2)
        bias += left if resolved else max(left, most)
    return variance, bias


def histogram_sensitivity(binned: BinnedLayer, options: MeasureOptions, seed: int) -> Method[EdgeEstimate]:
    """I(X_i; Y_j) in bits of every edge with only x_i moving and the others at the baseline, by simulation.

    Notes
    -----
    The samples of an input are spread evenly over its range, one to a stretch. What is left to chance are the stretches
    in which a bin ends, so that entropies are counted as they are and the error falls as 1/n.
    """
    do = intervention_on(binned, seed)
    n_pilot = SENSITIVITY_PILOT if options.n_samples is None else min(options.n_samples, SENSITIVITY_PILOT)
    (jumps,) = yield SensitivityJumps(do, binned.baselines, n_pilot)
    # Where in its stretch a bin ends is uniform: a jump of d has the variance d**2 times the mean of u (1 - u).
    spread = float(np.sqrt(sum(jumps.tolist()) / 6))
    ceiling = min(HISTOGRAM_MAX_POINTS, max(n_pilot, HISTOGRAM_MAX_WORK // do.work))
    n = options.n_samples or int(min(max(spread / (STDERR_SHARE * options.tol), n_pilot), ceiling))
    (matrix,) = yield SensitivityHistograms(do, binned.baselines, n)
    return EdgeEstimate(matrix=matrix, stderr=spread / n, bias=0.0, n_samples=n)


@dataclass(frozen=True)
class SensitivityJumps(SimulationStage):
    """Of each input the sum over outputs, bits**2, of squared differences between neighbouring samples' influences."""

    intervention: Intervention
    baselines: NDArray[np.float64]
    n_points: int
    is_shared: bool = False

    @property
    def name(self) -> str:
        return "sensitivity-pilot"

    @property
    def n_items(self) -> int:
        return self.intervention.n_in

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        do, n = self.intervention, self.n_points

        def jumps(i: int) -> float:
            codes = do.codes_alone(i, self.baselines, Stream.SENSITIVITY, 0, n, n)
            histograms = filled([codes], (1, do.n_out, do.in_bins, do.out_bins), do.outside)
            influence = np.zeros(n)
            add_influence(*codes, do.outside, histograms, n, influence)
            return float(np.sum(np.diff(influence) ** 2))

        return (np.array(threads.map(jumps, range(begin, end))),)


@dataclass(frozen=True)
class SensitivityHistograms(SimulationStage):
    """Sensitivity in bits of every edge, (n_in, n_out): the items are inputs."""

    intervention: Intervention
    baselines: NDArray[np.float64]
    n_points: int

    @property
    def name(self) -> str:
        return "sensitivity-histograms"

    @property
    def n_items(self) -> int:
        return self.intervention.n_in

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        rows = threads.map(self._row, range(begin, end))
        return (np.concatenate([np.empty((0, self.intervention.n_out)), *rows]),)

    def _row(self, i: int) -> NDArray[np.float64]:
        do, n = self.intervention, self.n_points
        blocks = (
            do.codes_alone(i, self.baselines, Stream.SENSITIVITY, first, count, n) for first, count in _blocks(0, n)
        )
        histograms = filled(blocks, (1, do.n_out, do.in_bins, do.out_bins), do.outside)
        bits, unused = np.empty((1, do.n_out)), np.empty((2, 1, do.n_out), np.int64)
        tables = PLUGIN.histogram_tables(HISTOGRAM_COUNTS_IN_TABLE)
        histograms_information(histograms, *tables, bits, *unused)
        return bits
