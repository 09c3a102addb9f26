"""Every weight of files that real models were saved in, against the modules of the models themselves."""

import os

import numpy as np
import pytest
import torch
import transformers
from torch import nn

import ei_fast as ef
from ei_fast.adapters.dicts import alone

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

_SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}
_GPT2 = {"n_layer": 2, "n_embd": 32, "n_head": 2, "n_positions": 16, "vocab_size": 101}
_PARTS = {
    "text_config": {**_SMALL, "vocab_size": 101},
    "vision_config": {**_SMALL, "image_size": 16, "patch_size": 4},
    "projection_dim": 16,
}
MODELS = {
    "GPT2LMHeadModel": ("GPT2Config", _GPT2),
    "BertForMaskedLM": ("BertConfig", {**_SMALL, "vocab_size": 101}),
    "RobertaForSequenceClassification": ("RobertaConfig", {**_SMALL, "vocab_size": 101}),
    "DistilBertModel": ("DistilBertConfig", {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48}),
    "LlamaForCausalLM": ("LlamaConfig", {**_SMALL, "vocab_size": 101}),
    "MistralForCausalLM": ("MistralConfig", {**_SMALL, "vocab_size": 101, "num_key_value_heads": 1}),
    "GPTNeoXForCausalLM": ("GPTNeoXConfig", {**_SMALL, "vocab_size": 101}),
    "T5ForConditionalGeneration": (
        "T5Config",
        {"d_model": 32, "d_ff": 48, "d_kv": 16, "num_heads": 2, "num_layers": 1, "vocab_size": 101},
    ),
    "CLIPModel": ("CLIPConfig", _PARTS),
    "AlbertModel": ("AlbertConfig", {**_SMALL, "embedding_size": 16, "vocab_size": 101}),
    "ElectraModel": ("ElectraConfig", {**_SMALL, "embedding_size": 16, "vocab_size": 101}),
}
_IN_MODELS = {"embed_out": "lm_head"}


def _model(name):
    config, options = MODELS[name]
    torch.manual_seed(0)
    return getattr(transformers, name)(getattr(transformers, config)(**options)).eval()


def _maps(model):
    """The dense layers of a model by name: what each module computes, in float64, whichever way it is stored."""
    found = {}
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D":
            module = module.double()
            weight = module.weight.T if isinstance(module, nn.Linear) else module.weight
            found[name] = weight.detach().numpy(), 0.0 if module.bias is None else module.bias.detach().numpy()
    return found


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("max_shard_size", ["20KB", "1GB"])
def test_all_dense_layers_of_a_model_of_transformers_are_there_and_no_embedding(tmp_path, name, max_shard_size):
    model = _model(name)
    model.save_pretrained(tmp_path, max_shard_size=max_shard_size)
    assert (tmp_path / "model.safetensors.index.json").exists() == (max_shard_size == "20KB")
    network = ef.as_network(tmp_path, "linear", chain=False)
    # The library calls it otherwise in files.
    network = ef.as_network(network, names=[_IN_MODELS.get(layer.name, layer.name) for layer in network])
    expected = _maps(model)
    tied = {
        other
        for other in expected
        for table in model.modules()
        if isinstance(table, nn.Embedding) and model.get_submodule(other).weight is table.weight
    }
    assert {layer.name for layer in network} == expected.keys() - tied
    for layer in network:
        weight, bias = expected[layer.name]
        np.testing.assert_array_equal(layer.weight, weight)
        np.testing.assert_array_equal(layer.bias, bias + np.zeros(layer.n_out))
        x = np.random.default_rng(0).normal(size=(2, layer.n_in))
        module = model.get_submodule(layer.name)
        np.testing.assert_allclose(layer(x), module(torch.tensor(x)).detach().numpy(), rtol=1e-10, atol=1e-12)
    # Each parameter is in a layer, or belongs to what is named as skipped.
    said = {skipped for skipped, _ in network.skipped} | {layer.name for layer in network} | tied
    for parameter, values in model.named_parameters():
        owner = parameter.rpartition(".")[0]
        assert owner in said or parameter in said, (parameter, values.shape)
    tables = {name for name, module in model.named_modules() if isinstance(module, nn.Embedding)}
    assert all("an embedding, as its name says" in dict(network.skipped)[one] for one in tables if one in said)


def test_the_same_file_in_the_formats_of_pytorch(tmp_path):
    model = _model("BertForMaskedLM")
    state = model.state_dict()
    torch.save(state, tmp_path / "pytorch_model.bin")
    torch.save({"model": state, "epoch": 3}, tmp_path / "net.pt")
    np.savez(tmp_path / "net.npz", **{key: value.numpy() for key, value in state.items()})
    expected = ef.as_network(state, chain=False)
    # Tied, and in a state dict nevertheless.
    assert "tied" in dict(expected.skipped)["cls.predictions.decoder"]
    for file in ("pytorch_model.bin", "net.pt", "net.npz"):
        network = ef.as_network(tmp_path / file, chain=False)
        assert [layer.name for layer in network] == [layer.name for layer in expected]
        for layer, same in zip(network, expected, strict=True):
            np.testing.assert_array_equal(layer.weight, same.weight)
            np.testing.assert_array_equal(layer.bias, same.bias)
        assert [one for one in network.skipped if one[0] != "epoch"] == expected.skipped


@pytest.fixture
def saved(tmp_path, monkeypatch):
    """A file whose layers are read when they are measured."""
    monkeypatch.setattr(alone, "HELD_BYTES", 0)
    model = _model("LlamaForCausalLM")
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    return tmp_path, model


def test_layers_that_stay_in_their_file_are_the_same(saved, monkeypatch):
    folder, _ = saved
    options = {"chain": False, "layers": "*.mlp.*", "activation": "linear"}
    stored = ef.as_network(folder, **options)
    assert {type(layer).__name__ for layer in stored} == {"StoredLayer"}
    quick = {"random_state": 0, "tol": 0.5}
    found = ef.analyze(stored, **quick)
    monkeypatch.setattr(alone, "HELD_BYTES", 2**30)
    held = ef.as_network(folder, **options)
    assert {type(layer).__name__ for layer in held} == {"Layer"}
    expected = ef.analyze(held, **quick)
    assert found.to_frame().equals(expected.to_frame())
    assert found.skipped == expected.skipped
    assert stored.ranges() == held.ranges()
    for layer, same in zip(stored, held, strict=True):
        np.testing.assert_array_equal(layer.weight, same.weight)
    again = stored.over(stored.in_range)
    assert [layer.name for layer in again] == [layer.name for layer in held]


def test_a_file_that_was_written_meanwhile_is_refused(saved):
    folder, _ = saved
    network = ef.as_network(folder, chain=False)
    for shard in folder.glob("*.safetensors"):
        os.utime(shard, ns=(0, 0))
    with pytest.raises(ValueError, match="has been written since it was opened"):
        ef.analyze(network, random_state=0)


def test_stored_layers_are_checked_before_anything_is_measured(saved, tmp_path):
    state = {"a.weight": torch.ones(3, 3), "b.weight": torch.full((2, 4), float("nan"))}
    torch.save(state, tmp_path / "net.pt")
    network = ef.as_network(tmp_path / "net.pt", chain=False)
    with pytest.raises(ValueError, match="'weight' parameter of Layer 'b' must be finite"):
        ef.analyze(network)
