"""Recordings of older versions stay readable, and go on as they began."""

import shutil
from pathlib import Path

import numpy as np

import ei_fast as ef

OLD = Path(__file__).parent / "old"


def _layer(scale):
    return ef.Layer(np.random.default_rng(0).uniform(-1, 1, (3, 2)) * scale, activation="relu")


def test_an_old_recording_is_read():
    trajectory = ef.Trajectory.load(OLD / "format3.npz")
    assert trajectory.steps.tolist() == [0, 1]
    assert np.isnan(trajectory.ei_low).all()
    assert trajectory.flags == (((),), ((),))
    assert (trajectory.layer_ranges, trajectory.networks, trajectory.ranges) == (None, None, "first")
    assert list(trajectory.to_frame()["ranges"]) == ["first", "first"]


def test_an_old_recording_goes_on_over_the_ranges_that_it_began_with(tmp_path):
    path = tmp_path / "run.npz"
    shutil.copy(OLD / "format3.npz", path)
    began = ef.Trajectory.load(path).provenance["ranges"][0]
    with ef.Recorder(ef.EffectiveInformation(random_state=0, tol=0.05), path=path) as recorder:
        report = recorder.record(_layer(5), step=2, loss=0.1)
    assert [list(report[0].in_range), list(report[0].out_range)] == began
    # The hull of interval arithmetic, as derived then: what is outside by now is said.
    assert "outputs outside range" in report[0].flags
    trajectory = ef.Trajectory.load(path)
    assert trajectory.steps.tolist() == [0, 1, 2]
    assert trajectory.ranges == "first"
    assert np.isnan(trajectory.ei_low[:2]).all()
    assert trajectory.ei_low[2, 0] <= trajectory.ei[2, 0] <= trajectory.ei_high[2, 0]
    assert trajectory.layer_ranges is None


def test_a_metric_of_an_old_recording_does_not_hide_the_measure_of_its_name():
    trajectory = ef.Trajectory.load(OLD / "metric_named_as_a_measure.npz")
    frame = trajectory.to_frame()
    assert frame["sensitivity"][0] == trajectory.sensitivity[0, 0] != 0.93
    assert frame["metric.sensitivity"][0] == 0.93
