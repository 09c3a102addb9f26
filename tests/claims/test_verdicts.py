"""Each claim on trajectories that were made so that it is true, false, or neither: the verdict says which."""

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.claims.differences import differences
from ei_fast.claims.outcomes import Claim, Criterion, Outcome, Role
from ei_fast.claims.runs import Run
from ei_fast.claims.verdicts import rows_of, verdicts_of
from ei_fast.training.columns import MEASURES
from ei_fast.training.losses import smoothed
from ei_fast.training.trajectory import Trajectory

N, LAYERS, TURN = 101, 4, 40
WIDTHS = [(25, 6), (6, 6), (6, 6), (6, 5)]
TIME = np.linspace(0.0, 1.0, N)


def run_of(seed, ei, degeneracy, training=None, validation=None, joint="auto", flags=None):
    """A run with these measures (N, LAYERS), noise of a hundredth of a bit on both, and losses with some noise."""
    rng = np.random.default_rng([seed, 7])
    ei = np.broadcast_to(ei, (N, LAYERS)) + rng.normal(0, 0.01, (N, LAYERS))
    degeneracy = np.broadcast_to(degeneracy, (N, LAYERS)) + rng.normal(0, 0.01, (N, LAYERS))
    measures = dict.fromkeys(MEASURES, np.zeros((N, LAYERS)))
    measures |= {"ei": ei, "degeneracy": degeneracy, "sensitivity": ei + degeneracy}
    training = np.exp(-4 * TIME) if training is None else training
    validation = overfit() if validation is None else validation
    metrics = {"loss": training, "val_loss": validation + rng.normal(0, 0.002, N)}
    layers = [[f"fc{k}", n_in, n_out, "dense, sigmoid"] for k, (n_in, n_out) in enumerate(WIDTHS)]
    provenance = {"layers": layers, "parameters": {"bins": 8, "joint": joint}}
    names = [layer[0] for layer in layers]
    return Trajectory(np.arange(N) * 10, names, measures, metrics, provenance, flags=flags)


def overfit(turn=TURN):
    """A validation loss that is least at a record, and rises by a quarter."""
    at = TIME[turn]
    return 0.4 + np.maximum(1 - TIME / at, 0) ** 2 + 0.1 * (np.maximum(TIME - at, 0) / (1 - at)) ** 0.8


def outcomes(runs, claim):
    """The verdict on a claim, and the outcomes of its criteria by name."""
    found = next(one for one in verdicts_of(runs) if one.name == claim)
    return found.outcome, {criterion.name: criterion.outcome for criterion in found.criteria}


def many(make, n=10):
    return [make(seed, np.random.default_rng(seed)) for seed in range(n)]


def hidden(values):
    """Values of the hidden layers at every record, zeros for the first and the last."""
    return np.stack([0 * values, values, values, 0 * values], axis=1)


def after(turn=TURN):
    """What begins at a record, and rises from there, (N,)."""
    return np.maximum(TIME - TIME[turn], 0.0)


def any_turn(rng):
    """A record at which a run begins to overfit, whatever the others do."""
    return int(rng.integers(25, 70))


AFTER = after()


# --- drift -----------------------------------------------------------------------------------------------------------


def test_a_drift_at_the_turn_is_seen():
    def make(seed, rng):
        turn, size = any_turn(rng), rng.uniform(1, 3)
        drift = hidden(size * after(turn))
        return run_of(seed, 5 - drift, 4 + 2 * drift, validation=overfit(turn))

    verdict, criteria = outcomes(many(make), "drift")
    assert verdict == Outcome.YES
    assert {criteria[name] for name in list(criteria)[:5]} == {Outcome.YES}


def test_a_drift_at_one_time_of_all_trainings_may_have_another_cause():
    def make(seed, rng):
        size = rng.uniform(1, 3)
        turn = TURN + int(rng.integers(-1, 2))
        return run_of(seed, 5 - hidden(size * AFTER), 4 + hidden(2 * size * AFTER), validation=overfit(turn))

    verdict, criteria = outcomes(many(make), "drift")
    assert criteria["degeneracy rises"] == criteria["faster than before"] == Outcome.YES
    assert criteria["sets in at t* and not at the t* of other runs"] == Outcome.NOT_SHOWN
    assert verdict == Outcome.NOT_SHOWN


