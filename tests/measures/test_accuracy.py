"""Random layers at the default settings, against the naive oracle run to an error of at most 0.002 bits."""

import naive
import numpy as np
import pytest

import ei_fast as ef
from ei_fast.measures.entropies import every_cell, sample, to_tol
from ei_fast.measures.entropies.allocation import Sizes

BINS = 8
LAYERS = [(n_in, n_out, scale) for n_in, n_out in ((2, 2), (4, 4), (6, 6), (25, 6), (6, 5)) for scale in (1.0, 5.0)]


def _reference(weight):
    n_in, n_out = weight.shape
    layer = (weight, np.zeros(n_out), "sigmoid", (0.0, 1.0), BINS, (0.0, 1.0), BINS)
    if n_in == 2:
        # On 400 x 400 points a cell the grid's error is far below 1e-3.
        return naive.joint_ei_on_a_grid(*layer, points=400), 0.0005
    return naive.joint_ei_by_sampling(
        *layer, np.random.default_rng(5), n_cells=4096, m=1024, n=8_000_000, n_control=1_000_000
    )


@pytest.mark.parametrize(("n_in", "n_out", "scale"), LAYERS)
@pytest.mark.slow
def test_rms_error_over_seeds(random_weight, n_in, n_out, scale):
    weight = random_weight(n_in, n_out, scale, seed=1)
    reference, error = _reference(weight)
    assert error <= 0.002
    reports = [ef.analyze(weight, random_state=seed)[0] for seed in range(30)]
    deviations = np.array([report.ei for report in reports]) - reference
    assert np.sqrt(np.mean(deviations**2)) <= 0.012
    # The stated errors are honest: none is exceeded fivefold, and "tol" is kept without a flag.
    assert all(abs(d) < 5 * np.hypot(r.ei_stderr, error) for d, r in zip(deviations, reports, strict=True))
    assert not any("tol not reached" in report.flags or "undersampled" in report.flags for report in reports)


def test_the_methods_meet_at_the_number_of_cells(random_weight, monkeypatch):
    weight = random_weight(3, 4, 5.0)
    enumerated = ef.analyze(weight, random_state=0)[0]
    monkeypatch.setattr(every_cell, "MAX_ENUMERATED_CELLS", 1)
    drawn = ef.analyze(weight, random_state=0)[0]
    assert enumerated.n_samples % 8**3 == 0
    assert abs(enumerated.ei - drawn.ei) < 4 * np.hypot(enumerated.ei_stderr, drawn.ei_stderr)


@pytest.mark.parametrize("n_in", [3, 25])
@pytest.mark.parametrize("n_samples", [256, 1000, 50_000])
def test_n_samples_is_what_is_simulated(random_weight, n_in, n_samples):
    report = ef.analyze(random_weight(n_in, 3, 2.0), n_samples=n_samples, random_state=0)[0]
    assert 0.4 * n_samples < report.n_samples <= n_samples or "undersampled" in report.flags


def test_a_smaller_tol_is_reached(random_weight):
    weight = random_weight(6, 4, 2.0)
    coarse = ef.analyze(weight, tol=0.05, random_state=0)[0]
    fine = ef.analyze(weight, tol=0.004, random_state=0)[0]
    assert coarse.ei_stderr <= 0.05
    assert fine.ei_stderr <= 0.004
    assert coarse.n_samples < fine.n_samples


def test_no_more_points_than_tol_needs(random_weight):
    # A short pilot meets most of the states once, which makes it noisier than in proportion to its points.
    weight = random_weight(6, 6, 8.0)
    layer = ef.Layer(weight, bias=-weight.sum(axis=0) / 2)
    errors = [ef.analyze(layer, random_state=seed)[0].ei_stderr for seed in range(4)]
    assert 0.006 < np.mean(errors) < 0.01


@pytest.mark.parametrize("beyond", range(8))
def test_a_pilot_that_is_just_too_short_ends(random_weight, monkeypatch, beyond):
    asked = []

    def sizes(pilot, m, output, demand):
        asked.append(output.n_samples)
        assert len(asked) < 3
        return Sizes(64, 64, 8 * 2**14 + beyond)

    monkeypatch.setattr(to_tol, "best_sizes", sizes)
    ef.analyze(random_weight(6, 4, 2.0), random_state=0, tol=0.5)
    assert asked == [2**14]


def test_an_unreachable_tol_is_flagged(random_weight, monkeypatch):
    monkeypatch.setattr(sample, "MAX_POINTS", 2**17)
    report = ef.analyze(random_weight(25, 4, 5.0), tol=1e-4, random_state=0)[0]
    assert "tol not reached" in report.flags
    assert report.n_samples <= 2**17
