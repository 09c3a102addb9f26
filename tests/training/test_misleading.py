"""What would mislead in a recording is refused: metrics named as measures, other layers, steps that are none."""

import warnings
from functools import partial

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.training.columns import MEASURES


def _recorder(**options):
    return ef.Recorder(ef.EffectiveInformation(random_state=0, tol=0.1), **options)


@pytest.mark.parametrize("name", ["sensitivity", "ei", "phi_ff", "layer", "flags", "ei_low", "ranges"])
def test_a_metric_named_as_a_column_is_refused(name):
    recorder = _recorder()
    with pytest.raises(ValueError, match=f"metric {name!r} of Recorder.record .* column {name!r} is taken"):
        recorder.record(np.eye(2), **{name: 0.93})
    assert len(recorder.trajectory_) == 0


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (ef.Layer(np.eye(2), activation="tanh"), "dense, tanh"),
        (ef.Layer(np.eye(2), activation=ef.Activation("leaky_relu", negative_slope=0.3)), "negative_slope=0.3"),
        (ef.Function(np.tanh, 2, 2, (-1.0, 1.0)), "function"),
        (ef.Layer(np.eye(2), patch=(2, 1)), "patch 2x1"),
    ],
)
def test_another_kind_of_layer_in_mid_run_is_refused(other, said):
    recorder = _recorder()
    recorder.record(ef.Layer(np.eye(2)))
    with pytest.raises(ValueError, match=f"Layer 0 of the first record .*dense, sigmoid. Got .*{said}"):
        recorder.record(other.named("layer0"))
    assert len(recorder.trajectory_) == 1


def test_a_recording_is_not_continued_with_another_function(tmp_path):
    def recorded(fn):
        with _recorder(path=tmp_path / "run.npz") as recorder:
            recorder.record(ef.Function(fn, 2, 2, (-1.0, 1.0)), step=len(recorder.trajectory_))

    recorded(lambda x: np.tanh(x))
    recorded(lambda x: np.tanh(x))
    with pytest.raises(ValueError, match=r"Layer 0 of the first record .*function .*lambda.* Got .*lambda"):
        recorded(lambda x: np.tanh(2 * x))


def _halved(x, a):
    return np.tanh(a * x) / 2


def _sine(x, a):
    return np.sin(a * x)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda x: np.tanh(x), lambda x: np.sin(x)),
        (np.tanh, np.sin),
        (
            lambda x: np.array([(lambda row: row * 0.5)(row) for row in x]),
            lambda x: np.array([(lambda row: row)(row) for row in x]),
        ),
        (partial(_halved, a=1), partial(_sine, a=1)),
    ],
    ids=["names", "ufuncs", "inner", "partial"],
)
def test_functions_that_look_alike_are_told_apart(one, other):
    recorder = _recorder()
    recorder.record(ef.Function(one, 2, 2, (-1.0, 1.0)))
    with pytest.raises(ValueError, match="Layer 0 of the first record .*function .* Got .*function"):
        recorder.record(ef.Function(other, 2, 2, (-1.0, 1.0)))


def test_what_a_function_has_learnt_may_change():
    recorder = _recorder()
    for slope in (1.0, 2.0):
        recorder.record(ef.Function(lambda x, slope=slope: np.tanh(slope * x), 2, 2, (-1.0, 1.0)))
    assert len(recorder.trajectory_) == 2


def test_the_slope_that_a_prelu_learns_is_recorded_as_weights_are(tmp_path):
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.PReLU())
    recorder = _recorder(keep_weights=True)
    for _ in range(2):
        recorder.record(model)
        with torch.no_grad():
            model[1].weight *= 0.5
    recorder.trajectory_.save(tmp_path / "run.npz")
    kept = ef.Trajectory.load(tmp_path / "run.npz").networks
    assert [str(one.layers[0].activation) for one in kept] == ["prelu", "prelu(negative_slope=0.125)"]


def test_ranges_that_were_given_are_said_to_be(tmp_path):
    estimator = ef.EffectiveInformation(out_range=(0.0, 3.0), random_state=0)
    for _ in range(2):
        with ef.Recorder(estimator, path=tmp_path / "run.npz", keep_weights=True) as recorder:
            recorder.record(ef.Layer(np.eye(2), activation="relu"))
    assert recorder.trajectory_.ranges == "given"
    assert "ranges of unbounded outputs" not in str(recorder.report_)
    assert set(recorder.trajectory_.to_frame()["ranges"]) == {"given"}
    assert recorder.trajectory_.remeasure(out_range="auto").ranges == "each"


def test_flags_and_ranges_of_other_layers_are_refused():
    measures = {name: np.zeros((2, 1)) for name in MEASURES}
    with pytest.raises(ValueError, match="'flags' parameter .* each of 1 layers at every step. Got 2 at index 0"):
        ef.Trajectory([0, 1], ["a"], measures, {}, flags=[[("x",), ()], [()]])
    with pytest.raises(ValueError, match="'layer_ranges' parameter .* each of 2 steps. Got 1"):
        ef.Trajectory([0, 1], ["a"], measures, {}, layer_ranges=[()])


