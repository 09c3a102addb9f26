"""Remedies of recorders, trajectories and callbacks, followed."""

import warnings

import numpy as np

import ei_fast as ef
from ei_fast.training.columns import MEASURES
from followed import follows, literal

QUICK = {"random_state": 0, "tol": 0.5}


def _estimator(**parameters):
    return ef.EffectiveInformation(**QUICK, **parameters)


def _recorded(path=None, n_records=2, **options):
    with ef.Recorder(_estimator(), path=path, **options) as recorder:
        for step in range(n_records):
            recorder.record([np.eye(2) * (1 + step), np.ones((2, 1))], step=step, loss=1.0 / (1 + step))
    return recorder.trajectory_


@follows("Close the other one, or give this one another file.")
def _(said):
    path = said.folder / "run.npz"
    first = ef.Recorder(_estimator(), path=path)
    said.refused(ef.Recorder, _estimator(), path=path)
    ef.Recorder(_estimator(), path=said.folder / "other.npz").close()
    first.close()
    ef.Recorder(_estimator(), path=path).close()


@follows("does not say how it was recorded, and cannot be continued. Begin anew.")
def _(said):
    trajectory = _recorded()
    trajectory.provenance = {}
    path = said.folder / "run.npz"
    trajectory.save(path)
    said.refused(ef.Recorder, _estimator(), path=path)
    path.unlink()
    assert len(_recorded(path)) == 2


@follows("and cannot be continued with {}={}. Use the same settings, or begin anew.")
def _(said):
    path = said.folder / "run.npz"
    _recorded(path)
    message = said.refused(ef.Recorder, _estimator(bins=4), path=path)
    bins = literal(message, "was recorded with bins=")
    ef.Recorder(_estimator(bins=bins), path=path).close()
    path.unlink()
    ef.Recorder(_estimator(bins=4), path=path).close()


@follows("may differ by more than their errors. Begin anew for figures of one version.")
def _(said):
    path = said.folder / "run.npz"
    _recorded(path)
    said.monkeypatch.setattr("ei_fast.training.continuation.__version__", "9.0")
    said.warned(ef.Recorder(_estimator()).resume, ef.Trajectory.load(path))
    path.unlink()
    assert "earlier_versions" not in _recorded(path).provenance


@follows("use another Recorder for another network.")
def _(said):
    recorder = ef.Recorder(_estimator())
    recorder.record(np.eye(2))
    said.refused(recorder.record, np.eye(3))
    ef.Recorder(_estimator()).record(np.eye(3))


@follows("may be another's. Open a new one to go on.")
def _(said):
    path = said.folder / "run.npz"
    with ef.Recorder(_estimator(), path=path) as recorder:
        recorder.record(np.eye(2), step=0)
    said.refused(recorder.record, np.eye(2), step=1)
    with ef.Recorder(_estimator(), path=path) as recorder:
        recorder.record(np.eye(2), step=1)
    assert ef.Trajectory.load(path).steps.tolist() == [0, 1]


@follows("Give a new file, or go on with a new recorder.")
def _(said):
    path = said.folder / "run.npz"
    _recorded(path)
    recorder = ef.Recorder(_estimator())
    recorder.record([np.eye(2), np.ones((2, 1))], step=7)
    said.refused(recorder.open, path)
    recorder.open(said.folder / "new.npz")
    recorder.close()
    with ef.Recorder(_estimator(), path=path) as recorder:
        recorder.record([np.eye(2), np.ones((2, 1))], step=7)
    assert ef.Trajectory.load(path).steps.tolist() == [0, 1, 7]


@follows("Got keep_weights={} instead. Use the same.")
def _(said):
    for keep in (True, False):
        path = said.folder / f"{keep}.npz"
        _recorded(path, keep_weights=keep)
        message = said.refused(ef.Recorder, _estimator(), path=path, keep_weights=not keep)
        ef.Recorder(_estimator(), path=path, keep_weights=not literal(message, "Got keep_weights=")).close()


@follows("Give it to the recorder: Recorder(estimator, {}={}).")
def _(said):
    model = {"head": {"kernel": np.eye(2)}, "body": {"kernel": np.ones((2, 2))}}
    message = said.refused(ef.Recorder(_estimator()).record, model, order=["body", "head"])
    order = literal(message, "Recorder(estimator, order=")
    ef.Recorder(_estimator(), order=order).record(model)


@follows("Record with Recorder(..., keep_weights=True).")
def _(said):
    said.refused(_recorded().remeasure, bins=4)
    keep = literal(said.messages[-1], "Recorder(..., keep_weights=")
    assert len(_recorded(keep_weights=keep).remeasure(bins=4)) == 2


