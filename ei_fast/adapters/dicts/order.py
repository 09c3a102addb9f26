"""In which order dense layers feed each other, as far as names and widths tell."""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from ei_fast.adapters.dicts.contents import Contents

# Steps of a search after which the order counts as unknown, beside a few for each layer.
_MOST_STEPS = 10_000


def told_order(contents: Contents, ordered: bool) -> list[str]:
    """Dense layers in the order in which they feed each other, if names and widths tell it; a guess is refused."""
    names = list(contents.dense)
    numbered = len({re.sub(r"\d+", "0", name) for name in names}) == 1
    # Whoever sorts names puts layer10 before layer2.
    by_name = names == sorted(names) != sorted(names, key=_numbers_of)
    by_number = numbered and (by_name or not ordered)
    if by_number:
        names.sort(key=_numbers_of)
        ordered = True
    widths = [contents.widths(name) for name in names]
    if ordered and _chain(widths):
        return names
    only = _only_chain(widths)
    # Of the widths that chain transposed, the network tells. But Flax numbers layers as they are made, and of calls
    # inside each other the last layer is made first.
    transposed = _chain([pair[::-1] for pair in widths]) and not (by_number and only is not None)
    if ordered and transposed:
        return names
    # Where an order is given and no other chains either, the network tells what is wrong with it.
    if ordered == (only is not None):
        raise ValueError(f"The order of the layers cannot be told. {contents.candidates()}")
    return names if only is None else [names[k] for k in only]


def _numbers_of(name: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", name)]


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
    found: list[list[int]] = []
    path: list[int] = []
    used: set[int] = set()
    # Of every place on the path, what else could stand there.
    waiting = [iter([k for n_in in surplus or taking for k in taking[n_in]])]
    for _ in range(_MOST_STEPS + 4 * len(widths)):
        if not waiting or len(found) == 2:
            break
        following = next((k for k in waiting[-1] if k not in used), None)
        if following is None:
            waiting.pop()
            if path:
                used.discard(path.pop())
            continue
        path.append(following)
        used.add(following)
        waiting.append(iter(taking.get(widths[following][1], ())))
        if len(path) == len(widths):
            found.append(path.copy())
    return found[0] if len(found) == 1 and not waiting else None
