"""What the nodes of an ONNX graph mean: dense maps, convolutions, affine maps, activations, pools, or nothing.

Operators are those of https://onnx.ai/onnx/operators, opset 13 and newer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, expit

from ei_fast.adapters.operations import (
    Affine,
    Combine,
    Dense,
    Does,
    Pad,
    Places,
    Pointwise,
    Pool,
    Reduce,
    Same,
    Softmax,
    Window,
    conv,
)
from ei_fast.adapters.pointwise import Composite, Line, OfNumbers, activation_of, celu, clipped, power_of, shortest
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range


@dataclass(frozen=True, eq=False)
class Node:
    """A node of which at least one input depends on what goes into the model.

    Attributes
    ----------
    kind : str
        Its operator.
    attributes : dict
    inputs : sequence of ndarray or None
        Missing ones are None.
    at : tuple of int
        Which of the inputs depend on the model's.
    output : ndarray
    """

    kind: str
    attributes: dict[str, Any]
    inputs: Sequence[NDArray | None]
    at: tuple[int, ...]
    output: NDArray

    def number(self, name: str, default: float) -> float:
        """An attribute; it was rounded to float32 and is taken for the shortest number that is rounded to it."""
        value = self.attributes.get(name)
        return default if value is None else float(str(np.float32(value)))

    def constant(self, place: int) -> NDArray[np.float64] | None:
        """An input that does not depend on the model's; None where there is none."""
        value = self.inputs[place] if place < len(self.inputs) else None
        return None if value is None else np.asarray(value, dtype=np.float64)

    @property
    def x(self) -> NDArray:
        """The input that depends on the model's."""
        return self.input(self.at[0])

    def input(self, place: int) -> NDArray:
        """An input that there is."""
        value = self.inputs[place]
        assert value is not None
        return value


def meaning_of(node: Node) -> Does | None:
    """What a node does with the values of each row; None where it is nothing that is known."""
    read = [node.input(k) for k in node.at]
    if node.kind in ("Reshape", "Flatten") and node.at == (0,) and node.output.ndim and node.x.ndim:
        return _same(node)
    if not node.output.ndim or any(not value.ndim or len(value) != len(node.output) for value in read):
        return None
    if node.kind == "Where":
        return _where(node) or _number_by_number(node)
    if len(read) > 1:
        fits = len(node.inputs) == 2 and all(value.shape == node.output.shape for value in read)
        return Combine(_COMBINATIONS[node.kind]) if fits and node.kind in _COMBINATIONS else _number_by_number(node)
    return _of_one(node) or _number_by_number(node)


def _of_one(node: Node) -> Does | None:
    """What a node does with one value."""
    if node.kind in _MEANING and (node.at == (0,) or node.kind in _AFFINE):
        return _MEANING[node.kind](node)
    if node.kind in _ACTIVATIONS and node.at == (0,):
        try:
            activation = _ACTIVATIONS[node.kind](node)
        except (TypeError, ValueError):
            # A parameter with which it is no activation that is known.
            return None
        return None if activation is None else Pointwise(activation)
    return None


