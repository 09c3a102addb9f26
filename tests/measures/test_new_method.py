"""A new joint-EI method is one object and one line in the table: it works on groups, in batches and in `explain`."""

import json

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.cluster import merge, plan, run
from ei_fast.intervention.streams import Stream
from ei_fast.measures.entropies.drawn_cells import PointsAnywhere
from ei_fast.measures.entropies.estimate import EntropyEstimate
from ei_fast.measures.joint import auto
from ei_fast.measures.joint.estimate import compose


class Uniform:
    """As if every state of the outputs that occurs were as likely as another, and nothing were left inside a cell."""

    name = "uniform"
    by_component = True

    def refusal(self, problem):
        return None if problem.intervention.n_out < 10 else "joint='uniform' is for layers of less than 10 outputs."

    def reason(self, problem, options):
        return "the outputs' states are counted"

    def cost(self, problem, options):
        return options.n_samples or 1000

    def estimate(self, problem, options):
        n = options.n_samples or 1000
        states, _ = yield PointsAnywhere(problem.intervention, Stream.MARGINAL, n)
        output = EntropyEstimate.estimated(float(np.log2(len(states))), 0.1, 0.0, method=self.name, n_samples=n)
        return compose(output, EntropyEstimate.exact(0.0), method=self.name, n_samples=n)

    def explain(self, figures):
        return f"EI is the log of the number of states met by {figures['n_samples']:,} points."


@pytest.fixture
def uniform(monkeypatch):
    # The one line that a new method takes.
    monkeypatch.setitem(auto.METHODS, "uniform", Uniform())
    # The allowed names are read from the table when the package is imported, which here was before.
    from ei_fast.parameters import CONSTRAINTS, OneOf

    monkeypatch.setitem(CONSTRAINTS, "joint", OneOf(("auto", *auto.METHODS)))


def test_a_layer_and_what_is_said_of_it(uniform, random_weight):
    layer = ef.analyze(random_weight(6, 3, 4.0), joint="uniform", random_state=0)[0]
    assert layer.joint_method == layer.entropy_estimator == "uniform"
    assert layer.ei == pytest.approx(np.log2(round(2**layer.ei)))
    assert "EI is the log of the number of states met by 1,000 points." in layer.explain()


def test_a_group(uniform, random_weight):
    layer = ef.Layer(random_weight(6, 3, 4.0))
    group = ef.effective_information(layer, [0, 1], [0, 2], joint="uniform", random_state=0)
    assert group.stderr == 0.1
    # An edge stays exact.
    assert ef.effective_information(layer, 0, 0, joint="uniform").stderr == 0.0


def test_a_refusal_names_the_layer(uniform, random_weight):
    with pytest.raises(ValueError, match=r"layer 0 \('layer0'\): joint='uniform' is for layers of less than 10"):
        ef.analyze(random_weight(4, 12, 1.0), joint="uniform")


def test_a_batch_whole_and_in_parts(uniform, random_weight, tmp_path):
    (tmp_path / "c").mkdir()
    np.savez(tmp_path / "c" / "0.npz", w0=random_weight(6, 3, 4.0), w1=random_weight(3, 2, 4.0))
    estimator = ef.EffectiveInformation(joint="uniform", n_samples=2**19, random_state=0)
    for name, longest in (("whole", 1e6), ("parts", 0.02)):
        plan(tmp_path / "c", tmp_path / name, 3, estimator, longest=longest)
        split = json.loads((tmp_path / name / "plan.json").read_bytes())["pieces"]
        assert len(split) == (0 if name == "whole" else 2)
        for shard in range(3):
            run(tmp_path / name, shard, processes=1)
        merge(tmp_path / name)
    whole, parts = ((tmp_path / name / "trajectory.npz").read_bytes() for name in ("whole", "parts"))
    assert whole == parts
