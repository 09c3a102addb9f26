"""ONNX models that cannot be measured are refused with what to do."""

import sys

import numpy as np
import pytest
from models import export_onnx
from onnx import TensorProto, helper, numpy_helper
from onnx_models import onnx_model, weight_of
from torch import nn

import ei_fast as ef


def _two_inputs():
    model = onnx_model([helper.make_node("MatMul", ["x", "z"], ["y"])])
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [4, 3]))
    return model


def _branching():
    returned = helper.make_tensor_value_info("r", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["r"])], "b", [], [returned])
    condition = numpy_helper.from_array(np.array(True), "c")
    node = helper.make_node("If", ["c"], ["y"], name="maybe", then_branch=branch, else_branch=branch)
    model = onnx_model([node])
    model.graph.initializer.append(condition)
    return model


def _with_function():
    node = helper.make_node("Relu", ["a"], ["b"])
    function = helper.make_function("mine", "F", ["a"], ["b"], [node], [helper.make_opsetid("", 17)])
    model = onnx_model([helper.make_node("F", ["x"], ["y"], domain="mine")], functions=[function])
    model.opset_import.append(helper.make_opsetid("mine", 1))
    return model


def _cyclic():
    return onnx_model([helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])], out=("b",))


MATMUL = helper.make_node("MatMul", ["x", "w"], ["y"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: onnx_model([MATMUL], {"w": weight_of(4, 3)}, opset=12), "opset 13 or newer. Got 12 instead"),
        (_two_inputs, "must have one input of float64, float32 or float16 numbers. Got 'x', 'z'"),
        (
            lambda: onnx_model([MATMUL], {"w": weight_of(4, 3)}, kind=TensorProto.INT32),
            "must have one input of float64",
        ),
        (lambda: onnx_model([MATMUL], {"w": weight_of(4, 3)}, shape=(4,)), "whose first axis are the rows"),
        (
            lambda: onnx_model([MATMUL], {"w": weight_of(4, 3)}, shape=("b", "n")),
            r"open: \(None, None\). Give input_shape=",
        ),
        (_branching, "must do the same for all inputs. Got If 'maybe', which decides or repeats"),
        (_with_function, "no functions of its own. Got 'F'"),
        (lambda: onnx_model([helper.make_node("Relu", ["z"], ["y"])]), "is not a valid ONNX model"),
        (_cyclic, "is not a valid ONNX model"),
        (lambda: onnx_model([helper.make_node("Nothing", ["x"], ["y"])]), "is not a valid ONNX model"),
        (lambda: onnx_model([MATMUL], {"w": weight_of(5, 3)}), "cannot be run by onnxruntime"),
        (lambda: onnx_model([helper.make_node("Abs", ["w"], ["y"])], {"w": weight_of(4, 3)}), "nothing that depends"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        ef.as_network(make())


def test_input_shapes():
    model = onnx_model([MATMUL], {"w": weight_of(4, 3)}, shape=("b", "n"))
    assert ef.as_network(model, input_shape=(4,))[0].n_in == 4
    fixed = onnx_model([MATMUL], {"w": weight_of(4, 3)}, shape=(7, 4))
    assert ef.as_network(fixed)[0].n_in == 4
    with pytest.raises(ValueError, match=r"must be what the model takes, \(4,\). Got \(5,\)"):
        ef.as_network(fixed, input_shape=(5,))
    with pytest.raises(ValueError, match="'blocks' parameter"):
        ef.as_network(fixed, blocks=["a"])


def test_dimensions_that_are_none():
    for shape in ((-1, 4), ("n", -1)):
        model = onnx_model([MATMUL], {"w": weight_of(4, 3)})
        for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
            if isinstance(size, int):
                dim.dim_value = size
        assert ef.as_network(model, input_shape=(4,))[0].n_in == 4


def test_missing_libraries(tmp_path, monkeypatch):
    path = export_onnx(nn.Linear(4, 2), tmp_path / "net.onnx", 4)
    monkeypatch.delitem(sys.modules, "ei_fast.adapters.onnx.model", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r'An ONNX model needs onnx and onnxruntime: pip install "ei_fast\[onnx\]"'):
        ef.as_network(path)
