"""Calls in several processes, which end when this one does, however it does."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import joblib

from ei_fast.cluster.running.orphans import end_with_parent


def in_processes(calls: Sequence[tuple[Callable[..., None], *tuple[Any, ...]]], n_processes: int) -> Iterator[None]:
    """Make all calls, of a function with its arguments, and yield whenever one is done."""
    if n_processes == 1 or len(calls) < 2:
        for function, *arguments in calls:
            yield function(*arguments)
        return
    parallel = joblib.Parallel(
        min(n_processes, len(calls)),
        return_as="generator_unordered",
        prefer="processes",
        batch_size=1,
        pre_dispatch="n_jobs",
        initializer=end_with_parent,
        initargs=(os.getpid(),),
    )
    yield from parallel(joblib.delayed(function)(*arguments) for function, *arguments in calls)
