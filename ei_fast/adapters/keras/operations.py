"""What the operations of Keras mean: dense maps, convolutions, affine maps, activations, pools, or nothing.

An operation is an object of `keras.ops` that holds its parameters and is called on tensors of the user's backend. What
it does to images whose channels come last is written down in three steps: channels first, the operation, channels last.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from ei_fast.adapters.activations.known import activation_of, celu, clipped, power_of
from ei_fast.adapters.activations.steps import composite_if_any
from ei_fast.adapters.activations.tried import maps_each
from ei_fast.adapters.graph import (
    Affine,
    Combine,
    Dense,
    Op,
    Operation,
    Pad,
    Pointwise,
    Pool,
    Reduce,
    Same,
    Softmax,
    Unknown,
    Window,
    conv,
    no_layer,
)
from ei_fast.adapters.graph.contractions import CONTRACTIONS
from ei_fast.adapters.graph.fusion import of_batch_norm
from ei_fast.adapters.keras.numbers import as_numbers, contraction, elementwise
from ei_fast.network.activations import Activation

_REPEATING = (keras.layers.RNN, keras.layers.Bidirectional, keras.layers.TimeDistributed)
"""What calls a layer again and again, at every step of a sequence: no one operation of its own is a layer."""

_TRANSPOSED = (keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose)
"""Whose operation Keras does not do alone: it takes the padding for another parameter."""

BOUNDED = (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)
"""Layers whose outputs lie within (-1, 1) where their activation does."""

Steps = list[tuple[Operation, Any]]
"""What an operation does, one after the other, and what each of them gives."""


@dataclass(frozen=True, eq=False)
class Call:
    """An operation on tensors, of which some depend on what goes into the model.

    Attributes
    ----------
    op : keras.Operation
    args, kwargs
        What it was called with.
    at : tuple of int
        Which of the arguments depend on the model's input.
    output : tensor
    """

    op: Any
    args: tuple
    kwargs: dict[str, Any]
    at: tuple[int, ...]
    output: Any

    @property
    def kind(self) -> str:
        """The operation's name."""
        return type(self.op).__name__

    @property
    def x(self) -> Any:
        """The first tensor that depends on the model's input."""
        return self.args[self.at[0]]

    @property
    def n_axes(self) -> int:
        return len(self.x.shape)

    def constant(self, position: int, name: str) -> NDArray[np.float64] | None:
        """An argument that does not depend on the model's input; None where there is none."""
        value = self.args[position] if len(self.args) > position else self.kwargs.get(name)
        if value is None or position in self.at:
            return None
        return np.asarray(as_numbers(value) if hasattr(value, "shape") else value, dtype=np.float64)

    def steps(self) -> Steps | None:
        """What it does with the values of each row; None where it is nothing that is known."""
        rows = tuple(self.output.shape[:1])
        if self.kind == "Reshape" and self.at == (0,) and rows and self.n_axes:
            same = _same(self)
            return None if same is None else [(same, self.output)]
        if not rows or any(tuple(self.args[k].shape[:1]) != rows for k in self.at):
            return None
        if len(self.at) > 1:
            alike = len(self.args) == 2 and all(tuple(self.args[k].shape) == tuple(self.output.shape) for k in self.at)
            known = alike and self.kind in _COMBINATIONS
            combined = Combine(_COMBINATIONS[self.kind]) if known else _each_by_itself(self)
            return None if combined is None else [(combined, self.output)]
        if self.kind in _SEVERAL:
            return _SEVERAL[self.kind](self) if self.at == (0,) else None
        does = self._does() or _each_by_itself(self)
        if does is None and self.kind.lower() in CONTRACTIONS:
            does = contraction(self.op, self.args, self.kwargs, self.at[0], self.output)
        return None if does is None else [(does, self.output)]

    def _does(self) -> Operation | None:
        if self.kind in _AFFINE:
            return _affine(self)
        if self.at != (0,):
            return None
        if self.kind in _MEANING:
            return _MEANING[self.kind](self)
        alike = tuple(self.x.shape) == tuple(self.output.shape)
        if self.kind in _ACTIVATIONS and alike:
            try:
                activation = _ACTIVATIONS[self.kind](self)
            except (TypeError, ValueError):
                # A parameter with which it is no activation that is known.
                return None
            return None if activation is None else Pointwise(activation)
        if alike and len(self.args) == 1 and not self.kwargs:
            activation = elementwise(self.op.call, self.x, self.output, self.kind)
            return None if activation is None else Pointwise(activation)
        return None


_COMBINATIONS: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Subtract": np.subtract,
    "Multiply": np.multiply,
    "Divide": np.divide,
    "TrueDivide": np.divide,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
}


def _dense(call: Call) -> Dense | None:
    weight = call.constant(1, "x2")
    if weight is None or weight.ndim != 2 or call.n_axes < 2:
        return None
    return Dense(weight, np.zeros(weight.shape[1]))


