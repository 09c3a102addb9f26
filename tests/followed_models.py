"""Remedies of models that run, followed."""

import os

import keras
import numpy as np
import onnx
import torch
from followed import follows, literal
from models import Does
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from sklearn.linear_model import LogisticRegression
from torch import nn

import ei_fast as ef

QUICK = {"random_state": 0, "tol": 0.5}
WEIGHT = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
MATMUL = helper.make_node("MatMul", ["x", "w"], ["y"])


def _graph(nodes=(MATMUL,), weights=None, shape=("batch", 4), opset=17, kind=TensorProto.FLOAT, **options):
    weights = {"w": WEIGHT} if weights is None else weights
    graph = helper.make_graph(
        list(nodes),
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, [f"d{k}" for k in range(len(shape))])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, **options)


# ONNX


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


@follows("Of scikit-learn's models MLPClassifier, MLPRegressor and pipelines that end in one can be measured.")
def _(said):
    model = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    said.refused(ef.analyze, model)
    ef.analyze(model.coef_.T, **QUICK)


@follows("and does not bound its inputs: give in_range ((-3, 3) is three standard deviations, if it scales so)")
def _(said):
    import warnings

    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = make_pipeline(StandardScaler(), MLPClassifier((2,), max_iter=5)).fit(np.eye(4), [0, 1, 0, 1])
    said.messages += [reason for _, reason in ef.as_network(model).skipped]
    in_range = literal(said.messages[-1], "give in_range (")
    assert ef.analyze(model, in_range=in_range, **QUICK)[0].in_range == in_range


# PyTorch


@follows("A ScriptModule does not show what it does. Pass the module that it was made from.")
def _(said):
    model = nn.Sequential(nn.Linear(2, 2))
    said.refused(ef.as_network, torch.jit.trace(model, torch.ones(1, 2)))
    ef.as_network(model)


@follows("The model has no dense layer that tells what its inputs are. Give input_shape=")
def _(said):
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())
    message = said.refused(ef.analyze, model)
    ef.analyze(model, input_shape=literal(message, "as input_shape="), tol=1.0, random_state=0)


@follows("Where it takes another, give input_shape=, the shape of one sample.")
def _(said):
    model = Does(lambda self, x: self.dense(x.reshape(-1, 6)[:, :4]), dense=nn.Linear(4, 2))
    said.refused(ef.as_network, model, verify=False)
    ef.as_network(model, input_shape=(6,))


@follows("The model uses a {} that it does not hold. Make it an attribute of the model.")
def _(said):
    outside = nn.Linear(2, 2)
    said.refused(ef.as_network, Does(lambda self, x: outside(self.own(x)), own=nn.Linear(2, 2)))
    ef.as_network(Does(lambda self, x: self.outside(self.own(x)), own=nn.Linear(2, 2), outside=outside))


@follows("arguments and {} keywords instead. Name the module around it.")
def _(said):
    class Both(nn.Module):
        def forward(self, x, y):
            return x * y

    inner = Does(lambda self, x: self.both(self.a(x), self.b(x)), a=nn.Linear(2, 2), b=nn.Linear(2, 2), both=Both())
    model = nn.Sequential(inner, nn.Tanh(), nn.Linear(2, 2))
    said.refused(ef.as_network, model, blocks={"0.both": (-1.0, 1.0)})
    ef.as_network(model, blocks={"0": (-1.0, 1.0)})


@follows("The block {} must map rows to rows. Got {} for {} instead. Name the module around it.")
def _(said):
    first = Does(lambda self, x: x[:1] * 2.0)
    around = Does(lambda self, x: self.dense(x) + 0.0 * self.first(x), dense=nn.Linear(2, 2), first=first)
    model = nn.Sequential(around, nn.Tanh(), nn.Linear(2, 2))
    said.refused(ef.as_network, model, blocks={"0.first": (-1.0, 1.0)})
    ef.as_network(model, blocks={"0": (-1.0, 1.0)}, verify=False)


