"""Activations of JAX, called, written out in steps, and the softmax."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax_models import KNOWN, Chain, agrees, chains
from networks import activations_of
from slow_cases import some_slow

import ei_fast as ef

SPELLED_OUT = {
    "relu": lambda x: jnp.maximum(x, 0),
    "relu6": lambda x: (x > 0) * (x < 6) * x + 6 * (x >= 6).astype(x.dtype),
    "silu": lambda x: x * jax.nn.sigmoid(x),
    "gelu": lambda x: x * (1 + jax.lax.erf(x / np.sqrt(2))) / 2,
    "leaky_relu(negative_slope=0.1)": lambda x: jnp.where(x > 0, x, 0.1 * x),
    "mish": lambda x: x * jnp.tanh(jnp.logaddexp(x, 0)),
    "softsign": lambda x: x / (1 + jnp.abs(x)),
    "sigmoid": lambda x: 1 / (1 + jnp.exp(-x)),
    "tanh": lambda x: 2 * jax.nn.sigmoid(2 * x) - 1,
    "elu(alpha=0.5)": lambda x: jnp.where(x > 0, x, 0.5 * jnp.expm1(jnp.minimum(x, 0))),
    "composite": jax.jit(lambda x: jnp.exp(-jnp.square(x - 1))),
}


@pytest.mark.parametrize("source", some_slow([0, 1, 2], 1), ids=["nnx", "bound", "pair"])
def test_every_common_activation(source):
    widths = [4, *[5] * len(KNOWN)]
    models = chains(widths, KNOWN.values())
    net = ef.as_network(models[source], in_range=(-3, 3))
    assert activations_of(net) == list(KNOWN)
    names = [f"layers.{k}" if source == 0 else f"Dense_{k}" for k in range(len(KNOWN))]
    assert [layer.name for layer in net] == names
    assert not net.skipped
    assert not net.restarts
    agrees(net, models[0], 4)


@pytest.mark.parametrize("name", some_slow(SPELLED_OUT, 3))
def test_activations_written_out_in_steps(name):
    model = Chain([4, 6, 3], [SPELLED_OUT[name], lambda x: x])
    net = ef.as_network(model, in_range=(-3, 3))
    assert activations_of(net) == [name, "linear"]
    assert not net.skipped


def test_an_activation_of_ones_own():
    model = Chain([4, 6, 3], [lambda x: jnp.sin(x) + x / 2, jnp.sin])
    net = ef.as_network(model, in_range=(-3, 3))
    assert not net.skipped
    agrees(net, model, 4)
    assert ef.analyze(net, random_state=0)[1].out_range == (-1.0, 1.0)


SOFTMAX = {
    "softmax": jax.nn.softmax,
    "log_softmax": jax.nn.log_softmax,
    "exp / sum": lambda x: jnp.exp(x) / jnp.exp(x).sum(-1, keepdims=True),
    "minus logsumexp": lambda x: x - jax.nn.logsumexp(x, axis=-1, keepdims=True),
}


@pytest.mark.parametrize("name", some_slow(SOFTMAX, 2))
def test_softmax(name):
    model = Chain([4, 5, 3], [jnp.tanh, SOFTMAX[name]])
    net = ef.as_network(model)
    assert activations_of(net) == ["tanh", "function"]
    assert not net.skipped
    agrees(net, model, 4)


def test_a_softmax_that_is_divided_is_none():
    model = Chain([4, 5, 3], [jnp.tanh, lambda x: jax.nn.softmax(x / 3) / 2])
    net = ef.as_network(model)
    assert activations_of(net) == ["tanh", "function"]
    assert [name for name, _ in net.skipped] == ["div"]
