"""Group EI, single measures as functions, several layers as one, bins swept, and two sample vectors."""

from itertools import pairwise

import naive
import numpy as np
import pytest
from slow_cases import some_slow

import ei_fast as ef


@pytest.fixture
def layer(random_weight):
    return ef.Layer(random_weight(2, 3, 4.0), [0.2, -0.3, 0.0], "tanh")


def _group_on_a_grid(layer, inputs, outputs, points=640):
    """I(X_A; Y_B) of two inputs on (0, 1) from a fine grid, by counting."""
    axis = (np.arange(points) + 0.5) / points
    x = np.array(np.meshgrid(axis, axis, indexing="ij")).reshape(2, -1).T
    of_x = naive.bins_of(x, (0.0, 1.0), 8)[:, inputs]
    of_y = naive.bins_of(naive.outputs(x, layer.weight, layer.bias, "tanh"), (-1.0, 1.0), 8)[:, outputs]
    return naive.entropy(of_x) + naive.entropy(of_y) - naive.entropy(np.hstack([of_x, of_y]))


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    some_slow([([1], [0, 2]), ([0, 1], [1]), ([0], [0, 1, 2]), ([1], [2]), ([0, 1], [0, 1, 2])], 2),
)
def test_against_a_grid(layer, inputs, outputs):
    group = ef.effective_information(layer, inputs, outputs, random_state=0)
    error = 4 * group.stderr + 0.004
    assert abs(float(group) - _group_on_a_grid(layer, inputs, outputs)) < error < 0.05
    assert group.interval[0] <= group.value <= group.interval[1]


def test_one_edge_is_its_entry_of_ei_parts(random_weight):
    weight = random_weight(5, 4, 4.0)
    matrix = ef.ei_parts_matrix(weight)
    for i, j in ((0, 0), (3, 2)):
        group = ef.effective_information(weight, i, j)
        assert (group.value, group.stderr) == (matrix[i, j], 0.0)
        # The sampled path of one input's cells has to find the same.
        sampled = ef.effective_information(ef.Function(ef.Layer(weight), 5, 4, (0.0, 1.0)), i, j, random_state=0)
        assert abs(sampled.value - matrix[i, j]) < 4 * sampled.stderr < 0.05


@pytest.mark.parametrize("widths", [(3, 3), (12, 4)])
def test_everything_is_the_layers_ei(random_weight, widths):
    weight = random_weight(*widths, 4.0)
    group = ef.effective_information(weight, range(widths[0]), list(range(widths[1])), random_state=0)
    report = ef.analyze(weight, random_state=0)[0]
    assert abs(group.value - report.ei) < 4 * np.hypot(group.stderr, report.ei_stderr)
    assert ef.effective_information(weight, random_state=0).value == report.ei


def test_more_neurons_never_tell_less(random_weight):
    weight = random_weight(6, 4, 4.0)
    sizes = [ef.effective_information(weight, range(k), range(4), random_state=0) for k in (1, 2, 3, 6)]
    for fewer, more in pairwise(sizes):
        assert more.value > fewer.value - 4 * np.hypot(fewer.stderr, more.stderr)
    outputs = [ef.effective_information(weight, None, range(k), random_state=0) for k in (1, 2, 4)]
    assert outputs[0].value < outputs[1].value < outputs[2].value


def test_nothing_is_above_what_the_bins_can_tell(random_weight):
    # So few points that errors are larger than what is left up to the ceiling.
    group = ef.effective_information(random_weight(8, 5, 40.0), 1, n_samples=256, random_state=0)
    assert group.interval[1] == 3.0
    report = ef.analyze(random_weight(2, 12, 400.0), n_samples=256, random_state=0)[0]
    assert report.ei_interval[1] <= 6.0


def test_one_input_of_many_is_found_in_spite_of_the_others(random_weight):
    # The other 24 inputs move inside a cell: a few hundred points in each would be wrong by bits.
    group = ef.effective_information(random_weight(25, 6, 5.0), 0, random_state=0)
    reference = ef.effective_information(random_weight(25, 6, 5.0), 0, random_state=1, tol=0.004)
    assert abs(group.value - reference.value) < 4 * np.hypot(group.stderr, reference.stderr) + 0.01
    assert group.value < 0.5


