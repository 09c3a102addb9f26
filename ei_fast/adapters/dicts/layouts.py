"""Whether weights that are measured by themselves are stored as (n_out, n_in) or (n_in, n_out)."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ei_fast.adapters.dicts.naming import last_part
from ei_fast.adapters.dicts.values import shape_of


class NamedWeight(NamedTuple):
    """A weight as its name has it: the layer, the entries, and whether such a name says (n_out, n_in)."""

    name: str
    weight: str
    bias: str
    out_in: bool | None


def layouts_of(
    weights: Mapping[str, NamedWeight], entries: Mapping[str, Any], given: str | None
) -> dict[str, tuple[bool | None, str]]:
    """By name, whether a weight is stored as (n_out, n_in), and what is to be known of that; None where nothing tells.

    A bias tells it of a weight that is not square. Else others of the same name in other blocks do, such as c_proj of
    GPT-2; else what the name says, ``weight`` or ``kernel``, unless biases say otherwise of other weights of the dict.
    """
    told = {name: _as_bias_tells(one, entries) for name, one in weights.items()}
    of_kind: dict[str, set[bool]] = {}
    for name, tells in told.items():
        if tells is not None:
            of_kind.setdefault(_kind(name), set()).add(tells)
    against = {weights[name].out_in: name for name, tells in told.items() if tells not in (None, weights[name].out_in)}
    return {name: _layout(one, told[name], of_kind, against, given) for name, one in weights.items()}


def _layout(
    one: NamedWeight,
    told: bool | None,
    of_kind: Mapping[str, set[bool]],
    against: Mapping[bool | None, str],
    given: str | None,
) -> tuple[bool | None, str]:
    if given is not None or told is not None:
        return (told if given is None else given == "out_in"), ""
    alike = of_kind.get(_kind(one.name), set())
    if len(alike) == 1:
        is_out_in = next(iter(alike))
        return is_out_in, "" if is_out_in == one.out_in else f"weight read as {_said(is_out_in)}, as others of its name"
    if one.out_in is None:
        return None, "its name does not tell"
    if alike or one.out_in in against:
        # A dict in which one is stored otherwise than names say may hold more of them.
        other = against.get(one.out_in, "another")
        return None, f"the bias of {other!r} tells that names here do not tell"
    return one.out_in, ""


def _said(is_out_in: bool) -> str:
    return "(n_out, n_in)" if is_out_in else "(n_in, n_out)"


def _kind(name: str) -> str:
    """What a layer is called in each of its blocks."""
    return re.sub(r"\d+", "", last_part(name)) or name


def _as_bias_tells(one: NamedWeight, entries: Mapping[str, Any]) -> bool | None:
    rows, columns = shape_of(entries[one.weight])
    bias = entries.get(one.bias)
    if bias is None or rows == columns or len(shape_of(bias)) != 1:
        return None
    n = shape_of(bias)[0]
    return n == rows if n in (rows, columns) else None
