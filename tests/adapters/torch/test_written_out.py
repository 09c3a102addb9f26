"""Activations and layers that models of PyTorch write out in its functions."""

import dataclasses
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from models import Does
from networks import through
from torch import nn
from written_out import INPUTS, as_known

import ei_fast as ef
from ei_fast.adapters.torch import each as torch_each


def _set_to_zero(x):
    y = x.clone()
    y[y < 0] = 0.0
    return y


TORCH = {
    "gelu_tanh": lambda x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0)))),
    "gelu": lambda x: x * 0.5 * (1 + torch.special.erf(x / math.sqrt(2.0))),
    "relu": lambda x: torch.maximum(x, torch.zeros(())),
    "relu like": lambda x: torch.maximum(x, torch.zeros_like(x)),
    "relu mask": lambda x: x * (x > 0),
    "relu filled": lambda x: x.masked_fill(x < 0, 0.0),
    "relu in place": _set_to_zero,
    "relu at least": lambda x: x.clamp_min(0.0),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.1 * x),
    "elu": lambda x: torch.where(x > 0, x, torch.expm1(x)),
    "sigmoid": lambda x: 1 / (1 + torch.exp(-x)),
    "silu": lambda x: x * torch.sigmoid(x),
    "cube": lambda x: x**3,
    "squared relu": lambda x: torch.relu(x) ** 2,
    "square": lambda x: x * x,
    "sin": torch.sin,
    "gaussian": lambda x: torch.exp(-(x**2)),
    "snake": lambda x: x + torch.sin(x) ** 2,
    "two to the": lambda x: 2**x,
    "cut off": lambda x: x.clamp(min=-1),
    "softplus early": lambda x: F.softplus(x, threshold=1.0),
    "threshold": lambda x: F.threshold(x, 0.1, 2.0),
    "shrink": F.hardshrink,
    "tanh shrink": F.tanhshrink,
    "mixed": lambda x: torch.lerp(x, torch.tanh(x), 0.3),
    "rounded": torch.round,
    "step": lambda x: (x > 0).to(x),
    "sum of masks": lambda x: (x > 0).int() * x + (x > 1) * 0.5,
    "root after relu": lambda x: torch.sqrt(torch.relu(x)),
    "root where it is": lambda x: torch.where(x > 0, torch.sqrt(x), x),
    "einsum": lambda x: torch.einsum("ij,ij->ij", x, x),
    "product": lambda x: torch.addcmul(x, x, torch.tanh(x), value=0.5),
}


@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_an_activation_written_out_in_pytorch(name, dtype):
    torch.manual_seed(0)
    model = Does(lambda s, x: s.b(TORCH[name](s.a(x))), a=nn.Linear(4, 5), b=nn.Linear(5, 3)).to(dtype)
    net = ef.as_network(model)
    as_known(net, name)
    with torch.no_grad():
        expected = model.double()(torch.from_numpy(INPUTS)).numpy()
    np.testing.assert_allclose(through(net, INPUTS), expected, rtol=1e-9, atol=1e-9)


def test_a_convolution_before_an_activation_written_out():
    torch.manual_seed(0)
    parts = {"a": nn.Conv2d(1, 3, 3), "b": nn.Linear(3, 2)}
    model = Does(lambda s, x: s.b((torch.relu(s.a(x)) ** 2).amax((2, 3))), **parts)
    net = ef.as_network(model, input_shape=(1, 5, 5))
    assert not net.skipped
    x = np.random.default_rng(1).uniform(size=(7, 25))
    with torch.no_grad():
        expected = model.double()(torch.from_numpy(x.reshape(7, 1, 5, 5))).numpy()
    np.testing.assert_allclose(through(net, x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.cumsum(1),
        lambda x: x.flip(0),
        lambda x: torch.roll(x, 1, 1),
        lambda x: x - x.mean(-1, keepdim=True),
        lambda x: F.normalize(x, dim=-1),
        lambda x: F.dropout(x, 0.5, training=True),
        lambda x: torch.renorm(x, 2, 0, 50.0),
        lambda x: torch.cat([x[:1] * 0, x[1:]]),
    ],
    ids=["cumsum", "flip", "roll", "mean", "normalize", "dropout", "renorm", "first row"],
)
def test_what_reads_more_than_one_number_is_no_activation_and_the_layer_before_is_named(function):
    torch.manual_seed(0)
    net = ef.as_network(Does(lambda s, x: s.b(function(s.a(x))), a=nn.Linear(4, 5), b=nn.Linear(5, 3)), verify=False)
    assert net.restarts == {1}
    assert str(net[0].activation) == "linear"
    assert any("layer 'a' is measured without it" in reason for _, reason in net.skipped)


