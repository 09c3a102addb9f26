"""Keras models that cannot be followed or measured are refused with what to do."""

import keras
import numpy as np
import pytest
from keras import layers as L
from keras_models import Subclassed, agrees, sequential
from networks import names_of

import ei_fast as ef


def test_refused():
    model = Subclassed(4)
    with pytest.raises(ValueError, match="is not built, so that it has no weights yet. Call it on data"):
        ef.as_network(model)
    a, b = keras.Input((2,), name="a"), keras.Input((2,), name="b")
    with pytest.raises(ValueError, match="has 2 inputs. Give example_inputs=, a list of arrays"):
        ef.as_network(keras.Model([a, b], L.Dense(2)(L.Concatenate()([a, b]))))
    open_ended = keras.Sequential([keras.Input((None, None, 1)), L.Conv2D(2, 3)])
    with pytest.raises(
        ValueError, match=r"does not tell the shape of its inputs \(it has \(None, None, None, 1\)\).*input_shape="
    ):
        ef.as_network(open_ended)
    assert ef.as_network(open_ended, input_shape=(6, 6, 1))[0].patch == (1, 3, 3)
    with pytest.raises(ValueError, match="'order' parameter"):
        ef.as_network(sequential(L.Dense(2)), order=["dense"])
    with pytest.raises(TypeError, match="no dense layer or convolution"):
        ef.as_network(sequential(L.Dropout(0.1)))


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
    model = sequential(L.Dense(3, name="a"), OfItsFramework("own"), L.Dense(2, name="b"))
    net = ef.as_network(model)
    assert names_of(net) == ["a", "b"]
    reason = dict(net.skipped)["own"]
    assert reason.startswith("OfItsFramework takes no symbolic tensors (TypeError: must be an array); name it in 'blo")
    whole = ef.as_network(model, blocks={"own": (-1, 1)})
    assert names_of(whole) == ["a", "own", "b"]
    agrees(whole, model, 4)
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
        ef.as_network(sequential(L.Dense(3), Sly()))


def test_a_model_of_tokens_says_that_it_takes_indices():
    for kind in (None, "int32"):
        model = keras.Sequential(
            [keras.Input((3,), dtype=kind), L.Embedding(10, 4, name="table"), L.Flatten(), L.Dense(2)]
        )
        with pytest.raises(ValueError, match="takes indices, as of tokens: 'table' looks them up"):
            ef.as_network(model)
        # What it says to do, for three tokens.
        behind = ef.as_network(model, example_inputs=np.random.default_rng(0).integers(10, size=(4, 3)))
        assert [layer.n_in for layer in behind] == [12]
