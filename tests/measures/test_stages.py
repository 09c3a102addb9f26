"""What every stage of every measure promises: a name of its own, and the same bits whole and in parts."""

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.measures.layer import measure_layer
from ei_fast.measures.profile.auto import profile_of
from ei_fast.measures.stages import Runner, items_of_part
from ei_fast.runtime.threads import Threads

LITTLE = {"n_samples": 2048, "tol": 0.1, "effort": 0.1}


class Watching(Runner):
    """Runs each stage that jobs share in so many parts, and looks at names."""

    def __init__(self, threads, n_parts, path=(), names=None):
        super().__init__(threads)
        self.n_parts, self.path, self.names = n_parts, path, set() if names is None else names

    def named(self, name):
        return Watching(self.threads, self.n_parts, (*self.path, name), self.names)

    def arrays_of(self, stage):
        # Files of parts are called so; a profile is measured by one job, whose outputs' stages are called as its own.
        name = "-".join([*self.path, stage.name])
        assert name not in self.names or self.path == ()
        self.names.add(name)
        n_parts = self.n_parts if stage.is_shared else 1
        return stage.join([self.computed(stage, *items_of_part(stage.n_items, k, n_parts)) for k in range(n_parts)])


def _sum_of_two(x):
    return np.stack([x[:, 0] * x[:, 1], np.abs(x[:, 2] - 0.4)], axis=1)


_WEIGHT = np.random.default_rng(0).uniform(-1, 1, (25, 6))
CASES = {
    "conditional": (_WEIGHT, {"joint": "conditional"}),
    "to tol": (_WEIGHT[:8], {"joint": "conditional", "n_samples": "auto"}),
    "dropped": (ef.Layer(_WEIGHT, activation="relu", out_range=(0.0, 1.0)), {"out_of_range": "drop"}),
    "every cell": (_WEIGHT[:3], {"n_samples": 2**15}),
    "one input": (_WEIGHT[:1], {}),
    "one output": (_WEIGHT[:, :1], {"n_samples": "auto"}),
    "plugin": (_WEIGHT, {"joint": "plugin"}),
    "gaussian": (_WEIGHT, {"joint": "gaussian"}),
    "annealed": (_WEIGHT[:6, :3], {"joint": "annealed", "n_samples": 256}),
    "some edges": (np.tile(_WEIGHT, (2, 5)) + 0.01, {"pairwise_edges": 1000, "joint": "plugin"}),
    "histograms": (_WEIGHT[:5], {"pairwise": "histogram"}),
    "histograms to tol": (_WEIGHT[:5], {"pairwise": "histogram", "n_samples": "auto", "tol": 0.01}),
    "function": (ef.Function(_sum_of_two, 3, 2, (0.0, 1.0)), {}),
    "bounds": (ef.Function(lambda x: x @ np.linspace(-1, 1, 30 * 20).reshape(30, 20) / 9, 30, 20, (-1.0, 1.0)), {}),
    "components": (np.kron(np.eye(2), _WEIGHT[:8, :3]), {"joint": "conditional"}),
}


def _measured(measure, model, params, n_parts):
    estimator = ef.EffectiveInformation(random_state=3, **(LITTLE | params))
    network, settings, fixed = estimator.check(model)
    (binned,) = estimator.binned_layers(network, settings, fixed.ranges)
    with Threads(1) as threads:
        return Watching(threads, n_parts).run(measure(binned, settings.options, fixed.seed))


@pytest.mark.parametrize("case", CASES)
def test_measures_of_a_layer(case):
    whole, parts = (_measured(measure_layer, *CASES[case], n_parts) for n_parts in (1, 3))
    assert whole.joint == parts.joint
    for name in ("sensitivity", "ei_parts"):
        one, other = getattr(whole, name), getattr(parts, name)
        np.testing.assert_array_equal(one.matrix, other.matrix)
        assert (one.stderr, one.bias, one.n_samples) == (other.stderr, other.bias, other.n_samples)


@pytest.mark.parametrize("case", ["conditional", "every cell", "one output", "function", "bounds", "components"])
def test_profiles(case):
    whole, parts = (_measured(profile_of, *CASES[case], n_parts) for n_parts in (1, 3))
    for name in ("alone", "given", "outputs"):
        one, other = getattr(whole, name), getattr(parts, name)
        assert (list(one.each), one.sum) == (list(other.each), other.sum)
    assert (whole.ei, whole.n_samples) == (parts.ei, parts.n_samples)
