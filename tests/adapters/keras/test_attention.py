"""Attention of Keras: its projections are layers, whole or head by head."""

import keras
import numpy as np
import pytest
from attending import attend
from keras import layers
from networks import names_of

import ei_fast as ef

PARTS = ["att/query", "att/key", "att/value", "att/attention_output"]


def _drawn(model):
    """With biases, which Keras begins as zeros."""
    drawn = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if "bias" in variable.path or "beta" in variable.path:
            variable.assign(drawn.normal(0.2, 0.3, variable.shape))
    return model


def _model(attention, behind=None, time=5):
    inputs = keras.Input((time, 8))
    y = attention(inputs, inputs)
    return _drawn(keras.Model(inputs, y if behind is None else behind(y)))


def _weights(attention, kinds=("query", "key", "value")):
    """Weights (n_in, n_out) and biases of the projections, from the kernels (n_in, heads, width)."""
    found = []
    for kind in kinds:
        kernel, *bias = (
            keras.ops.convert_to_numpy(v).astype(float) for v in getattr(attention, f"_{kind}_dense").weights
        )
        weight = kernel.reshape(len(kernel), -1)
        found.append((weight, bias[0].reshape(-1) if bias else np.zeros(weight.shape[1])))
    kernel, *bias = (keras.ops.convert_to_numpy(v).astype(float) for v in attention._output_dense.weights)
    weight = kernel.reshape(-1, kernel.shape[-1])
    return [*found, (weight, bias[0] if bias else np.zeros(weight.shape[1]))]


