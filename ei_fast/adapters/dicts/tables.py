"""Embeddings among the weights of a dict: tables whose rows are looked up, which are no maps between neurons."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from ei_fast.adapters.dicts.copies import words_of
from ei_fast.adapters.dicts.layouts import NamedWeight
from ei_fast.adapters.dicts.naming import last_part, module_of
from ei_fast.adapters.dicts.values import shape_of

# Words in the name of a table, those of the weight itself and of the module that has it.
_TABLES = frozenset(("embed", "embeds", "embedding", "embeddings", "emb", "embs", "wte", "wpe", "pe", "lut"))
_WHOLE = frozenset(("shared", "wte", "wpe", "relative_attention_bias", "relative_position_bias_table"))
# Words beside them that name a layer: embedding_projection, embed_out, unembed.
_LAYERS = frozenset(
    (
        *("proj", "projs", "projection", "projector", "project", "linear", "lin", "dense", "fc", "mlp", "mapping"),
        *("map", "hidden", "out", "output", "head", "unembed", "unembedding", "transform", "encoder", "decoder"),
        *("kernel", "conv"),
    )
)
# What maps to a vocabulary is called so.
_HEADS = frozenset(
    (
        *("head", "heads", "output", "outputs", "out", "classifier", "decoder", "score", "scores", "fc", "logits"),
        *("unembed", "unembedding", "lm", "prediction", "predictions", "cls", "proj", "linear", "dense", "final"),
    )
)
# A vocabulary: more entries than this, and than so many times the width.
_LEAST_ROWS, _TIMES_AS_MANY = 1000, 4
# Rows that are compared in one go.
_ROWS = 4096


def tables_in(weights: Mapping[str, NamedWeight], entries: Mapping[str, Any]) -> dict[str, str]:
    """By name, the weights that are tables, or heads that share theirs, with the reason.

    A layer with a bias is none. Names tell; where they do not, a shape (vocabulary, width) tells that it is either a
    table or a head, and which of them is left to the user.
    """
    found = {name: "an embedding, as its name says" for name, one in weights.items() if _is_named_so(one, entries)}
    for name, one in weights.items():
        if name not in found:
            tied = next((table for table in found if _are_one(entries, one, weights[table])), None)
            if tied is not None:
                found[name] = f"the embedding {tied!r}, of which it has the weight (tied)"
    others = {name: shape_of(entries[one.weight]) for name, one in weights.items() if name not in found}
    found |= {
        name: "as large as a vocabulary, and its name does not tell whether it is an embedding or a head"
        for name, one in weights.items()
        if name in others and not _has_bias(one, entries) and _is_like_a_table(name, others)
    }
    return found


def _has_bias(one: NamedWeight, entries: Mapping[str, Any]) -> bool:
    bias = entries.get(one.bias)
    return bias is not None and len(shape_of(bias)) == 1 and shape_of(bias)[0] in shape_of(entries[one.weight])


def _is_named_so(one: NamedWeight, entries: Mapping[str, Any]) -> bool:
    if last_part(one.weight) in ("embedding", "embeddings"):
        return True
    if _has_bias(one, entries):
        return False
    name = one.name
    if last_part(name).isdigit():
        # One of a list of embeddings.
        name = module_of(name)
    words = set(words_of(last_part(name)))
    return last_part(name) in _WHOLE or bool(words & _TABLES and not words & _LAYERS)


def _is_like_a_table(name: str, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    rows, columns = shapes[name]
    if rows < max(_LEAST_ROWS, _TIMES_AS_MANY * columns) or not set(_words(name)).isdisjoint(_HEADS):
        return False
    widths = [shape for other, shape in shapes.items() if other != name]
    return not any(rows in shape for shape in widths) and sum(columns in shape for shape in widths) > 1


def _words(name: str) -> list[str]:
    return words_of(f"{last_part(module_of(name))} {last_part(name)}")


def _are_one(entries: Mapping[str, Any], one: NamedWeight, table: NamedWeight) -> bool:
    """Whether two weights are the same numbers, of files perhaps stored twice."""
    first, second = entries[one.weight], entries[table.weight]
    if shape_of(first) != shape_of(second):
        return False
    if first is second:
        return True
    # The first row tells it of most that differ.
    ends = [1, *range(_ROWS, shape_of(first)[0], _ROWS), shape_of(first)[0]]
    try:
        return all(np.array_equal(_rows(first, *part), _rows(second, *part)) for part in pairwise([0, *ends]))
    except (IndexError, NotImplementedError, RuntimeError, TypeError):
        # No dense array: what is wrong with it is said where it is read.
        return False


def _rows(values: Any, begin: int, end: int) -> Any:
    part = values[begin:end]
    return part.detach().cpu().double().numpy() if hasattr(part, "detach") else np.asarray(part)
