"""Networks inside what scikit-learn puts around them, and nets of skorch and Keras that are estimators."""

import warnings

import keras
import numpy as np
import pytest
import torch
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_iris
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier, NeuralNetRegressor
from torch import nn

import ei_fast as ef

X, Y = load_iris(return_X_y=True)
X32 = X.astype(np.float32)
TWO = Y < 2


@pytest.fixture(autouse=True)
def _short_training():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DataConversionWarning)
        yield


def mlp(*hidden, **more):
    return MLPClassifier(hidden or (3,), max_iter=5, random_state=0, **more)


def weights(model):
    return [np.asarray(layer.linear.weight if hasattr(layer, "linear") else layer.weight) for layer in model]


def same_network(found, expected):
    assert [layer.name for layer in found] == [layer.name for layer in expected]
    points = np.random.default_rng(0).uniform(-1, 1, (20, expected[0].n_in))
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one(points), other(points))
        points = one(points)


SEARCHES = {
    "grid": lambda model, **more: GridSearchCV(model, {"alpha": [1e-4, 1e-3]}, cv=2, **more),
    "random": lambda model, **more: RandomizedSearchCV(model, {"alpha": [1e-4, 1e-3]}, n_iter=2, cv=2, **more),
    "halving": lambda model, **more: HalvingGridSearchCV(
        model, {"alpha": [1e-4, 1e-3]}, cv=2, random_state=0, min_resources=40, **more
    ),
}


@pytest.mark.parametrize("kind", SEARCHES)
def test_a_search_is_measured_by_its_best_estimator(kind):
    search = SEARCHES[kind](mlp())
    with pytest.raises(NotFittedError, match="fit"):
        ef.as_network(search)
    search.fit(X, Y)
    same_network(ef.as_network(search), ef.as_network(search.best_estimator_))
    assert ef.as_network(search).skipped == []
    unrefitted = SEARCHES[kind](mlp(), refit=False).fit(X, Y) if kind != "halving" else None
    if unrefitted is not None:
        with pytest.raises(ValueError, match=f"The {type(search).__name__} holds no fitted .*Set refit=True and fit"):
            ef.as_network(unrefitted)


def test_a_search_over_a_pipeline_and_a_pipeline_that_ends_in_a_search():
    over = GridSearchCV(make_pipeline(MinMaxScaler((-1, 1)), mlp()), {"mlpclassifier__alpha": [1e-4]}, cv=2).fit(X, Y)
    ends = make_pipeline(MinMaxScaler((-1, 1)), GridSearchCV(mlp(), {"alpha": [1e-4]}, cv=2)).fit(X, Y)
    for model, inner in ((over, over.best_estimator_[-1]), (ends, ends[-1].best_estimator_)):
        net = ef.as_network(model)
        same_network(net, ef.as_network(inner))
        assert net.in_range == (-1.0, 1.0)
        assert net.skipped == [("minmaxscaler", "MinMaxScaler comes before the network, whose inputs it puts into "
                                "(-1.0, 1.0)")]  # fmt: skip


def test_a_transformed_target_is_said():
    target = X[:, 0]
    regressor = MLPRegressor(hidden_layer_sizes=(3,), max_iter=5, random_state=0)
    model = TransformedTargetRegressor(make_pipeline(MinMaxScaler(), regressor), transformer=StandardScaler())
    model.fit(X[:, 1:], target)
    net = ef.as_network(model)
    same_network(net, ef.as_network(model.regressor_[-1]))
    assert net.in_range == (0.0, 1.0)
    assert [name for name, _ in net.skipped] == ["minmaxscaler", "transformer"]
    assert "StandardScaler of TransformedTargetRegressor, undone, comes after" in net.skipped[1][1]
    # Written out: what the network gives, undone, is what the model predicts.
    out = MinMaxScaler().fit_transform(X[:, 1:])
    for layer in net:
        out = layer(out)
    np.testing.assert_allclose(model.transformer_.inverse_transform(out)[:, 0], model.predict(X[:, 1:]), atol=1e-12)
    plain = TransformedTargetRegressor(regressor).fit(X, target)
    assert ef.as_network(plain).skipped == []
    logs = TransformedTargetRegressor(regressor, func=np.log1p, inverse_func=np.expm1).fit(X, target)
    assert [name for name, _ in ef.as_network(logs).skipped] == ["transformer"]


def test_one_network_inside_is_measured():
    fitted = mlp().fit(X, Y)
    around = [
        FrozenEstimator(fitted),
        CalibratedClassifierCV(FrozenEstimator(fitted)).fit(X, Y),
        CalibratedClassifierCV(mlp(), ensemble=False).fit(X, Y),
        BaggingClassifier(mlp(), n_estimators=1, random_state=0, bootstrap=False).fit(X, Y),
    ]
    for model in around:
        net = ef.as_network(model)
        assert [(layer.n_in, layer.n_out) for layer in net] == [(4, 3), (3, 3)], model
    assert "calibration" in dict(ef.as_network(around[1]).skipped)
    same_network(ef.as_network(around[1]), ef.as_network(fitted))
    binary = mlp().fit(X[:100], Y[:100])
    for model in (
        FixedThresholdClassifier(FrozenEstimator(binary)).fit(X[:100], Y[:100]),
        TunedThresholdClassifierCV(FrozenEstimator(binary), cv="prefit", refit=False).fit(X[:100], Y[:100]),
        OneVsRestClassifier(mlp()).fit(X[:100], Y[:100]),
    ):
        assert [(layer.n_in, layer.n_out) for layer in ef.as_network(model)] == [(4, 3), (3, 1)], model


