"""Operations of Keras that are activations, by name, and activations of several steps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from ei_fast.adapters.activations.known import activation_of, celu, clipped
from ei_fast.adapters.activations.steps import composite_if_any
from ei_fast.adapters.graph import (
    Op,
    Pointwise,
)
from ei_fast.adapters.keras.call import Call
from ei_fast.adapters.keras.numbers import as_numbers
from ei_fast.network.activations import Activation


def _relu(call: Call) -> Activation | None:
    slope, most, threshold = float(call.op.negative_slope), call.op.max_value, float(call.op.threshold)
    if threshold == 0 and most is None:
        return Activation("leaky_relu", negative_slope=slope) if slope else Activation("relu")
    if threshold == 0 == slope and most:
        return clipped(0.0, float(most))
    function = _Called(_BentLine(slope, np.inf if most is None else float(most), threshold), "ReLU")
    return Activation(function, (-np.inf, np.inf))


@dataclass(frozen=True)
class _BentLine:
    """Keras' relu with all of its parameters."""

    slope: float
    most: float
    threshold: float

    def __call__(self, s: NDArray[np.float64]) -> NDArray[np.float64]:
        below = self.slope * (s - self.threshold)
        return np.where(s >= self.most, self.most, np.where(s > self.threshold, s, np.minimum(below, 0.0)))


def _clip(call: Call) -> Activation | None:
    low, high = (
        np.asarray(as_numbers(end) if hasattr(end, "shape") else end) for end in (call.op.x_min, call.op.x_max)
    )
    return clipped(float(low), float(high)) if low.size == 1 == high.size else None


def _hard_shrink(call: Call) -> Activation:
    least = float(call.op.threshold)
    return _formula("hard_shrink", lambda s: np.where(np.abs(s) > least, s, 0.0))


def _soft_shrink(call: Call) -> Activation:
    least = float(call.op.threshold)
    return _formula("soft_shrink", lambda s: np.sign(s) * np.maximum(np.abs(s) - least, 0.0))


def _square_plus(call: Call) -> Activation:
    b = float(call.op.b)
    return _formula("squareplus", lambda s: 0.5 * (s + np.sqrt(s * s + b)))


def _threshold(call: Call) -> Activation:
    least, other = float(call.op.threshold), float(call.op.default_value)
    return _formula("threshold", lambda s: np.where(s > least, s, other))


def _formula(name: str, function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Activation:
    return Activation(_Called(function, name), (-np.inf, np.inf))


def _named(name: str) -> Callable[[Call], Activation]:
    return lambda call: Activation(name)


ACTIVATIONS: dict[str, Callable[[Call], Activation | None]] = {
    **{
        kind: _named(name)
        for kind, name in (
            *(("Relu", "relu"), ("Relu6", "relu6"), ("Sigmoid", "sigmoid"), ("Tanh", "tanh"), ("Selu", "selu")),
            *(("Softplus", "softplus"), ("Softsign", "softsign"), ("Silu", "silu"), ("LogSigmoid", "log_sigmoid")),
            *(("HardSigmoid", "hard_sigmoid"), ("HardSilu", "hard_silu"), ("HardTanh", "hard_tanh"), ("Mish", "mish")),
        )
    },
    "ReLU": _relu,
    "LeakyRelu": lambda call: Activation("leaky_relu", negative_slope=float(call.op.negative_slope)),
    "Elu": lambda call: Activation("elu", alpha=float(call.op.alpha)),
    "Celu": lambda call: celu(float(call.op.alpha)),
    "Gelu": lambda call: Activation("gelu", approximate="tanh" if call.op.approximate else "none"),
    "Clip": _clip,
    "Exp": lambda call: Activation(np.exp, (0.0, np.inf)),
    "Erf": lambda call: Activation(erf, (-1.0, 1.0)),
    **dict.fromkeys(("Abs", "Absolute"), lambda call: Activation(np.abs, (0.0, np.inf))),
    "Square": lambda call: Activation(np.square, (0.0, np.inf)),
    "TanhShrink": lambda call: _formula("tanh_shrink", lambda s: s - np.tanh(s)),
    "HardShrink": _hard_shrink,
    "SoftShrink": _soft_shrink,
    "Squareplus": _square_plus,
    "Threshold": _threshold,
}


@dataclass(frozen=True)
class _Called:
    """A function under a name of its own."""

    function: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    __name__: str

    def __call__(self, s: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.function(s)


def as_steps(
    ops: Sequence[Op], start: int, end: tuple[int, ...], values: dict[int, NDArray[np.floating]], name: str
) -> Activation | None:
    """The activation that operations make of the value `start`, number by number, if they are all of what is there."""
    if not ops or ops[-1].writes != end:
        return None
    if len(ops) == 1 and isinstance(ops[0].does, Pointwise) and ops[0].does.activation.is_named:
        return ops[0].does.activation
    whole = composite_if_any(start, ops, values)
    return None if whole is None else activation_of(_Called(whole, name))
