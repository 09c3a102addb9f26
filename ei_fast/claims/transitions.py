"""Transitions as the network begins to overfit: paths that turn there."""

from collections.abc import Sequence

import numpy as np

from ei_fast.claims.drift import lacking
from ei_fast.claims.outcomes import Claim, Criterion, Role
from ei_fast.claims.runs import Run, Values
from ei_fast.training.losses import smoothed

NAME = "transitions"
STATEMENT = "There are transitions in the causal plane as the network begins to overfit."

# Points on a path, all as far from the next; and of how many before and after a point its direction is taken.
_POINTS, _REACH = 201, 10


def transitions(runs: Sequence[Run]) -> Claim:
    """Turning angles of the paths where validation loss is least, and change-points found without looking there.

    Paths are read by their length and not by time: a layer that hardly moves any more turns at every tremor. Where
    networks overfit, the loss falls no more, and paths are less straight than before whatever validation loss does: so
    the control looks at the times at which other runs begin to overfit.

    Parameters
    ----------
    runs : sequence of Run
        Of networks with the same layers.
    """
    own = np.array([_at_turn(run, run.turn) for run in runs])
    others = np.array([_rank_at_turns_of_others(run, runs) for run in runs])
    criteria = (
        (
            "paths turn at t*",
            "Share of all points of a path at which it turns less than at t*, mean over the layers, less one half.",
            "share",
            Role.DECIDES,
            own[:, 0],
        ),
        (
            "a change-point lies at t*",
            "How much nearer to t* than to a point anywhere on the path the change of its mean direction lies, "
            "mean over the layers.",
            "share of the path",
            Role.DECIDES,
            own[:, 1],
        ),
        (
            "paths turn more at t* than at the t* of other runs",
            "The first figure, less the same where the validation losses of the other runs are least.",
            "share",
            Role.CONTROL,
            own[:, 0] - others,
        ),
        ("t* on the path", "Share of the path behind at t*, mean over the layers.", "share", Role.FIGURE, own[:, 2]),
    )
    return Claim(NAME, STATEMENT, tuple(Criterion(*one) for one in criteria), lacking(runs, hidden=False))


def _at_turn(run: Run, turn: int | None) -> Values:
    """Rank of the turning angle, nearness of the change-point, and place on the path at a record, means over layers."""
    if run.defect or turn is None:
        return np.full(3, np.nan)
    of_layers = [_of_layer(run.points[:, k], turn) for k in range(run.n_layers)]
    known = [of_layer for of_layer in of_layers if of_layer is not None]
    return np.mean(known, axis=0) if known else np.full(3, np.nan)


def _rank_at_turns_of_others(run: Run, runs: Sequence[Run]) -> float:
    """The rank at the times at which the losses of other runs turn, mean over these; NaN where there is none."""
    times = [other.time[other.turn] for other in runs if other is not run and other.turn is not None]
    if run.turn is None:
        return float("nan")
    ranks = np.array([_at_turn(run, int(np.argmin(np.abs(run.time - time))))[0] for time in times])
    known = ranks[np.isfinite(ranks)]
    return float(known.mean()) if len(known) else float("nan")


def _of_layer(points: Values, turn: int) -> tuple[float, float, float] | None:
    """The figures of a layer's path (n_records, 2); None where it has none, or the record is too near to an end of it.

    Parameters
    ----------
    points : ndarray (n_records, 2)
    turn : int
        Index of the record.
    """
    points = smoothed(points)
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    if not lengths[-1] > 0.0:
        return None
    at = lengths / lengths[-1]
    here, grid = at[turn], np.linspace(0.0, 1.0, _POINTS)
    inner = grid[_REACH:-_REACH]
    if not inner[0] <= here <= inner[-1]:
        return None
    path = np.stack([np.interp(grid, at, points[:, axis]) for axis in (0, 1)], axis=1)
    angles = _turning_angles(path)
    angle = float(np.interp(here, inner, angles))
    rank = float(np.mean(angles < angle) + 0.5 * np.mean(angles == angle))
    change = _change_of_direction(path)
    by_chance = float(np.mean(np.abs(change - inner)))
    return rank - 0.5, by_chance - abs(change - here), float(here)


def _turning_angles(path: Values) -> Values:
    """Angle between the ways before and after every point that is far enough from both ends, in radians."""
    before = path[_REACH:-_REACH] - path[: -2 * _REACH]
    after = path[2 * _REACH :] - path[_REACH:-_REACH]
    across = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    return np.abs(np.arctan2(across, (before * after).sum(axis=1)))


def _change_of_direction(path: Values) -> float:
    """Where on a path its mean direction changes: the point that leaves least variance on both sides of it."""
    directions = np.diff(path, axis=0)
    norms = np.linalg.norm(directions, axis=1, keepdims=True)
    directions = directions / np.where(norms > 0.0, norms, 1.0)
    n, sums = len(directions), np.cumsum(directions, axis=0)
    counts = np.arange(_REACH, n - _REACH + 1)
    left, right = sums[counts - 1], sums[-1] - sums[counts - 1]
    explained = (left**2).sum(axis=1) / counts + (right**2).sum(axis=1) / (n - counts)
    return float(counts[np.argmax(explained)] / n)
