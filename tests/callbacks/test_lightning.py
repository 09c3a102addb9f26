"""Recording inside Lightning's trainer."""

import random
import subprocess
import sys

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from disks import fill, mounted

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
        ({"on_error": "ignore"}, ValueError, "'on_error' parameter"),
        ({"module": 3}, TypeError, "'module' parameter"),
        ({"module": torch.nn.Linear(3, 1)}, TypeError, "Got a Linear itself"),
        ({"blokcs": ["fc1"]}, TypeError, "got an unexpected keyword argument 'blokcs'. Write 'blocks'"),
    ],
)
def test_mistakes_are_found_before_training(params, error, message):
    with pytest.raises(error, match=message):
        RecorderCallback(_estimator(), **params)
    with pytest.raises(TypeError, match="must be an EffectiveInformation"):
        RecorderCallback(8)


class Bare(Module):
    """Has no forward: its training step runs a part of it, as most do."""

    forward = pl.LightningModule.forward

    def training_step(self, batch, index):
        return ((self.net(batch) - batch.sum(1, keepdim=True)) ** 2).mean()

    def validation_step(self, batch, index):
        self.log("val_loss", self.training_step(batch, index))


class Two(Bare):
    """Two parts that can be run, one of them in a list, and a loss."""

    def __init__(self):
        super().__init__()
        self.heads = torch.nn.ModuleList([torch.nn.Linear(2, 1), torch.nn.Linear(3, 2)])
        self.critic = torch.nn.Linear(3, 1)
        self.loss = torch.nn.MSELoss()


class Batches(pl.Callback):
    """Counts the batches of a training."""

    seen = 0

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen += 1


def test_a_module_without_forward_is_measured_by_its_one_part(tmp_path):
    module, callback = Bare(), RecorderCallback(_estimator())
    _trainer(callback, 3, tmp_path).fit(module)
    assert callback.recorder.trajectory_.steps.tolist() == [0, 1, 2]
    assert callback.recorder.trajectory_.ei[-1, 0] == ef.analyze(module.net, bins=4, random_state=0)[0].ei


@pytest.mark.parametrize(
    ("part", "width"),
    [("net", 2), ("net.2", 1), ("heads.1", 2), (lambda module: module.heads[0], 1), (lambda module: module.critic, 1)],
)
def test_a_part_of_a_module(tmp_path, part, width):
    callback = RecorderCallback(_estimator(), module=part)
    _trainer(callback, 2, tmp_path).fit(Two())
    assert len(callback.recorder.trajectory_) == 2
    assert callback.recorder.report_[0].n_out == width


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "The Two has no forward, .* it has net, critic. Name a part, module='net'"),
        ({"module": "nets"}, "Got 'nets'; it has net, net.0, net.1, net.2, heads, heads.0, heads.1, critic, loss"),
        ({"module": "heads.5"}, "Got 'heads.5'"),
        ({"module": "net", "blocks": ["7"]}, "Got '7', which the model does not have"),
        ({"module": "net", "order": ["0"]}, "'order' parameter of as_network is for dicts"),
        ({"module": "net", "keep_weights": True, "blocks": ["1"]}, "keep_weights=True keeps weights"),
    ],
)
def test_a_module_that_cannot_be_measured_is_refused_before_it_is_trained(tmp_path, params, message):
    batches, path = Batches(), tmp_path / "run.npz"
    with pytest.raises(ValueError, match=message):
        _trainer([batches, RecorderCallback(_estimator(), path=path, **params)], 2, tmp_path).fit(Two())
    assert batches.seen == 0
    ef.Recorder(_estimator(), path=path).close()


class Unbuilt(Bare):
    """Has no part yet."""

    first = torch.nn.Linear

    def __init__(self):
        super().__init__()
        del self.net

    def build(self):
        if not hasattr(self, "net"):
            self.net = torch.nn.Sequential(self.first(3, 2), torch.nn.Tanh(), torch.nn.Linear(2, 1))


class BuiltInSetup(Unbuilt):
    """Is built once the data are known."""

    def setup(self, stage):
        self.build()


class BuiltByStrategy(Unbuilt):
    """Is built where its weights are to be."""

    def configure_model(self):
        self.build()


class Lazy(BuiltByStrategy):
    """Has weights only once it has met a batch."""

    first = staticmethod(lambda n_in, n_out: torch.nn.LazyLinear(n_out))


