"""The claim of a drift on trajectories that were made so that it is true, false, or neither."""

import numpy as np
import pytest
from made_runs import (
    AFTER,
    TIME,
    TURN,
    WIDTHS,
    after,
    any_turn,
    hidden,
    many,
    outcomes,
    overfit,
    run_of,
)

from ei_fast.claims.outcomes import Outcome
from ei_fast.claims.verdicts import verdicts_of


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
