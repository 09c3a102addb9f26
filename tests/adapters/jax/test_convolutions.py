"""Convolutions and pools of Flax and JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from flax import nnx
from flax_models import with_variables
from slow_cases import some_slow

import ei_fast as ef


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

    module, variables = with_variables(Net(), 8, 6, 2)
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
