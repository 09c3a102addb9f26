"""Two sigmoid layers learn Iris in plain NumPy, and are watched on their way through the causal plane."""

import numpy as np
from sklearn.datasets import load_iris

import ei_fast as ef

rng = np.random.default_rng(0)
inputs, labels = load_iris(return_X_y=True)
inputs, targets = inputs / 8, np.eye(3)[labels]
weights = [rng.normal(0, 1, (4, 5)), rng.normal(0, 1, (5, 3))]  # (n_in, n_out)

with ef.Recorder(ef.EffectiveInformation(random_state=0), every=10, path="numpy_loop.npz") as recorder:
    for epoch in range(201):
        hidden = 1 / (1 + np.exp(-inputs @ weights[0]))
        outputs = 1 / (1 + np.exp(-hidden @ weights[1]))
        error = outputs - targets
        recorder.record(weights, step=epoch, loss=(error**2).sum(axis=1).mean())
        down = error * outputs * (1 - outputs)
        back = (down @ weights[1].T) * hidden * (1 - hidden)
        weights = [weights[0] - 0.1 * inputs.T @ back, weights[1] - 0.1 * hidden.T @ down]

display = ef.CausalPlaneDisplay.from_trajectory(recorder.trajectory_).plot()
display.figure_.savefig("numpy_loop.png", dpi=200)
