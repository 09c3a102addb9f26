"""PyTorch models: what is extracted is the model, and what is not is named."""

import copy
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from crowd import Crowd
from models import Does
from torch import nn
from torch.nn.utils import prune

import ei_fast as ef
from ei_fast.adapters import graph
from ei_fast.adapters.torch import operations as torch_ops


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def _trained(model, width):
    """With batch statistics of its own."""
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(64, width))
    return model


def _names(net):
    return [layer.name for layer in net]


def _activations(net):
    return [str(layer.activation) if isinstance(layer, ef.Layer) else "function" for layer in net]


def _agrees(net, model, width, spread=3.0):
    """The whole chain against the model in float64, far into saturation."""
    x = np.random.default_rng(5).uniform(-spread, spread, (200, width))
    y = x
    for layer in net:
        y = layer(y)
    with torch.no_grad():
        expected = copy.deepcopy(model).double().eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-9)


class Residual(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)

    def forward(self, x):
        return x + self.outer(torch.relu(self.inner(x)))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc1(self.fc1(x).tanh()).sigmoid()


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(6, 5), nn.Linear(5, 4, bias=False), nn.Linear(4, 3)
        self.shift = nn.Parameter(torch.randn(4))

    def forward(self, x):
        x = F.leaky_relu(self.fc1(x.view(x.size(0), -1)), 0.2)
        x = F.dropout(F.gelu(self.shift + self.fc2(x), approximate="tanh"), training=self.training)
        return torch.clamp(self.fc3(x) / 2, -0.5, 0.5).squeeze(-1)


class Named(nn.Module):
    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleDict({"first": nn.Linear(3, 4), "act": nn.SiLU(), "second": nn.Linear(4, 2)})

    def forward(self, x):
        return self.parts["second"](self.parts["act"](self.parts["first"](x)))


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.LSTMCell(5, 4), nn.Linear(4, 2)

    def forward(self, x):
        hidden, _ = self.cell(x)
        return self.out(hidden)


class Branching(nn.Module):
    def __init__(self, threshold):
        super().__init__()
        self.fc1, self.threshold = nn.Linear(4, 3), threshold

    def forward(self, x):
        y = self.fc1(x)
        return torch.relu(y) if x.max() < self.threshold else torch.tanh(y)


class Unseen(torch.autograd.Function):
    """Not a function that can be watched."""

    @staticmethod
    def forward(context, x):
        return torch.from_numpy(np.sin(x.detach().numpy()))


class Hidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x):
        return self.fc2(Unseen.apply(self.fc1(x)))


def test_a_plain_network():
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3), nn.Sigmoid())
    net = ef.as_network(model)
    assert _names(net) == ["0", "2", "4"]
    assert _activations(net) == ["relu", "tanh", "sigmoid"]
    assert not net.skipped
    _agrees(net, model, 6)


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
    _trained(model, 6)
    net = ef.as_network(model)
    assert _names(net) == ["1", "5", "8"]
    assert not net.skipped
    _agrees(net, model, 6)


def test_functional_activations():
    model = Functional()
    net = ef.as_network(model)
    assert _activations(net) == [
        "leaky_relu(negative_slope=0.2)",
        "gelu(approximate=tanh)",
        "hard_tanh(min_val=-0.5, max_val=0.5)",
    ]
    assert not net.skipped
    _agrees(net, model, 6)


@pytest.mark.parametrize(
    "activation",
    [
        nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.LeakyReLU(0.3), nn.ELU(0.7), nn.SELU(), nn.CELU(),
        nn.CELU(2.0),
        nn.SiLU(), nn.Mish(), nn.GELU(), nn.GELU("tanh"), nn.Softplus(2.0), nn.Softsign(), nn.LogSigmoid(),
        nn.Hardsigmoid(), nn.Hardtanh(-0.3, 0.6), nn.Hardswish(), nn.Sigmoid(), nn.Tanh(), nn.PReLU(), nn.RReLU(),
        nn.Threshold(0, 0), nn.Softmax(dim=1), nn.Softmax(dim=-1), nn.LogSoftmax(dim=1), nn.Identity(),
    ],
    ids=str,
)  # fmt: skip
def test_every_activation(activation):
    model = nn.Sequential(nn.Linear(5, 4), activation)
    with torch.no_grad():
        model[0].weight.mul_(5)
    net = ef.as_network(model)
    assert len(net) == 1
    assert not net.skipped
    _agrees(net, model, 5)
    low, high = net.ranges()[0][1]
    outputs = net[0](np.random.default_rng(0).uniform(0, 1, (500, 5)))
    assert low - 1e-12 <= outputs.min() <= outputs.max() <= high + 1e-12


@pytest.mark.parametrize(
    "activation", [nn.PReLU(4), nn.GLU(), nn.LayerNorm(4), nn.Softmax(dim=0), nn.RMSNorm(4)], ids=str
)
def test_what_is_no_activation_we_have_is_named(activation):
    model = nn.Sequential(nn.Linear(5, 4), activation, nn.Linear(2 if isinstance(activation, nn.GLU) else 4, 2))
    net = ef.as_network(model)
    assert _activations(net) == ["linear", "linear"]
    name, reason = net.skipped[-1]
    assert name == "1"
    assert "layer '0' is measured without it" in net.skipped[0][1]
    assert "name the module that holds it in 'blocks'" in reason
    assert net.restarts == {1}
    assert "'2' after it" in reason
    report = ef.analyze(model, random_state=0, tol=0.1)
    assert report.skipped == net.skipped
    # What the block's outputs were seen to be.
    seen = activation(model[0](torch.from_numpy(np.random.default_rng(0).uniform(size=(1021, 5))).float()))
    assert report[1].in_range == pytest.approx((seen.min().item(), seen.max().item()), abs=1e-5)


