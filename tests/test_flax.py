"""Flax models, of NNX and of Linen: what is extracted is what they compute."""

import os
import pickle
import subprocess
import sys
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from flax.core import freeze
from slow_cases import some_slow

import ei_fast as ef
from ei_fast.adapters.jax import operations as jax_ops

MEASURES = ("ei", "ei_stderr", "ei_interval", "sensitivity", "ei_parts", "output_entropy", "out_range")


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


def _with_variables(module, *shape, **options):
    """The pair of a module and variables whose biases, means and variances are not what they begin with."""
    variables = module.init(jax.random.key(0), jnp.zeros((1, *shape)), **options)
    leaves, tree = jax.tree.flatten(variables)
    rng = np.random.default_rng(3)
    moved = [leaf + rng.uniform(0.1, 0.5, leaf.shape).astype(np.float32) for leaf in leaves]
    return module, jax.tree.unflatten(tree, moved)


def _chains(widths, functions):
    """The same network of NNX, and of Linen bound and as a pair."""
    module, variables = _with_variables(LinenChain(tuple(widths), tuple(functions)), widths[0])
    twin = Chain(widths, functions)
    for k, layer in enumerate(twin.layers):
        layer.kernel[...] = variables["params"][f"Dense_{k}"]["kernel"]
        layer.bias[...] = variables["params"][f"Dense_{k}"]["bias"]
    return twin, module.bind(variables), (module, variables)


def _agrees(net, call, *shape, spread=5.0):
    """The whole chain against the model, inside (0, 1) and beyond."""
    x = np.random.default_rng(5).uniform(-spread, spread, (200, *shape)).astype(np.float32)
    expected = np.asarray(call(jnp.asarray(x)))
    y = x.reshape(len(x), -1).astype(np.float64)
    for layer in net:
        y = layer(y)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def _activations(net):
    return [str(layer.activation) if isinstance(layer, ef.Layer) else "function" for layer in net]


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
    models = _chains(widths, KNOWN.values())
    net = ef.as_network(models[source], in_range=(-3, 3))
    assert _activations(net) == list(KNOWN)
    names = [f"layers.{k}" if source == 0 else f"Dense_{k}" for k in range(len(KNOWN))]
    assert [layer.name for layer in net] == names
    assert not net.skipped
    assert not net.restarts
    _agrees(net, models[0], 4)


@pytest.mark.parametrize("name", some_slow(SPELLED_OUT, 3))
def test_activations_written_out_in_steps(name):
    model = Chain([4, 6, 3], [SPELLED_OUT[name], lambda x: x])
    net = ef.as_network(model, in_range=(-3, 3))
    assert _activations(net) == [name, "linear"]
    assert not net.skipped


def test_an_activation_of_ones_own():
    model = Chain([4, 6, 3], [lambda x: jnp.sin(x) + x / 2, jnp.sin])
    net = ef.as_network(model, in_range=(-3, 3))
    assert not net.skipped
    _agrees(net, model, 4)
    assert ef.analyze(net, random_state=0)[1].out_range == (-1.0, 1.0)


def test_weights_and_figures_are_those_of_the_parameters():
    nnx_model, bound, pair = _chains([4, 6, 3], [jax.nn.leaky_relu, jnp.tanh])
    params = pair[1]["params"]
    plain = [
        (np.asarray(params[f"Dense_{k}"]["kernel"]), np.asarray(params[f"Dense_{k}"]["bias"]), activation)
        for k, activation in enumerate(("leaky_relu", "tanh"))
    ]
    expected = ef.analyze(plain, random_state=5)
    activations = ["leaky_relu", "tanh"]
    apart = nnx.split(nnx_model)
    for source in (nnx_model, apart, bound, pair, pair[1], freeze(pair[1]), params, nnx.state(nnx_model)):
        net = ef.as_network(source, activation=activations)
        for layer, (weight, bias, _) in zip(net, plain, strict=True):
            np.testing.assert_array_equal(layer.weight, weight.astype(np.float64))
            np.testing.assert_array_equal(layer.bias, bias.astype(np.float64))
        report = ef.analyze(net, random_state=5)
        for layer, other in zip(report, expected, strict=True):
            for key in MEASURES:
                assert getattr(layer, key) == getattr(other, key)
            np.testing.assert_array_equal(layer.sensitivity_matrix, other.sensitivity_matrix)


