"""Who carries it: changes of measures without inputs, outputs and edges."""

from dataclasses import replace

import naive
import numpy as np
import pytest
from truths import OUT_RANGES

import ei_fast as ef
from ei_fast.functions.ablating import ablation
from ei_fast.measures.ablation import counted, ei
from ei_fast.measures.ablation.variants import NOTHING, Variants, gone_of
from ei_fast.measures.joint.estimate import JointEI
from ei_fast.measures.options import MeasureOptions
from ei_fast.network.binned import BinnedLayer
from ei_fast.runtime.threads import Threads

WHAT = ("inputs", "outputs", "edges")
LINEAR = {"activation": "linear", "random_state": 0}
RNG = np.random.default_rng(0)


def _weight(n_in, n_out, scale=1.0, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, (n_in, n_out)) * scale / np.sqrt(n_in)


def _without(weight, bias, what, index, value=0.0):
    """Weights and biases of a layer that lacks something, written out."""
    weight, bias = weight.copy(), bias.copy()
    if what == "edges":
        i, j = index
        bias[j] += value * weight[i, j]
        weight[i, j] = 0.0
    elif what == "inputs":
        bias += value * weight[index[0]]
        weight[index[0]] = 0.0
    else:
        weight, bias = np.delete(weight, index[0], axis=1), np.delete(bias, index[0])
    return weight, bias


@pytest.mark.parametrize("what", WHAT)
def test_of_the_identity_each_carries_all_bits_of_its_bins(what):
    for n, bins in ((3, 8), (40, 4)):
        found = ef.ablation(np.eye(n), what, bins=bins, **LINEAR)
        expected = -np.log2(bins) * (np.eye(n) if what == "edges" else np.ones(n))
        for name in ("ei", "sensitivity", "ei_parts"):
            assert getattr(found, f"{name}_change") == pytest.approx(expected, abs=1e-9)
            assert getattr(found, name) == pytest.approx(n * np.log2(bins))
        assert (found.ei_change_stderr == 0).all()
        assert set(found.methods.ravel()) == {"exact"}


def test_an_edge_of_weight_0_carries_exactly_nothing():
    weight = _weight(6, 4, 12.0)
    weight[[0, 3, 5], [1, 1, 2]] = 0.0
    found = ef.ablation(weight, "edges", random_state=0)
    zero = weight == 0.0
    for name in (
        "ei_change",
        "ei_change_stderr",
        "ei_change_low",
        "ei_change_high",
        "sensitivity_change",
        "ei_parts_change",
    ):
        assert (getattr(found, name)[zero] == 0.0).all()
        assert (getattr(found, name)[~zero] != 0.0).any()
    assert (found.least(3) & zero).sum() <= 3
    dead = ef.ablation(np.vstack([weight, np.zeros(4)]), "inputs", random_state=0)
    assert dead.ei_change[6] == dead.ei_change_high[6] == dead.sensitivity_change[6] == 0.0


def test_independent_blocks_are_those_of_each_alone():
    blocks = [_weight(3, 2, 4.0), _weight(4, 2, 3.0, seed=2)]
    weight = np.zeros((7, 4))
    weight[:3, :2], weight[3:, 2:] = blocks
    both = ef.ablation(weight, "inputs", random_state=0)
    alone = [ef.ablation(block, "inputs", random_state=0) for block in blocks]
    expected, stderr = (
        np.concatenate([getattr(one, name) for one in alone]) for name in ("ei_change", "ei_change_stderr")
    )
    assert (np.abs(both.ei_change - expected) < 4 * np.hypot(both.ei_change_stderr, stderr) + 1e-3).all()
    assert both.ei_parts_change == pytest.approx(np.concatenate([one.ei_parts_change for one in alone]), abs=1e-9)
    # Inputs of one block are no matter to outputs of the other.
    edges = ef.ablation(weight, "edges", random_state=0)
    assert (edges.ei_change[:3, 2:] == 0.0).all()
    assert (edges.ei_change[:3, :2] != 0.0).all()


