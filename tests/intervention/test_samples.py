"""Samples of interventions against uniforms made one by one: which inputs they are of, which bins they fall into."""

import naive
import numpy as np
import pytest

import ei_fast as ef
from ei_fast.intervention.of_layer import intervention_on
from ei_fast.intervention.rectangles import Rectangles
from ei_fast.intervention.streams import Stream, neuron_keys
from ei_fast.network.binned import BinnedLayer

N_IN, N_OUT, SEED, INDEX = 3, 5, 11, 2
IN_BINS, OUT_BINS = 4, 6
IN_RANGE, OUT_RANGE = (-1.0, 2.0), (-0.75, 0.9)
WEIGHT = np.random.default_rng(3).normal(size=(N_IN, N_OUT))
BIAS = np.linspace(-0.4, 0.4, N_OUT)


def _map(x):
    return np.tanh(x @ WEIGHT + BIAS)


def _intervention(kind, drop=False, inputs=None):
    layers = {
        "dense": ef.Layer(WEIGHT, BIAS, activation="tanh"),
        "function": ef.Function(_map, N_IN, N_OUT, OUT_RANGE),
    }
    binned = BinnedLayer(layers[kind], INDEX, IN_RANGE, OUT_RANGE, IN_BINS, OUT_BINS, drop)
    return intervention_on(binned, SEED, inputs=inputs)


def _inputs(stream, numbers, cell=None):
    """Inputs (n, N_IN) of samples by their numbers: anywhere, or inside a cell; bin IN_BINS of a cell is all bins."""
    keys = neuron_keys(SEED, (INDEX, 0), stream, N_IN)
    unit = np.array([[naive.uniform(keys, i, t) + 0.5 for i in range(N_IN)] for t in numbers])
    width = (IN_RANGE[1] - IN_RANGE[0]) / IN_BINS
    low, wide = np.full(N_IN, IN_RANGE[0]), np.full(N_IN, IN_BINS * width)
    if cell is not None:
        held = np.asarray(cell) < IN_BINS
        low[held] += width * np.asarray(cell)[held]
        wide[held] = width
    return low + wide * unit


def _codes(x, drop=False):
    """Codes (N_OUT, n) of the outputs."""
    return naive.codes_of(_map(x), OUT_RANGE, OUT_BINS, drop).T


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("kind", ["dense", "function"])
class TestSamples:
    def test_anywhere(self, kind, drop):
        do = _intervention(kind, drop)
        x = _inputs(Stream.POOL, range(7, 207))
        x_codes, y_codes = do.codes_anywhere(Stream.POOL, 7, 200)
        np.testing.assert_array_equal(x_codes.T, naive.bins_of(x, IN_RANGE, IN_BINS))
        np.testing.assert_array_equal(y_codes, _codes(x, drop))
        for i in range(N_IN):
            np.testing.assert_array_equal(do.input_codes_anywhere(i, Stream.POOL, 7, 200), x_codes[i])

    def test_inside_cells(self, kind, drop):
        do, m = _intervention(kind, drop), 20
        cells = np.array([[0, 3, 1], [2, 1, 0]], np.int32)
        by_hand = [_codes(_inputs(Stream.POINTS, range(30 + r * m, 30 + (r + 1) * m), cells[r]), drop) for r in (0, 1)]
        # A key stands for the codes of all outputs together: the same where these are the same, and only there.
        for of_cell, codes in zip(do.keys_inside(Stream.POINTS, 30, cells, m).tolist(), by_hand, strict=True):
            kept = (codes < OUT_BINS).all(axis=0)
            states = [tuple(one) if is_kept else () for one, is_kept in zip(codes.T, kept, strict=True)]
            pairs = set(zip(of_cell, states, strict=True))
            assert len(set(of_cell)) == len(set(states)) == len(pairs)

    def test_some_outputs_are_those_of_all(self, kind, drop):
        do = _intervention(kind, drop)
        some = do.restricted([4, 1])
        np.testing.assert_array_equal(
            some.codes_anywhere(Stream.POOL, 0, 50)[1], do.codes_anywhere(Stream.POOL, 0, 50)[1][[4, 1]]
        )

    def test_one_input_alone(self, kind, drop):
        do, n = _intervention(kind, drop), 64
        baseline = np.array([0.3, -0.2, 1.1])
        keys = neuron_keys(SEED, (INDEX, 0), Stream.EDGES, N_IN)
        unit = (np.arange(16, 48) + [naive.uniform(keys, 1, t) + 0.5 for t in range(16, 48)]) / n
        x = np.tile(baseline, (32, 1))
        x[:, 1] = IN_RANGE[0] + (IN_RANGE[1] - IN_RANGE[0]) * unit
        x_codes, y_codes = do.codes_alone(1, baseline, Stream.EDGES, 16, 32, n)
        np.testing.assert_array_equal(x_codes[0], naive.bins_of(x[:, 1], IN_RANGE, IN_BINS))
        np.testing.assert_array_equal(y_codes, _codes(x, drop))


