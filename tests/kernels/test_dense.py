"""The fused kernel against the naive oracle: the same interventions must give the same states."""

import naive
import numpy as np
import pytest

from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.streams import Stream, neuron_keys
from ei_fast.kernels.block_codes import _fill_constant_codes, _samples_of_cell, step_codes
from ei_fast.kernels.cells import moving_cells, open_cells
from ei_fast.kernels.dense import dense_keys, input_codes
from ei_fast.kernels.lanes import LANES
from ei_fast.kernels.preactivations import cell_centres, centre_of_cell
from ei_fast.kernels.products import _INPUTS, BLOCK, ROW, weighted_sums
from ei_fast.kernels.search import count_at_most
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


@pytest.mark.parametrize("n", [0, 1, 2, 7, 100])
def test_count_at_most(n):
    breaks = np.sort(np.random.default_rng(n).integers(0, 30, n)).astype(float)
    for value in (*breaks, -1.0, 3.5, 99.0, np.inf, -np.inf):
        assert count_at_most(breaks, value) == np.searchsorted(breaks, value, side="right")


def _sum_in_order(weight, uniforms):
    total = np.zeros(uniforms.shape[1], np.float32)
    for w, u in zip(weight, uniforms, strict=True):
        total = total + w * u
    return total


@pytest.mark.parametrize("n_in", [1, 2, 9, _INPUTS, _INPUTS + 3])
@pytest.mark.parametrize("m", [1, 17, 100, BLOCK])
def test_weighted_sums_to_the_last_bit(n_in, m):
    rng = np.random.default_rng(n_in)
    weight = rng.normal(size=(15, n_in)).astype(np.float32)
    uniforms = rng.uniform(-0.5, 0.5, (n_in, ROW)).astype(np.float32)
    # Of every rest that sixes leave, in any order.
    chosen = rng.permutation(15)
    for first, count in [(14, 1), (3, 2), (0, 3), (5, 4), (1, 5), (9, 6), (2, 13), (0, 15)]:
        sums = np.full((count, ROW), np.nan, np.float32)
        weighted_sums(weight, chosen, first, count, uniforms, m, sums)
        for k, j in enumerate(chosen[first : first + count]):
            np.testing.assert_array_equal(sums[k, :m], _sum_in_order(weight[j], uniforms[:, :m]))


@pytest.mark.parametrize("n_thresholds", [1, 5, 128, 129, 200])
@pytest.mark.parametrize(("start", "stop"), [(0, 300), (7, 12), (500, BLOCK)])
def test_step_codes(n_thresholds, start, stop):
    rng = np.random.default_rng(n_thresholds)
    sums = rng.normal(size=(3, ROW)).astype(np.float32)
    thresholds = np.sort(rng.normal(size=n_thresholds)).astype(np.float32)
    # A sample on a threshold has passed it.
    sums[1, start : start + n_thresholds] = thresholds[: ROW - start]
    codes = rng.integers(0, 65_536, n_thresholds + 4).astype(np.uint16)
    rises = np.diff(codes[3:].astype(np.int32))
    out = np.full((2, ROW), 9, np.uint16)
    step_codes(sums, 1, start, stop, thresholds, rises, n_thresholds, 3, codes, out, 1)
    expected = codes[3 + np.searchsorted(thresholds, sums[1, start:stop], side="right")]
    np.testing.assert_array_equal(out[1, start:stop], expected)
    assert (out[0] == 9).all()
    assert (out[1, :start] == 9).all()
    assert (out[1, stop + LANES - 1 :] == 9).all()


def test_centres_of_cells():
    weight, bias = _layer(5, 4, 3.0)
    middles, cells = np.array([-0.7, 0.1, 0.4, 0.05]), np.random.default_rng(0).integers(0, 4, (30, 5)).astype(np.int32)
    centre = np.full((30, 4), np.nan)
    cell_centres(weight, bias, middles, cells, centre)
    np.testing.assert_allclose(centre, middles[cells] @ weight + bias, rtol=0, atol=1e-14)
    for j in range(4):
        assert centre_of_cell(weight, bias, middles, cells[7], j) == pytest.approx(centre[7, j], abs=1e-14)


