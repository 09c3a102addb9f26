"""Regular expressions that find steps and runs in names: those that are given, and those that messages suggest."""

import re
from collections.abc import Hashable, Mapping, Sequence


def compiled_pattern(pattern: str) -> re.Pattern[str]:
    """A step pattern, which must have one group for the step, and may have another that is called run."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"The step pattern {pattern!r} is no regular expression: {error}. Write one like 'step=(\\d+)'."
        ) from None
    others = compiled.groups - ("run" in compiled.groupindex)
    if others != 1:
        raise ValueError(
            f"The step pattern {pattern!r} must have one group, around the digits of the step, like 'step=(\\d+)', and "
            f"may have another that is called run, like '(?P<run>.*)-step=(\\d+)'. Got {others} groups for the step."
        )
    return compiled


def step_group(pattern: re.Pattern[str]) -> int:
    """Which group of a pattern is around the step: the one that is not called run."""
    return next(k for k in range(1, pattern.groups + 1) if k != pattern.groupindex.get("run"))


def grouped(keys: Mapping[str, Hashable]) -> dict[Hashable, list[str]]:
    """Paths with the same key."""
    found: dict[Hashable, list[str]] = {}
    for path, key in keys.items():
        found.setdefault(key, []).append(path)
    return found


def pattern_for(names: Sequence[str], values: Sequence[int]) -> str | None:
    """A regular expression that finds these values in the names; None where none was found."""
    first, value = names[0], values[0]
    places = [found for found in re.finditer(r"\d+", first) if int(found[0]) == value]
    for found in places:
        text = re.search(r"[^\d/]*$", first[: found.start()])
        words = re.escape(text[0]).replace(r"\-", "-").replace(r"\ ", " ") if text else ""
        before = len(re.findall(r"\d+", first[: found.start()]))
        behind = len(re.findall(r"\d+", first[found.end() :]))
        for pattern in (
            rf"{words}(\d+)" if words else r"^(\d+)",
            r"(\d+)(?!.*\d)",
            rf"^\D*(?:\d+\D+){{{before}}}(\d+)",
            rf"(\d+)(?:\D+\d+){{{behind}}}\D*$",
        ):
            matches = [re.search(pattern, name) for name in names]
            if all(one and int(one[1]) == value for one, value in zip(matches, values, strict=True)):
                return pattern
    return None


def patterns_for(names: Mapping[str, str], steps: Mapping[str, int], keys: Mapping[str, Hashable]) -> dict[str, str]:
    """Regular expressions that read these steps, for names of one run and of several; those that were found."""
    found: dict[str, str] = {}
    first = next(iter(names.values()))
    for place in re.finditer(r"\d+", first):
        text = re.search(r"[A-Za-z]*[_ =\-.]?$", first[: place.start()])
        words = re.sub(r"\\([-= ])", r"\1", re.escape(text[0])) if text else ""
        behind = len(re.findall(r"\d+", first[place.end() :]))
        further = rf"(?:\D+\d+){{{behind}}}" if behind else ""
        for step in (rf"{words}(\d+)", rf"(\d+){further}\D*$"):
            if _reads(step, names, steps):
                found.setdefault("for one run", step)
            for pattern in (
                rf"^(?P<run>.*?)[_ .-]?{step}",
                rf"^(?P<run>.*?)[_ .-]?{step}$",
                rf"{step}[_ .-]?(?P<run>.*)$",
            ):
                if _reads(pattern, names, steps, keys):
                    found.setdefault("for runs of their own", pattern)
    return found


def _reads(
    pattern: str, names: Mapping[str, str], steps: Mapping[str, int], keys: Mapping[str, Hashable] | None = None
) -> bool:
    """Whether a pattern reads all steps, once in every run, and tells the runs apart by their keys."""
    read: dict[str, tuple[str, int]] = {}
    for path, name in names.items():
        found = re.search(pattern, name)
        if found is None or int(found[step_group(found.re)]) != steps[path]:
            return False
        read[path] = (found["run"] if keys else "", steps[path])
    if len(set(read.values())) < len(read):
        return False
    runs = {path: run for path, (run, _) in read.items()}
    return keys is None or ("" not in runs.values() and _parts(runs) == _parts(keys))


def _parts(keys: Mapping[str, Hashable]) -> set[frozenset[str]]:
    return set(map(frozenset, grouped(keys).values()))