@follows("Name the module that decides in 'blocks' to measure it whole, or use verify=False")
def _(said):
    def decides(self, x):
        return torch.tanh(self.dense(x)) if bool((x.abs() <= 1.0).all()) else self.dense(x)

    model = nn.Sequential(Does(decides, dense=nn.Linear(2, 2)), nn.Linear(2, 2))
    said.refused(ef.analyze, model)
    ef.analyze(model, verify=False, **QUICK)


@follows("The output range of the block {} cannot be derived. {} Give it, as blocks={{}: {}}.")
def _(said):
    torch.manual_seed(0)
    residual = Does(lambda self, x: x + self.dense(x), dense=nn.Linear(2, 2))
    for model, name in (
        (nn.Sequential(residual, nn.Linear(2, 2)), "0"),
        (Does(lambda self, x: self.r(x), r=residual), "r"),
    ):
        message = said.refused(ef.analyze, model, blocks=[name], input_shape=(2,))
        blocks = literal(message, "as blocks=")
        assert list(blocks) == [name]
        low, high = blocks[name]
        seen = message.split("its outputs are from ")[1].split(". Give")[0].split(" to ")
        assert low < float(seen[0]) < float(seen[1]) < high
        ef.analyze(model, blocks=blocks, input_shape=(2,), **QUICK)


@follows("which is not finite on random inputs. Give an 'in_range' on which it is, or use verify=False.")
def _(said):
    model = Does(lambda self, x: torch.exp(self.dense(x)).float(), dense=nn.Linear(2, 2))
    with torch.no_grad():
        model.dense.weight.fill_(1.0)
    # In float32 the model overflows where the layer does not.
    said.refused(ef.analyze, model, in_range=(60.0, 80.0))
    ef.analyze(model, in_range=(0.0, 1.0), **QUICK)
    ef.analyze(model, in_range=(60.0, 80.0), verify=False, **QUICK)


@follows("so that its range cannot be told. Give an 'in_range' on which they are numbers.")
def _(said):
    model = nn.Sequential(Does(lambda self, x: torch.log(x)), nn.Linear(2, 2), nn.Tanh())
    said.refused(ef.analyze, model, input_shape=(2,), in_range=(-2.0, -1.0))
    ef.analyze(model, input_shape=(2,), in_range=(1.0, 2.0), verify=False, **QUICK)


@follows("It has no effective information; name a smaller block.")
def _(said):
    centred = Does(lambda self, x: torch.tanh(self.dense(x)) - x.mean(0), dense=nn.Linear(2, 2))
    model = nn.Sequential(centred, nn.Linear(2, 2))
    said.refused(ef.as_network, model, blocks={"0": (-2.0, 2.0)})
    ef.as_network(model, blocks={"0.dense": (-2.0, 2.0)})


@follows("; name the module that holds it in 'blocks' to measure it as one map")
def _(said):
    residual = Does(lambda self, x: x + torch.tanh(self.dense(x)), dense=nn.Linear(2, 2))
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), residual, nn.Linear(2, 2))
    said.messages += [reason for _, reason in ef.as_network(model).skipped]
    network = ef.as_network(model, blocks={"2": (-2.0, 2.0)})
    assert not network.skipped


@follows(": name what holds it in 'blocks' to measure it")
def _(said):
    model = nn.Sequential(Does(lambda self, x: torch.tanh(x)), nn.Linear(2, 2))
    said.messages += [reason for _, reason in ef.as_network(model).skipped]
    assert not ef.as_network(model, blocks=["0"]).skipped


@follows("it has no weights before it has seen data. Call the model on a batch of data once, model(batch)")
def _(said):
    model = nn.Sequential(nn.LazyLinear(3), nn.Tanh(), nn.LazyLinear(2))
    said.refused(ef.as_network, model)
    model(torch.ones(5, 4))
    ef.analyze(model, **QUICK)


@follows("how long they are is not told by the layers behind it. Give input_shape=, the shape of one sample, to")
def _(said):
    def forward(self, x):
        return self.dense(self.conv(x[:, None]).flatten(1)[:, :14])

    model = Does(forward, conv=nn.Conv1d(1, 2, 1), dense=nn.Linear(14, 3))
    said.refused(ef.as_network, model)
    ef.as_network(model, input_shape=(9,))


