"""`multi_head_attention_forward` written out: its projections, what mixes positions, and the projection behind that.

PyTorch projects, attends and projects again in one function, which shows nothing of what it does. What is written out
here is held against what that function returned; where they differ, it stays one function that is not known.
"""

import inspect
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from ei_fast.adapters.torch.call import Call, numbers_of, tensors_in

ATTENDS, MULTI_HEAD = "scaled_dot_product_attention", "multi_head_attention_forward"
MOVING = {"transpose", "permute", "swapaxes", "swapdims", "movedim", "moveaxis"}

# What rounding may make of a sum, as a share of the largest.
_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


class MovedRows:
    """Tensors in which the rows of the input are not the first axis, as where time comes first, and which they were.

    Attributes
    ----------
    known : dict of int to (tensor, tensor, tuple of int)
        By the identity of such a tensor, itself, the one before its axes were moved, and the order into which they
        were.
    """

    def __init__(self) -> None:
        self.known: dict[int, tuple[torch.Tensor, torch.Tensor, tuple[int, ...]]] = {}

    def note(self, call: Call, made: torch.Tensor) -> None:
        """A function has moved the axes of its first argument."""
        x = call.given(0, "input")
        # Every axis has another length, so that the shape tells where it went.
        lengths = torch.empty(tuple(range(2, 2 + x.dim())), device="meta")
        moved = call.function(lengths, *call.args[1:], **{k: v for k, v in call.kwargs.items() if k != "input"})
        first, order = self.first(x)
        self.put(made, first, tuple(order[n - 2] for n in moved.shape))

    def put(self, made: torch.Tensor, first: torch.Tensor, order: tuple[int, ...]) -> None:
        """That `made` is ``first.permute(order)``."""
        self.known[id(made)] = (made, first, order)

    def first(self, tensor: torch.Tensor) -> tuple[torch.Tensor, tuple[int, ...]]:
        """The tensor before its axes were moved, and the order into which they were."""
        known = self.known.get(id(tensor))
        return (tensor, tuple(range(tensor.dim()))) if known is None else known[1:]


@dataclass(frozen=True)
class Projection:
    """A dense map inside of the function.

    Attributes
    ----------
    name : str
        What it is called inside of its module.
    x, made : tensor
        What it reads and what it makes of that, with the rows of the input first.
    weight, bias : tensor, tensor or None
        As `torch.nn.functional.linear` takes them.
    """

    name: str
    x: torch.Tensor
    made: torch.Tensor
    weight: torch.Tensor
    bias: torch.Tensor | None


@dataclass(frozen=True)
class MultiHead:
    """The function in parts.

    Attributes
    ----------
    inputs : list of Projection
        Of queries, keys and values.
    out : Projection
        Of what attention made of them, which is its `x`.
    order : tuple of int
        Into which the axes of what it made are moved, to be what the function returns.
    held, also : list of tensor
        Weights and biases; and what attention reads beside queries, keys and values.
    """

    inputs: list[Projection]
    out: Projection
    order: tuple[int, ...]
    held: list[torch.Tensor]
    also: list[torch.Tensor]


def written_out(call: Call, result: Any, moved: MovedRows) -> MultiHead | None:
    """The parts of a call of `multi_head_attention_forward`; None where these do not give what it returned."""
    bound = inspect.signature(F.multi_head_attention_forward).bind(*call.args, **call.kwargs)
    bound.apply_defaults()
    given = bound.arguments
    if given["static_k"] is not None or given["static_v"] is not None:
        return None
    inputs = [
        _projection(name, given[what], *parts, moved)
        for name, what, parts in zip("qkv", ("query", "key", "value"), _weights(given), strict=True)
    ]
    orders = [moved.first(given[what])[1] for what in ("query", "key", "value")]
    if any(order[-1] != len(order) - 1 for order in orders):
        return None
    # The same function, which need not project any more.
    width = len(given["out_proj_weight"]) if given["out_proj_weight"].dim() == 2 else 0
    n_attended = inputs[0].made.shape[-1]
    eye = torch.eye(n_attended, dtype=inputs[0].made.dtype)
    attends = {
        **{what: one.made.permute(order) for what, one, order in zip(_READ, inputs, orders, strict=True)},
        **{"in_proj_weight": torch.cat([eye] * 3), "in_proj_bias": None, "use_separate_proj_weight": False},
        **{"out_proj_weight": eye, "out_proj_bias": None},
    }
    attended = F.multi_head_attention_forward(**{**given, **attends})[0]
    made = result[0]
    again = F.linear(attended, given["out_proj_weight"], given["out_proj_bias"])
    if width != made.shape[-1] or not _are_close(again, made):
        return None
    order = orders[0]
    back = tuple(order.index(k) for k in range(len(order)))
    out = Projection(
        "out_proj", attended.permute(back), made.permute(back), given["out_proj_weight"], given["out_proj_bias"]
    )
    held, also = (tensors_in([given[name] for name in names]) for names in (_HELD, _ALSO))
    return MultiHead(inputs, out, order, held, also)


_READ = ("query", "key", "value")
_HELD = (
    *("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias"),
    *("out_proj_weight", "out_proj_bias"),
)
_ALSO = ("bias_k", "bias_v", "key_padding_mask", "attn_mask")


def _projection(
    name: str, given: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, moved: MovedRows
) -> Projection:
    first, _ = moved.first(given)
    return Projection(name, first, F.linear(first, weight, bias), weight, bias)


def _weights(given: dict[str, Any]) -> list[tuple[torch.Tensor, torch.Tensor | None]]:
    """Weights and biases of queries, keys and values."""
    if given["use_separate_proj_weight"]:
        weights = [given[f"{name}_proj_weight"] for name in "qkv"]
    else:
        weights = list(given["in_proj_weight"].chunk(3))
    bias = given["in_proj_bias"]
    return list(zip(weights, [None] * 3 if bias is None else bias.chunk(3), strict=True))


def _are_close(one: torch.Tensor, other: torch.Tensor) -> bool:
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    allowed = _TOLERANCE.get(one.dtype, 1e-2)
    a, b = numbers_of(one, copy=False), numbers_of(other, copy=False)
    scale = float(abs(b).max()) if b.size else 0.0
    return bool((abs(a - b) <= allowed * (scale + 1.0)).all())
