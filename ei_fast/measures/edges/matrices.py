"""Matrices of per-edge measures: in memory, or in files that are filled block by block."""

import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import numpy as np
from numpy.lib.format import open_memmap

from ei_fast.measures.constants import LARGE_MATRIX
from ei_fast.measures.edges.estimate import Matrix, matrix_type
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.quantities import EDGE_MEASURES
from ei_fast.network.binned import BinnedLayer


@dataclass(frozen=True)
class Target:
    """Where the matrix of a layer is filled; a context, at whose end a file that was not finished is removed.

    The edges into one output lie side by side where there are more than `LARGE_MATRIX` edges, so that outputs are
    written one after the other.

    Attributes
    ----------
    n_in, n_out : int
        Of the layer.
    file : Path or None
        The file that the matrix is to be in; None for memory.
    """

    n_in: int
    n_out: int
    file: Path | None
    _mark: str = field(default_factory=lambda: uuid4().hex)

    @classmethod
    def of(cls, binned: BinnedLayer, measure: str, options: MeasureOptions) -> Self:
        """The target that the options name."""
        folder = options.matrices
        file = None if folder is None else file_of(folder, str(binned.layer.name), measure)
        return cls(binned.layer.n_in, binned.layer.n_out, file)

    def empty(self, n_outputs: int) -> Matrix:
        """A matrix for so many outputs, to be filled; in the file if these are all."""
        shape, dtype = (self.n_in, n_outputs), matrix_type(self.n_in, self.n_out)
        is_large = self.n_in * self.n_out > LARGE_MATRIX
        if self.file is None or n_outputs < self.n_out:
            return np.empty(shape, dtype, order="F" if is_large else "C")
        return open_memmap(self._unfinished, "w+", dtype, shape, fortran_order=is_large)

    def joined(self, matrices: Sequence[np.ndarray]) -> Matrix:
        """Matrices of consecutive outputs side by side, as `empty` and filling would have made them."""
        result = self.empty(sum(matrix.shape[1] for matrix in matrices))
        first = 0
        for matrix in matrices:
            result[:, first : first + matrix.shape[1]] = matrix
            first += matrix.shape[1]
        return result

    def kept(self, matrix: np.ndarray) -> Matrix:
        """The finished matrix: where there is a file, as it is read from there."""
        if self.file is None:
            return matrix
        if isinstance(matrix, np.memmap):
            matrix.flush()
        else:
            with self._unfinished.open("xb") as file:
                np.save(file, matrix, allow_pickle=False)
        os.replace(self._unfinished, self.file)
        mapped: Matrix = np.load(self.file, mmap_mode="r")
        return mapped

    @property
    def _unfinished(self) -> Path:
        assert self.file is not None
        return self.file.with_name(f".{self.file.name}.{self._mark}.tmp")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.file is not None:
            self._unfinished.unlink(missing_ok=True)


def file_of(folder: str, name: str, measure: str) -> Path:
    """The file of a measure of the layer of this name; what file systems may not allow is replaced in it."""
    return Path(folder) / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}-{measure}.npy"


def check_files(layers: Sequence[BinnedLayer], matrices: str | None) -> None:
    """Raise ValueError where the files of the matrices cannot all be written, or are there already."""
    if matrices is None:
        return
    rule = f"The 'matrices' parameter must be a folder for new files. Got {matrices!r}"
    if not os.path.isdir(matrices):
        raise ValueError(f"{rule}, which is no folder. Make it first.")
    names: dict[Path, Any] = {}
    needed = 0
    for binned in layers:
        n_in, n_out = binned.layer.n_in, binned.layer.n_out
        for measure in EDGE_MEASURES:
            file = file_of(matrices, str(binned.layer.name), measure)
            if file in names:
                raise ValueError(
                    f"{rule}, in which layers {names[file]!r} and {binned.layer.name!r} would have one file, "
                    f"{file.name!r}. Rename one of them."
                )
            if file.exists():
                raise ValueError(f"{rule}, which holds {file.name!r} already. Remove it, or give another folder.")
            names[file] = binned.layer.name
            needed += n_in * n_out * np.dtype(matrix_type(n_in, n_out)).itemsize
    free = shutil.disk_usage(matrices).free
    if needed > free:
        raise ValueError(
            f"{rule}, which has {free:,} bytes left of the {needed:,} that the matrices take. "
            "Make room, or give another folder."
        )
    try:
        with tempfile.TemporaryFile(dir=matrices):
            pass
    except OSError as error:
        raise ValueError(f"{rule}, in which no file can be written: {error}. Give another folder.") from error
