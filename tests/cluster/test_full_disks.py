"""Batches where there is nowhere to write: full disks, limits of files, folders of somebody else."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from disks import fill, mounted
from hazards import (
    files_of,
    merged,
    planned,
    said_by,
    trained,
    undisturbed,
    unfinished,
)

from ei_fast.cluster import merge, run, status

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are watched in /proc")


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.slow
def test_a_disk_that_is_full(tmp_path, processes):
    checkpoints = trained(tmp_path / "checkpoints", 60)
    expected = undisturbed(checkpoints, tmp_path / "undisturbed")
    with mounted(tmp_path / "small", "size=400k,nr_inodes=1000") as small:
        folder = planned(checkpoints, small / "batch")
        filling = small / "filling"
        filling.write_bytes(bytes(250_000))
        code, said = said_by("run", folder, "--processes", processes)
        assert code == 1
        assert "could not be written: No space left on device" in said
        assert "Traceback" not in said
        there = files_of(folder)
        assert 0 < len(there) < 60
        assert unfinished(folder) == []
        # Now it is known before anything is computed.
        fill(small)
        code, said = said_by("run", folder, "--processes", processes)
        assert code == 1
        assert "Nothing can be written into" in said
        assert files_of(folder) == there
        filling.unlink()
        code, said = said_by("run", folder, "--processes", processes)
        assert code == 0
        assert f"{60 - len(there)} done, {len(there)} were there" in said
        assert there.items() <= files_of(folder).items()
        subprocess.run(["mount", "-o", "remount,size=4m", small], check=True)
        assert merged(folder) == expected


def test_a_disk_that_is_full_when_merging(tmp_path):
    checkpoints = trained(tmp_path / "checkpoints", 30)
    with mounted(tmp_path / "small", "size=400k") as small:
        folder = planned(checkpoints, small / "batch")
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
        code, said = said_by("merge", folder)
        assert code == 1
        assert "could not be written: No space left on device" in said
        assert {path: path.read_bytes() for path in folder.glob("*.*")} == before
        assert unfinished(folder) == []


@pytest.mark.slow
def test_a_disk_that_is_full_when_planning(tmp_path):
    with mounted(tmp_path / "small", "size=200k") as small:
        folder = planned(trained(tmp_path / "checkpoints"), small / "batch")
        before = (folder / "plan.json").read_bytes()
        filling = fill(small)
        with filling.open("r+b") as file:
            # Room for the probe, not for a plan of 500 checkpoints.
            file.truncate(filling.stat().st_size - 4096)
        code, said = said_by("plan", trained(tmp_path / "more", 500), "--out", folder, "--shards", 1, "--replace")
        assert code == 1
        assert "plan.json' could not be written: No space left on device" in said
        assert (folder / "plan.json").read_bytes() == before
        assert unfinished(folder) == []


@pytest.mark.slow
def test_a_limit_of_the_size_of_files(tmp_path):
    folder = planned(trained(tmp_path / "checkpoints"), tmp_path / "batch")
    small = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))}
    code, said = said_by("run", folder, **small)
    assert code == 1
    assert "could not be written: File too large" in said
    assert files_of(folder) == {}
    assert unfinished(folder) == []
    assert said_by("run", folder)[0] == 0
    code, said = said_by("merge", folder, **small)
    assert code == 1
    assert "could not be written: File too large" in said
    assert [path.name for path in folder.glob("*.*")] == ["plan.json"]


def test_a_folder_that_cannot_be_written_to(tmp_path, no_work):
    with mounted(tmp_path / "small", "size=400k") as small:
        folder = planned(trained(tmp_path / "checkpoints"), small / "batch")
        subprocess.run(["mount", "-o", "remount,ro", small], check=True)
        with pytest.raises(OSError, match="Nothing can be written into .*: Read-only file system"):
            run(folder)
        assert status(folder).done == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_a_folder_of_somebody_else(tmp_path, no_work):
    folder = planned(trained(tmp_path / "checkpoints"), tmp_path / "batch")
    for path in [folder, *tmp_path.rglob("*"), *folder.parents]:
        if Path("/tmp") in path.parents:
            path.chmod(0o755)
    os.seteuid(65534)
    try:
        with pytest.raises(OSError, match="Nothing can be written into .*: Permission denied"):
            run(folder)
    finally:
        os.seteuid(0)
