"""Checkpoints in several files, folders of them, and how much of a large one is in memory."""

import json
import subprocess
import sys

import numpy as np
import pytest
import safetensors.torch
import torch
from click.testing import CliRunner
from peak import PEAK, reads_proc
from weight_files import BIASES, NAMES, WEIGHTS, state_of_all

import ei_fast as ef
from ei_fast.adapters.dicts import alone
from ei_fast.cli import main
from ei_fast.cluster import plan, run, status

QUICK = {"random_state": 0, "tol": 0.5}


def save_bins(folder, state, name="pytorch_model"):
    places = {key: f"{name}-0000{1 + (not key.startswith('fc1'))}-of-00002.bin" for key in state}
    for shard in set(places.values()):
        torch.save({key: state[key] for key in state if places[key] == shard}, folder / shard)
    index = folder / f"{name}.bin.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": places}))
    return index


def is_whole(network):
    assert [layer.name for layer in network] == NAMES
    for layer, weight, bias in zip(network, WEIGHTS, BIASES, strict=True):
        np.testing.assert_array_equal(layer.weight, weight)
        np.testing.assert_array_equal(layer.bias, bias)


@pytest.mark.parametrize("prefix", ["", "model.", "module."])
def test_shards_of_pytorch_are_read_by_their_index(tmp_path, prefix):
    state = {f"{prefix}{key}": value for key, value in state_of_all().items()}
    index = save_bins(tmp_path, state)
    network = ef.as_network(index)
    assert [layer.name for layer in network] == [f"{prefix}{name}" for name in NAMES]
    for layer, weight in zip(network, WEIGHTS, strict=True):
        np.testing.assert_array_equal(layer.weight, weight)


def test_damaged_indices_of_shards_are_refused(tmp_path):
    index = save_bins(tmp_path, state_of_all())
    content = json.loads(index.read_text())
    for wrong, said in (("../x.bin", "must name .bin files in its own folder"), ("y.bin", "which is not beside it")):
        changed = content["weight_map"] | {"fc3.weight": wrong}
        index.write_text(json.dumps({"weight_map": changed}))
        with pytest.raises(ValueError, match=said):
            ef.as_network(index)
    index.write_text("[]")
    with pytest.raises(ValueError, match="must be an index of PyTorch's .bin files"):
        ef.as_network(index)


def test_a_bin_file_is_read_if_pytorch_wrote_it(tmp_path):
    torch.save(state_of_all(), tmp_path / "pytorch_model.bin")
    is_whole(ef.as_network(tmp_path / "pytorch_model.bin"))
    (tmp_path / "other.bin").write_bytes(b"something")
    with pytest.raises(ValueError, match="Save the weights in one of these formats"):
        ef.as_network(tmp_path / "other.bin")


