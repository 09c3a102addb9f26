"""The page of the player: what it holds."""

import json
from base64 import b64decode

import numpy as np
import pytest
from played import played_trajectory, with_a_bracket

import ei_fast as ef
from ei_fast.figures.player import runs_of, script_of_bokeh, write_player
from ei_fast.training.trajectory import Trajectory


def contents_of(path):
    def refuse(constant):
        pytest.fail(f"{constant} is not JSON")

    text = path.read_text(encoding="utf-8").split('<script id="contents" type="application/json">')[1]
    return json.loads(text.split("</script>")[0], parse_constant=refuse)


def floats_of(text):
    return np.frombuffer(b64decode(text), "<f4")


def test_the_page_holds_the_numbers_of_the_trajectory(tmp_path):
    trajectory = with_a_bracket()
    trajectory.sensitivity[2, 1] = trajectory.metrics["loss"][3] = np.nan
    contents = contents_of(ef.animate_causal_plane(trajectory, tmp_path / "plane.html"))
    (run,) = contents["runs"]
    assert run["steps"] == contents["steps"] == trajectory.steps.tolist()
    for k, track in enumerate(run["tracks"]):
        for name in ("ei", "sensitivity", "degeneracy"):
            np.testing.assert_allclose(floats_of(track[name]), getattr(trajectory, name)[:, k], rtol=1e-6)
        ends = [trajectory.ei_low[:, k], trajectory.ei_high[:, k]]
        np.testing.assert_allclose([floats_of(end) for end in track["interval"]], ends, rtol=1e-6, atol=1e-6)
        assert track["bracketed"] == ([3, 4] if k == 1 else [])
        assert (track["bounds"] is None) == (k < 2)
        assert track["edges"] == (4 + k) * 5
    np.testing.assert_allclose(floats_of(run["curves"][0][1]), trajectory.metrics["loss"], rtol=1e-6)
    assert [name for name, _ in run["curves"]] == ["loss", "val_loss"]
    assert contents["notes"] == [
        "ranges: those of the first record",
        "bars through points: 95 % intervals of EI",
        "bars: EI known by bounds alone",
        "faint: bounds on EI that rest on no model",
    ]


def test_what_is_exact_has_neither_bars_nor_notes(tmp_path):
    contents = contents_of(ef.animate_causal_plane(played_trajectory(provenance={}), tmp_path / "plane.html"))
    assert [(track["interval"], track["bounds"]) for track in contents["runs"][0]["tracks"]] == [(None, None)] * 3
    assert contents["notes"] == []
    assert list(contents["scales"]) == ["layer"]


def test_ticks_of_a_logarithmic_axis_are_numbers_as_elsewhere(tmp_path):
    trajectory = played_trajectory()
    trajectory.metrics["loss"][:] = np.geomspace(2.5, 0.02, 12)
    contents = contents_of(ef.animate_causal_plane(trajectory, tmp_path / "plane.html"))
    ticks = contents["scales"]["layer"]["ticks"]
    assert [float(text) for _, text in ticks] == [tick for tick, _ in ticks]


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'trajectories' parameter of write_player must hold at least one run"):
        write_player({}, tmp_path / "plane.html")
    with pytest.raises(ValueError, match="must be a Trajectory of at least one step"):
        write_player({"a": played_trajectory(), "b": Trajectory.empty()}, tmp_path / "plane.html")
    assert not list(tmp_path.iterdir())


def test_runs_of_a_trajectory():
    trajectory = played_trajectory()
    assert list(runs_of(trajectory)) == [""]
    trajectory.runs = ("a",) * 5 + ("b",) * 7
    assert {name: len(run) for name, run in runs_of(trajectory).items()} == {"a": 5, "b": 7}


def test_nothing_in_the_library_ends_its_script():
    assert "</script" not in script_of_bokeh().lower()
