"""Answers known beforehand: exact ones to 1e-9, sampled ones within four of their standard errors."""

import numpy as np
import pytest
from truths import EXACT, SAMPLED

import ei_fast as ef
from ei_fast.intervention.dense import DenseIntervention
from ei_fast.measures.joint.conditional import conditional_ei
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import run_here
from ei_fast.network.steps import StepTable
from ei_fast.runtime.threads import Threads


def _block_diagonal(*blocks):
    weight = np.zeros((sum(len(b) for b in blocks), sum(b.shape[1] for b in blocks)))
    i = j = 0
    for block in blocks:
        weight[i : i + len(block), j : j + block.shape[1]] = block
        i, j = i + len(block), j + block.shape[1]
    return weight


@pytest.mark.parametrize("truth", EXACT, ids=str)
def test_exact_answers(truth):
    report = ef.analyze(truth.layer, **truth.params)[0]
    assert report.ei == pytest.approx(truth.ei, abs=1e-9)
    assert report.sensitivity == pytest.approx(truth.sensitivity, abs=1e-9)
    assert report.degeneracy == pytest.approx(truth.sensitivity - truth.ei, abs=1e-9)
    assert report.ei_stderr == 0.0
    assert report.n_samples == 0
    assert report.joint_method == "exact"


@pytest.mark.parametrize("truth", SAMPLED, ids=str)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sampled_answers(truth, seed):
    report = ef.analyze(truth.layer, random_state=seed, **truth.params)[0]
    assert report.joint_method == "conditional"
    assert 0 < report.ei_stderr < 0.01
    assert abs(report.ei - truth.ei) < 4 * report.ei_stderr


def test_zero_weights_are_constant():
    report = ef.analyze(np.zeros((3, 2)))[0]
    assert (report.ei, report.sensitivity, report.degeneracy) == (0.0, 0.0, 0.0)
    assert report.flags == ("constant",)
    assert not report.sensitivity_matrix.any()


def test_a_zero_weight_has_exactly_no_sensitivity(random_weight):
    weight = random_weight(5, 4) + 3.0
    weight[2, 3] = 0.0
    matrix = ef.analyze(weight, random_state=0)[0].sensitivity_matrix
    assert matrix[2, 3] == 0.0
    assert np.count_nonzero(matrix) == 19


def test_blocks_add_up(random_weight):
    blocks = [random_weight(2, 3, 5.0, 1), random_weight(4, 2, 5.0, 2), random_weight(1, 2, 9.0, 3)]
    whole = ef.analyze(_block_diagonal(*blocks), random_state=0)[0]
    parts = [ef.analyze(block, random_state=1)[0] for block in blocks]
    error = np.sqrt(whole.ei_stderr**2 + sum(part.ei_stderr**2 for part in parts))
    assert abs(whole.ei - sum(part.ei for part in parts)) < 4 * error
    assert whole.ei_stderr < 0.01
    assert whole.sensitivity == pytest.approx(sum(part.sensitivity for part in parts), abs=1e-9)


def test_one_input_an_output_and_one_output_an_input():
    weight = np.diag([3.0, -5.0, 0.5, 9.0])
    report = ef.analyze(ef.Layer(weight, [0.1, 2.0, -0.2, -4.0]))[0]
    assert report.sensitivity == pytest.approx(report.ei, abs=1e-9)
    assert report.flags == ()


@pytest.mark.parametrize(
    ("activation", "limits", "peaks"),
    [
        ("relu", (0.0, 1.0), {8: 1.0, 16: 1.0, 32: 1.0, 64: 1.0}),
        ("sigmoid", (0.0, 1.0), {8: 2.20, 16: 3.10, 32: 3.00, 64: 2.40}),
        ("tanh", (-1.0, 1.0), {8: 1.30, 16: 1.55, 32: 1.05, 64: 1.00}),
    ],
)
def test_one_edge_peaks_where_published(activation, limits, peaks):
    # Mattsson et al. 2020, figure 3, read off the published curves.
    weights = 0.05 * np.arange(1, 101)
    for bins, peak in peaks.items():
        params = {"bins": bins, "in_range": limits, "out_range": limits, "activation": activation}
        curve = [ef.analyze([[weight]], **params)[0] for weight in weights]
        best = int(np.argmax([report.sensitivity for report in curve]))
        assert weights[best] == pytest.approx(peak, abs=1e-9)
        assert curve[best].sensitivity == pytest.approx(curve[best].ei, abs=1e-12)
    if activation == "relu":
        assert curve[best].ei == pytest.approx(6.0, abs=1e-12)


