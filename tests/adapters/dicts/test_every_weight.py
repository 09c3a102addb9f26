"""Every 2-D weight of a dict as a layer by itself: which there are, in which layout, and what is none and why."""

import flax.linen as fl
import jax
import numpy as np
import pytest
import torch
from torch import nn

import ei_fast as ef

RNG = np.random.default_rng(0)


def normal(*shape):
    return RNG.normal(size=shape)


def names(network):
    return [layer.name for layer in network]


def reasons(network):
    return dict(network.skipped)


def is_layer(layer, weight, bias=None):
    np.testing.assert_array_equal(layer.weight, np.asarray(weight, float))
    np.testing.assert_array_equal(layer.bias, np.zeros(layer.n_out) if bias is None else np.asarray(bias, float))


def test_layers_that_do_not_chain_are_measured_each_over_the_range_that_is_given():
    state = {"a.weight": normal(3, 4), "a.bias": normal(3), "b.weight": normal(5, 7)}
    with pytest.raises(ValueError, match=r"With chain=False each 2-D weight is measured by itself\."):
        ef.as_network(state)
    network = ef.as_network(state, "tanh", (-2.0, 2.0), chain=False)
    is_layer(network[0], state["a.weight"].T, state["a.bias"])
    is_layer(network[1], state["b.weight"].T)
    assert network.skipped == []
    assert network.ranges() == [((-2.0, 2.0), (-1.0, 1.0))] * 2
    assert network.notes == [("all layers", "each is measured by itself, its inputs over (-2, 2): none feeds another")]


def test_a_layer_has_the_figures_that_it_has_alone():
    state = {"a.weight": normal(3, 4), "b.weight": normal(2, 5)}
    report = ef.analyze(state, chain=False, activation="linear", in_range=(-1.0, 1.0), random_state=0)
    for name, index in (("a", 0), ("b", 1)):
        layer = ef.Layer(state[f"{name}.weight"].T, activation="linear", name=name)
        alone = ef.analyze([layer], in_range=(-1.0, 1.0), random_state=0)[0]
        assert report[index].ei == pytest.approx(alone.ei, abs=0.02)
        assert report[index].in_range == alone.in_range
        assert report[index].out_range == alone.out_range
        assert report[index].sensitivity == alone.sensitivity


def test_order_is_that_of_the_dict_or_of_names_where_that_tells_nothing():
    state = {f"{name}.weight": normal(2, 2) for name in ("b.10", "b.9", "a")}
    assert names(ef.as_network(state, chain=False)) == ["b.10", "b.9", "a"]
    tree = {"params": {f"Dense_{k}": {"kernel": normal(2, 2)} for k in (10, 9)}}
    assert names(ef.as_network(tree, chain=False)) == ["Dense_9", "Dense_10"]


def test_activations_are_counted_by_layers():
    state = {"a.weight": normal(3, 4), "b.weight": normal(2, 5)}
    network = ef.as_network(state, ["relu", "linear"], chain=False)
    assert [layer.activation_name for layer in network] == ["relu", "linear"]
    with pytest.raises(ValueError, match="one for each of the 2 layers. Got 3 names"):
        ef.as_network(state, ["relu"] * 3, chain=False)
    own = {"w0": normal(2, 2), "w1": normal(3, 2), "activation": np.array(["tanh", "relu"])}
    assert [layer.activation_name for layer in ef.as_network(own, chain=False)] == ["tanh", "relu"]
    assert [layer.activation_name for layer in ef.as_network(own, chain=False, layers="layer1")] == ["relu"]


# Layouts


def test_a_bias_tells_the_layout_and_others_of_the_name_that_of_a_square_weight():
    state = {
        "h.0.attn.c_attn.weight": normal(4, 12),
        "h.0.attn.c_attn.bias": normal(12),
        "h.0.attn.c_proj.weight": normal(4, 4),
        "h.0.attn.c_proj.bias": normal(4),
        "h.0.mlp.c_proj.weight": normal(16, 4),
        "h.0.mlp.c_proj.bias": normal(4),
        "score.weight": normal(3, 4),
    }
    network = ef.as_network(state, chain=False)
    assert names(network) == ["h.0.attn.c_attn", "h.0.attn.c_proj", "h.0.mlp.c_proj"]
    for layer in network:
        is_layer(layer, state[f"{layer.name}.weight"], state[f"{layer.name}.bias"])
    # A Linear layer of GPT-2 without a bias: nothing tells that it is not stored as the others.
    assert "does not tell" in reasons(network)["score"] or "do not tell" in reasons(network)["score"]
    score = ef.as_network(state, chain=False, layers="score", layout="out_in")
    is_layer(score[0], state["score.weight"].T)


def test_both_layouts_in_one_dict():
    state = {"a.weight": normal(3, 4), "a.bias": normal(3), "b.weight": normal(3, 5), "b.bias": normal(5)}
    network = ef.as_network(state, chain=False)
    is_layer(network[0], state["a.weight"].T, state["a.bias"])
    is_layer(network[1], state["b.weight"], state["b.bias"])


