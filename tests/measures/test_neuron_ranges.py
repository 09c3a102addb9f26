"""out_range="neuron": every neuron binned over a range of its own, and the next layer's inputs over theirs."""

from itertools import product

import naive
import numpy as np
import pytest

import ei_fast as ef

BINS = 6


def _layer(n_in, n_out, activation, seed=0):
    """Outputs that differ in scale by powers of ten."""
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-2, 2, n_out)
    return ef.Layer(rng.uniform(-1, 1, (n_in, n_out)) * scale, rng.uniform(-1, 1, n_out) * scale, activation)


def _joint_ei_on_a_grid(layer, in_ranges, out_ranges, points):
    """EI in bits, every neuron over its range: `naive.joint_ei_on_a_grid` does the same with one range for all."""
    (in_low, in_high), (out_low, out_high) = in_ranges.T, out_ranges.T
    inner = np.array(list(product((np.arange(points) + 0.5) / points, repeat=layer.n_in)))
    inside, pooled = [], []
    for cell in product(range(BINS), repeat=layer.n_in):
        x = in_low + (in_high - in_low) * (np.array(cell) + inner) / BINS
        y = naive.outputs(x, layer.weight, layer.bias, layer.activation.name)
        codes = naive.bins_of((y - out_low) / (out_high - out_low), (0.0, 1.0), BINS)
        inside.append(naive.entropy(codes))
        pooled.append(codes)
    return naive.entropy(np.concatenate(pooled)) - np.mean(inside)


@pytest.mark.parametrize("activation", ["linear", "relu", "gelu", "sigmoid"])
@pytest.mark.slow
def test_every_measure_against_the_oracle(activation):
    first, second = _layer(2, 2, activation), _layer(2, 3, activation, seed=3)
    reports = ef.analyze(ef.Network([first, second]), bins=BINS, out_range="neuron", random_state=0)
    assert np.shape(reports[0].out_range) == (2, 2)
    assert reports[0].out_range == reports[1].in_range
    for layer, report in zip((first, second), reports, strict=True):
        in_ranges = np.broadcast_to(report.in_range, (2, 2)).astype(float)
        out_ranges = np.array(report.out_range)
        expected = _joint_ei_on_a_grid(layer, in_ranges, out_ranges, points=200)
        assert abs(report.ei - expected) < 4 * report.ei_stderr + 0.002
        for j in range(layer.n_out):
            # The same output alone, its inputs scaled to (0, 1) by hand.
            low, width = in_ranges[:, 0], in_ranges[:, 1] - in_ranges[:, 0]
            weight, bias = layer.weight[:, j] * width, layer.bias[j] + low @ layer.weight[:, j]
            for i in range(2):
                edge = report.ei_parts_matrix[i, j]
                limits = tuple(out_ranges[j])
                assert edge == pytest.approx(
                    naive.parts_of_edge(i, weight, bias, activation, (0.0, 1.0), BINS, limits, BINS), abs=2e-9
                )
                # The other input stands at 0, in its own coordinates.
                constant = layer.bias[j]
                expected = naive.edge_information(
                    layer.weight[i, j], constant, activation, tuple(in_ranges[i]), BINS, limits, BINS
                )
                assert report.sensitivity_matrix[i, j] == pytest.approx(expected, abs=1e-3)


def test_the_scale_of_single_neurons_changes_nothing():
    rng = np.random.default_rng(0)
    weight, bias = rng.uniform(-1, 1, (8, 4)), rng.uniform(-1, 1, 4)
    following = rng.uniform(-1, 1, (4, 3))
    scale = 2.0 ** np.array([-9, 3, 0, 12])
    plain = ef.Network([ef.Layer(weight, bias, "relu"), ef.Layer(following, activation="linear")])
    scaled = ef.Network(
        [ef.Layer(weight * scale, bias * scale, "relu"), ef.Layer(following / scale[:, None], activation="linear")]
    )
    reports = [ef.analyze(net, out_range="neuron", random_state=0) for net in (plain, scaled)]
    for one, other in zip(*reports, strict=True):
        assert (one.ei, one.sensitivity, one.ei_parts) == (other.ei, other.sensitivity, other.ei_parts)
    # Over one range for all of them the small ones vanish in a bin.
    assert ef.analyze(scaled, random_state=0)[0].ei < ef.analyze(plain, random_state=0)[0].ei - 1


