"""The parameters of a measurement: their types, and what each may be, checked once and before any work."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import Parameter, signature
from numbers import Integral, Real
from typing import Any, Literal, Protocol, TypedDict, TypeVar, cast, get_args

import numpy as np

from ei_fast.measures.constants import MIN_EDGES
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
JointName = Literal["auto", "conditional", "plugin", "gaussian", "annealed"]
PairwiseMethod = Literal["auto", "exact", "histogram", "none"]
EntropyName = Literal["auto", "plugin", "miller-madow", "grassberger", "chao-shen"]
NumberOfSamples = int | Literal["auto"]
RandomState = int | np.random.SeedSequence | np.random.Generator | None


class ParametersBesideBins(TypedDict, total=False):
    """Keywords of functions that measure at several numbers of bins: those of `EffectiveInformation` without `bins`."""

    activation: Activations
    in_range: InRange
    out_range: OutRange
    out_of_range: OutOfRange
    baseline: float
    joint: JointName
    pairwise: PairwiseMethod
    entropy: EntropyName
    n_samples: NumberOfSamples
    tol: float
    effort: float
    random_state: RandomState
    n_jobs: int | None
    verbose: int
    pairwise_edges: int | None
    matrices: str | os.PathLike | None


class _Bins(TypedDict, total=False):
    bins: int | tuple[int, int]


class Parameters(_Bins, ParametersBesideBins, total=False):
    """Keywords of functions that measure: the parameters of `EffectiveInformation`, which says what each means."""


class AdapterOptions(TypedDict, total=False):
    """Keywords that say how a model is read: those of `as_network` beside model, activation and range."""

    order: Sequence[str] | None
    prefix: str | None
    layout: Literal["out_in", "in_out"] | None
    norm_place: Literal["before", "after"] | Mapping[str, Literal["before", "after"]] | None
    norm_eps: float | None
    blocks: Sequence[str] | Mapping[str, Range | None]
    verify: bool
    input_shape: Sequence[int] | None
    example_inputs: Any
    names: Sequence[str] | None


class ReadingOptions(AdapterOptions, total=False):
    """All keywords of `as_network`, which says what each means."""

    activation: Activations
    in_range: Range | None


class MeasuringOptions(Parameters, AdapterOptions, total=False):
    """Keywords of functions that read a model and measure it: parameters of the estimator, options of `as_network`."""


class SweepOptions(ParametersBesideBins, AdapterOptions, total=False):
    """The same of functions that measure at several numbers of bins."""


Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass(frozen=True)
class Unchanged:
    """The default, in a signature, of a keyword that otherwise stays what it is; shown as `text`."""

    text: str

    def __repr__(self) -> str:
        return self.text


def shows_keywords(*sources: Callable[..., Any] | Unchanged) -> Callable[[Decorated], Decorated]:
    """Decorate a function so that its signature, which `help` shows, has a parameter for each of its keywords.

    The function takes its keywords as ``**name: Unpack[SomeTypedDict]``, as type checkers and editors understand it;
    `inspect.signature` shows of that nothing but the name of the dict.

    Parameters
    ----------
    *sources : callable or Unchanged
        The functions that the keywords are handed to, whose defaults they have and in whose order they are shown; of
        a keyword of several the default is that of the first. Or the one default of all.

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
        defaults: dict[str, Any] = {}
        for source in sources:
            for name, default in _defaults_of(source, types).items():
                defaults.setdefault(name, default)
        shown = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=types[name])
            for name, default in defaults.items()
        ]
        function.__signature__ = own.replace(parameters=[*first, *shown])  # type: ignore[attr-defined]
        return function

    return decorated


