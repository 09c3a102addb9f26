"""Remedies of Keras models, followed."""

import keras
import numpy as np
import torch

import ei_fast as ef
from followed import follows, literal


@follows("is not built, so that it has no weights yet. Call it on data, or train it.")
def _(said):
    model = keras.Sequential([keras.layers.Dense(2)])
    said.refused(ef.as_network, model)
    model(np.ones((1, 3), np.float32))
    ef.as_network(model)


@follows("The Keras model {} has {} inputs. Give example_inputs=, a list of arrays, a batch of each: {}.")
def _(said):
    first, second = keras.Input((2,)), keras.Input((3,), dtype="int32")
    joined = keras.layers.Concatenate()([first, keras.layers.Flatten()(keras.layers.Embedding(2, 2)(second))])
    model = keras.Model([first, second], keras.layers.Dense(2)(joined))
    message = said.refused(ef.as_network, model)
    code = message.split("a batch of each: example_inputs=")[1].removesuffix(".")
    assert [layer.n_in for layer in ef.as_network(model, example_inputs=eval(code, {"numpy": np}))] == [8]


@follows("one array an input. Got {} of {}. Give a list of {}.")
def _(said):
    first, second = keras.Input((2,)), keras.Input((2,))
    model = keras.Model([first, second], keras.layers.Dense(2)(keras.layers.Concatenate()([first, second])))
    said.refused(ef.as_network, model, example_inputs=np.ones((3, 2)))
    assert len(ef.as_network(model, example_inputs=[np.ones((3, 2)), np.ones((3, 2))])) == 1


@follows("with as many rows each. Got the shapes {} instead. Give a batch of each.")
def _(said):
    first, second = keras.Input((2,)), keras.Input((2,))
    model = keras.Model([first, second], keras.layers.Dense(2)(keras.layers.Concatenate()([first, second])))
    said.refused(ef.as_network, model, example_inputs=[np.ones((3, 2)), np.ones((2, 2))])
    assert len(ef.as_network(model, example_inputs=[np.ones((3, 2)), np.ones((3, 2))])) == 1


@follows("{}. Got {} instead. Give {}, without labels.")
def _(said):
    first, second = keras.Input((2,)), keras.Input((2,))
    model = keras.Model([first, second], keras.layers.Dense(2)(keras.layers.Concatenate()([first, second])))
    x, labels = np.ones((3, 2)), np.ones(3)
    said.refused(ef.as_network, model, example_inputs=(x, x, labels))
    assert len(ef.as_network(model, example_inputs=(x, x))) == 1


@follows("The Keras model {} does not tell the shape of its inputs (it has {}). Give input_shape=")
def _(said):
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3, activation="tanh")])
    message = said.refused(ef.as_network, model)
    ef.as_network(model, input_shape=literal(message, "as input_shape="))


@keras.saving.register_keras_serializable("followed")
class _OfTorch(keras.layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.dense = keras.layers.Dense(2)

    def call(self, x):
        return torch.sin(self.dense(x))


class _Called(keras.Model):
    def __init__(self, call, **layers):
        super().__init__()
        self._own = call
        for name, layer in layers.items():
            setattr(self, name, layer)

    def call(self, x):
        return self._own(self, x)


@follows("Write it with keras.ops, which take them on every backend, or measure a part of it.")
def _(said):
    model = _Called(lambda self, x: torch.sin(self.dense(x)), dense=keras.layers.Dense(2))
    model(np.ones((1, 3), np.float32))
    said.refused(ef.as_network, model, input_shape=(3,))
    written = _Called(lambda self, x: keras.ops.sin(self.dense(x)), dense=keras.layers.Dense(2))
    written(np.ones((1, 3), np.float32))
    ef.as_network(written, input_shape=(3,))
    ef.as_network(model.dense, input_shape=(3,))


@follows("{} {}; name it in 'blocks' to measure it as one map")
def _(said):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.add(_OfTorch(name="odd"))
    model.add(keras.layers.Dense(2))
    said.messages += [reason for _, reason in ef.as_network(model).skipped]
    assert not ef.as_network(model, blocks={"odd": (-1.0, 1.0)}).skipped


@follows("Give example_inputs=, a batch of integers as the model is called with, as example_inputs=numpy.random")
def _(said):
    layers = [keras.layers.Embedding(10, 4), keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((None,), dtype="int32"), *layers])
    message = said.refused(ef.as_network, model, input_shape=(5,))
    code = message.split("as example_inputs=")[1].split(" for 16")[0]
    assert [layer.n_in for layer in ef.as_network(model, example_inputs=eval(code, {"numpy": np}))] == [4]


@follows("its weights are quantized, and its inputs may be; name it in 'blocks' to measure it as one map")
def _(said):
    first = keras.layers.Dense(4, name="q")
    model = keras.Sequential([keras.Input((4,)), first, keras.layers.Dense(2, name="last")])
    first.quantize("int8")
    said.messages += [reason for _, reason in ef.as_network(model).skipped]
    assert not ef.as_network(model, blocks={"q": (-4.0, 4.0)}).skipped


@follows("its activation does not map each value by itself; name it in 'blocks' to measure it")
def _(said):
    def sorted_of(x):
        return keras.ops.sort(x, axis=-1)

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, sorted_of, name="s"), keras.layers.Dense(2)])
    said.messages += [reason for _, reason in ef.as_network(model).skipped]
    assert not ef.as_network(model, blocks={"s": (-4.0, 4.0)}).skipped


@follows(
    "so that what was seen of it cannot be relied on. Name the layer that does so in 'blocks' to measure it whole."
)
def _(said):
    class Telling(keras.layers.Layer):
        def call(self, x):
            return x * (2.0 if isinstance(x, keras.KerasTensor) else 1.0)

    inputs = keras.Input((3,))
    hidden = Telling(name="telling")(keras.layers.Dense(3, name="d")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    said.refused(ef.as_network, model)
    ef.as_network(model, blocks={"telling": (-4.0, 4.0)})


class _Around(keras.layers.Layer):
    def __init__(self, call, name, **layers):
        super().__init__(name=name)
        self._own = call
        for key, layer in layers.items():
            setattr(self, key, layer)

    def call(self, x):
        return self._own(self, x)


@follows("arguments and {} keywords instead. Name the layer around it.")
def _(said):
    around = _Around(lambda self, x: self.sum([x, self.dense(x)]), "r", dense=_dense(), sum=keras.layers.Add(name="s"))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), around, keras.layers.Dense(2)])
    said.refused(ef.as_network, model, blocks={"s": (-4.0, 4.0)})
    assert not ef.as_network(model, blocks={"r": (-4.0, 4.0)}).skipped


def _dense():
    return keras.layers.Dense(3, name="inner")


@follows("The block {} must map rows to rows. Got {} for {} instead. Name the layer around it.")
def _(said):
    first = _Around(lambda self, x: x[:1], "first")
    around = _Around(lambda self, x: self.dense(x) + 0.0 * self.first(x), "r", dense=_dense(), first=first)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), around, keras.layers.Dense(2)])
    said.refused(ef.as_network, model, blocks={"first": (-4.0, 4.0)})
    ef.as_network(model, blocks={"r": (-4.0, 4.0)}, verify=False)
