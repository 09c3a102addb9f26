"""The causal plane in motion: what is to be seen in every frame, and how fast."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.figures.beside import beside
from ei_fast.figures.colours import layer_colours, metric_styles
from ei_fast.figures.plane import CausalPlaneDisplay
from ei_fast.figures.scale import axis_titles, scaled
from ei_fast.figures.style import BOUNDS, BRACKETS, ranges_said
from ei_fast.parameters import Integer, Number
from ei_fast.training.trajectory import Trajectory

OWNER = "animate_causal_plane"

Values = NDArray[np.float64]

_RATE = Number("None or a number of frames a second from 0.1 to 60", 0.1, 60.0)
PAUSE = Number("a number of seconds from 0 to 60", 0.0, 60.0)
_TRAIL = Integer(0)

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


def motion_of(
    trajectory: Trajectory, fps: float | None = None, pause: float = 1.0, trail: int = 20, per: str = "layer"
) -> Motion:
    """What moves in a trajectory; parameters as in `animate_causal_plane`."""
    rate = checked_rate(fps, len(trajectory))
    pause = PAUSE.checked("pause", pause, OWNER)
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
    """Limits with a margin around all finite values, and around what else is to be `inside`."""
    finite = np.concatenate([values[np.isfinite(values)], inside])
    low, high = (finite.min(), finite.max()) if len(finite) else (0.0, 1.0)
    margin = _MARGIN * (high - low) or 0.5
    return float(low - margin), float(high + margin)
