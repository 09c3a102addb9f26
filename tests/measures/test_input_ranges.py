"""A range for each input of a layer: every estimator against brute force."""

from itertools import product

import naive
import numpy as np
import pytest

import ei_fast as ef

BINS = 4
RANGES = ((0.0, 2.0), (-1.0, 1.0), (0.5, 0.75))


def layer_of(activation="tanh", seed=0, n_out=2):
    rng = np.random.default_rng(seed)
    return ef.Layer(rng.normal(0, 2, (3, n_out)), rng.normal(size=n_out), activation, "gate", None, RANGES)


def cells(points):
    """Inputs (cell, point, 3) on a grid inside every cell of three inputs over their ranges."""
    low, high = np.array(RANGES).T
    inner = np.array(list(product((np.arange(points) + 0.5) / points, repeat=3)))
    return np.stack([low + (high - low) * (np.array(cell) + inner) / BINS for cell in product(range(BINS), repeat=3)])


def ei_on_a_grid(map_of, out_range, points=20):
    """EI in bits of a map of three inputs, by counting the states of its outputs."""
    x = cells(points)
    codes = naive.bins_of(map_of(x.reshape(-1, 3)), out_range, BINS).reshape(*x.shape[:2], -1)
    inside = np.mean([naive.entropy(one) for one in codes])
    return naive.entropy(codes.reshape(-1, codes.shape[-1])) - inside


@pytest.mark.parametrize("joint", ["auto", "conditional", "annealed", "plugin"])
@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_joint_ei_by_every_method(joint, activation):
    layer = layer_of(activation)
    out_range = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}[activation]
    expected = ei_on_a_grid(lambda x: naive.outputs(x, layer.weight, layer.bias, activation), out_range)
    report = ef.analyze(layer, bins=BINS, joint=joint, random_state=0)[0]
    assert report.in_range == RANGES
    assert abs(report.ei - expected) < 4 * report.ei_stderr + 0.01


def test_a_function_of_the_same_values_has_the_same_ei():
    layer = layer_of()
    whole = ef.Function(layer, 3, 2, (-1.0, 1.0), RANGES)
    expected = ei_on_a_grid(lambda x: naive.outputs(x, layer.weight, layer.bias, "tanh"), (-1.0, 1.0))
    report = ef.analyze(whole, bins=BINS, random_state=0)[0]
    dense = ef.analyze(layer, bins=BINS, random_state=0, pairwise="exact")[0]
    assert report.in_range == RANGES
    assert abs(report.ei - expected) < 4 * report.ei_stderr + 0.01
    error = 4 * (report.sensitivity_stderr + report.ei_parts_stderr) + 0.01
    assert abs(report.sensitivity - dense.sensitivity) < error
    assert abs(report.ei_parts - dense.ei_parts) < error


@pytest.mark.parametrize("pairwise", ["exact", "histogram"])
def test_edges_by_every_method(pairwise):
    layer = layer_of()
    options = {} if pairwise == "exact" else {"n_samples": 2**18}
    report = ef.analyze(layer, bins=BINS, pairwise=pairwise, baseline=0.3, random_state=0, **options)[0]
    for i, j in product(range(3), range(2)):
        constant = layer.bias[j] + 0.3 * (layer.weight[:, j].sum() - layer.weight[i, j])
        task = (RANGES[i], BINS, (-1.0, 1.0), BINS)
        expected = naive.edge_information(layer.weight[i, j], constant, "tanh", *task)
        assert report.sensitivity_matrix[i, j] == pytest.approx(expected, abs=1e-3 if pairwise == "exact" else 0.01)
    low, high = np.array(RANGES).T
    weight, bias = layer.weight * (high - low)[:, None], layer.bias + low @ layer.weight
    for i, j in product(range(3), range(2)):
        expected = naive.parts_of_edge(i, weight[:, j], bias[j], "tanh", (0.0, 1.0), BINS, (-1.0, 1.0), BINS)
        assert report.ei_parts_matrix[i, j] == pytest.approx(expected, abs=2e-9 if pairwise == "exact" else 0.01)


