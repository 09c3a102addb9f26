"""Recordings of older versions stay readable, and go on as they began."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import ei_fast as ef

OLD = Path(__file__).parent / "old"


def _layer(scale):
    return ef.Layer(np.random.default_rng(0).uniform(-1, 1, (3, 2)) * scale, activation="relu")


def test_an_old_recording_is_read():
    trajectory = ef.Trajectory.load(OLD / "format3.npz")
    assert trajectory.steps.tolist() == [0, 1]
    assert np.isnan(trajectory.ei_low).all()
    assert np.isnan([trajectory.ei_bounds_low, trajectory.ei_bounds_high]).all()
    assert trajectory.flags == (((),), ((),))
    assert (trajectory.layer_ranges, trajectory.networks, trajectory.ranges) == (None, None, "first")
    assert list(trajectory.to_frame()["ranges"]) == ["first", "first"]


def test_an_old_recording_goes_on_over_the_ranges_that_it_began_with(tmp_path):
    path = tmp_path / "run.npz"
    shutil.copy(OLD / "format3.npz", path)
    began = ef.Trajectory.load(path).provenance["ranges"][0]
    with (
        pytest.warns(UserWarning, match="was recorded by ei_fast 0.1.0"),
        ef.Recorder(ef.EffectiveInformation(random_state=0, tol=0.05), path=path) as recorder,
    ):
        report = recorder.record(_layer(5), step=2, loss=0.1)
    assert [list(report[0].in_range), list(report[0].out_range)] == began
    # The hull of interval arithmetic, as derived then: what is outside by now is said.
    assert "outputs outside range" in report[0].flags
    trajectory = ef.Trajectory.load(path)
    assert trajectory.steps.tolist() == [0, 1, 2]
    assert trajectory.ranges == "first"
    assert np.isnan(trajectory.ei_low[:2]).all()
    assert trajectory.ei_low[2, 0] <= trajectory.ei[2, 0] <= trajectory.ei_high[2, 0]
    assert np.isnan(trajectory.ei_bounds_low[:2]).all()
    assert trajectory.ei_bounds_low[2, 0] <= trajectory.ei[2, 0] <= trajectory.ei_bounds_high[2, 0]
    assert trajectory.layer_ranges is None


def test_a_recording_without_bounds_is_read_and_goes_on(tmp_path):
    path = tmp_path / "run.npz"
    shutil.copy(OLD / "format4.npz", path)
    before = ef.Trajectory.load(path)
    assert np.isfinite(before.ei_low).all()
    assert np.isnan([before.ei_bounds_low, before.ei_bounds_high]).all()
    assert before.to_frame()["ei_bounds_low"].isna().all()
    layer = ef.Layer(np.array([[0.5, -1.0], [2.0, 0.25]]) * 21, [0.0, 0.5], "relu", name="fc1")
    with (
        pytest.warns(UserWarning, match="was recorded by ei_fast 0.1.0"),
        ef.Recorder(ef.EffectiveInformation(bins=4, random_state=0), path=path) as recorder,
    ):
        report = recorder.record(layer, step=20, loss=1 / 21)
    after = ef.Trajectory.load(path)
    np.testing.assert_array_equal(after.ei[:2], before.ei)
    np.testing.assert_array_equal(after.ei_bounds_low[:, 0], [np.nan, np.nan, report[0].ei_bounds[0]])


def test_a_metric_of_an_old_recording_does_not_hide_the_measure_of_its_name():
    trajectory = ef.Trajectory.load(OLD / "metric_named_as_a_measure.npz")
    frame = trajectory.to_frame()
    assert frame["sensitivity"][0] == trajectory.sensitivity[0, 0] != 0.93
    assert frame["metric.sensitivity"][0] == 0.93
