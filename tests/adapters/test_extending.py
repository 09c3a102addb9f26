"""What docs/development/extending.md says is enough: an operation, a framework and a file format, in few lines each."""

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import ClassVar

import numpy as np
import pytest
from scipy.special import erf

import ei_fast as ef
from ei_fast.adapters import table
from ei_fast.adapters.files.weights import FORMATS
from ei_fast.adapters.graph import Dense, Op, Operation, Pointwise, Recording, Role
from ei_fast.adapters.runs import network_from_runs


@dataclass(frozen=True)
class Erf(Operation):
    """A new kind of operation."""

    role: ClassVar[Role] = Role.ACTIVATES
    alone: ClassVar[str] = "an error function that follows no dense layer"

    def as_step(self, followed):
        return Pointwise(ef.Activation(erf, (-1.0, 1.0)))


class Toy:
    """A model of a framework that nobody has: a list of weights, and of functions by name."""

    def __init__(self, *steps):
        self.steps = steps

    def __call__(self, x):
        return [x := erf(x) if isinstance(step, str) else x @ step for step in self.steps]


def _read(model, given):
    def run(inputs):
        values = [inputs, *model(inputs)]
        ops = [
            Op(f"step{k}", Erf() if isinstance(step, str) else Dense(step, np.zeros(step.shape[1])), (k,), (k + 1,))
            for k, step in enumerate(model.steps)
        ]
        return Recording(ops, dict(enumerate(values)), (len(ops),), (), "float64", has_blocks=False)

    return network_from_runs(run, (len(model.steps[0]),), given.range_of_inputs, given.verify)


@pytest.fixture
def toy(monkeypatch):
    module = ModuleType("ei_fast.adapters.toy")
    module.read = _read
    monkeypatch.setitem(sys.modules, "ei_fast.adapters.toy", module)
    line = table.Adapter(lambda model: isinstance(model, Toy), "toy")
    monkeypatch.setattr(table, "ADAPTERS", (line, *table.ADAPTERS))


def test_a_framework_is_a_file_and_a_line_and_an_operation_a_class(toy):
    weights = np.linspace(-1, 1, 12).reshape(4, 3), np.linspace(1, -2, 6).reshape(3, 2)
    network = ef.as_network(Toy(weights[0], "erf", weights[1]))
    assert [layer.activation.name for layer in network] == ["erf", "linear"]
    for layer, weight in zip(network, weights, strict=True):
        np.testing.assert_array_equal(layer.weight, weight)
    assert network.skipped == []
    network = ef.as_network(Toy(weights[0], "erf", "erf", weights[1]))
    assert network.skipped[0][0] == "step2"
    assert network.skipped[0][1].startswith("an error function that follows no dense layer; layer 'step0' is measured")


def test_an_operation_that_is_misunderstood_is_an_error(toy, monkeypatch):
    monkeypatch.setattr(Erf, "as_step", lambda self, followed: Pointwise(ef.Activation("tanh")))
    with pytest.raises(ValueError, match="differs from the model's"):
        ef.as_network(Toy(np.eye(3), "erf"))


def test_a_new_framework_takes_no_options_that_it_does_not_name(toy):
    with pytest.raises(ValueError, match="'order' parameter of as_network is for dicts and files of weights"):
        ef.as_network(Toy(np.eye(2)), order=["step0"])


def test_a_file_format_is_a_function_and_a_line(monkeypatch, tmp_path):
    def entries_from_lines(path):
        rows = [line.split() for line in path.read_text().splitlines()]
        return {"fc.kernel": np.array(rows, dtype=float)}, [("the last line", "is a remark")]

    monkeypatch.setitem(FORMATS, ".lines", entries_from_lines)
    path = tmp_path / "weights.lines"
    path.write_text("1 2\n3 4\n5 6\n")
    network = ef.as_network(path, activation="tanh")
    np.testing.assert_array_equal(network.layers[0].weight, [[1, 2], [3, 4], [5, 6]])
    assert network.skipped == [("the last line", "is a remark")]
