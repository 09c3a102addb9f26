"""How work is spread inside a process: a small thread pool over blocks whose kernels release the GIL."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from numbers import Integral
from types import TracebackType
from typing import Any, Self, TypeVar

import joblib
import numpy as np
from joblib.parallel import get_active_backend

Task = TypeVar("Task")
Result = TypeVar("Result")
Arrays = tuple[np.ndarray, ...]
Share = Callable[[int, int], Arrays]


def stacked(shares: Sequence[Arrays]) -> Arrays:
    """Arrays of all shares, one below the other."""
    return tuple(np.concatenate(arrays) for arrays in zip(*shares, strict=True))


def share_of(count: int, k: int, n: int) -> tuple[int, int]:
    """Where share number k of n of so many things begins and ends."""
    return count * k // n, count * (k + 1) // n


def available_cores() -> int:
    """Cores this process may use: by its affinity, the quota of its container, and what Slurm gave each task."""
    cores = joblib.cpu_count()
    return min(cores, slurm_cores() or cores)


def slurm_cores() -> int | None:
    """Cores that Slurm gave each task or, where it does not say, the job on this node; None outside a job."""
    for name in ("SLURM_CPUS_PER_TASK", *(["SLURM_CPUS_ON_NODE"] if "SLURM_JOB_ID" in os.environ else [])):
        stated = os.environ.get(name, "")
        if stated.isdecimal() and int(stated) > 0:
            return int(stated)
    return None


def resolve_n_jobs(n_jobs: Any, owner: str) -> int:
    """Number of threads: `n_jobs`, or the cores this process may use, or 1 inside a joblib worker.

    Negative numbers count back from the cores: -1 is all of them.
    """
    if n_jobs is None:
        inside_worker = get_active_backend()[0].nesting_level > 0
        return 1 if inside_worker else available_cores()
    rule = f"The 'n_jobs' parameter of {owner} must be None or an integer other than 0"
    if not isinstance(n_jobs, Integral) or isinstance(n_jobs, bool):
        raise TypeError(f"{rule}. Got {n_jobs!r} instead.")
    n_jobs = int(n_jobs)
    if n_jobs == 0:
        raise ValueError(f"{rule}. Got 0 instead. Use 1 for no threads, -1 for all cores.")
    return n_jobs if n_jobs > 0 else max(1, available_cores() + 1 + n_jobs)


class Workers:
    """A thread pool for as long as a ``with`` block lasts; no thread is started before it has work.

    Results come back in the order of the tasks, so sums over them do not depend on `n_jobs`.
    """

    def __init__(self, n_jobs: int):
        self.n_jobs = n_jobs
        self._pool: ThreadPoolExecutor | None = None

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task], small: bool = False) -> list[Result]:
        """[function(task) for task in tasks], in threads unless there is one task, or `small` work in them all."""
        tasks = list(tasks)
        if small or self.n_jobs == 1 or len(tasks) < 2:
            return [function(task) for task in tasks]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.n_jobs, thread_name_prefix="ei_fast")
        return list(self._pool.map(function, tasks))

    def shared(self, share: Share, together: Callable[[Sequence[Arrays]], Arrays]) -> Arrays:
        """All of a work that falls into shares: here the one share that is all of it.

        Parameters
        ----------
        share : callable
            Arrays of share number k of n, by k and n; they are the same however many there are.
        together : callable
            What the arrays of all shares, in their order, make together.
        """
        return share(0, 1)

    def unshared(self) -> "Workers":
        """Workers that leave no share to others: for what all must know before they begin."""
        return self

    def on(self, layer: int, measure: str) -> Self:
        """The workers for one measure of a layer: these."""
        return self

    def alone(self) -> "Workers":
        """Workers for what must not run in several threads."""
        return Workers(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
