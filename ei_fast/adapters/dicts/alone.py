"""Every weight of a dict as a layer by itself, which no other feeds and which feeds none."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ei_fast.adapters.arrays import one_each
from ei_fast.adapters.dicts.beside import with_what_stands_beside
from ei_fast.adapters.dicts.contents import Contents
from ei_fast.adapters.dicts.found import Arrays, Entries, FoundLayer, array_of
from ei_fast.adapters.dicts.gates import gates_in
from ei_fast.adapters.dicts.layouts import NamedWeight, layouts_of
from ei_fast.adapters.dicts.named_weights import as_contents, named_weights, others_in, unnamed_weights
from ei_fast.adapters.dicts.normed import batch_norms
from ei_fast.adapters.dicts.options import DictOptions
from ei_fast.adapters.dicts.patterns import named_by
from ei_fast.adapters.dicts.projections import projections_in
from ei_fast.adapters.dicts.tables import tables_in
from ei_fast.adapters.dicts.values import numbers_of, shape_of, type_of
from ei_fast.network.bins import Range
from ei_fast.network.layer import Layer
from ei_fast.network.stored import StoredLayer
from ei_fast.results.flags import Flag

HELD_BYTES = 2**28
"""Weights of a file that take more than this as float64 are read when they are measured, one after the other."""

Named = list[tuple[str, str]]
# Skipped layers in a message.
_MOST_SHOWN = 3


def layers_alone(
    entries: dict[str, Any],
    activation: Any,
    options: DictOptions,
    in_range: Range,
    *,
    stated: Any = None,
    ordered: bool = True,
    is_stored: bool = False,
) -> tuple[list[Layer], Named, Named]:
    """A layer for each 2-D weight, what is skipped and why, and notes.

    Parameters
    ----------
    entries : dict
        Flat, by the names that all libraries have.
    activation : str, Activation, or one a layer
        Of the layers whose names do not say; those of gates do.
    options : DictOptions
    in_range : (float, float)
        Of the inputs of every layer.
    stated : str or list of str, optional
        What the dict itself says of activations.
    ordered : bool
        Whether the entries stand in the order of the network; names are sorted where they do not.
    is_stored : bool
        Whether the entries are read from a file when they are asked for.

    Raises
    ------
    TypeError, ValueError
        Where no weight is left, or one that is read cannot be a layer.
    """
    found, skipped, notes = _found(entries, options)
    found.sort(key=_place(entries, ordered))
    of_all = dict(zip(_unsaid(found), one_each(stated, len(_unsaid(found))), strict=True)) if stated else {}
    if options.layers is not None:
        chosen = named_by(options.layers, {one.name: one.keys for one in found} | {name: () for name in skipped})
        skipped |= {one.name: "not in layers=" for one in found if one.name not in chosen}
        found = [one for one in found if one.name in chosen]
    if not found:
        raise ValueError(_of_none(skipped))
    unsaid = _unsaid(found)
    given = of_all or dict(zip(unsaid, one_each(activation, len(unsaid)), strict=True))
    is_large = is_stored and sum(8 * one.n_in * one.n_out for one in found) > HELD_BYTES
    layers = [
        _layer(one, one.activation or given[one.name], in_range if k else None, is_large) for k, one in enumerate(found)
    ]
    notes += [(one.name, note) for one in found for note in one.notes]
    low, high = in_range
    notes.append(("all layers", f"each is measured by itself, its inputs over ({low:g}, {high:g}): none feeds another"))
    return layers, list(skipped.items()), notes


def _unsaid(found: Sequence[FoundLayer]) -> list[str]:
    return [one.name for one in found if one.activation is None]


def _layer(one: FoundLayer, activation: Any, in_range: Range | None, is_large: bool) -> Layer:
    if is_large:
        return StoredLayer(one.read, one.n_in, one.n_out, activation, one.name, in_range)
    weight, bias = one.read()
    return Layer(weight, bias, activation, one.name, None, in_range)


def _place(entries: Entries, ordered: bool) -> Callable[[FoundLayer], Any]:
    if not ordered:
        return lambda one: _naturally(one.name)
    places = {key: k for k, key in enumerate(entries)}
    return lambda one: places[one.keys[0]]


def _naturally(name: str) -> list[tuple[int, str]]:
    """For sorting: layers.2 before layers.10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _found(entries: dict[str, Any], options: DictOptions) -> tuple[list[FoundLayer], dict[str, str], Named]:
    """All layers of a dict, what is none with the reason, and notes."""
    parts = [gates_in(entries), projections_in(entries)]
    known = {key for part in parts for key in part.keys}
    rest = {key: value for key, value in entries.items() if key not in known}
    norms = batch_norms(rest)
    named = {name: one for name, one in named_weights(rest).items() if name not in norms}
    weights = named | unnamed_weights(rest, as_contents(rest, named, norms))
    contents = as_contents(rest, weights, norms)
    layers, skipped = [one for part in parts for one in part.layers], {}
    tables, layouts = tables_in(weights, rest), layouts_of(weights, rest, options.layout)
    for name, one in weights.items():
        is_out_in, note = layouts[name]
        is_asked_for = options.layers is not None and not {name, one.weight}.isdisjoint(options.layers)
        if name in tables and not is_asked_for:
            skipped[name] = _of_table(tables[name], name, shape_of(rest[one.weight]))
        elif is_out_in is None:
            skipped[name] = _of_no_layout(f"a weight of shape {shape_of(rest[one.weight])}, and {note}", name)
        else:
            layers += _dense(one, is_out_in, note, contents, skipped)
    for part in parts:
        skipped |= part.skipped
    return layers, skipped | others_in(contents, known), [note for part in parts for note in part.notes]


