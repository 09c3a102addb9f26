"""PReLU of Keras, with slopes of its own for each neuron, or for each channel where it shares the other axes."""

import numpy as np
import pytest
from keras import layers
from keras_models import sequential

import ei_fast as ef


def _bent(s, slopes):
    return np.where(s > 0, s, slopes * s)


def _prelu(**options):
    return layers.PReLU(alpha_initializer="random_uniform", **options)


def test_slopes_of_neurons():
    dense, act = layers.Dense(4), _prelu()
    net = ef.as_network(sequential(dense, act, layers.Dense(2), shape=(3,)))
    assert len(net) == 2
    assert not net.skipped
    assert not net.restarts
    kernel, bias = dense.get_weights()
    x = np.random.default_rng(0).uniform(-2, 2, (50, 3))
    np.testing.assert_allclose(net[0](x), _bent(x @ kernel + bias, act.get_weights()[0]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_axes", [1, 2])
def test_slopes_of_channels(n_axes):
    conv = [layers.Conv1D, layers.Conv2D][n_axes - 1](3, 2)
    act = _prelu(shared_axes=list(range(1, n_axes + 1)))
    net = ef.as_network(sequential(conv, act, layers.Flatten(), layers.Dense(2), shape=(*[4] * n_axes, 2)))
    assert len(net) == 2
    assert not net.skipped
    kernel, bias = conv.get_weights()
    x = np.random.default_rng(0).uniform(-2, 2, (50, 2 * 2**n_axes))
    s = x @ np.moveaxis(kernel, -2, 0).reshape(-1, 3) + bias
    np.testing.assert_allclose(net[0](x), _bent(s, act.get_weights()[0].reshape(3)), rtol=1e-5, atol=1e-6)


def test_slopes_of_every_pixel_are_named():
    net = ef.as_network(sequential(layers.Conv2D(3, 2), _prelu(), layers.Flatten(), layers.Dense(2), shape=(4, 4, 2)))
    assert any("has other parameters from place to place" in reason for _, reason in net.skipped)
