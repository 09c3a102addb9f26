"""Products over indices with a weight of more than two axes are dense layers of vectors that several axes hold."""

import numpy as np
import pytest
import torch
from models import Does
from torch import nn

import ei_fast as ef

B, T, H, N, D = 3, 5, 6, 2, 4


def _of(seed, *shape):
    return nn.Parameter(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)))


def _read(forward, shape=(T, H), **parameters):
    model = Does(forward)
    for name, parameter in parameters.items():
        model.register_parameter(name, parameter)
    return model, ef.as_network(model, input_shape=shape)


def _flat(weight, n_in):
    """The weight as a matrix of that many inputs."""
    return weight.detach().double().numpy().reshape(n_in, -1)


def _check(net, name, weight, bias=None):
    layer = {one.name: one for one in net}[name]
    np.testing.assert_allclose(layer.weight, weight, rtol=1e-6, atol=0)
    expected = np.zeros(weight.shape[1]) if bias is None else bias
    np.testing.assert_allclose(layer.bias, expected, rtol=1e-6, atol=0)


HEADS_OF_VECTORS = {
    "to heads": lambda s, x: torch.einsum("bth,hnd->btnd", x, s.w),
    "to heads, these first": lambda s, x: torch.einsum("bth,hnd->bntd", x, s.w),
    "weight first": lambda s, x: torch.einsum("hnd,bth->btnd", s.w, x),
    "any axes before": lambda s, x: torch.einsum("...h,hnd->...nd", x, s.w),
    "operands in a list": lambda s, x: torch.einsum("bth,hnd->btnd", [x, s.w]),
    "spaces": lambda s, x: torch.einsum("b t h, h n d -> b t n d", x, s.w),
    "what is made is left to the function": lambda s, x: torch.einsum("abc,cde", x, s.w),
    "tensordot over one axis": lambda s, x: torch.tensordot(x, s.w, 1),
    "tensordot over named axes": lambda s, x: torch.tensordot(x, s.w, dims=([-1], [0])),
    "with steps behind": lambda s, x: torch.einsum("bth,hnd->btnd", x, s.w).flatten(2).transpose(1, 2),
}


@pytest.mark.parametrize("name", HEADS_OF_VECTORS)
def test_vectors_to_heads(name):
    w = _of(0, H, N, D)
    _, net = _read(HEADS_OF_VECTORS[name], w=w)
    assert [layer.name for layer in net] == ["w"]
    assert not net.skipped
    _check(net, "w", _flat(w, H))


VECTORS_OF_HEADS = {
    "from heads": lambda s, x: torch.einsum("btnd,ndh->bth", x, s.w),
    "any axes before": lambda s, x: torch.einsum("...nd,ndh->...h", x, s.w),
    "tensordot over two axes": lambda s, x: torch.tensordot(x, s.w, 2),
    "tensordot over named axes": lambda s, x: torch.tensordot(x, s.w, dims=([2, 3], [0, 1])),
}


@pytest.mark.parametrize("name", VECTORS_OF_HEADS)
def test_heads_to_vectors(name):
    w = _of(0, N, D, H)
    _, net = _read(VECTORS_OF_HEADS[name], (T, N, D), w=w)
    assert [layer.name for layer in net] == ["w"]
    _check(net, "w", _flat(w, N * D))


def test_heads_to_vectors_where_the_weight_has_them_last():
    w = _of(0, H, N, D)
    _, net = _read(lambda s, x: torch.einsum("btnd,hnd->bth", x, s.w), (T, N, D), w=w)
    _check(net, "w", _flat(w, H).T)


def test_several_axes_become_several_others():
    w = _of(0, N, D, 3, 2)
    _, net = _read(lambda s, x: torch.einsum("btnd,ndef->btef", x, s.w), (T, N, D), w=w)
    _check(net, "w", _flat(w, N * D))


def test_heads_that_stand_before_the_positions_are_brought_together():
    w = _of(0, N, D, H)
    _, net = _read(lambda s, x: torch.einsum("bntd,ndh->bth", x, s.w), (N, T, D), w=w)
    _check(net, "w", _flat(w, N * D))


