"""Dense layers of PyTorch, however they are written: what is extracted is the model."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from models import Does, Residual, agrees
from networks import activations_of, names_of
from torch import nn
from torch.nn.utils import prune

import ei_fast as ef


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleDict({"first": nn.Linear(3, 4), "act": nn.SiLU(), "second": nn.Linear(4, 2)})

    def forward(self, x):
        return self.parts["second"](self.parts["act"](self.parts["first"](x)))


def test_a_plain_network():
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3), nn.Sigmoid())
    net = ef.as_network(model)
    assert names_of(net) == ["0", "2", "4"]
    assert activations_of(net) == ["relu", "tanh", "sigmoid"]
    assert not net.skipped
    agrees(net, model, 6)


def test_a_module_dict():
    model = Named()
    net = ef.as_network(model)
    assert names_of(net) == ["parts.first", "parts.second"]
    assert activations_of(net) == ["silu", "linear"]
    agrees(net, model, 3)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_other_number_types(dtype):
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4)).to(dtype)
    net = ef.as_network(model)
    np.testing.assert_array_equal(net[0].weight, model[0].weight.detach().double().numpy().T)


def test_a_model_that_insists_on_its_number_type():
    class Insists(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 3)
            self.register_buffer("ones", torch.ones(3, 3))

        def forward(self, x):
            return torch.relu(self.fc(x.float()) @ torch.eye(3))

    model = Insists()
    net = ef.as_network(model)
    assert names_of(net)[0] == "fc"
    x = torch.rand(10, 4)
    y = x.double().numpy()
    for layer in net:
        y = layer(y)
    np.testing.assert_allclose(y, model(x).detach().numpy(), atol=1e-5)


def test_images_are_flattened():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU())
    flat = ef.as_network(model)
    shaped = ef.as_network(model, input_shape=(3, 2, 2))
    for net in (flat, shaped):
        assert names_of(net) == ["1"]
        assert not net.skipped
    np.testing.assert_array_equal(flat[0].weight, shaped[0].weight)


def test_weights_without_modules():
    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.w, self.b = nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.randn(3))

        def forward(self, x):
            return torch.sigmoid(-(x @ self.w) * 2 + 1 - self.b)

    model = Bare()
    net = ef.as_network(model)
    assert len(net) == 1
    assert not net.skipped
    agrees(net, model, 4)


def test_products_with_bare_weights():
    weight, bias = torch.randn(4, 3).double(), torch.randn(3).double()
    for forward in (
        lambda s, x: torch.addmm(s.bias, x, s.weight).tanh(),
        lambda s, x: torch.tanh(torch.mm(x, s.weight) + s.bias),
        lambda s, x: torch.tanh(s.bias + torch.matmul(x, s.weight)),
    ):
        model = Does(forward)
        model.weight, model.bias = nn.Parameter(weight), nn.Parameter(bias)
        net = ef.as_network(model)
        assert activations_of(net) == ["tanh"]
        assert not net.skipped
        agrees(net, model, 4)


def test_the_same_weights_through_numpy_and_torch_are_the_same_bits():
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 4), nn.Tanh())
    arrays = [(m.weight.detach().numpy().T, m.bias.detach().numpy(), "tanh") for m in (model[0], model[2])]
    params = {"random_state": 0, "tol": 0.05}
    for one, other in zip(ef.analyze(model, **params), ef.analyze(arrays, **params), strict=True):
        assert (one.ei, one.ei_stderr, one.sensitivity, one.ei_parts) == (
            other.ei, other.ei_stderr, other.sensitivity, other.ei_parts
        )  # fmt: skip
    tensors = ef.as_network([model[0].weight.T, model[2].weight.T.bfloat16()])
    np.testing.assert_array_equal(tensors[0].weight, arrays[0][0])


def test_the_input_range_reaches_the_model():
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    near, far = (ef.analyze(model, in_range=limits, random_state=0, tol=0.5) for limits in ((0, 0.01), (-5, 5)))
    assert near[0].in_range == (0, 0.01)
    assert near[1].in_range != far[1].in_range


def test_a_recorder_records_a_module():
    model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2), nn.Softmax(1))
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0, tol=0.1))
    for step in range(2):
        recorder.record(model, step=step)
        with torch.no_grad():
            model[0].weight.mul_(2)
    assert recorder.trajectory_.ei.shape == (2, 2)


def test_ranges_that_were_seen_hold_for_one_input_range():
    net = ef.as_network(nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2)), in_range=(-1, 2))
    ef.analyze(net, in_range=(-1, 2), random_state=0, tol=0.5)
    with pytest.raises(ValueError, match=r"inputs of layer 1 \('2'\) are binned over what was seen"):
        ef.analyze(net, in_range=(0, 5))


def test_pruned_weights():
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    prune.l1_unstructured(model[0], "weight", 0.5)
    net = ef.as_network(model)
    assert np.count_nonzero(net[0].weight) == 12
    prune.remove(model[0], "weight")
    agrees(net, model, 4)


def test_describe(capsys):
    model = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), Residual(), nn.Linear(4, 2), nn.Softmax(1))
    ef.describe(model)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["layer", "kind", "neurons", "activation", "inputs", "outputs"]
    assert lines[2].split() == ["0", "dense", "6", "->", "4", "tanh", "(0,", "1)", "(-1,", "1)"]
    assert lines[5].split()[:2] == ["3", "function"]
    assert "*" in lines[5]
    assert lines[6].startswith("* not the outputs of the layer before")
    assert lines[7].startswith("skipped 2: add of 2 values is no dense layer")


def test_no_layer_stands_among_the_layers_and_the_skipped():
    class Norms(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 4))

        def forward(self, x):
            return F.normalize(x @ self.weight, dim=-1).cumsum(-1)

    net = ef.as_network(nn.Sequential(Norms(), nn.Linear(4, 2)))
    assert names_of(net) == ["0", "1"]
    assert [name for name, _ in net.skipped] == ["in 0", "in 0"]
    assert all("is no dense layer" in reason for _, reason in net.skipped)


def test_a_lazy_layer_that_has_seen_data_is_read():
    model = nn.Sequential(nn.LazyLinear(3), nn.ReLU(), nn.LazyLinear(2))
    model(torch.ones(1, 4))
    agrees(ef.as_network(model), model, 4)
