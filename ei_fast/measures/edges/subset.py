"""Sensitivity and EI_parts of a random subset of a layer's edges, and what their sums over all edges are by these."""

from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.streams import Stream, neuron_keys
from ei_fast.kernels.edges import edges_that_cross, scattered_sensitivity, sharpness, shuffle
from ei_fast.kernels.scattered_parts import scattered_parts
from ei_fast.kernels.uniforms import fill_uniforms
from ei_fast.measures.constants import (
    CHANCE_BY_SIZE,
    CHANCE_OF_CROSSING,
    LN2,
    STRATUM_DRAWS,
    STRATUM_EDGES,
)
from ei_fast.measures.edges.estimate import EdgeEstimate
from ei_fast.measures.edges.matrices import Target
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Arrays, Method, Stage, below_each_other
from ei_fast.network.binned import BinnedLayer
from ei_fast.runtime.threads import Threads


def is_subset(binned: BinnedLayer, options: MeasureOptions) -> bool:
    """Whether a layer has more edges than are to be measured."""
    return options.pairwise_edges is not None and binned.layer.n_in * binned.layer.n_out > options.pairwise_edges


def sampled_edges(measure: str, binned: BinnedLayer, options: MeasureOptions, seed: int) -> Method[EdgeEstimate]:
    """A measure of some edges of a dense layer, exactly, and by these the sum over all; NaN for the other edges."""
    assert options.pairwise_edges is not None
    edges, drawn, strata = yield SampledEdges(binned, tuple(strata_of(binned, options.pairwise_edges)), seed, measure)
    with Target.of(binned, measure, options) as target:
        matrix = target.empty(binned.layer.n_out)
        matrix.fill(np.nan)
        matrix[edges[:, 0], edges[:, 1]] = drawn[:, 0]
        matrix = target.kept(matrix)
    total, stderr = total_of(drawn, strata)
    if measure == "ei_parts" and binned.outputs_never_kept().size:
        total = np.nan
    return EdgeEstimate(matrix, stderr, bias=0.0, n_samples=0, estimated_total=total)


def total_of(drawn: NDArray[np.float64], strata: NDArray[np.float64]) -> tuple[float, float]:
    """Estimate of the sum over all edges, and its standard error, in bits.

    Parameters
    ----------
    drawn : ndarray (q, 7)
        As `SampledEdges` has them.
    strata : ndarray (s, 5)
        As `SampledEdges` has them.

    Notes
    -----
    Rao, Hartley & Cochran 1962 (J. R. Stat. Soc. B 24:482): the N edges of a stratum are divided at random into groups,
    and of each group g one edge is drawn with the probability p/P, P being the sum of p over the group. With sizes p
    that add up to 1, T = sum of e P/p estimates the sum of all e without bias, and sum of P (e/p - T)**2, times the
    factor (sum of N_g**2 - N) / (N**2 - sum of N_g**2), its variance: without replacement, so that it is 0 where each
    group has one edge. Here e is what is left of the bits once a multiple of each known quantity is taken off; the sums
    of these over all edges are known, and go back on.
    """
    if np.isnan(drawn[:, 0]).any() or strata[:, 4].any():
        return np.nan, np.nan
    bits, p, group, known, stratum = drawn[:, 0], drawn[:, 1], drawn[:, 2], drawn[:, 3:6], drawn[:, 6].astype(np.int64)
    root = np.sqrt(group)[:, None] / p[:, None]
    scale = np.maximum(np.abs(known).max(axis=0, initial=0.0), 1e-300)
    slopes = np.linalg.lstsq(root * known / scale, root[:, 0] * bits, rcond=1e-10)[0] / scale
    left = bits - known @ slopes
    totals = np.bincount(stratum, left * group / p, len(strata))
    deviations = np.bincount(stratum, group * (left / p - totals[stratum]) ** 2, len(strata))
    variance = float((strata[:, 3] * deviations).sum())
    return float(totals.sum() + (strata[:, :3] @ slopes).sum()), float(np.sqrt(variance))


@dataclass(frozen=True)
class Stratum:
    """Consecutive outputs, and how many of the edges into them are drawn."""

    begin: int
    end: int
    draws: int


