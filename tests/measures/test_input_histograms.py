"""Measures with inputs drawn from histograms, against answers that are known and against enumeration."""

import naive
import naive_histograms as slow
import numpy as np
import pytest
from scipy.special import expit

import ei_fast as ef

MEASURES = (ef.effective_information, ef.sensitivity_matrix, ef.ei_parts_matrix)
EDGES = MEASURES[1:]
LINEAR = {"activation": "linear", "random_state": 0}
NOT_UNIFORM = "inputs not uniform"


def _p(seed, n, bins, alpha=0.7):
    return np.random.default_rng(seed).dirichlet(np.full(bins, alpha), n)


def _codes(weight, bias, activation, out_bins, drop=False, out_range=(0.0, 1.0)):
    """Bins of a dense layer's outputs at inputs on the unit cube, as the oracle has them."""

    def codes_of(x):
        return naive.codes_of(naive.outputs(x, weight, bias, activation), out_range, out_bins, drop)

    return codes_of


def _bits(value):
    return value.value if isinstance(value, ef.GroupEI) else np.nansum(value)


# ------------------------------------------------------------------------------------------------ known answers


@pytest.mark.parametrize("n", [1, 3])
def test_an_identity_tells_the_entropy_of_its_histograms(n):
    p = _p(n, n, 8)
    truth = sum(slow.entropy(row) for row in p)
    for measure in MEASURES:
        assert _bits(measure(np.eye(n), in_distribution=p, **LINEAR)) == pytest.approx(truth, abs=1e-12)
    group = ef.effective_information(np.eye(n), in_distribution=p, **LINEAR)
    assert (group.stderr, group.flags) == (0.0, (NOT_UNIFORM,))
    assert group.interval == group.bounds == (group.value, group.value)


def test_one_histogram_stands_for_all_inputs():
    p = _p(0, 1, 8)[0]
    assert float(ef.effective_information(np.eye(3), in_distribution=p, **LINEAR)) == pytest.approx(3 * slow.entropy(p))
    for weights in (p, 1000 * p, np.tile(p, (3, 1)), p.tolist()):
        found = ef.ei_parts_matrix(np.eye(3), in_distribution=weights, **LINEAR)
        np.testing.assert_allclose(np.diag(found), slow.entropy(p), rtol=0, atol=1e-12)
        assert np.count_nonzero(found) == 3


def test_copies_of_an_output_tell_it_once():
    p = _p(1, 2, 8)
    copies = np.repeat([[1.0], [0.0]], 4, axis=1)
    assert float(ef.effective_information(copies, in_distribution=p, **LINEAR)) == pytest.approx(slow.entropy(p[0]))
    parts = ef.ei_parts_matrix(copies, in_distribution=p, **LINEAR)
    np.testing.assert_allclose(parts, [[slow.entropy(p[0])] * 4, [0.0] * 4], rtol=0, atol=1e-12)


def test_zero_weights_and_inputs_in_one_bin_tell_nothing():
    for measure in MEASURES:
        assert _bits(measure(np.zeros((3, 2)), in_distribution=_p(0, 3, 8), random_state=0)) == 0.0
    in_one_bin = np.eye(8)[[3, 5]]
    for measure in MEASURES:
        assert abs(_bits(measure(np.eye(2), in_distribution=in_one_bin, **LINEAR))) < 1e-12


