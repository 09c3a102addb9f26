"""The causal plane as a video: frames drawn one by one over what stands still, and handed on as they come."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import BboxBase
from numpy.typing import NDArray
from tqdm import tqdm

from ei_fast.errors import CannotWrite
from ei_fast.figures.colours import ink, layer_colours, paper
from ei_fast.figures.key import draw_key
from ei_fast.figures.measures import draw_metrics, plot_metrics
from ei_fast.figures.motion import Motion
from ei_fast.figures.packages import FFMPEG_REMEDY, writer_of_mp4
from ei_fast.figures.palette import Palette
from ei_fast.figures.strokes import Stroke, draw_guides, name_guides
from ei_fast.figures.style import SMALL, quiet

Pixels = NDArray[np.uint8]

# Even numbers of pixels, as H.264 wants them.
_INCHES = (6.4, 3.2)
# So that the plane has half of the width.
_PLANE_TO_CURVES = (2.3, 1.0)
_DOTS_MP4, _DOTS_GIF = 200, 125
_QUALITY = "18"

_UNWRITTEN = (
    f"animate_causal_plane to .mp4 was not finished: ffmpeg ended before the last frame. Above stands what it says, "
    f"where it says why; the disk may be full, or it may lack H.264 (libx264). {FFMPEG_REMEDY}"
)


def write_mp4(motion: Motion, path: Path, verbose: bool) -> None:
    """H.264, one frame a step and pauses at either end; CannotWrite where ffmpeg does not write all of it."""
    frames = Frames(motion, _DOTS_MP4)
    writer = writer_of_mp4().write_frames(
        str(path),
        frames.size,
        fps=motion.rate,
        codec="libx264",
        pix_fmt_in="rgba",
        pix_fmt_out="yuv420p",
        quality=None,
        macro_block_size=2,
        # The index first, so that playing begins before all is loaded.
        output_params=["-crf", _QUALITY, "-preset", "medium", "-movflags", "+faststart"],
        ffmpeg_log_level="error",
    )
    try:
        with closing(writer):
            writer.send(None)
            for pixels in _watched(frames.drawn(motion.schedule), len(motion.schedule), path, verbose):
                writer.send(pixels)
    except OSError as error:
        raise CannotWrite(_UNWRITTEN) from error
    # How ffmpeg ended is not told: one that found the disk full leaves a beginning.
    if not _is_whole_mp4(path):
        raise CannotWrite(_UNWRITTEN)


def _is_whole_mp4(path: Path) -> bool:
    """Whether the boxes of a file fill it exactly, and one of them is the index that players need."""
    size, at, kinds = (path.stat().st_size if path.exists() else 0), 0, set()
    if not size:
        return False
    with path.open("rb") as file:
        while at < size:
            file.seek(at)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            if length == 1:
                length = int.from_bytes(head[8:16], "big")
            if length < 8:
                return False
            kinds.add(head[4:8])
            at += length
    return at == size and {b"moov", b"mdat"} <= kinds


def write_gif(motion: Motion, path: Path, verbose: bool) -> None:
    """One frame a step, of which the first and the last stay longer."""
    frames = Frames(motion, _DOTS_GIF)
    steps = range(len(motion.steps))
    milliseconds = [1000.0 / motion.rate] * len(steps)
    milliseconds[0] += motion.pause * 1000.0 / motion.rate
    milliseconds[-1] += motion.pause * 1000.0 / motion.rate
    # One palette for all, so that colours do not flicker.
    palette = Palette(pixels.copy() for pixels in frames.drawn([0, len(steps) // 2, len(steps) - 1]))
    images = map(palette.image, _watched(frames.drawn(steps), len(steps), path, verbose))
    first = next(images)
    first.save(path, save_all=True, append_images=images, duration=milliseconds, loop=0, optimize=False, disposal=1)


class _Canvas(Protocol):
    """What is used of matplotlib's canvas of pixels, whose own methods say no types."""

    def draw(self) -> None: ...
    def copy_from_bbox(self, bbox: BboxBase) -> Any: ...
    def restore_region(self, region: Any) -> None: ...
    def get_renderer(self) -> RendererBase: ...
    def buffer_rgba(self) -> memoryview: ...
    def get_width_height(self) -> tuple[int, int]: ...


