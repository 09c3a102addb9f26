"""Attention of PyTorch: what projects is measured, and what mixes positions is named once."""

import copy

import numpy as np
import pytest
import torch
from attending import KINDS, NanoGPT, Timm, attend, of_kind
from models import Does
from networks import activations_of, names_of
from torch import nn
from torch.nn import functional as F

import ei_fast as ef

PARTS = ["a.q", "a.k", "a.v", "a.out_proj"]


def _numbers(tensor):
    return tensor.detach().double().numpy()


def _drawn(model):
    for parameter in model.parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, 0.2, 0.3)
    return model.eval()


def _weights(attention):
    """Weights (n_in, n_out) and biases of its four projections, from its parameters."""
    width = attention.embed_dim
    if attention.in_proj_weight is None:
        weights = [attention.q_proj_weight, attention.k_proj_weight, attention.v_proj_weight]
    else:
        weights = [attention.in_proj_weight[n * width : (n + 1) * width] for n in range(3)]
    bias = attention.in_proj_bias
    biases = [torch.zeros(width) if bias is None else bias[n * width : (n + 1) * width] for n in range(3)]
    out = attention.out_proj
    weights, biases = [*weights, out.weight], [*biases, torch.zeros(width) if out.bias is None else out.bias]
    return [(_numbers(one).T, _numbers(other)) for one, other in zip(weights, biases, strict=True)]


def _same_weights(net, names, expected):
    by_name = {layer.name: layer for layer in net}
    for name, (weight, bias) in zip(names, expected, strict=True):
        np.testing.assert_array_equal(by_name[name].weight, weight)
        np.testing.assert_array_equal(by_name[name].bias, bias)


def _attention_skipped(net):
    return [name for name, reason in net.skipped if "attention mixes positions" in reason]


SETTINGS = {
    "plain": {}, "weights": {"need_weights": True}, "no bias": {"bias": False}, "time first": {"batch_first": False},
    "other widths": {"kdim": 5, "vdim": 3}, "other widths, time first": {"kdim": 5, "vdim": 3, "batch_first": False},
    "bias_k": {"add_bias_kv": True}, "zero": {"add_zero_attn": True},
    "bias_k, zero": {"add_bias_kv": True, "add_zero_attn": True},
    "other, bias_k": {"kdim": 5, "vdim": 3, "add_bias_kv": True},
    "mask": {"mask": True}, "bool mask": {"mask": "bool"},
}  # fmt: skip


class _Attends(nn.Module):
    def __init__(self, need_weights=False, mask=None, batch_first=True, **settings):
        super().__init__()
        self.a = nn.MultiheadAttention(8, 2, batch_first=batch_first, **settings)
        self.k, self.v = nn.Linear(8, settings.get("kdim", 8)), nn.Linear(8, settings.get("vdim", 8))
        self.first, self.need, self.mask = batch_first, need_weights, mask

    def forward(self, x):
        if not self.first:
            x = x.transpose(0, 1)
        mask = None
        if self.mask:
            mask = torch.triu(torch.ones(5, 5), 1).bool()
            mask = mask if self.mask == "bool" else torch.zeros(5, 5, dtype=x.dtype).masked_fill(mask, float("-inf"))
        memory = (self.k(x), self.v(x))
        y = self.a(x, *memory, need_weights=self.need, attn_mask=mask)[0]
        return y if self.first else y.transpose(0, 1)


@pytest.mark.parametrize("setting", SETTINGS)
def test_multihead_attention_is_its_projections(setting):
    settings = SETTINGS[setting]
    model = _drawn(_Attends(**settings))
    net = ef.as_network(model, input_shape=(5, 8))
    assert [name for name in names_of(net) if name in PARTS] == PARTS
    _same_weights(net, PARTS, _weights(model.a))
    assert _attention_skipped(net) == ["a"]
    layers = {layer.name: layer for layer in net}
    x = np.random.default_rng(1).uniform(0, 1, (3, 5, 8))
    q, k, v = layers["a.q"](x), layers["a.k"](layers["k"](x)), layers["a.v"](layers["v"](x))
    if settings.get("add_bias_kv"):
        k, v = (
            np.concatenate([one, np.tile(_numbers(b), (3, 1, 1))], 1)
            for one, b in ((k, model.a.bias_k), (v, model.a.bias_v))
        )
    if settings.get("add_zero_attn"):
        k, v = (np.concatenate([one, np.zeros((3, 1, 8))], 1) for one in (k, v))
    mask = np.triu(np.full((5, 5), -1e30), 1) if settings.get("mask") else None
    y = layers["a.out_proj"](attend(q, k, v, 2, mask))
    with torch.no_grad():
        expected = copy.deepcopy(model).double()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(y, expected, atol=1e-12)


