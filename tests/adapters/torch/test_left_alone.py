"""Models are left as they are: weights, hooks, random numbers, threads."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from crowd import Crowd
from models import Does
from networks import activations_of
from torch import nn

import ei_fast as ef


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
    assert activations_of(ef.as_network(model)) == ["tanh"]
    assert model.n == 0


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
