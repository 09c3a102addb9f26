"""Batches that are killed, cut short, shut out or given damaged files: what was done stays, and the rest is done."""

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
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import joblib
import numpy as np
import pytest
from disks import fill, mounted

import ei_fast as ef
from ei_fast.cluster import merge, plan, run, status
from ei_fast.cluster.planning.batch import Batch
from ei_fast.cluster.store.locks import Busy, holding
from ei_fast.errors import Incomplete
from ei_fast.parameters import Settings
from ei_fast.runtime.threads import available_cores

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
    return {f"w{k}": rng.normal(size=size) for k, size in enumerate(pairwise(widths))}


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
    written = {}
    for path in found:
        # A part goes when all of them have been put together, which may be now.
        with suppress(FileNotFoundError):
            about = path.stat()
            written[path] = about.st_ino, about.st_mtime_ns
    return written


def _unfinished(folder):
    return [path for path in folder.rglob("*.tmp")]


def _until(holds, seconds=300.0):
    """Wait for something; False where it takes too long: in a new environment a run begins by compiling kernels."""
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
        # It may have ended by itself.
        with suppress(ProcessLookupError):
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
    checkpoints = _train(tmp_path / "checkpoints", 12 + 20 * n_kills // (1 if longest is None else 4), (6, 5, 4))
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
    assert {path.name[:5] for path in (folder / "locks").iterdir()} == {"shard"}
    return amid


def test_what_is_left_of_parts_goes_with_the_merge(tmp_path):
    # As a process leaves them that is killed when it has put parts together, or never does.
    folder = _plan(_train(tmp_path / "checkpoints", 3, (6, 5, 4)), tmp_path / "batch", settings=LONG, longest=0.01)
    run(folder, processes=1)
    results = sorted((folder / "results" / "all").iterdir())
    parts = [folder / "parts" / "all" / f"{path.stem}-layer0-joint-0-0of2.npz" for path in results]
    locks = [folder / "locks" / f"all-{path.stem.partition('-')[0]}.lock" for path in results]
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
@pytest.mark.slow
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


# Nowhere to write


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.slow
def test_a_disk_that_is_full(tmp_path, processes):
    checkpoints = _train(tmp_path / "checkpoints", 60)
    expected = _undisturbed(checkpoints, tmp_path / "undisturbed")
    with mounted(tmp_path / "small", "size=400k,nr_inodes=1000") as small:
        folder = _plan(checkpoints, small / "batch")
        filling = small / "filling"
        filling.write_bytes(bytes(250_000))
        code, said = _command("run", folder, "--processes", processes)
        assert code == 1
        assert "could not be written: No space left on device" in said
        assert "Traceback" not in said
        there = _files(folder)
        assert 0 < len(there) < 60
        assert _unfinished(folder) == []
        # Now it is known before anything is computed.
        fill(small)
        code, said = _command("run", folder, "--processes", processes)
        assert code == 1
        assert "Nothing can be written into" in said
        assert _files(folder) == there
        filling.unlink()
        code, said = _command("run", folder, "--processes", processes)
        assert code == 0
        assert f"{60 - len(there)} done, {len(there)} were there" in said
        assert there.items() <= _files(folder).items()
        subprocess.run(["mount", "-o", "remount,size=4m", small], check=True)
        assert _merged(folder) == expected


def test_a_disk_that_is_full_when_merging(tmp_path):
    checkpoints = _train(tmp_path / "checkpoints", 30)
    with mounted(tmp_path / "small", "size=400k") as small:
        folder = _plan(checkpoints, small / "batch")
        run(folder, processes=1)
        merge(folder)
        before = {path: path.read_bytes() for path in folder.glob("*.*")}
        # What is written now would be other bytes.
        (folder / "trajectory.csv").write_text("old")
        (folder / "trajectory.npz").write_text("old")
        before |= {folder / "trajectory.csv": b"old", folder / "trajectory.npz": b"old"}
        filling = fill(small)
        with filling.open("r+b") as file:
            # Room for some of the files.
            file.truncate(filling.stat().st_size - 16384)
        code, said = _command("merge", folder)
        assert code == 1
        assert "could not be written: No space left on device" in said
        assert {path: path.read_bytes() for path in folder.glob("*.*")} == before
        assert _unfinished(folder) == []


@pytest.mark.slow
def test_a_disk_that_is_full_when_planning(tmp_path):
    with mounted(tmp_path / "small", "size=200k") as small:
        folder = _plan(_train(tmp_path / "checkpoints"), small / "batch")
        before = (folder / "plan.json").read_bytes()
        filling = fill(small)
        with filling.open("r+b") as file:
            # Room for the probe, not for a plan of 500 checkpoints.
            file.truncate(filling.stat().st_size - 4096)
        code, said = _command("plan", _train(tmp_path / "more", 500), "--out", folder, "--shards", 1, "--replace")
        assert code == 1
        assert "plan.json' could not be written: No space left on device" in said
        assert (folder / "plan.json").read_bytes() == before
        assert _unfinished(folder) == []


@pytest.mark.slow
def test_a_limit_of_the_size_of_files(tmp_path):
    folder = _plan(_train(tmp_path / "checkpoints"), tmp_path / "batch")
    small = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))}
    code, said = _command("run", folder, **small)
    assert code == 1
    assert "could not be written: File too large" in said
    assert _files(folder) == {}
    assert _unfinished(folder) == []
    assert _command("run", folder)[0] == 0
    code, said = _command("merge", folder, **small)
    assert code == 1
    assert "could not be written: File too large" in said
    assert [path.name for path in folder.glob("*.*")] == ["plan.json"]