def test_a_residual_network():
    model = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), Residual(), nn.Linear(4, 2))
    net = ef.as_network(model)
    assert _names(net) == ["0", "2.inner", "2.outer", "3"]
    assert [name for name, _ in net.skipped] == ["2"]
    assert net.restarts == {3}
    with pytest.raises(ValueError, match="do not feed each other"):
        net.between(2, 3)
    whole = ef.as_network(model, blocks={"2": (-3, 3)})
    assert _names(whole) == ["0", "2", "3"]
    assert whole[1].out_range == (-3, 3)
    assert not whole.skipped
    _agrees(whole, model, 6)
    assert ef.analyze(whole, random_state=0, tol=0.1)[1].joint_method
    with pytest.raises(
        ValueError, match=r"output range of the block '2' cannot be derived. .* Give it, as blocks=\{'2'"
    ):
        ef.as_network(model, blocks=["2"])


def test_a_pre_activation_that_something_else_sees():
    # The second reader of the first layer's sum sees it before the activation: the layer ends there.
    net = ef.as_network(Does(lambda s, x: (y := s.fc(x)).relu() + y.sum(-1, keepdim=True), fc=nn.Linear(4, 4)))
    assert _activations(net) == ["linear"]
    assert [name for name, _ in net.skipped] == ["relu", "sum", "add"]


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        (lambda y: torch.relu(y) + y, "composite"),
        (lambda y: y * torch.sigmoid(y), "silu"),
        (lambda y: y * 0.5 * (1 + torch.erf(y / 2**0.5)), "gelu"),
        (
            lambda y: y * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (y + 0.044715 * y * y * y))) / 2,
            "gelu(approximate=tanh)",
        ),
        (lambda y: y * torch.tanh(F.softplus(y)), "mish"),
        (lambda y: torch.minimum(torch.maximum(y, -y), torch.exp(-y) * y), "composite"),
    ],
)
def test_activations_written_out_in_steps(activation, name):
    model = Does(lambda s, x: s.b(activation(s.a(x))), a=nn.Linear(4, 5), b=nn.Linear(5, 3))
    net = ef.as_network(model)
    assert _activations(net) == [name, "linear"]
    assert not net.skipped
    assert not net.restarts
    _agrees(net, model, 4)


def test_steps_that_are_no_activation():
    for forward in (
        lambda s, x: (y := s.a(x)) * torch.softmax(y, -1),
        lambda s, x: (y := s.a(x)) * y.flip(-1),
        lambda s, x: (y := s.a(x)) * (torch.sigmoid(y) * torch.arange(4)),
        lambda s, x: s.a(x) * torch.sigmoid(s.b(x)),
        lambda s, x: ((y := s.a(x)) * (z := torch.sigmoid(y)), z),
    ):
        net = ef.as_network(Does(forward, a=nn.Linear(4, 4), b=nn.Linear(4, 4)))
        assert _activations(net)[0] == "linear"
        assert "mul" in [name for name, _ in net.skipped]


def test_layers_that_read_the_same_input():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 3), nn.Linear(4, 2)

        def forward(self, x):
            return {"a": self.a(x).relu(), "b": self.b(x)}

    net = ef.as_network(Two(), in_range=(-1, 2))
    assert _activations(net) == ["relu", "linear"]
    assert net.restarts == {1}
    assert [limits for limits, _ in net.ranges()] == [(-1, 2), (-1, 2)]


def test_an_encoder_layer():
    model = nn.Sequential(nn.Linear(8, 8), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True))
    parts = ef.as_network(model, input_shape=(5, 8))
    assert _names(parts) == ["0", "1.linear1", "1.linear2"]
    assert "1.norm1" in [name for name, _ in parts.skipped]
    # One token at a time, and then a whole sample: five tokens of eight.
    whole = ef.as_network(model, input_shape=(5, 8), blocks={"1": (-3, 3)})
    assert [(layer.n_in, layer.n_out) for layer in whole] == [(8, 8), (40, 40)]
    assert whole.restarts == {1}


def test_what_is_done_inside_a_block_is_nothing_to_the_rest():
    net = ef.as_network(nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 3), nn.Sigmoid())), blocks=["1"])
    assert _names(net) == ["0", "1"]
    assert net[1].out_range == (0.0, 1.0)


def test_a_module_used_twice():
    model = Twice()
    net = ef.as_network(model)
    assert _names(net) == ["fc1", "fc1#2"]
    assert _activations(net) == ["tanh", "sigmoid"]
    _agrees(net, model, 4)


def test_a_module_dict():
    model = Named()
    net = ef.as_network(model)
    assert _names(net) == ["parts.first", "parts.second"]
    assert _activations(net) == ["silu", "linear"]
    _agrees(net, model, 3)


