"""What of a trajectory is known how well: intervals, bounds, and brackets, whose midpoints are no figures."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.measures.constants import Z95
from ei_fast.measures.quantities import BY_NAME
from ei_fast.results.flags import Flag
from ei_fast.training.trajectory import Trajectory

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Of all that a picture shows of a measure: what reaches less far beyond something else is not seen.
_VISIBLE = 0.01


def bracketed(trajectory: Trajectory) -> Mask:
    """Where EI is known to lie between bounds and no better, (n_steps, n_layers); nowhere in files without flags."""
    shape = trajectory.ei.shape
    return np.array([[Flag.UNDERSAMPLED in flags for flags in step] for step in trajectory.flags], dtype=bool).reshape(
        shape
    )


def ei_limits(trajectory: Trajectory) -> tuple[Values, Values]:
    """Ends of the 95 % interval or bracket of EI, (n_steps, n_layers), bits; by its standard error in older files."""
    half = Z95 * known_stderr(trajectory.ei_stderr)
    low = np.where(np.isnan(trajectory.ei_low), trajectory.ei - half, trajectory.ei_low)
    high = np.where(np.isnan(trajectory.ei_high), trajectory.ei + half, trajectory.ei_high)
    return low, high


def ei_bounds(trajectory: Trajectory) -> tuple[Values, Values]:
    """Bounds on EI that rest on no model, (n_steps, n_layers), bits; the ends of `ei_limits` where there are none."""
    bounds = trajectory.ei_bounds_low, trajectory.ei_bounds_high
    low, high = (
        np.where(np.isfinite(bound), bound, end) for bound, end in zip(bounds, ei_limits(trajectory), strict=True)
    )
    return low, high


def limits_of(trajectory: Trajectory, measure: str) -> tuple[Values, Values]:
    """Ends of the 95 % interval of a measure, (n_steps, n_layers), bits."""
    return _of_ei(trajectory, measure, *ei_limits(trajectory))


def bounds_of(trajectory: Trajectory, measure: str) -> tuple[Values, Values]:
    """Bounds on a measure, (n_steps, n_layers), bits: what those on EI and the error of the rest leave."""
    return _of_ei(trajectory, measure, *ei_bounds(trajectory))


def reach_beyond(inner: tuple[Values, Values], outer: tuple[Values, Values], *inside: Any) -> Mask:
    """Where outer ends reach so far beyond inner ones that a picture of all outer ones, and of `inside`, shows it."""
    values = np.concatenate([np.ravel(ends) for ends in (*outer, *inside)])
    span = np.ptp(values[np.isfinite(values)]) if np.isfinite(values).any() else 0.0
    # Comparisons with NaN are false.
    return np.maximum(inner[0] - outer[0], outer[1] - inner[1]) > _VISIBLE * span


def _of_ei(trajectory: Trajectory, measure: str, low: Values, high: Values) -> tuple[Values, Values]:
    """What ends of EI make of those of a measure.

    The errors of EI and of what is taken from it, or what it is taken from, are independent.
    """
    quantity, values = BY_NAME[measure], getattr(trajectory, measure)
    if quantity.edge_measure is None:
        return low, high
    ends = {1: (trajectory.ei - low, high - trajectory.ei), -1: (high - trajectory.ei, trajectory.ei - low)}
    # Exactly 0 where EI does not enter.
    below, above = ends.get(quantity.ei_sign, (np.zeros_like(values), np.zeros_like(values)))
    half = Z95 * known_stderr(getattr(trajectory, BY_NAME[quantity.edge_measure].stderr))
    return values - np.hypot(below, half), values + np.hypot(above, half)


def known_stderr(stderr: ArrayLike) -> Values:
    """Standard errors, 0 where they are not known."""
    return np.nan_to_num(np.asarray(stderr, dtype=np.float64), nan=0.0)


def alone(known: Mask) -> list[int]:
    """Indices of known steps that have no known neighbour: no line leads to them."""
    padded = np.concatenate([[False], known, [False]])
    return np.flatnonzero(known & ~padded[:-2] & ~padded[2:]).tolist()
