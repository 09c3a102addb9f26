"""Weights in NumPy's own file format."""

import os
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

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
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except FileNotFoundError:
        raise
    except (BadZipFile, EOFError, OSError, AttributeError) as error:
        raise ValueError(f"The file {str(path)!r} cannot be read as .npz: {error}. Write it again.") from error
    except ValueError as error:
        raise ValueError(
            f"The file {str(path)!r} must hold plain arrays, no Python objects: {error}. "
            "Save numeric arrays with numpy.savez."
        ) from error
