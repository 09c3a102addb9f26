"""Which activation a function is: by its name, if its values are those of one that is known."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.network.activations import Activation

Array = NDArray[np.float64]

# Those that frameworks are known to write out in steps.
_WRITTEN_OUT = (
    Activation("silu"),
    Activation("gelu"),
    Activation("gelu", approximate="tanh"),
    Activation("mish"),
    Activation("hard_silu"),
    Activation("hard_sigmoid"),
    Activation("softplus"),
    Activation("softsign"),
    Activation("relu"),
    Activation("relu6"),
    Activation("sigmoid"),
    Activation("tanh"),
    Activation("selu"),
    Activation("log_sigmoid"),
    Activation("linear"),
)


@dataclass(frozen=True)
class OfNumbers:
    """A function of several values, number by number, some of which are numbers: None stands for one that is given."""

    function: Callable[..., Any]
    numbers: tuple[float | None, ...]

    @property
    def __name__(self) -> str:
        return self.function.__name__.strip("_")

    def __call__(self, *given: Array) -> Array:
        rest = iter(given)
        with np.errstate(all="ignore"):
            values = self.function(*(next(rest) if number is None else number for number in self.numbers))
        return np.asarray(values, dtype=np.float64)


def clipped(low: float, high: float) -> Activation:
    """What cuts off below and above."""
    return Activation("relu6") if (low, high) == (0, 6) else Activation("hard_tanh", min_val=low, max_val=high)


def celu(alpha: float) -> Activation:
    """The exponential unit whose slope is 1 on both sides of 0."""
    if alpha == 1.0:
        return Activation("elu")
    return Activation(_Celu(alpha), (-alpha, np.inf))


@dataclass(frozen=True)
class _Celu:
    """The function of it, which can be pickled."""

    alpha: float
    __name__ = "celu"

    def __call__(self, s: Array) -> Array:
        with np.errstate(over="ignore"):
            return np.maximum(s, 0) + np.minimum(0, self.alpha * np.expm1(s / self.alpha))


def power_of(exponent: float) -> Activation | None:
    """The square or the cube; None of any other power."""
    if exponent == 2.0:
        return Activation(np.square, (0.0, np.inf))
    return Activation(cube, (-np.inf, np.inf)) if exponent == 3.0 else None


def cube(s: Array) -> Array:
    """The third power."""
    return s**3


def activation_of(function: Callable[[Array], Array]) -> Activation:
    """The activation that a function is: by its name if that is known."""
    return known_activation(function) or Activation(function, (-np.inf, np.inf))


def known_activation(function: Callable[[Array], Array]) -> Activation | None:
    """The activation with a name whose values a function has; None where there is none."""
    # Steps in float32 round what they multiply with; its own arithmetic is compared when all is verified.
    far = np.geomspace(12.0, 1e6, 50)
    s = np.concatenate([-far[::-1], np.linspace(-12.0, 12.0, 4801), far])
    with np.errstate(all="ignore"):
        values = function(s)
        known = (*_WRITTEN_OUT, *_with_parameters(function))
    return next((a for a in known if np.allclose(values, a(s), rtol=1e-6, atol=1e-6)), None)


def _with_parameters(function: Callable[[Array], Array]) -> Iterator[Activation]:
    """Members of the families that have a parameter, as the ends of a function tell it."""
    least, at_minus_one, most = (shortest(value) for value in function(np.array([-1e6, -1.0, 1e6])))
    if -np.inf < at_minus_one < 0:
        yield Activation("leaky_relu", negative_slope=-at_minus_one)
    if -1e6 < least < 0:
        yield Activation("elu", alpha=-least)
    if -1e6 < least < most < 1e6:
        yield Activation("hard_tanh", min_val=least, max_val=most)


def shortest(number: float) -> float:
    """A number that float32 holds is taken for the shortest one that is rounded to it."""
    with np.errstate(over="ignore"):
        rounded = np.float32(number)
    return float(str(rounded)) if rounded == number else float(number)
