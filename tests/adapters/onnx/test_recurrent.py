"""Operators RNN, LSTM and GRU of ONNX: every gate against the stored weights, every step against onnxruntime."""

import warnings

import numpy as np
import onnx
import pytest
import torch
from models import Does, export_onnx
from onnx import TensorProto, helper, numpy_helper
from recurrent_cells import UNIT, gates_of, gru_step, lstm_step, pairs
from torch import nn

import ei_fast as ef
from ei_fast.adapters.graph import cells

IN, HIDDEN, TIME = 3, 4, 5
GATES = {
    "LSTM": ("input_gate", "forget_gate", "cell_gate", "output_gate"),
    "GRU": ("reset_gate", "update_gate", "new_gate"),
    "RNN": ("",),
}
# As the operators have them.
ORDER = {
    "LSTM": ("input_gate", "output_gate", "forget_gate", "cell_gate"),
    "GRU": ("update_gate", "reset_gate", "new_gate"),
    "RNN": ("",),
}


def names_of(network):
    return [one.name for one in network]


def node_model(kind, directions=1, peepholes=False, lengths=None, **attributes):
    """A model of one node on (time, batch, n), whose input comes as (batch, time, n), and its weights."""
    rng = np.random.default_rng(0)
    n_gates = len(ORDER[kind])
    arrays = {
        "W": rng.normal(0, 0.7, (directions, n_gates * HIDDEN, IN)),
        "R": rng.normal(0, 0.7, (directions, n_gates * HIDDEN, HIDDEN)),
        "B": rng.normal(0, 0.7, (directions, 2 * n_gates * HIDDEN)),
    }
    names = ["x", "W", "R", "B"]
    if lengths is not None:
        arrays["lengths"] = np.asarray(lengths, np.int32)
        names.append("lengths")
    if peepholes:
        arrays["P"] = rng.normal(0, 0.7, (directions, 3 * HIDDEN))
        names += [""] * (7 - len(names)) + ["P"]
    nodes = [
        helper.make_node("Transpose", ["input"], ["x"], perm=[1, 0, 2]),
        helper.make_node(kind, names, ["y", "h"], name="cell", hidden_size=HIDDEN, **attributes),
        helper.make_node("Transpose", ["y"], ["output"], perm=[2, 0, 1, 3]),
    ]
    stored = [
        numpy_helper.from_array(a if a.dtype == np.int32 else a.astype(np.float32), name) for name, a in arrays.items()
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", TIME, IN])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", TIME, directions, HIDDEN])],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    return model, {name: a.astype(np.float32).astype(np.float64) for name, a in arrays.items()}


def real(model, x):
    """What onnxruntime gives at every step: (batch, time, directions, n)."""
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["output"], {"input": x.astype(np.float32)})[0]


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [("RNN", {}), ("LSTM", {}), ("GRU", {"linear_before_reset": 0}), ("GRU", {"linear_before_reset": 1})],
)
def test_gates_have_the_weights_of_their_operator(kind, options, direction):
    directions = 2 if direction == "bidirectional" else 1
    model, held = node_model(kind, directions, direction=direction, **options)
    network = ef.as_network(model, in_range=(-1.0, 2.0))
    ways = ("cell", "cell_reverse")[:directions]
    assert names_of(network) == [f"{way}.{gate}".rstrip(".") for way in ways for gate in GATES[kind]]
    assert network.skipped == []
    by_name = {one.name: one for one in network}
    for d, way in enumerate(ways):
        for k, gate in enumerate(ORDER[kind]):
            layer = by_name[f"{way}.{gate}".rstrip(".")]
            at = slice(k * HIDDEN, (k + 1) * HIDDEN)
            weight = np.vstack([held["W"][d, at].T, held["R"][d, at].T])
            of_x, of_h = np.split(held["B"][d], 2)
            if isinstance(layer, ef.Layer):
                np.testing.assert_array_equal(layer.weight, weight)
                np.testing.assert_allclose(layer.bias, of_x[at] + of_h[at], rtol=1e-12)
                assert layer.in_range == pairs((IN, (-1.0, 2.0)), (HIDDEN, UNIT))
            else:
                assert options == {"linear_before_reset": 1}
                assert gate == "new_gate"
                rng = np.random.default_rng(1)
                x, h, r = rng.normal(size=(9, IN)), rng.normal(size=(9, HIDDEN)), rng.uniform(size=(9, HIDDEN))
                made = np.tanh(x @ weight[:IN] + of_x[at] + r * (h @ weight[IN:] + of_h[at]))
                np.testing.assert_allclose(layer(np.hstack([x, h, r])), made, rtol=1e-12)


