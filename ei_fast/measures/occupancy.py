"""How a layer's outputs fill the range over which they are binned."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.of_layer import intervention_on
from ei_fast.intervention.streams import Stream
from ei_fast.measures.constants import OCCUPANCY_POINTS
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.entropies import entropies_of


@dataclass(frozen=True, eq=False)
class Occupancy:
    """How the outputs of a layer under do(L1 = H^max) lie in their bins: of a dense layer exactly.

    Attributes
    ----------
    binned : BinnedLayer
    seed : int
    n_samples : int or None
        The most rows that a `Function` may be evaluated at; a few thousand where not given.
    """

    binned: BinnedLayer
    seed: int
    n_samples: int | None

    @cached_property
    def share_outside(self) -> float:
        """Probability that an output is outside its range, on average over the outputs."""
        binned = self.binned
        if binned.layer.kind == "function":
            return float(self._frequencies[:, -1].sum() / self._frequencies.sum())
        return 0.0 if binned.holds_its_codomain else binned.share_outside()

    @cached_property
    def output_entropy(self) -> float:
        """Entropy of a single binned output in bits, on average over the outputs."""
        is_function = self.binned.layer.kind == "function"
        weights = (self._frequencies if is_function else self.binned.marginals).copy()
        if self.binned.drop:
            weights[:, -1] = 0.0
        return _mean_entropy(weights)

    @cached_property
    def _frequencies(self) -> NDArray[np.float64]:
        """How often a `Function`'s outputs fell into each bin, (n_out, out_bins + 1); the last: outside the range."""
        n = min(self.n_samples or OCCUPANCY_POINTS, OCCUPANCY_POINTS)
        _, codes = intervention_on(self.binned, self.seed, drop=True).codes_anywhere(Stream.OCCUPANCY, 0, n)
        return np.array([np.bincount(row, minlength=self.binned.out_bins + 1) for row in codes], float)


def _mean_entropy(weights: NDArray[np.float64]) -> float:
    """Mean over rows of the entropy of what they hold, in bits; 0 of an empty one."""
    p = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    return float(entropies_of(p).mean())
