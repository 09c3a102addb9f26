"""Batches that are killed or asked to end, and two at once: what was done stays, and running again finishes it."""

import os
import random
import re
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hazards import (
    LONG,
    SHORT,
    files_of,
    merged,
    planned,
    said_by,
    something_is_done,
    started,
    trained,
    undisturbed,
    unfinished,
    until,
)

import ei_fast as ef
from ei_fast.cluster import merge, plan, run, status
from ei_fast.cluster.planning.batch import Batch
from ei_fast.cluster.store.locks import Busy, holding
from ei_fast.parameters import Settings
from ei_fast.runtime.threads import available_cores

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are watched in /proc")


def workers_of(pid):
    """Loky's worker processes below a process."""
    children = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if parent_of(path) == pid]
    return [one for one in children if b"popen_loky" in Path(f"/proc/{one}/cmdline").read_bytes()]


def parent_of(stat):
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def has_ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def kill(process, whom, workers):
    """Kill all processes, or the main one, or a worker; what is left must end by itself."""
    if whom == "all":
        # It may have ended by itself.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    elif whom == "main" or not workers:
        process.kill()
    else:
        os.kill(workers[0], signal.SIGKILL)
    _, said = process.communicate(timeout=30)
    assert until(lambda: all(has_ended(one) for one in workers), 5), "workers have outlived their parent by 5 s"
    return said


def _killed_and_resumed(tmp_path, n_kills, processes, longest, seed):
    """Kill a run again and again; return how often it was in the middle of its work."""
    rng = random.Random(seed)
    checkpoints = trained(tmp_path / "checkpoints", 12 + 20 * n_kills // (1 if longest is None else 4), (6, 5, 4))
    split = {} if longest is None else {"longest": longest}
    expected = undisturbed(checkpoints, tmp_path / "undisturbed", settings=LONG, **split)
    folder = planned(checkpoints, tmp_path / "batch", 2, LONG, **split)
    amid = 0
    for k in range(n_kills):
        before = files_of(folder, "results", "parts")
        process = started("run", folder, "--processes", processes)
        if k % 3 == 2:
            # While it starts, or wherever it is by then.
            time.sleep(rng.uniform(0, 4))
        else:
            assert until(something_is_done(folder, process))
            time.sleep(rng.uniform(0, 0.3))
        amid += process.poll() is None
        kill(process, rng.choice(("all", "main", "worker")), workers_of(process.pid) if process.poll() is None else [])
        after = files_of(folder, "results", "parts")
        # Parts go when they have been put together; nothing else goes, and nothing is written twice.
        gone = {path for path in before if path not in after}
        assert all(path.parent.parent.name == "parts" for path in gone)
        assert all(after[path] == written for path, written in before.items() if path not in gone)
    there = files_of(folder)
    code, said = said_by("run", folder, "--processes", processes)
    assert code == 0
    if longest is None:
        total = len(list(checkpoints.iterdir()))
        assert f"{total - len(there)} done, {len(there)} were there, 0 failed" in said
    done = files_of(folder)
    assert there.items() <= done.items()
    assert len(done) == len(list(checkpoints.iterdir()))
    assert merged(folder) == expected
    assert unfinished(folder) == []
    assert list((folder / "parts").glob("*/*")) == []
    assert {path.name[:5] for path in (folder / "locks").iterdir()} == {"shard"}
    return amid


def test_what_is_left_of_parts_goes_with_the_merge(tmp_path):
    # As a process leaves them that is killed when it has put parts together, or never does.
    folder = planned(trained(tmp_path / "checkpoints", 3, (6, 5, 4)), tmp_path / "batch", settings=LONG, longest=0.01)
    run(folder, processes=1)
    results = sorted((folder / "results" / "all").iterdir())
    parts = [folder / "parts" / "all" / f"{path.stem}-layer0-joint-0-0of2.npz" for path in results]
    locks = [folder / "locks" / f"checkpoint-all-{path.stem.partition('-')[0]}.lock" for path in results]
    for path in parts + locks:
        path.write_bytes(b"")
    results[2].unlink()
    merge(folder, allow_incomplete=True)
    assert [path.exists() for path in parts] == [path.exists() for path in locks] == [False, False, True]


@pytest.mark.parametrize(("processes", "longest"), [pytest.param(1, None, marks=pytest.mark.endurance), (2, 0.01)])
@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again(tmp_path, processes, longest):
    assert _killed_and_resumed(tmp_path, 3, processes, longest, 0) >= 2


@pytest.mark.endurance
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("longest", [None, 0.01])
def test_a_run_that_is_killed_thirty_times(tmp_path, processes, longest):
    assert _killed_and_resumed(tmp_path, 30, processes, longest, 1) >= 15


@pytest.mark.slow
def test_a_worker_that_is_killed_is_named_as_the_cause(tmp_path):
    folder = planned(trained(tmp_path / "checkpoints", 60, (6, 5, 4)), tmp_path / "batch", settings=LONG)
    process = started("run", folder, "--processes", 2)
    assert until(something_is_done(folder, process))
    said = kill(process, "worker", workers_of(process.pid))
    assert process.returncode == 1
    assert "A worker process was killed" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("number", "processes", "group"),
    [
        (signal.SIGTERM, 1, False),
        (signal.SIGTERM, 2, False),
        (signal.SIGTERM, 2, True),
        (signal.SIGINT, 1, False),
        (signal.SIGINT, 2, True),
    ],
)
@pytest.mark.slow
def test_a_run_that_is_asked_to_end(tmp_path, number, processes, group):
    folder = planned(trained(tmp_path / "checkpoints", 100, (6, 5, 4)), tmp_path / "batch", settings=LONG)
    process = started("run", folder, "--processes", processes)
    assert until(something_is_done(folder, process))
    workers = workers_of(process.pid)
    assert len(workers) == (processes if processes > 1 else 0)
    there = files_of(folder)
    asked = time.monotonic()
    (os.killpg if group else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=30)
    assert time.monotonic() - asked < 3.0
    assert process.returncode == 128 + number
    assert "run again to go on" in said
    assert "Traceback" not in said
    assert all(has_ended(one) for one in workers)
    assert there.items() <= files_of(folder).items()
    # A worker that was killed may leave what it was writing; the next run removes it.
    assert group or processes > 1 or unfinished(folder) == []
    assert len(files_of(folder)) < 100


