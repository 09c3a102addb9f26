"""Functions of Keras as functions of arrays: what they are is told by what they make of numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.activations.known import activation_of
from ei_fast.adapters.activations.tried import does_alone
from ei_fast.adapters.graph import Dense
from ei_fast.adapters.graph.contractions import dense_of
from ei_fast.network.activations import Activation


def as_numbers(tensor: Any) -> NDArray[np.floating]:
    """The values of a tensor as NumPy has them: float32 where they are that, else float64."""
    values = np.asarray(keras.ops.convert_to_numpy(tensor))
    values = values.real if values.dtype.kind == "c" else values
    return np.array(values, dtype=np.float32 if values.dtype == np.float32 else np.float64)


@dataclass(frozen=True, eq=False)
class _OnBackend:
    """A function of tensors as one of arrays.

    Equal to itself alone: what the function does may have changed since it was last met.
    """

    function: Callable[[Any], Any]
    __name__: str

    def __call__(self, s: NDArray[np.float64]) -> NDArray[np.float64]:
        # JAX has no other numbers unless it is told to.
        dtype = "float32" if keras.backend.backend() == "jax" else "float64"
        return as_numbers(self.function(keras.ops.convert_to_tensor(s, dtype))).astype(np.float64, copy=False)


def elementwise(function: Callable[[Any], Any], x: Any, y: Any, name: str) -> Activation | None:
    """The activation that a function is, if it maps each value of x to that of y by itself."""
    if tuple(y.shape) != tuple(x.shape):
        return None
    alone = as_numbers(function(keras.ops.reshape(x, (-1, 1)))).reshape(tuple(x.shape))
    alike = np.allclose(alone, as_numbers(y), rtol=1e-5, atol=1e-6, equal_nan=True)
    if not alike or not does_alone(lambda s: as_numbers(function(keras.ops.convert_to_tensor(s, x.dtype)))):
        return None
    return activation_of(_OnBackend(function, name))


def contraction(op: Any, args: tuple[Any, ...], kwargs: dict[str, Any], at: int, y: Any) -> Dense | None:
    """The dense map that a sum of products is of the one argument that depends on the model's input, if it is one."""
    x = args[at]

    def run(values: NDArray[np.floating]) -> NDArray[np.floating]:
        given = keras.ops.convert_to_tensor(values, keras.backend.standardize_dtype(x.dtype))
        return as_numbers(op.call(*(given if k == at else arg for k, arg in enumerate(args)), **kwargs))

    return dense_of(run, as_numbers(x), as_numbers(y))
