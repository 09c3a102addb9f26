"""The causal plane's geometry: where points lie in it, and what shapes stand for how well they are known.

The pair (sensitivity, degeneracy) is turned by 45 degrees. Lengths along EI become shorter by sqrt(2), and what is said
of EI alone, at one sensitivity, lies on a falling diagonal.
"""

import numpy as np

from ei_fast.figures.known import reach_beyond
from ei_fast.figures.strokes import Points
from ei_fast.measures.constants import Z95

# Of an outline: its ends and its outermost points are among them.
_CORNERS = 25


def turned(sensitivity: Points, degeneracy: Points) -> tuple[Points, Points]:
    """Horizontal and vertical coordinates."""
    return (sensitivity - degeneracy) / np.sqrt(2), (sensitivity + degeneracy) / np.sqrt(2)


def known_limits(
    ei: Points, stderr: Points, brackets: Points, interval: Points, bounds: Points
) -> tuple[Points, Points, Points]:
    """What is known of EI: its 95 % interval, and what a picture shows of that and of the bounds.

    Parameters
    ----------
    ei, stderr : ndarray (n_steps, n_layers)
        EI and its standard error.
    brackets, interval, bounds : ndarray (n_steps, n_layers, 2)
        Ends; NaN where there are none.

    Returns
    -------
    interval : ndarray (n_steps, n_layers, 2)
        By the standard error where it is not given.
    interval_seen : ndarray (n_steps, n_layers, 2)
        NaN where the interval is too narrow to be seen, and where there is a bracket.
    bounds_seen : ndarray (n_steps, n_layers, 2)
        NaN where the bounds are not visibly wider than the interval, or the bracket.
    """
    bracketed = np.isfinite(brackets.sum(axis=2))
    by_stderr = ei[..., None] + Z95 * stderr[..., None] * [-1.0, 1.0]
    interval = np.where(np.isfinite(interval), interval, by_stderr)
    known = np.where(bracketed[..., None], brackets, interval)
    bounds = np.where(np.isfinite(bounds), bounds, known)
    # The nullcline, EI = 0, is always in the picture.
    shown = (bounds, 0.0)
    ends, widest = (known[..., 0], known[..., 1]), (bounds[..., 0], bounds[..., 1])
    bounds_seen = np.where(reach_beyond(ends, widest, *shown)[..., None], bounds, np.nan)
    is_seen = reach_beyond((ei, ei), ends, *shown) & ~bracketed
    return interval, np.where(is_seen[..., None], interval, np.nan), bounds_seen


def reach_of_interval(horizontal: Points, interval: Points) -> tuple[Points, Points]:
    """How far the interval of EI, (..., 2), reaches below and above EI."""
    ei = np.sqrt(2) * horizontal
    return np.maximum(ei - interval[..., 0], 0.0), np.maximum(interval[..., 1] - ei, 0.0)


def error_outlines(
    horizontal: Points, vertical: Points, reach: tuple[Points, Points], sensitivity_stderr: Points
) -> Points:
    """Outlines (n, n_corners, 2) of the errors of points, all (n,); `reach` is that of the interval of EI."""
    angle = np.linspace(0.0, 2.0 * np.pi, _CORNERS)
    below, above = (half[:, None] for half in reach)
    by_ei = np.where(np.cos(angle) > 0.0, above, below) * np.cos(angle) / np.sqrt(2)
    by_sensitivity = np.sqrt(2) * Z95 * sensitivity_stderr[:, None] * np.sin(angle)
    return np.stack([horizontal[:, None] + by_ei, vertical[:, None] + by_sensitivity - by_ei], axis=-1)


def bars_between(ends: Points, horizontal: Points, vertical: Points) -> Points:
    """Bars (n, 2, 2) from one of the ends of EI, (n, 2), to the other, at the sensitivity of points, (n,)."""
    along = ends / np.sqrt(2)
    sensitivity = (horizontal[:, None] + vertical[:, None]) / np.sqrt(2)
    return np.stack([along, np.sqrt(2) * sensitivity - along], axis=-1)
