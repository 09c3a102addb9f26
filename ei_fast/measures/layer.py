"""All measures of a layer."""

from dataclasses import dataclass

from ei_fast.measures.cost import Cost
from ei_fast.measures.edges.auto import edge_cost, edge_measure, pairwise_method
from ei_fast.measures.edges.estimate import EdgeEstimate
from ei_fast.measures.joint.auto import joint_cost, joint_ei
from ei_fast.measures.joint.estimate import JointEI
from ei_fast.measures.occupancy import Occupancy
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.quantities import EDGE_MEASURES
from ei_fast.measures.stages import InThreads, Method, Named
from ei_fast.network.binned import BinnedLayer

MEASURES_OF_LAYER = ("joint", *EDGE_MEASURES)
"""What is measured of a layer, each on its own."""


@dataclass(frozen=True, eq=False)
class LayerMeasures:
    """What is measured of a layer.

    Attributes
    ----------
    joint : JointEI
    sensitivity, ei_parts : EdgeEstimate
    pairwise_method : str
        ``"exact"``, ``"sampled"``, ``"histogram"`` or ``"none"``.
    occupancy : Occupancy
        How its outputs fill their range.
    """

    joint: JointEI
    sensitivity: EdgeEstimate
    ei_parts: EdgeEstimate
    pairwise_method: str
    occupancy: Occupancy


def one_measure(
    binned: BinnedLayer, measure: str, options: MeasureOptions, seed: int
) -> Method[JointEI | EdgeEstimate]:
    """One of `MEASURES_OF_LAYER`."""
    if measure == "joint":
        return joint_ei(binned, options, seed)
    return edge_measure(binned, measure, options, seed)


def measure_cost(binned: BinnedLayer, measure: str, options: MeasureOptions) -> Cost:
    """What one of `MEASURES_OF_LAYER` is expected to take."""
    return joint_cost(binned, options) if measure == "joint" else edge_cost(binned, measure, options)


def measure_layer(binned: BinnedLayer, options: MeasureOptions, seed: int) -> Method[LayerMeasures]:
    """All measures of a layer, which do not depend on each other."""
    joint, sensitivity, ei_parts = yield tuple(
        Named(name, one_measure(binned, name, options, seed)) for name in MEASURES_OF_LAYER
    )
    # What a report asks for in any case.
    yield InThreads(binned.know_marginals)
    return LayerMeasures(
        joint=joint,
        sensitivity=sensitivity,
        ei_parts=ei_parts,
        pairwise_method=pairwise_method(binned, options),
        occupancy=Occupancy(binned, seed, options.n_samples),
    )
