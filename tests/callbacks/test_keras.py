"""Recording inside Keras' fit, on the backend that the environment names."""

import importlib.util
import os
import random
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from disks import fill, mounted

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
    callbacks = callback if isinstance(callback, list) else [callback]
    return model.fit(INPUTS, TARGETS, epochs=epochs, callbacks=callbacks, **options)


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
        ({"on_error": "ignore"}, ValueError, "'on_error' parameter"),
        ({"module": 3}, TypeError, "'module' parameter"),
        ({"module": keras.layers.Dense(1)}, TypeError, "Got a Dense itself"),
        ({"blokcs": ["fc1"]}, TypeError, "got an unexpected keyword argument 'blokcs'. Write 'blocks'"),
    ],
)
def test_mistakes_are_found_before_training(params, error, message):
    with pytest.raises(error, match=message):
        RecorderCallback(_estimator(), **params)
    with pytest.raises(TypeError, match="must be an EffectiveInformation"):
        RecorderCallback(8)


@pytest.mark.parametrize("backend", ["jax", "tensorflow"])
@pytest.mark.slow
def test_all_of_this_on_another_backend(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    if os.environ["KERAS_BACKEND"] != "torch":
        pytest.skip("for the process that runs all tests")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", __file__],
        env=os.environ | {"KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout
    assert "passed" in ran.stdout


class Saves(keras.callbacks.Callback):
    """Keeps the weights of every epoch."""

    def __init__(self):
        super().__init__()
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())


def test_what_is_recorded_is_what_the_saved_weights_have():
    model, callback, saves = _model(), RecorderCallback(_estimator()), Saves()
    _fit(model, [saves, callback], 3)
    assert len(saves.weights) == 3
    for k, weights in enumerate(saves.weights):
        model.set_weights(weights)
        report = ef.analyze(model, bins=4, random_state=0)
        np.testing.assert_array_equal(callback.recorder.trajectory_.ei[k], [layer.ei for layer in report])
        np.testing.assert_array_equal(callback.recorder.trajectory_.sensitivity[k], [one.sensitivity for one in report])
    assert len(np.unique(callback.recorder.trajectory_.ei[:, 0])) == 3


def test_the_training_is_the_same_without_it():
    def trained(callbacks):
        keras.utils.set_random_seed(3)
        model = keras.Sequential(
            [
                keras.Input((3,)),
                keras.layers.Dense(4, activation="tanh", trainable=False),
                keras.layers.Dense(8, activation="relu"),
                keras.layers.BatchNormalization(),
                keras.layers.Dropout(0.3),
                keras.layers.Dense(1),
            ]
        )
        model.compile(keras.optimizers.Adam(0.01), "mse")
        model.fit(INPUTS, TARGETS, epochs=3, batch_size=10, verbose=0, callbacks=callbacks)
        # What others draw next, from every generator that there is.
        drawn = random.random(), np.random.random(), keras.ops.convert_to_numpy(keras.random.uniform((2,)))  # noqa: NPY002
        state = [keras.ops.convert_to_numpy(one) for one in (*model.variables, *model.optimizer.variables)]
        flags = [(layer.trainable, *(one.trainable for one in layer.variables)) for layer in model.layers]
        return [*state, *map(np.asarray, (*drawn, *flags))]

    callback = RecorderCallback(_estimator())
    for one, other in zip(trained([]), trained([callback]), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(callback.recorder.trajectory_) == 3


def _diverges():
    return keras.callbacks.LearningRateScheduler(lambda epoch: 0.1 if epoch < 2 else 1e30)


def test_a_training_that_diverges_goes_on(tmp_path):
    callback = RecorderCallback(_estimator(), path=tmp_path / "run.npz")
    with pytest.warns(UserWarning, match="recorded") as caught:
        history = _fit(_model(), [_diverges(), callback], 6)
    said = [str(one.message) for one in caught if "recorded" in str(one.message)]
    assert len(said) == 2
    assert said[0].startswith("Epoch 2 is not recorded, and training goes on: ValueError: ")
    assert "must be finite" in said[0]
    assert said[1] == "4 epochs could not be recorded, the first was 2, the last 5."
    assert len(history.epoch) == 6
    assert ef.Trajectory.load(tmp_path / "run.npz").steps.tolist() == [0, 1]
    assert callback.recorder.trajectory_.steps.tolist() == [0, 1]


def test_a_training_that_diverges_is_ended_where_that_is_asked_for(tmp_path):
    callback = RecorderCallback(_estimator(), path=tmp_path / "run.npz", on_error="raise")
    with pytest.raises(ValueError, match="must be finite"):
        _fit(_model(), [_diverges(), callback], 6)
    assert ef.Trajectory.load(tmp_path / "run.npz").steps.tolist() == [0, 1]


class Moves(keras.callbacks.Callback):
    """Takes the folder away in epochs 2 and 3."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            self.folder.rename(f"{self.folder}_elsewhere")
        elif epoch == 4:
            self.folder.mkdir()


def test_a_folder_that_is_gone_for_a_while(tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    callback = RecorderCallback(_estimator(), path=folder / "run.npz")
    with pytest.warns(UserWarning, match="recorded") as caught:
        history = _fit(_model(), [Moves(folder), callback], 6)
    said = [str(one.message) for one in caught if "recorded" in str(one.message)]
    assert said[0].startswith("Epoch 2 is not recorded, and training goes on: FileNotFoundError")
    assert said[1:] == ["2 epochs could not be recorded, the first was 2, the last 3."]
    assert len(history.epoch) == 6
    assert ef.Trajectory.load(folder / "run.npz").steps.tolist() == [0, 1, 4, 5]


def test_a_file_that_cannot_be_closed(tmp_path, monkeypatch):
    def release(self, force=False):
        raise OSError("stale file handle")

    monkeypatch.setattr("filelock.FileLock.release", release)
    callback = RecorderCallback(_estimator(), path=tmp_path / "run.npz")
    with pytest.warns(UserWarning, match="could not be closed: OSError: stale file handle"):
        assert len(_fit(_model(), callback, 2).epoch) == 2
    callback = RecorderCallback(_estimator(), path=tmp_path / "other.npz", on_error="raise")
    with pytest.raises(OSError, match="stale file handle"):
        _fit(_model(), callback, 2)


@pytest.mark.parametrize("asked", [KeyboardInterrupt, SystemExit])
def test_who_asks_for_the_end_gets_it(asked):
    calls, batches = [], Batches()

    def part(model):
        calls.append(model)
        # The first call is before the training.
        if len(calls) == 3:
            raise asked
        return model

    with pytest.raises(asked):
        _fit(_model(), [batches, RecorderCallback(_estimator(), module=part)], 6)
    assert batches.seen == 4


class Disk(keras.callbacks.Callback):
    """A disk that is full in epochs 2 and 3."""

    def __init__(self, folder):
        super().__init__()
        self.folder = folder

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            fill(self.folder)
        elif epoch == 4:
            (self.folder / "filling").unlink()


def test_a_disk_that_is_full_for_a_while(tmp_path):
    with mounted(tmp_path / "small", "size=200k") as small:
        callback = RecorderCallback(_estimator(), path=small / "run.npz")
        with pytest.warns(UserWarning, match="recorded") as caught:
            history = _fit(_model(), [Disk(small), callback], 6)
        said = [str(one.message) for one in caught if "recorded" in str(one.message)]
        assert said[0].startswith("Epoch 2 is not recorded, and training goes on: OSError")
        assert "No space left" in said[0]
        assert said[1:] == ["2 epochs could not be recorded, the first was 2, the last 3."]
        assert len(history.epoch) == 6
        assert ef.Trajectory.load(small / "run.npz").steps.tolist() == [0, 1, 4, 5]
        assert list(small.glob("*.npz")) == [small / "run.npz"]


class Batches(keras.callbacks.Callback):
    """Counts the batches of a training."""

    seen = 0

    def on_train_batch_begin(self, batch, logs=None):
        self.seen += 1


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"module": "head"}, "Got 'head'; the model .* has fc1, fc2"),
        ({"blocks": ["fc9"]}, "Got 'fc9', which the model does not have"),
        ({"input_shape": (4,)}, "axis -1"),
        ({"order": ["fc1"]}, "'order' parameter of as_network is for dicts"),
    ],
)
def test_a_model_that_cannot_be_measured_is_refused_before_it_is_trained(tmp_path, params, message):
    batches, path = Batches(), tmp_path / "run.npz"
    with pytest.raises(ValueError, match=message):
        _fit(_model(), [batches, RecorderCallback(_estimator(), path=path, **params)], 2)
    assert batches.seen == 0
    ef.Recorder(_estimator(), path=path).close()


def test_what_the_estimator_cannot_measure_is_refused_before_the_model_is_trained():
    batches, callback = Batches(), RecorderCallback(_estimator(pairwise="exact"), blocks={"fc1": (-1.0, 1.0)})
    with pytest.raises(ValueError, match="pairwise='exact' must be asked of dense layers"):
        _fit(_model(), [batches, callback], 2)
    assert batches.seen == 0


class Pair(keras.Model):
    """An encoder and a head, each of them a model."""

    def __init__(self):
        super().__init__()
        self.encoder = keras.Sequential([keras.layers.Dense(4, activation="tanh", name="first")], name="inner")
        self.heads = [keras.layers.Dense(1, name="out")]

    def call(self, x):
        return self.heads[0](self.encoder(x))


@pytest.mark.parametrize(
    ("module", "layers"),
    [
        ("encoder", ("first",)),
        ("inner", ("first",)),
        ("heads.0", ("out",)),
        ("out", ("out",)),
        (lambda model: [layer.get_weights()[0] for layer in model.heads], ("layer0",)),
    ],
)
def test_a_part_of_a_model(module, layers):
    keras.utils.set_random_seed(0)
    model = Pair()
    model.compile("sgd", "mse")
    callback = RecorderCallback(_estimator(), module=module)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        _fit(model, callback, 2)
    assert callback.recorder.trajectory_.layers == layers
    assert len(callback.recorder.trajectory_) == 2


def test_options_of_as_network_reach_it():
    callback = RecorderCallback(_estimator(), blocks={"fc1": (-1.0, 1.0)})
    _fit(_model(), callback, 1)
    assert callback.recorder.report_["fc1"].activation == "function"


def test_a_metric_with_the_name_of_a_column_is_left_out_and_the_epoch_is_not():
    def sensitivity(y_true, y_pred):
        return keras.ops.mean(y_true - y_pred)

    model = _model()
    model.compile("sgd", "mse", metrics=[sensitivity])
    callback = RecorderCallback(_estimator())
    with pytest.warns(UserWarning, match="The metric 'sensitivity' .* must not have the name of a column") as caught:
        _fit(model, callback, 2)
    assert sum("is not kept" in str(one.message) for one in caught) == 1
    assert set(callback.recorder.trajectory_.metrics) == {"loss", "val_loss", "val_sensitivity"}
    with pytest.raises(ValueError, match="must not have the name of a column"):
        _fit(model, RecorderCallback(_estimator(), on_error="raise"), 2)


class Rates(keras.callbacks.Callback):
    """Logs what is no number."""

    def on_epoch_end(self, epoch, logs=None):
        logs |= {"rates": np.ones(3), "note": "warming up", "scores": keras.ops.ones((2,))}


def test_what_is_logged_and_is_no_number_is_left_out_and_the_epoch_is_not():
    callback = RecorderCallback(_estimator())
    with pytest.warns(UserWarning, match="is not kept") as caught:
        _fit(_model(), [Rates(), callback], 2)
    said = [str(one.message) for one in caught if "is not kept" in str(one.message)]
    assert len(said) == 3
    assert said[1] == (
        "A metric is not kept: The metric 'note' of RecorderCallback must be a number. Got 'warming up' instead."
    )
    assert set(callback.recorder.trajectory_.metrics) == {"loss", "mae", "val_loss", "val_mae"}
    assert callback.recorder.trajectory_.steps.tolist() == [0, 1]
