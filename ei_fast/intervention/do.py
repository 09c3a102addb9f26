"""The intervention itself: output keys and bins of a layer under uniform inputs, whole or cell by cell."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.streams import Stream, neuron_keys
from ei_fast.kernels.dense import input_codes
from ei_fast.kernels.keys import DROPPED, NEVER, WORD_BITS
from ei_fast.kernels.uniforms import fill_cells, fill_uniforms

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

    is_thread_safe = True
    """Whether several threads may simulate at a time."""

    is_costly = False
    """Whether samples are a user's code, which may take any time."""

    cells_weigh_alike = True
    """Whether all input cells are equally likely, so that to visit every one of them is to sample all inputs."""

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
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
        # Bits of a key that the code of one output takes.
        self.code_width = (out_bins if drop else out_bins - 1).bit_length()
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
    def name(self) -> str:
        """Tells apart the components of one layer: by the first input of each."""
        return f"input{self._place[-1]}"

    @property
    def most_output_bits(self) -> float:
        """Entropy, bits, that the outputs can have at the most."""
        return self.n_out * float(np.log2(self.out_bins))

    @property
    def output_entropies(self) -> NDArray[np.float64] | None:
        """Entropy (n_out,) of every output alone, bits; None where only samples tell it."""
        return None

    @property
    def least_points(self) -> int:
        """The ceiling on points is never below this, whatever a sample costs."""
        return 2**16

    def key_groups(self) -> list[range]:
        """Consecutive outputs whose bins a key holds as they are."""
        at_once = WORD_BITS // self.code_width
        return [range(first, min(first + at_once, self.n_out)) for first in range(0, self.n_out, at_once)]

    def output_groups(self) -> list[range]:
        """Outputs that are simulated together where each is looked at alone."""
        return self.key_groups()

    def bins_anywhere(self, outputs: range, stream: Stream, count: int) -> Keys:
        """Bins (len(outputs), count) of one of the `output_groups` in the first samples over the whole input range."""
        return self._bins_of(outputs, self.restricted(outputs).keys_anywhere(stream, 0, count))

    def bins_inside(self, outputs: range, stream: Stream, cells: Cells, m: int, first: int = 0) -> Keys:
        """Bins (len(outputs), r, m) of one of the `output_groups` in the samples whose keys `keys_inside` returns."""
        return self._bins_of(outputs, self.restricted(outputs).keys_inside(stream, first, cells, m))

    def codes_in(self, stream: Stream, first: int, cells: Cells) -> Codes:
        """Bins of the outputs (n_out, r) of samples number first, first + 1, ..., each inside a cell (r, n_in)."""
        # Where samples are dropped, keys of several outputs do not say which of them is outside.
        groups = [range(j, j + 1) for j in range(self.n_out)] if self.drop else self.key_groups()
        codes = np.empty((self.n_out, len(cells)), np.uint16)
        for outputs in groups:
            keys = self.restricted(outputs).keys_inside(stream, first, cells, 1)[:, 0]
            codes[outputs.start : outputs.stop] = self._bins_of(outputs, keys)
            if self.drop:
                codes[outputs.start, keys == DROPPED] = self.outside
        return codes

    def _bins_of(self, outputs: range, keys: Keys) -> Keys:
        mask = np.uint64((1 << self.code_width) - 1)
        return np.stack([(keys >> np.uint64(k * self.code_width)) & mask for k in range(len(outputs))])

    def drawn_cells(self, stream: Stream, first: int, count: int) -> Cells:
        """Input cells number first, first + 1, ... of a stream, each uniform over all cells: (count, n_in)."""
        drawn = np.empty((count, self.n_in), np.int32)
        fill_cells(self._keys_of(stream), first, self.in_bins, drawn)
        return drawn if self.whole_cells else self.held(drawn[:, self.inputs])

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
        """Whether outputs may differ, or be dropped, inside each cell (r, n_in): (r,); if so, samples must say."""
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

    def input_codes_anywhere(self, i: int, stream: Stream, first: int, count: int) -> Codes:
        """Bins (count,) of input i in the samples whose keys `keys_anywhere` returns."""
        uniforms, codes = np.empty((1, count), np.float32), np.empty((1, count), np.uint16)
        fill_uniforms(self._keys_of(stream)[i : i + 1], first, count, uniforms)
        input_codes(uniforms, self.in_bins, count, codes)
        return codes.reshape(-1)

    def codes_alone(
        self, i: int, baseline: NDArray[np.float64], stream: Stream, first: int, count: int, n: int
    ) -> tuple[Codes, Codes]:
        """Bins of input i (1, count) and of the outputs (n_out, count) as it moves alone, others at their `baseline`.

        Sample t of n falls into the t-th of n equal stretches of the range, anywhere in it: in one dimension that
        leaves hardly any noise.
        """
        inside = np.empty((1, count), np.float32)
        fill_uniforms(self._keys_of(stream)[i : i + 1], first, count, inside)
        stretches = np.arange(first, first + count) + (inside[0].astype(np.float64) + 0.5)
        uniforms = self._placed(i, stretches / n)[None]
        x_codes, y_codes = np.empty((1, count), np.uint16), np.empty((self.n_out, count), np.uint16)
        input_codes(uniforms, self.in_bins, count, x_codes)
        self._fill_codes_alone(i, baseline, uniforms[0], y_codes)
        return x_codes, y_codes

    def _placed(self, i: int, shares: NDArray[np.float64]) -> NDArray[np.float32]:
        """Where input i is, on (-1/2, 1/2) over its range, with so large shares of its samples below."""
        uniforms = (shares - 0.5).astype(np.float32)
        # The last of many stretches would be rounded to the end of the range, which lies in no bin.
        return np.minimum(uniforms, np.nextafter(np.float32(0.5), np.float32(0.0)))

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
