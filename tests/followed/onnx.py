"""Remedies of ONNX models, followed."""

import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx_models import onnx_model

import ei_fast as ef
from followed import follows

QUICK = {"random_state": 0, "tol": 0.5}
WEIGHT = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
MATMUL = helper.make_node("MatMul", ["x", "w"], ["y"])


def _graph(nodes=(MATMUL,), weights=None, **options):
    return onnx_model(list(nodes), {"w": WEIGHT} if weights is None else weights, **options)


@follows("{} must be of opset {} or newer. Got {} instead. Export it with a newer one, or convert it with")
def _(said):
    model = _graph(opset=12)
    said.refused(ef.as_network, model)
    ef.as_network(onnx.version_converter.convert_version(model, 17))
    ef.as_network(_graph(opset=17))


@follows("Put their nodes in their places with onnx.inliner.inline_local_functions.")
def _(said):
    import onnx.inliner

    node = helper.make_node("Relu", ["a"], ["b"])
    function = helper.make_function("mine", "F", ["a"], ["b"], [node], [helper.make_opsetid("", 17)])
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("F", ["m"], ["y"], domain="mine")]
    model = _graph(nodes, functions=[function])
    model.opset_import.append(helper.make_opsetid("mine", 1))
    said.refused(ef.as_network, model)
    assert str(ef.as_network(onnx.inliner.inline_local_functions(model))[0].activation) == "relu"


@follows("which decides or repeats. Export the part of it that does not.")
def _(said):
    returned = helper.make_tensor_value_info("r", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Relu", ["m"], ["r"])], "b", [], [returned])
    condition = numpy_helper.from_array(np.array(True), "c")
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("If", ["c"], ["y"], then_branch=branch, else_branch=branch),
    ]
    model = _graph(nodes)
    model.graph.initializer.append(condition)
    said.refused(ef.as_network, model)
    ef.as_network(_graph())


@follows("{} must have dense weights. Got sparse ones. Export them as dense tensors.")
def _(said):
    model = _graph(weights={})
    values = numpy_helper.from_array(np.ones(2, np.float32), "w")
    indices = numpy_helper.from_array(np.array([0, 5]), "at")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [4, 3]))
    said.refused(ef.as_network, model)
    ef.as_network(_graph())


@follows(
    "{} is not a valid ONNX model: {}. Export it again.",
    "{} must hold tensors of numbers. Got {} of type {} and shape {}. Export it again.",
    "which is not what it holds. It is damaged. Export it again.",
    "{} cannot be run by onnxruntime: {}. Export it again.",
    "cannot be read as an ONNX model: it is damaged or of another kind ({}). Export it again.",
)
def _(said):
    path = said.folder / "net.onnx"
    strings = _graph()
    strings.graph.initializer[0].data_type = TensorProto.STRING
    cut = _graph()
    cut.graph.initializer[0].dims[0] = 5
    for model in (_graph([helper.make_node("Nothing", ["x"], ["y"])]), strings, cut, _graph(weights={"w": WEIGHT[:3]})):
        onnx.save(model, path)
        said.refused(ef.as_network, path)
    path.write_bytes(b"\xff" * 100)
    said.refused(ef.as_network, path)
    onnx.save(_graph(), path)
    ef.analyze(path, **QUICK)


def _external(folder, location, **entries):
    """A model whose weight is in another file, written by hand."""
    model = _graph()
    [weight] = model.graph.initializer
    n_bytes = len(weight.raw_data)
    (folder / "w.data").write_bytes(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "length": str(n_bytes), **entries}.items():
        weight.external_data.add(key=key, value=value)
    path = folder / "net.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@follows("{} keeps {} in another file. Pass the path of the model instead.")
def _(said):
    path = _external(said.folder, "w.data")
    said.refused(ef.as_network, onnx.load_model(path, load_external_data=False))
    ef.as_network(path)


@follows(
    "{}. It does not say where ({}). Export it again.", "{}. The file {} does not hold what is said of it. Export it"
)
def _(said):
    said.refused(ef.as_network, _external(said.folder, "w.data", offset="many"))
    said.refused(ef.as_network, _external(said.folder, "w.data", offset="1000"))
    onnx.save(_graph(), said.folder / "net.onnx")
    ef.as_network(said.folder / "net.onnx")


