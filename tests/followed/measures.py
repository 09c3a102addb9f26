"""Remedies of the measures and their parameters, followed."""

import numpy as np
from scipy import sparse

import ei_fast as ef
from followed import follows, literal

QUICK = {"random_state": 0, "tol": 0.5}
FUNCTION = ef.Function(lambda x: np.tanh(x), 2, 2, (-1.0, 1.0))


@follows("cannot be divided into {} bins that rounding tells apart. Give fewer bins, or a wider {}_range.")
def _(said):
    narrow = {"in_range": (1.0, 1.0 + 3e-15), "activation": "linear"}
    said.refused(ef.analyze, np.eye(2), bins=64, **narrow, **QUICK)
    ef.analyze(np.eye(2), bins=2, **narrow, **QUICK)
    ef.analyze(np.eye(2), bins=64, in_range=(1.0, 2.0), activation="linear", **QUICK)


@follows("give a range half as wide.")
def _(said):
    wide = 1.7e308
    for half in ((-wide / 2, wide / 2), (0.0, wide)):
        said.refused(ef.mutual_information, [0.0, 1.0], [0.0, 1.0], range=((-wide, wide), (0.0, 1.0)))
        ef.mutual_information([0.0, 1.0], [0.0, 1.0], range=(half, (0.0, 1.0)))
    said.refused(ef.analyze, np.eye(2) * 1e-9, in_range=(-wide, wide))
    ef.analyze(np.eye(2) * 1e-9, in_range=(-wide / 2, wide / 2), **QUICK)


