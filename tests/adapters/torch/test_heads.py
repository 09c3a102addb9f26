"""Attention head by head: heads=True."""

import copy
import math

import numpy as np
import pytest
import torch
from attending import KINDS, NanoGPT, Separate, Timm, by_rotary, of_kind, softmax
from models import Does
from networks import names_of
from torch import nn

import ei_fast as ef

X = np.random.default_rng(1).uniform(0, 1, (3, 5, 8))


def _numbers(tensor):
    return tensor.detach().double().numpy()


def _drawn(model):
    for parameter in model.parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, 0.2, 0.3)
    return model.eval()


def _run(model):
    with torch.no_grad():
        return copy.deepcopy(model).double()(torch.from_numpy(X)).numpy()


def _projections(model):
    """Weights (n_in, n_out) and biases of queries, keys and values, and of what is behind attention."""
    if isinstance(model, Separate):
        return [(_numbers(one.weight).T, _numbers(one.bias)) for one in (model.q, model.k, model.v, model.out)]
    if isinstance(model, (NanoGPT, Timm)):
        both, out = (model.c_attn, model.c_proj) if isinstance(model, NanoGPT) else (model.qkv, model.proj)
    else:
        both, out = model.a, model.a.out_proj
    weight = _numbers(getattr(both, "in_proj_weight", None) if hasattr(both, "in_proj_weight") else both.weight).T
    bias = _numbers(both.in_proj_bias if hasattr(both, "in_proj_bias") else both.bias)
    parts = [(weight[:, n : n + 8], bias[n : n + 8]) for n in (0, 8, 16)]
    return [*parts, (_numbers(out.weight).T, _numbers(out.bias))]


def _check(net, model, names, attention, n_heads, n_kv=None, products=("qk", "ov")):
    """Every layer against the parameters, one head after another."""
    (wq, bq), (wk, bk), (wv, bv), (wo, _) = _projections(model)
    # What scores have beside that is a layer by itself, and no head's.
    layers = {layer.name: layer for layer in net if layer.name != "matmul"}
    each = wq.shape[1] // n_heads
    n_kv = n_kv or n_heads
    expected = {}
    for head in range(n_heads):
        at, of = slice(head * each, (head + 1) * each), head * n_kv // n_heads
        shared = slice(of * each, (of + 1) * each)
        expected[f"{names[0]}.head{head}"] = wq[:, at], bq[at]
        expected[f"{names[1]}.head{of}"] = wk[:, shared], bk[shared]
        expected[f"{names[2]}.head{of}"] = wv[:, shared], bv[shared]
        expected[f"{names[3]}.head{head}"] = wo[at], np.zeros(8)
        if "qk" in products:
            expected[f"{attention}.qk.head{head}"] = wq[:, at] @ wk[:, shared].T, bq[at] @ wk[:, shared].T
        if "ov" in products:
            expected[f"{attention}.ov.head{head}"] = wv[:, shared] @ wo[at], bv[shared] @ wo[at]
    assert set(layers) == set(expected)
    for name, (weight, bias) in expected.items():
        np.testing.assert_allclose(layers[name].weight, weight, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(layers[name].bias, bias, rtol=1e-12, atol=1e-15)
        assert str(layers[name].activation) == "linear"


def _written(net, attention, n_heads, bias, mask=None):
    """What the model computes, from its heads' QK and OV alone."""
    layers = {layer.name: layer for layer in net}
    each = layers[next(name for name in layers if ".qk." not in name)].n_out
    total = bias
    for head in range(n_heads):
        # The scores of a query differ from these by one number, which softmax takes away.
        scores = layers[f"{attention}.qk.head{head}"](X) @ X.swapaxes(1, 2) / math.sqrt(each)
        weights = softmax(scores if mask is None else scores + mask)
        total = total + weights @ layers[f"{attention}.ov.head{head}"](X)
    return total


CASES = {
    "multihead": (lambda: _Own(), ["a.q", "a.k", "a.v", "a.out_proj"], "a"),
    "nanoGPT": (NanoGPT, ["c_attn.q", "c_attn.k", "c_attn.v", "c_proj"], "attention"),
    "timm": (Timm, ["qkv.q", "qkv.k", "qkv.v", "proj"], "attention"),
    **{kind: (lambda kind=kind: of_kind(kind), ["q", "k", "v", "out"], "attention") for kind in KINDS},
}


WITHOUT_QK = {
    "normed": "changed before they are multiplied",
    "position": "scores have other parts that depend on the model's input",
}


class _Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x):
        return self.a(x, x, x)[0]


