"""Layers from plain arrays, in lists and in dicts."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from ei_fast.network.activations import Activation
from ei_fast.network.layer import Function, Layer

_ACCEPTED = (
    "a Network, a Layer, a Function, a 2-D weight array (n_in, n_out), a list of them or of "
    "(weight, bias, activation) tuples, a dict of arrays, or the path of a file of weights"
)
# PyTorch's default, which a file of weights does not hold.
_NORM_EPSILON = 1e-5


def layers_from_arrays(model: Any, activation: Any) -> list[Layer | Function]:
    """Layers of a bare array, or of a list of arrays, tuples and layers."""
    if not isinstance(model, (list, tuple)):
        if _ndim(model) != 2:
            shape = getattr(model, "shape", None)
            got = type(model).__name__ if shape is None else f"{type(model).__name__} of shape {tuple(shape)}"
            raise (TypeError if shape is None else ValueError)(f"A model must be {_ACCEPTED}. Got {got} instead.")
        return [Layer(model, activation=one, name="layer0") for one in _one_each(activation, 1)]
    if not model:
        raise ValueError(f"A model must be {_ACCEPTED}. Got an empty {type(model).__name__} instead.")
    if _is_layer_tuple(model) or (_ndim(model) == 2 and not any(_is_layer_like(entry) for entry in model)):
        # One layer written down directly: (weight, bias, ...) or nested lists of numbers.
        model = [model if isinstance(model, tuple) and _is_layer_tuple(model) else list(model)]
    layers: list[Layer | Function] = []
    for index, (entry, own) in enumerate(zip(model, _one_each(activation, len(model)), strict=True)):
        if isinstance(entry, (Layer, Function)):
            layers.append(entry)
        elif isinstance(entry, tuple) and _is_layer_tuple(entry):
            layers.append(_layer(f"layer{index}", entry[0], *(*entry[1:], None, None)[:2], default=own))
        elif isinstance(entry, tuple):
            raise TypeError(
                f"Entry {index} of the model must be (weight, bias) or (weight, bias, activation), "
                f"weight 2-D and bias 1-D or None. Got a tuple of {len(entry)} instead."
            )
        else:
            layers.append(_layer(f"layer{index}", entry, None, None, default=own))
    return layers


class _Dense(NamedTuple):
    """Where a dict holds a dense layer."""

    weight: str
    bias: str
    transposed: bool


@dataclass(frozen=True)
class _Contents:
    """What a dict holds: all its entries, and by name where its layers with weights and its batch norms are."""

    entries: dict[str, Any]
    dense: dict[str, _Dense]
    norms: dict[str, list[str]]

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a layer's weight as it is stored."""
        weight = self.entries[self.dense[name].weight]
        return tuple(weight.shape) if hasattr(weight, "shape") else np.shape(weight)

    def widths(self, name: str) -> tuple[int, int]:
        """Inputs and outputs of a dense layer."""
        rows, columns = self.shape(name)
        return (columns, rows) if self.dense[name].transposed else (rows, columns)

    def candidates(self) -> str:
        """What may be named in `order`, and how."""
        flat = [name for name in self.dense if len(self.shape(name)) == 2]
        if not flat:
            return "No entry is known as the weights of a dense layer, which are 2-D. Give some, as {'w0': weight}."
        known = ["{} ({} -> {})".format(name, *self.widths(name)) for name in flat]
        known += [f"{name} (batch norm)" for name in self.norms]
        if len(known) > 20:
            known[20:] = [f"and {len(known) - 20} more"]
        example = _some_chain(flat, [self.widths(name) for name in flat])
        for norm in self.norms:
            self._take_in(example, norm)
        return (
            f"Candidates are {', '.join(known)}. Give order={example}, or other names of layers, in the order in which "
            "they feed each other; those that are left out are skipped."
        )

    def _take_in(self, order: list[str], norm: str) -> None:
        """Put a batch norm into `order`, after the last layer that stands before it and has its width, if any."""
        keys = list(self.entries)
        width, at = np.shape(self.entries[f"{norm}.running_mean"]), keys.index(f"{norm}.running_mean")
        feeding = [
            name
            for name in order
            if name in self.dense and self.widths(name)[1:] == width and keys.index(self.dense[name].weight) < at
        ]
        if feeding:
            order.insert(order.index(feeding[-1]) + 1, norm)


