"""The information profile against answers that are known, and against a slow oracle."""

import naive_profile
import numpy as np
import pytest
from scipy.special import expit

import ei_fast as ef

LINEAR = {"activation": "linear", "random_state": 0}
DEGREES = ("redundancy_degree", "vulnerability_degree", "output_redundancy_degree")
FIGURES = ("ei", "synergy", *DEGREES)
VECTORS = ("input_information", "conditional_information", "output_information")
STRATIFIED = 1e-4
"""Bits by which EI of very few, equally likely states is off, as it is counted from as many points in each cell."""


def _parity(n):
    return ef.Function(lambda x: (x > 0.5).sum(axis=1, keepdims=True) % 2, n, 1, (0.0, 1.0))


def _entropy(p):
    p = np.asarray(p)[np.asarray(p) > 0]
    return float(-(p * np.log2(p)).sum())


def _holds(profile, name, truth, error=0.0):
    """Whether an interval, widened by how well the truth is known, holds it."""
    interval = np.asarray(getattr(profile, f"{name}_interval"))
    return (interval[..., 0] - error <= truth) & (truth <= interval[..., 1] + error)


@pytest.mark.parametrize("n", [1, 3, 6])
def test_an_identity_is_neither_redundant_nor_synergetic(n):
    profile = ef.information_profile(np.eye(n), **LINEAR)
    assert (profile.ei, profile.synergy) == (3.0 * n, 0.0)
    assert [getattr(profile, name) for name in DEGREES] == [1.0, 1.0, 1.0]
    assert [getattr(profile, f"{name}_stderr") for name in FIGURES] == [0.0] * 5
    for name in VECTORS:
        np.testing.assert_array_equal(getattr(profile, name), 3.0)
    assert profile.n_samples == 0
    assert profile.flags == ()


@pytest.mark.parametrize("k", [2, 5])
def test_copies_of_an_output_are_as_redundant_as_they_are_many(k):
    profile = ef.information_profile(np.repeat([[1.0], [0.0]], k, axis=1), **LINEAR)
    assert [getattr(profile, name) for name in DEGREES] == [1.0, 1.0, float(k)]
    np.testing.assert_array_equal(profile.input_information, [3.0, 0.0])
    np.testing.assert_array_equal(profile.conditional_information, [3.0, 0.0])
    copies = ef.Function(lambda x: np.repeat(x[:, :1], k, axis=1), 2, k, (0.0, 1.0))
    sampled = ef.information_profile(copies, random_state=0)
    for name, truth in zip(DEGREES, (1.0, 1.0, k), strict=True):
        assert abs(getattr(sampled, name) - truth) < 0.02
        assert _holds(sampled, name, truth)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_parity_is_all_synergy(n):
    profile = ef.information_profile(_parity(n), bins=2, random_state=0)
    for name, truth in zip(FIGURES, (1.0, 1.0, 0.0, n, 1.0), strict=True):
        assert abs(getattr(profile, name) - truth) < STRATIFIED * n
        assert _holds(profile, name, truth)
    np.testing.assert_allclose(profile.input_information, 0.0, atol=STRATIFIED)
    np.testing.assert_allclose(profile.conditional_information, 1.0, atol=STRATIFIED)


def test_parity_of_many_inputs_whose_cells_are_drawn():
    profile = ef.information_profile(_parity(14), bins=2, random_state=0)
    for name, truth in zip(FIGURES, (1.0, 1.0, 0.0, 14.0, 1.0), strict=True):
        assert _holds(profile, name, truth)
        assert abs(getattr(profile, name) - truth) < 0.02 * max(truth, 1.0)


def test_a_gate():
    gate = ef.Function(lambda x: (x > 0.5).all(axis=1, keepdims=True), 2, 1, (0.0, 1.0))
    profile = ef.information_profile(gate, bins=2, random_state=0)
    ei, alone = _entropy([0.25, 0.75]), _entropy([0.25, 0.75]) - 0.5
    for name, truth in zip(FIGURES, (ei, ei - 2 * alone, 2 * alone / ei, 1.0 / ei, 1.0), strict=True):
        assert abs(getattr(profile, name) - truth) < STRATIFIED


def test_zero_weights_have_no_degrees():
    profile = ef.information_profile(np.zeros((3, 2)))
    assert (profile.ei, profile.synergy, profile.flags) == (0.0, 0.0, ("constant",))
    assert np.isnan([getattr(profile, name) for name in DEGREES]).all()
    assert not np.any([getattr(profile, name).any() for name in VECTORS])
    assert "undefined" in profile.explain()


def _sum_of_uniforms_below(s, widths):
    """P(U_1 + U_2 < s) for uniforms on (0, width): by inclusion and exclusion."""
    a, b = widths
    return sum(sign * max(s - t, 0.0) ** 2 for t, sign in ((0, 1), (a, -1), (b, -1), (a + b, 1))) / (2 * a * b)


