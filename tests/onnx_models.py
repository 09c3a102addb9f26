"""ONNX models that several tests use."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper


def onnx_model(nodes, weights=(), shape=("batch", 4), opset=17, out=("y",), functions=(), kind=TensorProto.FLOAT):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, [f"d{k}" for k in range(len(shape))]) for name in out],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in dict(weights).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, functions=functions)


def weight_of(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)
