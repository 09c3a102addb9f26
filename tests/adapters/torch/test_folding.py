"""Batch norms and scales are folded into the layers beside them, and nothing else is."""

import pytest
import torch
import torch.nn.functional as F
from models import Does, agrees, trained
from networks import activations_of, names_of
from torch import nn

import ei_fast as ef


def test_batch_norm_and_dropout():
    model = nn.Sequential(
        nn.BatchNorm1d(6),
        nn.Linear(6, 5),
        nn.BatchNorm1d(5),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(5, 4),
        nn.Tanh(),
        nn.BatchNorm1d(4, affine=False),
        nn.Linear(4, 3),
    )
    with torch.no_grad():
        for norm in (model[0], model[2]):
            norm.weight.uniform_(0.5, 2)
            norm.bias.normal_()
    trained(model, 6)
    net = ef.as_network(model)
    assert names_of(net) == ["1", "5", "8"]
    assert not net.skipped
    agrees(net, model, 6)


def test_what_is_returned_is_not_folded_away():
    net = ef.as_network(Does(lambda s, x: (lambda y: (y, y.relu()))(s.a(x)), a=nn.Linear(4, 3)))
    assert activations_of(net) == ["linear"]
    assert [name for name, _ in net.skipped] == ["relu"]


@pytest.mark.parametrize(
    ("forward", "parts", "width", "left"),
    [
        # Scales that differ from place to place, one of another width, of the wrong side, and by zero.
        (lambda s, x: s.a((x * torch.arange(6)).view(-1, 2, 3)).flatten(1), {"a": nn.Linear(3, 2)}, 6, ["mul"]),
        (lambda s, x: s.a(x * torch.arange(1, 5)), {"a": nn.Linear(4, 2)}, 1, ["mul"]),
        (lambda s, x: torch.full((len(x),) * 2, 0.1, dtype=x.dtype) @ s.a(x), {"a": nn.Linear(4, 2)}, 4, ["matmul"]),
        (lambda s, x: s.a(x) / torch.tensor([1.0, 0.0]), {"a": nn.Linear(4, 2)}, 4, ["div"]),
        (lambda s, x: s.a(x).squeeze(-1).softmax(-1), {"a": nn.Linear(4, 1)}, 4, ["softmax"]),
        (lambda s, x: s.a(x).view(-1, 2, 2).softmax(-1), {"a": nn.Linear(4, 4)}, 4, ["softmax"]),
        (lambda s, x: s.a(x).to(torch.int64), {"a": nn.Linear(4, 4)}, 4, ["to"]),
    ],
)
def test_what_only_looks_like_a_scale_or_a_softmax(forward, parts, width, left):
    net = ef.as_network(Does(forward, **parts), input_shape=(width,))
    assert names_of(net) == ["a"]
    assert set(left) <= {name for name, _ in net.skipped}


def test_scales_on_either_side():
    model = Does(lambda s, x: torch.ones(3) * 2 * (1 - s.a(x)) + torch.arange(3), a=nn.Linear(4, 3))
    net = ef.as_network(model)
    assert not net.skipped
    agrees(net, model, 4)


def test_a_last_step_in_fewer_digits():
    for forward in (lambda s, x: s.a(x).float(), lambda s, x: torch.softmax(s.a(x).float(), -1)):
        net = ef.as_network(Does(forward, a=nn.Linear(4, 3)))
        assert len(net) == 1
        assert not net.skipped


def test_weights_that_are_drawn_are_not_constants():
    model = Does(lambda s, x: F.linear(x, s.a.weight + torch.randn_like(s.a.weight)), a=nn.Linear(4, 3))
    with pytest.raises(ValueError, match="as extracted differs"):
        ef.as_network(model)
