"""Keywords that functions hand on: shown in their signatures, told apart, and refused where nothing knows them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import Parameter, signature
from typing import Any, TypeVar, cast, get_args

from ei_fast.parameters.types import AdapterOptions, MeasuringOptions, Parameters, SweepOptions

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
        The functions that the keywords are handed to, whose defaults they have and in whose order they are shown;
        where several have a keyword, the default is that of the first. An `Unchanged` is shown as the default of all.

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
