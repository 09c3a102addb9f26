"""Order, sharing, branches and wrappers: layers of PyTorch in the order in which they run."""

import copy

import numpy as np
import pytest
import torch
from models import Does, Twice, agrees
from networks import activations_of, names_of
from torch import nn

import ei_fast as ef


class Branching(nn.Module):
    def __init__(self, threshold):
        super().__init__()
        self.fc1, self.threshold = nn.Linear(4, 3), threshold

    def forward(self, x):
        y = self.fc1(x)
        return torch.relu(y) if x.max() < self.threshold else torch.tanh(y)


def test_layers_that_read_the_same_input():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 3), nn.Linear(4, 2)

        def forward(self, x):
            return {"a": self.a(x).relu(), "b": self.b(x)}

    net = ef.as_network(Two(), in_range=(-1, 2))
    assert activations_of(net) == ["relu", "linear"]
    assert net.restarts == {1}
    assert [limits for limits, _ in net.ranges()] == [(-1, 2), (-1, 2)]


def test_a_module_used_twice():
    model = Twice()
    net = ef.as_network(model)
    assert names_of(net) == ["fc1", "fc1#2"]
    assert activations_of(net) == ["tanh", "sigmoid"]
    agrees(net, model, 4)


def test_reasons_name_each_use_of_a_layer_by_its_own_name():
    norm = nn.LayerNorm(4)
    model = Does(lambda s, x: s.norm(s.fc(torch.relu(s.fc(x)))), fc=nn.Linear(4, 4), norm=norm)
    for names, second in ((None, "fc#2"), (["first", "second"], "second")):
        [(name, reason)] = ef.as_network(model, names=names).skipped
        assert name == "norm"
        assert reason.endswith(f"; layer {second!r} is measured without it")
    between = Does(lambda s, x: s.fc(s.norm(torch.relu(s.fc(x)))), fc=nn.Linear(4, 4), norm=norm)
    for names, (one, other) in ((None, ("fc", "fc#2")), (["first", "second"], ("first", "second"))):
        [(_, reason)] = ef.as_network(between, names=names).skipped
        assert f"layer {one!r} is measured without it; the inputs of {other!r} after it are binned" in reason


def test_an_activation_that_only_the_second_use_cannot_have_is_said_of_that():
    torch.manual_seed(0)
    model = Does(lambda s, x: torch.sqrt(s.fc(torch.sigmoid(s.fc(x)))), fc=nn.Linear(4, 4))
    with torch.no_grad():
        model.fc.weight.abs_().neg_()
        model.fc.bias.fill_(float(-model.fc.weight.sum(1).min()) - 0.1)
    [(_, reason)] = ef.as_network(model, verify=False).skipped
    assert (
        reason == "its values are no numbers for all that layer 'fc#2' can reach; layer 'fc#2' is measured without it"
    )


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda m: torch.compile(m, backend="eager")], ids=["dp", "compile"])
def test_wrappers(wrap):
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4))
    wrapped = ef.as_network(wrap(model))
    assert names_of(wrapped) == ["0", "2"]
    np.testing.assert_array_equal(wrapped[1].weight, ef.as_network(model)[1].weight)


def test_a_model_that_branches_on_its_input():
    # Far out it takes the other branch.
    with pytest.raises(
        ValueError, match="does not do the same for all inputs: after .* went on with 'relu' or .*'tanh'"
    ):
        ef.as_network(Branching(2.0))
    assert activations_of(ef.as_network(Branching(2.0), verify=False)) == ["relu"]
    # It never does.
    assert activations_of(ef.as_network(Branching(1e9))) == ["relu"]


class PartlyCompiled(nn.Module):
    def __init__(self):
        super().__init__()
        part = nn.Sequential(nn.Linear(4, 5), nn.ReLU())
        self.a, self.b = torch.compile(part, backend="eager"), nn.Linear(5, 3)
        self.doubled = torch.compile(lambda x: 2 * x, backend="eager")

    @torch.compile(backend="eager")
    def last(self, x):
        return torch.tanh(self.b(x))

    def forward(self, x):
        return self.last(self.doubled(self.a(x)))


def test_compiled_parts_are_read_as_they_were_written():
    model = PartlyCompiled()
    plain = Does(lambda s, x: torch.tanh(s.b(2 * s.a(x))), a=copy.deepcopy(model.a._orig_mod), b=copy.deepcopy(model.b))
    net = ef.as_network(model)
    assert names_of(net) == ["a.0", "b"]
    assert activations_of(net) == ["relu", "tanh"]
    assert not net.skipped
    agrees(net, plain, 4)
    assert ef.as_network(model, blocks={"a": (0, 9)})[0].kind == "function"
    assert isinstance(model.a, torch._dynamo.OptimizedModule)


def test_a_table_behind_a_layer_is_named():
    model = Does(lambda s, x: s.b(s.e(s.a(x).argmax(-1))), a=nn.Linear(4, 5), e=nn.Embedding(5, 3), b=nn.Linear(3, 2))
    net = ef.as_network(model)
    assert names_of(net) == ["a", "b"]
    assert "embedding" in dict(net.skipped)["e"]