SEVERAL = {
    "bagging": (lambda: BaggingClassifier(mlp(), n_estimators=3, random_state=0), "model.estimators_[0]"),
    "one against the rest": (lambda: OneVsRestClassifier(mlp()), "model.estimators_[2]"),
    "one against one": (lambda: OneVsOneClassifier(mlp()), "model.estimators_[1]"),
    "calibrated": (lambda: CalibratedClassifierCV(mlp(), cv=2), "model.calibrated_classifiers_[1].estimator"),
    "voting": (lambda: VotingClassifier([("a", mlp()), ("b", mlp(2))]), "model.estimators_[1]"),
    "stacking": (lambda: StackingClassifier([("a", mlp()), ("b", mlp(2))], cv=2), "model.estimators_[0]"),
    "several outputs": (
        lambda: MultiOutputRegressor(MLPRegressor(hidden_layer_sizes=(2,), max_iter=5, random_state=0)),
        "model.estimators_[0]",
    ),
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_of_several_networks_the_candidates_are_named(kind):
    made, one = SEVERAL[kind]
    model = made().fit(X, X[:, :2] if kind == "several outputs" else Y)
    with pytest.raises(ValueError, match=f"The {type(model).__name__} holds .* networks, which do not feed") as refused:
        ef.as_network(model)
    assert one in str(refused.value)
    names = str(refused.value).split("Pass one of them: ")[1].rstrip(".").replace(", ...", "").split(", ")
    for name in names:
        ef.as_network(eval(name, {"model": model}))


def test_what_holds_no_network_is_refused_as_itself():
    for model in (
        RandomForestClassifier(3, random_state=0).fit(X, Y),
        GridSearchCV(LogisticRegression(max_iter=500), {"C": [1.0]}, cv=2).fit(X, Y),
        BaggingClassifier(LogisticRegression(max_iter=500), 2).fit(X, Y),
        FrozenEstimator(LogisticRegression(max_iter=500).fit(X, Y)),
    ):
        with pytest.raises(TypeError, match="MLPClassifier, MLPRegressor and pipelines .* Got"):
            ef.as_network(model)


@pytest.mark.parametrize(
    ("steps", "in_range"),
    [
        ((MinMaxScaler(), SelectKBest(k=2)), (0.0, 1.0)),
        ((SelectKBest(k=2), StandardScaler()), None),
        ((ColumnTransformer([("a", MinMaxScaler((-2, 1)), [0]), ("b", OneHotEncoder(), [3])]),), (-2.0, 1.0)),
        ((ColumnTransformer([("a", MinMaxScaler(), [0]), ("b", StandardScaler(), [3])]),), None),
        ((ColumnTransformer([("a", MinMaxScaler(), [0])], remainder="passthrough"),), None),
        ((ColumnTransformer([("a", MinMaxScaler(), [0])], remainder="drop"),), (0.0, 1.0)),
        ((FeatureUnion([("a", MinMaxScaler()), ("b", MinMaxScaler((0, 3)))]),), (0.0, 3.0)),
        ((FeatureUnion([("a", MinMaxScaler()), ("b", make_pipeline(StandardScaler(), MinMaxScaler()))]),), (0.0, 1.0)),
    ],
)
def test_a_range_that_the_steps_before_imply_holds_what_they_put_out(steps, in_range):
    pipeline = make_pipeline(*steps, mlp()).fit(X, Y)
    net = ef.as_network(pipeline)
    out = pipeline[:-1].transform(X)
    out = out.toarray() if hasattr(out, "toarray") else out
    if in_range is None:
        assert net.in_range == (0.0, 1.0)
        assert "give in_range" in net.skipped[-1][1]
        given = ef.as_network(pipeline, in_range=(-3, 3)).skipped[-1][1]
        assert "its outputs are taken to lie in in_range, (-3, 3)" in given
        return
    assert net.in_range == in_range
    assert in_range[0] - 1e-12 <= out.min() <= out.max() <= in_range[1] + 1e-12
    assert net[0].n_in == out.shape[1]


class Net(nn.Module):
    def __init__(self, hidden=5, n_out=3):
        super().__init__()
        self.hidden, self.out = nn.Linear(4, hidden), nn.Linear(hidden, n_out)

    def forward(self, x):
        return torch.softmax(self.out(torch.tanh(self.hidden(x))), -1)


def skorch_net(**more):
    torch.manual_seed(0)
    return NeuralNetClassifier(Net, max_epochs=2, lr=0.1, verbose=0, train_split=None, **more)


def test_a_net_of_skorch_is_read_as_its_module():
    net = skorch_net()
    with pytest.raises(NotFittedError, match="The NeuralNetClassifier is not fitted.* Call its fit with"):
        ef.as_network(net)
    net.fit(X32, Y)
    same_network(ef.as_network(net, in_range=(0.0, 8.0)), ef.as_network(net.module_, in_range=(0.0, 8.0)))
    # Written out, by its own weights.
    weight, bias = (tensor.detach().double().numpy() for tensor in net.module_.hidden.parameters())
    np.testing.assert_allclose(ef.as_network(net)[0](X), np.tanh(X @ weight.T + bias), atol=1e-12)
    assert [layer.name for layer in ef.analyze(net, tol=0.2, random_state=0)] == ["hidden", "out"]
    initialised = skorch_net().initialize()
    assert len(ef.as_network(initialised)) == 2


def test_nets_of_skorch_inside_wrappers_take_the_options_of_their_module():
    module = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
    regressor = NeuralNetRegressor(module, max_epochs=1, verbose=0, train_split=None)
    pipeline = make_pipeline(MinMaxScaler((-1, 1)), regressor).fit(X32, X32[:, :1])
    net = ef.as_network(pipeline, blocks={"0": (-3.0, 3.0)})
    assert net.in_range == (-1.0, 1.0)
    assert [layer.name for layer in net] == ["0", "2"]
    assert isinstance(net[0], ef.Function)
    search = GridSearchCV(skorch_net(), {"module__hidden": [3, 6]}, cv=2).fit(X32, Y)
    same_network(ef.as_network(search), ef.as_network(search.best_estimator_.module_))
    assert ef.as_network(search, input_shape=(4,))[0].n_in == 4
    with pytest.raises(ValueError, match="'blocks' parameter of as_network is for .* Got it for MLPClassifier"):
        ef.as_network(mlp().fit(X, Y), blocks=["0"])
    with pytest.raises(ValueError, match="'order' parameter of as_network is for .* Got it for Pipeline"):
        ef.as_network(pipeline, order=["0"])
    bagging = BaggingClassifier(skorch_net(), n_estimators=2).fit(X32, Y)
    with pytest.raises(ValueError, match=r"holds 2 networks, .* Pass one of them: model.estimators_\[0\]"):
        ef.as_network(bagging)


def test_a_binary_net_of_skorch():
    module = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 1), nn.Flatten(0))
    net = NeuralNetBinaryClassifier(module, max_epochs=1, verbose=0, train_split=None)
    net.fit(X32[TWO], Y[TWO].astype(np.float32))
    found = ef.as_network(net)
    hidden, out = net.module_[0], net.module_[2]
    by_hand = np.maximum(X @ hidden.weight.detach().numpy().T.astype(float) + hidden.bias.detach().numpy(), 0)
    by_hand = by_hand @ out.weight.detach().numpy().T.astype(float) + out.bias.detach().numpy()
    np.testing.assert_allclose(expit(found[1](found[0](X))), expit(by_hand), atol=1e-12)


