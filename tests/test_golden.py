"""Figures of cheap measurements as they were recorded: no change of the code may move one unnoticed.

They are held to 1e-9, relative and absolute: the last digits depend on the processor, on NumPy and on BLAS. (For the
last bit, on one machine, there is `tests/golden/record.py`.) A field of a report that is newer than the file is not
compared until the file is recorded anew.

To record the figures anew: `python tests/golden/record.py record-figures tests/golden/figures.json`. That is allowed
where figures are meant to change: an estimator or a constant was mended, or random streams are drawn another way. The
changelog then says so, and the file is part of the same change, so that a reviewer sees which cases moved and by how
much. It is not allowed in order to make a failing test pass whose failure nobody can explain.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from golden import record

FIGURES = json.loads((Path(__file__).parent / "golden" / "figures.json").read_text(encoding="utf-8"))


def _differences(found, expected, place=""):
    """Where two nested figures differ by more than the tolerance, and by how much."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        for name in expected:
            yield from _differences(found[name], expected[name], f"{place}.{name}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for k, pair in enumerate(zip(found, expected, strict=True)):
            yield from _differences(*pair, f"{place}[{k}]")
    elif isinstance(expected, float) and isinstance(found, float):
        if not np.isclose(found, expected, rtol=1e-9, atol=1e-9, equal_nan=True):
            yield f"{place}: {found} in place of {expected}"
    elif type(found) is not type(expected) or found != expected:
        yield f"{place}: {found} in place of {expected}"


@pytest.mark.parametrize(("name", "measured"), record.cheap_cases(), ids=record.CHEAP)
def test_figures_are_those_recorded(name, measured):
    found = record.of_recorded(record.decimal(measured()), FIGURES[name])
    assert list(_differences(found, FIGURES[name])) == []


def test_every_case_is_recorded():
    assert tuple(FIGURES) == record.CHEAP


@pytest.mark.parametrize(
    ("found", "n_differences"),
    [
        ({"ei": [1.0, float("nan")], "flags": ["a"]}, 0),
        ({"ei": [1.0 + 5e-10, float("nan")], "flags": ["a"]}, 0),
        ({"ei": [1.0 + 5e-9, float("nan")], "flags": ["a"]}, 1),
        ({"ei": [1.0, 0.0], "flags": ["b"]}, 2),
        ({"ei": [1.0], "flags": ["a"]}, 1),
        ({"ei": [1, float("nan")], "flags": ["a"]}, 1),
        ({"ei": [1.0, float("nan")]}, 1),
    ],
)
def test_differences_are_found(found, n_differences):
    expected = {"ei": [1.0, float("nan")], "flags": ["a"]}
    assert len(list(_differences(found, expected))) == n_differences
    # A field more hides none of them, and is none.
    more = record.of_recorded([found | {"newer": 3.0}], [expected])
    assert len(list(_differences(more, [expected]))) == n_differences


def test_the_fields_that_are_compared_are_those_recorded():
    expected = [{"ei": 1.0, "flags": []}]
    assert record.of_recorded([{"ei": 2.0, "flags": [], "newer": 3.0}], expected) == [{"ei": 2.0, "flags": []}]
    assert record.of_recorded([{"ei": 1.0, "newer": 3.0}], expected) == [{"ei": 1.0}]
    assert record.of_recorded([{"ei": 1.0}, {"ei": 1.0}], expected) == [{"ei": 1.0}, {"ei": 1.0}]
    assert record.of_recorded([1.0, 2.0, 3.0], [1.0, 2.0]) == [1.0, 2.0, 3.0]
