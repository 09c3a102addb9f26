"""What "auto" does with a component of several inputs whose output states are rectangles: count, otherwise anneal."""

from dataclasses import replace

import numpy as np

from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.rectangles import states_are_rectangles
from ei_fast.measures.constants import PILOT_POINTS_ANYWHERE, SHARE_FOR_BOUNDS, TOL_OF_BOUNDS
from ei_fast.measures.entropies.annealing_sizes import Costs
from ei_fast.measures.entropies.estimate import EntropyEstimate
from ei_fast.measures.entropies.every_cell import cells_to_visit
from ei_fast.measures.entropies.sample import Sample, points_ceiling
from ei_fast.measures.entropies.to_tol import sample_for_bounds
from ei_fast.measures.joint.annealed import annealed_ei, is_affordable
from ei_fast.measures.joint.conditional import Conditional, bracketed_ei, conditional_ei, ei_of_sample, sampled
from ei_fast.measures.joint.estimate import JointEI
from ei_fast.measures.joint.gaussian import Gaussian, dense_intervention, points_of_all_work
from ei_fast.measures.joint.problem import JointProblem
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import InThreads, Method, Named


class CountedOrAnnealed:
    """The conditional method where it resolves both entropies; beyond it chains, and beyond these bounds."""

    name = "conditional"
    by_component = True

    def refusal(self, problem: JointProblem) -> str | None:
        """Open where output states are rectangles."""
        return None if states_are_rectangles(problem.intervention) else "its output states are no rectangles"

    def reason(self, problem: JointProblem, options: MeasureOptions) -> str:
        """What the conditional method would do, and what follows where that does not suffice."""
        counted = Conditional().reason(problem, options)
        if options.n_samples is not None or counted.startswith("every"):
            return counted
        return f"{counted}; chains where states outnumber them"

    def cost(self, problem: JointProblem, options: MeasureOptions) -> float:
        """Those of the conditional method; of chains, after its pilot, where there may be too many states for it.

        Where chains take too much work, some of the outputs are annealed, and all are scored by a Gaussian.
        """
        counted, do = Conditional().cost(problem, options), dense_intervention(problem)
        if options.n_samples is not None or cells_to_visit(do, options) is not None:
            return counted
        entropies = do.output_entropies
        assert entropies is not None
        if float(entropies.sum()) <= np.log2(points_ceiling(do, options.effort)):
            return counted
        times = 1 if is_affordable(Costs(do.n_in, do.n_out, float(do.n_out)), options) else 2
        return PILOT_POINTS_ANYWHERE + times * points_of_all_work(problem, options)

    def estimate(self, problem: JointProblem, options: MeasureOptions) -> Method[JointEI]:
        """EI, by the first method that finds it."""
        do = dense_intervention(problem)
        if options.n_samples is not None:
            # So many points are counted, and no others simulated.
            return (yield from conditional_ei(do, options))
        sample = yield from sampled(do, options, stops_if_hopeless=True)
        if sample is not None and (sample.kept_nothing or sample.resolved):
            return ei_of_sample(do, sample)
        found = yield from annealed_ei(do, options, None, _counted_conditional(do, sample, options), True)
        if found is not None:
            return found
        gaussian, roughly = Gaussian(), replace(options, tol=max(options.tol, TOL_OF_BOUNDS))
        if gaussian.is_affordable(problem, options) and gaussian.is_certified(problem):
            if gaussian.is_last_resort(problem, options):
                least = yield from _ei_of_some_outputs(do, replace(roughly, effort=SHARE_FOR_BOUNDS * options.effort))
            else:
                least = yield from _ei_of_some_outputs(do, options)
            found = yield from gaussian.estimate(problem, options)
            return replace(found, bounds=(max(found.bounds[0], least), max(found.bounds[1], least)))
        least = yield from _ei_of_some_outputs(do, roughly)
        if sample is None:
            sample = yield from sample_for_bounds(do, options)
        return (yield from bracketed_ei(do, sample, least))


def _ei_of_some_outputs(do: DenseIntervention, options: MeasureOptions) -> Method[float]:
    """Lower bound on EI: that of some of the outputs, as many as the effort suffices for; the most informed ones."""
    yield InThreads(do.know_outputs)
    count = do.n_out // 2
    while count > 1 and not is_affordable(Costs(do.n_in, count, float(count)), options):
        count //= 2
    if count <= 1:
        return 0.0
    entropies = do.output_entropies
    assert entropies is not None
    outputs = np.sort(np.argsort(-entropies, kind="stable")[:count])
    found = yield Named("some-outputs", annealed_ei(do.restricted(outputs), options, None, None))
    return 0.0 if found is None else float(found.bounds[0])


def _counted_conditional(
    do: DenseIntervention, sample: Sample | None, options: MeasureOptions
) -> EntropyEstimate | None:
    """H(Y | X) where it was counted to within `tol`."""
    if sample is None or not sample.inside.resolved:
        return None
    output, conditional = sample.entropies(do.most_output_bits)
    error = float(np.hypot(conditional.stderr, conditional.bias + abs(conditional.shift)))
    return conditional if error <= options.tol_of(output.value - conditional.value) else None