def test_a_folder_is_read_by_the_file_that_holds_the_weights(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    torch.save({"lr": 0.1}, tmp_path / "training_args.bin")
    save_bins(tmp_path, state_of_all())
    is_whole(ef.as_network(tmp_path))
    # As from_pretrained does, safetensors go first.
    state = {key: value + 0 for key, value in state_of_all().items()} | {"fc1.bias": torch.zeros(6)}
    safetensors.torch.save_file(state, tmp_path / "model.safetensors")
    assert not ef.as_network(tmp_path)[0].bias.any()
    assert "fc1" in CliRunner().invoke(main, ["describe", str(tmp_path)]).output


def test_a_folder_with_an_index_by_another_name_and_one_without(tmp_path):
    save_bins(tmp_path, state_of_all(), name="consolidated")
    is_whole(ef.as_network(tmp_path))
    (tmp_path / "none").mkdir()
    np.savez(tmp_path / "none" / "w.npz", w0=np.eye(2))
    with pytest.raises(IsADirectoryError, match="Give a file in it, like '.*w.npz'"):
        ef.as_network(tmp_path / "none")
    typed = CliRunner().invoke(main, ["describe", str(tmp_path / "none")])
    assert typed.exit_code == 1
    assert "Give a file in it" in typed.output


def test_patterns_and_chain_on_the_command_line(tmp_path):
    save_bins(tmp_path, state_of_all() | {"embed.weight": torch.ones(9, 4), "odd.weight": torch.ones(5, 8)})
    typed = CliRunner().invoke(main, ["describe", str(tmp_path)])
    assert typed.exit_code == 1
    assert "With --no-chain each 2-D weight is measured by itself" in typed.output
    typed = CliRunner().invoke(main, ["describe", str(tmp_path), "--no-chain", "--layers", "fc*,odd"])
    assert [line.split()[0] for line in typed.output.splitlines()[2:6]] == [*NAMES, "odd"]
    assert "--layers embed and --layout in_out" in typed.output
    typed = CliRunner().invoke(main, ["describe", str(tmp_path), "--no-chain", "--layers", "fd*"])
    assert "Give --layers 'fc" in typed.output or "Give --layers fc" in typed.output
    options = ["--no-chain", "--layers", "fc2", "--layers", "odd", "--tol", "0.5", "--seed", "0"]
    typed = CliRunner().invoke(main, ["analyze", str(tmp_path), *options])
    assert typed.exit_code == 0
    assert "fc2" in typed.output
    assert "fc1" not in typed.output.split("skipped")[0]


@pytest.mark.parametrize("held", [0, 2**28])
def test_batches_read_only_what_patterns_fit(tmp_path, monkeypatch, held):
    monkeypatch.setattr(alone, "HELD_BYTES", held)
    for step in (1, 2):
        (tmp_path / f"checkpoint-{step}").mkdir()
        state = {key: step * value for key, value in state_of_all().items()}
        save_bins(tmp_path / f"checkpoint-{step}", state | {"odd.weight": torch.ones(5, 8)})
    estimator = ef.EffectiveInformation(**QUICK, activation="linear")
    options = {"chain": False, "layers": ["fc2", "odd"]}
    batch = plan(tmp_path, tmp_path / "ei", 1, estimator, step_pattern=r"checkpoint-(\d+)/", **options)
    assert [name for name, *_ in batch.layers] == ["fc2", "odd"]
    assert len(batch.checkpoints) == 2
    run(tmp_path / "ei", processes=1)
    assert status(tmp_path / "ei").done == 2


# How much is in memory

_WIDTH, _N_LAYERS = 4096, 64
_READS = (
    PEAK
    + """
import sys
import numpy as np
import ei_fast as ef
from ei_fast.network.stored import StoredLayer

ef.as_network([np.eye(3)], "linear").ranges()
before = peak()
network = ef.as_network(sys.argv[1], chain=False, layers=sys.argv[2:])
assert all(isinstance(layer, StoredLayer) for layer in network), "not stored"
read = peak()
for layer in network:
    assert layer.loaded().weight.shape == (layer.n_in, layer.n_out)
network.ranges()
print(len(network), read - before, peak() - before)
"""
)


def _save_large(folder):
    """Two GiB in shards of 128 MiB: up to four layers in each."""
    places = {}
    for k in range(_N_LAYERS // 4):
        names = [f"model.layers.{k}.{name}.weight" for name in ("mlp.up", "mlp.down", "attn.q", "attn.o")]
        shard = f"model-{k:05d}-of-{_N_LAYERS // 4:05d}.safetensors"
        weights = torch.randn(_WIDTH, _WIDTH, dtype=torch.bfloat16) / _WIDTH**0.5
        safetensors.torch.save_file({name: weights.clone() for name in names}, folder / shard)
        places |= dict.fromkeys(names, shard)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))


@reads_proc
@pytest.mark.slow
def test_of_a_large_checkpoint_one_layer_is_in_memory(tmp_path):
    _save_large(tmp_path)
    layer = 8 * _WIDTH**2
    assert sum(one.stat().st_size for one in tmp_path.glob("*.safetensors")) >= 2**31
    try:
        command = [sys.executable, "-c", _READS, str(tmp_path), "*.mlp.*"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    finally:
        for one in tmp_path.glob("*.safetensors"):
            one.unlink()
    n_layers, read, peak = map(int, said.split())
    assert n_layers == _N_LAYERS // 2
    assert read < 0.2 * layer
    assert peak < 2 * layer + 2**26, f"{peak / layer:.2f} times the largest layer"
