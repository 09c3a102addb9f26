"""Connected components of dense layers: parts that share no neuron with each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.network.column_blocks import in_parts


@dataclass(frozen=True, eq=False)
class Component:
    """A connected component of a dense layer: it shares no neuron with the others, so that their EI adds up.

    Attributes
    ----------
    weight : ndarray (n_in, n_out), float64
        Weights between the component's neurons.
    bias : ndarray (n_out,), float64
        Biases of its outputs.
    inputs, outputs : ndarray of int
        Numbers of the component's neurons in the layer.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    inputs: NDArray[np.intp]
    outputs: NDArray[np.intp]


def connected(
    columns: NDArray[np.float64], bias: NDArray[np.float64], first: int, outputs: NDArray[np.intp]
) -> list[Component]:
    """Connected components of some of a layer's outputs and their inputs, which begin with number `first`."""
    if all((columns[:, some] != 0).all() for some in in_parts(outputs, len(columns))):
        of_outputs = columns if len(outputs) == len(bias) else columns[:, outputs]
        return [Component(of_outputs, bias[outputs], first + np.arange(len(columns)), outputs)]
    result, left = [], outputs
    while left.size:
        has_input, ours = _reached(columns, left)
        rows = np.flatnonzero(has_input)
        if rows.size:
            is_all = len(rows) == len(columns) and len(ours) == len(bias)
            weight = columns if is_all else columns[np.ix_(rows, ours)]
            result.append(Component(weight, bias[ours], first + rows, ours))
        left = np.setdiff1d(left, ours, assume_unique=True)
    return result


def _reached(columns: NDArray[np.float64], outputs: NDArray[np.intp]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
    """The inputs, as a mask, and the outputs, ascending, that are connected with the first of some outputs.

    From outputs to inputs and back, each looked at once: a graph of its edges would take several times the memory of a
    layer that is dense but for a few zeros.
    """
    has_input, is_new = np.zeros(len(columns), np.bool_), np.zeros(len(columns), np.bool_)
    found, frontier, left = [outputs[:1]], outputs[:1], outputs[1:]
    while frontier.size:
        is_new[:] = False
        for some in in_parts(frontier, len(columns)):
            is_new |= (columns[:, some] != 0).any(axis=1)
        is_new &= ~has_input
        has_input |= is_new
        inputs, is_met = np.flatnonzero(is_new), np.zeros(len(left), np.bool_)
        for some in in_parts(inputs, max(len(left), 1)):
            is_met |= (columns[np.ix_(some, left)] != 0).any(axis=0)
        frontier, left = left[is_met], left[~is_met]
        found.append(frontier)
    return has_input, np.sort(np.concatenate(found))