@follows("Take one: trajectory.of_run({}), or --run {}.")
def _(said):
    from ei_fast.cluster import merge, plan, run

    for seed in range(2):
        folder = said.folder / "checkpoints" / f"seed{seed}"
        folder.mkdir(parents=True)
        np.savez(folder / "ckpt_1.npz", w0=np.eye(2) * (1 + seed))
    plan(said.folder / "checkpoints", said.folder / "ei", 1, _estimator(pairwise="none", joint="gaussian"))
    run(said.folder / "ei", processes=1)
    merge(said.folder / "ei")
    path = said.folder / "ei" / "trajectory.npz"
    trajectory = ef.Trajectory.load(path)
    message = said.refused(ef.CausalPlaneDisplay.from_trajectory, trajectory)
    name = literal(message, "trajectory.of_run(")
    ef.CausalPlaneDisplay.from_trajectory(trajectory.of_run(name))
    said.typed("plot", path, said.folder / "run.png", code=1)
    said.typed("plot", path, said.folder / "run.png", "--run", message.split("--run ")[1].rstrip("."))


@follows("The file {} is a damaged trajectory: {}. Record it again.")
def _(said):
    path = said.folder / "run.npz"
    _recorded(path)
    with np.load(path) as stored:
        arrays = {name: array for name, array in stored.items() if name != "steps"}
    np.savez(path, **arrays)
    said.refused(ef.Trajectory.load, path)
    path.unlink()
    _recorded(path)
    ef.Trajectory.load(path)


@follows("call the metric val_{}, for example.")
def _(said):
    recorder = ef.Recorder(_estimator())
    message = said.refused(recorder.record, np.eye(2), layer=1.0)
    name = message.split("call the metric ")[1].split(",")[0]
    recorder.record(np.eye(2), **{name: 1.0})
    assert recorder.trajectory_.to_frame()[name].tolist() == [1.0]


@follows(" Transpose it.")
def _(said):
    trajectory = _recorded(n_records=3)
    ei = trajectory.ei
    said.refused(ef.Trajectory, trajectory.steps, trajectory.layers, _measures(trajectory, ei.T), {})
    ef.Trajectory(trajectory.steps, trajectory.layers, _measures(trajectory, ei), {})


@follows("in several places. Put them in order, run by run.")
def _(said):
    trajectory = _recorded(n_records=3)
    given = trajectory.layers, _measures(trajectory, trajectory.ei), {}
    said.refused(ef.Trajectory, [5, 0, 6], *given, runs=["x", "y", "x"])
    assert ef.Trajectory([5, 6, 0], *given, runs=["x", "x", "y"]).of_run("x").steps.tolist() == [5, 6]


def _measures(trajectory, ei):
    return {name: getattr(trajectory, name) for name in MEASURES} | {"ei": ei}


@follows("which a file cannot hold. Record without keep_weights.")
def _(said):
    own = ef.Layer(np.eye(2), activation=ef.Activation(np.tanh, (-1.0, 1.0)))
    said.refused(ef.Recorder(_estimator(), keep_weights=True).record, own)
    ef.Recorder(_estimator()).record(own)


@follows("Name a part, module={}, or give a callable that returns one.")
def _(said):
    import lightning.pytorch as pl
    import torch

    from ei_fast.callbacks.lightning import RecorderCallback

    class Silent(pl.LightningModule):
        def __init__(self):
            super().__init__()
            self.net, self.other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)

        def training_step(self, batch, index):
            return self.net(batch[0]).mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), 0.1)

    def trained(module=None):
        callback = RecorderCallback(_estimator(), module=module)
        data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(2, 2)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer = pl.Trainer(
                max_epochs=1,
                callbacks=[callback],
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                accelerator="cpu",
                default_root_dir=said.folder,
            )
            trainer.fit(Silent(), data)
        return callback.recorder.trajectory_

    message = said.refused(trained)
    assert len(trained(literal(message, "module="))) == 1
    assert len(trained(lambda module: module.net)) == 1


@follows("Name one of these", "Use it as it is, without a run")
def _(said):
    trajectory = _recorded()
    said.refused(trajectory.of_run, "a")
    ef.CausalPlaneDisplay.from_trajectory(trajectory)
    measures = {name: getattr(trajectory, name) for name in MEASURES}
    several = ef.Trajectory([0, 1], trajectory.layers, measures, {}, runs=["a", "b"])
    message = said.refused(several.of_run, "c")
    for name in message.split("It has ")[1].split(". Name")[0].split(", "):
        several.of_run(name)
