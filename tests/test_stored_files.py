"""Files of the present formats: a stored one is read, and what is written now has the number that it has.

Whoever changes what a file holds changes its number, reads the older files or refuses them with the remedy, and stores
a small file of the new format here. Reports of older formats are in `tests/stored/old`, recordings in
`tests/training/old`.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import ei_fast as ef
from ei_fast._version import __version__
from ei_fast.cluster import plan, run
from ei_fast.cluster.planning.batch import Batch
from ei_fast.cluster.store.results import read_result
from ei_fast.runtime.files import sealed, unsealed

STORED = Path(__file__).parent / "stored"
(RESULT,) = STORED.glob("0*.json")
WEIGHT = np.array([[0.5, -1.0], [2.0, 0.25]])


def _layer(scale=1):
    return ef.Layer(WEIGHT * scale, [0.0, 0.5], "relu", name="fc1")


def _names(path):
    with np.load(path) as arrays:
        return set(arrays)


def _number(path):
    with np.load(path) as arrays:
        return str(arrays["kind"]), int(arrays["format"])


def test_a_report(tmp_path):
    assert _number(STORED / "report.npz") == ("report", 2)
    loaded = ef.Report.load(STORED / "report.npz")
    layer = loaded["fc1"]
    assert (layer.n_in, layer.n_out, layer.activation) == (2, 2, "relu")
    assert (layer.ei, layer.ei_interval) == (1.4818139139420174, (1.4733006426394544, 1.4903271852445805))
    assert layer.ei_bounds == layer.ei_interval
    assert layer.sensitivity_matrix.sum() == pytest.approx(layer.sensitivity) == pytest.approx(2.09554914290106)
    assert (layer.joint_method, layer.n_samples, layer.flags) == ("conditional", 32768, ())
    ef.analyze([_layer()], bins=4, random_state=0).save(tmp_path / "report.npz")
    assert _number(tmp_path / "report.npz") == ("report", 2)
    assert _names(tmp_path / "report.npz") == _names(STORED / "report.npz")


def test_a_report_of_an_older_version_has_no_bounds():
    assert _number(STORED / "old" / "report_format1.npz") == ("report", 1)
    old, new = ef.Report.load(STORED / "old" / "report_format1.npz"), ef.Report.load(STORED / "report.npz")
    assert np.isnan(old["fc1"].ei_bounds).all()
    figures = {name: value for name, value in new["fc1"].figures().items() if name != "ei_bounds"}
    assert {name: value for name, value in old["fc1"].figures().items() if name != "ei_bounds"} == figures
    assert np.isnan([old.rows()[0][f"ei_bounds_{end}"] for end in ("low", "high")]).all()


def test_a_trajectory(tmp_path):
    assert _number(STORED / "trajectory.npz") == ("trajectory", 5)
    loaded = ef.Trajectory.load(STORED / "trajectory.npz")
    assert (loaded.steps.tolist(), loaded.layers, loaded.ranges) == ([0, 10], ("fc1",), "each")
    assert loaded.metrics["loss"].tolist() == [1.0, 1 / 11]
    assert loaded.ei[0, 0] == ef.Report.load(STORED / "report.npz")[0].ei
    assert loaded.flags == (((),), (("sensitivity < EI",),))
    np.testing.assert_array_equal([loaded.ei_bounds_low, loaded.ei_bounds_high], [loaded.ei_low, loaded.ei_high])
    recorder = ef.Recorder(ef.EffectiveInformation(bins=4, random_state=0))
    for step in (0, 10):
        recorder.record([_layer(1 + step)], step=step, loss=1 / (1 + step))
    recorder.trajectory_.save(tmp_path / "trajectory.npz")
    assert _number(tmp_path / "trajectory.npz") == ("trajectory", 5)
    assert _names(tmp_path / "trajectory.npz") == _names(STORED / "trajectory.npz")


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    """Folder of a batch whose only layer was measured in parts, as the one was that the stored files are of."""
    folder = tmp_path_factory.mktemp("batch")
    (folder / "checkpoints").mkdir()
    np.savez(folder / "checkpoints" / "step_7.npz", w0=WEIGHT)
    estimator = ef.EffectiveInformation(bins=4, random_state=0)
    plan(folder / "checkpoints", folder / "out", 2, estimator, longest=6e-4)
    for shard in range(2):
        run(folder / "out", shard, processes=1)
    return folder / "out"


def test_a_plan(tmp_path, batch):
    stored = unsealed((STORED / "plan.json").read_bytes())
    assert (stored["kind"], stored["format"]) == ("ei_fast batch plan", 3)
    # Plans are for the version that made them.
    (tmp_path / "plan.json").write_bytes(sealed(stored | {"ei_fast": __version__}))
    loaded = Batch.load(tmp_path)
    assert [(one.run, one.step, one.path) for one in loaded.checkpoints] == [("", 7, "step_7.npz")]
    assert (loaded.n_shards, loaded.part_counts, loaded.layers) == (2, {(0, "joint"): 4}, [("layer0", 2, 2)])
    assert loaded.estimator.get_params()["bins"] == 4
    assert sorted(task.part.k for shard in loaded.shards for task in shard) == [0, 1, 2, 3]
    written = json.loads((batch / "plan.json").read_bytes())
    assert (written["kind"], written["format"]) == ("ei_fast batch plan", 3)
    assert written.keys() == {*stored, "seal"}


def test_a_plan_of_another_format_is_refused(tmp_path):
    stored = unsealed((STORED / "plan.json").read_bytes())
    for number in (2, 4, None):
        (tmp_path / "plan.json").write_bytes(sealed(stored | {"ei_fast": __version__, "format": number}))
        with pytest.raises(ValueError, match="plan again with replace=True"):
            Batch.load(tmp_path)


def test_a_result_of_a_batch(tmp_path, batch):
    stored = read_result(Path(shutil.copy(RESULT, tmp_path)))
    assert stored["kind"] == "ei_fast batch result"
    assert (stored["layers"][0]["ei"], stored["layers"][0]["n_samples"]) == (1.1424661252308017, 32768)
    (path,) = (batch / "results").rglob("*.json")
    written = read_result(path)
    assert (written["kind"], written.keys()) == ("ei_fast batch result", stored.keys())
    # One field is newer than the stored file.
    assert written["layers"][0].keys() == {*stored["layers"][0], "per_position"}
    assert written["layers"][0]["ei"] == pytest.approx(stored["layers"][0]["ei"], rel=1e-9)
