"""Remedies of PyTorch models that decide, and of what cannot be run, followed."""

import numpy as np
import torch
from models import Does
from torch import nn

import ei_fast as ef
from followed import follows


def _decides(h):
    return torch.relu(h) if h.mean() > 0 else torch.tanh(h)


def _between(function, **parts):
    torch.manual_seed(0)
    return Does(lambda s, x: s.b(function(s.a(x))), a=nn.Linear(4, 5), b=nn.Linear(5, 3), **parts)


class _ByRow(nn.Module):
    """Decides for each sample by itself."""

    def forward(self, h):
        return torch.stack([torch.relu(row) if row.sum() > 0 else torch.tanh(row) for row in h])


@follows("does not do the same for all inputs: it {} for a batch, and {} for a sample of it alone. Name the")
def _(said):
    said.refused(ef.as_network, _between(_decides))
    net = ef.as_network(_between(_decides), verify=False)
    assert [name for name, _ in net.skipped] == ["bool"]
    torch.manual_seed(0)
    model = Does(lambda s, x: s.b(s.n(s.a(x))), a=nn.Linear(4, 5), b=nn.Linear(5, 3), n=_ByRow())
    assert [layer.name for layer in ef.as_network(model, blocks={"n": (-30.0, 30.0)})] == ["a", "n", "b"]


@follows(
    "Leave them in tensors, which shows what is computed of them, or use verify=False to measure what it does to a"
)
def _(said):
    said.refused(ef.as_network, _between(lambda h: h / h.norm().item()))
    assert ef.as_network(_between(lambda h: h / h.norm())).restarts == {1}
    ef.as_network(_between(lambda h: h / h.norm().item()), verify=False)


@follows("for which layers are compared with the model as well. Where it takes none of these, use verify=False.")
def _(said):
    def checked(h):
        if h.abs().max() > 3:
            raise ValueError("It explodes.")
        return torch.relu(h)

    said.refused(ef.as_network, _between(checked))
    assert not ef.as_network(_between(checked), verify=False).skipped


@follows(
    "is on the meta device: it has a shape and no numbers. Load its weights, model.load_state_dict(state, assign=True)"
)
def _(said):
    state = nn.Linear(4, 3).state_dict()
    with torch.device("meta"):
        model = nn.Linear(4, 3)
    said.refused(ef.as_network, model)
    model.load_state_dict(state, assign=True)
    np.testing.assert_array_equal(ef.as_network(model)[0].weight, state["weight"].numpy().T)


@follows("Put the module that it was made from in its place to measure its layers, and the one before it")
def _(said):
    inner = nn.ReLU()
    net = ef.as_network(nn.Sequential(nn.Linear(4, 5), torch.jit.script(inner), nn.Linear(5, 3)))
    said.messages += [reason for name, reason in net.notes if name == "1"]
    net = ef.as_network(nn.Sequential(nn.Linear(4, 5), inner, nn.Linear(5, 3)))
    assert [layer.name for layer in net] == ["0", "2"]
    assert str(net[0].activation) == "relu"
