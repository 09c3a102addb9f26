"""The public entry: parameters are checked before any work, results keep the contract."""

import inspect
import threading

import numpy as np
import pytest
from sklearn.base import clone

import ei_fast as ef
from ei_fast.measures.joint import conditional

BAD = [
    ("bins", 1, ValueError),
    ("bins", 8.0, TypeError),
    ("bins", (8, 10**6), ValueError),
    ("in_range", (1, 0), ValueError),
    ("in_range", "wide", ValueError),
    ("in_range", 3, TypeError),
    ("out_range", (0, np.inf), ValueError),
    ("out_of_range", "wrap", ValueError),
    ("out_of_range", None, TypeError),
    ("baseline", np.nan, ValueError),
    ("baseline", "0", TypeError),
    ("joint", "exact", ValueError),
    ("effort", 0.001, ValueError),
    ("effort", "much", TypeError),
    ("joint", 3, TypeError),
    ("pairwise", "exactly", ValueError),
    ("entropy", "nsb", ValueError),
    ("n_samples", 100, ValueError),
    ("n_samples", 1e5, TypeError),
    ("n_samples", "many", TypeError),
    ("tol", 0, ValueError),
    ("tol", -0.01, ValueError),
    ("tol", np.inf, ValueError),
    ("tol", "small", TypeError),
    ("tol", True, TypeError),
    ("random_state", -1, ValueError),
    ("random_state", "seed", TypeError),
    ("n_jobs", 0, ValueError),
    ("n_jobs", 1.5, TypeError),
    ("verbose", -1, ValueError),
    ("verbose", "yes", TypeError),
    ("pairwise_edges", 999, ValueError),
    ("pairwise_edges", 1e5, TypeError),
    ("pairwise_edges", True, TypeError),
    ("pairwise_edges", "auto", TypeError),
    ("matrices", "", ValueError),
    ("matrices", 3, TypeError),
    ("matrices", b"folder", TypeError),
]


@pytest.mark.parametrize(("parameter", "value", "error"), BAD)
def test_bad_parameters_name_themselves_before_any_work(no_work, parameter, value, error):
    with pytest.raises(error, match=f"'{parameter}' parameter of EffectiveInformation must be .*[Gg]ot"):
        ef.analyze(np.eye(2), **{parameter: value})


@pytest.mark.parametrize("model", [[np.eye(2), np.eye(3)], np.full((2, 2), np.nan), [], np.ones(3), "x.csv"])
def test_bad_models_are_refused_before_any_work(no_work, model):
    with pytest.raises(ValueError, match="must|overflow"):
        ef.analyze(model)


def test_estimator_and_short_form_agree(random_weight):
    weights = [random_weight(4, 3, 3.0), random_weight(3, 2, 3.0)]
    est = ef.EffectiveInformation(random_state=0, bins=(4, 8))
    assert est.fit(weights) is est
    report = ef.analyze(weights, random_state=0, bins=(4, 8))
    for name in ("ei", "sensitivity", "degeneracy", "ei_parts", "phi_ff"):
        values = getattr(est, f"{name}_")
        assert values.shape == (2,)
        assert values.tolist() == [getattr(layer, name) for layer in report]
        assert values.tolist() == [getattr(layer, name) for layer in est.report_]
    assert (report[0].in_bins, report[0].out_bins) == (4, 8)


def test_parameters_are_those_of_the_contract_and_clone():
    expected = "bins activation in_range out_range out_of_range baseline joint pairwise entropy n_samples tol"
    expected += " effort random_state n_jobs verbose pairwise_edges matrices"
    assert list(inspect.signature(ef.EffectiveInformation).parameters) == expected.split()
    est = ef.EffectiveInformation(bins=4, tol=0.1)
    assert clone(est).get_params() == est.get_params()
    assert repr(est) == "EffectiveInformation(bins=4, tol=0.1)"


def test_fit_leaves_the_model_and_the_parameters_alone(random_weight):
    weight = random_weight(3, 2)
    before = weight.copy()
    est = ef.EffectiveInformation(random_state=0)
    params = est.get_params()
    est.fit(weight)
    np.testing.assert_array_equal(weight, before)
    assert est.get_params() == params


def test_pairwise_none():
    report = ef.analyze(np.eye(3), pairwise="none")[0]
    assert report.pairwise_method == "none"
    assert np.isnan([report.sensitivity, report.degeneracy, report.sensitivity_stderr]).all()
    assert np.isnan(report.sensitivity_matrix).all()
    assert "not measured" in report.explain()


