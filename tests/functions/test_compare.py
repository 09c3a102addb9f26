"""Differences of two reports, and of two models that are measured together."""

from dataclasses import replace

import naive
import numpy as np
import pytest

import ei_fast as ef
from ei_fast.results.flags import Flag

NAMES = ("ei", "sensitivity", "degeneracy", "ei_parts", "phi_ff")
RNG = np.random.default_rng(0)
WEIGHTS = [RNG.normal(0, 2, (6, 4)), RNG.normal(0, 2, (4, 3))]
OTHERS = [1.2 * weight for weight in WEIGHTS]


def _pair(**params):
    return ef.analyze(WEIGHTS, random_state=0, **params), ef.analyze(OTHERS, random_state=1, **params)


def test_a_report_compared_with_itself_differs_by_exactly_nothing(tmp_path):
    report = ef.analyze(WEIGHTS, random_state=0)
    report.save(tmp_path / "report.npz")
    others = [report, ef.analyze(WEIGHTS, random_state=0, n_jobs=1), ef.Report.load(tmp_path / "report.npz")]
    for other in others:
        for layer in ef.compare(report, other):
            assert layer.is_same
            for name in NAMES:
                found = vars(getattr(layer, name))
                assert {found[key] for key in ("difference", "stderr", "low", "high", "z")} == {0.0}
                assert found["a"] == found["b"] == getattr(report[layer.name], name)


def test_another_seed_is_another_measurement():
    report, other = (ef.analyze(WEIGHTS, random_state=seed) for seed in (0, 1))
    layer = ef.compare(report, other)[0]
    assert not layer.is_same
    assert layer.ei.stderr > 0
    assert layer.ei.difference == other[0].ei - report[0].ei != 0
    assert layer.ei.low < 0 < layer.ei.high


def test_a_layer_that_differs_in_one_edge_that_no_figure_shows_is_not_the_same():
    # By another order of inputs EI changes by rounding at most, and matrices show it.
    report = ef.analyze(np.diag([1.0, 0.5]), activation="linear", random_state=0)
    other = ef.analyze(np.diag([0.5, 1.0]), activation="linear", random_state=0)
    layer = ef.compare(report, other)[0]
    assert not layer.is_same
    assert layer.sensitivity.difference == layer.sensitivity.z == 0.0


def test_differences_are_those_of_the_figures_with_errors_as_if_independent():
    a, b = _pair()
    for layer, one, other in zip(ef.compare(a, b), a, b, strict=True):
        for name in NAMES:
            found, stderr = getattr(layer, name), f"{name}_stderr"
            assert (found.a, found.b) == (getattr(one, name), getattr(other, name))
            assert found.difference == found.b - found.a
            assert found.stderr == pytest.approx(np.hypot(getattr(one, stderr), getattr(other, stderr)), rel=1e-12)
            if found.stderr:
                assert found.z == found.difference / found.stderr
        # What intervals allow for beside standard errors comes on top, from both.
        extra = [
            sum(ends) - 1.959964 * (one.ei_stderr + other.ei_stderr)
            for ends in ((one.ei_interval[1] - one.ei, other.ei - other.ei_interval[0]),
                         (one.ei - one.ei_interval[0], other.ei_interval[1] - other.ei))
        ]  # fmt: skip
        low = layer.ei.difference - 1.959964 * layer.ei.stderr - extra[0]
        high = layer.ei.difference + 1.959964 * layer.ei.stderr + extra[1]
        assert (layer.ei.low, layer.ei.high) == pytest.approx((low, high), abs=1e-6)


def test_exact_figures_differ_infinitely_many_errors_or_not_at_all():
    a, b = (ef.analyze(weight, activation="linear", bins=4) for weight in (np.diag([1, 0]), np.eye(2)))
    up, down = ef.compare(a, b)[0], ef.compare(b, a)[0]
    assert (up.ei.difference, up.ei.stderr, up.ei.z, up.ei.low, up.ei.high) == (2.0, 0.0, np.inf, 2.0, 2.0)
    assert down.ei.z == -np.inf
    assert up.degeneracy.difference == up.degeneracy.z == 0.0
    # Rounding is no difference.
    nearly = replace(a[0], name="layer0", ei=a[0].ei * (1 + 1e-13))
    found = ef.compare(a, ef.Report([nearly], [], a.provenance))[0].ei
    assert found.difference != 0.0 == found.z


def test_what_was_not_measured_has_no_difference():
    a, b = _pair(pairwise="none")
    layer = ef.compare(a, b)[0]
    assert np.isfinite(layer.ei.z)
    for name in NAMES[1:]:
        assert np.isnan([getattr(layer, name).difference, getattr(layer, name).z]).all()
    # The same measurement of what is undefined is undefined.
    assert np.isnan(ef.compare(a, a)[0].sensitivity.difference)
    assert "nan" in str(ef.compare(a, b))


