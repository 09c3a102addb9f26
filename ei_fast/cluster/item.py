"""One task from file to result, in whatever process it falls to: nothing that goes wrong with it stops others."""

import json
import platform
import time
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ei_fast.cluster.batch import Batch, Part, Task
from ei_fast.cluster.checkpoints import Checkpoint
from ei_fast.cluster.costs import bytes_of_file
from ei_fast.cluster.locks import locked
from ei_fast.cluster.parts import PartIsDone, PartsOf, read_part, write_part
from ei_fast.cluster.results import CannotWrite, Place, content_hash, read_result, size_of, write_result, writing
from ei_fast.estimator import edges_of, joint_of
from ei_fast.network.network import Network
from ei_fast.parameters import RangesAndSeed, Settings
from ei_fast.runtime.files import write_whole
from ei_fast.runtime.threads import Workers
from ei_fast.training.continuation import widths_of
from ei_fast.warmup import warmup

DONE, THERE, FAILED = "done", "there", "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    task : Task
    kind : str
        ``"done"``, ``"there"`` where it was before, or ``"failed"``.
    said : str
        Why it failed.
    """

    task: Task
    kind: str
    said: str = ""


def work_on(batch: Batch, task: Task, checkpoint: Checkpoint, n_jobs: int, max_memory: int | None) -> Outcome:
    """Do a task and write what comes of it, unless that is there.

    Parameters
    ----------
    n_jobs : int
        Threads.
    max_memory : int or None
        Bytes that the process may take beside the package itself.

    Raises
    ------
    CannotWrite
        Anything else that goes wrong is written down, and is an outcome.
    """
    _compile()
    place = Place(batch.folder, checkpoint.run, checkpoint.step, batch.settings_hash(checkpoint.run))
    key = None
    try:
        path = batch.base / checkpoint.path
        content = content_hash(path)
        key = place.key(content)
        if read_result(place.result(key), key) is not None:
            kind = THERE
        else:
            _check_memory(batch, size_of(path), max_memory)
            kind = _Item(batch, checkpoint, place, content, n_jobs).do(task.part)
    except CannotWrite:
        raise
    except Exception as error:
        # A file may be damaged in any way, and a model raise anything: the reason is kept, and the work goes on.
        said = f"{type(error).__name__}: {error}"
        with writing(place.failure):
            failure = {"checkpoint": checkpoint.path, "key": key, "said": said, "machine": platform.node()}
            write_whole(place.failure, json.dumps(failure).encode(), lasting=False)
        return Outcome(task, FAILED, said)
    place.failure.unlink(missing_ok=True)
    return Outcome(task, kind)


class _Item:
    """A checkpoint that has no result yet."""

    def __init__(self, batch: Batch, checkpoint: Checkpoint, place: Place, content: str, n_jobs: int):
        self._batch, self._checkpoint, self._place, self._n_jobs = batch, checkpoint, place, n_jobs
        self._content, self._key = content, place.key(content)
        self._settings = Settings.checked(batch.estimator.get_params(deep=False) | {"n_jobs": n_jobs})

    def do(self, part: Part | None) -> str:
        """Measure it all, or a part; and put the parts together if that was the last."""
        if part is None:
            self._measure(Workers(self._n_jobs))
            return DONE
        kind = THERE
        if read_part(self._part_file(part.layer, part.measure, 0, part.k, part.n)) is None:
            self._do_part(part)
            kind = DONE
        if self._all_parts_are_there():
            # Several may find all of them there.
            with locked(self._place.lock) as mine:
                if mine and read_result(self._place.result(self._key), self._key) is None:
                    self._measure(PartsOf(self._n_jobs, self._batch.pieces, self._part_file))
                    kind = DONE
                if mine:
                    self._place.remove_parts(self._key)
        return kind

    def _network(self) -> Network:
        network = self._batch.network(self._checkpoint)
        widths = widths_of(network)
        if widths != self._batch.layers:
            raise ValueError(f"Its layers must be those of the plan, {self._batch.layers}. They are {widths}.")
        network.check_ranges(self._frozen(network).ranges)
        return network

    def _frozen(self, network: Network) -> RangesAndSeed:
        return self._batch.frozen_of(self._checkpoint, network)

    def _measure(self, workers: Workers) -> None:
        started = time.perf_counter()
        network = self._network()
        report = self._batch.estimator._measure(network, self._settings, self._frozen(network), workers)
        content = {
            "checkpoint": self._checkpoint.path,
            "content": self._content,
            "layers": [layer._figures() for layer in report],
            "skipped": report.skipped,
            "seconds": time.perf_counter() - started,
            "machine": platform.node(),
            "libraries": report.provenance["libraries"],
        }
        write_result(self._place.result(self._key), self._key, self._place.settings, content)

    def _do_part(self, part: Part) -> None:
        network = self._network()
        frozen = self._frozen(network)
        binned = self._batch.estimator.binned_layers(network, self._settings, frozen.ranges)[part.layer]
        with PartsOf(self._n_jobs, self._batch.pieces, self._part_file, part.k) as threads:
            workers = threads.on(part.layer, part.measure)
            try:
                if part.measure == "joint":
                    joint_of(binned, self._settings, frozen.seed, workers)
                else:
                    edges_of(binned, self._settings, frozen.seed, workers, part.measure)
            except PartIsDone:
                return
            # What has nothing to share is found anew by whoever puts the layer together.
            write_part(self._part_file(part.layer, part.measure, 0, part.k, part.n), ())

    def _part_file(self, layer: int, measure: str, number: int, k: int, n: int) -> Path:
        return self._place.part(self._key, f"layer{layer}-{measure}-{number}-{k}of{n}")

    def _all_parts_are_there(self) -> bool:
        return all(
            self._part_file(layer, measure, 0, k, n).exists()
            for (layer, measure), n in self._batch.pieces.items()
            for k in range(n)
        )


@cache
def _compile() -> None:
    """Once in a process, before any kernel is called: others may begin at this moment with the same empty cache."""
    done = warmup()
    if done.problem:
        warnings.warn(done.problem, stacklevel=2)


def _check_memory(batch: Batch, size: int, max_memory: int | None) -> None:
    """Before a file is read: one that is too large is not to bring down the job."""
    needed = max(batch.bytes, bytes_of_file(size))
    if max_memory is not None and needed > max_memory:
        raise MemoryError(
            f"It takes about {needed / 2**30:.2f} GiB, more than the {max_memory / 2**30:.2f} GiB that a process may "
            "take (--max-memory, or the job's limit, shared by its processes). Give more memory, or fewer --processes."
        )
