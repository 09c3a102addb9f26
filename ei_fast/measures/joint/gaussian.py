"""Joint EI of wide layers by Gaussian cross-entropies alone: fast, and as good as the pre-activations are Gaussian."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.rectangles import Rectangles, states_are_rectangles
from ei_fast.intervention.streams import Stream
from ei_fast.measures.constants import (
    ANNEALING_PILOT,
    BESIDE_FEWEST,
    FEWEST_SCORED,
    LAST_RESORT,
    LEAST_FOR_BOUNDS,
    MAX_SCORED,
    MIN_SCORED,
    PILOT_FIRST,
    PILOT_POINTS_ANYWHERE,
    SHORT_PILOT,
)
from ei_fast.measures.counting.counts import Counts
from ei_fast.measures.counting.estimators import ZHANG_UNSEEN
from ei_fast.measures.counting.sampled import entropy_of_counts
from ei_fast.measures.entropies.annealed import noise_of
from ei_fast.measures.entropies.annealing_sizes import Costs, EntropyPilot, best_scoring_sizes, work_ceiling
from ei_fast.measures.entropies.bounds import least_entropy
from ei_fast.measures.entropies.drawn_cells import PointsAnywhere
from ei_fast.measures.entropies.estimate import EntropyEstimate, ExpectedBounds
from ei_fast.measures.entropies.scored import ControlValues, ScoredStates, Scores
from ei_fast.measures.joint.conditional import conditional_ei
from ei_fast.measures.joint.estimate import JointEI, compose
from ei_fast.measures.joint.problem import JointProblem
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import InThreads, Method


class Gaussian:
    """The difference of two cross-entropies with Gaussians."""

    name = "gaussian"
    by_component = True

    def refusal(self, problem: JointProblem) -> str | None:
        """Open where output states are rectangles."""
        return refusal_without_rectangles(self.name, problem)

    def reason(self, problem: JointProblem, options: MeasureOptions) -> str:
        """What is known of its error."""
        error = problem.surrogate_error
        if error is None:
            return "sampled states are scored by a Gaussian, whose error is not known"
        return f"sampled states are scored by a Gaussian, which is off by at most about {error:.2g} bits"

    def is_certified(self, problem: JointProblem) -> bool:
        """Whether the Gaussian's error is known."""
        return problem.surrogate_error is not None

    def is_affordable(self, problem: JointProblem, options: MeasureOptions) -> bool:
        """Whether the fewest scores do not take more work than there is."""
        return _least_scores(problem, options) is not None

    def is_last_resort(self, problem: JointProblem, options: MeasureOptions) -> bool:
        """Whether there is work for few scores only, and more is spent on them than on other methods."""
        least = _least_scores(problem, options)
        return least is not None and least.scored < MIN_SCORED

    def cost(self, problem: JointProblem, options: MeasureOptions) -> float:
        """Its work, in points of a simulation: MAX_SCORED states of both entropies, as far as they are allowed."""
        do = dense_intervention(problem)
        most = 2 * MAX_SCORED * Costs(do.n_in, do.n_out, float(do.n_out)).score / do.work
        return min(points_of_all_work(problem, options), most)

    def estimate(self, problem: JointProblem, options: MeasureOptions) -> Method[JointEI]:
        """EI with an interval that allows for the Gaussian's error where it is known.

        Where the effort does not suffice for the fewest scores there are bounds alone.
        """
        do, least = dense_intervention(problem), _least_scores(problem, options)
        if least is None:
            return (yield from conditional_ei(do, options))
        yield InThreads(do.know_outputs)
        problems = [Rectangles(do, inside) for inside in (False, True)]
        pilots = yield tuple(_pilot(rectangles, least.of_pilot) for rectangles in problems)
        tol = options.tol_of(pilots[0].bits - pilots[1].bits)
        sizes = best_scoring_sizes(pilots, tol, least.ceiling, options.effort, least.scored)
        if options.n_samples is not None:
            half = options.n_samples // 2
            sizes = [(0, half), (half, max(half // 4, MIN_SCORED // 2))]
        n_anywhere = PILOT_POINTS_ANYWHERE if least.scored == MIN_SCORED else LEAST_FOR_BOUNDS
        (states, counts), output, conditional = yield (
            PointsAnywhere(do, Stream.BOUND_MARGINAL, n_anywhere),
            *(_cross_entropy(rectangles, *size) for rectangles, size in zip(problems, sizes, strict=True)),
        )
        counted = least_entropy(entropy_of_counts(Counts(states, counts), n_anywhere, ZHANG_UNSEEN))
        error = problem.surrogate_error
        # Both cross-entropies are too high, by at most `error` each.
        output = replace(output, bias=error or 0.0, expected=_below(output, counted))
        conditional = replace(conditional, expected=_below(conditional, 0.0))
        n_samples = output.n_samples + conditional.n_samples
        found = compose(output, conditional, method=self.name, n_samples=n_samples)
        return replace(found, is_unverified=error is None)

    def explain(self, figures: Mapping[str, Any]) -> str:
        """In a sentence."""
        return (
            f"EI = H(Y) - H(Y|X), each the mean, over {figures['n_samples']:,} sampled states in all, of -log2 of "
            "their probability under Gaussian pre-activations."
        )


@dataclass(frozen=True)
class _Scores:
    """States of each entropy that are scored at the least, and in its pilot; and multiply-adds of both at the most."""

    of_pilot: int
    scored: int
    ceiling: float


def _least_scores(problem: JointProblem, options: MeasureOptions) -> _Scores | None:
    """The fewest scores that there is work for; None where there is for none. Very wide layers get by with fewer."""
    do = dense_intervention(problem)
    score = Costs(do.n_in, do.n_out, float(do.n_out)).score
    ceiling = work_ceiling(do.n_in, do.n_out, options.effort)
    if 2 * MIN_SCORED * score <= ceiling:
        return _Scores(ANNEALING_PILOT, MIN_SCORED, ceiling)
    fewest, left = 2 * FEWEST_SCORED * score, LAST_RESORT * ceiling - 2 * SHORT_PILOT * score
    if fewest > left:
        return None
    return _Scores(SHORT_PILOT, FEWEST_SCORED, min(max(ceiling, BESIDE_FEWEST * fewest), left))


def points_of_all_work(problem: JointProblem, options: MeasureOptions) -> float:
    """Points of a simulation that take as long as all the work that scores and chains may take."""
    do = dense_intervention(problem)
    return work_ceiling(do.n_in, do.n_out, options.effort) / do.work


def refusal_without_rectangles(name: str, problem: JointProblem) -> str | None:
    """Why a method that scores rectangles is not open to a problem; None where output states are rectangles."""
    if states_are_rectangles(problem.intervention):
        return None
    if problem.binned.histograms is not None:
        return (
            f"joint={name!r} takes inputs to be uniform, which in_distribution says they are not. Use joint='auto', "
            "'conditional' or 'plugin'."
        )
    return (
        f"joint={name!r} is open to dense layers with out_of_range='clip' whose bins are intervals of the "
        "pre-activation. Use joint='auto'."
    )


def dense_intervention(problem: JointProblem) -> DenseIntervention:
    """The intervention on a problem whose output states are rectangles."""
    do = problem.intervention
    assert isinstance(do, DenseIntervention)
    return do


def _below(entropy: EntropyEstimate, least: float) -> ExpectedBounds:
    """A cross-entropy is an upper bound."""
    return ExpectedBounds(least, 0.0, entropy.value, entropy.stderr)


def _pilot(rectangles: Rectangles, n_scored: int) -> Method[EntropyPilot]:
    (table,) = yield ScoredStates(rectangles, noise_of(rectangles), n_scored, PILOT_FIRST, is_shared=False)
    return EntropyPilot.of_scores(Costs.of(rectangles), Scores(table, np.empty(0), rectangles.control_mean))


def _cross_entropy(rectangles: Rectangles, n_controls: int, n_scored: int) -> Method[EntropyEstimate]:
    (controls,), (table,) = yield (
        ControlValues(rectangles, n_controls),
        ScoredStates(rectangles, noise_of(rectangles), n_scored),
    )
    return Scores(table, controls, rectangles.control_mean).cross_entropy()