@follows("instead of the model, with the 'input_shape' of one sample of these (where it is several, as torch.nn.Seq")
def _(said):
    class Tokens(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.a, self.b = nn.Embedding(10, 4), nn.Linear(4, 5), nn.Linear(5, 2)

        def forward(self, x):
            return self.b(torch.relu(self.a(self.table(x))))

    model = Tokens()
    message = said.refused(ef.as_network, model, input_shape=(3,))
    width = literal(message, "which takes vectors of ")
    assert len(ef.as_network(model.a, input_shape=(3, width))) == 1
    assert len(ef.as_network(nn.Sequential(model.a, nn.ReLU(), model.b), input_shape=(3, width))) == 2
    assert len(ef.as_network(model.state_dict(), order=["a", "b"], activation=["relu", "linear"])) == 2


# Keras


@follows("is not built, so that it has no weights yet. Call it on data, or train it.")
def _(said):
    model = keras.Sequential([keras.layers.Dense(2)])
    said.refused(ef.as_network, model)
    model(np.ones((1, 3), np.float32))
    ef.as_network(model)


@follows("must have one input. Got {} instead. Measure a part of it, keras.Model(tensor, output), that has one.")
def _(said):
    first, second = keras.Input((2,)), keras.Input((2,))
    joined = keras.layers.Concatenate()([first, second])
    model = keras.Model([first, second], keras.layers.Dense(2)(joined))
    said.refused(ef.as_network, model)
    ef.as_network(keras.Model(joined, model.output))


@follows("The Keras model {} does not tell the shape of its inputs (it has {}). Give input_shape=")
def _(said):
    model = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(2, 3, activation="tanh")])
    message = said.refused(ef.as_network, model)
    ef.as_network(model, input_shape=literal(message, "as input_shape="))


@keras.saving.register_keras_serializable("followed")
class _OfTorch(keras.layers.Layer):
    def __init__(self, **options):
        super().__init__(**options)
        self.dense = keras.layers.Dense(2)

    def call(self, x):
        return torch.sin(self.dense(x))


class _Called(keras.Model):
    def __init__(self, call, **layers):
        super().__init__()
        self._own = call
        for name, layer in layers.items():
            setattr(self, name, layer)

    def call(self, x):
        return self._own(self, x)


@follows("Write it with keras.ops, which take them on every backend, or measure a part of it.")
def _(said):
    model = _Called(lambda self, x: torch.sin(self.dense(x)), dense=keras.layers.Dense(2))
    model(np.ones((1, 3), np.float32))
    said.refused(ef.as_network, model, input_shape=(3,))
    written = _Called(lambda self, x: keras.ops.sin(self.dense(x)), dense=keras.layers.Dense(2))
    written(np.ones((1, 3), np.float32))
    ef.as_network(written, input_shape=(3,))
    ef.as_network(model.dense, input_shape=(3,))


@follows("{} {}; name it in 'blocks' to measure it as one map")
def _(said):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.add(_OfTorch(name="odd"))
    model.add(keras.layers.Dense(2))
    said.messages += [reason for _, reason in ef.as_network(model).skipped]
    assert not ef.as_network(model, blocks={"odd": (-1.0, 1.0)}).skipped


@follows(
    "Pass what is behind it instead, which takes vectors of {} numbers: a layer of the model, or keras.Model(model"
)
def _(said):
    layers = [keras.layers.Embedding(10, 4, name="table"), keras.layers.Flatten(), keras.layers.Dense(2)]
    model = keras.Sequential([keras.Input((3,)), *layers])
    message = said.refused(ef.as_network, model)
    code = message.split("a layer of the model, or ")[1].split(" of a functional one")[0]
    assert [layer.n_in for layer in ef.as_network(eval(code, {"keras": keras, "model": model}))] == [12]
    assert [layer.n_in for layer in ef.as_network(model.layers[-1])] == [12]


# Flax


def _flax():
    from flax import linen

    class Net(linen.Module):
        @linen.compact
        def __call__(self, x):
            return linen.Dense(2)(linen.tanh(linen.Dense(3)(x)))

    import jax

    module = Net()
    return module, module.init(jax.random.key(0), np.ones((1, 4), np.float32))


