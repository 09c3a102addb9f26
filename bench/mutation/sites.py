"""Where code can be changed so that a test should notice, and which of these changes are drawn.

A site is a place in the code and a kind of change (an operator of arithmetic, a comparison, a number, a condition).
Cosmic-ray makes eleven mutants of each `+` and two of each number: drawn with equal probability they would say little
beyond how well arithmetic is tested. So sites are drawn, and of each one mutant.
"""

import ast
import random
from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

ROOT = Path(__file__).parents[2]
MUTATED = ("ei_fast/measures", "ei_fast/network/bins.py", "ei_fast/network/activations.py", "ei_fast/intervention")
"""Folders and files that are mutated."""

_SAME = {("Is", "Eq"), ("Eq", "Is"), ("IsNot", "NotEq"), ("NotEq", "IsNot")}
# Nothing but speed, or what happens after another fault, depends on them.
_HARMLESS_DECORATORS = {"lru_cache", "cache"}
_HARMLESS_KEYWORDS = {"strict", "frozen", "slots", "maxsize"}


@dataclass(frozen=True)
class Mutant:
    """One change of one file.

    Attributes
    ----------
    path : str
        The file, seen from the root of the repository.
    line, column, last_line : int
        Where the change begins, and the line in which it ends.
    operator : str
        Cosmic-ray's name of the change.
    occurrence : int
        Which place of the file that the operator can change.
    """

    path: str
    line: int
    column: int
    last_line: int
    operator: str
    occurrence: int

    def code(self) -> str | None:
        """The file's text with the change; None where it would not be Python."""
        made = _made(ROOT / self.path, self.operator, self.occurrence)
        try:
            ast.parse(made or "(")
        except SyntaxError:
            return None
        return made


def drawn(n: int, seed: int) -> list[Mutant]:
    """Mutants of `n` sites or a few more, drawn for each file in proportion to its sites, one at least.

    They come in random order, so that the first of them are a sample too.
    """
    rng = random.Random(seed)
    sites = {path: of_file for path in _files() if (of_file := _sites(path))}
    total = sum(map(len, sites.values()))
    chosen = []
    for of_file in sites.values():
        for site in rng.sample(of_file, min(len(of_file), max(1, round(n * len(of_file) / total)))):
            rng.shuffle(site)
            chosen.append(next((mutant for mutant in site if mutant.code() is not None), None))
    found = [mutant for mutant in chosen if mutant is not None]
    rng.shuffle(found)
    return found


def n_sites() -> dict[str, int]:
    """How many sites each file has."""
    return {path: len(_sites(path)) for path in _files()}


def _files() -> list[str]:
    found = [[ROOT / part] if part.endswith(".py") else (ROOT / part).rglob("*.py") for part in MUTATED]
    return sorted(str(path.relative_to(ROOT)) for part in found for path in part)


def _made(path: Path, operator: str, occurrence: int) -> str | None:
    return mutate_code(path.read_text(encoding="utf-8"), cosmic_ray.plugins.get_operator(operator)(), occurrence)


def _sites(path: str) -> list[list[Mutant]]:
    """The mutants of a file, those of one site together."""
    text = (ROOT / path).read_text(encoding="utf-8")
    nodes, left_out = list(ast_nodes(get_ast(text))), _left_out(ast.parse(text))
    sites: defaultdict[Any, list[Mutant]] = defaultdict(list)
    for name in cosmic_ray.plugins.operator_names():
        operator = cosmic_ray.plugins.get_operator(name)
        if operator.arguments() or _is_the_same(name):
            continue
        places = (place for node in nodes for place in operator().mutation_positions(node))
        for occurrence, (begin, end) in enumerate(places):
            if not any(first <= tuple(begin) < last for first, last in left_out):
                kind = name.split("/")[-1].split("_")[0]
                sites[begin, end, kind].append(Mutant(path, *begin, end[0], name, occurrence))
    return [sites[key] for key in sorted(sites)]


def _is_the_same(operator: str) -> bool:
    """Whether the change is one of identity for equality: of None and members of enumerations they are the same."""
    return tuple(operator.split("_")[-2:]) in _SAME


def _left_out(tree: ast.Module) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Begin and end of what is not mutated: types, messages, checks of what the code itself guarantees, mere speed."""
    found: list[ast.AST | None] = [one for one, after in pairwise([*tree.body, ast.Pass()]) if _is_idle(one, after)]
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign | ast.arg):
            found.append(node.annotation)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found += [one for one in node.decorator_list if _name(one) in _HARMLESS_DECORATORS]
            found.append(getattr(node, "returns", None))
        elif _is_left_out(node):
            found.append(node)
        elif isinstance(node, ast.keyword) and node.arg in _HARMLESS_KEYWORDS:
            found.append(node.value)
    return [_span(one) for one in found if one is not None]


def _is_left_out(node: ast.AST) -> bool:
    """Whether it is a message, an assertion, or for type checkers only."""
    if isinstance(node, ast.If):
        return _name(node.test) == "TYPE_CHECKING"
    return isinstance(node, ast.Raise | ast.Assert) or (isinstance(node, ast.Call) and _name(node) == "warn")


def _span(node: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where it begins, the sign `@` of a decorator included, and ends."""
    return (node.lineno, node.col_offset - isinstance(node, ast.expr)), (node.end_lineno, node.end_col_offset)


def _is_idle(statement: ast.stmt, after: ast.stmt) -> bool:
    """Whether a module's statement names a type, or a constant of which is said that no figure depends on it."""
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
        return False
    said = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
    name = statement.targets[0].id
    return "changes no figure" in str(said) or (name[0].isupper() and not name.isupper())


def _name(node: ast.expr) -> str:
    """The last name of what is called or read."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
