"""Which layers of two networks belong together: those of one name, or those that are said to."""

from collections.abc import Mapping, Sequence
from typing import Any

_MOST_PAIRS = 6

Match = Sequence[str] | Mapping[str, str] | None
"""Names that both have; or names of the first, with those of the second; or None, where all names are to be equal."""


def matched(first: Sequence[str], second: Sequence[str], match: Any, owner: str) -> list[tuple[str, str]]:
    """Pairs of names of layers that are compared, in the order of the first.

    Parameters
    ----------
    first, second : sequence of str
        Names of all layers of both.
    match : None, sequence of str or mapping of str to str
        As `Match`.
    owner : str
        The function whose parameter `match` is, for messages.

    Raises
    ------
    TypeError, ValueError
        For names that do not match, or that there are not; the message says what to give.
    """
    if match is None:
        _check_all_match(first, second, owner)
        return [(name, name) for name in first]
    rule = f"The 'match' parameter of {owner} must be None, a list of names of layers, or a dict of names to names"
    if isinstance(match, str) or not isinstance(match, (Sequence, Mapping)):
        raise TypeError(f"{rule}. Got {match!r} instead.")
    pairs = list(match.items()) if isinstance(match, Mapping) else [(name, name) for name in dict.fromkeys(match)]
    if not pairs:
        raise ValueError(f"{rule}, at least one. Got {match!r} instead.")
    for which, names, known in (("first", [a for a, _ in pairs], first), ("second", [b for _, b in pairs], second)):
        unknown = next((name for name in names if name not in known), None)
        if unknown is not None:
            raise ValueError(f"{rule}. Got {unknown!r}, which the {which} does not have. Use names of {list(known)}.")
    order = {name: k for k, name in enumerate(first)}
    return sorted(pairs, key=lambda pair: order[pair[0]])


def _check_all_match(first: Sequence[str], second: Sequence[str], owner: str) -> None:
    of_first = [name for name in first if name not in second]
    of_second = [name for name in second if name not in first]
    if not of_first and not of_second:
        return
    alone = [
        f"the {which} alone has {', '.join(map(repr, names))}"
        for which, names in (("first", of_first), ("second", of_second))
        if names
    ]
    common = [name for name in first if name in second]
    # Of names that differ those at one place may mean one layer.
    pairs = dict(list(zip(first, second, strict=False))[:_MOST_PAIRS])
    remedy = (
        f"Give match={common}, the names that both have" if common else f"Give match={pairs}, or what belongs together"
    )
    raise ValueError(f"Layers are compared by their names in {owner}, and {' and '.join(alone)}. {remedy}.")


def left_out(first: Sequence[str], second: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Names of the layers that are in no pair, each with the reason."""
    used = [{a for a, _ in pairs}, {b for _, b in pairs}]
    return [
        (name, f"of the {which}, and not in 'match'")
        for which, names, known in (("first", first, used[0]), ("second", second, used[1]))
        for name in names
        if name not in known
    ]