@pytest.mark.parametrize(
    ("inputs", "outputs", "error", "message"),
    [
        ([], None, ValueError, "'inputs' parameter of effective_information must be None, or different integers"),
        ([0, 0], None, ValueError, "integers from 0 to 1"),
        ([2], None, ValueError, r"integers from 0 to 1, at least one. Got \[2\]"),
        (-1, None, ValueError, "'inputs'"),
        (None, [0, 3], ValueError, "'outputs' parameter of effective_information .* integers from 0 to 2"),
        (None, 1.0, TypeError, "Got 1.0"),
        ([True], None, TypeError, r"Got \[True\]"),
        ("01", None, TypeError, "Got '01'"),
    ],
)
def test_bad_groups(layer, inputs, outputs, error, message):
    with pytest.raises(error, match=message):
        ef.effective_information(layer, inputs, outputs)


def test_matrices_are_the_reports(layer):
    report = ef.analyze(layer, random_state=0)[0]
    np.testing.assert_array_equal(ef.sensitivity_matrix(layer), report.sensitivity_matrix)
    np.testing.assert_array_equal(ef.ei_parts_matrix(layer), report.ei_parts_matrix)
    with pytest.raises(ValueError, match="must be a single layer. Got 2 layers instead. Use Network.between"):
        ef.sensitivity_matrix([np.eye(2), np.eye(2)])


def test_between_is_the_layers_one_after_the_other(random_weight):
    layers = [ef.Layer(random_weight(3, 4, 4.0, k), activation=name) for k, name in ((0, "tanh"), (1, "sigmoid"))]
    layers[1] = ef.Layer(random_weight(4, 2, 4.0, 1), [0.5, -0.5], "sigmoid", name="top")
    net = ef.Network(layers, in_range=(-1.0, 1.0))
    block = net.between(0, 1)
    assert (block.n_in, block.n_out, block.in_range, block.out_range) == (3, 2, (-1.0, 1.0), (0.0, 1.0))
    x = np.random.default_rng(0).uniform(-1, 1, (100, 3))
    np.testing.assert_allclose(block(x), layers[1](layers[0](x)))
    # What passes both cannot be more than what passes either.
    through = ef.analyze(block, random_state=0)[0]
    first = ef.effective_information(layers[0], in_range=(-1.0, 1.0), random_state=0)
    assert 0 < through.ei < first.value
    assert (through.joint_method, through.pairwise_method, through.name) == (
        "conditional",
        "histogram",
        "layer0 -> top",
    )


def test_between_one_layer_and_itself_measures_as_the_layer(random_weight):
    net = ef.Network([ef.Layer(random_weight(3, 4, 4.0)), ef.Layer(random_weight(4, 3, 4.0, 1), activation="relu")])
    block = ef.analyze(net.between(1, 1), random_state=0)[0]
    layer = ef.analyze(net, random_state=0)[1]
    assert (block.in_range, block.out_range) == (layer.in_range, layer.out_range)
    assert abs(block.ei - layer.ei) < 4 * np.hypot(block.ei_stderr, layer.ei_stderr)
    assert abs(block.sensitivity - layer.sensitivity) < 4 * block.sensitivity_stderr
    assert abs(block.ei_parts - layer.ei_parts) < 4 * block.ei_parts_stderr


@pytest.mark.parametrize(("places", "error"), [((1, 0), ValueError), ((0, 2), ValueError), ((0, 1.0), TypeError)])
def test_bad_places(random_weight, places, error):
    net = ef.Network([ef.Layer(np.eye(2)), ef.Layer(np.eye(2))])
    with pytest.raises(error, match="'first' and 'last' parameters of Network.between"):
        net.between(*places)


def test_bin_sweep(random_weight):
    weights = [random_weight(3, 2, 4.0), random_weight(2, 2, 4.0)]
    frame = ef.bin_sweep(weights, bins=(4, (8, 16)), random_state=0)
    assert frame.shape[0] == 4
    assert frame[["in_bins", "out_bins", "layer"]].values.tolist() == [
        [4, 4, "layer0"],
        [4, 4, "layer1"],
        [8, 16, "layer0"],
        [8, 16, "layer1"],
    ]
    report = ef.analyze(weights, bins=(8, 16), random_state=0)
    for row, one in zip(frame.iloc[2:].itertuples(), report, strict=True):
        assert (row.ei, row.sensitivity, row.ei_parts) == (one.ei, one.sensitivity, one.ei_parts)
        assert (row.ei_low, row.ei_high) == one.ei_interval
        assert (row.ei_bounds_low, row.ei_bounds_high) == one.ei_bounds
    with pytest.raises(TypeError, match="'bins' parameter of bin_sweep must be a sequence"):
        ef.bin_sweep(weights, bins=8)
    with pytest.raises(ValueError, match="'bins' parameter"):
        ef.bin_sweep(weights, bins=(4, 1))