@pytest.mark.parametrize("case", CASES)
def test_each_head_has_its_columns_its_rows_and_its_products(case):
    make, names, attention = CASES[case]
    model = _drawn(make())
    net = ef.as_network(model, input_shape=(5, 8), heads=True)
    shared = case in ("groups", "gqa")
    n_heads = 4 if shared else 2
    _check(
        net, model, names, attention, n_heads, 2 if shared else None, ("ov",) if case in WITHOUT_QK else ("qk", "ov")
    )
    # All but the first restart: no head feeds another.
    assert net.restarts | {0} == set(range(len(net)))
    if case in ("rotary", "complex"):
        assert "at one position" in dict(net.notes)["attention.qk"]
    elif case in WITHOUT_QK:
        assert WITHOUT_QK[case] in dict(net.skipped)["attention.qk"]
    else:
        before = {"nanoGPT": np.triu(np.full((5, 5), -1e30), 1), "slopes": 0.1 * np.arange(5)}.get(case)
        made = _written(net, attention, n_heads, _projections(model)[3][1], before)
        np.testing.assert_allclose(made, _run(model), atol=1e-12)
    assert "use heads=True" not in str(net.skipped)


def test_heads_together_are_the_layers_without_them():
    model = _drawn(NanoGPT())
    whole = {layer.name: layer for layer in ef.as_network(model, input_shape=(5, 8))}
    heads = {layer.name: layer for layer in ef.as_network(model, input_shape=(5, 8), heads=True)}
    columns = np.concatenate([heads[f"c_attn.{part}.head{n}"].weight for part in "qkv" for n in range(2)], axis=1)
    np.testing.assert_array_equal(columns, whole["c_attn"].weight)
    rows = np.concatenate([heads[f"c_proj.head{n}"].weight for n in range(2)])
    np.testing.assert_array_equal(rows, whole["c_proj"].weight)
    assert {heads[f"c_proj.head{n}"].in_range for n in range(2)} == {whole["c_proj"].in_range}


def test_layers_without_heads_stay_as_they_are():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = _drawn(nn.Sequential(nn.Linear(4, 8), nn.Tanh(), layer, nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2)))
    whole = ef.as_network(model, input_shape=(5, 4))
    heads = ef.as_network(model, input_shape=(5, 4), heads=True)
    ranges = [{one.name: pair for one, pair in zip(net, net.ranges(), strict=True)} for net in (whole, heads)]
    kept = ["0", "2.linear1", "2.linear2", "3", "5"]
    assert [name for name in names_of(heads) if "self_attn" not in name] == kept
    assert [ranges[0][name] for name in kept] == [ranges[1][name] for name in kept]
    assert ranges[1]["2.self_attn.q.head0"][0] == (-1.0, 1.0)


def test_the_layer_behind_an_attention_keeps_its_range():
    model = _drawn(nn.Sequential(_Own(), nn.Linear(8, 3)))
    whole, heads = (ef.as_network(model, input_shape=(5, 8), heads=one) for one in (False, True))
    assert 4 not in whole.restarts
    np.testing.assert_allclose(heads.ranges()[-1][0], whole.ranges()[-1][0])


def test_outputs_that_are_no_heads_are_a_layer_of_their_own():
    class Parallel(NanoGPT):
        def __init__(self):
            super().__init__()
            self.c_attn, self.c_proj = nn.Linear(8, 30), nn.Linear(14, 8)

        def forward(self, x):
            *parts, more = self.c_attn(x).split([8, 8, 8, 6], dim=2)
            q, k, v = map(self.apart, parts)
            y = self.together(torch.softmax(q @ k.mT / 2, -1) @ v)
            return self.c_proj(torch.cat([y, more.relu()], -1))

    model = _drawn(Parallel())
    net = {layer.name: layer for layer in ef.as_network(model, input_shape=(5, 8), heads=True)}
    np.testing.assert_array_equal(net["c_attn.rest"].weight, _numbers(model.c_attn.weight).T[:, 24:])
    assert sum(layer.n_out for name, layer in net.items() if name.startswith("c_attn.")) == 30


def test_a_head_that_is_gated_has_no_ov():
    class Gated(NanoGPT):
        def __init__(self):
            super().__init__()
            self.gate = nn.Linear(8, 8)

        def forward(self, x):
            q, k, v = map(self.apart, self.c_attn(x).split(8, dim=2))
            y = self.together(torch.softmax(q @ k.mT / 2, -1) @ v)
            return self.c_proj(y * torch.sigmoid(self.gate(x)))

    net = ef.as_network(_drawn(Gated()), input_shape=(5, 8), heads=True)
    assert "no product of two dense layers" in dict(net.skipped)["attention.ov"]
    assert not [name for name in names_of(net) if ".ov." in name]


