"""EI by counting joint states, as published: the figure itself, what it misses, and what is refused."""

import naive
import numpy as np
import pytest

import ei_fast as ef
from ei_fast.intervention.streams import Stream, neuron_keys


def _points(n_in, n, seed):
    keys = neuron_keys(seed, (0, 0), Stream.PLUGIN, n_in)
    return np.array([[naive.uniform(keys, i, t) + 0.5 for i in range(n_in)] for t in range(n)])


@pytest.mark.parametrize(("n_in", "activation"), [(2, "sigmoid"), (2, "relu"), (30, "tanh")])
def test_the_figure_is_that_of_the_same_counts(random_weight, n_in, activation):
    weight = random_weight(n_in, 3, 5.0)
    layer = ef.Layer(weight, activation=activation, out_range=(-1.0, 1.0))
    report = ef.analyze(layer, joint="plugin", n_samples=4000, random_state=6)[0]
    x = _points(n_in, 4000, 6)
    of_x = naive.bins_of(x, (0.0, 1.0), 8)
    of_y = naive.bins_of(naive.outputs(x, weight, 0.0, activation), (-1.0, 1.0), 8)
    expected = naive.entropy(of_x) + naive.entropy(of_y) - naive.entropy(np.hstack([of_x, of_y]))
    assert report.ei == pytest.approx(expected, abs=1e-9)
    assert report.output_entropy == pytest.approx(naive.entropy(of_y), abs=1e-9)
    assert (report.joint_method, report.entropy_estimator, report.n_samples) == ("plugin", "plugin", 4000)


def test_the_same_counts_under_drop(random_weight):
    weight = random_weight(2, 2, 3.0)
    layer = ef.Layer(weight, activation="linear", out_range=(-0.5, 0.5))
    report = ef.analyze(layer, joint="plugin", n_samples=4000, random_state=6, out_of_range="drop")[0]
    x = _points(2, 4000, 6)
    y = x @ weight
    x, y = (values[(np.abs(y) <= 0.5).all(axis=1)] for values in (x, y))
    assert 100 < len(x) < 3900
    of_x, of_y = naive.bins_of(x, (0.0, 1.0), 8), naive.bins_of(y, (-0.5, 0.5), 8)
    expected = naive.entropy(of_x) + naive.entropy(of_y) - naive.entropy(np.hstack([of_x, of_y]))
    assert report.ei == pytest.approx(expected, abs=1e-9)


def test_where_all_is_well_sampled_it_is_the_conditional_figure_and_a_known_excess(random_weight):
    weight, n = random_weight(2, 2, 5.0), 200_000
    counted = ef.analyze(weight, joint="plugin", n_samples=n, random_state=0)[0]
    ei = ef.analyze(weight, tol=0.001, random_state=0)[0]
    x = np.random.default_rng(0).random((n, 2))
    of_x, of_y = naive.bins_of(x, (0.0, 1.0), 8), naive.bins_of(naive.outputs(x, weight, 0.0, "sigmoid"), (0, 1), 8)
    k_x, k_y, k_xy = (len(np.unique(states, axis=0)) for states in (of_x, of_y, np.hstack([of_x, of_y])))
    excess = (k_xy - k_x - k_y + 1) / (2 * n * np.log(2))
    assert counted.flags == ()
    assert abs(counted.ei - excess - ei.ei) < 4 * np.hypot(counted.ei_stderr, ei.ei_stderr)


def test_where_no_input_repeats_it_is_the_output_entropy_and_flagged(random_weight):
    weight = random_weight(25, 4, 3.0)
    counted = ef.analyze(weight, joint="plugin", n_samples=100_000, random_state=0)[0]
    right = ef.analyze(weight, random_state=0)[0]
    assert counted.ei == pytest.approx(counted.output_entropy, abs=1e-9)
    assert counted.ei > right.ei + 0.5
    assert "undersampled" in counted.flags
    assert counted.ei_interval[0] <= right.ei <= counted.ei_interval[1]
    assert "whatever the layer tells" in counted.explain()


def test_a_function_is_counted_too(random_weight):
    weight = random_weight(2, 3, 5.0)
    block = ef.Function(lambda x: naive.outputs(x, weight, 0.0, "sigmoid"), 2, 3, (0.0, 1.0))
    params = {"joint": "plugin", "n_samples": 3000, "random_state": 1}
    assert ef.analyze(block, **params)[0].ei == pytest.approx(ef.analyze(weight, **params)[0].ei, abs=1e-12)


def test_what_would_not_fit_is_refused_before_any_work(random_weight):
    with pytest.raises(MemoryError, match=r"n_samples=100,000,000 needs about 11 GiB, more than the 4 GiB"):
        ef.analyze(random_weight(4, 4), joint="plugin", n_samples=100_000_000)


