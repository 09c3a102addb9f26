"""Files of results: written whole, named by a hash of what they were computed from, and checked when they are read."""

import json
import platform
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ei_fast.cluster.store.files import Place
from ei_fast.errors import BatchWarning, CannotWrite
from ei_fast.measures.stages import Arrays
from ei_fast.runtime.files import read_npz, sealed, unsealed, write_npz, write_whole

_KIND = "ei_fast batch result"


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
        warnings.warn(
            f"The result {str(path)!r} cannot be used and is computed again: {error}.", BatchWarning, stacklevel=2
        )
        return None


def write_failure(place: Place, checkpoint: str, key: str | None, said: str) -> None:
    """Note why a checkpoint has no result."""
    with writing(place.failure):
        failure = {"checkpoint": checkpoint, "key": key, "said": said, "machine": platform.node()}
        write_whole(place.failure, json.dumps(failure).encode(), lasting=False)


@dataclass(frozen=True)
class Failure:
    """Why a checkpoint has no result.

    Attributes
    ----------
    said : str
    key : str or None
        Of the result that there would have been; None where the file could not be read.
    """

    said: str
    key: str | None = None


def read_failure(place: Place) -> Failure | None:
    """What was noted when the checkpoint failed; None where it did not."""
    try:
        noted = json.loads(place.failure.read_bytes())
        return Failure(str(noted["said"]), noted["key"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return Failure("failed, for a reason that is damaged")


def read_part(file: Path) -> Arrays | None:
    """The arrays of a part; None where there is none, with a warning where it is damaged."""
    try:
        arrays = read_npz(file)
        return tuple(arrays[f"part{k}"] for k in range(int(arrays["n"])))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError) as error:
        warnings.warn(
            f"The part {str(file)!r} cannot be used and is computed again: {error}", BatchWarning, stacklevel=2
        )
        return None


def write_part(file: Path, arrays: Arrays) -> None:
    """Keep the arrays of a part."""
    with writing(file):
        write_npz(file, {f"part{k}": array for k, array in enumerate(arrays)} | {"n": len(arrays)})
