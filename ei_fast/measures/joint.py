"""The joint EI of a layer: its independent parts, each by the best method there is, added up."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.do import DenseIntervention, FunctionIntervention, Intervention
from ei_fast.measures.conditional import Plan, conditional_ei
from ei_fast.measures.entropy import MIN_COVERAGE, estimator_named
from ei_fast.measures.estimate import JointEI
from ei_fast.measures.plugin import DEFAULT_POINTS, counted_ei
from ei_fast.measures.single_input import exact_ei
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.layer import Function
from ei_fast.runtime.threads import Workers


def joint_ei(
    binned: BinnedLayer,
    seed: int,
    plan: Plan,
    workers: Workers,
    method: str = "auto",
    inputs: NDArray[np.intp] | None = None,
    outputs: NDArray[np.intp] | None = None,
) -> JointEI:
    """EI = I(X; Y) under do(X = H^max), in bits (Mattsson et al. 2020, section 2.2).

    Parameters
    ----------
    plan : Plan
        What to aim for; shared out over the parts that are sampled.
    method : str
        ``"plugin"`` counts joint states; its figure stays as counted, and where they are undersampled the
        interval is the conditional estimator's.
    inputs, outputs : ndarray of int, optional
        Subsets of neurons A, B for the group EI I(X_A; Y_B): every input still moves.
    """
    if method == "plugin":
        return _counted(binned, seed, plan, workers, inputs, outputs)
    ceiling = binned.ceiling(inputs, outputs)
    if isinstance(binned.layer, Function):
        function = FunctionIntervention(
            binned.layer,
            binned.in_range,
            binned.in_bins,
            binned.out_range,
            binned.out_bins,
            seed,
            (binned.index, 0),
            binned.drop,
            inputs,
            outputs,
        )
        # Somebody else's code need not be safe to run in several threads.
        return JointEI.sum([conditional_ei(function, plan, workers.alone())], ceiling)
    never_kept = binned.outputs_never_kept()
    if never_kept.size if outputs is None else np.isin(outputs, never_kept).any():
        return JointEI.undefined(0)
    exact, sampled, steps = [], [], binned.joint_steps
    for part in binned.components(outputs):
        held = np.arange(len(part.inputs)) if inputs is None else np.flatnonzero(np.isin(part.inputs, inputs))
        if not held.size:
            continue
        if len(part.inputs) == 1:
            exact.append(exact_ei(binned, part))
            continue
        intervention = DenseIntervention(
            part.weight,
            part.bias,
            steps.of_outputs(part.outputs),
            binned.span,
            binned.in_bins,
            seed,
            (binned.index, int(part.inputs[0])),
            steps.drops,
            held,
        )
        sampled.append(intervention)
    share = plan.shared(len(sampled))
    return JointEI.sum(exact + [conditional_ei(one, share, workers) for one in sampled], ceiling)


def _counted(
    binned: BinnedLayer,
    seed: int,
    plan: Plan,
    workers: Workers,
    inputs: NDArray[np.intp] | None,
    outputs: NDArray[np.intp] | None,
) -> JointEI:
    all_in = inputs is None or len(inputs) == binned.layer.n_in
    all_out = outputs is None or len(outputs) == binned.layer.n_out
    if not (all_in and all_out):
        raise ValueError(
            "joint='plugin' counts the states of all inputs with those of all outputs. Got a group of "
            f"{binned.layer.n_in if inputs is None else len(inputs)} of {binned.layer.n_in} inputs and "
            f"{binned.layer.n_out if outputs is None else len(outputs)} of {binned.layer.n_out} outputs; "
            "use joint='auto'."
        )
    layer, place = binned.layer, (binned.index, 0)
    if isinstance(layer, Function):
        workers = workers.alone()
        do: Intervention = FunctionIntervention(
            layer, binned.in_range, binned.in_bins, binned.out_range, binned.out_bins, seed, place, binned.drop
        )
    else:
        do = DenseIntervention(
            binned.weight, binned.bias, binned.steps, binned.span, binned.in_bins, seed, place, binned.drop
        )
    n = plan.n_samples or DEFAULT_POINTS
    estimator = estimator_named("plugin") if plan.estimator.sees_unseen else plan.estimator
    counted, coverage = counted_ei(do, n, estimator, workers)
    if counted.is_undefined:
        return counted
    undersampled = coverage < MIN_COVERAGE
    bounds = joint_ei(binned, seed, plan, workers) if undersampled else counted
    low, high = (min(max(end, 0.0), binned.ceiling()) for end in (bounds.low, bounds.high))
    return replace(
        counted, value=max(counted.value, 0.0), low=low, high=high, method="plugin", undersampled=undersampled
    )
