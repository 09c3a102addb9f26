"""One run of a model, written down: its operations in order, and every value that depends on its input."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.graph.held import Held
from ei_fast.adapters.graph.opaque import Unknown
from ei_fast.adapters.graph.operation import Operation, Role
from ei_fast.adapters.graph.starts import Conv, Dense
from ei_fast.adapters.graph.transposed import Transposed
from ei_fast.adapters.graph.view import Array
from ei_fast.adapters.graph.window import Places

PathStep = tuple[Hashable, ...]
"""One operation, as runs are compared by it: its name, its kind, and the values that it reads and writes."""


class Again(Protocol):
    """A function as a model has called it, to be called again.

    Attributes
    ----------
    name : str
        Of the function.
    can_be_done : bool
        Whether all that it was called with is known and still what it was.
    """

    @property
    def name(self) -> str: ...

    @property
    def can_be_done(self) -> bool: ...

    def joined(self, calls: Any, entry: int, exit: int, rows: int) -> Callable[[Array], Array]:
        """Calls, each with the numbers of the values that it gives, as one function of so many rows."""


@dataclass(frozen=True, eq=False)
class Op:
    """One use of an operation in a run: its name, and the values it reads and writes, by number.

    Attributes
    ----------
    uses : frozenset of str
        Names of the parameters that it uses.
    again : Again, optional
        What was called, to be called again with other values.
    inside : tuple of (str, int)
        Modules that have done it, from the outermost on, and which of all calls of modules theirs was.
    """

    name: str
    does: Operation
    reads: tuple[int, ...]
    writes: tuple[int, ...]
    uses: frozenset[str] = frozenset()
    again: "Again | None" = None
    inside: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, eq=False)
class Recording:
    """One run of a model.

    Attributes
    ----------
    ops : list of Op
        In the order in which they were done.
    values : dict of ndarray
        By number, (rows, ...), float32 where the model computes so.
    outputs : tuple of int
        Numbers of the values that the model returns.
    path : tuple of tuple
        What was done, each time beginning with a name, for comparison with another run.
    arithmetic : str
        The coarsest that the model ran in.
    blocks : frozenset of str
        Names of the blocks that it ran.
    has_blocks : bool
        Whether parts of the model may be named, to be measured as one map.
    inputs : tuple of int
        Numbers of the values that are the model's inputs over `in_range`; none where it takes integers alone.
    read_out : tuple
        What was read out of the values in a way that shows not what becomes of it; see `torch.decisions`.
    held : Held, optional
        The parameters of the model, which operations use by name.
    images_first : bool
        Whether images have their channels first.
    """

    ops: list[Op]
    values: dict[int, NDArray[np.floating]]
    outputs: tuple[int, ...]
    path: tuple[PathStep, ...]
    arithmetic: str
    blocks: frozenset[str] = frozenset()
    has_blocks: bool = True
    read_out: tuple[Any, ...] = ()
    inputs: tuple[int, ...] = (0,)
    held: Held | None = None
    images_first: bool = True

    @property
    def rows_of_inputs(self) -> int:
        """Number of rows that the model was run on."""
        return getattr(self.values, "rows", len(self.values[0]))

    @property
    def outline(self) -> "Outline":
        """What is compared with another run."""
        return Outline(self.path, self.rows_of_inputs)

    def shape(self, value: int) -> tuple[int, ...]:
        """Of one sample of a value."""
        return self.values[value].shape[1:]

    def rows(self, value: int, places: Places, n_samples: int | None = None) -> Array:
        """What stands at `places` (m, n) of each sample, or of the first of them, as (samples * m, n) in float64."""
        values = self.values[value][:n_samples]
        found = values.reshape(len(values), -1)[:, places].reshape(-1, places.shape[1])
        return found.astype(np.float64, copy=False)

    def forget(self) -> None:
        """Let go of all values and weights, whoever still holds the recording: it takes as much memory as a model."""
        self.values.clear()
        self.ops.clear()

    def why_skipped(self, op: Op) -> str:
        """Why an operation of it is no layer."""
        return op.does.why_alone(op.name, len(op.reads), self.has_blocks)

    def alive(self) -> tuple[list[Op], list[Op]]:
        """The operations on which the outputs depend, and the others."""
        needed = set(self.outputs)
        alive, dead = [], []
        for op in reversed(self.ops):
            if needed.intersection(op.writes):
                needed.update(op.reads)
                alive.append(op)
            else:
                dead.append(op)
        return alive[::-1], dead[::-1]


@dataclass(frozen=True)
class Outline:
    """A run without its values: what was done, and of how many rows.

    Attributes
    ----------
    path : tuple of tuple
        As of a `Recording`.
    rows : int
    """

    path: tuple[PathStep, ...]
    rows: int


class Readers:
    """Who reads which value."""

    def __init__(self, ops: Sequence[Op], outputs: Sequence[int]):
        self._outputs = outputs
        self._of: dict[int, list[Op]] = {}
        for op in ops:
            for value in op.reads:
                self._of.setdefault(value, []).append(op)

    def only(self, value: int) -> Op | None:
        """The one operation that reads a value which nobody else sees: what is returned is seen by the user."""
        readers = self._of.get(value, ())
        return readers[0] if len(readers) == 1 and value not in self._outputs else None


def convolution_first(recording: Recording) -> str | None:
    """Name of the convolution that the input of a model comes to before any dense layer; None where there is none.

    How long a sample is cannot be told behind it.
    """
    reached, found = {0}, None
    for op in recording.ops:
        if not reached.intersection(op.reads):
            continue
        unknown = isinstance(op.does, Unknown) and (op.does.is_convolution or op.does.reason.startswith("conv"))
        if isinstance(op.does, Dense):
            # It takes the model's own inputs, and tells how many.
            return None
        if isinstance(op.does, (Conv, Transposed)) or unknown:
            found = found or op.name
        elif op.does.role is not Role.STARTS:
            reached.update(op.writes)
    return found
