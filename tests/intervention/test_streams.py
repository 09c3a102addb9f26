"""Statistics of the uniforms that the estimators rest on: fixed seeds, tests at the 1e-4 level."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from ei_fast.intervention.streams import Stream, neuron_keys, resolve_seed
from ei_fast.kernels.uniforms import fill_cells, fill_uniforms

LEVEL = 1e-4
N = 200_000


@pytest.fixture(scope="module", params=[0, 1, 12345])
def uniforms(request):
    out = np.empty((9, N), np.float32)
    fill_uniforms(neuron_keys(request.param, (0, 0), Stream.MARGINAL, 9), 0, N, out)
    return out


def _chi2(counts):
    return stats.chisquare(counts.ravel()).pvalue


def test_uniform_on_the_open_interval(uniforms):
    assert np.abs(uniforms).max() < 0.5
    for row in uniforms:
        assert stats.kstest(row + 0.5, "uniform").pvalue > LEVEL
        assert _chi2(np.histogram(row, 1024, (-0.5, 0.5))[0]) > LEVEL


def test_every_bit_is_fair(uniforms):
    k = np.round(uniforms.astype(np.float64) * 2**24 + 2**23 - 0.5).astype(np.int64)
    for bit in range(24):
        ones = (k >> bit & 1).sum(axis=1)
        assert (stats.binom.cdf(ones, N, 0.5) > LEVEL / 2).all()
        assert (stats.binom.sf(ones, N, 0.5) > LEVEL / 2).all()


def _joint(a, b, bins=32):
    return np.histogram2d(a, b, bins, ((-0.5, 0.5), (-0.5, 0.5)))[0]


def test_neighbouring_neurons_are_independent(uniforms):
    for one, other in pairwise(uniforms):
        assert _chi2(_joint(one, other)) > LEVEL
    three = np.histogramdd(uniforms[:3].T, (8, 8, 8), [(-0.5, 0.5)] * 3)[0]
    assert _chi2(three) > LEVEL


@pytest.mark.parametrize("lag", [1, 2, 3, 64, 1024])
def test_neighbouring_counters_are_independent(uniforms, lag):
    for row in uniforms[:2]:
        assert _chi2(_joint(row[:-lag], row[lag:])) > LEVEL
    assert _chi2(_joint(uniforms[0][:-lag], uniforms[1][lag:])) > LEVEL


def test_low_bits_of_neighbours_are_independent(uniforms):
    low = np.round(uniforms.astype(np.float64) * 2**24 + 2**23 - 0.5).astype(np.int64) & 31
    for one, other in ((low[0, :-1], low[0, 1:]), (low[0], low[1]), (low[1], low[2])):
        assert _chi2(np.bincount(one * 32 + other, minlength=1024)) > LEVEL


def test_sums_over_neurons_have_the_right_variance(uniforms):
    # Any correlation among the nine would show in the variance of their sum, 9/12.
    total = uniforms.astype(np.float64).sum(axis=0)
    kurtosis = 3 - 1.2 / 9
    assert abs(total.var() / 0.75 - 1) < 4 * np.sqrt((kurtosis - 1) / N)


def test_cells_are_uniform_and_independent():
    cells = np.empty((N, 4), np.int32)
    fill_cells(neuron_keys(3, (0, 0), Stream.CELLS, 4), 0, 8, cells)
    index = cells @ 8 ** np.arange(4)
    assert _chi2(np.bincount(index, minlength=8**4)) > LEVEL
    assert _chi2(np.bincount(index[:-1] % 64 * 64 + index[1:] % 64, minlength=8**4)) > LEVEL


def test_streams_layers_and_seeds_differ():
    keys = [
        tuple(neuron_keys(seed, place, stream, 4))
        for seed in (0, 1, 2**100)
        for place in ((0, 0), (1, 0), (0, 1))
        for stream in Stream
    ]
    assert len({key for layer in keys for key in layer}) == 4 * len(keys)


def test_a_neurons_key_does_not_depend_on_how_many_there_are():
    few, many = neuron_keys(7, (0, 0), Stream.POINTS, 4), neuron_keys(7, (0, 0), Stream.POINTS, 400)
    np.testing.assert_array_equal(few, many[:4])


def test_seeds():
    assert resolve_seed(5, "f") == resolve_seed(np.int64(5), "f") == 5
    assert resolve_seed(np.random.SeedSequence(1), "f") == resolve_seed(np.random.SeedSequence(1), "f")
    generator = np.random.default_rng(1)
    assert resolve_seed(generator, "f") != resolve_seed(generator, "f")
    assert resolve_seed(None, "f") != resolve_seed(None, "f")
    with pytest.raises(ValueError, match=r"'random_state' parameter of f must be .* Got -1"):
        resolve_seed(-1, "f")
    for bad in (1.0, "1", True, np.random.RandomState(0)):
        with pytest.raises(TypeError, match="'random_state' parameter of f must be"):
            resolve_seed(bad, "f")


def test_seeds_of_generators_are_those_that_earlier_versions_made_of_them():
    # Four words of 32 bits each, so that figures can be found again.
    assert resolve_seed(np.random.default_rng(1), "f") == 323426036258213350132837265928416847103
    assert resolve_seed(np.random.SeedSequence(1), "f") == 184604907047474905646082804055624094207
