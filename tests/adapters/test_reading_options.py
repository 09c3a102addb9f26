"""Whatever reads a model takes all options of `as_network`, in Python and on the command line."""

import keras
import numpy as np
import pytest
import torch
from click.testing import CliRunner

import ei_fast as ef
from ei_fast.adapters import as_network
from ei_fast.callbacks.keras import RecorderCallback
from ei_fast.cli import main
from ei_fast.cli.reading import NAMES, taken_out
from ei_fast.cli.said import as_typed
from ei_fast.cluster import plan, status
from ei_fast.cluster.planning.batch import Batch
from ei_fast.parameters import AdapterOptions

# Of one width, so that nothing but `order` tells what feeds what.
SQUARE = {"head": {"kernel": np.eye(2) * 3}, "body": {"kernel": np.ones((2, 2))}}
ORDER = ["body", "head"]
QUICK = {"random_state": 0, "tol": 0.5}


def _run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def _residual():
    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Linear(3, 3)

        def forward(self, x):
            return x + torch.tanh(self.inner(x))

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Tanh(), Residual(), torch.nn.Linear(3, 2))


def test_a_dict_whose_order_cannot_be_told_is_measured_in_the_order_that_is_given():
    with pytest.raises(ValueError, match="The order of the layers cannot be told"):
        ef.analyze(SQUARE)
    expected = str(ef.analyze(as_network(SQUARE, order=ORDER), **QUICK))
    assert str(ef.analyze(SQUARE, order=ORDER, **QUICK)) == expected
    estimator = ef.EffectiveInformation(**QUICK)
    assert str(estimator.fit(SQUARE, order=ORDER).report_) == expected
    assert [layer.name for layer in estimator.check(SQUARE, order=ORDER)[0]] == ORDER
    assert "body: EI" in estimator.choices(SQUARE, order=ORDER)
    assert ef.bin_sweep(SQUARE, (4,), order=ORDER, **QUICK)["layer"].tolist() == ORDER
    assert float(ef.effective_information(SQUARE, order=["body"], **QUICK)) == estimator.report_["body"].ei
    assert ef.sensitivity_matrix(SQUARE, order=["head"], **QUICK).shape == (2, 2)
    assert ef.ei_parts_matrix(SQUARE, order=["head"], **QUICK).shape == (2, 2)
    recorder = ef.Recorder(estimator, order=ORDER)
    assert recorder.record(SQUARE)["body"].ei == estimator.report_["body"].ei


def test_blocks_ranges_and_verifying_reach_the_model():
    model = _residual()
    blocks = {"2": (-2.0, 2.0)}
    network = as_network(model, in_range=(-3.0, 3.0), blocks=blocks)
    report = ef.analyze(model, in_range=(-3.0, 3.0), blocks=blocks, verify=False, **QUICK)
    assert [layer.name for layer in report] == ["0", "2", "3"]
    sweep = ef.bin_sweep(model, (8,), in_range=(-3.0, 3.0), blocks=blocks, **QUICK)
    assert sweep["ei"].tolist() == ef.analyze(network, **QUICK).to_frame()["ei"].tolist()


def test_what_does_not_fit_the_model_is_refused_as_by_as_network():
    for call in (ef.analyze, ef.bin_sweep, ef.effective_information, ef.EffectiveInformation().fit):
        with pytest.raises(ValueError, match="'order' parameter of as_network is for dicts"):
            call(np.eye(2), order=["a"])
        with pytest.raises(ValueError, match="'input_shape' parameter of as_network is for models"):
            call(np.eye(2), input_shape=(2,))


def test_an_option_given_as_a_metric_is_refused_with_the_place_where_it_belongs():
    recorder = ef.Recorder(ef.EffectiveInformation(**QUICK))
    with pytest.raises(TypeError, match=r"Give it to the recorder: Recorder\(estimator, order=\['body', 'head'\]\)"):
        recorder.record(SQUARE, order=ORDER)
    with pytest.raises(TypeError, match="Give it to the recorder"):
        recorder.record(np.eye(2), verify=False)
    recorder.record(np.eye(2), step=0, order=0.5)
    assert recorder.trajectory_.metrics["order"].tolist() == [0.5]


def test_a_callback_takes_them_and_refuses_others():
    callback = RecorderCallback(ef.EffectiveInformation(**QUICK), blocks=["d"], input_shape=(3,), verify=False)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, "tanh", name="d")])
    model.compile("sgd", "mse")
    model.fit(np.ones((4, 3)), np.ones((4, 2)), epochs=1, verbose=0, callbacks=[callback])
    assert callback.recorder.trajectory_.layers == ("d",)
    with pytest.raises(
        TypeError, match="RecorderCallback got an unexpected keyword argument 'blocs'. Write 'blocks' instead"
    ):
        RecorderCallback(ef.EffectiveInformation(), blocs=["d"])


