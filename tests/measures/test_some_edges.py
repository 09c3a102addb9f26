"""Sums over all edges by a subset of them: right on average, with the error that is stated, and said to be so."""

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.cluster.planning.costs import seconds_of
from ei_fast.measures.edges.auto import edge_measure
from ei_fast.measures.edges.subset import SampledEdges, strata_of
from ei_fast.measures.layer import measure_layer
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Runner, items_of_part, run_here
from ei_fast.network.binned import BinnedLayer
from ei_fast.parameters import Settings
from ei_fast.runtime.threads import Threads

MEASURES = ("sensitivity", "ei_parts")
SOME = MeasureOptions(pairwise_edges=1000)


def _layer(kind="plain", n_in=64, n_out=48):
    rng = np.random.default_rng(1)
    weight, bias = 3 * rng.uniform(-1, 1, (n_in, n_out)) / np.sqrt(n_in), rng.normal(size=n_out)
    if kind == "heavy":
        weight *= 10 ** rng.uniform(-2, 0.7, weight.shape)
    elif kind == "sparse":
        weight[rng.random(weight.shape) < 0.3] = 0.0
    elif kind == "one threshold":
        bias[:] = 0.0
    in_range = (-1.0, 1.0) if kind == "one threshold" else (0.0, 1.0)
    out_range, drop = ((0.05, 0.95), True) if kind == "dropped" else ((0.0, 1.0), False)
    return BinnedLayer(ef.Layer(weight, bias), 0, in_range, out_range, 8, 8, drop)


def _measured(binned, measure, options, seed=0, threads=1):
    with Threads(threads) as pool:
        return run_here(edge_measure(binned, measure, options, seed), pool)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    "kind", ["plain", *(pytest.param(kind, marks=pytest.mark.endurance) for kind in ("heavy", "sparse", "dropped"))]
)
def test_intervals_hold_the_sum_and_errors_are_those_seen(kind, measure):
    binned = _layer(kind)
    truth = _measured(binned, measure, MeasureOptions()).total
    estimates = [_measured(binned, measure, SOME, seed) for seed in range(200)]
    errors = np.array([estimate.total - truth for estimate in estimates])
    stated = np.array([estimate.stderr for estimate in estimates])
    seen = np.sqrt(np.mean(errors**2))
    # The standard deviation of 200 deviations is known to 1 / sqrt(400) = 5 %, a coverage of 95 % to 1.5 %.
    assert 0.85 < seen / np.sqrt(np.mean(stated**2)) < 1.15
    assert np.mean(np.abs(errors) < 1.96 * stated) >= (0.93 if kind == "plain" else 0.91)
    assert abs(errors.mean()) < 4 * seen / np.sqrt(200)


def test_the_error_is_far_below_that_of_uniform_draws():
    for kind, times in (("plain", 100), ("heavy", 15)):
        binned = _layer(kind)
        matrix = _measured(binned, "ei_parts", MeasureOptions()).matrix
        uniform = matrix.std() * matrix.size * np.sqrt((1 / 1000) * (1 - 1000 / matrix.size))
        assert _measured(binned, "ei_parts", SOME).stderr * times < uniform


def test_edges_of_one_bit_each_leave_no_error():
    # With a threshold at the centre of the range each weight, however small, tells the sign of its input.
    estimate = _measured(_layer("one threshold"), "sensitivity", SOME)
    assert estimate.total >= 64 * 48 - 1e-6
    assert estimate.stderr < 1e-9 or estimate.total > 64 * 48


@pytest.mark.parametrize("measure", MEASURES)
def test_what_is_measured_is_what_all_edges_would_have(measure):
    binned = _layer("sparse")
    every, some = _measured(binned, measure, MeasureOptions()), _measured(binned, measure, SOME)
    known = ~np.isnan(some.matrix)
    assert known.sum() == 1000
    np.testing.assert_allclose(some.matrix[known], every.matrix[known], rtol=0, atol=1e-11)
    assert binned.weight[known].all()


def test_both_measures_look_at_the_same_edges():
    layer = ef.analyze(_layer().layer, pairwise_edges=1000, random_state=3)[0]
    np.testing.assert_array_equal(np.isnan(layer.sensitivity_matrix), np.isnan(layer.ei_parts_matrix))


@pytest.mark.parametrize("in_bins", [2, 8])
def test_bits_that_are_expected_of_weak_edges_are_those_measured(in_bins):
    rng = np.random.default_rng(2)
    weight = rng.uniform(-1, 1, (60, 8)) * np.linspace(0.5, 2, 8)
    binned = BinnedLayer(ef.Layer(weight), 0, (-1.0, 2.0), (0.0, 1.0), in_bins, 8)
    stage = SampledEdges(binned, tuple(strata_of(binned, 200)), 0, "ei_parts")
    with Threads(1) as threads:
        _, drawn, strata = stage.compute(0, stage.n_items, threads)
    # Sums of 60 inputs are nearly normal, and a 60th of their variance is little: to second order, some percent.
    assert drawn[:, 4].sum() / drawn[:, 0].sum() == pytest.approx(1.0, abs=0.05)
    assert np.corrcoef(drawn[:, 4], drawn[:, 0])[0, 1] > 0.99
    assert strata[:, 0].sum() == 480


