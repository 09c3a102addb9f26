"""A number before a product of two values is that of the product; before anything else it is the layer's."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from models import Does
from torch import nn

import ei_fast as ef

PRODUCTS = {
    "matmul": lambda s, x: s.o((s.q(x) * 0.5) @ s.k(x).transpose(-2, -1)),
    "bmm": lambda s, x: s.o(torch.bmm(s.q(x) * 0.5, s.k(x).transpose(1, 2))),
    "einsum": lambda s, x: s.o(torch.einsum("btd,bsd->bts", s.q(x) * 0.5, s.k(x))),
    "one function": lambda s, x: s.o(F.scaled_dot_product_attention(s.q(x) * 0.5, s.k(x), s.k(x))),
    "gates of another shape": lambda s, x: s.o((s.q(x) * 0.5) * s.k(x).mean(-1, keepdim=True)),
}
OTHERS = {
    "side by side": lambda s, x: s.o(torch.cat([s.q(x) * 0.5, s.k(x)], -1)),
    "stacked": lambda s, x: s.o(torch.stack([s.q(x) * 0.5, s.k(x)], 1)),
    "added": lambda s, x: s.o(s.q(x) * 0.5 + s.k(x)),
    "added to one a row": lambda s, x: s.o(s.q(x) * 0.5 + s.k(x).mean(-1, keepdim=True)),
    "chosen": lambda s, x: s.o(torch.where(x.sum(-1, keepdim=True) > 2, s.q(x) * 0.5, s.k(x))),
}


def _read(forward):
    torch.manual_seed(0)
    model = Does(forward, q=nn.Linear(6, 6), k=nn.Linear(6, 6))
    width = model.double()
    model.o = nn.Identity()
    with torch.no_grad():
        n = width(torch.zeros(2, 6, 6, dtype=torch.float64)).shape[-1]
    model.o = nn.Linear(n, 3)
    net = ef.as_network(model, input_shape=(6, 6))
    return model, {layer.name: layer for layer in net}, net.skipped


def _weights(layer):
    return layer.weight.detach().numpy().T


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_number_before_a_product_is_named_and_the_weights_are_the_models(name):
    model, layers, skipped = _read(PRODUCTS[name])
    np.testing.assert_array_equal(layers["q"].weight, _weights(model.q))
    # In the call of attention it is named with that.
    named = ("a scale and shift that belongs to no layer", "attention mixes positions")
    assert any(reason.startswith(named) for _, reason in skipped)


@pytest.mark.parametrize("name", OTHERS)
def test_a_number_before_anything_else_is_the_layers(name):
    model, layers, skipped = _read(OTHERS[name])
    np.testing.assert_array_equal(layers["q"].weight, 0.5 * _weights(model.q))
    assert not any("scale and shift" in reason for _, reason in skipped)
    np.testing.assert_array_equal(layers["k"].weight, _weights(model.k))
