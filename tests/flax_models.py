"""Flax models that several tests use, of NNX and of Linen."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import nnx


class Chain(nnx.Module):
    """Dense layers, each followed by a function."""

    def __init__(self, widths, functions, *, use_bias=True, **kinds):
        rngs, pairs = nnx.Rngs(0), pairwise(widths)
        self.layers = nnx.List([nnx.Linear(*pair, use_bias=use_bias, rngs=rngs, **kinds) for pair in pairs])
        self.functions = tuple(functions)

    def __call__(self, x):
        for layer, function in zip(self.layers, self.functions, strict=True):
            x = function(layer(x))
        return x


class LinenChain(nn.Module):
    """The same in Linen."""

    widths: tuple
    functions: tuple
    use_bias: bool = True

    @nn.compact
    def __call__(self, x):
        for width, function in zip(self.widths[1:], self.functions, strict=True):
            x = function(nn.Dense(width, use_bias=self.use_bias)(x))
        return x


def with_variables(module, *shape, **options):
    """The pair of a module and variables whose biases, means and variances are not what they begin with."""
    variables = module.init(jax.random.key(0), jnp.zeros((1, *shape)), **options)
    leaves, tree = jax.tree.flatten(variables)
    rng = np.random.default_rng(3)
    moved = [leaf + rng.uniform(0.1, 0.5, leaf.shape).astype(np.float32) for leaf in leaves]
    return module, jax.tree.unflatten(tree, moved)


def chains(widths, functions):
    """The same network of NNX, and of Linen bound and as a pair."""
    module, variables = with_variables(LinenChain(tuple(widths), tuple(functions)), widths[0])
    twin = Chain(widths, functions)
    for k, layer in enumerate(twin.layers):
        layer.kernel[...] = variables["params"][f"Dense_{k}"]["kernel"]
        layer.bias[...] = variables["params"][f"Dense_{k}"]["bias"]
    return twin, module.bind(variables), (module, variables)


def agrees(net, call, *shape, spread=5.0):
    """The whole chain against the model, inside (0, 1) and beyond."""
    x = np.random.default_rng(5).uniform(-spread, spread, (200, *shape)).astype(np.float32)
    expected = np.asarray(call(jnp.asarray(x)))
    y = x.reshape(len(x), -1).astype(np.float64)
    for layer in net:
        y = layer(y)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


KNOWN = {
    "relu": jax.nn.relu,
    "relu6": jax.nn.relu6,
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "silu": jax.nn.silu,
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu(approximate=tanh)": jax.nn.gelu,
    "elu": jax.nn.elu,
    "elu(alpha=0.3)": lambda x: jax.nn.elu(x, 0.3),
    "selu": jax.nn.selu,
    "leaky_relu": jax.nn.leaky_relu,
    "leaky_relu(negative_slope=0.2)": lambda x: jax.nn.leaky_relu(x, 0.2),
    "softplus": jax.nn.softplus,
    "softsign": jax.nn.soft_sign,
    "log_sigmoid": jax.nn.log_sigmoid,
    "mish": jax.nn.mish,
    "hard_sigmoid": jax.nn.hard_sigmoid,
    "hard_silu": jax.nn.hard_swish,
    "hard_tanh": jax.nn.hard_tanh,
    "hard_tanh(min_val=-2.0, max_val=0.5)": lambda x: jnp.clip(x, -2.0, 0.5),
}


class LinenNormed(nn.Module):
    """The same, which is to be told whether it is trained."""

    @nn.compact
    def __call__(self, x, train=True):
        x = nn.Dense(6)(x)
        x = nn.BatchNorm(use_running_average=not train)(x)
        x = nn.Dropout(0.5, deterministic=not train)(nn.relu(x))
        return nn.log_softmax(nn.Dense(3)(x))
