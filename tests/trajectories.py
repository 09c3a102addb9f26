"""Trajectories of any size, as pictures get them."""

import numpy as np

from ei_fast.training.trajectory import Trajectory

NAMES = {
    "short": "fc{k}",
    "dotted": "model.encoder.layers.{k}.feed_forward.dense_projection",
    "eighty": "encoder_of_a_language_model_with_a_long_name_block_{k:02d}_feed_forward_projection_in",
}


def trajectory_of(n_layers, n_steps, names="dotted", bounds=False, metrics=True, seed=0):
    """Layers that move along curves with noise; with `bounds` the second one is bracketed at most steps."""
    rng = np.random.default_rng(seed)
    time = np.linspace(0.0, 1.0, n_steps)[:, None]
    base, noise = rng.uniform(3, 20, n_layers), rng.normal(size=(n_steps, n_layers))
    ei = 1.0 + base * 0.3 + 6.0 * time**0.5 + 0.1 * np.abs(noise)
    sensitivity = ei + base * (1.0 - time) + 1.0
    measures = {"ei": ei, "ei_stderr": 0.1 + 0.0 * ei, "sensitivity": sensitivity, "degeneracy": sensitivity - ei}
    measures |= {"ei_parts": 0.6 * ei, "phi_ff": 0.4 * ei, "sensitivity_stderr": 0.2 + 0.0 * ei}
    measures |= {"ei_parts_stderr": 0.3 + 0.0 * ei}
    flags = None
    if bounds:
        measures |= {"ei_low": ei - 0.2, "ei_high": ei + 0.3, "ei_bounds_low": 0.7 * ei, "ei_bounds_high": 1.4 * ei}
        flags = [[("undersampled",) if k == 1 and step % 3 else () for k in range(n_layers)] for step in range(n_steps)]
    named = [NAMES[names].format(k=k) for k in range(n_layers)]
    beside = {"loss": np.exp(-3.0 * time[:, 0]), "val_loss": 0.1 + np.exp(-3.0 * time[:, 0])} if metrics else {}
    widths = [(name, 25 if k == 0 else 6, 6, "sigmoid") for k, name in enumerate(named)]
    provenance = {"layers": widths, "convention": "each"}
    return Trajectory(np.arange(n_steps) * 10, named, measures, beside, provenance, flags=flags)
