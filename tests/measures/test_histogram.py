"""Joint histograms by simulation: their counts exactly the oracle's, their bits those of the exact route."""

import naive
import numpy as np
import pytest
from truths import OUT_RANGES

import ei_fast as ef
from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.function import FunctionIntervention
from ei_fast.intervention.streams import Stream, neuron_keys
from ei_fast.kernels.histograms import histograms_information
from ei_fast.measures.counting.estimators import ZHANG_UNSEEN
from ei_fast.measures.edges.histogram import JointHistograms, add_unseen, filled
from ei_fast.network.steps import StepTable
from ei_fast.runtime.threads import Threads

BINS = 8


def _limits(activation, drop):
    low, high = OUT_RANGES[activation]
    return (0.5 * low + 0.1 * high, 0.7 * high + 0.1 * low) if drop else (low, high)


@pytest.mark.parametrize("drop", [False, True], ids=["clip", "drop"])
@pytest.mark.parametrize("activation", OUT_RANGES)
def test_both_routes_agree(random_weight, activation, drop):
    layer = ef.Layer(random_weight(5, 4, 4.0), [0.0, -0.5, 0.5, 1.0], activation)
    params = {
        "in_range": (-1.0, 1.0),
        "out_range": _limits(activation, drop),
        "out_of_range": "drop" if drop else "clip",
        "joint": "conditional",
        "n_samples": 200_000,
        "random_state": 3,
    }
    exact = ef.analyze(layer, pairwise="exact", **params)[0]
    sampled = ef.analyze(layer, pairwise="histogram", **params)[0]
    assert exact.sensitivity_stderr == exact.ei_parts_stderr == 0.0
    assert 0 < sampled.ei_parts_stderr < 0.02
    for name in ("sensitivity", "ei_parts"):
        error = getattr(sampled, f"{name}_stderr")
        # Undefined where an output is never kept; by both routes.
        difference = getattr(sampled, f"{name}_matrix") - getattr(exact, f"{name}_matrix")
        undefined = np.isnan(getattr(exact, f"{name}_matrix"))
        np.testing.assert_array_equal(np.isnan(difference), undefined)
        assert np.count_nonzero(undefined) <= 10
        assert abs(np.nansum(difference)) <= 4 * error + 1e-12
        assert np.nanmax(np.abs(difference)) < 4 * error + 1e-12


@pytest.mark.parametrize(("activation", "drop"), [("sigmoid", False), ("relu", True), ("gelu", True), ("tanh", False)])
@pytest.mark.parametrize("kind", ["dense", "function"])
def test_counts_are_those_of_the_oracle(random_weight, activation, drop, kind):
    n_in, n_out, n, in_range = 5, 3, 3000, (-1.0, 2.0)
    weight, bias = random_weight(n_in, n_out, 4.0), np.array([0.3, -0.4, 0.0])
    limits = _limits(activation, drop)
    place = (0, 0)
    bins = {"in_range": in_range, "in_bins": BINS, "seed": 7, "place": place, "drop": drop}
    if kind == "dense":
        steps = ef.Activation(activation).steps(limits, BINS, (-12.0, 12.0), drop)
        do = DenseIntervention(weight, bias, StepTable.of([steps], n_out), **bins)
    else:
        block = ef.Function(lambda x: naive.outputs(x, weight, bias, activation), n_in, n_out, limits)
        do = FunctionIntervention(block, out_range=limits, out_bins=BINS, **bins)

    def uniforms(stream):
        keys = neuron_keys(7, place, stream, n_in)
        return np.array([[naive.uniform(keys, i, t) + 0.5 for i in range(n_in)] for t in range(n)])

    low, high = in_range
    x = low + (high - low) * uniforms(Stream.HISTOGRAM)
    expected = naive.edge_histograms(x, naive.outputs(x, weight, bias, activation), in_range, limits, BINS, drop)
    (got,) = JointHistograms(do, n, [slice(0, n_in)], "test").compute(0, n, Threads(1))
    np.testing.assert_array_equal(got, expected)

    baseline = 0.25
    # One sample to each of n parts of the range.
    moved = low + (high - low) * (np.arange(n)[:, None] + uniforms(Stream.SENSITIVITY)) / n
    for i in range(n_in):
        x = np.full((n, n_in), baseline)
        x[:, i] = moved[:, i]
        y = naive.outputs(x, weight, bias, activation)
        expected = naive.edge_histograms(x[:, [i]], y, in_range, limits, BINS, drop)
        codes = do.codes_alone(i, np.full(n_in, baseline), Stream.SENSITIVITY, 0, n, n)
        got = filled([codes], (1, n_out, BINS, BINS), do.outside)
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("entropy", ["plugin", "miller-madow", "grassberger", "chao-shen"])
def test_bits_from_counts(random_weight, entropy):
    weight = random_weight(3, 2, 4.0)
    report = ef.analyze(weight, pairwise="histogram", entropy=entropy, n_samples=5000, random_state=1)[0]
    keys = neuron_keys(1, (0, 0), Stream.HISTOGRAM, 3)
    x = np.array([[naive.uniform(keys, i, t) + 0.5 for i in range(3)] for t in range(5000)])
    y = naive.outputs(x, weight, 0.0, "sigmoid")
    counts = naive.edge_histograms(x, y, (0.0, 1.0), (0.0, 1.0), BINS)
    for i in range(3):
        for j in range(2):
            expected = naive.information_by(entropy, counts[i, j])
            assert report.ei_parts_matrix[i, j] == pytest.approx(expected, abs=1e-12)