def test_an_lstm_cell():
    model = Cell()
    assert [name for name, _ in ef.as_network(model).skipped] == ["cell"]
    net = ef.as_network(model, blocks=["cell"])
    assert net[0].out_range == (-1.0, 1.0)
    assert not net.skipped
    _agrees(net, model, 5)


def test_a_cell_that_also_keeps_its_state_has_no_one_output():
    class Both(Cell):
        def forward(self, x):
            return self.cell(x)

    net = ef.as_network(Both(), blocks=["cell"])
    assert _names(net) == ["cell"]


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
    assert _names(net)[0] == "fc"
    x = torch.rand(10, 4)
    y = x.double().numpy()
    for layer in net:
        y = layer(y)
    np.testing.assert_allclose(y, model(x).detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda m: torch.compile(m, backend="eager")], ids=["dp", "compile"])
def test_wrappers(wrap):
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4))
    wrapped = ef.as_network(wrap(model))
    assert _names(wrapped) == ["0", "2"]
    np.testing.assert_array_equal(wrapped[1].weight, ef.as_network(model)[1].weight)


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 4)).half()
    model[4].eval()
    model[0].weight.grad = torch.ones_like(model[0].weight)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.random.get_rng_state()
    ef.analyze(model, random_state=0, tol=0.1)
    assert [module.training for module in model] == [True, True, True, True, False]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert all(parameter.requires_grad for parameter in model.parameters())
    assert model[0].weight.dtype == torch.float16
    assert torch.equal(model[0].weight.grad, torch.ones_like(model[0].weight))
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_images_are_flattened():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU())
    flat = ef.as_network(model)
    shaped = ef.as_network(model, input_shape=(3, 2, 2))
    for net in (flat, shaped):
        assert _names(net) == ["1"]
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
    _agrees(net, model, 4)


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
        assert _activations(net) == ["tanh"]
        assert not net.skipped
        _agrees(net, model, 4)


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


# What cannot be measured.


def test_not_a_number():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[2].weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="Layer '2' must be finite"):
        ef.as_network(model)


def test_what_the_model_raises_comes_through():
    class Refuses(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x):
            raise KeyError("not today")

    with pytest.raises(KeyError, match="not today") as raised:
        ef.as_network(Refuses())
    assert any("input_shape" in note for note in raised.value.__notes__)


def test_a_model_that_branches_on_its_input():
    # Far out it takes the other branch.
    with pytest.raises(
        ValueError, match="does not do the same for all inputs: after .* went on with 'relu' or .*'tanh'"
    ):
        ef.as_network(Branching(2.0))
    assert _activations(ef.as_network(Branching(2.0), verify=False)) == ["relu"]
    # It never does.
    assert _activations(ef.as_network(Branching(1e9))) == ["relu"]


def test_what_cannot_be_seen_is_not_taken_for_a_constant():
    net = ef.as_network(Hidden())
    assert _names(net) == ["fc2"]
    assert net.restarts == {0}
    assert [name for name, _ in net.skipped] == ["unseen", "fc1"]


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (nn.ReLU(), TypeError, "no dense layer that tells what its inputs are. Give input_shape="),
        (nn.Conv2d(1, 2, 3), ValueError, "Give input_shape="),
        (nn.LSTM(3, 4), TypeError, "no dense layer or convolution that could be measured. It has .*lstm"),
        (nn.Linear(2, 2, dtype=torch.complex64), TypeError, "real numbers. Got 'weight', which is complex"),
        (torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), TypeError, "ScriptModule does not show what it does"),
    ],
)
def test_refused(model, error, message):
    with pytest.raises(error, match=message):
        ef.as_network(model)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"blocks": "0"}, TypeError, "'blocks' parameter must be a list of module names.* Got '0'"),
        ({"blocks": ["9"]}, ValueError, "Got '9', which the model does not have; it has 0, 1"),
        ({"blocks": {"1": (1, 0)}}, ValueError, r"blocks\['1'\]"),
        ({"input_shape": (0,)}, ValueError, "'input_shape' parameter of as_network must be integers >= 1"),
        ({"order": ["0"]}, ValueError, "'order' parameter of as_network is for dicts and files"),
        ({"in_range": (1, 1)}, ValueError, "in_range"),
    ],
)
def test_refused_options(options, error, message):
    with pytest.raises(error, match=message):
        ef.as_network(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), **options)


def test_options_of_modules_are_refused_elsewhere():
    for options, whose in (
        ({"blocks": ["a"]}, "PyTorch and Keras"),
        ({"input_shape": (2,)}, "a framework that can be run"),
    ):
        with pytest.raises(ValueError, match=f"is for models of {whose}. Got it for ndarray"):
            ef.as_network(np.ones((2, 2)), **options)


def test_a_block_that_is_not_run():
    class Idle(Twice):
        def __init__(self):
            super().__init__()
            self.idle = nn.Tanh()

    with pytest.raises(ValueError, match="Got 'idle', which it does not run"):
        ef.as_network(Idle(), blocks=["idle"])


# What is done where it cannot be seen, or in ways that are easily missed.


def _changed(y, change):
    change(y)
    return y


