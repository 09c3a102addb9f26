"""Trajectories that the player shows."""

import numpy as np

from ei_fast.results.report import ENDS
from ei_fast.training.columns import MEASURES
from ei_fast.training.trajectory import Trajectory


def played_trajectory(n_steps=12, n_layers=3, seed=0, metrics=("loss", "val_loss", "accuracy"), **more):
    rng = np.random.default_rng(seed)
    sensitivity, ei = rng.uniform(9, 20, (n_steps, n_layers)), rng.uniform(0, 9, (n_steps, n_layers))
    measures = dict.fromkeys(MEASURES, np.zeros((n_steps, n_layers)))
    measures |= {"ei": ei, "sensitivity": sensitivity, "degeneracy": sensitivity - ei} | dict.fromkeys(ENDS, ei)
    beside = {name: rng.uniform(0.01, 1, n_steps) for name in metrics}
    names = more.pop("names", [f"fc{k}" for k in range(n_layers)])
    provenance = {"layers": [[name, 4 + k, 5] for k, name in enumerate(names)], "convention": "first"}
    return Trajectory(
        np.arange(n_steps) * 10, names, measures | more.pop("measures", {}), beside, more.pop("provenance", provenance)
    )


def with_a_bracket():
    """The second layer is bracketed at steps 3 and 4; intervals of 2 bits to either side, of the third wider bounds."""
    plain = played_trajectory()
    measures = {name: getattr(plain, name) for name in MEASURES}
    measures |= {"ei_low": plain.ei - 2, "ei_high": plain.ei + 2}
    below, above = np.array([2, 2, 5]), np.array([2, 2, 4])
    measures |= {"ei_bounds_low": plain.ei - below, "ei_bounds_high": plain.ei + above}
    flags = [[(), ("undersampled",) if t in (3, 4) else (), ()] for t in range(12)]
    return Trajectory(plain.steps, plain.layers, measures, plain.metrics, plain.provenance, flags=flags)


def expected_of(trajectory):
    """The rotation, written out once more."""
    cos, sin = np.cos(np.pi / 4), np.sin(np.pi / 4)
    x, y = trajectory.sensitivity, trajectory.degeneracy
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
