"""Operations of recurrent cells, beside the dense maps that these consist of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ei_fast.adapters.graph.operation import Operation, Role
from ei_fast.network.bins import Range, Ranges, hull_of


class Part(NamedTuple):
    """Numbers that stand side by side: how many, and their range, or the values whose range they have."""

    width: int
    limits: Range | None
    values: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Joined(Operation):
    """What a map of a cell reads, side by side."""

    parts: tuple[Part, ...]
    role = Role.WITHIN

    def range_of(self, place: int, reads: Sequence[int], of: Callable[[int], Ranges]) -> Ranges:
        pairs: list[Range] = []
        for part in self.parts:
            pairs += [part.limits or _range_of_all(part.values, of)] * part.width
        return pairs[0] if len(set(pairs)) == 1 else tuple(pairs)


@dataclass(frozen=True, eq=False)
class Moved(Operation):
    """Values that stand elsewhere afterwards, some of them perhaps left out, or put to others."""

    role = Role.WITHIN

    @property
    def is_by_row(self) -> bool:
        return True

    def range_of(self, place: int, reads: Sequence[int], of: Callable[[int], Ranges]) -> Range:
        return _range_of_all(reads, of)


@dataclass(frozen=True, eq=False)
class Recurs(Operation):
    """The steps of a cell.

    Attributes
    ----------
    name : str
        Of the cell.
    states : tuple of str
        What each of the values that it writes is made of: "h" or "c".
    ranges : dict of str to (float, float)
        Of these, where they are bounded.
    off : float
        By how much at most what its maps lead to differs from what the model had, at any step; NaN where the model had
        no finite numbers.
    size : float
        Of what is added up for that: what rounding errors are a share of.
    """

    name: str
    states: tuple[str, ...]
    ranges: Mapping[str, Range] = field(default_factory=dict)
    off: float = 0.0
    size: float = 0.0
    role = Role.WITHIN

    def range_of(self, place: int, reads: Sequence[int], of: Callable[[int], Ranges]) -> Range | None:
        return self.ranges.get(self.states[place]) if place < len(self.states) else None


def _range_of_all(values: Sequence[int], of: Callable[[int], Ranges]) -> Range:
    return hull_of(tuple(hull_of(of(value)) for value in values))
