"""The causal plane in motion: which file, how fast, and what is to be seen in every frame."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.figures.beside import beside
from ei_fast.figures.plane import CausalPlaneDisplay
from ei_fast.figures.scale import axis_titles, scaled
from ei_fast.figures.style import BOUNDS, BRACKETS, layer_colours, metric_styles, ranges_said
from ei_fast.parameters import Integer, Number
from ei_fast.training.trajectory import Trajectory

OWNER = "animate_causal_plane"

Values = NDArray[np.float64]

_RATE = Number("None or a number of frames a second from 0.1 to 60", 0.1, 60.0)
_PAUSE = Number("a number of seconds from 0 to 60", 0.0, 60.0)
_TRAIL = Integer(0)
_VERBOSE = Integer(0, allows_bool=True)

# Where not given: about so many seconds, unless that would be too slow or too fast to follow.
_SECONDS, _SLOWEST, _FASTEST = 10.0, 2.0, 30.0
_MARGIN = 0.06


@dataclass(frozen=True)
class Motion:
    """What moves, and how fast.

    All that is said to be in bits is in bits per edge where the motion was made so.

    Attributes
    ----------
    layers : tuple of str
    steps : ndarray (n_steps,)
    horizontal, vertical : ndarray (n_steps, n_layers)
        Coordinates in the causal plane, bits; NaN where EI is bracketed.
    bars : ndarray (n_steps, n_layers, 2, 2)
        Ends of the bars that stand for brackets, bits; NaN where EI is known better.
    intervals : ndarray (n_steps, n_layers, 2, 2)
        Ends of the bars that stand for 95 % intervals of EI, bits; NaN where too narrow to be seen, and at brackets.
    bounds : ndarray (n_steps, n_layers, 2, 2)
        Ends of the bars that stand for bounds on EI, bits; NaN where not visibly wider than interval or bracket.
    curves : dict of str to ndarray (n_steps,)
        What is shown beside the plane: losses, other metrics where there are none, else EI of every layer.
    beside : str
        What the curves are.
    styles : list of dict
        How each curve is drawn: color, linestyle, linewidth.
    rate : float
        Frames a second.
    pause : int
        Frames for which the first and the last step stand still, over their own.
    trail : int
        Steps that a point leaves visible behind it.
    notes : tuple of str
        What is to be known of the picture: the convention of the ranges, and what bars are.
    horizontal_title, vertical_title : str
        Of the axes of the plane, with the unit.

    Notes
    -----
    A point with a bar is an estimate with its interval, a bar without one a bracket.
    """

    layers: tuple[str, ...]
    steps: NDArray[np.int64]
    horizontal: Values
    vertical: Values
    bars: Values
    intervals: Values
    bounds: Values
    curves: dict[str, Values]
    beside: str
    styles: list[dict[str, Any]]
    rate: float
    pause: int
    trail: int
    notes: tuple[str, ...]
    horizontal_title: str
    vertical_title: str

    @property
    def schedule(self) -> NDArray[np.int64]:
        """Index of the step that each frame shows: one frame a step, and the pauses."""
        last = len(self.steps) - 1
        return np.concatenate([np.zeros(self.pause), np.arange(last + 1), np.full(self.pause, last)]).astype(np.int64)

    @property
    def horizontal_limits(self) -> tuple[float, float]:
        """Of the plane, for all frames; the nullcline at 0 is inside."""
        return limits(self._all(0), 0.0)

    @property
    def vertical_limits(self) -> tuple[float, float]:
        """Of the plane, for all frames."""
        return limits(self._all(1))

    def _all(self, axis: int) -> Values:
        """Coordinates of all that is drawn in the plane at any step."""
        points = (self.horizontal, self.vertical)[axis]
        bars = (bars[..., axis].ravel() for bars in (self.bars, self.intervals, self.bounds))
        return np.concatenate([points.ravel(), *bars])


def animate_causal_plane(
    trajectory: Trajectory,
    path: str | os.PathLike,
    fps: float | None = None,
    pause: float = 1.0,
    trail: int = 20,
    verbose: int = 1,
    *,
    per: str = "layer",
) -> Path:
    """Write the layers' way through the causal plane as a video, or as a page with a player.

    To the left the plane, where each layer is a point with a trail; to the right the losses with a marker that moves
    along them (other metrics where no loss was recorded, EI where nothing was). Where it is wide enough to be seen, a
    light bar through the point is the 95 % interval of EI, and a faint one the bounds on EI that rest on no model.
    Where EI is only known to lie between bounds a layer is a light bar without a point, and its trail is broken.

    Parameters
    ----------
    trajectory : Trajectory
        At least one step; of several runs for ``.html`` alone, where they are told apart by the shape of their points.
    path : str or path
        By its suffix:

        - ``.mp4``: H.264; needs ``pip install "ei_fast[video]"``;
        - ``.gif``, which is held in memory while it is written, about a third of a megabyte a step;
        - ``.html``: one file with all that it needs, about 1.3 megabytes, to play and step through, with layers and
          runs to choose, figures per layer or edge, and a panel for each layer; needs ``pip install "ei_fast[html]"``.
    fps : float, optional
        Steps shown a second; where not given, about ten seconds for all, but at least 2 and at most 30 a second.
    pause : float, default 1.0
        Seconds for which the first and the last step of a video stand still. An ``.mp4`` has one frame a step and
        ``round(pause * fps)`` more at either end; in a ``.gif`` these are not frames of their own, but last longer.
    trail : int, default 20
        Steps that stay visible behind each point.
    verbose : int, default 1
        Above 0 a progress bar counts the frames.
    per : "layer" or "edge", default "layer"
        Bits of the whole layer; or divided by its number of edges, n_in · n_out, so that a wide layer does not flatten
        the others. In a page both can be chosen, and this is what it begins with.

    Returns
    -------
    Path
        Of the file, which is written whole or not at all.

    Raises
    ------
    ImportError
        Where the suffix needs a package that is not installed.
    TypeError, ValueError
        For another suffix, a trajectory without steps, several runs in a video, figures per edge of a trajectory that
        does not know the widths of its layers, or parameters that are not allowed.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> recorder = ef.Recorder(ef.EffectiveInformation(random_state=0))
    >>> for step in range(3):
    ...     _ = recorder.record([np.eye(2) * step], step=step, loss=1.0 / (1 + step))
    >>> ef.animate_causal_plane(recorder.trajectory_, "plane.gif", verbose=0)  # doctest: +SKIP
    PosixPath('plane.gif')
    """
    path = Path(path)
    writer = _writer_of(path)
    check_trajectory(trajectory)
    if not path.parent.is_dir():
        raise ValueError(f"The 'path' parameter of {OWNER} must be in a folder that exists. Got {str(path)!r} instead.")
    shown = bool(_VERBOSE.checked("verbose", verbose, OWNER))
    _PAUSE.checked("pause", pause, OWNER)
    if writer is None:
        from ei_fast.figures.player import runs_of, write_player

        return write_player(runs_of(trajectory), path, fps=fps, trail=trail, per=per)
    motion = motion_of(trajectory, fps, pause, trail, per)
    # The suffix stays at the end: it tells the writers what is to be written.
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        writer(motion, temporary, shown)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def motion_of(
    trajectory: Trajectory, fps: float | None = None, pause: float = 1.0, trail: int = 20, per: str = "layer"
) -> Motion:
    """What moves in a trajectory; parameters as in `animate_causal_plane`."""
    rate = checked_rate(fps, len(trajectory))
    pause = _PAUSE.checked("pause", pause, OWNER)
    trail = checked_trail(trail)
    trajectory = scaled(trajectory, per, OWNER)
    plane = CausalPlaneDisplay.from_trajectory(trajectory)
    curves = beside([trajectory], per)
    if curves.of_layers:
        styles = [
            {"color": colour, "linestyle": "-", "linewidth": 1.5} for colour in layer_colours(len(trajectory.layers))
        ]
    else:
        styles = metric_styles(len(curves.curves[0]))
    bars, intervals, bounds = (
        np.stack([bars_of(k) for k in range(len(trajectory.layers))], axis=1)
        for bars_of in (plane.bracket_bars, plane.interval_bars, plane.bounds_bars)
    )
    notes = (
        ranges_said(trajectory.ranges),
        BRACKETS if plane.bracketed.any() else "",
        BOUNDS if np.isfinite(bounds).any() else "",
    )
    return Motion(
        trajectory.layers,
        trajectory.steps,
        np.where(plane.bracketed, np.nan, plane.horizontal),
        np.where(plane.bracketed, np.nan, plane.vertical),
        bars,
        intervals,
        bounds,
        curves.curves[0],
        curves.title,
        styles,
        rate,
        round(pause * rate),
        trail,
        tuple(filter(None, notes)),
        *axis_titles(per),
    )


def check_trajectory(trajectory: Trajectory) -> None:
    """Raise TypeError for what is no trajectory, ValueError for one without steps."""
    if not isinstance(trajectory, Trajectory) or not len(trajectory):
        raise (ValueError if isinstance(trajectory, Trajectory) else TypeError)(
            f"The 'trajectory' parameter of {OWNER} must be a Trajectory of at least one step. "
            f"Got {trajectory!r} instead."
        )


def checked_rate(fps: float | None, n_steps: int) -> float:
    """Steps shown a second: what was asked for, or what shows all in about ten seconds."""
    if fps is None:
        return float(np.clip(round(n_steps / _SECONDS), _SLOWEST, _FASTEST))
    return float(_RATE.checked("fps", fps, OWNER))


def checked_trail(trail: int) -> int:
    """Steps that stay visible behind a point."""
    return int(_TRAIL.checked("trail", trail, OWNER))


def limits(values: Values, *inside: float) -> tuple[float, float]:
    """RangeOrAuto with a margin around all finite values, and around what else is to be `inside`."""
    finite = np.concatenate([values[np.isfinite(values)], inside])
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    margin = _MARGIN * (high - low) or 0.5
    return float(low - margin), float(high + margin)


def _writer_of(path: Path) -> Callable[[Motion, Path, bool], Any] | None:
    """The writer of a video's suffix, loaded with what it needs; None for a page, which is no sequence of frames."""
    if path.suffix == ".mp4":
        from ei_fast.figures.video import write_mp4, writer_of_mp4

        writer_of_mp4()
        return write_mp4
    if path.suffix == ".gif":
        from ei_fast.figures.video import write_gif

        return write_gif
    if path.suffix == ".html":
        from ei_fast.figures.player import script_of_bokeh

        script_of_bokeh()
        return None
    raise ValueError(f"The 'path' parameter of {OWNER} must end in .mp4, .gif or .html. Got {str(path)!r} instead.")
