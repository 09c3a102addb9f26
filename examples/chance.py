"""What a perceptron has learnt, held against networks drawn by chance, and against a training from another seed."""

import numpy as np
from sklearn.datasets import load_iris
from sklearn.neural_network import MLPClassifier

import ei_fast as ef

inputs, labels = load_iris(return_X_y=True)
inputs = inputs / 8
trainings = []
for seed in (0, 1):
    model = MLPClassifier((6, 5), activation="logistic", learning_rate_init=0.02, random_state=seed)
    with ef.Recorder(ef.EffectiveInformation(random_state=0), every=10) as recorder:
        for epoch in range(201):
            model.partial_fit(inputs, labels, classes=np.unique(labels))
            recorder.record(model, step=epoch, loss=model.loss_)
    trainings.append(recorder.trajectory_)

null = ef.null_report(model, n=100, random_state=0)  # by the rule that scikit-learn itself draws weights by
print(null)
ef.plot_null(null).savefig("chance.png", dpi=250)

comparison = trainings[0].compare(trainings[1])
print(comparison)
ef.plot_comparison(comparison).savefig("chance_trainings.png", dpi=200)