@pytest.mark.parametrize("shape", [1 - np.exp(-3 * TIME), TIME**3, 1 / (1 + np.exp(8 - 16 * TIME))])
@pytest.mark.parametrize("n", [3, 10])
def test_a_smooth_curve_decides_nothing_wherever_losses_turn(shape, n):
    def make(seed, rng):
        curve = hidden(rng.uniform(2, 4) * shape)
        return run_of(seed, 5 - 0.3 * curve, 4 + curve, validation=overfit(any_turn(rng)))

    assert outcomes(many(make, n), "drift")[0] == Outcome.NOT_SHOWN


def test_a_drift_that_ends_where_the_loss_turns_is_the_contrary():
    def make(seed, rng):
        turn = any_turn(rng)
        return run_of(seed, 5, 4 + hidden(rng.uniform(1, 3) * (TIME - 0.9 * after(turn))), validation=overfit(turn))

    verdict, criteria = outcomes(many(make), "drift")
    assert criteria["degeneracy rises"] == Outcome.YES
    assert criteria["sets in at t* and not at the t* of other runs"] == Outcome.NO
    assert verdict == Outcome.NO


def test_a_drift_in_all_layers_is_none_of_the_hidden_ones():
    def make(seed, rng):
        edges, turn = np.array([n_in * n_out for n_in, n_out in WIDTHS]) / 36, any_turn(rng)
        drift = rng.uniform(1, 3) * after(turn)
        return run_of(seed, 5 - hidden(drift), 4 + drift[:, None] * edges, validation=overfit(turn))

    verdict, criteria = outcomes(many(make), "drift")
    assert verdict == Outcome.PARTLY
    assert criteria["more than in the first and the last layer"] == Outcome.NOT_SHOWN


def test_a_drift_that_began_long_before_is_not_one_right_at_the_turn():
    verdict, criteria = outcomes(many(lambda seed, rng: run_of(seed, 5, 4 + hidden(rng.uniform(1, 3) * TIME))), "drift")
    assert criteria["degeneracy rises"] == Outcome.YES
    assert criteria["faster than before"] == Outcome.NOT_SHOWN
    assert verdict == Outcome.NOT_SHOWN


def test_less_degeneracy_after_the_turn_is_the_contrary():
    assert outcomes(many(lambda seed, rng: run_of(seed, 5, 4 - hidden(AFTER))), "drift")[0] == Outcome.NO


def test_drifts_this_way_and_that_show_nothing():
    def make(seed, rng):
        return run_of(seed, 5, 4 + hidden(rng.choice([-1, 1]) * rng.uniform(0.5, 2) * AFTER))

    assert outcomes(many(make), "drift")[0] == Outcome.NOT_SHOWN


def test_the_slopes_are_bits_in_a_tenth_of_the_training():
    claim = verdicts_of([run_of(0, 5 - hidden(AFTER), 4 + hidden(3 * AFTER))] * 3)[0]
    by_name = {criterion.name: criterion.mean for criterion in claim.criteria}
    # t* is found to a record or two on a smoothed, noisy curve: part of the window may lie before the rise.
    assert by_name["degeneracy rises"] == pytest.approx(0.3, abs=0.04)
    assert by_name["while EI falls"] == pytest.approx(0.1, abs=0.02)
    assert by_name["change of degeneracy"] == pytest.approx(3 * 0.25, abs=0.1)


# --- movement --------------------------------------------------------------------------------------------------------


def walked(speed, rng, noise=0.0):
    """EI and degeneracy of layers that go along a line each, at this speed (N - 1,), (N, LAYERS) each."""
    angles = rng.uniform(0, 2 * np.pi, LAYERS)
    gone = np.concatenate([[0.0], np.cumsum(speed)])[:, None]
    return 5 + gone * np.cos(angles), 6 + gone * np.sin(angles)