def _affine(call: Call) -> Affine | None:
    """Addition and the like with what does not depend on the input."""
    comes_first = call.at == (0,)
    constant = call.constant(1, "x2") if comes_first else call.constant(0, "x1")
    if constant is None or tuple(call.x.shape) != tuple(call.output.shape) or call.n_axes < 2:
        return None
    constant = constant.reshape((1,) * (call.n_axes - constant.ndim) + constant.shape)
    if len(constant) != 1 or not np.isfinite(constant).all():
        return None
    return Affine.by(_AFFINE[call.kind], constant[0], comes_first)


def _batch_norm(call: Call) -> Affine | None:
    mean, variance, offset, scale = (
        call.constant(k, name) for k, name in enumerate(("mean", "variance", "offset", "scale"), 1)
    )
    if mean is None or variance is None or not isinstance(call.op.axis, int):
        return None
    factor, shift = of_batch_norm(mean, variance, scale, offset, call.op.epsilon)
    if not (np.isfinite(factor).all() and np.isfinite(shift).all()):
        return None
    shape = [1] * (call.n_axes - 1)
    shape[call.op.axis % call.n_axes - 1] = -1
    return Affine(factor.reshape(shape), shift.reshape(shape))


def _same(call: Call) -> Same | None:
    is_float = keras.backend.is_float_dtype(keras.backend.standardize_dtype(call.output.dtype))
    return Same() if is_float and np.prod(call.x.shape) == np.prod(call.output.shape) else None


def _rearranged(call: Call) -> Same | None:
    """Where each number of a sample went, as the operation itself tells of their places."""
    sample = tuple(call.x.shape[1:])
    # Two rows, to see that neither comes from the other.
    places = np.arange(2 * int(np.prod(sample)), dtype=np.int32).reshape(2, *sample)
    moved = keras.ops.convert_to_numpy(call.op.call(keras.ops.convert_to_tensor(places)))
    if len(moved) != 2 or moved[0].size != places[0].size or moved[0].max() >= places[0].size:
        return None
    return Same(moved[0].astype(np.intp))


def _padded(call: Call) -> Pad | None:
    value = call.constant(1, "constant_values")
    widths = call.op.pad_width
    if call.op.mode != "constant" or (value is not None and value.any()) or np.ndim(widths) != 2:
        return None
    pairs = tuple((int(before), int(after)) for before, after in widths)
    return None if any(pairs[0]) or min(map(min, pairs)) < 0 else Pad(pairs[1:])


def _reduced(call: Call) -> Reduce | None:
    axis = call.op.axis
    if axis is None or getattr(call.op, "initial", None) is not None:
        return None
    return Reduce.along([axis] if isinstance(axis, int) else axis, call.n_axes, call.kind == "Mean")


def _softmax(call: Call) -> Softmax | None:
    over_neurons = call.n_axes > 1 and call.op.axis in (-1, call.n_axes - 1)
    return Softmax(call.kind == "LogSoftmax") if over_neurons else None


def _power(call: Call) -> Pointwise | None:
    power = call.constant(1, "x2")
    activation = None if power is None or power.size != 1 else power_of(float(power.ravel()[0]))
    return None if activation is None else Pointwise(activation)


_AFFINE = {"Add": "add", "Subtract": "sub", "Multiply": "mul", "Divide": "div", "TrueDivide": "div"}
_MEANING: dict[str, Callable[[Call], Operation | None]] = {
    "Matmul": _dense,
    "Dot": _dense,
    "BatchNorm": _batch_norm,
    "Negative": lambda call: Affine(-np.ones(()), np.zeros(())),
    **dict.fromkeys(
        ("Reshape", "Ravel", "Squeeze", "ExpandDims", "Cast", "StopGradient", "Copy", "Identity", "ConvertToTensor"),
        _same,
    ),
    **dict.fromkeys(("Transpose", "Swapaxes", "Moveaxis"), _rearranged),
    "Pad": _padded,
    **dict.fromkeys(("Mean", "Max", "Amax"), _reduced),
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "Power": _power,
}


def meaning_of_layer(layer: keras.Layer) -> Operation | None:
    """What a layer does that is not looked into; None of any other.

    Those that prepare data call their backend and no operations; others have a reason to be no layer.
    """
    if isinstance(layer, (*_REPEATING, *_TRANSPOSED)):
        return Unknown(no_layer(type(layer).__name__, 1))
    if is_quantized(layer):
        return Unknown("its weights are quantized, and its inputs may be; name it in 'blocks' to measure it as one map")
    if isinstance(layer, keras.layers.Rescaling):
        scale, offset = (np.asarray(part, dtype=np.float64) for part in (layer.scale, layer.offset))
        of_channels = max(scale.ndim, offset.ndim) > 0
        channels_last = keras.config.image_data_format() == "channels_last"
        return None if of_channels and not channels_last else Affine(scale, offset)
    if isinstance(layer, keras.layers.Normalization):
        # Each with an axis for the rows.
        mean, variance = (as_numbers(part)[0].astype(np.float64) for part in (layer.mean, layer.variance))
        deviation = np.maximum(np.sqrt(variance), keras.config.epsilon())
        return Affine(deviation, mean) if layer.invert else Affine(1 / deviation, -mean / deviation)
    return None


