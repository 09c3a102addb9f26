"""Pages of somebody's own recordings: what belongs together, what is counted, and what stays of other pages."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

import ei_fast as ef
import ei_fast.demo
from ei_fast.cli import main
from ei_fast.demo.chapters import Chapter
from ei_fast.demo.given import given_chapters
from ei_fast.training.trajectory import Trajectory


def record(seed, path=None, keep_weights=True, activation="sigmoid", **params):
    """A run of 14 records of a small network that learns, by its losses at least."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=shape) for shape in ((4, 3), (3, 3), (3, 2))]
    estimator = ef.EffectiveInformation(activation=activation, random_state=seed, **params)
    with ef.Recorder(estimator, path=path, keep_weights=keep_weights) as recorder:
        for step in range(14):
            weights = [weight + rng.normal(0, 0.3, weight.shape) for weight in weights]
            recorder.record(weights, step=step, loss=np.exp(-step / 5) + rng.uniform(0, 0.01))
    return recorder.trajectory_


@pytest.fixture(scope="module")
def runs():
    return {f"run-{seed}": record(seed) for seed in range(3)}


@pytest.fixture
def undrawn(monkeypatch):
    """Pages without pictures, which take most of the time."""
    monkeypatch.setattr("ei_fast.demo.pages.draw_chapter", lambda chapter, folder, script: None)
    monkeypatch.setattr("ei_fast.demo.pages.draw_explanations", lambda folder: None)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_runs_of_one_kind_make_a_network(runs):
    """Other activations, bins, estimators and ranges are other networks; other seeds and threads are not."""
    others = {
        "relu": record(5, activation="relu"),
        "bins": record(5, bins=4),
        "plugin": record(5, joint="plugin", n_samples=1000),
        "first": runs["run-0"].remeasure(ranges="first"),
        "counted": ei_fast.demo.trainings.counted(runs["run-0"], (500, 1000)),
    }
    chapters = given_chapters(runs | others | {"threads": record(6, n_jobs=1)}, ["relu"])
    assert [list(chapter.runs) for chapter in chapters] == [
        ["run-0", "run-1", "run-2", "threads"],
        *[[k] for k in others],
    ]
    assert [chapter.name for chapter in chapters] == ["run-0", "relu-2", "bins", "plugin", "first", "counted"]


def test_a_recording_is_of_one_kind_in_memory_and_from_disk(runs, tmp_path):
    runs["run-1"].save(tmp_path / "run.npz")
    assert len(given_chapters({"a": runs["run-0"], "b": Trajectory.load(tmp_path / "run.npz")}, [])) == 1


def test_one_training_given_twice_is_no_second_seed(runs, tmp_path):
    again = runs["run-0"].remeasure(random_state=7)
    with pytest.raises(
        ValueError, match="'run-0' and 'again', which have the same losses at the same steps. Leave one"
    ):
        ei_fast.demo.page(tmp_path / "page", runs | {"again": again}, verbose=0)
    bare = [Trajectory(one.steps, one.layers, _measures(one), {"lr": np.ones(14)}) for one in runs.values()]
    assert len(given_chapters(dict(zip("abc", bare, strict=True)), [])) == 1
    with pytest.raises(ValueError, match="the same figures"):
        given_chapters({"a": bare[0], "b": bare[0]}, [])
    assert not (tmp_path / "page").exists()


def _measures(trajectory):
    return {name: getattr(trajectory, name) for name in ef.training.columns.MEASURES}


def test_what_was_counted_is_not_counted_again(runs, undrawn, tmp_path, monkeypatch):
    counted_of = []

    def counting(trajectory, **params):
        counted_of.append(trajectory)
        return counted(trajectory, (500, 1000), **params)

    from ei_fast.demo.trainings import counted

    monkeypatch.setattr("ei_fast.demo.given.counted", counting)
    two = dict(list(runs.items())[:2])
    ei_fast.demo.page(tmp_path, two, verbose=0)
    assert len(counted_of) == 2
    before = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*.npz")}
    ei_fast.demo.page(tmp_path, runs, verbose=0)
    assert counted_of[2:] == [runs["run-2"]]
    assert {path: path.read_bytes() for path in before} == before
    # A run of the same name that is another one.
    ei_fast.demo.page(tmp_path, runs | {"run-1": record(9)}, verbose=0)
    assert len(counted_of) == 4


