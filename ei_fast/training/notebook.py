"""A trajectory as a notebook shows it: the path of every layer, EI over the steps, and the last record as a table."""

from typing import TYPE_CHECKING, cast

import numpy as np

from ei_fast.measures.quantities import QUANTITIES
from ei_fast.results.flags import explanation_of
from ei_fast.results.notebook import flags_said, plane_axes, plane_point
from ei_fast.shown.blocks import in_blocks
from ei_fast.shown.colours import colours_of
from ei_fast.shown.drawing import Axes, spread
from ei_fast.shown.page import lines, named, page, pictures, table
from ei_fast.shown.tags import Html, tag
from ei_fast.training.ranges import SAID

if TYPE_CHECKING:
    from ei_fast.training.trajectory import Trajectory

_MOST_RUNS = 8
"""Runs that are drawn, and stand in the table; the line above it says how many there are."""
_MOST_METRICS = 8


class ShownInNotebooks:
    """A trajectory, for notebooks."""

    def _repr_html_(self) -> str:
        return trajectory_in_html(cast("Trajectory", self))


def trajectory_in_html(trajectory: "Trajectory") -> Html:
    """Pictures of what was recorded, and a table of the last record of every run."""
    runs = _runs(trajectory)
    shown = runs[:_MOST_RUNS]
    title = tag("p", tag("b", "Trajectory"), f": {_said(trajectory, len(runs))}")
    if not len(trajectory) or not trajectory.layers:
        return page(title)
    colours = colours_of(len(trajectory.layers))
    drawn = pictures(_plane(trajectory, shown, colours), _ei_over_steps(trajectory, shown, colours))
    return page(title, drawn, _table(trajectory, shown, colours), lines(_metrics(trajectory, shown)))


def _runs(trajectory: "Trajectory") -> list[tuple[str, list[int]]]:
    """Each run with its places in the trajectory; one without a name where there are none."""
    if trajectory.runs is None:
        return [("", list(range(len(trajectory))))]
    places: dict[str, list[int]] = {}
    for k, run in enumerate(trajectory.runs):
        places.setdefault(run, []).append(k)
    return list(places.items())


def _said(trajectory: "Trajectory", n_runs: int) -> str:
    n = len(trajectory)
    said = f"{n} {'record' if n == 1 else 'records'}"
    if n:
        said += f", steps {min(trajectory.steps)} to {max(trajectory.steps)}"
    if trajectory.runs is not None:
        said += f", of {n_runs} runs" + (f", of which the first {_MOST_RUNS} are shown" if n_runs > _MOST_RUNS else "")
    ranges = f", ranges: {SAID[trajectory.ranges]}" if trajectory.ranges in SAID else ""
    return f"{said}, {len(trajectory.layers)} layers{ranges}"


def _plane(trajectory: "Trajectory", runs: list[tuple[str, list[int]]], colours: list[str]) -> Html | None:
    """Paths of the layers through the causal plane, an open mark at the first record and a filled one at the last."""
    across, up = plane_point(trajectory.ei, trajectory.sensitivity)  # type: ignore[arg-type]
    chosen = [k for _, places in runs for k in places]
    axes = plane_axes(list(zip(np.ravel(across[chosen]), np.ravel(up[chosen]), strict=True)))  # type: ignore[index]
    if axes is None:
        return None
    for run, places in runs:
        for j, (layer, colour) in enumerate(zip(trajectory.layers, colours, strict=True)):
            xs, ys = across[places, j].tolist(), up[places, j].tolist()  # type: ignore[index]
            said = f"{layer} ({run})" if run else layer
            axes.line(xs, ys, said, stroke=colour, opacity=0.75)
            axes.mark(xs[0], ys[0], f"{said}: step {trajectory.steps[places[0]]}", colour, filled=False)
            axes.mark(xs[-1], ys[-1], f"{said}: step {trajectory.steps[places[-1]]}", colour)
    return axes.svg()


def _ei_over_steps(trajectory: "Trajectory", runs: list[tuple[str, list[int]]], colours: list[str]) -> Html | None:
    """EI of every layer against the steps; None where there is none."""
    if not np.isfinite(trajectory.ei).any():
        return None
    x = spread(trajectory.steps.astype(np.float64))
    axes = Axes(x, spread(np.ravel(trajectory.ei), 0.0), "EI over the training", "step", "EI, bits")
    for run, places in runs:
        steps = trajectory.steps[places].tolist()
        for j, (layer, colour) in enumerate(zip(trajectory.layers, colours, strict=True)):
            ei = trajectory.ei[places, j].tolist()
            axes.line(steps, ei, f"{layer} ({run})" if run else layer, stroke=colour)
            if len(places) == 1:
                axes.mark(steps[0], ei[0], layer, colour)
    return axes.svg()


def _table(trajectory: "Trajectory", runs: list[tuple[str, list[int]]], colours: list[str]) -> Html:
    """A row for each layer of the last record of each run."""
    header = ("layer", "EI at first", *(quantity.title for quantity in QUANTITIES), "flags at last")
    cells, blocks = [], []
    in_their_blocks = in_blocks(trajectory.layers) or [("", "")] * len(trajectory.layers)
    for run, places in runs:
        first, last = places[0], places[-1]
        for j, (layer, colour) in enumerate(zip(trajectory.layers, colours, strict=True)):
            figures = [f"{getattr(trajectory, quantity.name)[last, j]:.3f}" for quantity in QUANTITIES]
            flags = flags_said(trajectory.flags[last][j], _meaning)
            cells.append((named(layer, colour), f"{trajectory.ei[first, j]:.3f}", *figures, flags))
            blocks.append(" ".join(filter(None, (f"run {run}" if run else "", in_their_blocks[j][0]))))
    return table(header, cells, range(1, len(header) - 1), blocks)


def _meaning(flag: str) -> str:
    """What a flag means; files of other versions may have others."""
    try:
        return explanation_of(flag, float("nan"))
    except KeyError:
        return ""


def _metrics(trajectory: "Trajectory", runs: list[tuple[str, list[int]]]) -> list[str]:
    """Losses and the like, at the first and at the last record of the first run."""
    places = runs[0][1]
    said = []
    for name, values in list(trajectory.metrics.items())[:_MOST_METRICS]:
        there = values[places][np.isfinite(values[places])]
        if len(there):
            said.append(f"{name}: {there[0]:.4g} at first, {there[-1]:.4g} at last")
    left = len(trajectory.metrics) - _MOST_METRICS
    return [*said, f"and {left} more metrics"] if left > 0 else said
