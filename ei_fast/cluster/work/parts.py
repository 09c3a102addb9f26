"""A measure that is too large for one job: each job computes one part of every stage, and any job can continue."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from ei_fast.cluster.planning.costs import PartCounts
from ei_fast.cluster.store.locks import locked
from ei_fast.cluster.store.results import read_part, write_part
from ei_fast.measures.stages import UNFINISHED, Arrays, Method, Runner, Stage, items_of_part
from ei_fast.runtime.threads import Threads

FileOf = Callable[[str], Path]
"""File by the name of what it keeps."""

_SECONDS_BETWEEN_LOOKS = 0.1
_IDLE_LOOKS = 2
"""Looks in a row at which nobody computes a missing part, after which nobody is expected to."""
_PATIENCE = 7200.0
"""Seconds without any new part after which others are no longer waited for: on a file system without true locks a
process that was killed leaves its lock behind. A part is planned to take half an hour at the most."""


@dataclass
class PartsRunner(Runner):
    """Keeps every part of every stage of a large measure in a file of its own.

    What a part is does not depend on who does it, nor on how many there are, so that neither does what they make
    together. Where two processes do the same part it has the same content: that is a waste, not an error.

    Parameters
    ----------
    threads : Threads
    part_counts : dict
        Measures of layers that are split, and into how many parts. All others are measured as if alone.
    part_file, lock_file : callable
        Where a part is kept, and the lock of the process that is doing it.
    is_settled : callable
        Whether another job has put all together by now, and has removed the parts: there is nothing left to do.
    own : int, optional
        Do this part of every stage. The next stage begins when all parts of the one before are there; until then the
        measure is unfinished. Without it, every part that is not there yet is done.
    to_the_end : bool
        Wait for the parts that other processes are doing, and help where that is allowed.
    path : tuple of str
        Names of the layer and of the measure that are being run.
    may_help : bool
        Whether parts that fall to other jobs may be computed here: once a shared stage is complete. A part of the first
        one is missing where a job has not had its turn yet, and that job will compute it. When all of them are there
        every job has had its turn, and one that has ended does not come back for the next stage.
    n_computed : list of int
        How many parts were computed here; one number that copies of the runner share.
    """

    threads: Threads
    part_counts: PartCounts
    part_file: FileOf
    lock_file: FileOf
    is_settled: Callable[[], bool]
    own: int | None = None
    to_the_end: bool = False
    path: tuple[str, ...] = ()
    may_help: bool = False
    n_computed: list[int] = field(default_factory=lambda: [0])

    def named(self, name: str) -> Self:
        # A copy: layers may be measured side by side.
        return replace(self, path=(*self.path, name))

    def run(self, method: Method[Any]) -> Any:
        # A copy: components go on by themselves, each from what was completed before all of them.
        return Runner.run(replace(self), method)

    @property
    def _n_parts(self) -> int:
        layer, measure = self.path[0].removeprefix("layer"), self.path[1]
        return self.part_counts.get((int(layer), measure), 1)

    def arrays_of(self, stage: Stage) -> Any:
        if self._n_parts == 1:
            return self.computed(stage, 0, stage.n_items)
        n = self._n_parts if stage.is_shared else 1
        if n == 1 or self.own is None:
            parts = [self._read_or_computed(stage, k, n) for k in range(n)]
        else:
            self._do(stage, self.own, n)
            if self.to_the_end:
                self._wait_and_help(stage, n)
            if self._missing(stage, n):
                return UNFINISHED
            parts = [self._read_or_computed(stage, k, n) for k in range(n)]
        self.may_help = self.may_help or stage.is_shared
        return stage.join(parts)

    def _wait_and_help(self, stage: Stage, n: int) -> None:
        """Wait until all parts are there, or until nobody computes those that are missing and nobody may help."""
        n_missing, until, idle_looks = n, time.monotonic() + _PATIENCE, 0
        while (missing := self._missing(stage, n)) and not self.is_settled():
            if self.may_help:
                for k in missing:
                    self._do(stage, k, n)
                missing = self._missing(stage, n)
            elif any(self._is_being_done(stage, k, n) for k in missing):
                idle_looks = 0
            else:
                # A job that goes from one component to the next holds no lock for a moment.
                idle_looks += 1
                if idle_looks > _IDLE_LOOKS:
                    return
            if len(missing) < n_missing:
                n_missing, until = len(missing), time.monotonic() + _PATIENCE
            if missing and time.monotonic() > until:
                return
            if missing:
                time.sleep(_SECONDS_BETWEEN_LOOKS)

    def _missing(self, stage: Stage, n: int) -> list[int]:
        """Parts that are not there, the own one and those after it first, so that jobs that help meet late."""
        return [k for k in (*range(self.own or 0, n), *range(self.own or 0)) if not self._file(stage, k, n).exists()]

    def _do(self, stage: Stage, k: int, n: int) -> None:
        """Do a part, unless it is there, another process is doing it, or all is done."""
        if not self._file(stage, k, n).exists() and not self.is_settled():
            with locked(self._lock(stage, k, n)) as mine:
                if mine:
                    self._read_or_computed(stage, k, n)

    def _is_being_done(self, stage: Stage, k: int, n: int) -> bool:
        lock = self._lock(stage, k, n)
        if not lock.exists():
            return False
        with locked(lock) as mine:
            return not mine

    def _read_or_computed(self, stage: Stage, k: int, n: int) -> Arrays:
        """The arrays of a part, computed where they are not there."""
        file = self._file(stage, k, n)
        arrays = read_part(file)
        if arrays is None:
            arrays = self.computed(stage, *items_of_part(stage.n_items, k, n))
            write_part(file, arrays)
            self.n_computed[0] += 1
        return arrays

    def _file(self, stage: Stage, k: int, n: int) -> Path:
        return self.part_file(self._name(stage, k, n))

    def _lock(self, stage: Stage, k: int, n: int) -> Path:
        return self.lock_file(self._name(stage, k, n))

    def _name(self, stage: Stage, k: int, n: int) -> str:
        return "-".join([*self.path, stage.name, f"{k}of{n}"])
