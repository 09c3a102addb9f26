"""Damaged and replaced files of a batch are computed again or refused by name."""

import os
import pickle
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hazards import (
    SHORT,
    files_of,
    merged,
    planned,
    said_by,
    trained,
    undisturbed,
)

import ei_fast as ef
from ei_fast.cluster import merge, run, status
from ei_fast.cluster.planning.batch import Batch
from ei_fast.errors import Incomplete

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are watched in /proc")


@pytest.fixture
def done(tmp_path):
    """A batch of four checkpoints that is done, and its results in their order."""
    folder = planned(trained(tmp_path / "checkpoints"), tmp_path / "batch")
    run(folder, processes=1)
    return folder, sorted(files_of(folder))


def _truncated(results):
    results[1].write_bytes(results[1].read_bytes()[:-20])


def _changed(results):
    results[1].write_bytes(results[1].read_bytes().replace(b'"n_in": 4', b'"n_in": 5'))


def _of_another_kind(results):
    results[1].write_bytes(b"[1, 2]")


def _of_another_checkpoint(results):
    results[1].write_bytes(results[2].read_bytes())


@pytest.mark.parametrize("damage", [_truncated, _changed, _of_another_kind, _of_another_checkpoint])
def test_a_damaged_result_is_computed_again(done, damage):
    folder, results = done
    before = merged(folder)
    damage(results)
    assert status(folder).done == 3
    with pytest.raises(Incomplete, match=r"1 of 4 .*\n1.npz: missing, of shard 0"):
        merge(folder)
    with pytest.warns(UserWarning, match="cannot be used and is computed again"):
        assert run(folder, processes=1).done == 1
    assert merged(folder) == before


def test_a_result_that_was_copied_to_the_name_of_another(done):
    folder, results = done
    before = merged(folder)
    copied = results[1].with_name(results[1].name.replace("000001-", "000002-"))
    copied.write_bytes(results[1].read_bytes())
    assert merged(folder) == before
    results[2].unlink()
    assert status(folder).reasons == {"2.npz": "missing, of shard 0"}
    shutil.copy(results[1], results[2].with_name(results[1].name.replace("000001-", "000002-")))
    results[1].unlink()
    assert status(folder).done == 2
    assert run(folder, processes=1).done == 2
    assert merged(folder) == before


def test_results_of_other_settings_are_not_taken(done, tmp_path):
    folder, _ = done
    planned(tmp_path / "checkpoints", folder, settings=SHORT | {"bins": 5}, replace=True)
    assert status(folder).done == 0
    assert run(folder, processes=1).done == 4
    assert merged(folder) == undisturbed(tmp_path / "checkpoints", tmp_path / "new", settings=SHORT | {"bins": 5})


@pytest.mark.parametrize("damage", [lambda part: part[:-30], lambda part: b"", lambda part: part[:100] + b"x" * 60])
def test_a_damaged_part_is_computed_again(tmp_path, damage):
    checkpoints = trained(tmp_path / "checkpoints", 2)
    expected = undisturbed(checkpoints, tmp_path / "undisturbed")
    folder = planned(checkpoints, tmp_path / "batch", 2, longest=1e-4)
    assert Batch.load(folder).part_counts
    run(folder, 0, processes=1)
    parts = sorted(files_of(folder, "parts"))
    parts[0].write_bytes(damage(parts[0].read_bytes()))
    with pytest.warns(UserWarning, match="The part .* cannot be used and is computed again"):
        assert run(folder, processes=1).failed == 0
    assert merged(folder) == expected
    assert files_of(folder, "parts") == {}


@pytest.mark.parametrize(
    "damage", [lambda p: p[:-9], lambda p: b"", lambda p: b"[]", lambda p: b"\xff" + p, lambda p: p.replace(b"2", b"3")]
)
def test_a_damaged_plan_is_refused(done, damage, no_work):
    folder, _ = done
    path = folder / "plan.json"
    path.write_bytes(damage(path.read_bytes()))
    for command in (run, status, merge):
        with pytest.raises(ValueError, match=r"The plan .* is damaged .*Plan again"):
            command(folder)


