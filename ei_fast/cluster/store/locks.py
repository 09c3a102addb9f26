"""One process a shard: a lock that the system lets go of when the process ends, however it does."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from ei_fast.cluster.store.files import shard_lock, shards_that_were_run
from ei_fast.errors import BatchWarning, Busy, CannotWrite

_PATIENCE = 2.0
"""Seconds: whoever only asks whether a shard is being run holds its lock for much less."""


@contextmanager
def holding(folder: Path, shard: int) -> Iterator[None]:
    """Keep other processes from running a shard.

    Raises
    ------
    Busy
        Where another one does.
    """
    with locked(shard_lock(folder, shard), _PATIENCE) as mine:
        if not mine:
            raise Busy(
                f"Shard {shard} of {str(folder)!r} is being run by another process. Wait for it, or run another shard."
            )
        yield


@contextmanager
def locked(file: Path, patience: float = 0.0) -> Iterator[bool]:
    """Whether this process has a lock now; it is let go of at the end. Others are waited for so many seconds."""
    file.parent.mkdir(exist_ok=True)
    lock = FileLock(file)
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        yield False
        return
    except NotImplementedError:
        # Two processes would then do the same work, and write the same files.
        warnings.warn(
            f"The file system of {str(file)!r} has no locks: see that no shard is run twice.",
            BatchWarning,
            stacklevel=4,
        )
    try:
        yield True
    finally:
        lock.release()


def is_held(folder: Path, shard: int) -> bool:
    """Whether a process runs the shard."""
    file = shard_lock(folder, shard)
    if not file.exists():
        return False
    try:
        with FileLock(file).acquire(timeout=0):
            return False
    except Timeout:
        return True
    except (NotImplementedError, OSError):
        return False


def check_idle(folder: Path, why: str) -> None:
    """Raise Busy where any shard is being run, of whatever plan."""
    held = [shard for shard in shards_that_were_run(folder) if is_held(folder, shard)]
    if held:
        raise Busy(f"{why}: shards {held} of {str(folder)!r} are being run. Wait for them, or stop them.")


def check_writable(folder: Path) -> None:
    """Raise CannotWrite where nothing can be written into the folder: now, and not after hours of work."""
    probe = folder / f".{uuid4().hex}.tmp"
    try:
        probe.write_bytes(b"written to see whether it can be")
        probe.unlink()
    except OSError as error:
        # On a full disk an empty file is left; in a folder that is read-only even to remove none may fail.
        with suppress(OSError):
            probe.unlink(missing_ok=True)
        raise CannotWrite(
            error.errno,
            f"Nothing can be written into {str(folder)!r}: {os.strerror(error.errno or 0)}. Make room, or "
            "give a folder that is yours",
        ) from error