@follows("Give input_shape=, the shape of one sample, or example_inputs=, a batch (rows, ...)")
def _(said):
    from flax import nnx

    model = nnx.Sequential(nnx.Conv(3, 2, (3, 3), rngs=nnx.Rngs(0)), nnx.relu)
    message = said.refused(ef.as_network, model)
    shape = literal(message, "as input_shape=")
    ef.as_network(model, input_shape=shape)
    ef.as_network(model, example_inputs=np.ones((2, *shape), np.float32))


@follows("of as_network say the same. Got both. Give one.")
def _(said):
    module, variables = _flax()
    both = {"input_shape": (4,), "example_inputs": np.ones((2, 4), np.float32)}
    said.refused(ef.as_network, (module, variables), **both)
    for name, value in both.items():
        ef.as_network((module, variables), **{name: value})


@follows(
    "Got numbers of type {} instead. Convert them to float32.",
    "Got the shape {} instead. Give it an axis of rows.",
)
def _(said):
    batch = np.ones((2, 4), np.int64)
    for wrong in (batch, batch > 0):
        said.refused(ef.as_network, _flax(), example_inputs=wrong)
        ef.as_network(_flax(), example_inputs=wrong.astype("float32"))
    ef.as_network(_flax(), example_inputs=batch.astype("float32"))
    said.refused(ef.as_network, _flax(), example_inputs=batch[0].astype("float32"))
    ef.as_network(_flax(), example_inputs=batch[0].astype("float32")[None])


@follows("Convert numbers to float32. Indices, as of tokens, are no numbers in a range")
def _(said):
    from flax import nnx

    class Tokens(nnx.Module):
        def __init__(self):
            self.table, self.behind = nnx.Embed(10, 4, rngs=nnx.Rngs(0)), nnx.Linear(4, 2, rngs=nnx.Rngs(0))

        def __call__(self, x):
            return self.behind(self.table(x))

    said.refused(ef.as_network, Tokens(), example_inputs=np.zeros((2, 3), np.int32))
    assert len(ef.as_network(Tokens().behind, input_shape=(3, 4))) == 1


@follows("that is not bound. Pass the pair (module, variables), or module.bind(variables).")
def _(said):
    module, variables = _flax()
    said.refused(ef.as_network, module)
    ef.as_network((module, variables))
    ef.as_network(module.bind(variables))


@follows("Call as_network after what jax.jit or nnx.jit made has returned.")
def _(said):
    import jax

    module, variables = _flax()
    found = []

    @jax.jit
    def trained(variables):
        if not found:
            found.append(said.refused(ef.as_network, (module, variables)))
        return variables

    ef.as_network((module, trained(variables)))


@follows("The parameters of a model must be arrays. Got {}, which is a {}, instead. Give it its values.")
def _(said):
    import jax

    module, variables = _flax()
    shapes = jax.eval_shape(lambda: variables)
    said.refused(ef.as_network, (module, shapes))
    ef.as_network((module, variables))


@follows(
    "{}. Got {} instead. Pass (module, {'params': params}).", "{}. Got a dict of {} instead. Pass (module, {'params'"
)
def _(said):
    module, variables = _flax()
    params = variables["params"]
    said.refused(ef.as_network, (module, list(params.values())))
    said.refused(ef.as_network, (module, params))
    ef.as_network((module, {"params": params}))


# What is seen to differ


@follows("Name it, or the module around it, in 'blocks' to measure it as it runs.")
def _(said):
    from ei_fast.adapters.torch import operations as torch_ops

    model = nn.Sequential(nn.Linear(4, 3), nn.Hardtanh(-100, 100), nn.Linear(3, 2))
    with torch.no_grad():
        model[0].weight.fill_(15)
    wrong = ef.Activation("hard_tanh", min_val=-200, max_val=200)
    said.monkeypatch.setitem(torch_ops.ACTIVATIONS, "hardtanh", lambda given: wrong)
    message = said.refused(ef.as_network, model)
    name = literal(message, "Layer ")
    assert name == "0"
    # The activation that was read wrongly is around nothing: the model that holds both is named.
    around = nn.Sequential(model, nn.Linear(2, 2))
    ef.as_network(around, blocks={"0": (-1000.0, 1000.0)})


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