def test_self_attention_follows_the_layer_before_it():
    model = Does(
        lambda s, x: s.out(s.a(h := torch.tanh(s.first(x)), h, h)[0]),
        first=nn.Linear(4, 8),
        a=nn.MultiheadAttention(8, 2, batch_first=True),
        out=nn.Linear(8, 2),
    )
    net = ef.as_network(_drawn(model), input_shape=(5, 4))
    assert names_of(net) == ["first", *PARTS, "out"]
    assert net.restarts == {2, 3, 4}
    assert [net[k].in_range for k in (2, 3)] == [(-1.0, 1.0)] * 2
    seen = net[4].in_range
    values = _values_of(model, "a")
    assert seen[0] <= np.quantile(values, 0.05)
    assert seen[1] >= np.quantile(values, 0.95)


def _values_of(model, name):
    """What attention gives before it is projected, on random inputs."""
    module = copy.deepcopy(model.get_submodule(name))
    with torch.no_grad():
        module.out_proj.weight.copy_(torch.eye(8))
        module.out_proj.bias.zero_()
        h = torch.tanh(model.first(torch.rand(50, 5, 4)))
        return module(h, h, h)[0].numpy()


def test_without_an_axis_of_time_rows_are_positions():
    model = _drawn(Does(lambda s, x: s.a(x, x, x)[0], a=nn.MultiheadAttention(8, 2)))
    net = ef.as_network(model, input_shape=(8,))
    assert names_of(net) == PARTS
    _same_weights(net, PARTS, _weights(model.a))


def test_a_query_that_is_learned_is_named():
    model = Does(
        lambda s, x: s.out(s.a(s.probe.expand(len(x), -1, -1), x, x)[0]).flatten(1),
        a=nn.MultiheadAttention(8, 2, batch_first=True),
        out=nn.Linear(8, 3),
    )
    model.probe = nn.Parameter(torch.randn(1, 2, 8))
    net = ef.as_network(model, input_shape=(5, 8))
    assert names_of(net) == ["a.k", "a.v", "a.out_proj", "out"]
    assert "the same for all inputs" in dict(net.skipped)["a.q"]


def test_keys_that_are_given_ready_are_left_as_one_function():
    def forward(s, x):
        parts = (s.a.in_proj_weight, s.a.in_proj_bias, None, None, False, 0.0, s.a.out_proj.weight, s.a.out_proj.bias)
        x = x.transpose(0, 1)
        given = torch.ones(x.shape[1] * 2, 3, 4, dtype=x.dtype)
        y, _ = F.multi_head_attention_forward(x, x, x, 8, 2, *parts, training=False, static_k=given, static_v=given)
        return s.out(y.transpose(0, 1))

    net = ef.as_network(Does(forward, a=nn.MultiheadAttention(8, 2), out=nn.Linear(8, 3)), input_shape=(5, 8))
    assert names_of(net) == ["out"]
    assert "multi_head_attention_forward is no dense layer" in dict(net.skipped)["multi_head_attention_forward"]


@pytest.mark.parametrize("norm_first", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
def test_encoder_layers(norm_first, activation):
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first, activation=activation)
    model = _drawn(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False))
    net = ef.as_network(model, input_shape=(5, 8))
    each = ["self_attn.q", "self_attn.k", "self_attn.v", "self_attn.out_proj", "linear1", "linear2"]
    assert names_of(net) == [f"layers.{n}.{part}" for n in range(2) for part in each]
    assert activations_of(net) == (["linear"] * 4 + [activation, "linear"]) * 2
    for n in range(2):
        _same_weights(net, [f"layers.{n}.{part}" for part in each[:4]], _weights(model.layers[n].self_attn))
        for part in each[4:]:
            linear = model.layers[n].get_submodule(part)
            _same_weights(net, [f"layers.{n}.{part}"], [(_numbers(linear.weight).T, _numbers(linear.bias))])
    assert _attention_skipped(net) == ["layers.0.self_attn", "layers.1.self_attn"]
    # Of the two sums of a layer one may be found by blocks='auto'.
    skipped = [name for name, reason in net.skipped if not reason.startswith("add ")]
    assert len(skipped) == len(set(skipped))


@pytest.mark.parametrize("batch_first", [True, False])
def test_nearly_all_parameters_of_an_encoder_are_measured(batch_first):
    layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=batch_first)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    net = ef.as_network(model.eval(), input_shape=(6, 64))
    measured = sum(layer.weight.size + layer.bias.size for layer in net)
    assert measured / sum(parameter.numel() for parameter in model.parameters()) > 0.98