def _pair():
    """EI, I(X_1; Y) and I(X_1; Y | X_2) of the sum of two inputs, 8 bins everywhere."""
    edges = np.arange(9) / 4
    whole = _entropy(np.diff([_sum_of_uniforms_below(e, (1.0, 1.0)) for e in edges]))
    # Given a bin of one input, which the other shifts.
    given_one = np.mean(
        [_entropy(np.diff([_sum_of_uniforms_below(e - k / 8, (1.0, 1 / 8)) for e in edges])) for k in range(8)]
    )
    # A cell lies in one bin of the sum, or is cut in halves.
    inside = 0.5
    return whole - inside, whole - given_one, given_one - inside


@pytest.mark.parametrize("k", [1, 3])
def test_independent_pairs_are_as_one_pair(k):
    ei, alone, given = _pair()
    profile = ef.information_profile(np.kron(np.eye(k), [[1.0], [1.0]]), out_range=(0.0, 2.0), **LINEAR)
    truths = (k * ei, k * (ei - 2 * alone), 2 * alone / ei, 2 * given / ei, 1.0)
    for name, truth in zip(FIGURES, truths, strict=True):
        # One of several pairs is exact, but for rounding.
        assert _holds(profile, name, truth, 1e-12), name
        assert abs(getattr(profile, name) - truth) < 0.02
        assert (getattr(profile, f"{name}_stderr") == 0.0) == (k > 1 or name == "output_redundancy_degree")
    np.testing.assert_allclose(profile.input_information, alone, atol=0.005)
    np.testing.assert_allclose(profile.conditional_information, given, atol=0.01)


def test_inputs_of_a_single_output_are_exact():
    weight = np.random.default_rng(3).normal(size=(6, 1))
    profile = ef.information_profile(weight, random_state=0)
    np.testing.assert_array_equal(profile.input_information, ef.ei_parts_matrix(weight)[:, 0])
    assert not profile.input_information_stderr.any()
    assert not profile.conditional_information_stderr.any()
    sampled = ef.information_profile(weight, random_state=0, n_samples=2**20)
    for name in VECTORS[:2]:
        errors = getattr(sampled, f"{name}_stderr")
        assert (errors > 0).all()
        assert (np.abs(getattr(sampled, name) - getattr(profile, name)) < 5 * errors + 0.01).all()


def _dense(weight):
    return lambda x: np.minimum((8 * expit(x @ weight)).astype(int), 7)


def _mixed(x):
    return np.stack([x[:, 0] * x[:, 1] + 0.3 * x[:, 2], np.abs(x[:, 2] - x[:, 3])], axis=1)


_WEIGHTS = {n: np.random.default_rng(n).normal(0, 2, (n, 2)) for n in (3, 5)}
LAYERS = {
    "every cell, 3 -> 2": (ef.Layer(_WEIGHTS[3]), _dense(_WEIGHTS[3]), 3, 8, 2048),
    "drawn cells, 5 -> 2": (ef.Layer(_WEIGHTS[5]), _dense(_WEIGHTS[5]), 5, 8, 512),
    "function, 4 -> 2": (
        ef.Function(_mixed, 4, 2, (0.0, 1.3)),
        lambda x: np.minimum((_mixed(x) / 0.13).astype(int), 9),
        4,
        10,
        512,
    ),
}
KNOWN = 2e-3
"""Bits to which the oracle's answers are known, at 512 points a cell."""


@pytest.fixture(scope="module", params=LAYERS)
def layer(request):
    """A layer, its bins, and what the oracle has for it by name."""
    layer, codes_of, n_in, bins, per_cell = LAYERS[request.param]
    table = naive_profile.table_of_cells(codes_of, n_in, bins, bins, per_cell, np.random.default_rng(1))
    ei, *vectors = naive_profile.profile(table, n_in, bins, bins)
    alone, given, outputs = vectors
    sums = {"ei": ei, "synergy": ei - alone.sum()}
    ratios = (alone.sum() / ei, given.sum() / ei, outputs.sum() / ei)
    return layer, bins, sums | dict(zip((*DEGREES, *VECTORS), (*ratios, *vectors), strict=True))


def test_the_oracle_agrees(layer):
    measured, bins, truth = layer
    profile = ef.information_profile(measured, bins=bins, random_state=11)
    for name in (*FIGURES, *VECTORS):
        error = np.asarray(getattr(profile, f"{name}_stderr"))
        # Biases are within the intervals; five standard errors are no chance.
        low, high = np.moveaxis(np.asarray(getattr(profile, f"{name}_interval")), -1, 0)
        assert (np.abs(getattr(profile, name) - truth[name]) < 3 * error + (high - low) / 2 + KNOWN).all(), name
    assert profile.flags == ()


