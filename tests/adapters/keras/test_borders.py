"""Convolutions of Keras of which no window lies wholly inside: the map of the patch at the border."""

import numpy as np
from keras import layers
from keras_models import sequential

import ei_fast as ef


def test_the_patch_at_the_border_is_measured():
    convolution = layers.Conv2D(3, 3, padding="same", activation="tanh")
    net = ef.as_network(sequential(convolution, layers.Flatten(), layers.Dense(2), shape=(2, 2, 2)))
    kernel, bias = convolution.get_weights()
    assert net[0].patch == (2, 2, 2)
    # Channels come first in a patch, and the kernel has (height, width, channels, n_out).
    np.testing.assert_allclose(net[0].weight, np.moveaxis(kernel[1:, 1:], 2, 0).reshape(8, 3), rtol=1e-6)
    np.testing.assert_allclose(net[0].bias, bias, rtol=1e-6)
    assert "what is padded there is 0 and no input" in net.notes[0][1]


def test_padding_of_its_own_is_no_input():
    convolution = layers.Conv1D(2, 5)
    net = ef.as_network(
        sequential(layers.ZeroPadding1D(2), convolution, layers.Flatten(), layers.Dense(2), shape=(3, 1))
    )
    kernel, _ = convolution.get_weights()
    assert net[0].patch == (1, 3)
    np.testing.assert_allclose(net[0].weight, kernel[1:4, 0], rtol=1e-6)
