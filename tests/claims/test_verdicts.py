"""Where there is no verdict, and the rule that makes verdicts of tests."""

import numpy as np
import pytest
from made_runs import (
    AFTER,
    DECLINE,
    LAYERS,
    TIME,
    TURN,
    N,
    after,
    any_turn,
    fallen,
    hidden,
    many,
    overfit,
    run_of,
    walked,
    waves,
)

import ei_fast as ef
from ei_fast.claims.outcomes import Claim, Criterion, Outcome, Role
from ei_fast.claims.runs import Run
from ei_fast.claims.verdicts import rows_of, verdicts_of
from ei_fast.training.columns import MEASURES
from ei_fast.training.losses import smoothed
from ei_fast.training.trajectory import Trajectory


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
