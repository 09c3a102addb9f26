"""The folder in which Numba keeps the kernels' machine code, and whether all of it is there."""

import hashlib
import pkgutil
import sys
from importlib import import_module
from importlib.resources import files
from os import listdir
from pathlib import Path
from typing import Any, Self

import numba
import numpy as np

from ei_fast import kernels
from ei_fast._version import __version__
from ei_fast.kernels.jit import KERNELS
from ei_fast.kernels.kept import BROKEN, UNREADABLE, WHOLE, KeptCode
from ei_fast.runtime.files import write_whole

_PYTHON = f"py{sys.version_info[0]}{sys.version_info[1]}{getattr(sys, 'abiflags', '')}"
"""As Numba writes it in the names of its files."""


class KernelCache:
    """The cache of all kernels, with a marker for each type of CPU that it is complete for.

    A marker's name says which kernels, versions and CPU it vouches for; its lines name the files that were there.
    Where one of them has gone, or is not whole any more, the marker is worth nothing.

    Attributes
    ----------
    folder : Path
    lock : Path
        The file that a process locks while it compiles.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.lock = folder / "ei_fast.lock"
        # Sorted: kernels come in the order in which their modules happen to be imported.
        stamps = sorted({repr(kernel._cache._impl.locator.get_source_stamp()) for kernel in KERNELS})
        # Some files have only functions that kernels of other files call.
        sources = [file.read_bytes() for file in files(kernels).iterdir() if file.name.endswith(".py")]
        software = _digest(sys.version, numba.__version__, np.__version__, __version__, *stamps, *sorted(sources))
        self._ours = f"ei_fast-{_PYTHON}-{software}-"
        self._marker = f"{self._ours}{_digest(*_codegen().magic_tuple())}.warm"

    @classmethod
    def found(cls) -> Self | None:
        """The cache; None where no folder can be written to, or Numba is told to compile nothing."""
        for module in pkgutil.iter_modules(kernels.__path__):
            import_module(f"{kernels.__name__}.{module.name}")
        # All kernels' sources are in one folder, and so is their code.
        if not all(isinstance(getattr(kernel, "_cache", None), KeptCode) for kernel in KERNELS):
            return None
        return cls(Path(KERNELS[0].stats.cache_path))

    @property
    def is_warm(self) -> bool:
        """Whether all kernels are there for this CPU, in files that can be loaded."""
        return self._is_true(self._marker, set(listdir(self.folder))) and self.is_whole

    @property
    def is_whole(self) -> bool:
        """Whether there is code of all kernels for this CPU, and all of that can be loaded."""
        return not self._lacking()

    def prepare(self) -> None:
        """Forget all code if some of it is known to be another version's, or to be gone, else what is not whole.

        Numba looks whether the file of a kernel has changed, but not at the files of the kernels it calls.
        """
        for kernel in KERNELS:
            kernel._cache.enable()
        names = set(listdir(self.folder))
        markers = [name for name in names if name.startswith(f"ei_fast-{_PYTHON}-") and name.endswith(".warm")]
        wrong = [name for name in markers if not (name.startswith(self._ours) and self._is_true(name, names))]
        states = [kernel._cache.state(self.folder, _codegen()) for kernel in KERNELS]
        if wrong or any(state == UNREADABLE for state, _ in states):
            self.forget()
            return
        for kernel, (state, signatures) in zip(KERNELS, states, strict=True):
            if state == BROKEN:
                # Whoever calls it may be there already, and would not have it compiled.
                kernel.recompile()
                for signature in signatures:
                    kernel.compile(signature)

    def forget(self) -> None:
        """Take all code for worthless, on disk and in this process."""
        for name in listdir(self.folder):
            if name.startswith(f"ei_fast-{_PYTHON}-") and name.endswith(".warm"):
                (self.folder / name).unlink(missing_ok=True)
        for kernel in KERNELS:
            kernel.recompile()

    def vouch(self) -> None:
        """Leave the marker: what is there now is all. OSError where a kernel is not there, or not whole."""
        lacking = self._lacking()
        if lacking:
            raise OSError(f"{len(lacking)} of {len(KERNELS)} kernels are not in it, such as {lacking[0].__name__}")
        suffixes = (".nbi", ".nbc")
        names = sorted(name for name in listdir(self.folder) if f".{_PYTHON}." in name and name.endswith(suffixes))
        write_whole(self.folder / self._marker, "\n".join(names).encode(), lasting=False)

    def leave(self) -> None:
        """Neither read nor write the cache from now on: the kernels of this process are kept in memory."""
        for kernel in KERNELS:
            kernel._cache.disable()

    def _is_true(self, marker: str, names: set[str]) -> bool:
        # Bytes that are no text are the name of no file.
        lines = (self.folder / marker).read_text(errors="replace").split("\n") if marker in names else ["\0"]
        return names.issuperset(lines)

    def _lacking(self) -> list[Any]:
        """Kernels that have no code here for this CPU, or some that cannot be loaded."""
        return [kernel for kernel in KERNELS if kernel._cache.state(self.folder, _codegen())[0] != WHOLE]


def _codegen() -> Any:
    return KERNELS[0].targetctx.codegen()


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
