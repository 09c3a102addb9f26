"""Functions of PyTorch that are activations, by name."""

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import erf

from ei_fast.adapters.activations.known import celu, clipped
from ei_fast.network.activations import Activation

Arguments = Callable[..., Any]
"""Gives an argument of a call, by its position or its name, and a default."""


def _softplus(given: Arguments) -> Activation | None:
    # At the default threshold of 20 the two differ by 2e-9.
    if given(2, "threshold", 20) < 20:
        return None
    return Activation("softplus", beta=float(given(1, "beta", 1)))


def _elu(given: Arguments) -> Activation | None:
    # Third is either the scale of the C++ function, or whether it is done in place.
    scale = given(2, "scale", 1)
    if not isinstance(scale, bool) and scale != 1:
        return None
    return Activation("elu", alpha=float(given(1, "alpha", 1.0)))


def _clamp(given: Arguments) -> Activation | None:
    low, high = (None if end is None else float(end) for end in (given(1, "min"), given(2, "max")))
    if low == 0 and high is None:
        return Activation("relu")
    return None if low is None or high is None else clipped(low, high)


def _prelu(given: Arguments) -> Activation | None:
    slope = given(1, "weight")
    return Activation("prelu", negative_slope=float(slope)) if slope.numel() == 1 else None


def _rrelu(given: Arguments) -> Activation | None:
    if given(3, "training", False):
        return None
    return Activation("leaky_relu", negative_slope=(given(1, "lower", 1 / 8) + given(2, "upper", 1 / 3)) / 2)


def _threshold(given: Arguments) -> Activation | None:
    return Activation("relu") if given(1, "threshold") == 0 and given(2, "value") == 0 else None


def _named(name: str) -> Callable[[Arguments], Activation]:
    return lambda given: Activation(name)


ACTIVATIONS: dict[str, Callable[[Arguments], Activation | None]] = {
    **{name: _named(name) for name in ("relu", "relu6", "sigmoid", "tanh", "selu", "silu", "mish", "softsign")},
    "log_sigmoid": _named("log_sigmoid"),
    "logsigmoid": _named("log_sigmoid"),
    "expit": _named("sigmoid"),
    "hardsigmoid": _named("hard_sigmoid"),
    "hardswish": _named("hard_silu"),
    "leaky_relu": lambda given: Activation("leaky_relu", negative_slope=float(given(1, "negative_slope", 0.01))),
    "elu": _elu,
    "celu": lambda given: celu(float(given(1, "alpha", 1.0))),
    "gelu": lambda given: Activation("gelu", approximate=given(1, "approximate", "none")),
    "softplus": _softplus,
    "hardtanh": lambda given: clipped(float(given(1, "min_val", -1.0)), float(given(2, "max_val", 1.0))),
    "clamp": _clamp,
    "clip": _clamp,
    "exp": lambda given: Activation(np.exp, (0.0, np.inf)),
    "erf": lambda given: Activation(erf, (-1.0, 1.0)),
    "abs": lambda given: Activation(np.abs, (0.0, np.inf)),
    "prelu": _prelu,
    "rrelu": _rrelu,
    "threshold": _threshold,
}