def layers_from_mapping(
    arrays: Mapping[str, Any], activation: Any, order: Sequence[str] | None = None, ordered: bool = True
) -> tuple[list[Layer | Function], list[tuple[str, str]]]:
    """Layers of a dict: ``w0, b0, ...``, ``"<layer>.weight"`` or ``"<layer>/kernel"``, flat or nested.

    Parameters
    ----------
    arrays : mapping
        What NumPy reads as arrays, or PyTorch's tensors; Flax's parameter trees with or without ``"params"``.
    activation : str, Activation, or one a layer
        Where the dict has no entry ``"activation"``.
    order : sequence of str, optional
        Names of the dense layers in order. A batch norm named after one is taken in: it stands before the activation.
    ordered : bool, default True
        Whether the dict holds the layers in the order in which they feed each other, as far as is known.

    Returns
    -------
    layers : list of Layer
    skipped : list of (str, str)
        Name and reason of what `order` leaves out.

    Raises
    ------
    TypeError, ValueError
        Naming the key, the rule and the remedy.
    """
    check_order(order)
    nested = any(isinstance(value, Mapping) for value in arrays.values())
    entries = _flattened(arrays)
    stated = _stated_activation(entries)
    norms = _batch_norms(entries)
    dense = {name: where for name, where in _dense_layers(entries).items() if name not in norms}
    contents = _Contents(entries, dense, norms)
    if order is None:
        _check_all_known(contents)
        names = _told_order(contents, ordered and not nested)
    else:
        names = list(order)
        _check_names(contents, names)
    chosen = [name for name in names if name in dense]
    if stated is None:
        activations = iter(_one_each(activation, len(chosen)))
    else:
        of = dict(zip(dense, _one_each(stated, len(dense)), strict=True))
        activations = iter([of[name] for name in chosen])
    layers: list[Layer] = []
    for name in names:
        if name in dense:
            layers.append(_dense_layer(contents, name, next(activations)))
        else:
            layers[-1] = _with_norm(layers[-1], contents, name)
    return list(layers), _left_out(contents, names)


def check_order(order: Any) -> None:
    """Raise where `order` is neither None nor a sequence of names."""
    if order is None:
        return
    rule = "The 'order' parameter must be the names of the dense layers in order, as ['fc1', 'fc2']"
    if isinstance(order, str) or not isinstance(order, Sequence) or not all(isinstance(name, str) for name in order):
        raise TypeError(f"{rule}. Got {order!r} instead.")
    if not order:
        raise ValueError(f"{rule}. Got none instead.")


