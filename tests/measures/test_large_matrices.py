"""Matrices of wide layers: single precision, filled in place, in memory or in files; little memory beside them."""

import os
import subprocess
import sys

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.measures import constants
from ei_fast.measures.edges import estimate as estimates
from ei_fast.measures.edges import matrices

MEASURES = ("sensitivity", "ei_parts")
FILES = [f"layer0-{measure}.npy" for measure in MEASURES]


@pytest.fixture
def small_is_large(monkeypatch):
    """Matrices of more than 500 edges are as those of wide layers."""
    for module in (constants, estimates, matrices):
        monkeypatch.setattr(module, "LARGE_MATRIX", 500)


def _report(random_weight, **params):
    return ef.analyze(random_weight(30, 20, 4.0), random_state=0, tol=1.0, n_samples=512, **params)[0]


def test_large_matrices_are_in_single_precision_and_their_sums_in_double(random_weight, monkeypatch):
    before = _report(random_weight)
    for module in (constants, estimates, matrices):
        monkeypatch.setattr(module, "LARGE_MATRIX", 500)
    after = _report(random_weight)
    for measure in MEASURES:
        double, single = (getattr(layer, f"{measure}_matrix") for layer in (before, after))
        assert (double.dtype, single.dtype) == (np.float64, np.float32)
        assert double.flags.c_contiguous
        # Outputs side by side, so that each is written in one stretch.
        assert single.flags.f_contiguous
        np.testing.assert_array_equal(single, double.astype(np.float32))
        assert getattr(after, measure) == single.sum(dtype=np.float64)
        assert getattr(after, measure) == pytest.approx(getattr(before, measure), rel=1e-7)
    assert (after.sensitivity_stderr, after.ei_parts_stderr, after.ei) == (0.0, 0.0, before.ei)


@pytest.mark.parametrize("pairwise", ["exact", "histogram", "none"])
def test_every_method_keeps_the_precision(random_weight, small_is_large, pairwise):
    layer = _report(random_weight, pairwise=pairwise)
    assert layer.sensitivity_matrix.dtype == layer.ei_parts_matrix.dtype == np.float32


@pytest.mark.parametrize("params", [{}, {"pairwise": "histogram"}, {"pairwise_edges": 1000}])
@pytest.mark.parametrize("is_large", [False, True])
def test_files_hold_what_memory_would(random_weight, tmp_path, monkeypatch, params, is_large):
    if is_large:
        for module in (constants, estimates, matrices):
            monkeypatch.setattr(module, "LARGE_MATRIX", 500)
    weight = random_weight(60, 40, 4.0)
    params = params | {"random_state": 0, "tol": 1.0, "n_samples": 512}
    in_memory, in_files = (ef.analyze(weight, **params, matrices=folder)[0] for folder in (None, tmp_path))
    assert sorted(os.listdir(tmp_path)) == sorted(FILES)
    for measure, file in zip(MEASURES, FILES, strict=True):
        expected, got = (getattr(layer, f"{measure}_matrix") for layer in (in_memory, in_files))
        assert isinstance(got, np.memmap)
        assert not got.flags.writeable
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)
        np.testing.assert_array_equal(np.load(tmp_path / file), expected)
        assert getattr(in_files, measure) == getattr(in_memory, measure)
    assert in_files.figures() == in_memory.figures()


def test_a_report_of_files_is_saved_whole(random_weight, tmp_path):
    report = ef.analyze(random_weight(6, 4), random_state=0, tol=1.0, matrices=tmp_path)
    report.save(tmp_path / "report.npz")
    loaded = ef.Report.load(tmp_path / "report.npz")[0]
    assert not isinstance(loaded.ei_parts_matrix, np.memmap)
    np.testing.assert_array_equal(loaded.ei_parts_matrix, report[0].ei_parts_matrix)


def test_every_layer_has_files_of_its_name(random_weight, tmp_path):
    network = ef.Network([ef.Layer(random_weight(4, 3), name="block/fc:1"), ef.Layer(random_weight(3, 2), name="../b")])
    ef.analyze(network, random_state=0, tol=1.0, matrices=str(tmp_path))
    names = ("block_fc_1", ".._b")
    assert sorted(os.listdir(tmp_path)) == sorted(f"{name}-{measure}.npy" for name in names for measure in MEASURES)


def test_nothing_is_written_where_no_edges_are_measured(random_weight, tmp_path):
    ef.analyze(random_weight(4, 3), random_state=0, tol=1.0, matrices=tmp_path, pairwise="none")
    assert not os.listdir(tmp_path)