@follows("that is larger than any float instead: scale it down.")
def _(said):
    values = [10**400, 0, 3 * 10**400]
    said.refused(ef.mutual_information, values, [0, 1, 2])
    ef.mutual_information([one // 10**399 for one in values], [0, 1, 2])


@follows("The 'layer' parameter must be a single layer.")
def _(said):
    network = ef.as_network([np.eye(2), np.eye(2)])
    said.refused(ef.effective_information, network)
    ef.effective_information(network.between(0, 1), **QUICK)


@follows("pairwise='histogram' takes n_in * n_out * in_bins * out_bins")
def _(said):
    weight = np.eye(60)
    wide = {"random_state": 0, "activation": "linear", "n_samples": 256, "joint": "gaussian"}
    said.refused(ef.analyze, weight, bins=1024, pairwise="histogram", **wide)
    ef.EffectiveInformation(bins=8, pairwise="histogram").check(weight)
    ef.EffectiveInformation(bins=1024, pairwise="exact").check(weight)
    ef.EffectiveInformation(bins=1024, pairwise="none").check(weight)


@follows("must be asked of dense layers. Got {}, which is a Function. Use 'auto' or 'histogram'.")
def _(said):
    said.refused(ef.analyze, FUNCTION, pairwise="exact")
    for pairwise in ("auto", "histogram"):
        ef.analyze(FUNCTION, pairwise=pairwise, **QUICK)


@follows("pairwise='exact' takes a table of in_bins * out_bins")
def _(said):
    said.refused(ef.EffectiveInformation(bins=30_000, pairwise="exact").check, np.eye(2))
    ef.EffectiveInformation(bins=100, pairwise="exact").check(np.eye(2))
    ef.EffectiveInformation(bins=30_000, pairwise="none").check(np.eye(2))


@follows("is open to dense layers with out_of_range='clip' whose bins are intervals")
def _(said):
    for joint in ("gaussian", "annealed"):
        said.refused(ef.analyze, FUNCTION, joint=joint)
    ef.analyze(FUNCTION, joint="auto", **QUICK)


@follows("Ask for at most {} samples, or give 'tol'.")
def _(said):
    message = said.refused(ef.analyze, np.eye(2) + 1, joint="plugin", n_samples=2**40)
    most = int(message.split("Ask for at most ")[1].split()[0].replace(",", ""))
    ef.EffectiveInformation(joint="plugin", n_samples=most).check(np.eye(2) + 1)
    ef.analyze(np.eye(2) + 1, joint="plugin", **QUICK)


@follows("Use one of them, or pass a function of your own with its codomain.")
def _(said):
    message = said.refused(ef.Activation, "swoosh")
    known = message.split("Known are ")[1].split(". Use")[0]
    for name in known.split(", "):
        ef.Activation(name.strip("'"))
    ef.Activation(np.tanh, (-1.0, 1.0))


@follows("Give wider ranges, or out_of_range='clip'.")
def _(said):
    x, y = [5, 6, 7, 8], [0, 1, 0, 1]
    said.refused(ef.mutual_information, x, y, 2, ((0, 1), (0, 1)), out_of_range="drop")
    assert ef.mutual_information(x, y, 4, ((5, 8), (0, 1)), out_of_range="drop") == 1.0
    assert ef.mutual_information(x, y, 2, ((0, 1), (0, 1)), out_of_range="clip") == 0.0


@follows("Measure an earlier checkpoint.")
def _(said):
    earlier, now = np.eye(2), np.eye(2) * np.nan
    said.refused(ef.analyze, now)
    ef.analyze(earlier, **QUICK)


@follows("sparse input is not supported. Convert it with .toarray().")
def _(said):
    weight = sparse.csr_array(np.eye(2))
    said.refused(ef.Layer, weight)
    ef.Layer(weight.toarray())


@follows("Complex data not supported: pass the real part.")
def _(said):
    weight = np.eye(2) * (1 + 1j)
    said.refused(ef.Layer, weight)
    ef.Layer(weight.real)


@follows("Write {}")
def _(said):
    message = said.refused(ef.analyze, np.eye(2), odrer=None)
    assert ef.analyze(np.eye(2), **{literal(message, "Write "): None}, **QUICK)


@follows("Use one of {}")
def _(said):
    message = said.refused(ef.EffectiveInformation().fit, np.eye(2), zzz=1)
    named = message.split("Use one of ")[1].split(" instead")[0].split(", ")
    for name, value in {"order": None, "blocks": (), "verify": True, "input_shape": None}.items():
        assert name in named
        ef.EffectiveInformation(**QUICK).fit(np.eye(2), **{name: value})


@follows("whose measurements would all write the same files. Got {} instead. Measure one model at a time.")
def _(said):
    said.refused(ef.Recorder, ef.EffectiveInformation(matrices=str(said.folder)))
    ef.analyze(np.eye(2), matrices=said.folder, **QUICK)


@follows("Give a wider out_range, or another baseline.")
def _(said):
    said.flagged(np.eye(2) + 1, out_range=(5.0, 6.0), out_of_range="drop", activation="linear", **QUICK)
    report = ef.analyze(np.eye(2) + 1, out_range=(0.0, 6.0), out_of_range="drop", activation="linear", **QUICK)
    assert np.isfinite(report[0].ei)


@follows("Give a wider out_range, or none; record a training with ranges='each'")
def _(said):
    model = {"activation": "linear"} | QUICK
    assert "outputs outside range" in said.flagged(np.eye(2), out_range=(0.0, 0.5), **model)[0].flags
    for out_range in ((0.0, 1.0), "auto"):
        assert not any("outside" in flag for flag in ef.analyze(np.eye(2), out_range=out_range, **model)[0].flags)
    with ef.Recorder(ef.EffectiveInformation(**model), ranges="each", keep_weights=True) as recorder:
        for scale in (1.0, 3.0):
            recorder.record(np.eye(2) * scale)
    assert not any("outside" in flag for flag in recorder.report_[0].flags)
    assert not any("outside" in f for f in str(recorder.trajectory_.remeasure(ranges="all").flags))


@follows("Use out_range='auto', or 'neuron' where neurons differ in scale, or more output bins.")
def _(said):
    model = {"activation": "linear"} | QUICK
    flagged = said.flagged(np.eye(2) * 1.26, out_range=(-5.0, 5.0), **model)[0].flags
    assert "outputs in one bin" in flagged
    for better in ({"out_range": "auto"}, {"out_range": "neuron"}, {"out_range": (-5.0, 5.0), "bins": (8, 8192)}):
        assert not set(flagged) & set(ef.analyze(np.eye(2) * 1.26, **better, **model)[0].flags)


@follows("The interval leaves it out; ei_bounds does not. Use joint='auto' or 'annealed'.")
def _(said):
    weight = np.random.default_rng(0).normal(size=(4, 4))
    flagged = said.flagged(weight, joint="gaussian", **QUICK)[0].flags
    assert flagged
    for joint in ("auto", "annealed"):
        assert not set(flagged) & set(ef.analyze(weight, joint=joint, **QUICK)[0].flags)


@follows("try more output bins or another baseline.")
def _(said):
    weight = np.random.default_rng(0).normal(size=(8, 2)) * 0.3
    flagged = said.flagged(weight, **QUICK)[0].flags
    assert "sensitivity < EI" in flagged
    assert "sensitivity < EI" not in ef.analyze(weight, bins=(8, 64), **QUICK)[0].flags
