"""Exact EI of a part with one input neuron: every output is a step function of the same number."""

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.estimate import JointEI
from ei_fast.network.binned import BinnedLayer, Component

_U = np.uint64


def exact_ei(binned: BinnedLayer, component: Component) -> JointEI:
    """EI of one input onto any number of outputs, exact to rounding.

    The input range is cut at the edges of its bins and wherever an output changes its bin. Inside a
    piece nothing changes, and its length is its probability: I = H(X) + H(Y) - H(X, Y). Pieces in
    which an output is to be dropped are left out, and the others' lengths made to add up to 1.

    The joint state of a piece is a sum of random numbers, one for each output's bin: it changes at a cut
    by the difference of two, so that a running sum knows every state in O(K n_out log(K n_out)).
    """
    low, high = binned.span
    steps, weight, bias = binned.steps.of_outputs(component.outputs), component.weight[0], component.bias
    # Cuts in rising order of x for each output: falling edges meet the breakpoints in reverse.
    falling = (weight < 0)[:, None]
    cuts, codes = (steps.breaks[steps.rows] - bias[:, None]) / weight[:, None], steps.codes[steps.rows]
    numbers = _numbers(len(weight), codes)
    outside = (codes == steps.outside).astype(np.int64)
    changes = np.where(falling, -1, 1) * np.diff(outside, axis=1)
    differences = np.diff(numbers, axis=1)
    differences = np.where(falling, _U(0) - differences, differences)
    first = np.where(falling[:, 0], numbers[:, -1], numbers[:, 0]).sum(dtype=np.uint64)
    n_outside = int(np.where(falling[:, 0], outside[:, -1], outside[:, 0]).sum())

    at = np.concatenate([cuts.ravel(), binned.in_edges])
    order = np.argsort(at, kind="stable")
    at = at[order]
    still = np.zeros(len(binned.in_edges), np.int64)
    state = first + np.cumsum(np.append(differences.ravel(), still.astype(np.uint64))[order], dtype=np.uint64)
    leaving = n_outside + np.cumsum(np.append(changes.ravel(), still)[order])
    cell = np.cumsum(order >= cuts.size) - 1
    # Piece k lies between at[k] and at[k + 1].
    with np.errstate(invalid="ignore"):
        # Cuts that do not exist lie at infinity, as far from each other as can be told.
        length = np.diff(at)
    kept = (length > 0) & (at[:-1] >= low) & (at[:-1] < high) & (leaving[:-1] == 0)
    if not kept.any():
        return JointEI.undefined(0)
    length, cell = length[kept] / length[kept].sum(), cell[:-1][kept]
    _, state = np.unique(state[:-1][kept], return_inverse=True)
    _, pair = np.unique(state * binned.in_bins + cell, return_inverse=True)
    output_entropy = _entropy(state, length)
    return JointEI.exact(max(_entropy(cell, length) + output_entropy - _entropy(pair, length), 0.0), output_entropy)


def _numbers(n_out: int, codes: NDArray[np.uint16]) -> NDArray[np.uint64]:
    """A random number for every output and interval, (n_out, K + 1); equal codes of an output share one."""
    words = np.random.SeedSequence(0).generate_state(n_out, np.uint64)[:, None]
    z = words + codes.astype(np.uint64) * _U(0x9E3779B97F4A7C15)
    z = (z ^ (z >> _U(30))) * _U(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> _U(27))) * _U(0x94D049BB133111EB)
    return z ^ (z >> _U(31))


def _entropy(state: NDArray[np.intp], length: NDArray[np.float64]) -> float:
    p = np.bincount(state.reshape(-1), length)
    p = p[p > 0]
    return float(-(p @ np.log2(p)))
