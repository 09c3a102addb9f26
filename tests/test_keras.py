"""Keras models of every kind: what is extracted is the model, and what is not is named."""

import random

import keras
import numpy as np
import pytest
from keras import layers as L

import ei_fast as ef


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


def _names(net):
    return [layer.name for layer in net]


def _activations(net):
    return [str(layer.activation) if isinstance(layer, ef.Layer) else "function" for layer in net]


def _sequential(*layers, shape=(4,)):
    return keras.Sequential([keras.Input(shape), *layers])


def _with_statistics(model):
    """Batch norms as training leaves them."""
    rng = np.random.default_rng(1)
    for layer in model._flatten_layers():
        if isinstance(layer, L.BatchNormalization):
            n = layer.moving_mean.shape
            layer.set_weights([rng.uniform(low, high, n) for low, high in ((0.5, 2), (-1, 1), (-1, 1), (0.5, 2))])
    return model


def _agrees(net, model, width, spread=3.0):
    """The whole chain against the model, far into saturation."""
    x = np.random.default_rng(5).uniform(-spread, spread, (200, width))
    y = x
    for layer in net:
        y = layer(y)
    expected = keras.ops.convert_to_numpy(model(x.astype(np.float32), training=False))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.norm, self.second = L.Dense(5, name="first"), L.BatchNormalization(), L.Dense(2, name="second")
        self.drop = L.Dropout(0.5)

    def call(self, x, training=False):
        x = keras.ops.relu(self.norm(self.first(keras.ops.reshape(x, (-1, 4))), training=training))
        return keras.ops.softmax(self.second(self.drop(x, training=training)))


def test_sequential():
    model = _with_statistics(
        _sequential(
            L.Dense(6, activation="tanh", name="a"), L.Dropout(0.3), L.BatchNormalization(), L.Dense(5, name="b"),
            L.BatchNormalization(), L.LeakyReLU(), L.Dense(4, use_bias=False, name="c"), L.ELU(0.5),
            L.Dense(3, activation="softmax", name="d"),
        )
    )  # fmt: skip
    net = ef.as_network(model)
    assert _names(net) == ["a", "b", "c", "d"]
    # Keras's own slope of a leaky ReLU.
    assert _activations(net) == ["tanh", "leaky_relu(negative_slope=0.3)", "elu(alpha=0.5)", "function"]
    assert not net.skipped
    assert not net.restarts
    _agrees(net, model, 4)


def test_functional_with_a_branch():
    x = keras.Input((6,))
    trunk = L.Dense(5, activation="relu", name="trunk")(x)
    left, right = L.Dense(4, activation="tanh", name="left")(trunk), L.Dense(4, activation="gelu", name="right")(trunk)
    merged = L.Add(name="sum")([left, right])
    model = keras.Model(x, L.Dense(2, activation="sigmoid", name="out")(merged))
    net = ef.as_network(model)
    assert _names(net) == ["trunk", "left", "right", "out"]
    assert net.restarts == {2, 3}
    assert [name for name, _ in net.skipped] == ["sum"]
    assert "add of 2 values" in net.skipped[0][1]
    assert "the inputs of 'out' after it are binned over the range seen" in net.skipped[0][1]
    # Two branches of the same outputs see what these are.
    assert net.ranges()[1][0] == net.ranges()[2][0] == net.ranges()[0][1]


def test_a_branch_as_a_block():
    x = keras.Input((6,))
    inner = L.Dense(6, activation="tanh")(x)
    branch = keras.Model(x, L.Activation("tanh")(L.Add()([x, L.Dense(6)(inner)])), name="residual")
    model = keras.Sequential([keras.Input((6,)), branch, L.Dense(3, name="out")])
    net = ef.as_network(model, blocks=["residual"])
    assert [(layer.name, layer.n_in, layer.n_out) for layer in net] == [("residual", 6, 6), ("out", 6, 3)]
    assert net[0].out_range == (-1.0, 1.0)
    assert not net.skipped
    _agrees(net, model, 6)
    with pytest.raises(ValueError, match="Got 'no', which the model does not have; it has residual"):
        ef.as_network(model, blocks=["no"])