def test_verification_sees_what_was_taken_for_an_activation(monkeypatch):
    monkeypatch.setattr(torch_each, "maps_each", lambda *given: True)
    model = Does(lambda s, x: s.b(s.a(x).cumsum(1)), a=nn.Linear(4, 5), b=nn.Linear(5, 3))
    with pytest.raises(ValueError, match="Layer 'a' as extracted differs from the model's by up to"):
        ef.as_network(model)


@pytest.mark.parametrize("slopes", [torch.full((5,), 0.25), torch.arange(5) / 5.0], ids=["as they begin", "trained"])
def test_slopes_that_are_learned_for_each_neuron_make_a_function_even_before_they_are_trained(slopes):
    model = Does(lambda s, x: s.b(F.prelu(s.a(x), 2 * s.slope)), a=nn.Linear(4, 5), b=nn.Linear(5, 3))
    model.slope = nn.Parameter(slopes)
    net = ef.as_network(model)
    assert [type(layer) for layer in net] == [ef.Function, ef.Layer]
    assert not net.restarts
    assert not net.skipped


def test_an_activation_that_is_no_number_everywhere_is_named():
    torch.manual_seed(0)
    model = Does(lambda s, x: s.b(torch.log(s.a(x))), a=nn.Linear(4, 5), b=nn.Linear(5, 3))
    with torch.no_grad():
        model.a.weight.fill_(-0.42)
        model.a.bias.fill_(1.0)
    net = ef.as_network(model, verify=False, in_range=(0.0, 0.6))
    [(name, reason)] = net.skipped
    assert name == "log"
    assert "its values are no numbers for all that layer 'a' can reach" in reason
    model.a.bias.data.fill_(9.0)
    assert str(ef.as_network(model, verify=False)[0].activation) == "log"


def test_a_row_of_activations_is_one_and_what_scales_is_folded_as_before():
    torch.manual_seed(0)
    model = Does(lambda s, x: s.b(3 * torch.tanh(torch.relu(2 * s.a(x)))), a=nn.Linear(4, 5), b=nn.Linear(5, 3))
    net = ef.as_network(model)
    assert not net.skipped
    np.testing.assert_allclose(net[0].weight, 2 * model.a.weight.detach().numpy().T)
    np.testing.assert_allclose(net[1].weight, 3 * model.b.weight.detach().numpy().T, rtol=1e-6)


SUMS = {
    "einsum": lambda x, w: torch.einsum("bi,ij->bj", x, w),
    "einsum, weights first": lambda x, w: torch.einsum("ij,...i->...j", w, x),
    "einsum, transposed": lambda x, w: torch.einsum("bi,ji->bj", x, w.T),
    "tensordot": lambda x, w: torch.tensordot(x, w, 1),
    "tensordot of axes": lambda x, w: torch.tensordot(x, w, dims=([1], [0])),
    "inner": lambda x, w: torch.inner(x, w.T),
    "addmm": lambda x, w: torch.addmm(torch.arange(5.0).to(x), x, w, beta=0.5, alpha=2),
    "ATen": lambda x, w: torch.ops.aten.linear.default(x, w.T),
}


