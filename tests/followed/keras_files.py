"""Remedies of Keras files, followed."""

import os
import pickle
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np

import ei_fast as ef
from followed import follows

QUICK = {"random_state": 0, "tol": 0.5}
WEIGHTS = {"fc1.weight": np.ones((3, 2), np.float32), "fc2.weight": np.ones((1, 3), np.float32)}


def _keras_model():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)])


@follows("must hold the weights of a Keras model, as model.save_weights or model.save write them. It holds {}. Save")
def _(said):
    path = said.folder / "net.h5"
    with h5py.File(path, "w") as file:
        file["numbers"] = np.ones(3)
    said.refused(ef.analyze, path)
    _keras_model().save(said.folder / "net.keras")
    ef.analyze(said.folder / "net.keras", **QUICK)
    np.savez(said.folder / "net.npz", w0=np.eye(2))
    ef.analyze(said.folder / "net.npz", **QUICK)


@follows("The file {} is damaged ({}: {}). Save the weights again.")
def _(said):
    path = said.folder / "net.weights.h5"
    with h5py.File(path, "w") as file:
        file.create_group("layers/dense/vars")["first"] = np.ones((2, 2))
    said.refused(ef.analyze, path)
    _keras_model().save_weights(path)
    ef.analyze(path, **QUICK)


@follows("The weights in {} {}. The file is damaged or made to. Save the model again.")
def _(said):
    path = said.folder / "net.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers"] = h5py.ExternalLink("other.h5", "/layers")
    said.refused(ef.analyze, path)
    path.write_bytes(b"nothing")
    said.refused(ef.analyze, path)
    _keras_model().save_weights(path)
    ef.analyze(path, **QUICK)


def _with_member(path, name, content):
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for one, before in (members | {name: content}).items():
            archive.writestr(one, before)


@follows("The file {} must hold {} and nothing else. Got {} instead. Save the model again.")
def _(said):
    path = said.folder / "net.keras"
    _keras_model().save(path)
    _with_member(path, "more.txt", b"")
    said.refused(ef.analyze, path)
    _keras_model().save(path)
    ef.analyze(path, **QUICK)


@follows("must describe a Keras model in its config.json. It is damaged or of another kind ({}: {}). Save the model")
def _(said):
    path = said.folder / "net.keras"
    _keras_model().save(path)
    _with_member(path, "config.json", b"{}")
    said.refused(ef.analyze, path)
    _keras_model().save(path)
    ef.analyze(path, **QUICK)


@follows("The file {} is damaged at {} ({}). Save the model again.")
def _(said):
    path = said.folder / "net.keras"
    _keras_model().save(path)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("config.json").header_offset + 80
    content[at] ^= 1
    path.write_bytes(content)
    said.refused(ef.analyze, path)
    _keras_model().save(path)
    ef.analyze(path, **QUICK)


@follows("bytes of weights, far more than it holds. It is damaged or made to exhaust memory. Save the model again.")
def _(said):
    path = said.folder / "net.keras"
    _keras_model().save(path)
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json").decode()
    _with_member(path, "config.json", config.replace('"units": 1,', '"units": 300000000,').encode())
    said.refused(ef.analyze, path)
    _keras_model().save(path)
    ef.analyze(path, **QUICK)


@follows("or needs code of your own: build the model, call its load_weights with the file, and pass the model.")
def _(said):
    path = said.folder / "net.keras"
    _keras_model().save(path)
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json").decode()
    _with_member(path, "config.json", config.replace('"activation": "tanh"', '"activation": "mine"').encode())
    said.refused(ef.analyze, path)
    built = _keras_model()
    built.load_weights(path)
    ef.analyze(built, **QUICK)


@follows("numbers a sample, more than the {} that can be kept to verify it. Load it yourself and measure a part of it")
def _(said):
    inputs = keras.Input((4000, 4000, 1))
    pooled = keras.layers.MaxPooling2D(400)(keras.layers.Conv2D(6, 1, name="c")(inputs))
    hidden = keras.layers.Dense(3, name="d")(keras.layers.Flatten()(pooled))
    path = said.folder / "net.keras"
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    model.save(path)
    said.refused(ef.analyze, path)
    loaded = keras.saving.load_model(path)
    ef.analyze(keras.Model(loaded.layers[-1].input, loaded.output), **QUICK)


@follows(
    "with keras.saving.load_model(path, safe_mode=False) and pass the model; classes of your own are read once they"
)
def _(said):
    path = said.folder / "net.keras"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.Lambda(lambda x: 2.0 * x)])
    model.save(path)
    said.refused(ef.analyze, path)
    ef.as_network(keras.saving.load_model(path, safe_mode=False))

    class Own(keras.layers.Layer):
        def call(self, x):
            return 2.0 * x

    keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), Own()]).save(path)
    said.refused(ef.analyze, path)
    try:
        keras.saving.register_keras_serializable("followed")(Own)
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), Own()]).save(path)
        ef.analyze(path, **QUICK)
    finally:
        keras.saving.get_custom_objects().pop("followed>Own", None)


@follows("Pickles run code when they are read: if you trust it, load it yourself and pass the model or its weights.")
def _(said):
    path = said.folder / "net.pkl"
    path.write_bytes(pickle.dumps(WEIGHTS))
    said.refused(ef.analyze, path)
    ef.analyze(pickle.loads(path.read_bytes()), **QUICK)


@follows(
    "which the environment variable KERAS_BACKEND names and which is not installed. Set it to one that is there: {}."
)
def _(said):
    path = said.folder / "net.keras"
    _keras_model().save(path)
    code = (
        "import sys, importlib.util as u, ei_fast as ef; found = u.find_spec; "
        "u.find_spec = lambda name: None if name == 'tensorflow' else found(name); "
        "print(len(ef.as_network(sys.argv[1])))"
    )

    def run(backend):
        environment = os.environ | {"KERAS_BACKEND": backend}
        typed = [sys.executable, "-W", "ignore", "-c", code, str(path)]
        return subprocess.run(typed, env=environment, capture_output=True, text=True, check=False)

    refused = run("tensorflow").stderr
    said.messages.append(refused)
    there = refused.split("Set it to one that is there: ")[1].strip().rstrip(".").split(", ")
    assert run(there[0]).stdout == "2\n"
