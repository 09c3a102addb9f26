"""What the rooms of the core promise of every function: short, few arguments by position, no closure in a closure."""

import ast
from pathlib import Path

import pytest

import ei_fast

ROOT = Path(ei_fast.__file__).parent
ROOMS = ("claims", "cluster", "intervention", "kernels", "measures", "network", "results", "runtime")
FILES = [
    *(path for room in ROOMS for path in (ROOT / room).rglob("*.py")),
    ROOT / "functions.py",
    ROOT / "parameters.py",
]
FILES += [ROOT / "estimator.py", ROOT / "validation.py", ROOT / "warmup.py"]

MAX_LINES, MAX_POSITIONAL = 60, 6

# The constructors of the public interface, whose arguments are given by name.
CONSTRUCTORS = {("estimator.py", "__init__"), ("layer.py", "__init__")}


def _functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def _lines_of_docstring(function):
    if ast.get_docstring(function) is None:
        return 0
    return function.body[0].end_lineno - function.body[0].lineno + 1


def _closures(function):
    return [
        node for node in ast.walk(function) if node is not function and isinstance(node, ast.FunctionDef | ast.Lambda)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions(path):
    for function in _functions(path):
        lines = function.end_lineno - function.lineno + 1 - _lines_of_docstring(function)
        positional = [*function.args.posonlyargs, *function.args.args]
        positional = [argument for argument in positional if argument.arg not in ("self", "cls")]
        if path.parent.name != "kernels":
            assert lines <= MAX_LINES, f"{function.name} has {lines} lines"
            if (path.name, function.name) not in CONSTRUCTORS:
                assert len(positional) <= MAX_POSITIONAL, f"{function.name} takes {len(positional)} by position"
        for closure in _closures(function):
            assert not _closures(closure), f"{function.name} has a closure inside a closure"
