"""ONNX models: what is extracted is the graph, as onnxruntime runs it, whoever exported it."""

import sys
import tempfile
import warnings

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from keras import layers as L
from models import Does, LeNet, export_keras_onnx, export_onnx, keras_lenet
from onnx import TensorProto, helper, numpy_helper
from torch import nn

import ei_fast as ef
from ei_fast.adapters.onnx import operations as onnx_ops


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
    keras.utils.set_random_seed(0)


def _graph(nodes, weights=(), shape=("batch", 4), opset=17, out=("y",), functions=(), kind=TensorProto.FLOAT):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(name, kind, [f"d{k}" for k in range(len(shape))]) for name in out],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in dict(weights).items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, functions=functions)


def _weight(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def _activations(net):
    return [str(layer.activation) if isinstance(layer, ef.Layer) else "function" for layer in net]


def _agrees(net, path, width, spread=3.0):
    """The whole chain against onnxruntime, with its optimisations."""
    x = np.random.default_rng(5).uniform(-spread, spread, (200, width)).astype(np.float32)
    session = onnxruntime.InferenceSession(path)
    name = session.get_inputs()[0].name
    expected = np.concatenate([session.run(None, {name: row[None]})[0] for row in x])
    y = x.astype(np.float64)
    for layer in net:
        y = layer(y)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def _chain():
    return nn.Sequential(
        nn.Linear(6, 5), nn.SiLU(), nn.Linear(5, 4), nn.GELU(), nn.Linear(4, 4), nn.GELU("tanh"), nn.Linear(4, 4),
        nn.Mish(), nn.Linear(4, 4), nn.Hardswish(), nn.Linear(4, 4), nn.Hardsigmoid(), nn.Linear(4, 4),
        nn.LeakyReLU(0.2), nn.Linear(4, 4), nn.ReLU6(), nn.Linear(4, 4), nn.Softplus(), nn.Linear(4, 4),
        nn.Hardtanh(-2, 2), nn.Linear(4, 4), nn.ELU(0.5), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.Softsign(),
        nn.Linear(4, 4), nn.SELU(), nn.Linear(4, 4), nn.CELU(), nn.Linear(4, 4), nn.PReLU(), nn.Linear(4, 4),
        nn.Tanh(), nn.Linear(4, 4, bias=False), nn.Sigmoid(), nn.Dropout(), nn.Linear(4, 3), nn.Softmax(-1),
    )  # fmt: skip


@pytest.mark.parametrize("opset", [13, 18])
@pytest.mark.parametrize("dynamic", [True, False])
def test_activations_of_torch(tmp_path, opset, dynamic):
    model = _chain()
    path = export_onnx(model, tmp_path / "net.onnx", 6, dynamic=dynamic, opset_version=opset)
    net = ef.as_network(path, in_range=(-3, 3))
    assert _activations(net) == [
        "silu", "gelu", "gelu(approximate=tanh)", "mish", "hard_silu", "hard_sigmoid", "leaky_relu(negative_slope=0.2)",
        "relu6", "softplus", "hard_tanh(min_val=-2.0, max_val=2.0)", "elu(alpha=0.5)", "softsign", "selu", "elu",
        "prelu", "tanh", "sigmoid", "function",
    ]  # fmt: skip
    assert [layer.name for layer in net][:3] == ["0", "2", "4"]
    assert not net.skipped
    assert not net.restarts
    _agrees(net, path, 6)


@pytest.mark.slow
def test_the_newer_exporter_of_torch(tmp_path):
    path = tmp_path / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(_chain().eval(), (torch.rand(1, 6),), path, dynamo=True, verbose=False)
    assert (tmp_path / "net.onnx.data").exists()
    net = ef.as_network(path, in_range=(-3, 3))
    assert _activations(net)[:4] == ["silu", "gelu", "gelu(approximate=tanh)", "mish"]
    assert not net.skipped
    assert len(net) == 18
    _agrees(net, path, 6)


def test_activations_of_keras(tmp_path):
    names = (
        "relu",
        "leaky_relu",
        "elu",
        "selu",
        "gelu",
        "silu",
        "mish",
        "softplus",
        "softsign",
        "hard_sigmoid",
        "tanh",
    )
    model = keras.Sequential(
        [keras.Input((4,)), *(L.Dense(4, activation=name) for name in names), L.BatchNormalization(), L.Dense(2)]
    )
    path = export_keras_onnx(model, tmp_path / "net.onnx")
    net = ef.as_network(path)
    expected = ["leaky_relu(negative_slope=0.2)" if name == "leaky_relu" else name for name in names]
    assert _activations(net) == [*expected, "linear"]
    assert not net.skipped
    _agrees(net, path, 4)


def test_the_same_values_from_every_source(tmp_path):
    """The same float32 weights: the same bits."""
    pairs = [(_weight(4, 6, seed=1), _weight(6, seed=2)), (_weight(6, 3, seed=3), _weight(3, seed=4))]
    model = nn.Sequential(nn.Linear(4, 6), nn.LeakyReLU(0.2), nn.Linear(6, 3), nn.Tanh())
    for linear, (weight, bias) in zip((model[0], model[2]), pairs, strict=True):
        linear.load_state_dict({"weight": torch.from_numpy(weight.T.copy()), "bias": torch.from_numpy(bias)})
    twin = keras.Sequential([keras.Input((4,)), L.Dense(6), L.LeakyReLU(0.2), L.Dense(3, activation="tanh")])
    twin.set_weights([part for pair in pairs for part in pair])
    twin.save(tmp_path / "net.keras")
    export_keras_onnx(twin, tmp_path / "keras.onnx")
    leaky = ef.Activation("leaky_relu", negative_slope=0.2)
    sources = [
        [(*pairs[0], leaky), (*pairs[1], "tanh")],
        model,
        twin,
        tmp_path / "net.keras",
        export_onnx(model, tmp_path / "torch.onnx", 4),
        tmp_path / "keras.onnx",
        onnx.load_model(tmp_path / "keras.onnx"),
    ]
    reports = [ef.analyze(source, random_state=5) for source in sources]
    for report in reports[1:]:
        for layer, expected in zip(report, reports[0], strict=True):
            for key in ("ei", "ei_stderr", "ei_interval", "sensitivity", "ei_parts", "output_entropy", "out_range"):
                assert getattr(layer, key) == getattr(expected, key)
            np.testing.assert_array_equal(layer.sensitivity_matrix, expected.sensitivity_matrix)


def test_lenet_from_every_framework(tmp_path):
    model = LeNet(channels=(2, 3), hidden=(8, 6))
    twin = keras_lenet(model)
    exported = export_keras_onnx(twin, tmp_path / "keras.onnx")
    twin.save(tmp_path / "lenet.keras")
    nets = [
        ef.as_network(model, input_shape=(1, 28, 28)),
        ef.as_network(export_onnx(model, tmp_path / "torch.onnx", 1, 28, 28)),
        ef.as_network(export_onnx(model, tmp_path / "fixed.onnx", 1, 28, 28, dynamic=False)),
        ef.as_network(twin),
        ef.as_network(exported),
        ef.as_network(tmp_path / "lenet.keras"),
    ]
    reports = [ef.analyze(net, random_state=1, pairwise="none", n_samples=2**14) for net in nets]
    # Where an input of the channels-first order is in the channels-last one.
    order = np.arange(3 * 5**2).reshape(3, 5, 5).transpose(1, 2, 0).ravel()
    for number, (net, report) in enumerate(zip(nets, reports, strict=True)):
        assert [layer.patch for layer in net] == [(1, 6, 6), (2, 6, 6), None, None, None]
        assert not net.skipped
        for k in range(5):
            error = np.hypot(report[k].ei_stderr, reports[0][k].ei_stderr)
            assert abs(report[k].ei - reports[0][k].ei) <= 4 * error
        for k in range(2, 5):
            for measure in (ef.sensitivity_matrix, ef.ei_parts_matrix):
                ours, expected = (
                    measure(one[k], in_range=one.ranges()[k][0], out_range=one.ranges()[k][1]) for one in (net, nets[0])
                )
                if number >= 3 and k == 2:
                    expected = expected[order]
                np.testing.assert_allclose(ours, expected, atol=1e-6)
    # In any framework the same patch to the same channels.
    x = np.random.default_rng(0).uniform(-1, 1, (50, 72))
    for net in nets[1:]:
        for k, width in ((0, 36), (1, 72)):
            np.testing.assert_allclose(net[k](x[:, :width]), nets[0][k](x[:, :width]), atol=1e-6)


@pytest.mark.parametrize("auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
def test_every_padding(auto_pad):
    pads = {"pads": [1, 0, 2, 1]} if auto_pad == "NOTSET" else {"auto_pad": auto_pad}
    # Beside SAME there is no dilation in onnxruntime.
    gaps = [1, 1] if auto_pad.startswith("SAME") else [1, 2]
    kernel = _weight(4, 2, 3, 2)
    model = _graph(
        [
            helper.make_node("Conv", ["x", "w", "b"], ["s"], strides=[2, 1], dilations=gaps, group=1, **pads),
            helper.make_node("BatchNormalization", ["s", "g", "b", "b", "v"], ["n"]),
            helper.make_node("Relu", ["n"], ["r"]),
            helper.make_node("MaxPool", ["r"], ["y"], kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_LOWER"),
        ],
        {"w": kernel, "b": _weight(4), "g": _weight(4, seed=1), "v": np.abs(_weight(4, seed=2))},
        shape=("batch", 2, 13, 12),
    )
    net = ef.as_network(model)
    assert [(layer.patch, layer.n_out) for layer in net] == [((2, 5, 3 + gaps[1] - 1), 4)]
    assert not net.skipped


def test_grouped_and_global(tmp_path):
    model = nn.Sequential(
        nn.Conv2d(4, 8, 3, groups=4, stride=2), nn.ReLU(), nn.Conv2d(8, 3, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(3, 2),
    )  # fmt: skip
    net = ef.as_network(export_onnx(model, tmp_path / "net.onnx", 4, 9, 9))
    assert [layer.patch for layer in net] == [(4, 3, 3), (8, 4, 4), None]
    other = ef.as_network(model, input_shape=(4, 9, 9))
    for layer, expected in zip(net, other, strict=True):
        x = np.random.default_rng(0).uniform(-1, 1, (20, layer.n_in))
        np.testing.assert_allclose(layer(x), expected(x), atol=1e-6)


def test_gemm_with_all_that_it_has():
    weight, bias = _weight(3, 4), _weight(1, 3)
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], alpha=0.5, beta=2.0, transB=1)
    [layer] = ef.as_network(_graph([node], {"w": weight, "b": bias}))
    np.testing.assert_array_equal(layer.weight, 0.5 * weight.T.astype(float))
    np.testing.assert_array_equal(layer.bias, 2.0 * bias[0].astype(float))


@pytest.mark.parametrize("kind", ["float64", "float16"])
def test_other_numbers(kind):
    dtype = {"float64": TensorProto.DOUBLE, "float16": TensorProto.FLOAT16}[kind]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["s"]), helper.make_node("Tanh", ["s"], ["y"])]
    [layer] = ef.as_network(_graph(nodes, {"w": _weight(4, 3, dtype=kind)}, kind=dtype))
    assert str(layer.activation) == "tanh"
    np.testing.assert_array_equal(layer.weight, _weight(4, 3, dtype=kind).astype(float))


