"""How commands say what is wrong: without a traceback, and with remedies as they are typed."""

import ast
import re
import shlex
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click

_KEYWORD = r"(?<![\w./'\"-])({})=(?=[\['\"({{\d+-]|True|False|None|[, .])"
"""A keyword of a call in Python, as messages show it, not a part of a path or of a longer word."""
_QUOTED = r"\b(in|an|give|Give) '({})'(?: of as_network)?"
"""A parameter that is to be given, as in "Name it in 'blocks'"; not one that a rule is about."""
_OTHER_NAMES = {"random_state": "seed"}
"""Parameters whose options have other names."""


Given = ParamSpec("Given")
Returned = TypeVar("Returned")


def said_plainly(command: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """What is wrong with an argument or a file is a message, not a traceback."""

    @wraps(command)
    def wrapped(*args: Given.args, **kwargs: Given.kwargs) -> Returned:
        try:
            return command(*args, **kwargs)
        except (ValueError, TypeError, OSError, MemoryError, ImportError) as error:
            notes = getattr(error, "__notes__", ())
            raise click.ClickException(as_typed("\n".join([str(error), *notes]))) from error

    return wrapped


def as_typed(message: str, command: click.Command | None = None) -> str:
    """A message in which parameters that a command has options for, as ``order=['a', 'b']``, are options.

    Parameters
    ----------
    command : click.Command, optional
        Where not given, the running one.
    """
    context = click.get_current_context(silent=True)
    known = command or (None if context is None else context.command)
    options = {} if known is None else _options_of(known)
    if not options:
        return message
    names = "|".join(map(re.escape, options))
    message = re.sub(_QUOTED.format(names), lambda found: f"{found[1]} {options[found[2]].opts[0]}", message)
    keyword = re.compile(_KEYWORD.format(names))
    parts, at = [], 0
    while found := keyword.search(message, at):
        parts.append(message[at : found.start()])
        shown, at = _typed(options[found[1]], message, found.end())
        parts.append(shown)
    return "".join([*parts, message[at:]])


def _options_of(command: click.Command) -> Mapping[str, click.Option]:
    options = {str(one.name): one for one in command.params if isinstance(one, click.Option)}
    return options | {name: options[other] for name, other in _OTHER_NAMES.items() if other in options}


def _typed(option: click.Option, message: str, begin: int) -> tuple[str, int]:
    """An option with the value that stands in a message at `begin`, and where the value ends there."""
    for end in _possible_ends(message, begin):
        try:
            value = ast.literal_eval(message[begin:end])
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        return _with_value(option, value), end
    # No value is shown, as in "Give order=, the names of the layers"; or one with a word that stands for it.
    is_shown = message[begin : begin + 1] not in ("", " ", ",", ".")
    return f"{option.name}=" if is_shown else option.opts[0], begin


def _possible_ends(message: str, begin: int) -> list[int]:
    """Where a literal that begins at `begin` may end, the closing bracket or quote included."""
    closing = {"[": "]", "(": ")", "{": "}", "'": "'", '"': '"'}.get(message[begin : begin + 1])
    if closing is None:
        word = re.match(r"[\w+.-]*\w", message[begin:])
        return [begin + word.end()] if word else []
    return [at + 1 for at in range(begin + 1, len(message)) if message[at] == closing]


def _with_value(option: click.Option, value: Any) -> str:
    name = option.opts[0]
    if value is None:
        return f"no {name}"
    if isinstance(value, bool):
        return name if value else (option.secondary_opts or [f"no {name}"])[0]
    if option.multiple:
        several = [value] if isinstance(value, str) else value
        entries = several.items() if isinstance(several, Mapping) else [(entry, None) for entry in several]
        return " ".join(f"{name} {shlex.quote(_entry(*entry))}" for entry in entries if entry[0] is not Ellipsis)
    if isinstance(value, (list, tuple)):
        return f"{name} {' '.join(map(str, value)) if option.nargs > 1 else ','.join(map(str, value))}"
    return f"{name} {shlex.quote(str(value))}"


def _entry(name: Any, limits: Any) -> str:
    if limits is None:
        return str(name)
    return f"{name}={limits if isinstance(limits, str) else ','.join(map(str, limits))}"
