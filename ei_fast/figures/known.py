"""What of a trajectory is known how well: intervals, and brackets of bounds, whose midpoints are no figures."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.measures.constants import Z95
from ei_fast.measures.quantities import BY_NAME
from ei_fast.results.flags import Flag
from ei_fast.training.trajectory import Trajectory

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]


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


def limits_of(trajectory: Trajectory, measure: str) -> tuple[Values, Values]:
    """Ends of the 95 % interval of a measure, (n_steps, n_layers), bits.

    The errors of EI and of what is taken from it, or what it is taken from, are independent.
    """
    low, high = ei_limits(trajectory)
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