def fallen(speed):
    """A loss that falls at this speed, from 1 to 0.05."""
    return 1 - 0.95 * np.concatenate([[0.0], np.cumsum(speed)]) / speed.sum()


def waves(rng):
    """Bursts that no parabola fits, (N - 1,)."""
    phase, at = rng.uniform(0, 2 * np.pi), np.linspace(0, 1, N - 1)
    return 1 + 0.9 * np.sin(2 * np.pi * 5 * at + phase)


DECLINE = np.exp(-3 * np.linspace(0, 1, N - 1))


def test_movement_in_the_rhythm_of_the_fall_is_seen():
    """Every run has a rhythm of its own, and time of its own in which it learns most."""

    def make(seed, rng):
        speed = DECLINE ** rng.uniform(0.5, 2) * waves(rng)
        return run_of(seed, *walked(speed, rng), training=fallen(speed))

    verdict, criteria = outcomes(many(make, 20), "movement")
    assert set(list(criteria.values())[:4]) == {Outcome.YES}
    assert verdict == Outcome.YES


HUMP = 0.05 + np.exp(-(((TIME[1:] - 0.3) / 0.15) ** 2) / 2)


@pytest.mark.parametrize("common", [DECLINE, HUMP])
def test_a_common_course_of_all_trainings_is_called_so(common):
    """Speed and loss have noise of their own around a course that all runs share."""

    def make(seed, rng):
        speed, fall = (common * np.exp(rng.normal(0, 0.3, N - 1)) for _ in "ab")
        return run_of(seed, *walked(speed, rng), training=fallen(fall))

    verdict, criteria = outcomes(many(make), "movement")
    assert criteria["speed goes with the fall of the loss"] == Outcome.YES
    assert criteria["more path than time in the fall"] == Outcome.YES
    assert criteria["speed goes less with the losses of other runs"] == Outcome.NOT_SHOWN
    assert verdict == Outcome.PARTLY


def test_movement_after_the_fall_is_the_contrary():
    def make(seed, rng):
        return run_of(seed, *walked(DECLINE[::-1], rng), training=fallen(DECLINE))

    assert outcomes(many(make), "movement")[0] == Outcome.NO


def test_steps_of_other_lengths_change_no_speed():
    """Records three times as far apart in the second half: there everything has three times as much time to happen."""
    rng = np.random.default_rng(0)
    ei, degeneracy = walked(np.ones(N - 1), rng)
    steady = run_of(0, ei, degeneracy, training=fallen(np.ones(N - 1)))
    denser = steady.take([*range(51), *range(53, N, 3)])
    for trajectory in (steady, denser):
        criteria = {one.name: one for one in verdicts_of([trajectory])[1].criteria}
        assert criteria["more path than time in the fall"].mean == pytest.approx(0.0, abs=0.05)


def test_without_a_training_loss_there_is_no_verdict():
    runs = many(lambda seed, rng: run_of(seed, 5, 4))
    for run in runs:
        del run.metrics["loss"]
    claim = verdicts_of(runs)[1]
    assert claim.outcome == Outcome.NO_VERDICT
    assert claim.reason == "Without a figure: 10 of 10 runs (no training loss at 12 records or more)."


def test_a_loss_that_never_falls_has_no_fall():
    verdicts = verdicts_of(many(lambda seed, rng: run_of(seed, 5, 4, training=1 + TIME), 3))
    assert verdicts[1].outcome == Outcome.NO_VERDICT
    assert verdicts[1].reason == (
        "Without a figure: 3 of 3 runs (a training loss that does not fall, or layers that do not move)."
    )


# --- transitions -----------------------------------------------------------------------------------------------------


def bent(turn, rng):
    """EI and degeneracy of layers that go straight and turn once, at a record."""
    first = rng.uniform(0, 2 * np.pi, LAYERS)
    second = first + rng.choice([-1, 1], LAYERS) * rng.uniform(1, 2.5, LAYERS)
    steps = np.where(
        np.arange(N - 1)[:, None, None] < turn, [np.cos(first), np.sin(first)], [np.cos(second), np.sin(second)]
    )
    way = np.concatenate([np.zeros((1, 2, LAYERS)), np.cumsum(steps, axis=0)]) * 0.2
    return 5 + way[:, 0], 6 + way[:, 1]


