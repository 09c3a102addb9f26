"""Activations of PyTorch: modules, functions, written out in steps, and what is none."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from models import Does, agrees
from networks import activations_of
from torch import nn

import ei_fast as ef


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(6, 5), nn.Linear(5, 4, bias=False), nn.Linear(4, 3)
        self.shift = nn.Parameter(torch.randn(4))

    def forward(self, x):
        x = F.leaky_relu(self.fc1(x.view(x.size(0), -1)), 0.2)
        x = F.dropout(F.gelu(self.shift + self.fc2(x), approximate="tanh"), training=self.training)
        return torch.clamp(self.fc3(x) / 2, -0.5, 0.5).squeeze(-1)


def test_functional_activations():
    model = Functional()
    net = ef.as_network(model)
    assert activations_of(net) == [
        "leaky_relu(negative_slope=0.2)",
        "gelu(approximate=tanh)",
        "hard_tanh(min_val=-0.5, max_val=0.5)",
    ]
    assert not net.skipped
    agrees(net, model, 6)


@pytest.mark.parametrize(
    "activation",
    [
        nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.LeakyReLU(0.3), nn.ELU(0.7), nn.SELU(), nn.CELU(),
        nn.CELU(2.0),
        nn.SiLU(), nn.Mish(), nn.GELU(), nn.GELU("tanh"), nn.Softplus(2.0), nn.Softsign(), nn.LogSigmoid(),
        nn.Hardsigmoid(), nn.Hardtanh(-0.3, 0.6), nn.Hardswish(), nn.Sigmoid(), nn.Tanh(), nn.PReLU(), nn.RReLU(),
        nn.Threshold(0, 0), nn.Softmax(dim=1), nn.Softmax(dim=-1), nn.LogSoftmax(dim=1), nn.Identity(),
    ],
    ids=str,
)  # fmt: skip
def test_every_activation(activation):
    model = nn.Sequential(nn.Linear(5, 4), activation)
    with torch.no_grad():
        model[0].weight.mul_(5)
    net = ef.as_network(model)
    assert len(net) == 1
    assert not net.skipped
    agrees(net, model, 5)
    low, high = net.ranges()[0][1]
    outputs = net[0](np.random.default_rng(0).uniform(0, 1, (500, 5)))
    assert low - 1e-12 <= outputs.min() <= outputs.max() <= high + 1e-12


@pytest.mark.parametrize("activation", [nn.GLU(), nn.LayerNorm(4), nn.Softmax(dim=0), nn.RMSNorm(4)], ids=str)
def test_what_is_no_activation_we_have_is_named(activation):
    model = nn.Sequential(nn.Linear(5, 4), activation, nn.Linear(2 if isinstance(activation, nn.GLU) else 4, 2))
    net = ef.as_network(model)
    assert activations_of(net) == ["linear", "linear"]
    name, reason = net.skipped[-1]
    assert name == "1"
    assert "layer '0' is measured without it" in net.skipped[0][1]
    assert "name the module that holds it in 'blocks'" in reason
    assert net.restarts == {1}
    assert "'2' after it" in reason
    report = ef.analyze(model, random_state=0, tol=0.1)
    assert report.skipped == net.skipped
    # What the block's outputs were seen to be.
    seen = activation(model[0](torch.from_numpy(np.random.default_rng(0).uniform(size=(1021, 5))).float()))
    assert report[1].in_range == pytest.approx((seen.min().item(), seen.max().item()), abs=1e-5)


def test_a_pre_activation_that_something_else_sees():
    # The second reader of the first layer's sum sees it before the activation: the layer ends there.
    net = ef.as_network(Does(lambda s, x: (y := s.fc(x)).relu() + y.sum(-1, keepdim=True), fc=nn.Linear(4, 4)))
    assert activations_of(net) == ["linear"]
    assert [name for name, _ in net.skipped] == ["relu", "sum", "add"]


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        (lambda y: torch.relu(y) + y, "composite"),
        (lambda y: y * torch.sigmoid(y), "silu"),
        (lambda y: y * 0.5 * (1 + torch.erf(y / 2**0.5)), "gelu"),
        (
            lambda y: y * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (y + 0.044715 * y * y * y))) / 2,
            "gelu(approximate=tanh)",
        ),
        (lambda y: y * torch.tanh(F.softplus(y)), "mish"),
        (lambda y: torch.minimum(torch.maximum(y, -y), torch.exp(-y) * y), "composite"),
    ],
)
def test_activations_written_out_in_steps(activation, name):
    model = Does(lambda s, x: s.b(activation(s.a(x))), a=nn.Linear(4, 5), b=nn.Linear(5, 3))
    net = ef.as_network(model)
    assert activations_of(net) == [name, "linear"]
    assert not net.skipped
    assert not net.restarts
    agrees(net, model, 4)


def test_steps_that_are_no_activation():
    for forward in (
        lambda s, x: (y := s.a(x)) * torch.softmax(y, -1),
        lambda s, x: (y := s.a(x)) * y.flip(-1),
        lambda s, x: s.a(x) * torch.sigmoid(s.b(x)),
        lambda s, x: ((y := s.a(x)) * (z := torch.sigmoid(y)), z),
    ):
        net = ef.as_network(Does(forward, a=nn.Linear(4, 4), b=nn.Linear(4, 4)))
        assert activations_of(net)[0] == "linear"
        assert "mul" in [name for name, _ in net.skipped]


def test_a_softplus_that_turns_linear_early_is_another_function():
    model = nn.Sequential(nn.Linear(4, 3), nn.Softplus(threshold=1.0))
    net = ef.as_network(model)
    assert not net[0].activation.is_named
    agrees(net, model, 4)


def test_a_clip_far_away_is_seen():
    model = Does(lambda s, x: torch.minimum(torch.relu(y := s.a(x)), 400 + 0 * y), a=nn.Linear(1000, 1, bias=False))
    with torch.no_grad():
        model.a.weight.fill_(1.0)
    net = ef.as_network(model)
    assert net[0].activation(np.array([1000.0])) == 400