@pytest.mark.parametrize(("kind", "drop"), [("dense", False), ("function", False), ("function", True)])
def test_bins_of_the_samples_that_are_counted(kind, drop):
    do, m = _intervention(kind, drop), 20
    (outputs,) = do.output_groups()
    np.testing.assert_array_equal(
        do.bins_anywhere(outputs, Stream.POOL, 100), _codes(_inputs(Stream.POOL, range(100)), drop)
    )
    cells = np.array([[0, 3, 1], [2, 1, 0]], np.int32)
    for first in (0, 30):
        by_hand = [
            _codes(_inputs(Stream.POINTS, range(first + r * m, first + (r + 1) * m), cells[r]), drop) for r in (0, 1)
        ]
        # Where nothing else is said they are the first samples of the stream.
        bins = do.bins_inside(outputs, Stream.POINTS, cells, m, *([first] if first else []))
        np.testing.assert_array_equal(bins, np.stack(by_hand, axis=1))


@pytest.mark.parametrize("kind", ["dense", "function"])
def test_cells_of_some_inputs(kind):
    do = _intervention(kind, inputs=np.array([0, 2]))
    assert not do.whole_cells
    assert do.log2_cells == 2 * np.log2(IN_BINS)
    cells = do.enumerated_cells(0, IN_BINS**2)
    assert cells.tolist() == [[a, IN_BINS, b] for a in range(IN_BINS) for b in range(IN_BINS)]
    assert do.enumerated_cells(5, 2).tolist() == cells[5:7].tolist()
    drawn = do.drawn_cells(Stream.CELLS, 0, 200)
    assert (drawn[:, 1] == IN_BINS).all()
    # The inputs that are held are where they are in cells of all inputs.
    np.testing.assert_array_equal(drawn[:, [0, 2]], _intervention(kind).drawn_cells(Stream.CELLS, 0, 200)[:, [0, 2]])


def test_a_function_has_ranges_of_each_neuron():
    in_range, out_range = ((-1.0, 1.0), (0.0, 2.0), (3.0, 4.0)), tuple((-0.5, 0.5 + 0.1 * k) for k in range(N_OUT))
    binned = BinnedLayer(ef.Function(_map, N_IN, N_OUT, OUT_RANGE), INDEX, in_range, out_range, IN_BINS, OUT_BINS)
    do = intervention_on(binned, SEED)
    low, high = np.array(in_range).T
    keys = neuron_keys(SEED, (INDEX, 0), Stream.POOL, N_IN)
    unit = np.array([[naive.uniform(keys, i, t) + 0.5 for i in range(N_IN)] for t in range(60)])
    for watched, some in ((do, range(N_OUT)), (do.restricted([3, 0]), [3, 0])):
        y = _map(low + (high - low) * unit)
        by_hand = [naive.bins_of(y[:, j], out_range[j], OUT_BINS) for j in some]
        np.testing.assert_array_equal(watched.codes_anywhere(Stream.POOL, 0, 60)[1], by_hand)
        x = low + (high - low) * (np.array([1, 0, 2]) + unit) / IN_BINS
        inside = watched.codes_inside(Stream.POOL, 0, np.array([[1, 0, 2]], np.int32), 60)[:, 0]
        y = _map(x)
        np.testing.assert_array_equal(inside, [naive.bins_of(y[:, j], out_range[j], OUT_BINS) for j in some])


def test_outputs_with_an_edge_that_matters():
    # Two bins: each state is all below or all above one edge. The third output never leaves its bin.
    weight = np.column_stack([np.eye(2), [1e-3, -1e-3]])
    binned = BinnedLayer(ef.Layer(weight, [0.0, 0.0, 0.9], activation="tanh"), 0, (-1.0, 1.0), (-1.0, 1.0), 8, 2)
    do = intervention_on(binned, 0)
    assert Rectangles(do, inside=False).bounded_outputs(0, 200) == pytest.approx(2.0)
