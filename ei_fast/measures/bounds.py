"""Bounds on EI for layers whose states outnumber any sample.

H(Y) is at most the sum of the outputs' own entropies, and so is the entropy inside a cell; a plug-in
entropy is in expectation below the true one, and so is -log2 of the probability that two samples
coincide (the Renyi entropy of order 2). Single outputs are mostly well sampled where their joint is not; and
so are a few of them together, whose EI is a lower bound on that of all.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import FunctionIntervention, Intervention, Keys
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.counting import ONCE
from ei_fast.kernels.keys import WORD_BITS
from ei_fast.measures.bounds_of_kept import bounds_of_kept
from ei_fast.measures.cells import SampledCells, statistics_of
from ei_fast.measures.entropy import Entropy, entropy_of_keys, estimator_named
from ei_fast.measures.estimate import Z95, JointEI, half_width
from ei_fast.runtime.threads import Workers

_POINTS = 2**14
_CELLS, _POINTS_A_CELL = 128, 128
_PART_POINTS, _PART_CELLS, _PART_POINTS_A_CELL = 2**17, 512, 256
_OF_SINGLES = _POINTS + _CELLS * _POINTS_A_CELL
_OF_A_PART = _PART_POINTS + _PART_CELLS * _PART_POINTS_A_CELL
_MAX_WORK = 2**33
_PART_BITS = 13.0
"""Entropy of a part of the outputs that _PART_POINTS still tell well."""
_MIN_COLLISIONS = 100
_SAFE_COVERAGE = 0.95
_MIN_CELLS = 8
"""Cells, as many of equal weight as tell the same, without which their average has no error to speak of."""


def bracketed_ei(
    intervention: Intervention, output: Entropy, inside: SampledCells, n_samples: int, workers: Workers
) -> JointEI:
    """A bracket of EI from bounds on both entropies, each widened by its 95 % sampling error.

    Parameters
    ----------
    output : Entropy
        Of the joint output, undersampled as it may be.
    inside : SampledCells
        The joint output inside cells, undersampled as it may be.
    """
    output_low = output.plugin - Z95 * output.stderr
    if output.collisions >= _MIN_COLLISIONS:
        pairs = output.n_kept * (output.n_kept - 1) / 2
        # At most the log of a Poisson count's relative error, twice over.
        margin = 2 * Z95 / np.log(2) / np.sqrt(output.collisions)
        output_low = max(output_low, np.log2(pairs / output.collisions) - margin)
    conditional_low = inside.mean(inside.plugin) - Z95 * inside.mean_stderr(inside.plugin)
    if intervention.drop:
        kept = output.n_kept / max(output.n_samples, 1)
        if inside.are_all:
            # Where nothing is kept no samples were tried.
            kept *= len(inside.statistics) / 2.0**intervention.log2_cells
        bounds = bounds_of_kept(intervention, kept, workers)
        output_high, conditional_high, part = bounds.output_high, bounds.conditional_high, bounds.ei_low
        n_samples += bounds.n_samples
        if inside.n_effective < _MIN_CELLS:
            conditional_low = 0.0
    else:
        share = _affordable(intervention)
        outputs, inside_outputs = _single_outputs(intervention, share, workers)
        # One sample serves all outputs, so that their errors may add up.
        output_high, inside_sum = float(outputs.sum()), inside_outputs.sum(axis=0)
        conditional_high = float(inside_sum.mean() + Z95 * inside_sum.std(ddof=1) / np.sqrt(len(inside_sum)))
        part, n_tries = _ei_of_a_part(intervention, share, outputs, inside_outputs.mean(axis=1))
        n_samples += int(share * (_times(intervention) * _OF_SINGLES + n_tries * _OF_A_PART))
    return JointEI.bracketed(
        (max(float(output_low), 0.0), output_high), (max(conditional_low, 0.0), conditional_high), part, n_samples
    )


def _affordable(intervention: Intervention) -> float:
    """Share of the usual points, where somebody else's code would take too long."""
    if not isinstance(intervention, FunctionIntervention):
        return 1.0
    points = _times(intervention) * _OF_SINGLES + _OF_A_PART
    return min(1.0, _MAX_WORK / (points * intervention.work))


