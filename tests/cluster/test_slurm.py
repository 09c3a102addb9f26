"""The examples for Slurm in a real one: whatever becomes of the tasks of an array, the same bytes come out."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from slurm import Slurm, missing

from ei_fast import EffectiveInformation
from ei_fast.cluster import merge, plan, run, status

EXAMPLES = Path(__file__).parents[2] / "examples" / "slurm"
SHARDS, PER_SHARD = 4, 4
# A checkpoint takes some tenths of a second then: long enough to come between.
TOL = 0.0012
ESTIMATOR = EffectiveInformation(tol=TOL, random_state=0)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(missing() is not None, reason=str(missing()))]


@pytest.fixture(scope="module")
def slurm():
    with Slurm() as running:
        running.environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), running.environment["PATH"]])
        yield running


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    return _write_checkpoints(tmp_path_factory.mktemp("checkpoints"), PER_SHARD * SHARDS)


@pytest.fixture(scope="module")
def expected(checkpoints, tmp_path_factory):
    """What one process that is left alone makes of the checkpoints."""
    folder = tmp_path_factory.mktemp("alone") / "batch"
    plan(checkpoints, folder, SHARDS, ESTIMATOR)
    run(folder)
    merge(folder)
    return _merged(folder)


@pytest.fixture
def batch(checkpoints, tmp_path):
    """Folder of a plan of which nothing is done."""
    plan(checkpoints, tmp_path / "batch", SHARDS, ESTIMATOR)
    return tmp_path / "batch"


def _write_checkpoints(folder, n):
    for step in range(n):
        rng = np.random.default_rng(step)
        weights = {f"w{k}": rng.normal(size=shape) * (1 + step / 4) for k, shape in enumerate([(6, 5), (5, 4)])}
        np.savez(folder / f"step{step}.npz", **weights)
    return folder


def _run(folder, *shards):
    for shard in shards:
        run(folder, shard)


def _merged(folder):
    return {name: (folder / name).read_bytes() for name in ("trajectory.npz", "trajectory.csv")}


def _written(folder):
    """When each result was written."""
    return {path: path.stat().st_mtime_ns for path in (folder / "results").rglob("*.json")}


def _is_midway(folder, shard):
    there = status(folder).shards[shard]
    assert there.missing, "the shard was done too soon to come between"
    return there.done > 0


def _ends(slurm, *jobs):
    """State and exit code of each job and task, once they have ended."""
    slurm.wait(*jobs)
    return [(one["JobState"], one["ExitCode"]) for job in jobs for one in slurm.jobs(job)]


def test_an_array_and_its_merge(slurm, checkpoints, expected, tmp_path):
    folder = tmp_path / "batch"
    submit = (EXAMPLES / "submit.sh", checkpoints, folder, SHARDS, "--tol", TOL)
    array, merging = slurm.call(*submit, cwd=tmp_path).split()
    logs = [tmp_path / f"ei-fast-{array}_{shard}.log" for shard in range(SHARDS)]
    assert _ends(slurm, array, merging) == [("COMPLETED", "0:0")] * (SHARDS + 1), [log.read_text() for log in logs]
    assert [f"{PER_SHARD} done" in log.read_text() for log in logs] == [True] * SHARDS
    assert _merged(folder) == expected


def test_a_task_that_is_cancelled_stays_so_until_it_is_submitted_again(slurm, batch, expected):
    array = slurm.sbatch("--array=2", EXAMPLES / "array.sbatch", batch, cwd=batch)
    slurm.until(lambda: _is_midway(batch, 2))
    slurm.scancel(f"{array}_2")
    assert _ends(slurm, array) == [("CANCELLED", "143:0")]
    kept = _written(batch)
    assert len(kept) < PER_SHARD
    again = slurm.sbatch("--array=2", EXAMPLES / "array.sbatch", batch, cwd=batch)
    _run(batch, 0, 1, 3)
    assert _ends(slurm, again) == [("COMPLETED", "0:0")]
    merge(batch)
    assert _merged(batch) == expected
    assert kept.items() <= _written(batch).items()


def test_a_task_whose_time_is_nearly_up_goes_on_later(slurm, batch, expected):
    _run(batch, 0, 2)
    # The last task has the number of the array; it alone is to be queued again.
    array = slurm.sbatch("--array=1,3", EXAMPLES / "array.sbatch", batch, cwd=batch)
    merging = slurm.sbatch(f"--dependency=afterany:{array}", EXAMPLES / "merge.sbatch", batch, cwd=batch)
    slurm.until(lambda: _is_midway(batch, 3))
    # As --signal=B:TERM@60 does: to the script alone.
    slurm.scancel("--signal=TERM", "--batch", f"{array}_3")
    slurm.until(lambda: slurm.jobs(array)[1]["Restarts"] == "1")
    kept = _written(batch)
    assert _ends(slurm, array, merging) == [("COMPLETED", "0:0")] * 3
    assert [task["Restarts"] for task in slurm.jobs(array)] == ["0", "1"]
    log = (batch / f"ei-fast-{array}_3.log").read_text()
    assert "Ended by SIGTERM" in log
    assert log.count("is queued again") == 1
    assert _merged(batch) == expected
    assert kept.items() <= _written(batch).items()


@pytest.mark.endurance
def test_the_time_limit(slurm, tmp_path):
    """A minute is all that a task gets, so that the signal comes at Slurm's next look, within half a minute."""
    checkpoints, folder = tmp_path / "checkpoints", tmp_path / "batch"
    checkpoints.mkdir()
    plan(_write_checkpoints(checkpoints, 600), folder, 1, ESTIMATOR)
    array = slurm.sbatch("--array=0", "--time=1", EXAMPLES / "array.sbatch", folder, cwd=tmp_path)
    slurm.wait(array, seconds=900)
    [task] = slurm.jobs(array)
    assert (task["JobState"], task["ExitCode"]) == ("COMPLETED", "0:0")
    assert int(task["Restarts"]) >= 1
    assert status(folder).done == 600


