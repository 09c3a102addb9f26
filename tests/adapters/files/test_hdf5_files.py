"""HDF5 files of Keras: weights and names are read, and nothing else."""

import h5py
import keras
import numpy as np
import pytest
from keras import layers as L

import ei_fast as ef


def _model():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            L.Dense(6, "relu", name="first"),
            L.Dense(5, "tanh", name="second"),
            L.Dense(2, use_bias=False, name="last"),
        ]
    )
    model.compile("adam", "mse")
    model.fit(np.ones((4, 4)), np.ones((4, 2)), verbose=0)
    return model


@pytest.mark.parametrize("name", ["net.weights.h5", "net.h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_weights_and_names_are_those_of_the_model(tmp_path, name):
    model, path = _model(), tmp_path / name
    model.save_weights(path) if "weights" in name else model.save(path)
    net = ef.as_network(path, activation=["relu", "tanh", "linear"])
    expected = ef.as_network(model)
    assert [layer.name for layer in net] == ["first", "second", "last"]
    for layer, other in zip(net, expected, strict=True):
        np.testing.assert_array_equal(layer.weight, other.weight)
        np.testing.assert_array_equal(layer.bias, other.bias)
        assert layer.activation == other.activation
    assert [layer.name for layer in ef.as_network(path, order=["second", "last"])] == ["second", "last"]


@pytest.mark.parametrize("name", ["net.weights.h5", "net.keras"])
def test_bfloat16(tmp_path, name):
    """HDF5 has no such numbers; Keras says beside them that they are some."""
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, name="a", dtype="bfloat16")])
    model.save_weights(tmp_path / name) if "weights" in name else model.save(tmp_path / name)
    [layer] = ef.as_network(tmp_path / name)
    kernel = keras.ops.convert_to_numpy(keras.ops.cast(model.layers[0].kernel, "float32"))
    np.testing.assert_array_equal(layer.weight, kernel)


def test_layers_of_keras_2(tmp_path):
    """As Keras 2 wrote them: names end in the number of an output, and are bytes."""
    rng = np.random.default_rng(0)
    kernels = {f"dense_{k}": rng.normal(size=(n, m)) for k, (n, m) in enumerate([(3, 4), (4, 4), (4, 2)], 9)}
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in kernels]
        for name, kernel in kernels.items():
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            group[f"{name}/kernel:0"], group[f"{name}/bias:0"] = kernel, kernel[0]
    net = ef.as_network(tmp_path / "old.h5")
    assert [layer.name for layer in net] == list(kernels)
    for layer, kernel in zip(net, kernels.values(), strict=True):
        np.testing.assert_array_equal(layer.weight, kernel)
        np.testing.assert_array_equal(layer.bias, kernel[0])


def test_an_order_that_the_file_does_not_tell_is_asked_for(tmp_path):
    model = keras.Sequential([keras.Input((4,)), L.Dense(4, name="b"), L.Dense(4, name="a"), L.Dense(4, name="c")])
    model.save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(ValueError, match="order"):
        ef.as_network(tmp_path / "net.weights.h5")
    net = ef.as_network(tmp_path / "net.weights.h5", order=["b", "a", "c"])
    np.testing.assert_array_equal(net[0].weight, model.layers[0].get_weights()[0])


def test_what_stands_between_dense_layers_is_not_passed_over(tmp_path):
    model = keras.Sequential(
        [keras.Input((4,)), L.Dense(3, name="a"), L.BatchNormalization(name="n"), L.Dense(2, name="b")]
    )
    model.save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(ValueError, match=r"the batch norm 'n' stands .* Give order=\['a', 'n', 'b'\]"):
        ef.as_network(tmp_path / "net.weights.h5")
    assert len(ef.as_network(tmp_path / "net.weights.h5", order=["a"])) == 1


def _legacy(file, names):
    """A layer whose list of weights names these."""
    file.attrs["layer_names"] = ["a"]
    file.create_dataset("a/kernel", data=np.ones((100, 100)))
    file["a"].attrs["weight_names"] = names


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda file: file.create_dataset("x", data=[1.0]), "must hold the weights of a Keras model.* It holds x"),
        (lambda file: file.update({"layers": h5py.ExternalLink("other.h5", "/")}), "lead to another place or file"),
        (lambda file: file.create_dataset("layers/a/vars/0", (10**6, 10**6), "f4"), "claim 4000000000000 bytes"),
        (lambda file: file.create_dataset("layers/a/vars/0", data=[b"text"]), "which is no number"),
        (lambda file: file.create_dataset("layers/a/vars/0", data=np.zeros(2, "V2")), "which is no number"),
        (lambda file: file.create_dataset("layers/a/vars/zero", data=[1.0]), "is damaged"),
        (lambda file: file.attrs.update({"layer_names": ["a"]}), "is damaged"),
        (lambda file: _legacy(file, ["kernel", "./kernel", "././kernel"]), "is damaged .*it lists more than it holds"),
        (lambda file: _legacy(file, ["."]), "is damaged"),
    ],
)
def test_files_that_are_refused(tmp_path, write, message):
    with h5py.File(tmp_path / "net.h5", "w") as file:
        write(file)
    with pytest.raises(ValueError, match=message):
        ef.as_network(tmp_path / "net.h5")


def test_what_is_no_hdf5_file(tmp_path):
    (tmp_path / "net.h5").write_bytes(b"not at all")
    with pytest.raises(ValueError, match="cannot be read"):
        ef.as_network(tmp_path / "net.h5")