def _dense(
    one: NamedWeight, is_out_in: bool, note: str, contents: Contents, skipped: dict[str, str]
) -> Iterator[FoundLayer]:
    """A dense layer, if what stands beside its weight is understood; else it is skipped."""
    entries, beside = contents.entries, contents.beside(one.name)
    n_in, n_out = shape_of(entries[one.weight])[:: -1 if is_out_in else 1]
    bias = one.bias if entries.get(one.bias) is not None else None
    if bias is not None and shape_of(entries[bias]) != (n_out,):
        skipped[one.name] = f"a weight with {n_out} outputs, beside a bias of shape {shape_of(entries[bias])}"
        return
    notes = [note] if note else []
    if beside:
        try:
            notes += with_what_stands_beside(one.name, entries[one.weight], is_out_in, beside)[1]
        except ValueError as error:
            skipped[one.name] = str(error)
            return
    elif type_of(entries[one.weight]).startswith(("int", "uint", "bool")):
        notes.append(Flag.INTEGERS.meaning)
    keys = (one.weight, *([bias] if bias else []), *beside)
    read = partial(_arrays, one, is_out_in, bias, entries, beside)
    yield FoundLayer(one.name, n_in, n_out, keys, read, notes=tuple(notes))


def _arrays(one: NamedWeight, is_out_in: bool, bias: str | None, entries: Entries, beside: Mapping[str, Any]) -> Arrays:
    if beside:
        weight = with_what_stands_beside(one.name, entries[one.weight], is_out_in, beside)[0]
        weight = numbers_of(weight, one.weight)
    else:
        weight = array_of(entries, one.weight)
    return (weight.T if is_out_in else weight), (None if bias is None else array_of(entries, bias))


def _of_no_layout(what: str, name: str) -> str:
    return (
        f"{what} whether it is (n_out, n_in) or (n_in, n_out). Give layers={name!r} and layout='out_in' or "
        "layout='in_out' to measure it"
    )


def _of_table(why: str, name: str, shape: tuple[int, ...]) -> str:
    rows, columns = shape
    return (
        f"{why}: rows are looked up, which is no map between neurons. Give layers={name!r} and layout='in_out' to "
        f"measure it as a layer {rows} -> {columns} all the same, or layout='out_in' as {columns} -> {rows}"
    )


def _of_none(skipped: Mapping[str, str]) -> str:
    shown = [f"{name!r} is {reason}" for name, reason in list(skipped.items())[:_MOST_SHOWN]]
    more = f"; and {len(skipped) - _MOST_SHOWN} more" if len(skipped) > _MOST_SHOWN else ""
    return (
        "With chain=False every 2-D weight is a layer by itself, and there is none here that can be read. "
        f"{'; '.join(shown) or 'There is no entry'}{more}. Pass the model, or a dict or file that holds such weights."
    )
