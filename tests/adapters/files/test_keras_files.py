"""Keras files from strangers: refused where they would run code, lead elsewhere or fill memory."""

import importlib.util
import io
import json
import os
import subprocess
import sys
import zipfile

import h5py
import keras
import numpy as np
import pytest
from damaged import check_damaged
from keras import layers as L

import ei_fast as ef


def _model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            L.Conv2D(2, 3, activation="relu", name="c"),
            L.Flatten(),
            L.Dropout(0.1),
            L.Dense(3, "tanh", name="d"),
        ]
    )  # fmt: skip


@pytest.fixture
def saved(tmp_path):
    _model().save(tmp_path / "net.keras")
    return tmp_path / "net.keras"


def _rewritten(path, change=lambda entries: None, compression=zipfile.ZIP_STORED):
    """The archive with other entries."""
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def _config(edit):
    """A change of the model's description."""

    def change(entries):
        config = json.loads(entries["config.json"])
        edit(config)
        entries["config.json"] = json.dumps(config)

    return change


def _layer(number, **values):
    def edit(config):
        config["config"]["layers"][number] |= values

    return _config(edit)


def _setting(number, key, value):
    def edit(config):
        config["config"]["layers"][number]["config"][key] = value

    return _config(edit)


def _weights(edit):
    """A change of the model's weights."""

    def change(entries):
        content = io.BytesIO(entries["model.weights.h5"])
        with h5py.File(content, "r+") as file:
            edit(file)
        entries["model.weights.h5"] = content.getvalue()

    return change


def test_a_keras_file_is_the_model(saved):
    model, net = _model(), ef.as_network(saved)
    for layer, expected in zip(net, ef.as_network(model), strict=True):
        np.testing.assert_array_equal(layer.weight, expected.weight)
        np.testing.assert_array_equal(layer.bias, expected.bias)
        assert (layer.name, layer.activation, layer.patch) == (expected.name, expected.activation, expected.patch)
    assert ef.as_network(str(saved), input_shape=(6, 6, 1))[0].patch == (1, 3, 3)


def test_a_file_counts_for_no_names(saved):
    """What is built next is named as if no file had been read."""

    def number():
        return int(keras.Model(x, x).name.partition("_")[2] or 0)

    x = keras.Input((2,))
    before = number()
    ef.as_network(saved)
    assert number() == before + 1
    with pytest.raises(ValueError, match="cannot be read as a Keras model"):
        ef.as_network(_rewritten(saved, _setting(4, "units", -1)))
    assert number() == before + 2


def test_classes_of_ones_own(tmp_path):
    class Doubled(keras.Layer):
        def call(self, x):
            return 2 * x

    model = keras.Sequential([keras.Input((4,)), L.Dense(3), Doubled()])
    model.save(tmp_path / "own.keras")
    with pytest.raises(ValueError, match="uses 'Doubled' of module .*could run code.*register_keras_serializable"):
        ef.as_network(tmp_path / "own.keras")
    with keras.saving.custom_object_scope({"Doubled": Doubled}):
        net = ef.as_network(tmp_path / "own.keras")
    np.testing.assert_array_equal(net[0].weight, 2 * keras.ops.convert_to_numpy(model.layers[0].kernel))


def test_a_slice_is_no_code(tmp_path):
    x = keras.Input((6,))
    keras.Model(x, L.Dense(2, name="d")(x[:, :4])).save(tmp_path / "net.keras")
    assert [layer.n_in for layer in ef.as_network(tmp_path / "net.keras")] == [4]


