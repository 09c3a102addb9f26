"""Operations of Keras that are done number by number: not told by their names, but tried."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.activations.known import activation_of
from ei_fast.adapters.activations.tried import maps_each
from ei_fast.adapters.graph import (
    Combine,
    Pointwise,
)
from ei_fast.adapters.keras.call import Call
from ei_fast.adapters.keras.numbers import as_numbers


@dataclass(frozen=True, eq=False)
class _OfArrays:
    """An operation, number by number, as a function of arrays; `_Given` stands in the place of one that is given."""

    op: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    dtypes: tuple[str, ...]

    @property
    def __name__(self) -> str:
        return type(self.op).__name__.lower()

    def __call__(self, *given: NDArray[np.float64]) -> NDArray[np.float64]:
        tensors = iter([keras.ops.convert_to_tensor(one, dtype) for one, dtype in zip(given, self.dtypes, strict=True)])
        args = [next(tensors) if isinstance(arg, _Given) else arg for arg in self.args]
        return as_numbers(self.op.call(*args, **self.kwargs)).astype(np.float64, copy=False)


class _Given:
    """In the place of an argument that is given."""


def each_by_itself(call: Call) -> Pointwise | Combine | None:
    """What an operation does, if it is done number by number."""
    kinds = {"bool": "b", "int": "i", "uint": "i"}
    dtypes = [keras.backend.standardize_dtype(call.args[k].dtype) for k in call.at]
    of_result = keras.backend.standardize_dtype(call.output.dtype)
    letters = [kinds.get(dtype.rstrip("0123456789"), "f") for dtype in (*dtypes, of_result)]
    args: list[Any] = [
        _Given() if k in call.at else arg if isinstance(arg, (bool, int, float, str, type(None))) else _one_number(arg)
        for k, arg in enumerate(call.args)
    ]
    if any(arg is None and call.args[k] is not None for k, arg in enumerate(args)) or "complex" in of_result:
        return None
    wide = "float32" if keras.backend.backend() == "jax" else "float64"
    given_as = [wide if one == "f" else dtype for one, dtype in zip(letters[:-1], dtypes, strict=True)]
    whole = _OfArrays(call.op, tuple(args), call.kwargs, tuple(given_as))
    result, operands = as_numbers(call.output), [as_numbers(call.args[k]) for k in call.at]
    eps = {"float64": 2.0**-52, "float16": 2.0**-10, "bfloat16": 2.0**-7}.get(of_result, 2.0**-23)
    if not maps_each(whole, operands, "".join(letters[:-1]), result, letters[-1], eps):
        return None
    return Combine(whole) if len(operands) > 1 else Pointwise(activation_of(whole))


def _one_number(tensor: Any) -> float | None:
    """The number that a tensor holds, or a constant that is made anew everywhere; None if there are several."""
    if not hasattr(tensor, "shape"):
        return None
    values = as_numbers(tensor)
    return float(values.flat[0]) if values.size == 1 else None
