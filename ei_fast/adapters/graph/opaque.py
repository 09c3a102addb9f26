"""Operations that are part of no layer."""

from collections.abc import Callable
from dataclasses import dataclass

from ei_fast.adapters.graph.operation import Operation, Role, no_layer
from ei_fast.adapters.graph.view import Array

_PRODUCTS = {
    "matmul", "mm", "bmm", "baddbmm", "addmm", "addbmm", "einsum", "tensordot", "dot", "inner", "linear", "bilinear",
    "multiply", "mul", "scaled_dot_product_attention", "multi_head_attention_forward", "dotproductattention",
}  # fmt: skip
"""Functions that multiply values with each other, by the names of PyTorch and Keras."""


@dataclass(frozen=True)
class Combine(Operation):
    """Several values, or one several times, number by number."""

    function: Callable[..., Array]
    role = Role.OPAQUE

    @property
    def is_by_row(self) -> bool:
        return True

    @property
    def of_number(self) -> Callable[..., Array]:
        return self.function

    def why_alone(self, name: str, n_reads: int, has_blocks: bool) -> str:
        return no_layer(getattr(self.function, "__name__", name), n_reads, has_blocks)


@dataclass(frozen=True)
class Unknown(Operation):
    """Anything else, and why it is no layer."""

    reason: str
    is_convolution: bool = False
    multiplies: bool = False
    role = Role.OPAQUE

    @classmethod
    def function(cls, name: str, n_reads: int) -> "Unknown":
        """A function of so many values, by the name that PyTorch or Keras has for it."""
        return cls(no_layer(name, n_reads), multiplies=name in _PRODUCTS)

    @property
    def is_product(self) -> bool:
        return self.multiplies

    def why_alone(self, name: str, n_reads: int, has_blocks: bool) -> str:
        return self.reason
