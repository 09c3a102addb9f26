"""What is shown beside the causal plane: losses, other metrics where there are none, else EI of every layer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ei_fast.figures.known import bracketed
from ei_fast.figures.scale import UNITS
from ei_fast.training.losses import split_metrics
from ei_fast.training.trajectory import Trajectory

Curves = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Beside:
    """Curves over the training steps.

    Attributes
    ----------
    title : str
        Of their axis.
    curves : tuple of dict of str to ndarray (n_steps,)
        For each trajectory; NaN where a step has no value.
    of_layers : bool
        Whether there is a curve for each layer, of EI in bits.
    """

    title: str
    curves: tuple[Curves, ...]
    of_layers: bool


def beside(trajectories: Sequence[Trajectory], per: str = "layer") -> Beside:
    """What is shown beside the plane of trajectories whose figures are given `per` layer or edge."""
    split = [split_metrics(trajectory) for trajectory in trajectories]
    for title, kind in (("loss", 0), ("", 1)):
        curves = tuple(both[kind] for both in split)
        if any(np.isfinite(values).any() for of_one in curves for values in of_one.values()):
            return Beside(title, curves, False)
    return Beside(f"EI [{UNITS[per]}]", tuple(map(known_ei, trajectories)), True)


def known_ei(trajectory: Trajectory) -> Curves:
    """EI of every layer, NaN where it is known by bounds alone: the middle of a bracket is no estimate."""
    known = np.where(bracketed(trajectory), np.nan, trajectory.ei)
    return dict(zip(trajectory.layers, known.T, strict=True))
