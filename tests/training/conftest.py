"""A recorder, and what it recorded."""

import pytest

import ei_fast as ef


@pytest.fixture
def recorder():
    return ef.Recorder(ef.EffectiveInformation(random_state=0))


@pytest.fixture
def trajectory(recorder, random_weight):
    for step in (0, 5, 10):
        weights = [random_weight(3, 2, 1.0 + step, 1), random_weight(2, 2, 1.0 + step, 2)]
        metrics = {"loss": 1.0 / (1 + step)} if step != 5 else {"accuracy": 0.5}
        recorder.record(weights, step=step, **metrics)
    return recorder.trajectory_