@pytest.mark.parametrize(
    "change",
    [
        lambda y: y.view(-1).relu_(),
        lambda y: y.chunk(2, 1)[0].sigmoid_(),
        lambda y: y[:, :2].zero_(),
        lambda y: y.data.relu_(),
        lambda y: np.tanh(y.numpy(), out=y.numpy()),
    ],
)
def test_a_change_through_a_view_is_seen(change):
    last = ef.as_network(Does(lambda s, x: _changed(s.a(x), change), a=nn.Linear(4, 4)))
    assert _activations(last) == ["linear"]
    assert "a change in place that was not seen" in dict(last.skipped)["in place"]
    tiny = nn.Linear(4, 3)
    with torch.no_grad():
        for parameter in tiny.parameters():
            parameter.mul_(1e-9)
    middle = ef.as_network(Does(lambda s, x: s.b(_changed(s.a(x), change)), a=nn.Linear(4, 4), b=tiny))
    assert middle.restarts == {1}


def test_a_block_that_changes_its_input():
    block = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 3), nn.Sigmoid())

    def forward(self, x):
        hidden = self.a(x)
        return self.b(hidden), self.c(hidden)

    net = ef.as_network(Does(forward, a=nn.Linear(4, 4), b=block, c=nn.Linear(4, 2)), blocks=["b"])
    assert net.restarts == {2}
    # After the block it is not negative anywhere.
    assert net.ranges()[2][0][0] == 0.0
    x = np.full((3, 4), -1.0)
    net[1](x)
    assert (x == -1.0).all()


@pytest.mark.parametrize(
    "mixing", [lambda s, x: torch.sigmoid(x - x.mean(0)), lambda s, x: torch.sigmoid(x + torch.arange(len(x))[:, None])]
)
def test_a_block_whose_rows_depend_on_each_other(mixing):
    model = nn.Sequential(nn.Linear(4, 3), Does(mixing))
    with pytest.raises(ValueError, match="The block '1' must map every row by itself"):
        ef.as_network(model, blocks=["1"])


def test_ranges_of_blocks_are_held_against_what_is_seen():
    started = Does(lambda s, x: s.cell(x, torch.full((len(x), 3), 5.0, dtype=x.dtype)), cell=nn.GRUCell(4, 3))
    with pytest.raises(ValueError, match="output range of the block '0' cannot be derived"):
        ef.as_network(nn.Sequential(started), blocks=["0"])
    with pytest.raises(ValueError, match=r"The output range of the block '0' must hold its outputs. Got \(100"):
        ef.as_network(nn.Sequential(nn.Linear(4, 3)), blocks={"0": (100, 101)})


def test_a_softplus_that_turns_linear_early_is_another_function():
    model = nn.Sequential(nn.Linear(4, 3), nn.Softplus(threshold=1.0))
    net = ef.as_network(model)
    assert not net[0].activation.is_named
    _agrees(net, model, 4)


def test_what_is_lost_sight_of_is_named():
    def hidden(self, x):
        return self.c(self.b(Unseen.apply(self.a(x))))

    def written(self, x):
        out = torch.zeros(len(x), 4, dtype=x.dtype)
        out[:, :2].copy_(self.a(x))
        return self.c(out) + self.b(x)

    for forward, widths, left in (
        (hidden, ((4, 4), (4, 4), (4, 2)), {"a", "unseen"}),
        (written, ((4, 2), (4, 2), (4, 2)), {"a", "unseen"}),
    ):
        parts = {name: nn.Linear(*width) for name, width in zip("abc", widths, strict=True)}
        net = ef.as_network(Does(forward, **parts))
        assert left <= {name for name, _ in net.skipped}
    half = ef.as_network(Does(lambda s, x: (s.a(x), Unseen.apply(s.b(x))), a=nn.Linear(4, 3), b=nn.Linear(4, 3)))
    assert _names(half) == ["a"]
    assert {"b", "unseen"} <= {name for name, _ in half.skipped}


def test_what_is_returned_is_not_folded_away():
    net = ef.as_network(Does(lambda s, x: (lambda y: (y, y.relu()))(s.a(x)), a=nn.Linear(4, 3)))
    assert _activations(net) == ["linear"]
    assert [name for name, _ in net.skipped] == ["relu"]


def test_ranges_that_were_seen_hold_for_one_input_range():
    net = ef.as_network(nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2)), in_range=(-1, 2))
    ef.analyze(net, in_range=(-1, 2), random_state=0, tol=0.5)
    with pytest.raises(ValueError, match=r"inputs of layer 1 \('2'\) are binned over what was seen"):
        ef.analyze(net, in_range=(0, 5))


def test_modules_that_the_model_does_not_hold_are_left_alone():
    outside = nn.BatchNorm1d(3)
    with pytest.raises(TypeError, match="uses a BatchNorm1d that it does not hold"):
        ef.as_network(nn.Sequential(nn.Linear(4, 3), Does(lambda s, x: outside(x)), nn.Linear(3, 2)))
    assert int(outside.num_batches_tracked) == 0


def test_the_generators_of_random_numbers_stay():
    import random

    def noisy(self, x):
        np.random.rand()  # noqa: NPY002
        random.random()
        torch.rand(1)
        return self.a(x)

    def states():
        return random.getstate(), np.random.get_state()[1].tolist(), torch.random.get_rng_state().tolist()  # noqa: NPY002

    model = Does(noisy, a=nn.Linear(4, 3))
    before = states()
    ef.as_network(model)
    assert states() == before