def test_a_bias_that_fits_no_side_is_named():
    network = ef.as_network({"a.weight": normal(3, 4), "a.bias": normal(9), "b.weight": normal(2, 2)}, chain=False)
    assert names(network) == ["b"]
    assert reasons(network)["a"] == "a weight with 3 outputs, beside a bias of shape (9,)"


def test_weights_without_a_name_that_says_a_layout_are_named():
    state = {"text_projection": normal(4, 6), "fc.weight": normal(3, 4)}
    network = ef.as_network(state, chain=False)
    assert names(network) == ["fc"]
    assert "Give layers='text_projection' and layout='out_in'" in reasons(network)["text_projection"]
    is_layer(ef.as_network(state, chain=False, layers="text_projection", layout="in_out")[0], state["text_projection"])


# Embeddings


@pytest.mark.parametrize(
    "name",
    [
        *("embed", "embedding", "wte", "wpe", "transformer.wte", "tok_embeddings", "model.embed_tokens", "shared"),
        *("embeddings.word_embeddings", "embeddings.position_embeddings", "gpt_neox.embed_in", "item_emb", "pos_embed"),
        *("relative_attention_bias", "embeddings.0", "token_embedding", "decoder.embed_positions"),
    ],
)
def test_embeddings_are_told_by_their_names(name):
    state = {f"{name}.weight": normal(20, 4), "fc.weight": normal(3, 4)}
    network = ef.as_network(state, chain=False)
    assert names(network) == ["fc"]
    assert reasons(network)[name].startswith("an embedding, as its name says")
    assert names(ef.as_network(state, chain=False, layers="*")) == ["fc"]
    assert names(ef.as_network(state, chain=False, layers=[name, "fc"])) == [name, "fc"]
    assert names(ef.as_network(state, chain=False, layers=[f"{name}.weight"])) == [name]


@pytest.mark.parametrize(
    "name",
    [
        *("embed_out", "unembed", "embedding_projection", "embeddings_project", "time_embedding.linear_1"),
        *("embedding_hidden_mapping_in", "lm_head", "embed_proj", "embeddings.dense", "member", "patch_embed.proj"),
    ],
)
def test_layers_with_such_words_in_their_names_are_layers(name):
    assert names(ef.as_network({f"{name}.weight": normal(20, 4)}, chain=False)) == [name]


def test_what_has_a_bias_is_no_embedding():
    state = {"embed.weight": normal(20, 4), "embed.bias": normal(20)}
    is_layer(ef.as_network(state, chain=False)[0], state["embed.weight"].T, state["embed.bias"])


def test_a_head_that_has_the_weight_of_an_embedding_is_named_and_another_one_is_a_layer():
    table = torch.randn(20, 4)
    for tied in (table, table.clone()):
        network = ef.as_network({"wte.weight": table, "fc.weight": normal(4, 4), "lm_head.weight": tied}, chain=False)
        assert names(network) == ["fc"]
        assert reasons(network)["lm_head"].startswith("the embedding 'wte', of which it has the weight (tied)")
    other = torch.randn(20, 4)
    network = ef.as_network({"wte.weight": table, "lm_head.weight": other}, chain=False)
    is_layer(network[0], other.T)


def test_a_shape_that_is_like_a_vocabulary_is_asked_about_unless_the_name_says_a_head():
    blocks = {f"blocks.{k}.fc.weight": normal(8, 8) for k in range(3)}
    network = ef.as_network({"model.tokens.weight": normal(4000, 8), **blocks}, chain=False)
    assert len(network) == 3
    assert "does not tell whether it is an embedding or a head" in reasons(network)["model.tokens"]
    assert "output" in names(ef.as_network({"output.weight": normal(4000, 8), **blocks}, chain=False))
    # A layer whose outputs another one reads is none.
    wide = {"up.weight": normal(4000, 8), "down.weight": normal(8, 4000), **blocks}
    assert len(ef.as_network(wide, chain=False)) == 5


# What is no layer, and what stands beside one


def test_all_else_is_named():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(8, 3), nn.LayerNorm(3))
    network = ef.as_network(model.state_dict(), chain=False)
    assert names(network) == ["3"]
    said = reasons(network)
    assert set(said) == {"0", "1", "4"}
    assert said["0"].startswith("of shape (4, 3, 3, 3), and not 2-D")
    assert said["1"].startswith("a batch norm")
    assert said["4"].startswith("a vector or a number")


def test_nothing_is_missing_or_doubled():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.attention = nn.Embedding(9, 8), nn.MultiheadAttention(8, 2)
            self.lstm, self.norm, self.head = nn.LSTM(8, 4), nn.LayerNorm(4), nn.Linear(4, 2)
            self.scale = nn.Parameter(torch.ones(()))

    state = Net().state_dict()
    network = ef.as_network(state, chain=False)
    told = {name.split(".")[0] for name in [*names(network), *reasons(network)]}
    assert told == {"embed", "attention", "lstm", "norm", "head", "scale"}
    assert len(names(network)) == len(set(names(network))) == 4 + 4 + 1


