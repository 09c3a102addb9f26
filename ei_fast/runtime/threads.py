"""How work is spread inside a process: a small thread pool over blocks whose kernels release the GIL."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from numbers import Integral
from threading import Condition, Lock
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
    cores: int = joblib.cpu_count()
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
        is_inside_worker = bool(get_active_backend()[0].nesting_level > 0)
        return 1 if is_inside_worker else available_cores()
    rule = f"The 'n_jobs' parameter of {owner} must be None or an integer other than 0"
    if not isinstance(n_jobs, Integral) or isinstance(n_jobs, bool):
        raise TypeError(f"{rule}. Got {n_jobs!r} instead.")
    count = int(n_jobs)
    if count == 0:
        raise ValueError(f"{rule}. Got 0 instead. Use 1 for no threads, -1 for all cores.")
    return count if count > 0 else max(1, available_cores() + 1 + count)


class _Work:
    """The tasks of one call, handed out one by one to the threads that ask, and their results.

    Attributes
    ----------
    results : list
        None where a task is not done.
    n_threads : int
        Threads that are at it; the team's lock guards it.
    """

    def __init__(self, function: Callable[[Any], Any], tasks: Sequence[Any], at_once: int):
        self._function, self._tasks, self._at_once = function, tasks, at_once
        self._begun = 0
        self._handing_out = Lock()
        self.results: list[Any] = [None] * len(tasks)
        self.n_threads = 0

    @property
    def wanted(self) -> int:
        """Further threads that would find a task."""
        return min(self._at_once - self.n_threads, len(self._tasks) - self._begun)

    def do_one(self) -> bool:
        """Do a task that nobody has begun; return whether there was one."""
        with self._handing_out:
            number = self._begun
            if number == len(self._tasks):
                return False
            self._begun += 1
        self.results[number] = self._function(self._tasks[number])
        return True


class _Team:
    """Threads that do tasks together, of which each may have tasks of its own.

    The thread that has tasks takes part itself. Others help whoever has tasks left, those that had them first first,
    and go on to the next. While a thread waits for those that help it another one works in its place, and leaves when
    it is back; so no more than `n_threads` are at work at a time, and none waits for one that has not begun.

    Attributes
    ----------
    error : BaseException or None
        The first of any task, after which none is begun.
    """

    def __init__(self, n_threads: int):
        self.error: BaseException | None = None
        self._changed = Condition()
        self._open: list[_Work] = []
        self._n_places = n_threads - 1
        """Places that are free; that of the thread which has the first tasks is taken."""
        self._n_returning = 0
        """Threads that have waited and want a place again."""
        # More threads than work at a time, since one that waits is kept. None is started before it has work.
        self._pool = ThreadPoolExecutor(4 * n_threads, thread_name_prefix="ei_fast")

    def do(self, work: _Work) -> None:
        """Do all tasks, or raise the error."""
        with self._changed:
            work.n_threads = 1
            self._open.append(work)
            self._call_helpers()
        try:
            self._do_tasks(work)
            with self._changed:
                if work.n_threads > 1:
                    self._wait_for_helpers(work)
        except BaseException as error:
            # An interrupt, which may come while waiting.
            self.error = self.error or error
        with self._changed:
            self._open.remove(work)
        if self.error is not None:
            raise self.error

    def end(self) -> None:
        """Wait for the threads to end."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _do_tasks(self, work: _Work, gives_way: bool = False) -> None:
        """Tasks until there are no more, an error has ended all, or the place of one that gives way is wanted back."""
        try:
            while self.error is None and not (gives_way and self._n_returning) and work.do_one():
                pass
        except BaseException as error:
            self.error = self.error or error

    def _wait_for_helpers(self, work: _Work) -> None:
        self._n_places += 1
        self._call_helpers()
        self._changed.wait_for(lambda: work.n_threads == 1)
        self._n_returning += 1
        self._changed.wait_for(lambda: self._n_places > 0)
        self._n_returning -= 1
        self._n_places -= 1

    def _call_helpers(self) -> None:
        for _ in range(min(self._n_places, sum(work.wanted for work in self._open))):
            self._pool.submit(self._help)

    def _help(self) -> None:
        with self._changed:
            if not self._n_places or self._n_returning:
                return
            self._n_places -= 1
            work = self._begin_to_help()
        while work is not None:
            self._do_tasks(work, gives_way=True)
            with self._changed:
                work.n_threads -= 1
                work = self._begin_to_help()
                self._changed.notify_all()

    def _begin_to_help(self) -> _Work | None:
        """Work that has tasks left, with this thread at it; without any its place is free."""
        if self.error is None and not self._n_returning:
            for work in self._open:
                if work.wanted > 0:
                    work.n_threads += 1
                    return work
        self._n_places += 1
        return None


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
        self._team = _Team(n_jobs)

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
        if min(self.n_jobs, len(tasks), at_once or len(tasks)) < 2:
            return [function(task) for task in tasks]
        work = _Work(function, tasks, at_once or len(tasks))
        self._team.do(work)
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
