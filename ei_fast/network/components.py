"""Connected components of dense layers: parts that share no neuron with each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

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
    edges = coo_array((columns[:, outputs] != 0).astype(np.int8))
    n_in, n_out = edges.shape
    graph = coo_array((edges.data, (edges.row, edges.col + n_in)), shape=(n_in + n_out, n_in + n_out))
    _, label = connected_components(graph, directed=False)
    result = []
    for number in dict.fromkeys(label[n_in:].tolist()):
        rows, ours = np.flatnonzero(label[:n_in] == number), outputs[label[n_in:] == number]
        result.append(Component(columns[np.ix_(rows, ours)], bias[ours], first + rows, ours))
    return result
