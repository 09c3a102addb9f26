"""Convolutions and pools of Keras; where channels come last they are put first before, and last again behind."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.graph import (
    Operation,
    Pool,
    Same,
    Window,
    conv,
    transposed,
)
from ei_fast.adapters.keras.call import Call, Steps, done
from ei_fast.adapters.keras.numbers import as_numbers


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
    return str(call.op.data_format or keras.config.image_data_format())


def _places(call: Call, output: Any) -> Sequence[int]:
    """How many places an output has along each axis that is none of channels."""
    return tuple(output.shape[2:] if _data_format(call) == "channels_first" else output.shape[1:-1])


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


def _transposed(call: Call) -> Steps | None:
    kernel = call.constant(1, "kernel")
    if kernel is None:
        return None
    # (..., n_channels, channels) here, (channels, n_channels, ...) there.
    ordered = np.moveaxis(kernel, (-1, -2), (0, 1))
    window = Window.over(ordered.shape[2:], call.op.strides, getattr(call.op, "dilation_rate", 1))
    padding = _cut_off(call, window)

    def does(x: Any) -> Operation:
        return transposed(ordered, None, 1, Window(window.size, window.stride, window.dilation, padding))

    return _with_channels_first(call, does, call.output)


def _cut_off(call: Call, window: Window) -> tuple[int, ...]:
    """How many outputs are left out before the first, as a single input among zeros shows it: backends differ there."""
    many = [n * gap + 4 for n, gap in zip(window.size, window.dilation, strict=True)]
    axes = range(2, 2 + len(many)) if _data_format(call) == "channels_first" else range(1, 1 + len(many))
    x = np.zeros((1, 1, *many) if axes[0] == 2 else (1, *many, 1), dtype="float32")
    x[(0, *(-1 for _ in range(x.ndim - 1)))] = 1.0
    ones = np.ones((*window.size, 1, 1), dtype="float32")
    made = done(call.op, (keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(ones)), {})
    begin = [int(np.nonzero(as_numbers(made))[axis].min()) for axis in axes]
    return tuple((n - 1) * step - at for n, step, at in zip(many, window.stride, begin, strict=True))


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


SEVERAL: dict[str, Callable[[Call], Steps | None]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "DepthwiseConv": _depthwise,
    "SeparableConv": _separable,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "AdaptiveMaxPool": _adaptive_pool,
    "AdaptiveAveragePool": _adaptive_pool,
}
