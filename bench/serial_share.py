"""How much of a measurement cannot be shared out, and what that leaves of many cores: python bench/serial_share.py.

Every piece of work is done in one thread, which says how long each of its tasks takes that may run side by side, and
how long what lies between them takes. From that follows how much faster so many cores would be, if memory served all of
them as well as one: tasks go to whichever core is free, stages wait for their last task.
"""

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from shapes import weight_of

import ei_fast as ef
from ei_fast.measures.stages import Runner
from ei_fast.runtime.threads import Threads

CORES = (2, 4, 16, 64)
WORK = {
    "conditional, 100->30, 4·10⁶ points": (
        (100, 30),
        {"joint": "conditional", "pairwise": "none", "n_samples": 4 * 10**6},
    ),
    "plug-in, 25->6, 10⁷ points": ((25, 6), {"joint": "plugin", "pairwise": "none", "n_samples": 10**7}),
    "whole report, 784->128": ((784, 128), {}),
    "conditional, 784->128, 10⁵ points": (
        (784, 128),
        {"joint": "conditional", "pairwise": "none", "n_samples": 10**5},
    ),
}
"""The layer, and the parameters, of each piece of work."""


class InTurn(Threads):
    """As if there were so many threads: does every task in turn, and notes how long each took.

    Attributes
    ----------
    stages : list of (str, list of float)
        What each stage does, and the seconds of its tasks.
    """

    def __init__(self, n_jobs: int):
        super().__init__(1)
        self.n_jobs = n_jobs
        self.stages: list[tuple[str, list[float]]] = []
        self._is_in_task = False

    def map(self, function: Callable, tasks: Iterable, at_once: int | None = None, title: str = "") -> list[Any]:
        tasks = list(tasks)
        if self._is_in_task or min(len(tasks), at_once or len(tasks)) < 2:
            return [function(task) for task in tasks]
        seconds: list[float] = []
        results = []
        self._is_in_task = True
        for task in tasks:
            begun = time.process_time()
            results.append(function(task))
            seconds.append(time.process_time() - begun)
        self._is_in_task = False
        self.stages.append((getattr(function, "__qualname__", str(function)), seconds))
        return results

    def alone(self) -> Threads:
        return Threads(1)


def measured(
    widths: tuple[int, int], params: dict[str, Any], n_jobs: int
) -> tuple[float, list[tuple[str, list[float]]]]:
    """Seconds of one core, and the stages."""
    estimator = ef.EffectiveInformation(random_state=0, **params)
    checked = estimator.check([weight_of(*widths)])
    threads = InTurn(n_jobs)
    begun = time.process_time()
    estimator.measure(*checked, Runner(threads))
    return time.process_time() - begun, threads.stages


def seconds_on(cores: int, total: float, stages: list[tuple[str, list[float]]]) -> float:
    """What it would take with so many cores."""
    seconds = total - sum(sum(tasks) for _, tasks in stages)
    for _, tasks in stages:
        busy = [0.0] * cores
        for task in tasks:
            k = busy.index(min(busy))
            busy[k] += task
        seconds += max(busy)
    return seconds


def main(verbose: bool, repeats: int = 3) -> None:
    print(
        "| work | seconds of one core | serial share | tasks at a time, by their time | "
        + " | ".join(f"{n} cores" for n in CORES)
        + " |"
    )
    print("| --- " * (4 + len(CORES)) + "|")
    for work, (widths, params) in WORK.items():
        measured(widths, params, max(CORES))
        # The quickest: what others do on the machine comes on top.
        total, stages = min((measured(widths, params, max(CORES)) for _ in range(repeats)), key=lambda run: run[0])
        shared = sum(sum(tasks) for _, tasks in stages)
        at_a_time = sum(len(tasks) * sum(tasks) for _, tasks in stages) / shared
        gains = []
        for cores in CORES:
            alike = min((measured(widths, params, cores) for _ in range(repeats)), key=lambda run: run[0])
            gains.append(f"{total / seconds_on(cores, *alike):.1f}×")
        print(
            f"| {work} | {total:.2f} | {1 - shared / total:.2%} | {at_a_time:.0f} | {' | '.join(gains)} |", flush=True
        )
        if verbose:
            for name, tasks in stages:
                print(f"    {name}: {len(tasks)} tasks, {sum(tasks):.4f} s, longest {max(tasks):.4f} s")


if __name__ == "__main__":
    main("-v" in sys.argv[1:])
