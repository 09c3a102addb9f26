"""Trajectories that pictures show, and what is found in the pictures."""

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex

from ei_fast.training.trajectory import Trajectory


def short_trajectory(n_steps=7, n_layers=3, metrics=True, seed=0):
    rng = np.random.default_rng(seed)
    sensitivity, ei = rng.uniform(0, 20, (n_steps, n_layers)), rng.uniform(0, 9, (n_steps, n_layers))
    measures = {"ei": ei, "ei_stderr": 0.01 + 0 * ei, "sensitivity": sensitivity, "degeneracy": sensitivity - ei}
    measures |= {"ei_parts": ei / 2, "phi_ff": ei / 3, "sensitivity_stderr": 0 * ei}
    beside = {
        "loss": rng.uniform(0.1, 1, n_steps),
        "val_loss": rng.uniform(0.1, 1, n_steps),
        "accuracy": rng.uniform(0, 1, n_steps),
    }
    return Trajectory(np.arange(n_steps) * 10, [f"fc{k}" for k in range(n_layers)], measures, beside if metrics else {})


def paths_of(ax):
    return [artist for artist in ax.collections if isinstance(artist, LineCollection)]


def shown_ticks(ax):
    for axis in (ax.xaxis, ax.yaxis):
        low, high = sorted(axis.get_view_interval())
        yield from (tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high)


def panels_of(figure):
    return {
        ax.get_title(loc="left") or ax.get_legend().get_texts()[0].get_text(): ax for ax in figure.axes if ax.axison
    }


def partly_bracketed(convention="each"):
    """Layers of twelve steps: one is known at all, one at steps 0 to 3, 6 and 9 to 11, one at none."""
    rng = np.random.default_rng(1)
    known = np.ones((12, 3), dtype=bool)
    known[:, 2] = known[[4, 5, 7, 8], 1] = False
    ei, sensitivity = rng.uniform(5, 9, (12, 3)), rng.uniform(10, 20, (12, 3))
    half = np.where(known, 0.3, 4.0)
    measures = {"ei": ei, "ei_stderr": half / 1.96, "ei_low": ei - half, "ei_high": ei + 1.2 * half}
    measures |= {"sensitivity": sensitivity, "degeneracy": sensitivity - ei, "ei_parts": ei / 2, "phi_ff": ei / 2}
    measures |= {"ei_parts_stderr": 0.5 + 0 * ei, "sensitivity_stderr": 0.25 + 0 * ei}
    flags = [[() if one else ("undersampled",) for one in step] for step in known]
    return Trajectory(
        np.arange(12), ["a", "b", "c"], measures, {}, {"convention": convention, "ranges": []}, flags=flags
    ), known


def of_layer(ax, colour, gid, kind):
    found = [artist for artist in ax.collections if isinstance(artist, kind) and artist.get_gid() == gid]
    colours = [one.get_colors() if kind is LineCollection else one.get_facecolor() for one in found]
    return [one for one, its in zip(found, colours, strict=True) if to_hex(its[0]) == colour.lower()]


def bands_of(ax, colour, gid):
    """Lowest and highest y of a layer's bands by step."""
    bands = {}
    for artist in of_layer(ax, colour, gid, PolyCollection):
        for path in artist.get_paths():
            for x in np.unique(path.vertices[:, 0]):
                y = path.vertices[path.vertices[:, 0] == x, 1]
                bands[round(x)] = y.min(), y.max()
    return bands


def bars_of(ax, colour, gid):
    """Both ends of a layer's bars by step."""
    segments = [one for artist in of_layer(ax, colour, gid, LineCollection) for one in artist.get_segments()]
    return {round(one[0][0]): (one[0][1], one[1][1]) for one in segments}
