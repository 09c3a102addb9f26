"""The trajectory: what it holds, keeps in files and gives as frames."""

from dataclasses import replace

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.results.report import ENDS
from ei_fast.training.columns import MEASURES
from ei_fast.training.trajectory import Trajectory


def test_a_trajectory_holds_what_was_measured(recorder, random_weight):
    reports = [recorder.record(random_weight(3, 2, scale), loss=np.float32(scale)) for scale in (1.0, 5.0)]
    trajectory = recorder.trajectory_
    assert trajectory.steps.tolist() == [0, 1]
    assert trajectory.layers == ("layer0",)
    for name in set(MEASURES) - set(ENDS):
        np.testing.assert_array_equal(getattr(trajectory, name), [[getattr(report[0], name)] for report in reports])
    intervals = np.stack([trajectory.ei_low, trajectory.ei_high], axis=-1)
    np.testing.assert_array_equal(intervals, [[report[0].ei_interval] for report in reports])
    bounds = np.stack([trajectory.ei_bounds_low, trajectory.ei_bounds_high], axis=-1)
    np.testing.assert_array_equal(bounds, [[report[0].ei_bounds] for report in reports])
    assert trajectory.flags == tuple((report[0].flags,) for report in reports)
    assert trajectory.layer_ranges == tuple(((report[0].in_range, report[0].out_range),) for report in reports)
    assert trajectory.metrics["loss"].tolist() == [1.0, 5.0]
    assert recorder.report_ is reports[-1]


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
    assert loaded.provenance == trajectory.provenance
    assert loaded.provenance["seed"] == 0
    for name, values in trajectory.metrics.items():
        np.testing.assert_array_equal(loaded.metrics[name], values)


def _with_bounds():
    """Two records whose bounds are no interval."""
    measures = {name: [[k + 1.0], [k + 1.5]] for k, name in enumerate(MEASURES)}
    flags = [[("tol not reached",)], [("undersampled",)]]
    return Trajectory([0, 10], ["fc1"], measures, {"loss": [0.5, 0.25]}, flags=flags)


def test_bounds_are_kept_apart_from_the_interval(tmp_path):
    trajectory = _with_bounds()
    trajectory.save(tmp_path / "run.npz")
    for kept in (Trajectory.load(tmp_path / "run.npz"), Trajectory.from_dict(trajectory.to_dict())):
        for name in MEASURES:
            np.testing.assert_array_equal(getattr(kept, name), getattr(trajectory, name))
        assert kept.flags == trajectory.flags
    frame = trajectory.to_frame()
    assert list(frame)[-4:] == ["ranges", "ei_bounds_low", "ei_bounds_high", "loss"]
    assert frame["ei_bounds_low"].tolist() == trajectory.ei_bounds_low[:, 0].tolist()
    assert frame["ei_bounds_high"].tolist() == trajectory.ei_bounds_high[:, 0].tolist()
    assert frame["ei_high"].tolist() != frame["ei_bounds_high"].tolist()


def test_bounds_are_those_of_the_report(random_weight):
    report = ef.analyze(random_weight(3, 2, 4.0), random_state=0)
    wide = ef.Report([replace(report[0], ei_bounds=(0.25, 5.0))], [], {})
    trajectory = Trajectory.empty(["layer0"]).extended(0, wide, {}).extended(1, report, {})
    assert trajectory.ei_bounds_low[:, 0].tolist() == [0.25, report[0].ei_bounds[0]]
    assert trajectory.ei_bounds_high[:, 0].tolist() == [5.0, report[0].ei_bounds[1]]
    assert trajectory.ei_low[:, 0].tolist() == [report[0].ei_interval[0]] * 2


def test_bounds_of_a_run_are_those_of_its_steps():
    one = _with_bounds()
    measures = {name: getattr(one, name) for name in MEASURES}
    both = Trajectory([0, 0], ["fc1"], measures, {}, runs=["a", "b"])
    assert both.of_run("b").ei_bounds_low.tolist() == one.ei_bounds_low[1:].tolist()


def test_files_that_are_no_trajectories(trajectory, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.npz"):
        trajectory.save(tmp_path / "trajectory.csv")
    np.savez(tmp_path / "other.npz", w0=np.eye(2))
    with pytest.raises(ValueError, match="is not a trajectory"):
        ef.Trajectory.load(tmp_path / "other.npz")
    np.savez(tmp_path / "newer.npz", kind="trajectory", format=np.int64(99))
    with pytest.raises(ValueError, match="newer version"):
        ef.Trajectory.load(tmp_path / "newer.npz")
    np.savez(tmp_path / "damaged.npz", kind="trajectory", format=np.int64(1), steps=np.arange(3))
    with pytest.raises(ValueError, match="is a damaged trajectory"):
        ef.Trajectory.load(tmp_path / "damaged.npz")


def test_a_frame_has_a_row_for_each_step_and_layer(trajectory):
    frame = trajectory.to_frame()
    measures = ["ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts", "phi_ff", "ei_low", "ei_high", "flags"]
    further = ["sensitivity_stderr", "ei_parts_stderr", "ranges", "ei_bounds_low", "ei_bounds_high"]
    assert list(frame.columns) == ["step", "layer", *measures, *further, "loss", "accuracy"]
    assert frame[["step", "layer"]].values.tolist() == [
        [step, layer] for step in (0, 5, 10) for layer in ("layer0", "layer1")
    ]
    np.testing.assert_array_equal(frame["ei"], trajectory.ei.ravel())
    np.testing.assert_array_equal(frame["loss"][::2], trajectory.metrics["loss"])


def test_files_of_the_first_format_are_read(trajectory, tmp_path):
    """They lack the standard error of sensitivity."""
    path = tmp_path / "run.npz"
    trajectory.save(path)
    with np.load(path) as stored:
        arrays = {name: stored[name] for name in stored if name != "measure/sensitivity_stderr"}
    np.savez(path, **(arrays | {"format": np.int64(1)}))
    loaded = ef.Trajectory.load(path)
    np.testing.assert_array_equal(loaded.ei, trajectory.ei)
    assert loaded.sensitivity_stderr.shape == (3, 2)
    assert np.isnan(loaded.sensitivity_stderr).all()