GROUPS = [([0], None), (None, [2]), ([3, 1], [0, 2]), ([2], [1]), ([0, 1, 2, 3], [0, 1, 2]), ([1, 2, 3], [0, 1, 2])]


@pytest.mark.parametrize("convention", ["clip", "drop"])
@pytest.mark.parametrize(("inputs", "outputs"), GROUPS)
def test_groups_are_counted_while_all_inputs_move(random_weight, inputs, outputs, convention):
    weight = random_weight(4, 3, 3.0)
    layer = ef.Layer(weight, activation="linear", out_range=(-0.8, 0.8))
    params = {"joint": "plugin", "n_samples": 4000, "random_state": 6, "out_of_range": convention}
    counted = ef.effective_information(layer, inputs=inputs, outputs=outputs, **params)
    x = _points(4, 4000, 6)
    a = list(range(4)) if inputs is None else sorted(inputs)
    y = (x @ weight)[:, list(range(3)) if outputs is None else sorted(outputs)]
    if convention == "drop":
        kept = (np.abs(y) <= 0.8).all(axis=1)
        assert 100 < kept.sum() < 3900
        x, y = x[kept], y[kept]
    of_x, of_y = naive.bins_of(x[:, a], (0.0, 1.0), 8), naive.bins_of(np.clip(y, -0.8, 0.8), (-0.8, 0.8), 8)
    expected = naive.entropy(of_x) + naive.entropy(of_y) - naive.entropy(np.hstack([of_x, of_y]))
    assert counted.value == pytest.approx(expected, abs=1e-9)


def test_groups_that_name_all_neurons_are_the_layer(random_weight):
    weight = random_weight(4, 3, 3.0)
    params = {"joint": "plugin", "n_samples": 5000, "random_state": 1}
    whole = ef.analyze(weight, **params)[0]
    for inputs, outputs in ((None, None), (range(4), range(3)), ([3, 2, 1, 0], (2, 0, 1)), (None, np.arange(3))):
        group = ef.effective_information(weight, inputs=inputs, outputs=outputs, **params)
        assert (group.value, group.stderr, group.interval) == (whole.ei, whole.ei_stderr, whole.ei_interval)


def test_the_interval_of_an_undersampled_group_is_that_of_auto(random_weight):
    weight = random_weight(25, 5, 3.0)
    params = {"inputs": list(range(20)), "outputs": [0, 1, 2, 3], "random_state": 0, "n_samples": 60_000}
    counted = ef.effective_information(weight, joint="plugin", **params)
    auto = ef.effective_information(weight, joint="auto", **params)
    assert "undersampled" in counted.flags
    assert counted.interval == auto.interval
    assert counted.bounds == auto.bounds
    assert counted.value > auto.value


def test_groups_of_a_function_are_counted(random_weight):
    weight = random_weight(3, 3, 5.0)
    block = ef.Function(lambda x: naive.outputs(x, weight, 0.0, "sigmoid"), 3, 3, (0.0, 1.0))
    params = {"joint": "plugin", "n_samples": 3000, "random_state": 1, "inputs": [0, 2], "outputs": [1]}
    assert ef.effective_information(block, **params).value == pytest.approx(
        ef.effective_information(weight, **params).value, abs=1e-12
    )


@pytest.mark.parametrize(("n", "flagged"), [(300, True), (1000, False)])
def test_a_tenth_of_the_samples_in_states_seen_once_is_too_many(random_weight, n, flagged):
    weight = random_weight(2, 3, 5.0)
    report = ef.analyze(weight, joint="plugin", n_samples=n, random_state=6)[0]
    x = _points(2, n, 6)
    of_x, of_y = naive.bins_of(x, (0.0, 1.0), 8), naive.bins_of(naive.outputs(x, weight, 0.0, "sigmoid"), (0.0, 1.0), 8)
    _, counts = np.unique(np.hstack([of_x, of_y]), axis=0, return_counts=True)
    once = np.count_nonzero(counts == 1) / n
    assert (0.1 < once < 0.3) if flagged else (0.02 < once < 0.1)
    assert ("undersampled" in report.flags) == flagged


def test_the_stated_error_is_on_the_safe_side():
    # Errors of H(Y) and of H(X, Y) are taken to be independent; together they are a little less.
    weight = np.random.default_rng(0).uniform(-1, 1, (2, 1))
    params = {"joint": "plugin", "n_samples": 4000, "pairwise": "none", "n_jobs": 1}
    reports = [ef.analyze(weight, random_state=seed, **params)[0] for seed in range(300)]
    assert not any("undersampled" in report.flags for report in reports)
    spread = np.std([report.ei for report in reports])
    # The spread over so many seeds has itself an error of one in 24.
    assert 0.8 < spread / np.mean([report.ei_stderr for report in reports]) < 1 + 1 / 24
