"""The files of a batch's folder: what each is called, that of every lock included."""

import glob
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from ei_fast.runtime.files import is_unfinished

PLAN = "plan.json"
RESULTS, FAILURES, PARTS, LOCKS = "results", "failures", "parts", "locks"
"""Folders: in the first three is one for each run."""


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
    def name(self) -> str:
        """How the names of all files begin, the run's folder included."""
        return name_of(self.run, self.step)

    def key(self, content: str) -> str:
        """Name of what is computed from these settings and a file whose content has this hash."""
        return hashlib.sha256(f"{self.settings} {self.step} {content}".encode()).hexdigest()

    def result(self, key: str) -> Path:
        """File of the result."""
        return self.folder / RESULTS / f"{self.name}-{key[:32]}.json"

    @property
    def failure(self) -> Path:
        """File of the reason why there is no result."""
        return self.folder / FAILURES / f"{self.name}.json"

    def part(self, key: str, name: str) -> Path:
        """File of a part of a layer."""
        return self.folder / PARTS / f"{self.name}-{key[:32]}-{name}.npz"

    def finished(self, key: str, layer: int, measure: str) -> Path:
        """File that is there when all stages of a measure are."""
        return self.part(key, f"layer{layer}-{measure}-finished")

    @property
    def lock(self) -> Path:
        """File of the lock of whoever puts parts together."""
        # Of another name than those of shards, whatever the run is called.
        return self.folder / LOCKS / f"checkpoint-{self.name.replace('/', '-')}.lock"

    def part_lock(self, key: str, name: str) -> Path:
        """File of the lock of whoever does a part."""
        return self.lock.with_name(f"{self.lock.stem}-{key[:32]}-{name}.lock")

    def remove_parts(self, key: str) -> None:
        """Remove all parts that are there, their locks, and the lock of whoever put them together."""
        parts = (self.folder / PARTS).glob(f"{glob.escape(self.name)}-{key[:32]}-*.npz")
        locks = self.lock.parent.glob(f"{glob.escape(self.lock.stem)}-{key[:32]}-*.lock")
        for file in [*parts, *locks, self.lock]:
            file.unlink(missing_ok=True)


def name_of(run: str, step: int) -> str:
    """How the names of all files of a checkpoint begin, its folder included."""
    # A run's name may have slashes in it.
    return f"{quote(run, safe='') or 'all'}/{step:012d}"


def shard_lock(folder: Path, shard: int) -> Path:
    """File of the lock of whoever runs a shard."""
    return folder / LOCKS / f"shard-{shard:04d}.lock"


def shards_that_were_run(folder: Path) -> list[int]:
    """Shards for which there is a lock, of whatever plan."""
    return [int(path.stem.removeprefix("shard-")) for path in sorted((folder / LOCKS).glob("shard-*.lock"))]


def results_by_place(folder: Path) -> dict[str, list[Path]]:
    """Files of results by the start of their names: run and step."""
    found: dict[str, list[Path]] = {}
    for path in _files_of_runs(folder / RESULTS):
        if path.suffix == ".json" and not path.name.startswith("."):
            found.setdefault(f"{path.parent.name}/{path.name.split('-')[0]}", []).append(path)
    return found


def places_of_failures(folder: Path) -> set[str]:
    """Checkpoints, as `name_of` calls them, of which it is noted why they failed."""
    return {f"{path.parent.name}/{path.stem}" for path in _files_of_runs(folder / FAILURES) if path.suffix == ".json"}


def has_parts(folder: Path) -> bool:
    """Whether any part is left, or any lock but those of shards."""
    locks = folder / LOCKS
    others = (path for path in locks.iterdir() if not path.name.startswith("shard-")) if locks.is_dir() else iter(())
    return any(True for _ in _files_of_runs(folder / PARTS)) or any(True for _ in others)


def unfinished_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Files that killed processes have left behind in the folders of runs, and whose each was to be: run and step."""
    for kind in (RESULTS, FAILURES, PARTS):
        for path in _files_of_runs(folder / kind):
            unfinished = is_unfinished(path)
            if unfinished is not None:
                yield path, f"{path.parent.name}/{unfinished.split('-')[0].removesuffix('.json')}"


def _files_of_runs(folder: Path) -> Iterator[Path]:
    """Files one folder below."""
    if folder.is_dir():
        for below in sorted(folder.iterdir()):
            if below.is_dir():
                with os.scandir(below) as entries:
                    yield from (Path(entry.path) for entry in entries if entry.is_file())
