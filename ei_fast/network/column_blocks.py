"""Columns of a weight matrix in blocks that a cache holds, so that what is computed of them takes no copy of it all."""

from collections.abc import Iterator
from math import ceil

import numpy as np
from numpy.typing import NDArray

_NUMBERS = 2**15
"""Of a block: 256 KiB."""


def blocks_of(n_columns: int, n_rows: int) -> Iterator[slice]:
    """Slices of so many columns, about equally many in each.

    None is of a single column, unless there is but one: NumPy adds up a column that stands alone in another order.
    """
    wide = max(2, _NUMBERS // n_rows)
    n = max(1, min(ceil(n_columns / wide), n_columns // 2))
    for k in range(n):
        yield slice(n_columns * k // n, n_columns * (k + 1) // n)


def in_parts(columns: NDArray[np.intp], n_rows: int) -> list[NDArray[np.intp]]:
    """Numbers of columns, in order, in parts that are as large as a block at the most."""
    return [columns[some] for some in blocks_of(len(columns), n_rows)] if len(columns) else []