def test_groups_of_neurons():
    layer = layer_of()
    # All inputs move, and what two of them tell of one output is counted.
    x = cells(20)
    codes = naive.bins_of(naive.outputs(x.reshape(-1, 3), layer.weight, layer.bias, "tanh")[:, :1], (-1.0, 1.0), BINS)
    codes = codes.reshape(BINS, BINS, -1)
    expected = naive.entropy(codes.reshape(-1, 1)) - np.mean(
        [naive.entropy(one[:, None]) for row in codes for one in row]
    )
    found = ef.effective_information(layer, inputs=[0, 1], outputs=[0], bins=BINS, random_state=0)
    assert abs(float(found) - expected) < 4 * found.stderr + 0.01


@pytest.mark.parametrize("activation", ["relu", "linear", "gelu"])
def test_outputs_are_binned_over_what_is_reached_from_all_of_them(activation):
    layer = layer_of(activation)
    rng = np.random.default_rng(0)
    low, high = np.array(RANGES).T
    y = naive.outputs(rng.uniform(low, high, (2**19, 3)), layer.weight, layer.bias, activation)
    found = ef.Network([layer]).ranges()[0]
    assert found[0] == RANGES
    quantiles = np.quantile(y, [1e-4, 1 - 1e-4], axis=0)
    np.testing.assert_allclose(found[1], (quantiles[0].min(), quantiles[1].max()), atol=0.02 * np.ptp(quantiles))


def test_an_input_range_of_a_pair_is_the_same_as_one_for_all():
    weight = np.random.default_rng(0).normal(size=(2, 2))
    one = ef.analyze(ef.Layer(weight, in_range=(0.0, 1.0)), random_state=0)[0]
    each = ef.analyze(ef.Layer(weight, in_range=((0.0, 1.0), (0.0, 1.0))), random_state=0)[0]
    assert one.in_range == (0.0, 1.0)
    assert each.in_range == ((0.0, 1.0), (0.0, 1.0))
    assert each.ei == pytest.approx(one.ei, abs=4 * (one.ei_stderr + each.ei_stderr) + 1e-9)
    assert each.sensitivity == pytest.approx(one.sensitivity, abs=1e-12)


def test_layers_as_one_map_keep_the_ranges_of_their_inputs():
    network = ef.Network([layer_of(), ef.Layer(np.ones((2, 1)))])
    assert network.between(0, 1).in_range == RANGES
    assert layer_of().named("other").in_range == RANGES
    assert layer_of().over(RANGES[::-1]).in_range == RANGES[::-1]


@pytest.mark.parametrize(
    "make", [lambda r: ef.Layer(np.ones((3, 2)), in_range=r), lambda r: ef.Function(np.tanh, 3, 3, (-1, 1), r)]
)
def test_ranges_are_checked(make):
    assert make(np.array(RANGES)).in_range == RANGES
    assert make([list(one) for one in RANGES]).in_range == RANGES
    with pytest.raises(ValueError, match="a sequence of 3 such pairs, one for each neuron. Got 2 pairs instead"):
        make(RANGES[:2])
    with pytest.raises(ValueError, match=r"'in_range\[1\]' parameter of .* must be two finite numbers"):
        make(((0.0, 1.0), (1.0, 0.0), (0.0, 1.0)))
    with pytest.raises(TypeError, match=r"'in_range\[2\]' parameter"):
        make(((0.0, 1.0), (0.0, 1.0), "ab"))
    with pytest.raises(TypeError, match="'in_range' parameter"):
        make((0.0, "b"))


def test_recordings_keep_them(tmp_path):
    recorder = ef.Recorder(
        ef.EffectiveInformation(bins=BINS, random_state=0), path=tmp_path / "run.npz", keep_weights=True
    )
    recorder.record(ef.Network([layer_of()]), step=0)
    loaded = ef.Trajectory.load(tmp_path / "run.npz")
    assert loaded.remeasure(bins=2).layer_ranges[0][0][0] == RANGES
