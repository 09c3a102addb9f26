"""Messages about bad input, and checks of numbers and arrays that every part of the package uses.

It imports nothing of the package.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

as_numpy_ships = np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")
"""Decorator of public functions: NumPy's own defaults, whatever a caller has set by `numpy.errstate`."""


def has_masked(values: Any) -> bool:
    """Whether an array, or one in a list of arrays, has masked entries."""
    if isinstance(values, (list, tuple)):
        return any(has_masked(entry) for entry in values if isinstance(entry, (list, tuple, np.ma.MaskedArray)))
    return bool(np.ma.is_masked(values))


def check_unmasked(values: Any, rule: str) -> None:
    """Raise ValueError, beginning with `rule`, where entries are masked."""
    if has_masked(values):
        raise ValueError(f"{rule}. Got a masked array instead, some of whose entries are missing. Fill them in.")


def as_numbers(values: Any, rule: str) -> NDArray[Any]:
    """An array of real numbers; TypeError, beginning with `rule`, where they are none."""
    check_unmasked(values, rule)
    try:
        numbers = np.asarray(without_gradient(values))
    # The last is what PyTorch raises for tensors that hold no values.
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise TypeError(f"{rule}. Got {type(values).__name__} instead: {error}. Give one array of numbers.") from None
    if numbers.dtype.kind not in "fiub":
        raise TypeError(f"{rule}. Got {type(values).__name__} of {numbers.dtype} instead. Give an array of numbers.")
    return numbers


def without_gradient(values: Any) -> Any:
    """PyTorch's tensors, or those in a list, as NumPy reads them, whose values they keep; anything else as it is.

    A tensor may need a gradient, be on another device, or be of a type that NumPy does not have.
    """
    if isinstance(values, (list, tuple)):
        return [without_gradient(one) for one in values] if _holds_tensors(values) else values
    if not hasattr(values, "detach"):
        return values
    tensor = values.detach().cpu()
    if tensor.is_floating_point():
        tensor = tensor.double()
    return tensor.resolve_conj().resolve_neg() if hasattr(tensor, "resolve_neg") else tensor


def _holds_tensors(values: Any) -> bool:
    return any(hasattr(one, "detach") or (isinstance(one, (list, tuple)) and _holds_tensors(one)) for one in values)


def as_float(value: Any) -> float:
    """A real number as a float; infinite where it is larger than any float."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def refusal(owner: str, name: str, rule: str, value: Any, reason: str = "") -> str:
    """Message about a value that is not allowed: name and owner of the parameter, the rule, the value, and a reason."""
    return f"The {name!r} parameter of {owner} must be {rule}. Got {value!r} instead{reason}."


def check_one_of(owner: str, name: str, value: Any, options: Sequence[str]) -> None:
    """Raise ValueError, which names them, where a value is none of some words."""
    if value not in options:
        raise ValueError(refusal(owner, name, f"one of {', '.join(map(repr, options))}", value))
