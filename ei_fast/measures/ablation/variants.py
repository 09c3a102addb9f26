"""A layer without one neuron or edge: which one, and the layer that is left."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ei_fast.network.binned import BinnedLayer
from ei_fast.network.layer import Layer

Numbers = NDArray[np.int64]
What = Literal["inputs", "outputs", "edges"]

NOTHING = -1
"""In place of an input or an output that is not concerned."""


@dataclass(frozen=True, eq=False)
class Variants:
    """Layers that lack something, each its own.

    Attributes
    ----------
    inputs, outputs : ndarray (n,), int64
        An input and an output are the edge between them; an input alone, or an output alone, is that neuron.
    """

    inputs: Numbers
    outputs: Numbers

    @classmethod
    def all_of(cls, what: What, n_in: int, n_out: int) -> "Variants":
        """Each input, output or edge of a layer; edges input by input."""
        if what == "edges":
            inputs, outputs = np.divmod(np.arange(n_in * n_out), n_out)
            return cls(inputs, outputs)
        n = n_in if what == "inputs" else n_out
        each, nothing = np.arange(n), np.full(n, NOTHING)
        return cls(each, nothing) if what == "inputs" else cls(nothing, each)

    def __len__(self) -> int:
        return len(self.inputs)

    def at(self, places: Numbers | slice) -> "Variants":
        """Some of them."""
        return Variants(self.inputs[places], self.outputs[places])


def lacking(binned: BinnedLayer, inputs: Numbers, outputs: Numbers, value: float) -> BinnedLayer:
    """A layer without some of its inputs, outputs or edges, over the same ranges.

    Parameters
    ----------
    binned : BinnedLayer
    inputs, outputs : ndarray (n,), int64
        As of `Variants`, all of which it lacks together.
    value : float
        What stands in place of an input, or of what an edge passes on.
    """
    layer = binned.layer
    assert isinstance(layer, Layer)
    gone = gone_of(inputs, outputs, layer.n_in, layer.n_out)
    weight = layer.weight
    # An output without any edge is a constant, whatever it is held at.
    held = gone & ~gone.all(axis=0)
    bias = layer.bias + value * np.where(held, weight, 0.0).sum(axis=0)
    kept: dict[str, Any] = {
        "activation": layer.activation,
        "name": layer.name,
        "patch": layer.patch,
        "per_position": layer.per_position,
    }
    return replace(binned, layer=Layer(np.where(gone, 0.0, weight), bias, **kept))


def gone_of(inputs: Numbers, outputs: Numbers, n_in: int, n_out: int) -> NDArray[np.bool_]:
    """Which edges (n_in, n_out) go with some inputs, outputs or edges."""
    gone = np.zeros((n_in, n_out), dtype=bool)
    is_edge = (inputs != NOTHING) & (outputs != NOTHING)
    gone[inputs[is_edge], outputs[is_edge]] = True
    gone[inputs[(inputs != NOTHING) & ~is_edge]] = True
    gone[:, outputs[(outputs != NOTHING) & ~is_edge]] = True
    return gone