_COMBINATIONS: dict[str, Callable[..., Any]] = {
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


@dataclass(frozen=True)
class _Chosen:
    """One value where a condition holds and another where not; None stands for a value that is given."""

    yes: float | None
    no: float | None

    def __call__(self, condition: NDArray[np.float64], *given: NDArray[np.float64]) -> NDArray[np.float64]:
        rest = list(given)
        yes = rest.pop(0) if self.yes is None else self.yes
        return np.where(condition != 0, yes, rest.pop(0) if self.no is None else self.no)


def _compared(node: Node) -> Activation | None:
    number = node.constant(1)
    if number is None or number.size != 1:
        return None
    return Activation(_Compared(float(number.ravel()[0]), node.kind == "Greater"), (0.0, 1.0))


def _where(node: Node) -> Combine | None:
    numbers: list[float | None] = []
    for k in (1, 2):
        value = node.constant(k)
        if k in node.at:
            numbers.append(None)
        elif value is not None and value.size == 1:
            numbers.append(float(value.ravel()[0]))
    fits = 0 in node.at and all(node.input(k).shape == node.output.shape for k in node.at)
    return Combine(_Chosen(*numbers)) if fits and len(numbers) == 2 else None


def _gemm(node: Node) -> Dense | None:
    weight, bias = node.constant(1), node.constant(2)
    if weight is None or node.attributes.get("transA", 0) or node.at != (0,):
        return None
    weight = weight.T if node.attributes.get("transB", 0) else weight
    n_out = weight.shape[1]
    if bias is not None and (bias.ndim > 2 or bias.size not in (1, n_out) or (bias.ndim == 2 and len(bias) != 1)):
        return None
    alpha, beta = node.number("alpha", 1.0), node.number("beta", 1.0)
    bias = np.zeros(n_out) if bias is None else np.broadcast_to(beta * bias.reshape(-1), n_out)
    return Dense(alpha * weight, bias)


def _matmul(node: Node) -> Dense | None:
    weight = node.constant(1)
    return Dense(weight, np.zeros(weight.shape[1])) if weight is not None and weight.ndim == 2 else None


def _conv(node: Node) -> Does | None:
    kernel = node.constant(1)
    if kernel is None or kernel.ndim < 3:
        return None
    return conv(kernel, node.constant(2), node.attributes.get("group", 1), _window(node, kernel.shape[2:]))


def _pool(node: Node) -> Pool:
    return Pool(_window(node, node.attributes["kernel_shape"]), mean=node.kind == "AveragePool")


def _global_pool(node: Node) -> Pool:
    return Pool(Window.over(node.x.shape[2:]), mean=node.kind == "GlobalAveragePool")


def _reduced(node: Node) -> Reduce | None:
    axes = node.attributes.get("axes", node.constant(1))
    return None if axes is None else Reduce.along(axes, node.x.ndim, node.kind == "ReduceMean")


def _window(node: Node, size: Sequence[int]) -> Window:
    strides, dilations = (node.attributes.get(key, 1) for key in ("strides", "dilations"))
    window = Window.over(size, strides, dilations)
    before = list(node.attributes.get("pads", [0] * 2 * len(size)))[: len(size)]
    auto = node.attributes.get("auto_pad", b"NOTSET")
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        # What is odd of the padding is put behind, or before.
        for axis, (n, m) in enumerate(zip(node.x.shape[2:], node.output.shape[2:], strict=True)):
            reach = (m - 1) * window.stride[axis] + (size[axis] - 1) * window.dilation[axis] + 1
            total = max(reach - n, 0)
            before[axis] = total // 2 if auto == b"SAME_UPPER" else total - total // 2
    return Window.over(size, strides, dilations, before)


def _batch_norm(node: Node) -> Affine | None:
    if node.attributes.get("training_mode", 0):
        return None
    weight, bias, mean, variance = (node.constant(k) for k in range(1, 5))
    if weight is None or bias is None or mean is None or variance is None:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = weight / np.sqrt(variance + node.number("epsilon", 1e-5))
    if not (np.isfinite(scale).all() and np.isfinite(bias - mean * scale).all()):
        return None
    shape = (-1, *(1 for _ in node.x.shape[2:]))
    return Affine(scale.reshape(shape), (bias - mean * scale).reshape(shape))


def _affine(node: Node) -> Affine | None:
    """Addition and the like with what does not depend on the input."""
    constant = node.constant(1 - node.at[0])
    if constant is None or len(node.inputs) != 2 or node.x.shape != node.output.shape:
        return None
    constant = constant.reshape((1,) * (node.output.ndim - constant.ndim) + constant.shape)
    if len(constant) != 1 or not np.isfinite(constant).all():
        return None
    return Affine.by(node.kind.lower(), constant[0], node.at == (0,))


def _negative(node: Node) -> Affine:
    return Affine(-np.ones(()), np.zeros(()))


def _same(node: Node) -> Same | None:
    # What is true or false may be cast to just that, as exporters do.
    kept = node.output.dtype.kind == "f" or node.output.dtype == node.x.dtype == np.bool_
    return Same() if kept and node.output.size == node.x.size else None


def _transposed(node: Node) -> Same | None:
    axes = list(node.attributes.get("perm", range(node.x.ndim)[::-1]))
    if axes[0] != 0:
        return None
    sample: Places = np.arange(node.x[0].size).reshape(node.x.shape[1:])
    return Same(sample.transpose([axis - 1 for axis in axes[1:]]))


def _padded(node: Node) -> Pad | None:
    pads = node.constant(1)
    if pads is None or (len(node.inputs) > 3 and node.inputs[3] is not None) or pads.size != 2 * node.x.ndim:
        return None
    before, after = pads.astype(int).reshape(2, -1).tolist()
    if before[0] or after[0] or min(*before, *after) < 0:
        return None
    return Pad(tuple(zip(before[1:], after[1:], strict=True)))


def _softmax(node: Node) -> Softmax | None:
    over_neurons = node.output.ndim > 1 and node.attributes.get("axis", -1) in (-1, node.output.ndim - 1)
    return Softmax(node.kind == "LogSoftmax") if over_neurons else None


def _dropout(node: Node) -> Same | None:
    training = node.constant(2)
    return Same() if training is None or not training.any() else None


_AFFINE = {"Add", "Sub", "Mul", "Div"}
_MEANING: dict[str, Callable[[Node], Does | None]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Conv": _conv,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "ReduceMean": _reduced,
    "ReduceMax": _reduced,
    "BatchNormalization": _batch_norm,
    **dict.fromkeys(_AFFINE, _affine),
    "Neg": _negative,
    **dict.fromkeys(("Identity", "Cast", "Flatten", "Reshape", "Squeeze", "Unsqueeze"), _same),
    "Dropout": _dropout,
    "Transpose": _transposed,
    "Pad": _padded,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
}


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


def _number_by_number(node: Node) -> Pointwise | Combine | None:
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
        return _picked
    if node.kind in _BENT:
        make, defaults = _BENT[node.kind]
        return make(*(node.number(name, default) for name, default in defaults))
    return _ELEMENTWISE.get(node.kind)


def _picked(condition: Any, yes: Any, no: Any) -> Any:
    return np.where(np.asarray(condition) != 0, yes, no)


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
