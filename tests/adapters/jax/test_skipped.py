"""What of a Flax model is no layer is named."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from flax_models import with_variables
from slow_cases import some_slow

import ei_fast as ef


def test_a_residual_sum_is_named():
    class Block(nn.Module):
        @nn.compact
        def __call__(self, x):
            return x + nn.Dense(6)(nn.tanh(nn.Dense(8)(x)))

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(2)(Block()(nn.relu(nn.Dense(6, name="first")(x))))

    net = ef.as_network(with_variables(Net(), 4))
    # Linen numbers modules as they are made: the outer one of two calls is made first.
    assert [layer.name for layer in net] == ["first", "Block_0/Dense_1", "Block_0/Dense_0", "Dense_0"]
    [(name, reason)] = net.skipped
    assert name == "Block_0"
    assert reason.startswith("add of 2 values is no dense layer; the inputs of")
    assert "'Dense_0' after it are binned over the range seen" in reason
    assert net.restarts == {3}


@pytest.mark.parametrize("kind", some_slow(["nnx", "linen"], 1))
def test_recurrent_layers_are_skipped_with_the_reason(kind):
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(2)(nn.RNN(nn.LSTMCell(5), name="rnn")(nn.Dense(3, name="first")(x))[:, -1])

    class NnxNet(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.first, self.out = nnx.Linear(4, 3, rngs=rngs), nnx.Linear(5, 2, rngs=rngs)
            self.rnn = nnx.RNN(nnx.LSTMCell(3, 5, rngs=rngs))

        def __call__(self, x):
            return self.out(self.rnn(self.first(x))[:, -1])

    model = NnxNet() if kind == "nnx" else with_variables(Net(), 7, 4)
    net = ef.as_network(model, input_shape=(7, 4))
    assert [layer.name for layer in net] == ["first", "out" if kind == "nnx" else "Dense_0"]
    [loop] = [name for name, reason in net.skipped if "a loop (scan) is no dense layer" in reason]
    assert loop == ("rnn.cell" if kind == "nnx" else "LSTMCell_0")
    assert "binned over the range seen" in net.skipped[-1][1]
    assert net.restarts == {1}


@pytest.mark.slow
def test_attention_and_layer_norm():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.LayerNorm()(x + nn.MultiHeadDotProductAttention(num_heads=2)(x, x))
            return nn.Dense(3)(x)

    net = ef.as_network(with_variables(Net(), 4, 6), input_shape=(4, 6))
    attention = "MultiHeadDotProductAttention_0"
    assert {layer.name for layer in net} == {
        *(f"{attention}/{part}" for part in ("query", "key", "value", "out")),
        "Dense_0",
    }
    assert [(layer.n_in, layer.n_out) for layer in net] == [(6, 6)] * 4 + [(6, 3)]
    skipped = dict(net.skipped)
    assert {attention, "add", "LayerNorm_0"} == set(skipped)
    assert "square, reduce_sum" in skipped["LayerNorm_0"]


def test_what_decides_by_its_input_is_skipped():
    class Net(nnx.Module):
        def __init__(self):
            self.linear, self.head = nnx.Linear(3, 4, rngs=nnx.Rngs(0)), nnx.Linear(4, 2, rngs=nnx.Rngs(0))

        def __call__(self, x):
            y = jax.lax.cond(x.sum() > 0, jnp.sin, jnp.cos, self.linear(x))
            return self.head(y)

    net = ef.as_network(Net())
    assert [layer.name for layer in net] == ["linear", "head"]
    assert "depends on a condition" in dict(net.skipped)["cond"]


OTHER = {
    "split": (lambda self, x: nnx.glu(self.first(x)), "split is no dense layer"),
    "sort": (lambda self, x: jnp.sort(self.first(x))[:, :4], "sort is no dense layer"),
    "sub": (lambda self, x: self.first(x)[:, :4] - x.mean(axis=0), "sub is no dense layer"),
    "pure_callback": (
        lambda self, x: jax.pure_callback(np.sin, jax.ShapeDtypeStruct((len(x), 4), np.float32), self.first(x)[:, :4]),
        "pure_callback is no dense layer",
    ),
}


@pytest.mark.parametrize("name", some_slow(OTHER, 4))
def test_what_is_no_layer_is_named(name):
    function, why = OTHER[name]

    class Net(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.first, self.last = nnx.Linear(4, 8, rngs=rngs), nnx.Linear(4, 2, rngs=rngs)

        def __call__(self, x):
            return self.last(function(self, x))

    net = ef.as_network(Net())
    assert [layer.name for layer in net] == ["first", "last"]
    assert dict(net.skipped)[name].startswith(why)
    assert net.restarts == {1}
    assert "blocks" not in str(net.skipped)


def test_a_layer_that_nothing_depends_on():
    class Net(nnx.Module):
        def __init__(self):
            self.used, self.unused = nnx.Linear(3, 4, rngs=nnx.Rngs(0)), nnx.Linear(3, 4, rngs=nnx.Rngs(0))

        def __call__(self, x):
            self.unused(x)
            return self.used(x)

    net = ef.as_network(Net())
    assert [layer.name for layer in net] == ["used"]
    assert net.skipped == [("unused", "nothing that the model returns was seen to depend on it")]
