"""From arrays, lists, dicts and files to networks."""

import numpy as np
import pytest

import ei_fast as ef

A, B = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)


def _same(net, *expected):
    assert len(net) == len(expected)
    for layer, (weight, bias, activation) in zip(net, expected, strict=True):
        np.testing.assert_array_equal(layer.weight, weight)
        np.testing.assert_array_equal(layer.bias, bias)
        assert layer.activation.name == activation


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
    _same(ef.as_network(model), *PLAIN)


def test_one_layer_in_every_form():
    for model in (A, A.tolist(), [A], ef.Layer(A), ef.Network([ef.Layer(A)]), {"w0": A}, (A, None)):
        _same(ef.as_network(model), PLAIN[0])


def test_bias_and_activation():
    _same(
        ef.as_network([(A, [1, 2, 3], "tanh"), (B, None)], activation="relu"),
        (A, [1, 2, 3], "tanh"),
        (B, [0] * 4, "relu"),
    )
    _same(ef.as_network([A, B], activation=["relu", "linear"]), (A, [0] * 3, "relu"), (B, [0] * 4, "linear"))
    _same(ef.as_network({"w0": A, "b0": [1, 2, 3], "activation": "relu"}), (A, [1, 2, 3], "relu"))
    _same(ef.as_network({"fc.weight": A.T, "fc.bias": [1, 2, 3]}), (A, [1, 2, 3], "sigmoid"))
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
        _same(ef.as_network(given), (A, [0] * 3, "tanh"), (B, [1, 2, 3, 4], "linear"))


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


FORWARD = {"fc1.weight": A.T, "fc2.weight": B.T}
HEAD = np.arange(20.0).reshape(4, 5)


def _names(net):
    return [layer.name for layer in net]


def test_order_leaves_out():
    model = {**FORWARD, "emb.weight": np.ones((50, 7)), "ln.weight": np.ones(3), "ln.bias": np.ones(3), "scale": 2.0}
    net = ef.as_network(model, order=["fc1", "fc2"], activation=["relu", "linear"])
    _same(net, (A, [0] * 3, "relu"), (B, [0] * 4, "linear"))
    assert net.skipped == [("emb", "not in order"), ("ln", "not in order"), ("scale", "not in order")]
    assert ef.as_network(FORWARD).skipped == []
    # A part that a layer has and a dense layer has not may change its weights.
    with pytest.raises(ValueError, match=r"'fc1.mask' belongs to the layer 'fc1', .* leave the entry out of the dict"):
        ef.as_network({**FORWARD, "fc1.mask": A}, order=["fc1"])
    assert ef.as_network({**FORWARD, "fc1.mask": A}, order=["fc2"]).skipped == [("fc1", "not in order")]


def test_order_orders():
    model = {"fc2.weight": B.T, "fc1.weight": A.T}
    assert _names(ef.as_network(model, order=["fc1", "fc2"])) == ["fc1", "fc2"]
    square = {"a.weight": np.eye(3), "b.weight": 2 * np.eye(3)}
    assert _names(ef.as_network(square, order=("b", "a", "b"))) == ["b", "a", "b#2"]


def test_activations_that_a_dict_states_stay_with_their_layers():
    model = {"w0": np.eye(3), "w1": np.eye(3), "activation": ["relu", "tanh"]}
    net = ef.as_network(model, order=["layer1", "layer0"])
    assert [layer.activation.name for layer in net] == ["tanh", "relu"]


@pytest.mark.parametrize(
    ("order", "error", "message"),
    [
        ("fc1", TypeError, "'order' parameter must be the names .* Got 'fc1' instead"),
        ([1], TypeError, r"Got \[1\] instead"),
        ([], ValueError, "Got none instead"),
        (["fc3"], ValueError, r"names 'fc3', .*Candidates are fc1 \(2 -> 3\), fc2 \(3 -> 4\), bn \(batch norm\)"),
        (
            ["conv"],
            ValueError,
            r"Got 'conv.weight' of shape \(4, 3, 2, 2\) instead.* Give order=\['fc1', 'bn', 'fc2'\]",
        ),
        (["bn", "fc1"], ValueError, "names the batch norm 'bn' first"),
        (["fc1", "fc2", "bn"], ValueError, r"'bn.running_mean' must have shape \(4,\), .* Got shape \(3,\)"),
    ],
)
def test_refused_orders(order, error, message):
    norm = {"bn.running_mean": np.zeros(3), "bn.running_var": np.ones(3)}
    with pytest.raises(error, match=message):
        ef.as_network({**FORWARD, **norm, "conv.weight": np.ones((4, 3, 2, 2))}, order=order)


def test_an_order_that_does_not_chain_is_not_guessed():
    shuffled = {"fc2.weight": B.T, "fc1.weight": A.T, "fc3.weight": HEAD.T}
    with pytest.raises(ValueError, match=r"cannot be told. .* fc2 \(3 -> 4\), .*order=\['fc1', 'fc2', 'fc3'\]"):
        ef.as_network(shuffled)
    assert _names(ef.as_network(shuffled, order=["fc1", "fc2", "fc3"])) == ["fc1", "fc2", "fc3"]
    with pytest.raises(ValueError, match=r"pass weight\.T"):
        ef.as_network({"fc1.weight": A, "fc2.weight": B, "fc3.weight": HEAD})
    with pytest.raises(ValueError, match=r"Layer 1 \('b'\) must take as many inputs"):
        ef.as_network({"a.weight": A.T, "b.weight": np.ones((7, 9))})


