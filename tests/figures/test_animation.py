"""The causal plane in motion: what the files hold, read back by other programs than wrote them."""

import gc
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from played import expected_of

import ei_fast as ef
from ei_fast.cli import main
from ei_fast.demo.runs import video_suffix
from ei_fast.figures.colours import layer_colours
from ei_fast.figures.motion import motion_of
from ei_fast.figures.video import Frames
from ei_fast.results.report import ENDS
from ei_fast.training.columns import MEASURES
from ei_fast.training.trajectory import Trajectory


def _trajectory(n_steps=12, n_layers=3, metrics=("loss", "val_loss", "accuracy")):
    rng = np.random.default_rng(0)
    sensitivity, ei = rng.uniform(0, 20, (n_steps, n_layers)), rng.uniform(0, 9, (n_steps, n_layers))
    measures = dict.fromkeys(MEASURES, np.zeros((n_steps, n_layers)))
    measures |= {"ei": ei, "sensitivity": sensitivity, "degeneracy": sensitivity - ei} | dict.fromkeys(ENDS, ei)
    beside = {name: rng.uniform(0.01, 1, n_steps) for name in metrics}
    return Trajectory(np.arange(n_steps) * 10, [f"fc{k}" for k in range(n_layers)], measures, beside)


def test_every_frame_shows_the_points_of_its_step():
    trajectory = _trajectory()
    frames = Frames(motion_of(trajectory, trail=4), 50)
    expected = expected_of(trajectory)
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


def _with_widths(trajectory, widths=((25, 6), (6, 6), (6, 5))):
    trajectory.provenance["layers"] = [[name, *both] for name, both in zip(trajectory.layers, widths, strict=True)]
    return trajectory


def test_figures_per_edge_are_divided_by_the_edges_of_the_layer():
    edges = np.array([150, 36, 30])
    trajectory = _with_widths(_trajectory(metrics=[]))
    trajectory.ei_low, trajectory.ei_high = trajectory.ei - 2, trajectory.ei + 2
    layer, edge = motion_of(trajectory), motion_of(trajectory, per="edge")
    for name in ("horizontal", "vertical"):
        np.testing.assert_allclose(getattr(edge, name), getattr(layer, name) / edges)
    np.testing.assert_allclose(edge.intervals[:, 2], layer.intervals[:, 2] / 30)
    np.testing.assert_allclose(edge.curves["fc1"], trajectory.ei[:, 1] / 36)
    assert (edge.horizontal_title, edge.beside) == ("EI / √2  [bits per edge]", "EI [bits per edge]")
    assert (layer.vertical_title, layer.beside) == ("(sensitivity + degeneracy) / √2  [bits]", "EI [bits]")
    frames = Frames(edge, 50)
    for index, _ in enumerate(frames.drawn(range(2))):
        np.testing.assert_allclose(frames.points.get_offsets(), expected_of(trajectory)[index] / edges[:, None])


@pytest.mark.parametrize("suffix", [".gif", ".html"])
def test_figures_per_edge_need_the_widths(suffix, tmp_path):
    with pytest.raises(ValueError, match="'per' parameter of animate_causal_plane must be 'layer' for a trajectory"):
        ef.animate_causal_plane(_trajectory(), tmp_path / f"plane{suffix}", per="edge")
    assert not list(tmp_path.iterdir())


def test_several_runs_do_not_fit_into_a_video(tmp_path):
    trajectory = _trajectory()
    trajectory.runs = ("a",) * 6 + ("b",) * 6
    with pytest.raises(ValueError, match=r"Take one: trajectory.of_run\('a'\)"):
        ef.animate_causal_plane(trajectory, tmp_path / "plane.gif")


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
        ({"per": "neuron"}, ValueError, "'per' parameter of animate_causal_plane must be 'layer' or 'edge'"),
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
    ("suffix", "package", "extra"), [(".mp4", "imageio_ffmpeg", "video"), (".html", "bokeh", "html")]
)
def test_a_missing_package_is_named(suffix, package, extra, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    for module in [name for name in sys.modules if name.startswith(f"{package}.")]:
        monkeypatch.setitem(sys.modules, module, None)
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
        assert b"<script src=" not in content


def _program(path, script):
    path.write_text(script)
    path.chmod(0o755)
    return path


BROKEN = {
    "missing": None,
    "no program": "no program",
    "fails": "#!/bin/sh\nexit 1\n",
    "lacks H.264": '#!/bin/sh\nif [ "$1" = -version ]; then exit 0; fi\nexit 1\n',
    "writes nothing": '#!/bin/sh\nif [ "$1" = -version ]; then exit 0; fi\ncat > /dev/null\n',
    "writes half": '#!/bin/sh\nif [ "$1" = -version ]; then exit 0; fi\ncat > /dev/null\n'
    "for out; do :; done\nprintf '\\0\\0\\0\\020ftypisom\\0\\0\\0\\0\\0\\0\\0\\100mdat' > \"$out\"\n",
    "is killed": '#!/bin/sh\nif [ "$1" = -version ]; then exit 0; fi\nkill -9 $$\n',
}


# The pipe to a program that has ended is left open by imageio-ffmpeg.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("script", list(BROKEN.values()), ids=list(BROKEN))
def test_an_ffmpeg_that_does_not_work_is_said_with_its_remedies_and_nothing_is_written(tmp_path, monkeypatch, script):
    program = tmp_path / "ffmpeg"
    if script is not None:
        _program(program, script)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    (tmp_path / "out").mkdir()
    message = "animate_causal_plane to .mp4 .*pip install --force-reinstall imageio-ffmpeg.*or write a .gif"
    with pytest.raises((ImportError, OSError), match=message):
        ef.animate_causal_plane(_trajectory(), tmp_path / "out" / "plane.mp4", verbose=0)
    assert list((tmp_path / "out").iterdir()) == []
    _trajectory().save(tmp_path / "run.npz")
    result = CliRunner().invoke(main, ["animate", str(tmp_path / "run.npz"), str(tmp_path / "out" / "plane.mp4")])
    assert result.exit_code == 1
    assert "Error: animate_causal_plane to .mp4" in result.output
    del result
    gc.collect()


def test_a_demo_makes_a_gif_where_ffmpeg_does_not_run(tmp_path, monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "missing"))
    assert video_suffix() == ".gif"
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE")
    assert video_suffix() == ".mp4"
