"""How many of a dict's numbers are parameters, and how many of them are in layers that are read."""

import re
from collections.abc import Collection
from math import prod

from ei_fast.adapters.dicts.contents import Contents
from ei_fast.adapters.dicts.naming import last_part, module_of
from ei_fast.adapters.dicts.values import shape_of, type_of
from ei_fast.adapters.graph.held import Held
from ei_fast.network.parameter_count import ParameterCount

_STATISTICS = re.compile(r"(running|moving|avg)_\w+|_mean|_variance|num_batches_tracked")
_SEEN_OF_NORMS = ("running_mean", "running_var")
# What nothing but the name tells of a table of embeddings.
_TABLE = re.compile(r"(?i)embed|^(wte|wpe|tok_emb|pos_emb)$")
_NUMBERS = ("float", "bfloat", "int", "uint")


def parameters_in(contents: Contents, names: Collection[str]) -> ParameterCount:
    """The parameters of a dict of which the layers and batch norms with these names are read."""
    seen = {norm.keys[part] for norm in contents.norms.values() for part in _SEEN_OF_NORMS if part in norm.keys}
    sizes, holders, tables = {}, {}, set()
    for key, value in contents.entries.items():
        if key in seen or _STATISTICS.fullmatch(last_part(key)) or not _is_of_numbers(value):
            continue
        sizes[key] = prod(shape_of(value))
        holder = contents.owners.get(key) or module_of(key)
        holders[key] = holder, _kind_of(holder)
        if any(_TABLE.search(part) for part in re.split("[./]", key)[-2:]):
            tables.add(key)
    read = {key for key in sizes if contents.owners.get(key) in names}
    return Held(sizes, holders, tables).count(read)


def _is_of_numbers(value: object) -> bool:
    """Whether an entry has several numbers: a single one is a setting, or counts something."""
    name = type_of(value)
    return (not name or name.startswith(_NUMBERS)) and prod(shape_of(value)) > 0 and bool(shape_of(value))


def _kind_of(holder: str) -> str:
    """What a layer is called without its number and without what holds it."""
    last = [part for part in re.split("[./]", holder) if not part.isdigit()][-1:]
    return re.sub(r"_?\d+$", "", last[0]) if last else holder
