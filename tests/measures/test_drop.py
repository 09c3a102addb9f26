"""Outputs outside the range left out: kept inputs are no longer uniform, and cells weigh by what is kept."""

import naive
import numpy as np
import pytest

import ei_fast as ef
from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.streams import Stream
from ei_fast.kernels.keys import DROPPED
from ei_fast.measures.constants import MAX_POINTS
from ei_fast.measures.entropies import every_cell
from ei_fast.network.steps import StepTable

CASES = [
    # activation, scale, bias, in_range, out_range
    ("linear", 3.0, 0.0, (0.0, 1.0), (-0.5, 0.5)),
    ("relu", 3.0, 0.2, (-1.0, 1.0), (0.0, 1.0)),
    ("tanh", 4.0, 0.0, (-1.0, 1.0), (-0.9, 0.6)),
    ("gelu", 4.0, -0.3, (-1.0, 1.0), (-0.1, 1.0)),
]


def _both(layer, monkeypatch, **params):
    """By every cell, and by drawn cells."""
    every = ef.analyze(layer, out_of_range="drop", random_state=0, **params)[0]
    monkeypatch.setattr(every_cell, "MAX_ENUMERATED_CELLS", 1)
    drawn = ef.analyze(layer, out_of_range="drop", random_state=0, **params)[0]
    return every, drawn


@pytest.mark.parametrize(("activation", "scale", "bias", "in_range", "out_range"), CASES)
def test_joint_ei(random_weight, monkeypatch, activation, scale, bias, in_range, out_range):
    weight = random_weight(2, 2, scale)
    layer = ef.Layer(weight, [bias, bias], activation, out_range=out_range)
    expected = naive.joint_ei_on_a_grid(
        weight, np.full(2, bias), activation, in_range, 8, out_range, 8, points=300, drop=True
    )
    for report in _both(layer, monkeypatch, in_range=in_range):
        assert 0 < report.ei_stderr < 0.015
        assert abs(report.ei - expected) < 4 * report.ei_stderr + 0.001
        assert report.ei <= report.output_entropy <= 6


def test_cells_weigh_by_what_they_keep(monkeypatch):
    # y = x1 + x2, kept on (0, 1) and told apart there into two bins.
    weight = np.array([[1.0], [1.0]])
    layer = ef.Layer(weight, activation="linear", out_range=(0.0, 1.0))
    # Cells of four bins a side, k = i + j: those with k < 3 are kept whole, those with k = 3 by half. An edge of the
    # output's two bins, 1/2, halves the cells with k = 1.
    cells = np.add.outer(np.arange(4), np.arange(4))
    kept = np.select([cells < 3, cells == 3], [1.0, 0.5], 0.0)
    low = np.select([cells < 1, cells == 1], [1.0, 0.5], 0.0)
    inside = np.where(cells == 1, 1.0, 0.0)
    p = (low * kept).sum() / kept.sum()
    expected = -p * np.log2(p) - (1 - p) * np.log2(1 - p) - (kept * inside).sum() / kept.sum()
    for report in _both(layer, monkeypatch, bins=(4, 2)):
        assert abs(report.ei - expected) < 4 * report.ei_stderr
        assert report.ei_stderr < 0.01


@pytest.mark.slow
def test_stated_errors_are_those_seen(random_weight, monkeypatch):
    layer = ef.Layer(random_weight(2, 2, 3.0), activation="linear", out_range=(-0.5, 0.5))
    params = {"out_of_range": "drop", "pairwise": "none", "n_samples": 20_000}
    expected = ef.analyze(layer, out_of_range="drop", pairwise="none", tol=0.001, random_state=0)[0].ei
    for most in (4096, 1):
        monkeypatch.setattr(every_cell, "MAX_ENUMERATED_CELLS", most)
        reports = [ef.analyze(layer, random_state=seed, **params)[0] for seed in range(400)]
        errors = np.array([report.ei for report in reports]) - expected
        stated = np.mean([report.ei_stderr for report in reports])
        assert np.sqrt(np.mean(errors**2)) == pytest.approx(stated, rel=0.25)


def test_nothing_outside_nothing_changes(random_weight):
    layer = ef.Layer(random_weight(3, 3, 4.0))
    clip, drop = (ef.analyze(layer, out_of_range=how, random_state=0)[0] for how in ("clip", "drop"))
    assert drop.ei == pytest.approx(clip.ei, abs=1e-12)
    assert drop.ei_parts == pytest.approx(clip.ei_parts, abs=1e-9)
    assert drop.sensitivity == pytest.approx(clip.sensitivity, abs=1e-12)


def test_a_small_share_outside_is_dropped_and_not_clipped():
    # Of each 1,000 samples eight are dropped. Clipped, they would add to the outermost bin.
    layer = ef.Layer([[1.0, 1.0], [1.0, 0.5]], activation="linear", out_range=(0.0, 1.87))
    task = (layer.weight, np.zeros(2), "linear", (0.0, 1.0), 8, (0.0, 1.87), 8)
    dropped, clipped = (naive.joint_ei_on_a_grid(*task, points=300, drop=drop) for drop in (True, False))
    report = ef.analyze(layer, out_of_range="drop", tol=0.002, pairwise="none", random_state=0)[0]
    assert abs(report.ei - dropped) < 4 * report.ei_stderr + 0.001 < (clipped - dropped) / 2


def test_samples_that_are_dropped_fill_no_bin():
    # Of each 100 samples 72 have an output of 0 and 27 one above the range: what is kept lies in one bin.
    layer = ef.Layer([[1.0], [1.0]], [-1.25], "relu", out_range=(0.0, 0.01))
    dropped, clipped = (ef.analyze(layer, out_of_range=how, random_state=0)[0] for how in ("drop", "clip"))
    assert "outputs in one bin" in dropped.flags
    assert "outputs in one bin" not in clipped.flags