def test_the_number_of_threads_stays_and_small_models_run_in_one():
    before, seen = torch.get_num_threads(), []

    def forward(self, x):
        seen.append(torch.get_num_threads())
        return self.a(x)

    def fails(self, x):
        raise RuntimeError("on purpose")

    torch.set_num_threads(3)
    try:
        ef.as_network(Does(forward, a=nn.Linear(4, 3)))
        assert set(seen) == {1}
        seen.clear()
        ef.as_network(Does(forward, a=nn.Linear(400, 300)))
        assert set(seen) == {3}
        with pytest.raises(RuntimeError, match="on purpose"):
            ef.as_network(Does(fails, a=nn.Linear(4, 3)))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_models_that_are_read_in_several_threads_run_one_by_one():
    crowd = Crowd()

    def forward(self, x):
        with crowd:
            time.sleep(0.005)
            return self.a(x)

    models = [Does(forward, a=nn.Linear(4, 3)) for _ in range(4)]
    before = torch.get_num_threads(), torch.random.get_rng_state().tolist()
    with ThreadPoolExecutor(4) as pool:
        networks = list(pool.map(ef.as_network, models))
    assert crowd.most == 1
    assert (torch.get_num_threads(), torch.random.get_rng_state().tolist()) == before
    for model, network in zip(models, networks, strict=True):
        np.testing.assert_array_equal(network[0].weight, model.a.weight.detach().double().numpy().T)


def test_a_model_that_remembers():
    class Remembers(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.last, self.n = nn.Linear(4, 3), 0.0, 0

        def forward(self, x):
            self.n += 1
            self.last = torch.tanh(self.a(x) + self.last)
            return self.last * self.n

    model = Remembers()
    assert _activations(ef.as_network(model)) == ["tanh"]
    assert model.n == 0


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
    assert _names(net) == ["a"]
    assert set(left) <= {name for name, _ in net.skipped}


def test_scales_on_either_side():
    model = Does(lambda s, x: torch.ones(3) * 2 * (1 - s.a(x)) + torch.arange(3), a=nn.Linear(4, 3))
    net = ef.as_network(model)
    assert not net.skipped
    _agrees(net, model, 4)


def test_a_last_step_in_fewer_digits():
    for forward in (lambda s, x: s.a(x).float(), lambda s, x: torch.softmax(s.a(x).float(), -1)):
        net = ef.as_network(Does(forward, a=nn.Linear(4, 3)))
        assert len(net) == 1
        assert not net.skipped


def test_weights_that_are_drawn_are_not_constants():
    model = Does(lambda s, x: F.linear(x, s.a.weight + torch.randn_like(s.a.weight)), a=nn.Linear(4, 3))
    with pytest.raises(ValueError, match="as extracted differs"):
        ef.as_network(model)


def test_pruned_weights():
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    prune.l1_unstructured(model[0], "weight", 0.5)
    net = ef.as_network(model)
    assert np.count_nonzero(net[0].weight) == 12
    prune.remove(model[0], "weight")
    _agrees(net, model, 4)


def test_a_clip_far_away_is_seen():
    model = Does(lambda s, x: torch.minimum(torch.relu(y := s.a(x)), 400 + 0 * y), a=nn.Linear(1000, 1, bias=False))
    with torch.no_grad():
        model.a.weight.fill_(1.0)
    net = ef.as_network(model)
    assert net[0].activation(np.array([1000.0])) == 400


def test_what_overflows_shows_nothing():
    model = Does(lambda s, x: torch.exp(s.a(x)), a=nn.Linear(4, 3))
    with pytest.raises(ValueError, match="Layer 'a': its outputs overflow on the input range"):
        ef.as_network(model, in_range=(1e4, 2e4))
    # In float32 the model overflows where the layer does not: beyond in_range, for some of the inputs or for all.
    with torch.no_grad():
        model.a.weight.fill_(1.0)
    model._forward = lambda s, x: torch.exp(s.a(x)).float()
    assert ef.as_network(model, in_range=(0, 20))
    with pytest.raises(ValueError, match="cannot be compared with the model's, which is not finite"):
        ef.as_network(model, in_range=(30, 31))


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda s, x: s.b(x, flag=True), "1 such values, 1 arguments and 1 keywords instead"),
        (lambda s, x: s.b(x=x), "1 such values, 0 arguments and 1 keywords"),
        (lambda s, x: s.b((x,)), "as its first argument"),
        (lambda s, x: s.b(None, x), "1 such values, 2 arguments"),
    ],
)
def test_blocks_that_are_called_in_other_ways(forward, message):
    class Inner(nn.Module):
        def forward(self, x, y=None, flag=False):
            return torch.sigmoid(x[0] if isinstance(x, tuple) else y if x is None else x)

    with pytest.raises(ValueError, match=message):
        ef.as_network(Does(forward, b=Inner(), unused=nn.Linear(4, 4)), blocks=["b"])


def test_a_block_that_returns_nothing_of_use():
    model = Does(lambda s, x: (s.b(x), s.a(x))[1], b=Does(lambda s, x: "x"), a=nn.Linear(4, 4))
    with pytest.raises(ValueError, match="The block 'b' must map rows to rows. Got str for"):
        ef.as_network(model, blocks=["b"])


