"""A scikit-learn citizen: the estimator protocol, and scikit-learn's own networks."""

import re
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, QuantileTransformer, StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import ei_fast as ef

X, Y = load_iris(return_X_y=True)


@pytest.fixture(autouse=True)
def _short_training():

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def test_every_check_passes():
    results = check_estimator(ef.EffectiveInformation(), on_skip=None)
    assert len(results) > 35
    excused = [result["check_name"] for result in results if result["status"] != "passed"]
    # Skipped by scikit-learn itself where SCIPY_ARRAY_API is not set.
    assert set(excused) <= {"check_array_api_input"}


def test_an_array_is_one_layer():
    est = ef.EffectiveInformation(random_state=0).fit(np.ones((3, 2)))
    assert est.n_features_in_ == 2
    assert not hasattr(est.fit([np.ones((3, 2))]), "n_features_in_")


def test_cloning_copies_parameters_only():
    est = ef.EffectiveInformation(bins=4, random_state=0).fit(np.eye(2))
    fresh = clone(est)
    assert fresh.get_params() == est.get_params()
    assert not hasattr(fresh, "report_")
    assert est.set_params(bins=2).fit(np.eye(2), None).report_[0].in_bins == 2


@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_a_classifier(activation):
    model = MLPClassifier((5, 4), activation=activation, max_iter=20, random_state=0).fit(X, Y)
    net = ef.as_network(model, in_range=(0.0, 8.0))
    assert net.in_range == (0.0, 8.0)
    assert [(layer.n_in, layer.n_out) for layer in net] == [(4, 5), (5, 4), (4, 3)]
    assert isinstance(net[2], ef.Function)
    assert net[2].out_range == (0.0, 1.0)
    out = X
    for layer in net:
        out = layer(out)
    np.testing.assert_allclose(out, model.predict_proba(X), atol=1e-12)
    report = ef.analyze(model, in_range=(0.0, 8.0), random_state=0, tol=0.05)
    assert [layer.name for layer in report] == ["layer0", "layer1", "layer2"]
    assert report[2].pairwise_method == "histogram"


def test_two_classes_have_one_sigmoid():
    model = MLPClassifier((3,), max_iter=20, random_state=0).fit(X[:100], Y[:100])
    net = ef.as_network(model)
    assert (net[1].n_out, net[1].activation.name) == (1, "sigmoid")
    np.testing.assert_allclose(net[1](net[0](X[:100]))[:, 0], model.predict_proba(X[:100])[:, 1], atol=1e-12)


def test_a_regressor():
    model = MLPRegressor(hidden_layer_sizes=(3,), activation="tanh", max_iter=20, random_state=0).fit(X, X[:, :2])
    net = ef.as_network(model)
    assert [layer.activation.name for layer in net] == ["tanh", "linear"]
    np.testing.assert_allclose(net[1](net[0](X)), model.predict(X), atol=1e-12)


def test_a_poisson_regressor():
    if "loss" not in MLPRegressor().get_params():
        pytest.skip("scikit-learn before 1.7 has none")
    model = MLPRegressor(loss="poisson", hidden_layer_sizes=(3,), max_iter=5, random_state=0).fit(X, Y)
    net = ef.as_network(model)
    np.testing.assert_allclose(net[1](net[0](X))[:, 0], model.predict(X), atol=1e-12)
    assert ef.analyze(net, random_state=0)[1].out_range[0] > 0


def test_the_model_is_left_alone():
    model = MLPRegressor(hidden_layer_sizes=(3,), max_iter=5, random_state=0).fit(X, Y)
    net = ef.as_network(model)
    before = net[0].weight.copy()
    model.partial_fit(X, Y)
    np.testing.assert_array_equal(net[0].weight, before)
    assert not np.array_equal(model.coefs_[0], before)


@pytest.mark.parametrize(
    ("scaler", "in_range", "says"),
    [
        (MinMaxScaler(), (0.0, 1.0), r"into \(0.0, 1.0\)"),
        (MinMaxScaler((-1, 1)), (-1.0, 1.0), r"into \(-1.0, 1.0\)"),
        (MaxAbsScaler(), (-1.0, 1.0), r"into \(-1.0, 1.0\)"),
        (QuantileTransformer(n_quantiles=50), (0.0, 1.0), "into"),
        (QuantileTransformer(n_quantiles=50, output_distribution="normal"), (0.0, 1.0), "give in_range"),
        (StandardScaler(), (0.0, 1.0), "does not bound its inputs: give in_range"),
    ],
)
def test_a_pipeline(scaler, in_range, says):
    pipeline = make_pipeline(scaler, MLPClassifier((3,), max_iter=5, random_state=0)).fit(X, Y)
    net = ef.as_network(pipeline)
    assert net.in_range == in_range
    ((name, reason),) = net.skipped
    assert name == type(scaler).__name__.lower()
    assert type(scaler).__name__ in reason
    assert re.search(says, reason)
    report = ef.analyze(pipeline, random_state=0, tol=0.1)
    assert report.skipped == net.skipped
    assert report[0].in_range == in_range
    assert f"skipped {name}" in str(report)
    given = ef.analyze(pipeline, in_range=(-2.0, 2.0), random_state=0, tol=0.1)
    assert given[0].in_range == (-2.0, 2.0)


def test_only_the_last_step_before_the_network_says_its_range():
    model = MLPClassifier((3,), max_iter=5, random_state=0)
    pipeline = make_pipeline(MinMaxScaler((0, 9)), PCA(2), "passthrough", model).fit(X, Y)
    net = ef.as_network(pipeline)
    assert net.in_range == (0.0, 1.0)
    assert [name for name, _ in net.skipped] == ["minmaxscaler", "pca"]
    assert net[0].n_in == 2


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(NotFittedError):
        ef.as_network(MLPClassifier())
    with pytest.raises(TypeError, match="MLPClassifier, MLPRegressor and pipelines .* Got LogisticRegression"):
        ef.as_network(LogisticRegression())
    with pytest.raises(TypeError, match="Got LogisticRegression"):
        ef.as_network(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y))
    diverged = MLPRegressor(hidden_layer_sizes=(3,), max_iter=5, random_state=0).fit(X, Y)
    diverged.coefs_[1][0, 0] = np.nan
    with pytest.raises(ValueError, match="Layer 'layer1' must be finite"):
        ef.analyze(diverged)
