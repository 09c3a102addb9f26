"""Sensitivity and EI_parts by simulation: joint histograms of every edge, filled block by block.

The only way for maps that are not dense layers, and an independent check of the exact one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Codes, Intervention
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.histograms import add_influence, add_to_histograms, histograms_information
from ei_fast.kernels.keys import NEVER
from ei_fast.measures.entropy import MIN_COVERAGE, Estimator, digamma_bits, log_table
from ei_fast.measures.unseen import Unseen
from ei_fast.runtime.threads import Arrays, Workers, share_of, stacked

MAX_CELLS = 2**25
"""n_in * n_out * in_bins * out_bins beyond which histograms are refused: 128 MiB of counts."""

MAX_POINTS = 2**22
MAX_WORK = 2**33
_PILOT_POINTS, _SENSITIVITY_PILOT = 2**15, 2**12
_CHUNK = 2**12
_INFLUENCE_POINTS = 2**12
_LOGS, _DIGAMMAS = 2**12, 2**16
"""Counts that are in a table; beyond it log2 stands in for both, which is off by 1 / (2 c ln 2)."""
_LN2 = float(np.log(2.0))


@dataclass(frozen=True)
class Edges:
    """Bits of every edge, (n_in, n_out); NaN where no sample is kept.

    Attributes
    ----------
    matrix : ndarray (n_in, n_out)
        0.0 where exact; corrected estimates of weak edges may come out slightly below 0.
    stderr : float
        Standard error of the sum; 0.0 where exact.
    bias : float
        Size of the correction that the estimator made to the sum: what it leaves is less.
    n_samples : int
        Simulated points in every edge's histogram; 0 where exact.
    """

    matrix: NDArray[np.float64]
    stderr: float
    bias: float
    n_samples: int

    @property
    def total(self) -> float:
        """The layer's figure."""
        return float(self.matrix.sum())


# Bins of inputs (n_x, m) and outputs (n_y, m) of samples first ... first + m - 1 of one group of edges.
Source = Callable[[int, int], tuple[Codes, Codes]]


def _fill(
    source: Source, shape: tuple[int, int, int, int], outside: int, samples: tuple[int, int]
) -> NDArray[np.int32]:
    """Histograms of samples number `samples[0]` to `samples[1]` - 1."""
    begin, end = samples
    histograms = np.zeros(shape, np.int32)
    for first in range(begin, end, _CHUNK):
        add_to_histograms(*source(first, min(_CHUNK, end - first)), outside, histograms)
    return histograms


def _edges(
    sources: Sequence[Source],
    shapes: Sequence[tuple[int, int, int, int]],
    outside: int,
    n: int,
    estimator: Estimator,
    workers: Workers,
) -> tuple[list[NDArray[np.float64]], float, float]:
    """Bits of groups of edges, the standard error of their sum, and the size of the correction to it."""

    def share(k: int, n_shares: int) -> Arrays:
        samples = share_of(n, k, n_shares)
        return tuple(workers.map(lambda g: _fill(sources[g], shapes[g], outside, samples), range(len(sources))))

    def together(shares: Sequence[Arrays]) -> Arrays:
        return tuple(sum(of_group[1:], of_group[0]) for of_group in zip(*shares, strict=True))

    filled = workers.shared(share, together)

    def group(k: int) -> tuple[NDArray[np.float64], float, float, float, NDArray[np.float64]]:
        histograms = filled[k]
        bits = np.empty(shapes[k][:2])
        freedom, kept = np.empty(bits.shape, np.int64), np.empty(bits.shape, np.int64)
        table = estimator.weights(_DIGAMMAS if estimator.sees_unseen else _LOGS)
        parity = int(estimator.name == "grassberger")
        histograms_information(histograms, table, parity, estimator.addend, estimator.chao_shen, bits, freedom, kept)
        # Where x and y are independent nothing is told to first order; what is left is a chi-square, of which what the
        # samples seem to tell has twice the variance.
        share = np.maximum(kept, 1)
        second_order = chance = float((2 * freedom / (2 * share * _LN2) ** 2).sum())
        correction = float((freedom / (2 * share * _LN2)).sum())
        if estimator.sees_unseen:
            noise, left = _add_unseen(histograms, kept, bits)
            second_order += noise + left**2 / 3
        # Of few that are kept more must be looked at.
        influence = np.zeros(min(n, _INFLUENCE_POINTS if outside == NEVER else _PILOT_POINTS))
        add_influence(*sources[k](0, len(influence)), outside, histograms, n, influence)
        return bits, second_order, 2 * chance, correction, influence

    groups = workers.map(group, range(len(sources)))
    bits, second_order, counted_twice, corrections, influences = zip(*groups, strict=True)
    # Groups share their samples, so that what they tell adds up sample by sample.
    first_order = float(np.var(sum(influences))) / n - sum(counted_twice)
    return list(bits), float(np.sqrt(max(first_order, 0.0) + sum(second_order))), sum(corrections)


