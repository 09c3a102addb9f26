"""The order of layers in dicts and trees: told, given or refused, and the names that layers have."""

import numpy as np
import pytest
from networks import names_of
from state_dicts import is_made_of

import ei_fast as ef

A, B = np.arange(6.0).reshape(2, 3), np.arange(12.0).reshape(3, 4)
FORWARD = {"fc1.weight": A.T, "fc2.weight": B.T}
HEAD = np.arange(20.0).reshape(4, 5)


def test_order_leaves_out():
    model = {**FORWARD, "emb.weight": np.ones((50, 7)), "ln.weight": np.ones(3), "ln.bias": np.ones(3), "scale": 2.0}
    net = ef.as_network(model, order=["fc1", "fc2"], activation=["relu", "linear"])
    is_made_of(net, (A, [0] * 3, "relu"), (B, [0] * 4, "linear"))
    assert net.skipped == [("emb", "not in order"), ("ln", "not in order"), ("scale", "not in order")]
    assert ef.as_network(FORWARD).skipped == []
    # A part that a layer has and a dense layer has not may change its weights.
    with pytest.raises(ValueError, match=r"'fc1.mask' belongs to the layer 'fc1', .* leave the entry out of the dict"):
        ef.as_network({**FORWARD, "fc1.mask": A}, order=["fc1"])
    assert ef.as_network({**FORWARD, "fc1.mask": A}, order=["fc2"]).skipped == [("fc1", "not in order")]


def test_order_orders():
    model = {"fc2.weight": B.T, "fc1.weight": A.T}
    assert names_of(ef.as_network(model, order=["fc1", "fc2"])) == ["fc1", "fc2"]
    square = {"a.weight": np.eye(3), "b.weight": 2 * np.eye(3)}
    assert names_of(ef.as_network(square, order=("b", "a", "b"))) == ["b", "a", "b#2"]


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
    assert names_of(ef.as_network(shuffled, order=["fc1", "fc2", "fc3"])) == ["fc1", "fc2", "fc3"]
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
    assert names_of(ef.as_network(by_width)) == ["zeta", "alpha", "head"]
    inner = ef.as_network({"params": {"mlp": {"a": {"kernel": A}}, "top": {"kernel": B}}})
    assert names_of(inner) == ["mlp/a", "top"]


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
    is_made_of(net, (A, [1] * 3, "sigmoid"))
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
