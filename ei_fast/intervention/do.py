"""The intervention itself: output keys and bins of a layer under uniform inputs, whole or cell by cell."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.streams import Stream, neuron_keys
from ei_fast.kernels.dense import cell_centres, dense_codes, dense_keys, input_codes, moving_cells, open_cells
from ei_fast.kernels.histograms import single_input_codes
from ei_fast.kernels.keys import NEVER, pack_codes
from ei_fast.kernels.uniforms import fill_cells, fill_uniforms, fill_uniforms_of_cells
from ei_fast.network.binned import reach_of
from ei_fast.network.bins import Range, Ranges, bin_edges, bin_index, edges_of_each, ends_of, is_each
from ei_fast.network.layer import Function
from ei_fast.network.steps import StepTable

Keys = NDArray[np.uint64]
Cells = NDArray[np.int32]
Codes = NDArray[np.uint16]
Outputs = Sequence[int] | NDArray[np.intp]


class Intervention(ABC):
    """do(L1 = H^max) on a map with binned inputs and outputs.

    A sample's inputs and key depend on nothing but the seed, the place, the stream, the sample's index
    and, inside a cell, on the cell: never on how samples are grouped into calls.

    Parameters
    ----------
    inputs : sequence of int
        Neurons whose bins make up a cell; inside a cell all others move over the whole range.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        in_bins: int,
        out_bins: int,
        drop: bool,
        inputs: Sequence[int] | NDArray[np.intp] | None,
        seed: int,
        place: Sequence[int],
    ):
        self.n_in = n_in
        self.n_out = n_out
        self.in_bins = in_bins
        self.out_bins = out_bins
        self.drop = drop
        self.inputs = np.arange(n_in) if inputs is None else np.asarray(inputs, dtype=np.intp)
        self.bits = (out_bins if drop else out_bins - 1).bit_length()
        self.outside = out_bins if drop else NEVER
        self._seed = seed
        self._place = tuple(place)

    @property
    def log2_cells(self) -> float:
        """log2 of the number of input cells: the number itself overflows at a few hundred inputs."""
        return len(self.inputs) * float(np.log2(self.in_bins))

    @property
    def whole_cells(self) -> bool:
        """Whether a cell holds every input in a bin, so that outputs hardly move inside it."""
        return len(self.inputs) == self.n_in

    @property
    def work(self) -> int:
        """Multiply-adds of one sample, with what else it costs counted as some more."""
        return self.n_in * self.n_out + 4 * (self.n_in + self.n_out)

    @property
    def least_points(self) -> int:
        """Samples that are worth their while whatever they cost."""
        return 2**16

    def drawn_cells(self, stream: Stream, first: int, count: int) -> Cells:
        """Input cells number first, first + 1, ... of a stream, each uniform over all cells: (count, n_in)."""
        drawn = np.empty((count, self.n_in), np.int32)
        fill_cells(self._keys_of(stream), first, self.in_bins, drawn)
        return self.held(drawn[:, self.inputs])

    def enumerated_cells(self, first: int, count: int) -> Cells:
        """Input cells number first, first + 1, ... of all there are, the last neuron counting fastest."""
        shape = (self.in_bins,) * len(self.inputs)
        return self.held(np.stack(np.unravel_index(np.arange(first, first + count), shape), axis=1))

    def keys_inside(self, stream: Stream, first: int, cells: Cells, m: int) -> Keys:
        """Output keys (r, m) of m samples inside each cell (r, n_in); sample (r, t) is number first + r * m + t."""
        return self.keys_from(stream, first + m * np.arange(len(cells)), cells, m)

    def keys_from(self, stream: Stream, firsts: NDArray[np.int64], cells: Cells, m: int) -> Keys:
        """Output keys (r, m) of m samples inside each cell (r, n_in); sample (r, t) is number firsts[r] + t."""
        keys = np.empty((len(cells), m), np.uint64)
        self._fill_keys(self._keys_of(stream), firsts, cells, keys)
        return keys

    def moving(self, cells: Cells) -> NDArray[np.bool_]:
        """Whether outputs may differ, or be dropped, inside each cell (r, n_in): (r,), True where only samples tell."""
        return np.full(len(cells), True)

    def open_cells(self, cells: Cells) -> NDArray[np.bool_]:
        """Whether anything may be kept inside each cell (r, n_in): (r,), False only where nothing is."""
        return np.full(len(cells), True)

    def keys_anywhere(self, stream: Stream, first: int, count: int) -> Keys:
        """Output keys (count,) of samples number first, first + 1, ... over the whole input range."""
        keys = np.empty(count, np.uint64)
        self.fill_anywhere(stream, first, keys)
        return keys

    def fill_anywhere(self, stream: Stream, first: int, keys: Keys) -> None:
        """Fill `keys` (count,), in one piece, with what `keys_anywhere` returns."""
        self._fill_keys(self._keys_of(stream), np.array([first]), None, keys[None])

    def codes_anywhere(self, stream: Stream, first: int, count: int) -> tuple[Codes, Codes]:
        """Bins of inputs (n_in, count) and outputs (n_out, count) of the same samples."""
        x_codes = np.empty((self.n_in, count), np.uint16)
        y_codes = np.empty((self.n_out, count), np.uint16)
        self._fill_codes(self._keys_of(stream), first, x_codes, y_codes)
        return x_codes, y_codes

    def codes_alone(
        self, i: int, baseline: NDArray[np.float64], stream: Stream, first: int, count: int, n: int
    ) -> tuple[Codes, Codes]:
        """Bins of input i (1, count) and of the outputs (n_out, count) as it moves alone, others at their `baseline`.

        Sample t of n falls into the t-th of n equal parts of the range, anywhere in it: in one dimension that
        leaves hardly any noise.
        """
        inside = np.empty((1, count), np.float32)
        fill_uniforms(self._keys_of(stream)[i : i + 1], first, count, inside)
        parts = np.arange(first, first + count) + (inside[0].astype(np.float64) + 0.5)
        uniforms = (parts / n - 0.5).astype(np.float32)[None]
        # The last of many parts would be rounded to the end of the range, which lies in no bin.
        np.minimum(uniforms, np.nextafter(np.float32(0.5), np.float32(0.0)), out=uniforms)
        x_codes, y_codes = np.empty((1, count), np.uint16), np.empty((self.n_out, count), np.uint16)
        input_codes(uniforms, self.in_bins, count, x_codes)
        self._fill_codes_alone(i, baseline, uniforms[0], y_codes)
        return x_codes, y_codes

    @abstractmethod
    def restricted(self, outputs: Outputs) -> "Intervention":
        """The same intervention, watching some of the outputs."""

    @abstractmethod
    def _fill_keys(self, stream_keys: Keys, firsts: NDArray[np.int64], cells: Cells | None, keys: Keys) -> None:
        """Fill `keys` (r, m); with `cells` None there is one row and its samples fall anywhere."""

    @abstractmethod
    def _fill_codes(self, stream_keys: Keys, first: int, x_codes: Codes, y_codes: Codes) -> None:
        """Fill bins of samples that fall anywhere."""

    @abstractmethod
    def _fill_codes_alone(
        self, i: int, baseline: NDArray[np.float64], uniforms: NDArray[np.float32], y_codes: Codes
    ) -> None:
        """Fill bins of the outputs as input i alone moves by `uniforms` on (-1/2, 1/2)."""

    def _keys_of(self, stream: Stream) -> Keys:
        return neuron_keys(self._seed, self._place, stream, self.n_in)

    def held(self, bins: NDArray[np.integer]) -> Cells:
        """Cells (r, n_in) from the bins of the inputs that are held in one; `in_bins` stands for "anywhere"."""
        cells = np.full((len(bins), self.n_in), self.in_bins, np.int32)
        cells[:, self.inputs] = bins
        return cells


