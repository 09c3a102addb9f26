"""Bounds on EI for layers whose states outnumber any sample.

H(Y) is at most the sum of the outputs' own entropies, and so is the entropy inside a cell; a plug-in
entropy is in expectation below the true one, and so is -log2 of the probability that two samples
coincide (the Renyi entropy of order 2). Single outputs are mostly well sampled where their joint is not.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Intervention
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.counting import ONCE
from ei_fast.measures.cells import SampledCells, statistics_of
from ei_fast.measures.entropy import Entropy, entropy_of_keys, estimator_named
from ei_fast.measures.estimate import Z95, JointEI
from ei_fast.parallel import Workers

_POINTS = 2**14
_CELLS, _POINTS_A_CELL = 128, 128
_MIN_COLLISIONS = 100
_SAFE_COVERAGE = 0.95


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
        # A single output is kept where the joint is not, so that it bounds nothing.
        most = intervention.n_out * float(np.log2(intervention.out_bins))
        output_high = conditional_high = most
    else:
        output_high, conditional_high = _sums_over_outputs(intervention, workers)
        n_samples += intervention.n_out * (_POINTS + _CELLS * _POINTS_A_CELL)
    return JointEI.bracketed(
        (max(float(output_low), 0.0), output_high), (max(conditional_low, 0.0), conditional_high), n_samples
    )


def _sums_over_outputs(intervention: Intervention, workers: Workers) -> tuple[float, float]:
    """Upper bounds on H(Y) and H(Y | X): the single outputs' entropies added up."""
    cells = intervention.drawn_cells(Stream.BOUND_CELLS, 0, _CELLS)
    estimator = estimator_named("auto")
    # What no sample can exceed stands in where an output alone has more bins than the sample can see.
    most = float(np.log2(intervention.out_bins))

    def single(j: int) -> tuple[float, NDArray[np.float64]]:
        watched = intervention.restricted(j)
        marginal = entropy_of_keys(watched.keys_anywhere(Stream.BOUND_MARGINAL, 0, _POINTS), estimator)
        high = (
            min(marginal.value + marginal.bias + Z95 * marginal.stderr, most) if _is_safe(marginal.coverage) else most
        )
        keys = watched.keys_inside(Stream.BOUND_POINTS, 0, cells, _POINTS_A_CELL)
        inside = SampledCells(statistics_of(keys, estimator), _POINTS_A_CELL, estimator)
        safe = _is_safe(1 - inside.statistics[:, ONCE] / _POINTS_A_CELL)
        return high, np.where(safe, inside.corrected, most)

    singles = workers.map(single, range(intervention.n_out))
    # One sample serves all outputs, so that their errors may add up.
    output = sum(one for one, _ in singles)
    inside = np.sum([entropies for _, entropies in singles], axis=0)
    return float(output), float(inside.mean() + Z95 * inside.std(ddof=1) / np.sqrt(_CELLS))


def _is_safe(coverage: Any) -> Any:
    return coverage > _SAFE_COVERAGE