def _numbers_in(model):
    """Everything that a module holds, as bytes."""
    leaves = jax.tree.leaves(nnx.state(model))
    keys = [jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) for leaf in leaves]
    return [np.asarray(jax.random.key_data(x) if key else x).tobytes() for x, key in zip(leaves, keys, strict=True)]


class Normed(nnx.Module):
    """A dense layer, batch norm and dropout, and a softmax at the end."""

    def __init__(self):
        rngs = nnx.Rngs(0)
        self.first, self.norm, self.drop = (
            nnx.Linear(4, 6, rngs=rngs),
            nnx.BatchNorm(6, rngs=rngs),
            nnx.Dropout(0.5, rngs=rngs),
        )
        self.last = nnx.Linear(6, 3, rngs=rngs)
        rng = np.random.default_rng(1)
        for part in (self.norm.mean, self.norm.var, self.norm.scale, self.norm.bias):
            part[...] = rng.uniform(0.5, 2.0, 6).astype(np.float32)

    def __call__(self, x):
        return jax.nn.softmax(self.last(self.drop(jax.nn.relu(self.norm(self.first(x))))))


class LinenNormed(nn.Module):
    """The same, which is to be told whether it is trained."""

    @nn.compact
    def __call__(self, x, train=True):
        x = nn.Dense(6)(x)
        x = nn.BatchNorm(use_running_average=not train)(x)
        x = nn.Dropout(0.5, deterministic=not train)(nn.relu(x))
        return nn.log_softmax(nn.Dense(3)(x))


def test_batch_norm_is_folded_and_dropout_left_away_in_nnx():
    model = Normed()
    before = _numbers_in(model)
    net = ef.as_network(model)
    assert _activations(net) == ["relu", "function"]
    assert [layer.name for layer in net] == ["first", "last"]
    assert not net.skipped
    scale = np.asarray(model.norm.scale[...], dtype=np.float64) / np.sqrt(
        np.asarray(model.norm.var[...], dtype=np.float64) + 1e-5
    )
    np.testing.assert_allclose(net[0].weight, np.asarray(model.first.kernel[...]) * scale, rtol=1e-6)
    assert net.ranges()[1][1] == (0.0, 1.0)
    # The user's module still trains, with the random numbers that it would have drawn, and is what it was.
    assert not model.drop.deterministic
    assert not model.norm.use_running_average
    assert _numbers_in(model) == before
    assert jax.random.key_data(model.drop.rngs()).tolist() == jax.random.key_data(Normed().drop.rngs()).tolist()
    model.eval()
    _agrees(net, model, 4)


def test_batch_norm_is_folded_and_dropout_left_away_in_linen():
    module, variables = _with_variables(LinenNormed(), 4, train=False)
    for source in ((module, variables), (module, freeze(variables)), module.bind(variables)):
        net = ef.as_network(source)
        assert _activations(net) == ["relu", "function"]
        assert [layer.name for layer in net] == ["Dense_0", "Dense_1"]
        assert not net.skipped
        _agrees(net, lambda x: module.apply(variables, x, train=False), 4)


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
    assert _activations(net) == ["tanh", "function"]
    assert not net.skipped
    _agrees(net, model, 4)


def test_a_softmax_that_is_divided_is_none():
    model = Chain([4, 5, 3], [jnp.tanh, lambda x: jax.nn.softmax(x / 3) / 2])
    net = ef.as_network(model)
    assert _activations(net) == ["tanh", "function"]
    assert [name for name, _ in net.skipped] == ["div"]