def test_a_folder_that_cannot_be_written_to(tmp_path, no_work):
    with mounted(tmp_path / "small", "size=400k") as small:
        folder = _plan(_train(tmp_path / "checkpoints"), small / "batch")
        subprocess.run(["mount", "-o", "remount,ro", small], check=True)
        with pytest.raises(OSError, match="Nothing can be written into .*: Read-only file system"):
            run(folder)
        assert status(folder).done == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_folder_of_somebody_else(tmp_path, no_work):
    folder = _plan(_train(tmp_path / "checkpoints"), tmp_path / "batch")
    for path in [folder, *tmp_path.rglob("*"), *folder.parents]:
        if Path("/tmp") in path.parents:
            path.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(OSError, match="Nothing can be written into .*: Permission denied"):
            run(folder)
    finally:
        os.seteuid(0)


# Two at once


def test_a_shard_that_is_being_run(tmp_path, no_work):
    folder = _plan(_train(tmp_path / "checkpoints"), tmp_path / "batch", 2)
    with holding(folder, 1):
        with pytest.raises(Busy, match="Shard 1 of .* is being run by another process. Wait for it"):
            run(folder, 1)
        assert [shard.is_running for shard in status(folder).shards] == [False, True]
        with pytest.raises(Busy, match="The plan cannot be replaced"):
            plan(tmp_path / "checkpoints", folder, 1, replace=True)


@pytest.mark.slow
def test_two_runs_of_all_shards(tmp_path):
    checkpoints = _train(tmp_path / "checkpoints", 40, (6, 5, 4))
    expected = _undisturbed(checkpoints, tmp_path / "undisturbed", settings=LONG)
    folder = _plan(checkpoints, tmp_path / "batch", 4, LONG)
    both = [_start("run", folder, "--processes", 1) for _ in range(2)]
    assert _until(_something_is_done(folder, both[0]))
    refused = _command("run", folder, "--shard", 0)
    said = [process.communicate(timeout=100) for process in both]
    if any(process.returncode for process in both):
        assert [process.returncode for process in both if process.returncode] == [1]
        assert any("being run by another process" in err for _, err in said)
    assert refused[0] == 0 or "Shard 0 of" in refused[1]
    done = sum(int(number) for out, _ in [*said, (refused[1], "")] for number in re.findall(r"(\d+) done", out))
    assert done == 40
    assert _merged(folder) == expected


# Damaged files of the batch


@pytest.fixture
def done(tmp_path):
    """A batch of four checkpoints that is done, and its results in their order."""
    folder = _plan(_train(tmp_path / "checkpoints"), tmp_path / "batch")
    run(folder, processes=1)
    return folder, sorted(_files(folder))


def _truncated(results):
    results[1].write_bytes(results[1].read_bytes()[:-20])


def _changed(results):
    results[1].write_bytes(results[1].read_bytes().replace(b'"n_in": 4', b'"n_in": 5'))


def _of_another_kind(results):
    results[1].write_bytes(b"[1, 2]")


def _of_another_checkpoint(results):
    results[1].write_bytes(results[2].read_bytes())


@pytest.mark.parametrize("damage", [_truncated, _changed, _of_another_kind, _of_another_checkpoint])
def test_a_damaged_result_is_computed_again(done, damage):
    folder, results = done
    before = _merged(folder)
    damage(results)
    assert status(folder).done == 3
    with pytest.raises(Incomplete, match=r"1 of 4 .*\n1.npz: missing, of shard 0"):
        merge(folder)
    with pytest.warns(UserWarning, match="cannot be used and is computed again"):
        assert run(folder, processes=1).done == 1
    assert _merged(folder) == before


