"""Broken files of compiled code, and folders in their place, stop nothing and are told of."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from disks import mounted

SMALL = """
import sys, warnings
warnings.simplefilter("always")
from ei_fast.kernels.jit import jit

@jit
def first(x):
    return x + 1

@jit
def second(x):
    return x * 2

if len(sys.argv) > 1:
    exec(sys.argv[1])
print(first(1), second(2), first(0.5))
"""


class _Small:
    """Two kernels in a module of their own, called in processes of their own."""

    def __init__(self, folder):
        self.source, self.cache = folder / "small.py", folder / "cache"
        self.source.write_text(SMALL)

    def run(self, *arguments, cache=None):
        command = [sys.executable, str(self.source), *arguments]
        environment = os.environ | {"NUMBA_CACHE_DIR": str(cache or self.cache)}
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=100)
        assert (ran.returncode, ran.stdout) == (0, "2 4 1.5\n"), ran.stderr
        return [line for line in ran.stderr.splitlines() if "Warning" in line]

    def files(self, kind):
        return sorted(self.cache.rglob(kind))


@pytest.fixture
def small(tmp_path):
    made = _Small(tmp_path)
    assert made.run() == []
    assert (len(made.files("*.nbi")), len(made.files("*.nbc"))) == (2, 3)
    return made


def _swap(paths):
    contents = [path.read_bytes() for path in paths]
    for path, content in zip(paths, contents[1:] + contents[:1], strict=True):
        path.write_bytes(content)


def _replace(change):
    return lambda paths: [path.write_bytes(change(path.read_bytes())) for path in paths]


DAMAGES = {
    "empty": _replace(lambda content: b""),
    "truncated": _replace(lambda content: content[: len(content) // 2]),
    "a little truncated": _replace(lambda content: content[:-1]),
    "garbage": _replace(lambda content: b"\x80garbage" * 100),
    "text": _replace(lambda content: b"S'0.0'\n."),
    "changed": _replace(lambda content: content[:200] + bytes([content[200] ^ 1]) + content[201:]),
    "each other's": _swap,
}
QUICK = {("*.nbi", "empty"), ("*.nbi", "garbage"), ("*.nbc", "truncated"), ("*.nbc", "each other's")}


@pytest.mark.parametrize(
    ("kind", "damage"),
    [
        pytest.param(kind, damage, marks=() if (kind, damage) in QUICK else pytest.mark.slow)
        for kind in ("*.nbi", "*.nbc")
        for damage in DAMAGES
    ],
)
def test_broken_files_of_compiled_code_are_told_of_once_and_mended(small, kind, damage):
    DAMAGES[damage](small.files(kind))
    said = small.run()
    assert len(said) <= 1
    if kind == "*.nbc":
        assert len(said) == 1
        assert "cannot be read" in said[0]
        assert "remove the files *.nbi and *.nbc" in said[0]
    assert small.run() == []
    for path in small.files("*.nb?"):
        path.chmod(0o444)
    before = {path: path.stat().st_mtime_ns for path in small.files("*.nb?")}
    assert small.run() == []
    assert {path: path.stat().st_mtime_ns for path in small.files("*.nb?")} == before


@pytest.mark.parametrize("kind", ["*.nbi", "*.nbc"])
def test_folders_in_the_place_of_compiled_code_stop_nothing(small, kind):
    for path in small.files(kind):
        path.unlink()
        (path / "folder").mkdir(parents=True)
    assert len(small.run()) == 1


def test_a_cache_folder_that_goes_away_or_is_a_file_stops_nothing(small):
    went = "import shutil, os; shutil.rmtree({0!r}); open({0!r}, 'w').close()".format(str(small.cache))
    (said,) = small.run(went)
    assert "NUMBA_CACHE_DIR" in said


def test_a_full_disk_stops_no_kernel_and_is_told_of_once(tmp_path):
    small = _Small(tmp_path)
    with mounted(tmp_path / "disk", "size=64k") as disk:
        # A folder for the file by which it is found whether the folder can be written to, and no room for code.
        (said,) = small.run(f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from disks import fill; "
                            f"from pathlib import Path; fill(Path({str(disk)!r}))", cache=disk / "cache")  # fmt: skip
        assert "cannot be kept" in said
        assert "No space left on device" in said
        assert "Set NUMBA_CACHE_DIR to a folder" in said
        assert not list(disk.rglob("*.nbc"))
