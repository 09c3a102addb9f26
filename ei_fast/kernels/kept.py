"""Kernels' machine code on disk: files that tell whether they are whole, and failures that never stop a measurement.

Numba's own cache lets whatever goes wrong with its files end the call of a kernel.
"""

import hashlib
import os
import pickle
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

from ei_fast.errors import CompileCacheWarning

_SEAL = b"ei_fast-sha256:"
"""Begins what stands behind the pickle in a file, where Numba does not read."""
REMEDY = (
    "Kernels are compiled in memory meanwhile. Set NUMBA_CACHE_DIR to a folder that can be written to and has some "
    "100 MB of room."
)
WHOLE, ABSENT, BROKEN, UNREADABLE = "whole", "absent", "broken", "unreadable"
"""All code can be loaded, there is none, some of it cannot be loaded, nor can the index that names it."""
_said = False
_withheld: list[str] | None = None


def tell(problem: str, remedy: str = "") -> None:
    """Warn of what is wrong with the cache, and what to do, once in a process."""
    global _said
    if _withheld is not None:
        _withheld.append(problem)
    elif not _said:
        _said = True
        warnings.warn(f"{problem}. {remedy}" if remedy else problem, CompileCacheWarning, stacklevel=2)


@contextmanager
def withheld() -> Iterator[list[str]]:
    """Problems are collected instead, by whoever says them in another way."""
    global _withheld
    before, _withheld = _withheld, []
    try:
        yield _withheld
    finally:
        _withheld = before


class KeptFiles(IndexDataCacheFile):
    """Index and code of one kernel: sealed with a digest, which also tells code of another index or signature.

    A file without a seal was written by Numba alone, and is as good as it can be unpickled.
    """

    def state(self, chosen: Callable[[Any], bool]) -> tuple[str, list[Any]]:
        """What there is of the keys that `chosen` is true of: `WHOLE`, `ABSENT`, `BROKEN` or `UNREADABLE`; and them."""
        try:
            codes = {key: name for key, name in super()._load_index().items() if chosen(key)}
        except Exception:
            # Damaged bytes may fail in any way.
            return UNREADABLE, []
        try:
            for key, name in codes.items():
                with open(self._data_path(name), "rb") as file:
                    content, is_sealed = self._unsealed(file.read(), key)
                if not is_sealed:
                    pickle.loads(content)
        except Exception:
            return BROKEN, list(codes)
        return (WHOLE if codes else ABSENT), list(codes)

    def load(self, key: Any) -> Any:
        """Code for a key; None where there is none, or none that can be read, which is told."""
        name = self._load_index().get(key)
        if name is None:
            return None
        try:
            with open(self._data_path(name), "rb") as file:
                return pickle.loads(self._unsealed(file.read(), key)[0])
        except FileNotFoundError:
            # It could have been removed while the index still refers to it.
            return None
        except Exception as error:
            _tell_broken(self._data_path(name), error)
            return None

    def save(self, key: Any, data: Any) -> None:
        """Write code for a key, over what was there for it."""
        self._key = key
        super().save(key, data)

    def _unsealed(self, content: bytes, key: Any) -> tuple[bytes, bool]:
        """The pickle in a file, and whether a seal says that it is what was written for a key."""
        at = content.rfind(_SEAL)
        if at < 0:
            return content, False
        content, seal = content[:at], content[at:]
        if seal != self._seal(content, key):
            raise ValueError("its content is not what was written")
        return content, True

    def _seal(self, content: bytes, key: Any) -> bytes:
        # Of functions among the types of arguments a text has the addresses, which are others in each process.
        about = re.sub("0x[0-9a-f]+", "", repr((self._source_stamp, key)))
        return _SEAL + hashlib.sha256(about.encode() + content).digest()

    def _save_data(self, name: str, data: Any) -> None:
        content = self._dump(data)
        with self._open_for_write(self._data_path(name)) as file:
            file.write(content + self._seal(content, self._key))

    def _load_index(self) -> dict[Any, str]:
        try:
            index = super()._load_index()
            if not isinstance(index, dict):
                raise ValueError("it holds no index")
            return index
        except Exception as error:
            _tell_broken(self._index_path, error)
        # It will be written anew, without the code that is not called now: nobody may vouch for all any more.
        with suppress(OSError):
            for name in os.listdir(self._cache_path):
                if name.startswith("ei_fast-") and name.endswith(".warm"):
                    os.unlink(os.path.join(self._cache_path, name))
        return {}


def _tell_broken(path: str, error: Exception) -> None:
    tell(
        f"Compiled code in {path!r} cannot be read ({type(error).__name__}: {error}). It is compiled and written again",
        "Where this is said again, remove the files *.nbi and *.nbc in that folder, or set NUMBA_CACHE_DIR to "
        "another that can be written to.",
    )


class KeptCode(FunctionCache):
    """The cache of one kernel; where it cannot be read or written, kernels are compiled in memory."""

    def __init__(self, function: Callable):
        super().__init__(function)
        locator = self._impl.locator
        self._cache_file = KeptFiles(self._cache_path, self._impl.filename_base, locator.get_source_stamp())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Code for a signature; None where there is none that can be loaded."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:
            _tell_broken(os.path.join(self._cache_path, self._impl.filename_base), error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write code for a signature where that is possible."""
        try:
            super().save_overload(sig, data)
        except Exception as error:
            tell(f"Compiled code cannot be kept in {self._cache_path!r} ({error})", REMEDY)

    def state(self, folder: str | os.PathLike, codegen: Any) -> tuple[str, list[Any]]:
        """What there is for this CPU in a folder, see `KeptFiles.state`, and for which signatures."""
        files = KeptFiles(os.fspath(folder), self._impl.filename_base, self._impl.locator.get_source_stamp())
        state, keys = files.state(lambda key: key[1] == codegen.magic_tuple())
        return state, [signature for signature, *_ in keys]