@pytest.mark.parametrize("command", [("analyze",), ("describe",), ("batch", "plan")])
def test_every_option_is_on_the_command_line(command):
    said = _run(*command, "--help").output
    for name in AdapterOptions.__annotations__:
        assert f"--{name.replace('_', '-')}" in said


def test_an_option_that_is_added_later_is_on_the_command_line_too(monkeypatch):
    monkeypatch.setattr("ei_fast.cli.reading.NAMES", [*NAMES, "branch"])
    monkeypatch.setitem(AdapterOptions.__annotations__, "branch", str | None)
    typed = dict.fromkeys(NAMES) | {"branch": "left", "bins": 4}
    assert taken_out(typed) == {"branch": "left"}
    assert typed == {"bins": 4}


@pytest.fixture
def square(tmp_path):
    path = tmp_path / "square_1.npz"
    np.savez(path, **{f"{name}/kernel": layer["kernel"] for name, layer in SQUARE.items()})
    return path


def test_the_remedy_on_the_command_line_can_be_typed(tmp_path, square):
    from safetensors.numpy import save_file

    path = tmp_path / "square_1.safetensors"
    save_file({f"{name}/kernel": layer["kernel"] for name, layer in SQUARE.items()}, path)
    refused = _run("describe", path)
    assert refused.exit_code == 1
    assert "Give --order body --order head, or other names" in refused.output
    for typed in (["--order", "body", "--order", "head"], ["--order", "body, head"]):
        done = _run("analyze", path, *typed, "--tol", 0.5)
        assert done.exit_code == 0, done.output
        # Before it a bar may have said that kernels are compiled.
        assert done.output.strip().endswith(str(ef.analyze(path, order=ORDER, **QUICK)))
    planned = _run("batch", "plan", path.parent / "*.safetensors", "--out", tmp_path / "ei", "--shards", 1)
    assert "Give --order body --order head, or other names" in planned.output
    planned = _run(
        *("batch", "plan", path.parent / "*.safetensors", "--out", tmp_path / "ei", "--shards", 1),
        *("--order", "body", "--order", "head", "--no-verify"),
    )
    assert planned.exit_code == 0, planned.output


def test_blocks_and_batches_are_typed(tmp_path, square):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="a"), keras.layers.Dense(2, name="b")])
    path = tmp_path / "net.keras"
    model.save(path)
    done = _run("describe", path, "--blocks", "a=-3,3", "--blocks", "b=-4,4", "--no-verify")
    assert done.exit_code == 0, done.output
    assert "(-3, 3)" in done.output
    np.save(tmp_path / "batch.npy", np.zeros((4, 3)))
    refused = _run("describe", square, "--example-inputs", tmp_path / "batch.npy")
    assert "Give it as many columns" in refused.output
    refused = _run("describe", square, "--example-inputs", square)
    assert "must be a .npy file" in refused.output


def test_a_plan_keeps_options_and_leaves_defaults_out(tmp_path, square):
    out = tmp_path / "ei"
    made = plan(tmp_path / "*.npz", out, 1, ef.EffectiveInformation(**QUICK), order=ORDER, verify=True, blocks=())
    assert made.reading == {"order": ORDER}
    assert [name for name, *_ in made.layers] == ORDER
    with pytest.raises(TypeError, match="plan got an unexpected keyword argument 'shard'. Write 'shards' instead"):
        plan(tmp_path / "*.npz", out, 1, shard=1)


def test_all_ranges_are_read_with_verify_given(tmp_path, square):
    made = plan(tmp_path / "*.npz", tmp_path / "ei", 1, order=ORDER, verify=False, ranges="all")
    assert made.reading == {"order": ORDER, "verify": False}


def test_settings_of_a_plan_take_all_options(tmp_path, square):
    settings = tmp_path / "settings.toml"
    settings.write_text('order = ["body", "head"]\nverify = false\ntol = 0.5\n')
    planned = _run(
        "batch", "plan", square.parent / "*.npz", "--out", tmp_path / "ei", "--shards", 1, "--settings", settings
    )
    assert planned.exit_code == 0, planned.output
    assert Batch.load(tmp_path / "ei").reading == {"order": ORDER, "verify": False}


def test_a_number_called_w0_does_not_make_a_dict_unreadable():
    weights = {"fc1.weight": np.ones((3, 2)), "fc2.weight": np.ones((1, 3))}
    for number in (30.0, np.float32(30.0), torch.tensor(30.0)):
        model = {"w0": number, **weights}
        with pytest.raises(ValueError, match=r"Got 'w0' instead, .*Give order=\['fc1', 'fc2'\]"):
            as_network(model)
        assert [layer.name for layer in ef.analyze(model, order=["fc1", "fc2"], **QUICK)] == ["fc1", "fc2"]


