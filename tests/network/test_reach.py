"""The range of outputs that nobody has given: what the layer reaches under do(L1 = H^max)."""

import naive
import numpy as np
import pytest
from slow_cases import some_slow

import ei_fast as ef
from ei_fast.network.reach import REACH

UNBOUNDED = ["linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "softplus", "hard_silu"]


def _range(layer, in_range=(-1.0, 1.0), **how):
    return ef.Network([layer], in_range).ranges(**how)[0][1]


def _random_layer(n_in, n_out, activation, seed=0):
    rng = np.random.default_rng(seed)
    return ef.Layer(rng.uniform(-1, 1, (n_in, n_out)) / np.sqrt(n_in), rng.uniform(-0.3, 0.3, n_out), activation)


@pytest.mark.parametrize("n_in", [2, 5, 40])
def test_the_ends_are_quantiles_of_the_exact_distribution(n_in):
    layer = _random_layer(n_in, 1, "linear")
    low, high = _range(layer)
    widths = np.abs(layer.weight[:, 0])
    below, above = naive.uniform_sum_cdf(np.array([low, high]) - layer.bias[0], widths)
    assert below == pytest.approx(REACH, rel=1e-6)
    assert 1 - above == pytest.approx(REACH, rel=1e-6)


@pytest.mark.parametrize("activation", UNBOUNDED)
def test_hardly_anything_lies_beyond_and_hardly_any_room_is_left(activation):
    layer = _random_layer(30, 5, activation)
    low, high = _range(layer)
    y = layer(np.random.default_rng(1).uniform(-1, 1, (400_000, 30)))
    # Of each output at most REACH on either side; the widest one's quantile is the end.
    beyond = (y < low).mean(axis=0), (y > high).mean(axis=0)
    noise = 5 * np.sqrt(REACH / len(y))
    assert max(map(np.max, beyond)) < REACH + noise
    assert np.max(beyond[1]) > REACH - noise
    assert _range(layer, out_range="hull")[1] > high


def test_an_atom_is_a_quantile():
    # Half of the pre-activations are negative: the lower end is ReLU's 0, exactly.
    assert _range(_random_layer(30, 5, "relu"))[0] == 0.0


def test_what_one_input_alone_moves_reaches_its_hull():
    for activation in ("linear", "relu", "leaky_relu"):
        assert _range(ef.Layer(np.eye(3), activation=activation), (0.0, 1.0)) == (0.0, 1.0)
        report = ef.analyze(np.eye(3), activation=activation, bins=10)[0]
        assert report.ei == pytest.approx(3 * np.log2(10), abs=1e-9)


def test_bounded_activations_keep_their_codomain():
    for activation, codomain in (("sigmoid", (0.0, 1.0)), ("tanh", (-1.0, 1.0)), ("relu6", (0.0, 6.0))):
        assert _range(_random_layer(4, 2, activation)) == codomain
        assert _range(_random_layer(4, 2, activation), out_range="hull") == codomain


def test_ranges_do_not_grow_from_layer_to_layer_beyond_what_is_seen():
    rng = np.random.default_rng(0)
    layers = [ef.Layer(rng.uniform(-1, 1, (64, 64)) / 8, activation="relu") for _ in range(6)]
    net = ef.Network(layers)
    x = rng.uniform(size=(20_000, 64))
    for layer in layers:
        x = layer(x)
    # Each layer's inputs are taken as independent and uniform over their range: more than they are, but not by powers.
    assert net.ranges(out_range="hull")[-1][1][1] > 100
    assert x.max() < net.ranges()[-1][1][1] < 8


def test_a_given_range_wins_over_any_rule():
    layer = ef.Layer(np.eye(2), activation="relu", out_range=(0.0, 7.0))
    assert _range(layer, out_range="hull") == _range(layer, out_range="neuron") == (0.0, 7.0)


def test_scale_is_all_that_a_scaled_layers_range_changes_by():
    layer = _random_layer(12, 3, "linear")
    low, high = _range(layer)
    for factor in (2.0**-1000, 2.0**900):
        scaled = ef.Layer(layer.weight * factor, layer.bias * factor, "linear")
        assert _range(scaled) == (low * factor, high * factor)


def _drawn(layer, low=-1.0, high=1.0):
    x = low + (high - low) * np.random.default_rng(0).random((10_000, layer.n_in))
    return naive.outputs(x, layer.weight, layer.bias, layer.activation.name)


@pytest.mark.parametrize("activation", ["relu", "linear", "sigmoid", "tanh"])
@pytest.mark.parametrize("n_in", [1, 30])
def test_dynamic_ranges_are_the_ends_of_each_neurons_outputs_for_ten_thousand_draws(activation, n_in):
    layer = _random_layer(n_in, 5, activation)
    y = _drawn(layer)
    assert np.allclose(_range(layer, out_range="dynamic"), np.stack([y.min(axis=0), y.max(axis=0)], axis=1), atol=1e-12)


def test_of_other_draws_about_two_in_ten_thousand_leave_dynamic_ranges():
    layer = _random_layer(20, 40, "linear")
    low, high = np.transpose(_range(layer, out_range="dynamic"))
    y = layer(np.random.default_rng(1).uniform(-1, 1, (100_000, 20)))
    # At either end 1 in 10,001 on average, of 80 ends each of which is as likely 0.3 as 2 times that.
    assert 1e-4 < ((y < low) | (y > high)).mean() < 4e-4


def test_inputs_of_the_next_layer_move_over_dynamic_ranges_and_one_point_is_widened():
    layers = [_random_layer(6, 4, "relu", 1), _random_layer(4, 3, "tanh", 2)]
    (_, first), (inputs, _) = ef.Network(layers).ranges(out_range="dynamic")
    assert inputs == first
    assert len(first) == 4
    dead = ef.Layer(np.ones((3, 1)), [-9.0], "relu")
    assert _range(dead, out_range="dynamic") == ((-0.5, 0.5),)


def test_dynamic_ranges_are_the_same_at_every_call_for_every_seed_and_number_of_threads():
    layer = _random_layer(200, 50, "relu")
    reports = [
        ef.analyze(layer, out_range="dynamic", random_state=seed, n_jobs=jobs, pairwise="none", tol=1.0)[0]
        for seed, jobs in ((0, 1), (0, 2), (5, 1))
    ]
    assert reports[0].out_range == reports[1].out_range == reports[2].out_range
    assert reports[0].ei == reports[1].ei
    assert len(reports[0].out_range) == 50


def test_edges_over_dynamic_ranges_with_drop_are_histograms_over_the_samples_own_ranges():
    # What the authors' package does with out_range="dynamic": counts of an edge over each output's own range.
    layer = _random_layer(3, 2, "linear")
    exact = ef.ei_parts_matrix(layer, in_range=(-1.0, 1.0), out_range="dynamic", out_of_range="drop")
    rng, n = np.random.default_rng(3), 400_000
    first = rng.uniform(-1, 1, (10_000, 3))
    x = rng.uniform(-1, 1, (n, 3))
    low, high = (x_end for x_end in (layer(first).min(axis=0), layer(first).max(axis=0)))
    for i in range(3):
        for j in range(2):
            y = layer(x)[:, j]
            counts = np.histogram2d(x[:, i], y, 8, ((-1, 1), (low[j], high[j])))[0]
            p = counts / counts.sum()
            outer = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
            bits = (p[p > 0] * np.log2(p[p > 0] / outer[p > 0])).sum()
            # Ranges of other draws differ by a few thousandths of their width.
            assert exact[i, j] == pytest.approx(bits, abs=0.02)


UNBOUNDED = ("relu", "gelu", "silu", "linear")


@pytest.mark.parametrize(
    ("n_in", "activation"),
    some_slow([(784, "relu"), *((25, name) for name in UNBOUNDED), *((784, name) for name in UNBOUNDED[1:])], 5),
)
def test_wide_layers_keep_their_information(n_in, activation):
    weight = np.random.default_rng(0).uniform(-1, 1, (n_in, 6)) / np.sqrt(n_in)
    net = ef.Network([ef.Layer(weight, activation=activation)], (-1.0, 1.0))
    report = ef.analyze(net, pairwise="none", random_state=0, tol=0.05)[0]
    assert report.ei > 6
    assert "outputs in one bin" not in report.flags
    if n_in == 784 and activation != "linear":
        hull = ef.analyze(net, out_range="hull", pairwise="none", random_state=0)[0]
        assert hull.ei < 0.01
        assert "outputs in one bin" in hull.flags
        assert "too wide" in hull.explain()


def test_outputs_outside_a_given_range_are_counted_and_flagged():
    weight = np.random.default_rng(0).uniform(-1, 1, (20, 4))
    layer = ef.Layer(weight, activation="linear", out_range=(-0.5, 0.5))
    y = ef.Layer(weight, activation="linear")(np.random.default_rng(1).random((200_000, 20)))
    share = np.mean(np.abs(y) > 0.5)
    for out_of_range in ("clip", "drop"):
        report = ef.analyze(layer, out_of_range=out_of_range, pairwise="none", tol=0.1, random_state=0)[0]
        assert report.share_outside == pytest.approx(share, abs=4e-3)
        assert "outputs outside range" in report.flags
        assert f"{report.share_outside:.1%}" in report.explain()
    report = ef.analyze(ef.Layer(weight, activation="linear"), pairwise="none", tol=0.1, random_state=0)[0]
    assert 0 < report.share_outside < 2 * REACH
    assert "outputs outside range" not in report.flags


def test_outputs_of_a_function_outside_its_range_are_counted_and_flagged():
    half = ef.Function(lambda x: 2 * x, 2, 2, (0.0, 1.0))
    report = ef.analyze(half, bins=4, random_state=0)[0]
    assert report.share_outside == pytest.approx(0.5, abs=0.04)
    assert "outputs outside range" in report.flags
    crammed = ef.Function(lambda x: 1e-3 * x, 2, 2, (0.0, 1.0))
    assert "outputs in one bin" in ef.analyze(crammed, bins=4, random_state=0)[0].flags
    fitting = ef.analyze(ef.Function(lambda x: x, 2, 2, (0.0, 1.0)), bins=4, random_state=0)[0]
    assert fitting.share_outside == 0.0
    assert not {"outputs outside range", "outputs in one bin"} & set(fitting.flags)