@pytest.mark.parametrize("shares", [(0.5, 0.2), (0.9, 0.2), (0.7, 0.6, 0.1)])
def test_parity_of_biased_bits(shares):
    parity = ef.Function(lambda x: (x > 0.5).sum(axis=1, keepdims=True) % 2, len(shares), 1, (0.0, 1.0))
    p = np.array([[1 - share, share] for share in shares])
    odd = 0.5 * (1 - np.prod([1 - 2 * share for share in shares]))
    whole = slow.entropy([odd, 1 - odd])
    group = ef.effective_information(parity, bins=2, in_distribution=p, random_state=0)
    assert group.interval[0] <= whole <= group.interval[1]
    assert abs(group.value - whole) < 0.03
    parts = ef.ei_parts_matrix(parity, bins=2, in_distribution=p, random_state=0)
    for i in range(len(shares)):
        others = 0.5 * (1 - np.prod([1 - 2 * share for k, share in enumerate(shares) if k != i]))
        assert abs(parts[i, 0] - (whole - slow.entropy([others, 1 - others]))) < 0.02
    # All others at the baseline, 0: the output is the bit.
    alone = ef.sensitivity_matrix(parity, bins=2, in_distribution=p, random_state=0)[:, 0]
    np.testing.assert_allclose(alone, [slow.entropy([share, 1 - share]) for share in shares], rtol=0, atol=1e-3)


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.3, 0.8), (1.0, 0.4)])
def test_the_sum_of_two_biased_halves(shares):
    a, b = shares
    p = np.array([[1 - a, a], [1 - b, b]])
    options = {"bins": 2, "out_range": (0.0, 2.0), **LINEAR}
    # In half of the squares whose halves differ the sum is above 1.
    mixed = a * (1 - b) + b * (1 - a)
    above = a * b + mixed / 2
    group = ef.effective_information(np.ones((2, 1)), in_distribution=p, **options)
    truth = slow.entropy([above, 1 - above]) - mixed
    assert group.interval[0] <= truth <= group.interval[1]
    assert abs(group.value - truth) < 0.03
    of_first = slow.entropy([above, 1 - above])
    of_first -= (1 - a) * slow.entropy([b / 2, 1 - b / 2]) + a * slow.entropy([(1 - b) / 2, 1 - (1 - b) / 2])
    assert ef.ei_parts_matrix(np.ones((2, 1)), in_distribution=p, **options)[0, 0] == pytest.approx(of_first, abs=1e-12)


@pytest.mark.parametrize("measure", MEASURES)
def test_uniform_histograms_are_the_default_to_the_last_bit(measure):
    weight = np.random.default_rng(0).normal(size=(5, 3))
    plain = measure(weight, random_state=0)
    for uniform in (None, np.ones(8), np.full((5, 8), 7), np.full(8, 1e300)):
        np.testing.assert_array_equal(measure(weight, in_distribution=uniform, random_state=0), plain)
    assert not isinstance(plain, ef.GroupEI) or plain.flags == ()


@pytest.mark.parametrize("measure", EDGES)
def test_nearly_uniform_histograms_are_near_the_default(measure):
    weight = np.random.default_rng(1).normal(size=(9, 3))
    nearly = np.ones((9, 8))
    nearly[:, 0] += 1e-9
    for drop in ("clip", "drop"):
        options = {"activation": "tanh", "out_range": (-0.9, 0.9), "out_of_range": drop}
        found = measure(weight, in_distribution=nearly, **options)
        np.testing.assert_allclose(found, measure(weight, **options), rtol=0, atol=1e-8)


# ------------------------------------------------------------------------------------------------ the slow oracle


CASES = {
    "sigmoid": ([[2.0, -1.0], [1.5, 3.0], [-2.5, 1.0]], [0.3, -0.5], "sigmoid", (0.0, 1.0), "clip"),
    "relu": ([[1.0, -1.0], [0.7, 0.4], [-0.2, 1.1]], [0.0, -0.1], "relu", (0.0, 1.5), "clip"),
    "dropped": ([[1.0, -1.0], [0.7, 0.4], [-0.2, 1.1]], [0.0, 0.2], "linear", (0.0, 1.0), "drop"),
    "gelu": ([[3.0, -1.0], [-2.7, 0.4], [-1.2, 1.1]], [0.0, -0.1], "gelu", (-0.2, 1.5), "clip"),
}
BINS = (4, 3)


def _case(name):
    weight, bias, activation, out_range, out_of_range = CASES[name]
    layer = ef.Layer(weight, bias=bias, activation=activation)
    options = {"bins": BINS, "out_range": out_range, "out_of_range": out_of_range}
    codes = _codes(np.array(weight), np.array(bias), activation, BINS[1], out_of_range == "drop", out_range)
    return layer, options, codes


