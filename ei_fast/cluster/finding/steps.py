"""Which number in their names is the step of the checkpoints of a run: one that can be told, or a refusal."""

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import PurePosixPath

from ei_fast.cluster.finding.names import CHECKPOINT, DATE, EPOCH, GLUED, ITERATION, PLAIN, STEP, Reading, readings_in
from ei_fast.cluster.finding.patterns import pattern_for

_ORDER = (STEP, ITERATION, EPOCH, CHECKPOINT, PLAIN, GLUED)
_COUNTED = (STEP, ITERATION, EPOCH)
"""Words that say what is counted; the others only say that there is a number."""
_SHOWN = 4
"""Files that a message shows."""

Column = tuple[str, int, str]
"""A kind of number, which one of its kind from the end of the name, and the letters that it is glued to."""


def steps_of(names: Mapping[str, str], run: str, groups: Mapping[str, Hashable] | None = None) -> dict[str, Reading]:
    """The step of every checkpoint of one folder, by what its name says.

    Parameters
    ----------
    names : dict of str to str
        Of every path below the folder of the checkpoints the file's name, its suffix apart.
    run : str
        As messages call it; "" where there is one run only.
    groups : dict, optional
        What tells the runs apart to which the files of one folder belong, of every path.

    Returns
    -------
    dict of str to Reading

    Raises
    ------
    ValueError
        Where a name holds no number that may be a step, or several that may, showing them and the option that decides.
    """
    readings = {path: _columns(readings_in(name)[0]) for path, name in names.items()}
    for path, columns in readings.items():
        if all(kind == DATE for kind, _, _ in columns):
            raise ValueError(_nothing_in(path, names[path]))
    single = _only_numbers(readings)
    if single is not None:
        return single
    found = {path: {column: one.value for column, one in columns.items()} for path, columns in readings.items()}
    shared = [column for column in next(iter(found.values())) if all(column in columns for columns in found.values())]
    choices = sorted((one for one in shared if one[0] != DATE), key=lambda one: (_ORDER.index(one[0]), one[1], one[2]))
    by_column = {column: [columns[column] for columns in found.values()] for column in shared}
    of_groups = _indices([groups[path] if groups else None for path in names])
    chosen = next((one for one in choices if _differs(one, by_column, of_groups)), choices[0] if choices else None)
    why = _doubt(chosen, choices, by_column, found, of_groups)
    if why or chosen is None:
        raise ValueError(_refusal(run, why, names, choices, by_column))
    return {path: columns[chosen] for path, columns in readings.items()}


def _indices(keys: Sequence[Hashable]) -> list[list[int]]:
    """Which places have the same key."""
    found: dict[Hashable, list[int]] = {}
    for k, key in enumerate(keys):
        found.setdefault(key, []).append(k)
    return list(found.values())


def _columns(readings: Iterable[Reading]) -> dict[Column, Reading]:
    counts: dict[tuple[str, str], int] = {}
    columns: dict[Column, Reading] = {}
    for one in sorted(readings, key=lambda one: -one.begin):
        group = one.kind, one.letters if one.kind == GLUED else ""
        columns[one.kind, counts.get(group, 0), group[1]] = one
        counts[group] = counts.get(group, 0) + 1
    return columns


def _only_numbers(found: Mapping[str, Mapping[Column, Reading]]) -> dict[str, Reading] | None:
    """The numbers of names that hold one each, however it is called, unless some count one thing and some another."""
    if any(kind == DATE for columns in found.values() for kind, _, _ in columns):
        return None
    if any(len(columns) != 1 for columns in found.values()):
        return None
    single = {path: next(iter(columns.values())) for path, columns in found.items()}
    counted = {one.kind for one in single.values() if one.kind in _COUNTED}
    return None if len(counted) > 1 else single


