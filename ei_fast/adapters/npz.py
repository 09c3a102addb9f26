"""Weights in NumPy's own file format."""

import os
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, is_zipfile

import numpy as np


def read_npz(path: str | os.PathLike) -> dict[str, Any]:
    """Arrays of an ``.npz`` file by name. Pickled content is refused: it could run code.

    Raises
    ------
    FileNotFoundError
        Where there is no such file.
    ValueError
        Where the file is of another kind, damaged or holds Python objects.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise ValueError(
            f"The file {str(path)!r} must be an .npz file with arrays w0, w1, ... of shape (n_in, n_out). "
            "Write one with numpy.savez."
        )
    unreadable = f"The file {str(path)!r} cannot be read as .npz: it is damaged or of another kind. Write it again."
    with path.open("rb") as file:
        if not is_zipfile(file):
            raise ValueError(unreadable)
        file.seek(0)
        arrays = {}
        try:
            with np.load(file, allow_pickle=False) as archive:
                for key in archive.files:
                    arrays[key] = archive[key]
        except ValueError:
            raise ValueError(
                f"The file {str(path)!r} must hold plain arrays. Its entry number {len(arrays)} is a Python object, "
                "which could run code. Save numeric arrays with numpy.savez."
            ) from None
        except (BadZipFile, EOFError, OSError) as error:
            raise ValueError(unreadable) from error
    return arrays