def test_attention_whose_output_is_added_has_no_projection_behind_it():
    class Adds(NanoGPT):
        def forward(self, x):
            q, k, v = map(self.apart, self.c_attn(x).split(8, dim=2))
            return self.c_proj(x + self.together(torch.softmax(q @ k.mT / 2, -1) @ v))

    net = ef.as_network(_drawn(Adds()), input_shape=(5, 8), heads=True)
    assert "c_proj" in names_of(net)
    assert "no dense layer reads what the heads give" in dict(net.skipped)["attention.ov"]


def test_a_layer_that_is_used_twice_has_heads_twice():
    block = nn.ModuleDict({"a": Timm()})
    model = Does(lambda s, x: s.a(torch.tanh(s.a(x))), a=block["a"])
    net = ef.as_network(_drawn(model), input_shape=(5, 8), heads=True)
    assert len(net) == 2 * 12
    assert len(set(names_of(net))) == 24
    np.testing.assert_array_equal(net[0].weight, net[12].weight)


def test_cross_attention_goes_from_one_width_to_another():
    model = Does(
        lambda s, x: s.a(x, (m := s.memory(x)), m)[0],
        memory=nn.Linear(8, 5),
        a=nn.MultiheadAttention(8, 2, batch_first=True, kdim=5, vdim=5),
    )
    net = {layer.name: layer for layer in ef.as_network(_drawn(model), input_shape=(5, 8), heads=True)}
    wq, wk, wv = (_numbers(one).T for one in (model.a.q_proj_weight, model.a.k_proj_weight, model.a.v_proj_weight))
    np.testing.assert_allclose(net["a.qk.head1"].weight, wq[:, 4:] @ wk[:, 4:].T, rtol=1e-12)
    np.testing.assert_allclose(
        net["a.ov.head1"].weight, wv[:, 4:] @ _numbers(model.a.out_proj.weight).T[4:], rtol=1e-12
    )
    assert (net["a.qk.head1"].n_in, net["a.qk.head1"].n_out) == (8, 5)


def test_a_norm_that_is_taken_in_stands_before_queries_and_keys():
    class Normed(nn.Module):
        def __init__(self):
            super().__init__()
            self.gamma, self.inner = nn.Parameter(torch.rand(8) + 0.5), Separate(by_rotary, bias=False)

        def forward(self, x):
            return self.inner(self.gamma * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)))

    model = Normed()
    net = {layer.name: layer for layer in ef.as_network(model, input_shape=(5, 8), heads=True)}
    scaled = _numbers(model.gamma)[:, None]
    wq, wk = (_numbers(one.weight).T * scaled for one in (model.inner.q, model.inner.k))
    np.testing.assert_allclose(net["inner.qk.head0"].weight, wq[:, :4] @ wk[:, :4].T, rtol=1e-9)


def test_heads_are_measured(capsys):
    report = ef.analyze(_drawn(Timm(4, 2)), input_shape=(3, 4), heads=True, tol=1.0, random_state=0)
    assert "qkv.q.head0" in [layer.name for layer in report]
    ef.describe(Timm(4, 2), input_shape=(3, 4), heads=True)
    assert "attention.ov.head1" in capsys.readouterr().out


def _mixed(self, q, k, v):
    """Talking heads: their scores are mixed before softmax."""
    q, k, v = map(self.apart, (q, k, v))
    scores = torch.einsum("bhij,hk->bkij", q @ k.mT, torch.ones(2, 2, dtype=q.dtype))
    return self.together(scores.softmax(-1) @ v)


def test_heads_that_cannot_be_told_are_refused():
    with pytest.raises(ValueError, match="Got the attention 'attention', whose queries.*Leave 'heads' out"):
        ef.as_network(Separate(_mixed), input_shape=(5, 8), heads=True)
    with pytest.raises(ValueError, match="must have attention.*Leave 'heads' out"):
        ef.as_network(nn.Sequential(nn.Linear(4, 3)), heads=True)
    lying = Timm()
    lying.num_heads = 4
    with pytest.raises(ValueError, match="says 4 and was seen to attend with 2"):
        ef.as_network(Does(lambda s, x: s.a(x), a=lying), input_shape=(5, 8), heads=True)
    model = Does(lambda s, x: s.a(torch.ones(len(x), 2, 8, dtype=x.dtype), x, x)[0], a=_Own().a)
    with pytest.raises(ValueError, match="'a.q', which is none"):
        ef.as_network(model, input_shape=(5, 8), heads=True)
    with pytest.raises(TypeError, match="must be True or False"):
        ef.as_network(Timm(), input_shape=(5, 8), heads="yes")
    with pytest.raises(ValueError, match="is for models of PyTorch and Keras"):
        ef.as_network([np.eye(3)], heads=True)
