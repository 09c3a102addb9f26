"""Recorder and trajectory: what is kept, what is frozen, what is refused."""

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.training.trajectory import MEASURES


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


def test_a_trajectory_holds_what_was_measured(recorder, random_weight):
    reports = [recorder.record(random_weight(3, 2, scale), loss=np.float32(scale)) for scale in (1.0, 5.0)]
    trajectory = recorder.trajectory_
    assert trajectory.steps.tolist() == [0, 1]
    assert trajectory.layers == ("layer0",)
    for name in MEASURES:
        np.testing.assert_array_equal(getattr(trajectory, name), [[getattr(report[0], name)] for report in reports])
    assert trajectory.metrics["loss"].tolist() == [1.0, 5.0]
    assert recorder.report_ is reports[-1]


def test_a_record_equals_a_report_over_the_frozen_ranges(recorder, random_weight):
    first, second = random_weight(4, 3, 1.0, 1), random_weight(4, 3, 1.0, 2) * 3
    recorder.record(ef.Layer(first, activation="relu"))
    later = recorder.record(ef.Layer(second, activation="relu"))[0]
    frozen = ef.analyze(ef.Layer(first, activation="relu"), random_state=0)[0].out_range
    expected = ef.analyze(ef.Layer(second, activation="relu"), random_state=0, out_range=frozen)[0]
    assert later.out_range == frozen
    assert (later.ei, later.sensitivity) == (expected.ei, expected.sensitivity)


def test_the_seed_is_drawn_once(random_weight):
    recorder = ef.Recorder(ef.EffectiveInformation())
    weight = random_weight(6, 3, 3.0)
    assert recorder.record(weight)[0].ei == recorder.record(weight)[0].ei


def test_missing_metrics_are_nan(trajectory):
    np.testing.assert_array_equal(trajectory.metrics["loss"], [1.0, np.nan, 1 / 11])
    np.testing.assert_array_equal(trajectory.metrics["accuracy"], [np.nan, 0.5, np.nan])


def test_save_and_load_bit_for_bit(trajectory, tmp_path):
    path = tmp_path / "trajectory.npz"
    trajectory.metrics["file"] = np.zeros(3)
    trajectory.save(path)
    loaded = ef.Trajectory.load(path)
    assert loaded.layers == trajectory.layers
    np.testing.assert_array_equal(loaded.steps, trajectory.steps)
    for name in MEASURES:
        np.testing.assert_array_equal(getattr(loaded, name), getattr(trajectory, name))
    assert list(loaded.metrics) == ["loss", "accuracy", "file"]
    for name, values in trajectory.metrics.items():
        np.testing.assert_array_equal(loaded.metrics[name], values)


def test_files_that_are_no_trajectories(trajectory, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.npz"):
        trajectory.save(tmp_path / "trajectory.csv")
    np.savez(tmp_path / "other.npz", w0=np.eye(2))
    with pytest.raises(ValueError, match="is not a trajectory"):
        ef.Trajectory.load(tmp_path / "other.npz")
    np.savez(tmp_path / "newer.npz", format=np.int64(99))
    with pytest.raises(ValueError, match="newer version"):
        ef.Trajectory.load(tmp_path / "newer.npz")


def test_an_empty_recorder_has_an_empty_trajectory(recorder):
    assert len(recorder.trajectory_) == 0


def test_other_layers_than_before_are_refused(recorder):
    recorder.record([np.eye(2)])
    with pytest.raises(ValueError, match=r"must have the layers of the first record.*Use another Recorder"):
        recorder.record([np.eye(3)])
    assert len(recorder.trajectory_) == 1


def test_steps_increase(recorder):
    recorder.record(np.eye(2), step=7)
    recorder.record(np.eye(2))
    assert recorder.trajectory_.steps.tolist() == [7, 8]
    with pytest.raises(ValueError, match="integer above the last one, 8. Got 8"):
        recorder.record(np.eye(2), step=8)
    with pytest.raises(TypeError, match=r"'step' parameter of Recorder.record must be an integer.* Got 9.0"):
        recorder.record(np.eye(2), step=9.0)


def test_bad_metrics_and_settings_are_refused_before_any_work(recorder):
    with pytest.raises(TypeError, match="metric 'loss' of Recorder.record must be a number"):
        recorder.record(np.eye(2), loss="low")
    assert len(recorder.trajectory_) == 0
    with pytest.raises(ValueError, match="'tol' parameter"):
        ef.Recorder(ef.EffectiveInformation(tol=-1))
    with pytest.raises(TypeError, match="must be an EffectiveInformation"):
        ef.Recorder(8)


def test_a_network_that_outgrows_the_frozen_range_is_refused(recorder):
    recorder.record(ef.Layer(np.eye(2), activation="relu"))
    with pytest.raises(ValueError, match="overflow"):
        recorder.record(ef.Layer(np.full((2, 2), 1.7e308), activation="relu"))
