"""The grammar of messages about bad input, and what numbers and arrays from outside may be.

It imports nothing of the package: every room may use it.
"""

from typing import Any

import numpy as np

as_numpy_ships = np.errstate(divide="warn", over="warn", under="ignore", invalid="warn")
"""For public functions: what a caller has set by `numpy.errstate` is for the caller's own arithmetic."""


def has_masked(values: Any) -> bool:
    """Whether an array, or one in a list of arrays, has masked entries."""
    if isinstance(values, (list, tuple)):
        return any(has_masked(one) for one in values if isinstance(one, (list, tuple, np.ma.MaskedArray)))
    return bool(np.ma.is_masked(values))


def check_unmasked(values: Any, rule: str) -> None:
    """Raise ValueError, beginning with `rule`, where entries are masked."""
    if has_masked(values):
        raise ValueError(f"{rule}. Got a masked array instead, some of whose entries are missing. Fill them in.")


def as_float(value: Any) -> float:
    """A real number as a float, infinite where it is beyond all of them."""
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def refusal(owner: str, name: str, rule: str, value: Any, reason: str = "") -> str:
    """The message about a parameter that is not allowed: its name and owner, the rule, the value, and a reason."""
    return f"The {name!r} parameter of {owner} must be {rule}. Got {value!r} instead{reason}."