def test_any_threads_and_parts_give_the_same_bits():
    binned = _layer(n_in=400, n_out=600)
    assert len(strata_of(binned, 1000)) > 2

    class InParts(Runner):
        def arrays_of(self, stage):
            parts = [self.computed(stage, *items_of_part(stage.n_items, k, 2)) for k in range(2)]
            return stage.join(parts)

    for measure in MEASURES:
        one = _measured(binned, measure, SOME, 5)
        with Threads(3) as threads:
            parts = InParts(threads).run(edge_measure(binned, measure, SOME, 5))
        for other in (_measured(binned, measure, SOME, 5, threads=3), parts):
            assert (other.total, other.stderr) == (one.total, one.stderr)
            np.testing.assert_array_equal(other.matrix, one.matrix)
        assert _measured(binned, measure, SOME, 6).total != one.total


def test_few_edges_of_all_those_there_are_none_left_out():
    # Edges of weight 0 are known: where all others can be drawn, the sum is exact.
    weight = np.zeros((64, 48))
    weight[::8] = np.random.default_rng(0).normal(size=(8, 48))
    binned = BinnedLayer(ef.Layer(weight), 0, (0.0, 1.0), (0.0, 1.0), 8, 8)
    for measure in MEASURES:
        some = _measured(binned, measure, SOME)
        assert some.stderr == pytest.approx(0.0, abs=1e-9)
        assert some.total == pytest.approx(_measured(binned, measure, MeasureOptions()).total, abs=1e-9)


@pytest.mark.parametrize(("n_in", "n_out"), [(1, 2000), (2000, 1), (3, 700)])
def test_shapes_at_the_limits(n_in, n_out):
    binned = _layer(n_in=n_in, n_out=n_out)
    for measure in MEASURES:
        some, truth = _measured(binned, measure, SOME), _measured(binned, measure, MeasureOptions()).total
        assert abs(some.total - truth) < 5 * some.stderr + 1e-9


def test_layers_of_no_more_edges_are_measured_as_before(random_weight):
    weight = random_weight(40, 25, 3.0)
    layer, before = (ef.analyze(weight, random_state=0, tol=1.0, pairwise_edges=edges)[0] for edges in (1000, None))
    assert layer.pairwise_method == before.pairwise_method == "exact"
    np.testing.assert_array_equal(layer.ei_parts_matrix, before.ei_parts_matrix)
    assert (layer.sensitivity, layer.sensitivity_stderr) == (before.sensitivity, 0.0)


def test_a_report_says_so(tmp_path):
    layer = ef.analyze(_layer().layer, pairwise_edges=1000, random_state=0)[0]
    assert layer.pairwise_method == "sampled"
    assert "a random subset of the edges" in layer.explain()
    assert "tol not reached" in layer.flags
    assert "'pairwise_edges' was reached first" in layer.meaning("tol not reached")
    assert layer.degeneracy == layer.sensitivity - layer.ei
    assert layer.phi_ff == layer.ei - layer.ei_parts
    assert layer.degeneracy_stderr == np.hypot(layer.ei_stderr, layer.sensitivity_stderr) > layer.ei_stderr
    assert layer.phi_ff_stderr == np.hypot(layer.ei_stderr, layer.ei_parts_stderr)
    ef.Report([layer], [], {}).save(tmp_path / "report.npz")
    loaded = ef.Report.load(tmp_path / "report.npz")[0]
    assert loaded.figures() == layer.figures()
    np.testing.assert_array_equal(loaded.ei_parts_matrix, layer.ei_parts_matrix)
    estimator = ef.EffectiveInformation(pairwise_edges=1000)
    assert "Edges sampled: 1000 of 3072 are measured, exactly." in estimator.choices(_layer().layer)


def test_functions_and_histograms_are_measured_as_a_whole(random_weight):
    function = ef.Function(np.tanh, 40, 40, (-1.0, 1.0))
    params = {"pairwise_edges": 1000, "n_samples": 512, "random_state": 0}
    assert ef.analyze(function, **params)[0].pairwise_method == "histogram"
    matrix = ef.ei_parts_matrix(random_weight(40, 40), pairwise="histogram", **params)
    assert not np.isnan(matrix).any()


def test_outputs_that_are_never_kept_leave_the_sums_undefined():
    binned = _layer("dropped")
    weight, bias = binned.weight.copy(), binned.bias.copy()
    bias[7] = 50.0
    never = BinnedLayer(ef.Layer(weight, bias), 0, (0.0, 1.0), (0.05, 0.95), 8, 8, drop=True)
    for measure in MEASURES:
        assert np.isnan(_measured(never, measure, MeasureOptions()).total)
        assert np.isnan(_measured(never, measure, SOME).total)
    layer = ef.analyze(never.layer, out_range=(0.05, 0.95), out_of_range="drop", pairwise_edges=1000, random_state=0)[0]
    assert "nothing kept" in layer.flags


def test_all_measures_of_a_layer_together():
    with Threads(2) as threads:
        measures = run_here(measure_layer(_layer(), SOME, 0), threads)
    assert measures.pairwise_method == "sampled"
    assert 0 < measures.ei_parts.stderr < measures.sensitivity.stderr


def test_costs_know_of_the_subset():
    binned = _layer(n_in=400, n_out=600)
    some, every = (
        Settings.checked(ef.EffectiveInformation(pairwise_edges=edges).get_params()) for edges in (1000, None)
    )
    for measure in MEASURES:
        assert seconds_of(binned, some, measure) > 0
    assert seconds_of(binned, some, "ei_parts") < seconds_of(binned, every, "ei_parts") / 10
    larger = Settings.checked(ef.EffectiveInformation(pairwise_edges=400 * 600).get_params())
    assert seconds_of(binned, larger, "ei_parts") == seconds_of(binned, every, "ei_parts")


def test_what_is_measured_exactly_has_no_error():
    for measure in MEASURES:
        found = _measured(_layer(n_in=4, n_out=3), measure, MeasureOptions())
        assert (found.stderr, found.bias, found.n_samples) == (0.0, 0.0, 0)
