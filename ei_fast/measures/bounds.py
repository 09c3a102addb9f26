"""Bounds on EI for layers whose states outnumber any sample.

H(Y) is at most the sum of the outputs' own entropies, and so is the entropy inside a cell; a plug-in
entropy is in expectation below the true one, and so is -log2 of the probability that two samples
coincide (the Renyi entropy of order 2). Single outputs are well sampled where their joint is not.
"""

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Intervention
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.counting import HALVES, WHOLE, cell_entropies
from ei_fast.measures.entropy import Entropy, entropy_of_keys, grassberger_weights
from ei_fast.measures.estimate import Z95, JointEI
from ei_fast.parallel import Workers

_POINTS = 2**14
_CELLS, _POINTS_A_CELL = 128, 128
_MIN_COLLISIONS = 100


def bracketed_ei(
    intervention: Intervention, output: Entropy, in_cells: NDArray[np.float64], n_samples: int, workers: Workers
) -> JointEI:
    """A bracket of EI from bounds on both entropies, each widened by its 95 % sampling error.

    Parameters
    ----------
    output : Entropy
        Of the joint output, undersampled as it may be.
    in_cells : ndarray (r,)
        Plug-in entropies of the joint output inside a sample of cells.
    """
    cells = intervention.drawn_cells(Stream.BOUND_CELLS, 0, _CELLS)
    weights = grassberger_weights(_POINTS_A_CELL + 1)

    def single(j: int) -> tuple[Entropy, NDArray[np.float64]]:
        watched = intervention.restricted(j)
        keys = watched.keys_anywhere(Stream.BOUND_MARGINAL, 0, _POINTS)
        statistics = np.empty((_CELLS, 4))
        cell_entropies(watched.keys_inside(Stream.BOUND_POINTS, 0, cells, _POINTS_A_CELL), weights, statistics)
        marginal = entropy_of_keys(keys[: _POINTS // 2], keys[_POINTS // 2 :])
        return marginal, 2.0 * statistics[:, WHOLE] - statistics[:, HALVES]

    singles = workers.map(single, range(intervention.n_out))
    # One sample serves all outputs, so that their errors may add up.
    output_high = sum(one.value + one.bias + Z95 * one.stderr for one, _ in singles)
    inside = np.sum([entropies for _, entropies in singles], axis=0)
    output_low = output.plugin - Z95 * output.stderr
    if output.collisions >= _MIN_COLLISIONS:
        pairs = output.n_samples * (output.n_samples - 1) / 2
        # At most the log of a Poisson count's relative error, twice over.
        output_low = max(
            output_low, np.log2(pairs / output.collisions) - 2 * Z95 / np.log(2) / np.sqrt(output.collisions)
        )
    conditional_low = in_cells.mean() - _margin(in_cells)
    conditional_high = inside.mean() + _margin(inside)
    n_single = intervention.n_out * (_POINTS + _CELLS * _POINTS_A_CELL)
    return JointEI.bracketed(
        (max(float(output_low), 0.0), float(output_high)),
        (max(float(conditional_low), 0.0), float(conditional_high)),
        n_samples + n_single,
    )


def _margin(values: NDArray[np.float64]) -> float:
    return Z95 * float(values.std(ddof=1)) / np.sqrt(len(values))
