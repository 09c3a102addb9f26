"""Remedies of batches on clusters, followed."""

import ast
import json
import re
import shlex
import shutil
import warnings

import numpy as np
from disks import fill, mounted

import ei_fast as ef
from ei_fast.cluster import merge, plan, run
from ei_fast.cluster.planning.batch import Batch
from ei_fast.cluster.store.files import PLAN
from ei_fast.cluster.store.locks import holding
from ei_fast.runtime.files import sealed, unsealed
from followed import follows, literal

ESTIMATOR = ef.EffectiveInformation(random_state=0, pairwise="none", joint="gaussian", n_samples=256)


def _checkpoints(said, *names):
    folder = said.folder / "checkpoints"
    for k, name in enumerate(names or ("ckpt_1.npz", "ckpt_2.npz")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        np.savez(folder / name, w0=np.eye(2) * (1 + k))
    return folder


def _planned(said, shards=1, **options):
    return plan(_checkpoints(said), said.folder / "ei", shards, ESTIMATOR, **options)


def _changed(said, **changes):
    """The plan with other content."""
    path = said.folder / "ei" / PLAN
    path.write_bytes(sealed(unsealed(path.read_bytes()) | changes))


@follows("The folder {} holds no plan. Make one: ei-fast batch plan CHECKPOINTS --out {} --shards 1")
def _(said):
    folder = said.folder / "ei"
    folder.mkdir()
    message = said.typed("batch", "run", folder, code=1)
    command = message.split("Make one: ei-fast ")[1].replace("CHECKPOINTS", str(_checkpoints(said)))
    said.typed(*command.split())
    said.typed("batch", "status", folder)


@follows("The plan {} is damaged ({}). Plan again with replace=True ({}).")
def _(said):
    _planned(said)
    path = said.folder / "ei" / PLAN
    for damage in ("nothing", json.dumps({"kind": 1})):
        path.write_text(damage)
        message = said.refused(run, said.folder / "ei")
        _planned(said, replace=literal(message, "replace="))
        Batch.load(said.folder / "ei")
    _changed(said, layers=3)
    message = said.refused(run, said.folder / "ei")
    command = message.split("replace=True (ei-fast ")[1].split(")")[0].split()
    said.typed(*command, said.folder / "checkpoints", "--out", said.folder / "ei", "--shards", 1)
    Batch.load(said.folder / "ei")


@follows("The file {} is not an {}, but {}. Give another folder.")
def _(said):
    _planned(said)
    _changed(said, kind="something")
    said.refused(run, said.folder / "ei")
    plan(said.folder / "checkpoints", said.folder / "other", 1, ESTIMATOR)
    assert run(said.folder / "other", processes=1).done == 2


@follows("figures may differ. Use that version, or plan again with replace=True ({}).")
def _(said):
    _planned(said)
    _changed(said, ei_fast="0.0.1")
    message = said.refused(run, said.folder / "ei")
    _planned(said, replace=literal(message, "replace="))
    run(said.folder / "ei", processes=1)


def _table(said, **steps):
    """A CSV with the steps of files, which are told without their suffix."""
    path = said.folder / "steps.csv"
    path.write_text("file,step\n" + "".join(f"{name}.npz,{step}\n" for name, step in steps.items()))
    return path


def _steps(said, where, **options):
    return sorted(
        one.step for one in plan(where, said.folder / "ei", 1, ESTIMATOR, replace=True, **options).checkpoints
    )


@follows(
    "there is no number in {}{}. Give {}; or table=, a CSV with columns file and step; or a glob that leaves the file"
)
def _(said):
    folder = _checkpoints(said, "checkpoint-500/model.npz", "checkpoint-900/model.npz")
    message = said.refused(_steps, said, folder)
    assert _steps(said, folder, step_pattern=literal(message, "Give step_pattern=")) == [500, 900]
    table = _table(said, **{"checkpoint-500/model": 5, "checkpoint-900/model": 9})
    assert _steps(said, folder, table=table) == [5, 9]
    np.savez(folder / "7.npz", w0=np.eye(2))
    np.savez(folder / "last.npz", w0=np.eye(2))
    said.refused(_steps, said, folder)
    assert _steps(said, folder / "[0-9].npz") == [7]
    typed = ("batch", "plan", folder / "checkpoint*" / "*.npz", "--out", said.folder / "typed", "--shards", 1)
    option = said.typed(*typed, code=1).split("Give ")[1].split(", a regular")[0]
    said.typed(*typed, *shlex.split(option))


@follows("finds no number in {}, nor in the path below the folder of the checkpoints. Give step_pattern=")
def _(said):
    folder = _checkpoints(said, "x7y.npz", "x8y.npz")
    said.refused(_steps, said, folder, step_pattern=r"z(\d)")
    assert _steps(said, folder, step_pattern=r"x(\d)y") == [7, 8]
    assert _steps(said, folder, table=_table(said, x7y=1, x8y=2), step_pattern=r"z(\d)") == [1, 2]
    np.savez(folder / "z9.npz", w0=np.eye(2))
    said.refused(_steps, said, folder, step_pattern=r"z(\d)")
    assert _steps(said, folder / "z*.npz", step_pattern=r"z(\d)") == [9]
    typed = ("batch", "plan", folder, "--out", said.folder / "yes", "--shards", 1, "--step-pattern")
    assert "Give --step-pattern, a regular expression" in said.typed(*typed, "q(8)", code=1)
    assert "or --table, a CSV" in said.messages[-1]
    said.typed(*typed, r"[xz](\d)")


@follows("The steps of the checkpoints{} cannot be told: {}.")
def _(said):
    folder = _checkpoints(said, "1-best2.npz", "3-best5.npz", "4-best4.npz")
    message = said.refused(_steps, said, folder)
    patterns = [ast.literal_eval(one) for one in re.findall("step_pattern=('[^']*') for", message)]
    assert sorted(_steps(said, folder, step_pattern=one) for one in patterns) == [[1, 3, 4], [2, 4, 5]]
    assert _steps(said, folder, table=_table(said, **{"1-best2": 1, "3-best5": 3, "4-best4": 4})) == [1, 3, 4]


@follows("Give a pattern that ends in a slash for folders, like 'checkpoint-(\\d+)/', or a narrower glob.")
def _(said):
    names = "checkpoint-5/model.npz", "checkpoint-6/model_checkpoint-6.npz"
    folder = _checkpoints(said, *names)
    message = said.refused(_steps, said, folder, step_pattern=r"checkpoint-(\d+)")
    assert _steps(said, folder, step_pattern=literal(message, "for folders, like ")) == [5, 6]
    assert _steps(said, folder / "*" / "model.npz", step_pattern=r"checkpoint-(\d+)") == [5]


@follows("have the same step, {}. Give a glob that leaves one of them out; or step_pattern=, a regular expression with")
def _(said):
    folder = _checkpoints(said, "epoch=11-step=140.npz", "epoch=11-step=140-v1.npz")
    said.refused(_steps, said, folder)
    assert _steps(said, folder / "*-v1.npz") == [140]
    table = _table(said, **{"epoch=11-step=140": 140, "epoch=11-step=140-v1": 141})
    assert _steps(said, folder, table=table) == [140, 141]
    folder = _checkpoints(said, "a_1_v2.npz", "a_1_v3.npz")
    said.refused(_steps, said, folder / "a*.npz")
    assert _steps(said, folder / "a*.npz", step_pattern=r"v(\d)") == [2, 3]
    _checkpoints(said, "mlp_1.npz", "cnn_1.npz")
    pattern = said.refused(_steps, said, folder / "[mc]*.npz").split("where they are of two, like ")[1].split("; or")[0]
    made = plan(folder / "[mc]*.npz", said.folder / "two", 1, ESTIMATOR, step_pattern=ast.literal_eval(pattern))
    assert sorted(made.ranges) == ["cnn", "mlp"]


@follows("The runs of the checkpoints{} cannot be told: their names differ in more than the step")
def _(said):
    folder = _checkpoints(said, "lr0.1_epoch3.npz", "lr0.01_epoch5.npz")
    message = said.refused(_steps, said, folder)
    patterns = [ast.literal_eval(one) for one in re.findall("step_pattern=('[^']*') for", message)]
    runs = [
        sorted(plan(folder, said.folder / f"ei{k}", 1, ESTIMATOR, step_pattern=one).ranges)
        for k, one in enumerate(patterns)
    ]
    assert sorted(runs) == [[""], ["lr0.01", "lr0.1"]]
    table = said.folder / "runs.csv"
    table.write_text("file,step,run\nlr0.1_epoch3.npz,3,high\nlr0.01_epoch5.npz,5,low\n")
    assert _steps(said, folder, table=table) == [3, 5]
    typed = ("batch", "plan", folder, "--out", said.folder / "typed", "--shards", 1)
    for option in re.findall(r"(--step-pattern \S+) for", said.typed(*typed, code=1)):
        said.typed(*typed, "--replace", *shlex.split(option))


@follows("{} These are options of ei-fast batch plan: plan again with them, and with --replace.")
def _(said):
    folder = _checkpoints(said, "step1.npz", "step2.npz")
    weights = {"fc1.weight": np.eye(2), "fc2.weight": np.eye(2)}
    np.savez(folder / "step1.npz", **weights)
    np.savez(folder / "step2.npz", **weights, **{"x.weight": np.ones(4)})
    planned = ("batch", "plan", folder, "--out", said.folder / "ei", "--shards", 1)
    said.typed(*planned)
    message = said.typed("batch", "run", said.folder / "ei", code=3)
    options = message.split("Give ")[1].split(", or other names")[0]
    said.typed(*planned, *shlex.split(options), "--replace")
    said.typed("batch", "run", said.folder / "ei")


@follows("The names of some checkpoints say of which run they are, like {}, and of others do not, like {}.")
def _(said):
    folder = _checkpoints(said, "seed1_epoch1.npz", "seed2_epoch1.npz", "epoch1.npz")
    said.refused(_steps, said, folder)
    assert _steps(said, folder / "seed*.npz") == [1, 1]
    table = said.folder / "runs.csv"
    table.write_text("file,step,run\nseed1_epoch1.npz,1,one\nseed2_epoch1.npz,1,two\nepoch1.npz,1,none\n")
    assert _steps(said, folder, table=table) == [1, 1, 1]


@follows("Give a glob like 'runs/*/*.npz'.")
def _(said):
    folder = _checkpoints(said, "1.npz", "seed0/1.npz")
    said.refused(plan, folder, said.folder / "ei", 1, ESTIMATOR)
    plan(folder / "*/*.npz", said.folder / "ei", 1, ESTIMATOR)


@follows("Give more memory, or fewer --processes.")
def _(said):
    _planned(said)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        failed = run(said.folder / "ei", processes=1, max_memory=1000)
    assert failed.failed == 2
    said.messages.append(said.refused(merge, said.folder / "ei"))
    assert run(said.folder / "ei", processes=1, max_memory=2**40).done == 2


@follows("The environment variable {} must be an integer >= 0. Got {} instead. Name the shard, as shard=0.")
def _(said):
    _planned(said)
    said.monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "first")
    message = said.refused(run, said.folder / "ei")
    assert run(said.folder / "ei", literal(message, "shard="), processes=1).done == 2
    typed = said.typed("batch", "run", said.folder / "ei", code=1).split("Name the shard, as ")[1].strip().rstrip(".")
    said.typed("batch", "run", said.folder / "ei", *typed.split())


