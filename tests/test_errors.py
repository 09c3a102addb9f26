"""Exceptions and warnings that programs tell apart: each is a kind of the built-in that it was before."""

import ast
import inspect
import warnings

import numpy as np
import pytest
from filelock import FileLock

import ei_fast as ef
import ei_fast.demo
from ei_fast import errors
from ei_fast.cluster import merge, plan, run
from ei_fast.cluster.store.locks import check_writable, holding
from ei_fast.kernels import kept

KINDS = {
    ef.Busy: ValueError,
    ef.Incomplete: ValueError,
    ef.CannotWrite: OSError,
    ef.MissingExtra: ImportError,
    ef.CompileCacheWarning: RuntimeWarning,
    ef.RecordingWarning: UserWarning,
    ef.BatchWarning: UserWarning,
}


def _planned(folder, *names):
    for name in names:
        np.savez(folder / name, w0=np.eye(2))
    plan(folder / "step_*.npz", folder / "ei", 1, ef.EffectiveInformation(activation="linear", random_state=0))
    return folder / "ei"


def test_each_is_a_kind_of_the_built_in_that_says_the_same():
    defined = [one for _, one in inspect.getmembers(errors, inspect.isclass)]
    assert set(defined) == set(KINDS)
    for kind, built_in in KINDS.items():
        assert kind.__base__ is built_in


def test_the_page_of_them_imports_nothing_of_the_package():
    tree = ast.parse(inspect.getsource(errors))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


def test_what_another_process_has_is_busy(tmp_path):
    estimator = ef.EffectiveInformation()
    with ef.Recorder(estimator, path=tmp_path / "run.npz"), pytest.raises(ef.Busy, match="no other recorder has open"):
        ef.Recorder(estimator, path=tmp_path / "run.npz")
    recorder = ef.Recorder(ef.EffectiveInformation(activation="linear"))
    recorder.record([np.eye(2)], loss=1.0)
    (tmp_path / "page").mkdir()
    with FileLock(tmp_path / "page" / ".lock"), pytest.raises(ef.Busy, match="another process makes a page in it"):
        ei_fast.demo.page(tmp_path / "page", {"run": recorder.trajectory_})
    folder = _planned(tmp_path, "step_1.npz")
    with holding(folder, 0), pytest.raises(ef.Busy, match="is being run by another process"):
        run(folder, 0)


def test_a_batch_without_all_results_is_incomplete(tmp_path):
    with pytest.raises(ef.Incomplete, match="1 of 1 checkpoints have no result"):
        merge(_planned(tmp_path, "step_1.npz"))


def test_a_folder_that_takes_no_file_cannot_be_written(tmp_path):
    with pytest.raises(ef.CannotWrite, match="Nothing can be written into") as info:
        check_writable(tmp_path / "absent")
    assert info.value.errno


def test_machine_code_that_cannot_be_kept_is_a_warning_of_its_own(monkeypatch):
    monkeypatch.setattr(kept, "_said", False)
    with pytest.warns(ef.CompileCacheWarning, match="The disk is full. Set NUMBA_CACHE_DIR"):
        kept.tell("The disk is full", "Set NUMBA_CACHE_DIR to another folder.")


def test_what_is_not_recorded_as_asked_is_a_warning_of_its_own():
    recorder = ef.Recorder(ef.EffectiveInformation(activation="relu", random_state=0, n_samples=256), ranges="first")
    with pytest.warns(ef.RecordingWarning, match="are one point, which makes no range"):
        recorder.record([np.zeros((2, 2))])


def test_what_a_batch_leaves_out_is_a_warning_of_its_own(tmp_path):
    (tmp_path / "table.csv").write_text("file,step\nstep_1.npz,1\n")
    for name in ("step_1.npz", "step_2.npz"):
        np.savez(tmp_path / name, w0=np.eye(2))
    estimator = ef.EffectiveInformation(activation="linear", random_state=0)
    with pytest.warns(ef.BatchWarning, match="'step_2.npz' is left out"):
        plan(tmp_path / "step_*.npz", tmp_path / "ei", 1, estimator, table=tmp_path / "table.csv")


def test_whoever_ignores_the_built_in_warnings_ignores_these():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        for kind in (ef.CompileCacheWarning, ef.RecordingWarning, ef.BatchWarning):
            warnings.warn("said", kind, stacklevel=1)
