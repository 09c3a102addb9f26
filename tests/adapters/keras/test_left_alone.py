"""Keras models are left as they are: weights, random numbers, what trains."""

import random

import keras
import numpy as np
import pytest
from keras import layers as L
from keras_models import sequential

import ei_fast as ef


def test_the_model_is_left_as_it_is():
    model = sequential(L.BatchNormalization(), L.Dropout(0.5), L.GaussianNoise(1.0), L.Dense(4))
    x = keras.Input((5, 3))
    for one in (model, keras.Model(x, L.Dense(2)(L.LSTM(4)(x)))):
        before = [np.array(keras.ops.convert_to_numpy(v)) for v in one.variables]
        nodes = [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in one._flatten_layers()]
        number = int(L.Dense(1).name.partition("_")[2] or 0)
        ef.as_network(one)
        assert nodes == [(len(layer._inbound_nodes), len(layer._outbound_nodes)) for layer in one._flatten_layers()]
        assert L.Dense(1).name == f"dense_{number + 1}"
        for variable, value in zip(one.variables, before, strict=True):
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), value)
        assert not any("call" in layer.__dict__ for layer in one._flatten_layers())


def test_what_raises_comes_through_and_leaves_nothing():
    class Raises(keras.Layer):
        def call(self, x):
            return x if not isinstance(x, keras.KerasTensor) and len(x) < 5 else 1 // 0

    layer = Raises()
    model = keras.Sequential([layer])
    model.built = True
    with pytest.raises(ZeroDivisionError):
        ef.as_network(model, input_shape=(3,))
    assert "call" not in layer.__dict__


def test_an_activation_that_training_changes():
    """Its steps are found anew: the function is the same, what it does is not."""
    slope = keras.Variable(1.0)
    model = sequential(L.Dense(2, activation=lambda x: keras.ops.clip(x * slope, -1.0, 1.0)), shape=(2,))
    model.layers[0].set_weights([np.array([[3.0, -1.0], [1.0, 2.0]]), np.zeros(2)])
    before = ef.analyze(model, in_range=(-1, 1), random_state=0)[0].ei
    slope.assign(20.0)
    after = ef.analyze(model, in_range=(-1, 1), random_state=0)[0].ei
    step = ef.Activation(lambda s: np.clip(20 * s, -1, 1), (-1, 1))
    expected = ef.analyze([([[3.0, -1.0], [1.0, 2.0]], None, step)], in_range=(-1, 1), random_state=0)[0].ei
    assert after == pytest.approx(expected, abs=1e-9)
    assert abs(before - after) > 1


def test_a_block_stays_what_it_was():
    inner = L.Dense(3, activation="tanh", name="inner")
    model = sequential(inner, L.Dense(2))
    net = ef.as_network(model, blocks=["inner"])
    x = np.random.default_rng(0).uniform(size=(5, 4))
    before = net[0](x)
    trained = 3 * keras.ops.convert_to_numpy(inner.kernel)
    inner.kernel.assign(trained)
    np.testing.assert_array_equal(net[0](x), before)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(inner.kernel), trained)


def test_what_is_drawn_is_left_to_the_caller(tmp_path):
    class Draws(keras.Layer):
        def call(self, x):
            return x + 0 * (random.random() + np.random.rand())  # noqa: NPY002

    model = sequential(L.Dense(2), Draws())
    sequential(L.Dense(2)).save(tmp_path / "net.keras")
    random.seed(1), np.random.seed(1)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    ef.as_network(model)
    ef.as_network(tmp_path / "net.keras")
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
