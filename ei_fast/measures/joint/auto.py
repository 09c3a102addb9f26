"""The joint EI: which method for which problem, and the sum over a layer's independent components."""

from collections import Counter
from dataclasses import replace

import numpy as np

from ei_fast.measures.cost import Cost
from ei_fast.measures.joint.annealed import Annealed
from ei_fast.measures.joint.conditional import Conditional
from ei_fast.measures.joint.counted_or_annealed import CountedOrAnnealed
from ei_fast.measures.joint.estimate import JointEI
from ei_fast.measures.joint.exact import Exact
from ei_fast.measures.joint.gaussian import Gaussian
from ei_fast.measures.joint.one_output import OneOutput
from ei_fast.measures.joint.plugin import PlugIn
from ei_fast.measures.joint.problem import JointChoice, JointMethod, JointProblem, Neurons
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Method
from ei_fast.network.binned import BinnedLayer

METHODS: dict[str, JointMethod] = {
    method.name: method for method in (Exact(), Conditional(), PlugIn(), Gaussian(), Annealed())
}
"""By the name in `LayerReport.joint_method`. A new one is a line here: see docs/development/extending.md."""

_AUTO: tuple[JointChoice, ...] = (METHODS["exact"], CountedOrAnnealed(), METHODS["conditional"])
"""What is tried in this order."""
_AUTO_OF_SEVERAL: tuple[JointChoice, ...] = (_AUTO[0], OneOutput(), *_AUTO[1:])
"""The same for a component of several, whose errors add up: a depthwise convolution has one for each channel."""


def joint_ei(
    binned: BinnedLayer,
    options: MeasureOptions,
    seed: int,
    inputs: Neurons | None = None,
    outputs: Neurons | None = None,
) -> Method[JointEI]:
    """EI = I(X; Y) under do(X = H^max), in bits (Mattsson et al. 2020, section 2.2).

    Parameters
    ----------
    binned : BinnedLayer
    options : MeasureOptions
        What to aim for; shared out over the components that are sampled.
    seed : int
    inputs, outputs : ndarray of int, optional
        Groups of neurons A, B for the group EI I(X_A; Y_B): every input still moves.

    Returns
    -------
    JointEI

    Raises
    ------
    ValueError
        Where the method that was asked for is not open to a component.

    Notes
    -----
    What is decided, in this order:

    1. ``joint="plugin"`` counts the joint states of the layer, or of the groups, as they stand. Where more than a tenth
       of the samples are in states seen once, the interval is that of "auto".
    2. One edge of a dense layer is exact: its entry of EI_parts.
    3. Where samples are dropped and an output is outside its range whatever the input, EI is undefined (NaN).
    4. A dense layer is split into components that share no neuron; outputs that stay in one bin, repeated outputs and
       inputs that nothing listens to are left out. The EI of the components adds up, and `tol` is shared out.
    5. A component with one input is exact: its outputs are step functions of one number.
    6. Under "auto" one of several components that has one output is exact to 1e-8 bits, where its cells are few or the
       entropy inside them is smooth enough, and no number of points is given: channels of a depthwise convolution.
    7. Any other goes to the method that was asked for. "auto" counts, as "conditional" does: every input cell is
       visited where the cells are few (4,096, and fewer where points are given), otherwise cells are drawn.
    8. Where counting does not resolve both entropies, "auto" anneals: each entropy, or H(Y) alone where H(Y | X)
       is counted to within `tol`. The result is "gaussian" where the Gaussian's own error is known to be the smaller
       one (three inputs an output at least), and annealed states, where the work allows any, do not contradict it.
    9. Functions, dropped samples, states that are not intervals of the pre-activation, and layers too wide for the
       effort have bounds only: EI is bracketed, and the result is undersampled.
    """
    asked = METHODS.get(options.joint)
    layer = JointProblem(binned, seed, inputs=inputs, outputs=outputs)
    if asked is not None and not asked.by_component:
        return (yield from _as_it_stands(asked, layer, options))
    if layer.is_an_edge:
        return (yield from METHODS["exact"].estimate(layer, options))
    if binned.layer.kind == "dense" and _never_kept(binned, outputs):
        return JointEI.undefined(0, "exact")
    return (yield from _of_components(layer, options))


def _of_components(layer: JointProblem, options: MeasureOptions) -> Method[JointEI]:
    """The sum over independent components, each by the method that is open to it."""
    chosen, share = shared_out(layer, options)
    estimates = yield tuple(method.estimate(problem, share) for method, problem in chosen)
    return JointEI.sum(estimates, layer.binned.ceiling(layer.inputs, layer.outputs))