def test_values_that_are_no_numbers_before_a_layer():
    with pytest.raises(ValueError, match=r"The inputs of layer 'b' \(after 'log'\) are not finite"):
        ef.as_network(Does(lambda s, x: s.b(torch.log(s.a(x) - 9)), a=nn.Linear(4, 4), b=nn.Linear(4, 2)))


def test_scripted_parts():
    net = ef.as_network(nn.Sequential(nn.Linear(4, 3), torch.jit.script(nn.ReLU()), nn.Linear(3, 2)))
    assert _names(net) == ["2"]
    assert [name for name, _ in net.skipped] == ["unseen", "0"]


# Verification sees what goes wrong.

WHOLE = nn.Sequential(nn.Linear(5, 4), nn.BatchNorm1d(4), nn.Sigmoid(), nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))


def _refused_by_verification(name):
    with pytest.raises(ValueError, match=f"Layer '{name}' as extracted differs from the model's by up to"):
        ef.as_network(WHOLE)
    ef.as_network(WHOLE, verify=False)


def test_verification_sees_a_wrong_weight(monkeypatch):
    true = torch_ops._DENSE["linear"]

    def wrong(given):
        dense = true(given)
        if dense.weight.shape == (4, 3):
            dense.weight[0, 0] += 1e-3
        return dense

    monkeypatch.setattr(torch_ops, "_array", lambda t, keep=torch_ops._array: keep(t).copy())
    monkeypatch.setitem(torch_ops._DENSE, "linear", wrong)
    _refused_by_verification("3")


def test_verification_sees_a_missing_bias(monkeypatch):
    true = torch_ops._DENSE["linear"]
    monkeypatch.setitem(torch_ops._DENSE, "linear", lambda given: graph.Dense(true(given).weight, 0 * true(given).bias))
    _refused_by_verification("0")


def test_verification_sees_a_batch_norm_left_out(monkeypatch):
    _trained(WHOLE, 5)
    monkeypatch.setitem(torch_ops._AFFINE, "batch_norm", lambda given: (1.0, 0.0))
    _refused_by_verification("0")


@pytest.mark.parametrize(("function", "name"), [("sigmoid", "0"), ("tanh", "3")])
def test_verification_sees_a_missed_activation(monkeypatch, function, name):
    monkeypatch.setitem(torch_ops.ACTIVATIONS, function, lambda given: ef.Activation("linear"))
    _refused_by_verification(name)


def test_verification_sees_what_only_saturation_hides(monkeypatch):
    # A hard tanh at 100 and one at 200 are the same on (0, 1); ten times as far they are not.
    model = nn.Sequential(nn.Linear(5, 4), nn.Hardtanh(-100, 100))
    with torch.no_grad():
        model[0].weight.fill_(15)
        model[0].bias.zero_()
    true = torch_ops.ACTIVATIONS["hardtanh"]
    monkeypatch.setitem(
        torch_ops.ACTIVATIONS, "hardtanh", lambda given: ef.Activation("hard_tanh", min_val=-200, max_val=200)
    )
    with pytest.raises(ValueError, match="Layer '0' as extracted differs"):
        ef.as_network(model)
    monkeypatch.setitem(torch_ops.ACTIVATIONS, "hardtanh", true)
    ef.as_network(model)


def test_verification_sees_a_scale_that_is_not_undone(monkeypatch):
    model = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.BatchNorm1d(4), nn.Linear(4, 2))
    _trained(model, 5)
    monkeypatch.setitem(torch_ops._AFFINE, "batch_norm", lambda given: (1.0, 0.0))
    with pytest.raises(ValueError, match="Layer '3' as extracted differs"):
        ef.as_network(model)


def test_verification_sees_a_wrong_softmax(monkeypatch):
    model = nn.Sequential(nn.Linear(5, 4), nn.LogSoftmax(1))
    ef.as_network(model)
    monkeypatch.setattr(torch_ops, "Softmax", lambda log: graph.Softmax(False))
    with pytest.raises(ValueError, match="Layer '0' as extracted differs"):
        ef.as_network(model)


def test_verification_sees_a_wrong_product(monkeypatch):
    model = Does(lambda s, x: torch.relu(x @ s.weight))
    model.weight = nn.Parameter(torch.randn(4, 3))
    true = torch_ops._DENSE["matmul"]
    monkeypatch.setitem(torch_ops._DENSE, "matmul", lambda given: graph.Dense(true(given).weight + 1e-3, np.zeros(3)))
    with pytest.raises(ValueError, match="Layer 'matmul' as extracted differs"):
        ef.as_network(model)


def test_verification_sees_a_wrong_scale(monkeypatch):
    monkeypatch.setitem(torch_ops._AFFINE, "mul", lambda given: (2.0, 0.0))
    with pytest.raises(ValueError, match="Layer 'a' as extracted differs"):
        ef.as_network(Does(lambda s, x: s.a(x) * 3, a=nn.Linear(4, 3)))


