"""Which layers of a dict are read, by patterns over their names: ``"*.mlp.*"``."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

_RULE = "The 'layers' parameter of as_network must be a pattern of names, as '*.mlp.*', or several of them"
# Names in a message.
_MOST_SHOWN = 10


def check_patterns(layers: Any) -> tuple[str, ...] | None:
    """Return the patterns, one or several, or say why they can be none."""
    if layers is None:
        return None
    patterns = [layers] if isinstance(layers, str) else layers
    if not isinstance(patterns, Sequence) or not all(isinstance(one, str) for one in patterns):
        raise TypeError(f"{_RULE}. Got {layers!r} instead.")
    if not patterns or not all(one.strip() for one in patterns):
        raise ValueError(f"{_RULE}. Got {layers!r} instead, of which one is empty. Give names, or leave it out.")
    return tuple(patterns)


def named_by(patterns: Sequence[str], keys_of: Mapping[str, Sequence[str]]) -> dict[str, bool]:
    """The names that a pattern fits, in their order, and whether one of the patterns is the whole name.

    Parameters
    ----------
    patterns : sequence of str
        In which ``*`` stands for anything, dots and slashes included, ``?`` for one character, ``[ab]`` for one of
        some. An entry's name fits as well: ``"*.mlp.*.weight"``.
    keys_of : mapping of str to sequence of str
        By the names of layers, those of their entries.

    Raises
    ------
    ValueError
        For a pattern that fits nothing, with names that are close to it.
    """
    chosen: dict[str, bool] = {}
    for pattern in patterns:
        found = [name for name, keys in keys_of.items() if _fits(pattern, name, keys)]
        if not found:
            raise ValueError(_of_no_name(pattern, list(keys_of)))
        for name in found:
            chosen[name] = chosen.get(name, False) or pattern in (name, *keys_of[name])
    return {name: chosen[name] for name in keys_of if name in chosen}


def _fits(pattern: str, name: str, keys: Iterable[str]) -> bool:
    # A name may have brackets in it itself.
    return any(pattern == one or fnmatchcase(one, pattern) for one in (name, *keys))


def _of_no_name(pattern: str, names: list[str]) -> str:
    bare = pattern.strip("*./")
    inside = [name for name in names if bare and bare in name]
    lower = {name.lower(): name for name in names}
    close = inside or [lower[one] for one in get_close_matches(bare.lower(), list(lower), _MOST_SHOWN, 0.5)] or names
    more = f" and {len(close) - _MOST_SHOWN} more" if len(close) > _MOST_SHOWN else ""
    # A part of names, as the name of a module is.
    example = f"*{bare}*" if inside else close[0]
    said = "Names like it are" if close is not names else "There are"
    return (
        f"The 'layers' parameter of as_network has {pattern!r}, which fits the name of no layer here. {said} "
        f"{', '.join(map(repr, close[:_MOST_SHOWN]))}{more}. Give layers={example!r}, or another pattern: * stands for "
        "anything, dots and slashes included."
    )
