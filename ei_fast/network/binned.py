"""A layer together with the bins in which its inputs and outputs are told apart."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ei_fast.network.activations import StepFunction
from ei_fast.network.bins import Range, bin_edges
from ei_fast.network.layer import Function, Layer


@dataclass(frozen=True, eq=False)
class Component:
    """A part of a dense layer that shares no neuron with the rest: its EI adds to theirs.

    Attributes
    ----------
    weight : ndarray (n_in, n_out), float64
    bias : ndarray (n_out,), float64
    inputs, outputs : ndarray of int
        Which neurons of the layer they are.
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    inputs: NDArray[np.intp]
    outputs: NDArray[np.intp]


def reach_of(weight: NDArray[np.float64], bias: NDArray[np.float64], in_range: Range, bins: int) -> NDArray[np.float64]:
    """How far pre-activations get from that at the centre of a cell 1/bins of the range wide, (n_out,).

    A step at the very end of a cell is not inside it: up to rounding, and up to a depth of 1e-12 beyond
    which no more than that share of the samples would lie, the reach ends before it.
    """
    scale = np.abs(weight).sum(axis=0)
    rounding = 8 * np.finfo(float).eps * (np.abs(bias) + scale * np.abs(in_range).max())
    return scale * (in_range[1] - in_range[0]) / (2 * bins) * (1 - 1e-12) - rounding


@dataclass(frozen=True, eq=False)
class BinnedLayer:
    """What a measure is taken of: a layer, its ranges and its numbers of bins.

    Attributes
    ----------
    layer : Layer or Function
    index : int
        Place of the layer in the measured network; random streams differ from place to place.
    in_range, out_range : (float, float)
    in_bins, out_bins : int
    """

    layer: Layer | Function
    index: int
    in_range: Range
    out_range: Range
    in_bins: int
    out_bins: int

    @cached_property
    def in_edges(self) -> NDArray[np.float64]:
        """Edges of the input bins, (in_bins + 1,)."""
        return bin_edges(self.in_range, self.in_bins)

    @cached_property
    def out_edges(self) -> NDArray[np.float64]:
        """Edges of the output bins, (out_bins + 1,)."""
        return bin_edges(self.out_range, self.out_bins)

    @cached_property
    def steps(self) -> StepFunction:
        """The binned activation of a dense layer."""
        assert isinstance(self.layer, Layer)
        return self.layer.activation.steps(self.out_range, self.out_bins)

    @property
    def ceiling(self) -> float:
        """min(n_in log2 in_bins, n_out log2 out_bins): no joint EI is above it."""
        return min(self.layer.n_in * np.log2(self.in_bins), self.layer.n_out * np.log2(self.out_bins))

    def components(self) -> list[Component]:
        """The dense layer without what cannot matter, split into parts that share no neuron.

        Outputs that stay in one bin over the whole input range are left out, as are repetitions of an
        output (equal weights and bias) and inputs that no remaining output listens to. All of that is
        exact: it changes neither H(output) nor H(output | input).
        """
        layer = self.layer
        assert isinstance(layer, Layer)
        middle = 0.5 * (self.in_range[0] + self.in_range[1])
        centre = layer.bias + middle * layer.weight.sum(axis=0)
        reach = reach_of(layer.weight, layer.bias, self.in_range, 1)
        breaks = self.steps.breaks
        passed = np.searchsorted(breaks, centre - reach, side="right")
        moves = (reach > 0) & (passed < np.searchsorted(breaks, centre + reach, side="left"))
        columns = np.vstack([layer.weight, layer.bias])
        _, firsts = np.unique(columns, axis=1, return_index=True)
        outputs = np.intersect1d(firsts, np.flatnonzero(moves))
        if not outputs.size:
            return []
        edges = coo_array((layer.weight[:, outputs] != 0).astype(np.int8))
        n_in, n_out = edges.shape
        graph = coo_array((edges.data, (edges.row, edges.col + n_in)), shape=(n_in + n_out, n_in + n_out))
        _, label = connected_components(graph, directed=False)
        result = []
        for part in dict.fromkeys(label[n_in:].tolist()):
            rows, columns = np.flatnonzero(label[:n_in] == part), outputs[label[n_in:] == part]
            result.append(Component(layer.weight[np.ix_(rows, columns)], layer.bias[columns], rows, columns))
        return result
