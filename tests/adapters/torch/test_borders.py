"""Convolutions of which no window lies wholly inside: the map of the patch at the border."""

import numpy as np
import pytest
import torch
from models import Does
from networks import names_of
from torch import nn

import ei_fast as ef

CASES = {
    "3x3 on 2x2": (nn.Conv2d(2, 3, 3, padding=1), (2, 2, 2), (2, 2, 2)),
    "3x3 on a pixel": (nn.Conv2d(2, 3, 3, padding=1), (2, 1, 1), (2, 1, 1)),
    "3x3 on a row": (nn.Conv2d(2, 3, 3, padding=1), (2, 1, 6), (2, 1, 3)),
    "7x7 on 4x5": (nn.Conv2d(1, 2, 7, padding=3), (1, 4, 5), (1, 4, 5)),
    "without bias": (nn.Conv2d(2, 3, 3, padding=1, bias=False), (2, 2, 2), (2, 2, 2)),
    "in groups": (nn.Conv2d(4, 4, 3, padding=1, groups=2), (4, 2, 2), (4, 2, 2)),
    "by channel": (nn.Conv2d(3, 3, 3, padding=1, groups=3), (3, 2, 2), (3, 2, 2)),
    "with holes": (nn.Conv1d(1, 3, 5, padding=4, dilation=2), (1, 6), (1, 3)),
    "with strides that miss the middle": (nn.Conv1d(1, 2, 3, stride=4, padding=2), (1, 4), (1, 2)),
    "one value of three": (nn.Conv1d(1, 2, 3, stride=3, padding=2), (1, 2), (1, 1)),
    "the same": (nn.Conv1d(2, 2, 6, padding="same"), (2, 4), (2, 4)),
    "in space": (nn.Conv3d(1, 2, 3, padding=1), (1, 2, 3, 2), (1, 2, 3, 2)),
}


def _outputs(conv, shape, inputs):
    """What a convolution of a sample gives at each of its places, as the inputs vary."""
    with torch.no_grad():
        return conv.double()(torch.from_numpy(inputs).reshape(-1, *shape)).flatten(2).numpy()


@pytest.mark.parametrize("what", CASES)
def test_the_patch_at_the_border_is_what_the_convolution_does_there(what):
    conv, shape, patch = CASES[what]
    torch.manual_seed(0)
    net = ef.as_network(nn.Sequential(conv, nn.Tanh()), input_shape=shape)
    [layer] = net
    assert layer.patch == patch
    assert net.notes == [("0", dict(net.notes)["0"])]
    assert "lies nowhere wholly inside what it reads: measured is the patch of" in net.notes[0][1]
    # At one of its places the real convolution does just this to some of the inputs, and to no others.
    size = int(np.prod(shape))
    probes = np.concatenate([np.zeros((1, size)), np.eye(size)])
    at_all = _outputs(conv, shape, probes)
    bias, effect = at_all[0], at_all[1:] - at_all[0]
    most = max(int((np.abs(effect[:, :, k]).sum(axis=1) > 0).sum()) for k in range(bias.shape[1]))
    assert layer.n_in == most
    matching = [
        k
        for k in range(bias.shape[1])
        if np.allclose(layer.bias, bias[:, k])
        and (np.abs(effect[:, :, k]).sum(axis=1) > 0).sum() == most
        and np.allclose(effect[np.abs(effect[:, :, k]).sum(axis=1) > 0, :, k], layer.weight)
    ]
    assert matching


def test_what_follows_is_folded_and_activated():
    torch.manual_seed(1)
    norm = nn.BatchNorm2d(3)
    norm.running_mean.uniform_(-1, 1)
    norm.running_var.uniform_(0.5, 2)
    conv = nn.Conv2d(2, 3, 3, padding=1)
    model = nn.Sequential(conv, norm, nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)).eval()
    net = ef.as_network(model, input_shape=(2, 2, 2))
    assert names_of(net) == ["0", "4"]
    scale = 1 / np.sqrt(norm.running_var.numpy().astype(float) + norm.eps)
    weight = conv.weight.detach().numpy().astype(float)[:, :, 1:, 1:].reshape(3, 8).T
    np.testing.assert_allclose(net[0].weight, weight * scale, rtol=1e-5)
    bias = (conv.bias.detach().numpy() - norm.running_mean.numpy()) * scale
    np.testing.assert_allclose(net[0].bias, bias, rtol=1e-5)
    assert net[0].activation.name == "relu"
    assert not net.restarts
    assert ef.analyze(net, random_state=0, tol=0.5)[0].ei > 0


def test_a_norm_before_it_is_not_taken_in_for_what_is_padded_is_not_normed():
    torch.manual_seed(2)
    norm = nn.BatchNorm2d(2)
    norm.running_mean.uniform_(-1, 1)
    conv = nn.Conv2d(2, 3, 3, padding=1)
    model = nn.Sequential(nn.Conv2d(2, 2, 1), nn.ReLU(), norm, conv).eval()
    net = ef.as_network(model, input_shape=(2, 2, 2))
    assert names_of(net) == ["0", "3"]
    np.testing.assert_allclose(net[1].weight, conv.weight.detach().numpy()[:, :, 1:, 1:].reshape(3, 8).T, rtol=1e-6)
    np.testing.assert_allclose(net[1].bias, conv.bias.detach().numpy(), rtol=1e-6)
    assert dict(net.skipped)["2"].startswith("a scale and shift that belongs to no layer")


def test_padding_of_its_own_is_no_input_where_it_is_zero():
    torch.manual_seed(3)
    conv = nn.Conv2d(2, 3, 3)
    net = ef.as_network(nn.Sequential(nn.ZeroPad2d(1), conv), input_shape=(2, 2, 2))
    assert net[0].patch == (2, 2, 2)
    np.testing.assert_allclose(net[0].weight, conv.weight.detach().numpy()[:, :, 1:, 1:].reshape(3, 8).T, rtol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(nn.ConstantPad2d(1, 2.0), nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 2)),
        nn.Sequential(nn.Conv2d(2, 3, 3, padding=1, padding_mode="replicate"), nn.Flatten(), nn.Linear(12, 2)),
        nn.Sequential(nn.ZeroPad2d(1), nn.BatchNorm2d(2), nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(12, 2)).eval(),
    ],
)
def test_other_padding_leaves_no_patch(model):
    net = ef.as_network(model, input_shape=(2, 2, 2))
    assert len(net) == 1
    assert any("lies nowhere wholly inside" in reason for _, reason in net.skipped)


def test_a_pool_behind_is_named():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(2, 2))
    net = ef.as_network(model, input_shape=(1, 2, 2))
    assert names_of(net) == ["0", "4"]
    assert [name for name, _ in net.skipped] == ["2"]


def test_one_that_is_called_twice_has_a_note_under_each_name():
    model = Does(lambda s, x: s.c(torch.relu(s.c(x))), c=nn.Conv2d(2, 2, 3, padding=1))
    net = ef.as_network(model, input_shape=(2, 2, 2))
    assert [name for name, _ in net.notes] == names_of(net) == ["c", "c#2"]


def test_where_one_window_lies_inside_nothing_has_changed():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU())
    net = ef.as_network(model, input_shape=(1, 3, 3))
    assert net[0].patch == (1, 3, 3)
    assert not net.notes
