"""Tensors that depend on a model's input, by number, and what was done to them, in order."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from ei_fast.adapters.graph import Op, Recurrences, Unknown, Values
from ei_fast.adapters.torch.again import Again
from ei_fast.adapters.torch.attention import MovedRows
from ei_fast.adapters.torch.call import numbers_of, tensors_in
from ei_fast.adapters.torch.examples import Inputs
from ei_fast.adapters.torch.kept import Copies, Tensors
from ei_fast.adapters.torch.uses import Uses


@dataclass(eq=False)
class Book:
    """What is written down while a model runs.

    Attributes
    ----------
    inputs : Inputs
        What the model is run on.
    held : sequence of tensor
        What the model holds.
    dtype : torch.dtype
        In which the model is run.
    uses : Uses
        Which parameters of the model are used.
    cells : Recurrences
        Recurrent cells that the model runs.
    ops, path : list
        What was done, and that by which runs are compared.
    values : Values
        What depends on the input, by number.
    numbers : Tensors
        By the identity of a tensor, its number and itself.
    moved : MovedRows
        Tensors in which the rows of the input are not the first axis.
    modules, calls : list
        Modules that are running, from the outermost on, and which of all calls of modules theirs are.
    """

    inputs: Inputs
    held: Sequence[torch.Tensor]
    dtype: torch.dtype
    uses: Uses = field(default_factory=Uses)
    cells: Recurrences = field(default_factory=Recurrences)
    ops: list[Op] = field(default_factory=list)
    path: list[tuple[Any, ...]] = field(default_factory=list)
    values: Values = field(init=False)
    numbers: Tensors = field(default_factory=Tensors)
    moved: MovedRows = field(default_factory=MovedRows)
    modules: list[str] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    _constants: dict[int, tuple[int, torch.Tensor]] = field(default_factory=dict)
    # Of constants: what the model holds, and what is made of that.
    _learned: set[int] = field(default_factory=set)
    _pausing: bool = False
    _copies: Copies = field(default_factory=Copies)

    def __post_init__(self) -> None:
        self.coarsest = self.dtype
        self.take_as_constants(self.held)
        self._learned.update(map(id, self.held))
        self.values = Values(self.inputs.rows)
        for tensor in self.inputs.drawn:
            self.set(tensor)
        self.take_as_constants((*self.inputs.given, *self.inputs.fixed))

    def number_of(self, tensor: torch.Tensor) -> int | None:
        """The number of a tensor that depends on the input; None for any other."""
        return self.numbers.get(id(tensor), (None,))[0]

    def numbers_in(self, values: Any) -> tuple[int, ...]:
        """Numbers of the tensors that depend on the input."""
        numbers = (self.number_of(tensor) for tensor in tensors_in(values))
        return tuple(number for number in numbers if number is not None)

    def is_learned(self, tensor: torch.Tensor) -> bool:
        """Whether the model holds a tensor, or it is made of what the model holds."""
        return id(tensor) in self._learned

    def is_constant(self, value: Any) -> bool:
        """Whether it is a tensor that does not depend on the input."""
        return isinstance(value, torch.Tensor) and id(value) not in self.numbers and not self._is_unseen(value)

    def take_as_constants(self, tensors: Sequence[torch.Tensor], made_of: Sequence[torch.Tensor] = ()) -> None:
        """Take tensors for what does not depend on the input; what is made of learned tensors is learned too."""
        self._constants.update((id(tensor), (tensor._version, tensor)) for tensor in tensors)
        if any(self.is_learned(tensor) for tensor in made_of):
            self._learned.update(map(id, tensors))
        self.uses.made(tensors, made_of)

    def read(self, values: Any) -> tuple[int, ...]:
        """Numbers of the values among tensors.

        What is not what it was, though nobody saw it change (a view of it was written to, say), gets a number of its
        own, and so does what has come from the input in a way that nobody saw.
        """
        reads: list[int] = []
        for tensor in tensors_in(values):
            number = self.numbers.get(id(tensor), (None,))[0]
            if number is not None and not self._is_unchanged(tensor, number):
                self.write("in place", Unknown("a change in place that was not seen"), (number,), [tensor])
            elif number is None and self._is_unseen(tensor):
                self.write("unseen", Unknown("it came from the input in a way that cannot be seen"), (), [tensor])
            if id(tensor) in self.numbers:
                reads.append(self.numbers[id(tensor)][0])
        return tuple(dict.fromkeys(reads))

    def _is_unseen(self, tensor: torch.Tensor) -> bool:
        known = self._constants.get(id(tensor))
        return bool(tensor.dim()) and len(tensor) == self.values.rows and (known is None or known[0] != tensor._version)

    def _is_unchanged(self, tensor: torch.Tensor, number: int) -> bool:
        now, before = numbers_of(tensor, copy=False), self.values[number]
        if now.size != before.size:
            return False
        now = now.reshape(before.shape)
        # The second comparison takes several times as long, and only NaN needs it.
        return np.array_equal(now, before) or np.array_equal(now, before, equal_nan=True)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within this, what is done is not the model's."""
        before, self._pausing = self._pausing, True
        try:
            yield
        finally:
            self._pausing = before

    def write(
        self, name: str, does: Any, reads: tuple[int, ...], written: list[torch.Tensor], again: Again | None = None
    ) -> None:
        """Write down what was done to the values `reads`, and the tensors that came of it."""
        numbers = tuple(
            self.set(tensor, self.values.stand_apart(does, reads, tuple(tensor.shape))) for tensor in written
        )
        self.note(name, does, reads, numbers, again)

    def note(
        self, name: str, does: Any, reads: tuple[int, ...], numbers: tuple[int, ...], again: Again | None = None
    ) -> None:
        """Write down what was done to the values `reads`, and the numbers of the values that came of it."""
        inside = tuple(zip(self.modules, self.calls, strict=True))[1:]
        self.ops.append(Op(name, does, reads, numbers, self.uses.now, again, inside))
        self.path.append((name, type(does).__name__, reads, numbers))
        self.cells.wrote(does, reads, numbers)

    def set(self, tensor: torch.Tensor, apart: bool = False) -> int:
        """Write down a tensor's values; their number is its own until it is changed in place."""
        if self.numbers.written(tensor):
            self.let_go(self.numbers.let_go(self.moved.known))
        number = self.values.add(self._copies.of(tensor), apart)
        self.numbers[id(tensor)] = (number, tensor)
        if tensor.is_floating_point() and torch.finfo(tensor.dtype).eps > torch.finfo(self.coarsest).eps:
            self.coarsest = tensor.dtype
        return number

    def let_go(self, identities: Sequence[int]) -> None:
        """Tensors with these identities are gone; others may have them."""

    def close(self) -> None:
        """Nothing more is written: let go of all tensors."""
        self.numbers.clear()
        self.moved.known.clear()
        self._constants.clear()
        self._copies = Copies()
