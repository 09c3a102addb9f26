"""What PyTorch's functions mean: dense maps, convolutions, affine maps, activations, pools, or nothing."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import erf

from ei_fast.adapters.activations.known import celu, clipped
from ei_fast.adapters.graph import Affine, Dense, Operation, Pad, Pointwise, Pool, Reduce, Same, Softmax, Window, conv
from ei_fast.adapters.graph.fusion import of_batch_norm
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range

Given = Callable[..., Any]

BOUNDED: dict[str, Range] = {
    "softmax": (0.0, 1.0),
    "lstm_cell": (-1.0, 1.0),
    "rnn_tanh_cell": (-1.0, 1.0),
    # A mean of tanh and the state before, which begins at 0.
    "gru_cell": (-1.0, 1.0),
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


def plain_name(function: Any) -> str:
    """The name of a function without what tells methods, operators and in-place versions apart."""
    name = str(getattr(function, "__name__", function))
    if isinstance(function, torch._ops.OpOverload):
        # As "relu.default": what follows tells of which types its arguments are.
        name = name.partition(".")[0]
    name = name.strip("_")
    # An in-place operator: iadd; a reflected one: radd, of which only rsub and rtruediv are not the same.
    if name in ("iadd", "isub", "imul", "itruediv", "imatmul", "radd", "rmul"):
        name = name[1:]
    return {"truediv": "div", "true_divide": "div", "subtract": "sub", "multiply": "mul", "divide": "div"}.get(
        name, name
    )


def is_reshaped(name: str, args: tuple, result: torch.Tensor) -> bool:
    """Whether a function of this name gave its first argument another number of rows and left the rest as it is."""
    x = args[0] if args else None
    return (
        name in _SAME
        and isinstance(x, torch.Tensor)
        and x.dim() > 0 < result.dim()
        and x.dtype == result.dtype
        and result.is_floating_point()
        and x.numel() == result.numel()
    )


def meaning_of(function: Any, args: tuple, kwargs: dict[str, Any], at: int, result: torch.Tensor) -> Operation | None:
    """What a function did with the one value that depends on the input; None where it is nothing that is known.

    Parameters
    ----------
    at : int
        Which of the arguments that value is.
    """
    name = plain_name(function)

    def given(position: int, key: str, default: Any = None) -> Any:
        return args[position] if len(args) > position else kwargs.get(key, default)

    if name == "batch_norm" and getattr(function, "__module__", None) != "torch.nn.functional" and len(args) > 4:
        # Of ATen, where the weights come first.
        args = (args[0], *args[3:5], *args[1:3], *args[5:])

    if at != {"addmm": 1}.get(name, 0) and not (at == 1 and name in ("add", "mul")):
        return None
    x = given(0, "input")
    if name in _DROPOUT:
        return None if given(2, "training", True) and given(1, "p", 0.5) else Same()
    if name in _SAME:
        kept = result.is_floating_point() and x.shape[:1] == result.shape[:1] and x.numel() == result.numel()
        return Same() if kept else None
    if name in _REARRANGED:
        return _rearranged(function, x, args, kwargs)
    if name in _DENSE:
        return _DENSE[name](given)
    if name in _CONVOLUTIONS:
        return _convolution(given)
    if name in _POOLS:
        return _pool(name, given, result)
    if name == "pad":
        return _padded(given)
    if name in ("mean", "amax"):
        return _reduced(name, given)
    if name in _AFFINE:
        return _per_value(_AFFINE[name](given), given(at, "input"), result)
    if name in ("softmax", "log_softmax"):
        over_neurons = result.dim() > 1 and given(1, "dim") in (-1, result.dim() - 1)
        return Softmax(name == "log_softmax") if over_neurons else None
    if name in _ACTIVATIONS:
        try:
            activation = _ACTIVATIONS[name](given)
        except (ValueError, TypeError):
            # A parameter with which it is no activation that is known.
            return None
        return None if activation is None else Pointwise(activation)
    return None


def _rearranged(function: Any, x: torch.Tensor, args: tuple, kwargs: dict[str, Any]) -> Same | None:
    """Where each number of a sample went, as the function itself tells of their places."""
    # Two rows, to see that neither comes from the other.
    places = torch.arange(2 * x[0].numel()).reshape(2, *x.shape[1:])
    moved = function(places, *args[1:], **{key: value for key, value in kwargs.items() if key != "input"})
    if len(moved) != 2 or moved[0].numel() != x[0].numel() or moved[0].max() >= x[0].numel():
        return None
    return Same(moved[0].numpy())


def _array(values: Any) -> NDArray[np.float64]:
    if isinstance(values, torch.Tensor):
        return values.detach().to(torch.float64).cpu().numpy()
    return np.asarray(values, dtype=np.float64)


def _linear(given: Given) -> Dense:
    weight, bias = given(1, "weight"), given(2, "bias")
    return Dense(_array(weight).T, np.zeros(len(weight)) if bias is None else _array(bias))


def _matmul(given: Given) -> Dense | None:
    weight = given(1, "other", given(1, "mat2"))
    if not isinstance(weight, torch.Tensor) or weight.dim() != 2 or given(0, "input").dim() < 2:
        return None
    return _dense(given(0, "input"), weight, np.zeros(weight.shape[1]))


def _addmm(given: Given) -> Dense | None:
    bias, x, weight = given(0, "input"), given(1, "mat1"), given(2, "mat2")
    if given(3, "beta", 1) != 1 or given(4, "alpha", 1) != 1 or bias.numel() not in (1, weight.shape[1]):
        return None
    return _dense(x, weight, np.broadcast_to(_array(bias).reshape(-1), weight.shape[1:]))


def _dense(x: torch.Tensor, weight: torch.Tensor, bias: NDArray[np.float64]) -> Dense | None:
    # Where the weights come first the product is over rows of the input.
    return Dense(_array(weight), bias) if x.shape[-1] == weight.shape[0] else None


_DENSE: dict[str, Callable[[Given], Dense | None]] = {
    "linear": _linear,
    "matmul": _matmul,
    "mm": _matmul,
    "addmm": _addmm,
}

_CONVOLUTIONS = {"conv1d", "conv2d", "conv3d"}
_POOLS = {f"{adaptive}{kind}_pool{n}d" for adaptive in ("", "adaptive_") for kind in ("max", "avg") for n in (1, 2, 3)}


def _convolution(given: Given) -> Operation | None:
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


def _pool(name: str, given: Given, result: torch.Tensor) -> Pool | None:
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


def _reduced(name: str, given: Given) -> Reduce | None:
    x, axes = given(0, "input"), given(1, "dim")
    if axes is None or isinstance(axes, torch.Tensor):
        return None
    return Reduce.along([axes] if isinstance(axes, int) else axes, x.dim(), name == "mean")


def _padded(given: Given) -> Pad | None:
    x, ends = given(0, "input"), [int(n) for n in given(1, "pad")]
    # The last axis comes first.
    pairs = list(zip(ends[::2], ends[1::2], strict=True))
    if len(pairs) >= x.dim() or min(ends, default=0) < 0:
        return None
    return Pad(tuple([(0, 0)] * (x.dim() - 1 - len(pairs)) + pairs[::-1]))


Scaled = tuple[Any, Any] | None


def _batch_norm(given: Given) -> Scaled:
    mean, variance = given(1, "running_mean"), given(2, "running_var")
    if given(5, "training", False) or mean is None or variance is None:
        return None
    weight, bias = (None if part is None else _array(part) for part in (given(3, "weight"), given(4, "bias")))
    scaled = of_batch_norm(_array(mean), _array(variance), weight, bias, given(7, "eps", 1e-5))
    # The second axis are channels.
    scale, shift = (part.reshape(-1, *(1 for _ in given(0, "input").shape[2:])) for part in scaled)
    return scale, shift


def _constant(given: Given) -> NDArray[np.float64] | None:
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


def _scaled(make: Callable[[Any], tuple[Any, Any]]) -> Callable[[Given], Scaled]:
    def read(given: Given) -> Scaled:
        constant = _constant(given)
        # What is not finite is no scale.
        with np.errstate(divide="ignore"):
            return None if constant is None else make(constant)

    return read


_AFFINE: dict[str, Callable[[Given], Scaled]] = {
    "batch_norm": _batch_norm,
    "add": _scaled(lambda c: (1.0, c)),
    "mul": _scaled(lambda c: (c, 0.0)),
    "sub": _scaled(lambda c: (1.0, -c)),
    "rsub": _scaled(lambda c: (-1.0, c)),
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


def _softplus(given: Given) -> Activation | None:
    # At the default threshold of 20 the two differ by 2e-9.
    if given(2, "threshold", 20) < 20:
        return None
    return Activation("softplus", beta=float(given(1, "beta", 1)))


def _elu(given: Given) -> Activation | None:
    # Third is either the scale of the C++ function, or whether it is done in place.
    scale = given(2, "scale", 1)
    if not isinstance(scale, bool) and scale != 1:
        return None
    return Activation("elu", alpha=float(given(1, "alpha", 1.0)))


def _clamp(given: Given) -> Activation | None:
    low, high = (None if end is None else float(end) for end in (given(1, "min"), given(2, "max")))
    if low == 0 and high is None:
        return Activation("relu")
    return None if low is None or high is None else clipped(low, high)


def _prelu(given: Given) -> Activation | None:
    slope = given(1, "weight")
    return Activation("prelu", negative_slope=float(slope)) if slope.numel() == 1 else None


def _rrelu(given: Given) -> Activation | None:
    if given(3, "training", False):
        return None
    return Activation("leaky_relu", negative_slope=(given(1, "lower", 1 / 8) + given(2, "upper", 1 / 3)) / 2)


def _threshold(given: Given) -> Activation | None:
    return Activation("relu") if given(1, "threshold") == 0 and given(2, "value") == 0 else None


def _named(name: str) -> Callable[[Given], Activation]:
    return lambda given: Activation(name)


_ACTIVATIONS: dict[str, Callable[[Given], Activation | None]] = {
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