class Convolved(nnx.Module):
    """Convolutions, pools and what is flattened in the end."""

    def __init__(self, pool):
        rngs = nnx.Rngs(0)
        self.conv1 = nnx.Conv(2, 4, (3, 3), padding="VALID", rngs=rngs)
        self.norm = nnx.BatchNorm(4, rngs=rngs)
        self.conv2 = nnx.Conv(4, 6, (2, 2), strides=2, feature_group_count=2, rngs=rngs)
        self.out = nnx.Linear(6, 3, rngs=rngs)
        self.pool = pool

    def __call__(self, x):
        x = self.pool(jax.nn.relu(self.norm(self.conv1(x))))
        x = jnp.tanh(self.conv2(x)).mean(axis=(1, 2))
        return self.out(x)


POOLS = {
    "max": lambda x: nnx.max_pool(x, (2, 2), strides=(2, 2)),
    "avg": lambda x: nnx.avg_pool(x, (2, 2), strides=(2, 2)),
    "same": lambda x: nnx.max_pool(x, (3, 3), strides=(2, 2), padding="SAME"),
}


@pytest.mark.parametrize("pool", some_slow(POOLS, 2))
def test_convolutions_of_nnx(pool):
    model = Convolved(POOLS[pool])
    net = ef.as_network(model, input_shape=(14, 14, 2))
    assert [layer.name for layer in net] == ["conv1", "conv2", "out"]
    size = 5 if pool == "same" else 4
    assert net[0].patch == (2, size, size)
    assert net[1].patch is not None
    assert not net.skipped
    assert not net.restarts


LAYOUTS = [("NHWC", "HWIO", "NHWC"), ("NCHW", "OIHW", "NCHW"), ("NWHC", "IHWO", "NHCW")]


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout[0] for layout in LAYOUTS])
@pytest.mark.parametrize("pool", some_slow(["max", "mean"], 1))
def test_channels_and_places_in_any_order(layout, pool):
    given, kernel, made = layout
    size = {"N": 1, "C": 2, "H": 9, "W": 8}
    window = [1 if axis in "NC" else 2 for axis in made]

    class Net(nnx.Module):
        def __init__(self):
            shape = [{"H": 3, "W": 2, "I": 2, "O": 4}[axis] for axis in kernel]
            self.kernel = nnx.Param(jax.random.normal(jax.random.key(0), shape))

        def __call__(self, x):
            x = jax.lax.conv_general_dilated(x, self.kernel[...], (1, 1), "SAME", dimension_numbers=layout)
            if pool == "max":
                return jax.lax.reduce_window(jnp.tanh(x), -jnp.inf, jax.lax.max, window, window, "VALID")
            return jax.lax.reduce_window(jnp.tanh(x), 0.0, jax.lax.add, window, window, "VALID") / 4

    net = ef.as_network(Net(), input_shape=[size[axis] for axis in given[1:]])
    assert [(layer.name, layer.patch, layer.n_out) for layer in net] == [("Net", (2, 4, 3), 4)]
    assert not net.skipped


