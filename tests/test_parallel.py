"""How many threads, and that none is left behind."""

import os
import subprocess
import sys
import threading
import time
from shutil import which

import joblib
import numpy as np
import pytest
from crowd import Crowd

import ei_fast as ef
from ei_fast.runtime.threads import Threads, available_cores, resolve_n_jobs


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
    with Threads(4) as threads:
        assert threads.map(lambda k: (time.sleep(0.001 * (5 - k)), k)[1], range(5)) == list(range(5))


@pytest.mark.parametrize("n_jobs", [2, 3, 8])
def test_a_task_may_have_tasks_of_its_own(n_jobs):
    crowd = Crowd()

    def inner(k):
        with crowd:
            time.sleep(0.001)
        return k * k

    with Threads(n_jobs) as threads:
        totals = threads.map(lambda n: sum(threads.map(inner, range(n))), range(12))
    assert totals == [sum(k * k for k in range(n)) for n in range(12)]
    assert 2 <= crowd.most <= n_jobs


@pytest.mark.parametrize("tasks", [[1, 60], [60, 1]])
def test_no_thread_is_idle_while_the_last_task_has_tasks_of_its_own(tasks):
    helped = set()

    def task(n):
        for _ in range(n):
            threads.map(lambda k: (time.sleep(0.001), helped.add((n, threading.get_ident()))), range(2))

    with Threads(2) as threads:
        threads.map(task, tasks)
    assert len({thread for n, thread in helped if n == 60}) >= 2


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_a_thread_that_is_done_helps_with_tasks_begun_without_it(order):
    helped, both_at_work = set(), threading.Barrier(2)

    def inner(_):
        time.sleep(0.002)
        helped.add(threading.get_ident())

    def short():
        both_at_work.wait()
        time.sleep(0.01)

    def long():
        both_at_work.wait()
        threads.map(inner, range(60))

    with Threads(2) as threads:
        threads.map(lambda task: task(), [short, long][order])
    assert len(helped) == 2


def test_no_more_at_once_than_asked_for():
    crowd = Crowd()

    def task(k):
        with crowd:
            time.sleep(0.002)

    with Threads(6) as threads:
        threads.map(task, range(30), at_once=2)
    assert crowd.most == 2


@pytest.mark.parametrize("error", [ValueError("inner"), KeyboardInterrupt()])
@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_further_in_ends_everything(error, failing):
    done = []

    def inner(k, outer):
        time.sleep(0.001)
        done.append((outer, k))
        if k == 3 and outer == failing:
            raise error

    with pytest.raises(type(error)), Threads(2) as threads:
        threads.map(lambda outer: threads.map(lambda k: inner(k, outer), range(1000)), range(2))
    assert len(done) < 100


def test_code_of_others_is_never_run_twice_at_a_time(random_weight):
    crowd = Crowd()

    def alone(values):
        with crowd:
            time.sleep(0.001)
        return values

    maps = [ef.Function(lambda x: alone(x) ** 2, 3, 3, (0.0, 1.0)) for _ in range(3)]
    bent = [ef.Activation(lambda s: alone(np.tanh(s)), (-1.0, 1.0)) for _ in range(3)]
    layers = [layer for k in range(3) for layer in (maps[k], ef.Layer(random_weight(3, 3, seed=k), None, bent[k]))]
    report = ef.analyze(layers, n_jobs=4, random_state=0, tol=0.05)
    assert crowd.most == 1
    assert [layer.activation for layer in report][::2] == ["function"] * 3


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

    with pytest.raises(ValueError, match="first"), Threads(2) as threads:
        threads.map(task, range(1000))
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
    code = "from ei_fast.runtime.threads import available_cores; print(available_cores())"
    command = ["taskset", "-c", str(min(os.sched_getaffinity(0))), sys.executable, "-c", code]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "1\n"