def shared_out(
    layer: JointProblem, options: MeasureOptions
) -> tuple[list[tuple[JointChoice, JointProblem]], MeasureOptions]:
    """Components with the method for each, exact ones first, in the order of the sum; and the options for each."""
    problems = components(layer)
    chosen = [(chosen_method(problem, options, len(problems) > 1), problem) for problem in problems]
    chosen.sort(key=lambda pair: pair[0].name != "exact")
    return chosen, options.shared_by(sum(method.name != "exact" for method, _ in chosen))


def joint_cost(binned: BinnedLayer, options: MeasureOptions) -> Cost:
    """What `joint_ei` is expected to take for a layer: the sum over its components, by the method chosen for each."""
    layer = JointProblem(binned, 0)
    asked = METHODS.get(options.joint)
    if asked is not None and not asked.by_component:
        return _cost_of(asked, layer, options)
    if binned.layer.kind == "dense" and _never_kept(binned, None):
        return Cost()
    chosen, share = shared_out(layer, options)
    return Cost.sum(_cost_of(method, problem, share) for method, problem in chosen)


def _cost_of(method: JointChoice, problem: JointProblem, options: MeasureOptions) -> Cost:
    points = method.cost(problem, options)
    return Cost.of_points(points, problem.intervention.work) if points else Cost()


def explain_choice(binned: BinnedLayer, options: MeasureOptions, seed: int = 0) -> str:
    """Which methods `joint_ei` would use for a layer and why, without measuring it."""
    layer = JointProblem(binned, seed)
    asked = METHODS.get(options.joint)
    if asked is not None and not asked.by_component:
        return f"{asked.name}: {asked.reason(layer, options)}"
    if binned.layer.kind == "dense" and _never_kept(binned, None):
        return "undefined: an output is outside its range, and dropped, whatever the input"
    chosen, share = shared_out(layer, options)
    reasons = Counter(f"{method.name}: {method.reason(problem, share)}" for method, problem in chosen)
    if not reasons:
        return "exact: no output leaves its bin"
    if len(chosen) == 1:
        return next(iter(reasons))
    return "; ".join(f"{count} of {len(chosen)} components {reason}" for reason, count in reasons.items())


def chosen_method(problem: JointProblem, options: MeasureOptions, is_one_of_several: bool = False) -> JointChoice:
    """The method for a component, or for a layer as it stands: exact where that is possible, else as asked for."""
    auto = _AUTO_OF_SEVERAL if is_one_of_several else _AUTO
    methods: tuple[JointChoice, ...] = auto if options.joint == "auto" else (METHODS["exact"], METHODS[options.joint])
    refusals = []
    for method in methods:
        refusal = method.refusal(problem)
        if refusal is None:
            return method
        refusals.append(refusal)
    raise ValueError(f"{problem.binned.title}: {refusals[-1]}")


def _as_it_stands(method: JointMethod, layer: JointProblem, options: MeasureOptions) -> Method[JointEI]:
    """By a method that takes a layer, or groups of it, as it stands; undersampled, the interval is that of "auto"."""
    estimate = yield from method.estimate(layer, options)
    if estimate.is_undefined:
        return estimate
    bounds = estimate
    if estimate.undersampled:
        bounds = yield from joint_ei(
            layer.binned, replace(options, joint="auto"), layer.seed, layer.inputs, layer.outputs
        )
    ceiling = layer.binned.ceiling(layer.inputs, layer.outputs)
    low, high = (min(max(end, 0.0), ceiling) for end in (bounds.low, bounds.high))
    return replace(estimate, value=max(estimate.value, 0.0), low=low, high=high, bounds=bounds.bounds)


def _never_kept(binned: BinnedLayer, outputs: Neurons | None) -> bool:
    """Whether an output that is watched is outside its range, and to be dropped, whatever the input."""
    never_kept = binned.outputs_never_kept()
    return bool(never_kept.size if outputs is None else np.isin(outputs, never_kept).any())


def components(layer: JointProblem) -> list[JointProblem]:
    """The independent components of a dense layer that hold any input of the group; a `Function` as it stands."""
    if layer.binned.layer.kind == "function":
        return [layer]
    problems = []
    for component in layer.binned.components(layer.outputs):
        n_in = len(component.inputs)
        inputs = np.arange(n_in) if layer.inputs is None else np.flatnonzero(np.isin(component.inputs, layer.inputs))
        if inputs.size:
            problems.append(JointProblem(layer.binned, layer.seed, component, inputs))
    return problems
