"""A node of an ONNX graph, with what it was given and what came out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Node:
    """A node of which at least one input depends on what goes into the model.

    Attributes
    ----------
    kind : str
        Its operator.
    attributes : dict
    inputs : sequence of ndarray or None
        Missing ones are None.
    at : tuple of int
        Which of the inputs depend on the model's.
    output : ndarray
    """

    kind: str
    attributes: dict[str, Any]
    inputs: Sequence[NDArray[Any] | None]
    at: tuple[int, ...]
    output: NDArray[Any]

    def number(self, name: str, default: float) -> float:
        """An attribute; it was rounded to float32 and is taken for the shortest number that is rounded to it."""
        value = self.attributes.get(name)
        return default if value is None else float(str(np.float32(value)))

    def constant(self, place: int) -> NDArray[np.float64] | None:
        """An input that does not depend on the model's; None where there is none."""
        value = self.inputs[place] if place < len(self.inputs) else None
        return None if value is None else np.asarray(value, dtype=np.float64)

    @property
    def x(self) -> NDArray[Any]:
        """The input that depends on the model's."""
        return self.input(self.at[0])

    def input(self, place: int) -> NDArray[Any]:
        """An input that there is."""
        value = self.inputs[place]
        assert value is not None
        return value
