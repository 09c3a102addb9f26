"""Transitions as the network begins to overfit: paths that turn there."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ei_fast.claims.compared import lacking, own_and_beyond, same_turns
from ei_fast.claims.outcomes import Claim, Criterion, Role
from ei_fast.claims.runs import Run, Values
from ei_fast.training.losses import smoothed

NAME = "transitions"
STATEMENT = "There are transitions in the causal plane as the network begins to overfit."

# Points on a path, all as far from the next; and of how many before and after a point its direction is taken.
_POINTS, _REACH = 201, 10
_N_FIGURES = 3
# Paths that are shorter than this share of the values on them are none.
_ROUNDING = 1e-9


def transitions(runs: Sequence[Run]) -> Claim:
    """Turning angles of the paths where validation loss is least, and change-points found without looking there.

    Paths are read by their length and not by time: a layer that hardly moves any more turns at every tremor. Where
    networks overfit, the loss falls no more, and paths are less straight than before whatever validation loss does: so
    what decides is how much more they turn there than at the times at which other runs begin to overfit.

    Parameters
    ----------
    runs : sequence of Run
        Of networks with the same layers.
    """
    paths = {run: _paths(run) for run in runs}
    own, beyond = own_and_beyond(runs, lambda run, lender: _figures(run, lender, paths[run]))
    angle, change, place = own.T
    criteria = (
        (
            "paths turn more at t* than at the t* of other runs",
            "Share of all points of a path at which it turns less than at t*, less its mean over all records, mean "
            "over the layers; less the same where the validation losses of the other runs are least.",
            "share",
            Role.DECIDES,
            beyond[:, 0],
        ),
        (
            "a change-point lies nearer to t* than to the t* of other runs",
            "Mean distance on the path from the change of its mean direction to all records, less that to t*, mean "
            "over the layers; less the same with the t* of the other runs.",
            "share of the path",
            Role.DECIDES,
            beyond[:, 1],
        ),
        (
            "paths turn more at t* than elsewhere",
            "Share of all points of a path at which it turns less than at t*, less its mean over all records.",
            "share",
            Role.CONTROL,
            angle,
        ),
        (
            "a change-point lies nearer to t* than to other records",
            "Mean distance from the change to all records, less that to t*: above 0 wherever t* is not near an end.",
            "share of the path",
            Role.FIGURE,
            change,
        ),
        ("t* on the path", "Share of the path behind at t*, mean over the layers.", "share", Role.FIGURE, place),
    )
    said = lacking(runs, lambda run: _lacks(run, paths[run]), beyond[:, :2])
    return Claim(NAME, STATEMENT, tuple(Criterion(*one) for one in criteria), said, same_turns(runs))


def _figures(run: Run, lender: Run, paths: Sequence["_Path"]) -> Sequence[float]:
    """More turning than elsewhere, nearness of the change-point, and place on the path of t*, means over layers."""
    turn = None if run.defect else run.turn_of(lender)
    if turn is None:
        return [float("nan")] * _N_FIGURES
    of_layers = np.array([_of_layer(path, turn) for path in paths]).reshape(-1, _N_FIGURES)
    known = np.isfinite(of_layers).all(axis=1)
    return list(of_layers[known].mean(axis=0)) if known.any() else [float("nan")] * _N_FIGURES


def _lacks(run: Run, paths: Sequence["_Path"]) -> str:
    if run.lacks_turn:
        return run.lacks_turn
    return "" if np.isfinite(_figures(run, run, paths)[0]) else "t* too near an end of every path, or no path"


class _Path(NamedTuple):
    """A layer's path, at every record: how far along it, (n_records,), which share of its points turn less there, and
    how far it is from there to the change of its mean direction; NaN too near to an end."""

    at: Values
    ranks: Values
    distances: Values


def _paths(run: Run) -> list[_Path]:
    """The paths of all layers that move."""
    if run.defect:
        return []
    paths = (_path(run.points[:, k]) for k in range(run.n_layers))
    return [path for path in paths if path is not None]


def _path(points: Values) -> _Path | None:
    """The path of a layer, (n_records, 2); None where that is rounding alone."""
    points = smoothed(points)
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    if not lengths[-1] > _ROUNDING * np.abs(points).max():
        return None
    at, grid = lengths / lengths[-1], np.linspace(0.0, 1.0, _POINTS)
    inner = grid[_REACH:-_REACH]
    path = np.stack([np.interp(grid, at, points[:, axis]) for axis in (0, 1)], axis=1)
    angles = _turning_angles(path)
    at_records = np.interp(at, inner, angles)
    order = np.sort(angles)
    # Of equal angles half counts as less.
    ranks = (np.searchsorted(order, at_records, "left") + np.searchsorted(order, at_records, "right")) / 2 / len(order)
    distances = np.abs(_change_of_direction(path) - at)
    has_both_sides = (at >= inner[0]) & (at <= inner[-1])
    return _Path(at, *(np.where(has_both_sides, values, np.nan) for values in (ranks, distances)))


def _of_layer(path: _Path, turn: int) -> tuple[float, float, float]:
    """The figures of a layer's path at a record; NaN too near to an end of it."""
    if np.isnan(path.ranks[turn]):
        return (float("nan"),) * 3
    return (
        float(path.ranks[turn] - np.nanmean(path.ranks)),
        float(np.nanmean(path.distances) - path.distances[turn]),
        float(path.at[turn]),
    )


def _turning_angles(path: Values) -> Values:
    """Angle between the ways before and after every point that is far enough from both ends, in radians."""
    before = path[_REACH:-_REACH] - path[: -2 * _REACH]
    after = path[2 * _REACH :] - path[_REACH:-_REACH]
    across = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    angles: Values = np.abs(np.arctan2(across, (before * after).sum(axis=1)))
    return angles


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
