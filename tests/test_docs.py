"""What the README and the pages of the site show is what happens; docstrings are tested in test_docstrings.py."""

import re
import shlex
from configparser import ConfigParser
from pathlib import Path

import click
import matplotlib.pyplot as plt
import pytest

import ei_fast
from ei_fast.cli import main

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]

LEFT_OUT = ("development", "gallery")
"""Folders of pages whose code is a part of the package, or of examples that have tests of their own."""

OPTIONAL = {"flax", "jax", "keras", "lightning", "onnxruntime", "skorch", "torch", "transformers"}
ALSO_NEEDED = {"docs/guides/onnx.md": {"onnx", "onnxruntime", "onnxscript", "torch"}}
"""What a page needs and does not import."""


def _relative(page):
    return page.relative_to(ROOT).as_posix()


def _blocks(page):
    """The Python of a page, in order, and why a block is not run: a comment on the line before it says so."""
    found = re.findall(r"(?:<!-- not run: ([^\n]+) -->\n)?```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    return [(code, reason) for reason, code in found]


def _run_of(page):
    return "\n".join(code for code, reason in _blocks(page) if not reason)


WITH_CODE = [page for page in PAGES if _run_of(page) and page.parent.name not in LEFT_OUT]


def test_pages_with_code_are_found():
    names = [_relative(page) for page in WITH_CODE]
    assert {"README.md", "docs/start.md", "docs/models.md", "docs/guides/callbacks.md"} <= set(names)


@pytest.fixture
def somewhere_else(tmp_path, monkeypatch):
    """An empty folder to run in, in which what a page says of the backend of Keras changes nothing outside."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    yield
    plt.close("all")


# What a framework warns of when it is first imported, here or before, is not what is tested: Keras hides such an error.
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("page", WITH_CODE, ids=_relative)
def test_the_python_of_a_page_runs(page, somewhere_else):
    code = _run_of(page)
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", code, re.MULTILINE))
    for name in imported & OPTIONAL | ALSO_NEEDED.get(_relative(page), set()):
        pytest.importorskip(name)
    namespace: dict = {}
    for block, reason in _blocks(page):
        if not reason:
            exec(compile(block, _relative(page), "exec"), namespace)


def test_what_is_not_run_says_why():
    said = {_relative(page): [reason for _, reason in _blocks(page) if reason] for page in PAGES}
    assert {page: reasons for page, reasons in said.items() if reasons} == {
        "docs/deep-ei.md": ["does not start with current libraries"],
        "docs/guides/dask.md": ["needs a cluster"],
        "docs/keras.md": ["chooses the backend of the process"] * 2,
        "docs/page.md": ["the training is yours"],
    }


@pytest.mark.parametrize("page", PAGES, ids=_relative)
def test_files_that_a_page_names_are_there(page):
    known = [f"/{path.relative_to(ROOT).as_posix()}" for path in ROOT.rglob("*.py") if "build" not in path.parts]
    named = re.findall(r"`([\w./-]+\.py)`", page.read_text(encoding="utf-8"))
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in known)] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=_relative)
def test_links_of_a_page_lead_somewhere(page):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [link for link in links if link and not re.match(r"\w+:", link)]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_the_reference_has_every_public_name():
    reference = "\n".join(page.read_text("utf-8") for page in (DOCS / "reference").glob("*.md"))
    said = set(re.findall(r"\.\. auto\w+:: (?:ei_fast\.)?(\w+)$", reference, re.MULTILINE))
    assert set(ei_fast.__all__) <= said


def test_the_readme_begins_with_two_commands():
    lines = README.read_text("utf-8").splitlines()
    commands = [line for line in lines if line.startswith("pip install ")]
    assert commands[0] == "pip install . && ei-fast demo iris"
    assert 'pip install ".[test]" && pytest' in commands


def _commands(page):
    """Lines of shell in which ``ei-fast`` is called, without what stands before it."""
    shell = re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    return re.findall(r"(?:^|&& )(ei-fast [^\n]*)", "\n".join(shell), re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in PAGES if _commands(page)], ids=_relative)
def test_commands_of_a_page_are_understood(page):
    for line in _commands(page):
        command, context, arguments = main, click.Context(main), shlex.split(line, comments=True)[1:]
        while isinstance(command, click.Group) and not arguments[0].startswith("--"):
            command = command.commands[arguments.pop(0)]
            context = click.Context(command, parent=context)
        given, left, _ = command.make_parser(context).parse_args(arguments)
        assert not left, line
        missing = [one.name for one in command.params if one.required and given.get(one.name) in (None, ())]
        assert not missing or "--help" in arguments, f"{line}: {missing}"


def test_extras_that_pages_name_are_there():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    for page in PAGES:
        for extras in re.findall(r"(?:ei_fast|\.)\[([a-z,]+)\]", page.read_text("utf-8")):
            assert set(extras.split(",")) <= set(setup["options.extras_require"]), f"{extras} in {_relative(page)}"


def test_times_of_the_readme_are_those_of_the_page_about_them():
    ratios = re.findall(r"[\d,.]+×", README.read_text("utf-8"))
    assert ratios
    assert set(ratios) <= set(re.findall(r"[\d,.]+×", (DOCS / "speed.md").read_text("utf-8")))