def test_subclassed():
    model = Subclassed()
    model(np.zeros((1, 4)))
    net = ef.as_network(_with_statistics(model))
    assert _names(net) == ["first", "second"]
    assert _activations(net) == ["relu", "function"]
    assert not net.skipped
    _agrees(net, model, 4)


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        *((name, name) for name in ("linear", "relu", "relu6", "elu", "selu", "gelu", "silu", "mish", "softplus")),
        *((name, name) for name in ("softsign", "tanh", "sigmoid", "hard_sigmoid", "hard_silu", "hard_tanh")),
        *((name, name) for name in ("log_sigmoid", "exponential", "squareplus", "tanh_shrink", "soft_shrink")),
        ("celu", "elu"),
        ("leaky_relu", "leaky_relu(negative_slope=0.2)"),
        (L.LeakyReLU(0.4), "leaky_relu(negative_slope=0.4)"),
        (L.ReLU(), "relu"),
        (L.ReLU(max_value=6), "relu6"),
        (L.ReLU(max_value=2), "hard_tanh(min_val=0.0, max_val=2.0)"),
        (L.ReLU(negative_slope=0.1), "leaky_relu(negative_slope=0.1)"),
        (L.ReLU(threshold=0.5, negative_slope=0.1, max_value=2), "ReLU"),
        (L.ELU(0.5), "elu(alpha=0.5)"),
        (lambda x: x * keras.ops.sigmoid(1.702 * x), "<lambda>"),
    ],
)
def test_activations(activation, expected):
    dense = _sequential(L.Dense(5, activation=activation, name="d"))
    layer = activation if isinstance(activation, keras.Layer) else L.Activation(activation)
    for model in (dense, _sequential(L.Dense(5, name="d"), layer)):
        net = ef.as_network(model, in_range=(-2, 2))
        assert _activations(net) == [expected]
        assert not net.skipped
        _agrees(net, model, 4, 6.0)


def test_activations_that_are_none_of_one_number():
    net = ef.as_network(_sequential(L.Dense(4, name="a", activation=lambda x: x / keras.ops.max(x, -1, True))))
    assert _activations(net) == ["linear"]
    assert "does not map each value by itself" in dict(net.skipped)["in a"]
    model = _sequential(L.Dense(4, name="a"), L.PReLU(name="p"), L.Dense(2, name="b"))
    model.layers[1].set_weights([np.arange(4) / 4])
    net = ef.as_network(model)
    assert _names(net) == ["a", "b"]
    assert "p" in dict(net.skipped)


def test_recurrent_and_other_layers_are_named():
    x = keras.Input((5, 3))
    y = L.LSTM(4, name="lstm")(L.Dense(3, activation="relu", name="tokens")(x))
    net = ef.as_network(keras.Model(x, L.Dense(2, name="out")(L.LayerNormalization(name="norm")(y))))
    assert _names(net)[0] == "tokens"
    assert _names(net)[-1] == "out"
    assert {"lstm", "norm"} <= {name for name, _ in net.skipped}
    whole = ef.as_network(keras.Model(x, L.Dense(2, name="out")(L.LSTM(4, name="lstm")(x))), blocks={"lstm": (-1, 1)})
    assert [(layer.name, layer.n_in, layer.n_out) for layer in whole] == [("lstm", 15, 4), ("out", 4, 2)]


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
    [found] = ef.as_network(_sequential(layer, shape=shape))
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
    net = ef.as_network(_sequential(L.SeparableConv2D(4, 3, name="s"), shape=(6, 6, 3)))
    assert [(layer.name, layer.patch, layer.n_out) for layer in net] == [("s", (3, 3, 3), 3), ("s#2", (3, 1, 1), 4)]
    assert not net.restarts


