"""Values that depend on a model's input, by number, each with the rows of the input first."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.graph.opaque import Unknown
from ei_fast.adapters.graph.operation import Operation
from ei_fast.adapters.graph.rearranging import Same


class Values(dict[int, NDArray[np.floating]]):
    """What was seen of each value in a run; number 0 is the model's input.

    A reshape may put other axes of a sample to the rows, as ``x.reshape(-1, width)`` of samples (time, width) does
    before a dense layer. Where several rows of a tensor so belong to one row of the input, they stand apart here: as
    (rows of the input, several, ...).
    """

    def __init__(self) -> None:
        super().__init__()
        # By number: how many rows the tensor had, where several of them belong to one row of the input.
        self._n_rows: dict[int, int] = {}

    @property
    def rows(self) -> int:
        """Number of rows of the input."""
        return len(self[0])

    def add(self, values: NDArray[np.floating], apart: bool = False) -> int:
        """Write a value down and return its number; rows that belong together are put apart where that is allowed."""
        number = len(self)
        if apart and values.ndim and len(values) > self.rows and len(values) % self.rows == 0:
            self._n_rows[number] = len(values)
            values = values.reshape(self.rows, -1, *values.shape[1:])
        self[number] = values
        return number

    def stand_apart(self, does: Operation, reads: Sequence[int], shape: Sequence[int]) -> bool:
        """Whether rows of what an operation has written, a tensor of this shape, may belong to one row of the input."""
        if isinstance(does, Unknown):
            # It has as many rows as what it read.
            return bool(shape) and shape[0] in {self._n_rows.get(number) for number in reads}
        return bool(reads) and all(len(self[number]) == self.rows for number in reads)

    def are_known_behind(self, steps: Iterable[tuple[Operation, Any]], reads: Sequence[int], n_read: int) -> bool:
        """Whether steps, each with the tensor that it gives, mean the same for values whose rows stand apart.

        Parameters
        ----------
        n_read : int
            Rows of the tensors that the first step reads.
        """
        several = [len(self[number]) != n_read for number in reads]
        for does, made in steps:
            if not made.shape or _with_rows_apart(does, several, n_read, made.shape[0], self.rows) is None:
                return False
            n_written = made.shape[0]
            several, n_read = [n_written != self.rows and (any(several) or n_written != n_read)], n_written
        return True


def _with_rows_apart(
    does: Operation, several: Sequence[bool], n_read: int, n_written: int, rows: int
) -> Operation | None:
    """What an operation means for values that are noted with the rows of the input first; None where that is not known.

    A reshape may put other axes of a sample to the rows, as ``x.reshape(-1, width)`` of samples (time, width) does
    before a dense layer. What does the same to every row then means the same with these axes apart.

    Parameters
    ----------
    several : sequence of bool
        Of each value that is read, whether several rows of it make one of the input.
    n_read, n_written, rows : int
        Rows of what is read, of what is written and of the input.
    """
    if isinstance(does, Same) and n_read != n_written:
        fits = does.order is None and (any(several) or n_read == rows) and n_written % rows == 0
        return does if fits else None
    if not any(several):
        return does
    return does if all(several) and n_read == n_written and does.is_by_row else None
