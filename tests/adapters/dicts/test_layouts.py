"""Tied weights, and layouts that biases tell or contradict."""

import numpy as np
import pytest
from safetensors.numpy import save_file
from safetensors.torch import save_model
from torch import nn

import ei_fast as ef

RNG = np.random.default_rng(0)


class Tied(nn.Module):
    """An encoder and a decoder of one weight."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Linear(3, 3, bias=False), nn.Linear(3, 3), nn.Linear(3, 3, bias=False)
        self.third.weight = self.first.weight


def test_tied_weights_that_a_file_keeps_once_are_put_back(tmp_path):
    model = Tied()
    save_model(model, str(tmp_path / "tied.safetensors"))
    network = ef.as_network(tmp_path / "tied.safetensors", order=["first", "second", "third"])
    for layer, module in zip(network, (model.first, model.second, model.third), strict=True):
        np.testing.assert_array_equal(layer.weight, module.weight.detach().double().numpy().T)


def gpt2(bias=True):
    """GPT-2's layers, stored as (n_in, n_out); the square one does not tell that by itself."""
    shapes = {"h.0.attn.c_proj": (4, 4), "h.0.mlp.c_fc": (4, 16), "h.0.mlp.c_proj": (16, 4)}
    state = {f"{name}.weight": RNG.normal(size=shape) for name, shape in shapes.items()}
    return state | ({f"{name}.bias": RNG.normal(size=shape[1]) for name, shape in shapes.items()} if bias else {})


def test_the_layout_that_biases_tell_is_that_of_the_whole_file(tmp_path):
    state = gpt2()
    save_file(state, tmp_path / "gpt2.safetensors")
    order = ["h.0.attn.c_proj", "h.0.mlp.c_fc", "h.0.mlp.c_proj"]
    for source in (state, tmp_path / "gpt2.safetensors"):
        network = ef.as_network(source, order=order)
        for layer, name in zip(network, order, strict=True):
            np.testing.assert_array_equal(layer.weight, state[f"{name}.weight"])


def test_a_layer_without_a_bias_says_what_told_its_layout():
    """A head of GPT-2 may be stored otherwise than its blocks, and nothing in the file says so."""
    network = ef.as_network(gpt2() | {"score.weight": RNG.normal(size=(4, 2))}, order=["h.0.attn.c_proj", "score"])
    assert "as the bias of 'h.0.mlp.c_fc' tells; it has none" in dict(network.notes)["score"]
    assert "h.0.attn.c_proj" not in dict(network.notes)


def test_a_layout_can_be_given():
    state = {"a.weight": RNG.normal(size=(3, 3)), "b.weight": RNG.normal(size=(3, 3))}
    np.testing.assert_array_equal(ef.as_network(state)[0].weight, state["a.weight"].T)
    np.testing.assert_array_equal(ef.as_network(state, layout="out_in")[0].weight, state["a.weight"].T)
    np.testing.assert_array_equal(ef.as_network(state, layout="in_out")[0].weight, state["a.weight"])
    np.testing.assert_array_equal(
        ef.as_network({"w0": state["a.weight"]}, layout="out_in")[0].weight, state["a.weight"].T
    )
    with pytest.raises(ValueError, match="'layout' parameter of as_network must be one of 'out_in', 'in_out'"):
        ef.as_network(state, layout="torch")


def test_biases_that_contradict_each_other():
    state = {"a.weight": np.ones((3, 4)), "a.bias": np.ones(3), "b.weight": np.ones((3, 5)), "b.bias": np.ones(5)}
    with pytest.raises(
        ValueError, match=r"The bias of 'a' fits a weight of \(n_out, n_in\), that of 'b' .* Give layout="
    ):
        ef.as_network(state)
    assert ef.as_network(state, order=["b"], layout="in_out")[0].n_in == 3