def test_one_input_is_exact():
    # y = 2 x on (0, 1): the upper half of the inputs is left out; what is kept is told in full.
    report = ef.analyze(ef.Layer([[2.0]], activation="linear", out_range=(0.0, 1.0)), bins=(8, 4), out_of_range="drop")[
        0
    ]
    for figure in (report.ei, report.sensitivity, report.ei_parts):
        assert figure == pytest.approx(2.0, abs=1e-12)
    assert report.joint_method == "exact"


def test_where_nothing_is_kept_nothing_is_said():
    layer = ef.Layer(np.ones((3, 2)), [0.0, 50.0], "linear", out_range=(0.0, 3.0))
    report = ef.analyze(layer, out_of_range="drop", random_state=0)[0]
    assert np.isnan(report.ei)
    assert "nothing kept" in report.flags
    assert "wider out_range" in report.explain()


@pytest.mark.slow
def test_samples_kept_by_accident_are_not_believed():
    # Of 25 -> 6 with large weights one sample in two million is kept: what a handful has in common says nothing.
    weight = np.random.default_rng(0).uniform(-5, 5, (25, 6))
    layer = ef.Layer(weight, activation="relu", out_range=(0.0, 1.0))
    for seed in range(3):
        report = ef.analyze(layer, out_of_range="drop", pairwise="none", random_state=seed)[0]
        low, high = report.ei_interval
        assert {"nothing kept", "undersampled"} & set(report.flags)
        assert np.isnan(report.ei) or high - low > 0.5
        # No more is spent on finding kept points than on anything else.
        assert report.n_samples < 2 * MAX_POINTS


@pytest.mark.parametrize("half", [0.3, 0.03])
@pytest.mark.slow
def test_a_finer_tol_is_not_less_accurate(random_weight, half):
    weight = np.random.default_rng(1).uniform(-1, 1, (2, 2)) * 3 / np.sqrt(2)
    layer = ef.Layer(weight, activation="linear", out_range=(-half, half))
    params = {"in_range": (-1.0, 1.0), "out_of_range": "drop", "pairwise": "none"}
    expected = naive.joint_ei_on_a_grid(
        weight, np.zeros(2), "linear", (-1.0, 1.0), 8, (-half, half), 8, points=600, drop=True
    )
    for tol in (0.01, 0.001):
        reports = [ef.analyze(layer, tol=tol, random_state=seed, **params)[0] for seed in range(12)]
        rms = np.sqrt(np.mean([(report.ei - expected) ** 2 for report in reports]))
        assert rms <= max(1.6 * tol, 0.008)


# Found with 2**31 points by version 0.1.0 before it had any control of what is kept: a value and its standard error.
MANY_INPUTS = [
    ((25, 6), 5.0, 0.0, "relu", (0.0, 1.0), 5.2458, 0.0055),
    ((25, 6), 1.0, 0.0, "relu", (0.0, 1.0), 7.7587, 0.0012),
    ((25, 6), 3.0, 0.0, "linear", (-1.0, 1.0), 11.5301, 0.0046),
    ((6, 3), 4.0, -0.3, "gelu", (-0.1, 0.3), 3.3127, 0.0028),
    ((12, 4), 2.0, 0.0, "silu", (-0.2, 0.5), 7.3574, 0.0013),
]


@pytest.mark.parametrize(("shape", "scale", "bias", "activation", "out_range", "expected", "error"), MANY_INPUTS)
def test_layers_whose_cells_cannot_be_visited(shape, scale, bias, activation, out_range, expected, error):
    weight = np.random.default_rng(1).uniform(-1, 1, shape) * scale / np.sqrt(shape[0])
    layer = ef.Layer(weight, np.full(shape[1], bias), activation, out_range=out_range)
    for seed in range(3):
        report = ef.analyze(layer, in_range=(-1, 1), out_of_range="drop", pairwise="none", random_state=seed)[0]
        assert report.ei_stderr < 0.03
        assert abs(report.ei - expected) < 4 * np.hypot(report.ei_stderr, error)


def test_cells_that_keep_nothing_are_known(random_weight):
    """By interval arithmetic, of each output by itself."""
    weight, bias = random_weight(3, 2, 4.0), np.array([0.3, -0.2])
    steps = StepTable.of([ef.Activation("gelu").steps((-0.1, 0.4), 8, drop=True)], 2, drops=True)
    do = DenseIntervention(weight, bias, steps, in_range=(-1.0, 1.0), in_bins=8, seed=0, place=(0,), drop=True)
    cells = do.enumerated_cells(0, 512)
    keeps = (do.keys_inside(Stream.POINTS, 0, cells, 2000) != DROPPED).any(axis=1)
    said = do.open_cells(cells)
    assert not (keeps & ~said).any()
    assert 0 < keeps.sum() <= said.sum() < 350


def test_points_that_found_too_few_cells_are_counted():
    # The sum of ten inputs is above 8.6 for a share of 1.4**10 / 10!, 8 in a million: too few cells are found.
    settings = {"in_range": (0.0, 1.0), "out_range": (8.6, 10.0), "out_of_range": "drop", "random_state": 0}
    layer = ef.Layer(np.ones((10, 1)), activation="linear")
    report = ef.analyze(layer, joint="conditional", pairwise="none", effort=0.05, **settings)[0]
    assert "undersampled" in report.flags
    assert isinstance(report.n_samples, int)
    assert report.n_samples > 2**18
