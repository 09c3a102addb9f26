"""Slopes of activations, as their sign and the logarithm of their size: of a saturated neuron no number underflows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfcx, expit, log_expit, ndtr

from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range

Array = NDArray[np.float64]
LogSize = Callable[..., Array]
"""Takes pre-activations, and the activation's parameters by name, and returns ln |f'|: -inf where f is flat."""

STEP = 2.0**-17
"""Half the distance of the points of a central difference, relative to the size of the pre-activation where that is
above 1. Its truncation error is STEP**2 / 6 = 1e-11 of the third derivative, that of rounding 2**-53 / STEP = 1.5e-11
of the value; where the function has a kink, the share of points that are wrong is proportional to the step."""


def _where(condition: NDArray[np.bool_], inside: Any, outside: Any = -np.inf) -> Array:
    return np.asarray(np.where(condition, inside, outside), np.float64)


def _log_size(s: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(np.abs(s)), np.float64)


def _elu(s: Array, alpha: float, scale: float = 1.0) -> Array:
    return _where(s > 0, 0.0, np.log(alpha) + np.minimum(s, 0.0)) + float(np.log(scale))


def _leaky(s: Array, negative_slope: float) -> Array:
    return _where(s > 0, 0.0, np.log(negative_slope) if negative_slope else -np.inf)


def _gelu(s: Array, approximate: str) -> Array:
    if approximate == "tanh":
        # With u half the exponent f is s * expit(2 u), since 1 + tanh(u) = 2 expit(2 u).
        root = np.sqrt(2.0 / np.pi)
        u, du = root * (s + 0.044715 * s**3), root * (1.0 + 3 * 0.044715 * s**2)
        return np.asarray(_log_size(1.0 + 2.0 * s * du * expit(-2 * u)) + log_expit(2 * u), np.float64)
    # Phi(s) + s phi(s); far below 0 both underflow, and their ratio, Mills', does not.
    low = np.minimum(s, -2.0)
    tail = -0.5 * low**2 - 0.5 * np.log(2 * np.pi) + _log_size(low + np.sqrt(np.pi / 2) * erfcx(-low / np.sqrt(2.0)))
    high = np.maximum(s, -2.0)
    return _where(s < -2.0, tail, _log_size(ndtr(high) + high * np.exp(-0.5 * high**2) / np.sqrt(2 * np.pi)))


def _mish(s: Array) -> Array:
    # tanh(softplus(s)) / expit(s) in q = exp(-|s|), which does not overflow.
    q = np.exp(-np.abs(s))
    ratio = _where(s > 0, (1 + 2 * q) * (1 + q) / (1 + 2 * q + 2 * q * q), (q + 2) * (1 + q) / (q * q + 2 * q + 2))
    softplus = np.logaddexp(0.0, s)
    sech2 = 4 * expit(2 * softplus) * expit(-2 * softplus)
    return np.asarray(_log_size(ratio + s * sech2) + log_expit(s), np.float64)


def _inside(low: float, high: float, log_slope: float = 0.0) -> LogSize:
    return lambda s: _where((s > low) & (s < high), log_slope)


_LOG_SIZES: dict[str, LogSize] = {
    "linear": np.zeros_like,
    "sigmoid": lambda s: log_expit(s) + log_expit(-s),
    "tanh": lambda s: 2 * np.log(2.0) + log_expit(2 * s) + log_expit(-2 * s),
    "relu": lambda s: _where(s > 0, 0.0),
    "relu6": _inside(0.0, 6.0),
    "leaky_relu": _leaky,
    "prelu": _leaky,
    "elu": _elu,
    "selu": lambda s: _elu(s, 1.6732632423543772, 1.0507009873554805),
    "gelu": _gelu,
    "silu": lambda s: log_expit(s) + _log_size(1.0 + s * expit(-s)),
    "mish": _mish,
    "softplus": lambda s, beta: log_expit(beta * s),
    "softsign": lambda s: -2.0 * np.log1p(np.abs(s)),
    "log_sigmoid": lambda s: log_expit(-s),
    "hard_sigmoid": _inside(-3.0, 3.0, -np.log(6.0)),
    "hard_tanh": lambda s, min_val, max_val: _where((s > min_val) & (s < max_val), 0.0),
    "hard_silu": lambda s: _where(s >= 3.0, 0.0, _where(s > -3.0, _log_size((2 * s + 3.0) / 6.0))),
}

_FLATS: dict[str, Callable[..., tuple[Range, ...]]] = {
    "relu": lambda: ((-np.inf, 0.0),),
    "relu6": lambda: ((-np.inf, 0.0), (6.0, np.inf)),
    "leaky_relu": lambda negative_slope: () if negative_slope else ((-np.inf, 0.0),),
    "prelu": lambda negative_slope: () if negative_slope else ((-np.inf, 0.0),),
    "hard_sigmoid": lambda: ((-np.inf, -3.0), (3.0, np.inf)),
    "hard_tanh": lambda min_val, max_val: ((-np.inf, min_val), (max_val, np.inf)),
    "hard_silu": lambda: ((-np.inf, -3.0),),
}
"""Intervals of pre-activations on which activations are constant."""

_FALLING_UP_TO_FIRST_KNOT = ("gelu", "silu", "mish")
"""They fall from 0 to their minimum, their one knot, and rise from there."""


@dataclass(frozen=True)
class Slopes:
    """The derivative of an activation.

    Attributes
    ----------
    activation : Activation
    step : float
        That of the central differences by which a user's function is differentiated; see `STEP`.
    """

    activation: Activation
    step: float = STEP

    @property
    def is_formula(self) -> bool:
        """Whether the derivative is a formula, and not a difference."""
        return self.activation.is_named

    @property
    def knots(self) -> tuple[float, ...]:
        """Pre-activations at which ln |f'| may have a kink, a jump or a pole."""
        formula = self.activation.formula
        return (0.0,) if formula is None else tuple(sorted({0.0, *formula.knots}))

    @property
    def flats(self) -> tuple[Range, ...]:
        """Intervals on which an activation known by name is constant; of a user's function they are not known."""
        of_name = _FLATS.get(self.activation.name) if self.is_formula else None
        return of_name(**self.activation.params) if of_name else ()

    def __call__(self, s: Array) -> tuple[Array, Array]:
        """Sign and logarithm of the size of the slopes at the pre-activations `s`; of slope 0 they are 0 and -inf."""
        if not self.is_formula:
            return self._by_differences(s)
        with np.errstate(over="ignore", under="ignore"):
            logs = np.asarray(_LOG_SIZES[self.activation.name](s, **self.activation.params), np.float64)
        signs = np.ones_like(logs)
        if self.activation.name in _FALLING_UP_TO_FIRST_KNOT:
            signs = np.where(s < self.knots[0], -1.0, 1.0)
        elif self.activation.name == "hard_silu":
            signs = np.where(s < -1.5, -1.0, 1.0)
        return np.where(logs == -np.inf, 0.0, signs), logs

    def _by_differences(self, s: Array) -> tuple[Array, Array]:
        half = self.step * np.maximum(1.0, np.abs(s))
        above, below = s + half, s - half
        slopes = (self.activation(above) - self.activation(below)) / (above - below)
        return np.sign(slopes), _log_size(slopes)
