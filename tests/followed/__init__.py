"""Remedies of messages followed literally: each case provokes a message, does what it says, and sees it succeed."""

import ast
import re
import warnings

import pytest
from click.testing import CliRunner

import ei_fast as ef
from ei_fast.cli import main

# What a model itself raises is passed on.
_RAISED = (ValueError, TypeError, MemoryError, ImportError, OSError, RuntimeError)
CASES = {}
"""Each case by a part of the message whose remedy it follows, which no other message has."""


def follows(*parts):
    """Decorate a case that follows the remedies of the messages with these parts."""

    def decorated(case):
        for part in parts:
            assert part not in CASES, part
            CASES[part] = case
        return case

    return decorated


class Said:
    """What messages have said in a case, and where the case may write."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.monkeypatch, self.messages = folder, monkeypatch, []

    def refused(self, call, *args, **keywords):
        """The message of the exception that a call raises."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with pytest.raises(_RAISED, match="(?s).+") as info:
                call(*args, **keywords)
        self.messages.append("\n".join([str(info.value), *getattr(info.value, "__notes__", ())]))
        return self.messages[-1]

    def warned(self, call, *args, **keywords):
        """The message of the last warning that a call gives."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call(*args, **keywords)
        self.messages += [str(one.message) for one in caught]
        return self.messages[-1]

    def typed(self, *args, code=0):
        """What the command says."""
        done = CliRunner().invoke(main, [str(arg) for arg in args])
        assert done.exit_code == code, done.output
        if code:
            self.messages.append(done.output)
        return done.output

    def flagged(self, *args, **keywords):
        """The report of a measurement, what it is flagged with taken down."""
        report = ef.analyze(*args, **keywords)
        self.messages += [layer.explain() for layer in report]
        return report

    def npz(self, name, **arrays):
        """The path of a file with arrays."""
        import numpy as np

        np.savez(self.folder / name, **arrays)
        return self.folder / name


def literal(message, before):
    """The value that stands in a message after these words, as Python has it."""
    begin = message.index(before) + len(before)
    # A word or number ends where its letters do.
    word = re.match(r"[\w+.-]*\w", message[begin:])
    ends = [begin + word.end()] if word else range(begin + 1, len(message) + 1)
    for end in ends:
        try:
            return ast.literal_eval(message[begin:end])
        except (ValueError, SyntaxError):
            continue
    raise AssertionError(f"No value after {before!r} in: {message}")


def matches(key, message):
    """Whether a message has the constant parts of `key`."""
    pattern = ".*".join(re.escape(part) for part in re.split(r"\{[^{}]*\}", key))
    return re.search(pattern, message, re.DOTALL) is not None
