"""CDFs of sums of inputs with histograms, against inclusion and exclusion with 40 digits; and drawn bins."""

import naive
import naive_histograms
import numpy as np
import pytest

from ei_fast.kernels.drawn_bins import fill_drawn_bins, thresholds_of
from ei_fast.kernels.histogram_sums import Contributions, edge_cdfs


def _histograms(rng, n, bins, alpha=0.5):
    p = rng.dirichlet(np.full(bins, alpha), n)
    p[0, 0] = 0.0
    return p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("n", "bins", "scales"),
    [
        (1, 8, (1.0,)),
        (2, 8, (1.0, 0.7)),
        (2, 5, (1.0, 1e-4)),
        (3, 4, (1.0, 0.9, 0.8)),
        (3, 4, (1.0, 1e-3, 1e-3)),
        (3, 3, (1.0, 1.0, 1e-5)),
        (4, 3, (1.0, 0.5, 0.5, 0.5)),
        (5, 2, (1.0, 1.0, 0.1, 0.1, 0.01)),
        (8, 2, (1.0,) * 8),
    ],
)
def test_cdfs_given_the_bin_of_an_input_are_exact(n, bins, scales):
    rng = np.random.default_rng(n * bins)
    weight = np.array(scales) * rng.choice([-1.0, 1.0], n)
    p = _histograms(rng, n, bins)
    z = np.array([-0.3, 0.02, 0.25]) * np.abs(weight).sum()
    cdfs = edge_cdfs(Contributions(weight, p, 1 / bins), z, n)
    assert cdfs.shape == (n, bins, 3)
    for i in {0, n - 1}:
        for q in {0, bins - 1}:
            truth = [naive_histograms.cdf_given(weight, p, i, q, at) for at in z]
            np.testing.assert_allclose(cdfs[i, q], truth, rtol=0, atol=1e-8 if min(scales) < 0.01 else 1e-11)


@pytest.mark.parametrize("n", [25, 200])
def test_the_bins_of_an_input_add_up_to_one_distribution(n):
    rng = np.random.default_rng(n)
    weight = np.sort(rng.normal(size=n))
    weight = weight[np.argsort(-np.abs(weight))]
    p = _histograms(rng, n, 8)
    cdfs = edge_cdfs(Contributions(weight, p, 1 / 8), np.linspace(-2, 2, 7), n)
    whole = (p[:, :, None] * cdfs).sum(axis=1)
    np.testing.assert_allclose(whole, np.broadcast_to(whole[0], whole.shape), rtol=0, atol=1e-11)
    x = (np.array([rng.choice(8, 40_000, p=row) for row in p]).T + rng.random((40_000, n))) / 8 - 0.5
    sums = x @ weight
    seen = (sums[:, None] < np.linspace(-2, 2, 7)).mean(axis=0)
    assert np.abs(seen - whole[0]).max() < 5 * np.sqrt(0.25 / 40_000)


def test_uniform_histograms_have_the_cdf_of_uniform_inputs():
    weight = np.array([1.0, -0.8, 0.7, 0.6, 0.5, -0.4, 0.3])
    z = np.linspace(-1.5, 1.5, 9)
    cdfs = edge_cdfs(Contributions(weight, np.full((7, 4), 0.25), 0.25), z, 1)
    np.testing.assert_allclose(cdfs.mean(axis=1)[0], naive.uniform_sum_cdf(z, np.abs(weight) / 2), rtol=0, atol=1e-12)


def test_bins_are_drawn_by_their_probabilities_whatever_the_blocks():
    p = np.array([[0.0, 0.5, 0.25, 0.25, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0], [0.2] * 5])
    thresholds, keys = thresholds_of(p), np.array([1, 2, 3, 4], np.uint64)
    drawn = np.empty((50_000, 4), np.int32)
    fill_drawn_bins(keys, np.array([7]), 50_000, thresholds, drawn)
    shares = np.stack([np.bincount(column, minlength=5) for column in drawn.T]) / 50_000
    np.testing.assert_array_equal(shares[p == 0], 0.0)
    assert np.abs(shares - p).max() < 5 * np.sqrt(0.25 / 50_000)
    parts = np.empty((6, 4), np.int32)
    fill_drawn_bins(keys, np.array([1030, 7]), 3, thresholds, parts)
    np.testing.assert_array_equal(parts, drawn[[1023, 1024, 1025, 0, 1, 2]])
    words = np.array([naive.word(keys, 3, 7 + t) for t in range(20)], dtype=float)
    np.testing.assert_array_equal(drawn[:20, 3], np.floor(words / 2**32 * 5))
