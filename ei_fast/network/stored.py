"""Dense layers whose weights stay in their file until they are asked for, and are let go of afterwards."""

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.network.activations import Activation
from ei_fast.network.bins import Ranges
from ei_fast.network.function import Function
from ei_fast.network.layer import Layer

Arrays = tuple[Any, Any]
"""Weight (n_in, n_out), and bias (n_out,) or None."""


class StoredLayer(Layer):
    """A dense layer that is read each time it is needed: of many large ones, one alone is in memory.

    Parameters
    ----------
    read : callable
        Returns weight (n_in, n_out) and bias (n_out,), or None for no bias.
    n_in, n_out : int
        Numbers of neurons, which are known without reading.
    activation : str or Activation
        The elementwise activation.
    name : str, optional
        Name in reports.
    in_range : (float, float), optional
        Range of the inputs.

    Notes
    -----
    `loaded` gives it as an ordinary `Layer`, and the same one as long as somebody holds that; a copy and a pickle
    are ordinary layers.
    """

    def __init__(
        self,
        read: Callable[[], Arrays],
        n_in: int,
        n_out: int,
        activation: str | Activation,
        name: str | None = None,
        in_range: Ranges | None = None,
    ):
        # All but the weights is checked now.
        without_weights = Layer(np.zeros((1, 1)), None, activation, name, None, in_range)
        known = {"_read": read, "_n_in": n_in, "_n_out": n_out, "_last": None, "out_range": None, "patch": None}
        for key in ("activation", "name", "in_range"):
            known[key] = getattr(without_weights, key)
        for key, value in known.items():
            object.__setattr__(self, key, value)

    def loaded(self) -> Layer:
        """Return the layer with its weights in memory.

        Returns
        -------
        Layer
            The one that was returned before, if that is still in use.

        Raises
        ------
        ValueError
            As `Layer`, for weights that are not finite or not of the sizes that were known.
        """
        last: weakref.ref[Layer] | None = self._last  # type: ignore[attr-defined]
        layer = None if last is None else last()
        if layer is None:
            weight, bias = self._read()  # type: ignore[attr-defined]
            layer = Layer(weight, bias, self.activation, self.name, None, self.in_range)
            object.__setattr__(self, "_last", weakref.ref(layer))
        return layer

    @property
    def weight(self) -> NDArray[np.float64]:
        """Weights (n_in, n_out), read anew where nobody holds them."""
        return self.loaded().weight

    @property
    def bias(self) -> NDArray[np.float64]:
        """Biases (n_out,), read anew where nobody holds them."""
        return self.loaded().bias

    @property
    def n_in(self) -> int:
        """Number of input neurons."""
        return int(self._n_in)  # type: ignore[attr-defined]

    @property
    def n_out(self) -> int:
        """Number of output neurons."""
        return int(self._n_out)  # type: ignore[attr-defined]

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs (m, n_out) at the inputs `x` (m, n_in)."""
        return self.loaded()(x)

    def size_of_sums(self, x: NDArray[np.float64]) -> float:
        return self.loaded().size_of_sums(x)

    def preactivation_hull(
        self, in_range: Ranges | NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.loaded().preactivation_hull(in_range)

    def output_image(self, in_range: Ranges) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.loaded().output_image(in_range)

    def named(self, name: str) -> "StoredLayer":
        return self._again(name, self.in_range)

    def over(self, in_range: Ranges) -> "StoredLayer":
        return self._again(self.name, in_range)

    def _again(self, name: str | None, in_range: Ranges | None) -> "StoredLayer":
        return StoredLayer(self._read, self.n_in, self.n_out, self.activation, name, in_range)  # type: ignore[attr-defined]

    def __reduce__(self) -> tuple[Any, ...]:
        return self.loaded().__reduce__()


def in_memory(layer: Layer | Function) -> Layer | Function:
    """Return a layer with its weights in memory: itself, unless it is a `StoredLayer`."""
    return layer.loaded() if isinstance(layer, StoredLayer) else layer