def test_trees_are_put_in_order():
    tree = {f"Dense_{k}": {"kernel": np.full((3, 3), k), "bias": np.zeros(3)} for k in (0, 1, 10, 11, 2)}
    numbered = ef.as_network({"params": tree})
    assert [layer.weight[0, 0] for layer in numbered] == [0, 1, 2, 10, 11]
    assert numbered[3].name == "Dense_10"
    by_width = {"alpha": {"kernel": B}, "head": {"kernel": HEAD}, "zeta": {"kernel": A}}
    assert _names(ef.as_network(by_width)) == ["zeta", "alpha", "head"]
    inner = ef.as_network({"params": {"mlp": {"a": {"kernel": A}}, "top": {"kernel": B}}})
    assert _names(inner) == ["mlp/a", "top"]


def test_trees_whose_order_cannot_be_told():
    for kernels in ([np.eye(3), np.eye(3)], [A, np.ones((4, 5))], [A, np.ones((3, 2))]):
        tree = {"b": {"kernel": kernels[0]}, "a": {"kernel": kernels[1]}}
        with pytest.raises(ValueError, match=r"cannot be told. Candidates are b \(.*\), a \(.*\). Give order="):
            ef.as_network(tree)
        assert ef.as_network(tree, order=["b"]).skipped == [("a", "not in order")]
    # Very many orders to try: told quickly that it is not known.
    many = {chr(0x4E00 + k): {"kernel": np.ones((k % 7 + 1, (3 * k + 1) % 7 + 1))} for k in range(300)}
    with pytest.raises(ValueError, match="cannot be told"):
        ef.as_network(many)


def test_a_tree_with_convolutions():
    tree = {"params": {"Conv_0": {"kernel": np.ones((3, 3, 1, 8))}, "Dense_0": {"kernel": A, "bias": np.ones(3)}}}
    with pytest.raises(ValueError, match=r"Got 'Conv_0/kernel' of shape \(3, 3, 1, 8\)"):
        ef.as_network(tree)
    net = ef.as_network(tree, order=["Dense_0"])
    _same(net, (A, [1] * 3, "sigmoid"))
    assert net.skipped == [("Conv_0", "not in order")]


def test_a_tree_inside_itself():
    tree = {}
    tree["again"] = tree
    with pytest.raises(ValueError, match="nested less deeply"):
        ef.as_network(tree)


def test_batch_norms_need_an_order():
    norm = {"bn.running_mean": np.zeros(3), "bn.running_var": np.ones(3), "bn.num_batches_tracked": 5}
    with pytest.raises(ValueError, match=r"Where the batch norm 'bn' stands .*bn \(batch norm\). Give order="):
        ef.as_network({**FORWARD, **norm})
    norm["bn.running_var"] = np.array([1.0, -1.0, 1.0])
    with pytest.raises(ValueError, match="'bn.running_var' must hold variances, all >= 0. Got -1.0"):
        ef.as_network({**FORWARD, **norm}, order=["fc1", "bn", "fc2"])


def test_layers_have_the_names_that_are_given(tmp_path):
    weights = {"w0": np.eye(3), "w1": np.ones((3, 2))}
    np.savez(tmp_path / "weights.npz", **weights)
    network = ef.as_network(weights)
    for model in (weights, tmp_path / "weights.npz", [np.eye(3), np.ones((3, 2))], network):
        named = ef.as_network(model, names=("hidden", "out"))
        assert [layer.name for layer in named] == ["hidden", "out"]
    assert [layer.name for layer in network] == ["layer0", "layer1"]
    assert [layer.name for layer in ef.as_network(np.eye(2), names=["one"])] == ["one"]


def test_names_of_a_torch_sequential_are_told_where_something_is_skipped():
    torch = pytest.importorskip("torch")
    nn = torch.nn
    model = nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.Linear(5, 3), nn.ReLU(), nn.Linear(3, 2))
    names = ["embedding", "mixing", "head"]
    network = ef.as_network(model, names=names)
    assert [layer.name for layer in network] == names
    assert network.restarts == {1}
    [(name, reason)] = network.skipped
    assert name == "1"
    assert "layer 'embedding' is measured without it; the inputs of 'mixing' after it are binned" in reason
    recorder = ef.Recorder(ef.EffectiveInformation(tol=0.5, random_state=0), names=names)
    for step in range(2):
        recorder.record(model, step=step)
    assert list(recorder.trajectory_.layers) == names


@pytest.mark.parametrize(
    ("names", "error", "told"),
    [
        ("ab", TypeError, "Got 'ab' instead. Give a list"),
        (3, TypeError, "Got 3 instead. Give a list"),
        ({"a": 1, "b": 2}, TypeError, "Give a list of them"),
        (["a", 1], TypeError, "Got 1 among them. Give a string for each layer"),
        (["a", ""], ValueError, "Got '' among them. Give each layer a name that is not empty"),
        (["a", "a"], ValueError, "Got 'a' twice. Give each layer a name of its own"),
        (["a"], ValueError, "Got 1 names for 2 layers. Give one for each of 'layer0', 'layer1', in this order"),
        ([], ValueError, "Got 0 names for 2 layers"),
        (["a", "b", "c"], ValueError, "Got 3 names for 2 layers"),
    ],
)
def test_names_that_are_none_of_layers_are_refused(names, error, told):
    with pytest.raises(error, match=f"The 'names' parameter of as_network must be .*{told}"):
        ef.as_network({"w0": np.eye(3), "w1": np.ones((3, 2))}, names=names)
