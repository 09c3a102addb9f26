"""Activations that models write out in functions of JAX belong to the layer before."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import through
from written_out import INPUTS, KNOWN, NAMES

import ei_fast as ef

JAX = {
    "gelu_tanh": lambda x: 0.5 * x * (1 + jnp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * jnp.power(x, 3.0)))),
    "relu": lambda x: x * (x > 0),
    "leaky_relu": lambda x: jnp.where(x > 0, x, 0.1 * x),
    "sigmoid": lambda x: 1 / (1 + jnp.exp(-x)),
    "squared relu": lambda x: jax.nn.relu(x) ** 2,
    "square": lambda x: x * x,
    "gaussian": lambda x: jnp.exp(-x * x),
    "power": lambda x: jax.nn.relu(x) ** 2.5,
    "rounded": jnp.round,
    "saw": lambda x: x % 1.0,
    "angle": lambda x: jnp.arctan2(x, 1.0),
    "gamma": lambda x: jax.scipy.special.gammaln(2 + x * x),
}


@pytest.mark.parametrize("name", JAX)
def test_an_activation_written_out_in_jax(name):
    rng = np.random.default_rng(0)
    tree = {key: rng.normal(size=shape).astype(np.float32) for key, shape in (("a", (4, 5)), ("b", (5, 3)))}

    def function(tree, x):
        return JAX[name](x @ tree["a"]) @ tree["b"]

    net = ef.as_network((function, tree), input_shape=(4,))
    assert not net.skipped
    assert not net.restarts
    if name in KNOWN:
        assert str(net[0].activation) == NAMES.get(name, name)
    if name not in ("rounded", "saw"):
        expected = np.asarray(function(tree, jnp.asarray(INPUTS)))
        np.testing.assert_allclose(through(net, INPUTS), expected, rtol=1e-3, atol=1e-3)
