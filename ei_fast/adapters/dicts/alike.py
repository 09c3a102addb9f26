"""Names of entries as TensorFlow, Keras and Flax write them, made those that all others have."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ei_fast.adapters.dicts.naming import last_part
from ei_fast.adapters.dicts.values import shape_of

# TensorFlow numbers the outputs of an operation.
_OUTPUT = r":\d+$"
# Flax's variables that were stored as what they are, with their value inside.
_INSIDE = r"([./](?:kernel|bias|scale|mean|var|embedding))[./]value$"
_BATCH_NORM = re.compile(r"batch_?norm|(^|[^a-z])bn([^a-z]|$)", re.IGNORECASE)


def made_alike(entries: Mapping[str, Any]) -> tuple[dict[str, Any], bool]:
    """The entries by the names that others have, and whether their order is that of names, which tells nothing.

    Keras numbers the variables of a layer, ``layers/dense/vars/0``, and writes layers by name; JAX sorts the names of a
    tree whenever it maps one.
    """
    of_vars: dict[str, dict[int, str]] = {}
    new: dict[str, str] = {}
    for key in entries:
        name = re.sub(_INSIDE, r"\1", re.sub(_OUTPUT, "", key))
        new[key] = name
        numbered = re.fullmatch(r"(.+)[./]vars([./])(\d+)", name)
        if numbered is not None:
            of_vars.setdefault(f"{numbered[1]}{numbered[2]}", {})[int(numbered[3])] = key
    for layer, keys in of_vars.items():
        numbers = sorted(keys)
        variables = told_variables(last_part(layer[:-1]), [shape_of(entries[keys[k]]) for k in numbers])
        if variables is not None and numbers == list(range(len(keys))):
            new |= {keys[k]: f"{layer}{name}" for k, name in zip(numbers, variables, strict=True)}
    is_sorted = bool(of_vars) or any(re.match(r"(.*[./])?(params|batch_stats)[./]", key) for key in entries)
    if len(set(new.values())) < len(new):
        # Names that differ in what was taken off them are kept as they are.
        return dict(entries), is_sorted
    return {new[key]: value for key, value in entries.items()}, is_sorted


def told_variables(kind: str, shapes: Sequence[tuple[int, ...]]) -> list[str] | None:
    """What the numbered arrays of a layer of Keras are called; None where its kind and their shapes do not tell."""
    if len(shapes[0]) >= 2 and list(shapes[1:]) in ([], [shapes[0][-1:]]):
        return ["kernel", "bias"][: len(shapes)]
    # Of three, the first may be of either: a scale or a shift.
    if len(shapes) in (2, 4) and is_batch_norm(kind) and len(shapes[0]) == 1 and len(set(shapes)) == 1:
        return ["gamma", "beta", "moving_mean", "moving_variance"][-len(shapes) :]
    return None


def is_batch_norm(name: str) -> bool:
    """Whether a name is one of a batch norm: ``BatchNorm_0``, ``batch_normalization``, ``bn1``."""
    return _BATCH_NORM.search(name) is not None
