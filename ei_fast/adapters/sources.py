"""What a model is run on: random samples of one shape, or the user's example inputs drawn anew."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ei_fast.adapters.graph.view import Array
from ei_fast.network.bins import Range

# Of how many rows the runs may be, by how much memory they take: unlikely as widths, since what has as many rows, and
# is not known, comes from the inputs in a way that was not seen.
ROWS = (1021, 509, 251, 127, 61, 31, 13, 7)
# Every place of an image is another sample for a convolution.
_ROWS_OF_IMAGES = 61
MAX_VALUES = 2**25
_BEYOND = 10.0
# Rows of a small batch. And of how many samples a model is asked where it goes when they stand alone.
FEW, ALONE = 3, 16


class Source(Protocol):
    """Where the inputs of a run come from."""

    def rows_for(self, kept: int) -> int:
        """Rows of a run of which so many values are kept for each."""

    def drawn(self, in_range: Range, rows: int) -> Any:
        """Inputs of so many rows, the same whenever they are drawn."""

    def beyond(self, in_range: Range, rows: int) -> Any:
        """Inputs of which many lie outside of `in_range`."""

    def few(self, in_range: Range) -> Any:
        """Inputs of a small batch."""

    def alone(self, in_range: Range) -> Iterator[Any]:
        """Batches as large, each of one sample several times."""

    def as_given(self, rows: int) -> Iterator[Any]:
        """The examples themselves, in parts of so many rows; none where a shape is all that is known."""

    def is_as_given(self, rows: int) -> bool:
        """Whether inputs that are drawn, of so many rows, are all of the examples as they are."""


@dataclass(frozen=True, eq=False)
class OfShape:
    """Random samples of one shape.

    Attributes
    ----------
    shape : tuple of int
        Of one sample.
    examples : ndarray (rows, ...), optional
        A batch that the user has given.
    """

    shape: tuple[int, ...]
    examples: Array | None = None

    def rows_for(self, kept: int) -> int:
        fitting = (n for n in ROWS if n * kept <= MAX_VALUES and (len(self.shape) < 3 or n <= _ROWS_OF_IMAGES))
        return next(fitting, ROWS[-1])

    def drawn(self, in_range: Range, rows: int) -> Array:
        return random_inputs(in_range, rows, self.shape)

    def beyond(self, in_range: Range, rows: int) -> Array:
        return random_inputs(range_beyond(in_range), rows, self.shape)

    def few(self, in_range: Range) -> Array:
        return random_inputs(in_range, ALONE, self.shape)[:FEW]

    def alone(self, in_range: Range) -> Iterator[Array]:
        inputs = random_inputs(in_range, ALONE, self.shape)
        ends = [np.full_like(inputs[0], end) for end in in_range]
        # A sample alone is a batch of itself: some models take no batch of one.
        for sample in (*ends, *inputs):
            yield np.repeat(sample[None], FEW, axis=0)

    def as_given(self, rows: int) -> Iterator[Array]:
        if self.examples is None:
            return
        n = len(self.examples)
        for first in range(0, n, rows):
            yield self.examples[(first + np.arange(rows)) % n]

    def is_as_given(self, rows: int) -> bool:
        return False


def range_beyond(in_range: Range) -> Range:
    """A range ten times as wide around the same middle."""
    low, high = in_range
    middle, half = 0.5 * (low + high), 0.5 * _BEYOND * (high - low)
    return middle - half, middle + half


def random_inputs(in_range: Range, rows: int, shape: Sequence[int]) -> Array:
    """The same whenever they are drawn, (rows, *shape)."""
    return np.random.default_rng(0).uniform(*in_range, (rows, *shape))


def as_batch(examples: Any) -> Array:
    """Example inputs of a model that takes one floating input, as an array (rows, ...).

    Raises
    ------
    TypeError, ValueError
        Where they are none.
    """
    rule = "The 'example_inputs' parameter of as_network must be a batch (rows, ...) of floating-point numbers"
    array = np.asarray(examples.detach().cpu() if hasattr(examples, "detach") else examples)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{rule}. Got numbers of type {array.dtype.name} instead. Convert them to float32.")
    if array.ndim < 2 or not array.size:
        raise ValueError(f"{rule}. Got the shape {tuple(array.shape)} instead. Give it an axis of rows.")
    return array.astype(np.float64)
