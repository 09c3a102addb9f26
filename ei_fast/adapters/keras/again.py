"""Operations of Keras as a model has called them, to be called again on other numbers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from ei_fast.adapters.graph.by_meaning import joined
from ei_fast.adapters.graph.view import Array
from ei_fast.adapters.keras.numbers import as_numbers

_NAMES = {"multiply": "mul", "subtract": "sub", "dotproductattention": "scaled_dot_product_attention"}


@dataclass(frozen=True)
class _Slot:
    """The place of a value, by its number, and what its tensor was like."""

    number: int
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True, eq=False)
class CalledAgain:
    """A call of an operation with places for the values that depend on the model's input.

    Attributes
    ----------
    name : str
        Of the operation.
    reads : tuple of (int, tuple of int)
        Numbers of the values that it reads, and the shapes of a sample of them.
    """

    call: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    told: str
    reads: tuple[tuple[int, tuple[int, ...]], ...]

    @classmethod
    def of(
        cls, op: Any, args: Any, kwargs: Any, number_of: Callable[[Any], int], shape: Callable[[int], tuple[int, ...]]
    ) -> "CalledAgain":
        """What a call of an operation on symbolic tensors was; what a model holds is taken as it is now."""

        def slot(value: Any) -> Any:
            if isinstance(value, keras.KerasTensor):
                return _Slot(number_of(value), tuple(value.shape), keras.backend.standardize_dtype(value.dtype))
            if isinstance(value, keras.Variable):
                return keras.ops.convert_to_tensor(keras.ops.convert_to_numpy(value).copy(), value.dtype)
            return value

        given, named = keras.tree.map_structure(slot, (args, kwargs))
        slots = [one for one in keras.tree.flatten((given, named)) if isinstance(one, _Slot)]
        reads = tuple((one.number, shape(one.number)) for one in slots)
        return cls(op.call, given, named, type(op).__name__.lower(), reads)

    @property
    def name(self) -> str:
        return _NAMES.get(self.told, self.told)

    @property
    def can_be_done(self) -> bool:
        return True

    def __call__(self, values: Mapping[int, Array]) -> list[Array]:
        def filled(one: Any) -> Any:
            if not isinstance(one, _Slot):
                return one
            return keras.ops.convert_to_tensor(values[one.number].reshape(one.shape), one.dtype)

        args, kwargs = keras.tree.map_structure(filled, (self.args, self.kwargs))
        made = [
            as_numbers(one).astype(np.float64)
            for one in keras.tree.flatten(self.call(*args, **kwargs))
            if hasattr(one, "shape")
        ]
        rows = len(next(iter(values.values())))
        # Several rows of a tensor may belong to one row of the input.
        return [one.reshape(rows, -1, *one.shape[1:]) if len(one) != rows else one for one in made]

    def joined(self, calls: Any, entry: int, exit: int, rows: int) -> Callable[[Array], Array]:
        """Operations, each with the numbers of the values that it gives, as one function of so many rows."""
        return joined(calls, entry, exit, rows)
