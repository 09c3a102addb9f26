"""Recorder and trajectory: what is kept, what is frozen, what is refused."""

import json
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
from numba.core import event

import ei_fast as ef
import ei_fast.adapters.runs
from ei_fast.results.report import ENDS
from ei_fast.training.columns import MEASURES
from ei_fast.training.trajectory import Trajectory


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


def test_each_record_equals_a_report_of_its_own(recorder, random_weight):
    layers = [ef.Layer(random_weight(4, 3, scale, seed=1), activation="relu") for scale in (1.0, 4.0)]
    for layer in layers:
        record, report = recorder.record(layer)[0], ef.analyze(layer, random_state=0)[0]
        assert (record.ei, record.sensitivity, record.out_range) == (report.ei, report.sensitivity, report.out_range)
    assert recorder.trajectory_.ranges == "each"
    assert set(recorder.trajectory_.to_frame()["ranges"]) == {"each"}
    assert "those of this record" in str(recorder.report_)


def test_a_record_equals_a_report_over_the_frozen_ranges(random_weight):
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0), ranges="first")
    first, second = random_weight(4, 3, 1.0, 1), random_weight(4, 3, 1.0, 2) * 3
    recorder.record(ef.Layer(first, activation="relu"))
    later = recorder.record(ef.Layer(second, activation="relu"))[0]
    frozen = ef.analyze(ef.Layer(first, activation="relu"), random_state=0)[0].out_range
    expected = ef.analyze(ef.Layer(second, activation="relu"), random_state=0, out_range=frozen)[0]
    assert later.out_range == frozen
    assert (later.ei, later.sensitivity) == (expected.ei, expected.sensitivity)


def test_a_module_is_compared_at_the_first_record_and_read_at_each(monkeypatch, tmp_path):
    import torch

    compared = []
    real = ei_fast.adapters.runs.verify
    monkeypatch.setattr("ei_fast.adapters.runs.verify", lambda *args: compared.append(real(*args)))
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, 2), torch.nn.Sigmoid())
    for steps in (range(2), range(2, 4)):
        with ef.Recorder(ef.EffectiveInformation(random_state=0), path=tmp_path / "run.npz") as recorder:
            for step in steps:
                with torch.no_grad():
                    model[0].weight.mul_(2.0)
                report = recorder.record(model, step=step)
                expected = ef.analyze(ef.as_network(model, verify=False), random_state=0)
                assert [layer.ei for layer in report] == [layer.ei for layer in expected]
    # Once in each of both recordings: inside the range of the inputs, and beyond it.
    assert len(compared) == 4


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


def test_a_metric_cannot_have_the_name_of_bounds(recorder):
    with pytest.raises(ValueError, match="must not have the name of a column"):
        recorder.record(np.eye(2), ei_bounds_low=1.0)


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


def test_an_empty_recorder_has_an_empty_trajectory(recorder):
    assert len(recorder.trajectory_) == 0


def test_other_layers_than_before_are_refused(recorder):
    recorder.record([np.eye(2)])
    with pytest.raises(ValueError, match=r"the first record of Recorder is .*2 -> 2.* Got .*3 -> 3.*another Recorder"):
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


def test_a_network_that_outgrows_the_numbers_is_refused(recorder):
    recorder.record(ef.Layer(np.eye(2), activation="relu"))
    with pytest.raises(ValueError, match="overflow"):
        recorder.record(ef.Layer(np.full((2, 2), 1.7e308), activation="relu"))


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


def test_only_every_so_manyth_step_is_measured(random_weight):
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0), every=3)
    reports = [recorder.record(random_weight(2, 2)) for _ in range(8)]
    assert [report is not None for report in reports] == [True, False, False, True, False, False, True, False]
    assert recorder.record(random_weight(2, 2), step=20) is None
    assert recorder.trajectory_.steps.tolist() == [0, 3, 6]


def test_a_time_budget_leaves_records_out_and_says_so(random_weight, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("ei_fast.training.budget.time.monotonic", lambda: clock[0])
    real = ef.EffectiveInformation.measure

    def takes_a_second(*args):
        clock[0] += 1.0
        return real(*args)

    monkeypatch.setattr(ef.EffectiveInformation, "measure", takes_a_second)
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0), time_budget=0.1)
    for _ in range(100):
        recorder.record(random_weight(2, 2))
        clock[0] += 1.0
    # A tenth of the time; the first one is taken whenever it comes.
    taken = len(recorder.trajectory_)
    assert 8 <= taken <= 12
    with pytest.warns(UserWarning, match=f"{100 - taken} records were left out to stay within time_budget=0.1"):
        recorder.close()


