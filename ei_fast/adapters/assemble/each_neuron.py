"""Layers whose activation has parameters for each neuron, as the functions of a `Function`."""

from dataclasses import dataclass

import numpy as np

from ei_fast.adapters.graph.each_neuron import EachNeuron
from ei_fast.adapters.graph.view import Array
from ei_fast.network.bins import Ranges, widened
from ei_fast.network.layer import Function, Layer
from ei_fast.network.reach import reached

# Pre-activations between the ends of what a neuron reaches at which its outputs are looked at, some neurons at a time.
_POINTS = 2049
_AT_A_TIME = 256
# Of the size of a pre-activation: how far apart those are from which the slope of the activation is told.
_NEAR = 1e-6


@dataclass
class EachNeuronOf:
    """A dense layer or convolution, and an activation that is another one for each of its neurons or channels."""

    linear: Layer
    activation: EachNeuron

    def __call__(self, x: Array) -> Array:
        return self.activation.function(self.linear(x), *self.activation.parameters)

    def size_of_sums(self, x: Array) -> float:
        """Largest sum of the sizes of what a pre-activation adds up, times what the activation makes of an error."""
        size = self.linear.size_of_sums(x)
        near = _NEAR * max(size, 1e-300)
        s = self.linear(x)
        above, below = (self.activation.function(s + off, *self.activation.parameters) for off in (near, -near))
        return size * max(1.0, float(np.max(np.abs(above - below), initial=0.0)) / (2 * near))

    def function(self, in_range: Ranges) -> Function:
        """The layer over inputs in `in_range`: its outputs' range is what its neurons reach, as of any layer."""
        linear = self.linear
        low, high = self.image(*reached(linear, in_range))
        positions = linear.per_position
        return Function(self, linear.n_in, linear.n_out, widened(low, high), None, linear.name, linear.patch, positions)

    def image(self, low: Array, high: Array) -> tuple[float, float]:
        """Smallest and largest output where each neuron's pre-activation lies between two numbers."""
        return image_of(self.activation, low, high)


def image_of(activation: EachNeuron, low: Array, high: Array) -> tuple[float, float]:
    """Smallest and largest value of an activation of which each neuron is given an interval.

    Exact where it is monotone on both sides of 0, as PReLU and snake are.
    """
    ends = []
    for begin in range(0, len(low), _AT_A_TIME):
        some = slice(begin, begin + _AT_A_TIME)
        points = [np.linspace(low[some], high[some], _POINTS), np.clip(0.0, low[some], high[some])[None]]
        values = activation.function(np.concatenate(points), *(part[some] for part in activation.parameters))
        ends.append((float(values.min()), float(values.max())))
    return min(least for least, _ in ends), max(most for _, most in ends)