@follows("is being run by another process. Wait for it, or run another shard.")
def _(said):
    _planned(said, shards=2)
    with holding(said.folder / "ei", 0):
        said.refused(run, said.folder / "ei", 0)
        run(said.folder / "ei", 1, processes=1)
    run(said.folder / "ei", 0, processes=1)


@follows("{}: shards {} of {} are being run. Wait for them, or stop them.")
def _(said):
    _planned(said)
    with holding(said.folder / "ei", 0):
        said.refused(_planned, said, replace=True)
    _planned(said, replace=True)


@follows("Run their shards again, or merge with allow_incomplete=True.")
def _(said):
    folder = _checkpoints(said)
    _planned(said, shards=2)
    run(said.folder / "ei", 0, processes=1)
    message = said.refused(merge, said.folder / "ei")
    merge(said.folder / "ei", allow_incomplete=literal(message, "allow_incomplete="))
    assert "merge with --allow-incomplete." in said.typed("batch", "merge", said.folder / "ei", code=3)
    said.typed("batch", "merge", said.folder / "ei", "--allow-incomplete")
    run(said.folder / "ei", 1, processes=1)
    merge(said.folder / "ei")
    assert folder.is_dir()


@follows("The folder {} holds a plan already. Give another, or replace=True.")
def _(said):
    _planned(said)
    message = said.refused(_planned, said)
    _planned(said, replace=literal(message, "replace="))
    plan(said.folder / "checkpoints", said.folder / "another", 1, ESTIMATOR)
    typed = ("batch", "plan", said.folder / "checkpoints", "--out", said.folder / "ei", "--shards", 1)
    option = said.typed(*typed, code=1).split("Give another, or ")[1].strip().rstrip(".")
    said.typed(*typed, option)


