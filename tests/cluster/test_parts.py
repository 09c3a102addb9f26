"""Stages in parts: every component and every round is shared out among the jobs of a batch."""

import threading

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.cluster import plan, run
from ei_fast.cluster.store.files import Place
from ei_fast.cluster.work import parts
from ei_fast.cluster.work.parts import PartsRunner
from ei_fast.measures.layer import one_measure
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import UNFINISHED, run_here
from ei_fast.network.binned import BinnedLayer
from ei_fast.runtime.threads import Threads

N_PARTS = 4
PART_COUNTS = {(0, "joint"): N_PARTS}


@pytest.fixture
def binned(random_weight):
    """A layer of three components: two whose cells are drawn, one of which every cell is visited."""
    weight = np.zeros((13, 9))
    weight[:5, :3], weight[5:11, 3:7], weight[11:, 7:] = (
        random_weight(5, 3, 4.0, 1),
        random_weight(6, 4, 6.0, 2),
        random_weight(2, 2, 3.0, 3),
    )
    return BinnedLayer(ef.Layer(weight), 0, (0.0, 1.0), (0.0, 1.0), 8, 8)


class _Jobs:
    """Jobs that share a folder, and who did which part."""

    def __init__(self, folder, binned, options):
        self._folder, self._binned, self._options = folder, binned, options
        self.done_by, self.is_settled = {}, lambda: False
        for name in ("parts", "locks"):
            (folder / name).mkdir()

    def run(self, job, to_the_end=False):
        """What the job makes of the measure now."""

        def part_file(name):
            return self._folder / "parts" / f"{name}.npz"

        before = set(self._files())

        def lock_file(name):
            return self._folder / "locks" / f"{name}.lock"

        runner = PartsRunner(Threads(1), PART_COUNTS, part_file, lock_file, self.is_settled, job, to_the_end)
        found = runner.named("layer0").named("joint").run(one_measure(self._binned, "joint", self._options, 1))
        for name in set(self._files()) - before:
            self.done_by.setdefault(name, job)
        return found

    def _files(self):
        return [path.stem for path in (self._folder / "parts").iterdir() if not path.name.startswith(".")]


def _stages(done_by):
    """Of every stage that is shared, who did its parts in order."""
    names = {name.rpartition("-")[0] for name in done_by if name.endswith(f"of{N_PARTS}")}
    return {name: [done_by[f"{name}-{k}of{N_PARTS}"] for k in range(N_PARTS)] for name in names}


def test_every_component_and_every_round_is_shared_out(tmp_path, binned):
    options = MeasureOptions(tol=0.0007)
    jobs = _Jobs(tmp_path, binned, options)
    found = [UNFINISHED] * N_PARTS
    while any(result is UNFINISHED for result in found):
        found = [jobs.run(job) for job in range(N_PARTS)]
    alone = run_here(one_measure(binned, "joint", options, 1), Threads(1))
    assert found == [alone] * N_PARTS
    stages = _stages(jobs.done_by)
    assert all(done_by == list(range(N_PARTS)) for done_by in stages.values())
    # Three components, the first inputs of which are 0, 5 and 11, and more than one round of the last.
    assert {name.split("-")[2] for name in stages} == {"input0", "input5", "input11"}
    assert {"layer0-joint-input11-every-cell-0", "layer0-joint-input11-every-cell-1"} <= set(stages)


@pytest.mark.parametrize("joint", ["auto", "gaussian"])
def test_scored_and_annealed_states_are_shared_out(tmp_path, random_weight, joint):
    binned = BinnedLayer(ef.Layer(random_weight(30, 20, 4.0)), 0, (0.0, 1.0), (0.0, 1.0), 8, 8)
    options = MeasureOptions(joint=joint, effort=0.1)
    jobs = _Jobs(tmp_path, binned, options)
    found = [UNFINISHED] * N_PARTS
    while any(result is UNFINISHED for result in found):
        found = [jobs.run(job) for job in range(N_PARTS)]
    alone = run_here(one_measure(binned, "joint", options, 1), Threads(1))
    assert alone.method == ("gaussian" if joint == "gaussian" else "annealed")
    assert found == [alone] * N_PARTS
    stages = _stages(jobs.done_by)
    assert all(done_by == list(range(N_PARTS)) for done_by in stages.values())
    kinds = {name.split("-", 3)[3].rsplit("-", 1)[0].removesuffix("-0") for name in stages}
    shared = {"anywhere-scores", "inside-scores", "inside-controls"}
    assert shared | (set() if joint == "gaussian" else {"anywhere-annealed", "inside-annealed"}) <= kinds


