"""Operations that give values another shape or order."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ei_fast.adapters.graph.operation import Operation, Role
from ei_fast.adapters.graph.view import Array, View
from ei_fast.adapters.graph.window import Places


@dataclass(frozen=True, eq=False)
class Same(Operation):
    """The values as they are, in another shape or order: `order` says which of a sample's values is where."""

    order: Places | None = None
    role = Role.REARRANGES

    @property
    def is_by_row(self) -> bool:
        return self.order is None

    @property
    def of_number(self) -> Callable[..., Array] | None:
        return np.positive if self.order is None else None

    def seen(self, view: View, shape: tuple[int, ...]) -> View:
        order = self.order
        return view.moved(lambda one, _: one.reshape(shape) if order is None else one.reshape(-1)[order])


@dataclass(frozen=True)
class Pad(Operation):
    """Something put before and after the values along the axes of a sample, (before, after) for each of them."""

    widths: tuple[tuple[int, int], ...]
    role = Role.REARRANGES
    alone = "padding that is no convolution's"

    def seen(self, view: View, shape: tuple[int, ...]) -> View:
        return view.moved(lambda one, nothing: np.pad(one, self.widths, constant_values=nothing))
