"""Keras models of every kind: what is extracted is the model, and what is not is named."""

import keras
import numpy as np
import pytest
from keras import layers as L
from keras_models import Subclassed, agrees, sequential, with_statistics
from networks import activations_of, names_of

import ei_fast as ef


def test_sequential():
    model = with_statistics(
        sequential(
            L.Dense(6, activation="tanh", name="a"), L.Dropout(0.3), L.BatchNormalization(), L.Dense(5, name="b"),
            L.BatchNormalization(), L.LeakyReLU(), L.Dense(4, use_bias=False, name="c"), L.ELU(0.5),
            L.Dense(3, activation="softmax", name="d"),
        )
    )  # fmt: skip
    net = ef.as_network(model)
    assert names_of(net) == ["a", "b", "c", "d"]
    # Keras's own slope of a leaky ReLU.
    assert activations_of(net) == ["tanh", "leaky_relu(negative_slope=0.3)", "elu(alpha=0.5)", "function"]
    assert not net.skipped
    assert not net.restarts
    agrees(net, model, 4)


def test_functional_with_a_branch():
    x = keras.Input((6,))
    trunk = L.Dense(5, activation="relu", name="trunk")(x)
    left, right = L.Dense(4, activation="tanh", name="left")(trunk), L.Dense(4, activation="gelu", name="right")(trunk)
    merged = L.Add(name="sum")([left, right])
    model = keras.Model(x, L.Dense(2, activation="sigmoid", name="out")(merged))
    net = ef.as_network(model)
    assert names_of(net) == ["trunk", "left", "right", "out"]
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
    agrees(net, model, 6)
    with pytest.raises(ValueError, match="Got 'no', which the model does not have; it has residual"):
        ef.as_network(model, blocks=["no"])


def test_subclassed():
    model = Subclassed(4)
    model(np.zeros((1, 4)))
    net = ef.as_network(with_statistics(model))
    assert names_of(net) == ["first", "second"]
    assert activations_of(net) == ["relu", "function"]
    assert not net.skipped
    agrees(net, model, 4)


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
    dense = sequential(L.Dense(5, activation=activation, name="d"))
    layer = activation if isinstance(activation, keras.Layer) else L.Activation(activation)
    for model in (dense, sequential(L.Dense(5, name="d"), layer)):
        net = ef.as_network(model, in_range=(-2, 2))
        assert activations_of(net) == [expected]
        assert not net.skipped
        agrees(net, model, 4, 6.0)


def test_an_activation_of_several_numbers_is_none():
    net = ef.as_network(sequential(L.Dense(4, name="a", activation=lambda x: x / keras.ops.max(x, -1, True))))
    assert activations_of(net) == ["linear"]
    assert "does not map each value by itself" in dict(net.skipped)["in a"]


def test_recurrent_and_other_layers_are_named():
    x = keras.Input((5, 3))
    y = L.LSTM(4, name="lstm")(L.Dense(3, activation="relu", name="tokens")(x))
    net = ef.as_network(keras.Model(x, L.Dense(2, name="out")(L.LayerNormalization(name="norm")(y))))
    assert names_of(net)[0] == "tokens"
    assert names_of(net)[-1] == "out"
    assert "lstm.input_gate" in names_of(net)
    assert "norm" in {name for name, _ in net.skipped}
    whole = ef.as_network(keras.Model(x, L.Dense(2, name="out")(L.LSTM(4, name="lstm")(x))), blocks={"lstm": (-1, 1)})
    assert [(layer.name, layer.n_in, layer.n_out) for layer in whole] == [("lstm", 15, 4), ("out", 4, 2)]


def test_layers_that_repeat_another_are_one():
    x = keras.Input((50, 3))
    y = L.TimeDistributed(L.Dense(4), name="each")(x)
    y = L.Bidirectional(L.GRU(3, name="gru"), name="both")(y)
    net = ef.as_network(keras.Model(x, L.Dense(2, name="out")(y)))
    ways = [f"both.{way}_gru.{gate}_gate" for way in ("forward", "backward") for gate in ("reset", "update", "new")]
    assert names_of(net) == ["each", *ways, "out"]
    assert net.skipped == []


