"""The claim that layers differ on trajectories that were made for it."""

import numpy as np
import pytest
from made_runs import (
    LAYERS,
    WIDTHS,
    many,
    outcomes,
    run_of,
)

from ei_fast.claims.differences import differences
from ei_fast.claims.outcomes import Outcome
from ei_fast.claims.runs import Run
from ei_fast.claims.verdicts import verdicts_of
from ei_fast.training.columns import MEASURES
from ei_fast.training.trajectory import Trajectory


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