def test_convolution_norm_activation_pool():
    model = _with_statistics(
        _sequential(
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


def test_the_model_is_left_as_it_is():
    model = _sequential(L.BatchNormalization(), L.Dropout(0.5), L.GaussianNoise(1.0), L.Dense(4))
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
    model = _sequential(L.Dense(2, activation=lambda x: keras.ops.clip(x * slope, -1.0, 1.0)), shape=(2,))
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
    model = _sequential(inner, L.Dense(2))
    net = ef.as_network(model, blocks=["inner"])
    x = np.random.default_rng(0).uniform(size=(5, 4))
    before = net[0](x)
    trained = 3 * keras.ops.convert_to_numpy(inner.kernel)
    inner.kernel.assign(trained)
    np.testing.assert_array_equal(net[0](x), before)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(inner.kernel), trained)


def test_layers_that_repeat_another_are_one():
    x = keras.Input((50, 3))
    y = L.TimeDistributed(L.Dense(4), name="each")(x)
    y = L.Bidirectional(L.GRU(3), name="both")(y)
    net = ef.as_network(keras.Model(x, L.Dense(2, name="out")(y)))
    assert _names(net) == ["out"]
    assert [name for name, _ in net.skipped] == ["each", "both"]


def test_a_steep_activation_is_compared_as_finely_as_its_sums():
    for seed in range(8):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential([keras.Input((60,)), L.Dense(40, "relu"), L.Dense(3, "exponential")])
        assert len(ef.as_network(model, in_range=(-3, 3))) == 2


def test_what_is_drawn_is_left_to_the_caller(tmp_path):
    class Draws(keras.Layer):
        def call(self, x):
            return x + 0 * (random.random() + np.random.rand())  # noqa: NPY002

    model = _sequential(L.Dense(2), Draws())
    _sequential(L.Dense(2)).save(tmp_path / "net.keras")
    random.seed(1), np.random.seed(1)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    ef.as_network(model)
    ef.as_network(tmp_path / "net.keras")
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002


def test_layers_that_prepare_data_are_folded():
    norm = L.Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[1.0, 4.0, 0.25, 1.0], name="norm")
    model = _sequential(L.Rescaling(1 / 4, offset=-0.5), norm, L.Dense(3, activation="tanh", name="d"))
    net = ef.as_network(model)
    assert _names(net) == ["d"]
    assert not net.skipped
    _agrees(net, model, 4)
    adapted = L.Normalization()
    adapted.adapt(np.random.default_rng(0).normal(3, 2, (100, 4)))
    inverted = L.Normalization(mean=2.0, variance=4.0, invert=True)
    for layer in (adapted, inverted):
        model = _sequential(layer, L.Dense(3))
        net = ef.as_network(model)
        assert not net.skipped
        _agrees(net, model, 4)


def test_what_changes_images_in_training_alone_is_passed_over():
    convolution = [L.Conv2D(2, 2, activation="relu", name="c"), L.Flatten(), L.Dense(2, name="d")]
    model = _sequential(L.RandomFlip(), L.RandomRotation(0.1), L.RandomZoom(0.2), *convolution, shape=(6, 6, 2))
    net = ef.as_network(model)
    assert _names(net) == ["c", "d"]
    assert not net.skipped
    cropped = _sequential(L.CenterCrop(4, 4, name="crop"), *convolution[:1], shape=(6, 6, 2))
    assert [name for name, _ in ef.as_network(cropped).skipped] == ["crop"]


def test_losses_that_a_layer_adds_are_of_no_matter():
    class Fined(keras.Layer):
        def __init__(self):
            super().__init__()
            self.dense = L.Dense(3, activation="tanh", name="inside")

        def call(self, x):
            y = self.dense(x)
            self.add_loss(keras.ops.mean(keras.ops.square(y)))
            return y

    model = _sequential(Fined(), L.Dense(2, name="out", activity_regularizer="l2"))
    model(np.zeros((1, 4), "float32"))
    before = len(model.losses)
    net = ef.as_network(model)
    assert _names(net) == ["inside", "out"]
    assert not net.skipped
    assert len(model.losses) == before == 2
    _agrees(net, model, 4)


