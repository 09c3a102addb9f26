"""Recording inside Lightning's trainer."""

import random
import subprocess
import sys

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning_models import Module, Stops, estimator_of, trainer_of

import ei_fast as ef
from ei_fast.callbacks.lightning import RecorderCallback

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    # Lightning and PyTorch among themselves.
    pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning"),
]


def test_every_due_epoch_is_recorded_with_what_was_logged(tmp_path):
    module, callback = Module(), RecorderCallback(estimator_of(), every=2)

    class Watch(pl.Callback):
        losses: list = []  # noqa: RUF012

        def on_train_epoch_end(self, trainer, pl_module):
            self.losses.append({name: float(value) for name, value in trainer.callback_metrics.items()})

    trainer = trainer_of([callback, Watch()], 5, tmp_path)
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
    callback = RecorderCallback(estimator_of(), path=tmp_path / "run.npz")
    trainer = trainer_of(callback, 1, tmp_path)
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


@pytest.mark.endurance
def test_of_two_processes_one_records(tmp_path):
    path = tmp_path / "run.npz"
    command = [sys.executable, "-c", _TWO_PROCESSES, str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert ef.Trajectory.load(path).steps.tolist() == [0, 1, 2]
    assert "sync_dist" not in ran.stderr


_SPREAD = """
import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.fsdp import fully_shard
import ei_fast as ef
from ei_fast.callbacks.lightning import RecorderCallback

class Module(pl.LightningModule):
    def configure_model(self):
        self.net = torch.nn.Linear(3, 2)
        fully_shard(self.net, mesh=self.device_mesh["data_parallel"])

    def training_step(self, batch, index):
        print("a batch is seen", flush=True)
        return self.net(batch).mean()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)

callback = RecorderCallback(ef.EffectiveInformation(random_state=0, n_jobs=1))
trainer = pl.Trainer(
    max_epochs=1, accelerator="cpu", devices=2, strategy=ModelParallelStrategy(2, 1), callbacks=[callback],
    logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
)
trainer.fit(Module(), torch.utils.data.DataLoader(torch.rand(20, 3), batch_size=5))
"""


@pytest.mark.endurance
def test_weights_that_are_spread_over_processes_are_refused(tmp_path):
    script = tmp_path / "spread.py"
    script.write_text(_SPREAD)
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode != 0
    assert "ModelParallelStrategy leaves each of the 2 a part of the weights" in ran.stderr
    assert "a batch is seen" not in ran.stdout


def test_a_checkpoint_holds_the_trajectory(tmp_path):
    whole = RecorderCallback(estimator_of())
    trainer_of(whole, 6, tmp_path).fit(Module())
    first = RecorderCallback(estimator_of())
    trainer = trainer_of(first, 3, tmp_path)
    trainer.fit(Module())
    trainer.save_checkpoint(tmp_path / "half.ckpt", weights_only=False)
    second = RecorderCallback(estimator_of())
    trainer_of(second, 6, tmp_path).fit(Module(seed=1), ckpt_path=tmp_path / "half.ckpt", weights_only=True)
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
    first = RecorderCallback(estimator_of(), path=path)
    trainer = trainer_of(first, 3, tmp_path)
    trainer.fit(Module())
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    module = Module()
    trainer_of(first, 5, tmp_path).fit(module, ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert ef.Trajectory.load(path).steps.tolist() == list(range(5))
    later = RecorderCallback(estimator_of(), path=path)
    trainer_of(later, 7, tmp_path).fit(Module(), ckpt_path=tmp_path / "half.ckpt", weights_only=True)
    assert ef.Trajectory.load(path).steps.tolist() == list(range(7))


def test_another_fit_counts_on_and_the_file_is_let_go_of(tmp_path):
    path = tmp_path / "run.npz"
    callback, module = RecorderCallback(estimator_of(), path=path), Module()
    for _ in range(2):
        trainer_of(callback, 2, tmp_path).fit(module)
    assert ef.Trajectory.load(path).steps.tolist() == [0, 1, 2, 3]
    ef.Recorder(estimator_of(), path=path).close()


def test_an_exception_lets_go_of_the_file(tmp_path):
    path = tmp_path / "run.npz"
    callback = RecorderCallback(estimator_of(), path=path)
    with pytest.raises(RuntimeError, match="enough"):
        trainer_of([callback, Stops()], 4, tmp_path).fit(Module())
    with ef.Recorder(estimator_of(), path=path) as recorder:
        assert recorder.trajectory_.steps.tolist() == [0, 1]


@pytest.mark.filterwarnings("ignore:Found 1 module.s. in eval mode")
def test_the_training_is_the_same_without_it(tmp_path):
    class Noisy(Module):
        def __init__(self):
            super().__init__()
            self.net = torch.nn.Sequential(
                torch.nn.Linear(3, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Dropout(), self.net[0:0]
            ).append(torch.nn.Linear(8, 1))
            self.net[0].bias.requires_grad_(False)
            self.net[1].eval()

        def forward(self, x):
            # Drawn from by who runs the module, whoever that is.
            random.random(), np.random.random(), torch.rand(1)  # noqa: NPY002
            return super().forward(x)

        def configure_optimizers(self):
            return torch.optim.Adam(self.parameters(), lr=0.01)

    def trained(callbacks):
        pl.seed_everything(5, verbose=False)
        module = Noisy()
        trainer = trainer_of(callbacks, 3, tmp_path)
        trainer.fit(module)
        drawn = [random.random(), np.random.random(), torch.rand(2)]  # noqa: NPY002
        moments = [one for state in trainer.optimizers[0].state.values() for one in state.values()]
        return [*module.state_dict().values(), *moments, *map(torch.as_tensor, drawn)], [
            *(part.training for part in module.modules()),
            *(parameter.requires_grad for parameter in module.parameters()),
        ]

    callback = RecorderCallback(estimator_of())
    (without, modes), (beside, other_modes) = trained([]), trained([callback])
    assert all(torch.equal(one, other) for one, other in zip(without, beside, strict=True))
    assert modes == other_modes
    assert len(callback.recorder.trajectory_) == 3


def test_a_trial_run_leaves_no_file(tmp_path):
    path = tmp_path / "run.npz"
    trainer_of(RecorderCallback(estimator_of(), path=path), 2, tmp_path, fast_dev_run=True).fit(Module(seed=1))
    assert not list(tmp_path.glob("run.npz*"))
    with ef.Recorder(estimator_of(), path=path) as recorder:
        recorder.record(Module(), step=0)
    trainer_of(RecorderCallback(estimator_of(), path=path), 2, tmp_path, fast_dev_run=True).fit(Module(seed=1))
    assert ef.Trajectory.load(path).steps.tolist() == [0]


@pytest.mark.parametrize("options", [{"precision": "bf16-true"}, {"precision": "bf16-mixed"}, {"fast_dev_run": True}])
def test_other_ways_to_train(tmp_path, options):
    callback = RecorderCallback(estimator_of())
    trainer = trainer_of(callback, 2, tmp_path, **options)

    class Halved(Module):
        def training_step(self, batch, index):
            return super().training_step(batch.to(self.net[0].weight.dtype), index)

        def validation_step(self, batch, index):
            return super().validation_step(batch.to(self.net[0].weight.dtype), index)

    module = Halved()
    trainer.fit(module)
    assert len(callback.recorder.trajectory_) == (1 if "fast_dev_run" in options else 2)
    assert callback.recorder.trajectory_.ei[-1, 0] == ef.analyze(module, bins=4, random_state=0)[0].ei
