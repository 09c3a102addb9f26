"""Remedies about example inputs and the ranges that are seen with them, followed."""

import numpy as np
import pytest
import torch
from torch import nn

import ei_fast as ef
from followed import follows, literal


class Towers(nn.Module):
    """Two inputs, a layer for each, and one for both."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.both = nn.Linear(4, 3), nn.Linear(2, 3), nn.Linear(6, 2)

    def forward(self, x, t):
        return self.both(torch.cat([torch.relu(self.a(x)), torch.tanh(self.b(t))], 1))


class Masked(nn.Module):
    """One input, and another that may be left out."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 3)

    def forward(self, x, mask=None):
        return self.a(x if mask is None else x * mask)


class Tokens(nn.Module):
    """Layers behind a table."""

    def __init__(self):
        super().__init__()
        self.table, self.a, self.b = nn.Embedding(10, 4), nn.Linear(4, 5), nn.Linear(5, 2)

    def forward(self, x):
        return self.b(torch.relu(self.a(self.table(x))))


def names(net):
    return [layer.name for layer in net]


@follows("Give example_inputs=, what it is called with, a batch of each, as example_inputs=({}) or example_inputs={{")
def _(said):
    model, x, t = Towers(), torch.rand(5, 4), torch.rand(5, 2)
    message = said.refused(ef.as_network, model)
    code = message.split("as example_inputs=")[1].removesuffix(".")
    for given in code.split(" or example_inputs="):
        example_inputs = eval(given, {"x": x, "t": t})
        assert names(ef.as_network(model, example_inputs=example_inputs)) == ["a", "b", "both"]


@follows("Give a tuple of them in this order, or a dict with these names.")
def _(said):
    x, t = torch.rand(5, 4), torch.rand(5, 2)
    said.refused(ef.as_network, Towers(), example_inputs=x)
    for given in ((x, t), {"x": x, "t": t}):
        assert len(ef.as_network(Towers(), example_inputs=given)) == 3


@follows("which it does not take. Leave them out.")
def _(said):
    given = {"x": torch.rand(5, 4), "t": torch.rand(5, 2), "weather": torch.rand(5)}
    message = said.refused(ef.as_network, Towers(), example_inputs=given)
    del given[literal(message, "Got ")]
    assert len(ef.as_network(Towers(), example_inputs=given)) == 3


@follows("Give a tuple of what it is called with: example_inputs=({}) without labels, or example_inputs=({}).")
def _(said):
    x, mask = torch.rand(5, 4), torch.ones(5, 4)
    message = said.refused(ef.as_network, Masked(), example_inputs=[x, mask])
    code = message.split("called with: example_inputs=")[1]
    for given in code.removesuffix(".").split(" without labels, or example_inputs="):
        [layer] = ef.as_network(Masked(), example_inputs=eval(given, {"x": x, "mask": mask}))
        assert layer.n_in == 4


@follows("with rows of one length. Got several lengths instead. Fill rows up.")
def _(said):
    said.refused(ef.as_network, Tokens(), example_inputs={"x": [[1, 2, 3], [4]]})
    assert len(ef.as_network(Tokens(), example_inputs={"x": [[1, 2, 3], [4, 0, 0]]})) == 2


@follows("{}, numbers. Got an array of type {} instead. Convert it to numbers.")
def _(said):
    x = np.array([["1", "2", "3", "4"]])
    said.refused(ef.as_network, Masked(), example_inputs=x)
    assert len(ef.as_network(Masked(), example_inputs=x.astype(float))) == 1


@follows("Give example_inputs=, a batch of integers as the model is called with, as example_inputs=torch.randint({},")
def _(said):
    message = said.refused(ef.as_network, Tokens())
    code = message.split("as example_inputs=")[1].split(" for 16")[0]
    assert names(ef.as_network(Tokens(), example_inputs=eval(code, {"torch": torch}))) == ["a", "b"]


@follows("Where it takes integers, or several inputs, give example_inputs=, what it is called with.")
def _(said):
    class OneHot(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 3)

        def forward(self, x, y=None):
            return self.a(nn.functional.one_hot(x, 4).to(self.a.weight.dtype) * y)

    said.refused(ef.as_network, OneHot())
    assert names(ef.as_network(OneHot(), example_inputs=(torch.arange(4), torch.rand(4, 1)))) == ["a"]


@follows("The {} parameter is 'seen', and the model has not been run on examples. Give example_inputs=")
def _(said):
    model = nn.Sequential(nn.Linear(4, 3))
    said.refused(ef.analyze, model, in_range="seen")
    x = torch.rand(5, 4)
    [layer] = ef.analyze(model, in_range="seen", example_inputs=x, tol=0.5, random_state=0)
    assert layer.in_range == pytest.approx((float(x.min()), float(x.max())))


@follows("the model ran on the example inputs. Give {}='auto', or example inputs for which it is finite.")
def _(said):
    model, x = nn.Sequential(nn.Linear(4, 3)), torch.rand(5, 4)
    bad = x.clone()
    bad[0, 0] = torch.inf
    message = said.refused(ef.analyze, model, out_range="seen", example_inputs=bad)
    auto = {literal(message, "Give ") if "'" in message.split("Give ")[1][0] else "out_range": "auto"}
    ef.analyze(model, example_inputs=bad, tol=0.5, random_state=0, **auto)
    ef.analyze(model, example_inputs=x, out_range="seen", tol=0.5, random_state=0)


@follows("must hold one entry a layer, {}. Got {} instead. Give None for layers of which nothing is known.")
def _(said):
    layers = [ef.Layer(np.eye(2)), ef.Layer(np.eye(2))]
    one = ((0.0, 1.0), (0.0, 1.0))
    said.refused(ef.Network, layers, seen=[one])
    assert ef.Network(layers, seen=[one, None]).seen == (one, None)


@follows("the smallest before the largest. Got {} instead. Give None for a layer of which nothing is known.")
def _(said):
    said.refused(ef.Network, [ef.Layer(np.eye(2))], seen=[((0.0, np.nan), (0.0, 1.0))])
    assert ef.Network([ef.Layer(np.eye(2))], seen=[None]).seen == (None,)


@follows("or patches of an image. Pass the model that it was read from, which runs on them.")
def _(said):
    model, x = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Linear(3, 2)), torch.rand(5, 4)
    said.refused(ef.analyze, ef.as_network(model), example_inputs=x)
    assert len(ef.as_network(model, example_inputs=x).seen) == 2


@follows("{}. Got {} instead. Convert it to an array of numbers.")
def _(said):
    said.refused(ef.as_network, np.eye(3), example_inputs=[["1", "0", "1"]])
    assert ef.as_network(np.eye(3), example_inputs=np.array([["1", "0", "1"]]).astype(float)).seen[0][0] == (0.0, 1.0)


@follows("at least one row of the {} inputs of the first layer. Got the shape {} instead. Give it as many columns.")
def _(said):
    message = said.refused(ef.as_network, np.eye(3), example_inputs=np.ones((5, 2)))
    n_in = literal(message, "at least one row of the ")
    assert len(ef.as_network(np.eye(3), example_inputs=np.ones((5, n_in))).seen) == 1


@follows("Integers are taken as they are: where they are numbers in a range, convert them to float32.")
def _(said):
    model, x = nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), torch.randint(255, (4, 3, 2, 2), dtype=torch.uint8)
    said.refused(ef.as_network, model, example_inputs=x)
    assert ef.as_network(model, in_range=(0.0, 255.0), example_inputs=x.to(torch.float32))[0].n_in == 12
