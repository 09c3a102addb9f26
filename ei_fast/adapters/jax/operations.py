"""What the primitives of JAX mean: dense maps, convolutions, affine maps, activations, pools, or nothing.

Primitives are those of `jax.lax`, as they stand in a jaxpr.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, erfc, expit

from ei_fast.adapters.activations.known import OfNumbers, activation_of, shortest
from ei_fast.adapters.graph import (
    Affine,
    Combine,
    Dense,
    Operation,
    Pad,
    Places,
    Pointwise,
    Pool,
    Reduce,
    Same,
    Window,
    conv,
)
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range

Steps = list[tuple[Operation, NDArray[Any]]]
"""What is done one after another, and the value that comes out of each, rows first."""

FLOATS = ("float64", "float32", "float16", "bfloat16")
# True and False are taken for 1 and 0; the arithmetic of integers is another.
_NUMBERS = (*FLOATS, "bool")


@dataclass(frozen=True, eq=False)
class Equation:
    """An equation of which at least one input depends on what goes into the model.

    Attributes
    ----------
    primitive : str
    params : mapping
    inputs : sequence of ndarray
        Those that depend on the model's have their rows first.
    at : tuple of int
        Which those are.
    output : ndarray
        Rows first.
    """

    primitive: str
    params: Mapping[str, Any]
    inputs: Sequence[NDArray[Any]]
    at: tuple[int, ...]
    output: NDArray[Any]

    @property
    def x(self) -> NDArray[Any]:
        """The first input that depends on the model's."""
        return self.inputs[self.at[0]]


def meaning_of(equation: Equation) -> Steps | None:
    """What an equation does with the values of each row; None where it is nothing that is known."""
    read = [equation.inputs[k] for k in equation.at]
    if equation.primitive == "reshape" and equation.output.ndim and all(value.ndim for value in read):
        same = _same(equation)
        return None if same is None else [(same, equation.output)]
    if not equation.output.ndim or any(not value.ndim or len(value) != len(equation.output) for value in read):
        return None
    if equation.primitive in _SEVERAL:
        return _SEVERAL[equation.primitive](equation) if len(read) == 1 else None
    does: Operation | None = None
    if len(read) == 1:
        does = _MEANING[equation.primitive](equation) if equation.primitive in _MEANING else None
    does = does or _number_by_number(equation)
    return None if does is None else [(does, equation.output)]


def row_axis(equation: Any, at: tuple[int, ...], n_axes: int) -> int:
    """Along which axis of its output an equation of a jaxpr leaves the rows of its inputs, which have them first."""
    if equation.primitive.name != "dot_general" or at != (1,):
        return 0
    # What is free of the first operand comes first.
    return n_axes - (len(equation.invars[1].aval.shape) - len(equation.params["dimension_numbers"][0][1]))


