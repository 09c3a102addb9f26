"""What the documentation shows is what happens."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import ei_fast

MODULES = [name for _, name, _ in pkgutil.walk_packages(ei_fast.__path__, "ei_fast.")]
README = Path(__file__).parents[1] / "README.md"


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name):
    assert doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


def test_the_readmes_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    namespace: dict = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)


def test_every_public_name_is_documented():
    for name in ei_fast.__all__:
        assert len(getattr(ei_fast, name).__doc__) > 40
