"""How a layer's outputs fill the range over which they are binned."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Codes, FunctionIntervention
from ei_fast.intervention.streams import Stream
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.bins import hull_of
from ei_fast.network.layer import Function

_POINTS = 2**12


class Occupancy:
    """How the outputs of a layer under do(L1 = H^max) lie in their bins: of a dense layer exactly.

    Parameters
    ----------
    binned : BinnedLayer
    seed : int
    n_samples : int or None
        The most rows that a `Function` may be evaluated at; a few thousand where not given.
    """

    def __init__(self, binned: BinnedLayer, seed: int, n_samples: int | None):
        self._binned, self._seed, self._n = binned, seed, min(n_samples or _POINTS, _POINTS)

    @cached_property
    def share_outside(self) -> float:
        """Probability that an output is outside its range, on average over the outputs."""
        binned = self._binned
        if isinstance(binned.layer, Function):
            return float(np.mean(self._codes == binned.out_bins))
        (low, high), codomain = hull_of(binned.out_range), binned.layer.activation.codomain
        if binned.out_range == (low, high) and low <= codomain[0] and codomain[1] <= high:
            return 0.0
        return binned.share_outside()

    @cached_property
    def output_entropy(self) -> float:
        """Entropy of a single binned output in bits, on average over the outputs."""
        binned = self._binned
        if isinstance(binned.layer, Function):
            weights = np.array([np.bincount(one, minlength=binned.out_bins + 1) for one in self._codes], float)
        else:
            weights = binned.marginals.copy()
        if binned.drop:
            weights[:, -1] = 0.0
        return _mean_entropy(weights)

    @cached_property
    def _codes(self) -> Codes:
        """Output bins (n_out, n) of a `Function`, what is outside its range told apart."""
        binned = self._binned
        assert isinstance(binned.layer, Function)
        do = FunctionIntervention(
            binned.layer,
            binned.in_range,
            binned.in_bins,
            binned.out_range,
            binned.out_bins,
            self._seed,
            (binned.index, 0),
            drop=True,
        )
        return do.codes_anywhere(Stream.OCCUPANCY, 0, self._n)[1]


def _mean_entropy(weights: NDArray[np.float64]) -> float:
    """Mean over rows of the entropy of what they hold, in bits; 0 of an empty one."""
    p = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    logs = np.zeros_like(p)
    np.log2(p, out=logs, where=p > 0)
    return float(-(p * logs).sum(axis=1).mean())
