"""Activations, and what becomes of them once their output is binned: step functions.

An elementwise activation followed by binning is a step function of the pre-activation s: a sorted
table of breakpoints and one code per interval. Kernels see nothing else, so a new activation is a
new row in the table below and never a new kernel.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.network.bins import Range, bin_edges

_Map = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class StepFunction:
    """A binned activation: ``code[k]`` on ``breaks[k - 1] <= s < breaks[k]``.

    Attributes
    ----------
    breaks : ndarray (K,), float64
        Finite, strictly increasing pre-activations at which the bin changes.
    codes : ndarray (K + 1,), uint16
        Output bin of each interval.
    """

    breaks: NDArray[np.float64]
    codes: NDArray[np.uint16]

    def __call__(self, s: ArrayLike) -> NDArray[np.uint16]:
        """Output bins at pre-activations `s`, same shape."""
        return self.codes[np.searchsorted(self.breaks, s, side="right")]


@dataclass(frozen=True)
class _Formula:
    """A nondecreasing activation: itself, and inf{s : f(s) >= y} for y inside its codomain."""

    function: _Map
    inverse: _Map
    codomain: Range


def _sigmoid(s: NDArray[np.float64]) -> NDArray[np.float64]:
    # exp of a non-positive number only: no overflow at either end.
    small = np.exp(-np.abs(s))
    return np.where(s >= 0, 1.0, small) / (1.0 + small)


_FORMULAS = {
    "linear": _Formula(np.positive, np.positive, (-np.inf, np.inf)),
    "sigmoid": _Formula(_sigmoid, lambda y: np.log(y) - np.log1p(-y), (0.0, 1.0)),
    "tanh": _Formula(np.tanh, np.arctanh, (-1.0, 1.0)),
    # ReLU is at least y everywhere when y <= 0.
    "relu": _Formula(lambda s: np.maximum(s, 0.0), lambda y: np.where(y > 0, y, -np.inf), (0.0, np.inf)),
}
_ALIASES = {"identity": "linear", "logistic": "sigmoid"}


class Activation:
    """An elementwise activation function.

    Parameters
    ----------
    name_or_callable : str or Activation
        ``"linear"`` (or ``"identity"``), ``"sigmoid"`` (or ``"logistic"``), ``"tanh"`` or ``"relu"``.

    Attributes
    ----------
    name : str
    codomain : (float, float)
        Infimum and supremum of the values; infinite where unbounded.

    Raises
    ------
    ValueError
        For a name that is not known.
    TypeError
        For anything that is not a name. A map of your own can be measured as a `Function`.
    """

    name: str
    codomain: Range

    def __init__(self, name_or_callable: "str | Activation"):
        if isinstance(name_or_callable, Activation):
            name_or_callable = name_or_callable.name
        if not isinstance(name_or_callable, str):
            raise TypeError(
                "The 'name_or_callable' parameter of Activation must be a name; "
                f"known are {', '.join(_FORMULAS)}. Got {name_or_callable!r} instead. "
                "A map of your own can be measured as ei_fast.Function."
            )
        name = _ALIASES.get(name_or_callable, name_or_callable)
        if name not in _FORMULAS:
            raise ValueError(
                f"The activation {name_or_callable!r} is not known. Known are {', '.join([*_FORMULAS, *_ALIASES])}. "
                "Use one of them, or measure the map as ei_fast.Function."
            )
        self.name = name
        self._formula = _FORMULAS[name]
        self.codomain = self._formula.codomain

    def __call__(self, s: ArrayLike) -> NDArray[np.float64]:
        """Values at pre-activations `s`, float64, same shape."""
        return self._formula.function(np.asarray(s, dtype=np.float64))

    def image(self, low: ArrayLike, high: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Smallest and largest value on each interval [low, high] of pre-activations."""
        return self(low), self(high)

    def steps(self, out_range: Range, out_bins: int) -> StepFunction:
        """The activation followed by `out_bins` equal bins over `out_range`, clipped."""
        return _steps(self.name, out_range, out_bins)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Activation) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Activation({self.name!r})"


@lru_cache(maxsize=256)
def _steps(name: str, out_range: Range, out_bins: int) -> StepFunction:
    formula = _FORMULAS[name]
    infimum, supremum = formula.codomain
    edges = bin_edges(out_range, out_bins)[1:-1]
    # Edge k is passed from breakpoint k on: never when f stays below it, always when f starts above it.
    breaks = np.where(edges < supremum, -np.inf, np.inf)
    inside = (infimum < edges) & (edges < supremum)
    breaks[inside] = formula.inverse(edges[inside])
    # Where several edges share a breakpoint the last one counts; infinite ones are no steps at all.
    first_code = np.count_nonzero(breaks == -np.inf)
    finite = np.flatnonzero(np.isfinite(breaks))
    last = finite[np.append(breaks[finite][1:] != breaks[finite][:-1], True)] if finite.size else finite
    step = StepFunction(breaks[last], np.concatenate([[first_code], last + 1]).astype(np.uint16))
    step.breaks.flags.writeable = step.codes.flags.writeable = False
    return step