@pytest.mark.parametrize("pool", [L.AdaptiveAveragePooling2D, L.AdaptiveMaxPooling2D])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_pools_to_a_number_of_places(pool, data_format):
    def model(places):
        convolution = L.Conv2D(3, 3, activation="relu", name="c")
        if data_format == "channels_last":
            return _sequential(convolution, pool(places), shape=(6, 6, 2))
        first = L.Permute((3, 1, 2))
        return _sequential(convolution, first, pool(places, data_format=data_format), shape=(6, 6, 2))

    net = ef.as_network(model(2))
    assert [layer.patch for layer in net] == [(2, 4, 4)]
    assert not net.skipped
    # Windows of different sizes.
    assert len(ef.as_network(model(3)).skipped) == 1


def test_quantized_layers_are_named_and_can_be_measured_whole():
    first, last = L.Dense(4, name="q"), L.Dense(2, name="last")
    model = _sequential(first, last)
    first.quantize("int8")
    net = ef.as_network(model)
    assert _names(net) == ["last"]
    assert dict(net.skipped)["q"].startswith("its weights are quantized")
    whole = ef.as_network(model, blocks={"q": (-4, 4)})
    assert _names(whole) == ["q", "last"]
    _agrees(whole, model, 4)


def test_transposed_convolutions_are_named():
    model = _sequential(L.Conv2DTranspose(3, 2, name="t"), L.Flatten(), L.Dense(2, name="d"), shape=(4, 4, 2))
    net = ef.as_network(model)
    assert _names(net) == ["d"]
    assert dict(net.skipped)["t"].startswith("Conv2DTranspose is no dense layer")


def test_half_precision():
    model = _sequential(L.Dense(5, activation="relu", dtype="mixed_bfloat16"), L.Dense(3, dtype="mixed_float16"))
    net = ef.as_network(model)
    assert _activations(net) == ["relu", "linear"]


def test_refused():
    model = Subclassed()
    with pytest.raises(ValueError, match="is not built, so that it has no weights yet. Call it on data"):
        ef.as_network(model)
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    with pytest.raises(ValueError, match="must have one input. Got 2 instead"):
        ef.as_network(keras.Model([a, b], L.Dense(2)(L.Concatenate()([a, b]))))
    open_ended = keras.Sequential([keras.Input((None, None, 1)), L.Conv2D(2, 3)])
    with pytest.raises(
        ValueError, match=r"does not tell the shape of its inputs \(it has \(None, None, None, 1\)\).*input_shape="
    ):
        ef.as_network(open_ended)
    assert ef.as_network(open_ended, input_shape=(6, 6, 1))[0].patch == (1, 3, 3)
    with pytest.raises(ValueError, match="'order' parameter"):
        ef.as_network(_sequential(L.Dense(2)), order=["dense"])
    with pytest.raises(TypeError, match="no dense layer or convolution"):
        ef.as_network(_sequential(L.Dropout(0.1)))


def test_every_layer_is_compared_with_the_model(monkeypatch):
    from ei_fast.adapters.keras import operations as keras_ops

    true = keras_ops._MEANING["Matmul"]
    wrong = lambda call: keras_ops.Dense(true(call).weight + 1e-2, true(call).bias)  # noqa: E731
    monkeypatch.setitem(keras_ops._MEANING, "Matmul", wrong)
    with pytest.raises(ValueError, match="'d' as extracted differs"):
        ef.as_network(_sequential(L.Dense(3, name="d")))
    assert ef.as_network(_sequential(L.Dense(3, name="d")), verify=False)


class OfItsFramework(keras.Layer):
    """Calls what takes arrays alone, of whichever framework it is."""

    def __init__(self, name):
        super().__init__(name=name)
        self.dense = L.Dense(4, name="inside")

    def call(self, x):
        y = keras.ops.convert_to_tensor(self.dense(x))
        if isinstance(y, keras.KerasTensor):
            raise TypeError("must be an array")
        return keras.ops.tanh(y)