@pytest.mark.parametrize("kind", [BuiltInSetup, BuiltByStrategy, Lazy])
def test_a_module_that_is_built_later(tmp_path, kind):
    callback = RecorderCallback(_estimator())
    _trainer(callback, 2, tmp_path).fit(kind())
    assert len(callback.recorder.trajectory_) == 2


@pytest.mark.parametrize("kind", [BuiltInSetup, BuiltByStrategy])
def test_a_module_that_is_built_later_is_refused_before_it_is_trained(tmp_path, kind):
    batches = Batches()
    with pytest.raises(ValueError, match="Got 'head'; it has net, net.0, net.1, net.2"):
        _trainer([batches, RecorderCallback(_estimator(), module="head")], 2, tmp_path).fit(kind())
    assert batches.seen == 0


def test_what_the_estimator_cannot_measure_is_refused_before_the_module_is_trained(tmp_path):
    batches, callback = Batches(), RecorderCallback(_estimator(pairwise="exact"), blocks={"net.1": (-1.0, 1.0)})
    with pytest.raises(ValueError, match="pairwise='exact' must be asked of dense layers"):
        _trainer([batches, callback], 2, tmp_path).fit(Module())
    assert batches.seen == 0


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")
def test_a_part_that_is_compiled(tmp_path):
    module, callback = Bare(), RecorderCallback(_estimator())
    module.net = torch.compile(module.net, backend="eager")
    _trainer(callback, 1, tmp_path).fit(module)
    assert callback.recorder.trajectory_.layers == ("0", "2")


class Quiet(Bare):
    """Logs nothing in its training step, which PyTorch does not always compile."""

    forward = Module.forward


@pytest.mark.parametrize(("kind", "layers"), [(Quiet, ("net.0", "net.2")), (Bare, ("0", "2"))])
def test_a_module_that_is_compiled(tmp_path, kind, layers):
    module, callback = torch.compile(kind(), backend="eager"), RecorderCallback(_estimator())
    _trainer(callback, 2, tmp_path).fit(module)
    assert callback.recorder.trajectory_.layers == layers
    weights = [part.weight.T.detach().numpy() for part in (module.net[0], module.net[2])]
    ei = ef.analyze([(weights[0], module.net[0].bias.detach().numpy(), "tanh")], bins=4, random_state=0)[0].ei
    assert callback.recorder.trajectory_.ei[-1, 0] == ei


def test_a_function_that_returns_no_part(tmp_path):
    batches, callback = Batches(), RecorderCallback(_estimator(), module=lambda module: None)
    with pytest.raises(TypeError, match="must return what is measured of the model. Got None"):
        _trainer([batches, callback], 2, tmp_path).fit(Module())
    assert batches.seen == 0


class Diverges(pl.Callback):
    """Learns far too fast from the third epoch on."""

    def on_train_epoch_start(self, trainer, pl_module):
        if trainer.current_epoch >= 2:
            trainer.optimizers[0].param_groups[0]["lr"] = 1e30


def test_a_training_that_diverges_goes_on(tmp_path):
    path, batches = tmp_path / "run.npz", Batches()
    callback = RecorderCallback(_estimator(), path=path)
    with pytest.warns(UserWarning, match="recorded") as caught:
        _trainer([Diverges(), batches, callback], 6, tmp_path).fit(Module())
    said = [str(one.message) for one in caught if "recorded" in str(one.message)]
    assert len(said) == 2
    assert said[0].startswith("Epoch 2 is not recorded, and training goes on: ValueError: ")
    assert "must be finite" in said[0]
    assert said[1] == "4 epochs could not be recorded, the first was 2, the last 5."
    assert batches.seen == 12
    assert ef.Trajectory.load(path).steps.tolist() == callback.recorder.trajectory_.steps.tolist() == [0, 1]
    with pytest.raises(ValueError, match="must be finite"):
        _trainer([Diverges(), RecorderCallback(_estimator(), on_error="raise")], 6, tmp_path).fit(Module())


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
    callback = RecorderCallback(_estimator(), path=folder / "run.npz")
    with pytest.warns(UserWarning, match="recorded") as caught:
        _trainer([Moves(folder), batches, callback], 6, tmp_path).fit(Module())
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
    callback = RecorderCallback(_estimator(), path=path)
    _trainer([Unlocks(tmp_path / "run.npz.lock"), callback], 4, tmp_path).fit(Module())
    assert ef.Trajectory.load(path).steps.tolist() == [0, 1, 2, 3]


