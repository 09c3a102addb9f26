"""What the nodes of an ONNX graph mean: dense maps, convolutions, affine maps, activations, pools, or nothing.

Operators are those of https://onnx.ai/onnx/operators, opset 13 and newer.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ei_fast.adapters.graph import (
    Affine,
    Combine,
    Dense,
    Operation,
    Pad,
    Places,
    Pool,
    Reduce,
    Same,
    Softmax,
    Window,
    conv,
    transposed,
)
from ei_fast.adapters.graph.each_neuron import EachNeuron, prelu
from ei_fast.adapters.graph.fusion import of_batch_norm
from ei_fast.adapters.onnx.each import COMBINATIONS, activation_named, chosen, number_by_number
from ei_fast.adapters.onnx.node import Node


def meaning_of(node: Node) -> Operation | None:
    """What a node does with the values of each row; None where it is nothing that is known."""
    read = [node.input(k) for k in node.at]
    if node.kind in ("Reshape", "Flatten") and node.at == (0,) and node.output.ndim and node.x.ndim:
        return _same(node)
    if not node.output.ndim or any(not value.ndim or len(value) != len(node.output) for value in read):
        return None
    if node.kind == "Where":
        return chosen(node) or number_by_number(node)
    if len(read) > 1:
        fits = len(node.inputs) == 2 and all(value.shape == node.output.shape for value in read)
        return Combine(COMBINATIONS[node.kind]) if fits and node.kind in COMBINATIONS else number_by_number(node)
    return _of_one(node) or number_by_number(node)


def _of_one(node: Node) -> Operation | None:
    """What a node does with one value."""
    if node.kind in _MEANING and (node.at == (0,) or node.kind in _AFFINE):
        return _MEANING[node.kind](node)
    return activation_named(node) or _prelu(node)


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


def _prelu(node: Node) -> EachNeuron | None:
    slopes = node.constant(1) if node.kind == "PRelu" and node.at == (0,) else None
    if slopes is None or node.x.ndim < 2 or slopes.ndim > node.x.ndim:
        return None
    slopes = slopes.reshape((1,) * (node.x.ndim - slopes.ndim) + slopes.shape)
    return prelu(slopes[0]) if len(slopes) == 1 else None


def _matmul(node: Node) -> Dense | None:
    weight = node.constant(1)
    return Dense(weight, np.zeros(weight.shape[1])) if weight is not None and weight.ndim == 2 else None


def _conv(node: Node) -> Operation | None:
    kernel = node.constant(1)
    if kernel is None or kernel.ndim < 3:
        return None
    return conv(kernel, node.constant(2), node.attributes.get("group", 1), _window(node, kernel.shape[2:]))


def _transposed_convolution(node: Node) -> Operation | None:
    kernel = node.constant(1)
    attributes = node.attributes
    if kernel is None or kernel.ndim < 3 or attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        return None
    if "output_shape" in attributes:
        return None
    return transposed(kernel, node.constant(2), attributes.get("group", 1), _window(node, kernel.shape[2:]))


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
    auto = node.attributes.get("auto_pad", b"NOTSET")
    if auto in (b"SAME_UPPER", b"SAME_LOWER"):
        return window.padded_to(node.x.shape[2:], node.output.shape[2:], more_behind=auto == b"SAME_UPPER")
    before = list(node.attributes.get("pads", [0] * 2 * len(size)))[: len(size)]
    return Window.over(size, strides, dilations, before)


def _batch_norm(node: Node) -> Affine | None:
    if node.attributes.get("training_mode", 0):
        return None
    weight, bias, mean, variance = (node.constant(k) for k in range(1, 5))
    if weight is None or bias is None or mean is None or variance is None:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        scale, shift = of_batch_norm(mean, variance, weight, bias, node.number("epsilon", 1e-5))
    if not (np.isfinite(scale).all() and np.isfinite(shift).all()):
        return None
    shape = (-1, *(1 for _ in node.x.shape[2:]))
    return Affine(scale.reshape(shape), shift.reshape(shape))


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
_MEANING: dict[str, Callable[[Node], Operation | None]] = {
    "Gemm": _gemm,
    "MatMul": _matmul,
    "Conv": _conv,
    "ConvTranspose": _transposed_convolution,
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
