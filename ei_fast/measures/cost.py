"""What a measure is expected to take, before anything is measured."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True)
class Cost:
    """What a measure of a layer is expected to take.

    Attributes
    ----------
    points : float
        Simulated samples, or what chains and scores take in place of these.
    multiply_adds : float
        Of all points together.
    counts : float
        Entries of edges' histograms to which a sample is added.
    edges : int
        Edges that are measured exactly, one after the other.
    drawn_edges : int
        Edges that are measured exactly, each drawn by itself.
    candidates : int
        Edges among which these are drawn.
    """

    points: float = 0.0
    multiply_adds: float = 0.0
    counts: float = 0.0
    edges: int = 0
    drawn_edges: int = 0
    candidates: int = 0

    @classmethod
    def of_points(cls, points: float, work: float) -> Self:
        """Of samples that take so many multiply-adds each."""
        return cls(points=points, multiply_adds=points * work)

    @classmethod
    def sum(cls, costs: Iterable[Self]) -> Self:
        """Of several measures together; of nothing where there are none."""
        parts = list(costs)
        return cls(*(sum(getattr(part, field.name) for part in parts) for field in fields(cls)))
