"""What is measured, and with what, goes through pickle: to other processes, into files, into joblib's memory."""

import copy
import pickle

import joblib
import numpy as np
import pytest

import ei_fast as ef


def _square(s):
    return np.square(s)


OBJECTS = [
    ef.Activation("sigmoid"),
    ef.Activation("leaky_relu", negative_slope=0.2),
    ef.Activation("gelu", approximate="tanh"),
    ef.Activation(_square, codomain=(0.0, np.inf)),
]


@pytest.mark.parametrize("activation", OBJECTS, ids=str)
@pytest.mark.parametrize("through", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy])
def test_activations(activation, through):
    again = through(activation)
    assert again == activation
    s = np.linspace(-3, 3, 50)
    np.testing.assert_array_equal(again(s), activation(s))


@pytest.mark.parametrize("through", [lambda one: pickle.loads(pickle.dumps(one)), copy.deepcopy])
def test_networks_measure_the_same(through):
    weight = np.random.default_rng(0).normal(size=(4, 3))
    layers = [
        ef.Layer(weight, [0.1, 0.2, 0.3], "gelu", name="fc1", out_range=(-1.0, 2.0)),
        ef.Function(np.tanh, 3, 3, (-1.0, 1.0)),
    ]
    net = ef.Network(layers, in_range=(-1.0, 1.0))
    net.skipped = [("norm", "is no layer")]
    again = through(net)
    assert again.skipped == net.skipped
    assert again.ranges() == net.ranges()
    assert not again.layers[0].weight.flags.writeable
    for one, other in zip(*(ef.analyze(each, random_state=0, tol=0.1) for each in (net, again)), strict=True):
        assert (one.name, one.ei, one.sensitivity) == (other.name, other.ei, other.sensitivity)


def test_estimators_and_reports_go_to_other_processes(tmp_path):
    estimator = ef.EffectiveInformation(activation=ef.Activation("elu", alpha=0.5), random_state=0, tol=0.1)
    weight = np.random.default_rng(0).normal(size=(3, 2))
    here = estimator.fit(weight).report_
    (there,) = joblib.Parallel(n_jobs=2)([joblib.delayed(ef.analyze)(weight, **estimator.get_params())])
    assert there[0].ei == here[0].ei
    joblib.dump(estimator, tmp_path / "estimator.joblib")
    assert joblib.load(tmp_path / "estimator.joblib").report_[0].ei == here[0].ei


@pytest.mark.parametrize(
    ("place", "thing"),
    [
        (b"ei_fast.network.layer\nFunction", ef.Function),
        (b"ei_fast.network.activations\nStepFunction", type(ef.Activation("relu").steps((0.0, 1.0), 2))),
        (b"ei_fast.results.report\nLayerReport", ef.LayerReport),
    ],
)
def test_pickles_of_older_versions_find_what_has_moved_since(place, thing):
    assert pickle.loads(b"c" + place + b"\n.") is thing
