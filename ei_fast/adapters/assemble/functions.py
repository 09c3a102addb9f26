"""Layers of a model that are more than a dense map and an activation, as the functions of a `Function`."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp, softmax

from ei_fast.adapters.assemble.each_neuron import image_of
from ei_fast.adapters.graph import Affine, Pointwise, Pool, Step, Window
from ei_fast.adapters.graph.each_neuron import EachNeuron
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Ranges, hull_of
from ei_fast.network.layer import Function, Layer
from ei_fast.network.network import Network
from ei_fast.network.reach import reached

Array = NDArray[np.float64]

# Weights of a convolution at all places of a pool, with 0 for what they do not see: 8 MiB.
_MAX_AT_ONCE = 2**20


@dataclass
class SoftmaxOf:
    """A dense layer that ends in softmax: no output depends on its own sum alone."""

    linear: Layer
    log: bool = False

    def __call__(self, x: Array) -> Array:
        y = self.linear(x)
        made: Array = log_softmax(y, axis=1) if self.log else softmax(y, axis=1)
        return made

    def size_of_sums(self, x: Array) -> float:
        """Largest sum of the sizes of what a pre-activation adds up."""
        return self.linear.size_of_sums(x)

    def function(self, in_range: Ranges) -> Function:
        """The layer over inputs in `in_range`: its outputs' range is (0, 1), or for the logarithm what it reaches."""
        linear = self.linear
        out_range = (0.0, 1.0)
        if self.log:
            smallest, largest = reached(linear, in_range)
            # An output is smallest where its own sum is, and all others are largest.
            others = np.where(np.eye(linear.n_out, dtype=bool), smallest[:, None], largest[None, :])
            low = float(np.min(smallest - logsumexp(others, axis=1)))
            out_range = (min(low, -1e-9), 0.0)
        positions = linear.per_position
        return Function(self, linear.n_in, linear.n_out, out_range, name=linear.name, per_position=positions)


@dataclass
class PooledOf:
    """A convolution, what is done to each of its channels, and a pool: from the box that the pool sees to its output.

    Attributes
    ----------
    linear : Layer
        The convolution at all the `places` that the pool takes in, and its activation; the outputs of the first come
        first. What a place does not see has weight 0: faster than to pick what it sees, as long as it is small.
    steps : tuple of Step
        Affine maps, activations and the pool, in their order, with numbers (n_out,).
    seen : ndarray of int (places, n_in of a patch), optional
        Of a large one, what each place sees of the box; `linear` is then the convolution at one place.
    box : tuple of int
        Shape of what the pool sees.
    """

    linear: Layer
    places: int
    steps: tuple[Step, ...]
    seen: NDArray[np.intp] | None = None
    box: tuple[int, ...] | None = None

    def __call__(self, x: Array) -> Array:
        if self.seen is None:
            y = self.linear(x).reshape(len(x), self.places, -1)
        else:
            y = np.stack([self.linear(x[:, at]) for at in self.seen], axis=1)
        for step in self.steps:
            if isinstance(step, Pool):
                y = y.mean(axis=1) if step.mean else y.max(axis=1)
            elif isinstance(step, Affine):
                y = y * step.scale + step.shift
            elif isinstance(step, Pointwise):
                y = step.activation(y)
            elif isinstance(step, EachNeuron):
                y = step.function(y, *step.parameters)
        return y

    def size_of_sums(self, x: Array) -> float:
        """Largest sum of the sizes of what a pre-activation adds up, times what the steps make of an error."""
        scales = [np.max(np.abs(step.scale), initial=1.0) for step in self.steps if isinstance(step, Affine)]
        parts = [x] if self.seen is None else [x[:, at] for at in self.seen]
        return float(np.prod(scales)) * max(self.linear.size_of_sums(part) for part in parts)

    @property
    def activation(self) -> Activation:
        """That of the convolution, or the one behind the pool."""
        return next((step.activation for step in self.steps if isinstance(step, Pointwise)), self.linear.activation)

    def preactivation_hull(self, in_range: Ranges) -> tuple[Array, Array]:
        """Smallest and largest number that each output's activation can be given; see `Layer.preactivation_hull`."""
        low, high = self.linear.preactivation_hull(in_range)
        if self.seen is not None:
            low, high = (np.tile(end, self.places) for end in (low, high))
        for step in self.steps if self.activation is not self.linear.activation else ():
            if isinstance(step, Pointwise):
                break
            if isinstance(step, Affine):
                ends = np.stack([part.reshape(self.places, -1) * step.scale + step.shift for part in (low, high)])
                low, high = ends.min(axis=0).reshape(-1), ends.max(axis=0).reshape(-1)
        return low, high

    def function(self, in_range: Ranges) -> Function:
        """The layer over inputs in `in_range`: a pool leaves the range of what it takes in."""
        low, high = hull_of(Network([self.linear.over(in_range)]).ranges()[0][1])
        for step in self.steps:
            if isinstance(step, Affine):
                ends = np.stack([step.scale * low + step.shift, step.scale * high + step.shift])
                low, high = float(ends.min()), float(ends.max())
            elif isinstance(step, EachNeuron):
                low, high = image_of(step, *(np.full(len(step.parameters[0]), end) for end in (low, high)))
            elif isinstance(step, Pointwise):
                smallest, largest = step.activation.codomain
                if not (np.isfinite(smallest) and np.isfinite(largest)):
                    smallest, largest = (float(end[0]) for end in step.activation.image([low], [high]))
                low, high = smallest, largest
        if not low < high:
            low, high = low - 0.5, high + 0.5
        linear = self.linear
        box = self.box or linear.patch
        assert box is not None
        n_out = linear.n_out // self.places if self.seen is None else linear.n_out
        return Function(self, prod(box), n_out, (low, high), name=linear.name, patch=box)


