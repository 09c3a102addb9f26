"""Remedies of what scikit-learn and skorch put around networks, followed."""

import warnings

import numpy as np
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetRegressor
from torch import nn

import ei_fast as ef
from followed import follows

QUICK = {"random_state": 0, "tol": 0.5}
X = np.random.default_rng(0).uniform(size=(20, 3)).astype(np.float32)
Y = (X[:, 0] > 0.5).astype(int)


def _fitted(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, Y)


def _mlp(**more):
    return MLPClassifier((2,), max_iter=5, random_state=0, **more)


@follows(
    "Set refit=True and fit it again, or fit search.estimator with the parameters search.best_params_ and pass it."
)
def _(said):
    search = _fitted(GridSearchCV(_mlp(), {"alpha": [1e-4, 1e-3]}, cv=2, refit=False))
    said.refused(ef.analyze, search)
    ef.analyze(_fitted(search.estimator.set_params(**search.best_params_)), **QUICK)
    search.refit = True
    ef.analyze(_fitted(search), **QUICK)


@follows("The {} holds {} networks, which do not feed each other. Pass one of them: {}.")
def _(said):
    model = _fitted(BaggingClassifier(_mlp(), n_estimators=2, random_state=0))
    message = said.refused(ef.analyze, model)
    for name in message.split("Pass one of them: ")[1].rstrip(".").split(", "):
        ef.analyze(eval(name, {"model": model}), **QUICK)


@follows("Call its fit with inputs and targets, and measure it then.")
def _(said):
    net = NeuralNetRegressor(nn.Linear(3, 1), max_epochs=1, verbose=0, train_split=None)
    said.refused(ef.analyze, net)
    ef.analyze(net.fit(X, X[:, :1]), **QUICK)