@pytest.mark.slow
def test_a_patch_of_a_convolution():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            x = nn.max_pool(nn.relu(nn.Conv(4, (3, 2))(x)), (2, 2), strides=(2, 2))
            return nn.Dense(3)(x.reshape(len(x), -1))

    module, variables = _with_variables(Net(), 8, 6, 2)
    net = ef.as_network((module, variables), example_inputs=np.zeros((1, 8, 6, 2), np.float32))
    assert [(layer.patch, layer.n_out) for layer in net] == [((2, 4, 3), 4), (None, 3)]
    # One patch through the convolution without padding.
    patch = np.random.default_rng(0).uniform(size=(50, 4, 3, 2)).astype(np.float32)
    kernel, bias = (np.asarray(variables["params"]["Conv_0"][key]) for key in ("kernel", "bias"))
    numbers = ("NHWC", "HWIO", "NHWC")
    sums = jax.lax.conv_general_dilated(patch, kernel, (1, 1), "VALID", dimension_numbers=numbers) + bias
    expected = np.maximum(np.asarray(sums), 0).max(axis=(1, 2))
    np.testing.assert_allclose(net[0](patch.transpose(0, 3, 1, 2).reshape(50, -1)), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", some_slow([1, 2, 3], 1))
def test_convolutions_in_every_dimension(n):
    shape = (9, 7, 6)[:n]
    layer = nnx.Conv(2, 3, (3, 2, 2)[:n], kernel_dilation=(2, 1, 1)[:n], padding="VALID", rngs=nnx.Rngs(0))
    net = ef.as_network(layer, input_shape=(*shape, 2))
    assert net[0].patch == (2, *(3, 2, 2)[:n])
    assert net[0].name == "Conv"
    weight = np.asarray(layer.kernel[...], dtype=np.float64)
    assert np.isin(weight, net[0].weight).all()


def test_a_residual_sum_is_named():
    class Block(nn.Module):
        @nn.compact
        def __call__(self, x):
            return x + nn.Dense(6)(nn.tanh(nn.Dense(8)(x)))

    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(2)(Block()(nn.relu(nn.Dense(6, name="first")(x))))

    net = ef.as_network(_with_variables(Net(), 4))
    # Linen numbers modules as they are made: the outer one of two calls is made first.
    assert [layer.name for layer in net] == ["first", "Block_0/Dense_1", "Block_0/Dense_0", "Dense_0"]
    [(name, reason)] = net.skipped
    assert name == "Block_0"
    assert reason.startswith("add of 2 values is no dense layer; the inputs of")
    assert "'Dense_0' after it are binned over the range seen" in reason
    assert net.restarts == {3}


class Nested(nnx.Module):
    """A block that is used twice, inside of what has other names for it."""

    def __init__(self):
        self.block = Chain([5, 5], [jnp.tanh])
        self.head = nnx.Linear(5, 2, rngs=nnx.Rngs(1))

    def __call__(self, x):
        return self.head(self.block(self.block(x)))


def test_nested_and_shared():
    model = Nested()
    net = ef.as_network(model)
    names = [layer.name for layer in net]
    assert names[0] == "block.layers.0"
    assert names[1].startswith("block.layers.0")
    assert names[2] == "head"
    np.testing.assert_array_equal(net[0].weight, net[1].weight)
    assert not net.skipped
    _agrees(net, model, 5)


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

    model = NnxNet() if kind == "nnx" else _with_variables(Net(), 7, 4)
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

    net = ef.as_network(_with_variables(Net(), 4, 6), input_shape=(4, 6))
    attention = "MultiHeadDotProductAttention_0"
    assert {layer.name for layer in net} == {
        *(f"{attention}/{part}" for part in ("query", "key", "value", "out")),
        "Dense_0",
    }
    assert [(layer.n_in, layer.n_out) for layer in net] == [(6, 6)] * 4 + [(6, 3)]
    skipped = dict(net.skipped)
    assert {attention, "add", "LayerNorm_0"} == set(skipped)
    assert "square, reduce_sum" in skipped["LayerNorm_0"]


@pytest.mark.slow
def test_no_bias_and_other_numbers():
    model = Chain([4, 5, 3], [jnp.tanh, lambda x: x], use_bias=False)
    net = ef.as_network(model)
    assert not net[0].bias.any()
    # Parameters in bfloat16, computed with in float32 since the inputs are.
    model = Chain([4, 5, 3], [jnp.tanh, jax.nn.silu], param_dtype=jnp.bfloat16)
    net = ef.as_network(model)
    np.testing.assert_array_equal(net[0].weight, np.asarray(model.layers[0].kernel[...]).astype(np.float64))
    assert _activations(net) == ["tanh", "silu"]
    # And all of it in half precision.
    for dtype in (jnp.bfloat16, jnp.float16):
        model = Chain([4, 5, 3], [jnp.tanh, jax.nn.relu], param_dtype=dtype, dtype=dtype)
        net = ef.as_network(model, example_inputs=jnp.zeros((2, 4), dtype))
        np.testing.assert_array_equal(net[0].weight, np.asarray(model.layers[0].kernel[...]).astype(np.float64))
        assert _activations(net) == ["tanh", "relu"]
        assert not net.skipped


@pytest.mark.slow
def test_in_double_precision():
    with jax.enable_x64(True):
        model = Chain([4, 5, 3], [jnp.tanh, jax.nn.gelu], param_dtype=jnp.float64)
        net = ef.as_network(model)
        assert _activations(net) == ["tanh", "gelu(approximate=tanh)"]
        np.testing.assert_array_equal(net[0].weight, np.asarray(model.layers[0].kernel[...]))


@jax.custom_vjp
def _multiplied(x, weight):
    return x @ weight


_multiplied.defvjp(lambda x, weight: (x @ weight, (x, weight)), lambda kept, down: (down @ kept[1].T, kept[0].T @ down))


def _written_by_hand(x, weight):
    return {
        "einsum": lambda: jnp.einsum("bi,oi->bo", x, weight.T),
        "vmap": lambda: jax.vmap(lambda row: weight.T @ row)(x),
        "vmap_right": lambda: jax.vmap(lambda row: row @ weight)(x),
        "custom_vjp": lambda: _multiplied(x, weight),
        "checkpoint": lambda: jax.checkpoint(lambda a: a @ weight)(x),
        "jit": lambda: jax.jit(lambda a, b: a @ b)(x, weight),
        "heads": lambda: jnp.einsum("bi,ihd->bhd", x, weight.reshape(4, 2, 3)).reshape(len(x), -1),
        "axes": lambda: jnp.einsum("bij,ijo->bo", x.reshape(-1, 2, 2), weight.reshape(2, 2, 6)),
    }


@pytest.mark.parametrize("spelling", _written_by_hand(jnp.ones((2, 4)), jnp.ones((4, 6))))
def test_products_written_by_hand(spelling):
    class Net(nnx.Module):
        def __init__(self):
            self.kernel = nnx.Param(jax.random.normal(jax.random.key(0), (4, 6)))
            self.scale = nnx.Param(jnp.float32(0.5))

        def __call__(self, x):
            return jnp.tanh(_written_by_hand(x, self.kernel[...])[spelling]() * self.scale[...] - 1.0)

    model = Net()
    net = ef.as_network(model)
    assert _activations(net) == ["tanh"]
    assert not net.skipped
    np.testing.assert_array_equal(net[0].weight, 0.5 * np.asarray(model.kernel[...], dtype=np.float64))
    np.testing.assert_array_equal(net[0].bias, -np.ones(6))
    _agrees(net, model, 4)


def _by_hand(params, x):
    for weight, bias in params["hidden"]:
        x = jnp.tanh(x @ weight + bias)
    return params["factor"] * (x @ params["last"])


@pytest.mark.parametrize("function", [_by_hand, jax.jit(_by_hand), lambda params, x: _by_hand(params, x)])
def test_a_function_and_its_parameters(function):
    rng = np.random.default_rng(0)
    hidden = [(rng.normal(size=(a, b)).astype(np.float32), np.ones(b, np.float32)) for a, b in ((4, 6), (6, 5))]
    params = {"hidden": hidden, "last": jnp.asarray(rng.normal(size=(5, 2)), jnp.float32), "factor": 2.0}
    net = ef.as_network((function, params))
    assert [layer.name for layer in net] == ["hidden/0", "hidden/1", "last"]
    assert _activations(net) == ["tanh", "tanh", "linear"]
    assert not net.skipped
    np.testing.assert_array_equal(net[1].weight, hidden[1][0].astype(np.float64))
    np.testing.assert_array_equal(net[2].weight, 2 * np.asarray(params["last"], dtype=np.float64))
    _agrees(net, lambda x: function(params, x), 4)


def test_the_apply_of_a_module_is_the_module():
    module, variables = _with_variables(LinenNormed(), 4, train=False)
    net = ef.as_network((module.apply, variables))
    assert [layer.name for layer in net] == ["Dense_0", "Dense_1"]


@pytest.mark.slow
def test_what_is_extracted_can_be_sent_to_other_processes():
    model = Chain([4, *[3] * (len(KNOWN) + 1)], [*KNOWN.values(), lambda x: jnp.sin(x) + jnp.exp(-x * x)])
    net = ef.as_network(model)
    again = pickle.loads(pickle.dumps(net))
    x = np.random.default_rng(0).uniform(-3, 3, (20, 3))
    for layer, other in zip(net.layers[1:], again.layers[1:], strict=True):
        np.testing.assert_array_equal(layer(x), other(x))


def test_every_layer_is_compared_with_the_run(monkeypatch):
    true = jax_ops._SEVERAL["dot_general"]

    def wrong(equation):
        (does, output), *more = true(equation)
        return [(jax_ops.Dense(does.weight * 1.01, does.bias), output), *more]

    monkeypatch.setitem(jax_ops._SEVERAL, "dot_general", wrong)
    model = Chain([4, 3], [jnp.tanh])
    with pytest.raises(ValueError, match=r"'layers.0' as extracted differs"):
        ef.as_network(model)
    assert ef.as_network(model, verify=False)


def test_a_recording_is_cheap_when_nothing_is_compared(monkeypatch):
    model, runs = Chain([4, 3], [jnp.tanh]), []
    true = jax.make_jaxpr
    monkeypatch.setattr(jax, "make_jaxpr", lambda *given: runs.append(1) or true(*given))
    net = ef.as_network(model, verify=False, input_shape=(4,))
    assert len(runs) == 1
    np.testing.assert_array_equal(net[0].weight, np.asarray(model.layers[0].kernel[...], dtype=np.float64))


def test_a_recorder_takes_flax_models():
    module, variables = _with_variables(LinenChain((4, 3), (jnp.tanh,)), 4)
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0))
    for step in range(2):
        recorder.record((module, variables), step=step, loss=1.0)
        variables = jax.tree.map(lambda leaf: 2 * leaf, variables)
    assert recorder.trajectory_.layers == ("Dense_0",)
    assert len(recorder.trajectory_) == 2