def test_what_is_no_layer_is_named():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="first"),
        helper.make_node("CumSum", ["a", "axis"], ["c"], name="sum"),
        helper.make_node("MatMul", ["c", "w"], ["b"], name="second"),
        helper.make_node("Add", ["a", "b"], ["d"], name="residual"),
        helper.make_node("MatMul", ["d", "w"], ["y"], name="third"),
        helper.make_node("Shape", ["y"], ["size"]),
    ]
    net = ef.as_network(_graph(nodes, {"w": _weight(4, 4), "axis": np.int64(1)}))
    assert [layer.name for layer in net] == ["first", "second", "third"]
    assert [name for name, _ in net.skipped] == ["sum", "residual"]
    assert net.restarts == {1, 2}


def test_every_layer_is_compared_with_onnxruntime(monkeypatch):
    model = _graph([helper.make_node("MatMul", ["x", "w"], ["y"], name="m")], {"w": _weight(4, 3)})
    true = onnx_ops._MEANING["MatMul"]
    monkeypatch.setitem(onnx_ops._MEANING, "MatMul", lambda node: onnx_ops.Dense(true(node).weight * 1.01, np.zeros(3)))
    with pytest.raises(ValueError, match="'m' as extracted differs"):
        ef.as_network(model)
    assert ef.as_network(model, verify=False)


