"""Joint EI as H(Y) - H(Y | X), the inputs never counted.

Y is a function of x, so H(Y | X) is the plain average over input cells of the entropy of Y inside one; H(Y) comes from
samples over the whole input range (Mattsson et al. 2020, eq. 2, by the chain rule). Where the cells are few, every one
is visited and the same samples serve both entropies; otherwise cells are drawn. Where an entropy cannot be relied on,
EI is bracketed by bounds.
"""

from collections.abc import Mapping
from typing import Any

from ei_fast.intervention.do import Intervention
from ei_fast.measures.constants import EXPECTED_POINTS
from ei_fast.measures.counting.estimators import ESTIMATORS
from ei_fast.measures.entropies.bounds import bounds_on
from ei_fast.measures.entropies.drawn_cells import sample_given_points
from ei_fast.measures.entropies.every_cell import cells_to_visit, first_points_a_cell, sample_every_cell
from ei_fast.measures.entropies.sample import Sample, points_ceiling
from ei_fast.measures.entropies.to_tol import sample_to_tol
from ei_fast.measures.joint.estimate import JointEI, compose
from ei_fast.measures.joint.problem import JointProblem
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Method

_NAMES_OF_ENTROPIES = {
    "bounds": "each known by bounds only",
    "none": "neither of which is defined",
    **{name: f"each by {estimator.title}" for name, estimator in ESTIMATORS.items()},
}


class Conditional:
    """H(Y) by sampling, less the average entropy inside input cells."""

    name = "conditional"
    by_component = True

    def refusal(self, problem: JointProblem) -> str | None:
        """Open to every problem."""
        return None

    def reason(self, problem: JointProblem, options: MeasureOptions) -> str:
        """Whether cells are visited or drawn."""
        intervention = problem.intervention
        cells = cells_to_visit(intervention, options)
        if cells is not None:
            return f"every one of {len(cells):,} input cells is visited"
        points = "as many points as tol needs" if options.n_samples is None else f"{options.n_samples:,} points"
        return f"of 2**{intervention.log2_cells:.0f} input cells some are drawn, with {points}"

    def cost(self, problem: JointProblem, options: MeasureOptions) -> float:
        """The first round of points where every cell is visited, otherwise EXPECTED_POINTS as far as they are allowed.

        How many `tol` needs is known by a pilot only.
        """
        if options.n_samples is not None:
            return options.n_samples
        intervention = problem.intervention
        cells = cells_to_visit(intervention, options)
        if cells is not None:
            return first_points_a_cell(len(cells)) * len(cells)
        return min(EXPECTED_POINTS * max(options.effort, 1.0), points_ceiling(intervention, options.effort))

    def estimate(self, problem: JointProblem, options: MeasureOptions) -> Method[JointEI]:
        """EI, or a bracket where an entropy cannot be relied on."""
        return (yield from conditional_ei(problem.intervention, options))

    def explain(self, figures: Mapping[str, Any]) -> str:
        """In a sentence."""
        return (
            f"EI = H(Y) - H(Y|X) by the conditional estimator from {figures['n_samples']:,} simulated points: H(Y) of "
            "outputs under uniform inputs, less its average inside the cells of the binned input, "
            f"{_NAMES_OF_ENTROPIES[figures['entropy_estimator']]}."
        )


def conditional_ei(intervention: Intervention, options: MeasureOptions) -> Method[JointEI]:
    """EI of what an intervention is on, or a bracket where an entropy cannot be relied on."""
    sample = yield from sampled(intervention, options)
    assert sample is not None
    if not sample.kept_nothing and not sample.resolved:
        return (yield from bracketed_ei(intervention, sample))
    return ei_of_sample(intervention, sample)


def ei_of_sample(intervention: Intervention, sample: Sample) -> JointEI:
    """EI of a sample that resolves both entropies, or of which nothing is kept."""
    if sample.kept_nothing:
        return JointEI.undefined(sample.n_samples, Conditional.name)
    output, conditional = sample.entropies(intervention.most_output_bits)
    return compose(output, conditional, method=Conditional.name, n_samples=sample.n_samples, stderr=sample.stderr)


def bracketed_ei(intervention: Intervention, sample: Sample, least: float = 0.0) -> Method[JointEI]:
    """Bounds on EI where a sample does not resolve an entropy; `least` is a lower bound that is known already."""
    bounds = yield from bounds_on(intervention, sample, least)
    return compose(
        bounds.output, bounds.conditional, method=Conditional.name, n_samples=bounds.n_samples, least=bounds.least
    )


def sampled(
    intervention: Intervention, options: MeasureOptions, stops_if_hopeless: bool = False
) -> Method[Sample | None]:
    """Both entropies by counting; None where a pilot shows that the output's states will not be resolved."""
    cells = cells_to_visit(intervention, options)
    if cells is not None:
        return (yield from sample_every_cell(intervention, cells, options))
    if options.n_samples is None:
        return (yield from sample_to_tol(intervention, options, stops_if_hopeless))
    return (yield from sample_given_points(intervention, options, options.n_samples))
