"""Operators of ONNX that are done number by number: activations by name, and whatever else is done so."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit

from ei_fast.adapters.activations.known import OfNumbers, activation_of, celu, clipped, power_of, shortest
from ei_fast.adapters.activations.steps import Composite
from ei_fast.adapters.graph import (
    Combine,
    Line,
    Pointwise,
)
from ei_fast.adapters.onnx.node import Node
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range


def activation_named(node: Node) -> Pointwise | None:
    """The activation that an operator is called after; None where its parameters make it another."""
    if node.kind not in _ACTIVATIONS or node.at != (0,):
        return None
    try:
        activation = _ACTIVATIONS[node.kind](node)
    except (TypeError, ValueError):
        # A parameter with which it is no activation that is known.
        return None
    return None if activation is None else Pointwise(activation)


COMBINATIONS: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Div": np.divide,
    "Max": np.maximum,
    "Min": np.minimum,
}


@dataclass(frozen=True)
class _Compared:
    """Whether a value is larger, or smaller, than a number: 1 or 0."""

    number: float
    larger: bool

    def __call__(self, s: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(s > self.number if self.larger else s < self.number, 1.0, 0.0)


def _where(condition: Any, yes: Any, no: Any) -> Any:
    return np.where(np.asarray(condition) != 0, yes, no)


def _compared(node: Node) -> Activation | None:
    number = node.constant(1)
    if number is None or number.size != 1:
        return None
    return Activation(_Compared(float(number.ravel()[0]), node.kind == "Greater"), (0.0, 1.0))


def chosen(node: Node) -> Combine | None:
    """What "Where" makes of a condition and of values or single numbers, number by number."""
    numbers: list[float | None] = []
    for k in (1, 2):
        value = node.constant(k)
        if k in node.at:
            numbers.append(None)
        elif value is not None and value.size == 1:
            numbers.append(float(value.ravel()[0]))
    fits = 0 in node.at and all(node.input(k).shape == node.output.shape for k in node.at)
    return Combine(OfNumbers(_where, (None, *numbers))) if fits and len(numbers) == 2 else None


def _clip(node: Node) -> Activation | None:
    low, high = (node.constant(k) for k in (1, 2))
    if low is None or low.size != 1:
        return None
    least, most = float(low.ravel()[0]), np.inf if high is None else float(high.ravel()[0])
    if least == 0 and most >= np.finfo(np.float32).max:
        return Activation("relu")
    return clipped(least, most) if np.isfinite(most) else None


def _hard_sigmoid(node: Node) -> Activation:
    slope, at_zero = node.number("alpha", 0.2), node.number("beta", 0.5)
    if (round(6 * slope, 6), at_zero) == (1.0, 0.5):
        return Activation("hard_sigmoid")
    line = Line(slope, at_zero)
    return Activation(Composite(((line, (0,)), (Activation("hard_tanh", min_val=0.0), (1,)))), (0.0, 1.0))


def _selu(node: Node) -> Activation | None:
    standard = (1.67326, 1.0507)
    given = (node.number("alpha", 1.67326), node.number("gamma", 1.0507))
    return Activation("selu") if np.allclose(given, standard, atol=1e-4) else None


def _celu(node: Node) -> Activation:
    return celu(node.number("alpha", 1.0))


def _prelu(node: Node) -> Activation | None:
    slope = node.constant(1)
    if slope is None or slope.size != 1:
        return None
    return Activation("prelu", negative_slope=float(slope.ravel()[0]))


def _swish(node: Node) -> Activation | None:
    return Activation("silu") if node.number("alpha", 1.0) == 1.0 else None


def _thresholded(node: Node) -> Activation | None:
    return Activation("relu") if node.number("alpha", 1.0) == 0.0 else None


def _square(node: Node) -> Activation | None:
    power = node.constant(1)
    return None if power is None or power.size != 1 else power_of(float(power.ravel()[0]))


def _named(name: str) -> Callable[[Node], Activation]:
    return lambda node: Activation(name)


_ACTIVATIONS: dict[str, Callable[[Node], Activation | None]] = {
    **{
        kind: _named(name)
        for kind, name in (
            *(("Relu", "relu"), ("Sigmoid", "sigmoid"), ("Tanh", "tanh"), ("Softplus", "softplus")),
            *(("Softsign", "softsign"), ("HardSwish", "hard_silu"), ("Mish", "mish")),
        )
    },
    "LeakyRelu": lambda node: Activation("leaky_relu", negative_slope=node.number("alpha", 0.01)),
    "Elu": lambda node: Activation("elu", alpha=node.number("alpha", 1.0)),
    "Selu": _selu,
    "Celu": _celu,
    "Gelu": lambda node: Activation("gelu", approximate=node.attributes.get("approximate", b"none").decode()),
    "HardSigmoid": _hard_sigmoid,
    "Clip": _clip,
    "PRelu": _prelu,
    "Swish": _swish,
    "ThresholdedRelu": _thresholded,
    "Exp": lambda node: Activation(np.exp, (0.0, np.inf)),
    "Erf": lambda node: Activation(erf, (-1.0, 1.0)),
    "Abs": lambda node: Activation(np.abs, (0.0, np.inf)),
    "Pow": _square,
    "Greater": _compared,
    "Less": _compared,
}


def _largest(*values: Any) -> Any:
    return reduce(np.maximum, values)


def _smallest(*values: Any) -> Any:
    return reduce(np.minimum, values)


def _total(*values: Any) -> Any:
    return reduce(np.add, values)


def _mean(*values: Any) -> Any:
    return _total(*values) / len(values)


def _clipped(x: Any, low: Any = -np.inf, high: Any = np.inf) -> Any:
    return np.minimum(np.maximum(x, low), high)


def _not(x: Any) -> Any:
    return np.where(x != 0, 0.0, 1.0)


_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.divide, "Neg": np.negative, "Pow": np.power,
    "Max": _largest, "Min": _smallest, "Sum": _total, "Mean": _mean, "Clip": _clipped, "Abs": np.abs, "Sign": np.sign,
    "Sqrt": np.sqrt, "Exp": np.exp, "Log": np.log, "Reciprocal": np.reciprocal, "Floor": np.floor, "Ceil": np.ceil,
    "Round": np.rint, "Sin": np.sin, "Cos": np.cos, "Tan": np.tan, "Asin": np.arcsin, "Acos": np.arccos,
    "Atan": np.arctan, "Sinh": np.sinh, "Cosh": np.cosh, "Asinh": np.arcsinh, "Acosh": np.arccosh, "Atanh": np.arctanh,
    "Erf": erf, "Not": _not, "And": np.logical_and, "Or": np.logical_or, "Xor": np.logical_xor, "Equal": np.equal,
    "Greater": np.greater, "GreaterOrEqual": np.greater_equal, "Less": np.less, "LessOrEqual": np.less_equal,
    "IsNaN": np.isnan, "IsInf": np.isinf,
}  # fmt: skip
"""Of these operators as many inputs are read as there are, and no attribute changes what is done."""

_CODOMAINS: dict[str, Range] = {
    "Sqrt": (0.0, np.inf),
    **dict.fromkeys(("Sin", "Cos", "Sign"), (-1.0, 1.0)),
    "Atan": (-np.pi / 2, np.pi / 2),
}


def number_by_number(node: Node) -> Pointwise | Combine | None:
    """What is done to every number by itself, or to those in the same place of several values."""
    function = _with_attributes(node)
    values = [node.output, *(node.input(k) for k in node.at)]
    # An integer is rounded, or divided in another way.
    numbers_alone = all(value.shape == node.output.shape and value.dtype.kind in "fb" for value in values)
    if function is None or not numbers_alone or node.attributes.get("direction"):
        return None
    numbers: list[float | None] = []
    for k, value in enumerate(node.inputs):
        if k in node.at:
            numbers.append(None)
        elif value is not None and value.size and (value == value.flat[0]).all():
            numbers.append(shortest(float(value.flat[0])))
        elif value is None and node.kind == "Clip" and k == 1:
            numbers.append(-np.inf)
        else:
            return None
    whole = OfNumbers(function, tuple(numbers))
    if len(node.at) > 1:
        return Combine(whole)
    codomain = _CODOMAINS.get(node.kind)
    return Pointwise(activation_of(whole) if codomain is None else Activation(whole, codomain))


def _with_attributes(node: Node) -> Callable[..., Any] | None:
    """What an operator does, number by number, to as many inputs as it has."""
    if node.kind == "Mod" and node.attributes.get("fmod", 0):
        return np.fmod
    if node.kind == "Where":
        return _where
    if node.kind in _BENT:
        make, defaults = _BENT[node.kind]
        bent: Callable[..., Any] = make(*(node.number(name, default) for name, default in defaults))
        return bent
    return _ELEMENTWISE.get(node.kind)


@dataclass(frozen=True)
class _WithNumbers:
    """A function of a value and the attributes of a node."""

    function: Callable[..., Any]
    attributes: tuple[float, ...]

    @property
    def __name__(self) -> str:
        return self.function.__name__.strip("_")

    def __call__(self, x: Any) -> Any:
        return self.function(x, *self.attributes)


def _bent(function: Callable[..., Any], *defaults: tuple[str, float]) -> tuple[Callable[..., Any], Any]:
    return (lambda *given: _WithNumbers(function, given)), defaults


def _shrink(x: Any, bias: float, least: float) -> Any:
    return np.where(x < -least, x + bias, np.where(x > least, x - bias, 0.0))


def _selu_of(x: Any, alpha: float, gamma: float) -> Any:
    return gamma * np.where(x > 0, x, alpha * np.expm1(x))


def _swish_of(x: Any, alpha: float) -> Any:
    return x * expit(alpha * x)


def _thresholded_relu(x: Any, alpha: float) -> Any:
    return np.where(x > alpha, x, 0.0)


_BENT = {
    "Shrink": _bent(_shrink, ("bias", 0.0), ("lambd", 0.5)),
    "Selu": _bent(_selu_of, ("alpha", 1.67326), ("gamma", 1.0507)),
    "Swish": _bent(_swish_of, ("alpha", 1.0)),
    "ThresholdedRelu": _bent(_thresholded_relu, ("alpha", 1.0)),
}