@pytest.mark.parametrize("name", SUMS)
def test_a_dense_layer_written_as_a_sum_over_indices(name):
    torch.manual_seed(0)
    model = Does(lambda s, x: s.b(torch.tanh(SUMS[name](x, s.w))), b=nn.Linear(5, 3))
    model.w = nn.Parameter(torch.randn(4, 5))
    net = ef.as_network(model)
    assert not net.skipped
    assert not net.restarts
    with torch.no_grad():
        expected = model.double()(torch.from_numpy(INPUTS)).numpy()
    np.testing.assert_allclose(through(net, INPUTS), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, w: torch.einsum("bi,bi->b", x, x)[:, None].expand(-1, 5),
        lambda x, w: torch.einsum("bi,ai->ba", x, x)[:, :5],
        lambda x, w: torch.einsum("bi,ij->j", x, w).expand(len(x), 5),
        lambda x, w: torch.einsum("bti,tij->btj", x.view(-1, 2, 2), w.view(2, 2, 5)).sum(1),
    ],
    ids=["of itself", "of all rows", "over rows", "other weights at other places"],
)
def test_a_sum_over_indices_that_is_no_dense_layer_is_named(function):
    torch.manual_seed(0)
    model = Does(lambda s, x: s.b(torch.tanh(function(x, s.w))), b=nn.Linear(5, 3))
    model.w = nn.Parameter(torch.randn(4, 5))
    net = ef.as_network(model, input_shape=(4,))
    assert [layer.name for layer in net] == ["b"]
    assert "einsum" in [name for name, _ in net.skipped]


def test_what_is_computed_for_an_assertion_hides_no_activation():
    def checked(s, x):
        h = s.a(x)
        assert h.abs().max() < 1e6
        torch._assert((h < 1e6).all(), "It explodes.")
        y = h * torch.sigmoid(h)
        assert not torch.isnan(y).any()
        return s.b(y)

    torch.manual_seed(0)
    net = ef.as_network(Does(checked, a=nn.Linear(4, 5), b=nn.Linear(5, 3)))
    as_known(net, "silu")


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_a_model_as_exported_by_pytorch_is_read_operation_by_operation():
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(5)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    parts = [nn.Linear(4, 5), norm, nn.ReLU(), nn.Dropout(), nn.Linear(5, 4), nn.GELU(), nn.Linear(4, 3)]
    model = nn.Sequential(*parts).eval()
    shapes = ({0: torch.export.Dim("batch")},)
    exported = torch.export.export(model, (torch.ones(2, 4),), dynamic_shapes=shapes).module()
    net = ef.as_network(exported)
    assert not net.skipped
    assert [str(layer.activation) for layer in net] == ["relu", "gelu", "linear"]
    with torch.no_grad():
        expected = model.double()(torch.from_numpy(INPUTS)).numpy()
    np.testing.assert_allclose(through(net, INPUTS), expected, rtol=1e-4, atol=1e-4)


def test_batch_norm_of_aten_whose_weights_come_first():
    torch.manual_seed(0)

    def normed(s, x):
        n = s.n
        return s.b(torch.batch_norm(s.a(x), n.weight, n.bias, n.running_mean, n.running_var, False, 0.1, 1e-5, False))

    model = Does(normed, a=nn.Linear(4, 5), b=nn.Linear(5, 3), n=nn.BatchNorm1d(5)).eval()
    model.n.running_mean.normal_()
    model.n.running_var.uniform_(0.5, 2)
    net = ef.as_network(model)
    assert not net.skipped
    with torch.no_grad():
        expected = model.double()(torch.from_numpy(INPUTS)).numpy()
    np.testing.assert_allclose(through(net, INPUTS), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("like", ["to", "type_as"])
def test_a_constant_that_takes_its_type_from_a_value_is_one(like):
    torch.manual_seed(0)
    shift = torch.arange(5.0)
    model = Does(
        lambda s, x: s.b(torch.relu((h := s.a(x)) + getattr(shift, like)(h))), a=nn.Linear(4, 5), b=nn.Linear(5, 3)
    )
    net = ef.as_network(model)
    assert not net.skipped
    np.testing.assert_allclose(net[0].bias, model.a.bias.detach().numpy() + shift.numpy(), rtol=1e-6)


def test_outputs_in_a_dataclass_are_outputs():
    @dataclasses.dataclass
    class Output:
        logits: torch.Tensor
        loss: float = 0.0

    model = Does(lambda s, x: Output(s.b(torch.relu(s.a(x)))), a=nn.Linear(4, 5), b=nn.Linear(5, 3))
    assert [str(layer.activation) for layer in ef.as_network(model)] == ["relu", "linear"]