def test_a_copy_of_an_output_can_go():
    weight = np.repeat(_weight(4, 1, 4.0), 2, axis=1)
    found = ef.ablation(weight, "outputs", random_state=0)
    assert (np.abs(found.ei_change) <= found.ei_change_high - found.ei_change + 1e-12).all()
    assert found.ei_change == pytest.approx(0.0, abs=0.02)
    assert found.ei_parts_change == pytest.approx(-0.5 * found.ei_parts, abs=1e-9)


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize(("activation", "value"), [("sigmoid", 0.0), ("relu", 0.5), ("tanh", -0.25)])
def test_sensitivity_and_ei_parts_are_those_of_the_layer_without(what, activation, value):
    weight, bias = _weight(4, 3, 4.0), RNG.normal(size=3) * 0.3
    layer = ef.Layer(weight, bias, activation, out_range=OUT_RANGES[activation])
    found = ef.ablation(layer, what, value, bins=(8, 6), pairwise="exact", random_state=0)
    for index in np.ndindex(found.ei_change.shape):
        own_weight, own_bias = _without(weight, bias, what, index, value)
        sums = {"sensitivity": 0.0, "ei_parts": 0.0}
        for j in range(own_weight.shape[1]):
            for i in range(4):
                args = (activation, (0.0, 1.0), 8, OUT_RANGES[activation], 6)
                if own_weight[i, j]:
                    sums["sensitivity"] += naive.edge_information(own_weight[i, j], own_bias[j], *args, points=200_001)
                    sums["ei_parts"] += naive.parts_of_edge(i, own_weight[:, j], own_bias[j], *args)
        assert found.sensitivity + found.sensitivity_change[index] == pytest.approx(sums["sensitivity"], abs=2e-3)
        assert found.ei_parts + found.ei_parts_change[index] == pytest.approx(sums["ei_parts"], abs=1e-6)


@pytest.mark.parametrize("what", WHAT)
def test_ei_is_that_of_the_layer_without(what):
    weight, bias = _weight(2, 2, 5.0), np.array([0.2, -0.3])
    layer = ef.Layer(weight, bias, "tanh")
    grid = ("tanh", (0.0, 1.0), 8, (-1.0, 1.0), 8)
    whole = naive.joint_ei_on_a_grid(weight, bias, *grid, points=300)
    found = ef.ablation(layer, what, held_at=0.25, random_state=0)
    assert set(found.methods.ravel()) == {"shared samples"}
    for index in np.ndindex(found.ei_change.shape):
        without = naive.joint_ei_on_a_grid(*_without(weight, bias, what, index, 0.25), *grid, points=300)
        assert found.ei_change_low[index] - 2e-3 <= without - whole <= found.ei_change_high[index] + 2e-3
        assert abs(found.ei_change[index] - (without - whole)) < 0.03


def test_one_seed_gives_the_same_bits_for_any_number_of_threads():
    weight = _weight(8, 5, 2.0)
    for what in WHAT:
        found = [ef.ablation(weight, what, random_state=3, n_jobs=n_jobs) for n_jobs in (1, 2, 3)]
        for one in found[1:]:
            for name in ("ei_change", "ei_change_stderr", "ei_change_low", "sensitivity_change", "ei_parts_change"):
                assert (getattr(found[0], name) == getattr(one, name)).all()
    other = ef.ablation(weight, "edges", random_state=4)
    assert (other.ei_change != found[0].ei_change).all()


def test_neurons_with_ranges_of_their_own():
    layer = ef.Layer(_weight(3, 2, 3.0), activation="linear", in_range=((0.0, 1.0), (-1.0, 1.0), (2.0, 5.0)))
    found = ef.ablation(layer, "inputs", 3.5, out_range="neuron", random_state=0)
    for i in range(3):
        weight, bias = _without(layer.weight, layer.bias, "inputs", (i,), 3.5)
        without = ef.Layer(weight, bias, "linear", in_range=layer.in_range)
        ranges = ef.Network([layer]).ranges(out_range="neuron")[0][1]
        # Over the ranges of the whole layer, output by output.
        sums = 0.0
        for j in range(2):
            one = ef.Layer(weight[:, j : j + 1], bias[j : j + 1], "linear", in_range=layer.in_range)
            sums += ef.analyze(one, out_range=ranges[j], joint="gaussian", tol=1.0, random_state=0)[0].ei_parts
        assert found.ei_parts + found.ei_parts_change[i] == pytest.approx(sums, abs=1e-9)
        assert without.n_in == 3


