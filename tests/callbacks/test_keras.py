"""Recording inside Keras' fit."""

import keras
import numpy as np
import pytest

import ei_fast as ef
from ei_fast.callbacks.keras import RecorderCallback

RNG = np.random.default_rng(0)
INPUTS = RNG.uniform(size=(40, 3)).astype("float32")
TARGETS = INPUTS.sum(axis=1, keepdims=True)


def _model(seed=0):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2, activation="tanh", name="fc1"), keras.layers.Dense(1, name="fc2")]
    )
    model.compile(keras.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


def _fit(model, callback, epochs, **options):
    options = {"validation_split": 0.5, "batch_size": 10, "verbose": 0} | options
    return model.fit(INPUTS, TARGETS, epochs=epochs, callbacks=[callback], **options)


def _estimator(**params):
    return ef.EffectiveInformation(random_state=0, bins=4, **params)


def test_every_due_epoch_is_recorded_with_what_was_logged():
    model, callback = _model(), RecorderCallback(_estimator(), every=2)
    history = _fit(model, callback, 5).history
    trajectory = callback.recorder.trajectory_
    assert trajectory.steps.tolist() == [0, 2, 4]
    assert trajectory.layers == ("fc1", "fc2")
    assert set(trajectory.metrics) == {"loss", "mae", "val_loss", "val_mae"}
    for name, values in trajectory.metrics.items():
        assert values.tolist() == history[name][::2]
    for k, layer in enumerate(trajectory.layers):
        for measure in ("ei", "sensitivity", "degeneracy", "ei_parts", "phi_ff"):
            assert history[f"{measure}/{layer}"] == getattr(trajectory, measure)[:, k].tolist()
    assert trajectory.ei[-1, 0] == ef.analyze(model, bins=4, random_state=0)[0].ei


def test_another_fit_counts_on_and_the_file_is_let_go_of(tmp_path):
    path = tmp_path / "run.npz"
    model, callback = _model(), RecorderCallback(_estimator(), path=path)
    _fit(model, callback, 2)
    _fit(model, callback, 2)
    _fit(model, callback, 6, initial_epoch=5)
    assert ef.Trajectory.load(path).steps.tolist() == [0, 1, 2, 3, 5]
    ef.Recorder(_estimator(), path=path).close()


def test_training_that_begins_again_continues_the_file(tmp_path):
    path = tmp_path / "run.npz"
    _fit(_model(), RecorderCallback(_estimator(), path=path), 3)
    _fit(_model(), RecorderCallback(_estimator(), path=path), 6)
    whole = RecorderCallback(_estimator())
    _fit(_model(), whole, 6)
    trajectory = ef.Trajectory.load(path)
    assert trajectory.steps.tolist() == list(range(6))
    np.testing.assert_array_equal(trajectory.ei, whole.recorder.trajectory_.ei)


def test_what_the_time_budget_left_out_is_said_at_the_end(monkeypatch):
    monkeypatch.setattr("ei_fast.training.budget.TimeBudget.affords_one_more", lambda self: self.spent == 0.0)
    callback = RecorderCallback(_estimator(), time_budget=0.05)
    with pytest.warns(UserWarning, match=r"3 records were left out to stay within time_budget=0\.05"):
        _fit(_model(), callback, 4)
    assert callback.recorder.trajectory_.steps.tolist() == [0]


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"every": 0}, ValueError, "'every' parameter"),
        ({"time_budget": 2}, ValueError, "'time_budget' parameter"),
        ({"path": "run.csv"}, ValueError, "must end in .npz"),
    ],
)
def test_mistakes_are_found_before_training(params, error, message):
    with pytest.raises(error, match=message):
        RecorderCallback(_estimator(), **params)
    with pytest.raises(TypeError, match="must be an EffectiveInformation"):
        RecorderCallback(8)
