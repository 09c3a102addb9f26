"""In words, how many of a model's parameters were measured."""

import math

from ei_fast.network.parameter_count import ParameterCount
from ei_fast.shown.blocks import SMALL

# Kinds of what was not measured that are listed.
_MOST_SHOWN = 4
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def share_in_words(count: ParameterCount) -> str:
    """How many parameters there are, what share of them was measured, and what the others are in."""
    embeddings = f" beside {short(count.embeddings)} of embeddings" if count.embeddings else ""
    others = [f"{n} × {kind} {short(size)}" if n > 1 else f"{kind} {short(size)}" for kind, n, size in count.others]
    if len(others) > _MOST_SHOWN:
        rest = sum(size for _, _, size in count.others[_MOST_SHOWN:])
        others[_MOST_SHOWN:] = [f"{len(others) - _MOST_SHOWN} other kinds {short(rest)}"]
    left = f"; not measured: {', '.join(others)}" if others else ""
    return f"{_percent(count)} % of {short(count.total - count.embeddings)} parameters measured{embeddings}{left}"


def share_in_lines(count: ParameterCount | None, n_layers: int) -> list[str]:
    """That line, of a network of so many layers; none where they are few, and nothing was left out."""
    if count is None or (count.measured == count.total and n_layers <= SMALL):
        return []
    return [share_in_words(count)]


def short(number: int) -> str:
    """A number in two or three digits and a unit: 4.4 M."""
    for unit, sign in _UNITS:
        # What rounds up to the next unit is said in that.
        if number >= 0.9995 * unit:
            scaled = number / unit
            return f"{scaled:.1f} {sign}" if scaled < 9.95 else f"{scaled:.0f} {sign}"
    return str(number)


def _percent(count: ParameterCount) -> str:
    """The share in percent, never more than it is: all is all."""
    percent = 100.0 * count.share
    return f"{percent:.0f}" if percent in (0.0, 100.0) else f"{math.floor(10.0 * percent) / 10.0:.1f}"
