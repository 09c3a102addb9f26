"""ONNX files from strangers: refused where they would run code, lead elsewhere or fill memory."""

import numpy as np
import onnx
import pytest
import torch
from damaged import check_damaged
from models import export_onnx
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import ei_fast as ef


def _graph(nodes, weights, shape=("batch", 4)):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", "n"])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _external(folder, location, n=12, **entries):
    """A model whose weight lies in another file."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 3], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "length": str(4 * n), **entries}.items():
        weight.external_data.add(key=key, value=value)
    path = folder / "net.onnx"
    path.write_bytes(_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], [weight]).SerializeToString())
    return path


def test_weights_beside_the_model(tmp_path):
    folder = tmp_path / "model"
    (folder / "more").mkdir(parents=True)
    weight = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    (folder / "more" / "w.data").write_bytes(bytes(16) + weight.tobytes())
    net = ef.as_network(_external(folder, "more/w.data", offset="16"))
    np.testing.assert_array_equal(net[0].weight, weight)
    with pytest.raises(ValueError, match="keeps 'w' in another file. Pass the path of the model"):
        ef.as_network(onnx.load_model(folder / "net.onnx", load_external_data=False))


@pytest.mark.parametrize("location", ["../secret", "{folder}/../secret", "more/../../secret", "link", "", "hard"])
def test_weights_elsewhere_are_not_read(tmp_path, location):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(48))
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "hard").hardlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match=r"keeps 'w' in another file, which must lie in the model's folder"):
        ef.as_network(_external(folder, location.format(folder=folder)))


def test_weights_that_are_not_what_is_said(tmp_path):
    (tmp_path / "w").write_bytes(bytes(40))
    for n, entries in ((12, {}), (10, {}), (12, {"offset": "-8"}), (12, {"offset": "x"}), (12, {"length": "x"})):
        with pytest.raises(ValueError, match="'w' in another file"):
            ef.as_network(_external(tmp_path, "w", n, **entries))
    with pytest.raises(ValueError, match="'no', which is not there"):
        ef.as_network(_external(tmp_path, "no"))


def _claiming(dims, **data):
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, **data)
    return _graph([helper.make_node("MatMul", ["x", "w"], ["y"])], [weight])


@pytest.mark.parametrize(
    "model",
    [
        _claiming([10**6, 10**6]),
        _claiming([10**6, 10**6], raw_data=b"abcd"),
        _claiming([4, 3], float_data=[1.0] * 11),
        _claiming([-4, -3], float_data=[1.0] * 12),
        _claiming([2**32, 2**32], raw_data=b""),
    ],
)
def test_tensors_that_claim_more_than_they_hold(model):
    with pytest.raises(ValueError, match="tensor"):
        ef.as_network(model)


@pytest.mark.parametrize(
    "node",
    [
        helper.make_node("ConstantOfShape", ["n"], ["large"]),
        helper.make_node("Expand", ["one", "n"], ["large"]),
        helper.make_node("Tile", ["one", "n"], ["large"]),
        helper.make_node("Range", ["zero", "many", "one"], ["large"]),
    ],
)
def test_graphs_that_would_fill_memory(node):
    weights = {
        "n": np.array([2**40]), "one": np.float32(1.0), "zero": np.float32(0.0), "many": np.float32(2**40),
        "w": np.ones((4, 3), np.float32),
    }  # fmt: skip
    if node.op_type == "Tile":
        weights["one"] = np.ones(1, np.float32)
    nodes = [
        node,
        helper.make_node("ReduceSum", ["large"], ["s"], keepdims=0),
        helper.make_node("MatMul", ["x", "w"], ["a"]),
        helper.make_node("Add", ["a", "s"], ["y"]),
    ]
    model = _graph(
        nodes,
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )  # fmt: skip
    with pytest.raises((MemoryError, ValueError), match="needs more than|cannot be run"):
        ef.as_network(model)


def test_other_files_with_that_name(tmp_path):
    for content in (b"", b"PK\x03\x04", b"{}", b"\x08" * 1000, b"\x80\x04."):
        (tmp_path / "net.onnx").write_bytes(content)
        with pytest.raises(ValueError, match="damaged|not a valid|opset 13|It is empty|It is a pickle"):
            ef.as_network(tmp_path / "net.onnx")
    with pytest.raises(FileNotFoundError):
        ef.as_network(tmp_path / "missing.onnx")


def test_damaged_files_are_refused_or_read(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "net.onnx"
    export_onnx(nn.Sequential(nn.Conv2d(1, 2, 3), nn.GELU(), nn.Flatten(), nn.Linear(32, 3)), path, 1, 6, 6)
    check_damaged(path)
