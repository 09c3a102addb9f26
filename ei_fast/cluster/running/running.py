"""Run the tasks of a shard, or of all: in this process, in several, or wherever joblib's backend takes them."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError
from joblib.parallel import get_active_backend

from ei_fast.cluster.finding.checkpoint import Checkpoint
from ei_fast.cluster.planning.batch import Batch, Task
from ei_fast.cluster.running.job import memory_limit, shard_from_environment
from ei_fast.cluster.running.log import Log
from ei_fast.cluster.running.orphans import end_with_parent
from ei_fast.cluster.store.files import name_of, unfinished_files
from ei_fast.cluster.store.locks import check_writable, holding
from ei_fast.cluster.store.states import State
from ei_fast.cluster.work.item import Outcome, work_on
from ei_fast.errors import Busy, missing_extra
from ei_fast.parameters import Integer
from ei_fast.runtime.threads import available_cores

_PACKAGE_BYTES = 512 * 2**20
"""Of a process that has the package loaded and its kernels at hand: 281 MiB as measured, 463 with PyTorch."""
_SECONDS_WORTH_PROCESSES = 20.0
"""Starting processes takes some seconds each."""


@dataclass(frozen=True)
class Summary:
    """What became of the tasks of one run.

    Attributes
    ----------
    done, there, failed : int
        Tasks done now, done before, and failed.
    busy : tuple of int
        Shards that another process runs.
    """

    done: int
    there: int
    failed: int
    busy: tuple[int, ...]

    def __str__(self) -> str:
        said = f"{self.done} done, {self.there} were there, {self.failed} failed"
        return said + (f"; shards {list(self.busy)} are being run elsewhere" if self.busy else "")


def run(
    folder: str | os.PathLike[str],
    shard: int | None = None,
    *,
    processes: int | None = None,
    max_memory: int | None = None,
    dask_scheduler: str | None = None,
) -> Summary:
    """Do what is not done yet of a shard, or of all.

    Parameters
    ----------
    folder : str or path
        Of the batch.
    shard : int, optional
        From 0 on. Where not given: of the Slurm array that the process belongs to, or all of them.
    processes : int, optional
        Number of worker processes; where not given as many as cores that the job has, unless the work is small.
        What cores are left over go to each one's threads. Under ``joblib.parallel_config`` its backend is used.
    max_memory : int, optional
        Bytes that all processes together may take; where not given what the job is limited to. A checkpoint that
        needs more is recorded as failed. With Dask or another backend of joblib: what each worker may take, without a
        limit where not given.
    dask_scheduler : str, optional
        Address of a scheduler of ``dask.distributed``, whose workers do the work.

    Returns
    -------
    Summary

    Raises
    ------
    ValueError
        For a shard that the plan does not have, or that another process runs.
    CannotWrite, OSError
        Where a result cannot be written. What has been written stays.
    """
    batch = Batch.load(Path(os.path.abspath(folder)))
    shards = _asked_for(batch, shard)
    check_writable(batch.folder)
    if not batch.base.is_dir():
        raise ValueError(
            f"The checkpoints are no longer in {str(batch.base)!r}. Bring them back, or plan again with replace=True "
            "(ei-fast batch plan --replace)."
        )
    with ExitStack() as stack:
        held, busy = _held(batch, shards, stack)
        tasks = [(task, batch.checkpoints[task.checkpoint]) for one in held for task in batch.shards[one]]
        _remove_unfinished(batch, tasks)
        log = stack.enter_context(Log(len(tasks), sum(task.seconds for task, _ in tasks)))
        n_processes, n_threads, most = _resources(batch, tasks, processes, max_memory, dask_scheduler is not None)
        counts = dict.fromkeys((State.DONE, State.THERE, State.FAILED), 0)
        fixed = {run: batch.of_run(run) for run in batch.ranges}
        calls = ((fixed[one.run], task, one, n_threads, most) for task, one in tasks)
        unfinished = []
        with _cluster(dask_scheduler):
            for outcome in _outcomes(calls, n_processes):
                counts[outcome.state] += 1
                log.tell(outcome, batch.checkpoints[outcome.task.checkpoint])
                if outcome.is_unfinished:
                    unfinished.append(outcome)
            # What all parts of a stage have made together is gone on with when nothing else is left to do.
            states = {outcome.task: outcome.state for outcome in unfinished}
            ones = {task: batch.checkpoints[task.checkpoint] for task in states}
            again = ((fixed[one.run], task, one, n_threads, most, True) for task, one in ones.items())
            for outcome in _outcomes(again, n_processes) if states else ():
                before = states[outcome.task]
                if outcome.state != before and outcome.state != State.THERE:
                    counts[before] -= 1
                    counts[outcome.state] += 1
                if outcome.state == State.FAILED:
                    log.tell_failure(outcome, batch.checkpoints[outcome.task.checkpoint])
    return Summary(counts[State.DONE], counts[State.THERE], counts[State.FAILED], busy)


def _asked_for(batch: Batch, shard: int | None) -> list[int]:
    source, last = "The 'shard' parameter of run", batch.n_shards - 1
    remedy = "Give one of these, or none to do all of them."
    if shard is None:
        shard, source = shard_from_environment(), "SLURM_ARRAY_TASK_ID"
        remedy = f"Submit the array with --array=0-{last}."
    if shard is None:
        return list(range(batch.n_shards))
    shard = Integer(0).checked("shard", shard, "run")
    if shard >= batch.n_shards:
        raise ValueError(f"{source} must be a shard of the plan, from 0 to {last}. Got {shard}. {remedy}")
    return [shard]


def _held(batch: Batch, shards: Sequence[int], stack: ExitStack) -> tuple[list[int], tuple[int, ...]]:
    """Shards that are this process's own now, and those that others have; Busy where that is all."""
    held, busy = [], []
    for shard in shards:
        try:
            stack.enter_context(holding(batch.folder, shard))
            held.append(shard)
        except Busy:
            if len(shards) == 1:
                raise
            busy.append(shard)
    return held, tuple(busy)


