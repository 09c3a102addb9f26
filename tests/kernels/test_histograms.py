"""Joint histograms against numpy.add.at, and the information in them against the estimators written out."""

import naive
import numpy as np
import pytest

from ei_fast.kernels.histograms import (
    _entropy,
    _pointwise_information,
    add_influence,
    add_to_histograms,
    histogram_information,
    histograms_information,
    single_input_codes,
)
from ei_fast.kernels.keys import NEVER
from ei_fast.measures.counting.estimators import estimator_named

IN_BINS, OUT_BINS, OUTSIDE = 4, 3, 3
ESTIMATORS = ["plugin", "miller-madow", "grassberger", "chao-shen"]
LN2 = np.log(2.0)


def _estimator(name, size):
    """Table, parity, state term and whether it is Chao and Shen's: what kernels take."""
    return tuple(estimator_named(name).histogram_tables(size))


@pytest.fixture(params=[NEVER, OUTSIDE])
def samples(request):
    rng = np.random.default_rng(1)
    x_codes = rng.integers(0, IN_BINS, (3, 500)).astype(np.uint16)
    y_codes = ((x_codes[:2] + rng.integers(0, 2, (2, 500))) % (OUT_BINS + (request.param == OUTSIDE))).astype(np.uint16)
    if request.param == NEVER:
        y_codes %= OUT_BINS
    return x_codes, y_codes, request.param


def _histograms(x_codes, y_codes, outside):
    histograms = np.zeros((len(x_codes), len(y_codes), IN_BINS, OUT_BINS), np.int32)
    for i, x in enumerate(x_codes):
        for j, y in enumerate(y_codes):
            kept = y != outside
            np.add.at(histograms[i, j], (x[kept], y[kept]), 1)
    return histograms


def test_histograms_are_counted_exactly(samples):
    expected = _histograms(*samples)
    histograms = np.ones_like(expected)
    add_to_histograms(*samples, histograms)
    np.testing.assert_array_equal(histograms, expected + 1)
    assert (samples[2] == NEVER) == (expected.sum(axis=(2, 3)) == 500).all()


def test_codes_of_a_single_input():
    rng = np.random.default_rng(0)
    weight, constants, uniforms = rng.normal(size=4), rng.normal(size=4), rng.uniform(-0.5, 0.5, 200).astype(np.float32)
    breaks, sizes = np.array([[-0.5, 0.1, 0.6], [0.0, np.inf, np.inf]]), np.array([3, 1])
    codes, rows = np.array([[0, 2, 1, 0], [1, 0, 0, 0]], np.uint16), np.array([0, 1, 0, 1])
    # The third output lies on its second breakpoint for all samples, which belongs to the interval above.
    weight[2], constants[2] = 0.0, 0.1
    y_codes = np.full((4, 200), 9, np.uint16)
    single_input_codes(weight, constants, -1.0, 3.0, uniforms, breaks, sizes, codes, rows, y_codes)
    x = -1.0 + 3.0 * (uniforms.astype(float) + 0.5)
    for j, row in enumerate(rows):
        passed = np.searchsorted(breaks[row, : sizes[row]], weight[j] * x + constants[j], side="right")
        np.testing.assert_array_equal(y_codes[j], codes[row][passed])
    assert (y_codes[2] == 1).all()


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("counts", [[3, 0, 1, 1, 9, 2], [1, 1, 1], [0, 7], [0, 0], [64, 301, 1024]])
def test_entropy(name, counts):
    counts = np.array(counts)
    # The table ends below 64: beyond, log2 is off Grassberger's G by less than 1 / c**2.
    bits, n_states = _entropy(counts, *_estimator(name, 64))
    seen = counts[counts > 0]
    assert n_states == len(seen)
    if len(seen) < 2:
        assert bits == 0.0
    else:
        error = 1 / 64**2 / LN2 if name == "grassberger" and counts.max() >= 64 else 1e-12
        assert bits == pytest.approx(naive.entropy_by(name, seen), abs=error)


