"""What attention multiplies: queries, keys and values, with the labels of their numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.heads import Columns

Array = NDArray[np.float64]

PER_SOURCE = 2**40
"""Numbers that one map may give: a label is the map's number times this, and a place in what it gave."""

# Groups of positions, and positions, of which products are compared.
_GROUPS, _POSITIONS = 64, 64
# What rounding may make of a sum, as a share of the largest.
_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Source:
    """What gives numbers with labels: its numbers, and how many of them one position has."""

    made: Array
    width: int


@dataclass(frozen=True)
class Operand:
    """Numbers (..., positions, n) and their labels; None where they are not known."""

    values: Array
    labels: NDArray[np.int64] | None

    def over(self, lead: tuple[int, ...]) -> "Operand":
        """For each group of positions that the others have."""
        shape = (*lead, *self.values.shape[-2:])
        labels = None if self.labels is None else np.broadcast_to(self.labels, shape)
        return Operand(np.broadcast_to(self.values, shape), labels)

    def picked(self, groups: NDArray[np.int64]) -> "Operand":
        """These of its groups of positions, by their numbers."""
        values = self.values.reshape(-1, *self.values.shape[-2:])[groups]
        labels = None if self.labels is None else self.labels.reshape(-1, *self.labels.shape[-2:])[groups]
        return Operand(values, labels)

    def repeated(self, n_heads: int) -> "Operand":
        """Heads that are fewer, each for several."""
        each = n_heads // self.values.shape[-3]
        labels = None if self.labels is None else np.repeat(self.labels, each, axis=-3)
        return Operand(np.repeat(self.values, each, axis=-3), labels)

    @property
    def source(self) -> int | None:
        """The one map that has given all that has labels."""
        if self.labels is None:
            return None
        found = np.unique(self.labels[self.labels >= 0] // PER_SOURCE)
        return int(found[0]) if len(found) == 1 else None

    @property
    def _has(self) -> NDArray[np.bool_]:
        """Which positions are the map's: not those that were put beside them."""
        assert self.labels is not None
        has: NDArray[np.bool_] = np.all(self.labels >= 0, axis=-1)
        return has

    def columns(self, width: int) -> list[Columns] | None:
        """Of each group, which of the map's outputs it has; None where these differ from position to position."""
        assert self.labels is not None
        n = self.values.shape[-1]
        has = self._has.reshape(-1, self.values.shape[-2])
        of_groups = (self.labels % PER_SOURCE % width).reshape(len(has), -1, n)
        found: list[Columns] = []
        for columns, rows in zip(of_groups, has, strict=True):
            if not rows.any() or (columns[rows] != columns[rows][:1]).any():
                return None
            found.append(columns[rows][0].astype(np.intp))
        return found

    def made(self, source: Source) -> Array:
        """What the map gave in the places of the labels; 0 where there is none."""
        assert self.labels is not None
        return np.where(self.labels >= 0, source.made[np.where(self.labels >= 0, self.labels % PER_SOURCE, 0)], 0.0)

    def is_as_made(self, source: Source) -> bool:
        """Whether it is what the map gave, and nothing else."""
        has = self._has
        made, seen = self.made(source)[has], self.values[has]
        return bool(np.all(np.abs(made - seen) <= _TOLERANCE * np.abs(seen).max(initial=0.0)))

    def product(self, keys: "Operand", made: tuple[Source, Source]) -> str:
        """How the product with keys is that of what two maps gave, but for a factor: see `Heads.qk`."""
        n, m = self.values.shape[-2], keys.values.shape[-2]
        q, k, raw_q, raw_k = (
            one.reshape(-1, *one.shape[-2:])[:_GROUPS, :_POSITIONS]
            for one in (self.values, keys.values, self.made(made[0]), keys.made(made[1]))
        )
        has = keys._has.reshape(-1, m)[:_GROUPS, :_POSITIONS]
        seen, told = (np.where(has[:, None], a @ b.swapaxes(1, 2), 0.0) for a, b in ((q, k), (raw_q, raw_k)))
        if _is_multiple(seen, told):
            return ""
        if n == m and _is_multiple(*(np.diagonal(one, axis1=1, axis2=2) for one in (seen, told))):
            return "same"
        return "queries or keys are changed before they are multiplied"


def _is_multiple(seen: Array, told: Array) -> bool:
    """Whether the one is the other times a number of each group."""
    seen, told = (one.reshape(len(one), -1) for one in (seen, told))
    square = np.sum(told * told, axis=1, keepdims=True)
    factor = np.sum(seen * told, axis=1, keepdims=True) / np.where(square > 0, square, 1.0)
    return bool(np.all(np.abs(seen - factor * told) <= _TOLERANCE * np.abs(seen).max(initial=0.0)))
