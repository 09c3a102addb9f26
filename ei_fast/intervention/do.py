"""The intervention itself: joint output keys of a layer under uniform inputs, whole or cell by cell."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.streams import Stream, pair_keys
from ei_fast.kernels.dense import dense_keys
from ei_fast.kernels.keys import pack_codes
from ei_fast.kernels.uniforms import fill_cells, fill_uniforms
from ei_fast.network.activations import StepFunction
from ei_fast.network.binned import reach_of
from ei_fast.network.bins import Range, bin_edges, bin_index
from ei_fast.network.layer import Function

Keys = NDArray[np.uint64]
Cells = NDArray[np.int32]


class Intervention(ABC):
    """do(L1 = H^max) on a map with binned inputs and outputs.

    A sample's inputs and key depend on nothing but the seed, the place, the stream, the sample's index
    and, inside a cell, on the cell: never on how samples are grouped into calls.
    """

    def __init__(self, n_in: int, n_out: int, in_bins: int, seed: int, place: Sequence[int]):
        self.n_in = n_in
        self.n_out = n_out
        self.in_bins = in_bins
        self._seed = seed
        self._place = tuple(place)

    @property
    def log2_cells(self) -> float:
        """log2 of the number of input cells: the number itself overflows at a few hundred inputs."""
        return self.n_in * float(np.log2(self.in_bins))

    @property
    def work(self) -> int:
        """Multiply-adds of one sample, with what else it costs counted as some more."""
        return self.n_in * self.n_out + 4 * (self.n_in + self.n_out)

    def drawn_cells(self, stream: Stream, first: int, count: int) -> Cells:
        """Input cells number first, first + 1, ... of a stream, each uniform over all cells: (count, n_in)."""
        cells = np.empty((count, self.n_in), np.int32)
        fill_cells(self._keys_of(stream), first, self.in_bins, cells)
        return cells

    def enumerated_cells(self, first: int, count: int) -> Cells:
        """Input cells number first, first + 1, ... of all in_bins ** n_in, the last neuron counting fastest."""
        shape = (self.in_bins,) * self.n_in
        return np.stack(np.unravel_index(np.arange(first, first + count), shape), axis=1).astype(np.int32)

    def keys_inside(self, stream: Stream, first: int, cells: Cells, m: int) -> Keys:
        """Output keys (r, m) of m samples inside each cell (r, n_in); sample (r, t) is number first + r * m + t."""
        keys = np.empty((len(cells), m), np.uint64)
        self._fill_keys(self._keys_of(stream), first, cells, keys)
        return keys

    def keys_anywhere(self, stream: Stream, first: int, count: int) -> Keys:
        """Output keys (count,) of samples number first, first + 1, ... over the whole input range."""
        keys = np.empty((1, count), np.uint64)
        self._fill_keys(self._keys_of(stream), first, None, keys)
        return keys[0]

    @abstractmethod
    def restricted(self, output: int) -> "Intervention":
        """The same intervention, watching a single output."""

    @abstractmethod
    def _fill_keys(self, stream_keys: Keys, first: int, cells: Cells | None, keys: Keys) -> None:
        """Fill `keys` (r, m); with `cells` None there is one row and its samples fall anywhere."""

    def _keys_of(self, stream: Stream) -> Keys:
        return pair_keys(self._seed, self._place, stream, self.n_in)


class DenseIntervention(Intervention):
    """do(L1 = H^max) on x @ weight + bias followed by a step function."""

    def __init__(
        self,
        weight: NDArray[np.float64],
        bias: NDArray[np.float64],
        steps: StepFunction,
        in_range: Range,
        in_bins: int,
        seed: int,
        place: Sequence[int],
    ):
        n_in, n_out = weight.shape
        super().__init__(n_in, n_out, in_bins, seed, place)
        self._weight = np.ascontiguousarray(weight)
        self._bias = np.ascontiguousarray(bias)
        # Copies: kernels are compiled for writable arrays, and once.
        self._steps = StepFunction(steps.breaks.copy(), steps.codes.copy())
        self._bits = max(1, int(steps.codes.max()).bit_length())
        self._in_range = in_range
        self._inside = self._scaled(in_bins)
        self._anywhere = self._scaled(1)

    def restricted(self, output: int) -> "DenseIntervention":
        return DenseIntervention(
            self._weight[:, [output]],
            self._bias[[output]],
            self._steps,
            self._in_range,
            self.in_bins,
            self._seed,
            self._place,
        )

    def _scaled(self, bins: int) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
        """What the kernel needs for cells that are 1/bins of the range wide: weights, middles, reach."""
        edges = bin_edges(self._in_range, bins)
        width = (self._in_range[1] - self._in_range[0]) / bins
        reach = reach_of(self._weight, self._bias, self._in_range, bins)
        return (self._weight * width).astype(np.float32), 0.5 * (edges[:-1] + edges[1:]), reach

    def _fill_keys(self, stream_keys: Keys, first: int, cells: Cells | None, keys: Keys) -> None:
        scaled, middles, reach = self._anywhere if cells is None else self._inside
        if cells is None:
            cells = np.zeros((1, self.n_in), np.int32)
        dense_keys(
            stream_keys,
            first,
            scaled,
            self._weight,
            self._bias,
            middles,
            cells,
            reach,
            self._steps.breaks,
            self._steps.codes,
            self._bits,
            keys,
        )


class FunctionIntervention(Intervention):
    """do(L1 = H^max) on any map, evaluated as it is."""

    def __init__(
        self,
        function: Function,
        in_range: Range,
        in_bins: int,
        out_edges: NDArray[np.float64],
        seed: int,
        place: Sequence[int],
        outputs: Sequence[int] | None = None,
    ):
        self._outputs = list(range(function.n_out)) if outputs is None else list(outputs)
        super().__init__(function.n_in, len(self._outputs), in_bins, seed, place)
        self._function = function
        self._in_range = in_range
        self._out_edges = out_edges
        self._bits = (len(out_edges) - 2).bit_length()

    def restricted(self, output: int) -> "FunctionIntervention":
        return FunctionIntervention(
            self._function,
            self._in_range,
            self.in_bins,
            self._out_edges,
            self._seed,
            self._place,
            [self._outputs[output]],
        )

    def _fill_keys(self, stream_keys: Keys, first: int, cells: Cells | None, keys: Keys) -> None:
        r, m = keys.shape
        uniforms = np.empty((self.n_in, r * m), np.float32)
        fill_uniforms(stream_keys, first, uniforms)
        share = uniforms.T.astype(np.float64) + 0.5
        edges = bin_edges(self._in_range, 1 if cells is None else self.in_bins)
        cell = np.zeros((1, self.n_in), np.int32) if cells is None else np.repeat(cells, m, axis=0)
        x = edges[cell] + (edges[cell + 1] - edges[cell]) * share
        y = self._function(x)[:, self._outputs]
        codes = np.ascontiguousarray(bin_index(y, self._out_edges).T)
        pack_codes(codes, self._bits, keys.reshape(-1))
