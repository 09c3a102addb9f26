"""The fused kernel against the naive oracle: the same interventions must give the same states."""

import naive
import numpy as np
import pytest

from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.streams import Stream, neuron_keys
from ei_fast.network.activations import Activation
from ei_fast.network.steps import StepTable

BINS = 8
CASES = [
    # activation, in_range, out_range, scale of weights
    ("sigmoid", (0.0, 1.0), (0.0, 1.0), 1.0),
    ("sigmoid", (0.0, 1.0), (0.0, 1.0), 5.0),
    ("tanh", (-1.0, 1.0), (-1.0, 1.0), 2.0),
    ("relu", (0.0, 1.0), (0.0, 1.5), 1.0),
    ("linear", (-2.0, 3.0), (-4.0, 4.0), 1.0),
]


def _layer(n_in, n_out, scale, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (n_in, n_out)) * scale / np.sqrt(n_in), rng.uniform(-0.5, 0.5, n_out)


def _intervention(weight, bias, activation, in_range, out_range):
    steps = StepTable.of([Activation(activation).steps(out_range, BINS)], weight.shape[1])
    return DenseIntervention(weight, bias, steps, in_range=in_range, in_bins=BINS, seed=5, place=(0, 0))


def _uniforms(n_in, stream, first, count):
    keys = neuron_keys(5, (0, 0), stream, n_in)
    return np.array([[naive.uniform(keys, i, first + t) for i in range(n_in)] for t in range(count)])


def _expected_keys(x, weight, bias, activation, out_range):
    codes = naive.bins_of(naive.outputs(x, weight, bias, activation), out_range, BINS)
    return np.array([sum(int(code) << (3 * j) for j, code in enumerate(row)) for row in codes], dtype=np.uint64)


@pytest.mark.parametrize(("activation", "in_range", "out_range", "scale"), CASES)
def test_keys_anywhere(activation, in_range, out_range, scale):
    weight, bias = _layer(7, 6, scale)
    intervention = _intervention(weight, bias, activation, in_range, out_range)
    low, high = in_range
    x = low + (high - low) * (_uniforms(7, Stream.MARGINAL, 100, 1500) + 0.5)
    np.testing.assert_array_equal(
        intervention.keys_anywhere(Stream.MARGINAL, 100, 1500), _expected_keys(x, weight, bias, activation, out_range)
    )


@pytest.mark.parametrize(("activation", "in_range", "out_range", "scale"), CASES)
@pytest.mark.parametrize("m", [16, 77])
def test_keys_inside_cells(activation, in_range, out_range, scale, m):
    weight, bias = _layer(5, 6, scale)
    intervention = _intervention(weight, bias, activation, in_range, out_range)
    cells = intervention.drawn_cells(Stream.CELLS, 0, 1400 // m)
    share = (np.repeat(cells, m, axis=0) + _uniforms(5, Stream.POINTS, 40, len(cells) * m) + 0.5) / BINS
    x = in_range[0] + (in_range[1] - in_range[0]) * share
    got = intervention.keys_inside(Stream.POINTS, 40, cells, m)
    np.testing.assert_array_equal(got.ravel(), _expected_keys(x, weight, bias, activation, out_range))


def test_a_huge_bias_does_not_blur_the_outputs():
    # Around 1e6 float32 steps by 0.06; relative to the centre of the range it resolves 1e-8.
    weight, bias = _layer(4, 3, 1.0)
    low, high = 1e6 - 2.0, 1e6 + 2.0
    far = _intervention(weight, bias + 1e6, "linear", (0.0, 1.0), (low, high))
    near = _intervention(weight, bias, "linear", (0.0, 1.0), (-2.0, 2.0))
    keys = far.keys_anywhere(Stream.MARGINAL, 0, 2000), near.keys_anywhere(Stream.MARGINAL, 0, 2000)
    assert np.count_nonzero(keys[0] != keys[1]) == 0


def test_keys_do_not_depend_on_the_split():
    weight, bias = _layer(5, 4, 3.0)
    intervention = _intervention(weight, bias, "sigmoid", (0.0, 1.0), (0.0, 1.0))
    whole = intervention.keys_anywhere(Stream.MARGINAL, 0, 2500)
    parts = [intervention.keys_anywhere(Stream.MARGINAL, a, b - a) for a, b in ((0, 1), (1, 1030), (1030, 2500))]
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    cells = intervention.drawn_cells(Stream.CELLS, 0, 30)
    np.testing.assert_array_equal(cells[11:], intervention.drawn_cells(Stream.CELLS, 11, 19))
    inside = intervention.keys_inside(Stream.POINTS, 0, cells, 50)
    np.testing.assert_array_equal(inside[11:], intervention.keys_inside(Stream.POINTS, 11 * 50, cells[11:], 50))


def test_an_identity_is_constant_inside_every_cell():
    # The outputs' edges coincide with the cells' ends, which must not count as inside them.
    for bins in (7, 10, 128):
        steps = StepTable.of([Activation("linear").steps((0.0, 1.0), bins)], 2)
        intervention = DenseIntervention(
            np.eye(2), np.zeros(2), steps, in_range=(0.0, 1.0), in_bins=bins, seed=0, place=(0, 0)
        )
        keys = intervention.keys_inside(Stream.POINTS, 0, intervention.drawn_cells(Stream.CELLS, 0, 50), 20)
        assert (keys == keys[:, :1]).all()


@pytest.mark.parametrize("bins", [64, 256])
def test_many_bins_are_searched_as_few_are_counted(bins):
    weight, bias = _layer(3, 2, 6.0)
    steps = StepTable.of([Activation("sigmoid").steps((0.0, 1.0), bins)], 2)
    intervention = DenseIntervention(weight, bias, steps, in_range=(0.0, 1.0), in_bins=bins, seed=5, place=(0, 0))
    x = _uniforms(3, Stream.MARGINAL, 0, 1200) + 0.5
    codes = naive.bins_of(naive.outputs(x, weight, bias, "sigmoid"), (0.0, 1.0), bins)
    expected = (codes[:, 0] | codes[:, 1] << (bins - 1).bit_length()).astype(np.uint64)
    np.testing.assert_array_equal(intervention.keys_anywhere(Stream.MARGINAL, 0, 1200), expected)
