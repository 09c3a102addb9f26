"""What trajectories and reports give to a causal plane: the arguments that a display of them is made with."""

from collections.abc import Sequence
from typing import Literal, TypedDict

import numpy as np
from numpy.typing import ArrayLike

from ei_fast.figures.known import bracketed, ei_bounds, ei_limits
from ei_fast.figures.plane_values import OWNER
from ei_fast.figures.scale import edges_of
from ei_fast.results.flags import Flag
from ei_fast.results.report import Report
from ei_fast.training.trajectory import Trajectory


class Given(TypedDict):
    """Arguments of `CausalPlaneDisplay`, all but `per`."""

    sensitivity: ArrayLike
    degeneracy: ArrayLike
    layers: Sequence[str]
    steps: ArrayLike | None
    ei_stderr: ArrayLike
    sensitivity_stderr: ArrayLike
    brackets: ArrayLike
    ranges: str
    ei_interval: ArrayLike
    ei_bounds: ArrayLike
    edges: ArrayLike | None


def given_by_trajectory(trajectory: Trajectory, per: Literal["layer", "edge"]) -> Given:
    """What a trajectory of one run gives."""
    trajectory.check_one_run()
    interval = np.stack(ei_limits(trajectory), axis=2)
    return {
        "sensitivity": trajectory.sensitivity,
        "degeneracy": trajectory.degeneracy,
        "layers": trajectory.layers,
        "steps": trajectory.steps,
        "ei_stderr": trajectory.ei_stderr,
        "sensitivity_stderr": trajectory.sensitivity_stderr,
        "brackets": np.where(bracketed(trajectory)[..., None], interval, np.nan),
        "ranges": trajectory.ranges,
        "ei_interval": interval,
        "ei_bounds": np.stack(ei_bounds(trajectory), axis=2),
        "edges": edges_of(trajectory, f"{OWNER}.from_trajectory") if per == "edge" else None,
    }


def given_by_report(report: Report, per: Literal["layer", "edge"]) -> Given:
    """What a report gives: one step."""
    return {
        "sensitivity": [[layer.sensitivity for layer in report]],
        "degeneracy": [[layer.degeneracy for layer in report]],
        "layers": [layer.name for layer in report],
        "steps": None,
        "ei_stderr": [[layer.ei_stderr for layer in report]],
        "sensitivity_stderr": [[layer.sensitivity_stderr for layer in report]],
        "brackets": [[layer.ei_interval if Flag.UNDERSAMPLED in layer.flags else (np.nan, np.nan) for layer in report]],
        "ranges": "",
        "ei_interval": [[layer.ei_interval for layer in report]],
        "ei_bounds": [[layer.ei_bounds for layer in report]],
        "edges": edges_of(report, f"{OWNER}.from_report") if per == "edge" else None,
    }
