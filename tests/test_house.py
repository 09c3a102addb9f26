"""What the house promises: short functions in short files, few arguments by position, no file that needs itself."""

import ast
import graphlib
from pathlib import Path

import pytest

import ei_fast

ROOT = Path(ei_fast.__file__).parent
FILES = [path for path in sorted(ROOT.rglob("*.py")) if path.name != "_version.py"]

MAX_LINES, MAX_POSITIONAL = 60, 6
MAX_LINES_OF_A_FILE = 400
"""What can be read in one sitting."""

BY_NAME = {
    *(("measurement.py", "__init__"), ("recorder.py", "__init__"), ("trajectory.py", "__init__")),
    *(("layer.py", "__init__"), ("epochs.py", "__init__"), ("keras.py", "__init__"), ("lightning.py", "__init__")),
    *(("transformers.py", "__init__"), ("skorch.py", "__init__")),
    *(("plane.py", "__init__"), ("runs.py", "run_demo")),
}
"""Functions of many arguments, which are given by name: public constructors, and what a command calls."""


def _functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]


def _lines_of_code(function):
    """Without the docstring, which of a public function may be long."""
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return lines - (first.end_lineno - first.lineno + 1) if is_docstring else lines


def _is_command(function):
    """Whether its arguments are those of a command, which click gives by name."""
    return any("command" in ast.unparse(one) for one in function.decorator_list)


def _closures(function):
    return [
        node for node in ast.walk(function) if node is not function and isinstance(node, ast.FunctionDef | ast.Lambda)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_functions(path):
    for function in _functions(path):
        lines = _lines_of_code(function)
        positional = [*function.args.posonlyargs, *function.args.args]
        positional = [argument for argument in positional if argument.arg not in ("self", "cls")]
        if path.parent.name != "kernels":
            assert lines <= MAX_LINES, f"{function.name} has {lines} lines"
            if (path.name, function.name) not in BY_NAME and not _is_command(function):
                assert len(positional) <= MAX_POSITIONAL, f"{function.name} takes {len(positional)} by position"
        for closure in _closures(function):
            assert not _closures(closure), f"{function.name} has a closure inside a closure"


def _lines(path):
    return len(path.read_text(encoding="utf-8").splitlines())


def test_files_are_short():
    long = {str(path.relative_to(ROOT)): _lines(path) for path in ROOT.rglob("*.py")}
    assert {path: n for path, n in long.items() if n > MAX_LINES_OF_A_FILE} == {}, "Divide them by ideas"


def _modules(root):
    """Files by the names of their modules."""
    names = {path: (root.name, *path.relative_to(root).with_suffix("").parts) for path in root.rglob("*.py")}
    return {".".join(parts).removesuffix(".__init__"): path for path, parts in names.items()}


def _is_for_types(node):
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _imports(node, known):
    """Modules that the code imports, in functions too; none that type checkers alone do."""
    if isinstance(node, ast.Import):
        return {name.name for name in node.names} & known
    if isinstance(node, ast.ImportFrom):
        assert not node.level, "Imports are absolute"
        # What is imported is a module of a package, or a name in one.
        modules = {f"{node.module}.{name.name}" for name in node.names}
        return (modules & known) | ({node.module} & known if modules - known else set())
    inside = node.orelse if _is_for_types(node) else ast.iter_child_nodes(node)
    return set().union(*(_imports(child, known) for child in inside))


def _circle(root):
    """Modules of a package that import each other in a circle; none where there is no circle."""
    files = _modules(root)
    uses = {
        name: _imports(ast.parse(path.read_text(encoding="utf-8")), set(files)) - {name} for name, path in files.items()
    }
    try:
        graphlib.TopologicalSorter(uses).prepare()
    except graphlib.CycleError as error:
        return error.args[1]
    return []


def test_no_file_needs_itself():
    assert _circle(ROOT) == []


def test_circles_are_found_in_functions_and_not_among_types(tmp_path):
    house = tmp_path / "house"
    (house / "room").mkdir(parents=True)
    (house / "__init__.py").write_text("")
    (house / "room" / "__init__.py").write_text("from house.room import table\n")
    (house / "room" / "table.py").write_text("def lay():\n    import house.chair\n")
    (house / "chair.py").write_text("if TYPE_CHECKING:\n    from house.room.table import lay\n")
    assert _circle(house) == []
    (house / "chair.py").write_text("if True:\n    from house.room import bed\n")
    assert sorted(set(_circle(house))) == ["house.chair", "house.room", "house.room.table"]
    (house / "chair.py").write_text("def sit():\n    from house.room.table import lay\n")
    assert sorted(set(_circle(house))) == ["house.chair", "house.room.table"]
