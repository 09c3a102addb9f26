"""How work is spread inside a process: a small thread pool over blocks whose kernels release the GIL."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from numbers import Integral
from threading import Lock, Semaphore
from types import TracebackType
from typing import Any, Self, TypeVar

import joblib
from joblib.parallel import get_active_backend
from tqdm import tqdm

Task = TypeVar("Task")
Result = TypeVar("Result")

_SECONDS_BEFORE_A_BAR = 2.0
"""What is done sooner needs none."""


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


class _Work:
    """The tasks of one call, handed out one by one to the threads that ask, and their results."""

    def __init__(self, function: Callable[[Any], Any], tasks: Sequence[Any]):
        self._function, self._tasks = function, tasks
        self._numbers = iter(range(len(tasks)))
        self._handing_out = Lock()
        self.results: list[Any] = [None] * len(tasks)

    def do(self, team: "_Team") -> None:
        """Tasks until there are no more, or an error has ended all of the team's work."""
        while team.error is None:
            with self._handing_out:
                number = next(self._numbers, None)
            if number is None:
                return
            try:
                self.results[number] = self._function(self._tasks[number])
            except BaseException as error:
                team.error = team.error or error


class _Team:
    """Threads that help a thread which has several tasks.

    The thread that has them takes part itself, and only idle ones are asked to help: a task may have tasks of its
    own, and no thread ever waits for one that has not begun.

    Attributes
    ----------
    error : BaseException or None
        The first of any task, after which none is begun.
    """

    def __init__(self, n_helpers: int):
        self.error: BaseException | None = None
        self._idle = Semaphore(n_helpers)
        # More threads than work at a time, since one that waits is kept. None is started before it has work.
        self._pool = ThreadPoolExecutor(2 * n_helpers + 1, thread_name_prefix="ei_fast")

    def do(self, work: _Work, most_helpers: int) -> None:
        """Do all tasks, or raise the error."""
        helping: list[Future[None]] = []
        while len(helping) < most_helpers and self._idle.acquire(blocking=False):
            helping.append(self._pool.submit(self._help, work))
        try:
            work.do(self)
            begun = [helper for helper in helping if not helper.cancel()]
            for _ in range(len(helping) - len(begun)):
                self._idle.release()
            if begun:
                # While it waits, another thread may help in its place.
                self._idle.release()
                wait(begun)
                self._idle.acquire()
        except BaseException as error:
            # An interrupt, which may come while waiting.
            self.error = self.error or error
        if self.error is not None:
            raise self.error

    def _help(self, work: _Work) -> None:
        try:
            work.do(self)
        finally:
            self._idle.release()

    def end(self) -> None:
        """Wait for the threads to end."""
        self._pool.shutdown(wait=True, cancel_futures=True)


class Threads:
    """Threads for as long as a ``with`` block lasts; none is started before it has work.

    Results come back in the order of the tasks, so sums over them do not depend on `n_jobs`.

    Parameters
    ----------
    n_jobs : int
    verbose : bool
        Whether tasks that have a title and take more than some seconds are counted by a progress bar.
    """

    def __init__(self, n_jobs: int, verbose: bool = False):
        self.n_jobs = n_jobs
        self._verbose = verbose
        self._team = _Team(n_jobs - 1)

    def map(
        self,
        function: Callable[[Task], Result],
        tasks: Iterable[Task],
        at_once: int | None = None,
        title: str = "",
    ) -> list[Result]:
        """[function(task) for task in tasks], in threads unless there is one task.

        A task may call it again. `at_once` is how many tasks are done at a time, if fewer than there are threads.
        `title` says what the tasks are.
        """
        tasks = list(tasks)
        if title and self._verbose:
            with tqdm(total=len(tasks), desc=title, leave=False, delay=_SECONDS_BEFORE_A_BAR) as bar:
                return self.map(partial(_counted, function, bar), tasks, at_once)
        threads = min(self.n_jobs, len(tasks), at_once or len(tasks))
        if threads < 2:
            return [function(task) for task in tasks]
        work = _Work(function, tasks)
        self._team.do(work, threads - 1)
        return work.results

    def alone(self) -> "Threads":
        """Threads for what must not run in several of them: one."""
        return Threads(1, self._verbose)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._team.end()


def _counted(function: Callable[[Task], Result], bar: "tqdm[Any]", task: Task) -> Result:
    """What a function makes of a task, which the bar then counts."""
    result = function(task)
    with bar.get_lock():
        bar.update()
    return result
