"""Cells under out_of_range="drop": drawn through points that are kept.

Where samples are dropped, a cell weighs by what it keeps, and cells drawn blindly may keep nothing at all. The cell
of a point that is kept is a draw of a cell with just that weight; the entropy inside it is that of the points it keeps,
and as many are simulated as it takes to have enough of these.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Cells, Intervention, Keys, Outputs
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.counting import append_kept
from ei_fast.kernels.keys import DROPPED
from ei_fast.measures.constants import ROUNDS


@dataclass(frozen=True)
class KeptOutputs:
    """Some of the outputs of an intervention, among the samples that all of its outputs keep."""

    whole: Intervention
    some: Intervention

    @classmethod
    def of(cls, whole: Intervention, outputs: Outputs) -> "KeptOutputs":
        return cls(whole, whole.restricted(outputs))

    def keys_from(self, stream: Stream, firsts: NDArray[np.int64], cells: Cells, m: int) -> Keys:
        """Output keys (r, m) of samples inside cells, DROPPED where any output of `whole` is."""
        keys = self.some.keys_from(stream, firsts, cells, m)
        keys[self.whole.keys_from(stream, firsts, cells, m) == DROPPED] = DROPPED
        return keys


def cells_of_kept(
    intervention: Intervention, stream: Stream, first: int, count: int
) -> tuple[NDArray[np.int64], Cells]:
    """Numbers (r,) of the kept ones among samples first, first + 1, ... over the whole input range, and their cells."""
    x_codes, y_codes = intervention.codes_anywhere(stream, first, count)
    kept = np.flatnonzero((y_codes != intervention.outside).all(axis=0))
    return first + kept, intervention.held(x_codes[intervention.inputs][:, kept].T)


def keys_of_kept(
    intervention: Intervention | KeptOutputs,
    stream: Stream,
    numbers: NDArray[np.int64],
    cells: Cells,
    m: int,
    rounds: int = ROUNDS,
) -> tuple[Keys, int]:
    """Output keys (r, m) of the first m kept samples inside each cell, and how many samples that took.

    Cell number k has samples k m rounds, k m rounds + 1, ... of the stream; what it lacks after all of them is DROPPED.
    """
    keys, have = np.full((len(cells), m), DROPPED), np.zeros(len(cells), np.int64)
    unfilled, simulated = np.arange(len(cells)), 0
    for k in range(rounds):
        firsts = (numbers[unfilled] * rounds + k) * m
        found = intervention.keys_from(stream, firsts, cells[unfilled], m)
        simulated += found.size
        append_kept(found, unfilled, keys, have)
        unfilled = unfilled[have[unfilled] < m]
        if not len(unfilled):
            break
    return keys, simulated
