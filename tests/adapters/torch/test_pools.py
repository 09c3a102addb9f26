"""Pools behind convolutions: means that are dense maps, and pools over many places."""

import numpy as np
import pytest
import torch
from torch import nn

import ei_fast as ef
from ei_fast.adapters.assemble import functions


def _model(*modules):
    torch.manual_seed(0)
    model = nn.Sequential(*modules)
    for module in model:
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 2)
            nn.init.normal_(module.bias)
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return model.double().eval()


def _mean_of_patches(conv, boxes, size, stride):
    """Means of a convolution written out: boxes (m, channels, height, width) to (m, channels out)."""
    weight, bias = conv.weight.detach().numpy(), conv.bias.detach().numpy()
    if conv.groups > 1:
        wide = np.zeros((len(weight), conv.in_channels, *weight.shape[2:]))
        for k, one in enumerate(weight):
            wide[k, k] = one[0]
        weight = wide
    height, width = weight.shape[2:]
    total = 0.0
    for row in range(size[0]):
        for column in range(size[1]):
            top, left = row * stride, column * stride
            total = total + np.einsum("mchw,ochw->mo", boxes[:, :, top : top + height, left : left + width], weight)
    return total / (size[0] * size[1]) + bias


@pytest.mark.parametrize(
    ("conv", "pool", "size", "stride"),
    [
        (nn.Conv2d(2, 3, 3), nn.AvgPool2d(2), (2, 2), 1),
        (nn.Conv2d(2, 3, 2, stride=2), nn.AvgPool2d((3, 1)), (3, 1), 2),
        (nn.Conv2d(2, 3, 1), nn.AvgPool2d(2, 1), (2, 2), 1),
        (nn.Conv2d(3, 3, 3, groups=3), nn.AvgPool2d(2), (2, 2), 1),
        (nn.Conv2d(2, 1, 3), nn.AdaptiveAvgPool2d(2), (4, 4), 1),
        (nn.Conv2d(2, 3, 3, padding=1), nn.AvgPool2d(2), (2, 2), 1),
    ],
)
@pytest.mark.parametrize("behind", ["nothing", "norm", "relu", "norm and relu"])
def test_a_mean_of_a_linear_convolution_is_a_dense_layer(conv, pool, size, stride, behind):
    norm = [nn.BatchNorm2d(conv.out_channels)] if "norm" in behind else []
    model = _model(conv, pool, *norm, *([nn.ReLU()] if "relu" in behind else []))
    [layer] = ef.as_network(model, input_shape=(conv.in_channels, 10, 10), in_range=(-1.0, 1.0))
    assert isinstance(layer, ef.Layer)
    assert str(layer.activation) == ("relu" if "relu" in behind else "linear")
    boxes = np.random.default_rng(0).uniform(-1, 1, (20, *layer.patch))
    expected = _mean_of_patches(conv, boxes, size, stride)
    # Without its activation a norm is no part of a layer that ends in a pool.
    if norm and "relu" in behind:
        with torch.no_grad():
            expected = norm[0](torch.from_numpy(expected)[..., None, None]).numpy()[..., 0, 0]
    if "relu" in behind:
        expected = np.maximum(expected, 0.0)
    np.testing.assert_allclose(layer(boxes.reshape(20, -1)), expected, atol=1e-12)


def test_figures_of_a_mean_are_exact_and_those_of_its_simulation():
    model = _model(nn.Conv2d(1, 2, 2), nn.AvgPool2d(2), nn.ReLU())
    network = ef.as_network(model, input_shape=(1, 6, 6))
    report = ef.analyze(network, random_state=0, tol=0.02)[0]
    assert report.sensitivity_stderr < 1e-9
    layer = network[0]
    simulated = ef.Function(layer, layer.n_in, layer.n_out, report.out_range)
    other = ef.analyze([simulated], random_state=0, tol=0.02)[0]
    assert abs(report.ei - other.ei) < 4 * np.hypot(report.ei_stderr, other.ei_stderr) + 0.04
    assert report.ei_parts == pytest.approx(other.ei_parts, abs=0.05)


@pytest.mark.parametrize(
    "modules",
    [
        [nn.ReLU(), nn.MaxPool2d(3, 2)],
        [nn.SiLU(), nn.BatchNorm2d(4), nn.AvgPool2d(2)],
        [nn.MaxPool2d(2, dilation=2), nn.BatchNorm2d(4), nn.Tanh()],
        [nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()],
    ],
)
@pytest.mark.parametrize("stride", [1, 2])
def test_large_pools_do_what_small_ones_do(modules, stride, monkeypatch):
    model = _model(nn.Conv2d(2, 4, 3, stride=stride), *modules)
    given = dict(input_shape=(2, 15, 15), in_range=(-1.0, 1.0))
    [small] = ef.as_network(model, **given)
    monkeypatch.setattr(functions, "_MAX_AT_ONCE", 0)
    [large] = ef.as_network(model, **given)
    assert (large.n_in, large.n_out, large.patch) == (small.n_in, small.n_out, small.patch)
    assert large.out_range == pytest.approx(small.out_range, rel=1e-12)
    x = np.random.default_rng(0).uniform(-1, 1, (30, small.n_in))
    np.testing.assert_allclose(large(x), small(x), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(large.fn.size_of_sums(x), small.fn.size_of_sums(x), rtol=1e-12)
    for found, expected in zip(
        large.fn.preactivation_hull((-1.0, 1.0)), small.fn.preactivation_hull((-1.0, 1.0)), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_pool_of_many_channels_takes_no_weights_of_what_a_place_does_not_see():
    model = _model(nn.Conv2d(256, 512, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    [layer] = ef.as_network(model, input_shape=(256, 2, 2))
    assert layer.n_in == 256 * 2 * 2
    assert layer.fn.linear.weight.shape == (256, 512)
    x = np.random.default_rng(0).uniform(size=(3, 256, 2, 2))
    with torch.no_grad():
        expected = model(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(layer(x.reshape(3, -1)), expected, atol=1e-12)