def test_a_search_records_as_it_is_trained_further():
    net = skorch_net(warm_start=True)
    recorder = ef.Recorder(ef.EffectiveInformation(bins=4, tol=0.2, random_state=0))
    for step in range(2):
        recorder.record(net.fit(X32, Y), step=step)
    assert recorder.trajectory_.layers == ("hidden", "out")


def test_an_estimator_of_keras_is_read_as_its_model():
    def build(X, y):
        model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return model

    estimator = keras.wrappers.SKLearnRegressor(build, fit_kwargs={"epochs": 1, "verbose": 0})
    with pytest.raises(NotFittedError, match="The SKLearnRegressor is not fitted"):
        ef.as_network(estimator)
    pipeline = make_pipeline(MinMaxScaler(), estimator).fit(X, X[:, :1])
    net = ef.as_network(pipeline)
    kernel, bias = pipeline[-1].model_.layers[0].get_weights()
    np.testing.assert_allclose(net[0](X), np.tanh(X @ kernel.astype(float) + bias), atol=1e-12)
    assert net.in_range == (0.0, 1.0)


def test_an_estimator_of_scikeras_is_told_by_its_library():
    class KerasClassifier(ClassifierMixin, BaseEstimator):
        __module__ = "scikeras.wrappers"

    estimator = KerasClassifier()
    with pytest.raises(NotFittedError, match="The KerasClassifier is not fitted"):
        ef.as_network(estimator)
    estimator.model_ = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(2)])
    assert [(layer.n_in, layer.n_out) for layer in ef.as_network(estimator, input_shape=(4,))] == [(4, 3), (3, 2)]


def test_a_module_that_is_an_estimator_too_is_a_module():
    class Both(BaseEstimator, nn.Module):
        def __init__(self):
            nn.Module.__init__(self)
            self.dense = nn.Linear(3, 2)

        def forward(self, x):
            return self.dense(x)

    assert ef.as_network(Both())[0].name == "dense"