TOUCH = "import pathlib; pathlib.Path('trace').touch()"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_layer(3, class_name="Lambda", config={"function": "x"}), "uses 'Lambda' of module 'keras.layers'"),
        (_layer(3, class_name="TorchModuleWrapper"), "uses 'TorchModuleWrapper'"),
        (_layer(3, module="os", class_name="system", config={"command": "touch trace"}), "uses 'system' of module"),
        (_layer(3, module="keras.utils", class_name="get_file"), "uses 'get_file' of module 'keras.utils'"),
        (_layer(3, module="keras.src.saving.saving_lib", class_name="load_model"), "uses 'load_model'"),
        (_layer(3, module="keras.config", class_name="enable_unsafe_deserialization"), "which could run code"),
        (_layer(3, module=None, class_name="Dropout", registered_name="x>Dropout"), "uses 'Dropout' of module None"),
        (_layer(3, class_name=["Dropout"]), "which could run code"),
        (_layer(3, class_name="StringLookup"), "uses 'StringLookup'"),
        (
            _setting(4, "activation", {"module": "builtins", "class_name": "function", "config": "exec"}),
            "uses 'function' of module 'builtins'",
        ),
        (_setting(4, "activation", {"class_name": "__lambda__", "config": {"value": "eA=="}}), "uses '__lambda__'"),
        (_setting(4, "units", 10**9), "claims .* far more than it holds"),
        (_setting(4, "units", 10**30), r"claims 1\d+ bytes of weights"),
        (_setting(4, "units", -1), "cannot be read as a Keras model"),
        (_setting(1, "kernel_size", [9, 9]), "cannot be read as a Keras model"),
        (lambda entries: entries.update({"config.json": b"[]"}), "must describe a Keras model"),
        (lambda entries: entries.update({"config.json": b"[" * 10**6}), "must describe a Keras model"),
        (lambda entries: entries.update({"config.json": b" " * 2**23}), "must describe its model in less than"),
        (lambda entries: entries.update({"../evil.py": TOUCH}), "and nothing else. Got '../evil.py'"),
        (lambda entries: entries.update({"assets/x/vocabulary.txt": b"a"}), "and nothing else. Got 'assets"),
        (lambda entries: entries.pop("config.json"), "and nothing else. Got 2"),
        (_weights(lambda file: file.__setitem__("more", h5py.ExternalLink("/etc/passwd", "/"))), "lead to another"),
        (_weights(lambda file: file.__setitem__("more", h5py.SoftLink("/layers"))), "lead to another place or file"),
        (
            _weights(lambda file: file.create_dataset("more", (8,), "u1", external=[("/etc/passwd", 0, 8)])),
            "lead to another file at 'more'",
        ),
        (_weights(lambda file: file.create_dataset("more", (10**6, 10**6), "f4", chunks=(10, 10))), "than they hold"),
        (_weights(lambda file: file.create_dataset("more", data=["text"])), "which is no number"),
        (lambda entries: entries.update({"model.weights.h5": b"x" * 5000}), "cannot be read"),
    ],
)  # fmt: skip
def test_keras_files_that_are_refused(saved, monkeypatch, change, message):
    monkeypatch.chdir(saved.parent)
    _rewritten(saved, change)
    with pytest.raises(ValueError, match=message):
        ef.as_network(saved)
    assert [path.name for path in saved.parent.iterdir()] == ["net.keras"]
    assert not (saved.parent.parent / "evil.py").exists()


def test_keras_files_that_would_fill_memory(saved, tmp_path):
    keras.Sequential([keras.Input((4, 4, 1)), L.UpSampling2D(5000), L.Conv2D(1, 3)]).save(tmp_path / "up.keras")
    x = keras.Input((4,))
    tiled = keras.ops.sum(keras.ops.tile(x, (1, 2**31)), axis=-1, keepdims=True)
    keras.Model(x, L.Dense(1)(tiled)).save(tmp_path / "tile.keras")
    inside = keras.Model(x, L.Dense(1)(tiled))
    keras.Model(x, L.Dense(2)(inside(x))).save(tmp_path / "inside.keras")
    spread = L.Conv2D(1, 3, dilation_rate=60000, padding="same")
    keras.Sequential([keras.Input((8, 8, 1)), spread]).save(tmp_path / "spread.keras")
    for name in ("up", "tile", "inside", "spread"):
        with pytest.raises(MemoryError, match=r"computes \d{9,} numbers a sample"):
            ef.as_network(tmp_path / f"{name}.keras")
    _rewritten(saved, lambda entries: entries.update({"assets": bytes(2**24)}), zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match="claims to hold more than its size, which a model.save of Keras 3 never does"):
        ef.as_network(saved)


