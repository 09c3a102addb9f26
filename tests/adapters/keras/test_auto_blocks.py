"""Residual blocks and gated units of Keras, found in what a model does and measured as one map each."""

import keras
import numpy as np
import pytest
from keras import layers
from networks import names_of
from scipy.special import expit

import ei_fast as ef

RNG = np.random.default_rng(0)


class SwiGLU(keras.Layer):
    def __init__(self):
        super().__init__()
        self.gate, self.up, self.down = (layers.Dense(n, use_bias=False) for n in (6, 6, 4))

    def call(self, x):
        return self.down(keras.ops.silu(self.gate(x)) * self.up(x))


def _model(shape, build):
    x = keras.Input(shape)
    return keras.Model(x, build(x))


def _dense(layer, x):
    weight, *bias = layer.get_weights()
    return x @ weight + (bias[0] if bias else 0.0)


@pytest.mark.parametrize("shape", [(), (5,)])
@pytest.mark.parametrize("norm", [False, True])
def test_a_residual_block(shape, norm):
    first, inner, outer, last = layers.Dense(6), layers.Dense(5, activation="relu"), layers.Dense(6), layers.Dense(2)

    def build(x):
        h = first(x)
        normed = layers.LayerNormalization()(h) if norm else h
        return last(layers.Activation("relu")(layers.Add(name="sum")([h, outer(inner(normed))])))

    net = ef.as_network(_model((*shape, 4), build), blocks="auto")
    assert names_of(net) == [first.name, "sum", last.name]
    assert [layer.per_position for layer in net] == [bool(shape)] * 3
    assert not net.skipped
    x = RNG.uniform(-2, 2, (9, 6))
    normed = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-3) if norm else x
    by_hand = np.maximum(x + _dense(outer, np.maximum(_dense(inner, normed), 0)), 0)
    np.testing.assert_allclose(net[1](x), by_hand, rtol=1e-4, atol=1e-5)
    assert "a residual block, found and measured as one map" in dict(net.notes)["sum"]


def _split(x):
    value, gate = keras.ops.split(x, 2, axis=-1)
    return value * keras.ops.sigmoid(gate)


@pytest.mark.parametrize("gate", [_split, keras.ops.glu])
def test_gated_units(gate):
    first, last = layers.Dense(8), layers.Dense(2)
    net = ef.as_network(_model((4,), lambda x: last(gate(first(x)))), blocks="auto")
    assert [(layer.n_in, layer.n_out) for layer in net] == [(4, 8), (8, 4), (4, 2)]
    assert not net.skipped
    x = RNG.uniform(-2, 2, (9, 8))
    np.testing.assert_allclose(net[1](x), x[:, :4] * expit(x[:, 4:]), rtol=1e-5, atol=1e-6)


def test_a_layer_that_is_a_gated_unit_has_its_name():
    unit = SwiGLU()
    net = ef.as_network(_model((4,), lambda x: layers.Dense(2)(unit(layers.Dense(4)(x)))), blocks="auto")
    assert net[1].name == unit.name
    x = RNG.uniform(-2, 2, (9, 4))
    gate = _dense(unit.gate, x)
    np.testing.assert_allclose(
        net[1](x), _dense(unit.down, gate * expit(gate) * _dense(unit.up, x)), rtol=1e-4, atol=1e-5
    )


def test_convolutions_with_norms():
    def build(x):
        h = layers.Conv2D(3, 3, activation="relu")(x)
        y = layers.Conv2D(3, 3, padding="same", activation="relu")(h)
        y = layers.Conv2D(3, 3, padding="same", strides=1)(layers.BatchNormalization()(y))
        return layers.Dense(2)(layers.Flatten()(layers.add([h, y])))

    model = _model((5, 5, 2), build)
    net = ef.as_network(model, blocks="auto")
    assert [(layer.n_in, layer.n_out) for layer in net] == [(18, 3), (27, 27), (27, 2)]
    assert not net.skipped
    part = keras.Model(model.layers[1].output, model.layers[-3].output)
    x = RNG.uniform(0, 1, (4, 27)).astype("float32")
    expected = keras.ops.convert_to_numpy(part(x.reshape(4, 3, 3, 3))).reshape(4, 27)
    np.testing.assert_allclose(net[1](x.astype(float)), expected, rtol=1e-4, atol=1e-5)


def test_what_is_trained_on_is_not_what_was_found():
    unit = SwiGLU()
    model = _model((4,), lambda x: layers.Dense(2)(unit(layers.Dense(4)(x))))
    net = ef.as_network(model, blocks="auto")
    x = RNG.uniform(-2, 2, (9, 4))
    before = net[1](x)
    for variable in model.variables:
        variable.assign(variable.value * 0.0)
    np.testing.assert_array_equal(net[1](x), before)


def test_without_it_the_reason_names_it():
    net = ef.as_network(_model((4,), lambda x: layers.Add(name="sum")([x, layers.Dense(4)(x)])))
    assert "; use blocks='auto' to have it found" in dict(net.skipped)["sum"]
