"""What a user gives as example inputs of a PyTorch model, as the arguments of its runs.

Floating numbers are drawn over the range of the inputs, in the shape of the examples. Integers, and all that is called
a mask or an adjacency, are taken as they are. What has as many rows as the first of them is given as many as a run has.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch

from ei_fast.adapters.sources import ALONE, FEW, MAX_VALUES, range_beyond
from ei_fast.network.bins import Range

# Rows of runs, unlikely as widths: models with examples are large ones.
_ROWS = (61, 31, 13, 7)

Leaf = Callable[[torch.Tensor, str], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Inputs:
    """The arguments of one run.

    Attributes
    ----------
    args, kwargs
        What the model is called with.
    drawn : tuple of tensor
        Those among the tensors that are floating numbers, over the range of the inputs.
    given : tuple of tensor
        Those that are integers, and mean something by that: token ids, times, classes.
    fixed : tuple of tensor
        All others: masks, structures of sparse matrices, single numbers.
    rows : int
        Number of rows.
    beyond : bool
        Whether vectors that are looked up for integers are to lie outside of where they are, as the floating inputs do.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    drawn: tuple[torch.Tensor, ...]
    given: tuple[torch.Tensor, ...]
    fixed: tuple[torch.Tensor, ...]
    rows: int
    beyond: bool = False

    @classmethod
    def of_one(cls, x: torch.Tensor) -> "Inputs":
        """One floating input, and nothing else."""
        return cls((x,), {}, (x,), (), (), len(x))


