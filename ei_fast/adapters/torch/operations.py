"""What PyTorch's functions mean: dense maps, convolutions, affine maps, activations, pools, or nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ei_fast.adapters.graph import (
    Affine,
    Dense,
    Operation,
    Pad,
    Pointwise,
    Pool,
    Reduce,
    Same,
    Softmax,
    Window,
    conv,
    transposed,
)
from ei_fast.adapters.graph.each_neuron import prelu
from ei_fast.adapters.graph.fusion import of_batch_norm
from ei_fast.adapters.torch.activations import ACTIVATIONS, Arguments
from ei_fast.adapters.torch.call import Call
from ei_fast.network.bins import Range

BOUNDED: dict[str, Range] = {
    "softmax": (0.0, 1.0),
    "lstm_cell": (-1.0, 1.0),
    "rnn_tanh_cell": (-1.0, 1.0),
    # A mean of tanh and the state before: bounded where that was.
    "gru_cell": (-1.0, 1.0),
    # In several steps and layers of such cells.
    **dict.fromkeys(("lstm", "rnn_tanh", "gru"), (-1.0, 1.0)),
}
"""Ranges of outputs, whatever goes in, of functions that are no activation."""

COMBINATIONS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
}
"""Functions of two values, number by number."""

_SAME = {
    "flatten", "view", "reshape", "contiguous", "detach", "clone", "to", "float", "double", "half", "bfloat16",
    "type", "type_as", "squeeze", "unsqueeze", "ravel", "alias", "identity", "cpu", "view_as", "reshape_as",
    "unflatten",
}  # fmt: skip
_REARRANGED = {"permute", "transpose", "swapaxes", "swapdims", "movedim", "moveaxis"}
_DROPOUT = {
    "dropout",
    "alpha_dropout",
    "feature_dropout",
    "feature_alpha_dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
}


def is_reshaped(call: Call, result: torch.Tensor) -> bool:
    """Whether a function gave its first argument another number of rows and left the rest as it is."""
    x = call.args[0] if call.args else None
    return (
        call.name in _SAME
        and isinstance(x, torch.Tensor)
        and x.dim() > 0 < result.dim()
        and x.dtype == result.dtype
        and result.is_floating_point()
        and x.numel() == result.numel()
    )


def meaning_of(call: Call, result: torch.Tensor) -> Operation | None:
    """What a function did with the one value that depends on the input; None where it is nothing that is known."""
    call = call.in_order()
    if call.at != _PLACES.get(call.name, 0) and not (call.at == 1 and call.name in _SECOND_TOO):
        return None
    means = _MEANING.get(call.name)
    return None if means is None else means(call, result)


def _dropout(call: Call, result: torch.Tensor) -> Same | None:
    return None if call.given(2, "training", True) and call.given(1, "p", 0.5) else Same()


def _same(call: Call, result: torch.Tensor) -> Same | None:
    x = call.given(0, "input")
    kept = result.is_floating_point() and x.shape[:1] == result.shape[:1] and x.numel() == result.numel()
    return Same() if kept else None


def _rearranged(call: Call, result: torch.Tensor) -> Same | None:
    """Where each number of a sample went, as the function itself tells of their places."""
    x = call.given(0, "input")
    # Two rows, to see that neither comes from the other.
    places = torch.arange(2 * x[0].numel()).reshape(2, *x.shape[1:])
    kwargs = {key: value for key, value in call.kwargs.items() if key != "input"}
    moved = call.function(places, *call.args[1:], **kwargs)
    if len(moved) != 2 or moved[0].numel() != x[0].numel() or moved[0].max() >= x[0].numel():
        return None
    return Same(moved[0].numpy())


def _array(values: Any) -> NDArray[np.float64]:
    if isinstance(values, torch.Tensor):
        return values.detach().to(torch.float64).cpu().numpy()
    return np.asarray(values, dtype=np.float64)


def _linear(given: Arguments) -> Dense | None:
    weight, bias = given(1, "weight"), given(2, "bias")
    return None if weight.dim() != 2 else dense_of_linear(weight, bias)


def dense_of_linear(weight: torch.Tensor, bias: torch.Tensor | None) -> Dense:
    """The map of weights (n_out, n_in), as `torch.nn.functional.linear` takes them."""
    return Dense(_array(weight).T, np.zeros(len(weight)) if bias is None else _array(bias))


def _matmul(given: Arguments) -> Dense | None:
    weight = given(1, "other", given(1, "mat2"))
    if not isinstance(weight, torch.Tensor) or weight.dim() != 2 or given(0, "input").dim() < 2:
        return None
    return _dense(given(0, "input"), weight, np.zeros(weight.shape[1]))


def _addmm(given: Arguments) -> Dense | None:
    bias, x, weight = given(0, "input"), given(1, "mat1"), given(2, "mat2")
    if given(3, "beta", 1) != 1 or given(4, "alpha", 1) != 1 or bias.numel() not in (1, weight.shape[1]):
        return None
    return _dense(x, weight, np.broadcast_to(_array(bias).reshape(-1), weight.shape[1:]))


def _dense(x: torch.Tensor, weight: torch.Tensor, bias: NDArray[np.float64]) -> Dense | None:
    # Where the weights come first the product is over rows of the input.
    return Dense(_array(weight), bias) if x.shape[-1] == weight.shape[0] else None


_DENSE: dict[str, Callable[[Arguments], Dense | None]] = {
    "linear": _linear,
    "matmul": _matmul,
    "mm": _matmul,
    "addmm": _addmm,
}

_CONVOLUTIONS = {"conv1d", "conv2d", "conv3d"}
_POOLS = {f"{adaptive}{kind}_pool{n}d" for adaptive in ("", "adaptive_") for kind in ("max", "avg") for n in (1, 2, 3)}


def _convolution(call: Call, result: torch.Tensor) -> Operation | None:
    given = call.given
    x, weight, bias = given(0, "input"), given(1, "weight"), given(2, "bias")
    if x.dim() != weight.dim():
        # One sample without its axis: the first axis are channels.
        return None
    size, dilation, padding = weight.shape[2:], given(5, "dilation", 1), given(4, "padding", 0)
    window = Window.over(size, given(3, "stride", 1), dilation)
    if isinstance(padding, str):
        # What is odd of the padding is put behind.
        ends = [gap * (n - 1) // 2 if padding == "same" else 0 for n, gap in zip(size, window.dilation, strict=True)]
        padding = tuple(ends)
    window = Window.over(size, window.stride, dilation, padding)
    return conv(_array(weight), None if bias is None else _array(bias), given(6, "groups", 1), window)


def _transposed_convolution(call: Call, result: torch.Tensor) -> Operation | None:
    given = call.given
    x, weight, bias = given(0, "input"), given(1, "weight"), given(2, "bias")
    if x.dim() != weight.dim():
        return None
    window = Window.over(weight.shape[2:], given(3, "stride", 1), given(7, "dilation", 1), given(4, "padding", 0))
    return transposed(_array(weight), None if bias is None else _array(bias), given(6, "groups", 1), window)


def _pool(call: Call, result: torch.Tensor) -> Pool | None:
    given, name = call.given, call.name
    x, mean = given(0, "input"), "avg" in name
    if x.dim() != int(name[-2]) + 2:
        return None
    if name.startswith("adaptive"):
        # The windows are all of one size where the outputs divide the inputs.
        pairs = list(zip(x.shape[2:], result.shape[2:], strict=True))
        size = [n // m for n, m in pairs]
        return None if any(n % m for n, m in pairs) else Pool(Window.over(size, tuple(size)), mean)
    over = range(x.dim() - 2)
    n = given(1, "kernel_size")
    size = [n for _ in over] if isinstance(n, int) else [n[k % len(n)] for k in over]
    if mean and given(6, "divisor_override") is not None:
        return None
    stride, dilation = given(2, "stride"), 1 if mean else given(4, "dilation", 1)
    return Pool(
        Window.over(size, tuple(size) if stride in (None, [], ()) else stride, dilation, given(3, "padding", 0)), mean
    )


def _reduced(call: Call, result: torch.Tensor) -> Reduce | None:
    x, axes = call.given(0, "input"), call.given(1, "dim")
    if axes is None or isinstance(axes, torch.Tensor):
        return None
    return Reduce.along([axes] if isinstance(axes, int) else axes, x.dim(), call.name == "mean")


def _padded(call: Call, result: torch.Tensor) -> Pad | None:
    x, ends = call.given(0, "input"), [int(n) for n in call.given(1, "pad")]
    # The last axis comes first.
    pairs = list(zip(ends[::2], ends[1::2], strict=True))
    if len(pairs) >= x.dim() or min(ends, default=0) < 0:
        return None
    return Pad(tuple([(0, 0)] * (x.dim() - 1 - len(pairs)) + pairs[::-1]))


Scaled = tuple[Any, Any] | None
"""The scale and the shift of an affine map, each a number or an array; None where it is none."""


def _batch_norm(given: Arguments) -> Scaled:
    mean, variance = given(1, "running_mean"), given(2, "running_var")
    if given(5, "training", False) or mean is None or variance is None:
        return None
    weight, bias = (None if part is None else _array(part) for part in (given(3, "weight"), given(4, "bias")))
    scaled = of_batch_norm(_array(mean), _array(variance), weight, bias, given(7, "eps", 1e-5))
    # The second axis are channels.
    scale, shift = (part.reshape(-1, *(1 for _ in given(0, "input").shape[2:])) for part in scaled)
    return scale, shift


def _constant(given: Arguments) -> NDArray[np.float64] | None:
    """What the value is added to or multiplied with, or is divided by."""
    operands = [given(0, "input"), given(1, "other")]
    alpha = given(2, "alpha", 1)
    if operands[1] is None or given(2, "rounding_mode") is not None or isinstance(alpha, str):
        return None
    # Where the value comes second, the constant is smaller than it, or no tensor: `_per_value` sees to that.
    sizes = [operand.numel() if isinstance(operand, torch.Tensor) else 0 for operand in operands]
    if sizes[0] < sizes[1]:
        return _array(operands[0]) if alpha == 1 else None
    return _array(operands[1]) * _array(alpha)


def _scaled(make: Callable[[Any], tuple[Any, Any]]) -> Callable[[Arguments], Scaled]:
    def read(given: Arguments) -> Scaled:
        constant = _constant(given)
        # What is not finite is no scale.
        with np.errstate(divide="ignore"):
            return None if constant is None else make(constant)

    return read


def _reflected(given: Arguments) -> Scaled:
    # Here alpha is a factor of the value.
    return _scaled(lambda c: (-1.0, c))(given) if given(2, "alpha", 1) == 1 else None


_AFFINE: dict[str, Callable[[Arguments], Scaled]] = {
    "batch_norm": _batch_norm,
    "add": _scaled(lambda c: (1.0, c)),
    "mul": _scaled(lambda c: (c, 0.0)),
    "sub": _scaled(lambda c: (1.0, -c)),
    "rsub": _reflected,
    "div": _scaled(lambda c: (1.0 / c, 0.0)),
    "neg": lambda given: (-1.0, 0.0),
}


def _per_value(scaled: Scaled, x: Any, result: torch.Tensor) -> Affine | None:
    """Scale and shift as they spread over a sample, or none where they differ from row to row."""
    if scaled is None or result.dim() < 2 or x.shape != result.shape:
        return None
    parts = []
    for part in scaled:
        part = np.asarray(part, dtype=np.float64)
        part = part.reshape((1,) * (result.dim() - part.ndim) + part.shape)
        if len(part) != 1 or not np.isfinite(part).all():
            return None
        parts.append(part[0])
    return Affine(*parts)


def _dense_map(call: Call, result: torch.Tensor) -> Dense | None:
    return _DENSE[call.name](call.given)


def _affine(call: Call, result: torch.Tensor) -> Affine | None:
    return _per_value(_AFFINE[call.name](call.given), call.x, result)


def _softmax(call: Call, result: torch.Tensor) -> Softmax | None:
    over_neurons = result.dim() > 1 and call.given(1, "dim") in (-1, result.dim() - 1)
    return Softmax(call.name == "log_softmax") if over_neurons else None


def _prelu(call: Call, result: torch.Tensor) -> Operation | None:
    slopes = call.given(1, "weight")
    if slopes.numel() == 1:
        return _activation(call, result)
    # The second axis are channels.
    return prelu(_array(slopes).reshape(-1, *(1 for _ in result.shape[2:]))) if result.dim() > 1 else None


def _activation(call: Call, result: torch.Tensor) -> Pointwise | None:
    try:
        activation = ACTIVATIONS[call.name](call.given)
    except (ValueError, TypeError):
        # A parameter with which it is no activation that is known.
        return None
    return None if activation is None else Pointwise(activation)


_PLACES = {"addmm": 1}
"""Which argument is the value, where it is not the first."""

_SECOND_TOO = ("add", "mul")
"""Functions of which the second argument may be the value as well."""

_MEANING: dict[str, Callable[[Call, torch.Tensor], Operation | None]] = {
    **dict.fromkeys(ACTIVATIONS, _activation),
    "prelu": _prelu,
    **dict.fromkeys(("softmax", "log_softmax"), _softmax),
    **dict.fromkeys(_AFFINE, _affine),
    **dict.fromkeys(("mean", "amax"), _reduced),
    "pad": _padded,
    **dict.fromkeys(_POOLS, _pool),
    **dict.fromkeys(_CONVOLUTIONS, _convolution),
    **{f"conv_transpose{n}d": _transposed_convolution for n in (1, 2, 3)},
    **dict.fromkeys(_DENSE, _dense_map),
    **dict.fromkeys(_REARRANGED, _rearranged),
    **dict.fromkeys(_SAME, _same),
    **dict.fromkeys(_DROPOUT, _dropout),
}
"""What functions mean, given a call and what came of it."""