def test_a_plan_of_another_version_is_refused(done, monkeypatch, no_work):
    monkeypatch.setattr("ei_fast.cluster.planning.batch.__version__", "99.0")
    for command in (run, status, merge):
        with pytest.raises(ValueError, match=r"was made by ei_fast .*, and this is 99.0: figures may differ"):
            command(done[0])


class _Bomb:
    def __reduce__(self):
        return os.mkdir, (str(Path(os.environ["BOMB"])),)


def _broken(checkpoints):
    """Spoil steps 1 to 5, each in its way; say what is to be said of each."""
    good = (checkpoints / "1.npz").read_bytes()
    (checkpoints / "1.npz").write_bytes(good[:-100])
    np.savez(checkpoints / "2.npz", w0=np.full((4, 3), np.nan))
    np.savez(checkpoints / "3.npz", w0=np.ones((5, 3)))
    (checkpoints / "4.npz").unlink()
    np.savez(checkpoints / "5.npz", w0=np.array([_Bomb()]), allow_pickle=True)
    (checkpoints / "6.pt").write_bytes(pickle.dumps({"w0": _Bomb()}))
    return {
        "1.npz": "damaged or of another kind",
        "2.npz": "finite",
        "3.npz": "must be those of the plan",
        "4.npz": "No such file",
        "5.npz": "could run code",
        "6.pt": "",
    }


@pytest.mark.slow
def test_checkpoints_that_are_no_good(tmp_path, monkeypatch):
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    checkpoints = trained(tmp_path / "checkpoints", 9)
    expected = undisturbed(checkpoints, tmp_path / "undisturbed")
    good = {path.name: path.read_bytes() for path in checkpoints.iterdir()}
    torch = pytest.importorskip("torch")
    (checkpoints / "6.npz").unlink()
    torch.save({"fc.weight": torch.ones(3, 4)}, checkpoints / "6.pt")
    folder = planned(checkpoints, tmp_path / "batch")
    reasons = _broken(checkpoints)
    code, said = said_by("run", folder)
    assert code == 3
    assert "3 done, 0 were there, 6 failed" in said
    there = files_of(folder)
    for name, reason in reasons.items():
        assert re.search(f"failed: {name}: .*{reason}", said)
        assert reason in status(folder).reasons[name]
    code, said = said_by("merge", folder)
    assert code == 3
    assert all(f"{name}: " in said for name in reasons)
    assert said_by("merge", folder, "--allow-incomplete")[0] == 0
    assert ef.Trajectory.load(folder / "trajectory.npz").steps.tolist() == [0, 7, 8]
    assert not (tmp_path / "exploded").exists()
    for name, content in good.items():
        (checkpoints / name).write_bytes(content)
    (checkpoints / "6.pt").unlink()
    planned(checkpoints, folder, replace=True)
    code, said = said_by("run", folder)
    assert code == 0
    assert "6 done, 3 were there, 0 failed" in said
    assert there.items() <= files_of(folder).items()
    assert merged(folder) == expected


def test_a_checkpoint_that_is_replaced(done, tmp_path):
    folder, _ = done
    first, path = merged(folder), tmp_path / "checkpoints" / "2.npz"
    was = path.read_bytes()
    np.savez(path, w0=np.ones((4, 3)))
    summary = run(folder, processes=1)
    assert (summary.done, summary.there) == (1, 3)
    second = merged(folder)
    assert second[0] != first[0]
    assert second == undisturbed(tmp_path / "checkpoints", tmp_path / "new")
    # What is no good is not what it was before.
    path.write_bytes(b"no good")
    assert run(folder, processes=1).failed == 1
    with pytest.raises(Incomplete, match="2.npz: ValueError"):
        merge(folder)
    path.write_bytes(was)
    assert run(folder, processes=1).there == 4
    assert merged(folder) == first
    # Which of both it would be is not known without it.
    path.unlink()
    assert status(folder).done == 3
