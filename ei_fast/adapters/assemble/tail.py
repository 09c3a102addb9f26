"""What follows a map, up to where its layer ends."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from math import prod

import numpy as np

from ei_fast.adapters.assemble.each_neuron import EachNeuronOf
from ei_fast.adapters.assemble.functions import PooledOf, SoftmaxOf, averaged, pooled
from ei_fast.adapters.graph import (
    Affine,
    Block,
    Conv,
    Dense,
    Op,
    Operation,
    Pad,
    Places,
    Pointwise,
    Pool,
    Readers,
    Recording,
    Reduce,
    Role,
    Same,
    Softmax,
    Start,
    Step,
    Transposed,
    View,
    Window,
)
from ei_fast.adapters.graph.each_neuron import EachNeuron
from ei_fast.adapters.graph.fusion import folded_after
from ei_fast.network.activations import Activation
from ei_fast.network.layer import Function, Layer

LINEAR = Activation("linear")


@dataclass(frozen=True)
class _End:
    """Where a layer may end: the value, how it comes from the layer's outputs, and their shape."""

    value: int
    view: View
    shape: tuple[int, ...]
    n_ops: int


class Tail:
    """What follows a map and nobody else reads: scales, shifts and its activation, and of a convolution its pool.

    Attributes
    ----------
    start : Start
        The map.
    with_pools : bool
        Whether the layer may end in a pool.
    ops : list of Op
        That became part of the layer.
    shape : tuple of int
        Of a sample of the value whose neurons or channels are the outputs; behind channels, of its places.
    end : int
        The value at which the layer ends.
    view : View
        How that comes from the outputs.
    """

    def __init__(
        self, op: Op, start: Start, recording: Recording, readers: Readers, *, with_pools: bool, refused: Op | None
    ):
        self.start, self.with_pools = start, with_pools
        self._name, self._recording, self._readers, self._refused = op.name, recording, readers, refused
        self._steps: list[Step] = []
        self.ops: list[Op] = []
        self.end = op.writes[0]
        self.shape = recording.shape(self.end)
        self.view = View.of(self.end, self.shape)
        # Before the first step, and after each.
        ends = [self._behind_same()]
        while not isinstance(start, Block) and (step := self._next()) is not None:
            self._steps.append(step)
            ends.append(self._behind_same())
        n_steps = _n_taken(self._steps) - self._n_left_out()
        end = ends[n_steps]
        self.end, self.view, self.shape = end.value, end.view, end.shape
        self._steps, self.ops = self._steps[:n_steps], self.ops[: end.n_ops]

    @property
    def in_order(self) -> bool:
        """Whether the outputs stand in the end as the map has them."""
        return self.view.is_identity

    @property
    def window(self) -> Window:
        """What an output sees of the value that the convolution reads."""
        assert isinstance(self.start, Conv)
        pool = next((step for step in self._steps if isinstance(step, Pool)), None)
        return self.start.window if pool is None else self.start.window.seen_through(pool.window)

    def outputs(self, n_out: int) -> Places:
        """Where in a sample of the end the outputs are, (m, n_out)."""
        at = self.view.back(np.arange(self.view.places.size).reshape(self.view.places.shape)).reshape(self.shape)
        if isinstance(self.start, Transposed):
            return self.start.outputs(at)
        return np.moveaxis(at, self.start.axis, -1).reshape(-1, n_out)

    @cached_property
    def layer(self) -> Layer | Function | SoftmaxOf | PooledOf | EachNeuronOf:
        """The map with all that was taken."""
        start, steps = self.start, list(self._steps)
        if isinstance(start, Block):
            function = start.function
            return replace(function, per_position=self._at_many(function.n_out) and function.patch is None)
        assert isinstance(start, (Dense, Conv, Transposed))
        if isinstance(start, Transposed):
            steps = [_repeated(step, start.of_channel) for step in steps]
        weight, bias = start.weight, start.bias
        while steps and isinstance(step := steps[0], Affine):
            (weight, bias), steps = folded_after(weight, bias, step.scale, step.shift), steps[1:]
        activation = LINEAR
        if steps and isinstance(step := steps[0], Pointwise):
            activation, steps = step.activation, steps[1:]
        if isinstance(start, Conv):
            layer = replace(start, weight=weight, bias=bias).layer(activation, self._name)
        else:
            patch = (start.channels, *start.window.size) if isinstance(start, Transposed) else None
            at_many = patch is None and self._at_many(len(bias))
            layer = Layer(weight, bias, activation, name=self._name, patch=patch, per_position=at_many)
        pool = steps[0] if steps else None
        if isinstance(start, Conv) and activation is LINEAR and isinstance(pool, Pool) and pool.mean:
            return _behind_mean(averaged(layer, start.window, pool), steps[1:])
        if not steps:
            return layer
        if isinstance(step := steps[0], Softmax):
            return SoftmaxOf(layer, step.log)
        if isinstance(step, EachNeuron) and len(steps) == 1:
            return EachNeuronOf(layer, step)
        assert isinstance(start, Conv)
        return pooled(layer, start.window, steps)

    def _at_many(self, n_out: int) -> bool:
        """Whether a map to so many outputs stands at several places of a sample."""
        return prod(self.shape) > n_out

    def _behind_same(self) -> _End:
        """Go on behind what leaves the values as they are; return where that is."""
        while (reader := self._readers.only(self.end)) is not None and isinstance(reader.does, Same):
            self.ops.append(reader)
            self.end = reader.writes[0]
            self.view = reader.does.seen(self.view, self._recording.shape(self.end))
        return _End(self.end, self.view, self.shape, len(self.ops))

    def _next(self) -> Step | None:
        """Go on behind what follows; return what it does to the map."""
        ops, does = self._following()
        step = None if does is None or ops[-1] is self._refused else does.as_step(self)
        if step is None:
            return None
        self.ops += ops
        self.end = ops[-1].writes[0]
        if isinstance(step, Pool):
            end_shape = self._recording.shape(self.end)
            self.view = View.of(self.end, end_shape)
            # Where all places were reduced to one, their axes may be gone.
            one_place = (self.shape[0], *(1 for _ in self.shape[1:]))
            self.shape = one_place if isinstance(does, Reduce) else end_shape
        return step

    def _following(self) -> tuple[list[Op], Operation | None]:
        """The operation that follows, or padding and the pool behind it, and what they do."""
        op = self._readers.only(self.end)
        if op is None:
            return [], None
        pool = self._readers.only(op.writes[0]) if isinstance(op.does, Pad) else None
        if pool is None or not isinstance(op.does, Pad) or not isinstance(pool.does, Pool):
            return [op], op.does
        return [op, pool], pool.does.behind(op.does)

    def _n_left_out(self) -> int:
        """How many of the last steps scale all neurons alike before their product with another value, as in attention.

        The scale is that of the product, and the weights are those that the model has.
        """
        following = self._readers.only(self.end)
        multiplied = following is not None and following.does.is_product and len(following.reads) > 1
        if not multiplied or isinstance(self.start, Conv) or not all(isinstance(step, Affine) for step in self._steps):
            return 0
        alike = (isinstance(step, Affine) and step.scales_all_alike for step in reversed(self._steps))
        return sum(1 for _ in takewhile(bool, alike))


