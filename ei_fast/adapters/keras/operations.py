"""What the operations of Keras mean: dense maps, convolutions, affine maps, activations, pools, or nothing.

An operation is an object of `keras.ops` that holds its parameters and is called on tensors of the user's backend.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from ei_fast.adapters.activations.known import power_of
from ei_fast.adapters.graph import (
    Affine,
    Combine,
    Dense,
    Operation,
    Pad,
    Pointwise,
    Reduce,
    Same,
    Softmax,
)
from ei_fast.adapters.graph.contractions import CONTRACTIONS
from ei_fast.adapters.graph.fusion import of_batch_norm
from ei_fast.adapters.keras.activations import ACTIVATIONS
from ei_fast.adapters.keras.call import Call, Steps
from ei_fast.adapters.keras.contractions import contraction
from ei_fast.adapters.keras.each import each_by_itself
from ei_fast.adapters.keras.images import SEVERAL
from ei_fast.adapters.keras.numbers import elementwise


def steps_of_call(call: Call) -> Steps | None:
    """What an operation does with the values of each row; None where it is nothing that is known."""
    rows = tuple(call.output.shape[:1])
    if call.kind == "Reshape" and call.at == (0,) and rows and call.n_axes:
        same = _same(call)
        return None if same is None else [(same, call.output)]
    if not rows or any(tuple(call.args[k].shape[:1]) != rows for k in call.at):
        return None
    if len(call.at) > 1:
        alike = len(call.args) == 2 and all(tuple(call.args[k].shape) == tuple(call.output.shape) for k in call.at)
        known = alike and call.kind in _COMBINATIONS
        combined = Combine(_COMBINATIONS[call.kind]) if known else each_by_itself(call)
        return None if combined is None else [(combined, call.output)]
    if call.kind in SEVERAL:
        return SEVERAL[call.kind](call) if call.at == (0,) else None
    does = _does(call) or each_by_itself(call)
    if does is None and call.kind.lower() in CONTRACTIONS:
        return contraction(call)
    return None if does is None else [(does, call.output)]


def _does(call: Call) -> Operation | None:
    if call.kind in _AFFINE:
        return _affine(call)
    if call.at != (0,):
        return None
    if call.kind in _MEANING:
        return _MEANING[call.kind](call)
    alike = tuple(call.x.shape) == tuple(call.output.shape)
    if call.kind in ACTIVATIONS and alike:
        try:
            activation = ACTIVATIONS[call.kind](call)
        except (TypeError, ValueError):
            # A parameter with which it is no activation that is known.
            return None
        return None if activation is None else Pointwise(activation)
    if alike and len(call.args) == 1 and not call.kwargs:
        activation = elementwise(call.op.call, call.x, call.output, call.kind)
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
