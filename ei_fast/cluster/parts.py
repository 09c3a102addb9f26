"""A measure that is too large for one job: each does a share of it, whoever comes last puts them together."""

import warnings
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path

from ei_fast.cluster.costs import Pieces
from ei_fast.cluster.results import writing
from ei_fast.runtime.files import read_npz, write_npz
from ei_fast.runtime.threads import Arrays, Share, Workers

FileOf = Callable[[int, str, int, int, int], Path]
"""File of a part, by layer, measure, which of its works, number of the part, and number of parts."""


class PartIsDone(Exception):
    """The part has been written; the rest is others' work."""


class PartsOf(Workers):
    """Workers that keep every share of a work in a file of its own.

    What a share is does not depend on who does it, nor on how many there are, so that neither does what they make
    together.

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
        self._shared = 0

    def on(self, layer: int, measure: str) -> Workers:
        # Another, with the same threads: layers may be measured side by side.
        found = copy(self)
        found._on, found._shared = (layer, measure), 0
        return found

    def alone(self) -> Workers:
        return PartsOf(1, self._pieces, self._file_of, self._own).on(*self._on)

    def unshared(self) -> Workers:
        return Workers(self.n_jobs, self._team)

    def shared(self, share: Share, together: Callable[[Sequence[Arrays]], Arrays]) -> Arrays:
        n = self._pieces.get(self._on, 1)
        if n == 1:
            return share(0, 1)
        number = self._shared
        self._shared += 1
        if self._own is not None:
            self._part(share, number, self._own, n)
            raise PartIsDone
        return together([self._part(share, number, k, n) for k in range(n)])

    def _part(self, share: Share, number: int, k: int, n: int) -> Arrays:
        file = self._file_of(*self._on, number, k, n)
        arrays = read_part(file)
        if arrays is None:
            arrays = share(k, n)
            write_part(file, arrays)
        return arrays


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