@pytest.mark.parametrize(("origin", "size"), [(0, 10), (3, 4), (3, 20), (25, 5)])
def test_samples_of_cells_in_a_block(origin, size):
    numbers, m = np.arange(origin, origin + size), 10
    for cell in range(origin // m, (origin + size - 1) // m + 1):
        start, stop = _samples_of_cell(cell, m, origin, size)
        np.testing.assert_array_equal(numbers[start:stop], numbers[numbers // m == cell])
        assert start < stop


STEPS = {
    "breaks": np.array([[-0.6, 0.0, 0.5], [0.2, np.inf, np.inf]]),
    "sizes": np.array([3, 1]),
    "codes": np.array([[4, 0, 4, 2], [1, 4, 4, 4]], np.uint16),
    "rows": np.array([0, 1, 0, 1]),
}
"""Step functions of four outputs; 4 is the code of what is dropped."""


def _steps_met(centre, reach, row):
    """First and last interval between breakpoints that a pre-activation can be in, from its centre and its reach."""
    own = STEPS["breaks"][row, : STEPS["sizes"][row]]
    passed = np.count_nonzero(own <= centre - reach)
    return passed, passed + np.count_nonzero((own > centre - reach) & (own < centre + reach))


def test_codes_of_outputs_that_do_not_move():
    rng = np.random.default_rng(0)
    centre, reach = rng.normal(size=(3, 4)), np.array([0.05, 0.1, 2.0, 0.0])
    # On a breakpoint, and with one exactly at the end of the reach: neither is inside.
    centre[1, 0], centre[1, 3] = -0.6 + 0.05, 0.2
    moving, out = np.full(4, -1), np.full((4, BLOCK), 9, np.uint16)
    # Twenty samples from the first cell's seventh on.
    m, origin, size = 10, 6, 20
    n_moving = _fill_constant_codes(centre, reach, *STEPS.values(), m, origin, size, moving, out)
    cells = np.arange(origin, origin + size) // m
    expected_moving = []
    for j, row in enumerate(STEPS["rows"]):
        met = [_steps_met(centre[cell, j], reach[j], row) for cell in range(3)]
        if any(first != last for first, last in met):
            expected_moving.append(j)
        else:
            expected = [STEPS["codes"][row][met[cell][0]] for cell in cells]
            np.testing.assert_array_equal(out[j, :size], expected)
    assert moving[:n_moving].tolist() == expected_moving
    assert 2 in expected_moving
    assert {0, 3}.isdisjoint(expected_moving)
    assert (out[:, size:] == 9).all()


def test_cells_in_which_outputs_move_or_are_kept():
    rng = np.random.default_rng(3)
    weight, bias = rng.normal(size=(3, 4)) / 2, np.zeros(4)
    middles, cells = np.linspace(-0.8, 0.8, 6), rng.integers(0, 5, (200, 3)).astype(np.int32)
    reach = np.abs(weight).sum(axis=0) * 0.08
    moving, kept = np.empty(200, np.bool_), np.empty(200, np.bool_)
    breaks, sizes, codes, rows = STEPS.values()
    moving_cells(weight, bias, middles, cells, reach, breaks, sizes, rows, moving)
    open_cells(weight, bias, middles, cells, reach, breaks, sizes, codes, rows, 4, kept)
    centre = middles[cells] @ weight
    for r in range(200):
        met = [_steps_met(centre[r, j], reach[j], row) for j, row in enumerate(rows)]
        assert moving[r] == any(first != last for first, last in met)
        assert kept[r] == all(
            (codes[row, first : last + 1] != 4).any() for row, (first, last) in zip(rows, met, strict=True)
        )
    # Neither test is of one answer only.
    assert 20 < moving.sum() < 180
    assert 20 < kept.sum() < 180


@pytest.mark.parametrize("bins", [1, 2, 3, 8, 1000, 65_535])
def test_input_bins_are_exact(bins):
    # Integers of 24 bits next to the edges of bins, and the two ends.
    edges = np.arange(1, min(bins, 50)) * 2**24 // bins
    k = np.concatenate([[0, 2**24 - 1], edges - 1, edges, edges + 1])
    uniforms = ((k - 2**23 + 0.5) * 2.0**-24).astype(np.float32)[None]
    np.testing.assert_array_equal(uniforms[0].astype(float), (k - 2**23 + 0.5) * 2.0**-24)
    out = np.full((1, len(k) + 1), 9, np.uint16)
    input_codes(uniforms, bins, len(k), out)
    assert out[0, :-1].tolist() == [int(number) * bins // 2**24 for number in k]
    assert out[0, -1] == 9


@pytest.mark.parametrize("count", [1, 700])
def test_codes_of_inputs_and_outputs(count):
    weight, bias = _layer(4, 3, 4.0)
    intervention = _intervention(weight, bias, "tanh", (-1.0, 1.0), (-1.0, 1.0))
    x = -1.0 + 2.0 * (_uniforms(4, Stream.HISTOGRAM, 900, count) + 0.5)
    x_codes, y_codes = intervention.codes_anywhere(Stream.HISTOGRAM, 900, count)
    np.testing.assert_array_equal(x_codes.T, naive.bins_of(x, (-1.0, 1.0), BINS))
    np.testing.assert_array_equal(y_codes.T, naive.bins_of(naive.outputs(x, weight, bias, "tanh"), (-1.0, 1.0), BINS))


def test_outputs_of_step_functions_of_their_own_and_samples_that_are_dropped():
    rng = np.random.default_rng(5)
    weight, bias = rng.normal(size=(3, 4)) / 2, np.array([-0.3, -0.1, -0.2, 0.0])
    stream_keys, firsts, m = neuron_keys(5, (0, 0), Stream.POINTS, 3), [40, 700, 7000], 250
    cells = np.array([[0, 1, 2], [3, 0, 1], [3, 3, 3]], np.int32)
    # Bins 0, 1 and 2 of (-1, 1); 3 stands for the middle of the range, around which inputs move as far as in a bin.
    middles, width = np.array([-2 / 3, 0.0, 2 / 3, 0.0]), 2 / 3
    scale = np.array([0.5, 1.0, 2.0, 0.25])
    scaled = (weight * width * scale).astype(np.float32).T.copy()
    reach = np.abs(weight).sum(axis=0) * width / 2
    keys = np.empty((3, m), np.uint64)
    arguments = (scaled, scale, middles[cells] @ weight + bias, reach, *STEPS.values())
    dense_keys(stream_keys, np.array(firsts), *arguments, 3, 4, keys)
    dropped = 0
    for r in range(3):
        uniforms = np.array([[naive.uniform(stream_keys, i, firsts[r] + t) for i in range(3)] for t in range(m)])
        s = (middles[cells[r]] + width * uniforms) @ weight + bias
        codes = np.empty((m, 4), int)
        for j, row in enumerate(STEPS["rows"]):
            passed = np.searchsorted(STEPS["breaks"][row, : STEPS["sizes"][row]], s[:, j], side="right")
            codes[:, j] = STEPS["codes"][row][passed]
        outside = (codes == 4).any(axis=1)
        dropped += outside.sum()
        expected = np.where(outside, 2**64 - 1, (codes.astype(np.uint64) << np.arange(0, 12, 3, np.uint64)).sum(axis=1))
        np.testing.assert_array_equal(keys[r], expected)
    assert 100 < dropped < 650
