"""What is trained, on which rows, and how its EI is counted as it was published."""

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.demo.data import hard_to_learn, iris, mnist
from ei_fast.demo.trainer import DenseNetwork
from ei_fast.demo.trainings import FLIPPED, TRAININGS, Training, counted, recorded, shortened

TINY = Training("iris", iris, (4, 5, 5, 3), batch=10, rate=0.05, epochs=30, every=2, n_seeds=3)


@pytest.mark.parametrize("hidden", ["sigmoid", "tanh", "relu"])
def test_a_step_goes_down_the_gradient(hidden):
    """By central differences of the summed squared error."""
    rng = np.random.default_rng(0)
    inputs, targets = rng.uniform(size=(7, 4)), np.eye(3)[rng.integers(0, 3, 7)]
    network = DenseNetwork((4, 5, 3), 1, hidden)
    before = [weight.copy() for weight in network.weights]

    def error():
        return ((network.outputs(inputs)[-1] - targets) ** 2).sum()

    wanted = [np.empty_like(weight) for weight in before]
    for gradient, weight in zip(wanted, network.weights, strict=True):
        for index in np.ndindex(*weight.shape):
            kept = weight[index]
            weight[index] = kept + 1e-6
            above = error()
            weight[index] = kept - 1e-6
            gradient[index] = (above - error()) / 2e-6
            weight[index] = kept
    network.train_epoch(inputs, targets, 7, 0.1)
    for gradient, one, other in zip(wanted, before, network.weights, strict=True):
        np.testing.assert_allclose((one - other) / 0.1, gradient, atol=1e-7)


def test_what_is_measured_is_what_is_trained():
    network = DenseNetwork((4, 5, 5, 3), 0, "tanh")
    net = ef.as_network(network.layers)
    assert [str(layer.activation) for layer in net] == ["tanh", "tanh", "sigmoid"]
    inputs = np.random.default_rng(0).uniform(size=(6, 4))
    np.testing.assert_allclose(net.between(0, 2).fn(inputs), network.outputs(inputs)[-1])


@pytest.mark.parametrize(("data", "n_rows"), [(iris, 60), (mnist, 100)])
def test_rows_that_are_hard_to_learn(data, n_rows):
    split = data(3)
    few = hard_to_learn(split, n_rows, FLIPPED, 3)
    np.testing.assert_array_equal(few.train_inputs, split.train_inputs[:n_rows])
    assert (few.train_targets.sum(axis=1) == 1).all()
    wrong = (few.train_targets != split.train_targets[:n_rows]).any(axis=1)
    assert wrong.sum() == FLIPPED * n_rows
    np.testing.assert_array_equal(few.validation_targets, split.validation_targets)
    again = hard_to_learn(data(3), n_rows, FLIPPED, 3)
    np.testing.assert_array_equal(few.train_targets, again.train_targets)


def test_the_networks_are_those_of_the_page():
    assert len({one.name for one in TRAININGS}) == len(TRAININGS) == 12
    assert {one.widths for one in TRAININGS} == {
        (4, 5, 5, 3),
        (25, 6, 6, 6, 5),
        (25, 6, 5),
        (25, 6, 6, 6, 6, 6, 5),
    }
    for one in TRAININGS:
        assert one.n_seeds == (10 if one.is_of_videos else 3)
        assert one.epochs // one.every == 100
        assert shortened(one).epochs // shortened(one).every == 25
        assert (one.n_rows is not None) == one.name.endswith("-overfit")


def test_counted_ei_is_that_of_the_published_estimator():
    trajectory = recorded(TINY, 1, effort=0.1)
    by_counting = counted(trajectory, (2000, 5000))
    for t, n_samples in ((0, 2000), (7, 2000), (len(trajectory) - 1, 5000)):
        report = ef.analyze(
            trajectory.networks[t], joint="plugin", entropy="plugin", n_samples=n_samples, random_state=1
        )
        assert by_counting.ei[t].tolist() == [layer.ei for layer in report]
        # Its edges are exact.
        np.testing.assert_allclose(by_counting.sensitivity[t], [layer.sensitivity for layer in report])
        np.testing.assert_allclose(by_counting.degeneracy[t], [layer.degeneracy for layer in report])
        np.testing.assert_allclose(by_counting.phi_ff[t], [layer.phi_ff for layer in report])
    assert by_counting.networks is None
    assert by_counting.metrics.keys() == trajectory.metrics.keys()


@pytest.mark.parametrize("ranges", ["first", "all"])
def test_ei_is_counted_over_the_ranges_of_the_recording(ranges):
    """At the last record too, which has other samples; it reaches more than the first, and less than all together."""
    weights = [np.random.default_rng(0).normal(size=shape) for shape in ((4, 5), (5, 3))]
    with ef.Recorder(ef.EffectiveInformation(activation="relu", random_state=0), keep_weights=True) as recorder:
        for scale in (1, 3, 2):
            recorder.record([scale * one for one in weights])
    trajectory = recorder.trajectory_.remeasure(ranges=ranges)
    by_counting = counted(trajectory, (2000, 5000))
    for t, n_samples in ((0, 2000), (2, 5000)):
        same = trajectory.remeasure(joint="plugin", entropy="plugin", n_samples=n_samples)
        np.testing.assert_array_equal(by_counting.ei[t], same.ei[t])
    of_its_own = trajectory.remeasure(ranges="each", joint="plugin", entropy="plugin", n_samples=5000)
    assert (of_its_own.ei[2] != by_counting.ei[2]).any()


def test_a_trajectory_takes_some_of_its_steps():
    trajectory = recorded(TINY, 0, pairwise="none")
    some = trajectory.take([0, 3, 15])
    assert some.steps.tolist() == [0, 6, 30]
    np.testing.assert_array_equal(some.ei, trajectory.ei[[0, 3, 15]])
    np.testing.assert_array_equal(some.networks[1][0].weight, trajectory.networks[3][0].weight)
    assert some.flags == tuple(trajectory.flags[t] for t in (0, 3, 15))
    assert trajectory.widths == ((4, 5), (5, 5), (5, 3))
