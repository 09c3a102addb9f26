"""Activations and layers that models of Keras write out in its functions."""

import keras
import numpy as np
import pytest
from networks import through
from written_out import INPUTS, as_known

import ei_fast as ef

K = keras.ops
KERAS = {
    "relu": lambda x: K.maximum(x, 0.0),
    "relu mask": lambda x: x * K.cast(x > 0, "float32"),
    "relu chosen": lambda x: K.where(K.less(x, 0.0), 0.0, x),
    "leaky_relu": lambda x: K.where(x > 0, x, 0.1 * x),
    "elu": lambda x: K.where(x > 0, x, K.expm1(x)),
    "sigmoid": lambda x: 1 / (1 + K.exp(-x)),
    "squared relu": lambda x: K.relu(x) ** 2,
    "power": lambda x: K.relu(x) ** 2.5,
    "gaussian": lambda x: K.exp(-x * x),
    "cut off": lambda x: K.minimum(x, 1.0),
    "two to the": lambda x: 2.0**x,
    "softplus": lambda x: K.logaddexp(x, 0.0),
}


@pytest.mark.parametrize("name", KERAS)
def test_an_activation_written_out_in_keras(name):
    keras.utils.set_random_seed(0)
    x = keras.Input((4,))
    model = keras.Model(x, keras.layers.Dense(3)(KERAS[name](keras.layers.Dense(5)(x))))
    net = ef.as_network(model)
    as_known(net, name)
    expected = K.convert_to_numpy(model(INPUTS.astype(np.float32)))
    np.testing.assert_allclose(through(net, INPUTS), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("activation", [None, "relu"])
def test_a_dense_layer_of_keras_written_as_a_sum_over_indices(activation):
    keras.utils.set_random_seed(0)
    dense = keras.layers.EinsumDense("bi,io->bo", output_shape=5, bias_axes="o", activation=activation, name="e")
    model = keras.Sequential([keras.Input((4,)), dense, keras.layers.Dense(3)])
    net = ef.as_network(model)
    assert not net.skipped
    expected = K.convert_to_numpy(model(INPUTS.astype(np.float32)))
    np.testing.assert_allclose(through(net, INPUTS), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "activation",
    [
        lambda h: h / K.max(K.abs(h)),
        lambda h: K.relu(h) if float(K.mean(h)) > -9 else K.tanh(h),
        lambda h: K.cond(K.mean(h) > 0, lambda: K.relu(h), lambda: K.tanh(h)),
        lambda h: h - K.mean(h, axis=0),
    ],
    ids=["divides by the largest", "decides", "decides in the graph", "centred"],
)
def test_an_activation_of_keras_that_depends_on_the_batch_is_none(activation):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, activation, name="a"), keras.layers.Dense(3)])
    net = ef.as_network(model)
    assert str(net[0].activation) == "linear"
    assert net.restarts == {1}
    assert any("layer 'a' is measured without it" in reason for _, reason in net.skipped)
