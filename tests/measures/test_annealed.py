"""Wide layers: Gaussian cross-entropies and annealed states against counted truth and truth by construction."""

import numpy as np
import pytest
from scipy import stats

import ei_fast as ef
from ei_fast.intervention.of_layer import intervention_on_component
from ei_fast.intervention.rectangles import Rectangles, states_are_rectangles
from ei_fast.kernels.levels import GRID, GRID_SIZE
from ei_fast.measures.constants import STUDENT_T
from ei_fast.measures.entropies import annealing_sizes
from ei_fast.measures.entropies.annealed import LogProbabilities, annealed_entropy
from ei_fast.measures.entropies.annealing_sizes import (
    Aim,
    Costs,
    EntropyPilot,
    best_annealing_sizes,
    best_scoring_sizes,
)
from ei_fast.measures.entropies.path import tables_of
from ei_fast.measures.entropies.scored import Scores, surrogate_error
from ei_fast.measures.joint.annealed import is_affordable
from ei_fast.measures.joint.auto import joint_ei
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import run_here
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.components import Component
from ei_fast.runtime.threads import Threads

LITTLE = {"effort": 0.1, "pairwise": "none"}


def _joint(model, seed=0, n_jobs=1, **params):
    estimator = ef.EffectiveInformation(random_state=seed, **(LITTLE | params))
    network, settings, fixed = estimator.check(model)
    (binned,) = estimator.binned_layers(network, settings, fixed.ranges)
    with Threads(n_jobs) as threads:
        return run_here(joint_ei(binned, settings.options, fixed.seed), threads)


def _truth(model, **params):
    return _joint(model, seed=99, joint="conditional", effort=1.0, tol=0.003, **params)


def _holds(found, truth, bound=0.0):
    """Whether the interval, widened from 95 to 99.99 %, holds a truth with an error of its own; and the bounds, too."""
    half = 2 * (found.high - found.low) / 2 + 4 * truth.stderr + bound
    low, high = (end + side * (0.5 * half + 4 * truth.stderr) for end, side in zip(found.bounds, (-1, 1), strict=True))
    return abs(found.value - truth.value) < half and low < truth.value < high


LAYERS = {
    "6 -> 6": (6, 6, 5.0, {}),
    "25 -> 6": (25, 6, 1.0, {}),
    "25 -> 6, 16 bins": (25, 6, 3.0, {"bins": 16}),
    "25 -> 6, 4 bins": (25, 6, 5.0, {"bins": 4}),
    "10 -> 10": (10, 10, 1.0, {}),
    "more outputs than inputs": (6, 20, 1.0, {}),
}


@pytest.mark.parametrize("joint", ["gaussian", "annealed"])
@pytest.mark.parametrize("name", LAYERS)
def test_counted_truth(random_weight, name, joint):
    n_in, n_out, scale, params = LAYERS[name]
    layer = ef.Layer(random_weight(n_in, n_out, scale), np.linspace(-0.5, 0.5, n_out))
    truth, found = _truth(layer, **params), _joint(layer, joint=joint, **params)
    assert found.method == joint
    if joint == "gaussian":
        # Its interval leaves out what it cannot know.
        assert found.is_unverified == (n_in < 3 * n_out)
        assert found.bounds[0] - 0.1 < truth.value < found.bounds[1] + 0.1
        if found.is_unverified:
            return
    assert _holds(found, truth)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["6 -> 6", "25 -> 6", "more outputs than inputs"])
def test_intervals_and_bounds_hold_as_often_as_they_say(random_weight, name):
    n_in, n_out, scale, params = LAYERS[name]
    weight, n_seeds = random_weight(n_in, n_out, scale), 60
    truth = _truth(weight, **params)
    found = [_joint(weight, seed, joint="annealed", effort=0.05, **params) for seed in range(n_seeds)]
    errors = np.array([one.value - truth.value for one in found])
    stated = np.sqrt(np.mean([one.stderr**2 + one.bias**2 / 3 for one in found]))
    # Three standard deviations of a count of 60: of 95 %, and of 97.5 %.
    assert np.mean([one.low <= truth.value <= one.high for one in found]) >= 0.865
    assert np.mean([one.bounds[0] <= truth.value for one in found]) >= 0.91
    assert np.mean([one.bounds[1] >= truth.value for one in found]) >= 0.91
    assert 0.6 < np.sqrt(np.mean(errors**2)) / stated < 1.25
    assert abs(errors.mean()) < 4 * errors.std() / np.sqrt(n_seeds) + 0.01


