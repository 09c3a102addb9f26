"""Activations that ONNX models write out in its operations."""

import numpy as np
import onnx
import onnxruntime
import pytest
from networks import through
from onnx import TensorProto, helper, numpy_helper
from written_out import INPUTS, as_known

import ei_fast as ef


def _nodes(*kinds):
    """Nodes (operator, inputs, output, attributes) from "a" to "z"."""
    return [helper.make_node(kind, inputs.split(), [out], **attributes) for kind, inputs, out, attributes in kinds]


ONNX = {
    "relu": [("Max", "a zero", "z", {})],
    "relu chosen": [("GreaterOrEqual", "a zero", "g", {}), ("Where", "g a zero", "z", {})],
    "relu not": [("Less", "a zero", "g", {}), ("Not", "g", "n", {}), ("Where", "n a zero", "z", {})],
    "relu filled": [
        ("Less", "a zero", "g", {}),
        ("Cast", "g", "c", {"to": TensorProto.BOOL}),
        ("Where", "c zero a", "z", {}),
    ],
    "sigmoid": [("Neg", "a", "m", {}), ("Exp", "m", "e", {}), ("Add", "e one", "t", {}), ("Reciprocal", "t", "z", {})],
    "squared relu": [("Relu", "a", "r", {}), ("Pow", "r two", "z", {})],
    "power": [("Relu", "a", "r", {}), ("Pow", "r half", "z", {})],
    "two to the": [("Pow", "two a", "z", {})],
    "sin": [("Sin", "a", "z", {})],
    "several": [("Tanh", "a", "t", {}), ("Sigmoid", "a", "s", {}), ("Sum", "a t s", "z", {})],
    "shrink": [("Shrink", "a", "z", {"lambd": 0.5, "bias": 0.25})],
    "selu": [("Selu", "a", "z", {"alpha": 1.5, "gamma": 1.25})],
    "celu": [("Celu", "a", "z", {"alpha": 2.0})],
    "swish": [("Mul", "a two", "m", {}), ("Sigmoid", "m", "s", {}), ("Mul", "a s", "z", {})],
    "threshold": [("ThresholdedRelu", "a", "z", {"alpha": 0.5})],
    "at most": [("Min", "a one", "z", {})],
}


@pytest.mark.parametrize("name", ONNX)
def test_an_activation_written_out_in_onnx(name):
    rng = np.random.default_rng(0)
    held = {"fa.weight": rng.normal(size=(4, 5)), "fb.weight": rng.normal(size=(5, 3)), "two": 2, "one": 1, "zero": 0}
    graph = helper.make_graph(
        [*_nodes(("MatMul", "x fa.weight", "a", {}), *ONNX[name], ("MatMul", "z fb.weight", "y", {}))],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(np.asarray(one, np.float32), key) for key, one in (held | {"half": 0.5}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    net = ef.as_network(model)
    as_known(net, name)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    [expected] = session.run(None, {"x": INPUTS.astype(np.float32)})
    np.testing.assert_allclose(through(net, INPUTS), expected, rtol=1e-4, atol=1e-4)