@pytest.mark.parametrize(
    "model", [{"x": np.ones((2, 2))}, {"conv.weight": np.ones((2, 2, 3, 3))}, {"w0": 3.0}, {"bn.running_mean": 1.0}]
)
def test_no_message_says_that_there_are_no_candidates(model):
    for order in (None, ["x"]):
        with pytest.raises(ValueError, match="Give some, as {'w0': weight}"):
            as_network(model, order=order)


def _typed(message, command="analyze"):
    import click

    with click.Context(main.commands[command]):
        return as_typed(message)


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ("Give order=['a b', 'c'], the names.", "Give --order 'a b' --order c, the names."),
        ("Give order=, the names.", "Give --order, the names."),
        ("as blocks={'r': (-1.5, 2.0), 's': None}.", "as --blocks r=-1.5,2.0 --blocks s."),
        ("Give blocks=['r'].", "Give --blocks r."),
        ("Use joint='auto' or 'annealed'.", "Use --joint auto or 'annealed'."),
        ("or use verify=False.", "or use --no-verify."),
        ("Give an 'in_range' on which it is.", "Give an --in-range on which it is."),
        ("Name it in 'blocks' to measure it.", "Name it in --blocks to measure it."),
        ("as input_shape=(3, 32, 32).", "as --input-shape 3,32,32."),
        ("Give in_range=(-3.0, 3.0).", "Give --in-range -3.0 3.0."),
        ("activation=['tanh', 'linear'],", "--activation tanh,linear,"),
        ("Use random_state=0.", "Use --seed 0."),
        # What is no option of the command, or part of a path, stays.
        ("Give step_pattern=, a regular expression.", "Give step_pattern=, a regular expression."),
        ("The file 'runs/order=3/net.npz' is damaged.", "The file 'runs/order=3/net.npz' is damaged."),
        ("The 'order' parameter names 'x'.", "The 'order' parameter names 'x'."),
        ("as blocks={'r': (low, high)}.", "as blocks={'r': (low, high)}."),
    ],
)
def test_messages_show_what_can_be_typed(message, typed):
    assert _typed(message) == typed


def test_what_batches_recorded_is_shown_as_options_of_the_command_that_has_them(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    weights = {"fc1.weight": torch.ones(3, 3), "fc2.weight": torch.ones(3, 3)}
    torch.save(weights, tmp_path / "checkpoints" / "step1.pt")
    torch.save(weights | {"x.weight": torch.ones(4)}, tmp_path / "checkpoints" / "step2.pt")
    planned = ["batch", "plan", str(tmp_path / "checkpoints"), "--out", str(tmp_path / "ei"), "--shards", "1"]
    assert CliRunner().invoke(main, planned).exit_code == 0
    ran, told, merged = (
        CliRunner().invoke(main, ["batch", command, str(tmp_path / "ei")]) for command in ("run", "status", "merge")
    )
    assert (ran.exit_code, told.exit_code, merged.exit_code) == (3, 0, 3)
    for said in (ran.output, told.output, merged.output):
        assert "Give --order fc1 --order fc2, or other names" in said
        assert "order=[" not in said
        assert "options of ei-fast batch plan: plan again with them, and with --replace." in said
    assert "Give order=['fc1', 'fc2']" in status(tmp_path / "ei").reasons["step2.pt"]
    again = CliRunner().invoke(main, [*planned, "--order", "fc1", "--order", "fc2", "--replace"])
    assert again.exit_code == 0, again.output
    assert CliRunner().invoke(main, ["batch", "run", str(tmp_path / "ei")]).exit_code == 0


def test_reasons_for_what_is_skipped_are_shown_with_options(tmp_path):
    class Normed(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.norm, self.out = torch.nn.Linear(4, 3), torch.nn.LayerNorm(3), torch.nn.Linear(3, 2)

        def forward(self, x):
            return self.out(self.norm(self.fc(x)))

    torch.onnx.export(Normed(), (torch.ones(1, 4),), tmp_path / "normed.onnx", dynamo=False)
    for command in ("describe", "analyze"):
        done = CliRunner().invoke(main, [command, str(tmp_path / "normed.onnx")])
        assert done.exit_code == 0, done.output
        assert "'blocks'" not in done.output
    assert _typed("Name what holds them in 'blocks' of as_network.") == "Name what holds them in --blocks."


def test_outside_of_a_command_messages_stay():
    assert as_typed("Give order=['a'].") == "Give order=['a']."