def _remove_unfinished(batch: Batch, tasks: Sequence[tuple[Task, Checkpoint]]) -> None:
    """Remove what a process that was killed has left of this shard's files."""
    own = {name_of(checkpoint.run, checkpoint.step): task.part for task, checkpoint in tasks}
    for path, name in unfinished_files(batch.folder):
        # Of a checkpoint in parts other files may be other shards'; merging removes what is left.
        if name in own and own[name] is None:
            path.unlink(missing_ok=True)


def _resources(
    batch: Batch,
    tasks: Sequence[tuple[Task, Checkpoint]],
    processes: int | None,
    max_memory: int | None,
    elsewhere: bool,
) -> tuple[int | None, int, int | None]:
    """Processes (None: as joblib is configured), threads of each, and bytes that each may take."""
    backend, configured = get_active_backend(prefer="processes")
    if elsewhere or configured not in (None, 1) or type(backend).__name__ != "LokyBackend":
        return None, 1, max_memory
    limit = memory_limit() if max_memory is None else max_memory
    cores = available_cores()
    if processes is None:
        small = sum(task.seconds for task, _ in tasks) < _SECONDS_WORTH_PROCESSES
        processes = 1 if small else min(cores, len(tasks))
        if limit is not None:
            processes = max(1, min(processes, limit // (_PACKAGE_BYTES + batch.bytes)))
    else:
        processes = Integer(1).checked("processes", processes, "run")
    most = None if limit is None else max(0, limit // processes - _PACKAGE_BYTES)
    return processes, max(1, cores // processes), most


def _outcomes(calls: Iterable[tuple[Any, ...]], n_processes: int | None) -> Iterator[Outcome]:
    """What comes of the tasks, as it comes."""
    if n_processes == 1:
        yield from (work_on(*call) for call in calls)
        return
    # Other backends' workers are not this process's children, or look after themselves.
    ends = {} if n_processes is None else {"initializer": end_with_parent, "initargs": (os.getpid(),)}
    parallel = joblib.Parallel(n_processes, return_as="generator_unordered", prefer="processes", **ends)
    try:
        yield from parallel(joblib.delayed(work_on)(*call) for call in calls)
    except TerminatedWorkerError as error:
        raise ChildProcessError(
            "A worker process was killed, by the system for want of memory or by somebody. What was done is kept: run "
            "again, with processes=1 or more memory."
        ) from error


def _cluster(scheduler: str | None) -> AbstractContextManager[object]:
    """Where joblib sends the work from now on."""
    if scheduler is None:
        return nullcontext()
    try:
        from distributed import Client
    except ImportError as error:
        raise missing_extra("A Dask cluster", "dask.distributed", "cluster") from error
    stack = ExitStack()
    stack.enter_context(cast(Any, Client)(scheduler))
    stack.enter_context(joblib.parallel_config(backend="dask"))
    return stack
