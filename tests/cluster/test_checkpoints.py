"""Which checkpoints are found, and the run and step of each."""

import numpy as np
import pytest

from ei_fast.cluster.checkpoints import find_checkpoints


def _touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def _told(where, **options):
    _, found, _ = find_checkpoints(str(where), **options)
    return [(one.run, one.step, one.path) for one in found]


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("ckpt_0010.npz", 10),
        ("model-3.pt", 3),
        ("epoch=12-step=3400.ckpt", 3400),
        ("7.safetensors", 7),
        ("v2_model_8.safetensors.index.json", 8),
        ("weights.00000000000000000000012.keras", 12),
        ("net5.onnx", 5),
        ("epoch_06.weights.h5", 6),
        ("model2.h5", 2),
    ],
)
def test_a_step_is_the_last_number_of_the_name(tmp_path, name, step):
    assert _told(_touch(tmp_path, name)) == [("", step, name)]


def test_a_pattern_of_ones_own(tmp_path):
    _touch(tmp_path, "epoch=12-step=3400.ckpt", "epoch=2-step=600.ckpt")
    assert [step for _, step, _ in _told(tmp_path, step_pattern=r"epoch=(\d+)")] == [2, 12]


def test_folders_are_runs_and_steps_are_in_order(tmp_path):
    _touch(
        tmp_path, "b/ckpt_10.npz", "b/ckpt_9.npz", "a/ckpt_1.npz", "b/notes.txt", ".hidden/ckpt_1.npz", "b/.ckpt_2.npz"
    )
    base, found, ignored = find_checkpoints(str(tmp_path))
    assert base == tmp_path
    assert [(one.run, one.step) for one in found] == [("a", 1), ("b", 9), ("b", 10)]
    assert ignored == ["b/notes.txt"]


def test_what_all_runs_end_in_is_no_part_of_their_names(tmp_path):
    _touch(tmp_path, "version_0/checkpoints/epoch=1.ckpt", "version_1/checkpoints/epoch=1.ckpt")
    assert [run for run, _, _ in _told(tmp_path)] == ["version_0", "version_1"]


def test_a_glob(tmp_path):
    _touch(tmp_path, "x/seed0/ckpt_1.npz", "x/seed1/ckpt_1.npz", "y/seed0/ckpt_1.npz", "x/seed0/other_1.npz")
    assert [run for run, _, _ in _told(tmp_path / "x" / "*" / "ckpt_*.npz")] == ["seed0", "seed1"]
    assert [run for run, _, _ in _told(tmp_path / "*" / "*" / "ckpt_*.npz")] == ["x/seed0", "x/seed1", "y/seed0"]
    assert _told(tmp_path / "x" / "seed0" / "ckpt*.npz") == [("", 1, "ckpt_1.npz")]


def test_files_of_an_index_are_no_checkpoints(tmp_path):
    _touch(tmp_path, "m_5.safetensors.index.json", "m_5-00001-of-00002.safetensors", "m_5-00002-of-00002.safetensors")
    assert _told(tmp_path) == [("", 5, "m_5.safetensors.index.json")]


def test_the_folder_of_the_batch_is_not_searched(tmp_path):
    _touch(tmp_path, "ckpt_1.npz", "out/parts/all/1.npz")
    assert _told(tmp_path, apart_from=tmp_path / "out") == [("", 1, "ckpt_1.npz")]


def test_a_table(tmp_path):
    _touch(tmp_path / "c", "one.npz", "two.npz", "left_out.npz")
    table = tmp_path / "table.csv"
    table.write_text("file,step,run,loss,accuracy\ntwo.npz,20,late,0.5,\none.npz,10,early,0.75,0.9\n")
    _, found, ignored = find_checkpoints(str(tmp_path / "c"), table=table)
    assert [(one.run, one.step, one.path, one.metrics) for one in found] == [
        ("early", 10, "one.npz", {"loss": 0.75, "accuracy": 0.9}),
        ("late", 20, "two.npz", {"loss": 0.5}),
    ]
    assert ignored == ["left_out.npz"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,step\na_1.npz,1\n", "must have a column 'file'"),
        ("file,step\nother.npz,1\n", "line 2, names 'other.npz'"),
        ("file,step\na_1.npz,one\n", "must have a whole number >= 0 as step. Got 'one'"),
        ("file,step\na_1.npz,-1\n", "must have a whole number >= 0 as step. Got '-1'"),
        ("file,loss\na_1.npz,low\n", "must have numbers or nothing as 'loss'. Got 'low'"),
        ("file,step\na_1.npz\n", "line 2, must have one entry for each of file, step"),
        ("file,step\na_1.npz,1,2\n", "line 2, must have one entry for each of file, step"),
        ("file,step\na_1.npz,1\na_1.npz,1\n", "have the same step, 1"),
        ("file,step,run\na_1.npz,1,../up\n", "must be a name. Got '../up'"),
        ("file,step,run\na_1.npz,1,.\n", "must be a name. Got '.'"),
    ],
)
def test_tables_that_are_refused(tmp_path, text, message):
    _touch(tmp_path / "c", "a_1.npz")
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        find_checkpoints(str(tmp_path / "c"), table=tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        ([], {}, "Found none among 0 files"),
        (["notes.txt"], {}, "Found none among 1 files"),
        (["model.npz"], {}, "The step of 'model.npz' cannot be told"),
        (["model_1.npz", "other_1.npz"], {}, "'model_1.npz' and 'other_1.npz' have the same step, 1"),
        (["model_1.npz", "run/model_1.npz"], {}, "Found 'model_1.npz' and 'run/model_1.npz'"),
        (["model_1.npz"], {"step_pattern": "("}, "is no regular expression"),
        (["model_1.npz"], {"step_pattern": r"\d+"}, "must have one group"),
        (["model_1.npz"], {"step_pattern": r"(\w+)"}, "finds no number"),
        ([f"model_{2**63}.npz"], {}, "must be from 0 to"),
    ],
)
def test_folders_that_are_refused(tmp_path, names, options, message):
    _touch(tmp_path, *names)
    with pytest.raises(ValueError, match=message):
        find_checkpoints(str(tmp_path), **options)


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(ValueError, match="must be a folder that exists, or a glob"):
        find_checkpoints(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="Found none"):
        find_checkpoints(str(tmp_path / "nowhere" / "*.npz"))


def test_ten_thousand_are_found_at_once(tmp_path):
    _touch(tmp_path, *(f"ckpt_{step}.npz" for step in range(10_000)))
    steps = np.array([step for _, step, _ in _told(tmp_path)])
    np.testing.assert_array_equal(steps, np.arange(10_000))
