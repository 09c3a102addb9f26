"""Trainings of Lightning go on where weights, folders, locks and disks do not."""

import lightning.pytorch as pl
import pytest
from disks import fill, mounted
from lightning_models import Batches, Module, Stops, estimator_of, trainer_of

import ei_fast as ef
from ei_fast.callbacks.lightning import RecorderCallback

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    # Lightning and PyTorch among themselves.
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]


class Diverges(pl.Callback):
    """Learns far too fast from the third epoch on."""

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch >= 2:
            trainer.optimizers[0].param_groups[0]["lr"] = 1e30


def test_a_training_that_diverges_goes_on(tmp_path):
    path, batches = tmp_path / "run.npz", Batches()
    callback = RecorderCallback(estimator_of(), path=path)
    with pytest.warns(UserWarning, match="recorded") as caught:
        trainer_of([Diverges(), batches, callback], 6, tmp_path).fit(Module())
    said = [str(one.message) for one in caught if "recorded" in str(one.message)]
    assert len(said) == 2
    assert said[0].startswith("Epoch 2 is not recorded, and training goes on: ValueError: ")
    assert "must be finite" in said[0]
    assert said[1] == "4 epochs could not be recorded, the first was 2, the last 5."
    assert batches.seen == 12
    assert ef.Trajectory.load(path).steps.tolist() == callback.recorder.trajectory_.steps.tolist() == [0, 1]
    with pytest.raises(ValueError, match="must be finite"):
        trainer_of([Diverges(), RecorderCallback(estimator_of(), on_error="raise")], 6, tmp_path).fit(Module())


class Moves(pl.Callback):
    """Takes the folder away in epochs 2 and 3."""

    def __init__(self, folder):
        self.folder = folder

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            self.folder.rename(f"{self.folder}_elsewhere")
        elif trainer.current_epoch == 4:
            self.folder.mkdir()


def test_a_folder_that_is_gone_for_a_while(tmp_path):
    folder, batches = tmp_path / "runs", Batches()
    folder.mkdir()
    callback = RecorderCallback(estimator_of(), path=folder / "run.npz")
    with pytest.warns(UserWarning, match="recorded") as caught:
        trainer_of([Moves(folder), batches, callback], 6, tmp_path).fit(Module())
    said = [str(one.message) for one in caught if "recorded" in str(one.message)]
    assert said[0].startswith("Epoch 2 is not recorded, and training goes on: FileNotFoundError")
    assert said[1:] == ["2 epochs could not be recorded, the first was 2, the last 3."]
    assert batches.seen == 12
    assert ef.Trajectory.load(folder / "run.npz").steps.tolist() == [0, 1, 4, 5]


class Unlocks(pl.Callback):
    """Removes the lock in epoch 2."""

    def __init__(self, lock):
        self.lock = lock

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            self.lock.unlink()


def test_a_lock_that_is_gone(tmp_path):
    path = tmp_path / "run.npz"
    callback = RecorderCallback(estimator_of(), path=path)
    trainer_of([Unlocks(tmp_path / "run.npz.lock"), callback], 4, tmp_path).fit(Module())
    assert ef.Trajectory.load(path).steps.tolist() == [0, 1, 2, 3]


def _cannot_be_let_go_of(monkeypatch):
    def release(self, force=False):
        raise OSError("stale file handle")

    monkeypatch.setattr("filelock.FileLock.release", release)


def test_what_fails_at_the_end_hides_nothing(tmp_path, monkeypatch):
    _cannot_be_let_go_of(monkeypatch)
    callback = RecorderCallback(estimator_of(), path=tmp_path / "run.npz")
    with pytest.raises(RuntimeError, match="enough") as caught:
        trainer_of([callback, Stops()], 4, tmp_path).fit(Module())
    assert caught.value.__notes__ == ["The recorder could not be closed: OSError: stale file handle"]
    callback = RecorderCallback(estimator_of(), path=tmp_path / "other.npz")
    with pytest.warns(UserWarning, match="could not be closed: OSError: stale file handle"):
        trainer_of(callback, 2, tmp_path).fit(Module())
    callback = RecorderCallback(estimator_of(), path=tmp_path / "third.npz", on_error="raise")
    with pytest.raises(OSError, match="stale file handle"):
        trainer_of(callback, 2, tmp_path).fit(Module())


@pytest.mark.parametrize("asked", [KeyboardInterrupt, SystemExit])
def test_who_asks_for_the_end_gets_it(tmp_path, asked):
    calls = []

    def part(module):
        calls.append(module)
        # The first call is before the training.
        if len(calls) == 3:
            raise asked
        return module.net

    batches = Batches()
    with pytest.raises(SystemExit):
        trainer_of([batches, RecorderCallback(estimator_of(), module=part)], 6, tmp_path).fit(Module())
    assert batches.seen == 4


class Disk(pl.Callback):
    """A disk that is full in epochs 2 and 3."""

    def __init__(self, folder):
        self.folder = folder

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch == 2:
            fill(self.folder)
        elif trainer.current_epoch == 4:
            (self.folder / "filling").unlink()


def test_a_disk_that_is_full_for_a_while(tmp_path):
    batches = Batches()
    with mounted(tmp_path / "small", "size=200k") as small:
        callback = RecorderCallback(estimator_of(), path=small / "run.npz")
        with pytest.warns(UserWarning, match="recorded") as caught:
            trainer_of([Disk(small), batches, callback], 6, tmp_path).fit(Module())
        said = [str(one.message) for one in caught if "recorded" in str(one.message)]
        assert "No space left" in said[0]
        assert said[1:] == ["2 epochs could not be recorded, the first was 2, the last 3."]
        assert batches.seen == 12
        assert ef.Trajectory.load(small / "run.npz").steps.tolist() == [0, 1, 4, 5]
