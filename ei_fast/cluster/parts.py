"""A measure that is too large for one job: each does a part of its tasks, whoever comes last puts them together."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from ei_fast.cluster.costs import Pieces
from ei_fast.cluster.results import writing
from ei_fast.files import read_npz, write_npz
from ei_fast.parallel import Arrays, Task, Workers

FileOf = Callable[[int, str, int, int, int], Path]
"""File of a part, by layer, measure, which of its gatherings, number of the part, and number of parts."""


class PartIsDone(Exception):
    """The part has been written; the rest is others' work."""


class PartsOf(Workers):
    """Workers that split what a measure gathers into parts, each kept in a file.

    Parts are made of whole tasks, whose results do not depend on who does them, so that neither does what is
    put together of them.

    Parameters
    ----------
    n_jobs : int
        Threads.
    pieces : dict
        Measures that are split, and into how many parts.
    file_of : callable
        Where a part is kept.
    own : int, optional
        Do this part only, then raise `PartIsDone`. Without it every part that is not there yet is done.
    """

    def __init__(self, n_jobs: int, pieces: Pieces, file_of: FileOf, own: int | None = None):
        super().__init__(n_jobs)
        self._pieces, self._file_of, self._own = pieces, file_of, own
        self._on: tuple[int, str] = (-1, "")
        self._gathered = 0

    def on(self, layer: int, measure: str) -> Self:
        self._on, self._gathered = (layer, measure), 0
        return self

    def alone(self) -> Workers:
        other = PartsOf(1, self._pieces, self._file_of, self._own)
        other._on = self._on
        return other

    def gather(
        self, function: Callable[[Task], Any], tasks: Iterable[Task], together: Callable[[Sequence[Arrays]], Arrays]
    ) -> Arrays:
        n = self._pieces.get(self._on, 1)
        if n == 1:
            return super().gather(function, tasks, together)
        tasks, number = list(tasks), self._gathered
        self._gathered += 1
        made = []
        for k in [self._own] if self._own is not None else range(n):
            file = self._file_of(*self._on, number, k, n)
            arrays = read_part(file)
            if arrays is None:
                mine = tasks[len(tasks) * k // n : len(tasks) * (k + 1) // n]
                arrays = super().gather(function, mine, together) if mine else ()
                write_part(file, arrays)
            made.append(arrays)
        if self._own is not None:
            raise PartIsDone
        return together([arrays for arrays in made if arrays])


def read_part(file: Path) -> Arrays | None:
    """The arrays of a part; None where there is none, with a warning where it is damaged."""
    try:
        arrays = read_npz(file)
        return tuple(arrays[f"part{k}"] for k in range(int(arrays["n"])))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError) as error:
        warnings.warn(f"The part {str(file)!r} cannot be used and is computed again: {error}", stacklevel=2)
        return None


def write_part(file: Path, arrays: Arrays) -> None:
    """Keep the arrays of a part."""
    with writing(file):
        write_npz(file, {f"part{k}": array for k, array in enumerate(arrays)} | {"n": len(arrays)})
