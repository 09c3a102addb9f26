"""Layers that a model applies to vectors that are the same for all inputs, as to embeddings of relative positions.

They are written down beside what is done to values; what they give stays a constant for whoever reads it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from ei_fast.adapters.graph import Dense, Op, Operation, Role
from ei_fast.adapters.torch.call import Call
from ei_fast.adapters.torch.contractions import contracted
from ei_fast.adapters.torch.operations import dense_of_linear, meaning_of

SAME_FOR_ALL = "vectors that are the same for all inputs, and no layer"

Steps = list[tuple[Operation, torch.Tensor]]


@dataclass
class OfConstants:
    """What is done to vectors that are the same for all inputs, from the first layer on that they come to."""

    _number: dict[int, tuple[int, torch.Tensor]] = field(default_factory=dict)
    # Of every value that is written, the weight of the layer that it comes from.
    _weight: dict[int, str] = field(default_factory=dict)

    def number_of(self, tensor: torch.Tensor) -> int:
        """The number of the value that a tensor is."""
        return self._number[id(tensor)][0]

    def put(self, tensor: torch.Tensor, number: int, weight: str) -> None:
        """A tensor has come from the layer with this weight, or goes into it."""
        self._number[id(tensor)] = number, tensor
        self._weight[number] = weight

    def weight_of(self, tensor: torch.Tensor) -> str:
        """Of the layer that a tensor comes from."""
        return self._weight[self.number_of(tensor)]

    def let_go(self, tensors: Sequence[torch.Tensor]) -> None:
        """Tensors are something else now."""
        for tensor in tensors:
            self._number.pop(id(tensor), None)

    def follows(self, call: Call, made: torch.Tensor) -> tuple[torch.Tensor, Operation] | None:
        """What a function does to a vector that has come from such a layer, and that vector."""
        found = [one for one in call.tensors if id(one) in self._number]
        at = next((k for k, one in enumerate(call.args) if found and one is found[0]), -1)
        if len(found) != 1 or at < 0 or found[0].shape[:1] != made.shape[:1] or not made.dim():
            return None
        does = meaning_of(replace(call, at=at), made)
        return None if does is None or does.role is Role.OPAQUE else (found[0], does)

    def written(self, ops: Sequence[Op], outputs: Sequence[int]) -> tuple[list[Op], tuple[int, ...]]:
        """The operations, without layers that there are already, and what all of them lead to."""
        if not self._weight:
            return list(ops), tuple(outputs)
        beside = [op for op in ops if op.writes and op.writes[0] in self._weight]
        taken = {name for op in ops if op.does.role is Role.STARTS and op not in beside for name in op.uses}
        first: dict[str, int] = {}
        for op in beside:
            if isinstance(op.does, Dense):
                first.setdefault(self._weight[op.writes[0]], op.writes[0])
        twice = {op for op in beside if isinstance(op.does, Dense) and op.writes[0] not in first.values()}
        left = {op for op in beside if self._weight[op.writes[0]] in taken} | twice
        kept = [op for op in beside if op not in left]
        read = {number for op in kept for number in op.reads}
        ends = (number for op in kept for number in op.writes if number not in read)
        return [op for op in ops if op not in left], (*outputs, *ends)


def layer_of(
    call: Call, made: torch.Tensor, is_learned: Callable[[torch.Tensor], bool]
) -> tuple[torch.Tensor, list[torch.Tensor], Steps] | None:
    """The vectors that a function maps, its weights, and what it does; None where it is no layer.

    A product of what the model has learned with another of its kind makes weights, and is none.
    """
    if call.name == "linear":
        x, weight, bias = call.given(0, "input"), call.given(1, "weight"), call.given(2, "bias")
        if not isinstance(weight, nn.Parameter) or weight.dim() != 2 or x.dim() < 2 or isinstance(x, nn.Parameter):
            return None
        return x, [weight] if bias is None else [weight, bias], [(dense_of_linear(weight, bias), made)]
    given = [one for one in call.tensors if not is_learned(one)]
    product = contracted(call, given[0], made) if len(given) == 1 else None
    if product is None or not isinstance(product.constant, nn.Parameter):
        return None
    return given[0], [product.constant], list(product.steps)
