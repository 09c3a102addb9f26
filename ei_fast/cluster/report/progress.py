"""How far a batch is: what is done, failed or missing, by shard."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ei_fast.cluster.finding.checkpoint import Checkpoint
from ei_fast.cluster.finding.content import content_hash
from ei_fast.cluster.planning.batch import Batch
from ei_fast.cluster.running.log import AS_SHOWN, duration
from ei_fast.cluster.store.files import Place, places_of_failures, results_by_place
from ei_fast.cluster.store.locks import is_held
from ei_fast.cluster.store.results import Failure, read_failure, read_result
from ei_fast.cluster.store.states import State
from ei_fast.results.tables import lines_of

Result = dict[str, Any]


@dataclass(frozen=True)
class ShardStatus:
    """Checkpoints of one shard; one that is done in parts counts in every shard that has one of these.

    Attributes
    ----------
    shard : int
    is_running : bool
    done, failed, missing : int
    seconds_left : float
        Of one core.
    """

    shard: int
    is_running: bool
    done: int
    failed: int
    missing: int
    seconds_left: float


@dataclass(frozen=True)
class Status:
    """How far a batch is.

    Attributes
    ----------
    shards : list of ShardStatus
    reasons : dict of str to str
        Of every checkpoint that has no result: why it failed, or that it is missing, and which shard has it.
    done : int
    total : int
    states : dict of str to State
        Of every checkpoint that has no result: FAILED or MISSING.
    """

    shards: list[ShardStatus]
    reasons: dict[str, str]
    done: int
    total: int
    states: dict[str, State] = field(default_factory=dict)

    def __str__(self) -> str:
        """A table, and what failed."""
        header = ("shard", "state", "done", "failed", "missing", "left of one core")
        rows = [
            (
                str(one.shard),
                "running" if one.is_running else "" if one.missing or one.failed else "done",
                *(str(number) for number in (one.done, one.failed, one.missing)),
                duration(one.seconds_left) if one.missing else "",
            )
            for one in self.shards
        ]
        shown = AS_SHOWN.get()
        failed = [path for path, state in self.states.items() if state == State.FAILED]
        reasons = [f"{path}: {shown(self.reasons[path])}" for path in failed]
        return "\n".join(
            [*lines_of(header, rows, right=range(2, 6)), f"{self.done} of {self.total} checkpoints done", *reasons]
        )


def status(folder: str | os.PathLike[str]) -> Status:
    """How far a batch is; reads results and changes nothing.

    A checkpoint itself is read only where there are several results that may be its own.

    Parameters
    ----------
    folder : str or path

    Returns
    -------
    Status
    """
    batch = Batch.load(Path(os.path.abspath(folder)))
    results, lacking = collect(batch)
    took = [result["seconds"] for result in results if result is not None]
    # Of a checkpoint in parts a result tells how long the last step took, and no more.
    each = sum(took) / len(took) if took and not batch.part_counts else batch.seconds
    shards = []
    for shard, tasks in enumerate(batch.shards):
        indices = dict.fromkeys(task.checkpoint for task in tasks)
        done = sum(results[index] is not None for index in indices)
        states = [lacking[batch.checkpoints[index].path].state for index in indices if results[index] is None]
        missing = states.count(State.MISSING)
        running = is_held(batch.folder, shard)
        shards.append(ShardStatus(shard, running, done, len(states) - missing, missing, missing * each))
    reasons = {path: one.said for path, one in lacking.items()}
    return Status(shards, reasons, len(took), len(results), {path: one.state for path, one in lacking.items()})


@dataclass(frozen=True)
class Lacking:
    """A checkpoint that has no result.

    Attributes
    ----------
    state : State
        FAILED or MISSING.
    said : str
        Why it failed, or which shard has it.
    """

    state: State
    said: str


def collect(batch: Batch) -> tuple[list[Result | None], dict[str, Lacking]]:
    """The result of every checkpoint of the plan, and by path why there is none."""
    there, failed = results_by_place(batch.folder), places_of_failures(batch.folder)
    settings = {run: batch.settings_hash(run) for run in batch.ranges}
    shard_of = {task.checkpoint: shard for shard, tasks in enumerate(batch.shards) for task in tasks}
    results: list[Result | None] = []
    lacking = {}
    for index, one in enumerate(batch.checkpoints):
        place = Place(batch.folder, one.run, one.step, settings[one.run])
        failure = read_failure(place) if place.name in failed else None
        result = _one_of(batch, one, place, there.get(place.name, ()), failure)
        results.append(result)
        if result is None and failure is None:
            lacking[one.path] = Lacking(State.MISSING, f"missing, of shard {shard_of[index]}")
        elif result is None and failure is not None:
            lacking[one.path] = Lacking(State.FAILED, failure.said)
    return results, lacking


def _one_of(
    batch: Batch, checkpoint: Checkpoint, place: Place, files: Sequence[Path], failure: Failure | None
) -> Result | None:
    """The result among those of other settings, other versions and other contents of the file."""
    with warnings.catch_warnings():
        # What is damaged counts as missing here; the run that computes it again says why.
        warnings.simplefilter("ignore")
        found = [(path, read_result(path, settings=place.settings)) for path in files]
    # One that was copied from another checkpoint's says what it is of.
    valid = {result["key"]: result for _, result in found if result and result["key"] == place.key(result["content"])}
    failed = None if failure is None else failure.key
    if len(valid) > 1 or (valid and failed is not None and failed not in valid):
        # The file has been another one before: only its content tells which result is its own.
        try:
            return valid.get(place.key(content_hash(batch.base / checkpoint.path)))
        except OSError:
            return None
    return next(iter(valid.values()), None)