def _ei_of_a_part(
    intervention: Intervention, share: float, outputs: NDArray[np.float64], inside_outputs: NDArray[np.float64]
) -> tuple[float, int]:
    """Lower bound on EI: that of the outputs that tell most each, as many as can be counted together; and tries.

    Parameters
    ----------
    outputs, inside_outputs : ndarray (n_out,)
        Entropy of each output, and inside a cell.
    """
    order = np.argsort(inside_outputs - outputs, kind="stable")
    estimator = estimator_named("auto")
    cells = intervention.drawn_cells(Stream.BOUND_CELLS, 0, max(16, int(share * _PART_CELLS)))
    n_points = max(2**10, int(share * _PART_POINTS))
    n = int(np.count_nonzero(np.cumsum(outputs[order]) <= _PART_BITS))
    # States of very unequal probability need more samples than their entropy tells.
    n_tries = 0
    while n > 0:
        n_tries += 1
        watched = intervention.restricted(np.sort(order[:n]))
        output = entropy_of_keys(watched.keys_anywhere(Stream.BOUND_MARGINAL, 0, n_points), estimator)
        keys = watched.keys_inside(Stream.BOUND_POINTS, 0, cells, _PART_POINTS_A_CELL)
        inside = SampledCells(statistics_of(keys, estimator), _PART_POINTS_A_CELL, estimator, keys.size)
        if output.resolved and inside.resolved:
            stderr = float(np.hypot(output.stderr, inside.stderr))
            ei = output.value - inside.mean(inside.entropies)
            return ei - half_width(stderr, output.bias + inside.bias), n_tries
        n = n * 3 // 4
    return 0.0, n_tries


def _single_outputs(
    intervention: Intervention, share: float, workers: Workers
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Upper bounds on the entropy of every output, (n_out,), and on that inside each of some cells, (n_out, r)."""
    cells = intervention.drawn_cells(Stream.BOUND_CELLS, 0, max(16, int(share * _CELLS)))
    n_points = max(2**10, int(share * _POINTS))
    estimator = estimator_named("auto")
    # What no sample can exceed stands in where an output alone has more bins than the sample can see.
    most = float(np.log2(intervention.out_bins))

    def several(first: int) -> list[tuple[float, NDArray[np.float64]]]:
        """As many outputs at once as a key holds, each then read out of it."""
        n = min(at_once, intervention.n_out - first)
        watched = intervention.restricted(range(first, first + n))
        anywhere = watched.keys_anywhere(Stream.BOUND_MARGINAL, 0, n_points)
        inside = watched.keys_inside(Stream.BOUND_POINTS, 0, cells, _POINTS_A_CELL)
        shifts = [np.uint64(k * intervention.bits) for k in range(n)]
        return [single((anywhere >> shift) & mask, (inside >> shift) & mask) for shift in shifts]

    def single(anywhere: Keys, inside: Keys) -> tuple[float, NDArray[np.float64]]:
        marginal = entropy_of_keys(anywhere, estimator)
        high = marginal.value + marginal.bias + Z95 * marginal.stderr
        cell = SampledCells(statistics_of(inside, estimator), _POINTS_A_CELL, estimator, inside.size)
        safe = _is_safe(1 - cell.statistics[:, ONCE] / _POINTS_A_CELL)
        return min(high, most) if _is_safe(marginal.coverage) else most, np.where(safe, cell.corrected, most)

    if isinstance(intervention, FunctionIntervention):
        # Somebody else's code is evaluated once for all outputs.
        _, everywhere = intervention.codes_anywhere(Stream.BOUND_MARGINAL, 0, n_points)
        in_cells = intervention.codes_inside(Stream.BOUND_POINTS, 0, cells, _POINTS_A_CELL)
        pairs = [single(a.astype(np.uint64), b.astype(np.uint64)) for a, b in zip(everywhere, in_cells, strict=True)]
        return np.array([high for high, _ in pairs]), np.array([inside for _, inside in pairs])
    at_once, mask = _at_once(intervention), np.uint64((1 << intervention.bits) - 1)
    groups = workers.map(several, range(0, intervention.n_out, at_once))
    singles = [one for group in groups for one in group]
    return np.array([high for high, _ in singles]), np.array([inside for _, inside in singles])


def _at_once(intervention: Intervention) -> int:
    """How many outputs' bins a key holds as they are."""
    return WORD_BITS // intervention.bits


def _times(intervention: Intervention) -> int:
    """How often an intervention is simulated until every output has been in a key."""
    if isinstance(intervention, FunctionIntervention):
        return 1
    return -(-intervention.n_out // _at_once(intervention))


def _is_safe(coverage: Any) -> Any:
    return coverage > _SAFE_COVERAGE
