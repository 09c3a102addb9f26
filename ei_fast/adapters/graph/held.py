"""The parameters that a model holds, by name, and how many of them some layers use."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ei_fast.network.parameter_count import ParameterCount


@dataclass(frozen=True)
class Held:
    """Parameters of a model.

    Attributes
    ----------
    sizes : dict of str to int
        How many numbers each has; one that stands in several places has one name.
    holders : dict of str to (str, str)
        What part of the model each is in: its name and its kind.
    embeddings : set of str
        Those that are tables of embeddings.
    """

    sizes: Mapping[str, int]
    holders: Mapping[str, tuple[str, str]]
    embeddings: Collection[str] = field(default_factory=frozenset)

    def count(self, measured: Collection[str]) -> ParameterCount:
        """How many parameters there are, where layers that are measured use those with these names."""
        names = set(measured).intersection(self.sizes)
        tables = set(self.embeddings).intersection(self.sizes) - names
        left: dict[str, tuple[set[str], int]] = {}
        for name in self.sizes.keys() - names - tables:
            holder, kind = self.holders[name]
            holders, size = left.get(kind, (set(), 0))
            left[kind] = holders | {holder}, size + self.sizes[name]
        others = [(kind, len(holders), size) for kind, (holders, size) in left.items() if size]
        return ParameterCount(
            sum(self.sizes.values()),
            sum(self.sizes[name] for name in names),
            sum(self.sizes[name] for name in tables),
            tuple(sorted(others, key=lambda one: (-one[2], one[0]))),
        )
