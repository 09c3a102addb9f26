"""What a joint-EI method is asked to measure, and what a method is."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.do import Intervention
from ei_fast.intervention.of_layer import intervention_on, intervention_on_component
from ei_fast.intervention.rectangles import Rectangles
from ei_fast.measures.entropies.scored import surrogate_error
from ei_fast.measures.joint.estimate import JointEI
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import Method
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.components import Component

Neurons = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class JointProblem:
    """A map from inputs to outputs whose EI is asked for: a component of a dense layer, or a layer as it stands.

    Attributes
    ----------
    binned : BinnedLayer
    seed : int
    component : Component or None
        None stands for the layer as it stands.
    inputs : ndarray of int or None
        Of the component or layer: the group whose bins are told apart; every input moves. None stands for all.
    outputs : ndarray of int or None
        Of a layer as it stands: the group that is watched.
    """

    binned: BinnedLayer
    seed: int
    component: Component | None = None
    inputs: Neurons | None = None
    outputs: Neurons | None = None

    @cached_property
    def intervention(self) -> Intervention:
        """The intervention on it, from which samples come."""
        if self.component is not None:
            return intervention_on_component(self.binned, self.component, self.seed, self.inputs)
        return intervention_on(self.binned, self.seed, inputs=self.inputs, outputs=self.outputs)

    @cached_property
    def surrogate_error(self) -> float | None:
        """Bits by which Gaussian cross-entropies of a dense component are off at the most; None where not known."""
        assert isinstance(self.intervention, DenseIntervention)
        return surrogate_error(Rectangles(self.intervention, inside=False))

    @property
    def has_one_input(self) -> bool:
        """Whether it is a component of a dense layer with one input neuron."""
        return self.component is not None and len(self.component.inputs) == 1

    @property
    def is_an_edge(self) -> bool:
        """Whether it is one input's and one output's group in a dense layer, whose other inputs move as well."""
        groups = (self.inputs, self.outputs)
        return (
            self.component is None
            and self.binned.layer.kind == "dense"
            and all(group is not None and len(group) == 1 for group in groups)
        )


class JointChoice(Protocol):
    """A way to find the joint EI of a problem, which may go on to one of the `JointMethod` objects.

    Attributes
    ----------
    name : str
        In the `joint` parameter and in `LayerReport.joint_method`.
    by_component : bool
        Whether it is asked about the independent components of a dense layer, whose EI is added up, or about the layer.
    """

    name: str
    by_component: bool

    def refusal(self, problem: JointProblem) -> str | None:
        """Why the method is not open to the problem, and the remedy; None where it is."""

    def reason(self, problem: JointProblem, options: MeasureOptions) -> str:
        """What it would do with the problem and why, to follow the method's name; a small simulation at the most."""

    def cost(self, problem: JointProblem, options: MeasureOptions) -> float:
        """Points that it is expected to simulate; what else it does as so many points as take as long."""

    def estimate(self, problem: JointProblem, options: MeasureOptions) -> Method[JointEI]:
        """The EI, by stages."""


class JointMethod(JointChoice, Protocol):
    """A way to find the joint EI of a problem that results are called after; see docs/development/extending.md."""

    def explain(self, figures: Mapping[str, Any]) -> str:
        """How EI was found, given the figures of a layer's report by name; a sentence or two."""
