"""What a user may say about a dict of weights that its names do not tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ei_fast.parameters import Number, OneOf

Layout = Literal["out_in", "in_out"]
Place = Literal["before", "after"]

_LAYOUT = OneOf(("out_in", "in_out"))
_PLACE = OneOf(("before", "after"))
_EPSILON = Number("a number >= 0", 0.0)
_OWNER = "as_network"

NORM_EPSILON = 1e-5
"""PyTorch's default, which a dict of weights does not hold."""


@dataclass(frozen=True)
class DictOptions:
    """How a dict of weights is read.

    Attributes
    ----------
    order : sequence of str, optional
        Names of the dense layers in the order in which they feed each other; a batch norm after one is taken in.
    prefix : str, optional
        Only the entries under this name are read.
    layout : "out_in" or "in_out", optional
        How weights are stored: (n_out, n_in), or (n_in, n_out); where not given names and biases tell.
    norm_place : "before" or "after", or mapping of str to them, optional
        Whether a batch norm of `order` stands before or after the activation of the layer it is named after.
    norm_eps : float
        What batch norms add to the variance.
    """

    order: Sequence[str] | None = None
    prefix: str | None = None
    layout: Layout | None = None
    norm_place: Place | Mapping[str, Place] | None = None
    norm_eps: float = NORM_EPSILON

    @classmethod
    def checked(
        cls, order: Any = None, prefix: Any = None, layout: Any = None, norm_place: Any = None, norm_eps: Any = None
    ) -> "DictOptions":
        """The options, or an error that names the one that is not allowed."""
        check_order(order)
        if prefix is not None and not isinstance(prefix, str):
            raise TypeError(f"The 'prefix' parameter of as_network must be a string. Got {prefix!r} instead.")
        if prefix is not None and not prefix.strip("./"):
            raise ValueError("The 'prefix' parameter of as_network must be a name, as 'encoder'. Got none instead.")
        if isinstance(norm_place, Mapping):
            norm_place = {name: _PLACE.checked("norm_place", one, _OWNER) for name, one in norm_place.items()}
        elif norm_place is not None:
            norm_place = _PLACE.checked("norm_place", norm_place, _OWNER)
        known_layout: Any = None if layout is None else _LAYOUT.checked("layout", layout, _OWNER)
        return cls(
            order,
            None if prefix is None else prefix.rstrip("./"),
            known_layout,
            norm_place,
            NORM_EPSILON if norm_eps is None else _EPSILON.checked("norm_eps", norm_eps, _OWNER),
        )


def check_order(order: Any) -> None:
    """Raise where `order` is neither None nor a sequence of names."""
    if order is None:
        return
    rule = "The 'order' parameter must be the names of the dense layers in order, as ['fc1', 'fc2']"
    if isinstance(order, str) or not isinstance(order, Sequence) or not all(isinstance(name, str) for name in order):
        raise TypeError(f"{rule}. Got {order!r} instead.")
    if not order:
        raise ValueError(f"{rule}. Got none instead.")
