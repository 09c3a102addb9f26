"""Measures over training time, beside whatever else was recorded."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ei_fast.figures.style import layer_colours, quiet
from ei_fast.measures.estimate import Z95
from ei_fast.training.trajectory import Trajectory

_PANELS = {"ei": "EI", "sensitivity": "sensitivity", "degeneracy": "degeneracy"}


def plot_measures(trajectory: Trajectory, figure: Figure | None = None) -> Figure:
    """EI, sensitivity and degeneracy of every layer over the steps, losses and other metrics beside them.

    Parameters
    ----------
    trajectory : Trajectory
    figure : matplotlib Figure, optional
        An empty one to draw into; a new one, known to no window system, where not given.

    Returns
    -------
    Figure
    """
    losses = {name: values for name, values in trajectory.metrics.items() if "loss" in name}
    others = {name: values for name, values in trajectory.metrics.items() if name not in losses}
    beside = [panel for panel in (losses, others) if panel]
    if figure is None:
        figure = Figure(figsize=(10.0 if beside else 5.5, 7.0), layout="constrained")
    columns = figure.subfigures(1, 2 if beside else 1, squeeze=False)[0]
    axes = columns[0].subplots(len(_PANELS), 1, sharex=True)
    colours = layer_colours(len(trajectory.layers))
    for ax, (name, title) in zip(axes, _PANELS.items(), strict=True):
        for k, (layer, colour) in enumerate(zip(trajectory.layers, colours, strict=True)):
            values = getattr(trajectory, name)[:, k]
            ax.plot(trajectory.steps, values, color=colour, linewidth=1.6, label=layer)
            if name != "sensitivity":
                # EI is the only sampled one, and its error is degeneracy's.
                half = Z95 * trajectory.ei_stderr[:, k]
                ax.fill_between(trajectory.steps, values - half, values + half, color=colour, alpha=0.2, linewidth=0)
        _label(ax, title, "bits")
    columns[0].legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside upper left",
        frameon=False,
        fontsize="small",
        ncols=min(len(trajectory.layers), 6),
    )
    axes[-1].set_xlabel("training step")
    if beside:
        right = columns[1].subplots(len(beside), 1, sharex=True, squeeze=False)[:, 0]
        for ax, panel in zip(right, beside, strict=True):
            for (name, values), style in zip(panel.items(), _styles(len(panel)), strict=True):
                ax.plot(
                    trajectory.steps, values, color="0.15", linewidth=1.4, linestyle=style, label=name.replace("_", " ")
                )
            _label(ax, "loss" if panel is losses else "other metrics", "")
            if panel is losses and all((values > 0).all() for values in panel.values()):
                ax.set_yscale("log")
            ax.legend(frameon=False, fontsize="small")
        right[-1].set_xlabel("training step")
    return figure


def _styles(count: int) -> list[str]:
    return [("-", "--", ":", "-.")[k % 4] for k in range(count)]


def _label(ax: Axes, title: str, unit: str) -> None:
    quiet(ax)
    ax.set_title(title, loc="left", fontsize="medium")
    ax.set_ylabel(unit)
