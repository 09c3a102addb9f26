"""Exact EI of a part with one input neuron: every output is a step function of the same number."""

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.estimate import JointEI
from ei_fast.network.binned import BinnedLayer, Component

_MAX_CODES = 4_000_000


def is_exact(binned: BinnedLayer, component: Component) -> bool:
    """Whether the exact path is open: one input, and pieces times outputs that fit into some megabytes."""
    n_in, n_out = component.weight.shape
    pieces = binned.in_bins + len(binned.steps.breaks) * n_out
    return n_in == 1 and pieces * n_out <= _MAX_CODES


def exact_ei(binned: BinnedLayer, component: Component) -> JointEI:
    """EI of one input onto any number of outputs, exact to rounding.

    The input range is cut at the edges of its bins and wherever an output changes its bin. Inside a
    piece nothing changes, and its length is its probability: I = H(X) + H(Y) - H(X, Y). Pieces in
    which an output is to be dropped are left out, and the others' lengths made to add up to 1.
    """
    low, high = binned.in_range
    weight, bias = component.weight[0], component.bias
    cuts = ((binned.steps.breaks[:, None] - bias) / weight).ravel()
    ends = np.unique(np.concatenate([binned.in_edges, cuts[(cuts > low) & (cuts < high)]]))
    middles = 0.5 * (ends[:-1] + ends[1:])
    length = np.diff(ends) / (high - low)
    cell = np.searchsorted(binned.in_edges, middles, side="right") - 1
    codes = binned.steps(np.outer(middles, weight) + bias)
    kept = ~(codes == binned.steps.outside).any(axis=1)
    if not kept.any():
        return JointEI.undefined(0)
    length, cell = length[kept] / length[kept].sum(), cell[kept]
    _, state = np.unique(codes[kept], axis=0, return_inverse=True)
    _, pair = np.unique(np.stack([cell, state.reshape(-1)]), axis=1, return_inverse=True)
    output_entropy = _entropy(state, length)
    return JointEI.exact(max(_entropy(cell, length) + output_entropy - _entropy(pair, length), 0.0), output_entropy)


def _entropy(state: NDArray[np.intp], length: NDArray[np.float64]) -> float:
    p = np.bincount(state.reshape(-1), length)
    p = p[p > 0]
    return float(-(p @ np.log2(p)))
