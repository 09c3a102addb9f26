"""One task from file to result, in whatever process it falls to: nothing that goes wrong with it stops others."""

import platform
import time
import warnings
from dataclasses import dataclass, replace
from functools import cache

from ei_fast.cluster.finding.checkpoint import Checkpoint
from ei_fast.cluster.finding.content import content_hash, size_of
from ei_fast.cluster.planning.batch import Batch, Part, Task
from ei_fast.cluster.planning.costs import bytes_of_file
from ei_fast.cluster.store.files import Place
from ei_fast.cluster.store.locks import locked
from ei_fast.cluster.store.results import read_result, write_failure, write_part, write_result
from ei_fast.cluster.store.states import State
from ei_fast.cluster.work.parts import PartsRunner
from ei_fast.errors import BatchWarning, CannotWrite
from ei_fast.measures.layer import one_measure
from ei_fast.measures.stages import UNFINISHED, Runner
from ei_fast.network.network import Network
from ei_fast.parameters import RangesAndSeed
from ei_fast.runtime.threads import Threads
from ei_fast.training.continuation import widths_of
from ei_fast.warmup import warmup


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Attributes
    ----------
    task : Task
    state : State
        DONE, THERE where it was before, or FAILED.
    said : str
        Why it failed.
    is_unfinished : bool
        Whether what was to be done now is done, but the measure waits for other parts.
    """

    task: Task
    state: State
    said: str = ""
    is_unfinished: bool = False


def work_on(
    batch: Batch,
    task: Task,
    checkpoint: Checkpoint,
    n_jobs: int,
    max_memory: int | None,
    to_the_end: bool = False,
) -> Outcome:
    """Do a task and write what comes of it, unless that is there.

    Parameters
    ----------
    n_jobs : int
        Threads.
    max_memory : int or None
        Bytes that the process may take beside the package itself.
    to_the_end : bool
        Of a part: wait for the other parts that are being done, and help with later stages.

    Raises
    ------
    CannotWrite
        Anything else that goes wrong is written down, and is an outcome.
    """
    _compile()
    place = Place(batch.folder, checkpoint.run, checkpoint.step, batch.settings_hash(checkpoint.run))
    key, is_unfinished = None, False
    try:
        path = batch.base / checkpoint.path
        content = content_hash(path)
        key = place.key(content)
        if read_result(place.result(key), key) is not None:
            state = State.THERE
        else:
            _check_memory(batch, size_of(path), max_memory)
            state, is_unfinished = _Item(batch, checkpoint, place, content, n_jobs).do(task.part, to_the_end)
    except CannotWrite:
        raise
    except Exception as error:
        # A file may be damaged in any way, and a model raise anything: the reason is kept, and the work goes on.
        said = f"{type(error).__name__}: {error}"
        write_failure(place, checkpoint.path, key, said)
        return Outcome(task, State.FAILED, said)
    place.failure.unlink(missing_ok=True)
    return Outcome(task, state, is_unfinished=is_unfinished)


class _Item:
    """A checkpoint that has no result yet."""

    def __init__(self, batch: Batch, checkpoint: Checkpoint, place: Place, content: str, n_jobs: int):
        self._batch, self._checkpoint, self._place, self._n_jobs = batch, checkpoint, place, n_jobs
        self._content, self._key = content, place.key(content)
        self._settings = replace(batch.settings, n_jobs=n_jobs)

    def do(self, part: Part | None, to_the_end: bool) -> tuple[State, bool]:
        """Measure it all, or a part, and put all together after the last one: state, and whether it is unfinished."""
        if part is None:
            self._measure(Runner(Threads(self._n_jobs)))
            return State.DONE, False
        n_computed = 0
        if not self._is_measured(part.layer, part.measure):
            n_computed, is_finished = self._do_part(part, to_the_end)
            if not is_finished:
                if self._place.result(self._key).exists():
                    # Another job has put all together meanwhile: what was written since is of no use.
                    self._place.remove_parts(self._key)
                return (State.DONE if n_computed else State.THERE), True
        state = State.DONE if n_computed else State.THERE
        if all(self._is_measured(layer, measure) for layer, measure in self._batch.part_counts):
            # Several may find all of them there.
            with locked(self._place.lock) as mine:
                if mine and read_result(self._place.result(self._key), self._key) is None:
                    self._measure(self._runner())
                    state = State.DONE
                if mine:
                    self._place.remove_parts(self._key)
        return state, False

    def _runner(self, own: int | None = None, to_the_end: bool = False) -> PartsRunner:
        return PartsRunner(
            Threads(self._n_jobs),
            self._batch.part_counts,
            lambda name: self._place.part(self._key, name),
            lambda name: self._place.part_lock(self._key, name),
            self._place.result(self._key).exists,
            own,
            to_the_end,
        )

    def _read(self) -> tuple[Network, RangesAndSeed]:
        """What the checkpoint holds, and what it is measured with, both checked."""
        network = self._batch.network(self._checkpoint)
        widths = widths_of(network)
        if widths != self._batch.layers:
            raise ValueError(f"Its layers must be those of the plan, {self._batch.layers}. They are {widths}.")
        ranges_and_seed = self._batch.ranges_and_seed_of(self._checkpoint, network)
        network.check_ranges(ranges_and_seed.ranges)
        return network, ranges_and_seed

    def _measure(self, runner: Runner) -> None:
        started = time.perf_counter()
        network, ranges_and_seed = self._read()
        report = self._batch.estimator.measure(network, self._settings, ranges_and_seed, runner)
        content = {
            "checkpoint": self._checkpoint.path,
            "content": self._content,
            "layers": [layer.figures() for layer in report],
            "skipped": report.skipped,
            "seconds": time.perf_counter() - started,
            "machine": platform.node(),
            "libraries": report.provenance["libraries"],
        }
        write_result(self._place.result(self._key), self._key, self._place.settings, content)

    def _do_part(self, part: Part, to_the_end: bool) -> tuple[int, bool]:
        """How many parts of stages were computed now, and whether the measure is finished."""
        network, ranges_and_seed = self._read()
        binned = self._batch.estimator.binned_layers(network, self._settings, ranges_and_seed.ranges)[part.layer]
        runner = self._runner(part.k, to_the_end)
        with runner.threads:
            method = one_measure(binned, part.measure, self._settings.options, ranges_and_seed.seed)
            found = runner.named(f"layer{part.layer}").named(part.measure).run(method)
        if found is UNFINISHED:
            return runner.n_computed[0], False
        write_part(self._place.finished(self._key, part.layer, part.measure), ())
        return runner.n_computed[0], True

    def _is_measured(self, layer: int, measure: str) -> bool:
        return self._place.finished(self._key, layer, measure).exists()


@cache
def _compile() -> None:
    """Once in a process, before any kernel is called: others may begin at this moment with the same empty cache."""
    done = warmup()
    if done.problem:
        warnings.warn(done.problem, BatchWarning, stacklevel=2)


def _check_memory(batch: Batch, size: int, max_memory: int | None) -> None:
    """Before a file is read: one that is too large is not to bring down the job."""
    # Layers that are measured each by itself are those of the plan, whatever else a file holds.
    needed = batch.bytes if batch.reading.get("chain") is False else max(batch.bytes, bytes_of_file(size))
    if max_memory is not None and needed > max_memory:
        raise MemoryError(
            f"It takes about {needed / 2**30:.2f} GiB, more than the {max_memory / 2**30:.2f} GiB that a process may "
            "take (--max-memory, or the job's limit, shared by its processes). Give more memory, or fewer --processes."
        )