def test_beyond_the_table_an_odd_count_is_as_the_even_one_below_it():
    table = np.zeros(1)
    odd, even = np.array([65, 101]), np.array([64, 100])
    for parity, expected in ((1, even), (0, odd)):
        bits, _ = _entropy(odd, table, parity, 0.0, False)
        assert bits == pytest.approx(np.log2(166) - (odd @ np.log2(expected)) / 166, abs=1e-13)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_information_of_every_edge(samples, name):
    histograms = _histograms(*samples)
    bits, freedom, kept = np.full((3, 2), np.nan), np.zeros((3, 2), np.int64), np.zeros((3, 2), np.int64)
    histograms_information(histograms, *_estimator(name, 1000), bits, freedom, kept)
    for i in range(3):
        for j in range(2):
            histogram = histograms[i, j]
            assert bits[i, j] == pytest.approx(naive.information_by(name, histogram), abs=1e-12)
            x_states, y_states = (np.count_nonzero(histogram.sum(axis=axis)) for axis in (1, 0))
            assert freedom[i, j] == (x_states - 1) * (y_states - 1)
            assert kept[i, j] == histogram.sum()


def test_histograms_that_tell_nothing():
    estimator = _estimator("miller-madow", 100)
    bits, freedom, kept = histogram_information(np.zeros((2, 3), np.int32), *estimator)
    assert np.isnan(bits)
    assert (freedom, kept) == (0, 0)
    single_x, single_y = np.array([[0, 0, 0], [4, 5, 6]], np.int32), np.array([[0, 4, 0], [0, 5, 0]], np.int32)
    assert histogram_information(single_x, *estimator) == (0.0, 0, 15)
    assert histogram_information(single_y, *estimator) == (0.0, 0, 9)


def test_pointwise_information():
    histogram = np.array([[4, 0, 1], [2, 8, 0]], np.int32)
    bits = np.full((2, 3), 9.0)
    mean, kept = _pointwise_information(histogram, np.full(2, 9.0), np.full(3, 9.0), bits)
    p = histogram / 15
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
    expected = np.log2(np.where(p > 0, p / independent, 1.0))
    np.testing.assert_allclose(bits, expected, rtol=0, atol=1e-14)
    assert mean == pytest.approx(naive.information_by("plugin", histogram), abs=1e-14)
    assert kept == 15


def test_influence(samples):
    x_codes, y_codes, outside = samples
    histograms = _histograms(*samples)
    n_samples = 500
    # Only some of the samples are asked for.
    got = np.ones(120)
    add_influence(x_codes[:, :120].copy(), y_codes[:, :120].copy(), outside, histograms, n_samples, got)
    expected = np.ones(n_samples)
    for i in range(3):
        for j in range(2):
            p = histograms[i, j] / histograms[i, j].sum()
            kept = y_codes[j] != outside
            x, y = x_codes[i, kept], y_codes[j, kept]
            information = np.log2(p[x, y] / (p.sum(axis=1)[x] * p.sum(axis=0)[y]))
            expected[kept] += (information - information.mean()) / kept.mean()
    np.testing.assert_allclose(got, expected[:120], rtol=0, atol=1e-11)


def test_influence_is_what_leaving_a_sample_out_changes(samples):
    """Of n samples, n times the change of the plug-in information is the influence, to first order in 1 / n."""
    x_codes, y_codes, outside = samples
    x_codes, y_codes = np.tile(x_codes[:1], 20), np.tile(y_codes[:1], 20)
    n = x_codes.shape[1]
    histograms = _histograms(x_codes, y_codes, outside)
    influence = np.zeros(n)
    add_influence(x_codes, y_codes, outside, histograms, n, influence)
    kept = histograms[0, 0].sum()
    whole = naive.information_by("plugin", histograms[0, 0])
    # To second order each entropy changes by up to 1 / (2 c) nats more, c being the samples of the rarest state.
    error = 3 / (2 * histograms[0, 0][histograms[0, 0] > 0].min() * LN2)
    assert error < 0.01
    for t in range(40):
        if y_codes[0, t] != outside:
            without = histograms[0, 0].copy()
            without[x_codes[0, t], y_codes[0, t]] -= 1
            change = (whole - naive.information_by("plugin", without)) * (kept - 1)
            assert influence[t] * kept / n == pytest.approx(change, abs=error)