def test_auto_reaches_tol_and_says_so(random_weight):
    layer = ef.Layer(random_weight(10, 5, 3.0))
    exact = ef.analyze(layer, random_state=0)[0]
    reports = [ef.analyze(layer, pairwise="histogram", tol=0.01, random_state=seed)[0] for seed in range(20)]
    stated = np.array([report.ei_parts_stderr for report in reports])
    errors = np.array([report.ei_parts for report in reports]) - exact.ei_parts
    assert (stated <= 0.01).all()
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(stated.mean(), rel=0.5)
    assert (np.abs(errors) < 4 * stated).all()


@pytest.mark.slow
def test_stated_errors_are_those_seen(random_weight):
    layer = ef.Layer(random_weight(6, 4, 3.0))
    params = {"pairwise": "histogram", "n_samples": 4000, "joint": "conditional"}
    reports = [ef.analyze(layer, random_state=seed, **params)[0] for seed in range(200)]
    exact = ef.analyze(layer, random_state=0)[0]
    for name in ("sensitivity", "ei_parts"):
        errors = np.array([getattr(report, name) for report in reports]) - getattr(exact, name)
        stated = np.mean([getattr(report, f"{name}_stderr") for report in reports])
        assert np.sqrt(np.mean(errors**2)) == pytest.approx(stated, rel=0.2)


def test_any_number_of_threads(random_weight):
    layer = ef.Layer(random_weight(9, 4, 3.0))
    one, three = (ef.analyze(layer, pairwise="histogram", random_state=0, n_jobs=n)[0] for n in (1, 3))
    np.testing.assert_array_equal(one.ei_parts_matrix, three.ei_parts_matrix)
    np.testing.assert_array_equal(one.sensitivity_matrix, three.sensitivity_matrix)
    assert one.ei_parts_stderr == three.ei_parts_stderr


@pytest.mark.parametrize("pairwise", ["histogram", "auto"])
def test_more_counts_than_may_be_are_refused_with_the_figure(pairwise):
    wide = ef.Function(lambda x: x, 200, 200, (0.0, 1.0), name="wide")
    message = (
        r"pairwise='histogram' takes n_in \* n_out \* in_bins \* out_bins = 163,840,000 counts "
        r"for layer 0 \('wide'\), more than the 33,554,432"
    )
    with pytest.raises(MemoryError, match=message):
        ef.analyze(wide, bins=64, pairwise=pairwise)


def test_the_last_of_many_samples_lies_in_the_last_bin(random_weight):
    # In float32 the last of so many parts of the range ends where the range does, and is counted outside the table.
    steps = StepTable.of([ef.Activation("sigmoid").steps((0.0, 1.0), BINS)], 2)
    n = 2**22
    for bins in (3, BINS, 1000):
        do = DenseIntervention(
            random_weight(3, 2, 4.0), np.zeros(2), steps, in_range=(0.0, 1.0), in_bins=bins, seed=0, place=(0, 0)
        )
        for i in range(3):
            x_codes, _ = do.codes_alone(i, np.zeros(3), Stream.SENSITIVITY, n - 1000, 1000, n)
            assert x_codes.max() == bins - 1


@pytest.mark.slow
def test_few_samples_kept_make_no_information():
    # Outputs keep from 92 % down to 3 % of the samples, for histograms of 64 cells.
    weight = np.random.default_rng(0).uniform(-1, 1, (25, 6))
    layer = ef.Layer(weight, activation="relu", out_range=(0.0, 1.0))
    exact = ef.ei_parts_matrix(layer, out_of_range="drop").sum()
    params = {"out_of_range": "drop", "pairwise": "histogram", "n_jobs": 1}
    reports = [ef.analyze(layer, random_state=seed, n_samples=30_000, **params)[0] for seed in range(16)]
    errors = np.array([report.ei_parts for report in reports]) - exact
    stated = np.array([report.ei_parts_stderr for report in reports])
    assert abs(errors.mean()) < 3 * errors.std() / 4
    assert (np.abs(errors) < 3 * stated).all()
    assert stated.mean() < 0.15
    # With a tenth of the samples all of what is found may be chance, and the error says so.
    for seed in range(16):
        report = ef.analyze(layer, random_state=seed, n_samples=3000, **params)[0]
        assert abs(report.ei_parts - exact) < 3 * report.ei_parts_stderr


