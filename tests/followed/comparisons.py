"""Remedies of what compares networks with each other, and with chance, followed."""

import numpy as np

import ei_fast as ef
from followed import follows, literal

QUICK = {"random_state": 0, "tol": 0.5}
WEIGHT = np.array([[1.0, 2.0, -1.0], [0.5, -2.0, 1.0]])


def _report(*names):
    return ef.analyze([np.eye(2)] * len(names), names=list(names), **QUICK)


def _trajectory(steps):
    recorder = ef.Recorder(ef.EffectiveInformation(**QUICK))
    for step in steps:
        recorder.record(np.eye(2), step=step)
    return recorder.trajectory_


@follows("Give match={}, the names that both have")
def _(said):
    a, b = _report("fc1", "fc2", "out"), _report("fc1", "hidden", "out")
    match = literal(said.refused(ef.compare, a, b), "Give match=")
    assert [layer.name for layer in ef.compare(a, b, match=match)] == ["fc1", "out"]


@follows("Give match={}, or what belongs together")
def _(said):
    a, b = _report("fc1", "fc2"), _report("dense", "dense_1")
    match = literal(said.refused(ef.compare, a, b), "Give match=")
    assert [layer.name_b for layer in ef.compare(a, b, match=match)] == ["dense", "dense_1"]
    assert ef.compare(a, b, match={"fc2": "dense"})[0].name == "fc2"


@follows("which the {} does not have. Use names of {}.")
def _(said):
    a, b = _report("fc1", "fc2"), _report("fc1", "fc2")
    names = literal(said.refused(ef.compare, a, b, match=["fc3"]), "Use names of ")
    assert len(ef.compare(a, b, match=names)) == 2


@follows("Measure it with ef.analyze, or give both as models.")
def _(said):
    report = ef.analyze(WEIGHT, **QUICK)
    said.refused(ef.compare, report, WEIGHT)
    assert ef.compare(report, ef.analyze(WEIGHT, **QUICK))[0].is_same
    assert ef.compare(WEIGHT, WEIGHT, repeats=2, **QUICK)[0].is_same


@follows("Leave it out, or give both models in place of their reports.")
def _(said):
    report = ef.analyze(WEIGHT, **QUICK)
    for parameter in ({"repeats": 4}, {"bins": 4}):
        said.refused(ef.compare, report, report, **parameter)
        ef.compare(WEIGHT, WEIGHT, **({"repeats": 2} | parameter | QUICK))
    ef.compare(report, report)


@follows("Compare two reports first: ef.compare(a, b).")
def _(said):
    a, b = ef.analyze(WEIGHT, **QUICK), ef.analyze(2 * WEIGHT, **QUICK)
    said.refused(ef.plot_comparison, a)
    ef.plot_comparison(ef.compare(a, b))


@follows("Make one first: ef.null_report(model).")
def _(said):
    said.refused(ef.plot_null, ef.analyze(WEIGHT, **QUICK))
    ef.plot_null(ef.null_report(WEIGHT, n=2, **QUICK))


@follows("Transpose weights that are (n_out, n_in).")
def _(said):
    def of_torch(rng, shape):
        return rng.normal(size=shape[::-1])

    said.refused(ef.null_report, WEIGHT, init=of_torch, n=2, **QUICK)
    ef.null_report(WEIGHT, init=lambda rng, shape: of_torch(rng, shape).T, n=2, **QUICK)


@follows("Measure them with ef.analyze, with weights of your own in them.")
def _(said):
    def block(weight):
        return ef.Function(lambda x: np.tanh(x @ weight), 2, 3, (-1.0, 1.0))

    said.refused(ef.null_report, block(WEIGHT), n=2, **QUICK)
    ef.analyze(block(np.random.default_rng(0).normal(size=(2, 3))), **QUICK)


@follows("Take that of a recorder, recorder.trajectory_, or compare two reports by ef.compare.")
def _(said):
    trajectory, report = _trajectory([0, 1]), ef.analyze(WEIGHT, **QUICK)
    said.refused(trajectory.compare, report)
    trajectory.compare(_trajectory([0, 1]))
    ef.compare(report, report)


@follows("Record both at the same steps.")
def _(said):
    said.refused(_trajectory([0, 2]).compare, _trajectory([1, 3]))
    assert len(_trajectory([0, 2]).compare(_trajectory([0, 2]))) == 2


@follows("Give steps='common' for the {} that both have.")
def _(said):
    a, b = _trajectory([0, 2, 4]), _trajectory([2, 4, 6])
    steps = literal(said.refused(a.compare, b), "Give steps=")
    assert a.compare(b, steps=steps).steps.tolist() == [2, 4]
