"""The intervention on any map, evaluated as it is."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Cells, Codes, Intervention, Keys, Outputs
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.dense import input_codes
from ei_fast.kernels.keys import pack_codes
from ei_fast.kernels.uniforms import fill_uniforms, fill_uniforms_of_cells
from ei_fast.network.bins import Ranges, edges_of_each, ends_of, index_of_each, is_each
from ei_fast.network.function import Function


class FunctionIntervention(Intervention):
    """do(L1 = H^max) on any map, evaluated as it is."""

    is_thread_safe = False
    is_costly = True

    def __init__(
        self,
        function: Function,
        *,
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
        super().__init__(
            function.n_in,
            len(self._outputs),
            in_bins=in_bins,
            out_bins=out_bins,
            drop=drop,
            inputs=inputs,
            seed=seed,
            place=place,
        )
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
            in_range=self._in_range,
            in_bins=self.in_bins,
            out_range=self._out_range,
            out_bins=self.out_bins,
            seed=self._seed,
            place=self._place,
            drop=self.drop,
            inputs=self.inputs.tolist(),
            outputs=[self._outputs[k] for k in outputs],
        )

    def output_codes(self, x: NDArray[np.float64]) -> Codes:
        """Bins (n_out, m) of the outputs at inputs `x` (m, n_in)."""
        y = self._function(x)[:, self._outputs]
        edges = self._out_edges
        codes = index_of_each(y, edges)
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
        inputs: NDArray[np.float64] = low + (high - low) * (uniforms.T.astype(np.float64) + 0.5)
        return inputs

    def _fill_keys(self, stream_keys: Keys, firsts: NDArray[np.int64], cells: Cells | None, keys: Keys) -> None:
        x = self._inputs(stream_keys, firsts, cells, keys.shape[1])
        pack_codes(self.output_codes(x), self.code_width, self.outside, keys.reshape(-1))

    def output_groups(self) -> list[range]:
        # Somebody else's code is evaluated once for all outputs.
        return [range(self.n_out)]

    def bins_anywhere(self, outputs: range, stream: Stream, count: int) -> Keys:
        return self.codes_anywhere(stream, 0, count)[1].astype(np.uint64)

    def bins_inside(self, outputs: range, stream: Stream, cells: Cells, m: int, first: int = 0) -> Keys:
        return self.codes_inside(stream, first, cells, m).astype(np.uint64)

    def codes_inside(self, stream: Stream, first: int, cells: Cells, m: int) -> Codes:
        """Bins of the outputs (n_out, r, m) of the samples whose keys `keys_inside` returns."""
        x = self._inputs(self._keys_of(stream), first + m * np.arange(len(cells)), cells, m)
        return self.output_codes(x).reshape(-1, len(cells), m)

    def codes_in(self, stream: Stream, first: int, cells: Cells) -> Codes:
        return self.codes_inside(stream, first, cells, 1)[:, :, 0]

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