SETTINGS = {
    "plain": (lambda: layers.MultiHeadAttention(2, 4, name="att"), 2),
    "in steps": (lambda: layers.MultiHeadAttention(2, 4, dropout=0.1, name="att"), 2),
    "no bias": (lambda: layers.MultiHeadAttention(2, 4, use_bias=False, name="att"), 2),
    "shared": (lambda: layers.GroupQueryAttention(4, 4, 2, name="att"), 4),
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_projections_are_layers(setting):
    make, n_heads = SETTINGS[setting]
    attention = make()
    model = _model(attention)
    net = ef.as_network(model)
    assert names_of(net) == PARTS
    expected = _weights(attention)
    for layer, (weight, bias) in zip(net, expected, strict=True):
        np.testing.assert_allclose(layer.weight, weight, rtol=1e-12)
        np.testing.assert_allclose(layer.bias, bias, rtol=1e-12)
    [(name, reason)] = net.skipped
    assert name == "att"
    assert "use heads=True" in reason
    x = np.random.default_rng(1).uniform(0, 1, (3, 5, 8)).astype(np.float32)
    q, k, v, out = net
    y = out(attend(q(x), k(x), v(x), n_heads))
    np.testing.assert_allclose(y, keras.ops.convert_to_numpy(model(x)), atol=1e-5)


@pytest.mark.parametrize("setting", SETTINGS)
def test_each_head_has_its_columns_its_rows_and_its_products(setting):
    make, n_heads = SETTINGS[setting]
    attention = make()
    model = _model(attention)
    net = ef.as_network(model, heads=True)
    made = {layer.name: layer for layer in net}
    (wq, bq), (wk, _), (wv, bv), (wo, _) = _weights(attention)
    n_shared = 2
    assert len(made) == 2 * n_heads + 2 * n_shared + 2 * n_heads
    for head in range(n_heads):
        of = head * n_shared // n_heads
        at, shared = slice(4 * head, 4 * head + 4), slice(4 * of, 4 * of + 4)
        np.testing.assert_allclose(made[f"att/query.head{head}"].weight, wq[:, at], rtol=1e-12)
        np.testing.assert_allclose(made[f"att/key.head{of}"].weight, wk[:, shared], rtol=1e-12)
        np.testing.assert_allclose(made[f"att/value.head{of}"].bias, bv[shared], rtol=1e-12)
        np.testing.assert_allclose(made[f"att/attention_output.head{head}"].weight, wo[at], rtol=1e-12)
        np.testing.assert_allclose(made[f"att.qk.head{head}"].weight, wq[:, at] @ wk[:, shared].T, rtol=1e-12)
        np.testing.assert_allclose(made[f"att.qk.head{head}"].bias, bq[at] @ wk[:, shared].T, rtol=1e-12)
        np.testing.assert_allclose(made[f"att.ov.head{head}"].weight, wv[:, shared] @ wo[at], rtol=1e-12)
        np.testing.assert_allclose(made[f"att.ov.head{head}"].bias, bv[shared] @ wo[at], rtol=1e-12)
    assert "use heads=True" not in str(net.skipped)


def test_a_transformer_block():
    inputs = keras.Input((5, 8))
    y = layers.LayerNormalization(name="ln1")(inputs)
    x = layers.Add(name="add1")([inputs, layers.MultiHeadAttention(2, 4, name="att")(y, y, use_causal_mask=True)])
    y = layers.Dense(16, "gelu", name="up")(layers.LayerNormalization(name="ln2")(x))
    model = _drawn(keras.Model(inputs, layers.Add(name="add2")([x, layers.Dense(8, name="down")(y)])))
    net = ef.as_network(model)
    assert names_of(net) == [*PARTS, "up", "down"]
    assert {name for name, _ in net.skipped} == {"ln1", "att", "add1", "ln2", "add2"}
    measured = sum(layer.weight.size + layer.bias.size for layer in net)
    # All but the norms.
    assert measured == model.count_params() - 2 * 2 * 8


def test_two_attentions_are_told_apart():
    inputs = keras.Input((5, 8))
    y = layers.MultiHeadAttention(2, 4, name="one")(inputs, inputs)
    model = _drawn(keras.Model(inputs, layers.MultiHeadAttention(2, 4, name="two")(y, inputs)))
    net = ef.as_network(model)
    assert names_of(net)[:4] == [f"one/{part.partition('/')[2]}" for part in PARTS]
    assert names_of(net)[4:] == [f"two/{part.partition('/')[2]}" for part in PARTS]
    heads = ef.as_network(model, heads=True)
    assert sum(".ov." in name for name in names_of(heads)) == 4


def test_an_attention_that_is_called_twice_has_heads_twice():
    attention, inputs = layers.MultiHeadAttention(2, 4, name="att"), keras.Input((5, 8))
    y = attention(inputs, inputs)
    model = _drawn(keras.Model(inputs, attention(y, y)))
    net = ef.as_network(model, heads=True)
    assert len(net) == 24
    np.testing.assert_array_equal(net[0].weight, net[12].weight)


def test_heads_that_cannot_be_told_are_refused():
    inputs = keras.Input((5, 8))
    q, v = layers.Dense(8, name="q")(inputs), layers.Dense(8, name="v")(inputs)
    model = keras.Model(inputs, layers.Attention(name="att")([q, v]))
    assert names_of(ef.as_network(model)) == ["q", "v"]
    with pytest.raises(ValueError, match="Leave 'heads' out"):
        ef.as_network(model, heads=True)


@pytest.mark.parametrize(
    ("equation", "shape", "kernel"),
    [("abc,cde->abde", (None, 2, 3), (8, 2, 3)), ("abc,cd->abd", (None, 6), (8, 6))],
)
def test_a_sum_of_products_is_a_dense_layer(equation, shape, kernel):
    dense = layers.EinsumDense(equation, shape, bias_axes=equation[-len(shape) + 1 :], activation="tanh", name="d")
    inputs = keras.Input((5, 8))
    model = _drawn(keras.Model(inputs, dense(inputs)))
    [layer] = ef.as_network(model)
    weight, bias = (keras.ops.convert_to_numpy(v).astype(float) for v in dense.weights)
    assert weight.shape == kernel
    np.testing.assert_allclose(layer.weight, weight.reshape(8, -1), rtol=1e-12)
    np.testing.assert_allclose(layer.bias, bias.reshape(-1), rtol=1e-12)
    assert str(layer.activation) == "tanh"
    x = np.random.default_rng(1).uniform(0, 1, (3, 5, 8)).astype(np.float32)
    np.testing.assert_allclose(layer(x).reshape(3, 5, *shape[1:]), keras.ops.convert_to_numpy(model(x)), atol=1e-6)


def test_what_mixes_positions_is_no_dense_layer_of_a_position():
    inputs = keras.Input((5, 8))
    mixed = layers.EinsumDense("abc,bd->adc", (3, 8), name="mix")(inputs)
    net = ef.as_network(keras.Model(inputs, layers.Dense(2, name="out")(mixed)))
    assert names_of(net) == ["out"]
    assert "einsum is no dense layer" in dict(net.skipped)["mix"]