@follows("its weights are quantized, and its inputs may be; name it in 'blocks' to measure it as one map")
def _(said):
    first = keras.layers.Dense(4, name="q")
    model = keras.Sequential([keras.Input((4,)), first, keras.layers.Dense(2, name="last")])
    first.quantize("int8")
    said.messages += [reason for _, reason in ef.as_network(model).skipped]
    assert not ef.as_network(model, blocks={"q": (-4.0, 4.0)}).skipped


@follows("its activation does not map each value by itself; name it in 'blocks' to measure it")
def _(said):
    def sorted_of(x):
        return keras.ops.sort(x, axis=-1)

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, sorted_of, name="s"), keras.layers.Dense(2)])
    said.messages += [reason for _, reason in ef.as_network(model).skipped]
    assert not ef.as_network(model, blocks={"s": (-4.0, 4.0)}).skipped


@follows(
    "so that what was seen of it cannot be relied on. Name the layer that does so in 'blocks' to measure it whole."
)
def _(said):
    class Telling(keras.layers.Layer):
        def call(self, x):
            return x * (2.0 if isinstance(x, keras.KerasTensor) else 1.0)

    inputs = keras.Input((3,))
    hidden = Telling(name="telling")(keras.layers.Dense(3, name="d")(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    said.refused(ef.as_network, model)
    ef.as_network(model, blocks={"telling": (-4.0, 4.0)})


class _Around(keras.layers.Layer):
    def __init__(self, call, name, **layers):
        super().__init__(name=name)
        self._own = call
        for key, layer in layers.items():
            setattr(self, key, layer)

    def call(self, x):
        return self._own(self, x)


@follows("arguments and {} keywords instead. Name the layer around it.")
def _(said):
    around = _Around(lambda self, x: self.sum([x, self.dense(x)]), "r", dense=_dense(), sum=keras.layers.Add(name="s"))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), around, keras.layers.Dense(2)])
    said.refused(ef.as_network, model, blocks={"s": (-4.0, 4.0)})
    assert not ef.as_network(model, blocks={"r": (-4.0, 4.0)}).skipped


def _dense():
    return keras.layers.Dense(3, name="inner")


@follows("The block {} must map rows to rows. Got {} for {} instead. Name the layer around it.")
def _(said):
    first = _Around(lambda self, x: x[:1], "first")
    around = _Around(lambda self, x: self.dense(x) + 0.0 * self.first(x), "r", dense=_dense(), first=first)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), around, keras.layers.Dense(2)])
    said.refused(ef.as_network, model, blocks={"first": (-4.0, 4.0)})
    ef.as_network(model, blocks={"r": (-4.0, 4.0)}, verify=False)


# Models that are too large


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


# What cannot be followed


def _own(model, n_in, n_out, out_range):
    """A model of PyTorch as a Function."""

    def run(x):
        with torch.no_grad():
            return model(torch.as_tensor(x, dtype=torch.float32)).double().numpy()

    return ef.Function(run, n_in, n_out, out_range)


@follows(
    "no dense layer or convolution that could be measured. It has {}. Measure it as a Function of your own.",
    "in a way that could be followed. Measure it as a Function of your own.",
)
def _(said):
    without = Does(lambda self, x: torch.cumsum(x, 1), dense=nn.Linear(3, 3))
    said.refused(ef.as_network, without)
    elsewhere = Does(lambda self, x: torch.from_numpy(np.tanh(self.dense(x).detach().numpy())), dense=nn.Linear(3, 3))
    said.refused(ef.as_network, elsewhere)
    constant = Does(lambda self, x: torch.full((len(x), 3), 0.5), dense=nn.Linear(3, 3))
    said.refused(ef.as_network, constant)
    ef.analyze(_own(constant, 3, 3, (0.0, 1.0)), **QUICK)
    ef.analyze(_own(without, 3, 3, (0.0, 3.0)), **QUICK)
    ef.analyze(_own(elsewhere, 3, 3, (-1.0, 1.0)), **QUICK)


