"""Activations as step functions: the same bins as evaluating first and binning then."""

import naive
import numpy as np
import pytest
from truths import OUT_RANGES

import ei_fast as ef
from ei_fast.network.activations import Activation

CASES = [
    *OUT_RANGES.items(),
    ("linear", (-3.0, 2.0)),
    ("sigmoid", (0.2, 0.6)),
    ("sigmoid", (-1.0, 3.0)),
    ("tanh", (-5.0, 5.0)),
    ("relu", (-2.0, 2.0)),
    ("relu", (1.0, 2.0)),
    ("leaky_relu", (-0.01, 0.01)),
    ("gelu", (-0.16, 0.1)),
    ("gelu", (-1.0, 5.0)),
    ("silu", (-0.2, -0.1)),
    ("mish", (-0.5, 0.5)),
    ("hard_silu", (-0.375, 0.0)),
    ("hard_sigmoid", (0.25, 0.75)),
    ("hard_tanh", (-2.0, 1.0)),
]
# The same with parameters, written down from their definitions.
OTHERS = [
    (ef.Activation("leaky_relu", negative_slope=0.2), lambda s: np.where(s < 0, 0.2 * s, s), (-1.0, 2.0)),
    (ef.Activation("leaky_relu", negative_slope=0), naive.ACTIVATIONS["relu"], (-1.0, 2.0)),
    (ef.Activation("elu", alpha=0.5), lambda s: np.where(s < 0, 0.5 * np.expm1(np.minimum(s, 0)), s), (-0.5, 1.0)),
    (ef.Activation("softplus", beta=3.0), lambda s: naive.ACTIVATIONS["softplus"](3 * s) / 3, (0.0, 2.0)),
    (ef.Activation("hard_tanh", min_val=-0.5, max_val=2.0), lambda s: np.clip(s, -0.5, 2.0), (-1.0, 2.0)),
    (
        ef.Activation("gelu", approximate="tanh"),
        lambda s: s / (1 + np.exp(-2 * np.sqrt(2 / np.pi) * (s + 0.044715 * s**3))),
        (-0.2, 2.0),
    ),
    (ef.Activation(np.sin, (-1.0, 1.0)), np.sin, (-1.0, 0.5)),
    (ef.Activation(lambda s: 1 / (1 + s * s), (0.0, 1.0)), lambda s: 1 / (1 + s * s), (0.0, 1.0)),
]


@pytest.fixture(scope="module")
def preactivations():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(0, 3, 20_000), rng.normal(0, 0.2, 5000), [0.0]])


@pytest.mark.parametrize("drop", [False, True], ids=["clip", "drop"])
@pytest.mark.parametrize(("name", "out_range"), CASES)
@pytest.mark.parametrize("bins", [2, 7, 8, 64])
def test_steps_bin_as_evaluation_does(preactivations, name, out_range, bins, drop):
    s = preactivations
    if out_range == Activation(name).codomain:
        # An edge at 1 inside the range is never reached by a sigmoid, except in floating point.
        s = np.concatenate([s, [-700.0, -30.0, 30.0, 700.0]])
    steps = Activation(name).steps(out_range, bins, drop=drop)
    expected = naive.codes_of(naive.ACTIVATIONS[name](s), out_range, bins, drop)
    np.testing.assert_array_equal(steps(s), expected)


@pytest.mark.parametrize("drop", [False, True], ids=["clip", "drop"])
@pytest.mark.parametrize(("activation", "function", "out_range"), OTHERS)
def test_parameters_and_functions_of_ones_own(preactivations, activation, function, out_range, drop):
    s = preactivations
    np.testing.assert_allclose(activation(s), function(s), atol=1e-12)
    steps = activation.steps(out_range, 16, (-20.0, 20.0), drop)
    np.testing.assert_array_equal(steps(s), naive.codes_of(function(s), out_range, 16, drop))


@pytest.mark.parametrize(("name", "out_range"), CASES)
def test_breakpoints_are_exact_to_rounding(name, out_range):
    steps = Activation(name).steps(out_range, 8)
    assert (np.diff(steps.breaks) > 0).all()
    assert len(steps.codes) == len(steps.breaks) + 1
    for k, at in enumerate(steps.breaks):
        step = 1e-9 * max(1.0, abs(at))
        below, above = naive.bins_of(naive.ACTIVATIONS[name](np.array([at - step, at + step])), out_range, 8)
        assert (steps.codes[k], steps.codes[k + 1]) == (below, above)