class DenseIntervention(Intervention):
    """do(L1 = H^max) on x @ weight + bias followed by step functions."""

    def __init__(
        self,
        weight: NDArray[np.float64],
        bias: NDArray[np.float64],
        steps: StepTable,
        in_range: Range,
        in_bins: int,
        seed: int,
        place: Sequence[int],
        drop: bool = False,
        inputs: Sequence[int] | NDArray[np.intp] | None = None,
    ):
        n_in, n_out = weight.shape
        super().__init__(n_in, n_out, in_bins, steps.n_bins, drop, inputs, seed, place)
        # Copies: kernels are compiled for writable arrays, and once.
        self.weight, self.bias = weight.copy(), bias.copy()
        self.steps = steps
        self.in_range = in_range
        edges = bin_edges(in_range, in_bins)
        self._middles = np.append(0.5 * (edges[:-1] + edges[1:]), 0.5 * (in_range[0] + in_range[1]))
        width = np.full(n_in, in_range[1] - in_range[0])
        self._anywhere = self._spread(width)
        width[self.inputs] /= in_bins
        self._inside = self._spread(width)

    def restricted(self, outputs: Outputs) -> "DenseIntervention":
        return DenseIntervention(
            self.weight[:, outputs],
            self.bias[outputs],
            self.steps.of_outputs(outputs),
            self.in_range,
            self.in_bins,
            self._seed,
            self._place,
            self.drop,
            self.inputs.tolist(),
        )

    def centres(self, cells: Cells) -> NDArray[np.float64]:
        """Pre-activations (r, n_out) at the middle of each cell."""
        centre = np.empty((len(cells), self.n_out))
        cell_centres(self.weight, self.bias, self._middles, cells, centre)
        return centre

    def moving(self, cells: Cells) -> NDArray[np.bool_]:
        if self.drop:
            return super().moving(cells)
        moving, steps = np.empty(len(cells), np.bool_), self.steps
        reach = self._inside[2]
        moving_cells(self.weight, self.bias, self._middles, cells, reach, steps.breaks, steps.sizes, steps.rows, moving)
        return moving

    def open_cells(self, cells: Cells) -> NDArray[np.bool_]:
        if not self.drop:
            return super().open_cells(cells)
        kept, steps = np.empty(len(cells), np.bool_), self.steps
        open_cells(
            self.weight,
            self.bias,
            self._middles,
            cells,
            self._inside[2],
            steps.breaks,
            steps.sizes,
            steps.codes,
            steps.rows,
            self.outside,
            kept,
        )
        return kept

    def _spread(
        self, width: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
        """Weights times the width in which each input moves, scaled for float32; the scale; and the reach."""
        moves = self.weight * width[:, None]
        scale = np.ldexp(1.0, -np.frexp(np.abs(moves).max(axis=0))[1])
        reach = reach_of(self.weight, self.bias, self.in_range, width)
        return (moves * scale).astype(np.float32), scale, reach

    def _fill_keys(self, stream_keys: Keys, firsts: NDArray[np.int64], cells: Cells | None, keys: Keys) -> None:
        scaled, scale, reach = self._anywhere if cells is None else self._inside
        if cells is None:
            cells = np.full((1, self.n_in), self.in_bins, np.int32)
        dense_keys(
            stream_keys,
            firsts,
            scaled,
            scale,
            self.weight,
            self.bias,
            self._middles,
            cells,
            reach,
            self.steps.breaks,
            self.steps.sizes,
            self.steps.codes,
            self.steps.rows,
            self.bits,
            self.outside,
            keys,
        )

    def _fill_codes(self, stream_keys: Keys, first: int, x_codes: Codes, y_codes: Codes) -> None:
        scaled, scale, reach = self._anywhere
        centre = self.centres(np.full((1, self.n_in), self.in_bins, np.int32))
        steps = self.steps
        dense_codes(
            stream_keys,
            first,
            scaled,
            scale,
            centre,
            reach,
            steps.breaks,
            steps.sizes,
            steps.codes,
            steps.rows,
            self.in_bins,
            x_codes,
            y_codes,
        )

    def _fill_codes_alone(
        self, i: int, baseline: NDArray[np.float64], uniforms: NDArray[np.float32], y_codes: Codes
    ) -> None:
        weight, steps = self.weight[i].copy(), self.steps
        constants = self.bias + ((baseline[:, None] * self.weight).sum(axis=0) - baseline[i] * weight)
        low, high = self.in_range
        single_input_codes(
            weight, constants, low, high - low, uniforms, steps.breaks, steps.sizes, steps.codes, steps.rows, y_codes
        )


class FunctionIntervention(Intervention):
    """do(L1 = H^max) on any map, evaluated as it is."""

    def __init__(
        self,
        function: Function,
        in_range: Ranges,
        in_bins: int,
        out_range: Ranges,
        out_bins: int,
        seed: int,
        place: Sequence[int],
        drop: bool = False,
        inputs: Sequence[int] | NDArray[np.intp] | None = None,
        outputs: Sequence[int] | NDArray[np.intp] | None = None,
    ):
        self._outputs = list(range(function.n_out)) if outputs is None else list(outputs)
        super().__init__(function.n_in, len(self._outputs), in_bins, out_bins, drop, inputs, seed, place)
        self._function = function
        self._in_range, self._out_range = in_range, out_range
        self._low, self._high = ends_of(in_range, function.n_in)
        edges = edges_of_each(in_range, in_bins)
        # Ends (n_in or 1, in_bins + 1) of every input's bins, and last of its whole range.
        self._bin_low = np.hstack([edges[:, :-1], edges[:, :1]])
        self._bin_high = np.hstack([edges[:, 1:], edges[:, -1:]])
        self._neuron = np.arange(function.n_in) if is_each(in_range) else np.zeros(function.n_in, np.intp)
        edges = edges_of_each(out_range, out_bins)
        self._out_edges = edges[self._outputs] if is_each(out_range) else edges

    def restricted(self, outputs: Outputs) -> "FunctionIntervention":
        return FunctionIntervention(
            self._function,
            self._in_range,
            self.in_bins,
            self._out_range,
            self.out_bins,
            self._seed,
            self._place,
            self.drop,
            self.inputs.tolist(),
            [self._outputs[k] for k in outputs],
        )

    def output_codes(self, x: NDArray[np.float64]) -> Codes:
        """Bins (n_out, m) of the outputs at inputs `x` (m, n_in)."""
        y = self._function(x)[:, self._outputs]
        edges = self._out_edges
        if len(edges) == 1:
            codes = bin_index(y, edges[0])
        else:
            codes = np.stack([bin_index(y[:, j], edges[j]) for j in range(self.n_out)], axis=1)
        if self.drop:
            codes[(y < edges[:, 0]) | (y > edges[:, -1])] = self.outside
        return np.ascontiguousarray(codes.T)

    @property
    def least_points(self) -> int:
        return 2**13

    @property
    def work(self) -> int:
        # Somebody else's code, and bins that are searched for its values, cost so many times what a kernel does.
        return 8 * self.n_in * len(self._outputs) + 500 * len(self._outputs) + 50 * self.n_in

    def _inputs(self, stream_keys: Keys, firsts: NDArray[np.int64], cells: Cells | None, m: int) -> NDArray[np.float64]:
        """Inputs (r * m, n_in) of m samples inside each cell."""
        uniforms = np.empty((self.n_in, len(firsts) * m), np.float32)
        fill_uniforms_of_cells(stream_keys, firsts, m, 0, uniforms.shape[1], uniforms)
        cell = np.full((1, self.n_in), self.in_bins) if cells is None else np.repeat(cells, m, axis=0)
        low, high = self._bin_low[self._neuron, cell], self._bin_high[self._neuron, cell]
        return low + (high - low) * (uniforms.T.astype(np.float64) + 0.5)

    def _fill_keys(self, stream_keys: Keys, firsts: NDArray[np.int64], cells: Cells | None, keys: Keys) -> None:
        x = self._inputs(stream_keys, firsts, cells, keys.shape[1])
        pack_codes(self.output_codes(x), self.bits, self.outside, keys.reshape(-1))

    def codes_inside(self, stream: Stream, first: int, cells: Cells, m: int) -> Codes:
        """Bins of the outputs (n_out, r, m) of the samples whose keys `keys_inside` returns."""
        x = self._inputs(self._keys_of(stream), first + m * np.arange(len(cells)), cells, m)
        return self.output_codes(x).reshape(-1, len(cells), m)

    def _fill_codes_alone(
        self, i: int, baseline: NDArray[np.float64], uniforms: NDArray[np.float32], y_codes: Codes
    ) -> None:
        x = np.tile(baseline, (len(uniforms), 1))
        x[:, i] = self._low[i] + (self._high[i] - self._low[i]) * (uniforms.astype(np.float64) + 0.5)
        y_codes[:] = self.output_codes(x)

    def _fill_codes(self, stream_keys: Keys, first: int, x_codes: Codes, y_codes: Codes) -> None:
        uniforms = np.empty(x_codes.shape, np.float32)
        fill_uniforms(stream_keys, first, x_codes.shape[1], uniforms)
        input_codes(uniforms, self.in_bins, x_codes.shape[1], x_codes)
        unit = uniforms.T.astype(np.float64) + 0.5
        y_codes[:] = self.output_codes(self._low + (self._high - self._low) * unit)