def test_a_turn_of_the_path_at_the_turn_of_the_loss_is_seen():
    def make(seed, rng):
        turn = int(rng.integers(25, 65))
        return run_of(seed, *bent(turn, rng), validation=overfit(turn))

    assert outcomes(many(make), "transitions")[0] == Outcome.YES


def test_a_turn_at_one_time_of_all_trainings_may_have_another_cause():
    """All paths turn at one record and all losses nearly there: that the one goes with the other is not shown."""

    def make(seed, rng):
        return run_of(seed, *bent(TURN, rng), validation=overfit(TURN + int(rng.integers(-1, 2))))

    verdict, criteria = outcomes(many(make), "transitions")
    assert criteria["paths turn more at t* than elsewhere"] == Outcome.YES
    assert criteria["a change-point lies nearer to t* than to other records"] == Outcome.YES
    assert verdict == Outcome.NOT_SHOWN


def test_a_path_that_turns_far_from_the_turn_of_the_loss_is_the_contrary():
    """Early where the loss turns late, and late where it turns early."""

    def make(seed, rng):
        turn = int(rng.choice([25, 70]))
        return run_of(seed, *bent(95 - turn, rng), validation=overfit(turn))

    verdict, criteria = outcomes(many(make), "transitions")
    assert criteria["a change-point lies nearer to t* than to the t* of other runs"] == Outcome.NO
    assert verdict == Outcome.NO


def test_turns_anywhere_show_nothing():
    def make(seed, rng):
        return run_of(seed, *bent(int(rng.integers(10, 90)), rng), validation=overfit(any_turn(rng)))

    assert outcomes(many(make, 20), "transitions")[0] == Outcome.NOT_SHOWN


def test_a_turn_too_near_an_end_of_the_path_is_named():
    """All of the way is gone in the first five records."""

    def make(seed, rng):
        ei, degeneracy = (5 + np.minimum(np.arange(N), 5)[:, None] * rng.normal(0, 99, LAYERS) for _ in "ab")
        return run_of(seed, ei, degeneracy)

    claim = verdicts_of(many(make, 3))[2]
    assert claim.outcome == Outcome.NO_VERDICT
    assert claim.reason == "Without a figure: 3 of 3 runs (t* too near an end of every path, or no path)."


def test_tremor_of_a_layer_that_stands_still_is_no_turn():
    """All of the way is gone before t*: then the loss turns at a point that the path hardly leaves."""

    def make(seed, rng):
        ei, degeneracy = bent(20, rng)
        return run_of(seed, ei[np.minimum(np.arange(N), 35)], degeneracy[np.minimum(np.arange(N), 35)])

    assert outcomes(many(make), "transitions")[0] != Outcome.YES


# --- differences -----------------------------------------------------------------------------------------------------


def test_layers_that_differ_are_told_apart():
    ei, degeneracy = np.array([9.0, 5.0, 5.0, 3.0]), np.array([300.0, 40.0, 40.0, 10.0])

    def make(seed, rng):
        return run_of(seed, ei + rng.normal(0, 0.3, LAYERS), degeneracy + rng.normal(0, 3, LAYERS))

    verdict, criteria = outcomes(many(make), "differences")
    assert verdict == Outcome.YES
    assert criteria["in degeneracy per edge"] == Outcome.YES


def test_what_the_number_of_edges_explains_is_called_so():
    edges = np.array([n_in * n_out for n_in, n_out in WIDTHS])
    ei = np.array([9.0, 5.0, 5.0, 4.0])

    def make(seed, rng):
        return run_of(seed, ei + rng.normal(0, 0.3, LAYERS), edges * (1 + rng.normal(0, 0.04, LAYERS)))

    verdict, criteria = outcomes(many(make), "differences")
    assert criteria["in degeneracy"] == Outcome.YES
    assert criteria["in degeneracy per edge"] in (Outcome.NOT_SHOWN, Outcome.NO)
    assert verdict == Outcome.PARTLY


