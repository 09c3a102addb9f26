"""The command ei-fast, as it is typed."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from shutil import which

import numpy as np
import pytest
from click.testing import CliRunner
from slow_cases import some_slow

import ei_fast as ef
from ei_fast.cli import main


def _run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def _png_size(path):
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    return int.from_bytes(content[16:20]), int.from_bytes(content[20:24])


@pytest.mark.parametrize(
    ("name", "widths"), [("iris", [(4, 5), (5, 5), (5, 3)]), ("mnist", [(25, 6), (6, 6), (6, 6), (6, 5)])]
)
def test_demo(name, widths, tmp_path):
    out = tmp_path / "deep" / "folder"
    result = _run("demo", name, "--epochs", 4, "--every", 3, "--bins", 4, "--seed", 1, "--out", out)
    assert result.exit_code == 0, result.output
    trajectory = ef.Trajectory.load(out / "trajectory.npz")
    assert trajectory.steps.tolist() == [0, 3, 4]
    assert list(trajectory.metrics) == ["training_loss", "validation_loss", "validation_accuracy"]
    assert trajectory.metrics["training_loss"][-1] < trajectory.metrics["training_loss"][0]
    assert len(trajectory.layers) == len(widths)
    for (n_in, n_out), layer in zip(widths, trajectory.layers, strict=True):
        line = next(line for line in result.output.splitlines() if line.startswith(layer))
        assert f"{n_in} -> {n_out}" in line
    for picture in ("causal_plane.png", "measures.png"):
        assert min(_png_size(out / picture)) > 500


@pytest.mark.parametrize("installed", some_slow([True, False], 1))
def test_demo_with_a_video(tmp_path, monkeypatch, installed):
    monkeypatch.setattr("ei_fast.demo.runs.find_spec", lambda name: installed)
    result = _run("demo", "iris", "--epochs", 2, "--every", 1, "--bins", 4, "--out", tmp_path, "--video")
    assert result.exit_code == 0, result.output
    video = tmp_path / ("causal_plane.mp4" if installed else "causal_plane.gif")
    assert f"wrote {video}" in result.output
    assert video.read_bytes()[4:8] == b"ftyp" if installed else video.read_bytes()[:6] == b"GIF89a"


def test_animate_and_plot(tmp_path):
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0))
    for step in range(3):
        recorder.record([np.eye(2) * step], step=step, loss=1 / (1 + step))
    recorder.trajectory_.save(tmp_path / "run.npz")
    for command, name in (("animate", "plane.gif"), ("animate", "plane.html"), ("plot", "run.png")):
        result = _run(command, tmp_path / "run.npz", tmp_path / name)
        assert result.exit_code == 0, result.output
        assert f"wrote {tmp_path / name}" in result.output
    assert min(_png_size(tmp_path / "run.png")) > 1000
    assert (tmp_path / "plane.gif").read_bytes()[:6] == b"GIF89a"
    for command, name, message in (
        ("animate", "plane.avi", "must end in .mp4, .gif or .html"),
        ("plot", "run.avi", "not supported"),
    ):
        result = _run(command, tmp_path / "run.npz", tmp_path / name)
        assert result.exit_code == 1
        assert message in result.output
        assert "Traceback" not in result.output
    ef.Trajectory.empty().save(tmp_path / "empty.npz")
    for command in ("animate", "plot"):
        assert "step" in _run(command, tmp_path / "empty.npz", tmp_path / "out.gif").output


@pytest.mark.slow
def test_the_demo_is_reproducible(tmp_path):
    for folder in ("a", "b"):
        assert _run("demo", "iris", "--epochs", 2, "--every", 1, "--out", tmp_path / folder).exit_code == 0
    a, b = (ef.Trajectory.load(tmp_path / folder / "trajectory.npz") for folder in ("a", "b"))
    np.testing.assert_array_equal(a.ei, b.ei)
    np.testing.assert_array_equal(a.metrics["training_loss"], b.metrics["training_loss"])


def test_analyze(tmp_path, random_weight):
    path = tmp_path / "net.npz"
    weights = {"w0": random_weight(4, 3, 5.0), "b0": np.ones(3), "w1": random_weight(3, 2, 5.0)}
    np.savez(path, **weights, activation=["tanh", "sigmoid"])
    result = _run("analyze", path, "--bins", 4, "--in-range", -1, 1, "--seed", 3, "--explain")
    assert result.exit_code == 0, result.output
    report = ef.analyze(path, bins=4, in_range=(-1, 1), random_state=3)
    assert result.output.startswith(str(report))
    assert report[1].explain() in result.output


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--bins", 1), "'bins' parameter"),
        (("--bins", 30_000), "takes a table of in_bins * out_bins = 900,000,000 entries"),
        (("--tol", 0), "'tol' parameter"),
        (("--in-range", 1, 0), "'in_range' parameter"),
        (("--activation", "swoosh"), "'swoosh' is not known"),
    ],
)
def test_mistakes_are_messages(tmp_path, args, message):
    path = tmp_path / "net.npz"
    np.savez(path, w0=np.eye(2))
    result = _run("analyze", path, *args)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output


def test_bad_files_are_messages(tmp_path):
    (tmp_path / "net.npz").write_bytes(b"nothing")
    assert "cannot be read" in _run("analyze", tmp_path / "net.npz").output.replace("\n", " ")
    assert _run("analyze", tmp_path / "missing.npz").exit_code == 2


def test_the_command_is_installed():
    command = which("ei-fast", path=str(Path(sys.executable).parent))
    assert command
    result = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert ef.__version__ in result.stdout


def test_describe_and_analyze_of_a_state_dict(tmp_path):
    import torch

    path = tmp_path / "net.pt"
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    torch.save(model.state_dict(), path)
    unclear = _run("describe", path)
    assert unclear.exit_code == 1
    assert "'3.weight' of shape (2,)" in unclear.output
    assert "Traceback" not in unclear.output
    options = ("--order", "0, 2", "--activation", "tanh,linear")
    described = _run("describe", path, *options)
    assert described.exit_code == 0, described.output
    lines = described.output.splitlines()
    assert lines[2].split()[:6] == ["0", "dense", "4", "->", "3", "tanh"]
    assert lines[3].split()[:6] == ["2", "dense", "3", "->", "2", "linear"]
    assert lines[4] == "skipped 3: not in order"
    analyzed = _run("analyze", path, *options, "--seed", 0)
    assert analyzed.exit_code == 0, analyzed.output
    network = ef.as_network(path, ["tanh", "linear"], order=["0", "2"])
    assert analyzed.output.strip() == str(ef.analyze(network, random_state=0))


def test_whole_models(tmp_path):
    import torch
    from models import export_onnx
    from torch import nn

    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(8, 2))
    path = export_onnx(model, tmp_path / "net.onnx", 1, 4, 4)
    done = _run("describe", path, "--in-range", "-1", "1", "--input-shape", "1,4,4")
    assert done.exit_code == 0, done.output
    assert "1x3x3 -> 2 per patch" in done.output
    assert "(-1, 1)" in done.output
    done = _run("analyze", path, "--tol", "0.5")
    assert done.exit_code == 0, done.output
    for shape, message in (
        ("1,x", "must be integers with commas"),
        ("1,5,5", "must be what the model takes, (1, 4, 4)"),
    ):
        done = _run("describe", path, "--input-shape", shape)
        assert done.exit_code == 1
        assert message in done.output


@pytest.fixture
def net(tmp_path, random_weight):
    path = tmp_path / "net.npz"
    np.savez(path, w0=random_weight(4, 3, 5.0), w1=random_weight(3, 2, 5.0))
    return path


def test_the_report_is_written(net, tmp_path):
    pytest.importorskip("pandas")
    report = ef.analyze(net, tol=0.1, pairwise="none", random_state=0)
    frame = report.to_frame()
    for name in ("report.npz", "report.csv", "report.json"):
        done = _run("analyze", net, "--tol", 0.1, "--pairwise", "none", "--out", tmp_path / name)
        assert done.exit_code == 0, done.output
        assert f"wrote {tmp_path / name}" in done.output
    loaded = ef.Report.load(tmp_path / "report.npz")
    assert str(loaded) == str(report)
    with (tmp_path / "report.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(frame.columns)
    assert [float(row["ei"]) for row in rows] == [layer.ei for layer in report]
    # Not measured, which is NaN, is nothing.
    assert [row["sensitivity"] for row in rows] == ["", ""]
    content = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    assert [row["ei"] for row in content["layers"]] == [layer.ei for layer in report]
    assert [row["sensitivity"] for row in content["layers"]] == [None, None]
    assert list(content["layers"][0]) == list(frame.columns)
    assert content["provenance"]["seed"] == 0


@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_report_is_printed_for_other_programs(net, tmp_path, form):
    done = _run("analyze", net, "--tol", 0.1, "--format", form, "--out", tmp_path / f"report.{form}")
    assert done.exit_code == 0, done.output
    # The same as in the file, and nothing else.
    if form == "csv":
        assert done.stdout == (tmp_path / "report.csv").read_text()
    else:
        printed, written = json.loads(done.stdout), json.loads((tmp_path / "report.json").read_text())
        assert printed == written
    assert f"wrote {tmp_path / 'report'}" in done.stderr


def test_options_of_analyze_are_parameters(net):
    options = {
        "out_of_range": "drop",
        "joint": "plugin",
        "pairwise": "histogram",
        "n_samples": 512,
        "pairwise_edges": 1000,
        "entropy": "plugin",
    }
    typed = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    done = _run("analyze", net, *typed, "--ranges", "hull", "--activation", "relu")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(
        ef.analyze(ef.as_network(net, "relu"), out_range="hull", random_state=0, **options)
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--out", "report.txt"), "must end in .npz, .csv or .json. Got 'report.txt'"),
        (("--out", "nowhere/report.csv"), "must be in a folder that exists"),
        (("--ranges", "hull", "--out-range", 0, 1), "must not be given together"),
        (("--ranges", "wide"), "--ranges must be auto, hull, neuron, dynamic or seen. Got 'wide'"),
        (("--joint", "best"), "'joint' parameter"),
        (("--n-samples", 3), "'n_samples' parameter"),
        (("--effort", 0), "'effort' parameter"),
        (("--format", "csv", "--explain"), "are for reading. Got them with --format csv. Leave them out."),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(net, monkeypatch, args, message):
    monkeypatch.setattr(ef.EffectiveInformation, "fit", lambda *args: pytest.fail("measured"))
    done = _run("analyze", net, *args)
    assert done.exit_code == 1
    assert message in done.output


def test_files_that_are_for_another_command_name_it(net, tmp_path):
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0))
    report = recorder.record(np.eye(2), step=0)
    run, one = tmp_path / "run.npz", tmp_path / "one.npz"
    recorder.trajectory_.save(run)
    report.save(one)
    for command in ("analyze", "describe"):
        said = _run(command, run)
        assert said.exit_code == 1
        assert "is a trajectory" in said.output
        assert f"ei-fast plot {run} run.png" in said.output
        assert f"ei-fast animate {run}" in said.output
        said = _run(command, one)
        assert said.exit_code == 1
        assert "is a report" in said.output
        assert "plot_edges" in said.output
    for command in ("plot", "animate"):
        said = _run(command, net, tmp_path / "out.gif")
        assert said.exit_code == 1
        assert "holds weights" in said.output
        assert f"ei-fast analyze {net}" in said.output
        said = _run(command, one, tmp_path / "out.gif")
        assert "is a report of one moment" in said.output


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "TkAgg", "none of these"])
@pytest.mark.parametrize("name", ["run.png", "run.gif", "run.html"])
def test_pictures_do_not_depend_on_the_backend_that_a_notebook_has_set(tmp_path, backend, name):
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0))
    for step in range(2):
        recorder.record([np.eye(2) * step], step=step)
    recorder.trajectory_.save(tmp_path / "run.npz")
    command = [sys.executable, "-m", "ei_fast", "plot" if name == "run.png" else "animate"]
    ran = subprocess.run(
        [*command, tmp_path / "run.npz", tmp_path / name],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"MPLBACKEND": backend},
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    assert f"wrote {tmp_path / name}" in ran.stdout


def test_the_package_as_a_module_is_the_command():
    ran = subprocess.run([sys.executable, "-m", "ei_fast", "--help"], capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("Usage: python -m ei_fast [OPTIONS] COMMAND")
