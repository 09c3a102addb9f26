"""Verification sees what goes wrong when a model is read."""

import numpy as np
import pytest
import torch
from models import Does, trained
from torch import nn

import ei_fast as ef
from ei_fast.adapters import graph
from ei_fast.adapters.assemble.network import assemble
from ei_fast.adapters.sources import random_inputs
from ei_fast.adapters.torch import operations as torch_ops
from ei_fast.adapters.torch.model import _Subject
from ei_fast.adapters.verify import verify

WHOLE = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Sigmoid(), nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))


def _refused_by_verification(name):
    with pytest.raises(ValueError, match=f"Layer '{name}' as extracted differs from the model's by up to"):
        ef.as_network(WHOLE)
    ef.as_network(WHOLE, verify=False)


def test_verification_sees_a_wrong_weight(monkeypatch):
    true = torch_ops._DENSE["linear"]

    def wrong(given):
        dense = true(given)
        if dense.weight.shape == (4, 3):
            dense.weight[0, 0] += 1e-3
        return dense

    monkeypatch.setattr(torch_ops, "_array", lambda t, keep=torch_ops._array: keep(t).copy())
    monkeypatch.setitem(torch_ops._DENSE, "linear", wrong)
    _refused_by_verification("3")


def test_verification_sees_a_missing_bias(monkeypatch):
    true = torch_ops._DENSE["linear"]
    monkeypatch.setitem(torch_ops._DENSE, "linear", lambda given: graph.Dense(true(given).weight, 0 * true(given).bias))
    _refused_by_verification("0")


def test_verification_sees_a_batch_norm_left_out(monkeypatch):
    trained(WHOLE, 5)
    monkeypatch.setitem(torch_ops._AFFINE, "batch_norm", lambda given: (1.0, 0.0))
    _refused_by_verification("0")


@pytest.mark.parametrize(("function", "name"), [("sigmoid", "0"), ("tanh", "3")])
def test_verification_sees_a_missed_activation(monkeypatch, function, name):
    monkeypatch.setitem(torch_ops.ACTIVATIONS, function, lambda given: ef.Activation("linear"))
    _refused_by_verification(name)


def test_verification_sees_what_only_saturation_hides(monkeypatch):
    # A hard tanh at 100 and one at 200 are the same on (0, 1); ten times as far they are not.
    model = nn.Sequential(nn.Linear(5, 4), nn.Hardtanh(-100, 100))
    with torch.no_grad():
        model[0].weight.fill_(15)
        model[0].bias.zero_()
    true = torch_ops.ACTIVATIONS["hardtanh"]
    monkeypatch.setitem(
        torch_ops.ACTIVATIONS, "hardtanh", lambda given: ef.Activation("hard_tanh", min_val=-200, max_val=200)
    )
    with pytest.raises(ValueError, match="Layer '0' as extracted differs"):
        ef.as_network(model)
    monkeypatch.setitem(torch_ops.ACTIVATIONS, "hardtanh", true)
    ef.as_network(model)


def test_verification_sees_a_scale_that_is_not_undone(monkeypatch):
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Linear(4, 2))
    trained(model, 5)
    monkeypatch.setitem(torch_ops._AFFINE, "batch_norm", lambda given: (1.0, 0.0))
    with pytest.raises(ValueError, match="Layer '3' as extracted differs"):
        ef.as_network(model)


def test_verification_sees_a_wrong_softmax(monkeypatch):
    model = nn.Sequential(nn.Linear(5, 4), nn.LogSoftmax(1))
    ef.as_network(model)
    monkeypatch.setattr(torch_ops, "Softmax", lambda log: graph.Softmax(False))
    with pytest.raises(ValueError, match="Layer '0' as extracted differs"):
        ef.as_network(model)


def test_verification_sees_a_wrong_product(monkeypatch):
    model = Does(lambda s, x: torch.relu(x @ s.weight))
    model.weight = nn.Parameter(torch.randn(4, 3))
    true = torch_ops._DENSE["matmul"]
    monkeypatch.setitem(torch_ops._DENSE, "matmul", lambda given: graph.Dense(true(given).weight + 1e-3, np.zeros(3)))
    with pytest.raises(ValueError, match="Layer 'matmul' as extracted differs"):
        ef.as_network(model)


def test_verification_sees_a_wrong_scale(monkeypatch):
    monkeypatch.setitem(torch_ops._AFFINE, "mul", lambda given: (2.0, 0.0))
    with pytest.raises(ValueError, match="Layer 'a' as extracted differs"):
        ef.as_network(Does(lambda s, x: s.a(x) * 3, a=nn.Linear(4, 3)))


def test_verification_sees_a_wrong_block(monkeypatch):
    from ei_fast.adapters.torch import blocks as adapter

    true = adapter.RunBlock.__call__
    monkeypatch.setattr(adapter.RunBlock, "__call__", lambda self, x: true(self, x) + 1e-3)
    with pytest.raises(ValueError, match="Layer '1' as extracted differs"):
        ef.as_network(nn.Sequential(nn.Linear(5, 4), nn.Sequential(nn.Linear(4, 3), nn.Sigmoid())), blocks=["1"])


def test_an_activation_may_end_where_sums_do():
    """A neuron without weights lies at 0, where the square root begins."""
    model = nn.Sequential(nn.Linear(3, 2), Does(lambda s, h: torch.sqrt(h)))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]))
        model[0].bias.zero_()
    net = ef.as_network(model, in_range=(0.0, 1.0), verify=False)
    assert net[0].activation.name == "sqrt"
    recording = _Subject(model, ()).run(random_inputs((0.0, 1.0), 61, (3,)))
    verify(assemble(recording, (0.0, 1.0))[1], recording)


def test_what_is_subtracted_from_with_a_factor_is_no_fold():
    model = Does(lambda s, x: torch.rsub(s.a(x), torch.ones(3), alpha=2), a=nn.Linear(4, 3))
    with torch.no_grad():
        expected = model(torch.ones(1, 4)).numpy()
    net = ef.as_network(model, verify=False)
    told = net[0](np.ones((1, 4)))
    assert net.skipped or np.allclose(told, expected, atol=1e-6)


def test_a_single_neuron_may_have_weights_without_an_axis_of_neurons():
    model = Does(lambda s, x: nn.functional.linear(s.a(x), s.w), a=nn.Linear(4, 3))
    model.w = nn.Parameter(torch.ones(3))
    net = ef.as_network(model)
    assert [layer.name for layer in net] == ["a"]
    assert net.skipped


def test_a_negative_by_its_long_name_is_folded():
    short, long = (
        ef.as_network(Does(lambda s, x, f=f: torch.relu(f(s.a(x))), a=trained(nn.Linear(4, 3), 4)))
        for f in (torch.neg, torch.negative)
    )
    assert [layer.activation.name for layer in long] == [layer.activation.name for layer in short] == ["relu"]
