"""Functions of PyTorch that make every number of what those in the same place of their tensors are: any such is found.

Whether a function is one is not told by its name but tried: see `maps_each`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import erf, erfc, expit

from ei_fast.adapters.activations.known import OfNumbers, activation_of, power_of
from ei_fast.adapters.activations.tried import maps_each
from ei_fast.adapters.graph import Combine, Operation, Pointwise
from ei_fast.adapters.torch.call import Call, plain_name
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range

_MADE_LIKE = {
    "zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "randint_like",
    "new_zeros", "new_ones", "new_full", "new_empty",
}  # fmt: skip

TAKES_FORM = {"to", "type_as", "view_as", "reshape_as"}
"""Functions that give their first argument the type or the shape of another one, and read nothing else of that."""

_CODOMAINS: dict[str, Range] = {
    **dict.fromkeys(("abs", "absolute", "exp2", "square", "sqrt", "rsqrt"), (0.0, np.inf)),
    **dict.fromkeys(("sin", "cos", "sign", "special_erf"), (-1.0, 1.0)),
    **dict.fromkeys(("gt", "ge", "lt", "le", "eq", "ne", "logical_not", "special_expit", "special_ndtr"), (0.0, 1.0)),
    **dict.fromkeys(("atan", "arctan"), (-np.pi / 2, np.pi / 2)),
    **dict.fromkeys(("erfc", "special_erfc"), (0.0, 2.0)),
}
"""Of functions of one value, whatever else they are given."""

_OF_NUMPY: dict[str, Callable[..., Any]] = {
    **{name: getattr(np, name) for name in ("sin", "cos", "tan", "sinh", "cosh", "sign", "sqrt", "square", "exp2")},
    **{name: getattr(np, name) for name in ("log", "log1p", "log2", "log10", "expm1", "floor", "ceil", "trunc")},
    **dict.fromkeys(("atan", "arctan"), np.arctan),
    **dict.fromkeys(("asinh", "arcsinh"), np.arcsinh),
    "special_expit": expit,
    "special_erf": erf,
    **dict.fromkeys(("erfc", "special_erfc"), erfc),
}
"""The same functions for arrays, where they take one value and nothing else."""


@dataclass(frozen=True)
class _Slot:
    """The place of a value that is given."""

    index: int
    dtype: torch.dtype


@dataclass(frozen=True)
class _Number:
    """The place of a tensor that holds one number, if several times."""

    value: float | bool | int
    dtype: torch.dtype


@dataclass(frozen=True, eq=False)
class OfTensors:
    """A function of tensors, number by number, as one of arrays.

    Equal to itself alone: it may hold whatever the function was called with.

    Attributes
    ----------
    function : callable
        Of PyTorch.
    args, kwargs
        What it was called with, with `_Slot` where a value is given.
    in_columns : bool
        Whether the values that are given are handed to it one below the other, whatever their shape.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    in_columns: bool = False

    @property
    def __name__(self) -> str:
        return plain_name(self.function)

    def __call__(self, *given: NDArray[np.float64]) -> NDArray[np.float64]:
        shape = np.shape(given[0])
        if self.in_columns:
            given = tuple(np.reshape(one, (-1, 1)) for one in given)
        args, kwargs = _filled((self.args, self.kwargs), given)
        with torch.no_grad():
            result = self.function(*args, **kwargs)
        # What writes to its first argument may return nothing.
        made = args[0] if result is None else result
        values: NDArray[np.float64] = made.to(torch.float64).numpy()
        return values.reshape(shape) if self.in_columns else values


