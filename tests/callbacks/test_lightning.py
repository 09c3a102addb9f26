"""Recording inside Lightning's trainer."""

import subprocess
import sys

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

import ei_fast as ef
from ei_fast.callbacks.lightning import RecorderCallback


class Module(pl.LightningModule):
    """Two dense layers that learn the sum of three numbers."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, index):
        loss = ((self(batch) - batch.sum(1, keepdim=True)) ** 2).mean()
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", ((self(batch) - batch.sum(1, keepdim=True)) ** 2).mean())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.rand(20, 3, generator=torch.Generator().manual_seed(0)), batch_size=10)

    val_dataloader = train_dataloader


def _trainer(callback, epochs, folder, **options):
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False} | options
    return pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        callbacks=[callback] if isinstance(callback, pl.Callback) else callback,
        enable_model_summary=False,
        default_root_dir=folder,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
        **options,
    )


def _estimator(**params):
    return ef.EffectiveInformation(random_state=0, bins=4, **params)


pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    # Lightning and PyTorch among themselves.
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]


def test_every_due_epoch_is_recorded_with_what_was_logged(tmp_path):
    module, callback = Module(), RecorderCallback(_estimator(), every=2)

    class Watch(pl.Callback):
        losses: list = []  # noqa: RUF012

        def on_train_epoch_end(self, trainer, pl_module):
            self.losses.append({name: float(value) for name, value in trainer.callback_metrics.items()})

    trainer = _trainer([callback, Watch()], 5, tmp_path)
    trainer.fit(module)
    trajectory = callback.recorder.trajectory_
    assert trajectory.steps.tolist() == [0, 2, 4]
    assert trajectory.layers == ("net.0", "net.2")
    assert list(trajectory.metrics) == ["val_loss", "loss"]
    for name in ("loss", "val_loss"):
        assert trajectory.metrics[name].tolist() == [Watch.losses[epoch][name] for epoch in (0, 2, 4)]
    last = ef.analyze(module, bins=4, random_state=0)
    assert trajectory.ei[-1, 0] == last[0].ei
    for k, layer in enumerate(trajectory.layers):
        for measure in ("ei", "sensitivity", "degeneracy", "ei_parts", "phi_ff"):
            # Lightning keeps what is logged in single precision.
            logged = float(trainer.callback_metrics[f"{measure}/{layer}"])
            assert logged == np.float32(getattr(trajectory, measure)[-1, k])


def test_only_rank_zero_records(tmp_path, monkeypatch):
    callback = RecorderCallback(_estimator(), path=tmp_path / "run.npz")
    trainer = _trainer(callback, 1, tmp_path)
    monkeypatch.setattr(type(trainer), "is_global_zero", False)
    trainer.fit(Module())
    assert len(callback.recorder.trajectory_) == 0
    assert not list(tmp_path.glob("run.npz*"))


_TWO_PROCESSES = """
import sys
import lightning.pytorch as pl
import torch
import ei_fast as ef
from ei_fast.callbacks.lightning import RecorderCallback

class Module(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Linear(3, 1)

    def forward(self, x):
        return self.net(x)

    def training_step(self, batch, index):
        return ((self(batch) - batch.sum(1, keepdim=True)) ** 2).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

callback = RecorderCallback(ef.EffectiveInformation(random_state=0, n_jobs=1), path=sys.argv[1])
trainer = pl.Trainer(
    max_epochs=3, accelerator="cpu", devices=2, strategy="ddp_fork", callbacks=[callback], logger=False,
    enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
)
trainer.fit(Module(), torch.utils.data.DataLoader(torch.rand(20, 3), batch_size=5))
"""


@pytest.mark.slow
def test_of_two_processes_one_records(tmp_path):
    path = tmp_path / "run.npz"
    command = [sys.executable, "-c", _TWO_PROCESSES, str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ef.Trajectory.load(path).steps.tolist() == [0, 1, 2]
    assert "sync_dist" not in ran.stderr


def test_a_checkpoint_holds_the_trajectory(tmp_path):
    whole = RecorderCallback(_estimator())
    _trainer(whole, 6, tmp_path).fit(Module())
    first = RecorderCallback(_estimator())
    trainer = _trainer(first, 3, tmp_path)
    trainer.fit(Module())
    trainer.save_checkpoint(tmp_path / "half.ckpt", weights_only=False)
    second = RecorderCallback(_estimator())
    _trainer(second, 6, tmp_path).fit(Module(seed=1), ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert second.recorder.trajectory_.steps.tolist() == list(range(6))
    np.testing.assert_array_equal(second.recorder.trajectory_.ei, whole.recorder.trajectory_.ei)
    np.testing.assert_array_equal(
        second.recorder.trajectory_.metrics["loss"], whole.recorder.trajectory_.metrics["loss"]
    )
    with pytest.raises(ValueError, match=r"The trajectory of the checkpoint was recorded with bins=4, and cannot"):
        RecorderCallback(ef.EffectiveInformation(random_state=0)).load_state_dict(first.state_dict())


def test_the_file_and_the_checkpoint_together(tmp_path):
    """The file has seen epochs that the checkpoint has not: they are not measured again, and none is missing."""
    path = tmp_path / "run.npz"
    first = RecorderCallback(_estimator(), path=path)
    trainer = _trainer(first, 3, tmp_path)
    trainer.fit(Module())
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    module = Module()
    _trainer(first, 5, tmp_path).fit(module, ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert ef.Trajectory.load(path).steps.tolist() == list(range(5))
    later = RecorderCallback(_estimator(), path=path)
    _trainer(later, 7, tmp_path).fit(Module(), ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert ef.Trajectory.load(path).steps.tolist() == list(range(7))


def test_another_fit_counts_on_and_the_file_is_let_go_of(tmp_path):
    path = tmp_path / "run.npz"
    callback, module = RecorderCallback(_estimator(), path=path), Module()
    for _ in range(2):
        _trainer(callback, 2, tmp_path).fit(module)
    assert ef.Trajectory.load(path).steps.tolist() == [0, 1, 2, 3]
    ef.Recorder(_estimator(), path=path).close()


class Stops(pl.Callback):
    """Breaks training off in the middle of an epoch."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == 2:
            raise RuntimeError("enough")


def test_an_exception_lets_go_of_the_file(tmp_path):
    path = tmp_path / "run.npz"
    callback = RecorderCallback(_estimator(), path=path)
    with pytest.raises(RuntimeError, match="enough"):
        _trainer([callback, Stops()], 4, tmp_path).fit(Module())
    with ef.Recorder(_estimator(), path=path) as recorder:
        assert recorder.trajectory_.steps.tolist() == [0, 1]


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
