"""The larger and the smaller of two numbers, in loops of any length."""

import numba
import numpy as np
import pytest

from ei_fast.kernels.extrema import larger, smaller


# Not a kernel of the package, all of which are expected in its cache.
@numba.njit
def _ends(values):
    low, high = np.inf, -np.inf
    for k in range(values.shape[0]):
        low, high = smaller(low, values[k]), larger(high, values[k])
    return low, high


@pytest.mark.parametrize("n", [1, 3, 4, 7, 8, 31, 64, 1000])
def test_of_many(n):
    values = np.random.default_rng(n).normal(size=n)
    assert _ends(values) == (values.min(), values.max())
    values[n // 2] = np.inf
    values[0] = -np.inf if n > 1 else np.inf
    assert _ends(values) == (values.min(), np.inf)


def test_none_at_all():
    assert _ends(np.empty(0)) == (np.inf, -np.inf)