@pytest.mark.parametrize("entropy", ["plugin", "miller-madow", "grassberger", "chao-shen"])
def test_mutual_information_of_vectors(entropy):
    rng = np.random.default_rng(0)
    x = rng.normal(size=3000)
    y = 0.6 * x + rng.normal(size=3000)
    limits = ((-2.0, 2.0), (-3.0, 1.0))
    counts = naive.edge_histograms(x[:, None], y[:, None], *limits, 8)[0, 0]
    got = ef.mutual_information(x, y, range=limits, entropy=entropy)
    assert got == pytest.approx(naive.information_by(entropy, counts), abs=1e-12)


def test_pairs_outside_their_ranges_are_dropped_on_request():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=500), rng.normal(size=500)
    y += x
    limits = ((-1.0, 1.0), (-1.5, 0.5))
    table, _, _ = np.histogram2d(x, y, bins=(8, 4), range=limits)
    p = table / table.sum()
    expected = np.nansum(p * np.log2(p / (p.sum(1, keepdims=True) * p.sum(0)), where=p > 0, out=np.zeros_like(p)))
    got = ef.mutual_information(x, y, bins=(8, 4), range=limits, out_of_range="drop")
    assert got == pytest.approx(expected, abs=1e-12)
    assert got != ef.mutual_information(x, y, bins=(8, 4), range=limits)
    assert ef.mutual_information(x, y, out_of_range="drop") == ef.mutual_information(x, y)
    # Ends belong to their range; integers of any size are compared as they are.
    assert ef.mutual_information([0, 0, 1, 1, 5], [0, 0, 1, 1, 0], 2, ((0, 1), (0, 1)), out_of_range="drop") == 1.0
    large = [2**60, 2**60, 2**60 + 1, 2**60 + 1, 2**70]
    limits = ((2**60, 2**60 + 1), (0, 1))
    assert ef.mutual_information(large, [0, 0, 1, 1, 0], 2, limits, out_of_range="drop") == 1.0
    with pytest.raises(
        ValueError, match="'out_of_range' parameter of mutual_information must be one of 'clip', 'drop'"
    ):
        ef.mutual_information(x, y, out_of_range="cut")


def test_mutual_information_over_the_vectors_own_ranges():
    x = np.repeat(np.arange(4), 25)
    assert ef.mutual_information(x, x[::-1], bins=4) == pytest.approx(2.0, abs=1e-12)
    assert ef.mutual_information(x, -5.0 * x + 3, bins=(4, 2)) == pytest.approx(1.0, abs=1e-12)
    assert ef.mutual_information(x, np.ones(100)) == 0.0
    # Counts beyond any table.
    assert ef.mutual_information(np.arange(100_000) % 2, np.arange(100_000) % 2, 2, entropy="grassberger") > 0.999


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (([0, 1], [0, 1, 2]), ValueError, "of one length. Got 2 and 3"),
        (([0, np.nan], [0, 1]), ValueError, "'x' parameter of mutual_information .* Got nan at index 1"),
        (([0, 1], [[0, 1]]), ValueError, r"'y' parameter .* Got shape \(1, 2\)"),
        ((["a", "b"], [0, 1]), TypeError, "'x' parameter"),
        (([], []), ValueError, "at least one"),
        (([0, 1], [0, 1], 1), ValueError, "'bins' parameter of mutual_information"),
        (
            ([0, 1], [0, 1], 8, (0, 1)),
            TypeError,
            r"must be \(\(low, high\), \(low, high\)\), of x and of y. Got \(0, 1\)",
        ),
        (([0, 1], [0, 1], 8, (None, (0, 1))), TypeError, r"of x and of y. Got \(None, \(0, 1\)\) instead"),
        (([0, 1], [0, 1], 8, 3), TypeError, "'range' parameter of mutual_information"),
        (([0, 1], [0, 1], 8, None, "auto"), ValueError, "'entropy' parameter of mutual_information"),
    ],
)
def test_bad_vectors(args, error, message):
    with pytest.raises(error, match=message):
        ef.mutual_information(*args)
