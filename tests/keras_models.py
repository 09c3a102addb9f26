"""Keras models of many kinds, with the same weights on every backend, and what is told of them, as JSON."""

import hashlib
import json
from functools import partial

import keras
import numpy as np
from keras import layers as L

import ei_fast as ef


def sequential(*layers, shape=(4,)):
    return keras.Sequential([keras.Input(shape), *layers])


_chain = partial(sequential, shape=(6,))


def _branched():
    x = keras.Input((6,))
    trunk = L.Dense(5, activation="relu", name="trunk")(x)
    left, right = L.Dense(4, activation="tanh", name="left")(trunk), L.Dense(4, activation="gelu", name="right")(trunk)
    return keras.Model(x, L.Dense(2, activation="sigmoid", name="out")(L.Add(name="sum")([left, right])))


def _residual():
    x = keras.Input((6,))
    return keras.Model(x, L.Activation("tanh")(L.Add()([x, L.Dense(6, name="d")(x)])), name="residual")


class Own(keras.Layer):
    """A layer of one's own, of dense layers and `keras.ops`."""

    def __init__(self):
        super().__init__(name="own")
        self.first, self.second = L.Dense(5, name="first"), L.Dense(6, name="second")

    def call(self, x):
        y = keras.ops.relu(self.first(x))
        return keras.ops.tanh(self.second(y)) * 0.5


class Subclassed(keras.Model):
    """A model of one's own, whose batch norm and dropout know whether it trains."""

    def __init__(self, width=6):
        super().__init__(name="subclassed")
        self.width = width
        self.first, self.norm, self.second = L.Dense(5, name="first"), L.BatchNormalization(), L.Dense(2, name="second")
        self.drop = L.Dropout(0.5)

    def call(self, x, training=False):
        x = keras.ops.relu(self.norm(self.first(keras.ops.reshape(x, (-1, self.width))), training=training))
        return keras.ops.softmax(self.second(self.drop(x, training=training)))


def _tokens():
    x = keras.Input((5, 3))
    y = L.LSTM(4, name="lstm")(L.Dense(3, activation="relu", name="tokens")(x))
    return keras.Model(x, L.Dense(2, name="out")(L.LayerNormalization(name="norm")(y)))


def _twice():
    dense = L.Dense(6, activation="tanh", name="d")
    return _chain(dense, dense, L.Dense(2))


MODELS = {
    "sequential": lambda: _chain(L.Dense(5, activation="tanh"), L.Dense(3, activation="sigmoid")),
    "relu": lambda: _chain(L.Dense(5), L.ReLU(), L.Dense(4, activation="relu"), L.Dense(3)),
    "leaky relu": lambda: _chain(L.Dense(5), L.LeakyReLU(0.2), L.Dense(3, activation="leaky_relu")),
    "elu, selu": lambda: _chain(L.Dense(5, activation="elu"), L.Dense(5, activation="selu"), L.ELU(0.5)),
    "gelu, silu, mish": lambda: _chain(
        L.Dense(5, activation="gelu"), L.Dense(5, activation="silu"), L.Dense(3, activation="mish")
    ),
    "hard": lambda: _chain(
        L.Dense(5, activation="hard_sigmoid"), L.Dense(5, activation="hard_silu"), L.ReLU(max_value=6)
    ),
    "soft": lambda: _chain(L.Dense(5, activation="softplus"), L.Dense(4, activation="softsign")),
    "shrink": lambda: _chain(L.Dense(5, activation="tanh_shrink"), L.Dense(4, activation="soft_shrink")),
    "softmax": lambda: _chain(L.Dense(5, activation="relu"), L.Dense(3, activation="softmax")),
    "log softmax": lambda: _chain(L.Dense(5, activation="relu"), L.Dense(3, activation="log_softmax")),
    "written in steps": lambda: _chain(L.Dense(5, activation=lambda x: x * keras.ops.sigmoid(x)), L.Dense(3)),
    "of one's own": lambda: _chain(L.Dense(5, activation=lambda x: x * keras.ops.sigmoid(1.702 * x)), L.Dense(3)),
    "batch norm": lambda: _chain(
        L.BatchNormalization(), L.Dense(5), L.BatchNormalization(), L.ReLU(), L.Dense(3), L.BatchNormalization()
    ),
    "dropout": lambda: _chain(L.Dropout(0.5), L.Dense(5), L.GaussianNoise(0.1), L.Dense(3), L.AlphaDropout(0.1)),
    "no bias, rescaled": lambda: _chain(L.Rescaling(0.5, offset=-0.1), L.Dense(5, use_bias=False), L.Dense(3)),
    "branched": _branched,
    "residual": _residual,
    "own layer": lambda: _chain(Own(), L.Dense(3)),
    "subclassed": Subclassed,
    "nested": lambda: _chain(_chain(L.Dense(4, name="in"), shape=(6,)), L.Dense(3, name="in")),
    "used twice": _twice,
    "tokens": _tokens,
    "bfloat16": lambda: _chain(L.Dense(5, activation="relu", dtype="mixed_bfloat16"), L.Dense(3)),
    "convolution": lambda: _chain(
        L.Conv2D(3, 3, padding="same"), L.BatchNormalization(), L.ReLU(), L.MaxPooling2D(2), L.Flatten(), L.Dense(3),
        shape=(8, 8, 2),
    ),
    "strides": lambda: _chain(L.Conv2D(4, 3, strides=2, padding="same", activation="relu"), shape=(9, 8, 2)),
    "groups": lambda: _chain(L.Conv2D(6, 3, groups=3, activation="tanh"), shape=(6, 6, 3)),
    "depthwise": lambda: _chain(L.DepthwiseConv2D(3, depth_multiplier=2), shape=(6, 6, 3)),
    "separable": lambda: _chain(L.SeparableConv2D(4, 3), shape=(6, 6, 3)),
    "one axis": lambda: _chain(L.Conv1D(4, 3, padding="causal"), L.GlobalAveragePooling1D(), shape=(12, 2)),
    "pools": lambda: _chain(
        L.ZeroPadding2D(1), L.Conv2D(3, 2), L.AveragePooling2D(2), L.Conv2D(2, 2), L.GlobalMaxPooling2D(), L.Dense(2),
        shape=(8, 8, 1),
    ),
}  # fmt: skip


