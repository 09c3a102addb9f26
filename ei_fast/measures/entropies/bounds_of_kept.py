"""What bounds EI where samples are dropped: single outputs, and a few together, among samples that all outputs keep.

Given that a sample is kept, H(Y) is at most the sum of the outputs' entropies, and I(X; Y) at least that of some of the
outputs; but an output alone is kept where others are not. So the samples counted are those of the joint.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Cells, Codes, Intervention, Keys
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.keys import DROPPED, NEVER, pack_codes
from ei_fast.measures.constants import (
    KEPT_CELLS,
    KEPT_CHUNK,
    KEPT_MAX_POINTS,
    KEPT_MAX_WORK,
    KEPT_POINTS,
    KEPT_POINTS_A_CELL,
    KEPT_ROUNDS,
    MIN_EFFECTIVE_CELLS,
    MIN_EVENTS,
    MIN_KEPT_IN_CELL,
    SAFE_COVERAGE,
    SPARE_BITS,
    Z95,
)
from ei_fast.measures.counting.estimators import ZHANG_UNSEEN
from ei_fast.measures.counting.sampled import entropy_of_keys
from ei_fast.measures.entropies.ends import cells_of_keys, least_ei, most_entropy
from ei_fast.measures.entropies.kept import KeptOutputs, cells_of_kept, keys_of_kept
from ei_fast.measures.stages import Arrays, Method, SimulationStage
from ei_fast.runtime.threads import Threads


@dataclass(frozen=True)
class BoundsOfKept:
    """Upper bounds on H(Y) and H(Y | X), and a lower one on EI, given that samples are kept; bits, and points spent."""

    output_high: float
    conditional_high: float
    ei_low: float
    n_samples: int


@dataclass(frozen=True)
class KeptCodes(SimulationStage):
    """Bins of the outputs, (k, n_out), of those of so many points anywhere that are kept."""

    intervention: Intervention
    n_points: int

    @property
    def name(self) -> str:
        return f"{self.intervention.name}-kept-codes"

    @property
    def n_items(self) -> int:
        return self.n_points

    def compute(self, begin: int, end: int, threads: Threads) -> Arrays:
        do = self.intervention

        def kept_of(first: int) -> Codes:
            _, codes = do.codes_anywhere(Stream.BOUND_MARGINAL, first, min(KEPT_CHUNK, end - first))
            return codes[:, (codes != do.outside).all(axis=0)].T

        nothing = np.empty((0, do.n_out), np.uint16)
        return (np.concatenate([nothing, *threads.map(kept_of, range(begin, end, KEPT_CHUNK))]),)


def bounds_of_kept(intervention: Intervention, kept: float) -> Method[BoundsOfKept]:
    """Bounds from single outputs and from some of them together; `kept` is about the share of samples kept.

    Only `KeptCodes` is a stage. `_kept_cells`, `_inside_outputs` and `_ei_of_a_subset` are plain calls: every job of a
    split measure simulates all that they do, at every attempt.
    """
    do, most = intervention, float(np.log2(intervention.out_bins))
    at_most = min(KEPT_MAX_POINTS, max(do.least_points, KEPT_MAX_WORK // do.work))
    n = int(min(at_most, KEPT_POINTS / max(kept, 1 / KEPT_MAX_POINTS)))
    (found,) = yield KeptCodes(do, n)
    codes = np.ascontiguousarray(found.T)
    numbers, cells, n_draws = _kept_cells(do, at_most)
    simulated = n + n_draws
    if codes.shape[1] < MIN_EVENTS or len(cells) < MIN_EFFECTIVE_CELLS:
        return BoundsOfKept(do.n_out * most, do.n_out * most, 0.0, simulated)
    outputs = np.array([most_entropy(row.astype(np.uint64), most) for row in codes])
    inside, n_inside = _inside_outputs(do, numbers, cells, most)
    # One sample serves all outputs, so that their errors may add up.
    of_cells = inside.sum(axis=0)
    conditional = float(of_cells.mean() + Z95 * of_cells.std(ddof=1) / np.sqrt(len(of_cells)))
    # The outputs with most EI each come first.
    order = np.argsort(inside.mean(axis=1) - outputs, kind="stable")
    ei, n_of_subset = _ei_of_a_subset(do, codes, numbers, cells, order[: _countable(outputs[order], codes.shape[1])])
    return BoundsOfKept(float(outputs.sum()), min(conditional, do.n_out * most), ei, simulated + n_inside + n_of_subset)


def _kept_cells(do: Intervention, at_most: int) -> tuple[NDArray[np.int64], Cells, int]:
    """Numbers (r,) of the first kept points of a stream, their cells (r, n_in), and how many points that took."""
    found: list[tuple[NDArray[np.int64], Cells]] = []
    tried = 0
    while tried < at_most and sum(len(numbers) for numbers, _ in found) < KEPT_CELLS:
        found.append(cells_of_kept(do, Stream.BOUND_CELLS, tried, KEPT_CHUNK))
        tried += KEPT_CHUNK
    numbers, cells = (np.concatenate(arrays)[:KEPT_CELLS] for arrays in zip(*found, strict=True))
    return numbers, cells, tried


def _inside_outputs(
    do: Intervention, numbers: NDArray[np.int64], cells: Cells, most: float
) -> tuple[NDArray[np.float64], int]:
    """Upper bounds on the entropy of every output inside each cell, (n_out, r), and the points that took."""
    mask = np.uint64((1 << do.code_width) - 1)
    inside, simulated = np.empty((do.n_out, len(cells))), 0
    for outputs in do.key_groups():
        watched = KeptOutputs.of(do, outputs)
        keys, n = keys_of_kept(watched, Stream.BOUND_POINTS, numbers, cells, KEPT_POINTS_A_CELL, KEPT_ROUNDS)
        simulated += n
        for k, j in enumerate(outputs):
            codes = np.where(keys == DROPPED, DROPPED, (keys >> np.uint64(k * do.code_width)) & mask)
            single = cells_of_keys(codes, n)
            kept = single.statistics.kept
            safe = (kept >= MIN_KEPT_IN_CELL) & (single.statistics.once < (1 - SAFE_COVERAGE) * kept)
            inside[j] = np.where(safe, single.corrected, most)
    return inside, simulated


def _countable(outputs: NDArray[np.float64], n_points: int) -> int:
    """How many of the first outputs may be counted together, given the entropy of each."""
    return int(np.count_nonzero(np.cumsum(outputs) <= np.log2(n_points) - SPARE_BITS))


def _ei_of_a_subset(
    do: Intervention, codes: Codes, numbers: NDArray[np.int64], cells: Cells, outputs: NDArray[np.intp]
) -> tuple[float, int]:
    """Lower bound on EI: that of the first of the `outputs`, as many as can be counted together; and points."""
    n, simulated = len(outputs), 0
    while n > 0:
        some = np.sort(outputs[:n])
        output = entropy_of_keys(_packed(codes[some], do.code_width), ZHANG_UNSEEN)
        watched = KeptOutputs.of(do, some)
        keys, n_points = keys_of_kept(watched, Stream.BOUND_POINTS, numbers, cells, KEPT_POINTS_A_CELL, KEPT_ROUNDS)
        simulated += n_points
        inside = cells_of_keys(keys, n_points)
        if output.resolved and inside.resolved:
            return least_ei(output, inside), simulated
        n = n * 3 // 4
    return 0.0, simulated


def _packed(codes: Codes, code_width: int) -> Keys:
    """Keys (k,) of the bins (n_out, k) of some outputs."""
    keys = np.empty(codes.shape[1], np.uint64)
    pack_codes(np.ascontiguousarray(codes), code_width, NEVER, keys)
    return keys
