"""Names of layers, as short as they can be and still tell the layers apart."""

import re
from collections.abc import Callable, Sequence
from functools import partial

LIMIT = 22
"""Characters that a shortened name has at most, where nothing else is said."""

LEAST = 8
"""No fewer characters hold a number of a layer, and something of its name."""

# Dots of PyTorch, slashes of Keras and ONNX.
_BETWEEN = re.compile(r"[./]")
_CUT = "…"


def shortened(names: Sequence[str], limit: int = LIMIT) -> list[str]:
    """Shorten names to what tells them apart.

    Names that all fit stay as they are. Otherwise the components that all begin with go, then those that all end with,
    as few of either as will do; what is still too long is cut, with an ellipsis. Where a cut would make two names
    equal, each begins with its number from 1.

    Parameters
    ----------
    names : sequence of str
        Components are divided by dots or slashes.
    limit : int, default 22
        Characters that a name has at most, 8 or more.

    Returns
    -------
    list of str
        In the order of `names`; different where they are.

    Examples
    --------
    >>> shortened(["model.encoder.layers.3.dense_projection", "model.encoder.layers.4.dense_projection"])
    ['3.dense_projection', '4.dense_projection']
    >>> shortened(["model.encoder.layers.3.feed_forward.dense_projection"])
    ['dense_projection']
    >>> shortened(["model.layers.3.projection", "model.layers.4.projection"], limit=10)
    ['layers.3', 'layers.4']
    """
    names, limit = list(names), max(limit, LEAST)
    whole = _without_common_components(names, limit)
    if _fit(whole, limit):
        return whole
    n_different = len(set(names))
    for cut in _cuts(whole, limit):
        found = [cut(name) if len(name) > limit else name for name in whole]
        if len(set(found)) == n_different:
            return found
    numbered = [f"{k + 1} {name}" for k, name in enumerate(whole)]
    return [_with_gap(name, limit, limit // 2) if len(name) > limit else name for name in numbered]


def _fit(names: Sequence[str], limit: int) -> bool:
    return all(len(name) <= limit for name in names)


def _without_common_components(names: Sequence[str], limit: int) -> list[str]:
    """Names without as many of the components that they share as make all fit; without any, where none will do."""
    if _fit(names, limit):
        return list(names)
    components = [_BETWEEN.split(name) for name in names]
    # One component stays of each.
    most = min(map(len, components)) - 1
    leading = _n_common(components, most)
    trailing = _n_common([parts[::-1] for parts in components], most - leading)
    dropped = [(k, 0) for k in range(1, leading + 1)] + [(leading, k) for k in range(1, trailing + 1)]
    short, last = list(names), 0
    for first, last in dropped:
        short = [_between(name, first, last) for name in names]
        if _fit(short, limit):
            break
    if leading and all(name.isdigit() for name in short):
        # A bare number says little: what stands before it comes along where there is room.
        numbered = [_between(name, leading - 1, last) for name in names]
        short = numbered if _fit(numbered, limit) else short
    return short if len(set(short)) == len(set(names)) else list(names)


def _n_common(components: Sequence[Sequence[str]], most: int) -> int:
    """How many components all begin with, `most` at the most."""
    for k in range(most):
        if len({parts[k] for parts in components}) > 1:
            return k
    return max(most, 0)


def _between(name: str, first: int, last: int) -> str:
    """A name without its first and last components, its dots and slashes as they are."""
    marks = [match.start() for match in _BETWEEN.finditer(name)]
    begin = marks[first - 1] + 1 if first else 0
    end = marks[len(marks) - last] if last else len(name)
    return name[begin:end]


def _cuts(names: Sequence[str], limit: int) -> list[Callable[[str], str]]:
    """Ways to cut a name, in the order in which they are tried: a gap in the middle, or nearer to one of the ends."""
    kept = dict.fromkeys([limit // 2, limit // 3, limit - limit // 3, 1, limit - 2])
    cuts = [partial(_with_gap, limit=limit, kept=first) for first in kept]
    # What differs may be further inside: from the first character that does.
    least, greatest = min(names), max(names)
    pairs = enumerate(zip(least, greatest, strict=False))
    start = next((k for k, (one, other) in pairs if one != other), 0)
    return [*cuts, partial(_with_window, limit=limit, start=start)]


def _with_gap(name: str, limit: int, kept: int) -> str:
    """The first `kept` characters and as many of the last as there is room for."""
    rest = limit - len(_CUT) - kept
    return name[:kept] + _CUT + (name[-rest:] if rest else "")


def _with_window(name: str, limit: int, start: int) -> str:
    """What stands in a name from a place on, with a little before it."""
    begin = max(min(start - 1, len(name) - limit + 2), 0)
    return (_CUT + name[begin : begin + limit - 2] + _CUT) if begin else name[: limit - 1] + _CUT
