"""What was found of the inputs of one independent component."""

from collections.abc import Sequence
from dataclasses import dataclass

from ei_fast.measures.profile.figure import Figure, total


@dataclass(frozen=True)
class InputFigures:
    """Figures of every input of a component, and their sum.

    Attributes
    ----------
    each : sequence of Figure
        One for each input, bits.
    sum : Figure
        Of these; errors that inputs share are in its error.
    with_ei : float
        Covariance of the sum's error with that of EI, bits**2: not 0 only where both are from the same points.
    times_ei : int or None
        How many times EI the sum is, where it is nothing else; None otherwise.
    """

    each: Sequence[Figure]
    sum: Figure
    with_ei: float = 0.0
    times_ei: int | None = None

    @classmethod
    def independent(cls, each: Sequence[Figure]) -> "InputFigures":
        """Figures whose errors have nothing in common."""
        return cls(each, total(each))


@dataclass(frozen=True)
class ComponentProfile:
    """What the inputs of a component tell about its outputs.

    Attributes
    ----------
    alone, given : InputFigures
        I(X_i; Y), and I(X_i; Y | X_others).
    n_samples : int
        Points simulated for them, beside those of EI.
    ei_excess : float
        Bits that EI is too large by, as it was counted; see `Strata`.
    """

    alone: InputFigures
    given: InputFigures
    n_samples: int = 0
    ei_excess: float = 0.0