def test_brackets_leave_an_interval_and_no_z():
    a, b = _pair()
    ei = {"ei": 5.0, "ei_interval": (3.0, 7.0), "ei_stderr": 1.0, "flags": (Flag.UNDERSAMPLED,)}
    bracket = replace(a[0], degeneracy=a[0].sensitivity - 5.0, phi_ff=5.0 - a[0].ei_parts, **ei)
    for one, other, sign in ((bracket, b[0], 1), (b[0], bracket, -1)):
        layer = ef.compare(*(ef.Report([x], [], {}) for x in (one, other)))[0]
        low, high = b[0].ei_interval
        expected = sorted([sign * (low - 7.0), sign * (high - 3.0)])
        assert (layer.ei.low, layer.ei.high) == pytest.approx(expected, abs=1e-12)
        assert np.isnan([layer.ei.stderr, layer.ei.z, layer.degeneracy.z, layer.phi_ff.z]).all()
        assert not np.isnan(layer.sensitivity.stderr)
    # Of degeneracy, sensitivity is exact: the ends of EI the other way round.
    mine = ef.compare(ef.Report([b[0]], [], {}), ef.Report([bracket], [], {}))[0].degeneracy
    ours, theirs = b[0].sensitivity - np.array(b[0].ei_interval), bracket.sensitivity - np.array([3.0, 7.0])
    assert mine.low == pytest.approx(min(theirs) - max(ours), abs=1e-3)
    assert mine.high == pytest.approx(max(theirs) - min(ours), abs=1e-3)


def test_a_counted_figure_outside_its_bracket_keeps_the_bracket():
    weight = np.random.default_rng(0).normal(size=(40, 30))
    counted = ef.analyze(weight, joint="plugin", n_samples=1000, effort=0.01, pairwise="none", random_state=0)
    assert Flag.UNDERSAMPLED in counted[0].flags
    found = ef.compare(counted, ef.analyze(np.zeros((40, 30)), pairwise="none"))[0].ei
    assert (found.low, found.high) == pytest.approx([-end for end in counted[0].ei_interval[::-1]])
    assert np.isnan(found.z)


def test_what_else_differs_is_said():
    base = ef.analyze([ef.Layer(WEIGHTS[0], name="fc")], random_state=0)
    others = {
        "bins": {"bins": 4},
        "in_range": {"in_range": (0.0, 2.0)},
        "out_range": {"out_range": (0.0, 2.0)},
        "out_of_range": {"out_of_range": "drop"},
        "baseline": {"baseline": 0.5},
    }
    for said, params in others.items():
        found = ef.compare(base, ef.analyze([ef.Layer(WEIGHTS[0], name="fc")], random_state=0, **params))
        assert found[0].differs == (said,)
        assert said in str(found)
    wider = ef.analyze([ef.Layer(np.ones((9, 4)), activation="tanh", name="fc")], random_state=0)
    assert ef.compare(base, wider)[0].differs == ("widths", "activation", "out_range")
    assert ef.compare(base, base)[0].differs == ()


def test_layers_are_matched_by_name_and_those_left_out_are_named():
    a = ef.analyze([WEIGHTS[0], WEIGHTS[1]], names=["fc", "out"], random_state=0)
    b = ef.analyze([WEIGHTS[0], WEIGHTS[1]], names=["fc", "head"], random_state=0)
    with pytest.raises(
        ValueError, match=r"the first alone has 'out' and the second alone has 'head'. Give match=\['fc'"
    ):
        ef.compare(a, b)
    found = ef.compare(a, b, match=["fc"])
    assert [name for name, _ in found.skipped] == ["out", "head"]
    assert "not compared out: of the first, and not in 'match'" in str(found)
    both = ef.compare(a, b, match={"out": "head", "fc": "fc"})
    assert [(layer.name, layer.name_b, layer.is_same) for layer in both] == [("fc", "fc", True), ("out", "head", True)]
    assert both.skipped == []
    assert "out / head" in str(both)
    with pytest.raises(KeyError, match="the layers are fc, out"):
        both["head"]
    for wrong, error in (("fc", TypeError), (7, TypeError), ([], ValueError), (["nothing"], ValueError)):
        with pytest.raises(error, match="The 'match' parameter of compare must be"):
            ef.compare(a, b, match=wrong)


