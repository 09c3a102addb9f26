"""The parameters of a measurement, checked once and before any work."""

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

from ei_fast.network.bins import Range, check_bins, check_range
from ei_fast.parallel import resolve_n_jobs

OWNER = "EffectiveInformation"
_MIN_SAMPLES = 256

_CHOICES = {
    # parameter: (what can be chosen, what is known but not built yet)
    "out_of_range": (("clip", "drop"), ()),
    "joint": (("auto", "conditional", "plugin"), ("gaussian",)),
    "pairwise": (("auto", "exact", "histogram", "none"), ()),
    "entropy": (("auto", "plugin", "miller-madow", "grassberger", "chao-shen"), ()),
}


@dataclass(frozen=True)
class Settings:
    """Checked parameters of a measurement; `EffectiveInformation` says what each means.

    None stands for what is to be derived: a range, or a number of samples.
    """

    in_bins: int
    out_bins: int
    in_range: Range | None
    out_range: Range | None
    drop: bool
    baseline: float
    joint: str
    pairwise: str
    entropy: str
    n_samples: int | None
    tol: float
    n_jobs: int

    @classmethod
    def checked(cls, parameters: Mapping[str, Any]) -> "Settings":
        """Settings from the parameters of `EffectiveInformation`.

        Raises
        ------
        TypeError, ValueError
            Naming the parameter, the rule and the value.
        """
        for name, (built, announced) in _CHOICES.items():
            _check_choice(parameters, name, built, announced)
        in_bins, out_bins = check_bins(parameters["bins"], OWNER)
        rule = "a number of bits from 1e-6 to 100"
        tol = _real(parameters, "tol", rule)
        if not 1e-6 <= tol <= 100:
            raise ValueError(f"The 'tol' parameter of {OWNER} must be {rule}. Got {tol} instead.")
        if not isinstance(parameters["verbose"], bool):
            _integer(parameters, "verbose", 0)
        automatic = isinstance(parameters["n_samples"], str) and parameters["n_samples"] == "auto"
        return cls(
            in_bins=in_bins,
            out_bins=out_bins,
            in_range=_range(parameters, "in_range"),
            out_range=_range(parameters, "out_range"),
            drop=parameters["out_of_range"] == "drop",
            baseline=_real(parameters, "baseline", "a finite number"),
            joint=parameters["joint"],
            pairwise=parameters["pairwise"],
            entropy=parameters["entropy"],
            n_samples=None if automatic else _integer(parameters, "n_samples", _MIN_SAMPLES, "'auto' or "),
            tol=tol,
            n_jobs=resolve_n_jobs(parameters["n_jobs"], OWNER),
        )


@dataclass(frozen=True)
class Frozen:
    """What measurements that are to be compared share: the layers' ranges, and the seed."""

    ranges: tuple[tuple[Range, Range], ...]
    seed: int


def _check_choice(parameters: Mapping[str, Any], name: str, built: tuple[str, ...], announced: tuple[str, ...]) -> None:
    value = parameters[name]
    rule = f"The {name!r} parameter of {OWNER} must be one of {', '.join(map(repr, built))}. Got {value!r} instead"
    if not isinstance(value, str):
        raise TypeError(f"{rule}.")
    if value in announced:
        raise ValueError(f"{rule}, which this version does not have yet.")
    if value not in built:
        raise ValueError(f"{rule}.")


def _real(parameters: Mapping[str, Any], name: str, rule: str) -> float:
    value = parameters[name]
    message = f"The {name!r} parameter of {OWNER} must be {rule}. Got {value!r} instead."
    if not isinstance(value, Real) or isinstance(value, (bool, np.bool_)):
        raise TypeError(message)
    if not np.isfinite(float(value)):
        raise ValueError(message)
    return float(value)


def _integer(parameters: Mapping[str, Any], name: str, least: int, otherwise: str = "") -> int:
    value = parameters[name]
    message = f"The {name!r} parameter of {OWNER} must be {otherwise}an integer >= {least}. Got {value!r} instead."
    if not isinstance(value, Integral) or isinstance(value, (bool, np.bool_)):
        raise TypeError(message)
    if value < least:
        raise ValueError(message)
    return int(value)


def _range(parameters: Mapping[str, Any], name: str) -> Range | None:
    value = parameters[name]
    if isinstance(value, str):
        if value == "auto":
            return None
        raise ValueError(
            f"The {name!r} parameter of {OWNER} must be 'auto' or two numbers (low, high). Got {value!r} instead."
        )
    return check_range(value, name, OWNER)
