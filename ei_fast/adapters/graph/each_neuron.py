"""Activations that have parameters of their own for each neuron or channel, as a PReLU with several slopes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ei_fast.adapters.graph.operation import Followed, Role, Step
from ei_fast.adapters.graph.view import Array, per_neuron


@dataclass(frozen=True, eq=False)
class EachNeuron(Step):
    """function(x, *parameters), value by value; each parameter of a shape that spreads to that of a sample."""

    function: Callable[..., Array]
    parameters: tuple[Array, ...]
    role = Role.ACTIVATES
    alone = (
        "an activation with parameters for each neuron or channel that follows no dense layer or convolution, or has "
        "other parameters from place to place"
    )

    @property
    def is_by_row(self) -> bool:
        return True

    def as_step(self, followed: Followed) -> "EachNeuron | None":
        parts = [
            per_neuron(followed.view.back(part).reshape(followed.shape), followed.start.axis)
            for part in self.parameters
        ]
        known = [part for part in parts if part is not None]
        return EachNeuron(self.function, tuple(known)) if len(known) == len(parts) else None


def bent(s: Array, slope: Array) -> Array:
    """PReLU: the number where it is positive, and so many times it where it is negative."""
    return np.maximum(s, 0.0) + slope * np.minimum(s, 0.0)


def prelu(slopes: Array) -> EachNeuron:
    """PReLU with slopes that spread to the shape of a sample."""
    return EachNeuron(bent, (slopes,))
