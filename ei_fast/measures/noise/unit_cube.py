"""A dense layer in coordinates in which every input is uniform on (0, 1)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.network.bins import Ranges, ends_of
from ei_fast.network.layer import Layer
from ei_fast.network.slopes import STEP, Slopes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class UnitCubeLayer:
    """The map u -> f(u @ weight + bias), u uniform on the unit cube.

    Attributes
    ----------
    weight : ndarray (n_in, n_out)
        The layer's, each row times the width of its input's range.
    bias : ndarray (n_out,)
        Pre-activations at u = 0.
    slopes : Slopes
        Of its activation.
    """

    weight: Array
    bias: Array
    slopes: Slopes

    @classmethod
    def of(cls, layer: Layer, in_range: Ranges, step: float = STEP) -> "UnitCubeLayer":
        """The layer over this range, or these ranges, of its inputs."""
        low, high = ends_of(in_range, layer.n_in)
        weight = layer.weight
        return cls(weight * (high - low)[:, None], low @ weight + layer.bias, Slopes(layer.activation, step))

    @property
    def centres(self) -> Array:
        """Pre-activations with every input in the middle of its range."""
        centres: Array = self.bias + 0.5 * self.weight.sum(axis=0)
        return centres

    @property
    def supports(self) -> Array:
        """How far each pre-activation gets from its centre."""
        supports: Array = 0.5 * np.abs(self.weight).sum(axis=0)
        return supports