def test_a_steep_activation_is_compared_as_finely_as_its_sums():
    for seed in range(8):
        keras.utils.set_random_seed(seed)
        model = keras.Sequential([keras.Input((60,)), L.Dense(40, "relu"), L.Dense(3, "exponential")])
        assert len(ef.as_network(model, in_range=(-3, 3))) == 2


def test_layers_that_prepare_data_are_folded():
    norm = L.Normalization(mean=[0.1, 0.2, 0.3, 0.4], variance=[1.0, 4.0, 0.25, 1.0], name="norm")
    model = sequential(L.Rescaling(1 / 4, offset=-0.5), norm, L.Dense(3, activation="tanh", name="d"))
    net = ef.as_network(model)
    assert names_of(net) == ["d"]
    assert not net.skipped
    agrees(net, model, 4)
    adapted = L.Normalization()
    adapted.adapt(np.random.default_rng(0).normal(3, 2, (100, 4)))
    inverted = L.Normalization(mean=2.0, variance=4.0, invert=True)
    for layer in (adapted, inverted):
        model = sequential(layer, L.Dense(3))
        net = ef.as_network(model)
        assert not net.skipped
        agrees(net, model, 4)


def test_losses_that_a_layer_adds_are_of_no_matter():
    class Fined(keras.Layer):
        def __init__(self):
            super().__init__()
            self.dense = L.Dense(3, activation="tanh", name="inside")

        def call(self, x):
            y = self.dense(x)
            self.add_loss(keras.ops.mean(keras.ops.square(y)))
            return y

    model = sequential(Fined(), L.Dense(2, name="out", activity_regularizer="l2"))
    model(np.zeros((1, 4), "float32"))
    before = len(model.losses)
    net = ef.as_network(model)
    assert names_of(net) == ["inside", "out"]
    assert not net.skipped
    assert len(model.losses) == before == 2
    agrees(net, model, 4)


def test_quantized_layers_are_named_and_can_be_measured_whole():
    first, last = L.Dense(4, name="q"), L.Dense(2, name="last")
    model = sequential(first, last)
    first.quantize("int8")
    net = ef.as_network(model)
    assert names_of(net) == ["last"]
    assert dict(net.skipped)["q"].startswith("its weights are quantized")
    whole = ef.as_network(model, blocks={"q": (-4, 4)})
    assert names_of(whole) == ["q", "last"]
    agrees(whole, model, 4)


def test_half_precision():
    model = sequential(L.Dense(5, activation="relu", dtype="mixed_bfloat16"), L.Dense(3, dtype="mixed_float16"))
    net = ef.as_network(model)
    assert activations_of(net) == ["relu", "linear"]


def test_every_layer_is_compared_with_the_model(monkeypatch):
    from ei_fast.adapters.keras import operations as keras_ops

    true = keras_ops._MEANING["Matmul"]
    wrong = lambda call: keras_ops.Dense(true(call).weight + 1e-2, true(call).bias)  # noqa: E731
    monkeypatch.setitem(keras_ops._MEANING, "Matmul", wrong)
    with pytest.raises(ValueError, match="'d' as extracted differs"):
        ef.as_network(sequential(L.Dense(3, name="d")))
    assert ef.as_network(sequential(L.Dense(3, name="d")), verify=False)


def test_layers_by_themselves_and_twice():
    dense = L.Dense(3, activation="tanh", name="d")
    dense.build((None, 3))
    assert names_of(ef.as_network(dense)) == ["d"]
    net = ef.as_network(sequential(dense, dense, shape=(3,)))
    assert names_of(net) == ["d", "d#2"]
    inner = sequential(L.Dense(4, name="same"))
    outer = keras.Sequential([keras.Input((4,)), inner, L.Dense(4, name="same", activation="relu")])
    assert len(set(names_of(ef.as_network(outer)))) == 2


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
    assert names_of(net) == ["first", "second"]
    assert activations_of(net) == ["relu", "linear"]
    assert {name for name, _ in net.skipped} == {"norm"}