def test_scales_and_adapters_act_and_what_is_not_known_is_named():
    codes, scale = torch.randint(-127, 127, (4, 3)).to(torch.int8), torch.rand(4, 1)
    down, up = normal(2, 3), normal(4, 2)
    state = {
        "a.weight": codes,
        "a.weight_scale": scale,
        "b.qweight": torch.ones(4, 4, dtype=torch.int32),
        "b.scales": torch.ones(1, 4),
        "c.base_layer.weight": normal(4, 3),
        "c.lora_A.weight": down,
        "c.lora_B.weight": up,
        "c.alpha": np.array(4.0),
        "d.base_layer.weight": normal(4, 3),
        "d.lora_A.weight": down,
        "d.lora_B.weight": up,
    }
    network = ef.as_network(state, chain=False)
    assert names(network) == ["a", "c"]
    is_layer(network[0], codes.double().numpy().T * scale.double().numpy().T)
    np.testing.assert_allclose(network[1].weight, (state["c.base_layer.weight"] + 2.0 * up @ down).T, rtol=1e-14)
    assert "b" in reasons(network)
    assert "how strongly it acts is not in" in reasons(network)["d"]


def test_weights_that_are_not_finite_are_refused_by_name():
    with pytest.raises(ValueError, match="'weight' parameter of Layer 'b' must be finite"):
        ef.as_network({"a.weight": normal(2, 2), "b.weight": np.full((2, 2), np.nan)}, chain=False)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_every_type_of_floats_is_exact(dtype):
    weight, bias = torch.randn(3, 4).to(dtype), torch.randn(3).to(dtype)
    network = ef.as_network({"a.weight": weight, "a.bias": bias}, chain=False)
    is_layer(network[0], weight.double().T, bias.double())


def test_the_option_is_checked():
    for wrong in ("no", None, 0):
        with pytest.raises(TypeError, match="'chain' parameter of as_network must be True or False"):
            ef.as_network({"a.weight": normal(2, 2)}, chain=wrong)
    with pytest.raises(ValueError, match="'chain' parameter of as_network is for dicts and files of weights"):
        ef.as_network(np.eye(2), chain=False)
    for option in ({"order": ["a"]}, {"norm_place": "after"}, {"norm_eps": 1e-3}):
        with pytest.raises(ValueError, match="is for layers that feed each other"):
            ef.as_network({"a.weight": normal(2, 2)}, chain=False, **option)


# Trees of JAX


def test_haiku_names_weights_w_and_b():
    tree = {f"mlp/~/linear_{k}": {"w": normal(n, m), "b": normal(m)} for k, (n, m) in enumerate([(4, 6), (6, 3)])}
    for network in (ef.as_network(tree), ef.as_network(tree, chain=False)):
        assert names(network) == list(tree)
        for layer in network:
            is_layer(layer, tree[layer.name]["w"], tree[layer.name]["b"])
    norm = {"layer_norm": {"scale": normal(3), "offset": normal(3)}}
    network = ef.as_network(tree | norm, chain=False)
    assert len(network) == 2
    assert "layer_norm" in reasons(network)


class Attending(fl.Module):
    @fl.compact
    def __call__(self, tokens):
        x = fl.Dense(6)(fl.Embed(7, 4)(tokens))
        x = fl.BatchNorm(use_running_average=True)(x)
        return fl.MultiHeadDotProductAttention(2, qkv_features=8)(x)


def test_flax_attention_has_its_heads_in_a_row():
    variables = Attending().init(jax.random.key(0), np.ones((1, 3), int))
    network = ef.as_network(variables, chain=False)
    params = jax.tree.map(lambda one: np.asarray(one, float), variables["params"])["MultiHeadDotProductAttention_0"]
    said = reasons(network)
    assert set(said) == {"Embed_0", "BatchNorm_0"}
    assert len(network) == 5
    layers = {layer.name: layer for layer in network}
    x = normal(1, 6)
    for name in ("query", "key", "value"):
        layer = layers[f"MultiHeadDotProductAttention_0/{name}"]
        expected = np.einsum("bi,ihd->bhd", x, params[name]["kernel"]) + params[name]["bias"]
        np.testing.assert_allclose(x @ layer.weight + layer.bias, expected.reshape(1, -1), rtol=1e-12)
    heads = normal(1, 2, 4)
    out = layers["MultiHeadDotProductAttention_0/out"]
    expected = np.einsum("bhd,hdo->bo", heads, params["out"]["kernel"])
    np.testing.assert_allclose(heads.reshape(1, -1) @ out.weight, expected, rtol=1e-12)