@pytest.mark.endurance
def test_intervals_cover(layer):
    measured, bins, truth = layer
    n = 200
    profiles = [ef.information_profile(measured, bins=bins, random_state=seed) for seed in range(n)]
    for name in (*FIGURES, *VECTORS):
        known = KNOWN if name in VECTORS else KNOWN / 4
        covered = np.mean([_holds(profile, name, truth[name], known) for profile in profiles])
        assert covered >= 0.93, (name, covered)


def test_ei_is_that_of_the_layer_and_figures_keep_to_theory():
    weight = np.random.default_rng(0).uniform(-1, 1, (25, 6))
    profile = ef.information_profile(weight, random_state=4)
    assert profile.ei == float(ef.effective_information(weight, random_state=4))
    assert (profile.input_information <= profile.conditional_information).all()
    assert profile.input_information.sum() <= profile.ei <= profile.conditional_information.sum()
    assert profile.synergy == pytest.approx(profile.ei - profile.input_information.sum())
    assert profile.redundancy_degree <= 1 <= profile.vulnerability_degree
    parts = ef.ei_parts_matrix(weight)
    # What an input tells about all outputs is not less than about any of them.
    assert (profile.input_information + 4 * profile.input_information_stderr >= parts.max(axis=1)).all()
    np.testing.assert_allclose(
        profile.output_information, [float(ef.effective_information(weight, outputs=j)) for j in range(6)], atol=0.05
    )


@pytest.mark.parametrize("shape", [(3, 2), (12, 4), (12, 10)])
def test_one_seed_gives_the_same_bits_for_any_number_of_threads(shape):
    weight = np.random.default_rng(2).normal(size=shape)
    one, four = (ef.information_profile(weight, random_state=8, n_jobs=n_jobs) for n_jobs in (1, 4))
    for name in (*FIGURES, *VECTORS):
        for suffix in ("", "_stderr", "_interval"):
            np.testing.assert_array_equal(getattr(one, name + suffix), getattr(four, name + suffix))
    other = ef.information_profile(weight, random_state=9)
    assert other.synergy != one.synergy


def test_renumbered_neurons_have_the_same_figures():
    weight = np.random.default_rng(5).normal(size=(8, 3))
    order, outputs = np.random.default_rng(0).permutation(8), [2, 0, 1]
    here = ef.information_profile(weight, random_state=0)
    there = ef.information_profile(weight[order][:, outputs], random_state=1)
    error = np.hypot(here.input_information_stderr[order], there.input_information_stderr)
    assert (np.abs(here.input_information[order] - there.input_information) < 5 * error + 0.01).all()
    np.testing.assert_allclose(here.output_information[outputs], there.output_information, atol=1e-7)


def test_what_is_not_resolved_is_bracketed_and_the_bracket_holds():
    # Blocks of four inputs and four outputs, which are counted; rotated signs of the same are no blocks to be seen.
    blocks = np.kron(np.eye(5), np.random.default_rng(1).uniform(-2.5, 2.5, (4, 4)))
    known = ef.information_profile(blocks, random_state=0)
    hidden = ef.Function(lambda x: expit(x @ blocks), 20, 20, (0.0, 1.0))
    profile = ef.information_profile(hidden, random_state=0, n_samples=2**17)
    assert "undersampled" in profile.flags
    assert "undersampled" not in known.flags
    for name in ("ei", "synergy", "redundancy_degree", "vulnerability_degree"):
        assert _holds(profile, name, getattr(known, name)), name
    for name in VECTORS:
        assert _holds(profile, name, getattr(known, name), 0.05).all(), name


def test_few_points_lead_to_wide_intervals():
    weight = np.random.default_rng(0).uniform(-1, 1, (25, 6))
    good = ef.information_profile(weight, random_state=0)
    poor = ef.information_profile(weight, random_state=0, n_samples=2000)
    assert "undersampled" in poor.flags
    for name in FIGURES:
        assert _holds(poor, name, getattr(good, name)), name


def test_a_tighter_tol_has_smaller_errors():
    weight = np.random.default_rng(0).normal(size=(10, 3))
    loose, tight = (ef.information_profile(weight, random_state=0, tol=tol) for tol in (0.02, 0.005))
    for name in ("synergy", "redundancy_degree", "vulnerability_degree"):
        assert getattr(tight, f"{name}_stderr") < getattr(loose, f"{name}_stderr")
    assert "tol not reached" not in tight.flags


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"out_of_range": "drop"}, "'out_of_range' parameter of information_profile must be 'clip'"),
        ({"joint": "plugin"}, "'joint' parameter of information_profile must not be 'plugin'"),
        ({"tol": -1.0}, "'tol' parameter"),
        ({"bins": 1}, "'bins' parameter"),
    ],
)
def test_bad_input_is_refused(keywords, message):
    with pytest.raises(ValueError, match=message):
        ef.information_profile(np.eye(2), **keywords)


def test_several_layers_are_refused():
    with pytest.raises(ValueError, match="must be a single layer"):
        ef.information_profile([np.eye(2), np.eye(2)])