def _cannot_be_let_go_of(monkeypatch):
    def release(self, force=False):
        raise OSError("stale file handle")

    monkeypatch.setattr("filelock.FileLock.release", release)


def test_what_fails_at_the_end_hides_nothing(tmp_path, monkeypatch):
    _cannot_be_let_go_of(monkeypatch)
    callback = RecorderCallback(_estimator(), path=tmp_path / "run.npz")
    with pytest.raises(RuntimeError, match="enough") as caught:
        _trainer([callback, Stops()], 4, tmp_path).fit(Module())
    assert caught.value.__notes__ == ["The recorder could not be closed: OSError: stale file handle"]
    callback = RecorderCallback(_estimator(), path=tmp_path / "other.npz")
    with pytest.warns(UserWarning, match="could not be closed: OSError: stale file handle"):
        _trainer(callback, 2, tmp_path).fit(Module())
    callback = RecorderCallback(_estimator(), path=tmp_path / "third.npz", on_error="raise")
    with pytest.raises(OSError, match="stale file handle"):
        _trainer(callback, 2, tmp_path).fit(Module())


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
        _trainer([batches, RecorderCallback(_estimator(), module=part)], 6, tmp_path).fit(Module())
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
        callback = RecorderCallback(_estimator(), path=small / "run.npz")
        with pytest.warns(UserWarning, match="recorded") as caught:
            _trainer([Disk(small), batches, callback], 6, tmp_path).fit(Module())
        said = [str(one.message) for one in caught if "recorded" in str(one.message)]
        assert "No space left" in said[0]
        assert said[1:] == ["2 epochs could not be recorded, the first was 2, the last 3."]
        assert batches.seen == 12
        assert ef.Trajectory.load(small / "run.npz").steps.tolist() == [0, 1, 4, 5]


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
        trainer = _trainer(callbacks, 3, tmp_path)
        trainer.fit(module)
        drawn = [random.random(), np.random.random(), torch.rand(2)]  # noqa: NPY002
        moments = [one for state in trainer.optimizers[0].state.values() for one in state.values()]
        return [*module.state_dict().values(), *moments, *map(torch.as_tensor, drawn)], [
            *(part.training for part in module.modules()),
            *(parameter.requires_grad for parameter in module.parameters()),
        ]

    callback = RecorderCallback(_estimator())
    (without, modes), (beside, other_modes) = trained([]), trained([callback])
    assert all(torch.equal(one, other) for one, other in zip(without, beside, strict=True))
    assert modes == other_modes
    assert len(callback.recorder.trajectory_) == 3


def test_a_trial_run_leaves_no_file(tmp_path):
    path = tmp_path / "run.npz"
    _trainer(RecorderCallback(_estimator(), path=path), 2, tmp_path, fast_dev_run=True).fit(Module(seed=1))
    assert not list(tmp_path.glob("run.npz*"))
    with ef.Recorder(_estimator(), path=path) as recorder:
        recorder.record(Module(), step=0)
    _trainer(RecorderCallback(_estimator(), path=path), 2, tmp_path, fast_dev_run=True).fit(Module(seed=1))
    assert ef.Trajectory.load(path).steps.tolist() == [0]


@pytest.mark.parametrize("options", [{"precision": "bf16-true"}, {"precision": "bf16-mixed"}, {"fast_dev_run": True}])
def test_other_ways_to_train(tmp_path, options):
    callback = RecorderCallback(_estimator())
    trainer = _trainer(callback, 2, tmp_path, **options)

    class Halved(Module):
        def training_step(self, batch, index):
            return super().training_step(batch.to(self.net[0].weight.dtype), index)

        def validation_step(self, batch, index):
            return super().validation_step(batch.to(self.net[0].weight.dtype), index)

    module = Halved()
    trainer.fit(module)
    assert len(callback.recorder.trajectory_) == (1 if "fast_dev_run" in options else 2)
    assert callback.recorder.trajectory_.ei[-1, 0] == ef.analyze(module, bins=4, random_state=0)[0].ei
