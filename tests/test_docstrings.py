"""Docstrings of public names are complete, as numpydoc checks them, and their examples are true."""

import doctest
import importlib
import inspect
import pkgutil
import sys

import pytest
from numpydoc.validate import validate

import ei_fast

MODULES = [name for _, name, _ in pkgutil.walk_packages(ei_fast.__path__, "ei_fast.")]

CHECKS = {
    # What a reader looks for: every parameter in order, with type and description; what is returned; an example.
    *("PR01", "PR02", "PR03", "PR04", "PR05", "PR06", "PR07", "PR08", "PR09", "PR10"),
    *("RT01", "RT03", "RT04", "RT05", "YD01", "EX01"),
    # What tools read: a summary of one line that is a sentence, known sections in their order, directives.
    *("SS01", "SS02", "SS03", "SS04", "SS06", "GL03", "GL05", "GL06", "GL07", "GL08", "GL09", "GL10"),
}
"""Checks of numpydoc. The others are not for this package:

GL01 depends on the version of numpydoc: older ones want the summary on the line after the opening quotes. GL02 wants
closing quotes on a line of their own, also after a summary alone. SS05 takes every first word that ends in s, as
"Layers", for a verb in the third person. ES01 and SA01 want an extended summary and references where there is nothing
more to say. RT02 knows no two values of one type under one description.
"""


PICTURES = [
    *("ei_fast.figures.explained.plot_definition", "ei_fast.figures.explained.plot_explained_plane"),
    *("ei_fast.figures.measures.plot_measure", "ei_fast.figures.measures.plot_metrics"),
    *(f"ei_fast.figures.multiples.plot_{name}" for name in ("bands", "layers", "multiples")),
    "ei_fast.figures.overview.plot_overview",
]
"""Pictures beside those that are public names of the package."""


def _members(thing):
    """What a class has, of its own and of classes of this package that it is derived from."""
    ours = [one for one in thing.__mro__ if one.__module__.startswith("ei_fast.")]
    return {member: value for one in reversed(ours) for member, value in vars(one).items()}


def _public():
    """Public names, and public methods and properties of classes, by their full names."""
    for name in ei_fast.__all__:
        home = importlib.import_module(f"ei_fast.{ei_fast._HOMES[name]}")
        thing = vars(home)[name]
        yield f"{home.__name__}.{name}"
        if inspect.isclass(thing):
            for member, value in _members(thing).items():
                is_documented = inspect.isroutine(value) or isinstance(value, (classmethod, staticmethod, property))
                # Scikit-learn adds a method of its own.
                if is_documented and not member.startswith("_") and member != "set_fit_request":
                    yield f"{home.__name__}.{name}.{member}"
    yield from PICTURES


BESIDE = (
    "ei_fast.demo.page",
    "ei_fast.callbacks.keras.RecorderCallback",
    "ei_fast.callbacks.lightning.RecorderCallback",
    "ei_fast.callbacks.skorch.RecorderCallback",
    "ei_fast.callbacks.transformers.RecorderCallback",
)
"""Public names that are not those of the package itself."""


def _of_callbacks():
    """What the callbacks do when their frameworks call them, by full names."""
    for name in BESIDE[1:]:
        module, _, callback = name.rpartition(".")
        try:
            found = vars(importlib.import_module(module))[callback]
        except ei_fast.MissingExtra:
            # Its tests are skipped.
            continue
        for member, value in vars(found).items():
            if not member.startswith("_") and (inspect.isroutine(value) or isinstance(value, property)):
                yield f"{name}.{member}"


def _errors(name):
    found = validate(name)
    # A property needs no example: its class has one. Nor does what a framework calls.
    of_class = found["type"] == "property" or (name.startswith("ei_fast.callbacks.") and name not in BESIDE)
    checks = CHECKS - {"EX01"} if of_class else CHECKS
    return [message for code, message in found["errors"] if code in checks]


@pytest.mark.parametrize("name", [*_public(), *BESIDE, *_of_callbacks()])
def test_public_docstrings_are_complete(name):
    if name.startswith("ei_fast.callbacks."):
        # Raises where its framework is not installed, for which the test is skipped.
        importlib.import_module(".".join(name.split(".")[:3]))
    assert _errors(name) == []


def test_what_is_incomplete_is_found(monkeypatch):
    def incomplete(x):
        """Return x"""
        return x

    monkeypatch.setattr(sys.modules[__name__], "incomplete", incomplete, raising=False)
    assert _errors(f"{__name__}.incomplete") == [
        "Summary does not end with a period",
        "Parameters {'x'} not documented",
        "No Returns section found",
        "No examples section found",
    ]


def _is_missing(error):
    """Whether an example failed because a package is not installed that is needed for it alone."""
    return isinstance(error, ImportError) and 'pip install "ei_fast[' in str(error)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")
    runner = doctest.DebugRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(name)):
        try:
            runner.run(test)
        except doctest.UnexpectedException as failure:
            if not _is_missing(failure.exc_info[1]):
                raise
            pytest.skip(str(failure.exc_info[1]))