def test_what_takes_no_symbolic_tensors_is_named_and_can_be_measured_whole():
    model = _sequential(L.Dense(3, name="a"), OfItsFramework("own"), L.Dense(2, name="b"))
    net = ef.as_network(model)
    assert _names(net) == ["a", "b"]
    reason = dict(net.skipped)["own"]
    assert reason.startswith("OfItsFramework takes no symbolic tensors (TypeError: must be an array); name it in 'blo")
    whole = ef.as_network(model, blocks={"own": (-1, 1)})
    assert _names(whole) == ["a", "own", "b"]
    _agrees(whole, model, 4)
    # What is inside is not seen, and not said to have been.
    with pytest.raises(ValueError, match="Got 'inside', which it does not run, or runs inside another block"):
        ef.as_network(model, blocks={"inside": (-9, 9)})


def test_a_model_that_takes_no_symbolic_tensors_is_refused():
    class Whole(keras.Model):
        def __init__(self):
            super().__init__(name="whole")
            self.dense = L.Dense(2)
            self.dense.build((None, 4))

        def call(self, x):
            if isinstance(x, keras.KerasTensor):
                raise TypeError("must be an array")
            return self.dense(x)

    model = Whole()
    model(np.zeros((1, 4), "float32"))
    with pytest.raises(ValueError, match="'whole' cannot be followed: its call takes no symbolic tensors .*keras.ops"):
        ef.as_network(model, input_shape=(4,))


def test_a_model_that_does_something_else_to_symbolic_tensors_is_refused():
    class Sly(keras.Layer):
        def call(self, x):
            return x if isinstance(x, keras.KerasTensor) else 2 * x

    with pytest.raises(ValueError, match="does something else to symbolic tensors than to arrays"):
        ef.as_network(_sequential(L.Dense(3), Sly()))


def test_layers_by_themselves_and_twice():
    dense = L.Dense(3, activation="tanh", name="d")
    dense.build((None, 3))
    assert _names(ef.as_network(dense)) == ["d"]
    net = ef.as_network(_sequential(dense, dense, shape=(3,)))
    assert _names(net) == ["d", "d#2"]
    inner = _sequential(L.Dense(4, name="same"))
    outer = keras.Sequential([keras.Input((4,)), inner, L.Dense(4, name="same", activation="relu")])
    assert len(set(_names(ef.as_network(outer)))) == 2


def test_a_model_of_tokens_says_that_it_takes_indices():
    for kind in (None, "int32"):
        model = keras.Sequential(
            [keras.Input((3,), dtype=kind), L.Embedding(10, 4, name="table"), L.Flatten(), L.Dense(2)]
        )
        with pytest.raises(ValueError, match="takes indices, as of tokens: 'table' looks them up"):
            ef.as_network(model)
        # What it says to do.
        behind = ef.as_network(keras.Model(model.get_layer("table").output, model.outputs[0]))
        assert [layer.n_in for layer in behind] == [12]


def test_a_product_over_samples_and_times_stands_in_one_place():
    class Product(keras.Layer):
        def __init__(self):
            super().__init__()
            self.first, self.second = L.Dense(5, activation="relu", name="first"), L.Dense(3, name="second")
            self.norm = L.LayerNormalization(name="norm")

        def build(self, shape):
            self.first.build((None, 4))
            self.norm.build((None, 5))
            self.second.build((None, 5))

        def call(self, x):
            y = self.first(keras.ops.reshape(x, (-1, 4)))
            return keras.ops.reshape(self.second(self.norm(y)), (-1, 6, 3))

    x = keras.Input((6, 4))
    net = ef.as_network(keras.Model(x, Product()(x)))
    assert _names(net) == ["first", "second"]
    assert _activations(net) == ["relu", "linear"]
    assert {name for name, _ in net.skipped} == {"norm"}
