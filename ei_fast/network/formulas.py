"""The activations known by name: formula, monotone pieces, limits and parameters.

An activation is given by its function, by the knots between which it is monotone or constant, and by its limits at
both infinities. From these follow where it crosses the edge of a bin, its image of an interval, and its codomain.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_expit, ndtr

Array = NDArray[np.float64]
Map = Callable[[Array], Array]


@dataclass(frozen=True)
class Formula:
    """A continuous function that is monotone between its knots.

    Attributes
    ----------
    function : callable
        Vectorised, float64.
    limits : (float, float)
        Its limits at minus and at plus infinity.
    knots : tuple of float
        Increasing; between two of them, and outside, the function is monotone or constant.
    inverse : callable, optional
        Inverse of an increasing function without knots, where a breakpoint found numerically would be less accurate.
    """

    function: Map
    limits: tuple[float, float]
    knots: tuple[float, ...] = ()
    inverse: Map | None = None

    @property
    def codomain(self) -> tuple[float, float]:
        """Infimum and supremum of the values."""
        values = [*self.limits, *self.function(np.array(self.knots))]
        return float(min(values)), float(max(values))


@dataclass(frozen=True)
class Family:
    """A formula with parameters.

    Attributes
    ----------
    formula : callable
        Takes the parameters by name and returns the `Formula`.
    defaults : dict
        Names and defaults of the parameters.
    rule : str
        What the parameters may be, for messages.
    allowed : callable
        Takes the parameters in order and returns whether they are allowed.
    """

    formula: Callable[..., Formula]
    defaults: dict[str, Any] = field(default_factory=dict)
    rule: str = ""
    allowed: Callable[..., bool] = lambda: True


def _with_minimum(function: Map) -> Formula:
    """A function that falls from 0 to its one minimum and then rises without end, as GELU does."""
    # Its import takes long, and few activations need it.
    from scipy.optimize import minimize_scalar

    lowest = minimize_scalar(
        lambda s: float(function(np.array(s))), bounds=(-3.0, 0.0), method="bounded", options={"xatol": 1e-10}
    )
    return Formula(function, (0.0, np.inf), (float(lowest.x),))


def _softplus(s: Array) -> Array:
    return np.logaddexp(0.0, s)


def _gelu(approximate: str) -> Formula:
    if approximate == "none":
        return _with_minimum(lambda s: s * ndtr(s))
    return _with_minimum(lambda s: 0.5 * s * (1.0 + np.tanh(np.sqrt(2.0 / np.pi) * (s + 0.044715 * s**3))))


def _elu(alpha: float, scale: float = 1.0) -> Formula:
    return Formula(
        lambda s: scale * np.where(s > 0, s, alpha * np.expm1(np.minimum(s, 0.0))), (-scale * alpha, np.inf), (0.0,)
    )


def _clipped(low: float, high: float) -> Formula:
    return Formula(lambda s: np.clip(s, low, high), (low, high), (low, high))


def _leaky(negative_slope: float) -> Formula:
    low = -np.inf if negative_slope else 0.0
    return Formula(lambda s: np.where(s > 0, s, negative_slope * s), (low, np.inf), (0.0,))


def _positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < np.inf


FAMILIES: dict[str, Family] = {
    "linear": Family(lambda: Formula(np.positive, (-np.inf, np.inf))),
    # The breakpoint of the sigmoid at 1/2, and of tanh at 0, must be exactly 0, where baselines usually are.
    "sigmoid": Family(lambda: Formula(expit, (0.0, 1.0), inverse=lambda y: np.log(y) - np.log1p(-y))),
    "tanh": Family(lambda: Formula(np.tanh, (-1.0, 1.0), inverse=np.arctanh)),
    "relu": Family(lambda: Formula(lambda s: np.maximum(s, 0.0), (0.0, np.inf), (0.0,))),
    "relu6": Family(lambda: _clipped(0.0, 6.0)),
    "leaky_relu": Family(
        _leaky,
        {"negative_slope": 0.01},
        "'negative_slope' must be a finite number >= 0",
        lambda negative_slope: negative_slope == 0 or _positive(negative_slope),
    ),
    # The same formula with a slope that is learnt, as weights are.
    "prelu": Family(
        _leaky,
        {"negative_slope": 0.25},
        "'negative_slope' must be a finite number >= 0",
        lambda negative_slope: negative_slope == 0 or _positive(negative_slope),
    ),
    "elu": Family(_elu, {"alpha": 1.0}, "'alpha' must be a finite number > 0", _positive),
    # Klambauer et al. 2017, eq. 14.
    "selu": Family(lambda: _elu(1.6732632423543772, 1.0507009873554805)),
    "gelu": Family(
        _gelu,
        {"approximate": "none"},
        "'approximate' must be 'none' (the error function) or 'tanh'",
        lambda approximate: approximate in ("none", "tanh"),
    ),
    "silu": Family(lambda: _with_minimum(lambda s: s * expit(s))),
    "mish": Family(lambda: _with_minimum(lambda s: s * np.tanh(_softplus(s)))),
    "softplus": Family(
        lambda beta: Formula(lambda s: _softplus(beta * s) / beta, (0.0, np.inf)),
        {"beta": 1.0},
        "'beta' must be a finite number > 0",
        _positive,
    ),
    "softsign": Family(lambda: Formula(lambda s: s / (1.0 + np.abs(s)), (-1.0, 1.0))),
    "log_sigmoid": Family(lambda: Formula(log_expit, (-np.inf, 0.0))),
    "hard_sigmoid": Family(lambda: Formula(lambda s: np.clip(s + 3.0, 0.0, 6.0) / 6.0, (0.0, 1.0), (-3.0, 3.0))),
    "hard_tanh": Family(
        lambda min_val, max_val: _clipped(min_val, max_val),
        {"min_val": -1.0, "max_val": 1.0},
        "'min_val' and 'max_val' must be finite numbers, min_val < max_val",
        lambda min_val, max_val: bool(np.isfinite(min_val) and np.isfinite(max_val) and min_val < max_val),
    ),
    "hard_silu": Family(
        lambda: Formula(lambda s: s * np.clip(s + 3.0, 0.0, 6.0) / 6.0, (0.0, np.inf), (-3.0, -1.5, 3.0))
    ),
}

ALIASES = {
    "identity": "linear",
    "logistic": "sigmoid",
    "swish": "silu",
    "hard_swish": "hard_silu",
    "hardtanh": "hard_tanh",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_silu",
    "logsigmoid": "log_sigmoid",
}
