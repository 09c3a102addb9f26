"""All messages of the package that say what to do, found in its source."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import ei_fast

ROOT = Path(ei_fast.__file__).parent

VERBS = (
    *("Add", "Ask", "Begin", "Bind", "Bring", "Build", "Call", "Choose", "Close", "Compare", "Convert"),
    *("Copy", "Delete", "Download", "Draw", "Drop", "Export", "Fill", "Fit", "Fix", "Free", "Give", "Go"),
    *("Install", "Judge", "Keep", "Leave", "Let", "Load", "Lower", "Make", "Measure", "Merge", "Move"),
    *("Name", "Observe", "Open", "Order", "Pass", "Pick", "Plan", "Print", "Put", "Raise", "Read", "Record"),
    *("Register", "Remove", "Rename", "Repeat", "Reshape", "Replace", "Restore", "Run", "Save", "Say", "Scale", "See"),
    *("Set", "Show", "Split", "Start", "Stop", "Submit", "Take", "Tell", "Train", "Transpose", "Try"),
    *("Turn", "Unset", "Update", "Upgrade", "Use", "Wait", "Write"),
)
"""Imperatives that a remedy begins with."""
NO_VERBS = (
    *("Complex", "Found", "Got", "If", "It", "Its", "JSON", "Known", "Layer", "Later", "Of", "One"),
    *("Recorder", "The", "There", "They", "Those", "Transposed", "What", "With"),
)
"""What other sentences of messages begin with: a word that is in neither fails a test, with its message."""

_ANY = "|".join(VERBS)
_LOWER = "|".join(verb.lower() for verb in VERBS if verb not in ("Order", "Set", "Found"))
REMEDY = re.compile(rf"(?:^\s*|[.?!)}}] |\n)(?:{_ANY}) |[:;,] (?:{_LOWER}) (?!of )|pip install")
BEGINNING = re.compile(r"(?<!\.\.)[.?!] ([A-Z]\w+)")


@dataclass(frozen=True)
class Message:
    """A text with a remedy: its constant parts, with {} for what is put in."""

    key: str
    where: str


def messages():
    """Every text of the package that says what to do, but help of commands and documentation."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in _texts(tree):
            key = _key(node)
            if REMEDY.search(key):
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                found.setdefault(key, Message(key, where))
    return found


def _texts(node, parent=None):
    """All strings that are no docstrings, and not within a decorator, where help of commands is."""
    if isinstance(node, (ast.JoinedStr, ast.Constant, ast.BinOp)) and _key(node) is not None:
        if not isinstance(parent, ast.Expr):
            yield node
        # What is put into a text may be chosen of several texts.
        for put_in in (one for one in ast.walk(node) if isinstance(one, ast.FormattedValue)):
            yield from _texts(put_in.value, put_in)
        return
    for name, value in ast.iter_fields(node):
        if name == "decorator_list" or (isinstance(node, ast.keyword) and node.arg == "help"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _texts(child, node)


def sentences():
    """First words of the sentences of everything that is raised or warned of, each with its message."""
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = getattr(node, "func", None)
            is_warning = getattr(called, "attr", getattr(called, "id", "")) == "warn"
            if isinstance(node, ast.Raise) or is_warning:
                for text in _texts(node):
                    yield from ((word, _key(text)) for word in BEGINNING.findall(_key(text)))


def _key(node):
    """Constant parts of a string, or of strings that are added; None for what is no string."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(_key(part) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _key(node.left), _key(node.right)
        return None if left is None and right is None else (left or "{}") + (right or "{}")
    return None
