"""Experts, of which each maps the rows that are sent to it: what brings rows to them, and what puts theirs together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ei_fast.adapters.graph.operation import Operation, Role
from ei_fast.network.bins import Range, Ranges, hull_of


@dataclass(frozen=True, eq=False)
class Sent(Operation):
    """Rows of a value that are sent to one expert: how many these are differs from run to run, their range does not."""

    role = Role.WITHIN

    def range_of(self, place: int, reads: Sequence[int], of: Callable[[int], Ranges]) -> Range:
        return hull_of(of(reads[0]))


@dataclass(frozen=True, eq=False)
class Gathered(Operation):
    """What all experts have made of the rows that were sent to them, put together."""

    role = Role.WITHIN
