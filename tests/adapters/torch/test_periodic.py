"""Sines, cosines and snake: activations that go up and down over what a layer reaches."""

import naive
import numpy as np
import pytest
import torch
from torch import nn

import ei_fast as ef


class Does(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Snake(nn.Module):
    def __init__(self, a):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))

    def forward(self, x):
        return x + torch.sin(self.a * x) ** 2 / self.a


ACTIVATIONS = {
    "sine": (lambda: Does(torch.sin), np.sin),
    "cosine": (lambda: Does(torch.cos), np.cos),
    "SIREN": (lambda: Does(lambda x: torch.sin(30 * x)), lambda s: np.sin(30 * s)),
    "snake": (lambda: Snake(5.0), lambda s: s + np.sin(5 * s) ** 2 / 5),
    "x + sin": (lambda: Does(lambda x: x + torch.sin(3 * x)), lambda s: s + np.sin(3 * s)),
}


@pytest.mark.parametrize("what", ACTIVATIONS)
def test_figures_are_those_of_a_grid(what, monkeypatch):
    make, function = ACTIVATIONS[what]
    torch.manual_seed(1)
    dense = nn.Linear(2, 2)
    net = ef.as_network(nn.Sequential(dense, make()), in_range=(-1.0, 1.0))
    assert isinstance(net[0], ef.Layer)
    assert not net.skipped
    x = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    weight, bias = dense.weight.detach().numpy().T.astype(float), dense.bias.detach().numpy().astype(float)
    np.testing.assert_allclose(net[0](x), function(x @ weight + bias), rtol=1e-5, atol=1e-5)
    out_range = net.ranges()[0][1]
    bins = 4
    monkeypatch.setitem(naive.ACTIVATIONS, what, function)
    grid = naive.joint_ei_on_a_grid(weight, bias, what, (-1.0, 1.0), bins, out_range, bins, 400)
    [row] = ef.analyze(net, random_state=0, bins=bins, tol=0.005)
    assert row.ei == pytest.approx(grid, abs=0.03)


@pytest.mark.parametrize("frequency", [300.0, 3000.0, 30000.0])
def test_many_periods_are_measured_as_a_function_of_the_same_layer(frequency):
    torch.manual_seed(0)
    net = ef.as_network(nn.Sequential(nn.Linear(1, 1), Does(lambda x: torch.sin(frequency * x))), in_range=(-1, 1))
    layer = net[0]
    steps = layer.activation.steps((-1.0, 1.0), 8, tuple(float(end[0]) for end in layer.preactivation_hull((-1, 1))))
    s = np.random.default_rng(1).uniform(*layer.preactivation_hull((-1.0, 1.0)), (200_000, 1))
    bins = np.clip(np.floor((np.sin(s) + 1) * 4), 0, 7)
    assert np.mean(steps(s) != bins) < 2e-3
    other = ef.Network([ef.Function(layer, 1, 1, (-1.0, 1.0))], (-1.0, 1.0))
    figures = [ef.analyze(one, random_state=0, tol=0.005)[0].ei for one in (net, other)]
    assert abs(figures[0] - figures[1]) < 0.02


def test_too_many_periods_are_refused():
    net = ef.as_network(nn.Sequential(nn.Linear(2, 3), Does(lambda x: torch.sin(3e6 * x))), in_range=(-1, 1))
    with pytest.raises(ValueError, match="Layer '0': The activation 'sin' goes up and down too often"):
        ef.analyze(net, random_state=0, tol=0.5)


def test_a_sine_of_each_channel():
    # The frequencies are scales of the layer before.
    frequencies = torch.tensor([1.0, 10.0, 30.0])
    dense = nn.Linear(2, 3)
    net = ef.as_network(nn.Sequential(dense, Does(lambda x: torch.sin(frequencies * x))))
    weight = dense.weight.detach().numpy().T * frequencies.numpy()
    np.testing.assert_allclose(net[0].weight, weight, rtol=1e-6)
    assert not net.skipped
