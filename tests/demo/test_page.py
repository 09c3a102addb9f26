"""The page: what it holds is what was measured, in a real browser, and after any interruption."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
from chromium import Chromium, found
from click.testing import CliRunner
from filelock import FileLock

import ei_fast as ef
import ei_fast.demo
from ei_fast.claims.verdicts import verdicts_of
from ei_fast.cli import main
from ei_fast.demo.chapters import Chapter, names_apart
from ei_fast.demo.trainings import TRAININGS, shortened

DRIVER = Path(__file__).parents[1] / "small_page.py"
CLAIMS = ("drift", "movement", "transitions", "differences")


@pytest.fixture(scope="module")
def small():
    """Trainings of a second each."""
    sys.path.insert(0, str(DRIVER.parent))
    import small_page

    return small_page.TRAININGS


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory):
    """A page of two networks, three seeds each."""
    out = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ei_fast.demo.pages.TRAININGS", small)
        index = ei_fast.demo.page(out, verbose=0, n_jobs=1)
    assert index == out / "index.html"
    return out


class Reader(HTMLParser):
    """Attributes of all elements, and what the cells of tables say."""

    def __init__(self, path):
        super().__init__()
        self.elements = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))


def runs_in(folder, name, ending=""):
    return [ef.Trajectory.load(folder / "data" / name / f"seed-{seed}{ending}.npz") for seed in range(3)]


def test_it_holds_what_it_promises(folder, small):
    for one in small:
        names = {path.name for path in (folder / one.name).iterdir()}
        assert {"index.html", "player.html", "seeds-light.png", "measures-dark.png", "layers-light.png"} <= names
        assert names & {"motion.mp4", "motion.gif"}
        for trajectory in runs_in(folder, one.name):
            assert trajectory.layers == ("layer0", "layer1", "layer2")
            assert len(trajectory.networks) == len(trajectory) == 1 + one.epochs // one.every
    how = json.loads((folder / "how.json").read_text())
    assert how["trainings"]["iris"]["widths"] == [4, 5, 5, 3]
    assert how["first seed"] == 0


def test_every_link_leads_somewhere(folder):
    pages = [folder / "index.html", *folder.glob("*/index.html")]
    assert len(pages) == 3
    for page in pages:
        reader = Reader(page)
        names = {attributes["id"] for _, attributes in reader.elements if "id" in attributes}
        links = [value for _, one in reader.elements for key, value in one.items() if key in ("href", "src", "srcset")]
        assert len(links) > 10
        for link in links:
            if link.startswith("data:") or link == "https://doi.org/10.3390/e22121429":
                continue
            path, _, name = link.partition("#")
            target = page.parent / path
            assert target.is_file(), link
            if name:
                assert name in {one.get("id") for _, one in Reader(target).elements} | names


def test_figures_and_verdicts_on_it_are_those_of_the_trajectories(folder, small):
    """Read back from the page, to the last bit; the two tables say the same as the chapters."""
    index = (folder / "index.html").read_text(encoding="utf-8")
    with (folder / "data" / "verdicts.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for one in small:
        expected = []
        for ending in ("", "-counted"):
            claims = verdicts_of(runs_in(folder, one.name, ending))
            expected.append([(c.mean, *c.interval) for claim in claims for c in claim.criteria])
            kind = "counted" if ending else "conditional"
            own = [row for row in rows if (row["network"], row["ei"]) == (one.name, kind)]
            assert [row["verdict"] for row in own] == [str(claim.outcome) for claim in claims for _ in claim.criteria]
            written = np.array([[float(row[key] or "nan") for key in ("mean", "low", "high")] for row in own])
            np.testing.assert_array_equal(written, expected[-1])
        page = folder / one.name / "index.html"
        cells = [attributes for _, attributes in Reader(page).elements if "data-mean" in attributes]
        shown = np.array([[float(cell[f"data-{key}"]) for key in ("mean", "low", "high")] for cell in cells])
        np.testing.assert_array_equal(shown[::2], expected[0])
        np.testing.assert_array_equal(shown[1::2], expected[1])
        row = index.split(f'data-network="{one.name}"')[1].split("</tr>")[0]
        outcomes = re.findall(r'class="verdict ([a-z-]+)"', row)
        claims = verdicts_of(runs_in(folder, one.name))
        assert outcomes == [claim.outcome.replace(" ", "-") for claim in claims]


def test_tables_hold_the_trajectories(folder, small):
    pandas = pytest.importorskip("pandas")
    for one in small:
        for ending in ("", "-counted"):
            for seed, trajectory in enumerate(runs_in(folder, one.name, ending)):
                table = pandas.read_csv(folder / "data" / one.name / f"seed-{seed}{ending}.csv")
                np.testing.assert_array_equal(table["ei"], trajectory.ei.ravel())
                np.testing.assert_array_equal(table["degeneracy"], trajectory.degeneracy.ravel())
                assert set(table["step"]) == set(trajectory.steps)


def test_again_it_is_the_same_and_trains_nothing(folder, small, monkeypatch):
    monkeypatch.setattr("ei_fast.demo.pages.TRAININGS", small)
    monkeypatch.setattr("ei_fast.demo.measured.recorded", None)
    before = {
        path: path.read_bytes() for path in folder.rglob("*") if path.suffix in (".npz", ".csv", ".html", ".json")
    }
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*.npz")}
    ei_fast.demo.page(folder, verbose=0, n_jobs=1)
    assert {path: path.read_bytes() for path in before} == before
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_other_settings_need_another_folder(folder, small, monkeypatch, tmp_path):
    monkeypatch.setattr("ei_fast.demo.pages.TRAININGS", small)
    with pytest.raises(ValueError, match="made with other settings: first seed, as .* Give another folder"):
        ei_fast.demo.page(folder, seed=5, verbose=0)
    with monkeypatch.context() as patch:
        patch.setattr("ei_fast.demo.pages.version", lambda name: "0.0" if name == "numpy" else version(name))
        with pytest.raises(ValueError, match="made with other settings: numpy, as"):
            ei_fast.demo.page(folder, verbose=0)
        patch.setattr("platform.python_version", lambda: "3.99")
        patch.setattr("ei_fast.demo.pages.version", version)
        ei_fast.demo.page(folder, verbose=0)
    ei_fast.demo.page(folder, verbose=0)
    with pytest.raises(ValueError, match="made with other settings"):
        ei_fast.demo.page(folder, [folder / "data" / "iris" / "seed-0.npz"], verbose=0)
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(ValueError, match="holds another page"):
        ei_fast.demo.page(tmp_path, verbose=0)
    assert (tmp_path / "index.html").read_text() == "mine"


def test_own_recordings_make_the_same_page(folder, tmp_path):
    """Runs with the same layers are seeds of one network; those with others a network of their own."""
    files = sorted((folder / "data" / "iris").glob("seed-?.npz"))
    other = tmp_path / "wide" / "run.npz"
    other.parent.mkdir()
    with ef.Recorder(ef.EffectiveInformation(random_state=0, bins=4), path=other) as recorder:
        for step in range(4):
            recorder.record([np.eye(3) * step, np.ones((3, 2))], step=step, loss=1 / (1 + step))
    out = tmp_path / "page"
    arguments = ["page", "--from", *map(str, files), str(other), "--out", str(out)]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    assert result.output.strip() == f"wrote {out / 'index.html'}"
    names = sorted(path.parent.name for path in out.glob("*/index.html"))
    assert names == ["run", "seed-0"]
    shown = [one for _, one in Reader(out / "seed-0" / "index.html").elements if "data-mean" in one]
    claims = verdicts_of(runs_in(folder, "iris"))
    expected = [criterion.mean for claim in claims for criterion in claim.criteria]
    # With weights kept, EI is counted too.
    np.testing.assert_array_equal([float(cell["data-mean"]) for cell in shown[::2]], expected)
    alone = (out / "run" / "index.html").read_text(encoding="utf-8")
    assert alone.count('class="verdict no-verdict"') >= 4
    assert "By counting" not in alone
    # Of other runs in the same folder everything is drawn anew.
    before = (out / "run" / "player.html").read_bytes(), (out / "run" / "layers-light.png").read_bytes()
    with ef.Recorder(ef.EffectiveInformation(random_state=0, bins=4), path=other) as recorder:
        recorder.record([np.eye(3) * 9, np.ones((3, 2))], step=9, loss=0.01)
    assert CliRunner().invoke(main, ["page", "--from", str(other), "--out", str(out)]).exit_code == 0
    after = (out / "run" / "player.html").read_bytes(), (out / "run" / "layers-light.png").read_bytes()
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_page_that_is_being_made_is_left_alone(folder, tmp_path):
    run = [folder / "data" / "iris" / "seed-0.npz"]
    with FileLock(tmp_path / ".lock"), pytest.raises(ValueError, match="is in use: another process makes a page"):
        ei_fast.demo.page(tmp_path, run, verbose=0)
    assert [path.name for path in tmp_path.iterdir() if path.name != ".lock"] == []


def test_pictures_are_drawn_anew_after_an_interrupted_drawing(folder, tmp_path, monkeypatch):
    """Of runs A, then of B, which is interrupted, then of A: nothing of B stays."""
    from ei_fast.demo import drawn

    monkeypatch.setattr(drawn, "animate_causal_plane", lambda *args, **kwargs: None)
    monkeypatch.setattr(drawn, "STYLES", {})
    shown = []

    def player(runs, *args, **kwargs):
        shown.append(next(iter(runs)))
        if shown == ["a", "b"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(drawn, "write_player", player)
    run = ef.Trajectory.load(folder / "data" / "iris" / "seed-0.npz")
    a, b = (Chapter("page", "", {name: run}, {}) for name in "ab")
    drawn.draw_chapter(a, tmp_path, "script.js")
    with pytest.raises(KeyboardInterrupt):
        drawn.draw_chapter(b, tmp_path, "script.js")
    drawn.draw_chapter(a, tmp_path, "script.js")
    drawn.draw_chapter(a, tmp_path, "script.js")
    assert shown == ["a", "b", "a"]


def test_names_that_would_be_one_file_are_kept_apart():
    assert names_apart(["a b", "a/b", "A-b", "é", "ü"], ["network"]) == [
        "a-b",
        "a-b-2",
        "A-b-3",
        "network-2",
        "network-3",
    ]
    runs = dict.fromkeys(["a", "a-counted"])
    chapter = Chapter("page", "", runs, runs)
    files = [*chapter.files.values(), *chapter.counted_files.values()]
    assert files == ["a", "a-counted", "a-counted-2", "a-counted-counted"]


def test_files_of_several_runs_and_of_the_same_name(folder, tmp_path):
    from ei_fast.demo.given import read_runs

    parts = [ef.Trajectory.load(path) for path in sorted((folder / "data" / "iris").glob("seed-?.npz"))]
    for k, name in enumerate("ab"):
        (tmp_path / name).mkdir()
        parts[k].save(tmp_path / name / "run.npz")
    assert list(read_runs([tmp_path / "a" / "run.npz", tmp_path / "b" / "run.npz"])) == ["a/run", "b/run"]
    with pytest.raises(ValueError, match="not all different"):
        read_runs([tmp_path / "a" / "run.npz", tmp_path / "a" / ".." / "a" / "run.npz"])
    ef.Trajectory.empty(["fc"]).save(tmp_path / "empty.npz")
    with pytest.raises(ValueError, match="holds no step"):
        read_runs([tmp_path / "empty.npz"])


def test_what_is_no_trajectory_is_refused_before_any_work(tmp_path):
    np.savez(tmp_path / "weights.npz", w0=np.eye(2))
    result = CliRunner().invoke(main, ["page", "--from", str(tmp_path / "weights.npz"), "--out", str(tmp_path / "out")])
    assert result.exit_code == 1
    assert "holds weights, and no trajectory" in result.output
    for runs, error in (([], ValueError), ({}, ValueError), ({"a": 3}, TypeError)):
        with pytest.raises(error, match="'runs' parameter of page"):
            ei_fast.demo.page(tmp_path / "out", runs)
    with pytest.raises(ValueError, match="'seed' parameter of page"):
        ei_fast.demo.page(tmp_path / "out", seed=-1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("package", ["bokeh", "jinja2", "pandas"])
def test_a_missing_package_is_named_before_any_work(package, tmp_path, monkeypatch):
    monkeypatch.setattr("ei_fast.demo.pages.find_spec", lambda name: None if name == package else object())
    with pytest.raises(ImportError, match=rf'A page needs {package}: pip install "ei_fast\[page\]"'):
        ei_fast.demo.page(tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_killed_anywhere_and_begun_again_it_has_the_same_data(folder, tmp_path):
    """Killed, not interrupted: workers end with it, and what is there is whole."""
    out = tmp_path / "page"
    command = [sys.executable, str(DRIVER), str(out)]
    rng = np.random.default_rng(0)
    n_killed = 0
    for _ in range(6):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(timeout=rng.uniform(4, 14))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            n_killed += 1
            # Its workers end soon after it.
            time.sleep(1)
    assert n_killed >= 2
    assert subprocess.run(command, capture_output=True).returncode == 0
    compared = 0
    for path in (folder / "data").rglob("*"):
        if path.is_file():
            assert (out / path.relative_to(folder)).read_bytes() == path.read_bytes(), path
            compared += 1
    assert compared == 2 * 3 * 4 + 1
    assert not list(out.rglob("*.tmp*"))


needs_chromium = pytest.mark.skipif(
    found() is None, reason="needs Chromium, as `apt-get install chromium` brings it, to open the page in"
)


@pytest.fixture
def browser(tmp_path_factory):
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@needs_chromium
def test_it_opens_from_disk_and_asks_for_nothing_else(folder, small, browser):
    """Every page at every width: no request but for files of the folder, no message, no scrolling sideways."""
    for width in (390, 1280, 2560):
        browser.resize(width, 900)
        for page in ("index.html", *(f"{one.name}/index.html" for one in small)):
            browser.open((folder / page).as_uri())
            browser.value("[...document.querySelectorAll('[loading]')].forEach(one => one.loading = 'eager')")
            browser.settle()
            assert browser.value("document.documentElement.scrollWidth <= window.innerWidth"), (page, width)
            loaded = "[...document.images].every(image => image.complete && image.naturalWidth > 0)"
            browser.wait_for(loaded)
    assert browser.requests
    assert all(request.startswith(folder.as_uri()) for request in browser.requests)
    assert browser.complaints == []


@needs_chromium
def test_its_players_play_and_show_the_trajectories(folder, small, browser):
    """At the steps where the slider is put; positions are read back from the figure."""
    for one in small:
        browser.open((folder / one.name / "player.html").as_uri())
        browser.wait_for("window.eiPlayer && window.eiPlayer.positions().length > 0")
        browser.click("#play")
        browser.wait_for("Number(document.getElementById('slider').value) >= 3")
        browser.click("#play")
        for index in (0, 7, len(runs_in(folder, one.name)[0]) - 1):
            browser.value(f"eiPlayer.show({index}), true")
            browser.settle()
            shown = browser.value("eiPlayer.positions()")
            assert len(shown) == 9
            for point in shown:
                trajectory = ef.Trajectory.load(folder / "data" / one.name / f"{point['run'].replace(' ', '-')}.npz")
                k = trajectory.layers.index(point["layer"])
                ei, sensitivity = trajectory.ei[index, k], trajectory.sensitivity[index, k]
                expected = np.array([ei, 2 * sensitivity - ei]) / np.sqrt(2)
                np.testing.assert_allclose(point["at"][0], expected, rtol=1e-5, atol=1e-6)
    assert browser.complaints == []


def test_a_quick_page_is_of_the_seeds_two_networks():
    quick = [shortened(one) for one in TRAININGS if one.is_of_videos]
    assert [one.name for one in quick] == ["iris", "iris-overfit", "mnist", "mnist-overfit"]
    assert {one.n_seeds for one in quick} == {3}
