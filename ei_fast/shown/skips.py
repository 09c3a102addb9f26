"""What was not measured, and why, in as few lines as say it."""

import re
from collections.abc import Sequence

from ei_fast.shown.blocks import without_numbers

_FEW = 8
# Names that are listed of those that have one reason.
_MOST_NAMES = 4
_QUOTED = re.compile(r"'[^']*'")
_ITS_LAYERS = (
    (r"^the inputs of '[^']*' after it are ", "the inputs of the layers after them are "),
    (r"^layer '[^']*' is measured without it$", "the layers before are measured without them"),
    (r"^its values are no numbers for all that layer '[^']*' can reach$", "their values are no numbers for all that "
     "the layers before can reach"),
)  # fmt: skip


def skips_in_lines(skipped: Sequence[tuple[str, str]], word: str = "skipped", verbose: bool = False) -> list[str]:
    """A line for each name that was skipped; where they are many, one for all that have the same reason.

    Parameters
    ----------
    skipped : sequence of (str, str)
        Names and reasons.
    word : str
        What each line begins with.
    verbose : bool
        Whether each has a line of its own, however many they are.

    Returns
    -------
    list of str
    """
    each = [f"{word} {name}: {reason}" for name, reason in skipped]
    if verbose or len(skipped) <= _FEW:
        return each
    alike: dict[str, list[int]] = {}
    for k, (_, reason) in enumerate(skipped):
        alike.setdefault(_kind(reason), []).append(k)
    return [
        each[places[0]] if len(places) == 1 else _together([skipped[k] for k in places], word)
        for places in alike.values()
    ]


def _together(skipped: Sequence[tuple[str, str]], word: str) -> str:
    names = list(dict.fromkeys(without_numbers(name) for name, _ in skipped))
    if len(names) > _MOST_NAMES:
        names[_MOST_NAMES:] = [f"and {len(names) - _MOST_NAMES} more"]
    # Of some, what is said of the layers around them is not said of others.
    parts = list(dict.fromkeys(part for _, reason in skipped for part in _of_many(reason)))
    return f"{word} {len(skipped)} × {', '.join(names)}: {'; '.join(parts)}"


def _of_many(reason: str) -> list[str]:
    """The parts of a reason, said of several that have it."""
    parts = []
    for part in reason.split("; "):
        for pattern, of_many in _ITS_LAYERS:
            part = re.sub(pattern, of_many, part)
        parts.append(part)
    return parts


def _kind(reason: str) -> str:
    """What reasons have in common that differ in the layers around what was skipped alone."""
    around = {of_many for _, of_many in _ITS_LAYERS[:2]}
    parts = [part for part in _of_many(reason) if not any(part.startswith(one.strip()) for one in around)]
    return "; ".join(_QUOTED.sub("''", part) if "blocks" not in part else part for part in parts)
