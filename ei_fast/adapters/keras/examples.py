"""What a user gives as example inputs of a Keras model, one array or several, as the inputs of its runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.sources import ALONE, FEW, MAX_VALUES, range_beyond
from ei_fast.network.bins import Range

_ROWS = (61, 31, 13, 7)
_RULE = "The 'example_inputs' parameter of as_network must be what the Keras model {!r} is called with"


@dataclass(frozen=True, eq=False)
class Examples:
    """Arrays, one or in lists and dicts, and runs of them; see `Source`.

    Attributes
    ----------
    arrays
        Each (rows, ...).
    """

    arrays: Any

    @property
    def leaves(self) -> list[NDArray[Any]]:
        """All arrays."""
        return [one for one in keras.tree.flatten(self.arrays) if isinstance(one, np.ndarray)]

    @property
    def rows(self) -> int:
        return len(self.leaves[0])

    def rows_for(self, kept: int) -> int:
        enough = [n for n in _ROWS if n * kept <= MAX_VALUES] or [_ROWS[-1]]
        return self.rows if enough[0] < self.rows <= max(enough[0], MAX_VALUES // max(kept, 1)) else enough[0]

    def drawn(self, in_range: Range, rows: int) -> Any:
        rng = np.random.default_rng(0)
        return self._made(rows, lambda shape: rng.uniform(*in_range, shape))

    def beyond(self, in_range: Range, rows: int) -> Any:
        return self.drawn(range_beyond(in_range), rows)

    def few(self, in_range: Range) -> Any:
        return self.drawn(in_range, FEW)

    def alone(self, in_range: Range) -> Iterator[Any]:
        rng = np.random.default_rng(1)
        for row in range(ALONE):
            one = self._made(1, lambda shape: rng.uniform(*in_range, shape), row)
            yield keras.tree.map_structure(lambda array: np.repeat(array, FEW, axis=0), one)

    def as_given(self, rows: int) -> Iterator[Any]:
        for first in range(0, self.rows, rows):
            yield self._made(rows, None, first)

    def is_as_given(self, rows: int) -> bool:
        return self.rows <= rows and not any(map(is_floating, self.leaves))

    def _made(self, rows: int, draw: Callable[[Sequence[int]], NDArray[np.float64]] | None, first: int = 0) -> Any:
        at = (first + np.arange(rows)) % self.rows

        def leaf(array: Any) -> Any:
            if not isinstance(array, np.ndarray):
                return array
            return array[at] if draw is None or not is_floating(array) else draw((rows, *array.shape[1:]))

        return keras.tree.map_structure(leaf, self.arrays)


def is_floating(array: NDArray[Any]) -> bool:
    return array.dtype.kind == "f"


def examples_of(value: Any, model: keras.Layer) -> tuple[Examples, list[str]]:
    """Example inputs as arrays, and what is to be said of them.

    Raises
    ------
    TypeError, ValueError
        Where they are none.
    """
    value, said = _inputs_in(value, model)
    examples = Examples(keras.tree.map_structure(lambda one: _as_array(one, model), value))
    rule = _RULE.format(model.name)
    if not examples.leaves:
        raise TypeError(f"{rule}, with arrays in it. Got none instead.")
    n = len(getattr(model, "inputs", None) or examples.leaves)
    if n != len(examples.leaves):
        raise ValueError(f"{rule}, one array an input. Got {len(examples.leaves)} of {n}. Give a list of {n}.")
    if any(not array.ndim or len(array) != examples.rows or not array.size for array in examples.leaves):
        shapes = ", ".join(str(array.shape) for array in examples.leaves)
        raise ValueError(f"{rule}, with as many rows each. Got the shapes {shapes} instead. Give a batch of each.")
    return examples, said


def _inputs_in(value: Any, model: keras.Layer) -> tuple[Any, list[str]]:
    """What goes into the model: a batch of a data set may have labels and weights behind it."""
    if isinstance(value, Mapping):
        return dict(value), []
    if not isinstance(value, (list, tuple)) or _is_numbers(value):
        return np.array(value) if isinstance(value, (list, tuple)) else value, []
    n = len(getattr(model, "inputs", None) or [])
    first = value[0] if value else None
    is_nested = isinstance(first, (list, tuple, Mapping)) and not _is_numbers(first) and len(first) == n
    if n == len(value) > 1 and not is_nested:
        return list(value), []
    is_all = n == 1 or is_nested
    if n and is_all and len(value) <= 3:
        left_out = ["what stands behind the first value is left out, as labels are"] if len(value) > 1 else []
        return (dict(first) if isinstance(first, Mapping) else first), left_out
    if not n and isinstance(value, list):
        return value, []
    takes = f"its {n} inputs" if n else "its inputs: a list where it takes several"
    rule, got = _RULE.format(model.name), f"a {type(value).__name__} of {len(value)} values"
    raise ValueError(f"{rule}. Got {got} instead. Give {takes}, without labels.")


def _is_numbers(value: Any) -> bool:
    if not isinstance(value, (list, tuple)):
        return False
    first = value[0] if value else None
    return _is_numbers(first) if isinstance(first, (list, tuple)) else isinstance(first, (int, float))


def _as_array(one: Any, model: keras.Layer) -> Any:
    if one is None or isinstance(one, bool):
        return one
    array = np.asarray(keras.ops.convert_to_numpy(one) if keras.ops.is_tensor(one) else one)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{_RULE.format(model.name)}, numbers. Got an array of type {array.dtype} instead. Convert it to numbers."
        )
    return array
