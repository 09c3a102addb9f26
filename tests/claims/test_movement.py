"""The claim of movement in the rhythm of the fall on trajectories that were made for it."""

import numpy as np
import pytest
from made_runs import (
    DECLINE,
    TIME,
    N,
    fallen,
    many,
    outcomes,
    run_of,
    walked,
    waves,
)

from ei_fast.claims.outcomes import Outcome
from ei_fast.claims.verdicts import verdicts_of


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
