"""Bits of a whole layer, or of each of its edges: so that layers of different sizes can be seen side by side."""

from copy import copy
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ei_fast.results.report import Report
from ei_fast.training.columns import MEASURES
from ei_fast.training.trajectory import Trajectory
from ei_fast.validation import refusal

Per = Literal["layer", "edge"]
"""What a figure is given per: a layer, or an edge of it."""

UNITS = {"layer": "bits", "edge": "bits per edge"}
"""The unit of a figure, by what it is given per."""


def checked_per(per: Any, owner: str) -> str:
    """`per`, where it is "layer" or "edge"; ValueError that names the parameter of `owner` otherwise."""
    if not isinstance(per, str) or per not in UNITS:
        raise ValueError(refusal(owner, "per", "'layer' or 'edge'", per))
    return per


def in_unit(label: str, per: str) -> str:
    """The label of an axis in bits, with the unit of figures per layer or per edge in their place."""
    return label.replace("bits", UNITS[per])


def axis_titles(per: str) -> tuple[str, str]:
    """Titles of the horizontal and the vertical axis of the causal plane."""
    return in_unit("EI / √2  [bits]", per), in_unit("(sensitivity + degeneracy) / √2  [bits]", per)


def edges_of(source: Trajectory | Report, owner: str) -> NDArray[np.float64]:
    """Numbers of edges, n_in · n_out, of every layer, (n_layers,); ValueError where a trajectory does not know them."""
    widths = source.widths if isinstance(source, Trajectory) else [(layer.n_in, layer.n_out) for layer in source]
    if widths is None:
        raise ValueError(
            f"The 'per' parameter of {owner} must be 'layer' for a trajectory that does not say the widths of its "
            "layers. Got 'edge' instead. Record it with a Recorder, or put (name, n_in, n_out) of every layer into its "
            "provenance['layers']."
        )
    return np.array([n_in * n_out for n_in, n_out in widths], dtype=np.float64)


def scaled(trajectory: Trajectory, per: Any, owner: str) -> Trajectory:
    """The trajectory itself, or one whose measures, with errors and ends, are divided by the numbers of edges.

    Parameters
    ----------
    trajectory : Trajectory
    per : "layer" or "edge"
    owner : str
        Whose parameter it is, for messages.

    Returns
    -------
    Trajectory
        In bits, or in bits per edge.

    Raises
    ------
    ValueError
        For another word, or where the widths of the layers are not known.
    """
    if checked_per(per, owner) == "layer":
        return trajectory
    edges = edges_of(trajectory, owner)
    divided = copy(trajectory)
    for name in MEASURES:
        setattr(divided, name, getattr(trajectory, name) / edges)
    return divided
