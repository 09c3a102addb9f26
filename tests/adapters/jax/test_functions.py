"""Functions of JAX and products written by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax_models import LinenNormed, agrees, with_variables
from networks import activations_of

import ei_fast as ef


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
    assert activations_of(net) == ["tanh"]
    assert not net.skipped
    np.testing.assert_array_equal(net[0].weight, 0.5 * np.asarray(model.kernel[...], dtype=np.float64))
    np.testing.assert_array_equal(net[0].bias, -np.ones(6))
    agrees(net, model, 4)


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
    assert activations_of(net) == ["tanh", "tanh", "linear"]
    assert not net.skipped
    np.testing.assert_array_equal(net[1].weight, hidden[1][0].astype(np.float64))
    np.testing.assert_array_equal(net[2].weight, 2 * np.asarray(params["last"], dtype=np.float64))
    agrees(net, lambda x: function(params, x), 4)


def test_the_apply_of_a_module_is_the_module():
    module, variables = with_variables(LinenNormed(), 4, train=False)
    net = ef.as_network((module.apply, variables))
    assert [layer.name for layer in net] == ["Dense_0", "Dense_1"]


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
