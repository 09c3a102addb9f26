"""Models that decide by what they compute, or draw at random, are not measured as if they always did what they did."""

import logging
import random
import re

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from models import Does
from torch import nn

import ei_fast as ef


def _between(function, **parts):
    """A model with a function of it and of a hidden value between two dense layers."""
    torch.manual_seed(0)
    return Does(lambda s, x: s.b(function(s, s.a(x))), a=nn.Linear(4, 5), b=nn.Linear(5, 3), **parts)


def _chooses(condition):
    return _between(lambda s, h: torch.relu(h) if condition(h) else torch.tanh(h))


# What is so for all inputs that are tried, and need not be for others.
ASKED = {
    "bool": lambda h: h.mean() > -9,
    "contains": lambda h: 1e9 not in h,
    "item": lambda h: h.mean().item() > -1e5,
    "float": lambda h: float(h.sum()) > -1e9,
    "int": lambda h: int(h.sum()) > -(10**5),
    "tolist": lambda h: h.mean(0).tolist()[0] > -9,
    "numpy": lambda h: h.detach().cpu().numpy().mean() > -9,
    "array": lambda h: np.asarray(h).max() > -9,
    "is_nonzero": lambda h: torch.is_nonzero(h.sum()),
    "allclose": lambda h: torch.allclose(h, h),
    "index": lambda h: [False, True][(h.mean() > -9).long()],
    "numel": lambda h: torch.nonzero(h > -9).numel() > 0,
    "len": lambda h: len(h[h > -9]) > 0,
    "get": lambda h: torch.masked_select(h, h > -9).shape[0] > 0,
    "size": lambda h: torch.where(h > -9)[0].size(0) > 0,
}


@pytest.mark.parametrize("what", ASKED)
@pytest.mark.parametrize("verify", [True, False])
def test_what_a_model_decides_by_is_named_where_it_would_do_something_else_for_other_answers(what, verify):
    net = ef.as_network(_chooses(ASKED[what]), verify=verify)
    assert [str(layer.activation) for layer in net] == ["relu", "linear"]
    reasons = [
        reason for _, reason in net.skipped if re.search(rf"reads numbers out of its tensors \('{what}' in", reason)
    ]
    assert any("goes on with 'tanh' where it goes on with 'relu'" in reason for reason in reasons), net.skipped
    assert what in str(ef.analyze(net, random_state=0, tol=0.5))


DIFFERS_ALONE = {
    "mean": lambda h: h.mean() > 0,
    "item": lambda h: h.mean().item() > 0,
    "first": lambda h: float(h[0, 0]) > 0,
    "any": lambda h: (h.mean(1) > 0).any() and not (h.mean(1) > 0).all(),
}


@pytest.mark.parametrize("what", DIFFERS_ALONE)
def test_a_model_that_goes_another_way_for_a_sample_alone_is_refused(what):
    model = _chooses(DIFFERS_ALONE[what])
    with pytest.raises(ValueError, match="'relu' for a batch, and goes on with 'tanh'|does not do the same for all"):
        ef.as_network(model)
    net = ef.as_network(model, verify=False)
    assert any("measured is what it does on random inputs" in reason for _, reason in net.skipped)


@pytest.mark.parametrize(
    "function",
    [
        lambda s, h: h / h.norm().item(),
        lambda s, h: h - torch.tensor(h.mean(0).tolist(), dtype=h.dtype),
        lambda s, h: h * float(h.abs().max()),
        lambda s, h: h + torch.from_numpy(h.detach().numpy().mean(0)),
    ],
)
def test_numbers_that_are_computed_of_a_batch_are_no_weights(function):
    with pytest.raises(ValueError, match="computes with numbers that it reads out of its tensors"):
        ef.as_network(_between(function))
    net = ef.as_network(_between(function), verify=False)
    assert any("reads numbers out of its tensors" in reason for _, reason in net.skipped)


