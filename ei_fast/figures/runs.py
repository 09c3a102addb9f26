"""Several runs in one causal plane: a marker for each, and the key that tells them and their layers apart."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ei_fast.figures.colours import ink
from ei_fast.figures.key import draw_key
from ei_fast.figures.scale import axis_titles
from ei_fast.figures.strokes import draw_guides
from ei_fast.figures.style import BOUND, BOUNDS, BRACKET, BRACKETS, SMALL, quiet

MARKERS = ("o", "s", "^", "D", "v", "P")
"""Of the runs, in the order in which they are drawn."""

LAYER = "ei_fast layer"
"""Of the mark of a layer's last step, among the artists of a picture."""

_RUN = "ei_fast run"
_UNNAMED = "_nolegend_"


def n_runs(ax: Axes) -> int:
    """How many runs were drawn into the axes before."""
    return sum(line.get_gid() == _RUN for line in ax.lines)


def next_marker(ax: Axes) -> str:
    """The marker of the run that is drawn next."""
    return MARKERS[n_runs(ax) % len(MARKERS)]


def add_run(ax: Axes, name: str | None, marker: str) -> None:
    """Add an empty line that stands for a run: it counts the runs, and is the run's entry in the key."""
    ax.add_line(Line2D([], [], color=ink(0.7), marker=marker, linestyle="", label=name or _UNNAMED, gid=_RUN))


def frame_plane(ax: Axes, per: str) -> None:
    """Draw what all runs have in common: the guides, quiet axes and their titles, per layer or edge."""
    draw_guides(ax)
    quiet(ax)
    horizontal, vertical = axis_titles(per)
    ax.set_xlabel(horizontal, fontsize=SMALL)
    ax.set_ylabel(vertical, fontsize=SMALL)


def draw_key_of_runs(ax: Axes, steps: NDArray[np.integer] | None, ranges: str, is_first: bool) -> None:
    """Say which colour is which layer and which marker which run, and what else is to be known of the picture.

    Parameters
    ----------
    ax : matplotlib Axes
    steps : ndarray (n_steps,) or None
        Of the run that was drawn last.
    ranges : str
        What is said of its ranges.
    is_first : bool
        Whether it is the only run: then its first and last step are named.
    """
    layers: dict[str, Line2D] = {}
    runs: dict[str, Line2D] = {}
    for line in ax.lines:
        found = {LAYER: layers, _RUN: runs}.get(str(line.get_gid()))
        if found is not None and line.get_label() != _UNNAMED:
            found.setdefault(str(line.get_label()), line)
    notes = []
    if steps is not None and len(steps) > 1:
        ends = f"steps {steps[0]} (open) to {steps[-1]} (filled)"
        notes.append(ends if is_first else "first step open, last filled")
    notes.append(ranges)
    drawn = {bars.get_gid() for bars in ax.collections}
    notes += [said for gid, said in ((BRACKET, BRACKETS), (BOUND, BOUNDS)) if gid in drawn]
    draw_key(ax, list(layers.values()), list(layers), notes, further=runs)