def test_a_model_in_memory_is_left_as_it_is():
    model = _graph(
        [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Relu", ["a"], ["y"])], {"w": _weight(4, 3)}
    )
    before = model.SerializeToString()
    ef.as_network(model)
    assert model.SerializeToString() == before


def _two_inputs():
    model = _graph([helper.make_node("MatMul", ["x", "z"], ["y"])])
    model.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, [4, 3]))
    return model


def _branching():
    returned = helper.make_tensor_value_info("r", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["r"])], "b", [], [returned])
    condition = numpy_helper.from_array(np.array(True), "c")
    node = helper.make_node("If", ["c"], ["y"], name="maybe", then_branch=branch, else_branch=branch)
    model = _graph([node])
    model.graph.initializer.append(condition)
    return model


def _with_function():
    node = helper.make_node("Relu", ["a"], ["b"])
    function = helper.make_function("mine", "F", ["a"], ["b"], [node], [helper.make_opsetid("", 17)])
    model = _graph([helper.make_node("F", ["x"], ["y"], domain="mine")], functions=[function])
    model.opset_import.append(helper.make_opsetid("mine", 1))
    return model


def _cyclic():
    return _graph([helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])], out=("b",))


MATMUL = helper.make_node("MatMul", ["x", "w"], ["y"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _graph([MATMUL], {"w": _weight(4, 3)}, opset=12), "opset 13 or newer. Got 12 instead"),
        (_two_inputs, "must have one input of float64, float32 or float16 numbers. Got 'x', 'z'"),
        (lambda: _graph([MATMUL], {"w": _weight(4, 3)}, kind=TensorProto.INT32), "must have one input of float64"),
        (lambda: _graph([MATMUL], {"w": _weight(4, 3)}, shape=(4,)), "whose first axis are the rows"),
        (lambda: _graph([MATMUL], {"w": _weight(4, 3)}, shape=("b", "n")), r"open: \(None, None\). Give input_shape="),
        (_branching, "must do the same for all inputs. Got If 'maybe', which decides or repeats"),
        (_with_function, "no functions of its own. Got 'F'"),
        (lambda: _graph([helper.make_node("Relu", ["z"], ["y"])]), "is not a valid ONNX model"),
        (_cyclic, "is not a valid ONNX model"),
        (lambda: _graph([helper.make_node("Nothing", ["x"], ["y"])]), "is not a valid ONNX model"),
        (lambda: _graph([MATMUL], {"w": _weight(5, 3)}), "cannot be run by onnxruntime"),
        (lambda: _graph([helper.make_node("Abs", ["w"], ["y"])], {"w": _weight(4, 3)}), "nothing that depends"),
    ],
)
def test_refused(make, message):
    with pytest.raises(ValueError, match=message):
        ef.as_network(make())