def test_rows_and_frames_have_all_layers_and_measures():
    pytest.importorskip("pandas")
    a, b = _pair()
    comparison = ef.compare(a, b)
    frame = comparison.to_frame()
    assert len(frame) == 2 * 5
    assert list(frame) == [
        "layer",
        "layer_b",
        "quantity",
        "a",
        "b",
        "difference",
        "stderr",
        "low",
        "high",
        "z",
        "differs",
    ]
    assert frame.set_index(["layer", "quantity"]).loc[("layer1", "ei"), "difference"] == b[1].ei - a[1].ei
    assert repr(comparison) == "Comparison(2 layers: layer0, layer1)"
    assert len(comparison[:1]) == 1


def test_two_models_are_measured_with_seeds_in_common():
    apart = ef.compare(*_pair())
    together = ef.compare(WEIGHTS, OTHERS, random_state=0)
    assert together.repeats == 8
    for one, other in zip(apart, together, strict=True):
        assert other.ei.stderr < one.ei.stderr
        assert abs(one.ei.difference - other.ei.difference) < 4 * np.hypot(one.ei.stderr, other.ei.stderr)
        assert one.sensitivity.difference == pytest.approx(other.sensitivity.difference, abs=1e-12)
        assert other.sensitivity.stderr == 0.0
    assert "8 seeds" in str(together)
    same = ef.compare(WEIGHTS, WEIGHTS, random_state=0)
    assert all(layer.is_same and layer.ei.difference == layer.ei.stderr == layer.ei.high == 0.0 for layer in same)


def test_one_seed_gives_the_same_comparison_for_any_number_of_threads():
    rows = [ef.compare(WEIGHTS, OTHERS, repeats=3, random_state=5, n_jobs=n_jobs).rows() for n_jobs in (1, 2, 3)]
    assert rows[0] == rows[1] == rows[2]


def test_bad_parameters_are_refused_before_any_work():
    report = ef.analyze(WEIGHTS, random_state=0)
    with pytest.raises(TypeError, match="takes two reports, or two models. Got a model as the second"):
        ef.compare(report, WEIGHTS)
    with pytest.raises(TypeError, match="Got a model as the first"):
        ef.compare(WEIGHTS, report)
    with pytest.raises(TypeError, match="takes no parameter but 'match'. Got 'bins'"):
        ef.compare(report, report, bins=4)
    for repeats, error in ((1, ValueError), (2.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match="The 'repeats' parameter of compare must be None or an integer >= 2"):
            ef.compare(WEIGHTS, OTHERS, repeats=repeats)
    with pytest.raises(ValueError, match="The 'matrices' parameter"):
        ef.compare(WEIGHTS, OTHERS, matrices=".")
    with pytest.raises(ValueError, match="Layers are compared by their names in compare"):
        ef.compare(WEIGHTS, OTHERS[:1])
    with pytest.raises(TypeError, match="unexpected keyword argument 'repeat'"):
        ef.compare(WEIGHTS, OTHERS, repeat=4)


def _layer(n, scale, activation):
    weight = np.random.default_rng(1).uniform(-1, 1, (n, n)) * scale / np.sqrt(n)
    return ef.Layer(weight, activation=activation, name="fc")


# Pairs of layers of tests/measures/test_calibration.py, with their EI there, by a slow independent computation.
PAIRS = [
    ((2, 1.0, "sigmoid", None), (2, 5.0, "tanh", None)),
    ((4, 1.0, "relu", 4.12623), (4, 5.0, "sigmoid", 5.75936)),
    ((6, 1.0, "tanh", 5.99757), (6, 5.0, "relu", 5.10985)),
]


def _truth(n, scale, activation, known):
    if known is not None:
        return known
    layer = _layer(n, scale, activation)
    (in_range, out_range), *_ = ef.Network([layer]).ranges(out_range="hull")
    return naive.joint_ei_on_a_grid(layer.weight, layer.bias, activation, in_range, 8, out_range, 8, points=400)


@pytest.mark.endurance
@pytest.mark.parametrize("pair", PAIRS)
def test_intervals_of_differences_hold_the_truth(pair):
    truth = _truth(*pair[1]) - _truth(*pair[0])
    layers = [_layer(*case[:3]) for case in pair]
    params = {"out_range": "hull", "pairwise": "none"}
    of_reports, z = [], []
    for seed in range(200):
        # In turn with a seed in common, and with seeds of their own.
        seeds = (seed, seed if seed % 2 else seed + 1000)
        reports = [ef.analyze(layer, random_state=one, **params) for layer, one in zip(layers, seeds, strict=True)]
        found = ef.compare(*reports)["fc"].ei
        of_reports.append(found.low <= truth <= found.high)
        z.append((found.difference - truth) / found.stderr)
    assert np.mean(of_reports) >= 0.93
    assert np.std(z) < 1.25
    together = [ef.compare(*layers, repeats=4, random_state=seed, **params)["fc"].ei for seed in range(200)]
    assert np.mean([found.low <= truth <= found.high for found in together]) >= 0.93