@follows("The runs of a batch must have the same layers. {} has {}, {} has {}. Plan them apart.")
def _(said):
    folder = _checkpoints(said, "a/1.npz", "b/1.npz")
    np.savez(folder / "b" / "1.npz", w0=np.eye(3))
    said.refused(plan, folder, said.folder / "ei", 1, ESTIMATOR)
    for one in ("a", "b"):
        plan(folder / one, said.folder / f"ei-{one}", 1, ESTIMATOR)


@follows("Bring them back, or plan again with replace=True (ei-fast batch plan --replace).")
def _(said):
    _planned(said)
    folder = said.folder / "checkpoints"
    folder.rename(said.folder / "moved")
    said.refused(run, said.folder / "ei")
    plan(said.folder / "moved", said.folder / "ei", 1, ESTIMATOR, replace=True)
    run(said.folder / "ei", processes=1)
    shutil.copytree(said.folder / "moved", folder)
    _planned(said, replace=True)
    run(said.folder / "ei", processes=1)


@follows("Submit the array with --array=0-{}.")
def _(said):
    _planned(said, shards=2)
    said.monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "5")
    message = said.refused(run, said.folder / "ei")
    for shard in range(literal(message, "--array=0-") + 1):
        said.monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(shard))
        run(said.folder / "ei", processes=1)
    merge(said.folder / "ei")