@pytest.mark.parametrize("activation", ["relu", "tanh", "linear"])
def test_activations(random_weight, activation):
    layer = ef.Layer(random_weight(25, 6, 3.0), activation=activation)
    assert _holds(_joint(layer, joint="annealed"), _truth(layer))


def test_a_dominating_input_and_heavy_tails(random_weight):
    weight = random_weight(12, 5, 2.0)
    weight[3] *= 20
    assert _holds(_joint(weight, joint="annealed"), _truth(weight))
    weight = np.random.default_rng(0).standard_t(3, (25, 6)) / 5
    assert _holds(_joint(weight, joint="annealed"), _truth(weight))


@pytest.mark.parametrize("shape", [(40, 12), (6, 14)])
def test_the_control_has_the_mean_that_it_is_said_to_have(random_weight, shape):
    layer = ef.Layer(random_weight(*shape, 4.0), np.linspace(-1, 1, shape[1]), activation="tanh")
    binned = BinnedLayer(layer, 0, (-1.0, 1.0), (-1.0, 1.0), 8, 8, False)
    problem = Rectangles(intervention_on_component(binned, binned.components()[0], 0), inside=False)
    assert problem.is_singular == (shape[1] > shape[0])
    control = problem.sampled(0, 20_000).control
    assert abs(control.mean() - problem.control_mean) < 4 * control.std() / np.sqrt(len(control))


def _hidden_blocks(blocks, seed=0):
    """One component whose EI is the sum of the blocks: rows and columns permuted, ties too weak to move anything."""
    n, m = (sum(block.shape[k] for block in blocks) for k in (0, 1))
    weight, at = np.full((n, m), 1e-12), [0, 0]
    for block in blocks:
        weight[at[0] : at[0] + block.shape[0], at[1] : at[1] + block.shape[1]] = block
        at = [at[0] + block.shape[0], at[1] + block.shape[1]]
    rng = np.random.default_rng(seed)
    return weight[rng.permutation(n)][:, rng.permutation(m)]


def test_truth_by_construction(random_weight):
    blocks = [random_weight(4, 4, 5.0, seed) for seed in range(6)]
    truths = [_truth(block) for block in blocks]
    found = _joint(_hidden_blocks(blocks), joint="annealed", effort=0.3)
    expected, error = sum(t.value for t in truths), np.sqrt(sum(t.stderr**2 for t in truths))
    assert abs(found.value - expected) < (found.high - found.low) + 4 * error
    assert found.bounds[0] - 4 * error - 0.2 < expected < found.bounds[1] + 4 * error + 0.2
    # The Gaussian alone is wrong by more than its own error: only chains know what it misses.
    gaussian = _joint(_hidden_blocks(blocks), joint="gaussian", effort=0.3)
    assert gaussian.value - expected > 3 * gaussian.stderr
    assert gaussian.is_unverified


def test_what_changes_nothing(random_weight):
    weight = random_weight(20, 8, 4.0)
    rng = np.random.default_rng(0)
    first = _joint(ef.Layer(weight, activation="tanh"), joint="annealed", in_range=(-1.0, 1.0))
    changed = {
        "an output repeated with its sign flipped": np.column_stack([weight, -weight[:, 3]]),
        "neurons permuted": weight[rng.permutation(20)][:, rng.permutation(8)],
        "an input's sign flipped": weight * np.where(np.arange(20) == 4, -1, 1)[:, None],
    }
    for name, other in changed.items():
        found = _joint(ef.Layer(other, activation="tanh"), joint="annealed", in_range=(-1.0, 1.0))
        assert abs(found.value - first.value) < 2.5 * np.hypot(found.stderr, first.stderr) + found.bias, name