def test_a_larger_effort_gives_smaller_errors():
    weight = _weight(25, 6, 5.0)
    small, large = (ef.ablation(weight, "outputs", random_state=0, tol=1e-4, effort=effort) for effort in (0.05, 1.0))
    assert large.ei_change_stderr.max() < 0.6 * small.ei_change_stderr.max()


def test_wide_layers_are_measured_one_by_one_or_not_at_all():
    wide = np.random.default_rng(0).normal(size=(48, 16)) * 3
    found = ef.ablation(wide, "outputs", random_state=0, effort=0.01, pairwise="none")
    assert set(found.methods) == {"gaussian"}
    assert (found.ei_change < 0).all()
    assert np.isnan(found.sensitivity_change).all()
    square = ef.ablation(np.random.default_rng(0).normal(size=(20, 20)) * 3, "outputs", random_state=0, effort=0.01)
    assert set(square.methods) == {"none"}
    assert np.isnan(square.ei_change).all()
    assert np.isfinite(square.ei_parts_change).all()
    assert "nan" in str(square)
    with pytest.raises(ValueError, match="Changes of EI are not known of all outputs"):
        square.least(2)
    assert square.least(2, "ei_parts").sum() == 2


def test_the_least_are_those_of_the_largest_change():
    found = ef.ablation(np.diag([1.0, 0.2, 0.5, 0.4]), "edges", **LINEAR)
    assert found.ranked("ei_parts")[-1] == 0
    assert (found.least(12) == (np.eye(4) == 0)).all()
    assert found.least(13)[1, 1]
    assert not found.least(0).any()
    assert found.least(16).all()
    for k, error in ((17, ValueError), (-1, ValueError), (1.0, TypeError), (True, TypeError)):
        with pytest.raises(error, match="The 'k' parameter of Ablation.least must be an integer from 0 to 16"):
            found.least(k)
    with pytest.raises(ValueError, match="The 'by' parameter of Ablation.least"):
        found.least(1, by="phi_ff")


def test_tables_and_frames():
    pytest.importorskip("pandas")
    found = ef.ablation(_weight(5, 3), "edges", random_state=0)
    frame = found.to_frame()
    assert list(frame)[:3] == ["input", "output", "ei_change"]
    assert len(frame) == 15
    row = frame.iloc[7]
    assert (row["input"], row["output"], row["ei_change"]) == (2, 1, found.ei_change[2, 1])
    assert "change without one of 15 edges" in str(found)
    assert str(found).endswith("and 5 more")
    assert repr(found).startswith("Ablation(name='layer0', what='edges'")


def test_bad_parameters_are_refused_before_any_work():
    weight = _weight(3, 2)
    for params, error in (
        ({"what": "weights"}, ValueError), ({"what": 1}, TypeError), ({"held_at": "mean"}, TypeError),
        ({"held_at": np.nan}, ValueError), ({"out_of_range": "drop"}, ValueError), ({"joint": "plugin"}, ValueError),
        ({"pairwise": "histogram"}, ValueError), ({"matrices": "."}, ValueError),
        ({"pairwise_edges": 1000}, ValueError), ({"bin": 4}, TypeError), ({"effort": 0}, ValueError),
    ):  # fmt: skip
        with pytest.raises(error, match="parameter|keyword"):
            ef.ablation(weight, **params)
    with pytest.raises(ValueError, match="must be a single layer"):
        ef.ablation([weight, weight.T])
    with pytest.raises(ValueError, match="must be a dense layer. Got Function"):
        ef.ablation(ef.Function(np.tanh, 2, 2, (-1.0, 1.0)))
    for params, error in (
        ({"shares": (1.5,)}, ValueError), ({"shares": 0.5}, ValueError), ({"shares": ()}, ValueError),
        ({"orders": ("weights",)}, ValueError), ({"orders": ()}, ValueError), ({"n_random": 0}, ValueError),
        ({"loss": 3.0}, TypeError),
    ):  # fmt: skip
        with pytest.raises(error, match="parameter"):
            ef.ablation_curve(weight, **params)


def test_what_goes_with_several():
    gone = gone_of(np.array([0, NOTHING, 2]), np.array([1, 0, NOTHING]), 3, 3)
    assert gone.tolist() == [[True, True, False], [True, False, False], [True, True, True]]


