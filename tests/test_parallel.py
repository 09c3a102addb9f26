"""How many threads, and that none is left behind."""

import os
import subprocess
import sys
import threading
import time
from shutil import which

import joblib
import pytest

import ei_fast as ef
from ei_fast.parallel import Workers, available_cores, resolve_n_jobs


def test_n_jobs():
    cores = joblib.cpu_count()
    assert resolve_n_jobs(None, "f") == cores
    assert resolve_n_jobs(3, "f") == 3
    assert resolve_n_jobs(-1, "f") == cores
    assert resolve_n_jobs(-1000, "f") == 1


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_one_thread_inside_a_joblib_worker(backend):
    inside = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(resolve_n_jobs)(None, "f") for _ in range(2))
    assert inside == [1, 1]


def test_results_keep_the_order_of_the_tasks():
    with Workers(4) as workers:
        assert workers.map(lambda k: (time.sleep(0.001 * (5 - k)), k)[1], range(5)) == list(range(5))


def test_no_thread_is_left_behind(random_weight):
    before = threading.enumerate()
    ef.analyze(random_weight(25, 6), n_jobs=4)
    assert threading.enumerate() == before


def test_an_error_in_a_task_comes_out_and_stops_the_rest():
    done = []

    def task(k):
        if k == 0:
            raise ValueError("first")
        time.sleep(0.01)
        done.append(k)

    with pytest.raises(ValueError, match="first"), Workers(2) as workers:
        workers.map(task, range(1000))
    assert len(done) < 100


@pytest.mark.parametrize(
    ("slurm", "cores"),
    [
        ({}, 8),
        ({"CPUS_PER_TASK": "3", "JOB_ID": "1", "CPUS_ON_NODE": "6"}, 3),
        ({"CPUS_PER_TASK": "64"}, 8),
        ({"JOB_ID": "1", "CPUS_ON_NODE": "6"}, 6),
        ({"CPUS_ON_NODE": "6"}, 8),
        ({"CPUS_PER_TASK": "many", "JOB_ID": "1", "CPUS_ON_NODE": "6"}, 6),
        ({"CPUS_PER_TASK": "0"}, 8),
        ({"CPUS_PER_TASK": "-2"}, 8),
        ({"JOB_ID": "1", "CPUS_ON_NODE": "4(x2)"}, 8),
    ],
)
def test_cores_that_slurm_gave(monkeypatch, slurm, cores):
    monkeypatch.setattr("joblib.cpu_count", lambda: 8)
    for name in ("CPUS_PER_TASK", "JOB_ID", "CPUS_ON_NODE"):
        monkeypatch.delenv(f"SLURM_{name}", raising=False)
    for name, value in slurm.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert available_cores() == resolve_n_jobs(None, "f") == resolve_n_jobs(-1, "f") == cores
    assert resolve_n_jobs(16, "f") == 16


@pytest.mark.skipif(which("taskset") is None, reason="taskset is Linux's")
def test_cores_of_a_process_that_is_bound_to_one():
    code = "from ei_fast.parallel import available_cores; print(available_cores())"
    command = ["taskset", "-c", str(min(os.sched_getaffinity(0))), sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1\n"
