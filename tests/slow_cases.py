"""Cases of parametrised tests, of which some are left to the slow run."""

from collections.abc import Iterable
from typing import Any

import pytest


def some_slow(cases: Iterable[Any], n_quick: int) -> list[Any]:
    """Return the cases with all but the first few marked as slow; a tuple has one value for each argument."""
    marked = []
    for k, case in enumerate(cases):
        values = case if isinstance(case, tuple) else (case,)
        marked.append(pytest.param(*values, marks=() if k < n_quick else pytest.mark.slow))
    return marked
