"""Trajectories that were made so that a claim on them is true, false, or neither."""

import numpy as np

from ei_fast.claims.verdicts import verdicts_of
from ei_fast.training.columns import MEASURES
from ei_fast.training.trajectory import Trajectory

N, LAYERS, TURN = 101, 4, 40
WIDTHS = [(25, 6), (6, 6), (6, 6), (6, 5)]
TIME = np.linspace(0.0, 1.0, N)


def run_of(seed, ei, degeneracy, training=None, validation=None, joint="auto", flags=None):
    """A run with these measures (N, LAYERS), noise of a hundredth of a bit on both, and losses with some noise."""
    rng = np.random.default_rng([seed, 7])
    ei = np.broadcast_to(ei, (N, LAYERS)) + rng.normal(0, 0.01, (N, LAYERS))
    degeneracy = np.broadcast_to(degeneracy, (N, LAYERS)) + rng.normal(0, 0.01, (N, LAYERS))
    measures = dict.fromkeys(MEASURES, np.zeros((N, LAYERS)))
    measures |= {"ei": ei, "degeneracy": degeneracy, "sensitivity": ei + degeneracy}
    training = np.exp(-4 * TIME) if training is None else training
    validation = overfit() if validation is None else validation
    metrics = {"loss": training, "val_loss": validation + rng.normal(0, 0.002, N)}
    layers = [[f"fc{k}", n_in, n_out, "dense, sigmoid"] for k, (n_in, n_out) in enumerate(WIDTHS)]
    provenance = {"layers": layers, "parameters": {"bins": 8, "joint": joint}}
    names = [layer[0] for layer in layers]
    return Trajectory(np.arange(N) * 10, names, measures, metrics, provenance, flags=flags)


def overfit(turn=TURN):
    """A validation loss that is least at a record, and rises by a quarter."""
    at = TIME[turn]
    return 0.4 + np.maximum(1 - TIME / at, 0) ** 2 + 0.1 * (np.maximum(TIME - at, 0) / (1 - at)) ** 0.8


def outcomes(runs, claim):
    """The verdict on a claim, and the outcomes of its criteria by name."""
    found = next(one for one in verdicts_of(runs) if one.name == claim)
    return found.outcome, {criterion.name: criterion.outcome for criterion in found.criteria}


def many(make, n=10):
    return [make(seed, np.random.default_rng(seed)) for seed in range(n)]


def hidden(values):
    """Values of the hidden layers at every record, zeros for the first and the last."""
    return np.stack([0 * values, values, values, 0 * values], axis=1)


def after(turn=TURN):
    """What begins at a record, and rises from there, (N,)."""
    return np.maximum(TIME - TIME[turn], 0.0)


def any_turn(rng):
    """A record at which a run begins to overfit, whatever the others do."""
    return int(rng.integers(25, 70))


AFTER = after()


def walked(speed, rng, noise=0.0):
    """EI and degeneracy of layers that go along a line each, at this speed (N - 1,), (N, LAYERS) each."""
    angles = rng.uniform(0, 2 * np.pi, LAYERS)
    gone = np.concatenate([[0.0], np.cumsum(speed)])[:, None]
    return 5 + gone * np.cos(angles), 6 + gone * np.sin(angles)


def fallen(speed):
    """A loss that falls at this speed, from 1 to 0.05."""
    return 1 - 0.95 * np.concatenate([[0.0], np.cumsum(speed)]) / speed.sum()


def waves(rng):
    """Bursts that no parabola fits, (N - 1,)."""
    phase, at = rng.uniform(0, 2 * np.pi), np.linspace(0, 1, N - 1)
    return 1 + 0.9 * np.sin(2 * np.pi * 5 * at + phase)


DECLINE = np.exp(-3 * np.linspace(0, 1, N - 1))