def test_proportional_outputs_are_one(random_weight):
    weight = random_weight(6, 3, 2.0)
    weight = np.column_stack([weight, -2 * weight[:, 1], 0.5 * weight[:, 0]])
    binned = BinnedLayer(ef.Layer(weight), 0, (0.0, 1.0), (0.0, 1.0), 8, 8)
    do = intervention_on_component(binned, Component(weight, np.zeros(5), np.arange(6), np.arange(5)), 0)
    rectangles = Rectangles(do, inside=False)
    assert rectangles.outputs.tolist() == [0, 1, 2]
    assert not rectangles.is_singular
    states = rectangles.sampled(0, 200)
    s = states.x @ rectangles.weight
    assert ((states.low <= s + 1e-9) & (s <= states.high + 1e-9)).all()
    # The intersection is as narrow as the narrower one of both: 2 s tells more of s than s does.
    alone = Rectangles(do.restricted([0, 1, 2]), inside=False).sampled(0, 200)
    assert (states.high - states.low <= alone.high - alone.low + 1e-9).all()
    assert (states.high - states.low < 0.9 * (alone.high - alone.low)).any()


def test_auto_counts_what_can_be_counted_and_anneals_the_rest(random_weight):
    assert _joint(random_weight(25, 6, 1.0), effort=1.0).method == "conditional"
    wide = _joint(random_weight(40, 30, 3.0))
    assert wide.method == "annealed"
    assert wide.bounds[0] < wide.low < wide.high < wide.bounds[1]
    gaussian = _joint(random_weight(120, 30, 3.0), effort=0.3)
    assert gaussian.method == "gaussian"
    assert not gaussian.is_unverified
    # So many points are counted and nothing else: bounds are all that there is.
    counted = _joint(random_weight(40, 30, 3.0), n_samples=4000)
    assert counted.undersampled


def test_more_effort_leaves_less_error(random_weight):
    weight = random_weight(30, 20, 4.0)
    little, more = (_joint(weight, effort=effort) for effort in (0.05, 0.8))
    assert more.high - more.low < 0.6 * (little.high - little.low)
    assert more.bounds[1] - more.bounds[0] < 0.6 * (little.bounds[1] - little.bounds[0])
    assert abs(more.value - little.value) < (little.high - little.low)


@pytest.mark.parametrize("joint", ["gaussian", "annealed", "auto"])
def test_the_same_bits_for_any_threads(random_weight, joint):
    one, two, four = (_joint(random_weight(30, 16, 4.0), joint=joint, n_jobs=n, effort=0.03) for n in (1, 2, 4))
    assert one == two == four


@pytest.mark.parametrize("exponent", [-150, 150])
def test_extreme_scales(random_weight, exponent):
    weight = random_weight(12, 10, 3.0)
    scaled = ef.Layer(weight * 10.0**exponent, activation="linear", out_range=(-(10.0**exponent), 10.0**exponent))
    found = _joint(scaled, joint="annealed")
    assert _holds(found, _truth(ef.Layer(weight, activation="linear", out_range=(-1.0, 1.0))))
    assert all(np.isfinite((found.value, found.stderr, found.bias, *found.bounds)))


@pytest.mark.parametrize(("joint", "n"), [("gaussian", 200), ("annealed", 60), ("auto", 60)])
def test_what_the_effort_does_not_suffice_for_has_bounds(random_weight, joint, n):
    found = _joint(random_weight(n, n, 3.0), joint=joint, effort=0.01)
    assert found.undersampled
    assert found.bounds == (found.low, found.high)
    assert found.low < found.value < found.high


def test_some_outputs_bound_a_layer_that_is_too_wide(random_weight):
    weight = random_weight(100, 100, 5.0)
    counted, bounded = (_joint(weight, joint=joint, effort=0.2) for joint in ("conditional", "auto"))
    assert counted.undersampled
    assert bounded.undersampled
    assert bounded.low > counted.low + 20
    # What more effort finds is 140 bits.
    assert bounded.low < 140 < bounded.high


def test_a_group(random_weight):
    layer = ef.Layer(random_weight(10, 8, 4.0))
    params = {"inputs": [0, 1, 2], "outputs": [0, 2, 5], "random_state": 0}
    counted = ef.effective_information(layer, joint="conditional", **params)
    annealed = ef.effective_information(layer, joint="annealed", effort=0.3, **params)
    assert abs(annealed.value - counted.value) < 2.5 * np.hypot(annealed.stderr, counted.stderr) + 0.02


