"""Exact EI of a component with one input neuron, whose outputs are step functions of one number; and of an edge."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.edges.ei_parts import EdgeParts
from ei_fast.measures.joint.estimate import EXACT, JointEI
from ei_fast.measures.joint.problem import JointProblem
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Method
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.components import Component

_U = np.uint64


class Exact:
    """Exact to rounding where one input is told apart: alone in its component, or as one edge of a dense layer."""

    name = EXACT
    by_component = True

    def refusal(self, problem: JointProblem) -> str | None:
        """Open to components with one input, and to edges."""
        if problem.has_one_input or problem.is_an_edge:
            return None
        return "The exact method is open to components with one input and to single edges. Use joint='auto'."

    def reason(self, problem: JointProblem, options: MeasureOptions) -> str:
        """Why nothing need be sampled."""
        return "its outputs are step functions of one input"

    def cost(self, problem: JointProblem, options: MeasureOptions) -> float:
        """No points are simulated."""
        return 0.0

    def estimate(self, problem: JointProblem, options: MeasureOptions) -> Method[JointEI]:
        """EI of the one input."""
        if problem.component is not None:
            return exact_ei(problem.binned, problem.component)
        assert problem.inputs is not None
        assert problem.outputs is not None
        (parts,) = yield EdgeParts(problem.binned)
        bits = float(parts[problem.outputs[0], problem.inputs[0]])
        return JointEI.undefined(0, self.name) if np.isnan(bits) else JointEI.exact(bits, bits)

    def explain(self, figures: Mapping[str, Any]) -> str:
        """In a sentence."""
        return "EI is exact to rounding: the layer falls into components of one input or of one output each."


def exact_ei(binned: BinnedLayer, component: Component) -> JointEI:
    """EI of one input onto any number of outputs, exact to rounding.

    The input range is cut at the edges of its bins and wherever an output changes its bin. Inside a piece nothing
    changes, and its length is its probability, times the density of its bin where the input has a histogram:
    I = H(X) + H(Y) - H(X, Y). Pieces in which an output is to be dropped are left out, and the others' lengths made to
    add up to 1.

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
    if binned.histograms is not None:
        density = binned.histograms.probabilities[component.inputs[0]]
        # Pieces outside the range are in no bin.
        inside = np.clip(cell[:-1], 0, binned.in_bins - 1)
        length, kept = length * density[inside], kept & (density[inside] > 0)
    if not kept.any():
        return JointEI.undefined(0, EXACT)
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
    mixed: NDArray[np.uint64] = z ^ (z >> _U(31))
    return mixed


def _entropy(state: NDArray[np.intp], length: NDArray[np.float64]) -> float:
    p = np.bincount(state.reshape(-1), length)
    p = p[p > 0]
    return float(-(p @ np.log2(p)))
