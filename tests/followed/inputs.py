"""Remedies of inputs that are not uniform, followed."""

import numpy as np

import ei_fast as ef
from followed import follows, literal

QUICK = {"random_state": 0, "activation": "linear", "bins": 4}
SHARES = np.array([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.3, 0.2]])
SAMPLES = np.random.default_rng(0).random((64, 2))


def _measured(in_distribution, **keywords):
    return ef.effective_information(np.eye(2), in_distribution=in_distribution, **(QUICK | keywords))


def _observed(samples, **keywords):
    return ef.observed_information(np.eye(2), samples, **(QUICK | keywords))


@follows("is no sample of what they come from. Use out_of_range='clip'.")
def _(said):
    said.refused(_observed, SAMPLES, out_of_range="drop")
    _observed(SAMPLES, out_of_range="clip")


@follows("or counts states that do not repeat. Use joint='auto'.")
def _(said):
    for joint in ("plugin", "gaussian", "annealed"):
        said.refused(_observed, SAMPLES, joint=joint)
    _observed(SAMPLES, joint="auto")


@follows("Observe more samples.")
def _(said):
    said.refused(_observed, SAMPLES[:15])
    _observed(SAMPLES[:16])


@follows("takes inputs to be uniform, which in_distribution says they are not, in {}. Use pairwise_edges=None.")
def _(said):
    wide, shares = np.ones((40, 40)), np.broadcast_to(SHARES[0], (40, 4))
    said.refused(ef.ei_parts_matrix, wide, in_distribution=shares, pairwise_edges=1000, **QUICK)
    ef.ei_parts_matrix(wide, in_distribution=shares, pairwise_edges=None, **QUICK)


@follows("which in_distribution says they are not. Use joint='auto', 'conditional' or 'plugin'.")
def _(said):
    both = [[1.0, 0.5], [0.5, 1.0]]
    for joint in ("gaussian", "annealed"):
        said.refused(ef.effective_information, both, in_distribution=SHARES, joint=joint, **QUICK)
    for joint in ("auto", "conditional", "plugin"):
        ef.effective_information(both, in_distribution=SHARES, joint=joint, tol=0.1, **QUICK)


@follows("Give counts or probabilities; input_histograms(samples) makes them of samples.")
def _(said):
    said.refused(_measured, [-1.0, 0.5, 0.5, 1.0])
    _measured([1, 5, 5, 10])
    _measured([0.1, 0.2, 0.3, 0.4])
    _measured(ef.input_histograms(SAMPLES, bins=4))


@follows("Give equal weights where nothing is known of an input.")
def _(said):
    said.refused(_measured, [[1, 2, 3, 4], [0, 0, 0, 0]])
    _measured([[1, 2, 3, 4], [1, 1, 1, 1]])


@follows("{}. Got {} instead: {}. Give one array of numbers.")
def _(said):
    ragged = [[1, 2, 3, 4], [1, 2]]
    said.refused(_measured, ragged)
    _measured(SHARES)
    said.refused(_observed, ragged)
    _observed(SAMPLES)


@follows("{}. Got {} of {} instead. Give an array of numbers.")
def _(said):
    said.refused(_measured, ["a", "b", "c", "d"])
    _measured([1, 2, 3, 4])
    said.refused(_observed, np.full((20, 2), "a"))
    _observed(SAMPLES)


@follows(". Transpose it: an input has a row.")
def _(said):
    said.refused(_measured, SHARES.T)
    _measured(SHARES)


@follows(". Give bins={}, or ({}, out_bins), where histograms have so many bins.")
def _(said):
    shares = [1, 2, 3]
    bins = literal(said.refused(_measured, shares), "Give bins=")
    _measured(shares, bins=bins)
    _measured(shares, bins=(bins, 5))


@follows(". Give one row for each input.")
def _(said):
    said.refused(_measured, np.ones((3, 4)) * [1, 2, 3, 4])
    _measured(SHARES)


@follows("Leave such rows out.")
def _(said):
    samples = SAMPLES.copy()
    samples[3, 1] = np.nan
    said.refused(_observed, samples)
    said.refused(ef.input_histograms, samples)
    left = samples[np.isfinite(samples).all(axis=1)]
    _observed(left)
    ef.input_histograms(left)


@follows("Reshape activations of several axes to two, and transpose what has a column a sample.")
def _(said):
    images = SAMPLES.reshape(64, 2, 1)
    said.refused(_observed, images)
    said.refused(ef.input_histograms, images)
    _observed(images.reshape(64, -1))
    said.refused(_observed, SAMPLES.T)
    _observed(SAMPLES.T.T)


@follows("here, and where the layer is measured; or clip the samples.")
def _(said):
    samples = SAMPLES * 3 - 1
    in_range = literal(said.refused(ef.input_histograms, samples), "Give in_range=")
    _measured(ef.input_histograms(samples, bins=4, in_range=in_range), in_range=in_range)
    said.refused(_observed, samples)
    _observed(samples, in_range=in_range)
    _observed(np.clip(samples, 0, 1))