def test_curves_are_those_of_the_layers_that_are_left():
    weight = _weight(6, 4, 3.0)
    masks = []

    def loss(mask):
        masks.append(mask.copy())
        return float(np.abs(weight[mask]).sum())

    curve = ef.ablation_curve(weight, "edges", (0.0, 0.25, 0.5, 1.0), loss=loss, n_random=2, random_state=0, tol=0.05)
    assert curve.orders == ("ei", "magnitude", "random")
    assert curve.of("random", "ei").shape == (2, 4)
    assert curve.of("ei", "n_removed").tolist() == [[0, 6, 12, 24]]
    assert [mask.sum() for mask in masks[:4]] == [0, 6, 12, 24]
    assert (masks[5] == (np.abs(weight) <= np.sort(np.abs(weight).ravel())[5])).all()
    assert (masks[1] == ef.ablation(weight, "edges", random_state=0, tol=0.05).least(6)).all()
    # By magnitude less is lost of the loss than in any other order.
    assert (curve.of("magnitude", "loss")[0] <= curve.of("random", "loss").min(axis=0) + 1e-12).all()
    k = 0
    for order in curve.orders:
        for draw in range(len(curve.of(order, "ei"))):
            for t in range(4):
                report = ef.analyze(np.where(masks[k], 0.0, weight), random_state=9, tol=0.01)[0]
                assert curve.of(order, "ei_parts")[draw, t] == pytest.approx(report.ei_parts, abs=1e-9)
                assert curve.of(order, "sensitivity")[draw, t] == pytest.approx(report.sensitivity, abs=1e-9)
                assert curve.of(order, "ei")[draw, t] == pytest.approx(report.ei, abs=0.25)
                k += 1
    assert len(curve) == k == 16
    frame = pytest.importorskip("pandas") and curve.to_frame()
    assert list(frame)[:4] == ["order", "draw", "share", "n_removed"]
    assert repr(curve) == "AblationCurve(edges by ei, magnitude, random, 16 points)"


def test_curves_of_neurons():
    weight = np.diag([1.0, 0.5, 0.25])
    for what in ("inputs", "outputs"):
        curve = ef.ablation_curve(
            weight, what, (0, 1 / 3, 1), ["ei", "magnitude", "sensitivity"], out_range=(0, 1), **LINEAR
        )
        assert curve.of("ei", "ei").tolist() == [[6.0, 5.0, 0.0]]
        assert curve.of("magnitude", "ei").tolist() == [[6.0, 5.0, 0.0]]
        assert np.isnan(curve.of("ei", "loss")).all()


# Layers of tests/measures/test_calibration.py: 2 inputs by a grid; more by many more samples than are judged.
LAYERS = [(2, 2, 5.0, "tanh", 8), (6, 4, 2.0, "sigmoid", 8), (25, 6, 5.0, "tanh", 8)]


def _oracle(layer, what, index, n_cells, m, n, rng):
    """Changes of EI by plain NumPy, with common random numbers: entropies of counted states, of points and in cells."""
    n_in = len(layer[0])
    edges = np.linspace(-1.0, 1.0, 9)[1:-1]

    def codes(x, some):
        out = np.searchsorted(edges, np.tanh(x @ some[0] + some[1]), side="right")
        return out @ (8 ** np.arange(out.shape[1]))

    def entropies(states):
        """Grassberger's of each row."""
        return np.array([naive.grassberger(np.unique(row, return_counts=True)[1]) for row in states])

    x = rng.random((n, n_in))
    cells = rng.integers(0, 8, (n_cells, 1, n_in))
    inside = (cells + rng.random((n_cells, m, n_in))) / 8
    layers = [layer, _without(*layer, what, index)]
    anywhere = [entropies(codes(x, one)[None])[0] for one in layers]
    within = [entropies(codes(inside.reshape(-1, n_in), one).reshape(n_cells, m)) for one in layers]
    return (anywhere[1] - within[1].mean()) - (anywhere[0] - within[0].mean()), (
        within[1] - within[0]
    ).std() / n_cells**0.5


def test_the_change_is_that_of_plain_counting():
    weight, bias = _weight(6, 4, 3.0), np.zeros(4)
    found = ef.ablation(ef.Layer(weight, bias, "tanh"), "edges", random_state=0)
    for index in ((0, 0), (3, 2), (5, 1)):
        change, stderr = _oracle((weight, bias), "edges", index, 6000, 128, 400_000, np.random.default_rng(5))
        assert abs(found.ei_change[index] - change) < 4 * np.hypot(found.ei_change_stderr[index], stderr) + 0.01