def _doubt(
    chosen: Column | None,
    choices: Sequence[Column],
    by_column: Mapping[Column, Sequence[int]],
    found: Mapping[str, Mapping[Column, int]],
    groups: Sequence[Sequence[int]],
) -> str:
    """Why the chosen number need not be the step; "" where there is no doubt."""
    if chosen is None or not _all_hold(chosen, found):
        return "their names do not all hold the same numbers"
    counted = {one for columns in found.values() for one in columns if one[0] in _COUNTED}
    if chosen[0] not in _COUNTED and not counted <= by_column.keys():
        return "some of their names say what is counted, and not all the same"
    is_told = _differs(chosen, by_column, groups)
    for other, values in by_column.items():
        for group in groups if is_told else ():
            order = sorted(group, key=lambda k: by_column[chosen][k])
            if any(values[i] > values[j] for i, j in pairwise(order)):
                return f"{_called(chosen)} and {_called(other)} in their names order them differently"
    rivals = [one for one in choices if _is_rival(chosen, one, by_column, groups)]
    if rivals:
        return f"{_called(chosen)} and {_called(rivals[0])} in their names may both be it"
    return ""


def _all_hold(chosen: Column, found: Mapping[str, Mapping[Column, int]]) -> bool:
    """Whether there are as many numbers of the chosen kind in all names: which one it is is counted from the end."""
    return len({sum(kind == chosen[0] for kind, _, _ in columns) for columns in found.values()}) == 1


def _differs(column: Column, by_column: Mapping[Column, Sequence[int]], groups: Sequence[Sequence[int]]) -> bool:
    """Whether a number tells the files of every run apart."""
    values = by_column[column]
    return all(len({values[k] for k in group}) == len(group) for group in groups)


def _is_rival(
    chosen: Column, other: Column, by_column: Mapping[Column, Sequence[int]], groups: Sequence[Sequence[int]]
) -> bool:
    """Whether another number may be the step as well as the chosen one: no word says which, and both differ."""
    if other == chosen or by_column[other] == by_column[chosen] or not _differs(other, by_column, groups):
        return False
    if not _differs(chosen, by_column, groups):
        return False
    if chosen[0] in _COUNTED:
        return other[0] == chosen[0]
    # Of a single file it is the number that stands alone, 10 of resnet50_10.
    return max(map(len, groups)) > 1 or GLUED not in (chosen[0], other[0])


def _called(column: Column) -> str:
    kind, k, letters = column
    word = f"{kind} {letters!r}" if letters else kind
    which = "" if k == 0 else " before the last" if k == 1 else f" {k} before the last"
    return f"the {word}{which}"


def _nothing_in(path: str, name: str) -> str:
    others = [one.text for one in readings_in(name)[1]]
    apart = f" that may be a step: {', '.join(map(repr, others))} is none" if others else ""
    folder = re.search(r"[A-Za-z]+[-_=]?(?=\d+$)", PurePosixPath(path).parent.name)
    versions = (re.fullmatch(r"([A-Za-z]+[-_=]?)\d+", one) for one in others)
    words = folder[0] if folder else next((found[1] for found in versions if found), None)
    rule = "a regular expression with one group around the step, searched in the path below the folder"
    # Only what would find a number is shown as a pattern.
    pattern = repr(f"{words}(\\d+)") if words else ""
    option = f"step_pattern={pattern}, {rule}"
    return (
        f"The step of {path!r} cannot be told: there is no number in {name!r}{apart}. Give {option}; "
        "or table=, a CSV with columns file and step; or a glob that leaves the file out."
    )


def _refusal(
    run: str,
    why: str,
    names: Mapping[str, str],
    choices: Sequence[Column],
    by_column: Mapping[Column, Sequence[int]],
) -> str:
    whose = f" of run {run!r}" if run else ""
    more = f"\n  ... and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    lines = "".join(f"\n  {path}: {_said(name)}" for path, name in list(names.items())[:_SHOWN])
    patterns = [
        f"step_pattern={pattern!r} for {_called(column)}"
        for column in choices
        if (pattern := pattern_for(list(names.values()), by_column[column])) is not None
    ]
    which = ", or ".join(patterns) if patterns else "step_pattern=, a regular expression with one group around the step"
    return (
        f"The steps of the checkpoints{whose} cannot be told: {why}.{lines}{more}\n"
        f"Give {which}; or table=, a CSV with columns file and step."
    )


def _said(name: str) -> str:
    return ", ".join(f"{one.kind} {one.digits}" for one in readings_in(name)[0] if one.kind != DATE)
