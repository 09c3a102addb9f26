"""The ends of brackets: bounds on an entropy, and on the EI of a few outputs, from samples that see enough of them."""

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Keys
from ei_fast.measures.constants import SAFE_COVERAGE, Z95
from ei_fast.measures.counting.estimators import ZHANG_UNSEEN
from ei_fast.measures.counting.sampled import SampledEntropy, entropy_of_keys
from ei_fast.measures.entropies.cells import CellEntropies, CellStatistics
from ei_fast.measures.entropies.estimate import half_width


def most_entropy(keys: Keys, most: float) -> float:
    """Upper bound on an entropy from a sample's keys (n,); `most` where the sample has not seen enough."""
    entropy = entropy_of_keys(keys, ZHANG_UNSEEN)
    if entropy.coverage <= SAFE_COVERAGE:
        return most
    return min(entropy.value + entropy.bias + Z95 * entropy.stderr, most)


def cells_of_keys(keys: Keys, n_points: int) -> CellEntropies:
    """Entropies inside cells of the keys (r, m) of the points in each, of so many points that were simulated."""
    return cells_of_statistics(CellStatistics.of_keys(keys, ZHANG_UNSEEN).array, keys.shape[1], n_points)


def cells_of_statistics(statistics: NDArray[np.float64], m: int, n_points: int) -> CellEntropies:
    """The same from what was counted in each, (r, 7), of m points in each."""
    return CellEntropies(CellStatistics(statistics), m, ZHANG_UNSEEN, n_points)


def least_ei(output: SampledEntropy, inside: CellEntropies) -> float:
    """Lower bound on the EI of some outputs, whose entropies are known well."""
    stderr = float(np.hypot(output.stderr, inside.stderr))
    return output.value - inside.mean(inside.entropies) - half_width(stderr, output.bias + inside.bias)