@pytest.mark.parametrize("norm_first", [True, False])
def test_a_decoder_layer_attends_twice(norm_first):
    model = Does(
        lambda s, x: s.d(x, s.memory(x)),
        d=nn.TransformerDecoderLayer(8, 2, 16, batch_first=True, norm_first=norm_first),
        memory=nn.Linear(8, 8),
    )
    net = ef.as_network(_drawn(model), input_shape=(5, 8))
    parts = [f"d.{a}.{part}" for a in ("self_attn", "multihead_attn") for part in ("q", "k", "v", "out_proj")]
    assert names_of(net) == ["memory", *parts, "d.linear1", "d.linear2"]
    _same_weights(net, parts[:4], _weights(model.d.self_attn))
    _same_weights(net, parts[4:], _weights(model.d.multihead_attn))
    # Keys and values are those of the memory.
    assert net[6].in_range == net[7].in_range == net.ranges()[0][1]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "position"])
def test_attention_that_is_written_out(kind):
    model = _drawn(of_kind(kind))
    net = ef.as_network(model, input_shape=(5, 8))
    assert names_of(net) == ["q", "k", "v", "out"]
    for layer in net:
        linear = model.get_submodule(layer.name)
        _same_weights(net, [layer.name], [(_numbers(linear.weight).T, _numbers(linear.bias))])
    assert [name for name, _ in net.skipped] == ["attention"]
    assert "use heads=True" in net.skipped[0][1]


def test_scores_of_positions_are_a_layer_of_their_own():
    net = ef.as_network(of_kind("position"), input_shape=(5, 8))
    assert [(layer.name, layer.n_in, layer.n_out) for layer in net][3] == ("matmul", 4, 5)
    assert [name for name, _ in net.skipped] == ["attention"]


@pytest.mark.parametrize(("kind", "names"), [(NanoGPT, ["c_attn", "c_proj"]), (Timm, ["qkv", "proj"])])
def test_one_map_for_queries_keys_and_values_is_one_layer(kind, names):
    model = nn.ModuleDict({"attn": kind()})
    net = ef.as_network(_drawn(Does(lambda s, x: s.inner(x), inner=model["attn"])), input_shape=(5, 8))
    assert names_of(net) == [f"inner.{name}" for name in names]
    assert [(layer.n_in, layer.n_out) for layer in net] == [(8, 24), (8, 8)]
    assert [name for name, _ in net.skipped] == ["inner"]


class _RMSNorm(nn.Module):
    """As Hugging Face's."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(width) + 0.5)

    def forward(self, x):
        dtype = x.dtype
        x = x.to(torch.float32) if x.dtype != torch.float64 else x
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)
        return self.weight * x.to(dtype)


class _LayerNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gamma, self.beta = nn.Parameter(torch.rand(width) + 0.5), nn.Parameter(torch.randn(width))

    def forward(self, x):
        mean = x.mean(-1, keepdim=True)
        std = ((x - mean) ** 2).mean(-1, keepdim=True).add(1e-5).sqrt()
        return self.gamma * ((x - mean) / std) + self.beta


@pytest.mark.parametrize(
    ("norm", "kind"),
    [
        (_RMSNorm(6), "rms_norm"),
        (_LayerNorm(6), "layer_norm"),
        (nn.RMSNorm(6), "rms_norm"),
        (nn.LayerNorm(6), "layer_norm"),
    ],
)
def test_a_norm_by_the_statistics_of_a_position_is_named_once(norm, kind):
    model = nn.Sequential(nn.Linear(4, 6), norm, nn.Linear(6, 3))
    net = ef.as_network(model, input_shape=(5, 4))
    assert names_of(net) == ["0", "2"]
    [(name, reason)] = net.skipped
    assert name == "1"
    assert reason.startswith(f"{kind} is no dense layer")
    assert "the inputs of '2' after it are binned over the range seen" in reason
    # What scales the neurons behind a norm that is written out is taken in by the layer behind it, as before.
    scale = norm.weight if kind == "rms_norm" else getattr(norm, "gamma", None)
    if scale is not None and not isinstance(norm, nn.RMSNorm):
        np.testing.assert_allclose(net[1].weight, (_numbers(model[2].weight) * _numbers(scale)).T, rtol=1e-12)
    else:
        np.testing.assert_array_equal(net[1].weight, _numbers(model[2].weight).T)


def test_what_is_no_norm_is_not_called_one():
    model = Does(lambda s, x: s.b((h := s.a(x)) - 0.5 * h.mean(-1, keepdim=True)), a=nn.Linear(4, 6), b=nn.Linear(6, 3))
    reasons = " ".join(reason for _, reason in ef.as_network(model).skipped)
    assert "norm" not in reasons
    assert "a mean or maximum" in reasons


def test_a_softmax_that_is_no_attention_is_not_called_so():
    model = Does(lambda s, x: s.b(torch.softmax(s.a(x), -1) * x), a=nn.Linear(6, 6), b=nn.Linear(6, 3))
    assert not _attention_skipped(ef.as_network(model))
