"""The causal plane: where the layers of a network stand between sensitivity and degeneracy."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from numpy.typing import ArrayLike, NDArray

from ei_fast.figures.style import layer_colours, quiet
from ei_fast.report import Report
from ei_fast.training.trajectory import Trajectory

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class CausalPlaneDisplay:
    """Paths of layers in the causal plane (Mattsson et al. 2020, section 3).

    The pair (sensitivity, degeneracy) is turned by 45 degrees: horizontal is
    (sensitivity - degeneracy) / sqrt(2) = EI / sqrt(2), vertical (sensitivity + degeneracy) / sqrt(2).
    A vertical move leaves EI unchanged; at horizontal 0 lies the EI nullcline.

    Parameters
    ----------
    sensitivity, degeneracy : array-like (n_steps, n_layers)
        Bits.
    layers : sequence of str
    steps : array-like (n_steps,), optional
        Training steps, for the legend.

    Attributes
    ----------
    horizontal, vertical : ndarray (n_steps, n_layers)
        Coordinates, bits.
    ax_, figure_ : matplotlib Axes and Figure
        Once plotted.
    """

    def __init__(
        self, sensitivity: ArrayLike, degeneracy: ArrayLike, layers: Sequence[str], steps: ArrayLike | None = None
    ):
        sensitivity, degeneracy = np.atleast_2d(sensitivity), np.atleast_2d(degeneracy)
        self.horizontal: NDArray[np.float64] = (sensitivity - degeneracy) / np.sqrt(2)
        self.vertical: NDArray[np.float64] = (sensitivity + degeneracy) / np.sqrt(2)
        self.layers = tuple(layers)
        self.steps = None if steps is None else np.asarray(steps)

    @classmethod
    def from_trajectory(cls, trajectory: Trajectory) -> Self:
        """One path a layer, in the order of the steps."""
        return cls(trajectory.sensitivity, trajectory.degeneracy, trajectory.layers, trajectory.steps)

    @classmethod
    def from_report(cls, report: Report) -> Self:
        """One point a layer."""
        return cls(
            [[layer.sensitivity for layer in report]],
            [[layer.degeneracy for layer in report]],
            [layer.name for layer in report],
        )

    def plot(self, ax: "Axes | None" = None) -> Self:
        """Draw the plane.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            A new figure's, where not given.

        Returns
        -------
        self
            With `ax_` and `figure_`.
        """
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(6.4, 5.2), layout="constrained")
        for k, (name, colour) in enumerate(zip(self.layers, layer_colours(len(self.layers)), strict=True)):
            _draw_path(ax, self.horizontal[:, k], self.vertical[:, k], colour, name)
        ax.autoscale_view()
        _draw_guides(ax)
        quiet(ax)
        ax.set_xlabel("EI / √2 = (sensitivity − degeneracy) / √2   [bits]")
        ax.set_ylabel("(sensitivity + degeneracy) / √2   [bits]")
        title = "Causal plane"
        if self.steps is not None and len(self.steps) > 1:
            title += f", steps {self.steps[0]} (open) to {self.steps[-1]} (filled)"
        ax.set_title(title, loc="left", fontsize="medium")
        ax.legend(frameon=False, loc="best")
        self.ax_ = ax
        self.figure_: Figure = ax.get_figure(root=True)  # type: ignore[assignment]
        return self


def _draw_path(ax: "Axes", x: NDArray[np.float64], y: NDArray[np.float64], colour: str, name: str) -> None:
    """A path that grows firmer with time, from an open to a filled circle, arrowheads along its way."""
    if len(x) > 1:
        points = np.stack([x, y], axis=1)
        segments = np.stack([points[:-1], points[1:]], axis=1)
        fading = np.tile(to_rgba(colour), (len(segments), 1))
        fading[:, 3] = np.linspace(0.2, 1.0, len(segments))
        ax.add_collection(LineCollection(list(segments), colors=fading, linewidths=1.8, capstyle="butt"))
        ax.plot(x[0], y[0], "o", color=colour, markerfacecolor="white", markersize=6, zorder=3)
        _draw_arrows(ax, x, y, colour)
    ax.plot(x[-1], y[-1], "o", color=colour, markersize=7, label=name, zorder=4)


def _draw_arrows(ax: "Axes", x: NDArray[np.float64], y: NDArray[np.float64], colour: str) -> None:
    length = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    if length[-1] == 0.0:
        return
    for share in (1 / 3, 2 / 3):
        k = int(np.searchsorted(length, share * length[-1]))
        k = min(max(k, 1), len(x) - 1)
        ax.annotate(
            "",
            xy=(x[k], y[k]),
            xytext=(x[k - 1], y[k - 1]),
            arrowprops={
                "arrowstyle": "-|>",
                "color": colour,
                "linewidth": 0,
                "shrinkA": 0,
                "shrinkB": 0,
                "mutation_scale": 14,
            },
        )


def _draw_guides(ax: "Axes") -> None:
    """The EI nullcline, and the line on which degeneracy is 0."""
    ax.axvline(0.0, color="0.35", linewidth=1.2, linestyle="--", label="EI = 0 (nullcline)", zorder=1)
    ax.axline((0.0, 0.0), slope=1.0, color="0.6", linewidth=1.0, linestyle=":", label="degeneracy = 0", zorder=1)
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, -0.04 * (high - low)), high)
