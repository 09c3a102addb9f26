"""The intervention on a dense layer against the floor: a bare forward pass in NumPy over as many samples."""

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.intervention.do import DenseIntervention
from ei_fast.intervention.streams import Stream
from ei_fast.measures.entropy import entropy_of_keys, estimator_named

LAYERS = [(6, 6), (25, 6), (100, 30)]
N = 100_000
BATCH = 10_000


def _weight(n_in, n_out):
    return np.random.default_rng(0).uniform(-1, 1, (n_in, n_out)) / np.sqrt(n_in)


def _forward(weight, rng):
    weight = weight.astype(np.float32)
    for _ in range(N // BATCH):
        x = rng.random((BATCH, len(weight)), dtype=np.float32)
        y = 1 / (1 + np.exp(-(x @ weight)))
    return y


def _first_output_entropy(codes):
    counts = np.bincount(codes)
    p = counts[counts > 0] / counts.sum()
    return -(p * np.log2(p)).sum()


@pytest.mark.parametrize(("n_in", "n_out"), LAYERS)
def test_bare_forward_pass(benchmark, n_in, n_out):
    benchmark.group = f"{n_in}->{n_out}, {N:,} samples"
    y = benchmark(_forward, _weight(n_in, n_out), np.random.default_rng(0))
    assert y.shape == (BATCH, n_out)


@pytest.mark.parametrize(("n_in", "n_out"), LAYERS)
def test_intervention(benchmark, n_in, n_out):
    benchmark.group = f"{n_in}->{n_out}, {N:,} samples"
    steps = ef.Activation("sigmoid").steps((0.0, 1.0), 8)
    do = DenseIntervention(_weight(n_in, n_out), np.zeros(n_out), steps, (0.0, 1.0), 8, 0, (0, 0))
    keys = benchmark(do.keys_anywhere, Stream.MARGINAL, 0, N)
    # Both simulate the same layer: the first output's entropy agrees to sampling noise of 1e4 samples.
    y = _forward(_weight(n_in, n_out), np.random.default_rng(0))[:, 0]
    first = do.restricted([0]).keys_anywhere(Stream.MARGINAL, 0, N)
    expected = _first_output_entropy((y * 8).astype(int))
    assert entropy_of_keys(first, estimator_named("auto")).value == pytest.approx(expected, abs=0.05)
    assert len(keys) == N


@pytest.mark.parametrize(("n_in", "n_out"), LAYERS[:2])
def test_report(benchmark, n_in, n_out):
    benchmark.group = "report at the default tol"
    (layer,) = benchmark(ef.analyze, _weight(n_in, n_out), random_state=0)
    assert layer.ei_stderr < 0.01
