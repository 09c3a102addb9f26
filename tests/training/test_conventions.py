"""A small ReLU network as people train them, measured under each convention of ranges, against the oracle."""

from itertools import pairwise

import naive
import numpy as np
import pytest
from sklearn.datasets import load_digits

import ei_fast as ef

WIDTHS, ACTIVATIONS, BINS, EPOCHS = (8, 6, 6, 4), ("relu", "relu", "linear"), 8, 60
RECORDS = range(0, EPOCHS, 6)
CONVENTIONS = ("each", "first", "all")


def _trained():
    """Weights and biases (layers) before every epoch: Adam on the row means of the digits 0 to 3, cross-entropy."""
    digits = load_digits(n_class=4)
    x, target = digits.images.mean(axis=2) / 16, np.eye(4)[digits.target]
    rng = np.random.default_rng(0)
    parameters = []
    for n_in, n_out in pairwise(WIDTHS):
        parameters += [rng.normal(0, np.sqrt(2 / n_in), (n_in, n_out)), np.zeros(n_out)]
    mean, square, t = [0.0] * 6, [0.0] * 6, 0
    for _ in range(EPOCHS):
        yield [(parameters[k].copy(), parameters[k + 1].copy()) for k in (0, 2, 4)]
        for batch in np.array_split(rng.permutation(len(x)), 20):
            values = [x[batch]]
            for k, activation in zip((0, 2, 4), ACTIVATIONS, strict=True):
                s = values[-1] @ parameters[k] + parameters[k + 1]
                values.append(np.maximum(s, 0) if activation == "relu" else s)
            p = np.exp(values[-1] - values[-1].max(axis=1, keepdims=True))
            back = (p / p.sum(axis=1, keepdims=True) - target[batch]) / len(batch)
            gradients = [None] * 6
            for k in (4, 2, 0):
                gradients[k], gradients[k + 1] = values[k // 2].T @ back, back.sum(axis=0)
                back = (back @ parameters[k].T) * (values[k // 2] > 0)
            t += 1
            for k, gradient in enumerate(gradients):
                mean[k] = 0.9 * mean[k] + 0.1 * gradient
                square[k] = 0.999 * square[k] + 0.001 * gradient**2
                step = mean[k] / (1 - 0.9**t) / (np.sqrt(square[k] / (1 - 0.999**t)) + 1e-8)
                parameters[k] = parameters[k] - 0.01 * step


def _network(weights):
    return ef.Network([ef.Layer(w, b, f) for (w, b), f in zip(weights, ACTIVATIONS, strict=True)])


def _ranges(networks):
    """The ranges of every record under each convention, from those of the records alone."""
    each = [network.ranges() for network in networks]
    ends = np.array(each)
    union = np.stack([ends[..., 0].min(axis=0), ends[..., 1].max(axis=0)], axis=-1)
    everywhere = [tuple((tuple(a), tuple(b)) for a, b in union.tolist())] * len(each)
    return {"each": each, "first": [each[0]] * len(each), "all": everywhere}


@pytest.fixture(scope="module")
def training():
    """The networks that are recorded, and what was recorded of them under "each"."""
    networks = [_network(weights) for epoch, weights in enumerate(_trained()) if epoch in RECORDS]
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0), keep_weights=True)
    for step, network in zip(RECORDS, networks, strict=True):
        recorder.record(network, step=step)
    return networks, recorder.trajectory_


def _same(one, other):
    for name in ("ei", "ei_stderr", "ei_low", "ei_high", "sensitivity", "degeneracy", "ei_parts", "phi_ff"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.flags == other.flags


@pytest.mark.parametrize("convention", ["each", "first"])
def test_measured_anew_is_what_was_recorded_to_the_last_bit(training, convention):
    networks, kept = training
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0), ranges=convention)
    for step, network in zip(RECORDS, networks, strict=True):
        recorder.record(network, step=step)
    _same(kept.remeasure(ranges=convention), recorder.trajectory_)


def _check_against_the_oracle(training, records, n_cells, m, n):
    networks, kept = training
    expected_ranges = _ranges(networks)
    for convention in CONVENTIONS:
        measured = kept.remeasure(ranges=convention)
        for t in records:
            for k, layer in enumerate(networks[t]):
                in_range, out_range = expected_ranges[convention][t][k]
                task = (layer.weight, layer.bias, layer.activation.name, in_range, BINS, out_range, BINS)
                rng = np.random.default_rng(t)
                expected, error = naive.joint_ei_by_sampling(*task, rng, n_cells, m, n, n_control=100_000)
                assert abs(measured.ei[t, k] - expected) < 4 * np.hypot(error, measured.ei_stderr[t, k]) + 0.01
                edges = [
                    naive.edge_information(layer.weight[i, j], layer.bias[j], *task[2:])
                    for i in range(layer.n_in)
                    for j in range(layer.n_out)
                ]
                assert measured.sensitivity[t, k] == pytest.approx(sum(edges), abs=1e-3 * len(edges))


@pytest.mark.slow
@pytest.mark.parametrize("record", [0, pytest.param(4, marks=pytest.mark.slow), 9])
def test_first_middle_and_last_record_equal_the_oracles(training, record):
    _check_against_the_oracle(training, [record], n_cells=256, m=1024, n=500_000)


@pytest.mark.endurance
def test_ten_records_equal_the_oracles(training):
    _check_against_the_oracle(training, range(10), n_cells=2048, m=1024, n=4_000_000)


def test_the_conventions_tell_different_stories(training):
    _, kept = training
    stories = {convention: kept.remeasure(ranges=convention).ei[:, 0] for convention in CONVENTIONS}
    # One ruler that nothing leaves sees little of the small weights of the beginning; the first one is left.
    assert stories["all"][0] < stories["each"][0]
    assert stories["first"][0] == stories["each"][0]
    assert stories["first"][-1] != stories["each"][-1]