@follows("{}. Got {} instead. Put it there and name it so.", "{}. Got {}, which is not there. Put it there.")
def _(said):
    folder = said.folder / "model"
    folder.mkdir()
    path = _external(folder, "../w.data")
    os.replace(folder / "w.data", said.folder / "w.data")
    said.refused(ef.as_network, path)
    said.refused(ef.as_network, _moved_away(folder))
    os.replace(said.folder / "w.data", folder / "w.data")
    ef.as_network(folder / "net.onnx")


def _moved_away(folder):
    path = _external(folder, "w.data")
    os.replace(folder / "w.data", folder.parent / "w.data")
    return path


@follows("{} and be its own. {} is refused ({}). Export it again.")
def _(said):
    path = _external(said.folder, "hard")
    os.link(said.folder / "w.data", said.folder / "hard")
    said.refused(ef.as_network, path)
    onnx.save(_graph(), path)
    ef.as_network(path)


@follows(
    "{} must have one input of float64, float32 or float16 numbers. Got {} instead. Export the part of it that has"
)
def _(said):
    model = _graph([helper.make_node("MatMul", ["x", "z"], ["y"])], {})
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [4, 3]))
    said.refused(ef.as_network, model)
    ef.as_network(_graph())


@follows("Got the shape {} instead. Export it with a batch of inputs.")
def _(said):
    said.refused(ef.as_network, _graph(shape=(4,)))
    ef.as_network(_graph(shape=("batch", 4)))


@follows("{} leaves the shape of its input open: {}. Give input_shape=, the shape of one sample")
def _(said):
    path = said.folder / "net.onnx"
    onnx.save(_graph(shape=("b", "n")), path)
    said.refused(ef.as_network, path)
    ef.analyze(path, input_shape=(4,), **QUICK)
    assert "Give --input-shape, the shape of one sample, as --input-shape 3,32,32" in said.typed(
        "describe", path, code=1
    )
    said.typed("describe", path, "--input-shape", "4")


@follows("{} returns nothing that depends on its input. Export its outputs with it.")
def _(said):
    said.refused(ef.as_network, _graph([helper.make_node("Abs", ["w"], ["y"])]))
    ef.as_network(_graph())


@follows("Give input_shape= where it takes another, or export it again.")
def _(said):
    model = _graph(shape=("b", "n"))
    said.refused(ef.as_network, model, input_shape=(5,))
    ef.as_network(model, input_shape=(4,))


@follows("Measure what holds it as a Function of your own.")
def _(said):
    from ei_fast.adapters.onnx import operations as onnx_ops

    true = onnx_ops._MEANING["MatMul"]
    said.monkeypatch.setitem(
        onnx_ops._MEANING, "MatMul", lambda node: onnx_ops.Dense(true(node).weight * 1.01, np.zeros(3))
    )
    said.refused(ef.as_network, _graph())
    run = ReferenceEvaluator(_graph()).run
    own = ef.Function(lambda x: run(None, {"x": x.astype(np.float32)})[0].astype(float), 4, 3, (-5.0, 5.0))
    ef.analyze(own, **QUICK)


@follows("The file {} must be smaller than 2 GiB. Keep its weights as external data, or as safetensors.")
def _(said):
    from safetensors.numpy import save_file

    from ei_fast.adapters.onnx import files as adapter

    path = said.folder / "net.onnx"
    wide = np.ones((64, 64), np.float32)
    onnx.save(_graph(weights={"w": wide}, shape=("batch", 64)), path)
    said.monkeypatch.setattr(adapter, "_LARGEST_FILE", 4096)
    said.refused(ef.as_network, path)
    model = onnx.load_model(path)
    onnx.save_model(model, path, save_as_external_data=True, location="w.data", size_threshold=0)
    ef.as_network(path)
    save_file({"fc/kernel": wide}, said.folder / "net.safetensors")
    ef.as_network(said.folder / "net.safetensors")


@follows("{} needs more than {} bytes to run. Give a smaller input_shape=, or export a part of it.")
def _(said):
    kernel = np.ones((1024, 1, 1, 1), np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["a"]), helper.make_node("Relu", ["a"], ["y"])]
    model = _graph(nodes, {"w": kernel}, shape=("batch", 1, "height", "width"))
    said.refused(ef.as_network, model, input_shape=(1, 1200, 1200))
    ef.as_network(model, input_shape=(1, 4, 4))
