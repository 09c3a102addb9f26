"""What `jacobian_ei` takes, refuses and returns."""

import pickle

import numpy as np
import pytest

import ei_fast as ef

GAUSSIAN = 0.5 * np.log2(2 * np.pi * np.e)
QUICK = {"noise": 0.01, "random_state": 0, "n_samples": 256}
WEIGHT = np.array([[1.0, 0.3], [-0.4, 0.8]])


@pytest.mark.parametrize(
    "noise",
    [0, -0.1, np.nan, np.inf, [0.1], [0.1, 0.1, 0.1], [0.1, 0.0], np.eye(3), -np.eye(2), np.ones((2, 2)),
     np.zeros((2, 2)), [[1.0, 0.5], [0.4, 1.0]], np.ones((2, 2, 2))],
    ids=str,
)  # fmt: skip
def test_noise_that_cannot_be(noise):
    with pytest.raises(ValueError, match="The 'noise' parameter of jacobian_ei must be a standard deviation > 0"):
        ef.jacobian_ei(WEIGHT, noise)


@pytest.mark.parametrize("noise", ["loud", None, True, {"a": 1}, [[0.1], [0.1, 0.2]]], ids=str)
def test_noise_that_is_none(noise):
    with pytest.raises(TypeError, match="The 'noise' parameter of jacobian_ei must be"):
        ef.jacobian_ei(WEIGHT, noise)


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"bins": 8}, TypeError, "jacobian_ei got an unexpected keyword argument 'bins'"),
        ({"n_samples": 10}, ValueError, "'n_samples' parameter of jacobian_ei"),
        ({"tol": 0.0}, ValueError, "'tol' parameter of jacobian_ei"),
        ({"effort": "much"}, TypeError, "'effort' parameter of jacobian_ei"),
        ({"n_jobs": 0}, ValueError, "'n_jobs' parameter of jacobian_ei"),
        ({"random_state": -1}, ValueError, "'random_state' parameter of jacobian_ei"),
        ({"in_range": (1.0, 0.0)}, ValueError, "'in_range' parameter of jacobian_ei"),
        ({"in_range": [(0.0, 1.0)] * 3}, ValueError, "a sequence of 2 such pairs"),
        ({"in_range": "seen"}, ValueError, "has not been run on examples"),
        ({"jacobian": 3}, TypeError, "'jacobian' parameter of jacobian_ei must be None or callable"),
        ({"jacobian": lambda x: x}, ValueError, "must return an array of real numbers of shape"),
        ({"jacobian": lambda x: np.full((len(x), 2, 2), np.nan)}, ValueError, "must be finite on the whole input"),
        ({"jacobian": lambda x: np.zeros((len(x), 2, 2))}, ValueError, "is not that of its outputs"),
    ],
)  # fmt: skip
def test_parameters_that_cannot_be(params, error, match):
    with pytest.raises(error, match=match):
        ef.jacobian_ei(WEIGHT, 0.01, **params)


@pytest.mark.parametrize(
    "model",
    [np.ones((3, 2)), [np.eye(3), np.ones((3, 2)), np.ones((2, 5))], ef.Function(lambda x: x[:, :1], 2, 1, (0.0, 1.0))],
    ids=["a layer", "on the way", "a function"],
)
def test_less_outputs_than_inputs(model):
    with pytest.raises(
        ValueError, match="takes maps with at least as many outputs as inputs, at the end and on the way"
    ):
        ef.jacobian_ei(model, 0.01)


def test_a_network_that_is_not_one_map():
    layers = [ef.Layer(WEIGHT), ef.Layer(WEIGHT, in_range=(0.0, 1.0))]
    with pytest.raises(ValueError, match="must be one map from inputs to outputs"):
        ef.jacobian_ei(ef.Network(layers, restarts=[1]), 0.01)
    skipped = ef.Network(layers, skipped=[("norm", "is no layer")])
    with pytest.raises(ValueError, match="of which norm is none"):
        ef.jacobian_ei(skipped, 0.01)
    assert ef.jacobian_ei(skipped.between(1, 1), 0.01).value == ef.jacobian_ei(layers[1], 0.01).value


def test_a_layer_of_a_network_keeps_its_range():
    network = ef.Network([ef.Layer(WEIGHT, activation="tanh"), ef.Layer(WEIGHT, activation="tanh")], (-3.0, 3.0))
    for k, in_range in enumerate([(-3.0, 3.0), (-1.0, 1.0)]):
        alone = ef.jacobian_ei(network.between(k, k), 0.01)
        assert alone.method == "closed form"
        assert alone.value == ef.jacobian_ei(network[k], 0.01, in_range=in_range).value