def test_a_result_that_was_copied_to_the_name_of_another(done):
    folder, results = done
    before = _merged(folder)
    copied = results[1].with_name(results[1].name.replace("000001-", "000002-"))
    copied.write_bytes(results[1].read_bytes())
    assert _merged(folder) == before
    results[2].unlink()
    assert status(folder).reasons == {"2.npz": "missing, of shard 0"}
    shutil.copy(results[1], results[2].with_name(results[1].name.replace("000001-", "000002-")))
    results[1].unlink()
    assert status(folder).done == 2
    assert run(folder, processes=1).done == 2
    assert _merged(folder) == before


def test_results_of_other_settings_are_not_taken(done, tmp_path):
    folder, _ = done
    _plan(tmp_path / "checkpoints", folder, settings=SHORT | {"bins": 5}, replace=True)
    assert status(folder).done == 0
    assert run(folder, processes=1).done == 4
    assert _merged(folder) == _undisturbed(tmp_path / "checkpoints", tmp_path / "new", settings=SHORT | {"bins": 5})


@pytest.mark.parametrize("damage", [lambda part: part[:-30], lambda part: b"", lambda part: part[:100] + b"x" * 60])
def test_a_damaged_part_is_computed_again(tmp_path, damage):
    checkpoints = _train(tmp_path / "checkpoints", 2)
    expected = _undisturbed(checkpoints, tmp_path / "undisturbed")
    folder = _plan(checkpoints, tmp_path / "batch", 2, longest=1e-4)
    assert Batch.load(folder).part_counts
    run(folder, 0, processes=1)
    parts = sorted(_files(folder, "parts"))
    parts[0].write_bytes(damage(parts[0].read_bytes()))
    with pytest.warns(UserWarning, match="The part .* cannot be used and is computed again"):
        assert run(folder, processes=1).failed == 0
    assert _merged(folder) == expected
    assert _files(folder, "parts") == {}


@pytest.mark.parametrize(
    "damage", [lambda p: p[:-9], lambda p: b"", lambda p: b"[]", lambda p: b"\xff" + p, lambda p: p.replace(b"2", b"3")]
)
def test_a_damaged_plan_is_refused(done, damage, no_work):
    folder, _ = done
    path = folder / "plan.json"
    path.write_bytes(damage(path.read_bytes()))
    for command in (run, status, merge):
        with pytest.raises(ValueError, match=r"The plan .* is damaged .*Plan again"):
            command(folder)


def test_a_plan_of_another_version_is_refused(done, monkeypatch, no_work):
    monkeypatch.setattr("ei_fast.cluster.planning.batch.__version__", "99.0")
    for command in (run, status, merge):
        with pytest.raises(ValueError, match=r"was made by ei_fast .*, and this is 99.0: figures may differ"):
            command(done[0])


# Checkpoints that are no good


class _Bomb:
    def __reduce__(self):
        return os.mkdir, (str(Path(os.environ["BOMB"])),)


def _broken(checkpoints):
    """Spoil steps 1 to 5, each in its way; say what is to be said of each."""
    good = (checkpoints / "1.npz").read_bytes()
    (checkpoints / "1.npz").write_bytes(good[:-100])
    np.savez(checkpoints / "2.npz", w0=np.full((4, 3), np.nan))
    np.savez(checkpoints / "3.npz", w0=np.ones((5, 3)))
    (checkpoints / "4.npz").unlink()
    np.savez(checkpoints / "5.npz", w0=np.array([_Bomb()]), allow_pickle=True)
    (checkpoints / "6.pt").write_bytes(pickle.dumps({"w0": _Bomb()}))
    return {
        "1.npz": "damaged or of another kind",
        "2.npz": "finite",
        "3.npz": "must be those of the plan",
        "4.npz": "No such file",
        "5.npz": "could run code",
        "6.pt": "",
    }


