"""An activation may be given as the module of PyTorch that it is."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

import ei_fast as ef

torch = pytest.importorskip("torch")
nn = torch.nn

MODULES = [
    *(nn.Sigmoid(), nn.Tanh(), nn.ReLU(), nn.ReLU(inplace=True), nn.ReLU6(), nn.LeakyReLU(), nn.LeakyReLU(0.2)),
    *(nn.LeakyReLU(0.0), nn.ELU(), nn.ELU(0.5), nn.SELU(), nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish()),
    *(nn.Softplus(), nn.Softplus(3.0), nn.Softsign(), nn.LogSigmoid(), nn.Hardsigmoid(), nn.Hardtanh()),
    *(nn.Hardtanh(-0.5, 2.0), nn.Hardswish(), nn.Identity()),
]
S = np.linspace(-9, 9, 1001)
WEIGHT = np.random.default_rng(0).normal(0, 1.5, (3, 2))


def _hooked():
    module = nn.Sigmoid()
    module.register_forward_hook(lambda module, given, returned: returned * 2)
    return module


def _replaced():
    module = nn.Sigmoid()
    module.forward = torch.tanh
    return module


class _Own(nn.Sigmoid):
    def forward(self, s):
        return super().forward(s) * 3


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_an_activation_is_what_its_module_does(module):
    activation = ef.Activation(module)
    assert activation.is_named
    expected = module(torch.from_numpy(S.copy())).numpy()
    np.testing.assert_allclose(activation(S), expected, rtol=1e-12, atol=3e-9)
    assert ef.Activation(copy.deepcopy(module)) == activation
    assert pickle.loads(pickle.dumps(activation)) == activation


def test_a_layer_takes_a_module_and_gives_the_figures_of_the_name():
    layer = ef.Layer(WEIGHT, activation=nn.LeakyReLU(0.2))
    by_name = ef.Layer(WEIGHT, activation=ef.Activation("leaky_relu", negative_slope=0.2))
    assert repr(layer) == "Layer(3 -> 2, leaky_relu, name=None)"
    assert (ef.ei_parts_matrix(layer) == ef.ei_parts_matrix(by_name)).all()
    assert str(ef.analyze(layer, random_state=0)) == str(ef.analyze(by_name, random_state=0))


@pytest.mark.parametrize("given", [nn.Tanh(), [nn.Tanh()], (nn.Tanh(),), np.array([nn.Tanh()], object)], ids=repr)
def test_so_do_functions_and_the_estimator(given):
    expected = ef.sensitivity_matrix([WEIGHT], activation="tanh")
    assert (ef.sensitivity_matrix([WEIGHT], activation=given) == expected).all()
    estimator = ef.EffectiveInformation(activation=given, random_state=0)
    assert estimator.fit([WEIGHT]).report_[0].activation == "tanh"
    assert estimator.activation is given


def test_tuples_and_dicts_take_modules_too():
    by_tuple = ef.as_network([(WEIGHT, None, nn.ReLU()), WEIGHT.T], activation=[nn.Tanh(), "sigmoid"])
    assert [layer.activation_name for layer in by_tuple] == ["relu", "sigmoid"]
    by_dict = ef.as_network({"a.weight": WEIGHT.T, "b.weight": WEIGHT}, activation=nn.GELU("tanh"))
    assert {layer.activation.name for layer in by_dict} == {"gelu"}


@pytest.mark.parametrize(
    "module",
    [_hooked(), _replaced(), _Own(), nn.Softplus(1.0, threshold=2.0), nn.Softmax(dim=-1), nn.Dropout(), nn.Tanh],
    ids=["hooked", "replaced", "own", "softplus", "softmax", "dropout", "class"],
)
def test_what_may_do_something_else_is_not_taken_by_its_class(module):
    with pytest.raises(ValueError, match="'codomain' parameter of Activation must be"):
        ef.Layer(WEIGHT, activation=module)


def test_parameters_beside_a_module_are_refused():
    with pytest.raises(ValueError, match="takes no parameters here"):
        ef.Activation(nn.LeakyReLU(0.2), negative_slope=0.1)
    with pytest.raises(ValueError, match="'codomain' parameter of Activation belongs to functions of your own"):
        ef.Activation(nn.Tanh(), codomain=(-1.0, 1.0))


def test_no_framework_is_imported_for_names():
    code = "import sys, ei_fast as ef; ef.Layer([[1.0]], activation='tanh'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", [lambda x: x, nn.Parameter, lambda x: (x * 1.0).requires_grad_()], ids=range(3))
def test_tensors_with_gradients_have_a_mutual_information(kind):
    x = kind(torch.rand(500, generator=torch.Generator().manual_seed(0)))
    y = torch.sigmoid(4 * x - 2)
    with torch.no_grad():
        expected = ef.mutual_information(x.detach().numpy(), y.numpy(), bins=16)
    assert ef.mutual_information(x, y, bins=16) == expected
