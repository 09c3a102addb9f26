"""What all tests share."""

import os

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
# Read when Keras is imported; tests of Keras run in processes of other backends as well.
os.environ.setdefault("KERAS_BACKEND", "torch")
# Read when JAX is: nothing runs long enough to be worth optimising.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")


@pytest.fixture
def random_weight():
    """Weights uniform in ±scale/sqrt(n_in), as the networks of the paper start."""

    def make(n_in, n_out, scale=1.0, seed=0):
        return np.random.default_rng(seed).uniform(-1, 1, (n_in, n_out)) * scale / np.sqrt(n_in)

    return make


@pytest.fixture
def no_work(monkeypatch):
    """Any measurement fails."""

    def work(*args, **kwargs):
        pytest.fail("work was begun before the input was checked")

    monkeypatch.setattr("ei_fast.estimator.layers.measure_layer", work)
