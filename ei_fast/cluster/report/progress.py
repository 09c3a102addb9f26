"""How far a batch is: what is done, failed or missing, by shard."""

import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ei_fast.cluster.finding.checkpoints import Checkpoint
from ei_fast.cluster.planning.batch import Batch
from ei_fast.cluster.running.log import AS_SHOWN, duration
from ei_fast.cluster.store.locks import is_held
from ei_fast.cluster.store.results import Place, content_hash, name_of, read_result, results_by_place
from ei_fast.results.tables import lines_of

Result = dict[str, Any]


@dataclass(frozen=True)
class ShardStatus:
    """Checkpoints of one shard: a checkpoint in parts is that of the shards that have one of them.

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
    """

    shards: list[ShardStatus]
    reasons: dict[str, str]
    done: int
    total: int

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
        failed = [f"{path}: {shown(said)}" for path, said in self.reasons.items() if not said.startswith("missing")]
        return "\n".join(
            [*lines_of(header, rows, right=range(2, 6)), f"{self.done} of {self.total} checkpoints done", *failed]
        )


def status(folder: str | os.PathLike) -> Status:
    """How far a batch is; reads results, changes nothing, and does not need the checkpoints.

    Parameters
    ----------
    folder : str or path

    Returns
    -------
    Status
    """
    batch = Batch.load(Path(os.path.abspath(folder)))
    results, reasons = collect(batch)
    took = [result["seconds"] for result in results if result is not None]
    each = sum(took) / len(took) if took else batch.seconds
    shards = []
    for shard, tasks in enumerate(batch.shards):
        indices = dict.fromkeys(task.checkpoint for task in tasks)
        done = sum(results[index] is not None for index in indices)
        lacking = [batch.checkpoints[index].path for index in indices if results[index] is None]
        missing = sum(reasons[path].startswith("missing") for path in lacking)
        running = is_held(batch.folder, shard)
        shards.append(ShardStatus(shard, running, done, len(lacking) - missing, missing, missing * each))
    return Status(shards, reasons, len(took), len(results))


def collect(batch: Batch) -> tuple[list[Result | None], dict[str, str]]:
    """The result of every checkpoint of the plan, and why there is none."""
    there = results_by_place(batch.folder)
    settings = {run: batch.settings_hash(run) for run in batch.ranges}
    shard_of = {task.checkpoint: shard for shard, tasks in enumerate(batch.shards) for task in tasks}
    results: list[Result | None] = []
    reasons = {}
    for index, one in enumerate(batch.checkpoints):
        place = Place(batch.folder, one.run, one.step, settings[one.run])
        result = _one_of(batch, one, place, there.get(name_of(one.run, one.step), []))
        results.append(result)
        if result is None:
            reasons[one.path] = _reason(place) or f"missing, of shard {shard_of[index]}"
    return results, reasons


def _one_of(batch: Batch, checkpoint: Checkpoint, place: Place, files: list[Path]) -> Result | None:
    """The result among those of other settings, other versions and other contents of the file."""
    with warnings.catch_warnings():
        # What is damaged counts as missing here; the run that computes it again says why.
        warnings.simplefilter("ignore")
        found = [(path, read_result(path, settings=place.settings)) for path in files]
    # One that was copied from another checkpoint's says what it is of.
    valid = {result["key"]: result for _, result in found if result and result["key"] == place.key(result["content"])}
    failed = _failure(place).get("key")
    if len(valid) > 1 or (valid and failed is not None and failed not in valid):
        # The file has been another one before: only its content tells which result is its own.
        try:
            return valid.get(place.key(content_hash(batch.base / checkpoint.path)))
        except OSError:
            return None
    return next(iter(valid.values()), None)


def _reason(place: Place) -> str | None:
    return _failure(place).get("said")


def _failure(place: Place) -> dict[str, Any]:
    """What was noted when the checkpoint failed; nothing where it did not."""
    try:
        noted = json.loads(place.failure.read_bytes())
        return {"key": noted["key"], "said": str(noted["said"])}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError):
        return {"said": "failed, for a reason that is damaged"}
