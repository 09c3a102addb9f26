"""Joint EI of wide layers: entropies of scored and annealed states, between bounds that hold in expectation."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.rectangles import Rectangles
from ei_fast.measures.constants import (
    AIMED_FOR,
    ANNEALING_PILOT,
    DIVERGENCE_OF_CORRECTION,
    FEWEST_CHAINS,
    LN2,
    MAX_GAP,
    MAX_LEVELS,
    MIN_ANNEALED,
    MIN_LEVELS,
    MIN_SCORED,
    PILOT_FIRST,
    PILOT_SHARE,
    PROBES,
)
from ei_fast.measures.entropies.annealed import AnnealedStates, LogProbabilities, annealed_entropy, noise_of
from ei_fast.measures.entropies.annealing_sizes import (
    Aim,
    AnnealingSizes,
    Costs,
    EntropyPilot,
    best_annealing_sizes,
    work_ceiling,
)
from ei_fast.measures.entropies.estimate import EntropyEstimate
from ei_fast.measures.entropies.propagated import PropagatedStates
from ei_fast.measures.entropies.scored import ControlValues, ScoredStates, Scores, surrogate_error
from ei_fast.measures.joint.conditional import conditional_ei
from ei_fast.measures.joint.estimate import JointEI, compose
from ei_fast.measures.joint.gaussian import dense_intervention, points_of_all_work, refusal_without_rectangles
from ei_fast.measures.joint.problem import JointProblem
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import InThreads, Method


class Annealed:
    """Both entropies annealed, each between bounds."""

    name = "annealed"
    by_component = True

    def refusal(self, problem: JointProblem) -> str | None:
        """Open where output states are rectangles."""
        return refusal_without_rectangles(self.name, problem)

    def reason(self, problem: JointProblem, options: MeasureOptions) -> str:
        """What chains do."""
        return "chains between a Gaussian and the uniform inputs find the probability of sampled states"

    def cost(self, problem: JointProblem, options: MeasureOptions) -> float:
        """All the work that it may take, in points of a simulation."""
        return points_of_all_work(problem, options)

    def estimate(self, problem: JointProblem, options: MeasureOptions) -> Method[JointEI]:
        """EI with an interval and bounds; bounds alone where the effort does not suffice for a few chains."""
        do = dense_intervention(problem)
        found = yield from annealed_ei(do, options, None, None)
        return found if found is not None else (yield from conditional_ei(do, options))

    def explain(self, figures: Mapping[str, Any]) -> str:
        """In a sentence."""
        return (
            f"EI = H(Y) - H(Y|X), from {figures['n_samples']:,} sampled states that are scored by a Gaussian, many of "
            "them by expectation propagation as well. Some are annealed: chains between the Gaussian and the uniform "
            "inputs find their true probability, between bounds that hold whatever the chains miss."
        )


def annealed_ei(
    do: DenseIntervention,
    options: MeasureOptions,
    output: EntropyEstimate | None,
    conditional: EntropyEstimate | None,
    prefers_gaussian: bool = False,
) -> Method[JointEI | None]:
    """EI of what an intervention is on; an entropy that is given is not annealed. None where work does not suffice.

    Parameters
    ----------
    do : DenseIntervention
    options : MeasureOptions
    output, conditional : EntropyEstimate or None
        H(Y) and H(Y | X) where they are known well enough already.
    prefers_gaussian : bool
        Whether the cross-entropies alone are taken where their error is known to be the smaller one.
    """
    missing = [inside for inside, known in ((False, output), (True, conditional)) if known is None]
    ceiling = work_ceiling(do.n_in, do.n_out, options.effort)
    if _cost_of_pilot(Costs(do.n_in, do.n_out, 0.0)) > PILOT_SHARE * ceiling:
        # Not even where no output has an edge that matters; told before anything as large as the weights is made.
        return None
    yield InThreads(do.know_outputs)
    problems = [Rectangles(do, inside) for inside in missing]
    pilots = yield tuple(_pilot(problem, PILOT_SHARE * ceiling) for problem in problems)
    if any(pilot is None for pilot in pilots):
        return None
    about = output.value if output is not None else pilots[0].bits
    about -= conditional.value if conditional is not None else pilots[-1].bits
    known = [entropy for entropy in (output, conditional) if entropy is not None]
    variance = float(sum(entropy.stderr**2 + entropy.bias**2 / 3 for entropy in known))
    error = surrogate_error(problems[0]) if prefers_gaussian else None
    aim = Aim(AIMED_FOR * options.tol_of(about), variance, ceiling, options.effort, error)
    sizes, is_gaussian = best_annealing_sizes(pilots, aim)
    if not sizes:
        return None
    if options.n_samples is not None:
        sizes = [size.given(options.n_samples, is_both=len(sizes) == 2) for size in sizes]
    methods = tuple(_annealed(problem, size) for problem, size in zip(problems, sizes, strict=True))
    found = list((yield methods))
    both = [(given, given) if given is not None else found.pop(0) for given in (output, conditional)]
    n_samples = sum(entropy.n_samples for entropy, _ in both)
    annealed = compose(both[0][0], both[1][0], method=Annealed.name, n_samples=n_samples)
    if error is None or not is_gaussian:
        return annealed
    scored = (replace(both[0][1], bias=both[0][1].bias + error), both[1][1])
    gaussian = compose(*scored, method="gaussian", n_samples=n_samples)
    contradicted = max(gaussian.low - annealed.high, annealed.low - gaussian.high) > 0.0
    return annealed if contradicted else gaussian


def is_affordable(costs: Costs, options: MeasureOptions) -> bool:
    """Whether the effort suffices for the fewest states of both entropies, beside pilots."""
    fewest = MIN_SCORED * costs.score + MIN_ANNEALED * (costs.propagated + costs.annealed(MIN_LEVELS, FEWEST_CHAINS))
    ceiling = work_ceiling(costs.n_in, costs.n_out, options.effort)
    return 2 * fewest <= 0.5 * ceiling and _cost_of_pilot(costs) <= PILOT_SHARE * ceiling


def _cost_of_pilot(costs: Costs) -> float:
    return ANNEALING_PILOT * costs.score + PROBES * (costs.propagated + costs.annealed(MIN_LEVELS, 1))


def _pilot(problem: Rectangles, ceiling: float) -> Method[EntropyPilot | None]:
    """What a few states of an entropy tell about its spreads and the levels that it needs; None beyond `ceiling`."""
    costs = Costs.of(problem)
    if _cost_of_pilot(costs) > ceiling:
        return None
    noise = noise_of(problem)
    (table,), (propagated,) = yield (
        ScoredStates(problem, noise, ANNEALING_PILOT, PILOT_FIRST, is_shared=False),
        PropagatedStates(problem, PROBES, PILOT_FIRST, is_shared=False),
    )
    scores, log2_q = Scores(table, np.empty(0), problem.control_mean), table[:PROBES, 0]
    n_levels = MIN_LEVELS
    while True:
        (log_weights,) = yield AnnealedStates(
            problem, noise, n_levels, PROBES, PILOT_FIRST, n_chains=1, is_shared=False
        )
        states = LogProbabilities.of(log_weights, log2_q)
        too_long = PROBES * costs.annealed(2 * n_levels, 1) > ceiling or 2 * n_levels > MAX_LEVELS
        gap = _gap_of(states)
        if gap <= MAX_GAP or too_long:
            break
        n_levels *= 2
    correction = float(np.std(propagated - log2_q, ddof=1, where=np.isfinite(propagated)))
    return replace(
        EntropyPilot.of_scores(costs, scores),
        correction=correction,
        divergence=DIVERGENCE_OF_CORRECTION * correction**2,
        gap=gap,
        n_levels=n_levels,
    )


def _gap_of(states: LogProbabilities) -> float:
    """Nats between a reverse and a forward chain of a state, on average, from one of each.

    Notes
    -----
    Of normal log weights the gap is their variance, so that half of the variance of the difference tells as much of it
    as the difference itself: more where the gap is small, less where weights are far from normal.
    """
    differences = LN2 * (states.high - states.low)
    return 0.5 * (float(differences.mean()) + 0.5 * float(differences.var(ddof=1)))


def _annealed(problem: Rectangles, sizes: AnnealingSizes) -> Method[tuple[EntropyEstimate, EntropyEstimate]]:
    """One entropy, annealed, and as a cross-entropy that has the bounds of the annealed one."""
    noise = noise_of(problem)
    stages: Sequence[Any] = (
        ControlValues(problem, sizes.n_controls),
        ScoredStates(problem, noise, sizes.n_scored),
        PropagatedStates(problem, sizes.n_propagated),
        AnnealedStates(problem, noise, sizes.n_levels, sizes.n_annealed, n_chains=sizes.n_chains),
    )
    (controls,), (table,), (propagated,), (log_weights,) = yield tuple(stages)
    scores = Scores(table, controls, problem.control_mean)
    n_samples = max(sizes.n_controls, sizes.n_scored)
    states = LogProbabilities.of(log_weights, table[: sizes.n_annealed, 0])
    annealed = annealed_entropy(scores, propagated, states, n_samples)
    return annealed, replace(scores.cross_entropy(), expected=annealed.expected)