def strata_of(binned: BinnedLayer, n_edges: int) -> list[Stratum]:
    """The strata of a layer of whose edges so many are drawn."""
    n_in, n_out = binned.layer.n_in, binned.layer.n_out
    n_strata = max(1, min(-(-n_in * n_out // STRATUM_EDGES), n_edges // STRATUM_DRAWS, n_out))
    firsts = [n_out * s // n_strata for s in range(n_strata + 1)]
    blocks = range(0, n_in // binned.groups, max(1, STRATUM_EDGES // n_out))
    columns = binned.columns
    of_outputs = sum(np.count_nonzero(columns[i : i + blocks.step], axis=0) for i in blocks)
    counts = [int(np.sum(of_outputs[begin:end])) for begin, end in pairwise(firsts)]
    before = [0, *accumulate(counts)]
    shares = [n_edges * count // max(before[-1], 1) for count in before]
    return [
        Stratum(begin, end, min(count, max(after - first, 2)))
        for (begin, end), count, (first, after) in zip(pairwise(firsts), counts, pairwise(shares), strict=True)
    ]


@dataclass(frozen=True)
class SampledEdges(Stage):
    """A measure of edges that are drawn; the items are strata.

    Its arrays are the edges drawn, (q, 2), as pairs of input and output; what is known of them, (q, 7): bits, size p,
    the sum of p over the group, the three quantities whose sums are known (1, bits expected, whether the edge moves its
    output alone), and the stratum's number; and of each stratum, (s, 5): sums of the three, factor of the variance, and
    how many edges are undefined.
    """

    binned: BinnedLayer
    strata: tuple[Stratum, ...]
    seed: int
    measure: str

    @property
    def name(self) -> str:
        return f"{self.measure.replace('_', '-')}-of-some"

    @property
    def n_items(self) -> int:
        return len(self.strata)

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        before = [0, *accumulate(stratum.draws for stratum in self.strata)]
        # Of no strata, as parts have where there are more jobs than strata.
        nothing = np.empty((0, 2), np.int64), np.empty((0, 7)), np.empty((0, 5))
        found = threads.map(lambda s: self._stratum(s, self.strata[s], before[s]), range(begin, end))
        return below_each_other([nothing, *found])

    def _stratum(self, number: int, stratum: Stratum, first_draw: int) -> Arrays:
        edges = _Edges.of(self.binned, stratum)
        sizes = edges.sizes()
        keys = neuron_keys(self.seed, (self.binned.index, 0), Stream.EDGES, 4)
        places, groups, factor = drawn_by_groups(sizes, stratum.begin * edges.n_in, stratum.draws, keys, first_draw)
        at = edges.places[places]
        outputs, inputs = at // edges.n_in, at % edges.n_in
        bits = (edges.sensitivity if self.measure == "sensitivity" else edges.parts)(outputs, inputs)
        expected, crosses = edges.expected[places], edges.crosses[places]
        ones = np.ones(len(places))
        drawn = np.stack([bits, sizes[places], groups, ones, expected, crosses, number * ones], axis=1)
        undefined = edges.undefined if self.measure == "sensitivity" else 0
        known = [len(sizes), edges.expected.sum(), edges.crosses.sum(), factor, undefined]
        return np.stack([inputs, outputs + stratum.begin], axis=1), drawn, np.array([known], np.float64)


def drawn_by_groups(
    sizes: NDArray[np.float64], first: int, draws: int, keys: NDArray[np.uint64], first_draw: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], float]:
    """One of each of some random groups.

    Parameters
    ----------
    sizes : ndarray (n,)
        Those of a group are proportional to the probabilities in it.
    first : int
        Number in its streams of the first of the uniforms that make the groups.
    draws : int
        Number of groups, at most n.
    keys : ndarray (4,), uint64
    first_draw : int
        Number of the first group in its stream.

    Returns
    -------
    places : ndarray (draws,)
        Which are drawn, in rising order.
    groups : ndarray (draws,)
        Sum of the sizes of each one's group.
    factor : float
        Of the variance.
    """
    if not draws:
        return np.empty(0, np.intp), np.empty(0), 0.0
    order = np.empty(len(sizes), np.int64)
    shuffle(_uniforms(keys[:2], first, first + len(sizes)), order)
    ends = len(sizes) * np.arange(draws + 1) // draws
    running = np.concatenate([[0.0], np.cumsum(sizes[order])])
    groups = running[ends[1:]] - running[ends[:-1]]
    targets = running[ends[:-1]] + _uniforms(keys[2:], first_draw, first_draw + draws) * groups
    chosen = np.clip(np.searchsorted(running, targets, side="right") - 1, ends[:-1], ends[1:] - 1)
    places = order[chosen]
    rising = np.argsort(places)
    squares, n = float((np.diff(ends).astype(np.float64) ** 2).sum()), float(len(sizes))
    factor = (squares - n) / (n * n - squares) if draws > 1 else 0.0
    return places[rising], groups[rising], factor


def _uniforms(keys: NDArray[np.uint64], begin: int, end: int) -> NDArray[np.float64]:
    """Uniforms on (0, 1) of consecutive numbers, each of two words of 24 bits."""
    words = np.empty((2, end - begin), np.float32)
    fill_uniforms(keys, begin, end - begin, words)
    first, second = words.astype(np.float64)
    return first + 0.5 + 2.0**-24 * second


@dataclass(frozen=True)
class _Edges:
    """Edges into consecutive outputs, and what is known of those whose weight is not 0 without measuring them.

    Attributes
    ----------
    binned : BinnedLayer
    begin, end : int
        The outputs.
    weights : ndarray (outputs, n_in)
    places : ndarray (n,), int64
        The edges whose weight is not 0, by their places in `weights`.
    expected : ndarray (n,)
        Bits that they carry by a normal distribution of the pre-activation: a contribution whose variance v is small
        has v / (2 ln 2) times the information about shifts.
    crosses : ndarray (n,), bool
        Whether the input alone moves the output across a breakpoint.
    undefined : int
        How many edges of any weight have no sensitivity.
    """

    binned: BinnedLayer
    begin: int
    end: int
    weights: NDArray[np.float64]
    places: NDArray[np.int64]
    expected: NDArray[np.float64]
    crosses: NDArray[np.bool_]
    undefined: int

    @classmethod
    def of(cls, binned: BinnedLayer, stratum: Stratum) -> "_Edges":
        begin, end = stratum.begin, stratum.end
        weights = binned.weight[:, begin:end].T.copy()
        steps, (low, high) = binned.steps, binned.span
        crosses = np.empty(weights.shape, np.bool_)
        undefined = edges_that_cross(
            weights,
            binned.bias[begin:end].copy(),
            binned.baselines,
            low,
            high,
            steps.breaks,
            steps.sizes,
            steps.codes,
            steps.rows[begin:end],
            steps.outside,
            crosses,
        )
        places = np.flatnonzero(weights)
        # Variance of the input's bin centres.
        of_input = (high - low) ** 2 / 12 * (1 - 1 / binned.in_bins**2)
        information = np.empty(end - begin)
        sharpness(
            binned.bias[begin:end] + 0.5 * (low + high) * weights.sum(axis=1),
            (high - low) * np.sqrt((weights**2).sum(axis=1) / 12),
            steps.breaks,
            steps.sizes,
            steps.codes,
            steps.rows[begin:end],
            steps.n_bins + 1,
            steps.outside,
            information,
        )
        expected = np.minimum(weights**2 * (of_input / (2 * LN2) * information)[:, None], np.log2(binned.in_bins))
        return cls(binned, begin, end, weights, places, expected.flat[places], crosses.flat[places], undefined)

    @property
    def n_in(self) -> int:
        n_in: int = self.weights.shape[1]
        return n_in

    def sizes(self) -> NDArray[np.float64]:
        """Chances to be drawn but for a factor, adding up to 1."""
        n = len(self.places)
        sizes = np.full(n, 1 - CHANCE_BY_SIZE - CHANCE_OF_CROSSING) / max(n, 1)
        for share, quantity in ((CHANCE_BY_SIZE, self.expected), (CHANCE_OF_CROSSING, self.crosses)):
            if (total := quantity.sum()) > 0:
                sizes += share * quantity / total
        return sizes / max(float(sizes.sum()), 1e-300)

    def sensitivity(self, outputs: NDArray[np.int64], inputs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Of edges by their places in `weights`."""
        binned, steps, out = self.binned, self.binned.steps, np.empty(len(inputs))
        scattered_sensitivity(
            self.weights,
            binned.bias[self.begin : self.end].copy(),
            binned.baselines,
            binned.in_edges,
            steps.breaks,
            steps.sizes,
            steps.codes,
            steps.rows[self.begin : self.end],
            steps.n_bins + 1,
            steps.outside,
            outputs,
            inputs,
            out,
        )
        return out

    def parts(self, outputs: NDArray[np.int64], inputs: NDArray[np.int64]) -> NDArray[np.float64]:
        """EI_parts of edges by their places in `weights`."""
        binned, steps, (low, high) = self.binned, self.binned.steps, self.binned.span
        out = np.zeros(len(inputs))
        measured = binned.outputs_that_move()[self.begin + outputs]
        found = np.empty(np.count_nonzero(measured))
        scattered_parts(
            self.weights,
            binned.bias[self.begin : self.end] + 0.5 * (low + high) * self.weights.sum(axis=1),
            high - low,
            binned.in_bins,
            steps.breaks,
            steps.sizes,
            steps.codes,
            steps.rows[self.begin : self.end],
            steps.outside,
            steps.n_bins + 1,
            outputs[measured],
            inputs[measured],
            found,
        )
        out[measured] = found
        out[np.isin(self.begin + outputs, binned.outputs_never_kept())] = np.nan
        return out
