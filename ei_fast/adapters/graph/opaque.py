"""Operations that are part of no layer."""

from collections.abc import Callable
from dataclasses import dataclass

from ei_fast.adapters.graph.operation import Operation, Role, no_layer
from ei_fast.adapters.graph.view import Array


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
    role = Role.OPAQUE

    def why_alone(self, name: str, n_reads: int, has_blocks: bool) -> str:
        return self.reason