@dataclass(frozen=True, eq=False)
class Examples:
    """What a user has given, and runs of it; see `Source`.

    Attributes
    ----------
    args, kwargs
        With tensors on the CPU.
    names : tuple of str
        Of the parameters that `args` are for.
    dtype : torch.dtype
        Of floating numbers in runs.
    keeps_rows : bool
        Whether runs have the rows that were given, and no others: nodes of a graph are not told apart from it.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    names: tuple[str, ...] = ()
    dtype: torch.dtype = torch.float64
    keeps_rows: bool = False

    @property
    def leaves(self) -> list[tuple[str, torch.Tensor]]:
        """All tensors, each with the name of what it is given as."""
        found: list[tuple[str, torch.Tensor]] = []

        def collect(tensor: torch.Tensor, name: str) -> torch.Tensor:
            found.append((name, tensor))
            return tensor

        self._mapped(collect)
        return found

    @property
    def said(self) -> str:
        """The shape and type of each, as a message has them."""
        each = (
            f"{name}{', ' if name else ''}{tuple(tensor.shape)} of {str(tensor.dtype).removeprefix('torch.')}"
            for name, tensor in self.leaves
        )
        return "; ".join(each)

    @property
    def has_integers(self) -> bool:
        return any(not tensor.is_floating_point() and not _is_structure(name) for name, tensor in self.leaves)

    @property
    def are_a_graph(self) -> bool:
        """Whether the rows are nodes, which edges join: more of them would have none."""
        return any("edge_ind" in name or name.startswith("adj") or not is_plain(one) for name, one in self.leaves)

    @property
    def rows(self) -> int:
        """Of the batch: of the first of the floating inputs, or of all."""
        with_rows = [tensor for _, tensor in self.leaves if tensor.dim()]
        first = [tensor for tensor in with_rows if tensor.is_floating_point()] or with_rows
        return len(first[0]) if first else 1

    def rows_for(self, kept: int) -> int:
        if self.keeps_rows:
            return self.rows
        # All that was given is run, where that is not too much.
        enough = [n for n in _ROWS if n * kept <= MAX_VALUES] or [_ROWS[-1]]
        return self.rows if enough[0] < self.rows <= max(enough[0], MAX_VALUES // max(kept, 1)) else enough[0]

    def drawn(self, in_range: Range, rows: int) -> Inputs:
        rng = np.random.default_rng(0)
        return self._inputs(rows, lambda shape: rng.uniform(*in_range, shape))

    def beyond(self, in_range: Range, rows: int) -> Inputs:
        return replace(self.drawn(range_beyond(in_range), rows), beyond=True)

    def few(self, in_range: Range) -> Inputs:
        return self.drawn(in_range, self.rows if self.keeps_rows else FEW)

    def alone(self, in_range: Range) -> Iterator[Inputs]:
        if self.keeps_rows:
            return
        for end in in_range:
            yield self._inputs(FEW, partial(np.full, fill_value=end), 0)
        rng = np.random.default_rng(1)
        for row in range(ALONE):
            yield self._inputs(FEW, lambda shape: np.repeat(rng.uniform(*in_range, (1, *shape[1:])), shape[0], 0), row)

    def as_given(self, rows: int) -> Iterator[Inputs]:
        n = self.rows
        for first in range(0, n, rows) if not self.keeps_rows else (0,):
            yield self._inputs(n if self.keeps_rows else rows, None, first=first)

    def is_as_given(self, rows: int) -> bool:
        return self.rows <= rows and not any(is_drawn(tensor, name) for name, tensor in self.leaves)

    def _inputs(
        self, rows: int, draw: Callable[[Sequence[int]], Any] | None, row: int | None = None, first: int = 0
    ) -> Inputs:
        """Arguments of so many rows.

        Parameters
        ----------
        draw : callable, optional
            Makes floating numbers of a shape; they are those of the examples where not given.
        row : int, optional
            The one row of the examples that stands everywhere.
        first : int
            The one with which they begin.
        """
        n = self.rows
        at = (first + torch.arange(rows)) % n if row is None else torch.full((rows,), row % n)
        made: dict[int, torch.Tensor] = {}
        drawn: list[torch.Tensor] = []
        given: list[torch.Tensor] = []
        fixed: list[torch.Tensor] = []

        def leaf(tensor: torch.Tensor, name: str) -> torch.Tensor:
            if id(tensor) in made:
                return made[id(tensor)]
            has_rows = not self.keeps_rows and tensor.dim() > 0 and len(tensor) == n and is_plain(tensor)
            result = tensor[at] if has_rows else tensor
            if is_drawn(tensor, name):
                if draw is not None:
                    result = torch.from_numpy(draw(tuple(result.shape)))
                drawn.append(result := result.to(self.dtype))
            else:
                result = result.to(self.dtype) if result.is_floating_point() else result.clone()
                (fixed if result.is_floating_point() or _is_structure(name) else given).append(result)
            made[id(tensor)] = result
            return result

        args, kwargs = self._mapped(leaf)
        return Inputs(args, kwargs, tuple(drawn), tuple(given), tuple(fixed), rows)

    def _mapped(self, leaf: Leaf) -> tuple[tuple[Any, ...], dict[str, Any]]:
        names = [*self.names, *[""] * len(self.args)]
        args = tuple(mapped(one, leaf, name) for one, name in zip(self.args, names, strict=False))
        return args, {name: mapped(one, leaf, name) for name, one in self.kwargs.items()}


def _is_structure(name: str) -> bool:
    """Whether an argument of that name says what belongs to what, as no number in a range does."""
    return "mask" in name.lower() or name.lower().startswith("adj")


def is_plain(tensor: torch.Tensor) -> bool:
    return tensor.layout == torch.strided


def is_drawn(tensor: torch.Tensor, name: str) -> bool:
    """Whether a tensor holds numbers in a range: no mask, no structure of a graph, no single number."""
    return tensor.is_floating_point() and tensor.dim() > 0 and is_plain(tensor) and not _is_structure(name)


def mapped(value: Any, leaf: Leaf, name: str) -> Any:
    """The same in new containers, with all tensors replaced."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        value = torch.from_numpy(np.array(value))
    if isinstance(value, torch.Tensor):
        return leaf(value, name)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(one, leaf, f) for one, f in zip(value, value._fields, strict=True)))
    if type(value) in (list, tuple):
        return type(value)(mapped(one, leaf, name) for one in value)
    if hasattr(value, "stores") and hasattr(value, "to_dict"):
        return _mapped_graph(value, leaf)
    if isinstance(value, Mapping):
        made = {key: mapped(one, leaf, str(key)) for key, one in value.items()}
        return made if type(value) is dict else _filled(value, made)
    if is_dataclass(value) and not isinstance(value, type):
        return _filled(value, {f.name: mapped(getattr(value, f.name), leaf, f.name) for f in fields(value)})
    return value


def _filled(value: Any, made: Mapping[str, Any]) -> Any:
    """A copy of a mapping or dataclass with other values."""
    result = copy(value)
    if isinstance(value, Mapping):
        # `copy` leaves what a dict in disguise holds where it is.
        if isinstance(getattr(result, "data", None), dict):
            result.data = dict(result.data)
        for key, one in made.items():
            result[key] = one
        return result
    for key, one in made.items():
        object.__setattr__(result, key, one)
    return result


def _mapped_graph(graph: Any, leaf: Leaf) -> Any:
    """A copy of a graph of torch_geometric, whose tensors are kept in stores."""
    result = copy(graph)
    for before, store in zip(graph.stores, result.stores, strict=True):
        for key, one in list(before.items()):
            store[key] = mapped(one, leaf, str(key))
    return result