def test_input_shapes():
    model = _graph([MATMUL], {"w": _weight(4, 3)}, shape=("b", "n"))
    assert ef.as_network(model, input_shape=(4,))[0].n_in == 4
    fixed = _graph([MATMUL], {"w": _weight(4, 3)}, shape=(7, 4))
    assert ef.as_network(fixed)[0].n_in == 4
    with pytest.raises(ValueError, match=r"must be what the model takes, \(4,\). Got \(5,\)"):
        ef.as_network(fixed, input_shape=(5,))
    with pytest.raises(ValueError, match="'blocks' parameter"):
        ef.as_network(fixed, blocks=["a"])


def test_steps_that_read_two_numbers():
    """Where and comparisons, as exporters write activations with a threshold."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["s"], name="m"),
        helper.make_node("Greater", ["s", "half"], ["c"]),
        helper.make_node("Where", ["c", "s", "half"], ["y"]),
    ]
    net = ef.as_network(_graph(nodes, {"w": _weight(4, 3), "half": np.float32(0.5)}))
    assert not net.skipped
    np.testing.assert_array_equal(net[0].activation(np.array([-1.0, 0.4, 0.6, 2.0])), [0.5, 0.5, 0.6, 2.0])


def test_a_shuffle_of_channels():
    # As PyTorch and through ONNX: a shuffle between convolutions.
    model = Does(
        lambda s, x: s.b(s.a(x).reshape(-1, 2, 2, 5, 5).transpose(1, 2).reshape(-1, 4, 5, 5)),
        a=nn.Conv2d(2, 4, 2), b=nn.Conv2d(4, 2, 2),
    )  # fmt: skip
    for net in (ef.as_network(model, input_shape=(2, 6, 6)),):
        assert [layer.patch for layer in net] == [(2, 2, 2), (4, 2, 2)]
        assert not net.skipped


@pytest.mark.parametrize("rows", [1, 4, 8])
def test_constants_that_are_computed_are_no_rows(tmp_path, rows):
    """In a graph of a fixed batch they may be as long as it is."""
    model = nn.Sequential(
        nn.Conv2d(2, rows, 3), nn.BatchNorm2d(rows), nn.ReLU(), nn.Flatten(), nn.Linear(4 * rows, 4), nn.ReLU(),
        nn.Linear(4, 4, bias=False),
    )  # fmt: skip
    path = tmp_path / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model.eval(), (torch.rand(rows, 2, 4, 4),), path, dynamo=False, do_constant_folding=False, opset_version=17
        )
    net = ef.as_network(path)
    assert [layer.n_out for layer in net] == [rows, 4, 4]
    assert _activations(net) == ["relu", "relu", "linear"]
    assert not net.skipped


def test_dimensions_that_are_none():
    for shape in ((-1, 4), ("n", -1)):
        model = _graph([MATMUL], {"w": _weight(4, 3)})
        for dim, size in zip(model.graph.input[0].type.tensor_type.shape.dim, shape, strict=True):
            if isinstance(size, int):
                dim.dim_value = size
        assert ef.as_network(model, input_shape=(4,))[0].n_in == 4


def test_outputs_that_nobody_reads():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["s"], name="m"),
        helper.make_node("Dropout", ["s"], ["d", "mask"]),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    net = ef.as_network(_graph(nodes, {"w": _weight(4, 3)}))
    assert _activations(net) == ["relu"]
    assert not net.skipped


def test_missing_libraries(tmp_path, monkeypatch):
    path = export_onnx(nn.Linear(4, 2), tmp_path / "net.onnx", 4)
    monkeypatch.delitem(sys.modules, "ei_fast.adapters.onnx.model", raising=False)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r'An ONNX model needs onnx and onnxruntime: pip install "ei_fast\[onnx\]"'):
        ef.as_network(path)


@pytest.mark.parametrize("dynamic", [True, False])
def test_a_product_over_samples_and_times_stands_in_one_place(tmp_path, dynamic):
    def forward(s, x):
        hidden = torch.relu(s.a(x.view(-1, 4))).view(-1, 5, 6)
        return s.b(hidden.view(-1, 6)).view(-1, 5, 3)

    path = tmp_path / "model.onnx"
    export_onnx(Does(forward, a=nn.Linear(4, 6), b=nn.Linear(6, 3)), path, 5, 4, dynamic=dynamic)
    net = ef.as_network(path)
    assert [layer.name for layer in net] == ["a", "b"]
    assert _activations(net) == ["relu", "linear"]
    assert not net.skipped
    assert not net.restarts


def test_layers_are_called_after_what_holds_their_weights():
    product = helper.make_node("MatMul", ["a", "val_1"], ["b"], name="node_MatMul_37")
    scoped = helper.make_node("MatMul", ["d", "val_2"], ["y"], name="node_linear_5")
    scoped.metadata_props.add(key="pkg.torch.onnx.name_scopes", value="['', 'head.out', 'linear_5']")
    nodes = [
        helper.make_node("Transpose", ["encoder.query.weight"], ["w"], name="node_Transpose_1", perm=[1, 0]),
        helper.make_node("MatMul", ["x", "w"], ["a"], name="node_MatMul_2"),
        product,
        helper.make_node("Add", ["encoder.key.bias", "b"], ["c"], name="node_Add_3"),
        helper.make_node("Gemm", ["c", "val_3", "encoder.value.bias"], ["d"], name="node_Gemm_4"),
        scoped,
    ]
    held = {"encoder.query.weight": _weight(5, 4), "val_1": _weight(5, 6), "encoder.key.bias": _weight(6)}
    held |= {"val_3": _weight(6, 3), "encoder.value.bias": _weight(3), "val_2": _weight(3, 2)}
    net = ef.as_network(_graph(nodes, held))
    assert [layer.name for layer in net] == ["encoder.query", "encoder.key", "encoder.value", "head.out"]
    # What tells nothing more is called as the node is.
    scoped.metadata_props[0].value = "['', 'linear_5'"
    assert ef.as_network(_graph(nodes, held))[3].name == "node_linear_5"


def test_a_scale_before_a_product_of_two_values_is_not_of_the_weights():
    def forward(s, x):
        q, k, v = (one(x).view(-1, 3, 2, 2).transpose(1, 2) for one in (s.q, s.k, s.v))
        y = torch.softmax((0.5 * q) @ k.transpose(-1, -2), -1) @ v
        return s.out(y.transpose(1, 2).reshape(-1, 3, 4))

    model = Does(forward, **{name: nn.Linear(4, 4) for name in ("q", "k", "v", "out")})
    for net in (ef.as_network(model, input_shape=(3, 4)), ef.as_network(_exported(model, 3, 4))):
        assert [layer.name for layer in net] == ["q", "k", "v", "out"]
        for layer in net:
            weight = getattr(model, layer.name).weight.detach().numpy().T
            np.testing.assert_allclose(layer.weight, weight, rtol=1e-6)
        assert any("a scale and shift that belongs to no layer" in reason for _, reason in net.skipped)


def _exported(model, *shape):
    with tempfile.TemporaryDirectory() as folder:
        return onnx.load(export_onnx(model, f"{folder}/model.onnx", *shape))
