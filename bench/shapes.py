"""The layers that are timed."""

import numpy as np

WIDTHS = [(2, 2), (4, 4), (6, 6), (25, 6), (100, 30), (784, 128)]
SEED_NETWORK = [(25, 6), (6, 6), (6, 6), (6, 5)]


def weight_of(n_in: int, n_out: int) -> np.ndarray:
    """Uniform in ±1/sqrt(n_in), as the networks of the paper start."""
    return np.random.default_rng(0).uniform(-1, 1, (n_in, n_out)) / np.sqrt(n_in)
