"""What the page is told: every figure of every layer at every step, once and compactly."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import ArrayLike, NDArray

from ei_fast.figures.beside import Curves, beside
from ei_fast.figures.colours import layer_colours
from ei_fast.figures.known import Mask, bracketed, ei_bounds, ei_limits
from ei_fast.figures.measures import falls_far
from ei_fast.figures.motion import OWNER
from ei_fast.figures.scale import UNITS, axis_titles, edges_of, scaled
from ei_fast.figures.style import BOUNDS, BRACKETS, ranges_said
from ei_fast.figures.ticks import log_ticks, tick_text
from ei_fast.runtime.files import plain
from ei_fast.training.trajectory import Trajectory

Trajectories = Mapping[str, Trajectory]

INTERVALS = "bars through points: 95 % intervals of EI"
"""What is said of bars through points."""


def contents_of(trajectories: Trajectories) -> dict[str, Any]:
    """What the page is told of runs: plain values for JSON, arrays of numbers as `floats` writes them.

    Parameters
    ----------
    trajectories : mapping of str to Trajectory
        Runs by their names, each of at least one step.
    """
    all_of = list(trajectories.values())
    layers = list(dict.fromkeys(name for trajectory in all_of for name in trajectory.layers))
    edges = [None if one.widths is None else edges_of(one, OWNER) for one in all_of]
    scales = ["layer"] if any(of_run is None for of_run in edges) else ["layer", "edge"]
    shown = {per: beside([scaled(trajectory, per, OWNER) for trajectory in all_of], per) for per in scales}
    logarithmic = falls_far(_together(shown["layer"].curves))
    return {
        "layers": layers,
        **_colours(len(layers)),
        "steps": plain(np.unique(np.concatenate([trajectory.steps for trajectory in all_of]))),
        "runs": [
            {
                "name": name,
                "steps": plain(trajectory.steps),
                "tracks": _tracks(trajectory, layers, edges_of_run),
                # Where they are EI of the layers, the tracks hold them.
                "curves": [] if shown["layer"].of_layers else [[key, floats(values)] for key, values in curves.items()],
            }
            for (name, trajectory), edges_of_run, curves in zip(
                trajectories.items(), edges, shown["layer"].curves, strict=True
            )
        ],
        "curves_of_layers": shown["layer"].of_layers,
        "logarithmic": logarithmic,
        "scales": {
            per: {
                "unit": UNITS[per],
                "titles": axis_titles(per),
                "beside": shown[per].title,
                "ticks": _ticks(shown[per].curves) if logarithmic else None,
            }
            for per in scales
        },
        "notes": _notes(all_of),
    }


def floats(values: ArrayLike) -> str:
    """Numbers as base64 of little-endian floats of 32 bits: short, exact to 6e-8, and NaN is one of them."""
    return b64encode(np.asarray(values, dtype="<f4").tobytes()).decode("ascii")


def _tracks(trajectory: Trajectory, layers: Sequence[str], edges: NDArray[np.float64] | None) -> list[dict[str, Any]]:
    """The way of each layer of a run; bounds are left out where they say no more than the interval."""
    (low, high), (lowest, highest) = ei_limits(trajectory), ei_bounds(trajectory)
    wider = _bounds_are_wider(trajectory)
    by_bounds_alone = bracketed(trajectory)
    tracks = []
    for k, name in enumerate(trajectory.layers):
        track = {
            "layer": layers.index(name),
            "edges": None if edges is None else float(edges[k]),
            **{key: floats(getattr(trajectory, key)[:, k]) for key in ("ei", "sensitivity", "degeneracy")},
            "interval": [floats(low[:, k]), floats(high[:, k])] if (high > low)[:, k].any() else None,
            "bracketed": np.flatnonzero(by_bounds_alone[:, k]).tolist(),
            "bounds": None,
        }
        if wider[:, k].any():
            track["bounds"] = [floats(np.where(wider, ends, np.nan)[:, k]) for ends in (lowest, highest)]
        tracks.append(track)
    return tracks


def _bounds_are_wider(trajectory: Trajectory) -> Mask:
    """Where bounds on EI say something beside its interval, (n_steps, n_layers)."""
    (low, high), (lowest, highest) = ei_limits(trajectory), ei_bounds(trajectory)
    return (lowest < low) | (highest > high)


def _has_intervals(trajectory: Trajectory) -> bool:
    """Whether any estimate of EI has an interval with a width."""
    low, high = ei_limits(trajectory)
    return bool(((high > low) & ~bracketed(trajectory)).any())


def _colours(n_layers: int) -> dict[str, Any]:
    """Colours of layers on light and on dark paper, and whether they are a scale from the first to the last."""
    light = layer_colours(n_layers)
    is_scale = light[:1] != layer_colours(1)
    # The dark end of the scale cannot be seen on dark paper.
    scale = matplotlib.colormaps["viridis"](np.linspace(0.25, 1.0, n_layers))
    return {"light": light, "dark": [to_hex(colour) for colour in scale] if is_scale else light, "is_scale": is_scale}


def _together(curves: Sequence[Curves]) -> Curves:
    return {f"{k} {name}": values for k, of_one in enumerate(curves) for name, values in of_one.items()}


def _ticks(curves: Sequence[Curves]) -> list[tuple[float, str]]:
    """Ticks of a logarithmic axis and their texts, as other pictures have them."""
    finite = np.concatenate([values[np.isfinite(values)] for values in _together(curves).values()])
    return [(tick, tick_text(tick)) for tick in log_ticks(float(finite.min()), float(finite.max()))]


def _notes(trajectories: Sequence[Trajectory]) -> list[str]:
    """What is to be known of the picture: the conventions of the ranges, and what bars are."""
    notes = [ranges_said(trajectory.ranges) for trajectory in trajectories]
    if any(_has_intervals(one) for one in trajectories):
        notes.append(INTERVALS)
    if any(bracketed(one).any() for one in trajectories):
        notes.append(BRACKETS)
    if any(_bounds_are_wider(one).any() for one in trajectories):
        notes.append(BOUNDS)
    return list(filter(None, dict.fromkeys(notes)))
