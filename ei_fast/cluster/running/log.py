"""What a run says as it goes: a bar on a terminal, now and then a line in a job's output."""

import sys
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from tqdm import tqdm

from ei_fast.cluster.finding.checkpoint import Checkpoint
from ei_fast.cluster.store.states import State
from ei_fast.cluster.work.item import Outcome
from ei_fast.results.tables import lines_of

_SECONDS_BETWEEN_LINES = 10.0
_MOST_RUNS, _MOST_STEPS = 12, 5

AS_SHOWN: ContextVar[Callable[[str], str]] = ContextVar("AS_SHOWN", default=str)
"""What a reason for which a checkpoint failed becomes where it is shown: the command has options for parameters."""


class Log:
    """Says on standard error how many tasks are done, which failed and why, and how long the rest may take."""

    def __init__(self, n_tasks: int, expected_seconds: float):
        self._n_tasks, self._expected = n_tasks, expected_seconds
        self._done = self._failed = 0
        self._began = self._said = time.monotonic()
        self._bar = tqdm(total=n_tasks, unit="task", file=sys.stderr) if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self._bar is None:
            self._line(f"{self._n_tasks} tasks, expected to take {duration(self._expected)} of one core")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
        else:
            self._line(self._state() + ("" if kind is None else ", stopped"))

    def tell(self, outcome: Outcome, checkpoint: Checkpoint) -> None:
        """One more task has come to an end."""
        self._done += 1
        if outcome.state == State.FAILED:
            self.tell_failure(outcome, checkpoint)
        if self._bar is not None:
            self._bar.set_postfix(failed=self._failed, refresh=False)
            self._bar.update()
        elif time.monotonic() - self._said > _SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            self._line(self._state())

    def tell_failure(self, outcome: Outcome, checkpoint: Checkpoint) -> None:
        """A task has failed, and why."""
        self._failed += 1
        message = f"failed: {checkpoint.path}: {AS_SHOWN.get()(outcome.said)}"
        self._line(message) if self._bar is None else self._bar.write(message, file=sys.stderr)

    def _state(self) -> str:
        took = time.monotonic() - self._began
        said = f"{self._done} of {self._n_tasks} tasks in {duration(took)}, {self._failed} failed"
        if 0 < self._done < self._n_tasks:
            said += f", about {duration(took / self._done * (self._n_tasks - self._done))} left"
        return said

    def _line(self, message: str) -> None:
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {message}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """As it is said: 42 s, 3 min, 2.5 h."""
    if seconds < 100:
        return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def runs_and_steps(checkpoints: Sequence[Checkpoint]) -> str:
    """A short table of what was read from the names of checkpoints, which are in order."""
    runs: dict[str, list[Checkpoint]] = {}
    for one in checkpoints:
        runs.setdefault(one.run, []).append(one)
    rows = [
        (run or "(one run)", str(len(of_run)), _shortened([one.step for one in of_run]), of_run[0].path)
        for run, of_run in list(runs.items())[:_MOST_RUNS]
    ]
    lines = lines_of(("run", "checkpoints", "steps", "first file"), rows, right=(1,))
    if len(runs) > _MOST_RUNS:
        lines.append(f"... and {len(runs) - _MOST_RUNS} more runs")
    return "\n".join(lines)


def _shortened(steps: Sequence[int]) -> str:
    if len(steps) > _MOST_STEPS:
        return f"{steps[0]}, {steps[1]}, {steps[2]}, ..., {steps[-1]}"
    return ", ".join(map(str, steps))
