"""Observed inputs: their histograms, and what they told, against answers that are known and against enumeration."""

import dataclasses

import naive
import naive_histograms as slow
import numpy as np
import pytest

import ei_fast as ef

OBSERVED = "observed, not do()"
EVEN = np.full((2, 8), 1 / 8)
LINEAR = {"activation": "linear", "random_state": 0}


def _uniform(rows, n, seed=0):
    return np.random.default_rng(seed).random((rows, n))


# ------------------------------------------------------------------------------------------------ histograms


def test_histograms_are_shares_of_samples():
    x = [[0.0, 0.99], [0.1, 0.5], [0.26, 1.0], [0.5, 0.2]]
    np.testing.assert_array_equal(ef.input_histograms(x, bins=4), [[0.5, 0.25, 0.25, 0], [0.25, 0, 0.25, 0.5]])
    np.testing.assert_array_equal(ef.input_histograms(x, bins=(4, 9)), ef.input_histograms(x, bins=4))
    scaled = np.array(x) * [2, 5] - [1, 0]
    for ranges in ([(-1, 1), (0, 5)], ((-1.0, 1.0), (0.0, 5.0)), np.array([[-1, 1], [0, 5]])):
        np.testing.assert_array_equal(ef.input_histograms(scaled, 4, ranges), ef.input_histograms(x, 4))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(500, 3))
    limits = (float(x.min()), float(x.max()))
    found = ef.input_histograms(x, 8, limits)
    counts = [np.bincount(naive.bins_of(column, limits, 8), minlength=8) for column in x.T]
    np.testing.assert_array_equal(found, np.array(counts) / 500)


@pytest.mark.parametrize("kind", ["float32", "int", "bool", "torch", "pandas", "list"])
def test_samples_of_any_kind(kind):
    x = np.array([[0, 1], [1, 1], [0, 0], [1, 0]] * 8)
    if kind == "torch":
        given = pytest.importorskip("torch").tensor(x, dtype=pytest.importorskip("torch").bfloat16, requires_grad=True)
    elif kind == "pandas":
        given = pytest.importorskip("pandas").DataFrame(x)
    else:
        given = x.tolist() if kind == "list" else x.astype(kind)
    np.testing.assert_array_equal(ef.input_histograms(given, bins=2), [[0.5, 0.5], [0.5, 0.5]])
    assert ef.observed_information(np.eye(2), given, bins=2, **LINEAR).n_rows == 32


# ------------------------------------------------------------------------------------------------ known answers


@pytest.mark.parametrize("n", [1, 3])
def test_copies_of_one_input_are_one_where_they_are_observed(n):
    # Under do() n inputs tell n times as much: observation has what they share.
    x = np.repeat(_uniform(20_000, 1), n, axis=1)
    told = ef.observed_information(np.eye(n), x, **LINEAR)
    assert isinstance(told, ef.ObservedInformation)
    assert told.interval[0] <= 3.0 <= told.interval[1]
    assert abs(told.value - 3.0) < 0.005
    assert told.conditional_entropy == 0.0
    assert told.unbinned == pytest.approx(told.value, abs=1e-9)
    assert told.flags == (OBSERVED,)
    assert float(told) == told.value
    assert float(ef.effective_information(np.eye(n), in_distribution=ef.input_histograms(x), **LINEAR)) > 2.99 * n


def test_an_xor_of_bits_that_are_always_equal_tells_nothing():
    xor = ef.Function(lambda x: (x > 0.5).sum(axis=1, keepdims=True) % 2, 2, 1, (0.0, 1.0))
    x = np.repeat(_uniform(4096, 1), 2, axis=1)
    told = ef.observed_information(xor, x, bins=2, random_state=0)
    assert (told.value, told.unbinned) == (0.0, 0.0)
    set_apart = ef.effective_information(xor, bins=2, in_distribution=ef.input_histograms(x, 2), random_state=0)
    assert set_apart.value == pytest.approx(1.0, abs=0.01)