@pytest.mark.parametrize("level", [0, 3])
def test_layers_of_one_kind_are_never_told_apart(level):
    """Also where runs have a level of their own, which all layers share."""
    seen = []
    for group in range(20):

        def make(seed, rng, group=group):
            rng = np.random.default_rng([group, seed])
            shared = level * rng.normal()
            return run_of(seed, 20 + shared + rng.normal(0, 1, LAYERS), 40 + shared + rng.normal(0, 2, LAYERS))

        seen.append(outcomes(many(make), "differences")[0])
    assert Outcome.YES not in seen
    assert seen.count(Outcome.NO) >= 15


def test_two_groups_that_are_alike_are_the_contrary():
    """The hidden layers differ from the first and the last, which do not differ."""

    def make(seed, rng):
        return run_of(seed, rng.normal([9, 5, 5, 9], 0.2), rng.normal([90, 30, 30, 90], 2))

    claim = verdicts_of(many(make))[3]
    assert claim.outcome == Outcome.NO
    assert "here first and last" in claim.criteria[0].statistic


@pytest.mark.parametrize("n", [3, 10])
def test_differences_at_the_border_are_called_neither_but_by_chance(n):
    """Three groups, of which two differ by just a tenth: each wrong verdict one in forty times, or less."""
    n_times, seen = 400, []
    rng = np.random.default_rng(0)
    levels = np.array([21.0, 19.0, 19.0, 30.0])
    for _ in range(n_times):
        runs = [Run.of(one_record(levels + rng.normal(0, 1, LAYERS))) for _ in range(n)]
        seen.append(differences(runs).criteria[0].outcome)
    for wrong in (Outcome.YES, Outcome.NO):
        assert seen.count(wrong) <= n_times / 40 + 3 * np.sqrt(n_times / 40)


def one_record(degeneracy):
    """A run whose layers stand still."""
    measures = dict.fromkeys(MEASURES, np.zeros((12, LAYERS))) | {"degeneracy": np.tile(degeneracy, (12, 1))}
    return Trajectory(np.arange(12), [f"fc{k}" for k in range(LAYERS)], measures, {})


def test_runs_without_what_controls_need_are_called_so():
    """Numbers of edges and bins are not known of trajectories that somebody made."""
    runs = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        run = run_of(seed, rng.normal([9, 5, 5, 3], 0.2), rng.normal([90, 30, 30, 9], 1))
        runs.append(Trajectory(run.steps, run.layers, {name: getattr(run, name) for name in MEASURES}, run.metrics))
    claim = verdicts_of(runs)[3]
    assert claim.outcome == Outcome.PARTLY
    assert claim.reason == (
        "What the claim says is seen, but these controls have no figure: in degeneracy per edge; in EI as a share of "
        "what their states can hold."
    )


# --- no verdict ------------------------------------------------------------------------------------------------------


def test_a_loss_that_never_turns_gives_no_verdict_and_says_so():
    runs = many(lambda seed, rng: run_of(seed, 5, 4 + hidden(AFTER), validation=0.4 + 0.6 * np.exp(-4 * TIME)))
    drift, movement, transitions, differences = verdicts_of(runs)
    for claim in (drift, transitions):
        assert claim.outcome == Outcome.NO_VERDICT
        assert claim.reason == (
            "Without a figure: 10 of 10 runs (no minimum of the validation loss from which it rises by more than its "
            "noise, and 2 %)."
        )
    assert Outcome.NO_VERDICT not in (movement.outcome, differences.outcome)


def test_a_rise_of_less_than_two_percent_is_no_overfitting():
    shape = overfit()
    little = shape.min() + (shape - shape.min()) * np.where(TIME[TURN] < TIME, 0.07, 1.0)
    assert Run.of(run_of(0, 5, 4, validation=little)).turn is None
    assert Run.of(run_of(0, 5, 4)).turn == pytest.approx(TURN, abs=4)


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_than_three_runs_give_figures_and_no_verdict(n):
    claims = verdicts_of(many(lambda seed, rng: run_of(seed, 5, 4 + hidden(AFTER)), n))
    assert {claim.outcome for claim in claims} == {Outcome.NO_VERDICT}
    assert np.isfinite(claims[0].criteria[0].mean)


