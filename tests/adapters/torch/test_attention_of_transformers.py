"""Attention of Hugging Face's models: their own names, weights and heads."""

import numpy as np
import pytest
import torch
from networks import names_of
from torch import nn

import ei_fast as ef

transformers = pytest.importorskip("transformers")

COMMON = {"num_hidden_layers": 1, "num_attention_heads": 4, "hidden_size": 16}
TOKENS = {"vocab_size": 11, "max_position_embeddings": 16}


class _Of(nn.Module):
    """A model that is given vectors instead of tokens."""

    def __init__(self, model, given="inputs_embeds"):
        super().__init__()
        self.model, self.given = model, given

    def forward(self, x):
        return self.model(**{self.given: x})[0]


def _bert():
    return transformers.BertModel(transformers.BertConfig(**COMMON, **TOKENS, intermediate_size=32))


def _gpt2():
    config = transformers.GPT2Config(
        vocab_size=11, n_embd=16, n_layer=1, n_head=4, n_positions=16, bos_token_id=0, eos_token_id=0, use_cache=False
    )
    return transformers.GPT2Model(config)


def _llama():
    config = transformers.LlamaConfig(**COMMON, **TOKENS, num_key_value_heads=2, intermediate_size=32, use_cache=False)
    return transformers.LlamaModel(config)


def _vit():
    return transformers.ViTModel(transformers.ViTConfig(**COMMON, intermediate_size=32, image_size=8, patch_size=4))


def _t5():
    return transformers.T5EncoderModel(
        transformers.T5Config(vocab_size=11, d_model=16, d_kv=4, num_layers=1, d_ff=32, num_heads=4)
    )


def _distilbert():
    config = transformers.DistilBertConfig(vocab_size=11, dim=16, n_layers=1, n_heads=4, hidden_dim=32)
    return transformers.DistilBertModel(config)


MODELS = {
    "bert": (
        _bert,
        "encoder.layer.0.",
        ["attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"],
        ["intermediate.dense", "output.dense"],
        "attention.self",
    ),
    "gpt2": (_gpt2, "h.0.", ["attn.c_attn", "attn.c_proj"], ["mlp.c_fc", "mlp.c_proj"], "attn"),
    "llama": (
        _llama,
        "layers.0.",
        [f"self_attn.{part}_proj" for part in "qkvo"],
        [f"mlp.{part}_proj" for part in ("gate", "up", "down")],
        "self_attn",
    ),
    "vit": (_vit, "layers.0.", [f"attention.{part}_proj" for part in "qkvo"], ["mlp.fc1", "mlp.fc2"], "attention"),
    "t5": (
        _t5,
        "encoder.block.0.",
        [f"layer.0.SelfAttention.{part}" for part in "qkvo"],
        [f"layer.1.DenseReluDense.{part}" for part in ("wi", "wo")],
        "layer.0.SelfAttention",
    ),
    "distilbert": (
        _distilbert,
        "transformer.layer.0.",
        [f"attention.{part}_lin" for part in ("q", "k", "v", "out")],
        ["ffn.lin1", "ffn.lin2"],
        "attention",
    ),
}


def _drawn(name):
    torch.manual_seed(0)
    model = MODELS[name][0]()
    for parameter in model.parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, 0.3, 0.3)
    shape = (3, 8, 8) if name == "vit" else (5, 16)
    return _Of(model, "pixel_values" if name == "vit" else "inputs_embeds").eval(), shape


def _weight(model, name):
    """(n_in, n_out): GPT-2's maps hold it so."""
    module = model.get_submodule(name)
    weight = module.weight.detach().double().numpy()
    return weight.T if isinstance(module, nn.Linear) else weight


@pytest.mark.parametrize("name", MODELS)
def test_layers_have_the_names_and_weights_of_the_model(name):
    model, shape = _drawn(name)
    _, prefix, attention, behind, core = MODELS[name]
    net = ef.as_network(model, input_shape=shape)
    expected = [f"model.{prefix}{part}" for part in (*attention, *behind)]
    assert [layer for layer in names_of(net) if prefix in layer] == expected
    by_name = {layer.name: layer for layer in net}
    for layer in expected:
        weight, made = _weight(model, layer), by_name[layer].weight
        # What a norm scales neurons with, where it is written out, is taken in.
        scale = np.linalg.norm(made, axis=1) / np.linalg.norm(weight, axis=1)
        np.testing.assert_allclose(np.abs(made), np.abs(weight * scale[:, None]), rtol=1e-6)
        assert name in ("llama", "t5") or np.allclose(scale, 1.0)
    skipped = [layer for layer, reason in net.skipped if "attention mixes positions" in reason]
    assert skipped == [f"model.{prefix}{core}"]
    dense = [one for one in model.modules() if type(one).__name__ in ("Linear", "Conv1D")]
    if name != "vit":
        parameters = sum(parameter.numel() for one in dense for parameter in one.parameters())
        pooler = sum(parameter.numel() for parameter in model.model.pooler.parameters()) if name == "bert" else 0
        measured = sum(layer.weight.size for layer in net) + sum(
            by_name[one].bias.size for one in expected if getattr(model.get_submodule(one), "bias", None) is not None
        )
        assert measured == parameters - pooler


@pytest.mark.parametrize("name", MODELS)
def test_heads_have_the_columns_of_the_model(name):
    model, shape = _drawn(name)
    _, prefix, attention, _, core = MODELS[name]
    net = ef.as_network(model, input_shape=shape, heads=True)
    whole = {layer.name: layer for layer in ef.as_network(model, input_shape=shape)}
    heads = {layer.name: layer for layer in net}
    base = f"model.{prefix}"
    if name == "gpt2":
        weights = np.split(whole[f"{base}attn.c_attn"].weight, 3, axis=1)
        named = [f"{base}attn.c_attn.{part}" for part in "qkv"]
    else:
        weights = [whole[base + part].weight for part in attention[:3]]
        named = [base + part for part in attention[:3]]
    out = whole[base + attention[-1]].weight
    for head in range(4):
        shared = head // 2 if name == "llama" else head
        q, k, v = (w[:, 4 * n : 4 * n + 4] for w, n in zip(weights, (head, shared, shared), strict=True))
        rows = out[4 * head : 4 * head + 4]
        for part, n, weight in zip(named, (head, shared, shared), (q, k, v), strict=True):
            np.testing.assert_array_equal(heads[f"{part}.head{n}"].weight, weight)
        np.testing.assert_array_equal(heads[f"{base}{attention[-1]}.head{head}"].weight, rows)
        np.testing.assert_allclose(heads[f"{base}{core}.qk.head{head}"].weight, q @ k.T, rtol=1e-9)
        np.testing.assert_allclose(heads[f"{base}{core}.ov.head{head}"].weight, v @ rows, rtol=1e-9)
    # Rotary positions are said.
    assert any("at one position" in note for _, note in net.notes) == (name == "llama")
