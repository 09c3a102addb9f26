"""Batches: whatever way the work is shared out, the merge is what one machine would have computed."""

import json
import pickle
import random
import signal
from itertools import pairwise

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure
from slow_cases import some_slow

import ei_fast as ef
from ei_fast.cli import main
from ei_fast.cluster import merge, plan, run, status
from ei_fast.cluster.planning.batch import Batch
from ei_fast.errors import Incomplete
from ei_fast.runtime.files import sealed, unsealed
from ei_fast.runtime.threads import Threads
from ei_fast.training.columns import MEASURES

DATA = ("trajectory.npz", "trajectory.csv", "trajectory.parquet")


def _estimator(**params):
    return ef.EffectiveInformation(**({"random_state": 3, "bins": 4} | params))


def _train(folder, seed=0, n=4, widths=(6, 5, 3)):
    """Checkpoints of a network whose weights grow."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=size) for size in pairwise(widths)]
    for step in range(0, 10 * n, 10):
        np.savez(folder / f"ckpt_{step:04d}.npz", **{f"w{k}": w * (1 + step / 10) for k, w in enumerate(weights)})
    return folder


def _merged(folder):
    merge(folder)
    return [(folder / name).read_bytes() for name in DATA]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Checkpoints of two trainings, and what one process makes of them in one go."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        _train(folder / "checkpoints" / f"seed{seed}", seed)
    plan(folder / "checkpoints", folder / "one", 1, _estimator())
    run(folder / "one")
    return folder / "checkpoints", _merged(folder / "one"), folder / "one"


def test_it_is_what_a_recorder_records(runs):
    checkpoints, _, folder = runs
    trajectory = ef.Trajectory.load(folder / "trajectory.npz")
    for name in ("seed0", "seed1"):
        recorder = ef.Recorder(_estimator())
        for step in range(0, 40, 10):
            recorder.record(checkpoints / name / f"ckpt_{step:04d}.npz", step=step)
        recorded, merged = recorder.trajectory_, trajectory.of_run(name)
        assert merged.steps.tolist() == recorded.steps.tolist()
        assert merged.layers == recorded.layers
        for measure in ("ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts", "phi_ff", "sensitivity_stderr"):
            np.testing.assert_array_equal(getattr(merged, measure), getattr(recorded, measure))
    assert trajectory.to_frame()["run"].unique().tolist() == ["seed0", "seed1"]


def test_seven_shards_in_any_order_make_the_same_bytes(runs, tmp_path):
    checkpoints, expected, _ = runs
    plan(checkpoints, tmp_path, 7, _estimator())
    for shard in random.Random(0).sample(range(7), 7):
        run(tmp_path, shard)
    assert _merged(tmp_path) == expected


def test_two_processes_make_the_same_bytes(runs, tmp_path):
    checkpoints, expected, _ = runs
    plan(checkpoints, tmp_path, 1, _estimator())
    assert run(tmp_path, processes=2).done == 8
    assert _merged(tmp_path) == expected


def test_threads_make_the_same_bytes(runs, tmp_path, monkeypatch):
    checkpoints, expected, _ = runs
    plan(checkpoints, tmp_path, 1, _estimator())
    used = []
    real = Threads.__init__
    monkeypatch.setattr(Threads, "__init__", lambda self, n_jobs: used.append(n_jobs) or real(self, n_jobs))
    monkeypatch.setattr("ei_fast.cluster.running.running.available_cores", lambda: 5)
    run(tmp_path, processes=1)
    assert max(used) == 5
    assert _merged(tmp_path) == expected


_LONGEST = {"few points": 1e-5, "so many points": 1e-3, "histograms": 0.01, "counted": 2e-3, "enumerated": 5e-4}
_LONGEST |= {"parts": 1e-3, "dropped": 5e-4, "one input": 1e-5}
"""Estimated seconds that make about five parts of the joint EI, or of the edges."""


def _models():
    """Layers whose measures are found in every way there is."""
    rng = np.random.default_rng(5)
    return {
        "drawn": ([rng.normal(size=(8, 4))], {}),
        "enumerated": ([rng.normal(size=(3, 3))], {}),
        "parts": ([np.kron(np.eye(2), rng.normal(size=(4, 2)))], {}),
        "undersampled": ([rng.normal(size=(40, 40))], {"tol": 0.5, "joint": "conditional"}),
        "so many points": ([rng.normal(size=(8, 4))], {"n_samples": 40_000}),
        "few points": ([rng.normal(size=(8, 4))], {"n_samples": 256}),
        "counted": ([rng.normal(size=(3, 2))], {"joint": "plugin", "n_samples": 2**16}),
        "histograms": ([rng.normal(size=(4, 3))], {"pairwise": "histogram"}),
        "dropped": ([rng.normal(size=(5, 3))], {"out_of_range": "drop", "out_range": (0.3, 0.7)}),
        "one input": ([np.eye(3)], {}),
        "annealed": ([rng.normal(size=(20, 16))], {"effort": 0.1}),
    }


# These take ten to twenty seconds.
QUICK = ("drawn", "parts", "counted")


@pytest.mark.parametrize("which", some_slow(sorted(_models(), key=lambda which: which not in QUICK), len(QUICK)))
def test_a_layer_that_is_split_makes_the_same_bytes(which, tmp_path):
    weights, params = _models()[which]
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    for step in (0, 1):
        np.savez(folder / f"w_{step}.npz", **{f"w{k}": w * (1 + step) for k, w in enumerate(weights)})
    plan(folder, tmp_path / "whole", 1, _estimator(**params))
    run(tmp_path / "whole")
    batch = plan(folder, tmp_path / "split", 3, _estimator(**params), longest=_LONGEST.get(which, 0.015))
    batch = Batch.load(tmp_path / "split")
    assert batch.part_counts
    assert all(task.part is not None for tasks in batch.shards for task in tasks)
    for shard in (2, 0, 1):
        assert run(tmp_path / "split", shard).failed == 0
    assert _merged(tmp_path / "split") == _merged(tmp_path / "whole")
    assert not list((tmp_path / "split" / "parts").rglob("*.npz"))


def test_a_convolution_is_split_as_well(tmp_path):
    torch = pytest.importorskip("torch")
    from models import export_onnx

    (tmp_path / "c").mkdir()
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 2), torch.nn.MaxPool2d(2), torch.nn.ReLU())
    for step in (0, 1):
        export_onnx(model, tmp_path / "c" / f"net_{step}.onnx", 1, 5, 5)
    estimator = _estimator(n_samples=4096)
    for name, longest in (("whole", 1e6), ("split", 1e-4)):
        plan(tmp_path / "c", tmp_path / name, 2, estimator, longest=longest)
        assert run(tmp_path / name).failed == 0
    assert _merged(tmp_path / "split") == _merged(tmp_path / "whole")


def test_parts_are_shared_out_evenly_and_each_is_done_once(tmp_path):
    _train(tmp_path / "c", n=2)
    batch = plan(tmp_path / "c", tmp_path / "out", 3, _estimator(), longest=0.002)
    loads = [sum(task.seconds for task in tasks) for tasks in batch.shards]
    assert max(loads) - min(loads) <= max(task.seconds for tasks in batch.shards for task in tasks)
    seen = [(task.checkpoint, task.part) for tasks in batch.shards for task in tasks]
    assert len(seen) == len(set(seen)) == 2 * sum(batch.part_counts.values())


def test_what_is_there_is_not_computed_again(tmp_path):
    _train(tmp_path / "c")
    plan(tmp_path / "c", tmp_path / "out", 2, _estimator())
    assert run(tmp_path / "out", 0).done == 2
    before = {path: path.stat().st_ino for path in (tmp_path / "out" / "results").rglob("*.json")}
    summary = run(tmp_path / "out")
    assert (summary.done, summary.there, summary.failed) == (2, 2, 0)
    assert {path: path.stat().st_ino for path in before} == before


def test_planning_again_keeps_results_that_still_hold(tmp_path):
    _train(tmp_path / "c", n=3)
    plan(tmp_path / "c", tmp_path / "out", 1, _estimator())
    run(tmp_path / "out")
    with pytest.raises(ValueError, match="holds a plan already. Give another, or replace=True"):
        plan(tmp_path / "c", tmp_path / "out", 1, _estimator())
    _train(tmp_path / "c", n=4)
    plan(tmp_path / "c", tmp_path / "out", 2, _estimator(), replace=True)
    assert run(tmp_path / "out").there == 3
    plan(tmp_path / "c", tmp_path / "out", 2, _estimator(bins=5), replace=True)
    summary = run(tmp_path / "out")
    assert (summary.done, summary.there) == (4, 0)
    merge(tmp_path / "out")
    assert len(ef.Trajectory.load(tmp_path / "out" / "trajectory.npz")) == 4


def test_ranges_are_those_of_each_runs_first_checkpoint(tmp_path):
    for name, scale in (("a", 1.0), ("b", 2.0)):
        (tmp_path / "c" / name).mkdir(parents=True)
        for step in (0, 1):
            weight = np.eye(2) * scale * (1 + step)
            np.savez(tmp_path / "c" / name / f"{step}.npz", w0=weight, activation="relu")
    batch = plan(tmp_path / "c", tmp_path / "out", 1, _estimator(), ranges="first")
    assert batch.ranges == {"a": (((0.0, 1.0), (0.0, 1.0)),), "b": (((0.0, 1.0), (0.0, 2.0)),)}
    batch = plan(tmp_path / "c", tmp_path / "out", 1, _estimator(), ranges="all", replace=True)
    assert batch.ranges == {"a": (((0.0, 1.0), (0.0, 2.0)),), "b": (((0.0, 1.0), (0.0, 4.0)),)}
    batch = plan(tmp_path / "c", tmp_path / "out", 1, _estimator(), replace=True)
    assert batch.ranges == {"a": (), "b": ()}


def test_a_merge_of_several_runs_has_the_ranges_of_each(tmp_path):
    for name, scale in (("a", 1.0), ("b", 2.0)):
        (tmp_path / "c" / name).mkdir(parents=True)
        for step in (0, 1):
            np.savez(tmp_path / "c" / name / f"{step}.npz", w0=np.eye(2) * scale, activation="relu")
    plan(tmp_path / "c", tmp_path / "out", 1, _estimator(), ranges="first")
    run(tmp_path / "out")
    merge(tmp_path / "out")
    merged = ef.Trajectory.load(tmp_path / "out" / "trajectory.npz")
    expected = {"a": [[[0.0, 1.0], [0.0, 1.0]]], "b": [[[0.0, 1.0], [0.0, 2.0]]]}
    assert (merged.provenance["ranges_of_runs"], merged.ranges) == (expected, "first")
    assert "ranges" not in merged.provenance
    # Older versions wrote them under the name that a recorder has for the ranges of its one run.
    now = dict(merged.provenance)
    merged.provenance["ranges"] = merged.provenance.pop("ranges_of_runs")
    merged.save(tmp_path / "old.npz")
    assert ef.Trajectory.load(tmp_path / "old.npz").provenance == now
    assert ef.Trajectory.from_dict(merged.to_dict()).provenance == now


@pytest.mark.parametrize("convention", ["each", "first", "all"])
def test_a_batch_is_what_a_recorder_records_under_each_convention(tmp_path, convention):
    rng = np.random.default_rng(0)
    (tmp_path / "c").mkdir()
    recorder = ef.Recorder(_estimator(), keep_weights=True)
    for step in range(4):
        weights = [rng.uniform(-1, 1, (4, 3)) * (1 + step), rng.uniform(-1, 1, (3, 2)) / (1 + step)]
        np.savez(tmp_path / "c" / f"{step}.npz", w0=weights[0], w1=weights[1], activation=["relu", "linear"])
        layers = [ef.Layer(weights[0], activation="relu"), ef.Layer(weights[1], activation="linear")]
        recorder.record(layers, step=step)
    plan(tmp_path / "c", tmp_path / "out", 2, _estimator(), ranges=convention)
    run(tmp_path / "out")
    merge(tmp_path / "out")
    merged = ef.Trajectory.load(tmp_path / "out" / "trajectory.npz")
    expected = recorder.trajectory_.remeasure(ranges=convention)
    for name in MEASURES:
        np.testing.assert_array_equal(getattr(merged, name), getattr(expected, name))
    assert (merged.ranges, merged.flags, merged.layer_ranges) == (convention, expected.flags, expected.layer_ranges)


def test_a_batch_waits_for_a_layer_to_come_alive_as_a_recorder_does(tmp_path):
    (tmp_path / "c").mkdir()
    recorder = ef.Recorder(_estimator(), ranges="first")
    rng = np.random.default_rng(0)
    # The second layer is dead in the first two records; the first one grows, and keeps the range of its first.
    for step, bias in enumerate((-90.0, -90.0, 0.0, 0.0)):
        weights = [rng.uniform(0, 1, (4, 3)) * (1 + step), rng.uniform(-1, 1, (3, 2)), rng.uniform(-1, 1, (2, 2))]
        biases = [np.zeros(3), np.full(2, bias), np.ones(2)]
        arrays = {f"w{k}": w for k, w in enumerate(weights)} | {f"b{k}": b for k, b in enumerate(biases)}
        np.savez(tmp_path / "c" / f"{step}.npz", **arrays, activation=["relu", "relu", "linear"])
    with pytest.warns(UserWarning, match="layer 'layer1' are one point, which makes no range"):
        recorder.record(tmp_path / "c" / "0.npz", step=0)
    for step in (1, 2, 3):
        recorder.record(tmp_path / "c" / f"{step}.npz", step=step)
    with pytest.warns(UserWarning, match="layer 'layer1' in '0.npz' are one point, which makes no range"):
        plan(tmp_path / "c", tmp_path / "out", 2, _estimator(), ranges="first")
    run(tmp_path / "out")
    merge(tmp_path / "out")
    merged, expected = ef.Trajectory.load(tmp_path / "out" / "trajectory.npz"), recorder.trajectory_
    assert merged.layer_ranges == expected.layer_ranges
    assert merged.layer_ranges[0][0] == merged.layer_ranges[3][0]
    for name in MEASURES:
        np.testing.assert_array_equal(getattr(merged, name), getattr(expected, name))


def test_results_of_one_convention_are_never_taken_for_anothers(tmp_path):
    _train(tmp_path / "c", n=3)
    plan(tmp_path / "c", tmp_path / "out", 1, _estimator())
    assert run(tmp_path / "out").done == 3
    plan(tmp_path / "c", tmp_path / "out", 1, _estimator(), ranges="first", replace=True)
    assert run(tmp_path / "out").done == 3


@pytest.mark.parametrize("name", ["sensitivity", "output_entropy", "n_in", "checkpoint"])
def test_a_metric_of_the_table_named_like_a_column_is_refused(tmp_path, name):
    _train(tmp_path / "c", n=1)
    (tmp_path / "t.csv").write_text(f"file,step,{name}\nckpt_0000.npz,0,0.93\n")
    with pytest.raises(ValueError, match=f"metric {name!r} .* name of a column"):
        plan(tmp_path / "c", tmp_path / "out", 1, _estimator(), table=tmp_path / "t.csv")


@pytest.mark.parametrize("odd", [{"w0": np.eye(3)}, {"w0": np.eye(3), "w1": np.ones((3, 5))}], ids=["fewer", "wider"])
def test_of_all_ranges_those_of_another_network_are_left_out(tmp_path, odd):
    _train(tmp_path / "c", n=3)
    expected = plan(tmp_path / "c", tmp_path / "out", 1, _estimator(), ranges="all")
    np.savez(tmp_path / "c" / "ckpt_0050.npz", **odd)
    with pytest.warns(ef.BatchWarning, match="'ckpt_0050.npz' gives no ranges: its layers are not those of the first"):
        batch = plan(tmp_path / "c", tmp_path / "out", 1, _estimator(), ranges="all", replace=True)
    assert batch.ranges == expected.ranges


def test_a_first_checkpoint_that_cannot_be_read_is_passed_over_and_said(tmp_path):
    _train(tmp_path / "c", n=3)
    (tmp_path / "c" / "ckpt_0000.npz").write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="'ckpt_0000.npz' gives no ranges"):
        plan(tmp_path / "c", tmp_path / "out", 1, _estimator())
    summary = run(tmp_path / "out")
    assert (summary.done, summary.failed) == (2, 1)
    with pytest.raises(Incomplete, match="1 of 3 checkpoints have no result:\nckpt_0000.npz: ValueError"):
        merge(tmp_path / "out")
    merge(tmp_path / "out", allow_incomplete=True)
    assert ef.Trajectory.load(tmp_path / "out" / "trajectory.npz").steps.tolist() == [10, 20]
    _train(tmp_path / "c", n=1)
    summary = run(tmp_path / "out")
    assert (summary.done, summary.there, summary.failed) == (1, 2, 0)
    merge(tmp_path / "out")


def test_metrics_of_a_table_come_along(tmp_path):
    _train(tmp_path / "c", n=2)
    (tmp_path / "t.csv").write_text("file,loss,note_1\nckpt_0000.npz,0.5,\nckpt_0010.npz,0.25,1\n")
    plan(tmp_path / "c", tmp_path / "out", 1, _estimator(), table=tmp_path / "t.csv")
    run(tmp_path / "out")
    merge(tmp_path / "out")
    trajectory = ef.Trajectory.load(tmp_path / "out" / "trajectory.npz")
    assert trajectory.metrics["loss"].tolist() == [0.5, 0.25]
    np.testing.assert_array_equal(trajectory.metrics["note_1"], [np.nan, 1.0])
    assert trajectory.runs is None
    assert "run" not in trajectory.to_frame()


def _reports(checkpoints):
    for path in sorted(checkpoints.rglob("*.npz")):
        yield from _estimator().fit(path).report_


def test_the_table_says_what_the_trajectory_does(runs):
    pandas = pytest.importorskip("pandas")
    checkpoints, _, folder = runs
    expected = ef.Trajectory.load(folder / "trajectory.npz").to_frame()
    for table in (
        pandas.read_csv(folder / "trajectory.csv", keep_default_na=False),
        pandas.read_parquet(folder / "trajectory.parquet"),
    ):
        pandas.testing.assert_frame_equal(table[list(expected.columns)], expected, check_exact=True)
        assert (table["ei_low"] <= table["ei"]).all()
        bounds = list(zip(table["ei_bounds_low"], table["ei_bounds_high"], strict=True))
        assert bounds == [layer.ei_bounds for layer in _reports(checkpoints)]
        assert table["flags"].tolist() == [", ".join(layer.flags) for layer in _reports(checkpoints)]


@pytest.mark.parametrize("bounds", [None, [0.25, 30.0]])
def test_bounds_of_results_are_merged(bounds, tmp_path):
    """Those of a version that knew none have none."""
    _train(tmp_path / "c", n=1)
    plan(tmp_path / "c", tmp_path / "out", 1, _estimator())
    run(tmp_path / "out")
    for path in (tmp_path / "out" / "results").rglob("*.json"):
        content = unsealed(path.read_bytes())
        for layer in content["layers"]:
            del layer["ei_bounds"]
            layer |= {} if bounds is None else {"ei_bounds": bounds}
        path.write_bytes(sealed(content))
    merge(tmp_path / "out")
    trajectory = ef.Trajectory.load(tmp_path / "out" / "trajectory.npz")
    assert np.isfinite(trajectory.ei_low).all()
    expected = np.array(bounds or [np.nan, np.nan])
    for low, high in zip(trajectory.ei_bounds_low[0], trajectory.ei_bounds_high[0], strict=True):
        np.testing.assert_array_equal([low, high], expected)
    frame = trajectory.to_frame()
    assert frame["ei_bounds_high"].tolist() == pytest.approx([expected[1]] * len(frame), nan_ok=True)


def test_status_and_run_information(runs, tmp_path):
    checkpoints, _, folder = runs
    said = status(folder)
    assert (said.done, said.total, said.reasons) == (8, 8, {})
    assert "8 of 8 checkpoints done" in str(said)
    information = json.loads((folder / "run_info.json").read_text())
    assert len(information["results"]) == 8
    assert sum(information["seconds_by_machine"].values()) == pytest.approx(
        sum(one["seconds"] for one in information["results"])
    )
    plan(checkpoints, tmp_path, 2, _estimator())
    run(tmp_path, 1)
    first, second = status(tmp_path).shards
    assert (first.done, first.missing, first.is_running) == (0, 4, False)
    assert (second.done, second.missing) == (4, 0)
    assert first.seconds_left > 0 == second.seconds_left


def test_shards_that_are_refused(runs, monkeypatch):
    _, _, folder = runs
    with pytest.raises(ValueError, match=r"from 0 to 0. Got 1. Give one of these, or none to do all of them."):
        run(folder, 1)
    with pytest.raises(ValueError, match="'shard' parameter of run must be an integer >= 0"):
        run(folder, -1)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "7")
    with pytest.raises(ValueError, match=r"SLURM_ARRAY_TASK_ID must be a shard .* Got 7. .*--array=0-0"):
        run(folder)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    assert run(folder).there == 8


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"shards": 0}, "'shards' parameter of plan must be an integer >= 1"),
        ({"longest": 0}, "'longest' parameter of plan must be a number of seconds > 0"),
        ({"estimator": "ei"}, "must be an EffectiveInformation"),
        ({"estimator": ef.EffectiveInformation(tol=-1)}, "'tol' parameter"),
        ({"estimator": ef.EffectiveInformation(activation=ef.Activation("relu"))}, "must be given by name"),
        ({"order": ["nothing"]}, "nothing"),
    ],
)
def test_plans_that_are_refused(tmp_path, changed, message):
    _train(tmp_path / "c", n=1)
    arguments = {"shards": 1, "estimator": _estimator()} | changed
    with pytest.raises((ValueError, TypeError), match=message):
        plan(tmp_path / "c", tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_runs_of_other_layers_are_refused(tmp_path):
    _train(tmp_path / "c" / "a")
    _train(tmp_path / "c" / "b", widths=(6, 4, 3))
    with pytest.raises(ValueError, match="must have the same layers. 'a' has .* 'b' has .* Plan them apart"):
        plan(tmp_path / "c", tmp_path / "out", 1)


def _command(*args, **environment):
    return CliRunner().invoke(main, ["batch", *map(str, args)], env=environment)


def test_a_run_leaves_no_handlers_of_signals(tmp_path):
    _train(tmp_path / "c")
    plan(tmp_path / "c", tmp_path / "out", 1, _estimator())
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    # Where it ends well, and where it cannot begin.
    for folder, code in ((tmp_path / "out", 0), (tmp_path / "nothing", 2)):
        assert _command("run", folder).exit_code == code
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_the_commands(tmp_path):
    _train(tmp_path / "c")
    out = tmp_path / "out"
    (tmp_path / "s.toml").write_text('bins = [4, 5]\nactivation = "tanh"\nin_range = [-1, 1]\ntol = 0.1\n')
    result = _command(
        "plan", tmp_path / "c", "--out", out, "--shards", 2, "--settings", tmp_path / "s.toml", "--tol", 0.05
    )
    assert result.exit_code == 0, result.output
    assert "4 checkpoints of 1 runs, 2 layers each" in result.output
    assert "(one run)            4  0, 10, 20, 30  ckpt_0000.npz" in result.output
    estimator = Batch.load(out).estimator
    assert (estimator.bins, estimator.activation, estimator.in_range, estimator.tol) == ((4, 5), "tanh", (-1, 1), 0.05)
    assert _command("merge", out).exit_code == 3
    result = _command("run", out, SLURM_ARRAY_TASK_ID="1")
    assert result.exit_code == 0, result.output
    assert "2 done, 0 were there, 0 failed" in result.output
    assert "2 of 4 checkpoints done" in _command("status", out).output
    (tmp_path / "c" / "ckpt_0000.npz").write_bytes(b"")
    result = _command("run", out, "--processes", 1)
    assert result.exit_code == 3
    assert "failed: ckpt_0000.npz: ValueError" in result.output
    result = _command("merge", out)
    assert result.exit_code == 3
    assert "ckpt_0000.npz: ValueError" in result.output
    result = _command("merge", out, "--allow-incomplete")
    assert result.exit_code == 0
    assert f"wrote {out / 'trajectory.npz'}" in result.output


@pytest.mark.parametrize(
    ("text", "message"),
    [("bins = ", "are no TOML"), ("bin = 4", "have 'bin', which is none of"), ("bins = 0", "'bins'")],
)
def test_settings_that_are_refused(tmp_path, text, message):
    _train(tmp_path / "c", n=1)
    (tmp_path / "s.toml").write_text(text)
    result = _command("plan", tmp_path / "c", "--out", tmp_path / "o", "--shards", 1, "--settings", tmp_path / "s.toml")
    assert result.exit_code == 1
    assert message in result.output


def test_folders_without_a_plan_and_sizes_that_are_none(tmp_path):
    for command in ("run", "status", "merge"):
        result = _command(command, tmp_path)
        assert result.exit_code == 1
        assert "holds no plan" in result.output
    assert "must be a number with K, M, G or T" in _command("run", tmp_path, "--max-memory", "much").output


def test_memory_is_refused_before_a_checkpoint_is_read(tmp_path):
    _train(tmp_path / "c", n=2)
    plan(tmp_path / "c", tmp_path / "out", 1, _estimator())
    result = _command("run", tmp_path / "out", "--max-memory", "410M")
    assert result.exit_code == 3
    assert "MemoryError: It takes about 0." in result.output
    assert "GiB that a process may take (--max-memory" in result.output


def test_a_trajectory_of_several_runs_is_drawn_run_by_run(runs, tmp_path):
    _, _, folder = runs
    trajectory = ef.Trajectory.load(folder / "trajectory.npz")
    assert ef.Trajectory.from_dict(json.loads(json.dumps(trajectory.to_dict()))).runs == trajectory.runs
    with pytest.raises(ValueError, match=r"trajectory.of_run\('seed0'\), or --run seed0"):
        ef.CausalPlaneDisplay.from_trajectory(trajectory)
    with pytest.raises(ValueError, match="has no run 'seed9'. It has seed0, seed1"):
        trajectory.of_run("seed9")
    ax = Figure().subplots()
    for name in ("seed0", "seed1"):
        ef.CausalPlaneDisplay.from_trajectory(trajectory.of_run(name)).plot(ax, name)
    assert {"seed0", "seed1"} <= {line.get_label() for line in ax.lines}
    picture = tmp_path / "plane.png"
    arguments = ["plot", str(folder / "trajectory.npz"), str(picture)]
    assert "holds the runs seed0, seed1" in CliRunner().invoke(main, arguments).output
    assert CliRunner().invoke(main, [*arguments, "--run", "seed1"]).exit_code == 0
    assert picture.read_bytes()[:4] == b"\x89PNG"


def test_a_failure_is_told_by_its_state_and_not_by_the_words_of_its_reason(tmp_path):
    _train(tmp_path / "c", n=3)
    plan(tmp_path / "c", tmp_path / "out", 1, _estimator())
    (tmp_path / "out" / "failures" / "all").mkdir(parents=True)
    noted = {"checkpoint": "a", "key": None, "said": "missing keys: w0"}
    failed, *others = sorted(one.path for one in Batch.load(tmp_path / "out").checkpoints)
    step = next(one.step for one in Batch.load(tmp_path / "out").checkpoints if one.path == failed)
    (tmp_path / "out" / "failures" / "all" / f"{step:012d}.json").write_text(json.dumps(noted))
    told = status(tmp_path / "out")
    assert told.states == {failed: "failed", **dict.fromkeys(others, "missing")}
    assert (told.shards[0].failed, told.shards[0].missing) == (1, 2)
    assert f"{failed}: missing keys: w0" in str(told)
    assert "of shard 0" not in str(told)


def test_what_a_task_is_given_does_not_grow_with_the_runs_of_a_batch(tmp_path):
    for k in range(30):
        _train(tmp_path / "c" / f"seed{k}", seed=k, n=1)
    batch = plan(tmp_path / "c", tmp_path / "out", 1, _estimator(), ranges="first")
    few = batch.of_run("seed3")
    assert few.settings_hash("seed3") == batch.settings_hash("seed3")
    assert len(pickle.dumps(few)) < len(pickle.dumps(batch)) / 4