def _add_unseen(
    histograms: NDArray[np.int32], kept: NDArray[np.int64], bits: NDArray[np.float64]
) -> tuple[float, float]:
    """Make `bits` (n_in, n_out) those by Zhang's estimator with what it misses; variance and bias of the latter's sum.

    Where samples are dropped an edge may keep fewer than its histogram has cells, and the states not met then hold
    most of the bias. One edge says little about them, so all edges of an output, which keep the same samples, do
    together. What is taken off does not leave less than nothing; where too many states are new, all of it may be wrong.
    """
    marginals = (histograms, histograms.sum(axis=3), histograms.sum(axis=2))
    variance, bias = 0.0, 0.0
    for j in np.flatnonzero(kept[0] > 0):
        n, told = int(kept[0, j]), np.flatnonzero(bits[:, j])
        if not len(told):
            continue
        bits[told, j] += digamma_bits(n) - np.log2(n)
        most = max(float(bits[told, j].sum()), 0.0)
        added, noise, left, resolved = 0.0, 0.0, 0.0, True
        for sign, counts in zip((-1, 1, 1), marginals, strict=True):
            once, twice, thrice = (int(np.count_nonzero(counts[told, j] == c)) for c in (1, 2, 3))
            unseen = Unseen.after(n * len(told), once, twice, thrice)
            added += sign * unseen.bits * len(told)
            noise += (unseen.a_single**2 * once + unseen.a_double**2 * twice) / n**2
            left += unseen.bias * len(told)
            resolved = resolved and once <= (1 - MIN_COVERAGE) * n * len(told) and not unseen.endless
        bits[told, j] += float(np.clip(added, -most, 0.0)) / len(told)
        variance += min(noise, most**2)
        bias += left if resolved else max(left, most)
    return variance, bias


def _sized(
    measure: Callable[[int, Workers], Edges], tol: float, n_samples: int | None, work: int, workers: Workers
) -> Edges:
    """The measure with as many points as asked for, or as `tol` needs after a pilot."""
    if n_samples is not None:
        return measure(n_samples, workers)
    ceiling = min(MAX_POINTS, max(_PILOT_POINTS, MAX_WORK // work))
    pilot = measure(min(_PILOT_POINTS, ceiling), workers.unshared())
    needed = pilot.n_samples * max((pilot.stderr / (0.75 * tol)) ** 2, pilot.bias / tol)
    n = int(min(max(np.nan_to_num(needed), pilot.n_samples), ceiling))
    return pilot if n == pilot.n_samples else measure(n, workers)


def histogram_parts(
    intervention: Intervention,
    tol: float,
    n_samples: int | None,
    estimator: Estimator,
    workers: Workers,
    n_groups: int,
) -> Edges:
    """I(X_i; Y_j) of every edge with all inputs uniform, by simulation.

    Parameters
    ----------
    tol : float
        Bits: standard error of the sum to aim for.
    n_samples : int or None
        Points in every histogram, in place of what `tol` asks for.
    n_groups : int
        Groups of inputs that are worked on apart.
    """
    shape = (intervention.n_in, intervention.n_out, intervention.in_bins, intervention.out_bins)

    def source(first: int, m: int) -> tuple[Codes, Codes]:
        return intervention.codes_anywhere(Stream.HISTOGRAM, first, m)

    def part(rows: slice) -> Source:
        def of_rows(first: int, m: int) -> tuple[Codes, Codes]:
            x_codes, y_codes = source(first, m)
            return x_codes[rows], y_codes

        return of_rows

    # Groups of inputs, so that there is work for several threads; each simulates the samples again.
    size = max(1, -(-intervention.n_in // n_groups))
    rows = [slice(k, min(k + size, intervention.n_in)) for k in range(0, intervention.n_in, size)]
    sources = [part(one) for one in rows]
    shapes = [(one.stop - one.start, *shape[1:]) for one in rows]

    def measure(n: int, workers: Workers) -> Edges:
        bits, stderr, bias = _edges(sources, shapes, intervention.outside, n, estimator, workers)
        return Edges(np.concatenate(bits), stderr, bias, n)

    return _sized(measure, tol, n_samples, intervention.work, workers)


def histogram_sensitivity(
    intervention: Intervention, baseline: NDArray[np.float64], tol: float, n_samples: int | None, workers: Workers
) -> Edges:
    """I(X_i; Y_j) of every edge with only x_i moving and the others at their `baseline` (n_in,), by simulation.

    The samples of an input are spread evenly over its range, one to a part. What is left to chance are the parts
    in which a bin ends, so that entropies are counted as they are and the error falls as 1/n.
    """
    do = intervention
    shape = (1, do.n_out, do.in_bins, do.out_bins)
    pilot = _SENSITIVITY_PILOT if n_samples is None else min(n_samples, _SENSITIVITY_PILOT)

    def source(i: int, n: int) -> Source:
        def of_input(first: int, m: int) -> tuple[Codes, Codes]:
            return do.codes_alone(i, baseline, Stream.SENSITIVITY, first, m, n)

        return of_input

    def jumps(i: int) -> float:
        """Sum of the squared differences between what neighbouring samples tell over all outputs."""
        codes = source(i, pilot)(0, pilot)
        histograms, influence = np.zeros(shape, np.int32), np.zeros(pilot)
        add_to_histograms(*codes, do.outside, histograms)
        add_influence(*codes, do.outside, histograms, pilot, influence)
        return float(np.sum(np.diff(influence) ** 2))

    def bits(i: int) -> NDArray[np.float64]:
        out, unused = np.empty(shape[:2]), np.empty((2, *shape[:2]), np.int64)
        histograms = _fill(source(i, n), shape, do.outside, (0, n))
        histograms_information(histograms, log_table(_LOGS), 0, 0.0, False, out, *unused)
        return out

    # Where in its part a bin ends is uniform: a jump of d has the variance d**2 times the mean of u (1 - u).
    spread = float(np.sqrt(sum(workers.map(jumps, range(do.n_in))) / 6))
    ceiling = min(MAX_POINTS, max(pilot, MAX_WORK // do.work))
    n = n_samples or int(min(max(spread / (0.75 * tol), pilot), ceiling))

    def share(k: int, n_shares: int) -> Arrays:
        rows = workers.map(bits, range(*share_of(do.n_in, k, n_shares)))
        return (np.concatenate([np.empty((0, do.n_out)), *rows]),)

    (matrix,) = workers.shared(share, stacked)
    return Edges(matrix, spread / n, 0.0, n)
