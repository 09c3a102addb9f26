"""The intervention with inputs drawn from histograms, on any map: do(L1 = a product of histograms)."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.do import Cells, Codes, Intervention, Keys, Outputs
from ei_fast.intervention.streams import Stream, neuron_keys
from ei_fast.kernels.drawn_bins import fill_drawn_bins
from ei_fast.network.entropies import entropies_of
from ei_fast.network.input_histograms import InputHistograms

_BINS = 1
"""What tells the streams from which bins are drawn from those of the places inside them."""
_AT_ONCE = 2**13
"""Samples whose bins are in memory together."""
_WORK = 3
"""Times what a sample of uniform inputs costs, whose cell need not be found."""
_GRID = 2.0**24
"""Values that a uniform takes: see `fill_uniforms`."""


class DrawnInputs(Intervention):
    """The map of an intervention, its inputs drawn independently from histograms.

    Inside a cell, in which every input is held in a bin, all inputs are uniform. So a sample is a cell that is drawn
    from the histograms, and a point of the intervention with uniform inputs in it.

    Parameters
    ----------
    uniform : Intervention
        do(L1 = H^max) on the same map; its cells hold every input.
    histograms : InputHistograms
    inputs : ndarray of int, optional
        Neurons whose bins make up a cell; all where not given.
    """

    cells_weigh_alike = False

    def __init__(
        self,
        uniform: Intervention,
        histograms: InputHistograms,
        *,
        seed: int,
        place: Sequence[int],
        inputs: NDArray[np.intp] | None = None,
    ):
        assert uniform.whole_cells
        super().__init__(
            uniform.n_in,
            uniform.n_out,
            in_bins=uniform.in_bins,
            out_bins=uniform.out_bins,
            drop=uniform.drop,
            inputs=inputs,
            seed=seed,
            place=place,
        )
        self._uniform, self._histograms = uniform, histograms
        self.is_thread_safe, self.is_costly = uniform.is_thread_safe, uniform.is_costly

    def restricted(self, outputs: Outputs) -> "DrawnInputs":
        uniform = self._uniform.restricted(outputs)
        some = DrawnInputs(uniform, self._histograms, seed=self._seed, place=self._place, inputs=self.inputs)
        if "output_entropies" in self.__dict__ and self.output_entropies is not None:
            some.__dict__["output_entropies"] = self.output_entropies[outputs]
        return some

    @property
    def work(self) -> int:
        return _WORK * self._uniform.work

    @property
    def least_points(self) -> int:
        return self._uniform.least_points

    @cached_property
    def output_entropies(self) -> NDArray[np.float64] | None:
        do = self._uniform
        if do.drop or not isinstance(do, DenseIntervention):
            return None
        return entropies_of(self._histograms.output_probabilities(do.weight, do.bias, do.in_range, do.steps))

    def output_groups(self) -> list[range]:
        return self._uniform.output_groups()

    def bins_anywhere(self, outputs: range, stream: Stream, count: int) -> Keys:
        return self.restricted(outputs).codes_anywhere(stream, 0, count)[1].astype(np.uint64)

    def moving(self, cells: Cells) -> NDArray[np.bool_]:
        return self._uniform.moving(cells) if self.whole_cells else super().moving(cells)

    def open_cells(self, cells: Cells) -> NDArray[np.bool_]:
        return self._uniform.open_cells(cells) if self.whole_cells else super().open_cells(cells)

    def drawn_cells(self, stream: Stream, first: int, count: int) -> Cells:
        drawn = self._drawn(self._keys_of(stream), np.array([first]), count)
        return drawn if self.whole_cells else self.held(drawn[:, self.inputs])

    def keys_from(self, stream: Stream, firsts: NDArray[np.int64], cells: Cells, m: int) -> Keys:
        if self.whole_cells:
            return self._uniform.keys_from(stream, firsts, cells, m)
        keys = np.empty((len(cells), m), np.uint64)
        per_task = max(1, _AT_ONCE // m)
        for begin in range(0, len(cells), per_task):
            some = slice(begin, begin + per_task)
            whole = self._drawn(self._bin_keys(stream), firsts[some], m)
            whole[:, self.inputs] = np.repeat(cells[some][:, self.inputs], m, axis=0)
            numbers = (firsts[some, None] + np.arange(m)).reshape(-1)
            keys[some] = self._uniform.keys_from(stream, numbers, whole, 1).reshape(-1, m)
        return keys

    def fill_anywhere(self, stream: Stream, first: int, keys: Keys) -> None:
        for begin in range(0, len(keys), _AT_ONCE):
            some = keys[begin : begin + _AT_ONCE]
            cells = self._cells(stream, first + begin, len(some))
            some[:] = self._uniform.keys_inside(stream, first + begin, cells, 1)[:, 0]

    def codes_anywhere(self, stream: Stream, first: int, count: int) -> tuple[Codes, Codes]:
        x_codes, y_codes = np.empty((self.n_in, count), np.uint16), np.empty((self.n_out, count), np.uint16)
        for begin in range(0, count, _AT_ONCE):
            some = slice(begin, min(begin + _AT_ONCE, count))
            cells = self._cells(stream, first + begin, some.stop - begin)
            x_codes[:, some] = cells.T
            y_codes[:, some] = self._uniform.codes_in(stream, first + begin, cells)
        return x_codes, y_codes

    def input_codes_anywhere(self, i: int, stream: Stream, first: int, count: int) -> Codes:
        codes: Codes = self._drawn(self._bin_keys(stream), np.array([first]), count)[:, i].astype(np.uint16)
        return codes

    def _placed(self, i: int, shares: NDArray[np.float64]) -> NDArray[np.float32]:
        p = self._histograms.probabilities[i]
        below = np.concatenate([[0.0], np.cumsum(p)])
        # Bins of probability 0 are left out, so that no sample is at their edge.
        met = np.flatnonzero(p)
        k = np.clip(np.searchsorted(below[met], shares, side="right") - 1, 0, len(met) - 1)
        position = (met[k] + np.clip((shares - below[met][k]) / p[met[k]], 0.0, 1.0)) / self.in_bins
        # On the grid of uniforms, and in the bin that was found.
        first, last = np.ceil(met * _GRID / self.in_bins), np.ceil((met + 1) * _GRID / self.in_bins) - 1
        placed: NDArray[np.float64] = np.clip(np.floor(position * _GRID), first[k], last[k])
        return ((placed + 0.5) / _GRID - 0.5).astype(np.float32)

    def _cells(self, stream: Stream, first: int, count: int) -> Cells:
        """The cells (count, n_in) that samples number first, first + 1, ... fall in."""
        return self._drawn(self._bin_keys(stream), np.array([first]), count)

    def _drawn(self, stream_keys: Keys, firsts: NDArray[np.int64], m: int) -> Cells:
        drawn = np.empty((len(firsts) * m, self.n_in), np.int32)
        fill_drawn_bins(stream_keys, firsts, m, self._histograms.thresholds, drawn)
        return drawn

    def _bin_keys(self, stream: Stream) -> Keys:
        return neuron_keys(self._seed, (*self._place, _BINS), stream, self.n_in)

    def _fill_keys(self, stream_keys: Keys, firsts: NDArray[np.int64], cells: Cells | None, keys: Keys) -> None:
        raise NotImplementedError

    def _fill_codes(self, stream_keys: Keys, first: int, x_codes: Codes, y_codes: Codes) -> None:
        raise NotImplementedError

    def _fill_codes_alone(
        self, i: int, baseline: NDArray[np.float64], uniforms: NDArray[np.float32], y_codes: Codes
    ) -> None:
        self._uniform._fill_codes_alone(i, baseline, uniforms, y_codes)  # noqa: SLF001
