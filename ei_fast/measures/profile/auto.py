"""The profile of a layer: which estimator for which component, and all components together."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import Intervention
from ei_fast.measures.edges.ei_parts import EdgeParts
from ei_fast.measures.entropies.every_cell import cells_to_visit
from ei_fast.measures.joint.auto import shared_out
from ei_fast.measures.joint.estimate import JointEI
from ei_fast.measures.joint.problem import JointProblem
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.profile.brackets import LeastOfInputs, bracketed, least_given
from ei_fast.measures.profile.component import ComponentProfile, InputFigures
from ei_fast.measures.profile.estimate import LayerProfile
from ei_fast.measures.profile.every_cell import of_every_cell
from ei_fast.measures.profile.exact import has_one_output, of_one_input, of_one_output
from ei_fast.measures.profile.figure import Figure, total
from ei_fast.measures.profile.freed import freed
from ei_fast.measures.profile.outputs import of_outputs
from ei_fast.measures.profile.pool import pooled
from ei_fast.measures.stages import Method
from ei_fast.network.binned import BinnedLayer

Numbers = NDArray[np.intp]
Part = tuple[Numbers, ComponentProfile]


def profile_of(binned: BinnedLayer, options: MeasureOptions, seed: int) -> Method[LayerProfile]:
    """EI, I(X_i; Y), I(X_i; Y | X_others) and I(X; Y_j) of a layer that drops nothing, in bits.

    EI is that of `joint_ei` with the same seed, to the last bit.
    """
    layer = JointProblem(binned, seed)
    chosen, share = shared_out(layer, options)
    estimates: list[JointEI] = yield tuple(method.estimate(problem, share) for method, problem in chosen)
    ei = JointEI.sum(estimates, binned.ceiling())
    problems = [problem for _, problem in chosen]
    parts: NDArray[np.float64] | None = None
    if any(has_one_output(problem, options) for problem in problems):
        (parts,) = yield EdgeParts(binned)
    profiles: list[ComponentProfile] = yield tuple(
        _of_component(problem, estimate, share, parts) for problem, estimate in zip(problems, estimates, strict=True)
    )
    found = [(_inputs_of(problem), profile) for problem, profile in zip(problems, profiles, strict=True)]
    outputs, n_outputs = yield from _outputs(binned, problems, options, seed, ei)
    n_in, most = binned.layer.n_in, float(np.log2(binned.in_bins))
    return LayerProfile(
        ei,
        _all_inputs(found, n_in, most, lambda profile: profile.alone),
        _all_inputs(found, n_in, most, lambda profile: profile.given),
        outputs,
        ei.n_samples + n_outputs + sum(profile.n_samples for profile in profiles),
        sum(profile.ei_excess for profile in profiles),
    )


def _of_component(
    problem: JointProblem, ei: JointEI, options: MeasureOptions, parts: NDArray[np.float64] | None
) -> Method[ComponentProfile]:
    """By the first estimator that is open to the component."""
    if problem.has_one_input:
        return of_one_input(ei)
    if parts is not None and has_one_output(problem, options):
        exact = yield from of_one_output(problem, parts)
        if exact is not None:
            return exact
    do = problem.intervention
    if do.n_in == 1:
        return of_one_input(ei)
    cells = cells_to_visit(do, options)
    # An EI that is exact has no samples.
    if cells is not None and ei.n_samples and not ei.undersampled:
        return (yield from of_every_cell(do, cells, ei.n_samples // len(cells)))
    return (yield from _of_drawn(do, ei, options))


def _of_drawn(do: Intervention, ei: JointEI, options: MeasureOptions) -> Method[ComponentProfile]:
    """From a pool, and from cells that are drawn; bounds where one of these does not count all states."""
    pool, cells = yield (pooled(do, options, ei.value), freed(do, options))
    n_samples, most = len(pool.states), float(np.log2(do.in_bins))
    least: NDArray[np.float64] = np.zeros(do.n_in)
    alone, given = pool.figures, None
    if cells is not None:
        n_samples += cells.n_points
        given = cells.figures if cells.resolved else None
    if not pool.resolved or given is None:
        (least,) = yield LeastOfInputs(do, options.n_samples)
    if given is None:
        least_of_given = np.maximum(least, (yield from least_given(do, options)))
        given = InputFigures.independent(bracketed(least_of_given, [min(most, ei.high)] * do.n_in))
    if not pool.resolved:
        each = bracketed(least, [min(one.high, most, ei.high) for one in given.each])
        alone = InputFigures(each, total(each).within(0.0, ei.high))
    return ComponentProfile(alone, given, n_samples)


def _inputs_of(problem: JointProblem) -> Numbers:
    """Numbers of its inputs in the layer."""
    if problem.component is None:
        return np.arange(problem.binned.layer.n_in)
    return problem.component.inputs


def _all_inputs(
    parts: Sequence[Part], n_in: int, most: float, which: Callable[[ComponentProfile], InputFigures]
) -> InputFigures:
    """The inputs of all components in the order of the layer; what nothing listens to tells nothing."""
    each = [Figure.exact(0.0)] * n_in
    for inputs, profile in parts:
        for i, figure in zip(inputs, which(profile).each, strict=True):
            each[i] = figure.within(0.0, most)
    sums = [which(profile).sum for _, profile in parts]
    is_ei = bool(parts) and all(which(profile).times_ei == 1 for _, profile in parts)
    with_ei = sum(which(profile).with_ei for _, profile in parts)
    return InputFigures(each, total(sums), with_ei, times_ei=1 if is_ei else None)


def _outputs(
    binned: BinnedLayer, problems: Sequence[JointProblem], options: MeasureOptions, seed: int, ei: JointEI
) -> Method[tuple[InputFigures, int]]:
    """I(X; Y_j) of every output, and how many points that took; that of the only output is EI."""
    is_dense = binned.layer.kind == "dense"
    moves = binned.outputs_that_move() if is_dense else np.full(binned.layer.n_out, True)
    n_different = sum(len(one.component.outputs) for one in problems if one.component) if is_dense else len(moves)
    if n_different == 1:
        # Others that move are its copies, with the same error.
        figure, count = Figure.of_ei(ei), int(moves.sum())
        each = [figure if one else Figure.exact(0.0) for one in moves]
        return InputFigures(each, total(each, count * figure.stderr), count * figure.variance, times_ei=count), 0
    each, n_samples = yield from of_outputs(binned, options, seed)
    return InputFigures.independent(each), n_samples