def test_coarse_bins_hide_sensitivity(random_weight):
    # From 0 no single input leaves (0, 0.2), which is inside one of the eight bins; together they do.
    report = ef.analyze(random_weight(25, 6), random_state=0)[0]
    assert report.sensitivity == 0.0
    assert report.ei > 3
    assert report.degeneracy == -report.ei
    assert "sensitivity < EI" in report.flags
    assert "bins" in report.explain()


@pytest.mark.parametrize(("bins", "expected"), [(4, 0.61), (8, 1.16), (128, 3.07)])
def test_a_dead_baseline_hides_sensitivity_at_any_number_of_bins(bins, expected):
    layer = ef.Layer([[0.9], [0.9]], [-1.0], "relu", out_range=(0.0, 1.0))
    report = ef.analyze(layer, bins=bins, random_state=0)[0]
    assert report.sensitivity == 0.0
    assert report.ei == pytest.approx(expected, abs=0.015)
    assert "sensitivity < EI" in report.flags


@pytest.mark.parametrize("activation", ["sigmoid", "tanh", "relu", "linear"])
def test_bounds(random_weight, activation):
    for seed in range(5):
        report = ef.analyze(random_weight(4, 3, 4.0, seed), activation=activation, random_state=seed)[0]
        # None of these ends is reached here, where figures would be cut off.
        assert 0 < report.ei_interval[0] < report.ei < report.ei_interval[1] < 3 * 3
        assert report.ei == pytest.approx(report.output_entropy - report.conditional_entropy, abs=1e-12)
        assert 0 < report.conditional_entropy < report.output_entropy < 3 * 3
        assert ((report.sensitivity_matrix >= 0) & (report.sensitivity_matrix <= 3)).all()


def test_invariance_under_permutation_and_sign_flip(random_weight):
    weight = random_weight(6, 4, 4.0)
    params = {"activation": "tanh", "in_range": (-1.0, 1.0), "random_state": 0}
    plain = ef.analyze(weight, **params)[0]
    rng = np.random.default_rng(0)
    rows, columns, signs = rng.permutation(6), rng.permutation(4), rng.choice([-1.0, 1.0], 6)
    for other in (weight[rows][:, columns], weight * signs[:, None]):
        report = ef.analyze(other, **params)[0]
        assert abs(report.ei - plain.ei) < 4 * np.hypot(report.ei_stderr, plain.ei_stderr)
        assert report.sensitivity == pytest.approx(plain.sensitivity, abs=1e-9)


def test_scaling_a_bias_free_relu_layer_changes_nothing_over_the_derived_range(random_weight):
    weight = random_weight(5, 3)
    reports = [ef.analyze(weight * scale, activation="relu", random_state=0)[0] for scale in (1.0, 4.0)]
    assert reports[0].ei == reports[1].ei
    assert reports[0].out_range[1] * 4 == pytest.approx(reports[1].out_range[1])


@pytest.mark.parametrize("position", [0, 17, 20, 21, 29])
def test_keys_forget_no_neuron(position):
    # All 30 outputs go through the kernel and into the keys; 29 of them never leave their bin.
    weight = np.full((2, 30), 1e-7)
    weight[:, position] = 1.0
    steps = ef.Activation("linear").steps((0.0, 2.0), 8)
    bins = {"in_range": (0.0, 1.0), "in_bins": 2, "seed": 0, "place": (0, 0)}
    do = DenseIntervention(weight, np.zeros(30), StepTable.of([steps], 30), **bins)
    one = DenseIntervention(np.ones((2, 1)), np.zeros(1), StepTable.of([steps], 1), **bins)
    with Threads(1) as threads:
        among, alone = (run_here(conditional_ei(on, MeasureOptions()), threads) for on in (do, one))
    # The same states under other keys: only the order in which they are added up may differ.
    assert among.value == pytest.approx(alone.value, abs=1e-12)
    assert among.n_samples == alone.n_samples


def test_copies_tell_no_more_than_one():
    steps = ef.Activation("sigmoid").steps((0.0, 1.0), 8)
    estimates = []
    for n_copies in (1, 40):
        weight = np.full((3, n_copies), 2.0)
        do = DenseIntervention(
            weight,
            np.full(n_copies, -3.0),
            StepTable.of([steps], n_copies),
            in_range=(0.0, 1.0),
            in_bins=8,
            seed=0,
            place=(0, 0),
        )
        with Threads(1) as threads:
            estimates.append(run_here(conditional_ei(do, MeasureOptions()), threads))
    assert estimates[0].value == pytest.approx(estimates[1].value, abs=1e-12)
    assert estimates[0].value > 1
