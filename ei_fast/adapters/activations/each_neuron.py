"""Activations in several steps that multiply or add parameters of each neuron, put together to one.

Such are the PReLU of Keras, relu(s) - a relu(-s), and snake, s + sin(a s)² / a, with one number a for each channel.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ei_fast.adapters.activations.steps import is_one_by_one, steps_to_one
from ei_fast.adapters.graph import Affine, Op, Recording, Same
from ei_fast.adapters.graph.each_neuron import EachNeuron
from ei_fast.adapters.graph.view import Array


@dataclass(frozen=True)
class OfEach:
    """Steps from numbers to numbers, of which some take parameters.

    Attributes
    ----------
    steps : tuple of (callable, tuple of int, tuple of int)
        A function, which of the values so far it reads, the first of which was given, and which parameters it takes.
    """

    steps: tuple[tuple[Callable[..., Array], tuple[int, ...], tuple[int, ...]], ...]

    def __call__(self, s: Array, *parameters: Array) -> Array:
        values = [s]
        with np.errstate(all="ignore"):
            for function, reads, takes in self.steps:
                values.append(function(*(values[k] for k in reads), *(parameters[k] for k in takes)))
        return values[-1]


def with_each_neuron(recording: Recording) -> Recording:
    """The recording with every such activation in one operation."""
    ops = list(recording.ops)
    readers: dict[int, list[Op]] = {}
    for op in recording.alive()[0]:
        for value in op.reads:
            readers.setdefault(value, []).append(op)
    for start, writer in [(op.writes[0], op) for op in ops if len(op.writes) == 1]:
        if writer not in ops or len(readers.get(start, ())) < 2 or start in recording.outputs:
            continue
        fits = partial(_fits, shape=recording.values[start].shape, recording=recording)
        steps = steps_to_one(start, ops, readers, recording, fits)
        if len(steps) < 2 or not any(_has_parameters(op) for op in steps) or _is_straight(steps):
            continue
        uses = frozenset[str]().union(*(op.uses for op in steps))
        whole = Op(steps[-1].name, _together(start, steps), (start,), steps[-1].writes, uses)
        at = ops.index(steps[-1])
        ops = [whole if k == at else op for k, op in enumerate(ops) if k == at or op not in steps]
        readers[start] = [whole]
    return replace(recording, ops=ops)


def _has_parameters(op: Op) -> bool:
    return isinstance(op.does, (Affine, EachNeuron)) and op.does.of_number is None


def _is_straight(steps: Sequence[Op]) -> bool:
    return all(isinstance(op.does, (Affine, Same)) for op in steps)


def _fits(op: Op, shape: tuple[int, ...], recording: Recording) -> bool:
    """Whether an operation may be one of the steps."""
    if _has_parameters(op):
        return recording.values[op.writes[0]].shape == shape
    return is_one_by_one(op, shape, recording.values)


def _together(start: int, ops: Sequence[Op]) -> EachNeuron:
    place = {start: 0}
    parameters: list[Array] = []
    steps: list[tuple[Callable[..., Array], tuple[int, ...], tuple[int, ...]]] = []
    for op in ops:
        function, own = _with_own(op)
        takes = tuple(range(len(parameters), len(parameters) + len(own)))
        parameters += own
        steps.append((function, tuple(place[value] for value in op.reads), takes))
        place[op.writes[0]] = len(steps)
    return EachNeuron(OfEach(tuple(steps)), tuple(parameters))


def _with_own(op: Op) -> tuple[Callable[..., Array], tuple[Array, ...]]:
    """The function of a step, and the parameters that it takes."""
    does = op.does
    function = does.of_number
    if function is not None:
        return function, ()
    if isinstance(does, EachNeuron):
        return does.function, does.parameters
    assert isinstance(does, Affine)
    return _line, (does.scale, does.shift)


def _line(x: Array, scale: Array, shift: Array) -> Array:
    return scale * x + shift