def test_a_description_takes_the_option(capsys):
    ef.describe(
        nnx.Conv(2, 3, (2, 2), padding="VALID", rngs=nnx.Rngs(0)), example_inputs=np.zeros((1, 5, 5, 2), np.float32)
    )
    assert "2x2x2 -> 3 per patch" in capsys.readouterr().out


class Drawing(nnx.Module):
    """Adds noise, for inference too."""

    def __init__(self):
        self.rngs, self.linear = nnx.Rngs(0), nnx.Linear(3, 2, rngs=nnx.Rngs(1))

    def __call__(self, x):
        return self.linear(x + jax.random.normal(self.rngs(), x.shape))


@pytest.mark.slow
def test_random_numbers_are_left_as_they_are():
    model = Drawing()
    net = ef.as_network(model)
    assert [name for name, _ in net.skipped] == ["add"]
    assert int(model.rngs.default.count[...]) == 0


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


def test_a_transposed_convolution_is_skipped():
    class Net(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.up, self.out = nnx.ConvTranspose(2, 3, (3, 3), strides=2, rngs=rngs), nnx.Conv(3, 2, (1, 1), rngs=rngs)

        def __call__(self, x):
            return self.out(jax.nn.relu(self.up(x)))

    net = ef.as_network(Net(), input_shape=(6, 6, 2))
    assert [layer.name for layer in net] == ["out"]
    assert dict(net.skipped)["max"].startswith("an activation that follows no dense layer")
    assert ("up", "conv_general_dilated is no dense layer or convolution, activation or pool") in net.skipped


def test_weights_that_are_computed():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.tanh(nn.WeightNorm(nn.Dense(3))(x))

    module, variables = _with_variables(Net(), 4)
    net = ef.as_network((module, variables))
    assert [layer.name for layer in net] == ["Dense_0"]
    assert not net.skipped
    _agrees(net, lambda x: module.apply(variables, x), 4)


def test_two_heads():
    class Net(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.body, self.mean, self.spread = (nnx.Linear(*widths, rngs=rngs) for widths in ((4, 5), (5, 2), (5, 3)))

        def __call__(self, x):
            x = jnp.tanh(self.body(x))
            return {"mean": self.mean(x), "spread": jax.nn.softplus(self.spread(x))}

    net = ef.as_network(Net())
    assert [layer.name for layer in net] == ["body", "mean", "spread"]
    assert _activations(net) == ["tanh", "linear", "softplus"]
    assert net.restarts == {2}


def test_parameters_whose_order_is_that_in_which_layers_were_made():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(nn.tanh(nn.Dense(5)(x)))

    module, variables = _with_variables(Net(), 4)
    with pytest.raises(ValueError, match=r"The order of the layers cannot be told.* Give order="):
        ef.as_network(variables)
    net = ef.as_network(variables, order=["Dense_1", "Dense_0"], activation=["tanh", "linear"])
    for layer, other in zip(net, ef.as_network((module, variables)), strict=True):
        np.testing.assert_array_equal(layer.weight, other.weight)
        assert (layer.name, str(layer.activation)) == (other.name, str(other.activation))


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


def _unbound():
    return nn.Dense(3)


def _traced():
    seen = []
    model = nnx.Linear(3, 2, rngs=nnx.Rngs(0))
    nnx.jit(lambda m: seen.append(ef.as_network(m)))(model)


def _complex():
    return nnx.Linear(3, 2, param_dtype=jnp.complex64, rngs=nnx.Rngs(0))


def _dense_pair():
    return _with_variables(nn.Dense(3), 4)


FLOATS, INTEGERS = np.zeros((2, 4), np.float32), np.zeros((2, 4), int)


@pytest.mark.parametrize(
    ("make", "options", "error", "message"),
    [
        (_unbound, {}, TypeError, r"Got a Dense that is not bound. Pass the pair \(module, variables\)"),
        (lambda: (nnx.Linear(3, 2, rngs=nnx.Rngs(0)), 5), {}, TypeError, "Got a pair of Linear and int instead"),
        (lambda: (nn.Dense(3), 5), {}, TypeError, "must be what its 'init' returns.* Got int instead"),
        (lambda: (nn.Dense(3), _dense_pair()[1]["params"]), {}, ValueError, r"Pass \(module, \{'params': params\}\)"),
        (_dense_pair, {"example_inputs": INTEGERS}, TypeError, "floating-point numbers. Got numbers of type int"),
        (_dense_pair, {"example_inputs": FLOATS[0]}, ValueError, r"a batch \(rows, ...\).* Got the shape \(4,\)"),
        (_dense_pair, {"example_inputs": FLOATS, "input_shape": (4,)}, ValueError, "Got both. Give one"),
        (_dense_pair, {"input_shape": (0,)}, ValueError, "'input_shape'"),
        (_dense_pair, {"blocks": ["a"]}, ValueError, "'blocks' parameter of as_network is for"),
        (lambda: nnx.Conv(1, 2, (3, 3), rngs=nnx.Rngs(0)), {}, ValueError, "cannot be told.* Give input_shape="),
        (
            lambda: [np.ones((2, 2))],
            {"example_inputs": FLOATS},
            ValueError,
            "is for models of Flax and JAX; others take",
        ),
        (lambda: nnx.eval_shape(lambda: Chain([4, 3], [jnp.tanh])), {}, TypeError, "'layers/0/bias', which is a Shape"),
        (_complex, {}, TypeError, "Got 'bias', which is complex"),
        (lambda: nnx.Dropout(0.5, rngs=nnx.Rngs(0)), {"input_shape": (4,)}, TypeError, "no dense layer or convolution"),
        (_traced, {}, TypeError, "Call as_network after"),
    ],
)
def test_refused(make, options, error, message):
    with pytest.raises(error, match=message):
        ef.as_network(make(), **options)


def test_what_the_model_raises_comes_through():
    with pytest.raises(Exception, match="5") as caught:
        ef.as_network(_dense_pair(), input_shape=(5,))
    assert any(
        "Raised by the model for samples of shape (5,) of float32 numbers" in note for note in caught.value.__notes__
    )


def test_a_missing_library_is_named(monkeypatch):
    model = Chain([4, 3], [jnp.tanh])
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delitem(sys.modules, "ei_fast.adapters.jax.model", raising=False)
    with pytest.raises(ImportError, match=r'pip install "ei_fast\[flax\]"'):
        ef.as_network(model)


@pytest.mark.slow
def test_parameters_on_several_devices():
    code = """
import jax, numpy as np
from flax import nnx
import ei_fast
first, second = jax.devices()
model = nnx.Linear(4, 6, rngs=nnx.Rngs(0))
expected = ei_fast.as_network(model)[0].weight
graph, state = nnx.split(model)
mesh = jax.make_mesh((2,), ("x",), axis_types=(jax.sharding.AxisType.Explicit,))
for place in (second, jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())):
    layer = ei_fast.as_network((graph, jax.device_put(state, place)))[0]
    print(np.array_equal(layer.weight, expected))
"""
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **flags})
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["True", "True"]