@pytest.mark.parametrize("joint", ["gaussian", "annealed"])
@pytest.mark.parametrize(
    "model",
    [
        ef.Function(lambda x: np.tanh(x[:, :2]), 3, 2, (-1.0, 1.0)),
        ef.Layer(np.ones((3, 2)) + np.eye(3, 2), activation="gelu", out_range=(-0.2, 0.2)),
    ],
    ids=["function", "union of intervals"],
)
def test_what_has_no_rectangles_is_refused(model, joint):
    with pytest.raises(ValueError, match=rf"joint='{joint}' is open to dense layers .* Use joint='auto'"):
        ef.analyze(model, joint=joint)
    assert ef.analyze(model, random_state=0)[0].joint_method == "conditional"


def test_dropped_samples_are_refused():
    with pytest.raises(ValueError, match="out_of_range='clip'"):
        ef.analyze(np.ones((3, 2)) + np.eye(3, 2), joint="annealed", out_of_range="drop", out_range=(0.6, 0.7))


def test_reports_say_how_it_was_found(random_weight):
    report = ef.analyze(random_weight(40, 30, 3.0), random_state=0, effort=0.1)[0]
    assert report.joint_method == "annealed"
    assert "chains" in report.explain()
    report = ef.analyze(random_weight(20, 16, 3.0), random_state=0, effort=0.1, joint="gaussian")[0]
    assert "gaussian unverified" in report.flags
    assert "how far from it they are is not known" in report.explain()


def test_which_states_are_rectangles():
    def intervention(activation, out_range, drop=False):
        layer = ef.Layer(np.ones((3, 2)) + np.eye(3, 2), activation=activation)
        binned = BinnedLayer(layer, 0, (-3.0, 3.0), out_range, 8, 8, drop)
        (component,) = binned.components()
        return intervention_on_component(binned, component, 0)

    assert states_are_rectangles(intervention("relu", (0.0, 4.0)))
    assert states_are_rectangles(intervention("gelu", (-0.2, 5.0)))
    assert not states_are_rectangles(intervention("gelu", (-0.2, 0.3)))
    assert not states_are_rectangles(intervention("linear", (-1.0, 1.0), drop=True))


def test_the_gaussian_error_is_that_of_the_leading_term():
    # Orthogonal outputs, each the mean of inputs of its own: G is a block of 1 / k for each.
    k, m = 5, 4
    weight = np.kron(np.eye(m), np.ones((k, 1))) + 1e-14
    binned = BinnedLayer(ef.Layer(weight), 0, (0.0, 1.0), (0.0, 1.0), 8, 8)
    do = intervention_on_component(binned, Component(weight, np.zeros(m), np.arange(k * m), np.arange(m)), 0)
    expected = 1.2**2 / 48 * m * k**2 / k**4 / np.log(2)
    assert surrogate_error(Rectangles(do, inside=False)) == pytest.approx(expected, rel=5e-3)
    assert surrogate_error(Rectangles(do.restricted([0, 1]), inside=False)) == pytest.approx(expected / 2, rel=5e-3)


def test_bounds_of_states_from_the_weights_of_their_chains():
    with np.errstate(divide="ignore"):
        log_weights = np.log([[1.0, 3.0, 6.0], [0.0, 0.0, 4.0], [2.0, 2.0, 2.0]])
    found = LogProbabilities.of(log_weights, np.array([0.5, 1.0, 1.5]))
    # Where all forward chains end with a weight of 0 that counts as 30 nats below the score.
    np.testing.assert_allclose(found.low, [1.0, 1.0 - 30 / np.log(2), 1.0])
    np.testing.assert_allclose(found.high, [0.5 * np.log2(4.5) + 0.5 * np.log2(3.5), 1.0, 1.0])