def test_what_is_added_and_an_activation_are_the_layers():
    w, b = _of(0, H, N, D), _of(1, N, D)
    _, net = _read(lambda s, x: torch.tanh(torch.einsum("bth,hnd->btnd", x, s.w) + s.b), w=w, b=b)
    assert net[0].activation.name == "tanh"
    _check(net, "w", _flat(w, H), b.detach().double().numpy().reshape(-1))


class Attends(nn.Module):
    """Attention as models of JAX and of its time write it: each projection a parameter of three axes."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = (_of(k, H, N, D) for k in range(3))
        self.o = _of(3, N, D, H)

    def forward(self, x):
        q, k, v = (torch.einsum("bth,hnd->bntd", x, one) for one in (self.q, self.k, self.v))
        found = torch.softmax(q @ k.transpose(-2, -1) / D**0.5, -1) @ v
        return torch.einsum("bntd,ndh->bth", found, self.o)


def test_projections_of_a_module_are_called_as_its_parameters():
    model = nn.Sequential(nn.Linear(H, H), Attends())
    net = ef.as_network(model, input_shape=(T, H))
    assert [layer.name for layer in net] == ["0", "1.q", "1.k", "1.v", "1.o"]
    for name in "qkv":
        _check(net, f"1.{name}", _flat(getattr(model[1], name), H))
    _check(net, "1.o", _flat(model[1].o, N * D))
    assert net.parameters.measured == sum(one.numel() for one in model.parameters())


class OneWeight(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernel, self.bias = _of(0, H, N, D), _of(1, N, D)

    def forward(self, x):
        return torch.einsum("bth,hnd->btnd", x, self.kernel) + self.bias


def test_a_module_with_one_weight_gives_the_layer_its_name():
    net = ef.as_network(nn.Sequential(nn.Linear(H, H), OneWeight()), input_shape=(T, H))
    assert [layer.name for layer in net] == ["0", "1"]


NO_MAPS = {
    "each head has a map of its own": (lambda s, x: torch.einsum("btnd,nde->btne", x, s.w), (T, N, D), (N, D, 3)),
    "each position has a map of its own": (lambda s, x: torch.einsum("bth,thd->btd", x, s.w), (T, H), (T, H, D)),
    "rows do not stand first": (lambda s, x: torch.einsum("bth,hnd->tbnd", x, s.w), (T, H), (H, N, D)),
}


@pytest.mark.parametrize("name", NO_MAPS)
def test_what_is_no_single_map_is_named(name):
    forward, shape, of = NO_MAPS[name]
    last = Does(forward)
    last.w = _of(0, *of)
    model = nn.Sequential(nn.Linear(shape[-1], shape[-1]), last)
    net = ef.as_network(model, input_shape=shape)
    assert [layer.name for layer in net] == ["0"]
    assert any("einsum is no dense layer" in reason for _, reason in net.skipped)


def test_outputs_of_the_layers_are_what_the_model_computes():
    transformers = pytest.importorskip("transformers")
    config = transformers.XLNetConfig(vocab_size=50, d_model=16, n_layer=1, n_head=2, d_inner=32)
    model = transformers.XLNetModel(config).eval()
    ids = torch.randint(50, (3, 7), generator=torch.Generator().manual_seed(0))
    net = ef.as_network(model, example_inputs=ids)
    attention = model.layer[0].rel_attn
    layers = {layer.name: layer for layer in net}
    seen = {}
    attention.register_forward_hook(lambda _, args, out: seen.update(x=args[0], out=out[0]))
    core = attention.rel_attn_core

    def watched(q, k, v, *args, **kwargs):
        seen.update(q=q, k=k, v=v, found=(found := core(q, k, v, *args, **kwargs)))
        return found

    attention.rel_attn_core = watched
    with torch.no_grad():
        model(ids)
    x = seen["x"].double().numpy()
    for name in "qkv":
        made = x @ layers[f"layer.0.rel_attn.{name}"].weight
        np.testing.assert_allclose(made.reshape(seen[name].shape), seen[name], atol=1e-5)
    found = seen["found"].double().numpy()
    made = found.reshape(*found.shape[:2], -1) @ layers["layer.0.rel_attn.o"].weight
    with torch.no_grad():
        out = attention.layer_norm(torch.from_numpy(x + made).float())
    np.testing.assert_allclose(out, seen["out"], atol=1e-4)
