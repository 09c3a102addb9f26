"""By how much EI changes without a neuron or edge, counted from samples that all such layers share."""

from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, ndtr

from ei_fast.intervention.streams import Stream, neuron_keys
from ei_fast.kernels.ablation import ablated_keys, control_of_cells, multiplicities, summed, words_of_codes
from ei_fast.kernels.uniforms import fill_cells, fill_uniforms
from ei_fast.measures.ablation.noise import PointNoise, influences_of_cells, variance_of_difference
from ei_fast.measures.ablation.variants import NOTHING, Variants
from ei_fast.measures.constants import LN2, NONE_SEEN, SKEWNESS, Z95
from ei_fast.measures.counting.counts import Counts
from ei_fast.measures.counting.estimators import ZHANG_UNSEEN
from ei_fast.measures.counting.sampled import SampledEntropy, entropy_of_counts
from ei_fast.measures.entropies.cells import CellEntropies, CellStatistics
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.bins import bin_edges
from ei_fast.network.components import Component
from ei_fast.network.steps import StepTable
from ei_fast.runtime.threads import Threads

Values = NDArray[np.float64]

POINTS_IN_CELL = 64
"""Points in each cell that is drawn."""
FIRST_POINTS = 2**16
"""Points anywhere with which it begins, and as many in cells."""
MAX_KEYS = 2**25
"""Keys that are counted at the most, of all layers together: about a second of one core."""
MIN_COVERAGE = 0.7
"""Of what a layer and one that lacks something of it have in common, what was not met cancels in their difference."""
_HOPELESS = 0.2
CONTROL_CELLS = 2**16
"""Cells at the most of which the mean of the control is taken, without any point in them."""
_CONTROL_ENTRIES = 2**25
_GRID = 1024
_BLOCK = 2**13
_FEWEST_A_TASK, _KEYS_A_TASK = 16, 2**22
"""Layers of one thread's task, which all of them draw points for anew, and keys that it keeps beyond these: 32 MiB."""
_WORDS = 31
"""Told apart from the streams of uniforms of the same place."""


@dataclass(frozen=True, eq=False)
class Changes:
    """By how much EI changes in each of several layers, bits.

    Attributes
    ----------
    change, stderr : ndarray (n,)
    low, high : ndarray (n,)
        Of a 95 % interval, the bias that may be left included; ends of a bracket where `bracketed`.
    bracketed : ndarray (n,), bool
        Where the change is known to lie between the ends and no better.
    """

    change: Values
    stderr: Values
    low: Values
    high: Values
    bracketed: NDArray[np.bool_]

    @classmethod
    def none(cls, n: int) -> "Changes":
        """Of layers that are what they were: exactly 0."""
        return cls(np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n, dtype=bool))

    def put(self, places: NDArray[np.intp], found: "Changes") -> None:
        """Write what was found of some of the layers into these."""
        for name, values in vars(found).items():
            getattr(self, name)[places] = values


@dataclass(frozen=True, eq=False)
class _Counted:
    """What was counted of one layer.

    Attributes
    ----------
    output : SampledEntropy
    points : PointNoise
        How H(Y) moves with the points anywhere.
    inside : CellEntropies
    of_cells : ndarray (r,)
        What each cell adds to H(Y | X), bits, the noise of what is added for unseen states included.
    """

    output: SampledEntropy
    points: PointNoise
    inside: CellEntropies
    of_cells: Values

    @property
    def resolved(self) -> bool:
        """Whether a difference to such another can be relied on."""
        output, inside = self.output, self.inside
        endless = output.unseen.without_end or inside.unseen.without_end
        return min(output.coverage, inside.coverage) >= MIN_COVERAGE and not endless

    @property
    def ei(self) -> float:
        return self.output.value - float(np.mean(self.inside.entropies))


