"""Files of plain arrays: NumPy's own format, read without executing anything, written whole or not at all."""

import glob
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any
from uuid import uuid4
from zipfile import ZipFile

import numpy as np
from numpy.typing import ArrayLike

from ei_fast.runtime.kinds import other_kind

# Compressed weights of which nearly all are zero shrink by less.
_MAX_EXPANSION = 100
_UNFINISHED = ".tmp"
# Bytes of an entry of one word, header included.
_WORD = 4096
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read_npz(path: str | os.PathLike[str], holds: str = "arrays w0, w1, ... of shape (n_in, n_out)") -> dict[str, Any]:
    """Arrays of an ``.npz`` file by name. Pickled content is refused: it could run code.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where the file is of another kind, damaged or holds Python objects.
    """
    path = npz_path(path, f"The file {str(path)!r} must be an .npz file with {holds}. Write one with numpy.savez.")
    arrays: dict[str, Any] = {}
    with path.open("rb") as file:
        try:
            with ZipFile(file) as archive:
                python_object = _check_claims(archive, path.stat().st_size)
            if python_object is None:
                file.seek(0)
                with np.load(file, allow_pickle=False) as stored:
                    arrays.update(stored)
        except Exception as error:
            # Damaged bytes may fail in any way: as an archive, as compressed data, as a header or as an array.
            hint = other_kind(path, "npz")
            if hint:
                raise ValueError(f"The file {str(path)!r} cannot be read as .npz. {hint}") from error
            raise ValueError(
                f"The file {str(path)!r} cannot be read as .npz: it is damaged or of another kind ({error}). "
                "Write it again."
            ) from error
    if python_object is not None:
        raise ValueError(
            f"The file {str(path)!r} must hold plain arrays. Its entry number {python_object} is a Python object, "
            "which could run code. Save numeric arrays with numpy.savez."
        )
    return arrays


def _check_claims(archive: ZipFile, size: int) -> int | None:
    """Number of the first entry that is a Python object, by its header; raise where entries claim what they lack.

    Before anything is allocated: a small file may claim to expand to any size.
    """
    if sum(member.file_size for member in archive.infolist()) > _MAX_EXPANSION * size + 2**24:
        raise ValueError("its entries would expand to much more than weights do")
    for number, member in enumerate(archive.infolist()):
        with archive.open(member) as content:
            version = np.lib.format.read_magic(content)
            shape, _, dtype = _HEADERS[version](content)
            if dtype.hasobject:
                return number
            if not dtype.itemsize or prod(shape) * dtype.itemsize != member.file_size - content.tell():
                raise ValueError(f"the entry {member.filename} claims another size than it has")
    return None


def write_npz(path: Path, arrays: Mapping[str, ArrayLike]) -> None:
    """Write arrays so that at every moment `path` holds either what it held before or all of them."""
    with _replacing(path) as file:
        _save(file, arrays)


def npz_bytes(arrays: Mapping[str, ArrayLike]) -> bytes:
    """What `write_npz` writes."""
    buffer = io.BytesIO()
    _save(buffer, arrays)
    return buffer.getvalue()


def _save(file: IO[bytes], arrays: Mapping[str, ArrayLike]) -> None:
    # To a file object, since savez would add a suffix to a path.
    np.savez(file, allow_pickle=False, **{name: np.asarray(values) for name, values in arrays.items()})


def write_whole(path: Path, content: bytes, lasting: bool = True) -> None:
    """Write bytes so that at every moment `path` holds either what it held before or all of them.

    Parameters
    ----------
    lasting : bool
        Whether that is to be so after a crash of the machine too, which takes milliseconds; not needed for a file
        that tells by itself whether it is whole.
    """
    with _replacing(path, lasting) as file:
        file.write(content)


def write_together(files: Mapping[Path, bytes]) -> None:
    """Write all of some files, or leave all as they were where one cannot be written."""
    with ExitStack() as stack:
        for path, content in files.items():
            file = stack.enter_context(_replacing(path, lasting=False))
            file.write(content)
            # What can fail for want of room is to do so before the first file is replaced.
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def _replacing(path: Path, lasting: bool = True) -> Iterator[IO[bytes]]:
    temporary = path.with_name(f".{path.name}.{uuid4().hex}{_UNFINISHED}")
    try:
        with temporary.open("xb") as file:
            yield file
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def remove_unfinished(path: Path) -> None:
    """Remove what a process that was killed while it wrote `path` has left behind."""
    for temporary in path.parent.glob(f".{glob.escape(path.name)}.*{_UNFINISHED}"):
        temporary.unlink(missing_ok=True)


def is_unfinished(path: Path) -> str | None:
    """Name of the file that was being written, where `path` is what a killed process left of it."""
    if not (path.name.startswith(".") and path.name.endswith(_UNFINISHED)):
        return None
    return path.name[1:].removesuffix(_UNFINISHED).rpartition(".")[0]


def npz_path(path: str | os.PathLike[str], otherwise: str) -> Path:
    """The path, if it ends in ``.npz``; or ValueError with what is to be said `otherwise`."""
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(otherwise)
    return path


def known_format(path: Path, arrays: Mapping[str, Any], kind: str, newest: int) -> None:
    """Raise ValueError where a file is not of a `kind` of ours, or of a version that is newer than this one."""
    try:
        stated, version = str(arrays["kind"]), int(arrays["format"])
    except (KeyError, TypeError, ValueError):
        stated, version = "", 0
    if stated != kind:
        raise ValueError(f"The file {str(path)!r} is not a {kind}. Give one that {kind.capitalize()}.save wrote.")
    if version > newest:
        raise ValueError(
            f"The file {str(path)!r} was written by a newer version of ei_fast (format {version}, known is {newest}). "
            "Upgrade ei_fast to read it."
        )


def kind_of(path: str | os.PathLike[str]) -> str | None:
    """What of ours an ``.npz`` file says it holds, a trajectory or a report; None of any other file."""
    try:
        with ZipFile(path) as archive, archive.open("kind.npy") as content:
            # No more than a word is read, whatever the entry claims.
            return str(np.load(io.BytesIO(content.read(_WORD)), allow_pickle=False)[()])
    except Exception:
        # What is wrong with it is said by whoever reads it.
        return None


def plain(value: Any) -> Any:
    """The value as JSON has it; what JSON does not have is described."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return repr(value)


def to_json(value: Any) -> np.ndarray:
    """A value as an array that holds its JSON; floats keep every bit."""
    return np.array(json.dumps(plain(value)))


def from_json(array: Any) -> Any:
    """What `to_json` made an array of."""
    return json.loads(str(array))


def sealed(content: Mapping[str, Any]) -> bytes:
    """JSON of the content and a hash of it."""
    content = plain(content)
    return json.dumps({**content, "seal": _seal_of(content)}).encode()


def unsealed(stored: bytes) -> dict[str, Any]:
    """What `sealed` made bytes of; ValueError where it is damaged."""
    try:
        content: dict[str, Any] = json.loads(stored)
        seal = content.pop("seal")
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is of another kind ({error!r})") from error
    if seal != _seal_of(content):
        raise ValueError("its seal is broken")
    return content


def _seal_of(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
