"""Which entries of a dict are weights of dense layers by their names, and what else there is, in words."""

import re
from collections.abc import Mapping
from typing import Any

from ei_fast.adapters.dicts.beside import adapted_layer, refusal_of, stored_otherwise
from ei_fast.adapters.dicts.contents import Contents, Dense
from ei_fast.adapters.dicts.found import is_weight
from ei_fast.adapters.dicts.layouts import NamedWeight
from ei_fast.adapters.dicts.naming import last_part, module_of
from ei_fast.adapters.dicts.values import shape_of, type_of

# The last part of a name, and whether such weights are stored as (n_out, n_in).
_PARTS = {"weight": True, "kernel": False, "embedding": False, "embeddings": False}
_NORM = "a batch norm, which is taken into a layer where order= names both"
_VECTOR = "a vector or a number: the scale and shift of a norm, a bias or the like"
_INTEGERS = "integers, and no weights by their name"


def named_weights(entries: Mapping[str, Any]) -> dict[str, NamedWeight]:
    """By the names of layers, all 2-D entries that are called as weights are."""
    found: dict[str, NamedWeight] = {}
    for key, value in entries.items():
        last = last_part(key)
        if not is_weight(value) or adapted_layer(key) is not None or stored_otherwise(key) is not None:
            continue
        if re.fullmatch(r"w\d+", key):
            one = NamedWeight(f"layer{key[1:]}", key, f"b{key[1:]}", False)
        elif last in _PARTS:
            begin = key[: -len(last)]
            name = re.sub(r"[./]base_layer$", "", begin.rstrip("./")) or last
            one = NamedWeight(key if name in found else name, key, f"{begin}bias", _PARTS[last])
        else:
            continue
        found[one.name] = one
    return found


def unnamed_weights(entries: Mapping[str, Any], contents: Contents) -> dict[str, NamedWeight]:
    """All other 2-D entries of floating-point numbers that belong to no layer: their names say no layout."""
    known = {key for norm in contents.norms.values() for key in norm.keys.values()} | set(contents.owners)
    stored = {found[0] for found in map(stored_otherwise, entries) if found is not None}
    return {
        key: NamedWeight(key, key, re.sub(r"weight$", "bias", key) if key.endswith("weight") else f"{key}_bias", None)
        for key, value in entries.items()
        if key not in known
        and is_weight(value)
        and last_part(key) not in (*_PARTS, "bias")
        and module_of(key) not in stored
        and adapted_layer(key) is None
        and stored_otherwise(key) is None
        and not _is_of_integers(value)
    }


def as_contents(entries: dict[str, Any], weights: Mapping[str, NamedWeight], norms: Mapping[str, Any]) -> Contents:
    """The contents of a dict with these weights, so that what stands beside each is known."""
    dense = {name: Dense(one.weight, one.bias, bool(one.out_in)) for name, one in weights.items()}
    return Contents(entries, dense, dict(norms))


def others_in(contents: Contents, known: set[str]) -> dict[str, str]:
    """Name and reason of all that is neither a weight nor belongs to one."""
    found = dict.fromkeys(contents.norms, _NORM)
    of_norms = {key for norm in contents.norms.values() for key in norm.keys.values()}
    rest = [key for key in contents.entries if key not in {*known, *of_norms, *contents.owners}]
    # Of a convolution the kernel says what it is, and not its bias.
    for key in sorted(rest, key=lambda key: -len(shape_of(contents.entries[key]))):
        stored = stored_otherwise(key)
        name = stored[0] if stored else module_of(key)
        found.setdefault(name, refusal_of(key) or _what_it_is(contents.entries[key]))
    order = {name: k for k, name in enumerate(dict.fromkeys(map(module_of, contents.entries)))}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def _what_it_is(value: Any) -> str:
    shape = shape_of(value)
    if len(shape) < 2 or not all(shape):
        return _VECTOR
    if len(shape) == 2 or _is_of_integers(value):
        return _INTEGERS
    return (
        f"of shape {shape}, and not 2-D: of a convolution, experts, positions or the like. Which outputs read which "
        "inputs is told by the model, not by its weights"
    )


def _is_of_integers(value: Any) -> bool:
    return type_of(value).startswith(("int", "uint", "bool", "complex"))