def test_what_inputs_do_inside_their_bins_is_the_difference_to_unbinned():
    # One bin each: X tells nothing, and x all of the output.
    weight = np.array([[1.0], [1.0]])
    x = 0.5 * _uniform(8192, 2)
    told = ef.observed_information(weight, x, bins=(2, 8), out_range=(0.0, 1.0), **LINEAR)
    assert told.value == pytest.approx(0.0, abs=0.02)
    assert told.interval[0] == 0.0
    assert told.unbinned == pytest.approx(told.output_entropy, abs=0.05)
    narrow = ef.observed_information(weight, x, bins=(512, 8), out_range=(0.0, 1.0), **LINEAR)
    assert narrow.unbinned == told.unbinned
    assert narrow.value == pytest.approx(narrow.unbinned, abs=0.05)


def test_independent_samples_have_the_information_of_uniform_inputs():
    weight = np.random.default_rng(1).normal(size=(3, 2))
    told = ef.observed_information(weight, _uniform(30_000, 3), random_state=0)
    under_do = ef.effective_information(weight, random_state=0)
    assert told.interval[0] <= under_do.value <= told.interval[1]


# ------------------------------------------------------------------------------------------------ the slow oracle


def _population(seed, n_in, bins, shared):
    """P (bins,) * n_in of cells that depend on each other, and a function that draws rows from them."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.full(bins**n_in, shared)).reshape((bins,) * n_in)

    def rows(n, rng):
        cells = np.stack(np.unravel_index(rng.choice(p.size, n, p=p.ravel()), p.shape), axis=1)
        return (cells + rng.random(cells.shape)) / bins

    return p, rows


def _truth(codes_of, p, out_bins, points):
    """I(X; Y) by enumeration: of every cell with the same probability, then weighed by `p`."""
    n_in, bins = p.ndim, p.shape[0]
    inside = slow.joint_table(codes_of, np.full((n_in, bins), 1 / bins), out_bins, points)
    return slow.information(inside / inside.sum(axis=1, keepdims=True) * p.reshape(-1, 1))


POPULATIONS = {
    "spread": (_population(0, 3, 4, 1.0), [[2.0, -1.0], [1.5, 3.0], [-2.5, 1.0]], "sigmoid", 4),
    "sharp": (_population(1, 3, 4, 0.05), [[1.0], [1.0], [-1.0]], "sigmoid", 8),
    "pair": (_population(2, 2, 8, 0.2), [[3.0, -4.0, 1.0], [2.0, 5.0, -1.0]], "tanh", 4),
}


def _of(name):
    (p, rows), weight, activation, out_bins = POPULATIONS[name]
    weight = np.array(weight)
    out_range = (-1.0, 1.0) if activation == "tanh" else (0.0, 1.0)
    truth = _truth(
        lambda x: naive.bins_of(naive.ACTIVATIONS[activation](x @ weight), out_range, out_bins), p, out_bins, 30
    )
    return truth, rows, ef.Layer(weight, activation=activation), {"bins": (p.shape[0], out_bins)}


@pytest.mark.parametrize("name", POPULATIONS)
def test_many_samples_come_near_what_they_are_drawn_from(name):
    truth, rows, layer, options = _of(name)
    told = ef.observed_information(layer, rows(40_000, np.random.default_rng(0)), random_state=0, **options)
    assert abs(told.value - truth) < 4 * told.stderr
    assert told.stderr < 0.02
    assert told.output_entropy - told.conditional_entropy == pytest.approx(told.value, abs=1e-12)


def _covered(name, n_seeds, n_rows=1000):
    truth, rows, layer, options = _of(name)
    intervals = [
        ef.observed_information(layer, rows(n_rows, np.random.default_rng([5, k])), random_state=k, **options).interval
        for k in range(n_seeds)
    ]
    return np.mean([low <= truth <= high for low, high in intervals])


@pytest.mark.parametrize("name", POPULATIONS)
def test_some_intervals_hold_the_truth(name):
    assert _covered(name, 20) >= 0.8


@pytest.mark.endurance
@pytest.mark.parametrize("n_rows", [200, 1000])
@pytest.mark.parametrize("name", POPULATIONS)
def test_of_two_hundred_intervals_93_in_100_hold_the_truth(name, n_rows):
    assert _covered(name, 200, n_rows) >= 0.93


def test_few_samples_of_a_wide_layer_leave_bounds():
    # Eight blocks, of which what uniform inputs tell is known.
    weight, blocks = np.array([[3.0, -1.0], [2.0, 4.0]]), 8
    codes = slow.joint_table(lambda x: naive.bins_of(naive.ACTIVATIONS["sigmoid"](x @ weight), (0, 1), 8), EVEN, 8, 80)
    truth = blocks * slow.information(codes)
    told = ef.observed_information(np.kron(np.eye(blocks), weight), _uniform(500, 2 * blocks), random_state=0)
    assert told.flags == (OBSERVED, "undersampled")
    low, high = told.interval
    assert 0 <= low < told.value < high <= 48
    assert low <= truth <= high
    assert told.unbinned_interval[0] < told.unbinned < told.unbinned_interval[1]


def test_the_order_of_samples_and_the_threads_change_nothing_that_is_said():
    weight, x = np.random.default_rng(3).normal(size=(4, 3)), _uniform(3000, 4)
    one, two = (ef.observed_information(weight, x, random_state=0, n_jobs=n) for n in (1, 2))
    assert dataclasses.astuple(one) == dataclasses.astuple(two)
    turned = ef.observed_information(weight, x[::-1], random_state=0)
    assert abs(turned.value - one.value) < 4 * one.stderr
    given = ef.observed_information(weight, x, n_samples=2**15, random_state=0)
    assert abs(given.value - one.value) < 4 * given.stderr


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("bad", "error", "said"),
    [
        (np.ones(3), ValueError, r"shape \(3,\)"),
        (np.ones((4, 3, 3)), ValueError, "Reshape activations"),
        (np.ones((0, 3)), ValueError, "at least|shape"),
        (np.full((20, 3), np.nan), ValueError, "nan in row 0, column 0"),
        (np.full((20, 3), 1.5), ValueError, r"Give in_range=\(1.0, 2.0\)"),
        (np.r_[np.zeros((20, 3)), [[-2.0, 0.0, 3.0]]], ValueError, r"in_range=\(-2.0, 3.0\)"),
        ("samples", TypeError, "array of numbers"),
        ([[1.0], [1.0, 2.0]], TypeError, "one array of numbers"),
    ],
)
@pytest.mark.parametrize("what", ["histograms", "information"])
def test_bad_samples_are_refused(what, bad, error, said):
    with pytest.raises(error, match=f"(?s)parameter of {'input' if what == 'histograms' else 'observed'}_.*{said}"):
        _ = ef.input_histograms(bad) if what == "histograms" else ef.observed_information(np.eye(3), bad)


def test_what_observation_is_not_open_to_is_refused():
    x = _uniform(100, 2)
    with pytest.raises(ValueError, match="out_of_range='clip'"):
        ef.observed_information(np.eye(2), x, out_of_range="drop")
    for joint in ("plugin", "gaussian", "annealed"):
        with pytest.raises(ValueError, match="Use joint='auto'"):
            ef.observed_information(np.eye(2), x, joint=joint)
    with pytest.raises(ValueError, match="a column for each of 2 inputs.*transpose"):
        ef.observed_information(np.eye(2), x.T)
    with pytest.raises(ValueError, match="at least 16 rows. Got 15"):
        ef.observed_information(np.eye(2), x[:15])
    with pytest.raises(TypeError, match="unexpected keyword argument 'in_distribution'"):
        ef.observed_information(np.eye(2), x, in_distribution=np.ones(8))