def test_an_array_that_is_too_large(slurm, batch):
    array = slurm.sbatch("--array=4", EXAMPLES / "array.sbatch", batch, cwd=batch)
    assert _ends(slurm, array) == [("FAILED", "1:0")]
    log = (batch / f"ei-fast-{array}_4.log").read_text()
    assert "Got 4. Submit the array with --array=0-3." in log


def test_a_checkpoint_that_cannot_be_measured_is_named(slurm, tmp_path):
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    np.savez(folder / "step0.npz", w0=np.eye(2))
    (folder / "step1.npz").write_bytes(b"nothing")
    array, merging = slurm.call(EXAMPLES / "submit.sh", folder, tmp_path / "batch", 2, cwd=tmp_path).split()
    assert sorted(_ends(slurm, array, merging)) == [("COMPLETED", "0:0"), ("FAILED", "3:0"), ("FAILED", "3:0")]
    assert "step1.npz: " in (tmp_path / f"ei-fast-merge-{merging}.log").read_text()
    assert not (tmp_path / "batch" / "trajectory.npz").exists()


def test_nothing_of_slurm_outlives_the_tests(tmp_path):
    script = tmp_path / "job"
    script.write_text("#!/bin/sh\ntrap '' TERM\ntouch started\nsleep 600\n")
    with Slurm() as other:
        other.sbatch(script, cwd=tmp_path)
        other.until((tmp_path / "started").exists)
        # The job is there a moment before what it waits for is.
        other.until(lambda: "sleep 600" in " ".join(other.processes().values()))
        running = " ".join(other.processes().values())
        assert all(name in running for name in ("munged", "slurmctld", "slurmd", "slurmstepd", "sleep 600"))
    assert not other.processes()