def _with_weights(model, name):
    """The model with weights that its name tells, as training might have left them."""
    rng = np.random.default_rng(len(name))
    if not model.built:
        model(np.zeros((1, 6), "float32"))
    for variable in model.variables:
        if keras.backend.is_float_dtype(variable.dtype):
            low = 0.5 if "variance" in variable.path or "gamma" in variable.path else -1.0
            variable.assign(rng.uniform(low, 1.0, variable.shape).astype("float32"))
    return model


def _bytes(values):
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def described(name):
    """What is told of a model: its layers to the last bit, their ranges, what is skipped, and figures for one seed."""
    # Layers are numbered anew.
    keras.utils.clear_session()
    model = _with_weights(MODELS[name](), name)
    network = ef.as_network(model, in_range=(-1, 1))
    again = ef.as_network(model, in_range=(-1, 1), verify=False)
    assert [layer.name for layer in again] == [layer.name for layer in network]
    report = ef.analyze(network, random_state=0, bins=4, n_samples=20_000, pairwise="none", n_jobs=1)
    return {
        "layers": [
            [layer.name, layer.n_in, layer.n_out, list(layer.patch or ())]
            + ([str(layer.activation), _bytes(layer.weight), _bytes(layer.bias)] if isinstance(layer, ef.Layer) else [])
            for layer in network
        ],
        "restarts": sorted(network.restarts),
        "skipped": [layer for layer, _ in network.skipped],
        "ranges": [list(map(list, pair)) for pair in network.ranges()],
        "ei": [layer.ei for layer in report],
    }


def with_statistics(model):
    """Batch norms as training leaves them."""
    rng = np.random.default_rng(1)
    for layer in model._flatten_layers():
        if isinstance(layer, L.BatchNormalization):
            n = layer.moving_mean.shape
            layer.set_weights([rng.uniform(low, high, n) for low, high in ((0.5, 2), (-1, 1), (-1, 1), (0.5, 2))])
    return model


def agrees(net, model, width, spread=3.0):
    """The whole chain against the model, far into saturation."""
    x = np.random.default_rng(5).uniform(-spread, spread, (200, width))
    y = x
    for layer in net:
        y = layer(y)
    expected = keras.ops.convert_to_numpy(model(x.astype(np.float32), training=False))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


if __name__ == "__main__":
    import sys

    told = {name: described(name) for name in MODELS}
    print(json.dumps({"models": told, "imported": sorted({"torch", "jax", "tensorflow"} & set(sys.modules))}))
