"""scikit-learn's perceptron, measured between calls of partial_fit; then, whether its bins were small enough."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

import ei_fast as ef

inputs, labels = load_iris(return_X_y=True)
inputs = inputs / 8
model = MLPClassifier((6, 5), activation="logistic", learning_rate_init=0.02, random_state=0)

with ef.Recorder(ef.EffectiveInformation(random_state=0), every=10, path="sklearn_partial_fit.npz") as recorder:
    for epoch in range(201):
        model.partial_fit(inputs, labels, classes=np.unique(labels))
        recorder.record(model, step=epoch, loss=model.loss_, accuracy=model.score(inputs, labels))

display = ef.CausalPlaneDisplay.from_trajectory(recorder.trajectory_).plot()
display.figure_.savefig("sklearn_partial_fit.png", dpi=200)
ef.plot_edges(recorder.report_, "ei_parts").savefig("sklearn_edges.png", dpi=200)
ef.plot_bins(ef.bin_sweep(model, bins=(4, 8, 16, 32), random_state=0)).savefig("sklearn_bins.png", dpi=200)
