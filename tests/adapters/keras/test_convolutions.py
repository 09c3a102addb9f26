"""Convolutions, pools and images of Keras."""

import keras
import numpy as np
import pytest
from keras import layers as L
from keras_models import sequential, with_statistics
from networks import names_of

import ei_fast as ef


@pytest.mark.parametrize(
    ("layer", "shape", "patch"),
    [
        (L.Conv2D(4, 3, strides=2, padding="same", activation="relu"), (9, 8, 2), (2, 3, 3)),
        (L.Conv2D(4, (2, 3), dilation_rate=2), (9, 9, 2), (2, 2, 3)),
        (L.Conv2D(6, 3, groups=3, activation="tanh"), (6, 6, 3), (3, 3, 3)),
        (L.DepthwiseConv2D(3, depth_multiplier=2), (6, 6, 3), (3, 3, 3)),
        (L.Conv1D(4, 3, padding="causal"), (12, 2), (2, 3)),
        (L.Conv3D(2, 2), (4, 4, 4, 2), (2, 2, 2, 2)),
    ],
)
def test_convolutions(layer, shape, patch):
    [found] = ef.as_network(sequential(layer, shape=shape))
    assert found.patch == patch
    # Channels first, whatever the model has.
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    if isinstance(layer, L.DepthwiseConv2D):
        expected = np.zeros((3, 9, 3, 2))
        for k in range(3):
            expected[k, :, k] = kernel[:, :, k].reshape(9, 2)
        np.testing.assert_array_equal(found.weight, expected.reshape(27, 6).astype(np.float32))
    elif getattr(layer, "groups", 1) == 1:
        np.testing.assert_array_equal(found.weight, np.moveaxis(kernel, -2, 0).reshape(-1, kernel.shape[-1]))


def test_separable_convolution():
    net = ef.as_network(sequential(L.SeparableConv2D(4, 3, name="s"), shape=(6, 6, 3)))
    assert [(layer.name, layer.patch, layer.n_out) for layer in net] == [("s", (3, 3, 3), 3), ("s#2", (3, 1, 1), 4)]
    assert not net.restarts


def test_convolution_norm_activation_pool():
    model = with_statistics(
        sequential(
            L.BatchNormalization(), L.Conv2D(3, 3, padding="same"), L.BatchNormalization(), L.ReLU(),
            L.MaxPooling2D(2, padding="same"), L.Conv2D(4, 2, activation="relu"), L.BatchNormalization(),
            L.AveragePooling2D(2), L.Conv2D(2, 2), L.GlobalAveragePooling2D(name="mean"), L.Dense(2),
            shape=(13, 13, 2),
        )
    )  # fmt: skip
    net = ef.as_network(model)
    assert [layer.patch for layer in net] == [(2, 4, 4), (3, 3, 3), (4, 3, 3), None]
    assert not net.skipped
    assert not net.restarts


def test_what_changes_images_in_training_alone_is_passed_over():
    convolution = [L.Conv2D(2, 2, activation="relu", name="c"), L.Flatten(), L.Dense(2, name="d")]
    model = sequential(L.RandomFlip(), L.RandomRotation(0.1), L.RandomZoom(0.2), *convolution, shape=(6, 6, 2))
    net = ef.as_network(model)
    assert names_of(net) == ["c", "d"]
    assert not net.skipped
    cropped = sequential(L.CenterCrop(4, 4, name="crop"), *convolution[:1], shape=(6, 6, 2))
    assert [name for name, _ in ef.as_network(cropped).skipped] == ["crop"]


@pytest.mark.parametrize("pool", [L.AdaptiveAveragePooling2D, L.AdaptiveMaxPooling2D])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_pools_to_a_number_of_places(pool, data_format):
    def model(places):
        convolution = L.Conv2D(3, 3, activation="relu", name="c")
        if data_format == "channels_last":
            return sequential(convolution, pool(places), shape=(6, 6, 2))
        first = L.Permute((3, 1, 2))
        return sequential(convolution, first, pool(places, data_format=data_format), shape=(6, 6, 2))

    net = ef.as_network(model(2))
    assert [layer.patch for layer in net] == [(2, 4, 4)]
    assert not net.skipped
    # Windows of different sizes.
    assert len(ef.as_network(model(3)).skipped) == 1