@pytest.fixture(scope="module")
def tables():
    """P(cell, state) of every case, enumerated once."""
    p = _p(3, 3, BINS[0])
    return p, {name: slow.joint_table(_case(name)[2], p, BINS[1], 30) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_joint_ei_is_that_of_enumeration(name, tables):
    p, enumerated = tables
    layer, options, _ = _case(name)
    truth = slow.information(slow.kept(enumerated[name], BINS[1], 2))
    group = ef.effective_information(layer, in_distribution=p, random_state=0, **options)
    assert group.stderr < 0.02
    assert group.interval[0] - 2e-3 <= truth <= group.interval[1] + 2e-3
    assert abs(group.value - truth) < 4 * max(group.stderr, 1e-3)


@pytest.mark.parametrize("name", CASES)
def test_ei_parts_are_those_of_enumeration(name, tables):
    p, enumerated = tables
    layer, options, _ = _case(name)
    found = ef.ei_parts_matrix(layer, in_distribution=p, **options)
    for i in range(3):
        for j in range(2):
            truth = slow.information(slow.edge(enumerated[name], i, j, 3, BINS[0], 2, BINS[1]))
            assert found[i, j] == pytest.approx(truth, abs=2e-3)
    one = ef.effective_information(layer, inputs=1, outputs=0, in_distribution=p, **options)
    assert (one.value, one.stderr) == (found[1, 0], 0.0)
    simulated = ef.ei_parts_matrix(layer, in_distribution=p, pairwise="histogram", random_state=0, **options)
    np.testing.assert_allclose(simulated, found, rtol=0, atol=0.02)


@pytest.mark.parametrize("baseline", [0.0, 0.4])
@pytest.mark.parametrize("name", CASES)
def test_sensitivity_is_that_of_enumeration(name, baseline, tables):
    p, _ = tables
    layer, options, codes = _case(name)
    found = ef.sensitivity_matrix(layer, in_distribution=p, baseline=baseline, **options)
    for i in range(3):
        for j in range(2):
            truth = slow.sensitivity(lambda x, j=j: codes(x)[:, j], p, i, baseline, BINS[1])
            np.testing.assert_allclose(found[i, j], truth, rtol=0, atol=3e-3)
    simulated = ef.sensitivity_matrix(
        layer, in_distribution=p, baseline=baseline, pairwise="histogram", random_state=0, **options
    )
    np.testing.assert_allclose(simulated, found, rtol=0, atol=5e-3)


@pytest.mark.parametrize("name", CASES)
def test_a_group_of_inputs_leaves_the_others_drawn(name, tables):
    p, enumerated = tables
    layer, options, _ = _case(name)
    # Inputs 0 and 2 are told apart.
    table = slow.kept(enumerated[name], BINS[1], 2)
    table = table.reshape(BINS[0], BINS[0], BINS[0], -1).sum(axis=1).reshape(BINS[0] ** 2, -1)
    group = ef.effective_information(layer, inputs=[0, 2], in_distribution=p, random_state=0, **options)
    assert abs(group.value - slow.information(table)) < 4 * max(group.stderr, 1e-3)


def test_one_input_is_exact_also_where_it_has_several_outputs():
    p = _p(5, 1, 8)
    weight, bias = np.array([[1.3, -0.7, 2.0]]), np.array([0.1, 0.3, -0.2])
    for drop in (False, True):
        codes = _codes(weight, bias, "linear", 3, drop, (0.0, 0.9))
        table = slow.joint_table(codes, p, 3, 40_000)
        truth = slow.information(slow.kept(table, 3, 3))
        layer = ef.Layer(weight, bias=bias, activation="linear")
        options = {"bins": (8, 3), "out_range": (0.0, 0.9), "out_of_range": "drop" if drop else "clip"}
        group = ef.effective_information(layer, in_distribution=p, **options)
        assert group.stderr == 0.0
        assert group.value == pytest.approx(truth, abs=2e-3)


def test_a_function_has_the_measures_of_the_layer_that_it_is():
    rng = np.random.default_rng(2)
    weight, p = rng.normal(size=(4, 3)), _p(6, 4, 8)
    function = ef.Function(lambda x: expit(x @ weight), 4, 3, (0.0, 1.0))
    groups = [ef.effective_information(one, in_distribution=p, random_state=0) for one in (weight, function)]
    assert abs(groups[0].value - groups[1].value) < 4 * np.hypot(*(group.stderr for group in groups))
    for measure in EDGES:
        np.testing.assert_allclose(
            measure(function, in_distribution=p, random_state=0), measure(weight, in_distribution=p), rtol=0, atol=0.02
        )


# ------------------------------------------------------------------------------------------------ symmetries, methods


def test_histograms_are_over_the_range_of_each_neuron():
    rng = np.random.default_rng(4)
    weight, p = rng.normal(size=(3, 2)), _p(8, 3, 8)
    low, width = rng.normal(size=3), rng.uniform(0.5, 2.0, 3)
    moved = ef.Layer(weight / width[:, None], bias=-(low / width) @ weight)
    ranges = [tuple(pair) for pair in np.stack([low, low + width], axis=1)]
    function = ef.Function(moved, 3, 2, (0.0, 1.0), in_range=ranges)
    here = ef.ei_parts_matrix(function, in_distribution=p, random_state=0)
    np.testing.assert_allclose(here, ef.ei_parts_matrix(weight, in_distribution=p), rtol=0, atol=0.02)


def test_mirrored_inputs_have_mirrored_histograms():
    rng = np.random.default_rng(5)
    weight, p = rng.normal(size=(9, 2)), _p(9, 9, 8)
    flip = np.where(np.arange(9) % 2, -1.0, 1.0)
    mirrored = np.where(flip[:, None] < 0, p[:, ::-1], p)
    options = {"activation": "tanh", "in_range": (-1.0, 1.0)}
    for measure in EDGES:
        here = measure(weight, in_distribution=p, **options)
        there = measure(flip[:, None] * weight, in_distribution=mirrored, **options)
        np.testing.assert_allclose(here, there, rtol=0, atol=1e-10)


@pytest.mark.parametrize("joint", ["conditional", "plugin"])
def test_other_methods_agree(joint):
    weight, p = np.random.default_rng(6).normal(size=(3, 2)), _p(10, 3, 4)
    auto = ef.effective_information(weight, bins=4, in_distribution=p, random_state=0)
    other = ef.effective_information(weight, bins=4, in_distribution=p, joint=joint, random_state=1)
    assert abs(auto.value - other.value) < 4 * np.hypot(auto.stderr, other.stderr) + 1e-3


@pytest.mark.parametrize("entropy", ["miller-madow", "grassberger", "chao-shen", "plugin"])
def test_every_estimator_of_entropies_counts_drawn_inputs(entropy):
    weight, p = np.random.default_rng(6).normal(size=(3, 2)), _p(10, 3, 4)
    auto = ef.effective_information(weight, bins=4, in_distribution=p, random_state=0)
    other = ef.effective_information(weight, bins=4, in_distribution=p, entropy=entropy, random_state=0, tol=0.02)
    assert abs(auto.value - other.value) < 0.1


def test_given_points_are_counted():
    weight, p = np.random.default_rng(7).normal(size=(6, 2)), _p(11, 6, 8)
    auto = ef.effective_information(weight, in_distribution=p, random_state=0)
    given = ef.effective_information(weight, in_distribution=p, n_samples=2**17, random_state=0)
    assert given.interval[0] <= auto.value <= given.interval[1]


@pytest.mark.parametrize("alpha", [0.1, 2.0])
def test_bounds_of_a_wide_layer_hold_what_its_parts_have(alpha):
    # Ten blocks of known EI each, hidden from the measurement in a function.
    rng, blocks = np.random.default_rng(8), 10
    weight, p = rng.normal(size=(2, 2)) * 2, np.random.default_rng(9).dirichlet(np.full(8, alpha), 2)
    codes = _codes(weight, np.zeros(2), "sigmoid", 8)
    truth = blocks * slow.information(slow.joint_table(codes, p, 8, 100))
    joined = ef.Function(
        lambda x: expit(np.concatenate([x[:, 2 * k : 2 * k + 2] @ weight for k in range(blocks)], axis=1)),
        2 * blocks,
        2 * blocks,
        (0.0, 1.0),
    )
    group = ef.effective_information(joined, in_distribution=np.tile(p, (blocks, 1)), effort=0.1, random_state=0)
    assert group.bounds[0] <= truth <= group.bounds[1]
    entropy = blocks * sum(slow.entropy(row) for row in p)
    assert group.interval[1] <= entropy + 1e-9
    # As a layer it falls into its blocks.
    whole = np.kron(np.eye(blocks), weight)
    split = ef.effective_information(whole, in_distribution=np.tile(p, (blocks, 1)), random_state=0)
    assert abs(split.value - truth) < 4 * split.stderr + 0.01


def test_one_seed_has_the_same_bits_for_any_number_of_threads():
    weight, p = np.random.default_rng(10).normal(size=(12, 5)), _p(12, 12, 8)
    for measure in (ef.effective_information, ef.ei_parts_matrix):
        one, two = (measure(weight, in_distribution=p, random_state=3, n_jobs=n, tol=0.05) for n in (1, 2))
        assert np.all(one == two)
    # Which samples are counted depends on the seed.
    other = ef.effective_information(weight, in_distribution=p, random_state=4, tol=0.05)
    assert other.value != ef.effective_information(weight, in_distribution=p, random_state=3, tol=0.05).value


# ------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("bad", "error", "said"),
    [
        (np.ones(7), ValueError, r"bins=7"),
        (np.ones((3, 9)), ValueError, r"bins=9"),
        (np.ones((8, 3)), ValueError, "Transpose it"),
        (np.random.default_rng(0).random((100, 3)), ValueError, "observed_information"),
        (np.ones((2, 5)), ValueError, "one row for each input"),
        (np.ones((2, 3, 8)), ValueError, "one row for each input"),
        (np.zeros(8), ValueError, "zeros only for input 0"),
        ([[1.0] * 8, [0.0] * 8, [1.0] * 8], ValueError, "zeros only for input 1"),
        (np.r_[np.ones(7), -1], ValueError, "-1.0 in bin 7 of input 0"),
        (np.r_[np.ones(7), np.nan], ValueError, "nan in bin 7"),
        (np.r_[np.ones(7), np.inf], ValueError, "inf in bin 7"),
        ("seen", TypeError, "array of numbers"),
        (np.ones(8, complex), TypeError, "complex128"),
        ([[1.0] * 8, [1.0] * 7], TypeError, "one array of numbers"),
        (np.ma.masked_array(np.ones(8), [True] + [False] * 7), ValueError, "masked"),
    ],
)
@pytest.mark.parametrize("measure", MEASURES)
def test_bad_histograms_are_refused(measure, bad, error, said):
    with pytest.raises(error, match=f"(?s)'in_distribution' parameter of {measure.__name__}.*{said}"):
        measure(np.eye(3), in_distribution=bad)


@pytest.mark.parametrize("joint", ["gaussian", "annealed"])
def test_methods_for_uniform_inputs_are_refused_by_name(joint):
    with pytest.raises(ValueError, match=f"joint='{joint}' takes inputs to be uniform"):
        ef.effective_information(np.ones((2, 2)), in_distribution=_p(0, 2, 8), joint=joint)


def test_a_sample_of_the_edges_is_refused():
    weight = np.random.default_rng(0).normal(size=(40, 40))
    for measure in EDGES:
        with pytest.raises(ValueError, match="pairwise_edges=None"):
            measure(weight, in_distribution=_p(0, 40, 8), pairwise_edges=1000)