@follows("Give one of these, or none to do all of them.")
def _(said):
    _planned(said, shards=2)
    assert "from 0 to 1." in said.refused(run, said.folder / "ei", 5)
    assert run(said.folder / "ei", 1, processes=1).done == 1
    run(said.folder / "ei", processes=1)
    merge(said.folder / "ei")


@follows("Nothing can be written into {}: {}. Make room, or give a folder that is yours")
def _(said):
    with mounted(said.folder / "small", "size=200k") as small:
        filling = fill(small)
        (small / "ei").mkdir()
        said.refused(plan, _checkpoints(said), small / "ei", 1, ESTIMATOR)
        plan(said.folder / "checkpoints", said.folder / "mine", 1, ESTIMATOR)
        filling.unlink()
        plan(said.folder / "checkpoints", small / "ei", 1, ESTIMATOR)


@follows("{} could not be written: {}. Make room, and run it again.")
def _(said):
    names = [f"ckpt_{k}.npz" for k in range(150)]
    folder = _checkpoints(said, *names)
    with mounted(said.folder / "small", "size=200k") as small:
        (small / "ei").mkdir()
        filling = fill(small)
        with filling.open("r+b") as file:
            # Room for the probe, not for the plan.
            file.truncate(filling.stat().st_size - 4096)
        said.refused(plan, folder, small / "ei", 1, ESTIMATOR)
        filling.unlink()
        plan(folder, small / "ei", 1, ESTIMATOR)


@follows("is no regular expression: {}. Write one like 'step=(\\d+)'.")
def _(said):
    folder = _checkpoints(said, "step=1.npz")
    message = said.refused(plan, folder, said.folder / "ei", 1, ESTIMATOR, step_pattern="(")
    pattern = message.split("Write one like '")[1].split("'")[0]
    assert plan(folder, said.folder / "ei", 1, ESTIMATOR, step_pattern=pattern).checkpoints[0].step == 1


@follows("{}, names {}, which is not among the checkpoints, like {}. Remove the line.")
def _(said):
    folder, table = _checkpoints(said, "ckpt_1.npz"), said.folder / "steps.csv"
    table.write_text("file,step\nckpt_1.npz,1\nckpt_7.npz,7\n")
    said.refused(plan, folder, said.folder / "ei", 1, ESTIMATOR, table=table)
    table.write_text("file,step\nckpt_1.npz,1\n")
    plan(folder, said.folder / "ei", 1, ESTIMATOR, table=table)


@follows("{}, names {}, which a line before it does. Remove one of them.")
def _(said):
    folder, table = _checkpoints(said, "ckpt_1.npz"), said.folder / "steps.csv"
    table.write_text("file,step\nckpt_1.npz,1\nckpt_1.npz,2\n")
    said.refused(plan, folder, said.folder / "ei", 1, ESTIMATOR, table=table)
    table.write_text("file,step\nckpt_1.npz,2\n")
    assert plan(folder, said.folder / "ei", 1, ESTIMATOR, table=table).checkpoints[0].step == 2


@follows(
    "The settings {} are no TOML: {}. Write lines like bins = 8.", "which is none of {}. Leave it out, or correct it."
)
def _(said):
    folder, settings = _checkpoints(said), said.folder / "settings.toml"
    typed = ("batch", "plan", folder, "--out", said.folder / "ei", "--shards", 1, "--settings", settings)
    settings.write_text("bins: 8")
    line = said.typed(*typed, code=1).split("Write lines like ")[1].strip().rstrip(".")
    settings.write_text("bin = 8")
    said.typed(*typed, code=1)
    settings.write_text(line)
    said.typed(*typed)


@follows("which the file of a plan can hold. Got {} instead. Give an array (rows, ...).")
def _(said):
    estimator = ef.EffectiveInformation(random_state=0, in_range="seen", out_range="seen", tol=0.5)
    folder, x = _checkpoints(said), np.array([[0.0, 0.5], [0.2, 2.0]])
    said.refused(plan, folder, said.folder / "ei", 1, estimator, example_inputs={"x": x})
    plan(folder, said.folder / "ei", 1, estimator, example_inputs=x)
    assert run(said.folder / "ei", 0, processes=1).done == 2
