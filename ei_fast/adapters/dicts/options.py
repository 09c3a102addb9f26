"""What a user may say about a dict of weights that its names do not tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, get_args

import numpy as np

from ei_fast.adapters.dicts.patterns import check_patterns

Layout = Literal["out_in", "in_out"]
Place = Literal["before", "after"]


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
    norm_eps : float, optional
        What batch norms add to the variance; the default of whoever names their entries so, where not given.
    chain : bool
        Whether layers feed each other, or each is measured by itself.
    layers : tuple of str, optional
        Patterns of names: only layers that one of them fits are read.
    """

    order: Sequence[str] | None = None
    prefix: str | None = None
    layout: Layout | None = None
    norm_place: Place | Mapping[str, Place] | None = None
    norm_eps: float | None = None
    chain: bool = True
    layers: tuple[str, ...] | None = None

    @property
    def norm_places(self) -> Mapping[str, Place]:
        """Places of batch norms that were given one by one."""
        return self.norm_place if isinstance(self.norm_place, Mapping) else {}

    @classmethod
    def checked(
        cls,
        order: Any = None,
        prefix: Any = None,
        layout: Any = None,
        norm_place: Any = None,
        norm_eps: Any = None,
        *,
        chain: Any = True,
        layers: Any = None,
    ) -> "DictOptions":
        """The options, or an error that names the one that is not allowed."""
        check_order(order)
        _check_chain(chain, {"order": order, "norm_place": norm_place, "norm_eps": norm_eps})
        if prefix is not None and not isinstance(prefix, str):
            raise TypeError(f"The 'prefix' parameter of as_network must be a string. Got {prefix!r} instead.")
        if prefix is not None and not prefix.strip("./"):
            raise ValueError("The 'prefix' parameter of as_network must be a name, as 'encoder'. Got none instead.")
        places = norm_place.values() if isinstance(norm_place, Mapping) else [norm_place]
        for name, value, allowed in (
            ("layout", layout, get_args(Layout)),
            *(("norm_place", place, get_args(Place)) for place in places),
        ):
            if value is not None and value not in allowed:
                rule = f"The {name!r} parameter of as_network must be one of {', '.join(map(repr, allowed))}"
                raise (ValueError if isinstance(value, str) else TypeError)(f"{rule}. Got {value!r} instead.")
        if norm_eps is not None:
            rule = "The 'norm_eps' parameter of as_network must be a finite number >= 0"
            if not isinstance(norm_eps, Real) or isinstance(norm_eps, bool):
                raise TypeError(f"{rule}. Got {norm_eps!r} instead.")
            if not 0 <= float(norm_eps) < float("inf"):
                raise ValueError(f"{rule}. Got {norm_eps!r} instead.")
        return cls(
            order,
            None if prefix is None else prefix.rstrip("./"),
            layout,
            norm_place,
            None if norm_eps is None else float(norm_eps),
            bool(chain),
            check_patterns(layers),
        )


def _check_chain(chain: Any, of_chains: Mapping[str, Any]) -> None:
    """Raise where `chain` is neither True nor False, or False beside what only a chain of layers has."""
    if not isinstance(chain, (bool, np.bool_)):
        raise TypeError(f"The 'chain' parameter of as_network must be True or False. Got {chain!r} instead.")
    given = [name for name, value in of_chains.items() if value is not None]
    if not chain and given:
        raise ValueError(
            f"The {given[0]!r} parameter of as_network is for layers that feed each other, and chain=False says that "
            "none does. Leave one of them out; layers= names those that are to be measured."
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
