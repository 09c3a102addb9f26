"""Remedies of layers and networks, followed."""

import numpy as np
import torch

import ei_fast as ef
from followed import follows, literal

QUICK = {"random_state": 0, "tol": 0.5}


@follows("Give some, as {'w0': weight}.")
def _(said):
    weight = np.ones((2, 2))
    said.refused(ef.as_network, {"frequency": 3.0})
    assert len(ef.as_network({"w0": weight})) == 1


@follows("Candidates are {}. Give order={}, or other names")
def _(said):
    for model in (
        {"head.weight": np.ones((2, 2)), "w0": 30.0},
        {"head": {"kernel": np.ones((2, 2))}, "body": {"kernel": np.ones((2, 2))}},
        {"c.weight": np.ones((2, 2, 3, 3)), "a.weight": np.ones((3, 2)), "b.weight": np.ones((1, 3))},
        {"w0": 30.0, "w1": np.ones((2, 3)), "w2": np.ones((3, 1))},
        {f"l{k}x": {"kernel": np.ones((k + 1, k + 2))} for k in range(30)} | {"other": np.ones(3)},
    ):
        message = said.refused(ef.as_network, model)
        order = literal(message, "Give order=")
        assert order
        alone = ef.as_network(model, chain=literal(message, "With chain="))
        assert {layer.name for layer in alone} >= set(order)
        assert [layer.name for layer in ef.as_network(model, order=order)] == order
        assert [layer.name for layer in ef.analyze(model, order=order, pairwise="none", **QUICK)] == order


@follows("Name a batch norm right after the dense layer that feeds it, and give norm_place=")
def _(said):
    norm = {"bn.running_mean": np.ones(2), "bn.running_var": np.ones(2)}
    model = {"a.weight": np.ones((2, 2)), **norm, "b.weight": np.ones((2, 2))}
    message = said.refused(ef.as_network, model)
    order = literal(message, "Give order=")
    assert order == ["a", "bn", "b"]
    for place in (literal(message, "give norm_place="), literal(message, " or norm_place=")):
        assert len(ef.as_network(model, order=order, norm_place=place).skipped) == 0


@follows("name that layer first, or leave the batch norm out.")
def _(said):
    norm = {"bn.running_mean": np.ones(2), "bn.running_var": np.ones(2)}
    model = {"a.weight": np.ones((2, 2)), **norm}
    said.refused(ef.as_network, model, order=["bn", "a"], norm_place="before")
    assert len(ef.as_network(model, order=["a", "bn"], norm_place="before")) == 1
    assert len(ef.as_network(model, order=["a"])) == 1


@follows("takes no parameters here. Got {}. Bind them beforehand.")
def _(said):
    from functools import partial

    def scaled(x, scale):
        return np.tanh(scale * x)

    said.refused(ef.Activation, scaled, (-1.0, 1.0), scale=2.0)
    ef.Activation(partial(scaled, scale=2.0), (-1.0, 1.0))


@follows("Read the model over it: as_network(model, in_range={}).")
def _(said):
    class Residual(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.outer = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)

        def forward(self, x):
            return self.outer(x + torch.tanh(self.inner(x)))

    model = Residual()
    network = ef.as_network(model)
    message = said.refused(network.over, (-3.0, 3.0))
    assert ef.as_network(model, in_range=literal(message, "as_network(model, in_range=")).in_range == (-3.0, 3.0)


@follows("a patch of one is made of many of the one before. Name what holds them in 'blocks' of as_network.")
def _(said):
    convolutions = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 2), torch.nn.ReLU(), torch.nn.Conv2d(2, 2, 2))
    model = torch.nn.Sequential(convolutions, torch.nn.Flatten(), torch.nn.Linear(8, 2))
    network = ef.as_network(model, input_shape=(1, 4, 4))
    said.refused(network.between, 0, 1)
    message = said.refused(ef.as_network, model, input_shape=(1, 4, 4), blocks=["0"])
    blocks = literal(message, "Give it, as blocks=")
    assert ef.as_network(model, input_shape=(1, 4, 4), blocks=blocks)[0].name == "0"


