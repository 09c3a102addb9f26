"""All of a trajectory in one picture."""

from typing import Literal

from matplotlib.figure import Figure

from ei_fast.figures.measures import plot_measures
from ei_fast.figures.plane import CausalPlaneDisplay
from ei_fast.training.trajectory import Trajectory


def plot_overview(trajectory: Trajectory, per: Literal["layer", "edge"] = "layer") -> Figure:
    """Draw the causal plane, and beside it all measures and metrics over the steps.

    Parameters
    ----------
    trajectory : Trajectory
        A training; of several runs one, taken by `Trajectory.of_run`.
    per : "layer" or "edge", default "layer"
        Whether figures are those of whole layers, in bits, or divided by the layer's number of edges.

    Returns
    -------
    Figure
        A new one, known to no window system.

    Raises
    ------
    ValueError
        Where the trajectory has no step or several runs, `per` is another word, or ``"edge"`` and the trajectory does
        not say the widths of its layers.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4))
    >>> for step in range(3):
    ...     _ = recorder.record([np.eye(2)])
    >>> plot_overview(recorder.trajectory_).axes[0].get_xlabel()
    'EI / √2  [bits]'
    """
    figure = Figure(figsize=(11.0, 6.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.2))
    CausalPlaneDisplay.from_trajectory(trajectory, per).plot(left)
    plot_measures(trajectory, right, per)
    return figure