def test_verification_sees_a_wrong_block(monkeypatch):
    from ei_fast.adapters.torch import blocks as adapter

    true = adapter.RunBlock.__call__
    monkeypatch.setattr(adapter.RunBlock, "__call__", lambda self, x: true(self, x) + 1e-3)
    with pytest.raises(ValueError, match="Layer '1' as extracted differs"):
        ef.as_network(nn.Sequential(nn.Linear(5, 4), nn.Sequential(nn.Linear(4, 3), nn.Sigmoid())), blocks=["1"])


# What is printed.


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


class _Counting(nn.Module):
    """A dense layer that says how often any copy of it has run."""

    runs = 0

    def __init__(self, n_out):
        super().__init__()
        self.dense = nn.Linear(5, n_out)

    def forward(self, x):
        _Counting.runs += 1
        return torch.sigmoid(self.dense(x))


@pytest.mark.parametrize(("n_out", "runs"), [(4, 1), (61, 2)])
def test_what_is_not_compared_runs_once(n_out, runs):
    model = _Counting(n_out)
    _Counting.runs = 0
    (once,) = ef.as_network(model, verify=False)
    assert _Counting.runs == runs
    (compared,) = ef.as_network(model)
    np.testing.assert_array_equal(once.weight, compared.weight)
    assert (once.name, str(once.activation)) == (compared.name, str(compared.activation))


def test_hooks_of_the_users_own_are_not_called():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    calls = []
    model[0].register_forward_hook(lambda *_: calls.append("after"))
    model.register_forward_pre_hook(lambda *_: calls.append("before"))
    everywhere = [
        nn.modules.module.register_module_forward_hook(lambda *_: calls.append("any module")),
        nn.modules.module.register_module_forward_pre_hook(lambda *_: calls.append("before any")),
    ]
    try:
        recorder = ef.Recorder(ef.EffectiveInformation(random_state=0, tol=0.1))
        recorder.record(model)
        recorder.record(model)
        ef.describe(model)
        assert calls == []
        said = "has hooks, which are not called: what they change is not measured"
        assert ef.as_network(model).notes == [("the model", said), ("0", said)]
        assert ef.as_network(model[2]).notes == []
        # They are where they were.
        model(torch.zeros(1, 3))
        assert len(calls) == 2 + 4 + 4
    finally:
        for handle in everywhere:
            handle.remove()


def test_hooks_in_which_pytorch_computes_weights_are_called():
    model = nn.Sequential(nn.utils.spectral_norm(nn.Linear(3, 4)), nn.Tanh()).eval()
    model(torch.zeros(1, 3))
    weight = ef.as_network(model).layers[0].weight
    np.testing.assert_allclose(weight, model[0].weight.detach().numpy().T, rtol=1e-5)


class Conv1D(nn.Module):
    """As Hugging Face's: the samples of a batch and their times are the rows of one product."""

    def __init__(self, n_out, n_in):
        super().__init__()
        self.n_out = n_out
        self.weight, self.bias = nn.Parameter(torch.randn(n_in, n_out)), nn.Parameter(torch.randn(n_out))

    def forward(self, x):
        product = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)
        return product.view(*x.size()[:-1], self.n_out)


def _by_time(net, model, *shape):
    """The chain, time by time, against the model on samples (time, width)."""
    x = np.random.default_rng(1).uniform(-2, 2, (9, *shape))
    y = x.reshape(-1, shape[-1])
    for layer in net:
        y = layer(y)
    with torch.no_grad():
        expected = copy.deepcopy(model).double().eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(y.reshape(expected.shape), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [(4,), (5, 4), (3, 5, 4)])
def test_a_product_over_samples_and_times_stands_in_one_place(shape):
    model = nn.Sequential(Conv1D(8, 4), nn.Tanh(), Conv1D(3, 8))
    net = ef.as_network(model, input_shape=shape)
    assert _names(net) == ["0", "2"]
    assert _activations(net) == ["tanh", "linear"]
    assert not net.skipped
    assert not net.restarts
    _by_time(net, model, *shape)


def test_times_that_are_rows_are_normed_and_blocked_and_told_apart_again():
    def forward(s, x):
        y = s.norm(s.part(x.reshape(-1, 4)))
        return torch.softmax(s.out(y * torch.sigmoid(y)), -1).view(len(x), -1, 2)

    model = Does(
        forward, part=nn.Sequential(nn.Linear(4, 3), nn.Tanh()), norm=nn.BatchNorm1d(3), out=nn.Linear(3, 2)
    ).eval()
    for blocks in ([], ["part"]):
        net = ef.as_network(model, input_shape=(5, 4), blocks=blocks, verify=True)
        assert [(layer.n_in, layer.n_out) for layer in net] == [(4, 3), (3, 2)]
    # What is not known is none the less told apart.
    normed = Does(lambda s, x: s.b(s.n(s.a(x.flatten(0, 1)))).view(len(x), 5, 2), a=nn.Linear(4, 3), n=nn.LayerNorm(3))
    normed.b = nn.Linear(3, 2)
    assert [name for name, _ in ef.as_network(normed, input_shape=(5, 4)).skipped] == ["n"]
    # What goes from time to time is none of theirs.
    mixing = Does(lambda s, x: s.b(s.a(x.reshape(-1, 4)).cumsum(0)), a=nn.Linear(4, 3), b=nn.Linear(3, 2))
    net = ef.as_network(mixing, input_shape=(5, 4), verify=False)
    assert net.restarts == {1}
    assert "layer 'a' is measured without it" in dict(net.skipped)["cumsum"]