def is_quantized(layer: keras.Layer) -> bool:
    """Whether a layer holds codes in the place of weights."""
    return getattr(layer, "quantization_mode", None) is not None


# Of images


def _with_channels_first(call: Call, does: Callable[[Any], Operation | None], output: Any) -> Steps | None:
    """Steps of an operation on channels that gives `output`; `does` takes the tensor with channels first."""
    if _data_format(call) == "channels_first":
        found = does(call.x)
        return None if found is None else [(found, output)]
    to_first, first = _moved(call.x, -1, 1)
    found = does(first)
    if found is None:
        return None
    _, between = _moved(output, -1, 1)
    to_last, _ = _moved(between, 1, -1)
    return [(Same(to_first), first), (found, between), (Same(to_last), output)]


def _data_format(call: Call) -> str:
    return call.op.data_format or keras.config.image_data_format()


def _places(call: Call, output: Any) -> Sequence[int]:
    """How many places an output has along each axis that is none of channels."""
    return output.shape[2:] if _data_format(call) == "channels_first" else output.shape[1:-1]


def _moved(x: Any, source: int, destination: int) -> tuple[NDArray[np.intp], Any]:
    """A tensor with one axis elsewhere, and which of a sample's values is where then."""
    moved = keras.ops.moveaxis(x, source, destination)
    sample = tuple(x.shape[1:])
    at = np.arange(int(np.prod(sample)), dtype=np.intp).reshape(1, *sample)
    return np.moveaxis(at, source, destination)[0], moved


def _window(call: Call, x: Any, output: Any, size: Sequence[int]) -> Window:
    """The window of an operation on `x`, channels first, that gives as many places as `output` has."""
    strides = getattr(call.op, "strides", None)
    window = Window.over(size, tuple(size) if strides is None else strides, getattr(call.op, "dilation_rate", 1))
    if str(call.op.padding).lower() != "same":
        return window
    return window.padded_to(x.shape[2:], _places(call, output))