def test_counting_can_be_left_out_and_a_page_says_why_nothing_was_counted(runs, undrawn, tmp_path):
    ei_fast.demo.page(tmp_path / "asked", runs, counting=False, verbose=0)
    ei_fast.demo.page(tmp_path / "bare", runs | {"bare": record(5, keep_weights=False)}, verbose=0)
    said = {name: (tmp_path / name / "run-0" / "index.html").read_text(encoding="utf-8") for name in ("asked", "bare")}
    assert "Joint states were not counted, as was asked for." in said["asked"]
    assert "Joint states were not counted: 1 of 4 runs\nhave no weights" in said["bare"]
    assert "By counting" not in said["asked"] + said["bare"]
    assert "run-0-counted.npz" not in names_in(tmp_path / "asked" / "data" / "run-0")


def test_of_other_recordings_nothing_stays(runs, undrawn, tmp_path):
    ei_fast.demo.page(tmp_path, runs | {"other": record(5, bins=4)}, counting=False, verbose=0)
    (tmp_path / "mine").mkdir()
    assert {"run-0", "other", "mine"} <= set(names_in(tmp_path))
    ei_fast.demo.page(tmp_path, {name: runs[name] for name in ("run-0", "run-1")}, counting=False, verbose=0)
    assert "other" not in names_in(tmp_path) + names_in(tmp_path / "data")
    assert names_in(tmp_path / "data" / "run-0") == ["run-0.csv", "run-0.npz", "run-1.csv", "run-1.npz"]
    assert "mine" in names_in(tmp_path)


def test_names_in_a_changed_file_lead_nowhere(runs, undrawn, tmp_path):
    (tmp_path / "kept").mkdir()
    out = tmp_path / "page"
    ei_fast.demo.page(out, runs, counting=False, verbose=0)
    how = json.loads((out / "how.json").read_text())
    how["recordings"] |= {"../kept": [], "data": []}
    (out / "how.json").write_text(json.dumps(how))
    ei_fast.demo.page(out, runs, counting=False, verbose=0)
    assert (tmp_path / "kept").is_dir()
    assert (out / "data" / "run-0").is_dir()


def test_a_picture_that_was_deleted_is_drawn_again(runs, tmp_path, monkeypatch):
    from ei_fast.demo import drawn

    monkeypatch.setattr(drawn, "animate_causal_plane", lambda *args, **kwargs: None)
    monkeypatch.setattr(drawn, "STYLES", {"light": "default"})
    chapter = Chapter("page", "", {"a": runs["run-0"]}, {})
    drawn.draw_chapter(chapter, tmp_path, "script.js")
    pictures = {path.name for path in tmp_path.glob("*.png")}
    assert pictures == {"seeds-light.png", "measures-light.png", "layers-light.png"}
    (tmp_path / "seeds-light.png").unlink()
    drawn.draw_chapter(chapter, tmp_path, "script.js")
    assert {path.name for path in tmp_path.glob("*.png")} == pictures
    (tmp_path / "player.html").unlink()
    drawn.draw_chapter(chapter, tmp_path, "script.js")
    assert (tmp_path / "player.html").exists()
    monkeypatch.setattr(drawn, "write_player", None)
    drawn.draw_chapter(chapter, tmp_path, "script.js")


def test_options_without_an_effect_are_refused(runs, tmp_path):
    for options in ({"quick": True}, {"seed": 3}):
        with pytest.raises(ValueError, match="'quick' and 'seed' parameters of page .* Leave them out"):
            ei_fast.demo.page(tmp_path / "page", runs, **options)
    result = CliRunner().invoke(main, ["page", "--out", str(tmp_path / "page"), "--no-counting"])
    assert result.exit_code == 1
    assert "'counting' parameter of page" in result.output
    assert not (tmp_path / "page").exists()
