"""The profile of a layer: EI, what each neuron tells, and the figures that are made of these."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from ei_fast.measures.joint.estimate import JointEI
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.profile.component import InputFigures
from ei_fast.measures.profile.constants import GIVEN_TOL
from ei_fast.measures.profile.figure import Figure, difference, ratio


@dataclass(frozen=True)
class LayerProfile:
    """What was found of a layer, in bits.

    Attributes
    ----------
    joint : JointEI
        EI, as `joint_ei` finds it.
    alone, given, outputs : InputFigures
        I(X_i; Y) and I(X_i; Y | X_others) of every input, I(X; Y_j) of every output.
    n_samples : int
        Points simulated, those of EI included.
    ei_excess : float
        Bits that EI may be too large by, beside its error; what is made of it may be wrong by so much.
    """

    joint: JointEI
    alone: InputFigures
    given: InputFigures
    outputs: InputFigures
    n_samples: int
    ei_excess: float = 0.0

    @cached_property
    def ei(self) -> Figure:
        """EI."""
        return Figure.of_ei(self.joint)

    @cached_property
    def synergy(self) -> Figure:
        """EI less the sum of what each input tells alone."""
        if self.alone.times_ei == 1:
            return Figure.exact(0.0)
        return difference(self._compared, self.alone.sum, self.alone.with_ei).within(0.0, max(self.ei.high, 0.0))

    @cached_property
    def redundancy_degree(self) -> Figure:
        """What the inputs tell alone, over EI: between 0 and 1, since they are independent."""
        return self._over_ei(self.alone, 0.0, 1.0)

    @cached_property
    def vulnerability_degree(self) -> Figure:
        """What each input tells once all others are known, over EI: between 1 and the number of inputs."""
        return self._over_ei(self.given, 1.0, float(max(len(self.given.each), 1)))

    @cached_property
    def output_redundancy_degree(self) -> Figure:
        """What all inputs tell about each output alone, over EI: between 0 and the number of outputs."""
        return self._over_ei(self.outputs, 0.0, float(len(self.outputs.each)))

    @property
    def _compared(self) -> Figure:
        return replace(self.ei, bias=self.ei.bias + self.ei_excess)

    def _over_ei(self, figures: InputFigures, least: float, most: float) -> Figure:
        if figures.times_ei is not None and self.ei.low > 0.0:
            return Figure.exact(float(figures.times_ei))
        return ratio(figures.sum, self._compared, figures.with_ei, (least, most))

    @property
    def undersampled(self) -> bool:
        """Whether any figure is known by bounds only."""
        sums: Sequence[Figure] = (self.alone.sum, self.given.sum, self.outputs.sum)
        return self.joint.undersampled or any(one.is_bracket for one in sums)

    def reaches(self, options: MeasureOptions) -> bool:
        """Whether the errors of EI, of both sums over inputs and of every output are as small as was aimed for."""
        ei, given = self.joint.value, self.given.sum
        return (
            self.joint.error <= options.tol_of(ei)
            and self.alone.sum.error <= options.tol * max(1.0, ei)
            and given.error <= options.tol * max(1.0, GIVEN_TOL * given.value)
            and all(one.error <= options.tol_of(one.value) for one in self.outputs.each)
        )