@follows("What the model returns does not depend on its input. Measure it as a Function of your own, if at all.")
def _(said):
    import jax.numpy as jnp

    def constant(parameters, x):
        return jnp.full((x.shape[0], 2), 0.5) * parameters["scale"]

    said.refused(ef.as_network, (constant, {"scale": jnp.ones(2)}), input_shape=(3,))
    ef.analyze(ef.Function(lambda x: np.full((len(x), 2), 0.5), 3, 2, (0.0, 1.0)), **QUICK)


@follows("Give the module that it was made of, or its state_dict.")
def _(said):
    model = nn.Sequential(nn.Linear(3, 2)).eval()
    program = torch.export.export(model, (torch.ones(2, 3),))
    said.refused(ef.as_network, program)
    assert len(ef.as_network(program.state_dict)) == len(ef.as_network(model)) == 1


# PyTorch: models that decide, and what cannot be run


def _decides(h):
    return torch.relu(h) if h.mean() > 0 else torch.tanh(h)


def _between(function, **parts):
    torch.manual_seed(0)
    return Does(lambda s, x: s.b(function(s.a(x))), a=nn.Linear(4, 5), b=nn.Linear(5, 3), **parts)


class _ByRow(nn.Module):
    """Decides for each sample by itself."""

    def forward(self, h):
        return torch.stack([torch.relu(row) if row.sum() > 0 else torch.tanh(row) for row in h])


@follows("does not do the same for all inputs: it {} for a batch, and {} for a sample of it alone. Name the")
def _(said):
    said.refused(ef.as_network, _between(_decides))
    net = ef.as_network(_between(_decides), verify=False)
    assert [name for name, _ in net.skipped] == ["bool"]
    torch.manual_seed(0)
    model = Does(lambda s, x: s.b(s.n(s.a(x))), a=nn.Linear(4, 5), b=nn.Linear(5, 3), n=_ByRow())
    assert [layer.name for layer in ef.as_network(model, blocks={"n": (-30.0, 30.0)})] == ["a", "n", "b"]


@follows(
    "Leave them in tensors, which shows what is computed of them, or use verify=False to measure what it does to a"
)
def _(said):
    said.refused(ef.as_network, _between(lambda h: h / h.norm().item()))
    assert ef.as_network(_between(lambda h: h / h.norm())).restarts == {1}
    ef.as_network(_between(lambda h: h / h.norm().item()), verify=False)


@follows("for which layers are compared with the model as well. Where it takes none of these, use verify=False.")
def _(said):
    def checked(h):
        if h.abs().max() > 3:
            raise ValueError("It explodes.")
        return torch.relu(h)

    said.refused(ef.as_network, _between(checked))
    assert not ef.as_network(_between(checked), verify=False).skipped


@follows(
    "is on the meta device: it has a shape and no numbers. Load its weights, model.load_state_dict(state, assign=True)"
)
def _(said):
    state = nn.Linear(4, 3).state_dict()
    with torch.device("meta"):
        model = nn.Linear(4, 3)
    said.refused(ef.as_network, model)
    model.load_state_dict(state, assign=True)
    np.testing.assert_array_equal(ef.as_network(model)[0].weight, state["weight"].numpy().T)


@follows(
    "Where it takes several inputs, pass a torch.nn.Module that holds it, takes one of them and gives it the others."
)
def _(said):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 3)

        def forward(self, x, t):
            return torch.relu(self.a(x) + t)

    said.refused(ef.as_network, Two())
    [layer] = ef.as_network(Does(lambda s, x: s.model(x, 0.5), model=Two()))
    assert (layer.name, str(layer.activation)) == ("model.a", "relu")


@follows("Put the module that it was made from in its place to measure its layers, and the one before it")
def _(said):
    inner = nn.ReLU()
    net = ef.as_network(nn.Sequential(nn.Linear(4, 5), torch.jit.script(inner), nn.Linear(5, 3)))
    said.messages += [reason for name, reason in net.notes if name == "1"]
    net = ef.as_network(nn.Sequential(nn.Linear(4, 5), inner, nn.Linear(5, 3)))
    assert [layer.name for layer in net] == ["0", "2"]
    assert str(net[0].activation) == "relu"
