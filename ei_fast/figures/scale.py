"""Bits of a whole layer, or of each of its edges: so that layers of different sizes can be seen side by side."""

import numpy as np

from ei_fast.figures.plane import HORIZONTAL, VERTICAL
from ei_fast.parameters import OneOf
from ei_fast.training.trajectory import MEASURES, Trajectory
from ei_fast.validation import refusal

PER = OneOf(("layer", "edge"))
"""What a figure is given per: a layer, or an edge of it."""

UNITS = {"layer": "bits", "edge": "bits per edge"}
"""The unit of a figure, by what it is given per."""


def axis_titles(per: str) -> tuple[str, str]:
    """Titles of the horizontal and the vertical axis of the causal plane."""
    return HORIZONTAL.replace("bits", UNITS[per]), VERTICAL.replace("bits", UNITS[per])


def edges_of(trajectory: Trajectory) -> list[int] | None:
    """Number of edges of every layer; None where the widths are not known, or a layer has no edge."""
    edges = [n_in * n_out for n_in, n_out in trajectory.widths or ()]
    return edges if edges and min(edges) > 0 else None


def scaled(trajectory: Trajectory, per: str, owner: str) -> Trajectory:
    """The trajectory with every figure in bits of a layer, or divided by the layer's number of edges.

    Parameters
    ----------
    trajectory : Trajectory
    per : "layer" or "edge"
    owner : str
        Who was given `per`, for messages.

    Returns
    -------
    Trajectory
        The same one for "layer"; with measures in bits per edge for "edge".

    Raises
    ------
    ValueError
        For "edge" where the trajectory does not know how many edges its layers have.
    """
    if PER.checked("per", per, owner) == "layer":
        return trajectory
    edges = edges_of(trajectory)
    if edges is None:
        rule = "'layer' where the trajectory does not say how many inputs and outputs its layers have"
        raise ValueError(refusal(owner, "per", rule, per, "; what a Recorder makes says it"))
    return Trajectory(
        trajectory.steps,
        trajectory.layers,
        {name: getattr(trajectory, name) / np.array(edges) for name in MEASURES},
        trajectory.metrics,
        trajectory.provenance,
        trajectory.runs,
        trajectory.flags,
    )
