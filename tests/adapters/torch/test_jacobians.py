"""EI in noise form of modules of PyTorch: by their layers where these are all, else by automatic differentiation."""

import numpy as np
import pytest

import ei_fast as ef

torch = pytest.importorskip("torch")
nn = torch.nn

GAUSSIAN = 0.5 * np.log2(2 * np.pi * np.e)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return x + torch.tanh(self.b(torch.tanh(self.a(x))))


class Attends(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)

    def forward(self, x):
        return x + self.attention(x, x, x, need_weights=False)[0]


class Detached(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)

    def forward(self, x):
        return x + 3 * torch.tanh(self.a(x)).detach()


def _naive(model, shape, low, high, noise, n_samples=400):
    """EI in noise form and its error, by differences in double precision, sample by sample."""
    model = model.double().eval()
    n = int(np.prod(shape))
    logs = []
    for x in np.random.default_rng(5).uniform(low, high, (n_samples, n)):
        moved = np.concatenate([x + 1e-5 * np.eye(n), x - 1e-5 * np.eye(n)])
        with torch.no_grad():
            y = model(torch.from_numpy(moved).reshape(2 * n, *shape)).reshape(2 * n, -1).numpy()
        jacobian = (y[:n] - y[n:]).T / 2e-5
        logs.append(0.5 * np.log2(np.linalg.det(jacobian.T @ jacobian / noise**2)))
    model.float()
    return n * (np.log2(high - low) - GAUSSIAN) + np.mean(logs), np.std(logs) / np.sqrt(n_samples)


MODELS = {
    "sequential": (
        lambda: nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Dropout(0.1), nn.Linear(4, 4)),
        (3,),
        "formula",
    ),
    "batch norm": (
        lambda: nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 4)),
        (4,),
        "formula",
    ),
    "leaky": (lambda: nn.Sequential(nn.Linear(3, 3), nn.LeakyReLU(0.2), nn.Linear(3, 4)), (3,), "formula"),
    "prelu": (lambda: nn.Sequential(nn.Linear(4, 4), nn.PReLU(4), nn.Linear(4, 4)), (4,), "autodiff"),
    "residual": (Residual, (4,), "autodiff"),
    "softmax": (lambda: nn.Sequential(nn.Linear(3, 6), nn.Softmax(-1)), (3,), "autodiff"),
    "convolution": (
        lambda: nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.GELU(), nn.Flatten(), nn.Linear(18, 12)),
        (1, 3, 3),
        "autodiff",
    ),
    "attention": (Attends, (2, 4), "autodiff"),
    "layer norm": (
        lambda: nn.Sequential(nn.Linear(3, 6), nn.LayerNorm(6), nn.SiLU(), nn.Linear(6, 4)),
        (3,),
        "autodiff",
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_against_differences_of_the_model(name):
    make, shape, derivative = MODELS[name]
    torch.manual_seed(0)
    model = make()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    result = ef.jacobian_ei(model, 0.01, in_range=(-1.0, 1.0), input_shape=shape, random_state=0)
    expected, error = _naive(model, shape, -1.0, 1.0, 0.01)
    assert abs(result.value - expected) < 4 * np.hypot(result.stderr, error) + 1e-4
    assert (result.derivative, result.n_in, result.name) == (derivative, int(np.prod(shape)), type(model).__name__)
    assert result.flags == (("negative",) if result.value < 0 else ())


def test_one_dense_layer_has_the_closed_form():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 5), nn.Tanh())
    result = ef.jacobian_ei(model, 0.01, in_range=(-1.0, 1.0))
    own = ef.Layer(model[0].weight.detach().numpy().T, model[0].bias.detach().numpy(), "tanh")
    assert result.method == "closed form"
    assert result.value == pytest.approx(ef.jacobian_ei(own, 0.01, in_range=(-1.0, 1.0)).value, abs=1e-9)


@pytest.mark.parametrize(
    "make",
    [lambda: nn.Sequential(nn.Linear(4, 4), nn.Softmax(-1)), lambda: nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))],
)
def test_what_holds_a_sum_is_singular(make):
    torch.manual_seed(0)
    result = ef.jacobian_ei(make(), 0.01, random_state=0)
    assert (result.value, result.share_singular, result.flags) == (-np.inf, 1.0, ("singular",))


def test_the_model_is_left_as_it_is():
    torch.manual_seed(0)
    model = Residual().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    ef.jacobian_ei(model, 0.01, random_state=0)
    assert model.training
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_gradients_that_do_not_pass_are_noticed():
    torch.manual_seed(0)
    with pytest.raises(ValueError, match="The Jacobian of 'Detached' is not that of its outputs"):
        ef.jacobian_ei(Detached(), 0.01)


def test_a_model_of_several_outputs_is_refused():
    with pytest.raises(TypeError, match="must return one tensor of real numbers"):
        ef.jacobian_ei(nn.LSTM(3, 5, batch_first=True), 0.01, input_shape=(2, 3))


def test_the_shape_of_a_sample_is_asked_for():
    model = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Tanh(), nn.Flatten(), nn.Linear(18, 12))
    with pytest.raises(ValueError, match="'input_shape' parameter of jacobian_ei must be the shape of one sample"):
        ef.jacobian_ei(model, 0.01, example_inputs=torch.zeros(3, 1, 3, 3))
