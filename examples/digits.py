"""A network as people train them: 64 -> 32 -> 16 -> 10 on scikit-learn's digits, measured after every epoch."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

import ei_fast as ef

inputs, labels = load_digits(return_X_y=True)
inputs = inputs / 16
model = MLPClassifier((32, 16), activation="relu", solver="adam", batch_size=32, random_state=0)
rng = np.random.default_rng(0)

with ef.Recorder(ef.EffectiveInformation(random_state=0), path="digits.npz") as recorder:
    for epoch in range(30):
        order = rng.permutation(len(inputs))
        model.partial_fit(inputs[order], labels[order], classes=np.arange(10))
        recorder.record(model, step=epoch, loss=model.loss_)

# The states of its first layers outnumber any sample: chains find their EI all the same.
trajectory = recorder.trajectory_
print(trajectory.to_frame()[["step", "layer", "ei", "ei_stderr", "flags"]].tail(3))
ef.CausalPlaneDisplay.from_trajectory(trajectory).plot().figure_.savefig("digits.png", dpi=200)
ef.plot_measures(trajectory).savefig("digits_measures.png", dpi=200)
