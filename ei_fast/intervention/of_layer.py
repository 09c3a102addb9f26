"""The one place that builds interventions: on a layer, on one of its components, or on a group of its neurons."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.do import Intervention
from ei_fast.intervention.drawn_inputs import DrawnInputs
from ei_fast.intervention.function import FunctionIntervention
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.components import Component

Neurons = NDArray[np.intp]


def intervention_on(
    binned: BinnedLayer,
    seed: int,
    *,
    inputs: Neurons | None = None,
    outputs: Neurons | None = None,
    drop: bool | None = None,
) -> Intervention:
    """do(L1 = H^max) on a layer as it stands, or, where its inputs have histograms, do(L1 = these).

    Parameters
    ----------
    binned : BinnedLayer
    seed : int
    inputs, outputs : ndarray of int, optional
        The neurons whose bins make up a cell, and the outputs that are watched; all where not given.
    drop : bool, optional
        Of a `Function`, whether to drop what leaves the range, in place of what the layer says. A dense layer drops
        what its step table drops.
    """
    build = _BUILDERS[binned.layer.kind]
    drop = binned.drop if drop is None else drop
    if binned.histograms is None:
        return build(binned, seed, inputs, outputs, drop)
    uniform = build(binned, seed, None, outputs, drop)
    return DrawnInputs(uniform, binned.histograms, seed=seed, place=(binned.index, 0), inputs=inputs)


def intervention_on_component(
    binned: BinnedLayer, component: Component, seed: int, inputs: Neurons | None = None
) -> DenseIntervention | DrawnInputs:
    """The intervention on a component of a dense layer; `inputs` of it are held in a bin inside a cell.

    Its step table is `joint_steps`, which clips where a layer that drops hardly ever does; a layer as it stands has
    its own.
    """
    steps, histograms = binned.joint_steps, binned.histograms
    place = (binned.index, int(component.inputs[0]))
    uniform = DenseIntervention(
        component.weight,
        component.bias,
        steps.of_outputs(component.outputs),
        in_range=binned.span,
        in_bins=binned.in_bins,
        seed=seed,
        place=place,
        drop=steps.drops,
        inputs=inputs if histograms is None else None,
    )
    if histograms is None:
        return uniform
    return DrawnInputs(uniform, histograms.of(component.inputs), seed=seed, place=place, inputs=inputs)


def _dense(
    binned: BinnedLayer, seed: int, inputs: Neurons | None, outputs: Neurons | None, drop: bool
) -> DenseIntervention:
    assert drop == binned.steps.drops
    whole = DenseIntervention(
        binned.weight,
        binned.bias,
        binned.steps,
        in_range=binned.span,
        in_bins=binned.in_bins,
        seed=seed,
        place=(binned.index, 0),
        drop=drop,
        inputs=inputs,
    )
    return whole if outputs is None or len(outputs) == whole.n_out else whole.restricted(outputs)


def _function(
    binned: BinnedLayer, seed: int, inputs: Neurons | None, outputs: Neurons | None, drop: bool
) -> FunctionIntervention:
    return FunctionIntervention(
        binned.function,
        in_range=binned.in_range,
        in_bins=binned.in_bins,
        out_range=binned.out_range,
        out_bins=binned.out_bins,
        seed=seed,
        place=(binned.index, 0),
        drop=drop,
        inputs=inputs,
        outputs=outputs,
    )


_BUILDERS: dict[str, Callable[..., Intervention]] = {"dense": _dense, "function": _function}
"""By the kind of a layer."""
