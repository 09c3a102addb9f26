"""Two trainings compared."""

import numpy as np
import pytest

import ei_fast as ef

NAMES = ("ei", "sensitivity", "degeneracy", "ei_parts", "phi_ff")
RNG = np.random.default_rng(0)
WEIGHTS = [RNG.normal(0, 2, (5, 4)), RNG.normal(0, 2, (4, 3))]


def _trained(growth, steps=(0, 10, 20), seed=0, **params):
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=seed, **params))
    for step in steps:
        recorder.record([weight * growth ** (step / 10) for weight in WEIGHTS], step=step)
    return recorder.trajectory_


def test_a_training_compared_with_itself_differs_by_exactly_nothing(tmp_path):
    trajectory = _trained(1.3)
    trajectory.save(tmp_path / "run.npz")
    for other in (trajectory, _trained(1.3), ef.Trajectory.load(tmp_path / "run.npz")):
        comparison = trajectory.compare(other)
        for name in NAMES:
            found = getattr(comparison, name)
            for key in ("difference", "stderr", "low", "high", "z"):
                assert (getattr(found, key) == np.zeros((3, 2))).all()


def test_every_step_and_layer_is_compared_as_two_reports_are():
    a, b = _trained(1.3, seed=0), _trained(1.1, seed=1)
    comparison = a.compare(b)
    for t, step in enumerate((0, 10, 20)):
        reports = [
            ef.analyze([weight * growth ** (step / 10) for weight in WEIGHTS], random_state=seed)
            for growth, seed in ((1.3, 0), (1.1, 1))
        ]
        for k, layer in enumerate(ef.compare(*reports)):
            for name in NAMES:
                one, other = vars(getattr(layer, name)), vars(getattr(comparison, name).at(t, k))
                assert one == pytest.approx(other, rel=1e-12, nan_ok=True)
    assert comparison.steps.tolist() == [0, 10, 20]
    assert len(comparison) == 3
    assert "layer1, EI: beyond 1.96 standard errors at" in str(comparison)


def test_steps_that_only_one_has():
    a, b = _trained(1.3), _trained(1.1, steps=(10, 20, 30))
    with pytest.raises(ValueError, match=r"The first alone has 0, the second 30. Give steps='common' for the 2 that"):
        a.compare(b)
    comparison = a.compare(b, steps="common")
    assert comparison.steps.tolist() == [10, 20]
    assert comparison.ei.a.tolist() == a.ei[1:].tolist()
    assert comparison.ei.b.tolist() == b.ei[:2].tolist()
    assert comparison.skipped == [("steps 0", "of the first alone"), ("steps 30", "of the second alone")]
    assert "not compared steps 30: of the second alone" in str(comparison)
    with pytest.raises(ValueError, match="none in common: the first has 0, 10, 20, the second 5. Record both"):
        a.compare(_trained(1.1, steps=(5,)), steps="common")
    with pytest.raises(ValueError, match="'steps' parameter of Trajectory.compare must be one of 'all', 'common'"):
        a.compare(b, steps="some")


def test_layers_are_matched_by_name():
    names = ["ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts", "phi_ff"]
    a, b = (
        ef.Trajectory([0, 1], layers, {name: [[1.0, 2.0], [3.0, start]] for name in names}, {})
        for layers, start in ((["fc", "out"], 4.0), (["out", "fc"], 7.0))
    )
    # Of what is not in an old file nothing is claimed.
    comparison = a.compare(b)
    assert comparison.layers == comparison.layers_b == ("fc", "out")
    assert comparison.ei.difference.tolist() == [[1.0, -1.0], [4.0, -1.0]]
    assert np.isnan(comparison.sensitivity.stderr).all()
    assert np.isfinite(comparison.ei.z).all()
    c = ef.Trajectory([0, 1], ["fc", "head"], {name: [[1.0, 2.0], [3.0, 4.0]] for name in names}, {})
    with pytest.raises(ValueError, match="the first alone has 'out' and the second alone has 'head'"):
        a.compare(c)
    assert a.compare(c, match={"out": "head"}).layers_b == ("head",)


def test_brackets_have_an_interval_and_no_z():
    names = ["ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts", "phi_ff"]
    measures = {name: [[2.0]] for name in names} | {"ei_low": [[1.0]], "ei_high": [[3.0]]}
    a, b = (ef.Trajectory([0], ["fc"], measures, {}, flags=[[flags]]) for flags in ((), ("undersampled",)))
    found = a.compare(b).ei.at(0, 0)
    assert (found.low, found.high) == (-2.0, 2.0)
    assert np.isnan(found.z)


def test_what_is_no_trajectory_is_refused():
    trajectory = _trained(1.3)
    with pytest.raises(TypeError, match="must be a Trajectory. Got Report instead. Take"):
        trajectory.compare(ef.analyze(WEIGHTS, random_state=0))
    names = ["ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts", "phi_ff"]
    runs = ef.Trajectory([0, 0], ["fc"], {name: [[1.0], [2.0]] for name in names}, {}, runs=["a", "b"])
    with pytest.raises(ValueError, match="holds the runs a, b"):
        runs.compare(runs)


def test_what_else_differs_is_said():
    comparison = _trained(1.3).compare(_trained(1.3, bins=4, baseline=0.5))
    assert comparison.differs == ("bins", "baseline")
    assert str(comparison).endswith("differs as well in: bins, baseline")
    frame = pytest.importorskip("pandas") and comparison.to_frame()
    assert len(frame) == 3 * 2 * 5
    assert list(frame)[:4] == ["step", "layer", "layer_b", "quantity"]
