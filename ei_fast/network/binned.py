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


def reach_of(
    weight: NDArray[np.float64], bias: NDArray[np.float64], in_range: Range, width: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """How far pre-activations get from that at the centre of a cell, (n_out,), as inputs move over `width`.

    A step at the very end of a cell is not inside it: up to rounding, and up to a depth of 1e-12 beyond
    which no more than that share of the samples would lie, the reach ends before it.
    """
    moves = np.abs(weight).T @ np.broadcast_to(width, weight.shape[:1])
    rounding = 8 * np.finfo(float).eps * (np.abs(bias) + np.abs(weight).sum(axis=0) * np.abs(in_range).max())
    return 0.5 * moves * (1 - 1e-12) - rounding


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
    drop : bool
        Whether samples whose outputs leave the range are left out, or fall into the outermost bins.
    baseline : float
        Value of the other inputs in sensitivity.
    """

    layer: Layer | Function
    index: int
    in_range: Range
    out_range: Range
    in_bins: int
    out_bins: int
    drop: bool = False
    baseline: float = 0.0

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
        return self.layer.activation.steps(self.out_range, self.out_bins, self.reach, self.drop)

    @property
    def reach(self) -> Range:
        """Smallest and largest pre-activation of the layer under any intervention on its inputs."""
        assert isinstance(self.layer, Layer)
        low, high = self.in_range
        smallest, largest = self.layer.preactivation_hull((min(low, self.baseline), max(high, self.baseline)))
        low, high = float(smallest.min()), float(largest.max())
        return (low, high) if low < high else (low - 0.5, high + 0.5)

    def ceiling(self, inputs: NDArray[np.intp] | None = None, outputs: NDArray[np.intp] | None = None) -> float:
        """min(n_in log2 in_bins, n_out log2 out_bins), of all neurons or of subsets: no joint EI is above it."""
        n_in = self.layer.n_in if inputs is None else len(inputs)
        n_out = self.layer.n_out if outputs is None else len(outputs)
        return float(min(n_in * np.log2(self.in_bins), n_out * np.log2(self.out_bins)))

    def components(self, outputs: NDArray[np.intp] | None = None) -> list[Component]:
        """The dense layer without what cannot matter, split into parts that share no neuron.

        Outputs that stay in one bin over the whole input range are left out, as are repetitions of an
        output (equal weights and bias) and inputs that no remaining output listens to. All of that is
        exact: it changes neither H(output) nor H(output | input).

        Parameters
        ----------
        outputs : ndarray of int, optional
            The outputs that are watched; all of them where not given.
        """
        layer = self.layer
        assert isinstance(layer, Layer)
        watched = np.arange(layer.n_out) if outputs is None else outputs
        _, firsts = np.unique(np.vstack([layer.weight, layer.bias])[:, watched], axis=1, return_index=True)
        kept = np.intersect1d(watched[firsts], np.flatnonzero(self.outputs_that_move()))
        if not kept.size:
            return []
        if (layer.weight[:, kept] != 0).all():
            return [Component(layer.weight[:, kept], layer.bias[kept], np.arange(layer.n_in), kept)]
        edges = coo_array((layer.weight[:, kept] != 0).astype(np.int8))
        n_in, n_out = edges.shape
        graph = coo_array((edges.data, (edges.row, edges.col + n_in)), shape=(n_in + n_out, n_in + n_out))
        _, label = connected_components(graph, directed=False)
        result = []
        for part in dict.fromkeys(label[n_in:].tolist()):
            rows, columns = np.flatnonzero(label[:n_in] == part), kept[label[n_in:] == part]
            result.append(Component(layer.weight[np.ix_(rows, columns)], layer.bias[columns], rows, columns))
        return result

    def outputs_that_move(self) -> NDArray[np.bool_]:
        """Whether each output of a dense layer leaves its bin anywhere on the input range, (n_out,)."""
        passed, met = self._steps_met
        return met > passed

    def outputs_never_kept(self) -> NDArray[np.intp]:
        """Outputs of a dense layer that are outside the range for every input, and to be dropped."""
        passed, met = self._steps_met
        return np.flatnonzero((met == passed) & (self.steps.codes[passed] == self.steps.outside))

    @cached_property
    def _steps_met(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """How many steps each output has passed at its least pre-activation, and at its largest."""
        layer = self.layer
        assert isinstance(layer, Layer)
        low, high = self.in_range
        centre = layer.bias + 0.5 * (low + high) * layer.weight.sum(axis=0)
        reach = reach_of(layer.weight, layer.bias, self.in_range, high - low)
        breaks = self.steps.breaks
        passed = np.searchsorted(breaks, centre - np.maximum(reach, 0.0), side="right")
        return passed, np.maximum(passed, np.searchsorted(breaks, centre + np.maximum(reach, 0.0), side="left"))
