"""Messages about bad input, and checks of numbers and arrays that every part of the package uses.

It imports nothing of the package.
"""

from typing import Any

import numpy as np

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


def as_float(value: Any) -> float:
    """A real number as a float; infinite where it is larger than any float."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def refusal(owner: str, name: str, rule: str, value: Any, reason: str = "") -> str:
    """Message about a value that is not allowed: name and owner of the parameter, the rule, the value, and a reason."""
    return f"The {name!r} parameter of {owner} must be {rule}. Got {value!r} instead{reason}."
