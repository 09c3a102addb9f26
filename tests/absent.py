"""Tests of what is not installed are skipped; one line each says why, and how to run them."""

import re
from collections import Counter
from importlib.metadata import requires
from importlib.util import find_spec


def _brought_by(extra):
    """The modules of the packages that an extra brings."""
    asked = [one for one in requires("ei_fast") if re.search(rf"extra == ['\"]{extra}['\"]", one)]
    return [re.match(r"[\w-]+", one)[0].replace("-", "_") for one in asked]


FRAMEWORKS = [name for name in _brought_by("frameworks") if find_spec(name) is None]
"""Those that the extra `frameworks` brings and that are not installed."""

# What Python says of a module that it does not find, and what the package says of one that it needs.
_NOT_FOUND = re.compile(r"No module named '(\w+)")
_NEEDED = re.compile(r'pip install "ei_fast\[\w+\]"')


def why_skipped(said):
    """Why a test is skipped that failed with this message, or None where no framework is missing."""
    names = _NOT_FOUND.findall(said)
    if any(name in FRAMEWORKS for name in names) or (FRAMEWORKS and not names and _NEEDED.search(said)):
        return "needs a framework that is not installed"
    return None


def summary(reasons):
    """The lines that say how often tests, or whole files of them, were skipped for each of some reasons."""
    lines = [f"skipped {number}: {reason}" for reason, number in Counter(reasons).most_common()]
    if FRAMEWORKS:
        lines.append(f'Not installed: {", ".join(FRAMEWORKS)}. To run all tests: pip install ".[test,frameworks]"')
    return lines
