"""Symbolic tensors of a Keras model, the numbers that each stands for, and what was done to them, in order."""

from dataclasses import dataclass, field
from typing import Any

import keras

from ei_fast.adapters.graph import Op, Operation, Recurrences, Values
from ei_fast.adapters.graph.by_meaning import ByMeaning
from ei_fast.adapters.keras.again import CalledAgain
from ei_fast.adapters.keras.numbers import as_numbers
from ei_fast.adapters.keras.uses import Uses

_COARSENESS = {"float64": 0, "float32": 1, "float16": 2, "bfloat16": 3}


@dataclass(frozen=True, eq=False)
class Value:
    """What a symbolic tensor stands for; kept with it, so that none is taken for another that had its place."""

    number: int
    actual: Any
    symbol: keras.KerasTensor


@dataclass(eq=False)
class Book:
    """What is written down while a model is called.

    Attributes
    ----------
    uses : Uses
        Which parameters of the model are used.
    cells : Recurrences
        Recurrent cells that the model runs.
    ops, path : list
        What was done, and that by which runs are compared.
    values : Values
        What depends on the input, by number.
    of : dict of int to Value
        What each symbolic tensor stands for, by its identity.
    inside, calls : list
        Layers that are running, from the outermost on, and which of all calls of layers theirs are.
    n_inputs : int
        Number of inputs that are floating numbers; they are the first of the values.
    integers : set of int
        Numbers of the values that are integers, as they were given or made of such.
    coarsest : str
        The number type of the values with the fewest digits.
    """

    uses: Uses
    cells: Recurrences = field(default_factory=Recurrences)
    ops: list[Op] = field(default_factory=list)
    path: list[tuple[Any, ...]] = field(default_factory=list)
    values: Values = field(default_factory=Values)
    of: dict[int, Value] = field(default_factory=dict)
    inside: list[str] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    n_inputs: int = 1
    integers: set[int] = field(default_factory=set)
    coarsest: str = "float64"

    def input(self, x: Any) -> Any:
        """The symbolic tensors that stand for the model's inputs: those of floating numbers have the first numbers."""
        leaves = [one for one in keras.tree.flatten(x) if hasattr(one, "shape")]
        floating = [one for one in leaves if is_floating(one)]
        symbols = {id(one): self.set(one) for one in floating}
        symbols |= {id(one): self.set(one) for one in leaves if id(one) not in symbols}
        self.n_inputs = len(floating)
        self.integers = set(range(len(floating), len(symbols)))
        return keras.tree.map_structure(lambda one: symbols.get(id(one), one), x)

    def actual(self, values: Any) -> Any:
        """What symbolic tensors in nested tuples, lists and dicts stand for, in their places."""
        return keras.tree.map_structure(
            lambda value: self.of[id(value)].actual if isinstance(value, keras.KerasTensor) else value, values
        )

    def read(self, values: Any) -> tuple[int, ...]:
        """Numbers of the values among symbolic tensors."""
        found = (one for one in keras.tree.flatten(values) if isinstance(one, keras.KerasTensor))
        return tuple(dict.fromkeys(self.of[id(one)].number for one in found))

    def shape(self, number: int) -> tuple[int, ...]:
        """Of a sample of a value."""
        return self.values[number].shape[1:]

    def write(
        self, name: str, does: Operation, reads: tuple[int, ...], actual: Any, again: CalledAgain | None = None
    ) -> Any:
        """Write down an operation, and return symbolic tensors for what it gave."""

        def kept(one: Any) -> Any:
            if not hasattr(one, "shape"):
                return one
            return self.set(one, self.values.stand_apart(does, reads, tuple(one.shape)))

        symbols = keras.tree.map_structure(kept, actual)
        numbers = self.read(symbols)
        if numbers:
            self.note(name, does, reads, numbers, again)
        return symbols

    def note(
        self,
        name: str,
        does: Operation,
        reads: tuple[int, ...],
        writes: tuple[int, ...],
        again: CalledAgain | None = None,
    ) -> None:
        meant = ByMeaning(does, tuple((k, self.shape(k)) for k in reads), self.shape(writes[0]))
        inside = tuple(zip(self.inside, self.calls, strict=False))[1:]
        self.ops.append(Op(name, does, reads, writes, self.uses.now, again or meant, inside))
        self.path.append((name, type(does).__name__, reads, writes))
        self.cells.wrote(does, reads, writes)

    def set(self, actual: Any, apart: bool = False) -> keras.KerasTensor:
        dtype = keras.backend.standardize_dtype(actual.dtype)
        symbol = keras.KerasTensor(tuple(actual.shape), dtype)
        self.of[id(symbol)] = Value(self.values.add(as_numbers(actual), apart), actual, symbol)
        if dtype in _COARSENESS and _COARSENESS[dtype] > _COARSENESS[self.coarsest]:
            self.coarsest = dtype
        return symbol

    def forget(self, n_ops: int) -> None:
        """Leave it at so many operations: what came of the later ones is not the model's."""
        del self.ops[n_ops:], self.path[n_ops:]
        self.cells.forget(n_ops)


def is_floating(tensor: Any) -> bool:
    """Whether a tensor holds floating numbers."""
    return "float" in keras.backend.standardize_dtype(tensor.dtype)
