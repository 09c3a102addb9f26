"""Recordings that are continued as if they had never stopped, and files that hold every step."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.training.columns import MEASURES


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


def test_another_version_goes_on_with_a_warning_and_is_named(tmp_path, random_weight, monkeypatch):
    path = tmp_path / "run.npz"
    first = ef.__version__
    _record(path, [0], random_weight)
    for step, version in enumerate(("9.0", "9.0", "9.1"), start=1):
        monkeypatch.setattr("ei_fast.training.continuation.__version__", version)
        if step == 2:
            _record(path, [step], random_weight)
        else:
            with pytest.warns(UserWarning, match=f"was recorded by ei_fast .*, and is continued by {version}: figures"):
                _record(path, [step], random_weight)
    provenance = ef.Trajectory.load(path).provenance
    assert (provenance["ei_fast"], provenance["earlier_versions"]) == ("9.1", [first, "9.0"])
    assert len(ef.Trajectory.load(path)) == 4


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


def test_a_file_of_other_settings_is_not_taken_for_the_same_recording(tmp_path, random_weight):
    path = tmp_path / "run.npz"
    _record(path, [10], random_weight, bins=4)
    before = path.read_bytes()
    recorder = ef.Recorder(ef.EffectiveInformation(bins=8, random_state=0))
    recorder.record(random_weight(6, 3, 11.0), step=10)
    with pytest.raises(ValueError, match="was recorded with bins=4, and cannot be continued with bins=8"):
        recorder.open(path)
    assert path.read_bytes() == before
