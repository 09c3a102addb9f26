"""The kernels that count pairs, against NumPy."""

import numpy as np
import pytest
from scipy.special import digamma

from ei_fast.kernels.pairs import count_pairs, pair_sums
from ei_fast.measures.counting.estimators import digamma_table


@pytest.mark.parametrize("table", [8, 4096])
def test_pairs_are_counted(table):
    rng = np.random.default_rng(0)
    states, codes = rng.integers(0, 50, 3000).astype(np.int32) ** 2 // 60, rng.integers(0, 5, 3000).astype(np.uint16)
    states = states.astype(np.int32)
    counts = np.zeros((states.max() + 1) * 5, np.int32)
    count_pairs(states, codes, 5, counts)
    np.testing.assert_array_equal(counts, np.bincount(states * 5 + codes, minlength=len(counts)))
    of_bins, sums = np.empty(5, np.int64), np.empty(6)
    pair_sums(counts, 5, digamma_table(table), of_bins, sums)
    np.testing.assert_array_equal(of_bins, np.bincount(codes))
    met = counts[counts > 0]
    expected = [3000, len(met), *((met == c).sum() for c in (1, 2, 3))]
    np.testing.assert_array_equal(sums[:5], expected)
    # Beyond the table stands the asymptotic series, whose next term is 1 / (120 c**4).
    error = 1e-12 if table > 3000 else float(np.sum(met[met >= table] ** -3.0)) / 80
    assert sums[5] == pytest.approx(float(met @ digamma(met)) / np.log(2), abs=error + 1e-9)
