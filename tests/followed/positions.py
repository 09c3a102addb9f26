"""Remedies of layers per position, followed."""

import numpy as np
import pytest
from models import Does
from torch import nn

import ei_fast as ef
from followed import follows, literal

QUICK = {"random_state": 0, "tol": 0.5}


@follows("which says the same of a convolution. Got True with the patch {}. Leave it out.")
def _(said):
    given = {"weight": np.ones((4, 2)), "patch": (4, 1)}
    said.refused(ef.Layer, **given, per_position=True)
    assert ef.Layer(**given).patch == (4, 1)


@follows("some are the map of one position of a sample, and others that of all. Name what holds them in 'blocks'")
def _(said):
    inner = nn.Sequential(nn.Linear(3, 2), nn.Flatten(), nn.Linear(10, 2))
    model = Does(lambda self, x: self.inner(x), inner=inner)
    net = ef.as_network(model, input_shape=(5, 3))
    said.refused(ef.Network([layer.over((0.0, 1.0)) for layer in net]).between, 0, 1)
    with pytest.raises(ValueError, match="'blocks'"):
        net.between(0, 1)
    assert len(ef.as_network(model, input_shape=(5, 3), blocks={"inner": (-3.0, 3.0)})) == 1


@follows("cannot be. Give it the 'per_position' and weights that the model has.")
def _(said):
    first, wide = ef.Layer(np.ones((3, 2)), per_position=True), np.ones((9, 4))
    said.refused(ef.Network, [first, ef.Layer(wide)])
    assert len(ef.Network([first, ef.Layer(np.ones((10, 4)))])) == 2


@follows("; use blocks='auto' to have it found")
def _(said):
    residual = Does(lambda self, x: x + self.dense(x), dense=nn.Linear(2, 2))
    gated = Does(lambda self, x: self.a(x) * self.b(x).sigmoid(), a=nn.Linear(2, 2), b=nn.Linear(2, 2))
    for part in (residual, gated):
        model = nn.Sequential(nn.Linear(2, 2), part, nn.Linear(2, 2))
        said.messages += [reason for _, reason in ef.as_network(model).skipped]
        blocks = literal(said.messages[-1], "use blocks=")
        assert not ef.as_network(model, blocks=blocks).skipped
        assert [layer.name for layer in ef.analyze(model, blocks=blocks, **QUICK)] == ["0", "1", "2"]
