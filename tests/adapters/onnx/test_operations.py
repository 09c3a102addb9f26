"""Operations of ONNX: what is extracted is the graph, as onnxruntime runs it."""

import tempfile
import warnings

import numpy as np
import onnx
import pytest
import torch
from models import Does, export_onnx
from networks import activations_of
from onnx import TensorProto, helper
from onnx_models import onnx_model, weight_of
from torch import nn

import ei_fast as ef


@pytest.mark.parametrize("auto_pad", ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"])
def test_every_padding(auto_pad):
    pads = {"pads": [1, 0, 2, 1]} if auto_pad == "NOTSET" else {"auto_pad": auto_pad}
    # Beside SAME there is no dilation in onnxruntime.
    gaps = [1, 1] if auto_pad.startswith("SAME") else [1, 2]
    kernel = weight_of(4, 2, 3, 2)
    model = onnx_model(
        [
            helper.make_node("Conv", ["x", "w", "b"], ["s"], strides=[2, 1], dilations=gaps, group=1, **pads),
            helper.make_node("BatchNormalization", ["s", "g", "b", "b", "v"], ["n"]),
            helper.make_node("Relu", ["n"], ["r"]),
            helper.make_node("MaxPool", ["r"], ["y"], kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_LOWER"),
        ],
        {"w": kernel, "b": weight_of(4), "g": weight_of(4, seed=1), "v": np.abs(weight_of(4, seed=2))},
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
    weight, bias = weight_of(3, 4), weight_of(1, 3)
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], alpha=0.5, beta=2.0, transB=1)
    [layer] = ef.as_network(onnx_model([node], {"w": weight, "b": bias}))
    np.testing.assert_array_equal(layer.weight, 0.5 * weight.T.astype(float))
    np.testing.assert_array_equal(layer.bias, 2.0 * bias[0].astype(float))


@pytest.mark.parametrize("kind", ["float64", "float16"])
def test_other_numbers(kind):
    dtype = {"float64": TensorProto.DOUBLE, "float16": TensorProto.FLOAT16}[kind]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["s"]), helper.make_node("Tanh", ["s"], ["y"])]
    [layer] = ef.as_network(onnx_model(nodes, {"w": weight_of(4, 3, dtype=kind)}, kind=dtype))
    assert str(layer.activation) == "tanh"
    np.testing.assert_array_equal(layer.weight, weight_of(4, 3, dtype=kind).astype(float))


def test_what_is_no_layer_is_named():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="first"),
        helper.make_node("CumSum", ["a", "axis"], ["c"], name="sum"),
        helper.make_node("MatMul", ["c", "w"], ["b"], name="second"),
        helper.make_node("Add", ["a", "b"], ["d"], name="residual"),
        helper.make_node("MatMul", ["d", "w"], ["y"], name="third"),
        helper.make_node("Shape", ["y"], ["size"]),
    ]
    net = ef.as_network(onnx_model(nodes, {"w": weight_of(4, 4), "axis": np.int64(1)}))
    assert [layer.name for layer in net] == ["first", "second", "third"]
    assert [name for name, _ in net.skipped] == ["sum", "residual"]
    assert net.restarts == {1, 2}


def test_steps_that_read_two_numbers():
    """Where and comparisons, as exporters write activations with a threshold."""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["s"], name="m"),
        helper.make_node("Greater", ["s", "half"], ["c"]),
        helper.make_node("Where", ["c", "s", "half"], ["y"]),
    ]
    net = ef.as_network(onnx_model(nodes, {"w": weight_of(4, 3), "half": np.float32(0.5)}))
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
    assert activations_of(net) == ["relu", "relu", "linear"]
    assert not net.skipped


def test_outputs_that_nobody_reads():
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["s"], name="m"),
        helper.make_node("Dropout", ["s"], ["d", "mask"]),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    net = ef.as_network(onnx_model(nodes, {"w": weight_of(4, 3)}))
    assert activations_of(net) == ["relu"]
    assert not net.skipped


@pytest.mark.parametrize("dynamic", [True, False])
def test_a_product_over_samples_and_times_stands_in_one_place(tmp_path, dynamic):
    def forward(s, x):
        hidden = torch.relu(s.a(x.view(-1, 4))).view(-1, 5, 6)
        return s.b(hidden.view(-1, 6)).view(-1, 5, 3)

    path = tmp_path / "model.onnx"
    export_onnx(Does(forward, a=nn.Linear(4, 6), b=nn.Linear(6, 3)), path, 5, 4, dynamic=dynamic)
    net = ef.as_network(path)
    assert [layer.name for layer in net] == ["a", "b"]
    assert activations_of(net) == ["relu", "linear"]
    assert not net.skipped
    assert not net.restarts


def test_a_scale_before_a_product_of_two_values_is_not_of_the_weights():
    def forward(s, x):
        q, k, v = (one(x).view(-1, 3, 2, 2).transpose(1, 2) for one in (s.q, s.k, s.v))
        y = torch.softmax((0.5 * q) @ k.transpose(-1, -2), -1) @ v
        return s.out(y.transpose(1, 2).reshape(-1, 3, 4))

    model = Does(forward, **{name: nn.Linear(4, 4) for name in ("q", "k", "v", "out")})
    # Of PyTorch it is named with the attention.
    alone = "a scale and shift that belongs to no layer"
    reads = (model, {"input_shape": (3, 4)}, "attention mixes positions"), (_exported(model, 3, 4), {}, alone)
    for source, options, said in reads:
        net = ef.as_network(source, **options)
        assert [layer.name for layer in net] == ["q", "k", "v", "out"]
        for layer in net:
            weight = getattr(model, layer.name).weight.detach().numpy().T
            np.testing.assert_allclose(layer.weight, weight, rtol=1e-6)
        assert any(said in reason for _, reason in net.skipped)


def _exported(model, *shape):
    with tempfile.TemporaryDirectory() as folder:
        return onnx.load(export_onnx(model, f"{folder}/model.onnx", *shape))
