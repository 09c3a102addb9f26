"""Kernel tests also run as plain Python, with NUMBA_DISABLE_JIT=1; there uint64 scalars warn when they wrap."""

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def _wrapping_is_meant():
    with np.errstate(over="ignore"):
        yield
