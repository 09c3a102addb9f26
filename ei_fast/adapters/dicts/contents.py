"""What a dict of weights holds, by the names of its entries: dense layers, batch norms, and what belongs to neither."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

from ei_fast.adapters.dicts.beside import adapted_layer
from ei_fast.adapters.dicts.naming import SEPARATORS, last_part, module_of
from ei_fast.adapters.dicts.normed import Norm, batch_norms
from ei_fast.adapters.dicts.values import shape_of

_MAX_DEPTH = 64
_AFTER_A_LAYER = re.compile("_(mask|scales?|scale_inv|zero_points?|alpha)$")
_ELSEWHERE = re.compile(r"^(.*[./])?(masks?|scales?|(Weight|Spectral)Norm_\d+)[./]|(?<![^./])(mask|scale)_(?=\w+$)")
# Names in a message.
_MOST_SHOWN = 20


class Dense(NamedTuple):
    """Where a dict holds a dense layer, and whether its weight is stored as (n_out, n_in)."""

    weight: str
    bias: str
    transposed: bool


@dataclass(frozen=True)
class Contents:
    """All entries of a dict, and by name where its layers with weights and its batch norms are.

    `teller` is a layer whose bias fits weights of (n_in, n_out) alone, where they would be (n_out, n_in) by their
    names. `ordered` is whether entries stand in the order in which a network has them.
    """

    entries: dict[str, Any]
    dense: dict[str, Dense]
    norms: dict[str, Norm]
    teller: str = ""
    ordered: bool = True

    @classmethod
    def of(cls, entries: dict[str, Any], layout: str | None = None, ordered: bool = True) -> "Contents":
        """The contents of a flat dict; `layout` says how weights are stored, where names are not to tell."""
        norms = batch_norms(entries)
        dense = {name: where for name, where in _dense_layers(entries).items() if name not in norms}
        teller = ""
        if layout is not None:
            dense = {name: where._replace(transposed=layout == "out_in") for name, where in dense.items()}
        elif any(where.transposed for where in dense.values()):
            dense, teller = _as_biases_tell(entries, dense)
        return cls(entries, dense, norms, teller, ordered)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of a layer's weight as it is stored."""
        return shape_of(self.entries[self.dense[name].weight])

    def widths(self, name: str) -> tuple[int, int]:
        """Inputs and outputs of a dense layer."""
        rows, columns = self.shape(name)
        return (columns, rows) if self.dense[name].transposed else (rows, columns)

    @cached_property
    def owners(self) -> dict[str, str]:
        """By the names of entries, the layers and batch norms that they belong to, for those that belong to one."""
        owner = {key: name for name, norm in self.norms.items() for key in norm.keys.values()}
        owner |= {key: name for name, where in self.dense.items() for key in (where.weight, where.bias)}
        for key in self.entries:
            if key in owner:
                continue
            # What stands elsewhere and is called after a layer acts on it as well: fc_scale, masks.fc.
            name = adapted_layer(key) or _AFTER_A_LAYER.sub("", _ELSEWHERE.sub("", key))
            name = name if name in self.dense else module_of(name)
            while name not in self.dense and re.search(SEPARATORS, name):
                name = module_of(name)
            if name in self.dense:
                owner[key] = name
        return owner

    def entries_of(self, name: str) -> frozenset[str]:
        """What a dense layer has, by the last parts of the names."""
        own = [self.dense[name].bias] if self.dense[name].bias in self.entries else []
        return frozenset(map(last_part, [*own, *self._beside.get(name, ())]))

    def beside(self, name: str) -> dict[str, Any]:
        """All entries of a dense layer but its weight and bias."""
        return {key: self.entries[key] for key in self._beside.get(name, ())}

    @cached_property
    def _beside(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key, name in self.owners.items():
            if name in self.dense and key not in self.dense[name][:2]:
                found.setdefault(name, []).append(key)
        return found

    def candidates(self) -> str:
        """What may be named in `order`, and how: with an example that can be given as it stands."""
        flat = [name for name in self.dense if len(self.shape(name)) == 2]
        if not flat:
            return "No entry is known as the weights of a dense layer, which are 2-D. Give some, as {'w0': weight}."
        known = ["{} ({} -> {})".format(name, *self.widths(name)) for name in flat]
        known += [f"{name} (batch norm)" for name in self.norms]
        if len(known) > _MOST_SHOWN:
            known[_MOST_SHOWN:] = [f"and {len(known) - _MOST_SHOWN} more"]
        example = _some_chain(flat, [self.widths(name) for name in flat], self.ordered)
        unplaced = ""
        for norm in self.norms:
            feeding = self._fed_by(norm, example)
            if len(feeding) == 1:
                example.insert(example.index(feeding[0]) + 1, norm)
            elif feeding:
                unplaced = unplaced or (
                    f" Put the batch norm {norm!r} into it, after one of {', '.join(map(repr, feeding))}: the order of "
                    "the entries does not tell after which."
                )
        return (
            f"Candidates are {', '.join(known)}. Give order={example}, or other names of layers, in the order in which "
            f"they feed each other; those that are left out are skipped.{unplaced}"
        )

    def _fed_by(self, norm: str, order: Sequence[str]) -> list[str]:
        """Layers of `order` that may feed a batch norm, by its width and place; one where that is told."""
        keys = list(self.entries)
        mean = self.norms[norm].keys["running_mean"]
        feeding = [name for name in order if name in self.dense and self.widths(name)[1] == self._width(norm)]
        if self.ordered:
            at = keys.index(mean)
            return [name for name in feeding if keys.index(self.dense[name].weight) < at][-1:]
        # The numbers of a Sequential are places. Others count what is of a kind, and tell where each layer has a norm.
        place = _place(norm)
        if place is not None and all(_place(name) is not None for name in feeding):
            return [name for name in feeding if (_place(name) or 0) < place][-1:]
        numbered = [name for name in feeding if _number(name) == _number(norm)]
        n_norms = sum(self._width(other) == self._width(norm) for other in self.norms)
        return numbered if len(numbered) == 1 and n_norms == len(feeding) else feeding

    def _width(self, norm: str) -> int:
        return prod(shape_of(self.entries[self.norms[norm].keys["running_mean"]]))


def _number(name: str) -> int:
    """The number at the end of a name; Keras leaves that of the first of its kind out."""
    return int(re.search(r"(\d*)$", name)[1] or 0)  # type: ignore[index]


def _place(name: str) -> int | None:
    """The number that the last part of a name is, if it is one."""
    return int(last_part(name)) if last_part(name).isdigit() else None


def _some_chain(names: Sequence[str], widths: Sequence[tuple[int, int]], ordered: bool) -> list[str]:
    """Layers that may feed each other by their widths, as many as are soon found: an example of an order.

    Where entries are in the network's order, none feeds one that stands before it; unless all of them chain so, from
    one that none feeds.
    """
    longest = _longest_chain(widths, forward=False)
    begins = bool(longest) and widths[longest[0]][0] not in {n_out for _, n_out in widths}
    if ordered and (len(longest) < len(names) or not begins):
        longest = _longest_chain(widths, forward=True)
    return [names[k] for k in longest]


def _longest_chain(widths: Sequence[tuple[int, int]], forward: bool) -> list[int]:
    longest: list[int] = []
    for first in range(min(len(widths), _MOST_SHOWN)):
        chain = [first]
        while len(chain) < _MOST_SHOWN:
            begin = chain[-1] + 1 if forward else 0
            after = (k for k in range(begin, len(widths)) if widths[k][0] == widths[chain[-1]][1] and k not in chain)
            following = next(after, None)
            if following is None:
                break
            chain.append(following)
        longest = max(longest, chain, key=len)
    return longest


def flattened(tree: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    """The leaves of nested dicts, their names joined by a slash; Flax's outer ``"params"`` is no part of them."""
    if depth > _MAX_DEPTH:
        raise ValueError(
            f"A dict of weights must be nested less deeply than {_MAX_DEPTH} levels. Got {prefix[:40]!r}... instead."
        )
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if not isinstance(key, (str, int)):
            raise TypeError(f"The keys of a dict of weights must be strings. Got {key!r} instead.")
        path = f"{prefix}{key}"
        inner = {path: value}
        if isinstance(value, Mapping):
            inner = flattened(value, "" if path == "params" else f"{path}/", depth + 1)
        twice = flat.keys() & inner.keys()
        if twice:
            raise ValueError(f"The keys of a dict of weights must differ. Got {min(twice)!r} twice.")
        flat |= inner
    return flat


def under(entries: Mapping[str, Any], prefix: str) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The entries under a name, which is taken off theirs, and the rest with the reason why it is skipped."""
    chosen = {
        key[len(prefix) + 1 :]: value
        for key, value in entries.items()
        if key.startswith(prefix) and key[len(prefix) : len(prefix) + 1] in (".", "/")
    }
    if not chosen:
        first = list(dict.fromkeys(re.split(SEPARATORS, key)[0] for key in entries))
        known = ", ".join(first[:10]) + (", ..." if len(first) > 10 else "")
        raise ValueError(
            f"The 'prefix' parameter must be what names of entries begin with. Got {prefix!r}, and the first parts of "
            f"the names are {known or 'none'}."
        )
    others = dict.fromkeys(module_of(key) for key in entries if not key.startswith((f"{prefix}.", f"{prefix}/")))
    return chosen, [(name, f"not under {prefix!r}") for name in others]


def _dense_layers(entries: Mapping[str, Any]) -> dict[str, Dense]:
    """Every layer that has weights, by name; whether they are 2-D has not been looked at."""
    numbered = sorted((int(key[1:]), key) for key in entries if re.fullmatch(r"w\d+", key))
    named = _named_layers(entries)
    # A number called w0 beside named layers is no layer.
    if numbered and (not named or any(len(shape_of(entries[key])) == 2 for _, key in numbered)):
        if [k for k, _ in numbered] != list(range(len(numbered))):
            raise ValueError(
                f"Weights must be named w0, w1, ... without a gap. Got {[key for _, key in numbered]} instead."
            )
        return {f"layer{k}": Dense(key, f"b{k}", transposed=False) for k, key in numbered}
    return named


def _named_layers(entries: Mapping[str, Any]) -> dict[str, Dense]:
    for suffix, transposed in (("kernel", False), ("weight", True)):
        keys = [key for key in entries if last_part(key) == suffix and adapted_layer(key) is None]
        if keys:
            return {_stem(key, suffix): Dense(key, f"{key[: -len(suffix)]}bias", transposed) for key in keys}
    return {}


def _as_biases_tell(entries: Mapping[str, Any], dense: dict[str, Dense]) -> tuple[dict[str, Dense], str]:
    """The layers with the layout that their biases fit: one that fits one layout alone tells that of the whole dict.

    Linear layers are stored as (n_out, n_in), but those of some models (GPT-2's Conv1D) as (n_in, n_out).
    """
    fitting: dict[bool, str] = {}
    for name, where in dense.items():
        shape = shape_of(entries[where.weight])
        bias = entries.get(where.bias)
        if bias is None or len(shape) != 2 or shape[0] == shape[1] or len(shape_of(bias)) != 1:
            continue
        if shape_of(bias)[0] in shape:
            fitting.setdefault(shape_of(bias)[0] == shape[0], name)
    if len(fitting) == 2:
        raise ValueError(
            f"The bias of {fitting[True]!r} fits a weight of (n_out, n_in), that of {fitting[False]!r} one of "
            "(n_in, n_out). Give layout='out_in' or layout='in_out', and order= with the layers that are stored so."
        )
    if not fitting:
        return dense, ""
    is_out_in = next(iter(fitting))
    return {name: where._replace(transposed=is_out_in) for name, where in dense.items()}, fitting.get(False, "")


def _stem(key: str, suffix: str) -> str:
    """Name of a layer: that of its module, without what an adapter calls the layer that it adapts."""
    return re.sub(rf"{SEPARATORS}base_layer$", "", key[: -len(suffix)].rstrip("./")) or suffix