class Frames:
    """Pictures of a motion, all on one canvas.

    Parameters
    ----------
    motion : Motion
    dots : int
        Of an inch.

    Attributes
    ----------
    size : (int, int)
        Width and height, pixels.
    points : PathCollection
        One point a layer, at its place of the frame drawn last.
    bars : LineCollection
        A bar for each layer whose EI is bracketed there.
    intervals, bounds : LineCollection
        A bar through each point whose interval, or bounds around that, can be seen there.
    markers : list of Line2D
        On each curve, at the frame drawn last.
    """

    def __init__(self, motion: Motion, dots: int):
        self._motion = motion
        figure = Figure(figsize=_INCHES, dpi=dots, layout="constrained")
        self._canvas = _canvas_of(figure)
        plane, beside = figure.subplots(1, 2, width_ratios=_PLANE_TO_CURVES)
        self._colours = np.array([to_rgba(colour) for colour in layer_colours(len(motion.layers))])
        self._draw_plane(plane)
        self._draw_curves(beside)
        figure.draw_without_rendering()
        # The places are found once; titles that change must not move the axes.
        figure.set_layout_engine("none")
        self._step.set_text("")
        self._canvas.draw()
        self._still = self._canvas.copy_from_bbox(figure.bbox)
        self.size = self._canvas.get_width_height()

    def _draw_plane(self, ax: Axes) -> None:
        motion = self._motion
        self.trails = LineCollection([], linewidths=1.6, capstyle="round", zorder=2, animated=True)
        ax.add_collection(self.trails, autolim=False)
        self.bars = LineCollection([], linewidths=1.6, alpha=0.5, capstyle="round", zorder=3, animated=True)
        self.intervals = LineCollection([], linewidths=1.6, alpha=0.5, capstyle="round", zorder=3, animated=True)
        self.bounds = LineCollection([], linewidths=1.2, alpha=0.2, capstyle="butt", zorder=2.5, animated=True)
        for collection in (self.bars, self.intervals, self.bounds):
            ax.add_collection(collection, autolim=False)
        size = 34.0 * Stroke("", "o", len(motion.layers)).scale ** 2
        self.points = ax.scatter(
            motion.horizontal[0], motion.vertical[0], s=size, c=self._colours, zorder=4, animated=True, linewidths=0
        )
        ax.set_xlim(motion.horizontal_limits)
        ax.set_ylim(motion.vertical_limits)
        draw_guides(ax)
        name_guides(ax)
        quiet(ax)
        ax.set_xlabel(motion.horizontal_title, fontsize=SMALL)
        ax.set_ylabel(motion.vertical_title, fontsize=SMALL)
        handles = [Line2D([], [], color=colour, marker="o", linestyle="", markersize=5) for colour in self._colours]
        draw_key(ax, handles, motion.layers, motion.notes)

    def _draw_curves(self, ax: Axes) -> None:
        motion = self._motion
        # Curves of the layers have their colours, and so the key that the plane has.
        draw = draw_metrics if tuple(motion.curves) == motion.layers else plot_metrics
        draw(motion.steps, motion.curves, ax, motion.styles)
        # The step of the frame stands in the label of the axis, where it is in nobody's way.
        self._step = ax.xaxis.label
        self._step.set(text=_step_text(motion.steps[-1]), fontsize=SMALL)
        ax.set_ylabel(motion.beside, fontsize=SMALL)
        # Held, so that the vertical line of the first frame does not move them.
        ax.set_xlim(ax.get_xlim())
        ax.set_ylim(ax.get_ylim())
        self._now = ax.axvline(motion.steps[0], color=ink(0.5), linewidth=0.9, zorder=1, animated=True)
        self.markers = [
            ax.plot([], [], "o", color=style["color"], markeredgecolor=paper(), markersize=7, zorder=4, animated=True)[
                0
            ]
            for style in motion.styles
        ]

    def drawn(self, indices: Sequence[int] | NDArray[np.int64]) -> Iterator[Pixels]:
        """Pixels (height, width, 4) of the steps with these indices; valid until the next is drawn."""
        for index in indices:
            self._canvas.restore_region(self._still)
            for artist in self._moved(int(index)):
                artist.draw(self._canvas.get_renderer())
            yield np.asarray(self._canvas.buffer_rgba())

    def _moved(self, index: int) -> list[Artist]:
        """All that moves, at the step with this index."""
        motion = self._motion
        self.points.set_offsets(np.stack([motion.horizontal[index], motion.vertical[index]], axis=1))
        for collection, bars in (
            (self.bars, motion.bars[index]),
            (self.intervals, motion.intervals[index]),
            (self.bounds, motion.bounds[index]),
        ):
            there = np.isfinite(bars).all(axis=(1, 2))
            collection.set_segments(list(bars[there]))
            collection.set_color([tuple(colour) for colour in self._colours[there]])
        start = max(index - motion.trail, 0)
        way = np.stack([motion.horizontal[start : index + 1], motion.vertical[start : index + 1]], axis=2)
        pieces = np.stack([way[:-1], way[1:]], axis=2).reshape(-1, 2, 2)
        fading = np.repeat(self._colours[None], len(way) - 1, axis=0)
        # By age and not by rank: the pieces of the first steps are as firm as those of later ones.
        ages = np.arange(len(way) - 2, -1, -1)
        fading[..., 3] = (1.0 - ages / max(motion.trail, 1))[:, None]
        self.trails.set_segments(list(pieces))
        self.trails.set_color([tuple(colour) for colour in fading.reshape(-1, 4)])
        step = motion.steps[index]
        self._now.set_xdata([step, step])
        for marker, values in zip(self.markers, motion.curves.values(), strict=True):
            marker.set_data([step], [values[index]])
        self._step.set_text(_step_text(step))
        return [self.bounds, self.trails, self.bars, self.intervals, self.points, self._now, *self.markers, self._step]


def _canvas_of(figure: Figure) -> _Canvas:
    return FigureCanvasAgg(figure)


def _step_text(step: int) -> str:
    return f"training step {step}"


def _watched(frames: Iterator[Pixels], count: int, path: Path, verbose: bool) -> Iterator[Pixels]:
    # Even a disabled bar starts a thread.
    return tqdm(frames, total=count, desc=f"drawing {path.suffix}", unit="frame") if verbose else frames
