"""Residual blocks and gated units in what a model was seen to do: sums and products of what comes from one value.

A sum x + f(x) or a product a(x) * b(x) begins with the last value that all of what it joins comes from, and ends with
its result. What lies between is one map, if nobody else sees what is inside. It is taken as wide as the smallest module
that holds it, where that has one input and one output as well.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ei_fast.adapters.activations.steps import put_together
from ei_fast.adapters.graph import Op, Recording, Role

_SUMS = {"add", "sub", "rsub", "addcmul", "lerp"}
_PRODUCTS = {"mul", "glu"}
# Sums of products over positions, and over time: what they join is measured as layers of its own.
_OVER_POSITIONS = {"matmul", "bmm", "mm", "baddbmm", "einsum", "tensordot", "dot"}
_OF_SEQUENCES = {"scaled_dot_product_attention", "multi_head_attention_forward", "lstm", "gru", "rnn_tanh", "rnn_relu"}
# Maps of its own that a module may have beside the sum or product.
_MOST_BESIDE = 2


@dataclass(frozen=True, eq=False)
class Region:
    """Operations from one value to another that nobody else sees.

    Attributes
    ----------
    name : str
        Of the module that it is, or that the sum or product is done by.
    entry, exit : int
        Numbers of the value that it begins and ends with.
    ops : tuple of Op
        In order.
    is_sum : bool
        Whether what comes together in it is added, or multiplied.
    """

    name: str
    entry: int
    exit: int
    ops: tuple[Op, ...]
    is_sum: bool

    @cached_property
    def members(self) -> frozenset[Op]:
        """The operations, to be looked up."""
        return frozenset(self.ops)

    def holds(self, other: "Region") -> bool:
        return self.members >= other.members

    def meets(self, other: "Region") -> bool:
        return not self.members.isdisjoint(other.members)


def regions(recording: Recording) -> list[Region]:
    """Residual blocks and gated units, in order; of those inside each other the outermost.

    A sum around several residual blocks in a row is none: it joins what a whole network does with its input.
    """
    graph = _Graph(recording)
    joins = [op for op in put_together(recording).alive()[0] if is_join(op)]
    cores = [region for op in joins if (region := graph.region_of(op)) is not None]
    cores = [one for one in cores if not _is_around_several(one, cores, graph)]
    found = [graph.widened(one, cores) for one in cores]
    outermost = [one for one in found if not any(other is not one and _is_within(one, other, found) for other in found)]
    result: list[Region] = []
    for one in outermost:
        if not any(one.meets(other) for other in result):
            result.append(one)
    return result


def is_join(op: Op) -> bool:
    """Whether it adds or multiplies several values, number by number, or is a gated unit by itself."""
    name = op.again.name if op.again is not None else ""
    return name == "glu" or (name in _SUMS | _PRODUCTS and len(set(op.reads)) > 1)


def _is_within(one: Region, other: Region, found: Sequence[Region]) -> bool:
    """Whether a region lies in another; of two that are the same, in the first."""
    if one.members == other.members:
        return found.index(other) < found.index(one)
    return other.holds(one)


def _is_around_several(region: Region, found: Sequence[Region], graph: "_Graph") -> bool:
    """Whether a sum holds residual blocks of which one comes after another."""
    inner = [one for one in found if one is not region and one.is_sum and region.holds(one)]
    return any(graph.comes_from(later.entry, one.exit) for one in inner for later in inner if one is not later)


class _Graph:
    """Who writes and reads which value, and which value all of another comes from."""

    def __init__(self, recording: Recording):
        self._recording = recording
        self._ops = recording.alive()[0]
        self._writer = {value: op for op in self._ops for value in op.writes}
        self._readers: dict[int, list[Op]] = {}
        # The last value that all of a value comes from, and how many of them in a row there are.
        self._from: dict[int, int | None] = {0: None}
        self._depth: dict[int, int] = {0: 0}
        for op in self._ops:
            for value in dict.fromkeys(op.reads):
                self._readers.setdefault(value, []).append(op)
            before = self.common(op.reads)
            for value in op.writes:
                self._from[value] = before
                self._depth[value] = 0 if before is None else self._depth[before] + 1

    def common(self, values: Iterable[int]) -> int | None:
        """The last value that all of some values come from, one of them if the others do; None where there is none."""
        several = list(dict.fromkeys(values))
        if not several or any(value not in self._depth for value in several):
            return None
        found: int | None = several[0]
        for value in several[1:]:
            other: int | None = value
            while found is not None and other is not None and found != other:
                if self._depth[found] >= self._depth[other]:
                    found = self._from[found]
                else:
                    other = self._from[other]
            if found is None or other is None:
                return None
        return found

    def comes_from(self, value: int, earlier: int) -> bool:
        """Whether all of a value comes from an earlier one, or is it."""
        at: int | None = value
        while at is not None and at != earlier:
            at = self._from.get(at)
        return at is not None

    def region_of(self, join: Op) -> Region | None:
        """From what all that an operation joins comes to what it makes of it, if that is a map of its own."""
        assert join.again is not None
        entry, exit = self.common(join.reads), join.writes[0]
        if entry is None:
            return None
        is_sum = join.again.name in _SUMS
        region = Region(join.name, entry, exit, self._between(entry, exit), is_sum)
        return region if self._is_map(region) else None

    def widened(self, core: Region, cores: Sequence[Region]) -> Region:
        """The smallest module that holds a region, or the region with the activation behind it."""
        shared = _shared([op.inside for op in core.ops])
        for depth in range(len(shared), 0, -1):
            call = shared[:depth]
            module = self._of_module(core, tuple(op for op in self._ops if op.inside[:depth] == call))
            beside = [] if module is None else [op for op in module.ops if op not in core.members]
            if sum(op.does.role is Role.STARTS for op in beside) > _MOST_BESIDE:
                break
            if module is not None and not any(
                module.meets(one) and not (core.holds(one) or one.holds(core)) for one in cores
            ):
                return replace(module, name=call[-1][0])
        behind = self._readers.get(core.exit, [])
        if len(behind) == 1 and core.exit not in self._recording.outputs and behind[0].does.role is Role.ACTIVATES:
            wide = replace(core, exit=behind[0].writes[0], ops=(*core.ops, behind[0]))
            return wide if self._is_map(wide) else core
        return core

    def _of_module(self, core: Region, ops: tuple[Op, ...]) -> Region | None:
        """What a module does as a region, if it has one input and one output."""
        members = set(ops)
        written = {value for op in ops for value in op.writes}
        read = {value for op in ops for value in op.reads} - written
        seen = [value for value in sorted(written) if self._is_seen_outside(value, members)]
        if len(read) != 1 or len(seen) != 1:
            return None
        region = replace(core, entry=min(read), exit=seen[0], ops=ops)
        return region if self._is_map(region) else None

    def _between(self, entry: int, exit: int) -> tuple[Op, ...]:
        """All operations on the way from one value to another, in order."""
        inside: set[Op] = set()
        waiting = [exit]
        while waiting:
            op = self._writer.get(waiting.pop())
            if op is not None and op not in inside:
                inside.add(op)
                waiting += [value for value in op.reads if value != entry]
        return tuple(op for op in self._ops if op in inside)

    def _is_seen_outside(self, value: int, ops: Collection[Op]) -> bool:
        return value in self._recording.outputs or any(op not in ops for op in self._readers.get(value, ()))

    def _is_map(self, region: Region) -> bool:
        """Whether it can be done again, from rows to rows, and nobody else sees what is inside."""
        values, rows = self._recording.values, len(self._recording.values[0])
        ends = [values[region.entry], values[region.exit]]
        if any(end.ndim < 2 or len(end) != rows or not end[0].size for end in ends):
            return False
        inside = [value for op in region.ops for value in op.writes if value != region.exit]
        seen = any(self._is_seen_outside(value, region.members) for value in inside)
        return not seen and all(_can_be_inside(op) for op in region.ops)


def _can_be_inside(op: Op) -> bool:
    if op.again is None or not op.again.can_be_done or op.again.name in _OF_SEQUENCES:
        return False
    return op.again.name not in _OVER_POSITIONS or op.does.role is Role.STARTS


def _shared(calls: Sequence[tuple[tuple[str, int], ...]]) -> tuple[tuple[str, int], ...]:
    """The calls of modules that several operations are all inside of, from the outermost on."""
    levels = enumerate(zip(*calls, strict=False))
    depth = next((k for k, level in levels if len(set(level)) > 1), min(map(len, calls)))
    return calls[0][:depth]
