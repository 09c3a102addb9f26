"""By how much EI changes without each input, output or edge of a layer."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.ablation.counted import Changes, SharedSamples
from ei_fast.measures.ablation.variants import NOTHING, Variants, What, lacking
from ei_fast.measures.constants import INPUTS_AN_OUTPUT, Z95
from ei_fast.measures.joint.auto import joint_ei
from ei_fast.measures.joint.estimate import EXACT, JointEI
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import run_here
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.components import Component, connected
from ei_fast.runtime.threads import Threads

SHARED = "shared samples"
UNRESOLVED = "none"
GAUSSIAN = "gaussian"
TOL_ALONE = 1.5
"""By how much the aim is relaxed where each layer is measured by itself: they are many."""
_BY_SAMPLES = ("auto", "conditional")


@dataclass(frozen=True, eq=False)
class AblationProblem:
    """A layer, and how it is measured without some of its neurons or edges.

    Attributes
    ----------
    binned : BinnedLayer
        A dense layer that is clipped.
    value : float
        What stands in place of an input, or of what an edge passes on.
    options : MeasureOptions
    seed : int
    threads : Threads
    """

    binned: BinnedLayer
    value: float
    options: MeasureOptions
    seed: int
    threads: Threads

    def joint(self, component: Component) -> JointEI:
        """EI of a component of the whole layer."""
        return run_here(joint_ei(self.binned, self.options, self.seed, outputs=component.outputs), self.threads)


def ei_changes(problem: AblationProblem, what: What) -> tuple[Changes, NDArray[np.str_]]:
    """By how much EI changes without each of `what`, and how that was found.

    That is EXACT, SHARED, a method of `joint_ei`, or UNRESOLVED. Only the connected component changes that lacks
    something. What is exact is measured so. Otherwise all layers have samples in common, where these resolve the
    states; where they do not, each is measured by itself, by the Gaussian where its error is known to be small, or by
    the method that was asked for.
    """
    weight = problem.binned.weight
    n_in, n_out = weight.shape
    variants = Variants.all_of(what, n_in, n_out)
    found, methods = Changes.none(len(variants)), np.full(len(variants), EXACT, dtype="<U16")
    for component in connected(weight, problem.binned.bias, 0, np.arange(n_out)):
        places = _places_in(component, variants, weight)
        if what == "outputs":
            # An output that stays in its bin tells nothing.
            places = places[problem.binned.outputs_that_move()[places]]
        if len(places):
            changes, method = _of_component(problem, component, variants.at(places))
            found.put(places, changes)
            methods[places] = method
    return found, methods


def _places_in(component: Component, variants: Variants, weight: NDArray[np.float64]) -> NDArray[np.intp]:
    """Which of the layers lack something of a component; an edge of weight 0 is nothing."""
    is_edge = (variants.inputs != NOTHING) & (variants.outputs != NOTHING)
    concerned = np.where(
        variants.inputs != NOTHING,
        np.isin(variants.inputs, component.inputs),
        np.isin(variants.outputs, component.outputs),
    )
    return np.flatnonzero(concerned & ~(is_edge & (weight[variants.inputs, variants.outputs] == 0.0)))


def _of_component(problem: AblationProblem, component: Component, variants: Variants) -> tuple[Changes, str]:
    binned, options = problem.binned, problem.options
    moves = binned.outputs_that_move()[component.outputs].any()
    if options.joint not in _BY_SAMPLES or len(component.inputs) == 1 or not moves:
        whole = problem.joint(component)
        return _separately(problem, component, variants, whole), whole.method
    samples = SharedSamples(binned, component, problem.seed, replace(binned, baseline=problem.value).baselines)
    within = Variants(_within(component.inputs, variants.inputs), _within(component.outputs, variants.outputs))
    found = samples.changes(within, options.tol, options.effort, problem.threads)
    if found is not None:
        return found, SHARED
    if options.joint == "conditional" or len(component.inputs) < INPUTS_AN_OUTPUT * len(component.outputs):
        nan = np.full(len(variants), np.nan)
        return Changes(nan, nan, nan, nan, np.zeros(len(variants), dtype=bool)), UNRESOLVED
    problem = replace(problem, options=replace(options, joint=GAUSSIAN, tol=TOL_ALONE * options.tol))
    return _separately(problem, component, variants, problem.joint(component)), GAUSSIAN


def _within(neurons: NDArray[np.intp], numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of neurons of the layer as those within a component, whose neurons rise."""
    places = np.searchsorted(neurons, numbers).astype(np.int64)
    return np.where(numbers == NOTHING, NOTHING, places)


def _separately(problem: AblationProblem, component: Component, variants: Variants, whole: JointEI) -> Changes:
    """Each layer measured by itself, with the same seed; the errors are taken to be independent."""
    threads = problem.threads

    def measured(k: int) -> JointEI:
        one = lacking(problem.binned, variants.inputs[k : k + 1], variants.outputs[k : k + 1], problem.value)
        return run_here(joint_ei(one, problem.options, problem.seed, outputs=component.outputs), threads)

    ones = threads.map(measured, range(len(variants)), title="layers without")
    values, stderrs, lows, highs = (
        np.array([getattr(one, name) for one in ones]) for name in ("value", "stderr", "low", "high")
    )
    bracketed = np.array([one.undersampled or whole.undersampled for one in ones])
    change, stderr = values - whole.value, np.hypot(stderrs, whole.stderr)
    biases = [
        np.maximum(reach - Z95 * one, 0.0)
        for reach, one in (
            (values - lows, stderrs),
            (highs - values, stderrs),
            (whole.value - whole.low, whole.stderr),
            (whole.high - whole.value, whole.stderr),
        )
    ]
    low, high = change - Z95 * stderr - biases[0] - biases[3], change + Z95 * stderr + biases[1] + biases[2]
    return Changes(
        change,
        np.where(bracketed, np.nan, stderr),
        np.where(bracketed, lows - whole.high, low),
        np.where(bracketed, highs - whole.low, high),
        bracketed,
    )
