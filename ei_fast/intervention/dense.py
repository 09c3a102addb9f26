"""The intervention on a dense layer, by kernels."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Cells, Codes, Intervention, Keys, Outputs
from ei_fast.intervention.streams import Stream, neuron_keys
from ei_fast.kernels.cells import moving_cells, open_cells
from ei_fast.kernels.dense import dense_codes, dense_keys
from ei_fast.kernels.histograms import single_input_codes
from ei_fast.kernels.preactivations import cell_centres
from ei_fast.kernels.uniforms import GAMMA
from ei_fast.network.binned import probabilities_of, reach_of
from ei_fast.network.bins import Range, bin_edges
from ei_fast.network.column_blocks import blocks_of
from ei_fast.network.steps import StepTable
from ei_fast.runtime.threads import Threads


class DenseIntervention(Intervention):
    """do(L1 = H^max) on x @ weight + bias followed by step functions."""

    def __init__(
        self,
        weight: NDArray[np.float64],
        bias: NDArray[np.float64],
        steps: StepTable,
        *,
        in_range: Range,
        in_bins: int,
        seed: int,
        place: Sequence[int],
        drop: bool = False,
        inputs: Sequence[int] | NDArray[np.intp] | None = None,
    ):
        n_in, n_out = weight.shape
        super().__init__(
            n_in, n_out, in_bins=in_bins, out_bins=steps.n_bins, drop=drop, inputs=inputs, seed=seed, place=place
        )
        # Kernels are compiled for writable arrays, and once; none of them writes to its inputs.
        self.weight, self.bias = as_writable(weight), bias.copy()
        self.steps = steps
        self.in_range = in_range
        edges = bin_edges(in_range, in_bins)
        self._middles = np.append(0.5 * (edges[:-1] + edges[1:]), 0.5 * (in_range[0] + in_range[1]))
        width = np.full(n_in, in_range[1] - in_range[0])
        self._anywhere = self._spread(width)
        width[self.inputs] /= in_bins
        if self.whole_cells and in_bins & (in_bins - 1) == 0:
            # All inputs move as much less by a power of two, which their scale takes back to the last bit.
            scaled, scale, _ = self._anywhere
            self._inside = scaled, scale * in_bins, self._reach(width)
        else:
            self._inside = self._spread(width)

    def restricted(self, outputs: Outputs) -> "DenseIntervention":
        restricted = DenseIntervention(
            self.weight[:, outputs],
            self.bias[outputs],
            self.steps.of_outputs(outputs),
            in_range=self.in_range,
            in_bins=self.in_bins,
            seed=self._seed,
            place=self._place,
            drop=self.drop,
            inputs=self.inputs.tolist(),
        )
        known = self.__dict__.get("output_probabilities")
        if known is not None:
            restricted.__dict__["output_probabilities"] = known[outputs]
        return restricted

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

    @cached_property
    def output_probabilities(self) -> NDArray[np.float64]:
        """Exact probability of the bins of every output anywhere, (n_out, n_bins + 1); last: of being dropped."""
        return probabilities_of(self.weight, self.bias, self.in_range, self.steps)

    def know_outputs(self, threads: Threads) -> None:
        """Have threads compute the `output_probabilities` before they are asked for."""
        if "output_probabilities" not in self.__dict__:
            found = probabilities_of(self.weight, self.bias, self.in_range, self.steps, threads)
            self.__dict__["output_probabilities"] = found

    @cached_property
    def output_surprise(self) -> NDArray[np.float64]:
        """-log2 of each of these, bits; 0 where there is none."""
        p = self.output_probabilities
        surprise = np.zeros_like(p)
        np.log2(p, out=surprise, where=p > 1e-300)
        surprise *= -1
        return surprise

    @property
    def output_entropies(self) -> NDArray[np.float64] | None:
        """Entropy (n_out,) of every output alone, bits; None where samples are dropped, which ties them together."""
        return None if self.drop else (self.output_probabilities * self.output_surprise).sum(axis=1)

    def stream_keys(self, stream: Stream) -> NDArray[np.uint64]:
        """Key of every input neuron's own stream of uniforms, (n_in,)."""
        return self._keys_of(stream)

    def sample_keys(self, stream: Stream, number: int, first: int, count: int) -> NDArray[np.uint64]:
        """Key (count,) of a stream for each of samples number first, first + 1, ...; `number` tells kinds apart."""
        base = neuron_keys(self._seed, self._place, stream, number + 1)[number]
        keys: NDArray[np.uint64] = base + GAMMA * np.arange(first, first + count, dtype=np.uint64)
        return keys

    def _spread(
        self, width: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float64]]:
        """Weights (n_out, n_in) times the width each input moves in, scaled for float32; the scale; and the reach."""
        scaled, scale = np.empty((self.n_out, self.n_in), np.float32), np.empty(self.n_out)
        for some in blocks_of(self.n_out, self.n_in):
            moves = self.weight[:, some] * width[:, None]
            scale[some] = np.ldexp(1.0, -np.frexp(np.abs(moves).max(axis=0))[1])
            scaled[some] = (moves * scale[some]).T
        return scaled, scale, self._reach(width)

    def _reach(self, width: NDArray[np.float64]) -> NDArray[np.float64]:
        return reach_of(self.weight, self.bias, self.in_range, width)

    def _fill_keys(self, stream_keys: Keys, firsts: NDArray[np.int64], cells: Cells | None, keys: Keys) -> None:
        scaled, scale, reach = self._anywhere if cells is None else self._inside
        if cells is None:
            cells = np.full((1, self.n_in), self.in_bins, np.int32)
        dense_keys(
            stream_keys,
            firsts,
            scaled,
            scale,
            self.centres(cells),
            reach,
            self.steps.breaks,
            self.steps.sizes,
            self.steps.codes,
            self.steps.rows,
            self.code_width,
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


class _Place:
    """Where the numbers of an array are in memory, to be shown once more."""

    def __init__(self, array: NDArray[np.float64]):
        # It is kept as long as anybody looks at its numbers.
        self.array = array
        self.__array_interface__ = {**array.__array_interface__, "data": (array.ctypes.data, False)}


def as_writable(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same numbers as an array that is said to be writable, for who writes nothing; a copy only where they do not
    stand in rows one after the other.
    """
    if not array.flags.c_contiguous:
        return array.copy()
    return array if array.flags.writeable else np.asarray(_Place(array))
