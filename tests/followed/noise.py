"""Remedies of `jacobian_ei`, followed."""

import numpy as np
import pytest

import ei_fast as ef
from followed import follows

QUICK = {"noise": 0.01, "random_state": 0, "n_samples": 256}
TANH = ef.Function(np.tanh, 2, 2, (-1.0, 1.0))


@follows("Give a layer of it, as_network(model).between(0, 0), or the whole map as a Function.")
def _(said):
    model = ef.Network(
        [ef.Layer(np.eye(2)), ef.Layer(np.eye(2), in_range=(0.0, 1.0))], restarts=[1], skipped=[("norm", "is no layer")]
    )
    said.refused(ef.jacobian_ei, model, **QUICK)
    ef.jacobian_ei(ef.as_network(model).between(0, 0), **QUICK)
    ef.jacobian_ei(ef.Function(lambda x: model[1](model[0](x)), 2, 2, (0.0, 1.0)), **QUICK)


@follows("so that the formula would give -inf. Use analyze, whose EI is of binned neurons.")
def _(said):
    for model in ([np.ones((3, 2))], [np.eye(3), np.ones((3, 2)), np.ones((2, 4))]):
        said.refused(ef.jacobian_ei, model, **QUICK)
        ef.analyze(model, tol=0.5, random_state=0)


@follows("must be the shape of one sample for a module of PyTorch whose first layer is not the map of all inputs.")
def _(said):
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3, padding=1), torch.nn.Tanh())
    said.refused(ef.jacobian_ei, model, example_inputs=torch.rand(4, 1, 3, 3), **QUICK)
    ef.jacobian_ei(model, input_shape=(1, 3, 3), **QUICK)


@follows("must return one tensor of real numbers with a row for each sample.")
def _(said):
    torch = pytest.importorskip("torch")

    class Two(torch.nn.Module):
        def __init__(self, first):
            super().__init__()
            self.a, self.first = torch.nn.Linear(2, 2), first

        def forward(self, x):
            y = torch.sigmoid(self.a(x)) + x
            return y if self.first else (y, y)

    said.refused(ef.jacobian_ei, Two(False), **QUICK)
    ef.jacobian_ei(Two(True), **QUICK)


@follows("Let entry [j, i] of what 'jacobian' returns be the derivative of output j by input i.")
def _(said):
    weight = np.array([[1.0, 2.0], [0.0, 1.0]])
    model = ef.Function(lambda x: x @ weight, 2, 2, (0.0, 3.0))
    said.refused(ef.jacobian_ei, model, jacobian=lambda x: np.tile(weight, (len(x), 1, 1)), **QUICK)
    ef.jacobian_ei(model, jacobian=lambda x: np.tile(weight.T, (len(x), 1, 1)), **QUICK)


@follows("It keeps gradients from passing, as detach does. Give it as a Function of arrays.")
def _(said):
    torch = pytest.importorskip("torch")

    class Detached(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = torch.nn.Linear(2, 2)

        def forward(self, x):
            return x + 3 * torch.tanh(self.a(x)).detach()

    model = Detached()
    said.refused(ef.jacobian_ei, model, **QUICK)
    model.double()
    ef.jacobian_ei(ef.Function(lambda x: model(torch.from_numpy(x)), 2, 2, (-3.0, 4.0)), **QUICK)


@follows("Got NaN or infinite entries. Give an 'in_range' on which the map has one.")
def _(said):
    root = ef.Function(np.sqrt, 1, 1, (0.0, 1.0))

    def jacobian(x):
        return np.where(x > 0.5, 0.5 / np.sqrt(x), np.inf)[:, :, None]

    said.refused(ef.jacobian_ei, root, jacobian=jacobian, **QUICK)
    ef.jacobian_ei(root, jacobian=jacobian, in_range=(0.6, 1.0), **QUICK)


@follows("flat on too small a scale, or is singular. Give 'jacobian', which returns its derivatives.")
def _(said):
    def rough(x):
        return x + np.float64(1e-4) * np.round(x * 1e4 % 1, 1)

    model = ef.Function(rough, 1, 1, (0.0, 2.0))
    said.refused(ef.jacobian_ei, model, tol=1e-6, **(QUICK | {"n_samples": "auto"}))
    steep = ef.Function(lambda x: np.tanh(1e5 * x) + x, 1, 1, (0.0, 2.0))

    def jacobian(x):
        return (1 + 1e5 / np.cosh(np.minimum(1e5 * x, 300.0)) ** 2)[:, :, None]

    said.refused(ef.jacobian_ei, steep, tol=1e-9, **(QUICK | {"n_samples": "auto"}))
    ef.jacobian_ei(steep, jacobian=jacobian, **QUICK)
