"""What a job is told by its environment, from faked folders and variables."""

import os
import resource

import pytest

from ei_fast.cluster.running import job
from ei_fast.cluster.running.job import memory_limit, shard_from_environment

GIB = 2**30


@pytest.fixture(autouse=True)
def nothing_stated(monkeypatch):
    """No Slurm, no limit of the process, a machine of 64 GiB and 4 cores."""
    for name in [name for name in os.environ if name.startswith("SLURM_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    monkeypatch.setattr(job, "_of_machine", lambda: 64 * GIB)
    monkeypatch.setattr(job, "available_cores", lambda: 4)


def _limit(tmp_path, line, **stated):
    """The limit of a process that `line` puts into cgroups with the files `stated`, by paths with __ for slashes."""
    (tmp_path / "self").write_text(line)
    for path, text in stated.items():
        file = tmp_path / "fs" / path.replace("__", "/").replace("memory_", "memory.")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return memory_limit(tmp_path / "self", tmp_path / "fs")


def test_shard(monkeypatch):
    assert shard_from_environment() is None
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "12")
    assert shard_from_environment() == 12
    for wrong in ("", "-1", "1.5", "first"):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", wrong)
        with pytest.raises(ValueError, match="SLURM_ARRAY_TASK_ID must be an integer"):
            shard_from_environment()


def test_the_machine_where_nothing_else_is_stated(tmp_path):
    assert memory_limit(tmp_path / "none", tmp_path / "none") == 64 * GIB


def test_cgroups_of_version_2(tmp_path):
    line = "0::/slurm/job_7/step_0\n"
    assert _limit(tmp_path, line, slurm__job_7__step_0__memory_max="max\n") == 64 * GIB
    assert _limit(tmp_path, line, slurm__job_7__memory_max=f"{3 * GIB}\n") == 3 * GIB
    assert _limit(tmp_path, line, slurm__job_7__step_0__memory_max=f"{GIB}\n") == GIB
    assert _limit(tmp_path, line, memory_max=f"{GIB // 2}\n") == GIB // 2


def test_cgroups_of_version_1(tmp_path):
    line = "12:cpu,cpuacct:/other\n5:memory:/slurm/job_7\n"
    assert _limit(tmp_path, line, memory__memory_limit_in_bytes="9223372036854771712\n") == 64 * GIB
    assert _limit(tmp_path, line, memory__slurm__job_7__memory_limit_in_bytes=f"{2 * GIB}\n") == 2 * GIB


def test_what_cannot_be_read_is_no_limit(tmp_path):
    assert _limit(tmp_path, "nonsense\n0::\n::\n", memory_max="lots") == 64 * GIB


def test_slurm(tmp_path, monkeypatch):
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "1024")
    assert _limit(tmp_path, "") == 4 * GIB
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "2048")
    assert _limit(tmp_path, "") == 2 * GIB
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "")
    monkeypatch.setenv("SLURM_MEM_PER_NODE", "0")
    assert _limit(tmp_path, "") == 64 * GIB


def test_the_limit_of_the_process(tmp_path, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (GIB, resource.RLIM_INFINITY))
    assert _limit(tmp_path, "") == GIB


def test_this_process():
    assert memory_limit() > 2**24