def test_sizes():
    costs = Costs(64, 32, 30.0)
    spreads = {"residual": 2.0, "correction": 0.8, "divergence": 0.06, "gap": 1.0, "n_levels": 50}
    pilot = EntropyPilot(costs, 30.0, explained=3.0, **spreads)
    known_mean = EntropyPilot(costs, 30.0, explained=0.0, **spreads)
    # An aim that is reached is reached at no more work than it takes; beyond the ceiling the least error is taken.
    (loose, other), is_gaussian = best_annealing_sizes([known_mean, pilot], Aim(1.0, 0.0, 1e12, 100.0))
    assert not is_gaussian
    assert loose.n_controls == 0
    assert other.n_controls >= other.n_scored >= other.n_propagated >= other.n_annealed
    (tight, _), _ = best_annealing_sizes([known_mean, pilot], Aim(0.1, 0.0, 1e12, 100.0))
    assert tight.n_annealed * tight.n_levels > 5 * loose.n_annealed * loose.n_levels
    # What spreads more, for what it costs, takes more states.
    assert tight.n_scored > 2 * tight.n_propagated > 4 * tight.n_annealed
    (short, _), _ = best_annealing_sizes([known_mean, pilot], Aim(0.001, 0.0, 1e10, 100.0))
    assert short.n_annealed * costs.annealed(short.n_levels, short.n_chains) < 1e10
    assert best_annealing_sizes([pilot], Aim(0.1, 0.0, 1e6, 1.0)) == ([], False)
    # Where there is no work for all chains there are few.
    ceiling = 8 * costs.annealed(50, 4)
    (few,), _ = best_annealing_sizes([known_mean], Aim(0.001, 0.0, ceiling, 1.0))
    assert few.n_chains < short.n_chains
    # A Gaussian that is known to be nearly right spares the chains' noise.
    assert best_annealing_sizes([known_mean, pilot], Aim(0.05, 0.0, 2e10, 1.0, gaussian_error=0.01))[1]
    assert not best_annealing_sizes([known_mean, pilot], Aim(0.05, 0.0, 2e10, 1.0, gaussian_error=5.0))[1]