def test_compiling_is_not_held_against_the_budget_and_loading_is(random_weight, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("ei_fast.training.budget.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("numba.core.event.timer", lambda: clock[0])
    real = ef.EffectiveInformation.measure
    begins = [20.0, 3.0, 1.0]

    def prepares_and_measures(*args):
        # Compiles, loads and measures; afterwards it only measures.
        compiling, loading, measuring = begins if not recorder.trajectory_ else (0.0, 0.0, 1.0)
        with event.trigger_event("numba:compiler_lock"):
            with event.trigger_event("numba:compile"):
                clock[0] += compiling
            clock[0] += loading
        clock[0] += measuring
        return real(*args)

    monkeypatch.setattr(ef.EffectiveInformation, "measure", prepares_and_measures)
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0), time_budget=0.1)
    started = None
    for _ in range(120):
        recorder.record(random_weight(2, 2))
        started = clock[0] - 4.0 if started is None else started
        clock[0] += 1.0
    # Four seconds for the first one and one second for each of the others: the second comes when five are a tenth.
    assert recorder.trajectory_.steps[1] in (45, 46, 47)
    spent = 4.0 + len(recorder.trajectory_) - 1
    assert spent <= 0.1 * (clock[0] - started)
    with pytest.warns(UserWarning, match="left out"):
        recorder.close()


def test_an_opened_file_holds_all_that_was_recorded_before(tmp_path, recorder, random_weight):
    recorder.record(random_weight(6, 3), step=0)
    recorder.open(tmp_path / "run.npz")
    assert ef.Trajectory.load(tmp_path / "run.npz").steps.tolist() == [0]
    recorder.record(random_weight(6, 3), step=1)
    recorder.close()
    recorder.open(tmp_path / "run.npz")
    recorder.record(random_weight(6, 3), step=2)
    recorder.close()
    assert ef.Trajectory.load(tmp_path / "run.npz").steps.tolist() == [0, 1, 2]
    _record(tmp_path / "run.npz", [5], random_weight, random_state=0)
    with pytest.raises(ValueError, match=r"holds other steps than the recorder, which has recorded 3 already"):
        recorder.open(tmp_path / "run.npz")
    # Refused, but let go of.
    ef.Recorder(ef.EffectiveInformation(random_state=0), path=tmp_path / "run.npz").close()


def test_a_trajectory_is_resumed(recorder, trajectory, random_weight):
    again = ef.Recorder(ef.EffectiveInformation(random_state=0))
    again.resume(ef.Trajectory.from_dict(trajectory.to_dict()))
    weights = [random_weight(3, 2, 9.0, 1), random_weight(2, 2, 9.0, 2)]
    assert again.record(weights, step=10) is None
    recorder.record(weights, step=20, loss=0.25)
    again.record(weights, step=20, loss=0.25)
    _same(again.trajectory_, recorder.trajectory_)
    with pytest.raises(
        ValueError, match="The trajectory was recorded with bins=8, and cannot be continued with bins=4"
    ):
        ef.Recorder(ef.EffectiveInformation(bins=4)).resume(trajectory)


def test_a_dict_holds_every_bit(trajectory):
    plain = json.loads(json.dumps(trajectory.to_dict()))
    _same(ef.Trajectory.from_dict(plain), trajectory)


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


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"every": 0}, ValueError, "'every' parameter of Recorder must be an integer >= 1. Got 0"),
        ({"every": 1.5}, TypeError, "'every' parameter"),
        ({"time_budget": 1}, ValueError, "'time_budget' parameter of Recorder must be None or a number above 0"),
        ({"time_budget": "5%"}, TypeError, "'time_budget' parameter"),
        ({"path": "run.csv"}, ValueError, "must end in .npz"),
    ],
)
def test_bad_recorders(params, error, message):
    with pytest.raises(error, match=message):
        ef.Recorder(ef.EffectiveInformation(), **params)


def _record(path, steps, random_weight, **params):
    with ef.Recorder(ef.EffectiveInformation(**params), path=path) as recorder:
        for step in steps:
            recorder.record(random_weight(6, 3, 1.0 + step), step=step, loss=1.0 / (1 + step))
    return recorder.trajectory_


def _same(one, other):
    assert one.layers == other.layers
    np.testing.assert_array_equal(one.steps, other.steps)
    for name in MEASURES:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name in one.metrics:
        np.testing.assert_array_equal(one.metrics[name], other.metrics[name])
    assert {**one.provenance, "parameters": None} == {**other.provenance, "parameters": None}


@pytest.mark.parametrize("seed", [5, None])
def test_a_recording_is_continued_as_if_it_had_never_stopped(tmp_path, random_weight, seed):
    path = tmp_path / "run.npz"
    first = _record(path, range(4), random_weight, random_state=seed)
    _same(ef.Trajectory.load(path), first)
    # The training is repeated from step 2: what is there is not measured again.
    second = _record(path, range(2, 7), random_weight, random_state=seed)
    whole = _record(None, range(7), random_weight, random_state=first.provenance["seed"])
    _same(second, whole)
    _same(ef.Trajectory.load(path), whole)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["run.npz", "run.npz.lock"]


