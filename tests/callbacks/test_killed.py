"""Training with a callback, killed at any moment, goes on as if nothing had happened."""

import multiprocessing
import os
import time

import killed
import numpy as np
import pytest

import ei_fast as ef

EPOCHS = 600


@pytest.mark.endurance
@pytest.mark.parametrize(
    ("training", "module"),
    [(killed.keras_training, "ei_fast.callbacks.keras"), (killed.lightning_training, "ei_fast.callbacks.lightning")],
)
def test_every_due_epoch_is_there_once(tmp_path, training, module):
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["killed", module])
    path, rng = tmp_path / "run.npz", np.random.default_rng(0)
    kept, killed_early = [], 0
    for _ in range(10):
        begun, tell = processes.Pipe(duplex=False)
        process = processes.Process(target=training, args=(str(path), EPOCHS, tell))
        process.start()
        # Once it records, at any moment of the next records.
        begun.recv()
        time.sleep(rng.uniform(0.0, 0.2))
        os.kill(process.pid, 9)
        process.join()
        killed_early += process.exitcode == -9
        before, kept = kept, ef.Trajectory.load(path).steps.tolist()
        assert kept == list(range(0, len(kept) * killed.EVERY, killed.EVERY))
        assert len(kept) > len(before)
    assert killed_early == 10
    for name in (path, tmp_path / "whole.npz"):
        process = processes.Process(target=training, args=(str(name), EPOCHS))
        process.start()
        process.join()
        assert process.exitcode == 0
    continued, whole = ef.Trajectory.load(path), ef.Trajectory.load(tmp_path / "whole.npz")
    assert continued.steps.tolist() == list(range(0, EPOCHS, killed.EVERY))
    np.testing.assert_array_equal(continued.ei, whole.ei)
    np.testing.assert_array_equal(continued.metrics["loss"], whole.metrics["loss"])
