"""The causal plane in motion: what the files hold, read back by other programs than wrote them."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
from chromium import Chromium, found
from PIL import Image

import ei_fast as ef
from ei_fast.figures.animation import motion_of
from ei_fast.figures.style import layer_colours
from ei_fast.figures.video import Frames
from ei_fast.results.report import ENDS
from ei_fast.training.trajectory import MEASURES, Trajectory


def _trajectory(n_steps=12, n_layers=3, metrics=("loss", "val_loss", "accuracy")):
    rng = np.random.default_rng(0)
    sensitivity, ei = rng.uniform(0, 20, (n_steps, n_layers)), rng.uniform(0, 9, (n_steps, n_layers))
    measures = dict.fromkeys(MEASURES, np.zeros((n_steps, n_layers)))
    measures |= {"ei": ei, "sensitivity": sensitivity, "degeneracy": sensitivity - ei} | dict.fromkeys(ENDS, ei)
    beside = {name: rng.uniform(0.01, 1, n_steps) for name in metrics}
    return Trajectory(np.arange(n_steps) * 10, [f"fc{k}" for k in range(n_layers)], measures, beside)


def _expected(trajectory):
    """The rotation, written out once more."""
    cos, sin = np.cos(np.pi / 4), np.sin(np.pi / 4)
    x, y = trajectory.sensitivity, trajectory.degeneracy
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)


def test_every_frame_shows_the_points_of_its_step():
    trajectory = _trajectory()
    frames = Frames(motion_of(trajectory, trail=4), 50)
    expected = _expected(trajectory)
    for index, _ in enumerate(frames.drawn(range(len(trajectory)))):
        np.testing.assert_allclose(frames.points.get_offsets(), expected[index])
        for marker, name in zip(frames.markers, ("loss", "val_loss"), strict=True):
            assert marker.get_xdata() == [trajectory.steps[index]]
            assert marker.get_ydata() == [trajectory.metrics[name][index]]
        pieces = np.array(frames.trails.get_segments()).reshape(-1, 3, 2, 2)
        start = max(index - 4, 0)
        np.testing.assert_allclose(pieces[:, :, 0], expected[start:index])
        np.testing.assert_allclose(pieces[:, :, 1], expected[start + 1 : index + 1])


def test_frames_differ_where_points_move_and_only_there():
    trajectory = _trajectory()
    for name in ("sensitivity", "degeneracy"):
        getattr(trajectory, name)[5:] = getattr(trajectory, name)[5]
    pixels = [frame.copy() for frame in Frames(motion_of(trajectory, trail=0), 50).drawn(range(12))]
    plane = [frame[:, : frame.shape[1] // 2] for frame in pixels]
    assert not np.array_equal(plane[3], plane[4])
    np.testing.assert_array_equal(plane[6], plane[9])
    assert not np.array_equal(pixels[6], pixels[9])


def test_beside_the_plane_are_losses_or_what_else_there_is():
    assert list(motion_of(_trajectory()).curves) == ["loss", "val_loss"]
    assert list(motion_of(_trajectory(metrics=["accuracy"])).curves) == ["accuracy"]
    bare = motion_of(_trajectory(metrics=[]))
    assert (list(bare.curves), bare.beside) == (["fc0", "fc1", "fc2"], "EI [bits]")
    assert [style["color"] for style in bare.styles] == layer_colours(3)


def test_it_lasts_about_ten_seconds():
    assert [motion_of(_trajectory(n)).rate for n in (3, 100, 3000)] == [2.0, 10.0, 30.0]
    assert motion_of(_trajectory(), fps=7).rate == 7.0


def test_mp4_is_h264_and_decodes_frame_by_frame(tmp_path, capsys):
    import imageio_ffmpeg

    trajectory = _trajectory()
    path = ef.animate_causal_plane(trajectory, tmp_path / "plane.mp4", fps=10, pause=0.5)
    assert "drawing .mp4: 100%" in capsys.readouterr().err
    drawn = np.array(
        [frame[::4, ::4, :3].copy() for frame in Frames(motion_of(trajectory), 200).drawn(range(12))], dtype=np.int16
    )
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    decoded = subprocess.run(command, capture_output=True, check=True)
    stream = next(line for line in decoded.stderr.decode().splitlines() if "Stream #0:0" in line and "h264" in line)
    assert "yuv420p" in stream
    assert "1280x640" in stream
    assert "10 fps" in stream
    frames = np.frombuffer(decoded.stdout, np.uint8).reshape(-1, 640, 1280, 3)[:, ::4, ::4].astype(np.int16)
    # Steps and pauses, as documented: of all that was drawn, each frame is nearest to the step that is due.
    apart = np.abs(frames[:, None] - drawn).mean(axis=(2, 3, 4))
    assert apart.argmin(axis=1).tolist() == [0] * 5 + list(range(12)) + [11] * 5
    assert [entry.name for entry in tmp_path.iterdir()] == ["plane.mp4"]


@pytest.mark.slow
def test_gif_opens_and_stays_on_both_ends(tmp_path):
    trajectory = _trajectory()
    path = ef.animate_causal_plane(trajectory, tmp_path / "plane.gif", fps=10, pause=0.5, verbose=0)
    with Image.open(path) as image:
        colours = np.reshape(image.getpalette(), (-1, 3))
        assert image.n_frames == 12
        durations = []
        for index, drawn in enumerate(Frames(motion_of(trajectory, 10, 0.5), 125).drawn(range(12))):
            image.seek(index)
            durations.append(image.info["duration"])
            shown = np.asarray(image.convert("RGB")).astype(int)[::4, ::4]
            wanted = drawn[::4, ::4, :3].astype(int)
            # Every pixel has the nearest of the colours there are, and paper is white.
            least = ((wanted[:, :, None] - colours) ** 2).sum(axis=3).min(axis=2)
            np.testing.assert_array_equal(((wanted - shown) ** 2).sum(axis=2), least)
            assert (shown[(wanted == 255).all(axis=2)] == 255).all()
    assert durations == [600, *[100] * 10, 600]


needs_chromium = pytest.mark.skipif(
    found() is None, reason="needs Chromium, as `apt-get install chromium` brings it, to open the page in"
)


@pytest.fixture
def browser(tmp_path_factory):
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


# Where the points are on the screen, in units of the axes, as read from the picture itself.
_ON_SCREEN = """(() => {
    const { xaxis, yaxis } = plot._fullLayout;
    return [...plot.querySelectorAll(".xy .scatterlayer .trace")].map(trace => {
        const points = [...trace.querySelectorAll(".points path")];
        const [x, y] = points[points.length - 1].getAttribute("transform").match(/-?[\\d.]+/g);
        return [xaxis.p2d(Number(x)), yaxis.p2d(Number(y))];
    }).filter((_, k) => k % 2 === 1);
})()"""


def _slide(browser, index):
    browser.value(f"slider.value = {index}, slider.dispatchEvent(new Event('input')), true")
    browser.settle()


@needs_chromium
def test_the_page_shows_every_step_and_fetches_nothing(browser, tmp_path):
    trajectory = _trajectory()
    trajectory.layers = ("a < b & c", "</script>", "fc2")
    path = ef.animate_causal_plane(trajectory, tmp_path / "plane.html", trail=4)
    browser.open(path.as_uri())
    assert browser.value("document.querySelectorAll('#plot .scatterlayer .trace').length") == 2 * 3 + 2 * 2
    names = browser.value("[...plot.querySelectorAll('.legendtext')].map(text => text.textContent)")
    assert names == ["a < b & c", "</script>", "fc2", "loss", "val loss"]
    expected = _expected(trajectory)
    spans = np.array(
        browser.value(
            "[plot._fullLayout.xaxis, plot._fullLayout.yaxis].map(a => (a.range[1] - a.range[0]) / a._length)"
        )
    )
    assert browser.value("[slider.min, slider.max, slider.step]") == ["0", "11", "1"]
    for index in (0, 7, 3, 11):
        _slide(browser, index)
        held = browser.value("plot.data.slice(0, 6).map(trace => [trace.x, trace.y])")
        for k in range(3):
            np.testing.assert_allclose(np.transpose(held[2 * k + 1]), expected[[index], k])
            np.testing.assert_allclose(np.transpose(held[2 * k]), expected[max(index - 4, 0) : index + 1, k])
        # In pixels: plotly writes places down to a hundredth of one.
        np.testing.assert_allclose((np.array(browser.value(_ON_SCREEN)) - expected[index]) / spans, 0.0, atol=0.02)
        markers = browser.value("[7, 9].map(k => [plot.data[k].x[0], plot.data[k].y[0]])")
        assert markers == [[trajectory.steps[index], trajectory.metrics[name][index]] for name in ("loss", "val_loss")]
        assert browser.value("step.textContent") == f"training step {trajectory.steps[index]}"
    assert browser.requests == [path.as_uri()]
    assert browser.complaints == []


@needs_chromium
def test_the_page_plays_and_pauses(browser, tmp_path):
    path = ef.animate_causal_plane(_trajectory(40), tmp_path / "plane.html", fps=20)
    browser.open(path.as_uri())
    browser.value("button.click(), true")
    assert browser.value("button.textContent") == "Pause"
    browser.value("new Promise(done => setInterval(() => Number(slider.value) >= 5 && done(true), 10))")
    browser.value("button.click(), true")
    assert browser.value("button.textContent") == "Play"
    # One that has begun may still be drawn.
    browser.settle()
    stopped = browser.value("slider.value")
    browser.value("new Promise(done => setTimeout(() => done(true), 200))")
    assert browser.value("slider.value") == stopped
    browser.value("button.click(), true")
    browser.value("new Promise(done => setInterval(() => button.textContent === 'Play' && done(true), 10))")
    assert browser.value("slider.value") == "39"
    assert browser.requests == [path.as_uri()]
    assert browser.complaints == []


def test_what_is_undefined_is_no_number_in_the_page(tmp_path):
    trajectory = _trajectory()
    trajectory.sensitivity[2, 1] = np.nan
    trajectory.metrics["loss"][3] = np.nan
    page = ef.animate_causal_plane(trajectory, tmp_path / "plane.html").read_text(encoding="utf-8")
    data = page.split('<script id="motion" type="application/json">')[1].split("</script>")[0]

    def refuse(constant):
        pytest.fail(f"{constant} is not JSON")

    motion = json.loads(data, parse_constant=refuse)
    assert motion["horizontal"][1][2] is None
    assert motion["curves"][0]["values"][3] is None


def _data_of(path):
    page = path.read_text(encoding="utf-8")
    return json.loads(page.split('<script id="motion" type="application/json">')[1].split("</script>")[0])


def _with_a_bracket():
    """The second layer is bracketed at steps 3 and 4, four bits around the midpoint; the third one has wider bounds."""
    trajectory = _trajectory()
    flags = [[(), ("undersampled",) if t in (3, 4) else (), ()] for t in range(12)]
    measures = {name: getattr(trajectory, name) for name in MEASURES}
    measures |= {"ei_low": trajectory.ei - 2, "ei_high": trajectory.ei + 2}
    below, above = np.array([2, 2, 5]), np.array([2, 2, 4])
    measures |= {"ei_bounds_low": trajectory.ei - below, "ei_bounds_high": trajectory.ei + above}
    return Trajectory(
        trajectory.steps, trajectory.layers, measures, trajectory.metrics, {"convention": "first"}, flags=flags
    )


def test_a_bracket_moves_as_a_bar_and_not_as_a_point():
    trajectory = _with_a_bracket()
    frames = Frames(motion_of(trajectory, trail=4), 50)
    for index, _ in enumerate(frames.drawn(range(12))):
        bars = np.array(frames.bars.get_segments())
        assert len(bars) == (index in (3, 4))
        assert np.isnan(np.ma.getdata(frames.points.get_offsets())[1]).all() == (index in (3, 4))
        if index in (3, 4):
            ends = np.array([trajectory.ei_low[index, 1], trajectory.ei_high[index, 1]])
            np.testing.assert_allclose(bars[0, :, 0], ends / np.sqrt(2))


def test_an_interval_moves_with_its_point_and_bounds_around_it():
    trajectory = _with_a_bracket()
    motion = motion_of(trajectory)
    frames = Frames(motion, 50)
    assert any("rest on no model" in note for note in motion.notes)
    ends = np.stack([trajectory.ei_low, trajectory.ei_high], axis=2)
    for index, _ in enumerate(frames.drawn(range(12))):
        known = [0, 2] if index in (3, 4) else [0, 1, 2]
        bars = np.array(frames.intervals.get_segments())
        np.testing.assert_allclose(bars[..., 0] * np.sqrt(2), ends[index, known])
        (bar,) = np.array(frames.bounds.get_segments())
        np.testing.assert_allclose(bar[:, 0] * np.sqrt(2), trajectory.ei[index, 2] + [-5, 4])
        np.testing.assert_allclose(bar.sum(axis=1) / np.sqrt(2), trajectory.sensitivity[index, [2, 2]])
    assert frames.bounds.get_alpha() < frames.intervals.get_alpha()
    low, high = motion.horizontal_limits
    assert low * np.sqrt(2) < trajectory.ei_bounds_low.min()
    assert high * np.sqrt(2) > trajectory.ei_bounds_high.max()


def test_what_is_known_exactly_has_no_bars():
    motion = motion_of(_trajectory())
    assert np.isnan([motion.bars, motion.intervals, motion.bounds]).all()
    assert motion.notes == ()


def test_the_page_holds_intervals_and_bounds(tmp_path):
    trajectory = _with_a_bracket()
    motion = _data_of(ef.animate_causal_plane(trajectory, tmp_path / "plane.html"))
    for name, k, by in (("intervals", 0, (-2, 2)), ("intervals", 2, (-2, 2)), ("bounds", 2, (-5, 4))):
        for index in (0, 3, 11):
            ends = [(trajectory.ei[index, k] + one) / np.sqrt(2) for one in by]
            assert motion[name][k]["x"][index] == pytest.approx(ends)
    assert motion["intervals"][1]["x"][3] == [None, None]
    assert motion["bounds"][0]["x"] == [[None, None]] * 12


@needs_chromium
def test_the_page_shows_brackets_intervals_and_bounds(browser, tmp_path):
    trajectory = _with_a_bracket()
    path = ef.animate_causal_plane(trajectory, tmp_path / "plane.html")
    browser.open(path.as_uri())
    # After points and curves: the bracket of one layer, the intervals of three, the bounds of one.
    said = browser.value("plot.data.slice(10).map(trace => [trace.legendgroup, trace.opacity])")
    assert said == [["fc1", 0.5], ["fc0", 0.5], ["fc1", 0.5], ["fc2", 0.5], ["fc2", 0.2]]
    for index in (3, 7):
        _slide(browser, index)
        held = browser.value("plot.data.slice(10).map(trace => trace.x)")
        ends = [(trajectory.ei[index, 2] + by) / np.sqrt(2) for by in (-5, 4)]
        assert held[4] == pytest.approx(ends)
        assert (held[0] == [None, None]) == (index == 7)
        assert (held[2] == [None, None]) == (index == 3)
    assert browser.complaints == []


def test_the_page_holds_brackets_ticks_and_the_convention(tmp_path):
    trajectory = _with_a_bracket()
    trajectory.metrics["loss"][:] = np.geomspace(2.5, 0.02, 12)
    motion = _data_of(ef.animate_causal_plane(trajectory, tmp_path / "plane.html"))
    assert motion["horizontal"][1][3:5] == [None, None]
    assert motion["bars"][1]["x"][3] == pytest.approx([(trajectory.ei[3, 1] + by) / np.sqrt(2) for by in (-2, 2)])
    assert motion["bars"][1]["x"][5] == [None, None]
    assert any("first record" in note for note in motion["notes"])
    assert [float(text) for text in motion["tick_texts"]] == motion["ticks"]


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".html"])
@pytest.mark.slow
def test_two_hundred_steps_take_less_than_a_minute(suffix, tmp_path):
    started = time.monotonic()
    path = ef.animate_causal_plane(_trajectory(200, 12), tmp_path / f"plane{suffix}", verbose=0)
    assert time.monotonic() - started < 60.0
    assert path.stat().st_size > 100_000


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".html"])
@pytest.mark.parametrize(("n_steps", "n_layers"), [(1, 1), (3, 12)])
def test_any_size_moves(n_steps, n_layers, suffix, tmp_path):
    path = ef.animate_causal_plane(_trajectory(n_steps, n_layers), tmp_path / f"plane{suffix}", pause=0.0, verbose=0)
    assert path.stat().st_size > 10_000


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"path": "plane.avi"}, ValueError, "must end in .mp4, .gif or .html. Got 'plane.avi'"),
        ({"path": "nowhere/plane.gif"}, ValueError, "must be in a folder that exists"),
        ({"fps": 0}, ValueError, "'fps' parameter of animate_causal_plane"),
        ({"pause": -1}, ValueError, "'pause' parameter of animate_causal_plane"),
        ({"trail": 1.5}, TypeError, "'trail' parameter of animate_causal_plane"),
        ({"trajectory": 3}, TypeError, "'trajectory' parameter of animate_causal_plane must be a Trajectory"),
        ({"trajectory": Trajectory.empty()}, ValueError, "must be a Trajectory of at least one step"),
    ],
)
def test_mistakes_are_found_before_a_frame_is_drawn(params, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        ef.animate_causal_plane(**({"trajectory": _trajectory(), "path": "plane.gif"} | params))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("suffix", "package", "extra"), [(".mp4", "imageio_ffmpeg", "video"), (".html", "plotly", "html")]
)
def test_a_missing_package_is_named(suffix, package, extra, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    if package == "plotly":
        monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(ImportError, match=rf'pip install "ei_fast\[{extra}\]"'):
        ef.animate_causal_plane(_trajectory(), tmp_path / f"plane{suffix}")


def test_a_writer_that_fails_leaves_the_file_as_it_was(tmp_path, monkeypatch):
    path = ef.animate_causal_plane(_trajectory(3), tmp_path / "plane.gif", verbose=0)
    before = path.read_bytes()

    def fails(self, indices):
        raise MemoryError

    monkeypatch.setattr(Frames, "drawn", fails)
    with pytest.raises(MemoryError):
        ef.animate_causal_plane(_trajectory(5), path, verbose=0)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["plane.gif"]


@pytest.mark.parametrize("suffix", [".mp4", ".html"])
def test_a_player_outside_can_open_it(suffix, tmp_path):
    """The index comes first in an .mp4, so that it plays while it loads; the page needs no other file."""
    path = ef.animate_causal_plane(_trajectory(3), tmp_path / f"plane{suffix}", verbose=0)
    content = path.read_bytes()
    if suffix == ".mp4":
        assert content.index(b"moov") < content.index(b"mdat")
    else:
        assert b" src=" not in content.split(b"<script>")[0]
