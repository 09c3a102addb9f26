"""The values that each parameter of a measurement may have."""

import os
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, Protocol, get_args

import numpy as np

from ei_fast.measures.constants import MIN_EDGES
from ei_fast.measures.joint.auto import METHODS as JOINT_METHODS
from ei_fast.measures.joint.estimate import EXACT
from ei_fast.network.bins import Range, check_bins, check_range
from ei_fast.network.reach import RULES
from ei_fast.parameters.types import OWNER, EntropyName, OutOfRange, PairwiseMethod
from ei_fast.runtime.threads import resolve_n_jobs
from ei_fast.validation import as_float, refusal


class Constraint(Protocol):
    """The values that a parameter may have."""

    def checked(self, name: str, value: Any, owner: str = OWNER) -> Any:
        """Return a given value in the form that the package works with.

        Parameters
        ----------
        name : str
            Name of the parameter, for messages.
        value : Any
            What was given.
        owner : str, default "EffectiveInformation"
            Name of the class or function that has the parameter, for messages.

        Returns
        -------
        Any
            The value, converted to plain Python types.

        Raises
        ------
        TypeError, ValueError
            Where the value is not allowed; the message names the parameter, the rule and the value.
        """


@dataclass(frozen=True)
class OneOf:
    """A string that is one of several options.

    Attributes
    ----------
    options : tuple of str
        The strings that are allowed.
    """

    options: tuple[str, ...]

    def checked(self, name: str, value: Any, owner: str = OWNER) -> str:
        rule = f"one of {', '.join(map(repr, self.options))}"
        if not isinstance(value, str):
            raise TypeError(refusal(owner, name, rule, value))
        if value not in self.options:
            raise ValueError(refusal(owner, name, rule, value))
        return value


@dataclass(frozen=True)
class Number:
    """A real number in a closed interval.

    Attributes
    ----------
    rule : str
        The rule in words, for messages.
    low, high : float
        Ends of the interval; all finite numbers where not given.
    """

    rule: str
    low: float = -np.finfo(float).max
    high: float = np.finfo(float).max

    def checked(self, name: str, value: Any, owner: str = OWNER) -> float:
        if not isinstance(value, Real) or isinstance(value, (bool, np.bool_)):
            raise TypeError(refusal(owner, name, self.rule, value))
        if not self.low <= as_float(value) <= self.high:
            raise ValueError(refusal(owner, name, self.rule, value))
        return float(value)


@dataclass(frozen=True)
class Integer:
    """An integer that is not below a minimum.

    Attributes
    ----------
    minimum : int
        The smallest integer that is allowed.
    allows_auto : bool
        Whether "auto" is allowed as well; it becomes None.
    allows_bool : bool
        Whether True and False are allowed as well; they become 1 and 0.
    allows_none : bool
        Whether None is allowed as well.
    """

    minimum: int
    allows_auto: bool = False
    allows_bool: bool = False
    allows_none: bool = False

    def checked(self, name: str, value: Any, owner: str = OWNER) -> Any:
        if self.allows_auto and isinstance(value, str) and value == "auto":
            return None
        if self.allows_none and value is None:
            return None
        other = "'auto' or " if self.allows_auto else "None or " if self.allows_none else ""
        rule = f"{other}an integer >= {self.minimum}"
        if not isinstance(value, Integral) or (isinstance(value, bool) and not self.allows_bool):
            raise TypeError(refusal(owner, name, rule, value))
        if value < self.minimum:
            raise ValueError(refusal(owner, name, rule, value))
        return int(value)


@dataclass(frozen=True)
class RangeOrAuto:
    """A range (low, high); "seen", which stays so; or "auto", which becomes None."""

    def checked(self, name: str, value: Any, owner: str = OWNER) -> Range | str | None:
        if not isinstance(value, str):
            return check_range(value, name, owner)
        if value not in ("auto", "seen"):
            raise ValueError(refusal(owner, name, "'auto', 'seen' or two numbers (low, high)", value))
        return None if value == "auto" else value


@dataclass(frozen=True)
class RangeOrRule:
    """A range (low, high), or the name of a rule by which it is derived.

    Attributes
    ----------
    rules : tuple of str
        Names of the rules.
    """

    rules: tuple[str, ...]

    def checked(self, name: str, value: Any, owner: str = OWNER) -> Range | str:
        if not isinstance(value, str):
            return check_range(value, name, owner)
        if value not in self.rules:
            rule = f"{', '.join(map(repr, self.rules))} or two numbers (low, high)"
            raise ValueError(refusal(owner, name, rule, value))
        return value


@dataclass(frozen=True)
class Bins:
    """A number of bins, or a pair (in_bins, out_bins); becomes a pair."""

    def checked(self, name: str, value: Any, owner: str = OWNER) -> tuple[int, int]:
        return check_bins(value, owner)


@dataclass(frozen=True)
class FolderOrNone:
    """A path; becomes a string. Whether there is such a folder is found out where it is used."""

    def checked(self, name: str, value: Any, owner: str = OWNER) -> str | None:
        if value is None:
            return None
        rule = "None or the path of a folder"
        if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
            raise TypeError(refusal(owner, name, rule, value))
        if not os.fspath(value):
            raise ValueError(refusal(owner, name, rule, value))
        return os.fspath(value)


@dataclass(frozen=True)
class ThreadCount:
    """A number of threads as `n_jobs` has it; becomes the number of threads that are used."""

    def checked(self, name: str, value: Any, owner: str = OWNER) -> int:
        return resolve_n_jobs(value, owner)


CONSTRAINTS: dict[str, Constraint] = {
    "bins": Bins(),
    "in_range": RangeOrAuto(),
    "out_range": RangeOrRule(RULES),
    "out_of_range": OneOf(get_args(OutOfRange)),
    "baseline": Number("a finite number"),
    "joint": OneOf(("auto", *(name for name in JOINT_METHODS if name != EXACT))),
    "pairwise": OneOf(get_args(PairwiseMethod)),
    "entropy": OneOf(get_args(EntropyName)),
    "n_samples": Integer(256, allows_auto=True),
    "tol": Number("a number of bits from 1e-6 to 100", 1e-6, 100.0),
    "effort": Number("a number from 0.01 to 10,000", 0.01, 1e4),
    "n_jobs": ThreadCount(),
    "verbose": Integer(0, allows_bool=True),
    "pairwise_edges": Integer(MIN_EDGES, allows_none=True),
    "matrices": FolderOrNone(),
}
"""Constraint of every parameter. `activation` has none, since it is checked with the model, and neither has
`random_state`, which is checked where it is used."""
