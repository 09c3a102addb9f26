"""Names of layers told apart into the block that they are in, as ``encoder.layer.3``, and their names within it."""

import re
from collections import Counter
from collections.abc import Sequence

SMALL = 12
"""Rows of a table that is short enough to be read as it is."""

_NUMBERED = re.compile(r"(?:^|.*?[./])\d+(?=[./])")
_WORD_AND_NUMBER = re.compile(r"(?:^|.*?[./])[A-Za-z]\w*?\d+(?=[./])")
# As Keras names the layers of a block, where they have no paths.
_KERAS = re.compile(r"(?:.*?_)??(?:block|stage|layer|stack)_?\d+[a-z]?(?=_[A-Za-z0-9])")


def in_blocks(names: Sequence[str]) -> list[tuple[str, str]] | None:
    """The block of each of some layers, and its name within it; None where they are few, or in no blocks.

    Layers that are in none have an empty block. Of blocks within blocks the outer ones are meant.

    Parameters
    ----------
    names : sequence of str
        In the order in which the network has its layers.

    Returns
    -------
    list of (str, str) or None
    """
    if len(names) <= SMALL:
        return None
    for pattern in (_NUMBERED, _WORD_AND_NUMBER, _KERAS):
        parts = [_split(pattern, name) for name in names]
        rows = Counter(block for block, _ in parts if block)
        if sum(n > 1 for n in rows.values()) > 1:
            return [(block, inside) if rows[block] > 1 else ("", name)
                    for name, (block, inside) in zip(names, parts, strict=True)]  # fmt: skip
    return None


def without_numbers(name: str) -> str:
    """A name with a star for each number that is a part of it: what blocks alike call the same."""
    return re.sub(r"(?<![^./_])\d+(?![^./_])|(?<=[A-Za-z])\d+(?=[./])", "*", name)


def _split(pattern: re.Pattern[str], name: str) -> tuple[str, str]:
    found = pattern.match(name)
    return (found[0], name[found.end() + 1 :]) if found else ("", name)