def test_a_network_without_hidden_layers_has_no_drift():
    runs = []
    for trajectory in many(lambda seed, rng: run_of(seed, 5, 4), 3):
        measures = {name: getattr(trajectory, name)[:, [0, 3]] for name in MEASURES}
        runs.append(Trajectory(trajectory.steps, ["fc0", "fc3"], measures, trajectory.metrics))
    claim = verdicts_of(runs)[0]
    assert claim.reason == "Without a figure: 3 of 3 runs (no layer between the first and the last)."


def test_a_network_of_one_layer_has_no_differences():
    runs = []
    for trajectory in many(lambda seed, rng: run_of(seed, 5, 4), 3):
        measures = {name: getattr(trajectory, name)[:, :1] for name in MEASURES}
        runs.append(Trajectory(trajectory.steps, ["fc0"], measures, trajectory.metrics))
    assert verdicts_of(runs)[3].reason == "Without a figure: 3 of 3 runs (a single layer)."


def test_brackets_are_no_figures_but_counts_are():
    flags = [[("undersampled",), (), (), ()]] * N
    for joint, judged in (("auto", False), ("plugin", True)):
        runs = many(lambda seed, rng, joint=joint: run_of(seed, 5, 4, joint=joint, flags=flags), 3)
        movement = verdicts_of(runs)[1]
        assert (movement.outcome != Outcome.NO_VERDICT) == judged
        assert ("bounds alone" in movement.reason) != judged


def test_few_records_are_named():
    runs = [run.take(range(8)) for run in many(lambda seed, rng: run_of(seed, 5, 4), 3)]
    reason = "Without a figure: 3 of 3 runs (fewer than 12 records at which sensitivity, EI and degeneracy are known)."
    assert {claim.reason for claim in verdicts_of(runs)} == {reason}


def test_records_without_a_figure_are_left_out():
    whole, gaps = run_of(0, 5, 4 + hidden(AFTER)), run_of(0, 5, 4 + hidden(AFTER))
    gaps.ei[[3, 50], 1] = np.nan
    assert Run.of(gaps).n_records == N - 2
    one, other = (verdicts_of([run])[0].criteria[0].mean for run in (whole, gaps))
    assert one == pytest.approx(other, rel=0.1)


def test_losses_need_not_be_known_everywhere():
    """None before the first step, and a validation loss at every second record alone."""

    def make(seed, rng):
        turn, speed = any_turn(rng), DECLINE * waves(rng)
        ei, degeneracy = walked(speed, rng)
        return run_of(seed, ei, degeneracy + hidden(after(turn)), training=fallen(speed), validation=overfit(turn))

    whole, gaps = many(make), many(make)
    for run in gaps:
        run.metrics["loss"][0] = np.nan
        run.metrics["val_loss"][::2] = np.nan
    for one, other in zip(verdicts_of(whole), verdicts_of(gaps), strict=True):
        assert one.outcome != Outcome.NO_VERDICT
        for criterion, same in zip(one.criteria, other.criteria, strict=True):
            low, high = criterion.interval
            assert same.mean == pytest.approx(criterion.mean, abs=max((high - low) / 2, 0.01)), criterion.name
        assert [criterion.n_runs for criterion in other.criteria] == [10] * len(other.criteria)


@pytest.mark.parametrize("unknown", [[], [0], range(5), [k for k in range(N) if k % 5]])
def test_losses_that_are_the_same_in_all_runs_are_beyond_none(unknown):
    """Wherever they are known: the losses of other runs do exactly as well."""

    def make(seed, rng):
        run = run_of(seed, *walked(DECLINE * waves(rng), rng))
        run.metrics["val_loss"] = overfit() + np.random.default_rng(0).normal(0, 0.002, N)
        for losses in run.metrics.values():
            losses[list(unknown)] = np.nan
        return run

    drift, movement, transitions, _ = verdicts_of(many(make))
    beyond = [drift.criteria[1], *movement.criteria[2:4], *transitions.criteria[:2]]
    assert [criterion.mean for criterion in beyond] == [0.0] * 5
    assert [criterion.n_runs for criterion in beyond] == [10] * 5
    assert movement.outcome == Outcome.PARTLY
    assert "about the same time, so that seeds cannot tell t* from that time" in transitions.reason