def test_a_function_measures_like_the_layer_it_is(random_weight):
    weight = random_weight(6, 3, 4.0)
    layer = ef.analyze(ef.Layer(weight, activation="tanh"), random_state=0)[0]
    block = ef.Function(lambda x: np.tanh(x @ weight), 6, 3, (-1.0, 1.0), name="block")
    report = ef.analyze(block, random_state=0)[0]
    # Only the layer has control variates, so that the two are sampled differently.
    assert abs(report.ei - layer.ei) < 4 * np.hypot(report.ei_stderr, layer.ei_stderr)
    assert (report.activation, report.pairwise_method, report.name) == ("function", "histogram", "block")
    assert abs(report.sensitivity - layer.sensitivity) < 4 * report.sensitivity_stderr
    assert abs(report.ei_parts - layer.ei_parts) < 4 * report.ei_parts_stderr


def test_a_function_of_few_inputs_and_a_given_range():
    # |x| on (-1, 1) with 4 and 2 bins: a function of the input's bin, fair. EI = 1.
    block = ef.Function(np.abs, 1, 1, (0.0, 1.0), in_range=(-1.0, 1.0))
    report = ef.analyze(block, bins=(4, 2), random_state=0)[0]
    assert report.ei == pytest.approx(1.0, abs=4 * report.ei_stderr + 1e-9)
    assert report.conditional_entropy == 0.0


def test_functions_run_in_the_callers_thread():
    threads = set()

    def fn(x):
        threads.add(threading.get_ident())
        return x

    ef.analyze(ef.Function(lambda x: fn(x)[:, :2], 6, 2, (0, 1)), n_jobs=4)
    assert threads == {threading.get_ident()}


def test_reports_read_well(random_weight):
    report = ef.analyze(
        [ef.Layer(random_weight(5, 3, 9.0), name="fc1"), ef.Layer(np.zeros((3, 2)), name="fc2")], random_state=0
    )
    assert report["fc1"] is report[0]
    assert [layer.name for layer in report] == ["fc1", "fc2"]
    assert len(report) == len(report[:]) == 2
    with pytest.raises(KeyError, match="the layers are fc1, fc2"):
        report["fc3"]
    table = str(report)
    assert f"{report[0].ei:.3f}" in table
    assert "constant" in table.splitlines()[-1]
    assert "exact" in report[1].explain()
    assert f"{report[0].n_samples:,}" in report[0].explain()
    assert report.skipped == []
    assert report.provenance["seed"] == 0
    assert report.provenance["ei_fast"] == ef.__version__
    assert report.provenance["seconds"] > 0


def test_figures_of_a_report_fit_together(random_weight):
    layer = ef.analyze(random_weight(5, 3, 9.0), random_state=0)[0]
    assert layer.sensitivity == layer.sensitivity_matrix.sum()
    assert layer.sensitivity_matrix.shape == (5, 3)
    assert layer.degeneracy == layer.sensitivity - layer.ei
    assert layer.degeneracy_stderr == layer.ei_stderr > 0
    assert layer.sensitivity_stderr == 0.0
    assert layer.ei == pytest.approx(layer.output_entropy - layer.conditional_entropy)
    assert layer.ei_interval[0] < layer.ei < layer.ei_interval[1]


def test_verbose_shows_progress(capsys):
    ef.analyze([np.eye(2), np.eye(2)], verbose=1)
    assert "2/2" in capsys.readouterr().err
    ef.analyze(np.eye(2))
    assert capsys.readouterr().err == ""


def test_verbose_counts_what_takes_long_inside_a_layer(random_weight, capsys, monkeypatch):
    monkeypatch.setattr("ei_fast.runtime.threads._SECONDS_BEFORE_A_BAR", 0.0)
    quiet = ef.analyze(random_weight(12, 9), random_state=0, joint="annealed", effort=0.05)
    assert capsys.readouterr().err == ""
    told = ef.analyze(random_weight(12, 9), random_state=0, joint="annealed", effort=0.05, verbose=1)
    shown = capsys.readouterr().err
    for title in ("annealing over", "scoring states", "EI_parts of edges", "sensitivity of edges"):
        assert title in shown
    assert told[0].ei == quiet[0].ei


def test_tol_is_shared_out_over_the_parts(random_weight, monkeypatch):
    seen = []
    real = conditional.conditional_ei
    monkeypatch.setattr(conditional, "conditional_ei", lambda on, asked: (seen.append(asked.tol), real(on, asked))[1])
    weight = np.zeros((8, 8))
    for k in range(4):
        weight[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = random_weight(2, 2, 5.0, k)
    report = ef.analyze(weight, random_state=0, joint="conditional")[0]
    assert seen == [0.005] * 4
    assert report.ei_stderr < 0.01