def test_what_ended_jobs_would_have_done_is_done_by_the_last(tmp_path, binned):
    jobs = _Jobs(tmp_path, binned, MeasureOptions(tol=0.0007))
    # As jobs that run one after the other: only the last one sees all parts of a stage.
    for job in range(N_PARTS - 1):
        assert jobs.run(job) is UNFINISHED
        assert jobs.run(job, to_the_end=True) is UNFINISHED
    first = dict(jobs.done_by)
    assert jobs.run(N_PARTS - 1, to_the_end=True) is not UNFINISHED
    # Parts of the first stages are each job's own, even for one that is to go to the end.
    assert sorted(set(first.values())) == list(range(N_PARTS - 1))
    assert {name: jobs.done_by[name] for name in first} == first


def test_the_parts_of_others_at_work_are_waited_for(tmp_path, binned, monkeypatch):
    jobs = _Jobs(tmp_path, binned, MeasureOptions(tol=0.05))
    for job in range(N_PARTS - 1):
        jobs.run(job)
    begun, may_go_on = threading.Event(), threading.Event()
    write = parts.write_part

    def held_up(file, arrays):
        if threading.current_thread().name == "slow" and file.stem.endswith(f"{N_PARTS - 1}of{N_PARTS}"):
            begun.set()
            may_go_on.wait(60)
        write(file, arrays)

    monkeypatch.setattr(parts, "write_part", held_up)
    slow = threading.Thread(target=jobs.run, args=(N_PARTS - 1,), name="slow")
    slow.start()
    assert begun.wait(60)
    threading.Timer(1.0, may_go_on.set).start()
    found = jobs.run(0, to_the_end=True)
    slow.join(60)
    assert found is not UNFINISHED


def test_what_another_job_has_put_together_and_removed_is_not_done_again(tmp_path, binned):
    jobs = _Jobs(tmp_path, binned, MeasureOptions(tol=0.0007))
    for job in range(N_PARTS):
        jobs.run(job)
    # As another job does that comes to the end first, while this one is between two stages.
    looked = []

    def is_settled():
        looked.append(1)
        if len(looked) == 2:
            for path in (tmp_path / "parts").iterdir():
                path.unlink()
        return len(looked) >= 2

    jobs.is_settled = is_settled
    assert jobs.run(0, to_the_end=True) is UNFINISHED
    shared = [path for path in (tmp_path / "parts").iterdir() if f"of{N_PARTS}" in path.name]
    assert shared == []


def test_no_time_is_lost_where_nobody_is_waited_for(tmp_path, binned, monkeypatch):
    jobs = _Jobs(tmp_path, binned, MeasureOptions(tol=0.0007))
    for job in range(N_PARTS):
        jobs.run(job)
    monkeypatch.setattr(parts.time, "sleep", lambda seconds: pytest.fail("a job that is alone has waited"))
    assert jobs.run(0, to_the_end=True) is not UNFINISHED


def test_a_run_may_be_called_as_locks_are(tmp_path):
    """A lock of its parts that was left is none of a shard."""
    folder = tmp_path / "c" / "shard-a"
    folder.mkdir(parents=True)
    np.savez(folder / "5.npz", w0=np.eye(3))
    batch = plan(tmp_path / "c", tmp_path / "out", 1, ef.EffectiveInformation(random_state=0))
    place = Place(batch.folder, "shard-a", 5, batch.settings_hash("shard-a"))
    place.lock.parent.mkdir(exist_ok=True)
    place.lock.touch()
    plan(tmp_path / "c", tmp_path / "out", 1, ef.EffectiveInformation(random_state=0), replace=True)
    assert run(tmp_path / "out").done == 1