@pytest.mark.parametrize(
    ("shape", "scale", "activation", "n_samples"),
    [
        ((25, 6), 0.2, "tanh", 3000),
        pytest.param((100, 30), 0.1, "sigmoid", 30_000, marks=pytest.mark.slow),
    ],
)
def test_bins_that_few_samples_meet_make_no_information(shape, scale, activation, n_samples):
    # Outputs that hardly leave the middle of their range: cells of their outer bins expect less than a sample.
    layer = ef.Layer(np.random.default_rng(1).uniform(-1, 1, shape) * scale, activation=activation)
    params = {"in_range": (-1, 1), "tol": 0.5, "n_jobs": 1}
    exact = ef.analyze(layer, pairwise="exact", **params)[0].ei_parts
    reports = [
        ef.analyze(layer, pairwise="histogram", n_samples=n_samples, random_state=seed, **params)[0]
        for seed in range(20)
    ]
    errors = np.array([report.ei_parts - exact for report in reports])
    stated = np.array([report.ei_parts_stderr for report in reports])
    assert np.mean(np.abs(errors) < 1.96 * stated) >= 0.8
    assert np.sqrt(np.mean(stated**2)) < 2 * np.sqrt(np.mean(errors**2)) < 0.25


@pytest.mark.slow
def test_stated_errors_of_weak_edges_are_those_seen():
    layer = ef.Layer(np.random.default_rng(1).uniform(-1, 1, (25, 6)), activation="relu", out_range=(0.0, 1.0))
    params = {"in_range": (-1, 1), "out_of_range": "drop", "pairwise": "histogram", "tol": 0.5, "n_jobs": 1}
    reports = [ef.analyze(layer, n_samples=3000, random_state=seed, **params)[0] for seed in range(60)]
    stated = np.sqrt(np.mean([report.ei_parts_stderr**2 for report in reports]))
    # Once 1.94 times as large: the chance that makes information of none was counted three times.
    assert 0.9 < stated / np.std([report.ei_parts for report in reports]) < 1.7


def test_where_most_states_are_new_all_that_is_found_may_be_wrong(random_weight):
    # A thousand samples in histograms of 4,096 cells: two thirds of the bits are missed, of which the model of unseen
    # states knows only a part.
    layer = ef.Layer(random_weight(6, 4, 3.0))
    params = {"bins": 64, "pairwise": "histogram", "tol": 0.5, "n_samples": 1000}
    exact = ef.ei_parts_matrix(layer, bins=64).sum()
    for seed in range(4):
        report = ef.analyze(layer, random_state=seed, **params)[0]
        assert abs(report.ei_parts - exact) < report.ei_parts_stderr


@pytest.mark.parametrize("n_samples", [256, 400])
def test_of_an_output_that_follows_from_its_input_nothing_is_unseen(n_samples):
    # The upper half of 256 bins, most met once or never: as many are unseen of both as of the input alone.
    layer = ef.Layer([[1.0]], activation="linear")
    ranges = {"in_range": (0.0, 1.0), "out_range": (0.0, 1.0), "bins": (256, 2)}
    bits = ef.ei_parts_matrix(layer, pairwise="histogram", n_samples=n_samples, random_state=0, **ranges)
    assert bits[0, 0] == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("tol", [1e-3, 1e-5])
def test_samples_suffice_for_the_sensitivity_that_is_asked_for(random_weight, tol):
    layer = ef.Layer(random_weight(3, 2, 4.0))
    report = ef.analyze(layer, pairwise="histogram", tol=tol, n_samples="auto", joint="plugin", random_state=0)[0]
    assert 0 < report.sensitivity_stderr <= tol
    exact = ef.sensitivity_matrix(layer, pairwise="exact").sum()
    assert abs(report.sensitivity - exact) < 4 * report.sensitivity_stderr + 1e-12


def test_all_that_chance_makes_of_two_values_without_a_relation_is_taken_off():
    # 400 samples of 2 x 256 equally likely cells.
    for seed in range(3):
        rng = np.random.default_rng(seed)
        histograms = np.zeros((1, 1, 2, 256), np.int32)
        np.add.at(histograms[0, 0], (rng.integers(0, 2, 400), rng.integers(0, 256, 400)), 1)
        bits, freedom, kept = np.empty((1, 1)), np.empty((1, 1), np.int64), np.empty((1, 1), np.int64)
        histograms_information(histograms, *ZHANG_UNSEEN.histogram_tables(4096), bits, freedom, kept)
        assert bits[0, 0] > 0.3
        _, bias = add_unseen(histograms, kept, bits)
        assert abs(bits[0, 0]) < 0.01
        # All of it may be wrong.
        assert bias > 0.3
