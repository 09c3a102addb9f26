"""What the README shows is what happens; docstrings are tested in test_docstrings.py."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


# What a framework warns of when it is first imported, here or before, is not what is tested: Keras hides such an error.
@pytest.mark.filterwarnings("default")
def test_the_readmes_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    namespace: dict = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