@pytest.mark.endurance
@pytest.mark.parametrize("case", LAYERS)
@pytest.mark.parametrize("what", ["inputs", "edges"])
def test_intervals_hold_the_truth(case, what):
    n_in, n_out, scale, activation, bins = case
    weight = _weight(n_in, n_out, scale)
    layer = ef.Layer(weight, activation=activation)
    if n_in == 2:
        in_out = (activation, (0.0, 1.0), bins, (-1.0, 1.0), bins)
        whole = naive.joint_ei_on_a_grid(weight, np.zeros(n_out), *in_out, points=400)
        shape = (2,) if what == "inputs" else (2, 2)
        truth = np.empty(shape)
        for index in np.ndindex(shape):
            truth[index] = naive.joint_ei_on_a_grid(
                *_without(weight, np.zeros(n_out), what, index), *in_out, points=400
            )
        truth, error = truth - whole, 0.0005
    else:
        many = [ablation(layer, what, random_state=10_000 + k, tol=1e-6, effort=3.0, pairwise="none") for k in range(4)]
        changes = np.array([one.ei_change for one in many])
        truth, error = changes.mean(axis=0), changes.std(axis=0, ddof=1).max() / 2
    held, z = [], []
    for seed in range(200):
        # Of many edges some, which take less.
        found = ablation(layer, what, random_state=seed, pairwise="none", effort=0.2)
        held.append((found.ei_change_low <= truth) & (truth <= found.ei_change_high))
        z.append((found.ei_change - truth) / np.hypot(found.ei_change_stderr, error))
    print(f"{case} {what}: held {np.mean(held):.3f}, least {np.mean(held, axis=0).min():.3f}, sd of z {np.std(z):.2f}")
    assert np.mean(held) >= 0.93
    assert np.std(z) < 1.2


def test_more_cells_than_the_control_has(monkeypatch):
    weight = _weight(4, 3, 4.0)
    many = ef.ablation(weight, "inputs", random_state=0, pairwise="none")
    monkeypatch.setattr(counted, "CONTROL_CELLS", 256)
    few = ef.ablation(weight, "inputs", random_state=0, pairwise="none")
    assert many.ei_change_stderr.sum() < few.ei_change_stderr.sum()
    assert (np.abs(many.ei_change - few.ei_change) < 4 * np.hypot(many.ei_change_stderr, few.ei_change_stderr)).all()


def test_an_output_that_stays_in_its_bin_can_go():
    found = ef.ablation(ef.Layer(_weight(4, 3, 4.0), [0.0, -60.0, 0.0]), "outputs", random_state=0)
    assert found.ei_change[1] == found.ei_change_high[1] == found.ei_change_stderr[1] == 0.0
    assert (found.ei_change[[0, 2]] < 0).all()


def test_biases_of_layers_measured_apart_add_up_on_either_side(monkeypatch):
    def estimate(value, stderr, below, above):
        ends = {"low": value - 1.959963984540054 * stderr - below, "high": value + 1.959963984540054 * stderr + above}
        return replace(JointEI.exact(value, value), stderr=stderr, **ends)

    whole, lacking_one = estimate(5.0, 0.1, 0.3, 0.05), estimate(4.0, 0.2, 0.02, 0.4)
    monkeypatch.setattr(ei, "run_here", lambda *_: lacking_one)
    binned = BinnedLayer(ef.Layer(np.ones((3, 2))), 0, (0.0, 1.0), (0.0, 1.0), 8, 8)
    (component,) = binned.components()
    with Threads(1) as threads:
        problem = ei.AblationProblem(binned, 0.0, MeasureOptions(), 0, threads)
        found = ei._separately(problem, component, Variants.all_of("inputs", 3, 2), whole)
    half = 1.959963984540054 * np.hypot(0.1, 0.2)
    # What is left may be lower than it says by 0.02 while the whole is higher by 0.05; and the other way round.
    np.testing.assert_allclose(found.change, -1.0)
    np.testing.assert_allclose(found.low, -1.0 - half - 0.02 - 0.05)
    np.testing.assert_allclose(found.high, -1.0 + half + 0.4 + 0.3)
