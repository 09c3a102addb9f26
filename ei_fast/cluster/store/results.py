"""Files of results: written whole, named by a hash of what they were computed from, and checked when they are read."""

import glob
import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ei_fast.runtime.files import sealed, unsealed, write_whole

RESULTS, FAILURES, PARTS, LOCKS = "results", "failures", "parts", "locks"
_KIND = "ei_fast batch result"


class CannotWrite(OSError):
    """A result could not be written: no other one could either."""


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """Make the folder of a file that is to be written; what goes wrong is `CannotWrite`."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise CannotWrite(
            f"{str(file)!r} could not be written: {error.strerror or error}. Make room, and run it again."
        ) from error


@dataclass(frozen=True)
class Place:
    """Where the results of one checkpoint lie.

    Attributes
    ----------
    folder : Path
        Of the batch.
    run : str
    step : int
    settings : str
        Hash of the settings.
    """

    folder: Path
    run: str
    step: int
    settings: str

    @property
    def _name(self) -> str:
        return name_of(self.run, self.step)

    def key(self, content: str) -> str:
        """Name of what is computed from these settings and a file whose content has this hash."""
        return hashlib.sha256(f"{self.settings} {self.step} {content}".encode()).hexdigest()

    def result(self, key: str) -> Path:
        """File of the result."""
        return self.folder / RESULTS / f"{self._name}-{key[:32]}.json"

    def part(self, key: str, name: str) -> Path:
        """File of a part of a layer."""
        return self.folder / PARTS / f"{self._name}-{key[:32]}-{name}.npz"

    def remove_parts(self, key: str) -> None:
        """Remove all parts that are there, their locks, and the lock of whoever put them together."""
        parts = (self.folder / PARTS).glob(f"{glob.escape(self._name)}-{key[:32]}-*.npz")
        locks = self.lock.parent.glob(f"{glob.escape(self.lock.stem)}-{key[:32]}-*.lock")
        for file in [*parts, *locks, self.lock]:
            file.unlink(missing_ok=True)

    def part_lock(self, key: str, name: str) -> Path:
        """File of the lock of whoever does a part."""
        return self.lock.with_name(f"{self.lock.stem}-{key[:32]}-{name}.lock")

    @property
    def lock(self) -> Path:
        """File of the lock of whoever puts parts together."""
        return self.folder / LOCKS / f"{self._name.replace('/', '-')}.lock"

    @property
    def failure(self) -> Path:
        """File of the reason why there is no result."""
        return self.folder / FAILURES / f"{self._name}.json"


def name_of(run: str, step: int) -> str:
    """How the names of all files of a checkpoint begin, its folder included."""
    # A run's name may have slashes in it.
    return f"{quote(run, safe='') or 'all'}/{step:012d}"


def content_hash(path: Path) -> str:
    """Of the bytes of a checkpoint, and of all files that it names: those beside an index."""
    digest = hashlib.sha256()
    for one in [path, *_beside(path)]:
        with one.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def size_of(path: Path) -> int:
    """Bytes of a checkpoint, as `content_hash` takes them."""
    return sum(one.stat().st_size for one in [path, *_beside(path)])


def _beside(path: Path) -> list[Path]:
    if not path.name.endswith(".index.json"):
        return []
    try:
        index = json.loads(path.read_bytes())
        return [path.with_name(name) for name in sorted(set(index["weight_map"].values()))]
    except (ValueError, KeyError, TypeError, AttributeError):
        # What is wrong with it is said when it is read.
        return []


def write_result(path: Path, key: str, settings: str, content: Mapping[str, Any]) -> None:
    """Write a result with all that it takes to trust it later."""
    with writing(path):
        # No need to wait for the disk: a result that a crash leaves half written has a broken seal.
        whole = sealed({"kind": _KIND, "key": key, "settings": settings, **content})
        write_whole(path, whole, lasting=False)


def read_result(path: Path, key: str | None = None, settings: str | None = None) -> dict[str, Any] | None:
    """A result; None where there is none, and with a warning where it is damaged or of something else."""
    try:
        content = unsealed(path.read_bytes())
        if content["kind"] != _KIND or "content" not in content:
            raise ValueError("it is no result")
        if (key is not None and content["key"] != key) or not path.stem.endswith(content["key"][:32]):
            raise ValueError("it is the result of something else")
        if settings is not None and content["settings"] != settings:
            return None
        return content
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        warnings.warn(f"The result {str(path)!r} cannot be used and is computed again: {error}.", stacklevel=2)
        return None


def results_by_place(folder: Path) -> dict[str, list[Path]]:
    """Files of results by the start of their names: run and step."""
    found: dict[str, list[Path]] = {}
    for path in files_in(folder / RESULTS):
        if path.suffix == ".json" and not path.name.startswith("."):
            found.setdefault(f"{path.parent.name}/{path.name.split('-')[0]}", []).append(path)
    return found


def files_in(folder: Path) -> Iterator[Path]:
    """Files one folder below."""
    if folder.is_dir():
        for below in sorted(folder.iterdir()):
            if below.is_dir():
                yield from (Path(entry.path) for entry in os.scandir(below) if entry.is_file())