def _checked(s, h):
    assert torch.isfinite(h).all()
    assert h.abs().max() < 1e6
    if torch.isnan(h).any() or torch.isinf(h).any():
        h = torch.nan_to_num(h)
    if h.abs().max().item() > 1e9:
        raise FloatingPointError
    h = torch.where(torch.isnan(h), torch.zeros_like(h), h)
    torch._assert((h < 1e6).all(), "It explodes.")
    return torch.relu(h)


def _logged(s, h):
    s.last = h.mean().item()
    logging.getLogger("model").debug("mean %.2f, norm %s", s.last, h.norm())
    s.history = [*getattr(s, "history", []), *h.mean(0).tolist()]
    s.seen = f"{h.mean():.2f}"
    return torch.relu(h)


def _decides_by_what_it_holds(s, h):
    assert h.shape[1] == 5
    if s.scale > 0 and s.scale.item() < 9 and len(h) > 0 and h.size(1) == 5 and h.numel() and not s.training:
        h = h * s.scale.item()
    if s.mask.any() and s.mask.nonzero().numel() == 5:
        s.count += 1
    return torch.relu(h) if h.is_floating_point() and s.count > 0 else h


@pytest.mark.parametrize("function", [_checked, _logged, _decides_by_what_it_holds])
def test_what_changes_nothing_and_what_a_model_decides_by_its_own_weights_are_not_named(function):
    model = _between(function)
    model.scale = nn.Parameter(torch.full((), 2.0))
    model.register_buffer("mask", torch.ones(5))
    model.register_buffer("count", torch.zeros(()))
    net = ef.as_network(model)
    assert not net.skipped
    assert not net.restarts
    assert [str(layer.activation) for layer in net] == ["relu", "linear"]


def test_a_model_that_repeats_something_as_often_as_it_computes_is_named_in_little_time():
    def repeated(s, h):
        for _ in range(1 + int(h.mean() > -9)):
            h = torch.tanh(h)
        return h

    net = ef.as_network(_between(repeated))
    assert any("'int' in repeated" in reason for _, reason in net.skipped)


def test_branches_that_stand_in_the_graph_are_named():
    model = _between(lambda s, h: torch.cond(h.mean() > -9, torch.relu, torch.tanh, (h,)))
    net = ef.as_network(model)
    assert net.restarts == {1}
    assert any("layer 'a' is measured without it" in reason for _, reason in net.skipped)


class _Decides(nn.Module):
    def forward(self, h):
        return torch.relu(h) if h.mean() > 0 else torch.tanh(h)


def test_a_block_that_decides_for_a_whole_batch_is_refused():
    model = _between(lambda s, h: s.n(h), n=_Decides())
    with pytest.raises(ValueError, match="The block 'n' must map every row by itself"):
        ef.as_network(model, blocks={"n": (-30.0, 30.0)})


@pytest.mark.parametrize(
    "function",
    [
        lambda s, h: torch.relu(h) * random.random(),
        lambda s, h: torch.relu(h) + float(np.random.rand()),  # noqa: NPY002
        lambda s, h: F.dropout(h, 0.5),
        lambda s, h: torch.relu(h + 0.1 * torch.randn_like(h)),
        lambda s, h: torch.relu(h) * torch.rand(5),
    ],
)
def test_what_is_drawn_when_a_model_runs_is_no_weight(function):
    state, said = random.getstate(), ""
    try:
        said = str(ef.as_network(_between(function)).skipped)
    except ValueError as error:
        said = str(error)
    assert random.getstate() == state
    assert re.search("layer 'a' is measured without it|differs from the model's|does not do the same", said)


def test_a_model_that_takes_nothing_beyond_its_range_says_what_it_was_given():
    def checked(s, h):
        assert h.abs().max() < 3
        return torch.relu(h)

    model = _between(checked)
    with pytest.raises(AssertionError) as raised:
        ef.as_network(model)
    assert any("beyond in_range, from -4.5 to 5.5" in note for note in raised.value.__notes__)
    assert not ef.as_network(model, verify=False).skipped
