"""What cells did at each step of the sequences that a model took them through, done again and compared with that."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.graph.cells import Cell, Found
from ei_fast.adapters.graph.view import Array
from ei_fast.network.bins import Range

Rows = NDArray[np.intp]

MOST_SAMPLES = 64
"""Of how many samples every step is done again: each of these is another one for a cell."""

MOST_ROWS = 2048
"""Steps of samples at which the maps of a cell are compared with what the cell had."""


@dataclass(eq=False)
class Step:
    """One step of a passage, of the samples that take it.

    Attributes
    ----------
    rows : ndarray of int (m,)
        Which samples these are.
    x : ndarray (m, n_in)
    made : ndarray (m, n_hidden)
        The hidden state that the model had behind it.
    """

    rows: Rows
    x: Array
    made: Array

    def of(self, rows: Rows) -> Rows:
        """Where these samples stand in it."""
        return np.searchsorted(self.rows, rows)


@dataclass(eq=False)
class Passage:
    """A cell's way through a sequence.

    Attributes
    ----------
    cell : Cell
    name : str
    key : hashable
        The same for all passages of the same cell.
    inputs : tuple of int
        Numbers of the values that the inputs are taken from.
    steps : list of Step
        In the order in which the cell takes them.
    h, c : ndarray (rows, n)
        The state before.
    h_end, c_end : ndarray (rows, n), optional
        The state behind, where the model tells.
    begins, ends : int, optional
        Numbers of the values that the hidden state before is, and the one behind.
    """

    cell: Cell
    name: str
    key: Hashable
    inputs: tuple[int, ...]
    steps: list[Step]
    h: Array
    c: Array
    h_end: Array | None = None
    c_end: Array | None = None
    begins: int | None = None
    ends: int | None = None

    def states(self) -> Iterator[tuple[Step, Found]]:
        """Every step, with what was computed: from the hidden state that the model had before it.

        Only the cell state, of which a model shows no more than the last, is carried on from what was computed.
        """
        h, c = np.array(self.h, dtype=np.float64), np.array(self.c, dtype=np.float64)
        for step in self.steps:
            found = {"x": step.x, "h": h[step.rows], "c": c[step.rows]}
            self.cell.step(found)
            yield step, found
            h[step.rows] = step.made
            if "next c" in found:
                c[step.rows] = found["next c"]
        found = {"next h": h, "next c": c}
        ends = ("next h", self.h_end), ("next c", self.c_end)
        for what, end in ends:
            if end is not None:
                yield Step(np.arange(len(end)), end, end), {"next h": found[what]}


@dataclass(eq=False)
class Seen:
    """What was seen of a cell in all its passages.

    Attributes
    ----------
    off, size : float
        See `Recurs`.
    ranges : dict of str to (float, float)
        Of what its maps read.
    samples : list of Found
        At some steps of some samples, all that was computed.
    """

    off: float = np.nan
    size: float = 0.0
    ranges: dict[str, Range] = field(default_factory=dict)
    samples: list[Found] = field(default_factory=list)

    @classmethod
    def of(cls, passages: Sequence[Passage]) -> "Seen":
        seen, cell = cls(), passages[0].cell
        n = sum(len(step.rows) for passage in passages for step in passage.steps)
        apart, begin = max(1, -(-n // MOST_ROWS)), 0
        for passage in passages:
            seen._take("h", passage.h)
            for step, found in passage.states():
                seen._compare(found["next h"], step.made)
                for what in found:
                    seen._take(what, found[what])
                if "x" in found:
                    some = slice(begin % apart, None, apart)
                    begin = (begin - len(step.rows)) % apart
                    seen.samples.append({what: values[some] for what, values in found.items()})
        largest = {what: max(map(abs, limits)) for what, limits in seen.ranges.items()}
        sizes = [
            one.size_of(np.concatenate([np.full(found.shape[1], largest[what]) for what, found in _read(one, seen)]))
            for one in cell.maps
        ]
        states = [largest[what] for what in ("h", "c", "next h", "next c") if what in largest]
        seen.size = max(*sizes, *states)
        return seen

    def _take(self, what: str, values: Array) -> None:
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = self.ranges.get(what, (np.inf, -np.inf))
            self.ranges[what] = min(low, float(finite.min())), max(high, float(finite.max()))

    def _compare(self, made: Array, expected: Array) -> None:
        both = np.isfinite(made) & np.isfinite(expected)
        if both.any():
            self.off = float(np.fmax(self.off, np.abs(made[both] - expected[both]).max()))


def _read(one: object, seen: Seen) -> list[tuple[str, Array]]:
    first = seen.samples[0]
    return [(what, first[what]) for what in one.reads]  # type: ignore[attr-defined]


def chained(passages: Sequence[Passage]) -> list[Passage]:
    """Passages put together where one begins with the state in which another ends, as where a loop calls a cell."""
    following = {passage.begins: passage for passage in passages if passage.begins is not None}
    ends = {passage.ends for passage in passages if passage.ends is not None}
    result = []
    for passage in passages:
        if passage.begins in ends:
            continue
        steps, last = list(passage.steps), passage
        while last.ends is not None and (behind := following.get(last.ends)) is not None:
            steps += behind.steps
            last = behind
        result.append(replace(passage, steps=steps, ends=last.ends))
    return result


def windows(passages: Sequence[Passage], k: int) -> tuple[Array, Array] | None:
    """Of some samples the inputs at k steps in a row with the state before, and the hidden state behind.

    Returns
    -------
    (ndarray (m, k n_in + n), ndarray (m, n_hidden)), or None
        None where no sequence is as long.
    """
    n = sum(len(step.rows) for passage in passages for step in passage.steps[k - 1 :])
    apart = max(1, -(-n // MOST_ROWS))
    read, made, begin = [], [], 0
    for passage in passages:
        for at, (step, found) in enumerate(passage.states()):
            several = passage.steps[at : at + k]
            if "x" not in found or len(several) < k:
                break
            rows = step.rows[begin % apart :: apart]
            begin = (begin - len(step.rows)) % apart
            for other in several[1:]:
                rows = np.intersect1d(rows, other.rows)
            of_steps = [other.x[other.of(rows)] for other in several]
            state = [found[what][step.of(rows)] for what in (("h", "c") if passage.cell.n_cell else ("h",))]
            read.append(np.hstack([*of_steps, *state]))
            made.append(several[-1].made[several[-1].of(rows)])
    if not sum(map(len, read)):
        return None
    return np.concatenate(read), np.concatenate(made)
