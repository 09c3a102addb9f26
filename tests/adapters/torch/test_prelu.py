"""Activations with parameters of their own for each neuron or channel: PReLU with several slopes, snake."""

import pickle

import numpy as np
import pytest
import torch
from networks import names_of
from onnx import helper
from onnx_models import onnx_model, weight_of
from torch import nn

import ei_fast as ef


def _prelu(n):
    layer = nn.PReLU(n)
    with torch.no_grad():
        layer.weight.uniform_(-0.5, 1.5)
    return layer


def _of(layer):
    return layer.weight.detach().numpy().astype(float), layer.bias.detach().numpy().astype(float)


def _bent(s, slopes):
    return np.where(s > 0, s, slopes * s)


class Does(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Snake(nn.Module):
    def __init__(self, frequencies):
        super().__init__()
        self.a = nn.Parameter(torch.tensor(frequencies))

    def forward(self, x):
        return x + torch.sin(self.a * x) ** 2 / self.a


class BigVGANSnake(Snake):
    def forward(self, x):
        a = torch.exp(self.a)
        return x + (1.0 / (a + 1e-9)) * torch.pow(torch.sin(x * a), 2)


class Written(nn.Module):
    """PReLU as people write it."""

    def __init__(self, how, n):
        super().__init__()
        self.how, self.a = how, nn.Parameter(torch.rand(n))

    def forward(self, x):
        if self.how == "where":
            return torch.where(x > 0, x, self.a * x)
        if self.how == "maximum":
            return torch.maximum(x, self.a * x)
        return torch.relu(x) - self.a * torch.relu(-x)


def test_slopes_of_neurons():
    dense, act = nn.Linear(3, 4), _prelu(4)
    with torch.no_grad():
        # A layer of one slope takes none below 0.
        act.weight.abs_()
    net = ef.as_network(nn.Sequential(dense, act, nn.Linear(4, 2)))
    assert names_of(net) == ["0", "2"]
    assert not net.skipped
    assert not net.restarts
    weight, bias = _of(dense)
    x = np.random.default_rng(0).uniform(-2, 2, (50, 3))
    slopes = act.weight.detach().numpy()
    np.testing.assert_allclose(net[0](x), _bent(x @ weight.T + bias, slopes), rtol=1e-6, atol=1e-7)
    # The range is the hull of those of the neurons as layers of one slope each.
    each = [
        ef.Network([ef.Layer(weight.T[:, [k]], bias[[k]], ef.Activation("prelu", negative_slope=float(slopes[k])))])
        for k in range(4)
    ]
    ranges = [one.ranges()[0][1] for one in each]
    expected = min(low for low, _ in ranges), max(high for _, high in ranges)
    np.testing.assert_allclose(net[0].out_range, expected, rtol=1e-6)
    assert ef.analyze(net, random_state=0, tol=0.5)[0].ei > 0
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again[0](x), net[0](x))


def test_figures_are_those_of_a_layer_where_all_slopes_are_one():
    dense, several, one = nn.Linear(3, 4), nn.PReLU(4), nn.PReLU()
    as_function = ef.as_network(nn.Sequential(dense, several))
    as_layer = ef.as_network(nn.Sequential(dense, one))
    assert isinstance(as_function[0], ef.Function)
    assert isinstance(as_layer[0], ef.Layer)
    np.testing.assert_allclose(as_function[0].out_range, as_layer.ranges()[0][1], rtol=1e-9)
    figures = [ef.analyze(net, random_state=0, tol=0.02)[0].ei for net in (as_function, as_layer)]
    assert abs(figures[0] - figures[1]) < 0.08


@pytest.mark.parametrize("n", [1, 4])
def test_slopes_below_zero(n):
    dense, act = nn.Linear(3, 4), nn.PReLU(n, init=-0.5)
    net = ef.as_network(nn.Sequential(dense, act))
    weight, bias = _of(dense)
    x = np.random.default_rng(0).uniform(-2, 2, (50, 3))
    np.testing.assert_allclose(net[0](x), _bent(x @ weight.T + bias, -0.5), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(("n_axes", "conv"), [(1, nn.Conv1d), (2, nn.Conv2d), (3, nn.Conv3d)])
def test_slopes_of_channels(n_axes, conv):
    layer, act = conv(2, 3, 2), _prelu(3)
    net = ef.as_network(nn.Sequential(layer, act), input_shape=(2, *[4] * n_axes))
    weight, bias = _of(layer)
    x = np.random.default_rng(0).uniform(-1, 1, (20, 2 * 2**n_axes))
    s = x @ weight.reshape(3, -1).T + bias
    assert net[0].patch == (2, *[2] * n_axes)
    np.testing.assert_allclose(net[0](x), _bent(s, act.weight.detach().numpy()), rtol=1e-6, atol=1e-7)


def test_a_norm_before_it_and_a_pool_behind():
    conv, norm, act = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), _prelu(3)
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    model = nn.Sequential(conv, norm, act, nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 2)).eval()
    net = ef.as_network(model, input_shape=(1, 6, 6))
    assert names_of(net) == ["0", "5"]
    assert not net.skipped
    x = np.random.default_rng(1).uniform(0, 1, (9, 16))
    with torch.no_grad():
        expected = model[:4].double()(torch.from_numpy(x).reshape(9, 1, 4, 4)).reshape(9, 3).numpy()
    np.testing.assert_allclose(net[0](x), expected, rtol=1e-6)
    low, high = net[0].out_range
    assert low <= expected.min()
    assert expected.max() <= high


