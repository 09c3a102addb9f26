"""What is done where it cannot be seen, or in ways that are easily missed, is named."""

import numpy as np
import pytest
import torch
from models import Does
from networks import activations_of, names_of
from torch import nn

import ei_fast as ef


class Unseen(torch.autograd.Function):
    """Not a function that can be watched."""

    @staticmethod
    def forward(context, x):
        return torch.from_numpy(np.sin(x.detach().numpy()))


class Hidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.fc2(Unseen.apply(self.fc1(x)))


def test_what_cannot_be_seen_is_not_taken_for_a_constant():
    net = ef.as_network(Hidden())
    assert names_of(net) == ["fc2"]
    assert net.restarts == {0}
    assert [name for name, _ in net.skipped] == ["unseen", "fc1"]


def _changed(y, change):
    change(y)
    return y


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y.view(-1).relu_(),
        lambda y: y.chunk(2, 1)[0].sigmoid_(),
        lambda y: y[:, :2].zero_(),
        lambda y: y.data.relu_(),
        lambda y: np.tanh(y.numpy(), out=y.numpy()),
    ],
)
def test_a_change_through_a_view_is_seen(change):
    last = ef.as_network(Does(lambda s, x: _changed(s.a(x), change), a=nn.Linear(4, 4)))
    assert activations_of(last) == ["linear"]
    assert "a change in place that was not seen" in dict(last.skipped)["in place"]
    tiny = nn.Linear(4, 3)
    with torch.no_grad():
        for parameter in tiny.parameters():
            parameter.mul_(1e-9)
    middle = ef.as_network(Does(lambda s, x: s.b(_changed(s.a(x), change)), a=nn.Linear(4, 4), b=tiny))
    assert middle.restarts == {1}


def test_what_is_lost_sight_of_is_named():
    def hidden(self, x):
        return self.c(self.b(Unseen.apply(self.a(x))))

    def written(self, x):
        out = torch.zeros(len(x), 4, dtype=x.dtype)
        out[:, :2].copy_(self.a(x))
        return self.c(out) + self.b(x)

    for forward, widths, left in (
        (hidden, ((4, 4), (4, 4), (4, 2)), {"a", "unseen"}),
        (written, ((4, 2), (4, 2), (4, 2)), {"a", "unseen"}),
    ):
        parts = {name: nn.Linear(*width) for name, width in zip("abc", widths, strict=True)}
        net = ef.as_network(Does(forward, **parts))
        assert left <= {name for name, _ in net.skipped}
    half = ef.as_network(Does(lambda s, x: (s.a(x), Unseen.apply(s.b(x))), a=nn.Linear(4, 3), b=nn.Linear(4, 3)))
    assert names_of(half) == ["a"]
    assert {"b", "unseen"} <= {name for name, _ in half.skipped}


def test_scripted_parts():
    net = ef.as_network(nn.Sequential(nn.Linear(4, 3), torch.jit.script(nn.ReLU()), nn.Linear(3, 2)))
    assert names_of(net) == ["2"]
    assert [name for name, _ in net.skipped] == ["unseen", "0"]


@pytest.mark.parametrize(
    "function",
    [
        lambda h: h / h.abs().max().detach(),
        lambda h: h * torch.sigmoid(h.mean()),
        lambda h: h + h.max().float(),
        lambda h: h - h.sum().reshape(1),
    ],
    ids=["largest", "mean", "cast", "one"],
)
def test_a_single_number_made_of_all_is_part_of_no_layer(function):
    net = ef.as_network(Does(lambda s, x: s.b(function(s.a(x))), a=nn.Linear(4, 5), b=nn.Linear(5, 3)))
    assert [layer.name for layer in net] == ["a", "b"]
    assert net.restarts == {1}
    assert net[0].activation.name == "linear"
    assert net.skipped


def test_names_are_given_in_what_is_said_of_an_activation_too():
    model = nn.Sequential(nn.Linear(4, 3), Does(lambda s, h: torch.log(h)))
    reasons = dict(ef.as_network(model, names=["first"], verify=False).skipped).values()
    assert any("layer 'first' can reach" in reason for reason in reasons)
