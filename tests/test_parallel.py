"""How many threads, and that none is left behind."""

import threading
import time

import joblib
import pytest

import ei_fast as ef
from ei_fast.parallel import Workers, resolve_n_jobs


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