@pytest.mark.slow
def test_reading_a_flax_model_imports_no_other_framework():
    code = """
import sys
from flax import nnx
import ei_fast
net = ei_fast.as_network(nnx.Linear(3, 2, rngs=nnx.Rngs(0)))
print(len(net), *[name for name in ("torch", "keras", "tensorflow", "onnx") if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["1"]


def test_a_model_of_tokens_says_that_it_takes_indices():
    class Tokens(nnx.Module):
        def __init__(self):
            self.table, self.a = nnx.Embed(10, 4, rngs=nnx.Rngs(0)), nnx.Linear(4, 2, rngs=nnx.Rngs(0))

        def __call__(self, x):
            return self.a(self.table(x))

    with pytest.raises(ValueError, match="integer") as raised:
        ef.as_network(Tokens(), input_shape=(3,))
    assert any("Indices, as of tokens, are no numbers" in note for note in raised.value.__notes__)
    with pytest.raises(TypeError, match="Indices, as of tokens, are no numbers"):
        ef.as_network(Tokens(), example_inputs=jnp.zeros((2, 3), jnp.int32))
    assert len(ef.as_network(Tokens().a, input_shape=(3, 4))) == 1


def test_no_length_of_a_sample_is_guessed_through_a_convolution():
    class Convolved(nnx.Module):
        def __init__(self):
            self.conv = nnx.Conv(1, 2, (1,), rngs=nnx.Rngs(0))
            self.a = nnx.Linear(14, 3, rngs=nnx.Rngs(0))

        def __call__(self, x):
            y = self.conv(x[..., None])
            return self.a(y.reshape(len(x), -1)[:, :14])

    with pytest.raises(ValueError, match="Give input_shape="):
        ef.as_network(Convolved())


def test_a_product_over_samples_and_times_stands_in_one_place():
    rng = np.random.default_rng(0)
    tree = {"a": rng.normal(size=(4, 5)).astype(np.float32), "b": rng.normal(size=(5, 3)).astype(np.float32)}

    def function(tree, x):
        y = jax.nn.gelu((x.reshape(-1, 4) @ tree["a"]).reshape(len(x), -1, 5))
        return jax.nn.softmax(y.reshape(-1, 5) @ tree["b"]).reshape(len(x), -1, 3)

    net = ef.as_network((function, tree), input_shape=(6, 4))
    assert [layer.name for layer in net] == ["a", "b"]
    assert str(net[0].activation) == "gelu(approximate=tanh)"
    assert net[1].kind == "function"
    assert not net.skipped
    assert not net.restarts
    x = rng.uniform(size=(9, 6, 4))
    expected = np.asarray(function(tree, x.astype(np.float32)))
    np.testing.assert_allclose(net[1](net[0](x.reshape(-1, 4))), expected.reshape(-1, 3), rtol=1e-4, atol=1e-5)
