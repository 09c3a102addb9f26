"""Layers that a model applies to vectors which are the same for all inputs are measured over the range of these."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from models import Does
from torch import nn

import ei_fast as ef

T, H = 5, 6


def _matrix(layer):
    return layer.weight.detach().double().numpy().T


class Positions(nn.Module):
    """Scores with vectors of positions, `way` saying what these go through."""

    def __init__(self, way, table=None):
        super().__init__()
        self.table = nn.Embedding(T, H) if table is None else table
        self.first, self.second, self.q = nn.Linear(H, H), nn.Linear(H, H), nn.Linear(H, H)
        self.out = nn.Linear(T, 2)
        self._way = way

    def forward(self, x):
        found = self._way(self, self.table.weight[:T].unsqueeze(0))
        return self.out(torch.bmm(self.q(x), found.expand(len(x), -1, -1).transpose(1, 2)))


def _read(way, **options):
    torch.manual_seed(0)
    model = Positions(way)
    net = ef.as_network(model, input_shape=(T, H), **options)
    return model, {layer.name: layer for layer in net}, net


def test_a_projection_of_a_table_is_measured_over_the_range_of_its_vectors():
    model, layers, net = _read(lambda s, p: s.first(p))
    assert set(layers) == {"first", "q", "out"}
    np.testing.assert_array_equal(layers["first"].weight, _matrix(model.first))
    np.testing.assert_array_equal(layers["first"].bias, model.first.bias.detach().double().numpy())
    table = model.table.weight.detach().double().numpy()
    assert layers["first"].in_range == pytest.approx((table.min(), table.max()))
    assert ("the inputs of first", True) in [(name, "the same for all inputs" in why) for name, why in net.skipped]


def test_an_activation_behind_is_the_layers_and_the_next_reads_it():
    model, layers, _ = _read(lambda s, p: s.second(torch.tanh(s.first(p))))
    assert layers["first"].activation.name == "tanh"
    np.testing.assert_array_equal(layers["second"].weight, _matrix(model.second))
    assert layers["second"].activation.name == "linear"


def test_a_scale_behind_is_the_layers():
    model, layers, _ = _read(lambda s, p: s.first(p) * 0.5)
    np.testing.assert_array_equal(layers["first"].weight, 0.5 * _matrix(model.first))


def test_a_table_that_two_layers_read():
    model, layers, _ = _read(lambda s, p: s.first(p) + s.second(p))
    for name in ("first", "second"):
        np.testing.assert_array_equal(layers[name].weight, _matrix(getattr(model, name)))


def test_a_layer_that_values_go_through_as_well_is_there_once():
    _model, layers, net = _read(lambda s, p: s.q(p))
    assert len(net) == 2
    assert set(layers) == {"q", "out"}
    assert not any(name == "first" for name, _ in net.skipped)


def test_a_layer_that_is_applied_twice_is_there_once():
    _, _layers, net = _read(lambda s, p: s.first(p) + s.first(p[:, :T]))
    assert [layer.name for layer in net].count("first") == 1
    assert len(net) == 3


def test_vectors_that_nobody_has_learned():
    model, layers, _ = _read(lambda s, p: s.first(torch.arange(T * H).reshape(1, T, H).to(p.dtype).sin()))
    np.testing.assert_array_equal(layers["first"].weight, _matrix(model.first))


def test_the_parameters_of_the_layer_are_counted_and_the_table_is_a_table():
    model, _, net = _read(lambda s, p: s.first(p).reshape(1, T, H))
    assert net.parameters.embeddings == model.table.weight.numel()
    unused = sum(one.numel() for one in model.second.parameters())
    assert net.parameters.measured == net.parameters.total - net.parameters.embeddings - unused


def test_what_makes_the_weights_of_a_layer_is_none():
    made = Does(lambda s, x: F.linear(x, s.make(s.code).reshape(4, 6)), make=nn.Linear(3, 24))
    made.code = nn.Parameter(torch.randn(1, 3))
    net = ef.as_network(nn.Sequential(nn.Linear(H, H), made), input_shape=(H,))
    assert [layer.name for layer in net] == ["0", "1"]
    with torch.no_grad():
        weight = made.double().make(made.code.double()).reshape(4, 6)
    np.testing.assert_allclose(net[1].weight, weight.numpy().T, atol=1e-6)


def test_weights_that_are_a_product_of_others_are_one_layer():
    low = Does(lambda s, x: F.linear(x, s.b @ s.a))
    low.a, low.b = nn.Parameter(torch.randn(2, H)), nn.Parameter(torch.randn(4, 2))
    net = ef.as_network(nn.Sequential(nn.Linear(H, H), low), input_shape=(H,))
    assert [layer.name for layer in net] == ["0", "1"]


def test_layers_of_relative_positions_make_what_the_model_makes():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.DebertaV2Config(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32, relative_attention=True, pos_att_type=["p2c", "c2p"], position_buckets=8,
    )  # fmt: skip
    model = transformers.DebertaV2Model(config).eval()
    ids = torch.randint(50, (3, 7), generator=torch.Generator().manual_seed(0))
    layers = {layer.name: layer for layer in ef.as_network(model, example_inputs=ids)}
    seen = {}
    for name, module in model.named_modules():
        if name.endswith(("pos_key_proj", "pos_query_proj")):
            module.register_forward_hook(lambda _, args, out, name=name: seen.update({name: (args[0], out)}))
    with torch.no_grad():
        model(ids)
    assert len(seen) == 4
    for name, (x, y) in seen.items():
        made = layers[name](x.detach().reshape(-1, 16).double().numpy())
        np.testing.assert_allclose(made, y.detach().reshape(-1, 16), atol=1e-6)


def test_relative_positions_of_xlnet_are_a_layer():
    transformers = pytest.importorskip("transformers")
    config = transformers.XLNetConfig(vocab_size=50, d_model=16, n_layer=1, n_head=2, d_inner=32)
    model = transformers.XLNetModel(config).eval()
    net = ef.as_network(model, example_inputs=torch.randint(50, (3, 7)))
    [layer] = [one for one in net if one.name == "layer.0.rel_attn.r"]
    weight = model.layer[0].rel_attn.r.detach().double().numpy()
    np.testing.assert_array_equal(layer.weight, weight.reshape(16, -1))
