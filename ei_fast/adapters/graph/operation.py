"""What an operation says of itself: which part it has in a layer, what follows from it, and why it is none by itself.

A value has one row for each row of the input; what comes after is the shape of a sample. To add an operation is to add
a class beside those in this folder: an adapter that meets it in its framework makes one of it, and
`ei_fast.adapters.assemble` asks it what follows.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import ClassVar, Protocol

from ei_fast.adapters.graph.view import Array, View
from ei_fast.network.bins import Ranges


class Role(StrEnum):
    """What part an operation has in a layer."""

    STARTS = "starts a layer"
    REARRANGES = "gives values another shape or order"
    FOLDS = "is taken into the weights of the layer beside it"
    ACTIVATES = "is the activation of the layer before it"
    POOLS = "makes one value of several places of the convolution before it"
    OPAQUE = "is part of no layer"
    WITHIN = "is what happens between the layers of a recurrent cell, or brings values to one or from it"


class Followed(Protocol):
    """A map that operations follow, as the next of them finds it.

    Attributes
    ----------
    start : Start
        The map.
    with_pools : bool
        Whether it may end in a pool.
    shape : tuple of int
        Of a sample of the value whose neurons or channels are the outputs: the map's, or its pool's.
    view : View
        How what the next operation reads comes from that value.
    """

    start: "Start"
    with_pools: bool
    shape: tuple[int, ...]
    view: View


class Operation:
    """What is done to one value, or to several.

    Attributes
    ----------
    role : Role
    alone : str
        Why it is no layer by itself.
    """

    role: ClassVar[Role]
    alone: ClassVar[str] = ""

    @property
    def is_by_row(self) -> bool:
        """Whether it does the same to every row, also where other axes of a sample stand with the rows."""
        return False

    @property
    def of_number(self) -> Callable[..., Array] | None:
        """What it makes of each number, or of those in the same place; None where it is not done number by number."""
        return None

    @property
    def is_product(self) -> bool:
        """Whether it multiplies what it reads with each other and adds up: a number before it is a part of that."""
        return False

    def why_alone(self, name: str, n_reads: int, has_blocks: bool) -> str:
        """Why it is skipped, and what to do where parts of the model can be measured as blocks."""
        return self.alone + (": name what holds it in 'blocks' to measure it" if has_blocks else "")

    def seen(self, view: View, shape: tuple[int, ...]) -> View | None:
        """The value that it makes of the one in view, `shape` being that of a sample; None if it hides that."""
        return None

    def range_of(self, place: int, reads: Sequence[int], of: Callable[[int], Ranges]) -> Ranges | None:
        """The range of the value that it writes at this place; None where that is not known beforehand.

        Parameters
        ----------
        reads : sequence of int
            Numbers of what it reads.
        of : callable
            Gives the range of a value by its number.
        """
        return None

    def as_step(self, followed: Followed) -> "Step | None":
        """What it does to each neuron or channel of the map that it follows; None if nothing of the kind."""
        return None


class Start(Operation):
    """An operation that starts a layer: a map with neurons or channels of its own.

    Attributes
    ----------
    axis : int
        Of a sample of what it gives, along which these are.
    """

    role = Role.STARTS
    axis: int = -1

    @property
    def n_in(self) -> int:
        """Number of inputs."""
        raise NotImplementedError

    def entered(self, view: View, here: View) -> "tuple[View, Start] | None":
        """Where the layer begins, and the map with what is on the way folded in; None where it cannot be a layer.

        Parameters
        ----------
        view : View
            What the map reads, as it comes from the end of an earlier layer.
        here : View
            The same, as it is.
        """
        raise NotImplementedError


class Step(Operation):
    """An operation that can become part of a layer, behind the map that starts it."""


def no_layer(name: str, n_reads: int, has_blocks: bool = True) -> str:
    """Why a function of so many values is skipped."""
    what = f"{name} of {n_reads} values" if n_reads > 1 else name
    remedy = "; name the module that holds it in 'blocks' to measure it as one map" if has_blocks else ""
    return f"{what} is no dense layer{remedy}"