def test_folders_that_do_not_do_are_refused_before_any_work(no_work, tmp_path, monkeypatch):
    rule = "The 'matrices' parameter must be a folder for new files. Got "
    with pytest.raises(ValueError, match=rule + ".*which is no folder. Make it first."):
        ef.analyze(np.eye(2), matrices=tmp_path / "missing")
    (tmp_path / FILES[1]).write_bytes(b"precious")
    with pytest.raises(ValueError, match=rule + ".*which holds 'layer0-ei_parts.npy' already. Remove it"):
        ef.analyze(np.eye(2), matrices=tmp_path)
    with pytest.raises(ValueError, match=rule + ".*which is no folder"):
        ef.analyze(np.eye(2), matrices=tmp_path / FILES[1])
    assert (tmp_path / FILES[1]).read_bytes() == b"precious"
    (tmp_path / FILES[1]).unlink()
    layers = [ef.Layer(np.eye(2), name="a/b"), ef.Layer(np.eye(2), name="a:b")]
    with pytest.raises(ValueError, match=rule + ".*layers 'a/b' and 'a:b' would have one file, 'a_b-sensitivity.npy'"):
        ef.analyze(ef.Network(layers), matrices=tmp_path)
    monkeypatch.setattr(matrices.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 63}))
    with pytest.raises(ValueError, match=rule + ".*which has 63 bytes left of the 64 that the matrices take"):
        ef.analyze(np.eye(2), matrices=tmp_path)


def test_a_folder_that_cannot_be_written_is_refused(no_work, tmp_path, monkeypatch):
    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(matrices.tempfile, "TemporaryFile", refuse)
    with pytest.raises(ValueError, match="in which no file can be written: .*Permission denied"):
        ef.analyze(np.eye(2), matrices=tmp_path)


def test_a_measurement_that_fails_leaves_no_file(tmp_path, random_weight, monkeypatch):
    def fail(*args):
        raise RuntimeError("in the middle")

    monkeypatch.setattr("ei_fast.measures.edges.ei_parts.edges_parts", fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        ef.ei_parts_matrix(random_weight(4, 3), matrices=tmp_path)
    assert not os.listdir(tmp_path)


def test_what_measures_again_and_again_keeps_no_files(tmp_path):
    estimator = ef.EffectiveInformation(matrices=tmp_path)
    with pytest.raises(ValueError, match="'matrices' parameter of EffectiveInformation must be None in Recorder"):
        ef.Recorder(estimator)
    with pytest.raises(ValueError, match="must be None in bin_sweep"):
        ef.bin_sweep([np.eye(2)], matrices=tmp_path)
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0), keep_weights=True)
    recorder.record([np.eye(2)], step=0)
    with pytest.raises(ValueError, match=r"must be None in Trajectory\.remeasure"):
        recorder.trajectory_.remeasure(matrices=tmp_path)
    from ei_fast.cluster import plan

    with pytest.raises(ValueError, match="must be None in plan"):
        plan(tmp_path, tmp_path / "batch", 1, estimator)


SCRIPT = """
import sys, tracemalloc
import numpy as np
from ei_fast.measures.edges.auto import edge_measure
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import run_here
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.layer import Layer
from ei_fast.runtime.threads import Threads

n_edges, folder, measures = eval(sys.argv[1]), eval(sys.argv[2]), sys.argv[3].split(",")
options = MeasureOptions(pairwise_edges=n_edges, matrices=folder)
rng = np.random.default_rng(0)
small, large = (BinnedLayer(Layer(rng.normal(size=(n, n)) / 50), 0, (0.0, 1.0), (0.0, 1.0), 8, 8) for n in (40, 3000))
large.steps
with Threads(2) as threads:
    for measure in measures:
        run_here(edge_measure(small, measure, MeasureOptions(pairwise_edges=n_edges), 0), threads)
    tracemalloc.start()
    found = [run_here(edge_measure(large, measure, options, 0), threads).matrix for measure in measures]
    _, peak = tracemalloc.get_traced_memory()
in_memory = sum(matrix.nbytes for matrix in found if not isinstance(matrix, np.memmap))
print((peak - in_memory) / 2**20)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_edges", "in_files", "measures"),
    [(20_000, False, "sensitivity,ei_parts"), (20_000, True, "sensitivity,ei_parts"), (None, True, "sensitivity")],
)
def test_memory_beside_weights_and_matrices_is_bounded(tmp_path, n_edges, in_files, measures):
    # 3000 x 3000 weights: one more copy of them would be 69 MiB, of a matrix 34 MiB.
    folder = repr(str(tmp_path)) if in_files else "None"
    arguments = [sys.executable, "-c", SCRIPT, repr(n_edges), folder, measures]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 32
