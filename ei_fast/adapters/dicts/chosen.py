"""The part of a dict that patterns over the names of its layers choose."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ei_fast.adapters.arrays import one_each
from ei_fast.adapters.dicts.contents import Contents
from ei_fast.adapters.dicts.naming import module_of
from ei_fast.adapters.dicts.patterns import named_by


def chosen(
    contents: Contents, patterns: Sequence[str], stated: Any
) -> tuple[Contents, str | list[str] | None, list[tuple[str, str]]]:
    """The layers and batch norms that patterns fit, what the dict says of their activations, and what is left out."""
    keys_of: dict[str, list[str]] = {name: [] for name in (*contents.dense, *contents.norms)}
    for key, name in contents.owners.items():
        keys_of[name].append(key)
    names = named_by(patterns, keys_of)
    if stated is not None:
        of_all = zip(contents.dense, one_each(stated, len(contents.dense)), strict=True)
        stated = [one for name, one in of_all if name in names]
    kept = {key: value for key, value in contents.entries.items() if contents.owners.get(key) in names}
    others = dict.fromkeys(contents.owners.get(key) or module_of(key) for key in contents.entries if key not in kept)
    dense = {name: where for name, where in contents.dense.items() if name in names}
    norms = {name: norm for name, norm in contents.norms.items() if name in names}
    part = replace(contents, entries=kept, dense=dense, norms=norms)
    return part, stated, [(name, "not in layers=") for name in others]
