"""The verdicts on all four observations, a pure function of trajectories."""

from collections.abc import Sequence
from typing import Any

from ei_fast.claims.differences import differences
from ei_fast.claims.drift import drift
from ei_fast.claims.movement import movement
from ei_fast.claims.outcomes import Claim
from ei_fast.claims.runs import Run
from ei_fast.claims.transitions import transitions
from ei_fast.training.trajectory import Trajectory


def verdicts_of(trajectories: Sequence[Trajectory]) -> tuple[Claim, ...]:
    """Test the four observations on trainings of one network with different seeds.

    Parameters
    ----------
    trajectories : sequence of Trajectory
        One run each, of networks with the same layers.

    Returns
    -------
    tuple of Claim
        Drift, movement, transitions and differences, in this order.

    Raises
    ------
    ValueError
        For no trajectory, for one of several runs, or for different layers.
    """
    if not trajectories:
        raise ValueError("The 'trajectories' parameter of verdicts_of must hold one trajectory at least. Got none.")
    for trajectory in trajectories:
        one, other = ((each.layers, each.widths) for each in (trajectories[0], trajectory))
        if one != other:
            raise ValueError(
                "The 'trajectories' parameter of verdicts_of must be runs of one network. Got layers "
                f"{_said(*one)} and {_said(*other)}. Judge each network by itself."
            )
    runs = [Run.of(trajectory) for trajectory in trajectories]
    return tuple(test(runs) for test in (drift, movement, transitions, differences))


def _said(layers: Sequence[str], widths: Sequence[tuple[int, int]] | None) -> str:
    """Names of layers, with their widths where these are known."""
    if widths is None:
        return ", ".join(layers)
    return ", ".join(f"{name} ({n_in} -> {n_out})" for name, (n_in, n_out) in zip(layers, widths, strict=True))


def rows_of(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """The verdicts as a table: a row for each criterion."""
    return [
        {
            "claim": claim.name,
            "verdict": str(claim.outcome),
            "criterion": criterion.name,
            "role": str(criterion.role),
            "outcome": str(criterion.outcome),
            "mean": criterion.mean,
            "low": criterion.interval[0],
            "high": criterion.interval[1],
            "unit": criterion.unit,
            "runs": criterion.n_runs,
        }
        for claim in claims
        for criterion in claim.criteria
    ]
