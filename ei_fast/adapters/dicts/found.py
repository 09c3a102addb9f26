"""A weight that is a layer by itself, wherever in a dict it stands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ei_fast.adapters.dicts.values import numbers_of, shape_of, type_of

Entries = Mapping[str, Any]
Arrays = tuple[Any, Any]


@dataclass(frozen=True)
class FoundLayer:
    """A map from inputs to outputs that a dict holds.

    Attributes
    ----------
    name : str
    n_in, n_out : int
    keys : tuple of str
        Names of the entries that it is made of, that of its weight first.
    read : callable
        Returns weight (n_in, n_out) and bias (n_out,) or None.
    activation : str or None
        Where the names say it: that of a gate.
    notes : tuple of str
        What is to be known of it.
    """

    name: str
    n_in: int
    n_out: int
    keys: tuple[str, ...]
    read: Callable[[], Arrays] = field(repr=False)
    activation: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundParts:
    """What one way to look at a dict finds: layers, what it leaves out with the reason, and all keys that it knows."""

    layers: list[FoundLayer] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    notes: list[tuple[str, str]] = field(default_factory=list)


def array_of(entries: Entries, key: str) -> Any:
    """An entry as NumPy has it, in its own type where that is of floating-point numbers: a layer makes float64 of it.

    Values are the same as those of `numbers_of`, which takes the memory of float64 before it is known what of it is
    needed.
    """
    value = entries[key]
    if type_of(value) in ("float32", "float16") and hasattr(value, "detach"):
        try:
            return value.detach().cpu().numpy()
        except (RuntimeError, TypeError):
            # What is wrong with it is said there.
            return numbers_of(value, key)
    if type_of(value) == "bfloat16" and hasattr(value, "detach") and not getattr(value, "is_meta", False):
        return value.detach().cpu().float().numpy()
    if not hasattr(value, "detach") and not hasattr(value, "toarray"):
        array = np.asanyarray(value)
        return array if array.dtype in (np.float32, np.float16) else numbers_of(value, key)
    return numbers_of(value, key)


def vector_of(entries: Entries, key: str | None, n: int) -> Any:
    """A bias of `n` entries; None where there is none of that size."""
    if key is None or entries.get(key) is None or shape_of(entries[key]) != (n,):
        return None
    return array_of(entries, key)


def is_weight(value: Any) -> bool:
    """Whether an entry may be the weight of a dense layer: 2-D, at least one of each."""
    shape = shape_of(value)
    return len(shape) == 2 and min(shape) > 0
