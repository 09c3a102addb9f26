"""Batches on a Dask cluster, whose workers may be killed."""

import os
import re
import signal
import sys

import joblib
import pytest
from hazards import (
    LONG,
    files_of,
    merged,
    planned,
    something_is_done,
    started,
    trained,
    undisturbed,
    unfinished,
    until,
)

from ei_fast.cluster import run

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are watched in /proc")


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
    checkpoints = trained(tmp_path / "checkpoints", 120, (6, 5, 4))
    expected = undisturbed(checkpoints, tmp_path / "undisturbed", settings=LONG)
    folder = planned(checkpoints, tmp_path / "batch", settings=LONG)
    # Asked before the run begins: a fast machine does much in the time that asking takes.
    with distributed.Client(cluster) as client:
        killed = next(iter(client.run(os.getpid).values()))
    process = started("run", folder, "--dask-scheduler", cluster.scheduler_address)
    assert until(something_is_done(folder, process))
    os.kill(killed, signal.SIGKILL)
    before = files_of(folder)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    # What the worker had done, and could not say, is there when another one is asked for it.
    done, there, failed = map(int, re.search(r"(\d+) done, (\d+) were there, (\d+) failed", out).groups())
    assert (done + there, failed) == (120, 0), err
    assert done >= 120 - len(before)
    assert 0 < len(before) < 120
    assert before.items() <= files_of(folder).items()
    assert merged(folder) == expected
    assert unfinished(folder) == []


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.slow
def test_joblib_configured_for_dask(dask_cluster, tmp_path):
    distributed, cluster = dask_cluster
    checkpoints = trained(tmp_path / "checkpoints", 8)
    expected = undisturbed(checkpoints, tmp_path / "undisturbed")
    folder = planned(checkpoints, tmp_path / "batch", 2)
    with distributed.Client(cluster) as client:
        with joblib.parallel_config(backend="dask"):
            assert run(folder).done == 8
        assert sum(client.run(lambda: "ei_fast.cluster.work.item" in __import__("sys").modules).values()) >= 1
    assert merged(folder) == expected
