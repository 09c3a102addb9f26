"""ONNX models, whoever exported them: the same network as from the framework."""

import warnings

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from keras import layers as L
from models import LeNet, export_keras_onnx, export_onnx, keras_lenet
from networks import activations_of
from onnx import helper
from onnx_models import onnx_model, weight_of
from torch import nn

import ei_fast as ef
from ei_fast.adapters.onnx import operations as onnx_ops


def agrees(net, path, width, spread=3.0):
    """The whole chain against onnxruntime, with its optimisations."""
    x = np.random.default_rng(5).uniform(-spread, spread, (200, width)).astype(np.float32)
    session = onnxruntime.InferenceSession(path)
    name = session.get_inputs()[0].name
    expected = np.concatenate([session.run(None, {name: row[None]})[0] for row in x])
    y = x.astype(np.float64)
    for layer in net:
        y = layer(y)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)


def chain():
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
    model = chain()
    path = export_onnx(model, tmp_path / "net.onnx", 6, dynamic=dynamic, opset_version=opset)
    net = ef.as_network(path, in_range=(-3, 3))
    assert activations_of(net) == [
        "silu", "gelu", "gelu(approximate=tanh)", "mish", "hard_silu", "hard_sigmoid", "leaky_relu(negative_slope=0.2)",
        "relu6", "softplus", "hard_tanh(min_val=-2.0, max_val=2.0)", "elu(alpha=0.5)", "softsign", "selu", "elu",
        "prelu", "tanh", "sigmoid", "function",
    ]  # fmt: skip
    assert [layer.name for layer in net][:3] == ["0", "2", "4"]
    assert not net.skipped
    assert not net.restarts
    agrees(net, path, 6)


@pytest.mark.slow
def test_the_newer_exporter_of_torch(tmp_path):
    path = tmp_path / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(chain().eval(), (torch.rand(1, 6),), path, dynamo=True, verbose=False)
    assert (tmp_path / "net.onnx.data").exists()
    net = ef.as_network(path, in_range=(-3, 3))
    assert activations_of(net)[:4] == ["silu", "gelu", "gelu(approximate=tanh)", "mish"]
    assert not net.skipped
    assert len(net) == 18
    agrees(net, path, 6)


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
    assert activations_of(net) == [*expected, "linear"]
    assert not net.skipped
    agrees(net, path, 4)


def test_the_same_values_from_every_source(tmp_path):
    """The same float32 weights: the same bits."""
    pairs = [(weight_of(4, 6, seed=1), weight_of(6, seed=2)), (weight_of(6, 3, seed=3), weight_of(3, seed=4))]
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


def test_every_layer_is_compared_with_onnxruntime(monkeypatch):
    model = onnx_model([helper.make_node("MatMul", ["x", "w"], ["y"], name="m")], {"w": weight_of(4, 3)})
    true = onnx_ops._MEANING["MatMul"]
    monkeypatch.setitem(onnx_ops._MEANING, "MatMul", lambda node: onnx_ops.Dense(true(node).weight * 1.01, np.zeros(3)))
    with pytest.raises(ValueError, match="'m' as extracted differs"):
        ef.as_network(model)
    assert ef.as_network(model, verify=False)


def test_a_model_in_memory_is_left_as_it_is():
    model = onnx_model(
        [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Relu", ["a"], ["y"])], {"w": weight_of(4, 3)}
    )
    before = model.SerializeToString()
    ef.as_network(model)
    assert model.SerializeToString() == before


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
    held = {"encoder.query.weight": weight_of(5, 4), "val_1": weight_of(5, 6), "encoder.key.bias": weight_of(6)}
    held |= {"val_3": weight_of(6, 3), "encoder.value.bias": weight_of(3), "val_2": weight_of(3, 2)}
    net = ef.as_network(onnx_model(nodes, held))
    assert [layer.name for layer in net] == ["encoder.query", "encoder.key", "encoder.value", "head.out"]
    # What tells nothing more is called as the node is.
    scoped.metadata_props[0].value = "['', 'linear_5'"
    assert ef.as_network(onnx_model(nodes, held))[3].name == "node_linear_5"