@pytest.mark.parametrize("reset", [0, 1])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_what_was_extracted_runs_as_onnxruntime_does_at_every_step(kind, reset):
    options = {"linear_before_reset": reset} if kind == "GRU" else {}
    model, _ = node_model(kind, **options)
    gates = gates_of(ef.as_network(model), "cell")
    x = np.random.default_rng(0).uniform(-3, 3, (7, TIME, IN))
    expected = real(model, x)
    h, c = np.zeros((7, HIDDEN)), np.zeros((7, HIDDEN))
    for t in range(TIME):
        if kind == "LSTM":
            h, c = lstm_step(gates, x[:, t], h, c)
        else:
            h = gru_step(gates, x[:, t], h, reset_after=bool(reset))
        np.testing.assert_allclose(h, expected[:, t, 0], atol=2e-6)


def test_peepholes_are_inputs_of_the_gates():
    model, held = node_model("LSTM", peepholes=True)
    network = ef.as_network(model)
    gates = gates_of(network, "cell")
    for k, gate in enumerate(("input_gate", "output_gate", "forget_gate")):
        part = held["P"][0, k * HIDDEN : (k + 1) * HIDDEN]
        np.testing.assert_array_equal(gates[gate].weight[IN + HIDDEN :], np.diag(part))
    assert gates["cell_gate"].n_in == IN + HIDDEN
    # What the cell state was seen to be.
    assert len(set(gates["input_gate"].in_range[IN + HIDDEN :])) == 1
    x = np.random.default_rng(0).uniform(-3, 3, (7, TIME, IN))
    expected = real(model, x)
    h, c = np.zeros((7, HIDDEN)), np.zeros((7, HIDDEN))
    for t in range(TIME):
        i, f = (gates[name](np.hstack([x[:, t], h, c])) for name in ("input_gate", "forget_gate"))
        c = f * c + i * gates["cell_gate"](np.hstack([x[:, t], h]))
        h = gates["output_gate"](np.hstack([x[:, t], h, c])) * np.tanh(c)
        np.testing.assert_allclose(h, expected[:, t, 0], atol=2e-6)


def test_other_activations():
    model, _ = node_model("RNN", activations=["Relu"])
    network = ef.as_network(model)
    assert [str(one.activation) for one in network] == ["relu"]
    assert network[0].in_range[-1][0] == 0.0
    model, _ = node_model("LSTM", activations=["Sigmoid", "Softsign", "Tanh"])
    gates = gates_of(ef.as_network(model), "cell")
    assert [str(gates[name].activation) for name in GATES["LSTM"]] == ["sigmoid", "sigmoid", "softsign", "sigmoid"]


@pytest.mark.parametrize("attributes", [{"clip": 0.3}, {"activations": ["Elu"], "activation_alpha": [0.5]}])
def test_cells_that_are_not_known_are_named(attributes):
    model, _ = node_model("RNN", **attributes)
    with pytest.raises(TypeError, match="cell: RNN is no dense layer or convolution"):
        ef.as_network(model)


LAST = lambda s, x: s.fc(s.rnn(x)[0][:, -1])  # noqa: E731


