"""Activations as step functions: the same bins as evaluating first and binning then."""

import naive
import numpy as np
import pytest

from ei_fast.network.activations import Activation

CASES = [
    ("linear", (-3.0, 2.0)),
    ("sigmoid", (0.0, 1.0)),
    ("sigmoid", (0.2, 0.6)),
    ("sigmoid", (-1.0, 3.0)),
    ("tanh", (-1.0, 1.0)),
    ("tanh", (-5.0, 5.0)),
    ("relu", (0.0, 4.0)),
    ("relu", (-2.0, 2.0)),
    ("relu", (1.0, 2.0)),
]


@pytest.mark.parametrize(("name", "out_range"), CASES)
@pytest.mark.parametrize("bins", [2, 7, 8, 64])
def test_steps_bin_as_evaluation_does(name, out_range, bins):
    s = np.concatenate([np.random.default_rng(0).normal(0, 3, 20_000), [0.0]])
    if out_range == Activation(name).codomain:
        # An edge at 1 inside the range is never reached by a sigmoid, except in floating point.
        s = np.concatenate([s, [-700.0, -30.0, 30.0, 700.0]])
    steps = Activation(name).steps(out_range, bins)
    np.testing.assert_array_equal(steps(s), naive.bins_of(naive.ACTIVATIONS[name](s), out_range, bins))


@pytest.mark.parametrize(("name", "out_range"), CASES)
def test_breakpoints_are_exact_to_rounding(name, out_range):
    steps = Activation(name).steps(out_range, 8)
    assert (np.diff(steps.breaks) > 0).all()
    assert len(steps.codes) == len(steps.breaks) + 1
    for k, at in enumerate(steps.breaks):
        step = 1e-9 * max(1.0, abs(at))
        below, above = naive.bins_of(naive.ACTIVATIONS[name](np.array([at - step, at + step])), out_range, 8)
        assert (steps.codes[k], steps.codes[k + 1]) == (below, above)


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
