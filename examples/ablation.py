"""Which edges carry what a layer tells after training, and what is left of it, and of the loss, without them."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

import ei_fast as ef

inputs, labels = load_iris(return_X_y=True)
inputs = inputs / 8
model = MLPClassifier((6,), activation="logistic", learning_rate_init=0.02, alpha=0.0, random_state=0)
with ef.Recorder(ef.EffectiveInformation(random_state=0), every=20) as recorder:
    for epoch in range(401):
        model.partial_fit(inputs, labels, classes=np.unique(labels))
        recorder.record(model, step=epoch, loss=model.loss_)

layer = ef.as_network(model)[0]
weight = model.coefs_[0]


def loss(mask):
    model.coefs_[0] = np.where(mask, 0.0, weight)
    return -np.log(model.predict_proba(inputs)[np.arange(len(labels)), labels]).mean()


found = ef.ablation(layer, "edges", random_state=0)
print(found)
ef.plot_ablation(found).savefig("ablation.png", dpi=200)
curve = ef.ablation_curve(layer, "edges", loss=loss, random_state=0)
ef.plot_ablation_curve(curve).savefig("ablation_curve.png", dpi=200)
