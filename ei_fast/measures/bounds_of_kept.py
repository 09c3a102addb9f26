"""What bounds EI where samples are dropped: single outputs, and a few together, among samples that all outputs keep.

Given that a sample is kept, H(Y) is at most the sum of the outputs' entropies, and I(X; Y) at least that of some of the
outputs; but an output alone is kept where others are not. So the samples counted are those of the joint.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Cells, Codes, Intervention, Keys
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.counting import KEPT, ONCE
from ei_fast.kernels.keys import DROPPED, NEVER, WORD_BITS, pack_codes
from ei_fast.measures.cells import SampledCells, statistics_of
from ei_fast.measures.entropy import entropy_of_keys, estimator_named
from ei_fast.measures.estimate import Z95, half_width
from ei_fast.measures.kept import KeptOutputs, cells_of_kept, keys_of_kept
from ei_fast.runtime.threads import Workers

_POINTS, _CELLS, _POINTS_A_CELL = 2**17, 512, 128
"""Kept points anywhere, kept cells, and kept points inside each, that are enough."""
_MAX_POINTS, _MAX_WORK = 2**22, 2**32
"""Points, and multiply-adds, that are spent on finding each of them."""
_CHUNK, _ROUNDS = 2**14, 16
_MIN_KEPT, _MIN_KEPT_IN_CELL, _MIN_CELLS = 64, 16, 8
_SAFE_COVERAGE = 0.95
_SPARE_BITS = 4.0
"""So much less than the log of the points is the entropy that they still tell well."""


@dataclass(frozen=True)
class BoundsOfKept:
    """Upper bounds on H(Y) and H(Y | X), and a lower one on EI, given that samples are kept; bits, and points spent."""

    output_high: float
    conditional_high: float
    ei_low: float
    n_samples: int


def bounds_of_kept(intervention: Intervention, kept: float, workers: Workers) -> BoundsOfKept:
    """Bounds from single outputs and from some of them together; `kept` is about the share of samples kept."""
    do, most = intervention, float(np.log2(intervention.out_bins))
    at_most = min(_MAX_POINTS, max(do.least_points, _MAX_WORK // do.work))
    n = int(min(at_most, _POINTS / max(kept, 1 / _MAX_POINTS)))
    codes = _kept_codes(do, n, workers)
    numbers, cells, n_draws = _kept_cells(do, at_most)
    simulated = n + n_draws
    if codes.shape[1] < _MIN_KEPT or len(cells) < _MIN_CELLS:
        return BoundsOfKept(do.n_out * most, do.n_out * most, 0.0, simulated)
    outputs = np.array([_most_of_output(row.astype(np.uint64), most) for row in codes])
    inside, n_inside = _inside_outputs(do, numbers, cells, most)
    # One sample serves all outputs, so that their errors may add up.
    of_cells = inside.sum(axis=0)
    conditional = float(of_cells.mean() + Z95 * of_cells.std(ddof=1) / np.sqrt(len(of_cells)))
    ei, n_of_part = _ei_of_a_part(do, codes, numbers, cells, outputs, inside.mean(axis=1))
    return BoundsOfKept(float(outputs.sum()), min(conditional, do.n_out * most), ei, simulated + n_inside + n_of_part)


def _kept_codes(do: Intervention, n: int, workers: Workers) -> Codes:
    """Bins of the outputs (n_out, k) of those of n points anywhere that are kept."""

    def visit(first: int) -> Codes:
        _, codes = do.codes_anywhere(Stream.BOUND_MARGINAL, first, min(_CHUNK, n - first))
        return codes[:, (codes != do.outside).all(axis=0)]

    return np.concatenate(workers.map(visit, range(0, n, _CHUNK)), axis=1)


def _kept_cells(do: Intervention, at_most: int) -> tuple[NDArray[np.int64], Cells, int]:
    """Numbers (r,) of the first kept points of a stream, their cells (r, n_in), and how many points that took."""
    found: list[tuple[NDArray[np.int64], Cells]] = []
    tried = 0
    while tried < at_most and sum(len(numbers) for numbers, _ in found) < _CELLS:
        found.append(cells_of_kept(do, Stream.BOUND_CELLS, tried, _CHUNK))
        tried += _CHUNK
    return np.concatenate([one[0] for one in found])[:_CELLS], np.concatenate([one[1] for one in found])[:_CELLS], tried


def _most_of_output(codes: Keys, most: float) -> float:
    """Upper bound on the entropy of one output, from its bins (k,)."""
    entropy = entropy_of_keys(codes, estimator_named("auto"))
    if entropy.coverage <= _SAFE_COVERAGE:
        return most
    return min(entropy.value + entropy.bias + Z95 * entropy.stderr, most)


def _inside_outputs(
    do: Intervention, numbers: NDArray[np.int64], cells: Cells, most: float
) -> tuple[NDArray[np.float64], int]:
    """Upper bounds on the entropy of every output inside each cell, (n_out, r), and the points that took."""
    at_once, mask = WORD_BITS // do.bits, np.uint64((1 << do.bits) - 1)
    inside, simulated = np.empty((do.n_out, len(cells))), 0
    for begin in range(0, do.n_out, at_once):
        some = range(begin, min(begin + at_once, do.n_out))
        keys, n = keys_of_kept(KeptOutputs.of(do, some), Stream.BOUND_POINTS, numbers, cells, _POINTS_A_CELL, _ROUNDS)
        simulated += n
        for k, j in enumerate(some):
            codes = np.where(keys == DROPPED, DROPPED, (keys >> np.uint64(k * do.bits)) & mask)
            single = _sampled(codes, n)
            kept = single.statistics[:, KEPT]
            safe = (kept >= _MIN_KEPT_IN_CELL) & (single.statistics[:, ONCE] < (1 - _SAFE_COVERAGE) * kept)
            inside[j] = np.where(safe, single.corrected, most)
    return inside, simulated


def _sampled(keys: Keys, n: int) -> SampledCells:
    estimator = estimator_named("auto")
    return SampledCells(statistics_of(keys, estimator), keys.shape[1], estimator, n)


def _ei_of_a_part(
    do: Intervention,
    codes: Codes,
    numbers: NDArray[np.int64],
    cells: Cells,
    outputs: NDArray[np.float64],
    inside_outputs: NDArray[np.float64],
) -> tuple[float, int]:
    """Lower bound on EI: that of the outputs that tell most each, as many as can be counted together; and points."""
    order = np.argsort(inside_outputs - outputs, kind="stable")
    n = int(np.count_nonzero(np.cumsum(outputs[order]) <= np.log2(codes.shape[1]) - _SPARE_BITS))
    simulated = 0
    while n > 0:
        some = np.sort(order[:n])
        output = entropy_of_keys(_packed(codes[some], do.bits), estimator_named("auto"))
        keys, n_points = keys_of_kept(
            KeptOutputs.of(do, some), Stream.BOUND_POINTS, numbers, cells, _POINTS_A_CELL, _ROUNDS
        )
        simulated += n_points
        inside = _sampled(keys, n_points)
        if output.resolved and inside.resolved:
            stderr = float(np.hypot(output.stderr, inside.stderr))
            return output.value - inside.mean(inside.entropies) - half_width(
                stderr, output.bias + inside.bias
            ), simulated
        n = n * 3 // 4
    return 0.0, simulated


def _packed(codes: Codes, bits: int) -> Keys:
    """Keys (k,) of the bins (n_out, k) of some outputs."""
    keys = np.empty(codes.shape[1], np.uint64)
    pack_codes(np.ascontiguousarray(codes), bits, NEVER, keys)
    return keys