def _defaults_of(source: Callable[..., Any] | Unchanged, names: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(source, Unchanged):
        return dict.fromkeys(names, source)
    parameters = signature(source).parameters
    return {name: parameter.default for name, parameter in parameters.items() if name in names}


def measuring_and_reading(given: MeasuringOptions | SweepOptions, owner: str) -> tuple[dict[str, Any], AdapterOptions]:
    """Keywords of a function that measures, as parameters of `EffectiveInformation` and as options of `as_network`.

    Raises
    ------
    TypeError
        For a keyword that is neither.
    """
    _check_keywords(given, (*Parameters.__annotations__, *AdapterOptions.__annotations__), owner)
    reading = {name: value for name, value in given.items() if name in AdapterOptions.__annotations__}
    return {name: value for name, value in given.items() if name not in reading}, cast(AdapterOptions, reading)


def check_adapter_options(given: Mapping[str, Any], owner: str, own: Sequence[str] = ()) -> None:
    """Raise TypeError where a keyword of `owner`, beside its `own`, is no option of `as_network`."""
    _check_keywords(given, (*own, *AdapterOptions.__annotations__), owner)


def _check_keywords(given: Mapping[str, Any], known: Sequence[str], owner: str) -> None:
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, 1)
            remedy = f"Write {near[0]!r}" if near else f"Use one of {', '.join(known)}"
            raise TypeError(f"{owner} got an unexpected keyword argument {name!r}. {remedy} instead.")


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
    """A range (low, high); or "auto", which becomes None."""

    def checked(self, name: str, value: Any, owner: str = OWNER) -> Range | None:
        if not isinstance(value, str):
            return check_range(value, name, owner)
        if value != "auto":
            raise ValueError(refusal(owner, name, "'auto' or two numbers (low, high)", value))
        return None


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


@dataclass(frozen=True)
class Settings:
    """Checked parameters of a measurement, in the form that the package works with.

    Attributes
    ----------
    in_bins, out_bins : int
        Numbers of bins of each input and of each output.
    in_range : (float, float) or None
        Range of the first layer's inputs; None for the network's own.
    out_range : (float, float) or str
        Range of the outputs of every layer, or the rule by which it is derived.
    drop : bool
        Whether samples with outputs outside the range are left out, or counted in the outermost bins.
    baseline : float
        Value of the other inputs in sensitivity.
    joint : str
        Method for the joint EI.
    pairwise : str
        Method for sensitivity and EI_parts.
    entropy : str
        Estimator of sampled entropies.
    n_samples : int or None
        Number of simulated points; None for as many as `tol` needs.
    tol : float
        Error that is aimed for, in bits.
    effort : float
        Multiplies the ceilings of work.
    n_jobs : int
        Number of threads.
    pairwise_edges : int or None
        Number of edges of a layer that are measured; None for all.
    matrices : str or None
        Folder for files of matrices.
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
    effort: float
    n_jobs: int
    pairwise_edges: int | None
    matrices: str | None

    @property
    def options(self) -> MeasureOptions:
        """The parameters that measures depend on beside bins and ranges."""
        return MeasureOptions(
            joint=self.joint,
            pairwise=self.pairwise,
            entropy=self.entropy,
            tol=self.tol,
            n_samples=self.n_samples,
            effort=self.effort,
            pairwise_edges=self.pairwise_edges,
            matrices=self.matrices,
        )

    @classmethod
    def checked(cls, parameters: Mapping[str, Any]) -> "Settings":
        """Check the parameters of `EffectiveInformation`.

        Parameters
        ----------
        parameters : mapping of str to Any
            All parameters of the estimator by name.

        Returns
        -------
        Settings
            The checked parameters.

        Raises
        ------
        TypeError, ValueError
            The message names the parameter, the rule and the value.
        """
        values = {name: constraint.checked(name, parameters[name]) for name, constraint in CONSTRAINTS.items()}
        values["in_bins"], values["out_bins"] = values.pop("bins")
        values["drop"] = values.pop("out_of_range") == "drop"
        del values["verbose"]
        return cls(**values)


def check_no_files(settings: Settings, owner: str) -> None:
    """Raise ValueError where matrices are to be kept in files by what measures a layer more than once."""
    if settings.matrices is not None:
        raise ValueError(
            f"The 'matrices' parameter of {OWNER} must be None in {owner}, whose measurements would all write the same "
            f"files. Got {settings.matrices!r} instead. Measure one model at a time."
        )


@dataclass(frozen=True)
class RangesAndSeed:
    """The layers' ranges and the seed, which measurements that are compared have in common.

    Attributes
    ----------
    ranges : tuple of (range, range)
        Input and output range of every layer.
    seed : int
        Seed of all random streams.
    convention : str
        Which records of a training the ranges are those of: "each", "first" or "all"; "" outside a training.
    """

    ranges: tuple[tuple[Ranges, Ranges], ...]
    seed: int
    convention: str = ""
