"""Remedies of compiled kernels and of folders that are full or shut, followed."""

import os
import subprocess
import sys

import numpy as np
from disks import fill, mounted
from filelock import FileLock

import ei_fast as ef
from ei_fast.runtime.kernel_cache import _PYTHON
from ei_fast.warmup import warmup
from followed import follows


@follows("Compiled kernels cannot be kept: no folder can be written to. Set NUMBA_CACHE_DIR to one that can.")
def _(said):
    from ei_fast.runtime import kernel_cache

    with said.monkeypatch.context() as patched:
        patched.setattr(kernel_cache.KernelCache, "found", classmethod(lambda cls: None))
        said.messages.append(warmup().problem)
    said.monkeypatch.setenv("NUMBA_CACHE_DIR", str(said.folder))
    assert warmup().problem is None


def _cold_cache(said, folder=None):
    """A cache with nothing in it, which is filled at once."""
    import ei_fast.warmup
    from ei_fast.runtime.kernel_cache import KernelCache

    class Cold(KernelCache):
        def prepare(self):
            """Nothing of another version is there."""

        def leave(self):
            """The process goes on with its own cache."""

        def _lacking(self):
            """The one file of code is whole."""
            return [] if list(self.folder.glob("*.nbi")) else [None]

    folder = folder or said.folder
    cold = Cold(folder)
    said.monkeypatch.setattr(KernelCache, "found", lambda: cold)
    # Of a marker that vouches for nothing, every line is there.
    said.monkeypatch.setattr(
        ei_fast.warmup, "_call_every_kernel", lambda: (folder / f"k.{_PYTHON}.nbi").write_bytes(b"")
    )
    return cold


@follows("Delete that file if none is compiling, and run ei-fast warmup again.")
def _(said):
    cold = _cold_cache(said)
    said.monkeypatch.setattr("ei_fast.warmup.LONGEST_WAIT", 0.1)
    lock = FileLock(cold.lock)
    with lock:
        said.messages.append(warmup().problem)
        # The process that holds it is none that compiles.
        cold.lock.unlink()
        assert "Compiled all kernels" in said.typed("warmup")


@follows("is at work in it, or set NUMBA_CACHE_DIR to a folder elsewhere, with some 100 MB of room.")
def _(said):
    _cold_cache(said)
    with said.monkeypatch.context() as patched:
        patched.setattr(FileLock, "acquire", _refuse)
        said.messages.append(warmup().problem)
        assert "Compiled all kernels" in said.typed("warmup")
        assert warmup().problem is None
    # A folder elsewhere is one that has locks: NUMBA_CACHE_DIR itself is read once in a process.
    elsewhere = said.folder / "elsewhere"
    elsewhere.mkdir()
    _cold_cache(said, elsewhere)
    assert warmup().compiled
    assert warmup().problem is None


_SUM = """
import warnings
import numpy as np
from ei_fast.kernels.jit import jit

@jit
def total(x):
    s = 0.0
    for one in x:
        s += one
    return s

if __name__ == "__main__":
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert total(np.ones(3)) == 3.0
    print(*[one.message for one in caught])
"""


def _sums(said, cache):
    """What a process says that compiles one kernel into a cache."""
    program = said.folder / "total.py"
    program.write_text(_SUM)
    environment = os.environ | {"NUMBA_CACHE_DIR": str(cache)}
    run = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True, check=True)
    return run.stdout.strip()


@follows(
    "Kernels are compiled in memory meanwhile. Set NUMBA_CACHE_DIR to a folder that can be written to and has some",
    "Where this is said again, remove the files *.nbi and *.nbc in that folder, or set NUMBA_CACHE_DIR to another",
)
def _(said):
    with mounted(said.folder / "small", "size=200k") as small:
        assert _sums(said, small / "cache") == ""
        for kept in (small / "cache").rglob("*.nb?"):
            kept.unlink()
        fill(small)
        said.messages.append(_sums(said, small / "cache"))
    cache = said.folder / "elsewhere"
    assert _sums(said, cache) == ""
    kept = list(cache.rglob("*.nb?"))
    assert kept
    for path in kept:
        path.write_bytes(b"junk")
    said.messages.append(_sums(said, cache))
    assert "cannot be read" in said.messages[-1]
    for path in kept:
        path.unlink()
    assert _sums(said, cache) == ""
    assert _sums(said, said.folder / "another") == ""


@follows(
    "bytes left of the {} that the matrices take. Make room, or give another folder.",
    "in which no file can be written: {}. Give another folder.",
)
def _(said):
    weight = np.random.default_rng(0).normal(size=(120, 120))
    with mounted(said.folder / "small", "size=200k") as small:
        said.refused(ef.EffectiveInformation(matrices=small).check, weight)
        ef.EffectiveInformation(matrices=said.folder).check(weight)
        filling = fill(small)
        said.refused(ef.EffectiveInformation(matrices=small).check, np.eye(2))
        filling.unlink()
        ef.EffectiveInformation(matrices=small).check(np.eye(2))
    said.monkeypatch.setattr("tempfile.TemporaryFile", _refuse)
    said.refused(ef.EffectiveInformation(matrices=said.folder).check, np.eye(2))
    said.monkeypatch.undo()
    other = said.folder / "other"
    other.mkdir()
    ef.EffectiveInformation(matrices=other).check(np.eye(2))


def _refuse(*args, **keywords):
    raise PermissionError(13, "Permission denied")