def test_ranges_of_each_input_and_those_seen():
    linear = {"activation": "linear"}
    each = ef.jacobian_ei(np.eye(3), 0.1, in_range=np.array([[0.0, 1.0], [0.0, 2.0], [-4.0, 4.0]]), **linear)
    assert each.value == pytest.approx(4 + 3 * (np.log2(10) - GAUSSIAN))
    examples = np.random.default_rng(0).uniform(0, 2, (50, 3))
    seen = ef.jacobian_ei(np.eye(3), 0.1, in_range="seen", example_inputs=examples, **linear)
    assert seen.input_entropy == pytest.approx(3 * np.log2(np.ptp(examples)))


def test_a_patch_and_a_position_are_maps_too():
    patch = ef.Layer(np.random.default_rng(0).normal(size=(4, 6)), activation="tanh", patch=(1, 2, 2))
    plain = ef.Layer(patch.weight, activation="tanh")
    assert ef.jacobian_ei(patch, **QUICK).value == ef.jacobian_ei(plain, **QUICK).value
    with pytest.raises(ValueError, match="do not feed each other patch by patch"):
        ef.jacobian_ei(ef.Network([patch, ef.Layer(np.eye(12))]), **QUICK)


def test_what_is_returned():
    result = ef.jacobian_ei(ef.Layer(np.random.default_rng(0).normal(size=(3, 5)), name="fc"), **QUICK)
    assert (result.name, result.n_in, result.n_out, result.n_samples) == ("fc", 3, 5, 256)
    assert (result.method, result.derivative, result.share_singular, result.flags) == ("sampled", "formula", 0.0, ())
    assert float(result) == result.value == result.regular_value
    assert result.per_dimension == result.value / 3
    assert result.value == pytest.approx(result.input_entropy - result.gaussian_entropy + result.log_determinant)
    low, high = result.interval
    assert high - low == pytest.approx(2 * 1.959964 * result.stderr, rel=1e-6)
    assert result.regular_interval == result.interval
    assert pickle.loads(pickle.dumps(result)) == result
    assert repr(result).startswith(f"JacobianEI(value={result.value:.8g}, stderr=")
    assert "256 inputs" in result.explain()


def test_a_frame():
    pytest.importorskip("pandas")
    result = ef.jacobian_ei(ef.Layer(np.eye(2), activation="relu"), noise=0.01, in_range=(-1.0, 1.0), random_state=0)
    frame = result.to_frame()
    assert len(frame) == 1
    row = frame.iloc[0]
    assert (row["value"], row["low"], row["flags"]) == (-np.inf, -np.inf, "singular")
    assert row["share_singular"] == result.share_singular
    assert list(frame.columns[:3]) == ["name", "value", "stderr"]


def test_what_computes_in_single_precision():
    weight = np.random.default_rng(0).normal(size=(3, 3)).astype(np.float32)
    function = ef.Function(lambda x: np.tanh(x.astype(np.float32) @ weight), 3, 3, (-1.0, 1.0))
    exact = ef.jacobian_ei(ef.Layer(weight, activation="tanh"), 0.01)
    found = ef.jacobian_ei(function, 0.01, random_state=0)
    assert abs(found.value - exact.value) < 4 * found.stderr


def test_what_differences_cannot_tell_is_refused():
    # A sum that is kept makes one direction constant: its derivative is rounding, larger the nearer the points are.
    def softmax(x):
        return np.exp(x) / np.exp(x).sum(axis=1, keepdims=True)

    def jacobian(x):
        p = softmax(x)
        return p[:, :, None] * (np.eye(4) - p[:, None, :])

    function = ef.Function(softmax, 4, 4, (0.0, 1.0))
    for tol in (0.01, 5.0):
        with pytest.raises(ValueError, match="cannot be differentiated numerically"):
            ef.jacobian_ei(function, 0.01, random_state=0, tol=tol)
    result = ef.jacobian_ei(function, 0.01, random_state=0, jacobian=jacobian)
    assert (result.value, result.share_singular) == (-np.inf, 1.0)


def test_models_of_other_sources():
    rng = np.random.default_rng(0)
    w0, w1 = rng.normal(size=(3, 4)), rng.normal(size=(4, 4))
    plain = ef.jacobian_ei([w0, w1], **QUICK, activation="tanh")
    for model in ({"w0": w0, "w1": w1}, ef.as_network([w0, w1], "tanh"), [(w0, None), (w1, np.zeros(4))]):
        assert ef.jacobian_ei(model, **QUICK, activation="tanh").value == plain.value


def test_of_scikit_learn():
    pytest.importorskip("sklearn")
    from sklearn.neural_network import MLPRegressor

    x = np.random.default_rng(0).random((60, 2))
    model = MLPRegressor(hidden_layer_sizes=(4,), activation="tanh", max_iter=2000, random_state=0).fit(x, x @ WEIGHT)
    result = ef.jacobian_ei(model, **QUICK)
    function = ef.jacobian_ei(ef.Function(model.predict, 2, 2, (-1.0, 2.0)), **QUICK)
    assert abs(result.value - function.value) < 4 * np.hypot(result.stderr, function.stderr)
