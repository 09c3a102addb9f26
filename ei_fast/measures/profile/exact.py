"""Inputs of components that need no sample: a single input, and inputs of a single output."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.joint.estimate import JointEI
from ei_fast.measures.joint.one_output import one_output_ei
from ei_fast.measures.joint.problem import JointProblem
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.profile.component import ComponentProfile, InputFigures
from ei_fast.measures.profile.constants import MOST_EXACT_INPUTS
from ei_fast.measures.profile.figure import Figure
from ei_fast.measures.stages import InThreads, Method


def of_one_input(ei: JointEI) -> ComponentProfile:
    """Both figures of the only input are EI."""
    figure = Figure.of_ei(ei)
    figures = InputFigures([figure], figure, figure.variance, times_ei=1)
    return ComponentProfile(figures, figures)


def has_one_output(problem: JointProblem, options: MeasureOptions) -> bool:
    """Whether it is a component of a dense layer with one output, whose inputs' figures may be exact."""
    component = problem.component
    if component is None or len(component.outputs) > 1 or options.n_samples is not None:
        return False
    return len(component.inputs) <= MOST_EXACT_INPUTS


def of_one_output(problem: JointProblem, parts: NDArray[np.float64]) -> Method[ComponentProfile | None]:
    """Of the inputs of a single output: EI_parts, and EI less what all others tell; None where that is not smooth.

    Parameters
    ----------
    problem : JointProblem
    parts : ndarray (n_out, n_in)
        EI_parts of the layer, as of `EdgeParts`.
    """
    component = problem.component
    assert component is not None
    whole, n_in = one_output_ei(problem), len(component.inputs)
    if whole is None:
        return None

    def of_others(i: int) -> JointEI | None:
        return one_output_ei(replace(problem, inputs=np.delete(np.arange(n_in), i)))

    others = yield InThreads(lambda threads: threads.map(of_others, range(n_in)))
    if any(one is None for one in others):
        return None
    alone = [Figure.exact(float(bits)) for bits in parts[component.outputs[0], component.inputs]]
    given = [Figure.exact(max(whole.value - one.value, 0.0)) for one in others]
    return ComponentProfile(InputFigures.independent(alone), InputFigures.independent(given))
