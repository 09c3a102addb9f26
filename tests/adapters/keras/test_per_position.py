"""Layers of Keras that stand at many places of a sample: each is the map of one of them."""

import keras
import numpy as np
import pytest
from keras import layers
from keras_models import sequential

import ei_fast as ef


def _residual(width, shape):
    x = keras.Input(shape)
    return keras.Model(x, layers.Add()([x, layers.Dense(width)(layers.Dense(7, activation="relu")(x))]))


def test_layers_at_many_places_are_marked():
    model = sequential(
        layers.Dense(3, activation="tanh"), layers.Dense(2), layers.Flatten(), layers.Dense(2), shape=(5, 4)
    )
    net = ef.as_network(model)
    assert [layer.per_position for layer in net] == [True, True, False]
    assert net.restarts == {2}
    assert not ef.as_network(sequential(layers.Dense(3), shape=(4,)))[0].per_position


@pytest.mark.parametrize("shape", [(5, 6), (3, 4, 6)])
def test_a_block_that_maps_each_position_alike_is_the_map_of_one(shape):
    block = _residual(6, shape)
    model = sequential(layers.Dense(6), block, layers.Dense(2), shape=(*shape[:-1], 4))
    net = ef.as_network(model, blocks={block.name: (-4, 4)})
    assert [(layer.n_in, layer.n_out, layer.per_position) for layer in net] == [
        (4, 6, True),
        (6, 6, True),
        (6, 2, True),
    ]
    assert not net.restarts
    x = np.random.default_rng(0).uniform(-2, 2, (11, 6))
    (up, a), (down, b) = (one.get_weights() for one in block.layers if isinstance(one, layers.Dense))
    np.testing.assert_allclose(net[1](x), x + np.maximum(x @ up + a, 0) @ down + b, rtol=1e-4, atol=1e-5)


def test_a_block_that_mixes_positions_is_one_map_of_all():
    x = keras.Input((5, 6))
    mixing = keras.Model(x, layers.Activation("tanh")(layers.Conv1D(6, 3, padding="same")(x)))
    model = sequential(layers.Dense(6), mixing, layers.Dense(2), shape=(5, 4))
    net = ef.as_network(model, blocks=[mixing.name])
    assert [(layer.n_in, layer.per_position) for layer in net] == [(4, True), (30, False), (6, True)]
