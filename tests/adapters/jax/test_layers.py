"""Dense layers of Flax, of NNX and of Linen: what is extracted is what they compute."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from flax.core import freeze
from flax_models import Chain, LinenNormed, agrees, chains, with_variables
from networks import activations_of

import ei_fast as ef

MEASURES = ("ei", "ei_stderr", "ei_interval", "sensitivity", "ei_parts", "output_entropy", "out_range")


def test_weights_and_figures_are_those_of_the_parameters():
    nnx_model, bound, pair = chains([4, 6, 3], [jax.nn.leaky_relu, jnp.tanh])
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


def numbers_in(model):
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


def test_batch_norm_is_folded_and_dropout_left_away_in_nnx():
    model = Normed()
    before = numbers_in(model)
    net = ef.as_network(model)
    assert activations_of(net) == ["relu", "function"]
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
    assert numbers_in(model) == before
    assert jax.random.key_data(model.drop.rngs()).tolist() == jax.random.key_data(Normed().drop.rngs()).tolist()
    model.eval()
    agrees(net, model, 4)


def test_batch_norm_is_folded_and_dropout_left_away_in_linen():
    module, variables = with_variables(LinenNormed(), 4, train=False)
    for source in ((module, variables), (module, freeze(variables)), module.bind(variables)):
        net = ef.as_network(source)
        assert activations_of(net) == ["relu", "function"]
        assert [layer.name for layer in net] == ["Dense_0", "Dense_1"]
        assert not net.skipped
        agrees(net, lambda x: module.apply(variables, x, train=False), 4)


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
    agrees(net, model, 5)


@pytest.mark.slow
def test_no_bias_and_other_numbers():
    model = Chain([4, 5, 3], [jnp.tanh, lambda x: x], use_bias=False)
    net = ef.as_network(model)
    assert not net[0].bias.any()
    # Parameters in bfloat16, computed with in float32 since the inputs are.
    model = Chain([4, 5, 3], [jnp.tanh, jax.nn.silu], param_dtype=jnp.bfloat16)
    net = ef.as_network(model)
    np.testing.assert_array_equal(net[0].weight, np.asarray(model.layers[0].kernel[...]).astype(np.float64))
    assert activations_of(net) == ["tanh", "silu"]
    # And all of it in half precision.
    for dtype in (jnp.bfloat16, jnp.float16):
        model = Chain([4, 5, 3], [jnp.tanh, jax.nn.relu], param_dtype=dtype, dtype=dtype)
        net = ef.as_network(model, example_inputs=jnp.zeros((2, 4), dtype))
        np.testing.assert_array_equal(net[0].weight, np.asarray(model.layers[0].kernel[...]).astype(np.float64))
        assert activations_of(net) == ["tanh", "relu"]
        assert not net.skipped


@pytest.mark.slow
def test_in_double_precision():
    with jax.enable_x64(True):
        model = Chain([4, 5, 3], [jnp.tanh, jax.nn.gelu], param_dtype=jnp.float64)
        net = ef.as_network(model)
        assert activations_of(net) == ["tanh", "gelu(approximate=tanh)"]
        np.testing.assert_array_equal(net[0].weight, np.asarray(model.layers[0].kernel[...]))


def test_weights_that_are_computed():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.tanh(nn.WeightNorm(nn.Dense(3))(x))

    module, variables = with_variables(Net(), 4)
    net = ef.as_network((module, variables))
    assert [layer.name for layer in net] == ["Dense_0"]
    assert not net.skipped
    agrees(net, lambda x: module.apply(variables, x), 4)


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
    assert activations_of(net) == ["tanh", "linear", "softplus"]
    assert net.restarts == {2}


def test_parameters_whose_order_is_that_in_which_layers_were_made():
    class Net(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Dense(3)(nn.tanh(nn.Dense(5)(x)))

    module, variables = with_variables(Net(), 4)
    with pytest.raises(ValueError, match=r"The order of the layers cannot be told.* Give order="):
        ef.as_network(variables)
    net = ef.as_network(variables, order=["Dense_1", "Dense_0"], activation=["tanh", "linear"])
    for layer, other in zip(net, ef.as_network((module, variables)), strict=True):
        np.testing.assert_array_equal(layer.weight, other.weight)
        assert (layer.name, str(layer.activation)) == (other.name, str(other.activation))