class KnownTensors(Protocol):
    """What is known of tensors."""

    @property
    def values(self) -> Mapping[int, NDArray[np.floating]]:
        """What depends on the model's input, by number, as it was before the function was called."""

    def number_of(self, tensor: torch.Tensor) -> int | None:
        """The number of a tensor that depends on the model's input; None for any other."""

    def is_learned(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor is one that the model holds, or made of such."""


def makes_anew(name: str, reads: Sequence[int]) -> bool:
    """Whether a function of this name reads no more than the shape of the one value that it is given."""
    return name in _MADE_LIKE and len(reads) == 1


def each_by_itself(call: Call, known: "KnownTensors", result: torch.Tensor) -> tuple[Operation, tuple[int, ...]] | None:
    """What a function did, if it was done number by number, and which values it reads, by number.

    Parameters
    ----------
    result : tensor
        Where it was written to what the function was given: after that.
    """
    found = _Places(known)
    places = found.of((call.args, call.kwargs))
    shape = tuple(result.shape)
    plain = result.layout == torch.strided and not result.is_complex()
    if places is None or "out" in call.kwargs or not plain or any(one != shape for one in found.shapes):
        return None
    # Several rows may make one of the input there.
    operands = [known.values[number].reshape(shape) for number in found.reads]
    whole = OfTensors(call.function, places[0], dict(places[1]))
    eps = torch.finfo(result.dtype).eps if result.is_floating_point() else 2.0**-52
    made = result.detach().to(torch.float64).cpu().numpy()
    if not maps_each(whole, operands, "".join(found.kinds), made, _kind(result.dtype), eps):
        return None
    whole = replace(whole, in_columns=True)
    if len(operands) > 1:
        return Combine(whole), tuple(found.reads)
    return Pointwise(_activation(whole)), tuple(found.reads)


def _kind(dtype: torch.dtype) -> str:
    """As NumPy has it."""
    return "f" if dtype.is_floating_point else "b" if dtype == torch.bool else "i"


def _activation(whole: OfTensors) -> Activation:
    name = whole.__name__
    alone = len(whole.args) == 1 and not whole.kwargs and name in _OF_NUMPY
    function: Callable[..., Any] = OfNumbers(_OF_NUMPY[name], (None,)) if alone else whole
    if name in ("pow", "rpow") and not whole.kwargs:
        # Not every one of its forms can be pickled.
        numbers = tuple(None if isinstance(arg, _Slot) else _plain(arg) for arg in whole.args)
        if name == "pow" and numbers[0] is None and (known := power_of(numbers[1] or 0.0)) is not None:
            return known
        function = OfNumbers(np.power, numbers if name == "pow" else numbers[::-1])
    return Activation(function, _CODOMAINS[name]) if name in _CODOMAINS else activation_of(function)


def _plain(number: Any) -> float:
    return float(number.value if isinstance(number, _Number) else number)


class _Places:
    """The arguments of a function with places for tensors, and what is read there."""

    def __init__(self, known: "KnownTensors"):
        self._known = known
        self.reads: list[int] = []
        self.kinds: list[str] = []
        self.shapes: list[tuple[int, ...]] = []

    def of(self, values: Any) -> Any:
        """The same with places for tensors; None where one of these is no number, or something is of another kind."""
        if isinstance(values, torch.Tensor):
            return self._of_tensor(values)
        if not isinstance(values, (list, tuple, Mapping)):
            return values
        if isinstance(values, Mapping):
            places = {key: self.of(one) for key, one in values.items()}
            known = all(places[key] is not None or one is None for key, one in values.items())
            return places if known else None
        several = [self.of(one) for one in values]
        known = all(place is not None or one is None for place, one in zip(several, values, strict=True))
        return type(values)(several) if known and type(values) in (list, tuple) else None

    def _of_tensor(self, tensor: torch.Tensor) -> "_Slot | _Number | None":
        number = self._known.number_of(tensor)
        if number is None:
            return self._constant(tensor)
        if number not in self.reads:
            self.reads.append(number)
            self.kinds.append(_kind(tensor.dtype))
            self.shapes.append(tuple(tensor.shape))
        return _Slot(self.reads.index(number), tensor.dtype)

    def _constant(self, tensor: torch.Tensor) -> _Number | None:
        if not tensor.numel() or tensor.is_complex() or tensor.layout != torch.strided:
            return None
        if tensor.numel() > 1 and self._known.is_learned(tensor):
            # What is the same for all neurons is so until it is trained.
            return None
        first = tensor.detach().reshape(-1)[0]
        return _Number(first.item(), tensor.dtype) if bool((tensor == first).all()) else None


def _filled(values: Any, given: Sequence[NDArray[np.float64]]) -> Any:
    """The arguments with tensors in their places, of their own: the function may write to them."""
    if isinstance(values, _Slot):
        return torch.from_numpy(np.array(given[values.index])).to(_wide(values.dtype))
    if isinstance(values, _Number):
        return torch.tensor(values.value, dtype=_wide(values.dtype))
    if isinstance(values, dict):
        return {key: _filled(one, given) for key, one in values.items()}
    return type(values)(_filled(one, given) for one in values) if type(values) in (list, tuple) else values


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype.is_floating_point else dtype
