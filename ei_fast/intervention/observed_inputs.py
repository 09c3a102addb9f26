"""Inputs as they were observed, up to their bins: no intervention but inside the cells."""

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Cells, Intervention, Keys, Outputs
from ei_fast.intervention.drawn_inputs import DrawnInputs
from ei_fast.intervention.streams import Stream
from ei_fast.network.input_histograms import InputHistograms


class ObservedInputs(DrawnInputs):
    """The map of an intervention, its input cells being those of observed samples, one after the other.

    Sample number t of any stream falls into the cell of row t, anywhere in it alike.

    Parameters
    ----------
    uniform : Intervention
        do(L1 = H^max) on the same map.
    rows : ndarray (n_rows, n_in), int32
        Cells of the samples. There are no more samples of a stream than rows.
    seed : int
    """

    def __init__(self, uniform: Intervention, rows: Cells, *, seed: int, place: tuple[int, ...]):
        # What inputs have to do with each other is in no histogram of single ones: none is used.
        nothing = InputHistograms(np.empty((uniform.n_in, 0)))
        super().__init__(uniform, nothing, seed=seed, place=place)
        self._rows = rows

    def restricted(self, outputs: Outputs) -> "ObservedInputs":
        return ObservedInputs(self._uniform.restricted(outputs), self._rows, seed=self._seed, place=self._place)

    @property
    def output_entropies(self) -> NDArray[np.float64] | None:
        return None

    def drawn_cells(self, stream: Stream, first: int, count: int) -> Cells:
        return self._rows[first : first + count]

    def _drawn(self, stream_keys: Keys, firsts: NDArray[np.int64], m: int) -> Cells:
        return self._rows[firsts[0] : firsts[0] + m]
