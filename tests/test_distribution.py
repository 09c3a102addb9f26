"""What is uploaded: source and wheel are built, whole, and work in an environment that has nothing else."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import ei_fast

ROOT = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (find_spec("build") and find_spec("twine")), reason='needs build and twine: pip install ".[release]"'
    ),
]

LEFT_BEHIND = (
    ".git",
    "build",
    "dist",
    "site",
    "*.egg-info",
    "__pycache__",
    "*.nb[ic]",
    ".*cache",
    ".hypothesis",
    ".venv",
)
FRAMEWORKS = {"torch", "keras", "tensorflow", "jax", "flax", "onnx", "onnxruntime", "lightning", "transformers"}


def _run(*command, cwd=None, env=None):
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def _environment():
    """That of this process, without what would lead to this copy of the package."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "NUMBA_CACHE_DIR")}


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """The folder of both files, built of a copy in which no earlier build has left anything."""
    source = tmp_path_factory.mktemp("source") / "ei_fast"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*LEFT_BEHIND))
    out = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--outdir", out, source, env=_environment())
    return out


@pytest.fixture(scope="module")
def wheel(dist):
    return next(dist.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The Python of an environment into which the wheel alone was installed."""
    home = tmp_path_factory.mktemp("environment")
    _run(sys.executable, "-m", "venv", home)
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    _run(python, "-m", "pip", "install", "--quiet", "--no-compile", wheel, cwd=home, env=_environment())
    return python


def _package_files():
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "ei_fast").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in (".nbi", ".nbc")
    }


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    info = f"ei_fast-{ei_fast.__version__}.dist-info/"
    inside = {name for name in names if not name.startswith(info)}
    assert inside == _package_files()
    assert {"ei_fast/py.typed", "ei_fast/demo/mnist_small.npz", "ei_fast/figures/player/page.html"} <= inside
    assert any(name.startswith("ei_fast/demo/templates/") for name in inside)
    licences = {f"{info}licenses/LICENSE", f"{info}licenses/ei_fast/demo/MNIST-NOTICE.txt"}
    assert licences <= names


def test_the_source_has_what_the_wheel_is_built_of_and_what_is_read_first(dist):
    with tarfile.open(next(dist.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    expected = {"README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "SECURITY.md", "setup.cfg", "pyproject.toml"}
    assert expected | _package_files() <= names
    assert [name for name in names if name.endswith((".pyc", ".nbi", ".nbc")) or name.startswith("tests/")] == []


def test_twine_finds_nothing_to_say(dist):
    said = _run(sys.executable, "-m", "twine", "check", "--strict", *dist.iterdir())
    assert said.count("PASSED") == 2


def test_the_wheel_runs_where_nothing_else_is_installed(python, tmp_path):
    env = _environment()
    _run(python, "-m", "pip", "check", env=env)
    installed = _run(python, "-m", "pip", "list", "--format", "freeze", env=env).splitlines()
    assert FRAMEWORKS & {line.partition("==")[0].lower() for line in installed} == set()

    ours = python.with_name("ei-fast")
    assert ei_fast.__version__ in _run(ours, "--version", cwd=tmp_path, env=env)
    # Of edges nothing: their kernels take most of the time that compiling takes.
    code = (
        "import numpy as np, ei_fast as ef, sys\n"
        "report = ef.analyze([np.eye(2), np.eye(2)], activation='linear', bins=4, pairwise='none', random_state=0)\n"
        "assert [layer.ei for layer in report] == [4.0, 4.0], report\n"
        "assert 'site-packages' in ef.__file__, ef.__file__\n"
        f"assert not {FRAMEWORKS!r} & set(sys.modules)\n"
        "np.savez('weights.npz', w0=np.eye(2), w1=np.eye(2))\n"
    )
    _run(python, "-c", code, cwd=tmp_path, env=env)
    assert "2 -> 2" in _run(ours, "describe", "weights.npz", cwd=tmp_path, env=env)
