"""The gallery shows every example as it is, and can be made again."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
GALLERY = ROOT / "docs" / "gallery"
PAGE = (GALLERY / "index.md").read_text(encoding="utf-8")
EXAMPLES = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "examples").glob("*.py")}


def _pictures(text):
    return re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)


def _is_blank(path):
    with Image.open(path) as image:
        return np.array(image.convert("L")).std() < 1


def test_every_example_has_an_entry():
    entries = PAGE.split("\n## ")[1:-1]
    assert len(entries) == len(EXAMPLES)
    for name, code in EXAMPLES.items():
        (entry,) = [entry for entry in entries if f"(../../examples/{name}.py)" in entry]
        assert code.splitlines()[0].strip('"') in entry
        assert re.search(r"```python\n(.*?)```\n", entry, re.DOTALL).group(1) == code
        assert _pictures(entry)


def test_pictures_are_there_seen_and_small():
    pictures = _pictures(PAGE)
    assert len(pictures) == len(set(pictures))
    assert {path.name for path in GALLERY.iterdir() if path.is_file()} == {*pictures, "index.md", "make.py"}
    for picture in pictures:
        assert not _is_blank(GALLERY / picture), picture
        assert (GALLERY / picture).stat().st_size < (1_500_000 if picture.endswith(".gif") else 150_000), picture


def test_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)]+)\)", PAGE):
        assert (GALLERY / link).exists(), link


@pytest.fixture
def remade(tmp_path):
    """Remakes the first example in a copy of the gallery; the copy, and the process that has ended."""
    shutil.copytree(GALLERY, tmp_path / "docs" / "gallery")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    gallery = tmp_path / "docs" / "gallery"

    def remake():
        command = [sys.executable, gallery / "make.py", "numpy_loop"]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        return gallery, subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return remake


@pytest.mark.slow
def test_an_entry_is_made_again(remade, tmp_path):
    copied = tmp_path / "docs" / "gallery"
    (copied / "numpy_loop.png").unlink()
    (copied / "index.md").unlink()
    gallery, done = remade()
    assert done.returncode == 0, done.stderr
    assert (gallery / "index.md").read_text(encoding="utf-8") == PAGE
    assert not _is_blank(gallery / "numpy_loop.png")


def test_what_cannot_be_run_keeps_its_picture(remade, tmp_path):
    (tmp_path / "examples" / "numpy_loop.py").write_text('"""Needs it."""\n\nimport no_such_framework\n', "utf-8")
    gallery, done = remade()
    assert done.returncode == 1
    assert done.stderr.startswith("numpy_loop: not made, its pictures stay as they were: ModuleNotFoundError")
    assert (gallery / "numpy_loop.png").read_bytes() == (GALLERY / "numpy_loop.png").read_bytes()