def test_runs_that_are_not_judged_lend_no_losses():
    """One whose EI is known by bounds alone, and whose loss turns and falls at another time than all others."""

    def make(seed, rng, flags=None, turn=None):
        curve = hidden(rng.uniform(2, 4) * (1 - np.exp(-3 * TIME)))
        speed, fall = (DECLINE * np.exp(rng.normal(0, 0.3, N - 1)) for _ in "ab")
        ei, degeneracy = walked(speed, rng)
        turn = int(rng.integers(38, 45)) if turn is None else turn
        return run_of(seed, ei, degeneracy + curve, fallen(fall), overfit(turn), flags=flags)

    judged = many(make, 9)
    rng = np.random.default_rng(99)
    other = make(99, rng, [[("undersampled",), (), (), ()]] * N, turn=80)
    other.metrics["loss"] = fallen(DECLINE[::-1])
    for one, same in zip(verdicts_of(judged), verdicts_of([*judged, other]), strict=True):
        assert one.outcome == same.outcome
        for criterion, with_other in zip(one.criteria, same.criteria, strict=True):
            assert with_other.n_runs == 9
            assert with_other.mean == criterion.mean


def test_measures_that_never_change_decide_nothing():
    def make(seed, rng):
        run = run_of(seed, 5, 4, validation=overfit(any_turn(rng)))
        for name in ("ei", "degeneracy", "sensitivity"):
            getattr(run, name)[:] = 0.1 * (1 + np.arange(LAYERS)) + seed
        return run

    drift, movement, transitions, _ = verdicts_of(many(make))
    assert drift.outcome == Outcome.NOT_SHOWN
    assert [criterion.mean for criterion in drift.criteria] == [0.0] * len(drift.criteria)
    assert movement.outcome == transitions.outcome == Outcome.NO_VERDICT
    assert "no path" in transitions.reason


def test_a_loss_below_zero_turns_as_well():
    """A log-likelihood, say."""
    assert Run.of(run_of(0, 5, 4, validation=overfit() - 2)).turn == pytest.approx(TURN, abs=4)


def test_a_turn_too_near_an_end_of_the_training_is_named():
    early = np.concatenate([[2.0, 1.0], np.linspace(0.5, 3, N - 2)])
    run = run_of(0, 5, 4, validation=early).take([0, 1, 2, *range(3, N, 8)])
    assert Run.of(run).lacks_turn == "the least validation loss is within 3 records of an end"


def test_a_run_without_a_measure_that_no_test_reads_is_judged():
    run = run_of(0, 5, 4)
    run.ei_parts[:] = np.nan
    assert Run.of(run).n_records == N


def test_runs_of_other_networks_and_nothing_are_refused():
    run = run_of(0, 5, 4)
    other = Trajectory(run.steps, list("abcd"), {name: getattr(run, name) for name in MEASURES}, run.metrics)
    with pytest.raises(ValueError, match="runs of one network"):
        verdicts_of([run, other])
    wider = [[name, 2 * n_in, n_out, kind] for name, n_in, n_out, kind in run.provenance["layers"]]
    measures = {name: getattr(run, name) for name in MEASURES}
    other = Trajectory(run.steps, run.layers, measures, run.metrics, run.provenance | {"layers": wider})
    with pytest.raises(ValueError, match=r"Got layers fc0 \(25 -> 6\), .* and fc0 \(50 -> 6\), .* Judge each"):
        verdicts_of([run, other])
    with pytest.raises(ValueError, match="one trajectory at least"):
        verdicts_of([])


# --- rules -----------------------------------------------------------------------------------------------------------


