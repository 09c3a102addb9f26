"""Transposed convolutions: the map from the patch that feeds a block of outputs to all outputs of the block."""

from itertools import product

import numpy as np
import pytest
import torch
from networks import names_of
from onnx import helper
from onnx_models import onnx_model, weight_of
from torch import nn

import ei_fast as ef

# With the shape of a sample, and the patch of inputs that a block of outputs sees.
CASES = {
    "DCGAN": (nn.ConvTranspose2d(3, 2, 4, stride=2, padding=1), (3, 4, 4), (3, 2, 2)),
    "U-Net": (nn.ConvTranspose2d(3, 2, 2, stride=2), (3, 3, 3), (3, 1, 1)),
    "3 by 2": (nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=1), (2, 4, 4), (2, 2, 2)),
    "without padding": (nn.ConvTranspose2d(2, 3, 3, stride=2), (2, 4, 4), (2, 2, 2)),
    "without bias": (nn.ConvTranspose2d(2, 3, 3, stride=2, bias=False), (2, 4, 4), (2, 2, 2)),
    "stride 1": (nn.ConvTranspose2d(2, 3, 3, padding=1), (2, 5, 5), (2, 3, 3)),
    "stride 1, no padding": (nn.ConvTranspose1d(2, 3, 4), (2, 6), (2, 4)),
    "stride 1, dilated": (nn.ConvTranspose1d(2, 3, 3, dilation=2, padding=2), (2, 9), (2, 3)),
    "stride 1, more padding than the kernel": (nn.ConvTranspose1d(2, 3, 2, padding=3), (2, 12), (2, 2)),
    "dilated": (nn.ConvTranspose1d(2, 3, 3, stride=2, dilation=3), (2, 9), (2, 4)),
    "dilated alike": (nn.ConvTranspose1d(2, 3, 3, stride=2, dilation=4), (2, 9), (2, 3)),
    "in groups": (nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), (4, 4, 4), (4, 2, 2)),
    "by channel": (nn.ConvTranspose1d(3, 3, 4, stride=2, groups=3), (3, 5), (3, 2)),
    "gaps between": (nn.ConvTranspose1d(2, 3, 2, stride=3), (2, 4), (2, 1)),
    "unlike strides": (nn.ConvTranspose2d(2, 3, (3, 5), stride=(1, 3), padding=(1, 2)), (2, 5, 5), (2, 3, 2)),
    "HiFi-GAN": (nn.ConvTranspose1d(2, 3, 16, stride=8, padding=4), (2, 5), (2, 2)),
    "odd padding": (nn.ConvTranspose1d(2, 3, 5, stride=3, padding=2, output_padding=2), (2, 6), (2, 2)),
    "in space": (nn.ConvTranspose3d(1, 2, 3, stride=2, padding=1), (1, 3, 3, 3), (1, 2, 2, 2)),
}


@pytest.mark.parametrize("what", CASES)
def test_a_block_is_what_the_layer_does_there(what):
    conv, shape, patch = CASES[what]
    net = ef.as_network(nn.Sequential(conv, nn.Tanh()), input_shape=shape)
    [layer] = net
    block = conv.stride
    assert layer.patch == patch
    assert layer.n_out == conv.out_channels * int(np.prod(block))
    assert layer.activation.name == "tanh"
    assert not net.skipped
    # What each input does to each output, as the layer itself tells.
    size = int(np.prod(shape))
    with torch.no_grad():
        made = conv.double()(torch.from_numpy(np.concatenate([np.zeros((1, size)), np.eye(size)])).reshape(-1, *shape))
    bias, effect = made[0].numpy(), (made[1:] - made[0]).numpy()
    matching = 0
    for place in product(*(range(n - step + 1) for n, step in zip(bias.shape[1:], block, strict=True))):
        at = tuple(slice(first, first + step) for first, step in zip(place, block, strict=True))
        of_block = effect[:, :, *at].reshape(size, -1)
        fed = np.abs(of_block).sum(axis=1) > 0
        used = np.abs(layer.weight).sum(axis=1) > 0
        if fed.sum() == used.sum() and np.allclose(of_block[fed], layer.weight[used]):
            matching += np.allclose(bias[:, *at].reshape(-1), layer.bias)
    assert matching


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(5, 4 * 3 * 3)
        self.up = nn.ConvTranspose2d(4, 3, 4, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(3)
        self.act = nn.PReLU(3)
        self.out = nn.ConvTranspose2d(3, 1, 3, padding=1)

    def forward(self, z):
        x = torch.relu(self.project(z)).reshape(-1, 4, 3, 3)
        return torch.sigmoid(self.out(self.act(self.norm(self.up(x)))))


def test_a_decoder_is_read_whole():
    model = Decoder().eval()
    model.norm.running_mean.uniform_(-1, 1)
    model.norm.running_var.uniform_(0.5, 2)
    with torch.no_grad():
        model.act.weight.uniform_(0.1, 0.9)
    net = ef.as_network(model)
    assert names_of(net) == ["project", "up", "out"]
    assert not net.skipped
    assert "measured is the map from the patch that feeds a block of 2x2 outputs" in dict(net.notes)["up"]
    x = np.random.default_rng(0).uniform(-1, 1, (20, 4, 2, 2))
    with torch.no_grad():
        inner = model.double().act(model.norm(model.up(torch.from_numpy(x))))[:, :, 1:3, 1:3].numpy()
    np.testing.assert_allclose(net[1](x.reshape(20, -1)), inner.reshape(20, -1), rtol=1e-5, atol=1e-6)
    report = ef.analyze(net, random_state=0, tol=0.5)
    assert [row.name for row in report] == ["project", "up", "out"]
    assert all(row.ei >= 0 for row in report)


def test_figures_are_those_of_the_block_as_a_layer():
    conv = nn.ConvTranspose1d(1, 1, 2, stride=2)
    net = ef.as_network(nn.Sequential(conv, nn.Sigmoid()), input_shape=(1, 4))
    weight = conv.weight.detach().numpy().reshape(1, 2).astype(float)
    bias = np.repeat(conv.bias.detach().numpy().astype(float), 2)
    by_hand = ef.Network([ef.Layer(weight, bias, "sigmoid")])
    figures = [ef.analyze(one, random_state=0, tol=0.01)[0].ei for one in (net, by_hand)]
    assert figures[0] == pytest.approx(figures[1], abs=1e-6)


def test_where_no_block_lies_inside_the_remedy_works():
    model = nn.Sequential(nn.ConvTranspose2d(2, 3, 5, stride=2, padding=2), nn.Tanh(), nn.Flatten(), nn.Linear(27, 2))
    net = ef.as_network(model, input_shape=(2, 2, 2))
    assert "no block of its outputs lies wholly inside" in dict(net.skipped)["0"]
    whole = nn.Sequential(nn.Sequential(*model[:2]), *model[2:])
    block = ef.as_network(whole, input_shape=(2, 2, 2), blocks=["0"])
    assert names_of(block) == ["0", "2"]


def test_onnx():
    kernel = weight_of(2, 3, 4)
    nodes = [helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2], pads=[1, 1])]
    net = ef.as_network(onnx_model(nodes, {"w": kernel}, shape=("batch", 2, 6)))
    conv = nn.ConvTranspose1d(2, 3, 4, stride=2, padding=1, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.from_numpy(kernel))
    expected = ef.as_network(nn.Sequential(conv), input_shape=(2, 6))
    assert net[0].patch == (2, 2)
    np.testing.assert_array_equal(net[0].weight, expected[0].weight)