@pytest.mark.slow
def test_checkpoints_that_are_no_good(tmp_path, monkeypatch):
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    checkpoints = _train(tmp_path / "checkpoints", 9)
    expected = _undisturbed(checkpoints, tmp_path / "undisturbed")
    good = {path.name: path.read_bytes() for path in checkpoints.iterdir()}
    torch = pytest.importorskip("torch")
    (checkpoints / "6.npz").unlink()
    torch.save({"fc.weight": torch.ones(3, 4)}, checkpoints / "6.pt")
    folder = _plan(checkpoints, tmp_path / "batch")
    reasons = _broken(checkpoints)
    code, said = _command("run", folder)
    assert code == 3
    assert "3 done, 0 were there, 6 failed" in said
    there = _files(folder)
    for name, reason in reasons.items():
        assert re.search(f"failed: {name}: .*{reason}", said)
        assert reason in status(folder).reasons[name]
    code, said = _command("merge", folder)
    assert code == 3
    assert all(f"{name}: " in said for name in reasons)
    assert _command("merge", folder, "--allow-incomplete")[0] == 0
    assert ef.Trajectory.load(folder / "trajectory.npz").steps.tolist() == [0, 7, 8]
    assert not (tmp_path / "exploded").exists()
    for name, content in good.items():
        (checkpoints / name).write_bytes(content)
    (checkpoints / "6.pt").unlink()
    _plan(checkpoints, folder, replace=True)
    code, said = _command("run", folder)
    assert code == 0
    assert "6 done, 3 were there, 0 failed" in said
    assert there.items() <= _files(folder).items()
    assert _merged(folder) == expected


def test_a_checkpoint_that_is_replaced(done, tmp_path):
    folder, _ = done
    first, path = _merged(folder), tmp_path / "checkpoints" / "2.npz"
    was = path.read_bytes()
    np.savez(path, w0=np.ones((4, 3)))
    summary = run(folder, processes=1)
    assert (summary.done, summary.there) == (1, 3)
    second = _merged(folder)
    assert second[0] != first[0]
    assert second == _undisturbed(tmp_path / "checkpoints", tmp_path / "new")
    # What is no good is not what it was before.
    path.write_bytes(b"no good")
    assert run(folder, processes=1).failed == 1
    with pytest.raises(Incomplete, match="2.npz: ValueError"):
        merge(folder)
    path.write_bytes(was)
    assert run(folder, processes=1).there == 4
    assert _merged(folder) == first
    # Which of both it would be is not known without it.
    path.unlink()
    assert status(folder).done == 3


# A Dask cluster


@pytest.fixture
def dask_cluster():
    """Two worker processes, which their nannies start again when they are killed."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield distributed, cluster


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_a_dask_worker_that_is_killed(dask_cluster, tmp_path):
    distributed, cluster = dask_cluster
    checkpoints = _train(tmp_path / "checkpoints", 120, (6, 5, 4))
    expected = _undisturbed(checkpoints, tmp_path / "undisturbed", settings=LONG)
    folder = _plan(checkpoints, tmp_path / "batch", settings=LONG)
    # Asked before the run begins: a fast machine does much in the time that asking takes.
    with distributed.Client(cluster) as client:
        killed = next(iter(client.run(os.getpid).values()))
    process = _start("run", folder, "--dask-scheduler", cluster.scheduler_address)
    assert _until(_something_is_done(folder, process))
    os.kill(killed, signal.SIGKILL)
    before = _files(folder)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    # What the worker had done, and could not say, is there when another one is asked for it.
    done, there, failed = map(int, re.search(r"(\d+) done, (\d+) were there, (\d+) failed", out).groups())
    assert (done + there, failed) == (120, 0), err
    assert done >= 120 - len(before)
    assert 0 < len(before) < 120
    assert before.items() <= _files(folder).items()
    assert _merged(folder) == expected
    assert _unfinished(folder) == []


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_joblib_configured_for_dask(dask_cluster, tmp_path):
    distributed, cluster = dask_cluster
    checkpoints = _train(tmp_path / "checkpoints", 8)
    expected = _undisturbed(checkpoints, tmp_path / "undisturbed")
    folder = _plan(checkpoints, tmp_path / "batch", 2)
    with distributed.Client(cluster) as client:
        with joblib.parallel_config(backend="dask"):
            assert run(folder).done == 8
        assert sum(client.run(lambda: "ei_fast.cluster.work.item" in __import__("sys").modules).values()) >= 1
    assert _merged(folder) == expected


# Many, and large


def _took(work, *args, **how):
    begun = time.perf_counter()
    work(*args, **how)
    return time.perf_counter() - begun


@pytest.mark.endurance
@pytest.mark.parametrize("n", [1000, 10_000])
def test_many_checkpoints(tmp_path, n):
    checkpoints = _train(tmp_path / "checkpoints", n, (2, 2))
    folder = tmp_path / "batch"
    planning = _took(_plan, checkpoints, folder, 20, SHORT)
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
