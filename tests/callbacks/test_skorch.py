"""Recording inside the training of skorch's nets."""

import random
import re
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from skorch import NeuralNetRegressor
from skorch.callbacks import Callback
from torch import nn

import ei_fast as ef
from ei_fast.callbacks.skorch import RecorderCallback

X = np.random.default_rng(0).uniform(size=(20, 3)).astype(np.float32)
Y = X.sum(axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def _what_libraries_say_to_each_other():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


class Module(nn.Module):
    def __init__(self, hidden=2):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, x):
        return self.net(x)


def estimator_of(**params):
    return ef.EffectiveInformation(random_state=0, bins=4, **params)


def net_of(*callbacks, **options):
    options = {"module": Module, "max_epochs": 3, "lr": 0.1, "verbose": 0, "batch_size": 10} | options
    return NeuralNetRegressor(callbacks=list(callbacks), **options)


def test_every_due_epoch_is_recorded_with_what_the_history_says():
    callback = RecorderCallback(estimator_of(), every=2)
    net = net_of(callback, max_epochs=5).fit(X, Y)
    trajectory = callback.recorder.trajectory_
    assert trajectory.steps.tolist() == [0, 2, 4]
    assert trajectory.layers == ("net.0", "net.2")
    assert list(trajectory.metrics) == ["train_loss", "valid_loss"]
    for name in trajectory.metrics:
        assert trajectory.metrics[name].tolist() == [net.history[epoch, name] for epoch in (0, 2, 4)]
    assert trajectory.ei[-1].tolist() == [layer.ei for layer in ef.analyze(net, bins=4, random_state=0)]


def test_more_training_counts_on_and_the_file_is_let_go_of(tmp_path):
    path = tmp_path / "run.npz"
    callback = RecorderCallback(estimator_of(), path=path)
    net = net_of(callback, max_epochs=2).fit(X, Y)
    net.partial_fit(X, Y)
    assert ef.Trajectory.load(path).steps.tolist() == [0, 1, 2, 3]
    net.fit(X, Y)
    assert ef.Trajectory.load(path).steps.tolist() == list(range(6))
    ef.Recorder(estimator_of(), path=path).close()


class Stops(Callback):
    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 3:
            raise RuntimeError("enough")


def test_a_training_that_is_broken_off_and_begun_again_continues_the_file(tmp_path):
    whole = RecorderCallback(estimator_of())
    net_of(whole, max_epochs=5).fit(X, Y)
    path = tmp_path / "run.npz"
    first = RecorderCallback(estimator_of(), path=path)
    with pytest.raises(RuntimeError, match="enough"):
        net_of(first, Stops(), max_epochs=5).fit(X, Y)
    first.recorder.close()
    assert ef.Trajectory.load(path).steps.tolist() == [0, 1]
    net_of(RecorderCallback(estimator_of(), path=path), max_epochs=5).fit(X, Y)
    trajectory = ef.Trajectory.load(path)
    assert trajectory.steps.tolist() == list(range(5))
    np.testing.assert_array_equal(trajectory.ei, whole.recorder.trajectory_.ei)


def test_the_training_is_the_same_without_it():
    class Noisy(Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 1))

        def forward(self, x):
            random.random(), np.random.random(), torch.rand(1)  # noqa: NPY002
            return super().forward(x)

    def trained(*callbacks):
        random.seed(0), np.random.seed(0)  # noqa: NPY002
        net = net_of(*callbacks, module=Noisy).fit(X, Y)
        drawn = [random.random(), np.random.random(), torch.rand(2)]  # noqa: NPY002
        return [*net.module_.state_dict().values(), *map(torch.as_tensor, drawn)]

    callback = RecorderCallback(estimator_of())
    assert all(torch.equal(one, other) for one, other in zip(trained(), trained(callback), strict=True))
    assert len(callback.recorder.trajectory_) == 3


def test_a_search_copies_it():
    callback = RecorderCallback(estimator_of(), every=2, verify=False)
    copied = clone(callback)
    assert copied.get_params(deep=False).keys() == callback.get_params(deep=False).keys()
    assert (copied.every, copied.verify) == (2, False)
    search = GridSearchCV(net_of(callback, train_split=None), {"module__hidden": [2, 4]}, cv=2).fit(X, Y)
    assert len(callback.recorder.trajectory_) == 0
    found = dict(search.best_estimator_.callbacks_)["RecorderCallback"].recorder.trajectory_
    assert found.steps.tolist() == [0, 2]
    assert found.ei[-1, 0] == ef.analyze(search, bins=4, random_state=0)[0].ei


def test_parameters_can_be_set_through_the_net():
    net = net_of(RecorderCallback(estimator_of()), callbacks__RecorderCallback__every=2).fit(X, Y)
    assert dict(net.callbacks_)["RecorderCallback"].recorder.trajectory_.steps.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"estimator": 3}, TypeError, "'estimator' parameter of Recorder must be an EffectiveInformation"),
        ({"every": 0}, ValueError, "'every' parameter of Recorder must be an integer >= 1. Got 0"),
        ({"module": nn.Linear(2, 2)}, TypeError, "must be the path .* Got a Linear itself"),
        ({"on_error": "no"}, ValueError, "'on_error' parameter of RecorderCallback must be .* Got 'no'"),
        ({"activations": "tanh"}, TypeError, "RecorderCallback got an unexpected .*'activations'"),
    ],
)
def test_mistakes_are_found_before_training(params, error, message):
    with pytest.raises(error, match=message):
        RecorderCallback(**{"estimator": estimator_of(), **params})


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"module": "head"}, "must name a part of the Module. Got 'head'; it has net, net.0, net.1, net.2"),
        ({"blocks": ["head"]}, "'blocks' parameter must be .* Got 'head'"),
    ],
)
def test_a_module_that_cannot_be_measured_is_refused_before_it_is_trained(tmp_path, params, message):
    path = tmp_path / "run.npz"
    net = net_of(RecorderCallback(estimator_of(), path=path, **params)).initialize()
    before = net.module_.net[0].weight.detach().clone()
    with pytest.raises(ValueError, match=message):
        net.partial_fit(X, Y)
    assert torch.equal(net.module_.net[0].weight, before)
    ef.Recorder(estimator_of(), path=path).close()


def test_a_part_of_a_module():
    callback = RecorderCallback(estimator_of(), module="net", names=["hidden", "out"])
    net_of(callback, max_epochs=1).fit(X, Y)
    assert callback.recorder.trajectory_.layers == ("hidden", "out")


class Diverges(Callback):
    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            with torch.no_grad():
                net.module_.net[0].weight.fill_(torch.nan)


def test_a_training_that_diverges_goes_on_or_is_ended():
    callback = RecorderCallback(estimator_of())
    with pytest.warns(ef.RecordingWarning) as caught:
        net_of(Diverges(), callback, max_epochs=4, train_split=None).fit(X, Y)
    told = [str(one.message) for one in caught if issubclass(one.category, ef.RecordingWarning)]
    assert re.match("Epoch 1 is not recorded, and training goes on: ValueError: .* 'net.0' must be finite", told[0])
    assert told[-1] == "3 epochs could not be recorded, the first was 1, the last 3."
    assert callback.recorder.trajectory_.steps.tolist() == [0]
    with pytest.raises(ValueError, match="must be finite"):
        net_of(Diverges(), RecorderCallback(estimator_of(), on_error="raise"), train_split=None).fit(X, Y)