def pooled(layer: Layer, window: Window, steps: Sequence[Step]) -> PooledOf:
    """The map from the box that a pool sees through the `window` of a convolution to the pool's output.

    Parameters
    ----------
    layer : Layer
        The convolution of one patch, with what is folded into it.
    steps : sequence of Step
        Affine maps, activations and the pool, in their order.
    """
    pool = next(step for step in steps if isinstance(step, Pool))
    box, seen = _seen(layer, window, pool)
    if prod(box) * len(seen) * layer.n_out > _MAX_AT_ONCE:
        return PooledOf(layer, len(seen), tuple(steps), seen, box)
    weight = np.zeros((prod(box), len(seen), layer.n_out))
    for k, at in enumerate(seen):
        weight[at, k] = layer.weight
    bias = np.tile(layer.bias, len(seen))
    linear = Layer(weight.reshape(len(weight), -1), bias, layer.activation, name=layer.name, patch=box)
    return PooledOf(linear, len(seen), tuple(steps))


def averaged(layer: Layer, window: Window, pool: Pool) -> Layer:
    """A convolution without an activation and a mean of its places, which is a dense map of the box that they see.

    Parameters
    ----------
    layer : Layer
        The convolution of one patch, with what is folded into it.
    """
    box, seen = _seen(layer, window, pool)
    weight = np.zeros((prod(box), layer.n_out))
    for at in seen:
        weight[at] += layer.weight / len(seen)
    return Layer(weight, layer.bias, layer.activation, name=layer.name, patch=box)


def _seen(layer: Layer, window: Window, pool: Pool) -> tuple[tuple[int, ...], NDArray[np.intp]]:
    """The box that a pool sees through the `window` of a convolution, and what of it each place of the pool sees."""
    assert layer.patch is not None
    box = (layer.patch[0], *window.seen_through(pool.window).size)
    at = np.arange(prod(box)).reshape(box)
    seen = []
    for place in np.ndindex(*pool.window.size):
        # Where the patch of this place begins in the box, and then every so many values.
        axes = zip(place, pool.window.dilation, window.stride, window.dilation, window.size, strict=True)
        of_place = tuple(
            slice(start := index * apart * stride, start + (n - 1) * gap + 1, gap)
            for index, apart, stride, gap, n in axes
        )
        seen.append(at[:, *of_place].reshape(-1))
    return box, np.array(seen)