class SharedSamples:
    """Samples of a component of a layer, which all layers that lack something of it have in common.

    Parameters
    ----------
    binned : BinnedLayer
    component : Component
        Of it, with all its outputs, repeated and constant ones included.
    seed : int
    values : ndarray (n_in,)
        What stands in place of each input of the layer, in its `span`.
    """

    def __init__(self, binned: BinnedLayer, component: Component, seed: int, values: Values):
        self._weight, self._bias = np.array(component.weight, order="C"), component.bias.copy()
        self._values = values[component.inputs].copy()
        self._steps = binned.steps.of_outputs(component.outputs)
        self._in_bins = binned.in_bins
        edges = bin_edges(binned.span, binned.in_bins)
        self._middles = 0.5 * (edges[:-1] + edges[1:])
        self._centre, self._width = 0.5 * (edges[0] + edges[-1]), edges[-1] - edges[0]
        place = (binned.index, int(component.inputs[0]))
        n_in, n_out = component.weight.shape
        self._streams = {
            one: neuron_keys(seed, place, one, n_in) for one in (Stream.MARGINAL, Stream.CELLS, Stream.POINTS)
        }
        words = np.random.SeedSequence(seed, spawn_key=(*place, _WORDS)).generate_state(
            n_out * (binned.out_bins + 1), np.uint64
        )
        self._words = words.reshape(n_out, -1)
        n_cells = min(CONTROL_CELLS, max(_CONTROL_ENTRIES // n_in, 1))
        cells = np.empty((n_cells, n_in), np.int32)
        fill_cells(self._streams[Stream.CELLS], 0, self._in_bins, cells)
        self._control = _Control.of(self._weight, self._bias, self._middles, cells, self._steps)
        self._coverage = 1.0
        self.most = n_out * float(np.log2(binned.out_bins))

    def changes(self, variants: Variants, tol: float, effort: float, threads: Threads) -> Changes | None:
        """By how much EI changes in each layer; None where the samples do not resolve the states of all of them.

        Parameters
        ----------
        variants : Variants
            By the numbers of inputs and outputs within the component.
        tol : float
            Bits that standard error and bias of every change are to be below, as far as `MAX_KEYS` allow.
        effort : float
            Multiplies these.
        threads : Threads
        """
        n = FIRST_POINTS
        while True:
            found = self._changes(variants, n, threads)
            if found is not None and (found.high - found.change).max(initial=0.0) <= Z95 * tol:
                return found
            hopeless = found is None and self._coverage < _HOPELESS
            if hopeless or 8 * n * len(variants) > MAX_KEYS * effort:
                return found
            n *= 4

    def _changes(self, variants: Variants, n: int, threads: Threads) -> Changes | None:
        nothing = np.array([NOTHING])
        (whole,) = self._counted(Variants(nothing, nothing), n)
        self._coverage = whole.output.coverage
        if not whole.resolved:
            return None
        # Of an edge and of an output one output alone is concerned.
        most = self.most if variants.outputs[0] == NOTHING else self.most / len(self._bias)
        most_a_task = max(_FEWEST_A_TASK, _KEYS_A_TASK // n)
        # An even number, for two threads.
        n_tasks = 2 * ceil(len(variants) / (2 * most_a_task)) if len(variants) > _FEWEST_A_TASK else 1
        ends = np.linspace(0, len(variants), n_tasks + 1).astype(int)
        tasks = [slice(first, last) for first, last in pairwise(ends.tolist())]

        def compared(some: slice) -> list[tuple[float, float, float, bool]]:
            counted = self._counted(variants.at(some), n)
            controls = self._control.changes(self._weight, self._values, variants.at(some))
            return [
                (*_change(whole, one, control, most), one.resolved)
                for one, control in zip(counted, controls, strict=True)
            ]

        rows = [row for rows in threads.map(compared, tasks, title="layers without") for row in rows]
        change, stderr, bias, resolved = (np.array(column) for column in zip(*rows, strict=True))
        if not resolved.all():
            return None
        half = Z95 * stderr + bias
        return Changes(change, stderr, change - half, change + half, np.zeros(len(change), dtype=bool))

    def _counted(self, variants: Variants, n: int) -> list[_Counted]:
        """What is counted of each layer, of n points anywhere and as many inside cells."""
        anywhere, inside = self._keys(variants, n, inside=False), self._keys(variants, n, inside=True)
        size = 1 << (2 * n - 1).bit_length()
        scratch = np.empty(size, np.uint64), np.empty(size, np.int64), np.empty(n, np.int64)
        found, often = [], np.empty(n, np.int64)
        for k in range(len(variants)):
            multiplicities(anywhere[k], *scratch, often)
            statistics = CellStatistics.of_keys(inside[k].reshape(-1, POINTS_IN_CELL), ZHANG_UNSEEN)
            cells = CellEntropies(statistics, POINTS_IN_CELL, ZHANG_UNSEEN, n, most=self.most)
            found.append(_Counted(*_entropy(often), cells, influences_of_cells(statistics)))
        return found

    def _keys(self, variants: Variants, n: int, inside: bool) -> NDArray[np.uint64]:
        """Keys (len(variants), n) of points anywhere, or of POINTS_IN_CELL in each of several cells."""
        keys = np.empty((len(variants), n), np.uint64)
        n_out = len(self._bias)
        steps = self._steps
        table = (steps.breaks, steps.sizes, steps.codes, steps.rows, self._words)
        inputs, outputs = (np.ascontiguousarray(one, dtype=np.int64) for one in (variants.inputs, variants.outputs))
        s, words, base = np.empty((n_out, _BLOCK)), np.empty((n_out, _BLOCK), np.uint64), np.empty(_BLOCK, np.uint64)
        for first in range(0, n, _BLOCK):
            x = self._inputs_in_cells(first) if inside else self._inputs_anywhere(first)
            summed(self._weight, self._bias, x, s)
            words_of_codes(s, *table, words, base)
            ablated_keys(self._weight, self._values, inputs, outputs, x, s, *table, words, base, first, keys)
        return keys

    def _uniforms(self, stream: Stream, first: int) -> Values:
        uniforms = np.empty((len(self._weight), _BLOCK), np.float32)
        fill_uniforms(self._streams[stream], first, _BLOCK, uniforms)
        return uniforms.astype(np.float64)

    def _inputs_anywhere(self, first: int) -> Values:
        inputs: Values = self._centre + self._width * self._uniforms(Stream.MARGINAL, first)
        return inputs

    def _inputs_in_cells(self, first: int) -> Values:
        cells = np.empty((_BLOCK // POINTS_IN_CELL, len(self._weight)), np.int32)
        fill_cells(self._streams[Stream.CELLS], first // POINTS_IN_CELL, self._in_bins, cells)
        middles = np.repeat(self._middles[cells.T], POINTS_IN_CELL, axis=1)
        inputs: Values = middles + self._width / self._in_bins * self._uniforms(Stream.POINTS, first)
        return inputs


def _change(whole: _Counted, one: _Counted, control: Values, most: float) -> tuple[float, float, float]:
    """The change of EI, by `most` bits at the most, its standard error and the bias that may be left."""
    of_cells = one.inside.entropies - whole.inside.entropies
    if len(of_cells) > len(control):
        # So many cells need none.
        control = np.zeros(len(of_cells))
    slope, excess = _regressed(of_cells, control)
    change = one.ei - whole.ei + slope * excess
    of_output, of_points = variance_of_difference(one.points, whole.points)
    unexplained = one.of_cells - whole.of_cells - slope * control[: len(of_cells)]
    unexplained -= unexplained.mean()
    of_cells_variance = float(np.sum(unexplained * unexplained)) / (len(unexplained) - 1) / len(unexplained)
    variance = of_output + of_cells_variance + slope**2 * float(np.var(control)) / len(control)
    bias = abs(one.output.unseen.model_error - whole.output.unseen.model_error)
    bias += abs(one.inside.unseen.model_error - whole.inside.unseen.model_error)
    bias += _of_few(of_points, most) + _of_few(unexplained, most)
    return change, float(np.sqrt(variance)), bias


def _of_few(deviations: Values, most: float) -> float:
    """Bias of a mean that rests on few draws, by `most` bits at the most where none differs, from its deviations."""
    n, squares = len(deviations), float(np.sum(deviations * deviations))
    if not deviations.any():
        # Of what no sample has met there may be a little.
        return min(NONE_SEEN / n, 1.0) * most
    return SKEWNESS * abs(float(np.sum(deviations * deviations * deviations))) / squares / n


def _regressed(values: Values, control: Values) -> tuple[float, float]:
    """Slope of values on the first of a control, and by how much the mean of these is above that of all."""
    of_values, mean = control[: len(values)], float(control.mean())
    deviations = of_values - of_values.mean()
    spread = float(np.sum(deviations**2))
    slope = float(np.sum(deviations * values)) / spread if spread > 0.0 else 0.0
    return slope, float(of_values.mean()) - mean


@dataclass(frozen=True, eq=False)
class _Control:
    """What a cell's entropy goes along with: the sum over outputs of what each has alone, were it Gaussian in the cell.

    It takes no point, and needs no accuracy: the mean over many cells is taken off.

    Attributes
    ----------
    middles : ndarray (in_bins,)
    bins : ndarray (n_in, r), uint16
        The cells.
    centres : ndarray (n_out, r)
        Pre-activations in their middles.
    lows, widths, tables : ndarray (n_out,), (n_out,), (n_out, g)
        Entropy in bits of each output by its pre-activation.
    """

    middles: Values
    bins: NDArray[np.uint16]
    centres: Values
    lows: Values
    widths: Values
    tables: Values

    @classmethod
    def of(
        cls, weight: Values, bias: Values, middles: Values, cells: NDArray[np.int32], steps: StepTable
    ) -> "_Control":
        """Of the cells of a component."""
        bins = np.ascontiguousarray(cells.T.astype(np.uint16))
        centres = np.empty((weight.shape[1], len(cells)))
        for first in range(0, len(cells), _BLOCK):
            some = np.empty((len(bias), min(_BLOCK, len(cells) - first)))
            summed(weight, bias, middles[bins[:, first : first + _BLOCK]], some)
            centres[:, first : first + _BLOCK] = some
        spreads = (middles[1] - middles[0]) * np.sqrt((weight**2).sum(axis=0) / 12)
        low, high = centres.min(axis=1), centres.max(axis=1)
        # A layer without an edge may reach as far again.
        lows, highs = low - 0.5 * (high - low) - 1e-9, high + 0.5 * (high - low) + 1e-9
        places = np.linspace(lows, highs, _GRID, axis=1)
        tables = np.array(
            [
                _entropies_of_normal(places[j], spreads[j], steps.breaks_of(j), steps.codes_of(j))
                for j in range(len(bias))
            ]
        )
        return cls(middles, bins, centres, lows, (highs - lows) / (_GRID - 1), tables)

    def changes(self, weight: Values, values: Values, variants: Variants) -> Values:
        """By how much it changes in each cell of each layer, (n, r)."""
        out = np.empty((len(variants), self.centres.shape[1]))
        inputs, outputs = (np.ascontiguousarray(one, dtype=np.int64) for one in (variants.inputs, variants.outputs))
        control_of_cells(
            weight, values, inputs, outputs, self.middles, self.bins, self.centres, self.lows, self.widths, self.tables,
            out,
        )  # fmt: skip
        return out


def _entropies_of_normal(centres: Values, spread: float, breaks: Values, codes: NDArray[np.uint16]) -> Values:
    """Entropy in bits of the code of a normal pre-activation, by its mean."""
    with np.errstate(divide="ignore", invalid="ignore"):
        below = ndtr((breaks - centres[:, None]) / max(spread, 1e-300))
    pieces = np.diff(below, axis=1, prepend=0.0, append=1.0)
    shares = np.stack([pieces[:, codes == code].sum(axis=1) for code in np.unique(codes)], axis=1)
    entropies: Values = entr(np.maximum(shares, 0.0)).sum(axis=1) / LN2
    return entropies


def _entropy(often: NDArray[np.int64]) -> tuple[SampledEntropy, PointNoise]:
    """H(Y) of points whose states occur so often, and what each of them adds to it."""
    n_points = np.bincount(often, minlength=4)
    multiplicity = np.flatnonzero(n_points)
    n_states = n_points[multiplicity] // multiplicity
    each = np.repeat(multiplicity, n_states)
    output = entropy_of_counts(Counts(np.empty(0, np.uint64), each, (multiplicity, n_states)), len(often), ZHANG_UNSEEN)
    return output, PointNoise.of(often, n_points)
