"""Entropies of distributions that are given as tables."""

import numpy as np
from numpy.typing import NDArray


def entropies_of(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """-sum of p log2 p of every row of `p` (r, n), in bits where it adds up to 1; what is 0 adds nothing."""
    logs = np.zeros_like(p)
    np.log2(p, out=logs, where=p > 0)
    bits: NDArray[np.float64] = 0.0 - (p * logs).sum(axis=1)
    return bits
