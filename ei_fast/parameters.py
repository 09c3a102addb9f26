"""The parameters of a measurement: their types, and what each may be, checked once and before any work."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from numbers import Integral, Real
from typing import Any, Literal, Protocol, TypedDict, TypeVar, get_args

import numpy as np

from ei_fast.measures.joint.auto import METHODS as JOINT_METHODS
from ei_fast.measures.joint.estimate import EXACT
from ei_fast.measures.options import MeasureOptions
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range, Ranges, check_bins, check_range
from ei_fast.network.reach import RULES
from ei_fast.runtime.threads import resolve_n_jobs
from ei_fast.validation import as_float, refusal

OWNER = "EffectiveInformation"

Activations = str | Activation | Sequence[str | Activation]
InRange = Range | Literal["auto"]
OutRange = Range | Literal["auto", "hull", "neuron"]
OutOfRange = Literal["clip", "drop"]
JointMethod = Literal["auto", "conditional", "plugin"]
PairwiseMethod = Literal["auto", "exact", "histogram", "none"]
EntropyEstimator = Literal["auto", "plugin", "miller-madow", "grassberger", "chao-shen"]
NumberOfSamples = int | Literal["auto"]
RandomState = int | np.random.SeedSequence | np.random.Generator | None


class ParametersBesideBins(TypedDict, total=False):
    """Keywords of functions that measure at several numbers of bins: those of `EffectiveInformation` without `bins`."""

    activation: Activations
    in_range: InRange
    out_range: OutRange
    out_of_range: OutOfRange
    baseline: float
    joint: JointMethod
    pairwise: PairwiseMethod
    entropy: EntropyEstimator
    n_samples: NumberOfSamples
    tol: float
    random_state: RandomState
    n_jobs: int | None
    verbose: int


class _Bins(TypedDict, total=False):
    bins: int | tuple[int, int]


class Parameters(_Bins, ParametersBesideBins, total=False):
    """Keywords of functions that measure: the parameters of `EffectiveInformation`, which says what each means."""


class AdapterOptions(TypedDict, total=False):
    """Keywords that say how a model is read: those of `as_network` beside model, activation and range."""

    order: Sequence[str] | None
    blocks: Sequence[str] | Mapping[str, Range | None]
    verify: bool
    input_shape: Sequence[int] | None
    example_inputs: Any


class ReadingOptions(AdapterOptions, total=False):
    """All keywords of `as_network`, which says what each means."""

    activation: Activations
    in_range: Range | None


Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass(frozen=True)
class Unchanged:
    """The default, in a signature, of a keyword that otherwise stays what it is; shown as `said`."""

    said: str

    def __repr__(self) -> str:
        return self.said


def shows_keywords(source: Callable[..., Any] | Unchanged) -> Callable[[Decorated], Decorated]:
    """Decorate a function so that its signature, which `help` shows, has a parameter for each of its keywords.

    The function takes its keywords as ``**name: Unpack[SomeTypedDict]``, as type checkers and editors understand it;
    `inspect.signature` shows of that nothing but the name of the dict.

    Parameters
    ----------
    source : callable or Unchanged
        The function that the keywords are handed to, whose defaults they have and in whose order they are shown; or
        the one default of all.

    Returns
    -------
    callable
        Returns the function that it is given, with a `__signature__`.
    """

    def decorated(function: Decorated) -> Decorated:
        own = signature(function)
        *first, keywords = own.parameters.values()
        (typed_dict,) = get_args(keywords.annotation)
        types = typed_dict.__annotations__
        if isinstance(source, Unchanged):
            defaults = dict.fromkeys(types, source)
        else:
            parameters = signature(source).parameters
            defaults = {name: parameter.default for name, parameter in parameters.items() if name in types}
        shown = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=types[name])
            for name, default in defaults.items()
        ]
        function.__signature__ = own.replace(parameters=[*first, *shown])  # type: ignore[attr-defined]
        return function

    return decorated


class Constraint(Protocol):
    """What a parameter may be."""

    def checked(self, name: str, value: Any, owner: str = OWNER) -> Any:
        """The value in the form that is worked with; TypeError or ValueError where it is not allowed."""


@dataclass(frozen=True)
class OneOf:
    """One of some names; `announced` ones are known, but not built yet."""

    options: tuple[str, ...]
    announced: tuple[str, ...] = ()

    def checked(self, name: str, value: Any, owner: str = OWNER) -> str:
        rule = f"one of {', '.join(map(repr, self.options))}"
        if not isinstance(value, str):
            raise TypeError(refusal(owner, name, rule, value))
        if value in self.announced:
            raise ValueError(refusal(owner, name, rule, value, ", which this version does not have yet"))
        if value not in self.options:
            raise ValueError(refusal(owner, name, rule, value))
        return value


@dataclass(frozen=True)
class Number:
    """A real number of an interval, its ends included."""

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
    """An integer from `least` on; or "auto", which becomes None; or a bool, where it is allowed."""

    least: int
    automatic: bool = False
    boolean: bool = False

    def checked(self, name: str, value: Any, owner: str = OWNER) -> Any:
        if self.automatic and isinstance(value, str) and value == "auto":
            return None
        rule = ("'auto' or " if self.automatic else "") + f"an integer >= {self.least}"
        if not isinstance(value, Integral) or (isinstance(value, bool) and not self.boolean):
            raise TypeError(refusal(owner, name, rule, value))
        if value < self.least:
            raise ValueError(refusal(owner, name, rule, value))
        return int(value)


@dataclass(frozen=True)
class RangeOrAuto:
    """Two numbers (low, high); or "auto", which becomes None."""

    def checked(self, name: str, value: Any, owner: str = OWNER) -> Range | None:
        if not isinstance(value, str):
            return check_range(value, name, owner)
        if value != "auto":
            raise ValueError(refusal(owner, name, "'auto' or two numbers (low, high)", value))
        return None


@dataclass(frozen=True)
class RangeOrRule:
    """Two numbers (low, high), or the name of a way to derive them."""

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
    """A number of bins, or two."""

    def checked(self, name: str, value: Any, owner: str = OWNER) -> tuple[int, int]:
        return check_bins(value, owner)


@dataclass(frozen=True)
class Threads:
    """A number of threads."""

    def checked(self, name: str, value: Any, owner: str = OWNER) -> int:
        return resolve_n_jobs(value, owner)


CONSTRAINTS: dict[str, Constraint] = {
    "bins": Bins(),
    "in_range": RangeOrAuto(),
    "out_range": RangeOrRule(RULES),
    "out_of_range": OneOf(get_args(OutOfRange)),
    "baseline": Number("a finite number"),
    "joint": OneOf(("auto", *(name for name in JOINT_METHODS if name != EXACT)), announced=("gaussian",)),
    "pairwise": OneOf(get_args(PairwiseMethod)),
    "entropy": OneOf(get_args(EntropyEstimator)),
    "n_samples": Integer(256, automatic=True),
    "tol": Number("a number of bits from 1e-6 to 100", 1e-6, 100.0),
    "n_jobs": Threads(),
    "verbose": Integer(0, boolean=True),
}
"""Of parameters that stand on their own; `activation` is checked with the model, `random_state` where it is used."""


@dataclass(frozen=True)
class Settings:
    """Checked parameters of a measurement; `EffectiveInformation` says what each means.

    None stands for what is to be derived: the range of the inputs, or a number of samples.
    """

    in_bins: int
    out_bins: int
    in_range: Range | None
    out_range: Range | str
    drop: bool
    baseline: float
    joint: str
    pairwise: str
    entropy: str
    n_samples: int | None
    tol: float
    n_jobs: int

    @property
    def options(self) -> MeasureOptions:
        """What the measures need to know."""
        return MeasureOptions(self.joint, self.pairwise, self.entropy, self.tol, self.n_samples)

    @classmethod
    def checked(cls, parameters: Mapping[str, Any]) -> "Settings":
        """Settings from the parameters of `EffectiveInformation`.

        Raises
        ------
        TypeError, ValueError
            Naming the parameter, the rule and the value.
        """
        values = {name: constraint.checked(name, parameters[name]) for name, constraint in CONSTRAINTS.items()}
        values["in_bins"], values["out_bins"] = values.pop("bins")
        values["drop"] = values.pop("out_of_range") == "drop"
        del values["verbose"]
        return cls(**values)


@dataclass(frozen=True)
class RangesAndSeed:
    """What measurements that are to be compared share: the layers' ranges, and the seed."""

    ranges: tuple[tuple[Ranges, Ranges], ...]
    seed: int
    convention: str = ""
    """Of a training's records: whose ranges they are."""
