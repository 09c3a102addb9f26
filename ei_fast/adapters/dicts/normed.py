"""Where a dict of weights holds batch norms, as PyTorch, Keras, Flax and others name what is in them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ei_fast.adapters.dicts.alike import is_batch_norm
from ei_fast.adapters.dicts.naming import last_part, module_of

# What the mean and the variance are called, and what is added to the variance where nobody says otherwise.
_STATISTICS = (
    # PyTorch, and MXNet's Gluon.
    ("running_mean", "running_var", 1e-5),
    # Keras and TensorFlow, and MXNet.
    ("moving_mean", "moving_variance", 1e-3),
    ("moving_mean", "moving_var", 1e-3),
    # Chainer.
    ("avg_mean", "avg_var", 2e-5),
    # PaddlePaddle.
    ("_mean", "_variance", 1e-5),
    # Flax. Others have means too.
    ("mean", "var", 1e-5),
)
_SCALES, _SHIFTS = ("weight", "gamma", "scale"), ("bias", "beta", "shift")
_COUNTS = ("num_batches_tracked", "N")
# Flax keeps what a norm saw apart from what it learnt.
_LEARNT, _SEEN = "params", "batch_stats"


class Norm(NamedTuple):
    """The names of a batch norm's entries by what PyTorch calls them, those that are there, and its default eps."""

    keys: dict[str, str]
    eps: float


def batch_norms(entries: Mapping[str, Any]) -> dict[str, Norm]:
    """Every batch norm whose mean and variance are there, by its name."""
    found: dict[str, Norm] = {}
    for key in entries:
        for mean, var, eps in _STATISTICS:
            begin = key.removesuffix(mean)
            # In nested dicts a slash stands between names.
            if last_part(key) != mean or begin == key or not begin or f"{begin}{var}" not in entries:
                continue
            learnt = next((b for b in _learnt(begin) if _parts(b, entries)), begin)
            parts = _parts(learnt, entries)
            if mean == "mean" and learnt == begin and not (parts or is_batch_norm(begin)):
                continue
            keys = parts | {"running_mean": key, "running_var": f"{begin}{var}"}
            keys |= {part: f"{begin}{part}" for part in _COUNTS if f"{begin}{part}" in entries}
            found.setdefault(learnt[:-1], Norm(keys, eps))
    return found


def without_statistics(key: str, entries: Mapping[str, Any]) -> str | None:
    """The batch norm that an entry belongs to, where its mean and variance are not in the dict; None for others."""
    name = module_of(key)
    of_norm = is_batch_norm(name) and last_part(key) in (*_SCALES, *_SHIFTS)
    has_weight = any(f"{name}{between}{part}" in entries for between in "./" for part in ("kernel",))
    return name if of_norm and not has_weight else None


def _learnt(begin: str) -> Iterator[str]:
    """What the names of a norm's scale and shift may begin with, of one whose mean's name begins so."""
    yield begin
    parts = re.split("([./])", begin)
    for at in range(0, len(parts) - 1, 2):
        if parts[at] == _SEEN:
            yield "".join([*parts[:at], _LEARNT, *parts[at + 1 :]])
            yield "".join([*parts[:at], *parts[at + 2 :]])


def _parts(begin: str, entries: Mapping[str, Any]) -> dict[str, str]:
    """The names of a scale and a shift, by what PyTorch calls them."""
    found = {}
    for part, called in (("weight", _SCALES), ("bias", _SHIFTS)):
        name = next((f"{begin}{one}" for one in called if f"{begin}{one}" in entries), None)
        if name is not None:
            found[part] = name
    return found