def test_a_shard_that_is_being_run(tmp_path, no_work):
    folder = planned(trained(tmp_path / "checkpoints"), tmp_path / "batch", 2)
    with holding(folder, 1):
        with pytest.raises(Busy, match="Shard 1 of .* is being run by another process. Wait for it"):
            run(folder, 1)
        assert [shard.is_running for shard in status(folder).shards] == [False, True]
        with pytest.raises(Busy, match="The plan cannot be replaced"):
            plan(tmp_path / "checkpoints", folder, 1, replace=True)


@pytest.mark.slow
def test_two_runs_of_all_shards(tmp_path):
    checkpoints = trained(tmp_path / "checkpoints", 40, (6, 5, 4))
    expected = undisturbed(checkpoints, tmp_path / "undisturbed", settings=LONG)
    folder = planned(checkpoints, tmp_path / "batch", 4, LONG)
    both = [started("run", folder, "--processes", 1) for _ in range(2)]
    assert until(something_is_done(folder, both[0]))
    refused = said_by("run", folder, "--shard", 0)
    said = [process.communicate(timeout=100) for process in both]
    if any(process.returncode for process in both):
        assert [process.returncode for process in both if process.returncode] == [1]
        assert any("being run by another process" in err for _, err in said)
    assert refused[0] == 0 or "Shard 0 of" in refused[1]
    done = sum(int(number) for out, _ in [*said, (refused[1], "")] for number in re.findall(r"(\d+) done", out))
    assert done == 40
    assert merged(folder) == expected


def _took(work, *args, **how):
    begun = time.perf_counter()
    work(*args, **how)
    return time.perf_counter() - begun


@pytest.mark.endurance
@pytest.mark.parametrize("n", [1000, 10_000])
def test_many_checkpoints(tmp_path, n):
    checkpoints = trained(tmp_path / "checkpoints", n, (2, 2))
    folder = tmp_path / "batch"
    planning = _took(planned, checkpoints, folder, 20, SHORT)
    batch = Batch.load(folder)
    estimator = batch.estimator
    settings = Settings.checked(estimator.get_params(deep=False) | {"n_jobs": available_cores()})

    def bare(tasks):
        for task in tasks:
            path = checkpoints / batch.checkpoints[task.checkpoint].path
            network = ef.as_network(path, estimator.activation, settings.in_range)
            estimator.measure(network, settings, batch.ranges_and_seed(""))

    bare(batch.shards[0][:10])
    # In turns: other work on the machine slows both.
    pairs = [
        (_took(run, folder, shard, processes=1), _took(bare, tasks), len(tasks))
        for shard, tasks in enumerate(batch.shards)
    ]
    overhead = np.median([(running - measuring) / count for running, measuring, count in pairs])
    times = {"planning": planning, "an item's overhead": overhead}
    times |= {"status": _took(status, folder), "merge": _took(merge, folder), "again": _took(run, folder, processes=1)}
    print({name: f"{seconds:.4f} s" for name, seconds in times.items()})
    assert planning < 60
    assert overhead < 0.005