def _convolution(call: Call) -> Steps | None:
    kernel = call.constant(1, "kernel")
    if kernel is None:
        return None
    # (..., channels / groups, n_out) here, (n_out, channels / groups, ...) there.
    ordered = np.moveaxis(kernel, (-1, -2), (0, 1))

    def does(x: Any) -> Operation:
        window = _window(call, x, call.output, ordered.shape[2:])
        return conv(ordered, None, int(x.shape[1]) // ordered.shape[1], window)

    return _with_channels_first(call, does, call.output)


def _by_channel(call: Call, kernel: NDArray[np.float64], output: Any) -> Steps | None:
    """A convolution of every channel by itself; kernel (..., channels, multiplier)."""
    spread = kernel.reshape(*kernel.shape[:-2], 1, -1)
    ordered = np.moveaxis(spread, (-1, -2), (0, 1))

    def does(x: Any) -> Operation:
        return conv(ordered, None, int(x.shape[1]), _window(call, x, output, ordered.shape[2:]))

    return _with_channels_first(call, does, output)


def _depthwise(call: Call) -> Steps | None:
    kernel = call.constant(1, "kernel")
    return None if kernel is None else _by_channel(call, kernel, call.output)


def _separable(call: Call) -> Steps | None:
    """Every channel by itself, and then all of them place by place."""
    kernel, pointwise = call.constant(1, "depthwise_kernel"), call.constant(2, "pointwise_kernel")
    if kernel is None or pointwise is None:
        return None
    op = call.op
    between = keras.ops.depthwise_conv(call.x, call.args[1], op.strides, op.padding, op.data_format, op.dilation_rate)
    first = _by_channel(call, kernel, between)
    again = SimpleNamespace(strides=1, padding="valid", data_format=op.data_format, dilation_rate=1)
    second = _convolution(Call(again, (between, call.args[2]), {}, (0,), call.output))
    return None if first is None or second is None else [*first, *second]


def _pool(call: Call) -> Steps | None:
    size = call.op.pool_size
    over = call.n_axes - 2
    sizes = (size,) * over if isinstance(size, int) else tuple(size)

    def does(x: Any) -> Operation:
        return Pool(_window(call, x, call.output, sizes), mean=call.kind == "AveragePool")

    return _with_channels_first(call, does, call.output)


def _adaptive_pool(call: Call) -> Steps | None:
    """A pool to so many places; its windows are all of one size where these divide those of the input."""

    def does(x: Any) -> Pool | None:
        pairs = list(zip(x.shape[2:], _places(call, call.output), strict=True))
        size = tuple(n // m for n, m in pairs)
        mean = call.kind == "AdaptiveAveragePool"
        return None if any(n % m for n, m in pairs) else Pool(Window.over(size, size), mean)

    return _with_channels_first(call, does, call.output)


_SEVERAL: dict[str, Callable[[Call], Steps | None]] = {
    "Conv": _convolution,
    "DepthwiseConv": _depthwise,
    "SeparableConv": _separable,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "AdaptiveMaxPool": _adaptive_pool,
    "AdaptiveAveragePool": _adaptive_pool,
}


# Activations


def _relu(call: Call) -> Activation | None:
    slope, most, threshold = float(call.op.negative_slope), call.op.max_value, float(call.op.threshold)
    if threshold == 0 and most is None:
        return Activation("leaky_relu", negative_slope=slope) if slope else Activation("relu")
    if threshold == 0 == slope and most:
        return clipped(0.0, float(most))
    function = _Told(_BentLine(slope, np.inf if most is None else float(most), threshold), "ReLU")
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
    return Activation(_Told(function, name), (-np.inf, np.inf))


def _named(name: str) -> Callable[[Call], Activation]:
    return lambda call: Activation(name)


_ACTIVATIONS: dict[str, Callable[[Call], Activation | None]] = {
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
class _Told:
    """A function under the name that it is told by."""

    function: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    __name__: str

    def __call__(self, s: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.function(s)


@dataclass(frozen=True, eq=False)
class _OfArrays:
    """An operation, number by number, as a function of arrays; None in an argument's place stands for one given."""

    op: Any
    args: tuple
    kwargs: dict[str, Any]
    dtypes: tuple[str, ...]

    @property
    def __name__(self) -> str:
        return type(self.op).__name__.lower()

    def __call__(self, *given: NDArray[np.float64]) -> NDArray[np.float64]:
        tensors = iter([keras.ops.convert_to_tensor(one, dtype) for one, dtype in zip(given, self.dtypes, strict=True)])
        args = [next(tensors) if isinstance(arg, _Given) else arg for arg in self.args]
        return as_numbers(self.op.call(*args, **self.kwargs)).astype(np.float64, copy=False)


class _Given:
    """In the place of an argument that is given."""


def _each_by_itself(call: Call) -> Pointwise | Combine | None:
    """What an operation does, if it is done number by number."""
    kinds = {"bool": "b", "int": "i", "uint": "i"}
    dtypes = [keras.backend.standardize_dtype(call.args[k].dtype) for k in call.at]
    of_result = keras.backend.standardize_dtype(call.output.dtype)
    letters = [kinds.get(dtype.rstrip("0123456789"), "f") for dtype in (*dtypes, of_result)]
    args: list[Any] = [
        _Given() if k in call.at else arg if isinstance(arg, (bool, int, float, str, type(None))) else _one_number(arg)
        for k, arg in enumerate(call.args)
    ]
    if any(arg is None and call.args[k] is not None for k, arg in enumerate(args)) or "complex" in of_result:
        return None
    wide = "float32" if keras.backend.backend() == "jax" else "float64"
    given_as = [wide if one == "f" else dtype for one, dtype in zip(letters[:-1], dtypes, strict=True)]
    whole = _OfArrays(call.op, tuple(args), call.kwargs, tuple(given_as))
    result, operands = as_numbers(call.output), [as_numbers(call.args[k]) for k in call.at]
    eps = {"float64": 2.0**-52, "float16": 2.0**-10, "bfloat16": 2.0**-7}.get(of_result, 2.0**-23)
    if not maps_each(whole, operands, "".join(letters[:-1]), result, letters[-1], eps):
        return None
    return Combine(whole) if len(operands) > 1 else Pointwise(activation_of(whole))


def _one_number(tensor: Any) -> float | None:
    """The number that a tensor holds, or a constant that is made anew everywhere; None if there are several."""
    if not hasattr(tensor, "shape"):
        return None
    values = as_numbers(tensor)
    return float(values.flat[0]) if values.size == 1 else None


def steps_of(
    ops: Sequence[Op], start: int, end: tuple[int, ...], values: dict[int, NDArray[np.floating]], told: str
) -> Activation | None:
    """The activation that operations make of the value `start`, number by number, if they are all of what is there."""
    if not ops or ops[-1].writes != end:
        return None
    if len(ops) == 1 and isinstance(ops[0].does, Pointwise) and ops[0].does.activation.is_named:
        return ops[0].does.activation
    whole = composite_if_any(start, ops, values)
    return None if whole is None else activation_of(_Told(whole, told))
