"""Transposed convolutions of Keras, which pads them as it convolves."""

from itertools import product

import numpy as np
import pytest
from keras import layers
from keras_models import sequential

import ei_fast as ef

CASES = {
    "same": (layers.Conv2DTranspose(3, 3, strides=2, padding="same"), (4, 4, 2), (2, 2, 2)),
    "valid": (layers.Conv2DTranspose(3, 3, strides=2), (4, 4, 2), (2, 2, 2)),
    "4 by 2": (layers.Conv2DTranspose(3, 4, strides=2, padding="same"), (4, 4, 2), (2, 2, 2)),
    "stride 1": (layers.Conv1DTranspose(3, 3, padding="same"), (6, 2), (2, 3)),
    "in time": (layers.Conv1DTranspose(3, 4, strides=2, padding="same"), (6, 2), (2, 2)),
    "apart": (layers.Conv1DTranspose(3, 2, strides=3), (6, 2), (2, 1)),
}


@pytest.mark.parametrize("what", CASES)
def test_a_block_is_what_the_layer_does_there(what):
    conv, shape, patch = CASES[what]
    net = ef.as_network(sequential(conv, layers.Activation("tanh"), layers.Flatten(), layers.Dense(2), shape=shape))
    layer = net[0]
    assert layer.patch == patch
    assert not net.skipped
    size = int(np.prod(shape))
    made = np.asarray(conv(np.concatenate([np.zeros((1, size)), np.eye(size)]).reshape(-1, *shape)).detach())
    made = np.moveaxis(made, -1, 1)
    bias, effect = made[0], made[1:] - made[0]
    # Channels come first in a patch.
    effect = np.moveaxis(effect.reshape(*shape, *effect.shape[1:]), len(shape) - 1, 0).reshape(size, *effect.shape[1:])
    block, used, matching = conv.strides, np.abs(layer.weight).sum(axis=1) > 0, 0
    for place in product(*(range(n - step + 1) for n, step in zip(bias.shape[1:], block, strict=True))):
        at = tuple(slice(first, first + step) for first, step in zip(place, block, strict=True))
        of_block = effect[:, :, *at].reshape(size, -1)
        fed = np.abs(of_block).sum(axis=1) > 1e-7
        matching += fed.sum() == used.sum() and np.allclose(of_block[fed], layer.weight[used], atol=1e-6)
    assert matching