def test_exact_and_simulated_measures_agree():
    net = ef.Network([_layer(4, 3, "gelu"), _layer(3, 2, "relu", seed=1)])
    params = {"out_range": "neuron", "baseline": 0.3, "random_state": 0}
    exact = ef.analyze(net, **params)
    sampled = ef.analyze(net, pairwise="histogram", n_samples=2**18, **params)
    for one, other in zip(exact, sampled, strict=True):
        assert abs(one.ei_parts - other.ei_parts) < 4 * other.ei_parts_stderr
        assert abs(one.sensitivity - other.sensitivity) < 4 * other.sensitivity_stderr + 1e-9


@pytest.mark.parametrize("baseline", [0.0, 0.3])
def test_the_baseline_is_a_value_of_the_inputs_wherever_their_ranges_lie(baseline):
    layer = ef.Layer([[1.5, -0.6], [0.4, 0.9]], [-2.0, 1.0], "tanh")
    # Inputs on (3, 5) and (-1, 0).
    net = ef.Network([ef.Layer([[2.0, 1.0]], [3.0, -1.0], "linear"), layer])
    report = ef.analyze(net, bins=BINS, out_range="neuron", baseline=baseline, random_state=0)[1]
    np.testing.assert_allclose(report.in_range, [(3.0, 5.0), (-1.0, 0.0)])
    out_ranges = np.broadcast_to(report.out_range, (2, 2))
    for i, j in product(range(2), range(2)):
        constant = layer.bias[j] + baseline * layer.weight[1 - i, j]
        task = (report.in_range[i], BINS, tuple(out_ranges[j]), BINS)
        expected = naive.edge_information(layer.weight[i, j], constant, "tanh", *task)
        assert report.sensitivity_matrix[i, j] == pytest.approx(expected, abs=1e-3)


def test_a_function_after_such_a_layer_takes_its_inputs_over_their_ranges():
    layer = _layer(3, 2, "linear")
    ranges = ef.Network([layer]).ranges(out_range="neuron")[0][1]
    seen = []

    def fn(x):
        seen.append((x.min(axis=0), x.max(axis=0)))
        return np.tanh(x)

    block = ef.Function(fn, 2, 2, (-1.0, 1.0))
    report = ef.analyze(ef.Network([layer, block]), out_range="neuron", pairwise="none", random_state=0)[1]
    assert report.in_range == ranges
    low, high = np.min([a for a, _ in seen], axis=0), np.max([b for _, b in seen], axis=0)
    np.testing.assert_allclose(np.stack([low, high], axis=1), ranges, rtol=1e-2)
    assert (low >= np.array(ranges)[:, 0]).all()
    assert (high <= np.array(ranges)[:, 1]).all()


def test_equal_weights_over_different_ranges_are_not_one_output():
    # Two identities, one binned over its whole range, one over its lower half.
    binned = ef.Layer([[1.0, 1.0]], activation="linear")
    estimator = ef.EffectiveInformation(bins=(4, 2), activation="linear")
    network, settings, ranges_and_seed = estimator.check(binned)
    ranges = (((0.0, 1.0), ((0.0, 1.0), (0.0, 0.5))),)
    report = estimator.measure(network, settings, type(ranges_and_seed)(ranges, 0))[0]
    # The first tells x < 1/2, the second x < 1/4: as "two thresholds" among the known answers.
    assert report.ei == pytest.approx(1.5, abs=1e-12)


def test_ranges_that_together_hold_all_values_need_not_do_so_each():
    # The second output is binned over a tenth of what it reaches; the first one's range holds all that there can be.
    layer = ef.Layer([[4.0, 4.0]], [-2.0, -2.0], "hard_tanh")
    estimator = ef.EffectiveInformation(bins=4)
    network, settings, ranges_and_seed = estimator.check(layer)
    ranges = (((0.0, 1.0), ((-1.0, 1.0), (0.0, 0.1))),)
    report = estimator.measure(network, settings, type(ranges_and_seed)(ranges, 0))[0]
    # Half of the inputs lead below 0, 47.5 in 100 above 0.1: on average over both outputs.
    assert report.share_outside == pytest.approx((0.5 + 0.475) / 2, abs=1e-9)
    assert "outputs outside range" in report.flags


def test_a_report_with_such_ranges_is_saved_and_shown(tmp_path):
    report = ef.analyze(_layer(3, 2, "relu"), out_range="neuron", random_state=0)
    report.save(tmp_path / "report.npz")
    again = ef.Report.load(tmp_path / "report.npz")
    assert again[0].out_range == report[0].out_range
    frame = report.to_frame()
    low, high = np.array(report[0].out_range)[:, 0].min(), np.array(report[0].out_range)[:, 1].max()
    assert (frame["out_range_low"][0], frame["out_range_high"][0]) == (low, high)