@pytest.mark.parametrize("name", OUT_RANGES)
def test_codomains_and_images(name, preactivations):
    low, high = Activation(name).codomain
    values = naive.ACTIVATIONS[name](preactivations)
    assert low <= values.min() < low + 0.1 or low == -np.inf
    assert high - 0.1 < values.max() <= high or high == np.inf
    rng = np.random.default_rng(1)
    left = rng.uniform(-6, 4, 50)
    right = left + rng.exponential(1, 50)
    smallest, largest = Activation(name).image(left, right)
    values = naive.ACTIVATIONS[name](np.linspace(left, right, 10_001))
    np.testing.assert_allclose(smallest, values.min(axis=0), atol=1e-6)
    np.testing.assert_allclose(largest, values.max(axis=0), atol=1e-6)
    # Never inside what is reached: the hull must hold every output.
    assert (smallest <= values.min(axis=0) + 1e-15).all()
    assert (largest >= values.max(axis=0) - 1e-15).all()


def test_the_middle_of_a_sigmoid_is_exactly_zero():
    assert 0.0 in Activation("sigmoid").steps((0.0, 1.0), 8).breaks
    assert 0.0 in Activation("tanh").steps((-1.0, 1.0), 8).breaks


def test_a_relus_atom_at_zero_is_one_bin():
    steps = Activation("relu").steps((0.0, 1.0), 4)
    assert steps([-5.0, 0.0, 0.2499, 0.25, 9.0]).tolist() == [0, 0, 0, 1, 3]


def test_no_index_reaches_the_number_of_bins():
    for name in ("sigmoid", "tanh"):
        activation = Activation(name)
        assert activation(1e9) == activation.codomain[1]
        assert activation.steps(activation.codomain, 8)(1e9) == 7


def test_values_do_not_overflow():
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(Activation("sigmoid")([-1e6, -2.0, 0.0, 1e6]), [0, 1 / (1 + np.exp(2)), 0.5, 1])


def test_names_and_aliases():
    assert Activation("identity") == Activation("linear") != Activation("tanh")
    assert Activation("logistic").name == "sigmoid"
    assert Activation(Activation("tanh")) == Activation("tanh")
    with pytest.raises(ValueError, match=r"'swoosh' is not known\. Known are linear, sigmoid"):
        Activation("swoosh")
    with pytest.raises(TypeError, match="must be a name or a function"):
        Activation(3)


@pytest.mark.parametrize(
    ("args", "params", "error", "message"),
    [
        (("leaky_relu",), {"slope": 0.1}, ValueError, "'leaky_relu' has no parameter 'slope'. It has negative_slope"),
        (("relu",), {"alpha": 1.0}, ValueError, "'relu' has no parameter 'alpha'. It has none"),
        (("leaky_relu",), {"negative_slope": -0.1}, ValueError, "'negative_slope' must be a finite number >= 0"),
        (("elu",), {"alpha": np.inf}, ValueError, "'alpha' must be a finite number > 0"),
        (("softplus",), {"beta": "2"}, ValueError, "'beta' must be a finite number > 0"),
        (("gelu",), {"approximate": "sigmoid"}, ValueError, "'approximate' must be 'none'"),
        (("hard_tanh",), {"min_val": 2.0}, ValueError, "'min_val' and 'max_val' must be finite numbers"),
        (("tanh", (-1.0, 1.0)), {}, ValueError, "'codomain' parameter of Activation belongs to functions of your own"),
        ((np.sin,), {}, ValueError, r"'codomain' parameter of Activation must be \(low, high\)"),
        ((np.sin, (1.0, -1.0)), {}, ValueError, r"'codomain' parameter of Activation must be \(low, high\)"),
        ((np.sin, (-1.0, 1.0)), {"phase": 1}, ValueError, r"takes no parameters here. Got \['phase'\]"),
    ],
)
def test_bad_activations(args, params, error, message):
    with pytest.raises(error, match=message):
        ef.Activation(*args, **params)


@pytest.mark.parametrize(
    ("function", "message"),
    [(lambda s: s[:1], "an array of the same shape"), (lambda s: s * np.nan, "with NaN")],
)
def test_functions_that_return_nonsense(function, message):
    with pytest.raises(ValueError, match=message):
        ef.analyze(ef.Layer(np.eye(2), activation=ef.Activation(function, (-1.0, 1.0))))


def test_a_function_of_ones_own_measures_as_the_named_one(random_weight):
    weight = random_weight(4, 3, 4.0)
    own = ef.Layer(weight, activation=ef.Activation(lambda s: 1 / (1 + np.exp(-s)), (0.0, 1.0)))
    named = ef.Layer(weight, activation="sigmoid")
    one, other = (ef.analyze(layer, random_state=0)[0] for layer in (own, named))
    assert one.ei == pytest.approx(other.ei, abs=1e-9)
    assert one.sensitivity == pytest.approx(other.sensitivity, abs=1e-9)
    assert one.ei_parts == pytest.approx(other.ei_parts, abs=1e-9)
    assert one.out_range == other.out_range
