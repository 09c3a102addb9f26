"""The claim of turns of the path on trajectories that were made for it."""

import numpy as np
from made_runs import (
    LAYERS,
    TURN,
    N,
    any_turn,
    many,
    outcomes,
    overfit,
    run_of,
)

from ei_fast.claims.outcomes import Outcome
from ei_fast.claims.verdicts import verdicts_of


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