def test_a_run_keeps_its_weights():
    networks = [ef.as_network([np.eye(2) * scale]) for scale in (1.0, 2.0)]
    measures = {name: np.zeros((2, 1)) for name in MEASURES}
    both = ef.Trajectory([0, 0], ["a"], measures, {}, runs=["x", "y"], networks=networks)
    assert both.of_run("y").networks == (networks[1],)


@pytest.mark.parametrize("step", [2**63, 10**30, -(2**63) - 1])
def test_a_step_beyond_64_bits_is_refused(step):
    recorder = _recorder()
    with pytest.raises(ValueError, match="fits into 64 bits"):
        recorder.record(np.eye(2), step=step)
    recorder.record(np.eye(2), step=2**63 - 1)
    assert recorder.trajectory_.steps.tolist() == [2**63 - 1]


@pytest.mark.parametrize("steps", [[0.5, 1.7], [0, 10**30], [2**63, 2**63 + 1], ["0", "1"], [[0, 1]]])
def test_steps_of_a_trajectory_are_integers(steps):
    with pytest.raises(ValueError, match="'steps' parameter of Trajectory must be integers that fit"):
        ef.Trajectory(steps, ["a"], {name: np.zeros((2, 1)) for name in MEASURES}, {})


@pytest.mark.parametrize("steps", [[1, 0], [3, 3]])
def test_steps_of_a_trajectory_increase(steps):
    with pytest.raises(ValueError, match="must increase. Got"):
        ef.Trajectory(steps, ["a"], {name: np.zeros((2, 1)) for name in MEASURES}, {})
    ef.Trajectory(steps, ["a"], {name: np.zeros((2, 1)) for name in MEASURES}, {}, runs=["x", "y"])


def test_transposed_measures_are_refused():
    with pytest.raises(ValueError, match=r"'ei' must have shape .*\(3, 2\). Got \(2, 3\). Transpose it"):
        ef.Trajectory([0, 1, 2], ["a", "b"], {name: np.zeros((2, 3)) for name in MEASURES}, {})


def test_a_dead_first_record_freezes_nothing():
    dead = ef.Layer(np.ones((2, 2)), [-5.0, -5.0], "relu")
    alive = [ef.Layer(np.eye(2) * scale, activation="relu") for scale in (2.0, 4.0)]
    head = ef.Layer(np.eye(2), activation="linear")
    recorder = _recorder(ranges="first")
    with pytest.warns(UserWarning, match="layer 'layer0' are one point, which makes no range"):
        recorder.record([dead, head])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = (recorder.record([layer, head]) for layer in alive)
    assert first[0].out_range == first[1].in_range == (0.0, 2.0)
    assert second[0].out_range == second[1].in_range == (0.0, 2.0)
    assert "outputs outside range" in second[0].flags


def test_a_convention_is_kept_or_refused(tmp_path):
    path = tmp_path / "run.npz"
    with _recorder(path=path, ranges="first") as recorder:
        recorder.record(np.eye(2))
    with pytest.raises(ValueError, match="ranges='first', and cannot be continued with ranges='each'"):
        _recorder(path=path)
    with pytest.raises(ValueError, match=r"'ranges' parameter of Recorder must be one of 'each', 'first'. Got 'all'"):
        _recorder(ranges="all")


def test_weights_that_cannot_be_kept_are_refused():
    recorder = _recorder(keep_weights=True)
    with pytest.raises(ValueError, match=r"Layer 0 \('layer0'\) is a Function.*Record without keep_weights"):
        recorder.record(ef.Function(np.tanh, 2, 2, (-1.0, 1.0)))
    own = ef.Layer(np.eye(2), activation=ef.Activation(np.sin, codomain=(-1.0, 1.0)))
    with pytest.raises(ValueError, match="has an activation of your own"):
        recorder.record(own)


def test_remeasuring_needs_weights_and_takes_other_settings(tmp_path):
    path = tmp_path / "run.npz"
    layers = [ef.Layer(np.eye(3) * scale, activation="relu") for scale in (1.0, 2.0)]
    with _recorder(path=path, keep_weights=True) as recorder:
        for layer in layers:
            recorder.record(layer, loss=0.5)
    trajectory = ef.Trajectory.load(path)
    np.testing.assert_array_equal(trajectory.networks[1].layers[0].weight, layers[1].weight)
    finer = trajectory.remeasure(bins=16)
    np.testing.assert_allclose(finer.ei, 12.0)
    assert finer.metrics["loss"].tolist() == [0.5, 0.5]
    together = trajectory.remeasure(ranges="all")
    assert together.ranges == "all"
    assert together.layer_ranges[0] == together.layer_ranges[1] == (((0.0, 1.0), (0.0, 2.0)),)
    with pytest.raises(ValueError, match=r"Record with Recorder\(..., keep_weights=True\)"):
        ef.Trajectory.empty(["a"]).remeasure()