def test_no_layer_stands_among_the_layers_and_the_skipped():
    class Norms(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 4))

        def forward(self, x):
            return F.normalize(x @ self.weight, dim=-1).cumsum(-1)

    net = ef.as_network(nn.Sequential(Norms(), nn.Linear(4, 2)))
    assert _names(net) == ["0", "1"]
    assert [name for name, _ in net.skipped] == ["in 0", "in 0"]
    assert all("is no dense layer" in reason for _, reason in net.skipped)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(
            nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 2, 3), nn.AdaptiveAvgPool1d(15), nn.Flatten(), nn.Linear(30, 2)
        ),
        nn.Sequential(nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 1, 1), nn.ReLU(), nn.Flatten(), nn.Linear(7, 2)),
        nn.Sequential(nn.Conv1d(61, 2, 3, padding=1), nn.Linear(30, 2)),
        nn.Sequential(nn.Unflatten(1, (1, -1)), nn.ConvTranspose1d(1, 2, 1), nn.Flatten(), nn.Linear(14, 7)),
        nn.Sequential(nn.Conv1d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(30, 2)),
    ],
)
def test_no_length_of_a_sample_is_guessed_through_a_convolution(model):
    with pytest.raises(ValueError, match="Give input_shape=, the shape of one sample"):
        ef.as_network(model)


def test_a_length_that_is_told_before_a_convolution_is_taken():
    behind = nn.Sequential(nn.Linear(4, 6), nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))
    assert _names(ef.as_network(behind)) == ["0", "2", "4"]
    guessed = nn.Sequential(nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 1, 1), nn.Flatten(), nn.Linear(7, 2))
    assert _names(ef.as_network(guessed, input_shape=(7,))) == ["1", "3"]


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (nn.Sequential(nn.Linear(4, 3), nn.LazyLinear(5)), "layer '1', a LazyLinear, is not initialised"),
        (nn.Sequential(nn.LazyConv2d(5, 3)), "layer '0', a LazyConv2d, is not initialised"),
        (nn.Sequential(nn.Linear(4, 3), nn.LazyBatchNorm1d()), "layer '1', a LazyBatchNorm1d, is not initialised"),
        (nn.LazyLinear(3), "The LazyLinear is not initialised"),
    ],
)
def test_a_layer_that_has_seen_no_data_is_not_initialised(model, told):
    with pytest.raises(ValueError, match=f"{told}.*Call the model on a batch of data once"):
        ef.as_network(model, input_shape=(4,))


def test_a_lazy_layer_that_has_seen_data_is_read():
    model = nn.Sequential(nn.LazyLinear(3), nn.ReLU(), nn.LazyLinear(2))
    model(torch.ones(1, 4))
    _agrees(ef.as_network(model), model, 4)


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
    assert _names(net) == ["a.0", "b"]
    assert _activations(net) == ["relu", "tanh"]
    assert not net.skipped
    _agrees(net, plain, 4)
    assert ef.as_network(model, blocks={"a": (0, 9)})[0].kind == "function"
    assert isinstance(model.a, torch._dynamo.OptimizedModule)


def test_a_model_of_tokens_says_that_it_takes_indices():
    def forward(s, x):
        return s.b(torch.relu(s.a(s.table(x) + s.place(torch.arange(x.shape[1])))))

    parts = {"a": nn.Linear(4, 5), "b": nn.Linear(5, 2), "table": nn.Embedding(10, 4), "place": nn.Embedding(3, 4)}
    model = Does(forward, **parts)
    for taken in (model, Does(lambda s, x: forward(s, x.long()), **parts)):
        for shape in ((3,), None):
            with pytest.raises(ValueError, match="takes indices, as of tokens: 'table' looks them up") as raised:
                ef.as_network(taken, input_shape=shape)
            assert not getattr(raised.value, "__notes__", [])
    # What it says to do.
    assert "vectors of 4 numbers" in str(raised.value)
    behind = ef.as_network(nn.Sequential(model.a, nn.ReLU(), model.b), input_shape=(3, 4))
    assert [(layer.n_in, layer.n_out) for layer in behind] == [(4, 5), (5, 2)]
    assert _names(ef.as_network(model.state_dict(), order=["a", "b"], activation=["relu", "linear"])) == ["a", "b"]


def test_a_table_behind_a_layer_is_named():
    model = Does(lambda s, x: s.b(s.e(s.a(x).argmax(-1))), a=nn.Linear(4, 5), e=nn.Embedding(5, 3), b=nn.Linear(3, 2))
    net = ef.as_network(model)
    assert _names(net) == ["a", "b"]
    assert "embedding" in dict(net.skipped)["e"]


def test_only_what_a_model_raises_is_said_to_be_raised_by_it():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    for blocks in ({"0": (90, 91)}, ["0"]):
        with pytest.raises(ValueError, match="The output range of the block '0'") as raised:
            ef.as_network(model, blocks=blocks)
        assert not getattr(raised.value, "__notes__", [])
    with pytest.raises(RuntimeError, match="cannot be multiplied") as raised:
        ef.as_network(model, input_shape=(5,))
    assert raised.value.__notes__ == ["Raised by the model for samples of shape (5,)."]