def criterion(role, outcome):
    values = {"yes": [1.0, 1.1, 0.9], "no": [-1.0, -1.1, -0.9], "not shown": [1.0, -1.0, 0.1], "no verdict": [1.0]}
    return Criterion(f"{role} {outcome}", "", "bits", role, np.array(values[outcome]))


@pytest.mark.parametrize(
    ("deciding", "controls", "verdict"),
    [
        (["yes", "yes"], ["yes"], Outcome.YES),
        (["yes"], [], Outcome.YES),
        (["yes", "yes"], ["not shown"], Outcome.PARTLY),
        (["yes"], ["no"], Outcome.PARTLY),
        (["yes"], ["yes", "no verdict"], Outcome.PARTLY),
        (["yes", "not shown"], ["yes"], Outcome.NOT_SHOWN),
        (["yes", "no"], ["yes"], Outcome.NO),
        (["not shown", "no"], [], Outcome.NO),
        (["yes", "no verdict"], [], Outcome.NO_VERDICT),
        ([], ["yes"], Outcome.NO_VERDICT),
    ],
)
def test_the_rule_of_verdicts(deciding, controls, verdict):
    criteria = [criterion(Role.DECIDES, one) for one in deciding] + [criterion(Role.CONTROL, one) for one in controls]
    claim = Claim("claim", "It is so.", (*criteria, criterion(Role.FIGURE, "no")), "")
    assert claim.outcome == verdict
    assert claim.reason.endswith(".")


def test_intervals_over_seeds_hold():
    """Of means of three and of ten normal figures 95 % of the intervals hold the truth."""
    rng = np.random.default_rng(0)
    for n in (3, 10):
        intervals = np.array([Criterion("", "", "", Role.DECIDES, rng.normal(size=n)).interval for _ in range(2000)])
        held = np.mean((intervals[:, 0] < 0) & (intervals[:, 1] > 0))
        assert held == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 2000))


def test_by_chance_alone_hardly_anything_is_shown():
    """Random walks, whose losses turn anywhere: what decides is 0 in the mean, and outside its interval as promised."""

    def make(seed, rng):
        ei, degeneracy = (5 + np.cumsum(rng.normal(0, 0.1, (N, LAYERS)), axis=0) for _ in "ab")
        return run_of(seed, ei, degeneracy, validation=overfit(any_turn(rng)))

    n_groups, seen = 30, {}
    for start in range(0, 10 * n_groups, 10):
        for claim in verdicts_of([make(seed, np.random.default_rng(seed)) for seed in range(start, start + 10)]):
            for criterion in claim.criteria:
                if claim.name in ("drift", "transitions") and criterion.role == Role.DECIDES:
                    seen.setdefault(criterion.name, []).append(criterion)
            assert claim.outcome != Outcome.YES
    for found in seen.values():
        means = np.array([criterion.mean for criterion in found])
        assert abs(means.mean()) < 3 * means.std() / np.sqrt(n_groups)
        outside = sum(criterion.outcome != Outcome.NOT_SHOWN for criterion in found)
        assert outside <= 0.05 * n_groups + 3 * np.sqrt(0.05 * n_groups)


def test_a_smoothed_line_stays_a_line():
    line = np.linspace(0, 1, 50)
    np.testing.assert_allclose(smoothed(line), line, atol=1e-12)
    np.testing.assert_allclose(
        smoothed(np.stack([line, 2 * line], axis=1)), np.stack([line, 2 * line], axis=1), atol=1e-12
    )


def test_verdicts_are_a_function_of_the_data_and_make_a_table(tmp_path):
    runs = many(lambda seed, rng: run_of(seed, 5, 4 + hidden(AFTER)), 3)
    for k, run in enumerate(runs):
        run.save(tmp_path / f"{k}.npz")
    read = [ef.Trajectory.load(tmp_path / f"{k}.npz") for k in range(3)]
    rows = rows_of(verdicts_of(runs))
    assert repr(rows) == repr(rows_of(verdicts_of(read)))
    assert {"claim", "verdict", "criterion", "outcome", "mean", "low", "high"} <= set(rows[0])
    assert len(rows) == 22