def test_keras_and_its_backend_are_asked_for(saved, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "ei_fast\[keras\]"'):
        ef.as_network(saved)
    code = (
        "import importlib.util, sys, ei_fast; there = sys.argv[2].split()\n"
        "found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: found(name) if name in ('keras', 'h5py', *there) else None\n"
        "ei_fast.as_network(sys.argv[1])"
    )
    here = keras.backend.backend()
    other = "torch" if here == "jax" else "jax"
    for there, message in (
        ("", "neither tensorflow nor torch nor jax is installed. Install the one that you use: pip install jax"),
        (here, f"with the backend '{other}' of Keras, which the environment variable KERAS_BACKEND names and which is"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, str(saved), there],
            env=os.environ | {"KERAS_BACKEND": other},
            capture_output=True,
            text=True,
            check=False,
        )
        assert message in done.stderr


@pytest.mark.slow
def test_a_file_chooses_a_backend_that_is_there_and_leaves_the_environment(saved):
    code = (
        "import os, sys, ei_fast; os.environ.pop('KERAS_BACKEND', None); "
        f"print(len(ei_fast.as_network({str(saved)!r})), 'KERAS_BACKEND' in os.environ)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "False"]


@pytest.mark.slow
def test_a_backend_that_the_settings_of_keras_name_is_taken(saved, tmp_path):
    (tmp_path / "keras.json").write_text('{"backend": "jax"}')
    code = (
        "import os, ei_fast; os.environ.pop('KERAS_BACKEND', None); "
        f"ei_fast.as_network({str(saved)!r}); import keras; print(keras.backend.backend())"
    )
    environment = os.environ | {"KERAS_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout.strip() == "jax") == (importlib.util.find_spec("jax") is not None)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="Keras on NumPy takes parts from JAX")
def test_a_backend_that_is_chosen_need_be_no_framework(saved):
    code = (
        "import importlib.util, ei_fast; found = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if name in ('torch', 'jax', 'tensorflow') else found(name)\n"
        f"print(len(ei_fast.as_network({str(saved)!r})))"
    )
    environment = os.environ | {"KERAS_BACKEND": "numpy"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2"]


def test_other_files_with_that_name(tmp_path):
    for content in (b"", b"PK\x03\x04", b"{}", b"\x08" * 1000, b"\x80\x04."):
        (tmp_path / "net.keras").write_bytes(content)
        with pytest.raises(ValueError, match="damaged|not a valid|opset 13|It is empty|It is a pickle"):
            ef.as_network(tmp_path / "net.keras")
    with pytest.raises(FileNotFoundError):
        ef.as_network(tmp_path / "missing.keras")


@pytest.mark.slow
def test_damaged_files_are_refused_or_read(saved):
    check_damaged(saved)


@pytest.mark.filterwarnings("ignore:Layer InputLayer")
def test_keras_own_quantizers_and_generators_are_no_strangers(tmp_path):
    """Their files are read; what is quantised is measured as a map of its own, as the message says."""
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(
                5, "relu", kernel_initializer=keras.initializers.RandomNormal(seed=keras.random.SeedGenerator(3))
            ),
            keras.layers.Dense(2),
        ]
    )
    model.save(tmp_path / "seeded.keras")
    assert len(ef.as_network(tmp_path / "seeded.keras")) == 2
    model.quantize("int8")
    model.save(tmp_path / "int8.keras")
    with pytest.raises(TypeError, match="its weights are quantized, and its inputs may be; name it in 'blocks'"):
        ef.as_network(tmp_path / "int8.keras")
    blocks = {layer.name: (-3.0, 3.0) for layer in model.layers}
    assert [layer.n_out for layer in ef.as_network(tmp_path / "int8.keras", blocks=blocks)] == [5, 2]
