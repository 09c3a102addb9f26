"""Control variates: their means exact, so that they take away variance and never move the target."""

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.streams import Stream
from ei_fast.measures.counting.estimators import estimator_named
from ei_fast.measures.counting.sampled import entropy_of_keys
from ei_fast.measures.entropies import controls as control
from ei_fast.measures.entropies import every_cell, to_tol
from ei_fast.measures.entropies.cells import CellEntropies, CellStatistics
from ei_fast.network.steps import StepTable
from ei_fast.runtime.threads import Threads

LAYERS = [(2, 3, 4.0, "sigmoid"), (4, 3, 5.0, "tanh"), (5, 4, 2.0, "relu"), (6, 3, 3.0, "gelu")]


def _intervention(weight, activation, seed=0):
    steps = ef.Activation(activation).steps((-1.0, 1.0), 8)
    table = StepTable.of([steps], weight.shape[1])
    return DenseIntervention(
        weight, np.full(weight.shape[1], -0.2), table, in_range=(-1.0, 1.0), in_bins=8, seed=seed, place=(0, 0)
    )


@pytest.mark.parametrize(("n_in", "n_out", "scale", "activation"), LAYERS)
def test_the_mean_over_cells_is_exact(random_weight, n_in, n_out, scale, activation):
    do = _intervention(random_weight(n_in, n_out, scale), activation)
    controls = control.CellControl(do, Threads(1))
    n_cells = 8**n_in
    values = np.concatenate([controls(do.enumerated_cells(k, min(4096, n_cells - k))) for k in range(0, n_cells, 4096)])
    assert controls.mean == pytest.approx(values.mean(), abs=1e-9)


@pytest.mark.parametrize(("n_in", "n_out", "scale", "activation"), LAYERS)
def test_the_mean_over_outputs_is_exact(random_weight, n_in, n_out, scale, activation):
    do = _intervention(random_weight(n_in, n_out, scale), activation)
    controls = control.OutputControl(do)
    keys = do.keys_anywhere(Stream.MARGINAL, 0, 400_000)
    states, inverse = np.unique(keys, return_inverse=True)
    values = controls(type("Counts", (), {"states": states})())[inverse]
    assert abs(values.mean() - controls.mean) < 4 * values.std() / np.sqrt(len(keys))


@pytest.mark.parametrize("name", ["auto", "grassberger"])
def test_neither_moves_the_target(random_weight, monkeypatch, name):
    # The same layer without them, and where every cell is visited: three routes to one number.
    weight = random_weight(4, 4, 5.0)
    params = {"random_state": 0, "tol": 0.004, "entropy": name, "pairwise": "none"}
    every = ef.analyze(weight, **params)[0]
    monkeypatch.setattr(every_cell, "MAX_ENUMERATED_CELLS", 1)
    controlled = ef.analyze(weight, **params)[0]
    monkeypatch.setattr(to_tol, "controls_of", lambda intervention, threads: control.NO_CONTROLS)
    plain = ef.analyze(weight, **params)[0]
    for one in (controlled, plain):
        half = 4 * np.hypot(one.ei_stderr, every.ei_stderr) + (0.0 if name == "auto" else 0.01)
        assert abs(one.ei - every.ei) < half
    assert controlled.n_samples < plain.n_samples


def test_unbiased_where_the_answer_is_known():
    # Outputs that one input each determines, tied by threads too thin to move them: EI is the sum of exact ones.
    weight = np.full((5, 5), 1e-7)
    weight[np.arange(5), np.arange(5)] = [3.0, -5.0, 1.5, 9.0, 2.0]
    exact = ef.analyze(np.diag(np.diag(weight)))[0]
    assert exact.joint_method == "exact"
    reports = [ef.analyze(weight, random_state=seed, pairwise="none")[0] for seed in range(50)]
    errors = np.array([report.ei for report in reports]) - exact.ei
    assert reports[0].joint_method == "conditional"
    assert abs(errors.mean()) < 4 * errors.std() / np.sqrt(50) + 1e-6
    assert (np.abs(errors) < 4 * np.array([report.ei_stderr for report in reports])).all()


def test_what_is_gained(random_weight):
    do = _intervention(random_weight(25, 6, 1.0), "sigmoid")
    controls = control.controls_of(do, Threads(1))
    cells = do.drawn_cells(Stream.CELLS, 0, 512)
    excess = controls.cells(cells) - controls.cells.mean
    keys = do.keys_inside(Stream.POINTS, 0, cells, 512)
    estimator = estimator_named("auto")
    inside = CellEntropies(CellStatistics.of_keys(keys, estimator), 512, estimator, keys.size, excess)
    assert inside.regressed().entropies.var() < inside.entropies.var() / 20
    keys = do.keys_anywhere(Stream.MARGINAL, 0, 2**16)
    with_it, without = entropy_of_keys(keys, estimator, controls.output), entropy_of_keys(keys, estimator)
    assert with_it.stderr < without.stderr / 2
    assert abs(with_it.value - without.value) < 4 * without.stderr