@pytest.mark.parametrize("how", ["where", "maximum", "relus"])
def test_written_out(how):
    dense, act = nn.Linear(3, 4), Written(how, 4)
    net = ef.as_network(nn.Sequential(dense, act, nn.Linear(4, 2)))
    assert names_of(net) == ["0", "2"]
    assert not net.skipped
    weight, bias = _of(dense)
    x = np.random.default_rng(0).uniform(-2, 2, (50, 3))
    np.testing.assert_allclose(net[0](x), _bent(x @ weight.T + bias, act.a.detach().numpy()), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", [Snake, BigVGANSnake])
@pytest.mark.parametrize("n_axes", [0, 1, 2])
def test_snake_of_channels(kind, n_axes):
    a = np.random.default_rng(0).uniform(0.5, 3.0, 4)
    act = kind(a.reshape(1, 4, *[1] * n_axes).astype(np.float32))
    layer = [nn.Linear, nn.Conv1d, nn.Conv2d][n_axes](*((3, 4) if n_axes == 0 else (3, 4, 1)))
    net = ef.as_network(nn.Sequential(layer, act), **({"input_shape": (3, *[5] * n_axes)} if n_axes else {}))
    assert len(net) == 1
    assert not net.skipped
    weight, bias = _of(layer)
    x = np.random.default_rng(0).uniform(-2, 2, (50, 3))
    s, a = x @ weight.reshape(4, 3).T + bias, np.exp(a) if kind is BigVGANSnake else a
    np.testing.assert_allclose(net[0](x), s + np.sin(a * s) ** 2 / a, rtol=1e-5, atol=1e-6)


def test_a_gate_with_a_scale_of_each_neuron():
    dense = nn.Linear(3, 4)
    net = ef.as_network(nn.Sequential(dense, Does(lambda y: y * (torch.sigmoid(y) * torch.arange(4)))))
    weight, bias = _of(dense)
    x = np.random.default_rng(0).uniform(-2, 2, (50, 3))
    s = x @ weight.T + bias
    np.testing.assert_allclose(net[0](x), s / (1 + np.exp(-s)) * np.arange(4), rtol=1e-5, atol=1e-6)


def test_at_every_position():
    dense = nn.Linear(3, 4)
    net = ef.as_network(nn.Sequential(dense, Snake([1.0, 2.0, 3.0, 4.0])), input_shape=(5, 3))
    assert net[0].per_position
    assert net[0].n_out == 4
    assert not net.skipped


def test_slopes_that_are_not_of_the_neurons_are_named():
    # Of a sequence the second axis are times, not neurons.
    net = ef.as_network(nn.Sequential(nn.Linear(3, 4), _prelu(5), nn.Linear(4, 2)), input_shape=(5, 3))
    assert "has other parameters from place to place" in dict(net.skipped)["1"]
    assert "'blocks'" in dict(net.skipped)["1"]
    model = nn.Sequential(nn.Linear(3, 4), _prelu(5), nn.Linear(4, 2))
    block = ef.as_network(model, input_shape=(5, 3), blocks={"1": (-3.0, 3.0)})
    assert "1" in names_of(block)


def test_onnx():
    slopes = np.array([0.5, -0.25, 2.0], dtype=np.float32)
    weights = {"w": weight_of(4, 3), "a": slopes}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("PRelu", ["h", "a"], ["y"])]
    net = ef.as_network(onnx_model(nodes, weights))
    assert not net.skipped
    x = np.random.default_rng(0).uniform(-1, 1, (20, 4))
    np.testing.assert_allclose(net[0](x), _bent(x @ weights["w"].astype(float), slopes), rtol=1e-6)


def test_onnx_of_channels():
    slopes = np.array([0.5, -0.25, 2.0], dtype=np.float32)
    weights = {"w": weight_of(3, 2, 2, 2), "a": slopes.reshape(3, 1, 1)}
    nodes = [helper.make_node("Conv", ["x", "w"], ["h"]), helper.make_node("PRelu", ["h", "a"], ["y"])]
    net = ef.as_network(onnx_model(nodes, weights, shape=("batch", 2, 4, 4)))
    x = np.random.default_rng(0).uniform(-1, 1, (20, 8))
    np.testing.assert_allclose(net[0](x), _bent(x @ weights["w"].reshape(3, 8).T.astype(float), slopes), rtol=1e-6)