def _flattened(tree: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """The leaves of nested dicts, their names joined by a slash; Flax's outer ``"params"`` is no part of them."""
    if depth > 64:
        raise ValueError(
            f"A dict of weights must be nested less deeply than 64 levels. Got {prefix[:40]!r}... instead."
        )
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if not isinstance(key, (str, int)):
            raise TypeError(f"The keys of a dict of weights must be strings. Got {key!r} instead.")
        path = f"{prefix}{key}"
        inner = {path: value}
        if isinstance(value, Mapping):
            inner = _flattened(value, "" if path == "params" else f"{path}/", depth + 1)
        twice = flat.keys() & inner.keys()
        if twice:
            raise ValueError(f"The keys of a dict of weights must differ. Got {min(twice)!r} twice.")
        flat |= inner
    return flat


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
    return stated.tolist()


def _dense_layers(entries: Mapping[str, Any]) -> dict[str, _Dense]:
    """Every layer that has weights, by name; whether they are 2-D has not been looked at."""
    numbered = sorted((int(key[1:]), key) for key in entries if re.fullmatch(r"w\d+", key))
    # A number that happens to be called w0, as a frequency, is no weight beside layers of another form.
    named = any(re.split("[./]", key)[-1] in ("kernel", "weight") for key in entries)
    if numbered and not (named and all(_ndim(entries[key]) != 2 for _, key in numbered)):
        if [k for k, _ in numbered] != list(range(len(numbered))):
            raise ValueError(
                f"Weights must be named w0, w1, ... without a gap. Got {[key for _, key in numbered]} instead."
            )
        return {f"layer{k}": _Dense(key, f"b{k}", transposed=False) for k, key in numbered}
    for suffix, transposed in (("kernel", False), ("weight", True)):
        keys = [key for key in entries if re.split("[./]", key)[-1] == suffix]
        if keys:
            return {
                _stem(key, suffix): _Dense(key, f"{key[: -len(suffix)]}bias", transposed=transposed) for key in keys
            }
    return {}


def _batch_norms(entries: Mapping[str, Any]) -> dict[str, list[str]]:
    """Keys of every batch norm, as PyTorch names them, by its name."""
    names = [key.removesuffix(".running_mean") for key in entries if key.endswith(".running_mean")]
    parts = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    return {
        name: [f"{name}.{part}" for part in parts if f"{name}.{part}" in entries]
        for name in names
        if f"{name}.running_var" in entries
    }


def _check_all_known(contents: _Contents) -> None:
    """Raise ValueError where a dict holds anything but dense layers."""
    known = {key for where in contents.dense.values() for key in (where.weight, where.bias)}
    known.update(key for keys in contents.norms.values() for key in keys)
    unknown = [key for key in contents.entries if key not in known]
    if not contents.dense or unknown:
        what = f"Got {unknown[0]!r} instead, which belongs to none." if unknown else "Got none instead."
        raise ValueError(
            "A dict or file of weights must hold w0, w1, ... (n_in, n_out) with optional b0, b1, ..., or "
            "'<layer>.weight' (n_out, n_in) with '<layer>.bias', or '<layer>/kernel' (n_in, n_out) with "
            f"'<layer>/bias', and optionally 'activation'. {what} {contents.candidates()}"
        )
    for name in contents.dense:
        _check_is_2d(contents, name)
    if contents.norms:
        raise ValueError(
            f"Where the batch norm {next(iter(contents.norms))!r} stands cannot be told from the weights. "
            f"{contents.candidates()} Name a batch norm right after the dense layer that feeds it."
        )


def _told_order(contents: _Contents, ordered: bool) -> list[str]:
    """Dense layers in the order in which they feed each other, if names and widths tell it; a guess is refused."""
    names = list(contents.dense)
    by_number = not ordered and len({re.sub(r"\d+", "0", name) for name in names}) == 1
    if by_number:
        names.sort(key=lambda name: [int(number) for number in re.findall(r"\d+", name)])
        ordered = True
    widths = [contents.widths(name) for name in names]
    only = _only_chain(widths)
    # Of the widths that chain transposed, the network tells. But Flax numbers layers as they are made, and of calls
    # inside each other the last layer is made first.
    transposed = _chain([pair[::-1] for pair in widths]) and not (by_number and only is not None)
    if ordered and (_chain(widths) or transposed):
        return names
    # Where an order is given and no other chains either, the network tells what is wrong with it.
    if ordered == (only is not None):
        raise ValueError(f"The order of the layers cannot be told. {contents.candidates()}")
    return names if only is None else [names[k] for k in only]


def _chain(widths: Sequence[tuple[int, int]]) -> bool:
    return all(before[1] == after[0] for before, after in pairwise(widths))


def _only_chain(widths: Sequence[tuple[int, int]]) -> list[int] | None:
    """The order in which widths chain, if there is exactly one and it is soon found."""
    taking: dict[int, list[int]] = {}
    for k, (n_in, _) in enumerate(widths):
        taking.setdefault(n_in, []).append(k)
    # A chain starts at a width that more layers take than put out, or closes on itself.
    surplus = Counter(n_in for n_in, _ in widths) - Counter(n_out for _, n_out in widths)
    if surplus.total() > 1:
        return None
    begun = [[k] for n_in in surplus or taking for k in taking[n_in]]
    found: list[list[int]] = []
    for _ in range(10_000):
        if not begun or len(found) == 2:
            break
        path = begun.pop()
        if len(path) == len(widths):
            found.append(path)
        else:
            used = set(path)
            begun.extend([*path, k] for k in taking.get(widths[path[-1]][1], ()) if k not in used)
    return found[0] if len(found) == 1 and not begun else None


def _some_chain(names: Sequence[str], widths: Sequence[tuple[int, int]]) -> list[str]:
    """Layers that may feed each other by their widths, as many as are soon found: an example of an order."""
    longest: list[int] = []
    for first in range(min(len(names), 20)):
        chain = [first]
        while len(chain) < 20:
            after = (k for k, (n_in, _) in enumerate(widths) if n_in == widths[chain[-1]][1] and k not in chain)
            following = next(after, None)
            if following is None:
                break
            chain.append(following)
        longest = max(longest, chain, key=len)
    return [names[k] for k in longest]


def _check_names(contents: _Contents, names: Sequence[str]) -> None:
    """Raise ValueError where `order` names what is no dense layer, nor a batch norm after one."""
    for name in names:
        if name in contents.dense:
            _check_is_2d(contents, name)
        elif name not in contents.norms:
            raise ValueError(
                f"The 'order' parameter names {name!r}, which is no dense layer here. {contents.candidates()}"
            )
    if names[0] in contents.norms:
        raise ValueError(
            f"The 'order' parameter names the batch norm {names[0]!r} first. One can be measured only as a part of the "
            "dense layer right before it: name that layer first, or leave the batch norm out."
        )


def _check_is_2d(contents: _Contents, name: str) -> None:
    shape = contents.shape(name)
    if len(shape) != 2:
        raise ValueError(
            f"The weights of a dense layer must be 2-D. Got {contents.dense[name].weight!r} of shape {shape} instead. "
            f"{contents.candidates()}"
        )


def _left_out(contents: _Contents, names: Sequence[str]) -> list[tuple[str, str]]:
    """Name and reason of every entry that is in none of the layers `names`."""
    keys_of = {name: [where.weight, where.bias] for name, where in contents.dense.items()} | contents.norms
    owner = {key: name for name, keys in keys_of.items() for key in keys}
    left = []
    for key in contents.entries:
        name = owner.get(key) or re.split("[./][^./]*$", key)[0]
        if name not in names:
            left.append(name)
        elif key not in keys_of[name]:
            left.append(key)
    return [(name, "not in order") for name in dict.fromkeys(left)]


def _dense_layer(contents: _Contents, name: str, activation: Any) -> Layer:
    entries, where = contents.entries, contents.dense[name]
    weight = _values(entries, where.weight)
    bias = None if entries.get(where.bias) is None else _values(entries, where.bias)
    return Layer(weight.T if where.transposed else weight, bias, activation, name=name)


def _with_norm(layer: Layer, contents: _Contents, name: str) -> Layer:
    """The dense layer and the batch norm that follows it before the activation, as one dense layer."""
    parts = {"weight": np.ones(layer.n_out), "bias": np.zeros(layer.n_out)}
    for part in ("weight", "bias", "running_mean", "running_var"):
        key = f"{name}.{part}"
        if contents.entries.get(key) is not None:
            # Complex numbers and strings are refused.
            parts[part] = _values(contents.entries, key).astype(np.float64, casting="same_kind")
        if parts[part].shape != (layer.n_out,):
            raise ValueError(
                f"The entry {key!r} must have shape ({layer.n_out},), one entry an output of {layer.name!r}, which "
                f"stands before it in order=. Got shape {parts[part].shape} instead."
            )
    variance = parts["running_var"]
    if not (variance >= 0).all():
        raise ValueError(f"The entry '{name}.running_var' must hold variances, all >= 0. Got {variance.min()} instead.")
    # What overflows is refused by the layer.
    with np.errstate(over="ignore", invalid="ignore"):
        scale = parts["weight"] / np.sqrt(variance + _NORM_EPSILON)
        bias = (layer.bias - parts["running_mean"]) * scale + parts["bias"]
        return Layer(layer.weight * scale, bias, layer.activation, name=layer.name)


def _values(entries: Mapping[str, Any], key: str) -> Any:
    """The entry as NumPy has it; float64 where that keeps the values of a type that NumPy does not have."""
    value = entries[key]
    if hasattr(value, "toarray"):
        # Sparse: the layer says what to do.
        return value
    if not hasattr(value, "detach"):
        # Masked arrays stay masked, for the layer to refuse.
        array = np.asanyarray(value)
        if array.dtype.kind != "f" and not array.dtype.name.startswith(("bfloat16", "float8")):
            return array
        # NaN that signals is for the layer to refuse too.
        with np.errstate(invalid="ignore"):
            return array.astype(np.float64, copy=False)
    try:
        tensor = value.detach().cpu()
        return (tensor.double() if tensor.is_floating_point() else tensor).numpy()
    except (RuntimeError, TypeError) as error:
        raise TypeError(f"The entry {key!r} must be a dense tensor with values. Got {error} instead.") from None


def _layer(name: str, weight: Any, bias: Any, activation: Any, *, default: Any) -> Layer:
    return Layer(weight, bias, default if activation is None else activation, name=name)


def check_activation(activation: Any) -> None:
    """Raise where `activation` is no activation, nor a sequence of them, whether it will be needed or not."""
    for one in activation if isinstance(activation, (list, tuple, np.ndarray)) else [activation]:
        if not isinstance(one, (str, Activation)):
            raise TypeError(
                "The 'activation' parameter must be a name, an Activation or a sequence of them. "
                f"Got {activation!r} instead. A function of your own is Activation(function, codomain)."
            )
        Activation(one)


def _one_each(activation: Any, n_layers: int) -> Sequence[Any]:
    """The `activation` parameter spread over the layers: one for all, or one for each."""
    if isinstance(activation, (str, Activation)):
        return [activation] * n_layers
    if len(activation) != n_layers:
        raise ValueError(
            f"The 'activation' parameter must be one name or one for each of the {n_layers} layers. "
            f"Got {len(activation)} names instead."
        )
    return list(activation)


def _stem(key: str, suffix: str) -> str:
    return key[: -len(suffix)].rstrip("./") or suffix


def _ndim(values: Any) -> int | None:
    """Dimensions of something like an array of numbers; None where it is not."""
    if hasattr(values, "ndim"):
        return int(values.ndim)
    try:
        array = np.asarray(values)
    except (RuntimeError, TypeError, ValueError):
        # Ragged, or tensors that NumPy does not take as they are.
        return None
    return array.ndim if array.dtype.kind in "fiubcO" and array.ndim else None


def _is_layer_like(entry: Any) -> bool:
    return isinstance(entry, (Layer, Function)) or (hasattr(entry, "ndim") and entry.ndim == 2)


def _is_layer_tuple(entry: Any) -> bool:
    """Whether `entry` reads as (weight, bias) or (weight, bias, activation)."""
    if not isinstance(entry, tuple) or not 2 <= len(entry) <= 3 or isinstance(entry[0], (Layer, Function)):
        return False
    return _ndim(entry[0]) == 2 and (entry[1] is None or _ndim(entry[1]) == 1)
