"""Keras models that are read on what their user calls them with."""

import keras
import numpy as np
import pytest
from keras import layers as L

import ei_fast as ef

RNG = np.random.default_rng(0)
A, B = RNG.random((5, 4)).astype(np.float32), RNG.random((5, 2)).astype(np.float32)
IDS = RNG.integers(10, size=(5, 6))


def towers():
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    joined = L.Concatenate()([L.Dense(3, "relu", name="da")(a), L.Dense(3, "tanh", name="db")(b)])
    return keras.Model([a, b], L.Dense(2, name="both")(joined))


def tokens():
    dense = [L.Dense(5, "relu", name="first"), L.GlobalAveragePooling1D(), L.Dense(2, name="last")]
    return keras.Sequential([keras.Input((6,), dtype="int32"), L.Embedding(10, 4, name="table"), *dense])


def assert_weights(net, model):
    for layer in net:
        weight, bias = (np.float64(one) for one in model.get_layer(layer.name).get_weights())
        np.testing.assert_array_equal(layer.weight, weight)
        np.testing.assert_array_equal(layer.bias, bias)


def hull(values):
    return float(np.min(values)), float(np.max(values))


@pytest.mark.parametrize(
    "given", [[A, B], (A, B), {"a": A, "b": B}, ([A, B], np.ones(5)), ({"a": A, "b": B}, np.ones(5))], ids=str
)
def test_several_inputs_are_drawn_over_the_range_of_inputs(given):
    model = towers()
    net = ef.as_network(model, in_range=(-1.0, 2.0), example_inputs=given)
    assert [layer.name for layer in net] == ["da", "db", "both"]
    assert_weights(net, model)
    assert net.ranges()[0][0] == net.ranges()[1][0] == (-1.0, 2.0)
    (w, b), (v, c) = (model.get_layer(name).get_weights() for name in ("da", "db"))
    expected = [(hull(A), hull(np.maximum(A @ w + b, 0))), (hull(B), hull(np.tanh(B @ v + c)))]
    np.testing.assert_allclose(net.seen[:2], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("given", [IDS, IDS.tolist(), (IDS, np.ones(5)), [IDS]], ids=str)
def test_integers_are_taken_as_they_are(given):
    model = tokens()
    net = ef.as_network(model, example_inputs=given)
    assert [layer.name for layer in net] == ["first", "last"]
    assert_weights(net, model)
    vectors = model.get_layer("table").get_weights()[0][IDS]
    assert net[0].in_range == pytest.approx(hull(vectors))
    w, b = model.get_layer("first").get_weights()
    np.testing.assert_allclose(net.seen[0], (hull(vectors), hull(np.maximum(vectors @ w + b, 0))), rtol=1e-5, atol=1e-6)
    assert net.skipped[0][1].startswith("a table of vectors, in which the integers of the example inputs are looked up")


def test_integers_and_numbers_together():
    i, x = keras.Input((1,), dtype="int32", name="i"), keras.Input((3,), name="x")
    joined = L.Concatenate()([L.Flatten()(L.Embedding(7, 4)(i)), L.Dense(5, "tanh", name="inner")(x)])
    model = keras.Model({"i": i, "x": x}, L.Dense(2, name="outer")(joined))
    net = ef.as_network(model, example_inputs={"i": IDS[:, :1] % 7, "x": A[:, :3]})
    assert [layer.name for layer in net] == ["inner", "outer"]
    assert_weights(net, model)
    assert net.restarts == {1}


def test_a_model_that_takes_a_list():
    class Scaled(keras.Model):
        def __init__(self):
            super().__init__()
            self.d, self.e = L.Dense(3, name="d"), L.Dense(2, name="e")

        def call(self, inputs):
            return self.e(keras.ops.tanh(self.d(inputs[0]))) * inputs[1]

    model = Scaled()
    model([A, B])
    net = ef.as_network(model, example_inputs=[A, B])
    assert [(layer.name, str(layer.activation)) for layer in net] == [("d", "tanh"), ("e", "linear")]


def test_one_input_is_as_with_its_shape_and_its_ranges_are_seen():
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, "relu"), L.Dense(2)])
    one, other = ef.as_network(model), ef.as_network(model, example_inputs=(A, np.ones(5)))
    assert one.ranges() == other.ranges()
    assert other.notes == [("example_inputs", "what stands behind the first value is left out, as labels are")]
    report = ef.analyze(model, example_inputs=A, in_range="seen", out_range="seen", tol=0.5, random_state=0)
    assert report[0].in_range == pytest.approx(hull(A))
    assert report[0].out_range == pytest.approx(report[1].in_range)
