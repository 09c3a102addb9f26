"""Which tests reach a place in the code, the fastest first, as a run with coverage's contexts has noted."""

import ast
import json
import re
from collections import defaultdict
from functools import cached_property
from pathlib import Path

import coverage
from sites import ROOT, Mutant

_SHORT = 0.01
"""Seconds of tests that pytest does not list, since they took less."""


class Reached:
    """What a clean run of the tests has told.

    Parameters
    ----------
    data : Path
        Coverage's data of a run with ``--cov-context=test``.
    seconds : Path
        Seconds of each test, a JSON object.
    """

    def __init__(self, data: Path, seconds: Path):
        self._data = coverage.CoverageData(str(data))
        self._data.read()
        self._seconds: dict[str, float] = json.loads(seconds.read_text(encoding="utf-8"))
        self._files = {
            name[name.rindex("ei_fast/") :]: name for name in self._data.measured_files() if "ei_fast/" in name
        }

    def tests(self, mutant: Mutant, budget: float) -> tuple[list[str], int]:
        """Tests that reach the mutant, of at most `budget` seconds together, and how many are left out for that.

        Those in a file that is called as the mutated one are first, and then the fastest.
        """
        stem = Path(mutant.path).stem
        found = {test: self.seconds(test) for test in self._reaching(mutant)}
        ordered = sorted(found, key=lambda test: (stem not in test.split("::")[0], found[test], test))
        chosen, spent = [], 0.0
        for test in ordered:
            spent += found[test]
            if chosen and spent > budget:
                break
            chosen.append(test)
        return chosen, len(ordered) - len(chosen)

    def seconds(self, test: str) -> float:
        """What the test took in a clean run."""
        return self._seconds.get(test, _SHORT)

    def _reaching(self, mutant: Mutant) -> set[str]:
        first, last, names, function = _statement(mutant)
        if names:
            # What stands in a module is run when it is imported: its names are looked for where they are used.
            return set().union(*(self._of_name(name) for name in names))
        tests = self._of_lines(mutant.path, first, last)
        if not tests and function is not None:
            tests = self._of_lines(mutant.path, *function)
        return tests or self._of_lines(mutant.path, 1, 10**6)

    def _of_lines(self, path: str, first: int, last: int) -> set[str]:
        by_line = self._by_line(path)
        return {test for line, tests in by_line.items() if first <= line <= last for test in tests}

    def _of_name(self, name: str) -> set[str]:
        tests: set[str] = set()
        for path, lines in self._texts.items():
            for k, line in enumerate(lines, 1):
                if re.search(rf"\b{name}\b", line):
                    tests |= self._of_lines(path, k, k)
        return tests

    def _by_line(self, path: str) -> dict[int, set[str]]:
        if path not in self._lines:
            contexts = self._data.contexts_by_lineno(self._files[path]) if path in self._files else {}
            self._lines[path] = {
                line: {one.rsplit("|", 1)[0] for one in of_line if "::" in one} for line, of_line in contexts.items()
            }
        return self._lines[path]

    @cached_property
    def _lines(self) -> dict[str, dict[int, set[str]]]:
        return {}

    @cached_property
    def _texts(self) -> dict[str, list[str]]:
        paths = (ROOT / "ei_fast").rglob("*.py")
        return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").splitlines() for path in paths}


def _statement(mutant: Mutant) -> tuple[int, int, list[str], tuple[int, int] | None]:
    """Lines of the statement that is changed, the names that it gives to the module, and its function's lines.

    Of a statement that holds others, only the head.
    """
    tree = ast.parse((ROOT / mutant.path).read_text(encoding="utf-8"))
    first, last, names, function = mutant.line, mutant.last_line, [], None
    for node in ast.walk(tree):
        begin = min([getattr(node, "lineno", 10**9), *(one.lineno for one in getattr(node, "decorator_list", []))])
        if not isinstance(node, ast.stmt) or not begin <= mutant.line <= (node.end_lineno or 0):
            continue
        if isinstance(node, ast.FunctionDef):
            function = (node.body[0].lineno, node.end_lineno or 0)
        body = getattr(node, "body", None)
        first, last = begin, body[0].lineno - 1 if body else node.end_lineno or 0
        if node in tree.body and isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)]
    # The head of a function or a class is run when the module is imported.
    if function is not None and last < function[0]:
        first, last = function
    return min(first, mutant.line), max(last, mutant.last_line), names, function


def seconds_of_log(text: str) -> dict[str, float]:
    """Seconds of each test, of what pytest prints with ``--durations=0 -vv``."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for number, test in re.findall(r"^([\d.]+)s (?:call|setup|teardown)\s+(.+)$", text, re.MULTILINE):
        seconds[test.strip()] += float(number)
    return dict(seconds)