def test_threads_and_verbosity_may_change(tmp_path, random_weight):
    _record(tmp_path / "run.npz", [0], random_weight, n_jobs=1)
    assert len(_record(tmp_path / "run.npz", [1], random_weight, n_jobs=2)) == 2


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"bins": 4}, "was recorded with bins=8, and cannot be continued with bins=4"),
        ({"tol": 0.1}, "with tol=0.01, and cannot be continued with tol=0.1"),
        ({"activation": ef.Activation("tanh")}, "with activation='sigmoid', .* with activation="),
        ({"random_state": 6}, "with random_state=5, .* with random_state=6"),
    ],
)
def test_other_settings_are_refused_by_name(tmp_path, random_weight, params, message):
    path = tmp_path / "run.npz"
    _record(path, [0], random_weight, random_state=5)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=message):
        _record(path, [1], random_weight, **({"random_state": 5} | params))
    assert path.read_bytes() == before
    # Refused, but let go of.
    assert len(_record(path, [1], random_weight, random_state=5)) == 2


def test_another_version_is_refused(tmp_path, random_weight, monkeypatch):
    _record(tmp_path / "run.npz", [0], random_weight)
    monkeypatch.setattr("ei_fast.training.continuation.__version__", "9.0")
    with pytest.raises(ValueError, match="was recorded with ei_fast='.*', and cannot be continued with ei_fast='9.0'"):
        _record(tmp_path / "run.npz", [1], random_weight)


def test_other_files_are_not_overwritten(tmp_path, trajectory):
    np.savez(tmp_path / "weights.npz", w0=np.eye(2))
    with pytest.raises(ValueError, match="is not a trajectory"):
        ef.Recorder(ef.EffectiveInformation(), path=tmp_path / "weights.npz")
    trajectory.provenance.clear()
    trajectory.save(tmp_path / "bare.npz")
    with pytest.raises(ValueError, match="does not say how it was recorded"):
        ef.Recorder(ef.EffectiveInformation(), path=tmp_path / "bare.npz")


def test_two_recorders_on_one_file(tmp_path):
    path = tmp_path / "run.npz"
    with ef.Recorder(ef.EffectiveInformation(), path=path) as recorder:
        with pytest.raises(ValueError, match="must be a file that no other recorder has open.* Close the other one"):
            ef.Recorder(ef.EffectiveInformation(), path=path)
        code = f"import ei_fast as ef; ef.Recorder(ef.EffectiveInformation(), path={str(path)!r})"
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert "no other recorder has open" in other.stderr
        recorder.record(np.eye(2))
    with pytest.raises(ValueError, match="The recorder is closed"):
        recorder.record(np.eye(2))
    with ef.Recorder(ef.EffectiveInformation(), path=path) as recorder:
        assert len(recorder.trajectory_) == 1


def test_a_failed_record_leaves_the_recorder_and_the_file_as_they_were(tmp_path, random_weight):
    path = tmp_path / "run.npz"
    with ef.Recorder(ef.EffectiveInformation(random_state=0), path=path) as recorder:
        recorder.record(random_weight(3, 2))
        before = path.read_bytes()
        with pytest.raises(ValueError, match="finite"):
            recorder.record(np.full((3, 2), np.nan))
        assert path.read_bytes() == before
        recorder.record(random_weight(3, 2), step=1)
    assert ef.Trajectory.load(path).steps.tolist() == [0, 1]


_TRAINING = """
import sys
import numpy as np
import ei_fast.adapters.runs
import ei_fast as ef
weight = np.random.default_rng(0).normal(size=(3, 2))
with ef.Recorder(ef.EffectiveInformation(random_state=0, pairwise="none"), every=2, path=sys.argv[1]) as recorder:
    for step in range(int(sys.argv[2])):
        recorder.record(weight * (1 + step / 100), step=step, loss=1 / (1 + step))
        print(step, flush=True)
"""


@pytest.mark.slow
def test_killed_at_any_moment_the_file_holds_every_completed_step(tmp_path):
    path, steps = tmp_path / "run.npz", 800
    rng = np.random.default_rng(0)
    done = -1
    for _ in range(10):
        command = [sys.executable, "-c", _TRAINING, str(path), str(steps)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            # Once it is at work, at any moment of the next records.
            lines = [process.stdout.readline()]
            time.sleep(rng.uniform(0.0, 0.08))
            process.kill()
            lines += process.stdout.readlines()
        complete = [int(line) for line in lines if line.endswith("\n") and line.strip()]
        done = max([done, *complete])
        kept = ef.Trajectory.load(path).steps.tolist()
        assert kept == list(range(0, 2 * len(kept), 2))
        assert kept[-1] >= done - 1
    subprocess.run([sys.executable, "-c", _TRAINING, str(path), str(steps)], check=True, capture_output=True)
    subprocess.run(
        [sys.executable, "-c", _TRAINING, str(tmp_path / "whole.npz"), str(steps)], check=True, capture_output=True
    )
    assert ef.Trajectory.load(path).steps.tolist() == list(range(0, steps, 2))
    assert path.read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert not list(tmp_path.glob(".*.tmp"))
