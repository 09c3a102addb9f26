"""All of a trajectory in one picture."""

from typing import Literal

from matplotlib.figure import Figure

from ei_fast.figures.measures import plot_measures
from ei_fast.figures.plane import CausalPlaneDisplay
from ei_fast.training.trajectory import Trajectory


def plot_overview(trajectory: Trajectory, per: Literal["layer", "edge"] = "layer") -> Figure:
    """The causal plane, and beside it measures and metrics over the steps, a figure known to no window system."""
    figure = Figure(figsize=(11.0, 6.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.2))
    CausalPlaneDisplay.from_trajectory(trajectory, per).plot(left)
    plot_measures(trajectory, right, per)
    return figure