@follows("the model does something between them that is no layer. Name it in 'blocks' of as_network.")
def _(said):
    class Sum(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = torch.nn.Linear(2, 2)

        def forward(self, x):
            return x + torch.tanh(self.inner(x))

    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Tanh(), Sum(), torch.nn.Linear(2, 2))
    network = ef.as_network(model)
    said.refused(network.between, 0, len(network) - 1)
    network = ef.as_network(model, blocks={"2": (-2.0, 2.0)})
    network.between(0, len(network) - 1)


@follows("cannot be. Give it the patch and weights that the model has.")
def _(said):
    first = ef.Layer(np.ones((4, 3)), patch=(1, 2, 2))
    said.refused(ef.Network, [first, ef.Layer(np.ones((8, 2)), patch=(2, 2, 2))])
    ef.Network([first, ef.Layer(np.ones((12, 2)), patch=(3, 2, 2))])


@follows("Use ei_fast.as_network for bare arrays.")
def _(said):
    said.refused(ef.Network, [np.eye(2)])
    ef.as_network([np.eye(2)])


@follows("its pre-activations overflow on the input range {}. Scale its weights down, or give a smaller range.")
def _(said):
    weight = np.eye(2) * 1e308
    said.refused(ef.analyze, weight, in_range=(-100.0, 100.0))
    ef.analyze(weight / 1e308, in_range=(-100.0, 100.0), **QUICK)
    ef.analyze(weight, in_range=(-1e-308, 1e-308), **QUICK)


@follows("pass weight.T.")
def _(said):
    weights = [np.ones((3, 2)), np.ones((4, 3))]
    said.refused(ef.analyze, weights)
    ef.analyze([weight.T for weight in weights], **QUICK)


@follows("its outputs overflow on the input range {}. Give it an 'out_range', or a smaller input range.")
def _(said):
    cube = ef.Activation(lambda x: x**3, (-np.inf, np.inf))
    weight = np.eye(2) * 1e103
    said.refused(ef.analyze, ef.Layer(weight, activation=cube), in_range=(-10.0, 10.0))
    ef.analyze(ef.Layer(weight, activation=cube), in_range=(-1e-100, 1e-100), **QUICK)
    ef.analyze(ef.Layer(weight, activation=cube, out_range=(-1.0, 1.0)), in_range=(-10.0, 10.0), **QUICK)


@follows("The {} parameter of as_network is for {}. Got it for {}. Leave it out.")
def _(said):
    for options in ({"order": ["a"]}, {"blocks": ["a"]}, {"input_shape": (2,)}):
        said.refused(ef.analyze, np.eye(2), **options)
    ef.analyze(np.eye(2), **QUICK)


@follows("belongs to functions of your own. Got it for {}. Leave it out.", "Use one of these", "Leave it out")
def _(said):
    said.refused(ef.Activation, "tanh", (-1.0, 1.0))
    said.refused(ef.Activation, "tanh", slope=0.1)
    ef.Activation("tanh")
    message = said.refused(ef.Activation, "leaky_relu", slope=0.1)
    ef.Activation("leaky_relu", **{message.split("It has ")[1].split(". Use")[0]: 0.1})


@follows("or measure the layer as a function: Function(layer, layer.n_in, layer.n_out, out_range).")
def _(said):
    layer = ef.Layer(np.full((2, 3), 3e6), None, ef.Activation(np.sin, (-1.0, 1.0)), name="wave")
    network = ef.Network([layer], (-1.0, 1.0))
    said.refused(ef.analyze, network, **QUICK)
    ef.analyze(network.over((-0.01, 0.01)), **QUICK)
    function = ef.Function(layer, layer.n_in, layer.n_out, (-1.0, 1.0))
    assert ef.analyze(ef.Network([function], (-1.0, 1.0)), **QUICK)[0].ei >= 0
