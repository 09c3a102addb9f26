"""One callback in Keras' fit, one call for a video: on PyTorch, or with KERAS_BACKEND=jax or tensorflow on these."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
from sklearn.datasets import load_iris

import ei_fast as ef
from ei_fast.callbacks.keras import RecorderCallback

keras.utils.set_random_seed(0)
inputs, labels = load_iris(return_X_y=True)
model = keras.Sequential(
    [
        keras.Input((4,)),
        keras.layers.Dense(5, activation="tanh", name="hidden"),
        keras.layers.Dense(3, activation="sigmoid", name="output"),
    ]
)
model.compile(keras.optimizers.Adam(0.02), "mse", metrics=["accuracy"])

callback = RecorderCallback(ef.EffectiveInformation(random_state=0), every=2)
model.fit(inputs / 8, keras.utils.to_categorical(labels), epochs=30, callbacks=[callback], verbose=0)

ef.animate_causal_plane(callback.recorder.trajectory_, "keras_fit.gif")
