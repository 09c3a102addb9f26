"""Functions of PyTorch that a model has called, to be called again with other values in the places of those it had."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ei_fast.adapters.graph.view import Array
from ei_fast.adapters.torch.call import Call, numbers_of, plain_name, tensors_in


@dataclass(frozen=True)
class _Slot:
    """The place of a value, by its number, and what its tensor was like."""

    number: int
    shape: tuple[int, ...]
    dtype: torch.dtype


@dataclass(frozen=True, eq=False)
class Again:
    """A call with places for the values that depend on the model's input.

    Attributes
    ----------
    name : str
        Of the function, without what tells methods and operators apart.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    # Constants, and which version of them it was called with.
    constants: tuple[tuple[torch.Tensor, int], ...]
    # Whether every value has a place.
    is_whole: bool

    @classmethod
    def of(cls, call: Call, number_of: Callable[[torch.Tensor], int | None]) -> "Again":
        """What a call was, before it is done: what it does may change its arguments."""
        constants = tuple((one, one._version) for one in call.tensors if number_of(one) is None)
        args, kwargs = _slots(call.args, number_of), _slots(call.kwargs, number_of)
        is_whole = len(_slots_in((args, kwargs))) == len(call.tensors) - len(constants)
        return cls(call.function, args, kwargs, constants, is_whole)

    @property
    def name(self) -> str:
        return plain_name(self.function)

    @property
    def can_be_done(self) -> bool:
        """Whether all that it was called with is known, and still what it was."""
        return self.is_whole and all(tensor._version == version for tensor, version in self.constants)

    def slot(self, number: int) -> Any:
        """What the tensor of a value was like; None where it reads no such value."""
        found = _slots_in((self.args, self.kwargs))
        return next((slot for slot in found if slot.number == number), None)

    def joined(
        self, calls: "Sequence[tuple[Again, tuple[int, ...]]]", entry: int, exit: int, rows: int
    ) -> "Callable[[Array], Array]":
        """Calls, each with the numbers of the values that it gives, as one function of so many rows."""
        return Steps(tuple(calls), entry, exit, rows)

    def __call__(self, values: Mapping[int, torch.Tensor]) -> list[torch.Tensor]:
        args, kwargs = _filled((self.args, self.kwargs), values)
        result = self.function(*args, **kwargs)
        # What writes to its first argument may return nothing.
        return tensors_in(args[0] if result is None else result)


@dataclass(frozen=True, eq=False)
class Steps:
    """Calls one after the other as the function of a `Function`: from one value to another.

    Attributes
    ----------
    calls : sequence of (Again, tuple of int)
        And the numbers of the values that each gives.
    entry, exit : int
        Numbers of the value that they begin and end with.
    rows : int
        For so many rows of the input they were seen, and are done again: what they were called with may say so.
    """

    calls: tuple[tuple[Again, tuple[int, ...]], ...]
    entry: int
    exit: int
    rows: int

    def __call__(self, x: Array) -> Array:
        parts = [self._of_rows(x[k : k + self.rows]) for k in range(0, len(x), self.rows)]
        return np.concatenate(parts) if parts else np.empty((0, self._of_rows(np.zeros((1, x.shape[1]))).shape[1]))

    def _of_rows(self, x: Array) -> Array:
        slot = next(found for again, _ in self.calls if (found := again.slot(self.entry)) is not None)
        # The last row stands in the place of those that are missing.
        full = np.concatenate([x, np.repeat(x[-1:], self.rows - len(x), axis=0)])
        values = {self.entry: torch.from_numpy(full).to(slot.dtype).reshape(slot.shape)}
        with torch.no_grad():
            for again, writes in self.calls:
                values.update(zip(writes, again(values), strict=True))
        made = numbers_of(values[self.exit]).reshape(self.rows, -1)
        return made[: len(x)].astype(np.float64, copy=False)


def _slots(values: Any, number_of: Callable[[torch.Tensor], int | None]) -> Any:
    """Arguments with places for the values among them."""
    if isinstance(values, torch.Tensor):
        number = number_of(values)
        return values if number is None else _Slot(number, tuple(values.shape), values.dtype)
    if type(values) is dict:
        return {key: _slots(one, number_of) for key, one in values.items()}
    return type(values)(_slots(one, number_of) for one in values) if type(values) in (list, tuple) else values


def _slots_in(values: Any) -> list[_Slot]:
    if isinstance(values, _Slot):
        return [values]
    if type(values) is dict:
        values = list(values.values())
    return [slot for one in values for slot in _slots_in(one)] if type(values) in (list, tuple) else []


def _filled(values: Any, given: Mapping[int, torch.Tensor]) -> Any:
    """Arguments with tensors in the places of values."""
    if isinstance(values, _Slot):
        return given[values.number]
    if type(values) is dict:
        return {key: _filled(one, given) for key, one in values.items()}
    return type(values)(_filled(one, given) for one in values) if type(values) in (list, tuple) else values
