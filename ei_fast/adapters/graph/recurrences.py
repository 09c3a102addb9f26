"""Recurrent cells in a recording: what runs them is noted, and becomes the dense maps that they consist of.

What an adapter notes is a `Passage` of a cell through a sequence: the input and what the model made of it at each step.
In the end every cell, however often it was run, is written down once: what its maps read, the maps, and the steps. Each
step is done again from the state that the model had before it, and compared with what the model had behind it.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ei_fast.adapters.graph.cells import LINEAR, Gate, SimpleCell, Unrolled, bounded, joined
from ei_fast.adapters.graph.opaque import Unknown
from ei_fast.adapters.graph.operation import Operation, Role
from ei_fast.adapters.graph.passages import Passage, Seen, chained, windows
from ei_fast.adapters.graph.recording import Op
from ei_fast.adapters.graph.recurrent import Joined, Moved, Part, Recurs
from ei_fast.adapters.graph.starts import Block, Dense
from ei_fast.adapters.graph.steps import Pointwise
from ei_fast.adapters.graph.values import Values
from ei_fast.adapters.graph.view import Array
from ei_fast.network.bins import Range, hull_of, union
from ei_fast.network.layer import Function


@dataclass(eq=False)
class Recurrences:
    """All cells that a model runs.

    Attributes
    ----------
    unroll : int, optional
        How many steps of a cell are measured as one map; its maps where not given.
    """

    unroll: int | None = None
    _passages: dict[int, list[Passage]] = field(default_factory=dict)
    _carried: set[int] = field(default_factory=set)
    _movable: set[int] = field(default_factory=set)

    def taken_for(self, at: int, does: Operation, reads: Sequence[int], moves: bool) -> Operation:
        """What an operation, the one at this place of all, is taken for.

        Parameters
        ----------
        moves : bool
            Whether all that it writes are numbers that it has read.
        """
        if not isinstance(does, Unknown) or not moves or not reads:
            return does
        if self._carried.issuperset(reads):
            return Moved()
        self._movable.add(at)
        return does

    def wrote(self, does: Operation, reads: Sequence[int], writes: Sequence[int]) -> None:
        """Take notice of what an operation has written."""
        is_carried = bool(reads) and self._carried.issuperset(reads) and does.role is Role.REARRANGES
        if isinstance(does, (Recurs, Moved)) or is_carried:
            self._carried.update(writes)

    def ran(self, at: int, passages: list[Passage]) -> None:
        """The operation at this place of all has run these passages."""
        self._passages[at] = passages

    def forget(self, n_ops: int) -> None:
        """Leave it at so many operations."""
        self._passages = {at: passages for at, passages in self._passages.items() if at < n_ops}
        self._movable = {at for at in self._movable if at < n_ops}

    def written(self, ops: Sequence[Op], values: Values, outputs: Sequence[int]) -> list[Op]:
        """The operations with those of the cells in the place of what ran them.

        Raises
        ------
        ValueError
            Where a sequence is shorter than the steps that are to be one map.
        """
        if not self._passages:
            return list(ops)
        of_cell: dict[Hashable, list[Passage]] = {}
        first: dict[Hashable, int] = {}
        for at, passages in self._passages.items():
            for passage in passages:
                of_cell.setdefault(passage.key, []).append(passage)
                first.setdefault(passage.key, at)
        cells = {key: _WrittenCell(passages, values, self.unroll) for key, passages in of_cell.items()}
        result: list[Op] = []
        ways = set()
        for at, op in enumerate(ops):
            for key, cell in cells.items():
                if first[key] == at:
                    result += [_run_by(op, one) for one in cell.ops]
            if at in self._passages:
                op = _of_steps(op, [cells[passage.key] for passage in self._passages[at]])
            if at in self._movable:
                ways.add(len(result))
            result.append(op)
        return _without_ways(result, ways, outputs)


class _WrittenCell:
    """A cell as operations.

    Attributes
    ----------
    ops : list of Op
        What its maps read, and the maps.
    made : tuple of int
        Numbers of what the maps have written.
    seen : Seen
    """

    def __init__(self, passages: list[Passage], values: Values, unroll: int | None):
        self.cell, self.name = passages[0].cell, passages[0].name
        self._passages, self._values = passages, values
        self.seen = Seen.of(passages)
        self._inputs = tuple(dict.fromkeys(number for passage in passages for number in passage.inputs))
        self.ops: list[Op] = []
        begun = [(float(one.h.min()), float(one.h.max())) for one in passages if one.h.size]
        out_range = self.cell.out_range
        self.hidden = _wide(self.seen.ranges["h"])
        if out_range is not None:
            self.hidden = out_range
            for limits in begun:
                self.hidden = union(self.hidden, limits)  # type: ignore[assignment]
        if unroll is None or (unroll == 1 and isinstance(self.cell, SimpleCell)):
            self._write_maps()
        else:
            self._write_unrolled(unroll)
        # What nobody of the cell reads: the maps' values, and not the sums before these.
        read = {number for op in self.ops for number in op.reads}
        self.made = tuple(number for op in self.ops for number in op.writes if number not in read)

    def _write_maps(self) -> None:
        seen, numbers = self.seen, {}
        for one in self.cell.maps:
            name = f"{self.name}.{one.name}" if one.name else self.name
            read = np.concatenate([joined(one.reads, found) for found in seen.samples])
            if one.reads not in numbers:
                numbers[one.reads] = self._write_joined(name, one.reads, 1, read)
            number = numbers[one.reads]
            if isinstance(one, Gate):
                sums = self._written(name, Dense(one.weight, one.bias), number, one.sums(read))
                if one.activation.name != LINEAR.name:
                    self._written(name, Pointwise(one.activation), sums, one(read))
                continue
            made = one(read)
            out_range = bounded(one.activation) or _wide((float(made.min()), float(made.max())))
            function = Function(one, read.shape[1], one.n_out, out_range, name=name)
            self._written(name, Block(function), number, made)

    def _write_unrolled(self, k: int) -> None:
        found = windows(chained(self._passages) if k > 1 else self._passages, k)
        if found is None:
            longest = max(len(one.steps) for one in chained(self._passages))
            raise ValueError(
                f"The 'unroll' parameter of as_network must be no more than the steps that {self.name!r} takes in a "
                f"row. Got {k}, where it takes {longest}. Give fewer, or an 'input_shape' of at least {k} steps."
            )
        read, made = found
        unrolled = Unrolled(self.cell, k)
        # Behind several steps it is where it is behind one.
        out_range = self.cell.out_range and self.hidden
        out_range = out_range or _wide((float(made.min()), float(made.max())))
        number = self._write_joined(self.name, ("x", *unrolled.reads), k, read)
        function = Function(unrolled, read.shape[1], self.cell.n_hidden, out_range, name=self.name)
        self._written(self.name, Block(function), number, made)

    def _write_joined(self, name: str, reads: Sequence[str], steps: int, read: Array) -> int:
        """Write down what a map reads; return its number."""
        cell, seen = self.cell, self.seen
        parts = []
        for what in reads:
            width = seen.samples[0][what].shape[1]
            if what == "x":
                limits = None if self._inputs else _wide(seen.ranges["x"])
                parts.append(Part(steps * width, limits, self._inputs))
                continue
            limits = self.hidden if what == "h" else cell.range_of(what, self.hidden) or _wide(seen.ranges[what])
            parts.append(Part(width, limits))
        number = self._values.add(read)
        self.ops.append(Op(name, Joined(tuple(parts)), self._inputs, (number,)))
        return number

    def _written(self, name: str, does: Operation, reads: int, made: Array) -> int:
        number = self._values.add(made)
        self.ops.append(Op(name, does, (reads,), (number,)))
        return number


def _run_by(op: Op, one: Op) -> Op:
    """An operation of a cell, with the parameters of what runs the cell."""
    # What is joined is no layer, and has the name of what runs it.
    return replace(one, name=op.name if isinstance(one.does, Joined) else one.name, uses=op.uses)


def _of_steps(op: Op, cells: Sequence[_WrittenCell]) -> Op:
    """An operation that has run cells, which reads what their maps have written."""
    does = op.does
    assert isinstance(does, Recurs)
    made = [number for cell in cells for number in cell.made]
    # As a share of what may be: the cell that is furthest off.
    off, size = max(((cell.seen.off, cell.seen.size) for cell in cells), key=_share)
    bounded_ones = all(cell.cell.out_range is not None for cell in cells)
    ranges = {"h": hull_of(tuple(cell.hidden for cell in cells))} if bounded_ones else {}
    return replace(
        op, does=replace(does, ranges=ranges, off=off, size=size), reads=tuple(dict.fromkeys((*op.reads, *made)))
    )


def _share(one: tuple[float, float]) -> float:
    off, size = one
    return np.inf if np.isnan(off) else off / max(size, 1e-300)


def _without_ways(ops: list[Op], ways: set[int], outputs: Sequence[int]) -> list[Op]:
    """The operations, where those that only bring values to a cell are no more than that."""
    readers: dict[int, list[int]] = {}
    for at, op in enumerate(ops):
        for value in op.reads:
            readers.setdefault(value, []).append(at)
    within = {at for at, op in enumerate(ops) if op.does.role is Role.WITHIN}
    # From the last on, so that what reads an operation is known before it.
    for at, op in reversed(list(enumerate(ops))):
        found = {reader for value in op.writes for reader in readers.get(value, ())}
        goes_on = found and found <= within and not set(op.writes).intersection(outputs)
        if goes_on and (at in ways or op.does.role is Role.REARRANGES):
            within.add(at)
        if goes_on and at in ways:
            ops[at] = replace(op, does=Moved())
    return ops


def _wide(limits: Range) -> Range:
    low, high = limits
    return (low, high) if high > low else (low - 0.5, high + 0.5)