def _behind_mean(layer: Layer, steps: Sequence[Step]) -> Layer:
    """A dense map with the affine maps that follow it, and their activation if there is one."""
    weight, bias, activation = layer.weight, layer.bias, layer.activation
    for step in steps:
        if isinstance(step, Affine):
            weight, bias = folded_after(weight, bias, step.scale, step.shift)
        elif isinstance(step, Pointwise):
            activation = step.activation
    return Layer(weight, bias, activation, name=layer.name, patch=layer.patch)


def _repeated(step: Step, times: int) -> Step:
    """A step of channels, as one of outputs of which so many belong to each channel."""
    if isinstance(step, Affine):
        return Affine(*(np.repeat(part, times) for part in (step.scale, step.shift)))
    if isinstance(step, EachNeuron):
        return EachNeuron(step.function, tuple(np.repeat(part, times) for part in step.parameters))
    return step


def _n_taken(steps: Sequence[Step]) -> int:
    """How many of the steps belong to the layer: up to its activation, or to its pool and the activation then."""
    roles = [step.role for step in steps]
    pool = roles.index(Role.POOLS) if Role.POOLS in roles else None
    if pool is not None and Role.ACTIVATES in roles[:pool]:
        return pool + 1
    first = 0 if pool is None else pool + 1
    after = next((k for k in range(first, len(roles)) if roles[k] is not Role.FOLDS), len(roles))
    if pool is None:
        return min(after + 1, len(roles))
    return after + 1 if after < len(roles) and roles[after] is Role.ACTIVATES else pool + 1