def test_levels_lie_as_far_apart_as_the_metric_of_the_path_has_it():
    n = 24
    tables, _ = tables_of(n)
    grid = np.arange(-GRID_SIZE, GRID_SIZE + 1) / GRID
    cdf = tables[:, : len(grid)]
    # From a Gaussian of the variance of the box, to the box.
    np.testing.assert_allclose(cdf[0], stats.norm.cdf(grid, scale=np.sqrt(1 / 12)), atol=1e-3)
    np.testing.assert_allclose(cdf[-1], np.clip(grid + 0.5, 0.0, 1.0), atol=1e-3)
    # The Bhattacharyya coefficient of neighbours that are ds apart is 1 - ds**2 / 8; all of the path is 1.211 long.
    p = np.maximum(np.diff(cdf, axis=1), 0.0)
    steps = np.sqrt(np.maximum(8 * (1 - np.sqrt(p[1:] * p[:-1]).sum(axis=1)), 0.0))
    # Near the box edges are narrower than the grid is fine, which hides a part.
    assert steps.sum() == pytest.approx(1.211, rel=0.1)
    np.testing.assert_allclose(steps[: n // 2], 1.211 / n, rtol=0.1)


@pytest.mark.parametrize("tol", [0.3, 0.05])
def test_scores_reach_the_error_that_is_asked_for(tol):
    costs = Costs(64, 32, 30.0)
    pilots = [EntropyPilot(costs, 30.0, 2.0, 0.0), EntropyPilot(costs, 20.0, 1.5, 3.0)]
    sizes = best_scoring_sizes(pilots, tol, 1e15, 1.0, 2)
    variance = sum(
        one.residual**2 / scored + (one.explained**2 / controls if one.explained else 0.0)
        for one, (controls, scored) in zip(pilots, sizes, strict=True)
    )
    assert variance == pytest.approx(tol**2, rel=0.1)
    # Without work for that, as much as there is.
    few = best_scoring_sizes(pilots, 1e-9, 1e8, 1.0, 2)
    work = sum(controls * costs.control + scored * costs.score for controls, scored in few)
    assert work == pytest.approx(1e8, rel=0.1)


def test_few_annealed_states_have_the_error_of_students_t():
    rng, n = np.random.default_rng(0), 11
    flat = Scores(np.stack([np.full(n, -9.0), np.zeros(n), np.zeros(n)], axis=1), np.empty(0), 0.0)
    exact = -9.0 + rng.normal(size=n)
    found = annealed_entropy(flat, flat.table[:, 0], LogProbabilities(exact, exact), n)
    ratio, z = found.stderr / (exact.std(ddof=1) / np.sqrt(n)), stats.norm.ppf(0.975)
    assert ratio == pytest.approx(stats.t.ppf(0.975, n - 1) / z, rel=0.02)
    # By the first term of the expansion in one over the degrees of freedom (Abramowitz & Stegun 26.7.5).
    assert ratio == pytest.approx(1 + (z**2 + 1) / 4 / (n - 1), rel=1e-3)


def test_errors_of_nested_means_are_those_seen():
    rng, sizes, repeats = np.random.default_rng(0), (300, 60, 20), 600
    # Scores, corrections and divergences depend on each other.
    mix = np.array([[2.0, 0.0, 0.0], [0.6, 0.8, 0.0], [-0.2, 0.3, 0.4]])
    found = []
    for _ in range(repeats):
        states = rng.normal(size=(sizes[0], 3)) @ mix.T + [30.0, 0.5, 0.2]
        scores, corrections, divergences = (states[:size, k] for k, size in enumerate(sizes))
        propagated = corrections - scores[: sizes[1]]
        exact = propagated[: sizes[2]] + divergences
        table = np.stack([-scores, np.zeros(sizes[0]), np.zeros(sizes[0])], axis=1)
        found.append(
            annealed_entropy(Scores(table, np.empty(0), 0.0), propagated, LogProbabilities(exact, exact), sizes[0])
        )
    errors = np.array([one.value for one in found]) - (30.0 - 0.5 - 0.2)
    stated = np.sqrt(np.mean([one.stderr**2 for one in found])) / (1 + STUDENT_T / (sizes[2] - 1))
    assert abs(errors.mean()) < 4 * errors.std() / np.sqrt(repeats)
    assert errors.std() / stated == pytest.approx(1.0, abs=0.12)
    assert all(one.expected.low == one.expected.high == one.value for one in found)


def test_states_that_cannot_be_propagated_count_as_scored():
    rng = np.random.default_rng(0)
    table = np.stack([rng.normal(-9.0, 2.0, 50), np.zeros(50), np.zeros(50)], axis=1)
    scores, exact = Scores(table, np.empty(0), 0.0), table[:10, 0] + 0.3
    without = annealed_entropy(scores, table[:20, 0], LogProbabilities(exact, exact), 50)
    assert annealed_entropy(scores, np.full(20, np.nan), LogProbabilities(exact, exact), 50) == without
    assert without.value == pytest.approx(-table[:, 0].mean() - 0.3)


def test_effort_is_checked():
    with pytest.raises(ValueError, match="'effort' parameter"):
        ef.analyze(np.eye(2), effort=0.0)
    assert MeasureOptions(tol=0.01).tol_of(93.0) == pytest.approx(0.093)
    assert MeasureOptions(tol=0.01).tol_of(3.0) == 0.01


def test_no_more_is_annealed_than_tol_asks_for(random_weight):
    found = _joint(random_weight(30, 20, 2.0), joint="annealed", effort=1.0, tol=0.1)
    # `tol`, or a tenth of it relative to EI where that is more.
    aim = 0.1 * max(1.0, 0.1 * found.value)
    assert 0.4 * aim < np.hypot(found.stderr, found.bias) < aim


def test_chains_are_believed_where_a_gaussian_is_known_to_be_worse():
    # Sums of three inputs, tied to each other too weakly to matter: no density is further from a Gaussian's.
    weight = np.kron(np.eye(16), [[1.0], [0.9], [0.7]]) + 1e-3
    few, enough = (_joint(weight, joint="auto", effort=effort, tol=0.01) for effort in (0.3, 1.0))
    assert (few.method, enough.method) == ("gaussian", "annealed")
    assert enough.bias < 0.3 * few.bias
    assert abs(few.value - enough.value) < few.bias + 3 * few.stderr


def test_work_for_chains_is_not_enough_where_pilots_take_too_much():
    assert is_affordable(Costs(200, 20, 20.0), MeasureOptions())
    assert not is_affordable(Costs(2000, 40, 40.0), MeasureOptions())
    assert not is_affordable(Costs(200, 20, 20.0), MeasureOptions(effort=1e-4))


def test_sizes_have_the_variance_that_is_wanted():
    pilot = EntropyPilot(Costs(64, 32, 30.0), 30.0, 2.0, 3.0, correction=0.8, divergence=0.06, gap=1.0, n_levels=50)
    (size,), _, variance = annealing_sizes._sizes([pilot], 16, [50], False, 0.004, Aim(0.1, 0.0, 1e15, 100.0))
    assert variance == pytest.approx(0.004, rel=0.05)
    by_hand = 3.0**2 / size.n_controls + 2.0**2 / size.n_scored + 0.8**2 / size.n_propagated
    # And what chains have in common with nothing else.
    assert by_hand < variance
