"""Batches that are killed, cut short, shut out or given damaged files: what was done stays, and the rest is done."""

import json
import os
import pickle
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest

import ei_fast as ef
from ei_fast.cluster import merge, plan, run, status
from ei_fast.cluster.batch import Batch
from ei_fast.cluster.locks import Busy, holding
from ei_fast.cluster.merging import Incomplete

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are watched in /proc")

DATA = ("trajectory.npz", "trajectory.csv", "trajectory.parquet")
COMMAND = [sys.executable, "-c", "from ei_fast.cli import main; main(prog_name='ei-fast')", "batch"]
# A measurement of 50 ms, so that much of a run's time is spent inside one.
LONG = {"n_samples": 2**19, "pairwise": "none", "random_state": 0}
SHORT = {"n_samples": 2**12, "pairwise": "none", "random_state": 0}


def _train(folder, n=4, widths=(4, 3), seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for step in range(n):
        np.savez(folder / f"{step}.npz", **_weights(rng, widths))
    return folder


def _weights(rng, widths):
    sizes = zip(widths[:-1], widths[1:], strict=True)
    return {f"w{k}": rng.normal(size=size) for k, size in enumerate(sizes)}


def _plan(checkpoints, out, shards=1, settings=SHORT, **how):
    plan(checkpoints, out, shards, ef.EffectiveInformation(**settings), **how)
    return out


def _start(*args, **how):
    """A command in a process group of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*COMMAND, *map(str, args)], start_new_session=True, **pipes, **how)


def _command(*args, **how):
    """Exit code, and all that a command says."""
    process = _start(*args, **how)
    out, err = process.communicate(timeout=300)
    return process.returncode, out + err


def _merged(folder):
    merge(folder)
    return [(folder / name).read_bytes() for name in DATA if (folder / name).exists()]


def _undisturbed(checkpoints, out, **how):
    _plan(checkpoints, out, **how)
    run(out, processes=1)
    return _merged(out)


def _files(folder, *kinds):
    """Results (or other kinds) that are there, each with what tells whether it was written again."""
    found = (path for kind in kinds or ("results",) for path in (folder / kind).glob("*/*") if path.name[0] != ".")
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


def _unfinished(folder):
    return [path for path in folder.rglob("*.tmp")]


def _until(holds, seconds=60.0):
    """Wait for something; False where it takes too long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.01)
    return False


def _workers(pid):
    """Loky's worker processes below a process."""
    children = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if _parent(path) == pid]
    return [one for one in children if b"popen_loky" in Path(f"/proc/{one}/cmdline").read_bytes()]


def _parent(stat):
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except OSError:
        return None


def _has_ended(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _something_is_done(folder, process):
    before = len(_files(folder, "results", "parts"))
    return lambda: len(_files(folder, "results", "parts")) != before or process.poll() is not None


# Killed


def _kill(process, whom, workers):
    """Kill all processes, or the main one, or a worker; what is left must end by itself."""
    if whom == "all":
        os.killpg(process.pid, signal.SIGKILL)
    elif whom == "main" or not workers:
        process.kill()
    else:
        os.kill(workers[0], signal.SIGKILL)
    _, said = process.communicate(timeout=30)
    assert _until(lambda: all(_has_ended(one) for one in workers), 5), "workers have outlived their parent by 5 s"
    return said


def _killed_and_resumed(tmp_path, n_kills, processes, longest, seed):
    """Kill a run again and again; return how often it was in the middle of its work."""
    rng = random.Random(seed)
    checkpoints = _train(tmp_path / "checkpoints", 12 + 8 * n_kills // (1 if longest is None else 4), (6, 5, 4))
    split = {} if longest is None else {"longest": longest}
    expected = _undisturbed(checkpoints, tmp_path / "undisturbed", settings=LONG, **split)
    folder = _plan(checkpoints, tmp_path / "batch", 2, LONG, **split)
    amid = 0
    for k in range(n_kills):
        before = _files(folder, "results", "parts")
        process = _start("run", folder, "--processes", processes)
        if k % 3 == 2:
            # While it starts, or wherever it is by then.
            time.sleep(rng.uniform(0, 4))
        else:
            assert _until(_something_is_done(folder, process))
            time.sleep(rng.uniform(0, 0.3))
        amid += process.poll() is None
        _kill(process, rng.choice(("all", "main", "worker")), _workers(process.pid) if process.poll() is None else [])
        after = _files(folder, "results", "parts")
        # Parts go when they have been put together; nothing else goes, and nothing is written twice.
        gone = {path for path in before if path not in after}
        assert all(path.parent.parent.name == "parts" for path in gone)
        assert all(after[path] == written for path, written in before.items() if path not in gone)
    there = _files(folder)
    code, said = _command("run", folder, "--processes", processes)
    assert code == 0
    if longest is None:
        total = len(list(checkpoints.iterdir()))
        assert f"{total - len(there)} done, {len(there)} were there, 0 failed" in said
    done = _files(folder)
    assert there.items() <= done.items()
    assert len(done) == len(list(checkpoints.iterdir()))
    assert _merged(folder) == expected
    assert _unfinished(folder) == []
    assert list((folder / "parts").glob("*/*")) == []
    return amid


@pytest.mark.parametrize(("processes", "longest"), [(1, None), (2, 0.01)])
def test_a_run_that_is_killed_again_and_again(tmp_path, processes, longest):
    assert _killed_and_resumed(tmp_path, 3, processes, longest, 0) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("longest", [None, 0.01])
def test_a_run_that_is_killed_thirty_times(tmp_path, processes, longest):
    assert _killed_and_resumed(tmp_path, 30, processes, longest, 1) >= 15


def test_a_worker_that_is_killed_is_named_as_the_cause(tmp_path):
    folder = _plan(_train(tmp_path / "checkpoints", 60, (6, 5, 4)), tmp_path / "batch", settings=LONG)
    process = _start("run", folder, "--processes", 2)
    assert _until(_something_is_done(folder, process))
    said = _kill(process, "worker", _workers(process.pid))
    assert process.returncode == 1
    assert "A worker process was killed" in said
    assert "Traceback" not in said


# Asked to end


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
def test_a_run_that_is_asked_to_end(tmp_path, number, processes, group):
    folder = _plan(_train(tmp_path / "checkpoints", 100, (6, 5, 4)), tmp_path / "batch", settings=LONG)
    process = _start("run", folder, "--processes", processes)
    assert _until(_something_is_done(folder, process))
    workers = _workers(process.pid)
    assert len(workers) == (processes if processes > 1 else 0)
    there = _files(folder)
    asked = time.monotonic()
    (os.killpg if group else os.kill)(process.pid, number)
    _, said = process.communicate(timeout=30)
    assert time.monotonic() - asked < 3.0
    assert process.returncode == 128 + number
    assert "run again to go on" in said
    assert "Traceback" not in said
    assert all(_has_ended(one) for one in workers)
    assert there.items() <= _files(folder).items()
    # A worker that was killed may leave what it was writing; the next run removes it.
    assert group or processes > 1 or _unfinished(folder) == []
    assert len(_files(folder)) < 100