def _as_floats(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(values, dtype=np.float64)


def _dot_general(equation: Equation) -> Steps | None:
    (contracted, batch), [place] = equation.params["dimension_numbers"], equation.at
    x, weight = equation.x, _as_floats(equation.inputs[1 - place])
    over, over_weight = list(contracted[place]), list(contracted[1 - place])
    if batch[0] or 0 in over or not over:
        return None
    free = [axis for axis in range(1, x.ndim) if axis not in over]
    free_weight = [axis for axis in range(weight.ndim) if axis not in over_weight]
    rows, extent = len(x), [x.shape[axis] for axis in free]
    shape = [weight.shape[axis] for axis in free_weight]
    weight = weight.transpose(over_weight + free_weight).reshape(-1, prod(shape))
    # Of what multiplies from the right the outputs stand last, and else before the axes that are left as they are.
    y = equation.output
    if place == 1:
        y = np.moveaxis(y.reshape(rows, prod(shape), -1), 1, 2)
    y = y.reshape(rows, *extent, prod(shape))
    steps = _moved(x, [*free, *over], (*extent, len(weight)))
    steps.append((Dense(weight, np.zeros(weight.shape[1])), y))
    if place == 1 and free:
        order = np.arange(y[0].size).reshape(*extent, *shape)
        back = [*range(len(free), order.ndim), *range(len(free))]
        steps.append((Same(order.transpose(back)), equation.output))
    elif len(shape) != 1:
        steps.append((Same(), equation.output))
    return steps


def _moved(x: NDArray[Any], axes: Sequence[int], shape: tuple[int, ...] | None = None) -> Steps:
    """The step that gives the axes of a value's samples another order or shape; none where they have it already."""
    y = x.transpose(0, *axes)
    shape = y.shape[1:] if shape is None else shape
    if list(axes) == sorted(axes):
        return [] if shape == x.shape[1:] else [(Same(), y.reshape(len(x), *shape))]
    order: Places = np.arange(x[0].size).reshape(x.shape[1:]).transpose([axis - 1 for axis in axes]).reshape(shape)
    return [(Same(order), y.reshape(len(x), *shape))]


def _convolution(equation: Equation) -> Steps | None:
    params, numbers = equation.params, equation.params["dimension_numbers"]
    given, kernel, made = numbers.lhs_spec, numbers.rhs_spec, numbers.out_spec
    spread = any(n != 1 for n in params["lhs_dilation"]) or params["batch_group_count"] != 1
    if equation.at != (0,) or spread or given[0] != 0 or made[0] != 0 or min(map(min, params["padding"])) < 0:
        return None
    weight = _as_floats(equation.inputs[1]).transpose(kernel)
    before = tuple(low for low, _ in params["padding"])
    window = Window.over(weight.shape[2:], tuple(params["window_strides"]), tuple(params["rhs_dilation"]), before)
    does = conv(weight, None, params["feature_group_count"], window)
    return _channels_first(equation, does, given[1:], made[1:])


def _channels_first(equation: Equation, does: Operation, given: Sequence[int], made: Sequence[int]) -> Steps:
    """What is done to channels that stand before the places, where they stand on axis ``given[0]`` of the value."""
    y = equation.output.transpose(0, *made)
    back = [list(made).index(axis) + 1 for axis in range(1, y.ndim)]
    return [*_moved(equation.x, given), (does, y), *_moved(y, back)]


def _pool(equation: Equation) -> Steps | None:
    params, x = equation.params, equation.x
    size, stride, dilation, padding = (
        params[key] for key in ("window_dimensions", "window_strides", "window_dilation", "padding")
    )
    alone = [size[k] == stride[k] == 1 and tuple(padding[k]) == (0, 0) for k in range(x.ndim)]
    if x.ndim < 3 or not alone[0] or any(n != 1 for n in params["base_dilation"]):
        return None
    # What it leaves alone are the channels, which stand last, or else first.
    channels = next((axis for axis in (x.ndim - 1, *range(1, x.ndim - 1)) if alone[axis]), None)
    if channels is None:
        return None
    axes = [channels, *(axis for axis in range(1, x.ndim) if axis != channels)]
    window = Window.over(
        [size[k] for k in axes[1:]],
        tuple(stride[k] for k in axes[1:]),
        tuple(dilation[k] for k in axes[1:]),
        tuple(padding[k][0] for k in axes[1:]),
    )
    if equation.primitive == "reduce_window_max":
        return _channels_first(equation, Pool(window), axes, axes)
    n = prod(size)
    mean = Equation(equation.primitive, params, equation.inputs, equation.at, equation.output / np.float32(n))
    return [*_channels_first(mean, Pool(window, mean=True), axes, axes), (_times(n), equation.output)]


def _reduced(equation: Equation) -> Steps | None:
    x, axes = equation.x, equation.params["axes"]
    does = Reduce.along(axes, x.ndim, equation.primitive == "reduce_sum")
    if does is None:
        return None
    if not does.mean:
        return [(does, equation.output)]
    n = prod(x.shape[axis] for axis in axes)
    return [(does, equation.output / np.float32(n)), (_times(n), equation.output)]


def _times(n: float) -> Affine:
    return Affine(np.array(float(n)), np.zeros(()))


def _affine(equation: Equation) -> Affine | None:
    """Addition and the like with what does not depend on the input."""
    [place], x = equation.at, equation.x
    constant = _as_floats(equation.inputs[1 - place])
    if constant.ndim == x.ndim:
        # What was spread over the rows is the same in each.
        constant = constant[0] if (constant == constant[:1]).all() else np.array(np.nan)
    if x.shape != equation.output.shape or not np.isfinite(constant).all():
        return None
    return Affine.by(equation.primitive, constant, place == 0)


def _negative(equation: Equation) -> Affine:
    return Affine(-np.ones(()), np.zeros(()))


def _same(equation: Equation) -> Same | None:
    # What becomes an integer is rounded, and a reshape may turn axes around first.
    kept = equation.output.dtype.name in _NUMBERS and equation.params.get("dimensions") is None
    return Same() if kept and equation.at == (0,) and equation.output.size == equation.x.size else None


def _transposed(equation: Equation) -> Same | None:
    first, *axes = equation.params["permutation"]
    return None if first else _reordered(equation, lambda sample: sample.transpose([axis - 1 for axis in axes]))


def _reversed(equation: Equation) -> Same | None:
    axes = equation.params["dimensions"]
    return None if 0 in axes else _reordered(equation, lambda sample: np.flip(sample, tuple(axis - 1 for axis in axes)))


def _reordered(equation: Equation, order: Callable[[Places], Places]) -> Same:
    x = equation.x
    return Same(order(np.arange(x[0].size).reshape(x.shape[1:])))


def _padded(equation: Equation) -> Pad | None:
    (first, *widths), filled = equation.params["padding_config"], equation.at != (0,)
    if filled or any(first) or any(low < 0 or high < 0 or between for low, high, between in widths):
        return None
    return Pad(tuple((low, high) for low, high, _ in widths))


def _integer_power(equation: Equation) -> Pointwise | None:
    return _activation(OfNumbers(np.power, (None, float(equation.params["y"]))))


def _named(name: str) -> Callable[[Equation], Pointwise]:
    return lambda equation: Pointwise(Activation(name))


_SEVERAL: dict[str, Callable[[Equation], Steps | None]] = {
    "dot_general": _dot_general,
    "conv_general_dilated": _convolution,
    "reduce_window_max": _pool,
    "reduce_window_sum": _pool,
    "reduce_max": _reduced,
    "reduce_sum": _reduced,
}
_MEANING: dict[str, Callable[[Equation], Operation | None]] = {
    **dict.fromkeys(("add", "sub", "mul", "div"), _affine),
    "neg": _negative,
    **dict.fromkeys(
        ("reshape", "squeeze", "expand_dims", "broadcast_in_dim", "convert_element_type", "copy", "copy_p", "name",
         "stop_gradient", "reduce_precision", "optimization_barrier", "sharding_constraint"), _same,
    ),
    "transpose": _transposed,
    "rev": _reversed,
    "pad": _padded,
    "tanh": _named("tanh"),
    "logistic": _named("sigmoid"),
    "integer_pow": _integer_power,
}  # fmt: skip


def _chosen(which: NDArray[Any], *cases: NDArray[Any]) -> NDArray[Any]:
    return np.choose(np.asarray(which, dtype=np.intp), cases)


def _clamped(low: NDArray[Any], x: NDArray[Any], high: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.minimum(np.maximum(x, low), high))


def _inverse_root(x: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(1.0 / np.sqrt(x))


def _not(x: NDArray[Any]) -> NDArray[Any]:
    return np.where(x != 0, 0.0, 1.0)


_ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": np.divide, "max": np.maximum, "min": np.minimum,
    "pow": np.power, "exp": np.exp, "exp2": np.exp2, "log": np.log, "log1p": np.log1p, "expm1": np.expm1,
    "sqrt": np.sqrt, "rsqrt": _inverse_root, "cbrt": np.cbrt, "square": np.square, "abs": np.abs, "sign": np.sign,
    "neg": np.negative, "sin": np.sin, "cos": np.cos, "tan": np.tan, "asin": np.arcsin, "acos": np.arccos,
    "atan": np.arctan, "sinh": np.sinh, "cosh": np.cosh, "asinh": np.arcsinh, "acosh": np.arccosh, "atanh": np.arctanh,
    "tanh": np.tanh, "logistic": expit, "erf": erf, "erfc": erfc, "floor": np.floor, "ceil": np.ceil,
    "select_n": _chosen, "clamp": _clamped, "is_finite": np.isfinite, "not": _not, "and": np.logical_and,
    "or": np.logical_or, "xor": np.logical_xor, "gt": np.greater, "ge": np.greater_equal, "lt": np.less,
    "le": np.less_equal, "eq": np.equal, "ne": np.not_equal,
}  # fmt: skip
_CODOMAINS: dict[str, Range] = {
    **dict.fromkeys(("exp", "exp2", "abs", "square", "sqrt", "rsqrt"), (0.0, np.inf)),
    **dict.fromkeys(("erf", "sin", "cos", "sign"), (-1.0, 1.0)),
    **dict.fromkeys(("gt", "ge", "lt", "le", "eq", "ne", "not", "and", "or", "xor", "is_finite"), (0.0, 1.0)),
    "erfc": (0.0, 2.0),
    "atan": (-np.pi / 2, np.pi / 2),
}


def _number_by_number(equation: Equation) -> Pointwise | Combine | None:
    """What is done to every number by itself, or to those in the same place of several values."""
    function = _ELEMENTWISE.get(equation.primitive)
    values = [equation.output, *(equation.inputs[k] for k in equation.at)]
    alike = all(value.shape == equation.output.shape and value.dtype.name in _NUMBERS for value in values)
    if function is None or not alike:
        return None
    numbers: list[float | None] = []
    for k, value in enumerate(equation.inputs):
        if k in equation.at:
            numbers.append(None)
        elif value.size and (value == value.flat[0]).all():
            numbers.append(shortest(float(value.flat[0])))
        else:
            return None
    whole = OfNumbers(function, tuple(numbers))
    return Combine(whole) if len(equation.at) > 1 else _activation(whole, _CODOMAINS.get(equation.primitive))


def _activation(function: OfNumbers, codomain: Range | None = None) -> Pointwise:
    return Pointwise(activation_of(function) if codomain is None else Activation(function, codomain))
