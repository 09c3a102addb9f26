"""Dense layers of a dict of weights, in the order in which they feed each other."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ei_fast.adapters.arrays import one_each
from ei_fast.adapters.dicts.alike import made_alike
from ei_fast.adapters.dicts.alone import layers_alone
from ei_fast.adapters.dicts.beside import of_no_weight, refusal_of, stored_otherwise, with_what_stands_beside
from ei_fast.adapters.dicts.chosen import chosen
from ei_fast.adapters.dicts.contents import Contents, flattened, under
from ei_fast.adapters.dicts.copies import Copies, Held, copies_in, tell_an_order
from ei_fast.adapters.dicts.counted import parameters_in
from ei_fast.adapters.dicts.naming import last_part, module_of
from ei_fast.adapters.dicts.normed import without_statistics
from ei_fast.adapters.dicts.norms import ScaleShift, affine_of, after_outputs, before_inputs, place_of
from ei_fast.adapters.dicts.options import DictOptions
from ei_fast.adapters.dicts.order import told_order
from ei_fast.adapters.dicts.several import several_networks, side_by_side
from ei_fast.adapters.dicts.training import without_training
from ei_fast.adapters.dicts.values import numbers_of, type_of
from ei_fast.adapters.given import DEFAULT_RANGE, Given
from ei_fast.adapters.plain import seen_by_layers
from ei_fast.network.bins import Range
from ei_fast.network.layer import Function, Layer
from ei_fast.network.network import Network
from ei_fast.network.parameter_count import ParameterCount
from ei_fast.results.flags import Flag

_KNOWN_FORMS = (
    "A dict or file of weights must hold w0, w1, ... (n_in, n_out) with optional b0, b1, ..., or "
    "'<layer>.weight' (n_out, n_in) with '<layer>.bias', or '<layer>/kernel' (n_in, n_out) with '<layer>/bias', and "
    "optionally 'activation'."
)


class ReadLayers(NamedTuple):
    """Layers that were read, what was skipped and why, what was done to layers, by name, and how much was read."""

    layers: list[Layer | Function]
    skipped: list[tuple[str, str]]
    notes: list[tuple[str, str]]
    parameters: ParameterCount | None = None


def read(model: Mapping[str, Any], given: Given) -> Network:
    """The network in a dict of weights; see `layers_from_mapping`."""
    found = layers_from_mapping(model, given.activation, given.of_dicts, in_range=given.range_of_inputs)
    return network_of(found, given)


def network_of(found: ReadLayers, given: Given) -> Network:
    """The network of layers that were read."""
    restarts = () if given.of_dicts.chain else range(1, len(found.layers))
    network = Network(found.layers, given.range_of_inputs, restarts, skipped=found.skipped, notes=found.notes)
    return seen_by_layers(network.counted(found.parameters), given.example_inputs)


def layers_from_mapping(
    arrays: Mapping[str, Any],
    activation: Any,
    options: DictOptions | None = None,
    ordered: bool = True,
    *,
    in_range: Range = DEFAULT_RANGE,
    is_stored: bool = False,
) -> ReadLayers:
    """Layers of a dict: ``w0, b0, ...``, ``"<layer>.weight"`` or ``"<layer>/kernel"``, flat or nested.

    Parameters
    ----------
    arrays : mapping
        What NumPy reads as arrays, or PyTorch's tensors; Flax's parameter trees with or without ``"params"``.
    activation : str, Activation, or one a layer
        Where the dict has no entry ``"activation"``.
    options : DictOptions, optional
        What a user says about it.
    ordered : bool, default True
        Whether the dict holds the layers in the order in which they feed each other, as far as is known.
    in_range : (float, float)
        Of the inputs of layers that are measured each by itself.
    is_stored : bool, default False
        Whether entries are read from a file when NumPy asks for them.

    Returns
    -------
    ReadLayers

    Raises
    ------
    TypeError, ValueError
        Naming the key, the rule and the remedy.
    """
    options = options or DictOptions()
    nested = any(isinstance(value, Mapping) for value in arrays.values())
    entries, is_sorted = made_alike(flattened(arrays))
    whole, ordered = entries, ordered and not nested and not is_sorted
    outside: list[tuple[str, str]] = []
    stated = _stated_activation(entries)
    if options.prefix is not None:
        entries, outside = under(entries, options.prefix)
    entries, of_training = without_training(entries, options.order or ())
    outside += of_training
    if not options.chain:
        alone, skipped, notes = layers_alone(
            entries, activation, options, in_range, stated=stated, ordered=ordered, is_stored=is_stored
        )
        return ReadLayers(list(alone), [*outside, *skipped], notes)
    contents = Contents.of(entries, options.layout, ordered)
    if options.layers is not None:
        contents, stated, not_chosen = chosen(contents, options.layers, stated)
        outside += not_chosen
    if options.order is None:
        _check_one_network(contents, _before(whole, options.prefix))
        _check_all_known(contents)
        names = told_order(contents, ordered)
        _check_chain(contents, names)
    else:
        names = [_bare(contents, name) for name in options.order]
        _check_names(contents, names)
    _check_places(contents, names, options)
    layers, notes = _layers(contents, names, _activations(contents, names, stated, activation), options)
    return ReadLayers(layers, [*outside, *_left_out(contents, names)], notes, parameters_in(contents, names))


def _stated_activation(entries: dict[str, Any]) -> str | list[str] | None:
    """What the dict itself says about activations, taken out of it."""
    if "activation" not in entries:
        return None
    stated = np.asarray(entries.pop("activation"))
    if stated.dtype.kind != "U" or stated.ndim > 1:
        raise TypeError(f"The entry 'activation' must be one name or one a layer. Got {stated!r} instead.")
    if stated.size > max(1, len(entries)):
        # Before they become a list of strings, since a small file may claim very many.
        raise ValueError(f"The entry 'activation' must be one name or one a layer. Got {stated.size} names instead.")
    names: str | list[str] = stated.tolist()
    return names


def _activations(contents: Contents, names: Sequence[str], stated: Any, activation: Any) -> Iterator[Any]:
    """Activation of each dense layer of `names`."""
    chosen = [name for name in names if name in contents.dense]
    if stated is None:
        return iter(one_each(activation, len(chosen)))
    of = dict(zip(contents.dense, one_each(stated, len(contents.dense)), strict=True))
    return iter([of[name] for name in chosen])


def _before(whole: Mapping[str, Any], prefix: str | None) -> str:
    """What has been taken off the names of entries: the prefix that was given, with what parts it from the rest."""
    if prefix is None:
        return ""
    keys = (key for key in whole if key.startswith((f"{prefix}.", f"{prefix}/")))
    return next((key[: len(prefix) + 1] for key in keys), "")


def _check_one_network(contents: Contents, before: str) -> None:
    """Raise ValueError where the layers are those of several networks, or stand side by side."""
    shapes = {name: contents.shape(name) for name in contents.dense if len(contents.shape(name)) == 2}
    found = several_networks(shapes)
    copies = copies_in(_held(contents, shapes), contents.ordered)
    if copies is not None and found is not None and not _are_parted(copies, found):
        raise _of_copies(contents, copies)
    if found is not None and not contents.dense.keys().isdisjoint(found):
        # Behind the name of a layer there is nothing that could be read by it.
        raise ValueError(
            f"The layers {found[0]!r} and {found[1]!r} are of two networks, as their names say. Give order=, the names "
            "of the layers of one network in order."
        )
    if found is not None:
        # As a prefix they are given whole.
        several = [before + name for name in found]
        raise ValueError(
            f"The names under {several[0]!r} and {several[1]!r} are those of two networks, which do not feed each "
            f"other. Give prefix={several[0]!r} or prefix={several[1]!r} to read one of them; or order=, the names of "
            "the layers of one network in order."
        )
    beside = side_by_side(shapes) if copies is None or not copies.are_named else None
    if beside is not None:
        raise ValueError(
            f"The layers {beside[0]!r} and {beside[1]!r} take the same inputs, as their names say, and do not feed "
            f"each other. Give order={[beside[0]]!r}, or other names of layers that do, in order. With chain=False "
            "each 2-D weight is measured by itself."
        )
    if copies is not None:
        raise _of_copies(contents, copies)


def _held(contents: Contents, names: Iterable[str]) -> dict[str, Held]:
    return {name: (contents.shape(name), contents.entries_of(name)) for name in names}


def _are_parted(copies: Copies, prefixes: tuple[str, str]) -> bool:
    """Whether prefixes part two sets of layers: those of one network are all under one, and no names of places."""
    found = [[_prefix_of(name, prefixes) for name in names] for names in copies.sets]
    if any(prefix is None for of_set in found for prefix in of_set):
        return False
    one, other = map(last_part, prefixes)
    return all(len(set(of_set)) == 1 for of_set in found) or not tell_an_order((one, other))


def _prefix_of(name: str, prefixes: tuple[str, str]) -> str | None:
    return next((one for one in prefixes if name == one or name.startswith((f"{one}.", f"{one}/"))), None)


def _of_copies(contents: Contents, copies: Copies) -> ValueError:
    """What is said of two networks that no prefix parts."""
    orders = []
    for names in copies.sets:
        # There may be copies of copies.
        while (inner := copies_in(_held(contents, names), contents.ordered)) is not None:
            names = inner.sets[0]
        alone = replace(contents, dense={name: contents.dense[name] for name in names})
        try:
            orders.append(told_order(alone, contents.ordered))
        except ValueError:
            # Neither names nor widths tell: in which order they stand is for the user to say.
            orders.append(names)
    one, other = (word or "no such word" for word in copies.words)
    return ValueError(
        f"The layers {copies.sets[0][0]!r} and {copies.sets[1][0]!r} seem to be of two networks: their names differ in "
        f"{one!r} and {other!r} alone, and so do others, of the same shapes. Give order={orders[0]} or "
        f"order={orders[1]} to read one of them; or all of them in the order in which they feed each other, if they do."
    )


def _check_all_known(contents: Contents) -> None:
    """Raise ValueError where a dict holds anything but dense layers."""
    unknown = [key for key in contents.entries if key not in contents.owners]
    for key in unknown:
        why = refusal_of(key)
        if why is not None:
            raise ValueError(why)
        norm = without_statistics(key, contents.entries)
        if norm is not None:
            raise ValueError(
                f"The entry {key!r} belongs to the batch norm {norm!r}, whose mean and variance are not in the dict: "
                "without them it cannot be taken in. Give the whole of the variables, as {'params': ..., "
                "'batch_stats': ...} of Flax or all weights of a Keras model; or order= without it, and it is skipped."
            )
    if not contents.dense:
        what = f"Got {unknown[0]!r} instead, which belongs to none." if unknown else "Got none instead."
        raise ValueError(f"{_KNOWN_FORMS} {what} {contents.candidates()}")
    if unknown:
        raise ValueError(f"{_KNOWN_FORMS} Got {unknown[0]!r} instead, which belongs to none. {contents.candidates()}")
    for name in contents.dense:
        _check_is_2d(contents, name)
    if contents.norms:
        raise ValueError(
            f"Where the batch norm {next(iter(contents.norms))!r} stands cannot be told from the weights. "
            f"{contents.candidates()} Name a batch norm right after the dense layer that feeds it, and give "
            "norm_place='before' or norm_place='after', by where it stands from the activation of that layer."
        )


def _bare(contents: Contents, name: str) -> str:
    """A name in `order` as it is known: an adapter calls the layer that it adapts its base layer."""
    bare = re.sub("[./]base_layer$", "", name)
    return bare if bare in contents.dense and name not in contents.dense else name


def _check_names(contents: Contents, names: Sequence[str]) -> None:
    """Raise ValueError where `order` names what is no dense layer, nor a batch norm after one."""
    for name in names:
        if name in contents.dense:
            _check_is_2d(contents, name)
        elif name not in contents.norms:
            own = [key for key in contents.entries if key.startswith((f"{name}.", f"{name}/"))]
            why = next(filter(None, map(refusal_of, own)), None)
            raise ValueError(
                why or f"The 'order' parameter names {name!r}, which is no dense layer here. {contents.candidates()}"
            )
    if names[0] in contents.norms:
        raise ValueError(
            f"The 'order' parameter names the batch norm {names[0]!r} first. One can be measured only as a part of the "
            "dense layer right before it: name that layer first, or leave the batch norm out."
        )


def _check_places(contents: Contents, names: Sequence[str], options: DictOptions) -> None:
    """Raise ValueError where `norm_place` names what is no batch norm of `order`: a slip would decide nothing."""
    norms = [name for name in names if name in contents.norms]
    unknown = [name for name in options.norm_places if name not in norms]
    if unknown:
        raise ValueError(
            f"The 'norm_place' parameter names {unknown[0]!r}, which is no batch norm in order=. Those are "
            f"{', '.join(map(repr, norms)) or 'none'}. Leave it out of norm_place=, or name one of these."
        )


def _check_chain(contents: Contents, names: Sequence[str]) -> None:
    """Raise ValueError where layers do not feed each other in this order, nor transposed: the network tells of that."""
    widths = [contents.widths(name) for name in names]
    if all(before[0] == after[1] for before, after in pairwise(widths)):
        return
    for k, ((_, n_out), (n_in, _)) in enumerate(pairwise(widths), 1):
        if n_out != n_in:
            raise ValueError(
                f"Layer {k} ({names[k]!r}) must take as many inputs as layer {k - 1} ({names[k - 1]!r}) has outputs, "
                f"{n_out}. Got {n_in} instead. {contents.candidates()}"
            )


def _check_is_2d(contents: Contents, name: str) -> None:
    shape = contents.shape(name)
    if len(shape) != 2:
        raise ValueError(
            f"The weights of a dense layer must be 2-D. Got {contents.dense[name].weight!r} of shape {shape} instead. "
            f"{contents.candidates()}"
        )


def _layers(
    contents: Contents, names: Sequence[str], activations: Iterator[Any], options: DictOptions
) -> tuple[list[Layer | Function], list[tuple[str, str]]]:
    """The dense layers of `names`, batch norms taken in, and what was done to which."""
    layers: list[Layer] = []
    notes: list[tuple[str, str]] = []
    waiting: tuple[str, ScaleShift] | None = None
    eps = 0.0
    for name in names:
        if name in contents.dense:
            layer, of_layer = _dense_layer(contents, name, next(activations))
            notes += [(name, note) for note in of_layer]
            if waiting is not None:
                layer = before_inputs(layer, waiting[1])
                notes.append((name, f"batch norm {waiting[0]!r} of its inputs taken in, eps={eps:g}"))
            layers.append(layer)
            waiting, fed_by = None, name
            continue
        eps = contents.norms[name].eps if options.norm_eps is None else options.norm_eps
        norm = affine_of(contents, name, layers[-1].n_out, str(layers[-1].name), eps)
        if place_of(name, layers[-1], fed_by, options) == "before":
            layers[-1] = after_outputs(layers[-1], norm)
            notes.append((fed_by, f"batch norm {name!r} taken in before the activation, eps={eps:g}"))
        elif waiting is None:
            waiting = name, norm
        else:
            # Of two in a row the second takes what the first gives.
            first = waiting[1]
            waiting = (
                f"{waiting[0]}, {name}",
                ScaleShift(first.scale * norm.scale, first.shift * norm.scale + norm.shift),
            )
    if waiting is not None:
        raise ValueError(
            f"The batch norm {waiting[0]!r} stands last, after an activation: no dense layer follows that could take "
            "it in. Leave it out of order=, and the outputs of the activation are measured."
        )
    return list(layers), notes


def _dense_layer(contents: Contents, name: str, activation: Any) -> tuple[Layer, list[str]]:
    """A dense layer, and what was done to its weights."""
    where, entries = contents.dense[name], contents.entries
    weight, notes = with_what_stands_beside(name, entries[where.weight], where.transposed, contents.beside(name))
    if not notes and type_of(weight).startswith(("int", "uint", "bool")):
        notes = [Flag.INTEGERS.meaning]
    weight = numbers_of(weight, where.weight)
    if contents.teller and entries.get(where.bias) is None:
        # Some layers of such a file may be stored otherwise, and only they themselves could tell.
        notes.append(f"weight read as (n_in, n_out), as the bias of {contents.teller!r} tells; it has none of its own")
    bias = None if entries.get(where.bias) is None else numbers_of(entries[where.bias], where.bias)
    return Layer(weight.T if where.transposed else weight, bias, activation, name=name), notes


def _left_out(contents: Contents, names: Sequence[str]) -> list[tuple[str, str]]:
    """Name and reason of every entry that is in none of the layers `names`."""
    left: dict[str, str] = {}
    chosen = set(names)
    for key in contents.entries:
        stored = stored_otherwise(key)
        name = contents.owners.get(key) or (stored[0] if stored else module_of(key))
        if name not in chosen:
            left.setdefault(name, "not in order")
        elif of_no_weight(key):
            left.setdefault(key, "says nothing about the weights")
    return list(left.items())