@pytest.mark.parametrize("dynamic", [True, False])
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_modules_of_pytorch_that_were_exported(kind, dynamic, tmp_path):
    torch.manual_seed(0)
    module = getattr(nn, kind)(IN, HIDDEN, 2, batch_first=True, bidirectional=True)
    model = Does(LAST, rnn=module, fc=nn.Linear(2 * HIDDEN, 2))
    path = export_onnx(model, tmp_path / "net.onnx", TIME, IN, dynamic=dynamic)
    network, own = ef.as_network(path), ef.as_network(model, input_shape=(TIME, IN))
    assert names_of(network) == names_of(own)
    assert network.skipped == []
    for one, other in zip(network, own, strict=True):
        assert one.in_range == other.in_range
        if isinstance(one, ef.Layer):
            np.testing.assert_allclose(one.weight, other.weight, rtol=1e-6)
            np.testing.assert_allclose(one.bias, other.bias, rtol=1e-5, atol=1e-7)


def test_the_newer_exporter(tmp_path):
    pytest.importorskip("onnxscript")
    model = Does(LAST, rnn=nn.LSTM(IN, HIDDEN, 2, batch_first=True), fc=nn.Linear(HIDDEN, 2)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (torch.rand(1, TIME, IN),), tmp_path / "net.onnx", dynamo=True, verbose=False)
    network = ef.as_network(tmp_path / "net.onnx")
    assert names_of(network) == [*(f"rnn.l{k}.{gate}" for k in range(2) for gate in GATES["LSTM"]), "fc"]
    assert network.skipped == []


@pytest.mark.parametrize("dynamic", [True, False])
def test_the_last_state_alone_may_be_read(dynamic, tmp_path):
    model = Does(lambda s, x: s.fc(s.rnn(x)[1][-1]), rnn=nn.GRU(IN, HIDDEN, batch_first=True), fc=nn.Linear(HIDDEN, 2))
    network = ef.as_network(export_onnx(model, tmp_path / "net.onnx", TIME, IN, dynamic=dynamic))
    assert names_of(network) == [*(f"rnn.l0.{gate}" for gate in GATES["GRU"]), "fc"]
    assert network.skipped == []
    assert network.ranges()[-1][0] == UNIT


@pytest.mark.parametrize("dynamic", [True, False])
def test_steps_of_a_cell_are_one_map(dynamic, tmp_path):
    torch.manual_seed(0)
    model = Does(LAST, rnn=nn.LSTM(IN, HIDDEN, batch_first=True), fc=nn.Linear(HIDDEN, 2))
    path = export_onnx(model, tmp_path / "net.onnx", TIME, IN, dynamic=dynamic)
    network = ef.as_network(path, unroll=2)
    assert (network[0].name, network[0].n_in, network[0].n_out) == ("rnn.l0", 2 * (IN + HIDDEN), HIDDEN)
    own = ef.as_network(model, input_shape=(TIME, IN), unroll=2)
    x = np.random.default_rng(0).uniform(-1, 1, (9, 2 * (IN + HIDDEN)))
    np.testing.assert_allclose(network[0](x), own[0](x), atol=1e-6)
    with pytest.raises(ValueError, match="must be no more than the steps that 'rnn.l0' takes in a row. Got 6"):
        ef.as_network(path, unroll=6)


def test_a_cell_that_is_misunderstood_is_refused(monkeypatch):
    model, _ = node_model("GRU")
    gate_of = cells.Weights.gate
    monkeypatch.setattr(
        cells.Weights, "gate", lambda self, name, *more: gate_of(self._replace(of_h=1.02 * self.of_h), name, *more)
    )
    with pytest.raises(ValueError, match="The maps of 'cell' as extracted lead to states that differ"):
        ef.as_network(model)


def test_the_model_is_left_as_it_is():
    model, _ = node_model("LSTM")
    model.graph.node[1].output[0] = ""
    model.graph.node[1].output[1] = "y"
    model.graph.node[2].attribute[0].CopyFrom(helper.make_attribute("perm", [1, 0, 2]))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", 1, HIDDEN]))
    before = onnx.ModelProto()
    before.CopyFrom(model)
    network = ef.as_network(model)
    assert len(network) == 4
    assert model == before
