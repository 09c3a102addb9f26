"""Names that a user gives to the layers of a network, instead of those that its model has for them."""

from collections.abc import Sequence
from typing import Any

from ei_fast.network.network import Network

_NO_NUMBERS = "its values are no numbers for all that layer {!r} can reach"
_RULE = "The 'names' parameter of as_network must be a sequence of different strings, one a layer"


def check_names(names: Any) -> tuple[str, ...]:
    """Return the names, or say why they can be none of layers."""
    if isinstance(names, (str, bytes)) or not isinstance(names, Sequence):
        raise TypeError(f"{_RULE}. Got {names!r} instead. Give a list of them.")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{_RULE}. Got {name!r} among them. Give a string for each layer.")
        if not name.strip():
            raise ValueError(f"{_RULE}. Got {name!r} among them. Give each layer a name that is not empty.")
    twice = next((name for k, name in enumerate(names) if name in names[:k]), None)
    if twice is not None:
        raise ValueError(f"{_RULE}. Got {twice!r} twice. Give each layer a name of its own.")
    return tuple(names)


def renamed(network: Network, names: Sequence[str]) -> Network:
    """The same network with other names of its layers, also where the reasons of what was skipped tell of them.

    Raises
    ------
    ValueError
        Where there are more or fewer layers than names.
    """
    if len(names) != len(network):
        found = ", ".join(repr(layer.name) for layer in network)
        raise ValueError(
            f"{_RULE}. Got {len(names)} names for {len(network)} layers. Give one for each of {found}, in this order."
        )
    pairs = list(zip(network, names, strict=True))
    layers = [layer.named(name) for layer, name in pairs]
    new = {str(layer.name): name for layer, name in pairs}
    skipped = [(_skipped(name, new), _renamed(reason, new)) for name, reason in network.skipped]
    notes = [(new.get(name, name), note) for name, note in network.notes]
    return Network(layers, network.in_range, network.restarts, skipped=skipped, notes=notes)


def _skipped(name: str, new: dict[str, str]) -> str:
    inside = name.removeprefix("in ")
    return f"in {new[inside]}" if inside != name and inside in new else name


def _renamed(reason: str, new: dict[str, str]) -> str:
    """What is said of a skipped operation, with the new names of the layers around it."""
    parts = []
    for part in reason.split("; "):
        for old, name in new.items():
            if part in (f"layer {old!r} is measured without it", _NO_NUMBERS.format(old)):
                part = part.replace(repr(old), repr(name))
                break
            begins = f"the inputs of {old!r} after it"
            if part.startswith(begins):
                part = f"the inputs of {name!r} after it{part.removeprefix(begins)}"
                break
        parts.append(part)
    return "; ".join(parts)
