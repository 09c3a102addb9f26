"""From arrays, lists, dicts and files of them to networks."""

import numpy as np
import pytest
from state_dicts import is_made_of

import ei_fast as ef

A, B = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
PLAIN = [(A, [0] * 3, "sigmoid"), (B, [0] * 4, "sigmoid")]


@pytest.mark.parametrize(
    "model",
    [
        [A, B],
        (A, B),
        [A.tolist(), B.tolist()],
        {"w1": B, "w0": A},
        {"a.weight": A.T, "b.weight": B.T},
        {"a/kernel": A, "b/kernel": B},
    ],
)
def test_the_same_network_in_every_form(model):
    is_made_of(ef.as_network(model), *PLAIN)


def test_one_layer_in_every_form():
    for model in (A, A.tolist(), [A], ef.Layer(A), ef.Network([ef.Layer(A)]), {"w0": A}, (A, None)):
        is_made_of(ef.as_network(model), PLAIN[0])


def test_bias_and_activation():
    is_made_of(
        ef.as_network([(A, [1, 2, 3], "tanh"), (B, None)], activation="relu"),
        (A, [1, 2, 3], "tanh"),
        (B, [0] * 4, "relu"),
    )
    is_made_of(ef.as_network([A, B], activation=["relu", "linear"]), (A, [0] * 3, "relu"), (B, [0] * 4, "linear"))
    is_made_of(ef.as_network({"w0": A, "b0": [1, 2, 3], "activation": "relu"}), (A, [1, 2, 3], "relu"))
    is_made_of(ef.as_network({"fc.weight": A.T, "fc.bias": [1, 2, 3]}), (A, [1, 2, 3], "sigmoid"))
    assert ef.as_network({"fc1.weight": A.T})[0].name == "fc1"


def test_in_range():
    assert ef.as_network(A).in_range == (0.0, 1.0)
    assert ef.as_network(A, in_range=(-1, 1)).in_range == (-1.0, 1.0)
    net = ef.Network([ef.Layer(A)], (0.0, 5.0))
    assert ef.as_network(net) is net
    assert ef.as_network(net, in_range=(0.0, 2.0)).in_range == (0.0, 2.0)


def test_npz(tmp_path):
    path = tmp_path / "net.npz"
    np.savez(path, w0=A, w1=B, b1=[1, 2, 3, 4], activation=["tanh", "linear"])
    for given in (path, str(path)):
        is_made_of(ef.as_network(given), (A, [0] * 3, "tanh"), (B, [1, 2, 3, 4], "linear"))


def test_files_never_execute_code(tmp_path):
    path = tmp_path / "evil.npz"
    np.savez(path, w0=np.array([[print]], dtype=object))
    with pytest.raises(ValueError, match="must hold plain arrays. Its entry number 0 is a Python object"):
        ef.as_network(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"w0 = 1"])
def test_damaged_files(tmp_path, content):
    path = tmp_path / "net.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"net\.npz' cannot be read as \.npz"):
        ef.as_network(path)


def test_a_cut_off_file(tmp_path):
    path = tmp_path / "net.npz"
    np.savez(path, w0=np.random.default_rng(0).random((200, 200)))
    content = bytearray(path.read_bytes())
    content[5000:6000] = bytes(1000)
    path.write_bytes(content)
    with pytest.raises(ValueError, match="cannot be read as"):
        ef.as_network(path)


def test_other_files(tmp_path):
    for name, why in [
        ("weights.csv", "Save the weights in one of these formats"),
        ("net.pkl", "Pickles run code when they are read"),
        ("net.joblib", "Pickles run code when they are read"),
    ]:
        with pytest.raises(ValueError, match=rf"must be \.npz, \.safetensors, .*Got '{name}' instead. {why}"):
            ef.as_network(name)
    with pytest.raises(FileNotFoundError):
        ef.as_network(tmp_path / "missing.npz")


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (5, TypeError, "A model must be a Network, a Layer.* Got int instead"),
        (None, TypeError, "Got NoneType instead"),
        ([], ValueError, "Got an empty list instead"),
        (np.ones(3), ValueError, r"Got ndarray of shape \(3,\) instead"),
        (np.ones((2, 2, 2)), ValueError, r"Got ndarray of shape \(2, 2, 2\) instead"),
        ([A, np.ones(3)], ValueError, r"Layer 'layer1' must have shape"),
        ([A, "x"], TypeError, "Layer 'layer1' must be an array of real numbers"),
        ([A, (B, [1.0] * 4, "relu", 5)], TypeError, r"Entry 1 of the model must be \(weight, bias\)"),
        ([A, A], ValueError, r"Layer 1 \('layer1'\) must take as many inputs"),
        ({"w0": A, "w2": B}, ValueError, r"named w0, w1, ... without a gap. Got \['w0', 'w2'\]"),
        ({"x": A}, ValueError, "Got 'x' instead, which belongs to none"),
        ({}, ValueError, "Got none instead"),
        ({"fc.weight": A, "bn.running_mean": [1.0]}, ValueError, "Got 'bn.running_mean' instead.*Give order="),
        (
            {"conv.weight": np.ones((4, 3, 2, 2))},
            ValueError,
            r"Got 'conv.weight' of shape \(4, 3, 2, 2\).*as {'w0': weight}",
        ),
        ({"fc.weight": A, "ln.weight": np.ones(2)}, ValueError, r"Got 'ln.weight' of shape \(2,\) instead"),
        ({"conv/kernel": np.ones((3, 3, 1, 8))}, ValueError, r"Got 'conv/kernel' of shape \(3, 3, 1, 8\) instead"),
        ({"in_proj_weight": A}, ValueError, "Got 'in_proj_weight' instead, which belongs to none"),
        ({"w0": A, "activation": ["relu"] * 3}, ValueError, "one name or one a layer. Got 3 names"),
        ({"w0": np.ma.masked_less(A, 1)}, ValueError, "Got a masked array instead"),
        ({(0, 1): A}, TypeError, r"must be strings. Got \(0, 1\) instead"),
        ({"a": {"kernel": A}, "a/kernel": A}, ValueError, "must differ. Got 'a/kernel' twice"),
        ({"params": {"a": {"kernel": A}}, "a": {"kernel": A}}, ValueError, "must differ. Got 'a/kernel' twice"),
        ({"w0": A, "activation": 3}, TypeError, "'activation' must be one name or one a layer"),
        ([A * np.nan], ValueError, "Layer 'layer0' must be finite"),
    ],
)
def test_refused(model, error, message):
    with pytest.raises(error, match=message):
        ef.as_network(model)


def test_refused_activations():
    with pytest.raises(ValueError, match="one for each of the 2 layers. Got 3 names"):
        ef.as_network([A, B], activation=["relu"] * 3)
    with pytest.raises(TypeError, match="'activation' parameter must be a name, an Activation or a sequence"):
        ef.as_network([A, B], activation=3)
    with pytest.raises(ValueError, match="The activation 'x' is not known"):
        ef.as_network([A, B], activation=["relu", "x"])
    with pytest.raises(ValueError, match="The activation 'x' is not known"):
        ef.as_network(ef.Layer(A), activation="x")
