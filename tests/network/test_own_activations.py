"""Activations of one's own: their hull, their codomain, and what becomes of them when they change."""

import warnings

import numpy as np
import pytest

import ei_fast as ef


class PReLU:
    """Learns its slope; two of them are equal if their slopes are, so that they cannot be hashed."""

    def __init__(self, slope):
        self.slope = slope

    def __eq__(self, other):
        return self.slope == other.slope

    __hash__ = None

    def __call__(self, s):
        return np.where(s > 0, s, self.slope * s)


def _figures(layer, **params):
    report = ef.analyze(layer, random_state=0, **params)[0]
    return report.ei, report.sensitivity, report.ei_parts, report.out_range


def test_a_function_whose_parameters_change_is_measured_as_it_is_now():
    own, weight = PReLU(0.0), np.random.default_rng(0).uniform(-1, 1, (4, 3))
    activation = ef.Activation(own, codomain=(-np.inf, np.inf))
    layer = ef.Layer(weight, activation=activation)
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0, in_range=(-1.0, 1.0)))
    for slope in (0.0, 0.5, 1.0):
        own.slope = slope
        anew = ef.Layer(weight, activation=ef.Activation(PReLU(slope), codomain=(-np.inf, np.inf)))
        expected = _figures(anew, in_range=(-1.0, 1.0))
        assert _figures(layer, in_range=(-1.0, 1.0)) == expected
        assert recorder.record(layer)[0].ei == expected[0]


def test_a_function_that_cannot_be_hashed():
    activation = ef.Activation(PReLU(0.2), codomain=(-np.inf, np.inf))
    assert activation == activation
    assert len({activation}) == 1


def test_a_narrow_peak_is_in_the_hull():
    peak = ef.Activation(lambda s: np.exp(-(((s - 0.123456) / 5e-3) ** 2)), codomain=(-np.inf, np.inf))
    layer = ef.Layer(np.ones((1, 3)), [0.0, -0.5, 0.1], peak)
    low, high = ef.Network([layer]).ranges()[0][1]
    assert 0 <= low < 1e-12
    assert 0.99 < high <= 1
    # Of each neuron on its own interval, not of all on the layer's.
    smallest, largest = peak.image(np.array([0.0, 0.2, 0.5]), np.array([1.0, 0.3, 0.6]))
    assert largest[0] > 0.99
    assert largest[1] == pytest.approx(np.exp(-(((0.2 - 0.123456) / 5e-3) ** 2)))
    assert largest[2] < 1e-300
    assert (smallest <= largest).all()


def test_a_false_codomain_is_refused():
    layer = ef.Layer(np.eye(2) * 3, activation=ef.Activation(np.sin, codomain=(0.0, 1.0)), name="fc")
    with pytest.raises(
        ValueError, match=r"codomain.*must hold all values of the function 'sin'.*Got \(0.0, 1.0\), and -0"
    ):
        ef.analyze(layer, in_range=(-1.0, 1.0))


def test_masked_values_and_stop_iteration_are_refused():
    masked = ef.Activation(lambda s: np.ma.masked_less(s, 0.5), codomain=(0.0, 1.0))
    with pytest.raises(ValueError, match="must return numbers. Got a masked array"):
        ef.analyze(ef.Layer(np.eye(2), activation=masked))

    def stops(s):
        raise StopIteration

    with pytest.raises(RuntimeError, match="raised StopIteration"):
        ef.analyze(ef.Layer(np.eye(2), activation=ef.Activation(stops, codomain=(0.0, 1.0))))


@pytest.mark.parametrize("activation", ["gelu", "silu", "mish", "elu", "softplus", "tanh", "sigmoid", "log_sigmoid"])
def test_the_callers_errstate_changes_nothing(activation):
    layer = ef.Layer(np.random.default_rng(0).normal(size=(3, 2)) * 40, activation=activation)
    params = {"out_of_range": "drop", "out_range": (-0.5, 0.9), "tol": 0.1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = _figures(layer, **params)
        with np.errstate(all="raise"):
            assert np.array_equal(_figures(layer, **params)[:3], expected[:3], equal_nan=True)
            ef.Recorder(ef.EffectiveInformation(random_state=0, **params)).record(layer)
            ef.effective_information(layer, inputs=[0], **params)


def test_a_codomain_is_not_false_by_rounding_about_zero():
    square = ef.Activation(lambda s: s * s - 0.6 * s + 0.09, (0.0, np.inf))
    near = np.linspace(0.3 - 1e-7, 0.3 + 1e-7, 4001)
    assert square(near).min() < 0.0
    low, high = square.image(np.zeros_like(near), near)
    assert low.min() > -1e-15
    np.testing.assert_array_equal(high, 0.09)


def test_bound_methods_of_one_object_are_one_activation():
    class Slope:
        def of(self, s):
            return 0.5 * s

    one, other = Slope(), Slope()
    assert ef.Activation(one.of, (-1, 1)) == ef.Activation(one.of, (-1, 1))
    assert ef.Activation(one.of, (-1, 1)) != ef.Activation(other.of, (-1, 1))


def test_a_baseline_far_outside_the_range_of_the_inputs():
    # The steps of an activation of one's own are looked for where the other inputs' baseline takes it, too.
    weight = np.array([[1.0, -0.5], [0.7, 0.3]])
    own = ef.Activation(lambda s: np.tanh(s), codomain=(-1.0, 1.0))
    matrices = [
        ef.sensitivity_matrix(ef.Layer(weight, activation=activation), baseline=-1.5, bins=32)
        for activation in (own, "tanh")
    ]
    np.testing.assert_allclose(*matrices, atol=1e-6)
    assert (matrices[0] > 0.5).all()
