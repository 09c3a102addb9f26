"""What is done to values that depend on a model's input, written down while it runs on PyTorch.

A `TorchFunctionMode` sees the functions of PyTorch that are called from Python: module or functional, each looks the
same there. What is no dense layer, activation or the like is named, and so is what reads values that came about unseen.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, is_dataclass
from functools import cache
from itertools import count
from threading import RLock
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController
from torch import nn
from torch.overrides import TorchFunctionMode

from ei_fast.adapters.blocks import range_of_block
from ei_fast.adapters.graph import (
    Block,
    Combine,
    Conv,
    Dense,
    Op,
    Operation,
    Recording,
    Same,
    Unknown,
    no_layer,
    with_rows_apart,
)
from ei_fast.adapters.graph.contractions import CONTRACTIONS, dense_of
from ei_fast.adapters.runs import draws_left_to_the_caller
from ei_fast.adapters.torch.decisions import OF_FINITE, Reads, is_finite
from ei_fast.adapters.torch.each import TAKES_FORM, each_by_itself, makes_anew
from ei_fast.adapters.torch.operations import BOUNDED, COMBINATIONS, is_reshaped, meaning_of, plain_name
from ei_fast.network.bins import Range
from ei_fast.network.layer import Function

_runs = count()


_PROCESS = RLock()
"""Held while the process is not as its owner left it."""

_SMALL = 2**16
"""Weights of a model of which few rows are run faster in one thread: to wake another can take longer than the run."""


@cache
def _openmp() -> ThreadpoolController:
    """The threads of OpenMP: of this thread only, where `torch.set_num_threads` changes what MKL does from then on."""
    return ThreadpoolController().select(user_api="openmp")


@contextmanager
def process_of_its_own(x: torch.Tensor, held: Sequence[torch.Tensor]) -> Iterator[None]:
    """Within this, a model that holds these tensors may be run on x, and the process is then as it was.

    What is drawn is drawn anew, and differs from run to run: a model that draws its weights when it runs does not do
    the same for all inputs, and is found out by that.
    """
    few = x.ndim == 2 and sum(tensor.numel() for tensor in held) <= _SMALL
    with (
        _PROCESS,
        # Made inside of the lock: it holds from when it is made.
        _openmp().limit(limits=1) if few else nullcontext(),
        draws_left_to_the_caller(),
        torch.random.fork_rng(devices=[]),
    ):
        # Not `torch.manual_seed`, which sets those of other devices as well.
        torch.default_generator.manual_seed(next(_runs))
        yield


@dataclass(eq=False)
class Notes(TorchFunctionMode):
    """Everything that is done to values that depend on the input.

    Attributes
    ----------
    x : tensor
        The input.
    held : sequence of tensor
        What the model holds.
    ranges : dict of str to (float, float) or None
        Output ranges of the modules that are blocks.
    dtype : torch.dtype
        In which the model is run.
    as_it_is : callable
        Takes a module that is to be a block, and returns what gives a context in which it is what it is now.
    told : Reads
        What Python reads out of values that depend on the input.
    """

    x: torch.Tensor
    held: Sequence[torch.Tensor]
    ranges: dict[str, Range | None]
    dtype: torch.dtype
    as_it_is: Callable[[Any], Callable[[], AbstractContextManager[None]]] = lambda module: nullcontext
    told: Reads = field(default_factory=Reads)
    _blocks_met: set[str] = field(default_factory=set)
    _ops: list[Op] = field(default_factory=list)
    _values: dict[int, NDArray[np.floating]] = field(default_factory=dict)
    _path: list[tuple] = field(default_factory=list)
    # Tensors are kept, so that none is taken for another that had its place in memory.
    _number: dict[int, tuple[int, torch.Tensor]] = field(default_factory=dict)
    _constants: dict[int, tuple[int, torch.Tensor]] = field(default_factory=dict)
    # Of values of which several rows make one of the input.
    _n_rows: dict[int, int] = field(default_factory=dict)
    # Of constants: what the model holds, and what is made of that.
    _learned: set[int] = field(default_factory=set)
    _modules: list[str] = field(default_factory=list)
    _pausing: bool = False
    _block: "list[tuple[Any, torch.Tensor]] | None" = None

    def __post_init__(self) -> None:
        super().__init__()
        self._coarsest = self.dtype
        self._note_constants(self.held)
        self._learned.update(map(id, self.held))
        self._set(self.x)

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._pausing:
            return function(*args, **kwargs)
        if self._block is not None:
            result = function(*args, **kwargs)
            self._block.extend(((function, args, kwargs), tensor) for tensor in _tensors(result))
            return result
        self.told.called()
        reads = self._read((args, kwargs))
        shapes = [tensor.shape for tensor in _tensors((args, kwargs)) if id(tensor) in self._number]
        self._check_takes_numbers(function, args, kwargs)
        result = function(*args, **kwargs)
        if not reads:
            self._note_constants(_tensors(result))
            if any(self.is_learned(tensor) for tensor in _tensors((args, kwargs))):
                self._learned.update(map(id, _tensors(result)))
            return result
        written = _tensors(result)
        name = plain_name(function)
        if name in TAKES_FORM and self._is_constant(args[0]):
            self._learned.update(id(one) for one in written if self.is_learned(args[0]))
            self._note_constants(written)
            return result
        if makes_anew(name, reads) or (name in OF_FINITE and is_finite(_tensors((args, kwargs)))):
            self._note_constants(written)
            return result
        if result is None and name in ("setitem", "set"):
            written = _tensors(args)[:1]
        if not written:
            module = self._modules[-1] if self._modules else ""
            return self.told.answered(module, name, _tensors((args, kwargs)), result)
        self.told.made(name, _tensors((args, kwargs)), written)
        does, reads = self._meaning(function, args, kwargs, reads, written, shapes)
        self._write(self._modules[-1] if self._modules and self._modules[-1] else name, does, reads, written)
        return result

    def _check_takes_numbers(self, function: Any, args: tuple, kwargs: Mapping[str, Any]) -> None:
        """Raise ValueError where the model's input is looked up in a table of vectors."""
        indices, table = (_given(args, kwargs, k, name) for k, name in enumerate(("input", "weight")))
        if plain_name(function) not in ("embedding", "embedding_bag") or self.number_of(indices) is None:
            return
        if any(isinstance(op.does, (Dense, Conv, Block)) for op in self._ops):
            # It chooses by what layers have computed from numbers.
            return
        name = self._modules[-1] if self._modules else ""
        raise ValueError(
            f"The model takes indices, as of tokens: {name or 'embedding'!r} looks them up in a table. They are no "
            "numbers in a range, so that nothing can be measured from the model's input on. Pass the module behind it, "
            f"which takes vectors of {table.shape[-1]} numbers, instead of the model, with the 'input_shape' of one "
            "sample of these (where it is several, as torch.nn.Sequential of them); or pass model.state_dict() with "
            "order=[...], the names of dense layers that feed each other, and with their 'activation'."
        )

    def _meaning(
        self,
        function: Any,
        args: tuple,
        kwargs: dict[str, Any],
        reads: tuple[int, ...],
        written: list[torch.Tensor],
        shapes: list[torch.Size],
    ) -> tuple[Operation, tuple[int, ...]]:
        """What a function did, and which values it reads for that."""
        name = plain_name(function)
        does, reads = self._does(function, args, kwargs, reads, written, shapes)
        if isinstance(does, Unknown):
            # It may say why.
            return does, reads
        apart: Operation | None = None
        if len(written) == 1 and written[0].dim():
            several = [len(self._values[number]) != shapes[0][0] for number in reads]
            apart = with_rows_apart(does, several, shapes[0][0], len(written[0]), len(self.x))
        return apart or Unknown(no_layer(name, len(reads))), reads

    def _does(
        self,
        function: Any,
        args: tuple,
        kwargs: dict[str, Any],
        reads: tuple[int, ...],
        written: list[torch.Tensor],
        shapes: list[torch.Size],
    ) -> tuple[Operation, tuple[int, ...]]:
        name = plain_name(function)
        operands = tuple(self._number[id(value)][0] for value in args[:2] if id(value) in self._number)
        two = len(operands) == len(args) == 2 and not kwargs
        if name in COMBINATIONS and two and len({*shapes, written[0].shape}) == 1:
            return Combine(COMBINATIONS[name]), operands
        if len(written) == 1 and len(shapes) == 1 and written[0].shape[:1] == shapes[0][:1]:
            at = next((k for k, value in enumerate(args) if id(value) in self._number), 0 if "input" in kwargs else -1)
            known = meaning_of(function, args, kwargs, at, written[0])
            if known is not None:
                return known, reads
        if len(written) == len(shapes) == 1 and is_reshaped(name, args, written[0]):
            return Same(), reads
        found = None
        if len(written) == 1:
            found = each_by_itself(function, (args, kwargs), self, written[0])
        if found is None and name in CONTRACTIONS and len(reads) == len(written) == 1:
            dense = self._contraction(function, args, kwargs, written[0])
            found = None if dense is None else (dense, reads)
        return found or (Unknown(no_layer(name, len(reads))), reads)

    def _contraction(self, function: Any, args: tuple, kwargs: dict[str, Any], result: torch.Tensor) -> Dense | None:
        """The dense map that a sum of products is of the one value that it reads, if it is one."""
        given = [tensor for tensor in _tensors((args, kwargs)) if id(tensor) in self._number]
        if len(given) != 1 or not given[0].is_floating_point():
            return None

        def replaced(values: Any, x: torch.Tensor) -> Any:
            if values is given[0]:
                return x
            return type(values)(replaced(one, x) for one in values) if type(values) in (list, tuple) else values

        def run(x: NDArray[np.floating]) -> NDArray[np.floating]:
            of = torch.from_numpy(x).to(given[0].dtype)
            return function(*replaced(args, of), **{key: replaced(one, of) for key, one in kwargs.items()}).numpy()

        return dense_of(run, _numbers(given[0]), _numbers(result))

    def _is_constant(self, value: Any) -> bool:
        return isinstance(value, torch.Tensor) and id(value) not in self._number and not self._is_unseen(value)

    @property
    def values(self) -> Mapping[int, NDArray[np.floating]]:
        """What depends on the input, by number."""
        return self._values

    def number_of(self, tensor: torch.Tensor) -> int | None:
        """The number of a tensor that depends on the input; None for any other."""
        return self._number.get(id(tensor), (None,))[0]

    def is_learned(self, tensor: torch.Tensor) -> bool:
        """Whether the model holds a tensor, or it is made of what the model holds."""
        return id(tensor) in self._learned

    def recording(self, output: Any) -> Recording:
        reads = self._read(output)
        if not reads:
            raise TypeError(
                "What the model returns does not depend on its input in a way that could be followed. Measure it as a "
                "Function of your own."
            )
        arithmetic = str(self._coarsest).removeprefix("torch.")
        met, told = frozenset(self._blocks_met), tuple(self.told.found)
        return Recording(self._ops, self._values, reads, tuple(self._path), arithmetic, met, told=told)

    def _note_constants(self, tensors: Sequence[torch.Tensor]) -> None:
        self._constants.update((id(tensor), (tensor._version, tensor)) for tensor in tensors)

    def enter(self, name: str) -> None:
        """What follows is done by the module of that name."""
        self._modules.append(name)
        if name in self.ranges and self._block is None:
            self._block = []

    def leave(self, name: str, module: nn.Module, args: tuple, kwargs: Mapping[str, Any], result: Any) -> None:
        """The module has returned `result` for those arguments, or None where it raised."""
        self._modules.pop()
        if name not in self.ranges or any(outer in self.ranges for outer in self._modules):
            return
        steps, self._block = self._block, None
        if result is None:
            return
        self._blocks_met.add(name)
        with self.paused():
            self._write(name, *self._block_op(name, module, args, kwargs, result, steps or []))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within this, what is done is not the model's."""
        before, self._pausing = self._pausing, True
        try:
            yield
        finally:
            self._pausing = before

    def write(self, name: str, does: Operation, read: Sequence[torch.Tensor], written: Sequence[torch.Tensor]) -> None:
        """Write down what was done while paused."""
        if self._block is None and not self._pausing:
            with self.paused():
                reads = self._read(read)
                if reads:
                    self._write(name, does, reads, list(written))
                else:
                    self._note_constants(written)

    def _block_op(
        self, name: str, module: nn.Module, args: Any, kwargs: Any, result: Any, steps: list[tuple[Any, torch.Tensor]]
    ) -> tuple[Any, tuple[int, ...], list[torch.Tensor]]:
        inputs = [tensor for tensor in _tensors((args, kwargs)) if id(tensor) in self._number]
        outputs = _tensors(result)
        if len(inputs) != 1 or kwargs or not args or inputs[0] is not args[0]:
            raise ValueError(
                f"The block {name!r} must be called with one value that depends on the model's input, as its first "
                f"argument and without keywords. Got {len(inputs)} such values, {len(args)} arguments and "
                f"{len(kwargs)} keywords instead. Name the module around it."
            )
        if not outputs or outputs[0].shape[:1] != inputs[0].shape[:1]:
            got = tuple(outputs[0].shape) if outputs else type(result).__name__
            raise ValueError(
                f"The block {name!r} must map rows to rows. Got {got} for {tuple(inputs[0].shape)} instead. "
                "Name the module around it."
            )
        x, y = inputs[0], outputs[0]
        out_range = range_of_block(name, self.ranges[name], _bounded_by(y, steps), float(y.min()), float(y.max()))
        run = RunBlock(module, tuple(x.shape[1:]), args[1:], self.dtype, self.as_it_is(module))
        function = Function(run, x[0].numel(), y[0].numel(), out_range, name=name)
        return Block(function), (self._number[id(x)][0],), outputs

    def _read(self, values: Any) -> tuple[int, ...]:
        """Numbers of the values among tensors.

        What is not what it was, though nobody saw it change (a view of it was written to, say), gets a number of its
        own, and so does what has come from the input in a way that nobody saw.
        """
        reads: list[int] = []
        for tensor in _tensors(values):
            number = self._number.get(id(tensor), (None,))[0]
            if number is not None and not self._is_as_noted(tensor, number):
                self._write("in place", Unknown("a change in place that was not seen"), (number,), [tensor])
            elif number is None and self._is_unseen(tensor):
                self._write("unseen", Unknown("it came from the input in a way that cannot be seen"), (), [tensor])
            if id(tensor) in self._number:
                reads.append(self._number[id(tensor)][0])
        return tuple(dict.fromkeys(reads))

    def _is_unseen(self, tensor: torch.Tensor) -> bool:
        known = self._constants.get(id(tensor))
        return bool(tensor.dim()) and len(tensor) == len(self.x) and (known is None or known[0] != tensor._version)

    def _is_as_noted(self, tensor: torch.Tensor, number: int) -> bool:
        now, noted = _numbers(tensor, copy=False), self._values[number]
        return now.size == noted.size and np.array_equal(now.reshape(noted.shape), noted, equal_nan=True)

    def _write(self, name: str, does: Any, reads: tuple[int, ...], written: list[torch.Tensor]) -> None:
        known = not isinstance(does, Unknown)
        apart = bool(reads) and all(len(self._values[number]) == len(self.x) for number in reads if known)
        # What is not known is noted with as many rows as what it read.
        alike = {self._n_rows.get(number) for number in reads}
        numbers = tuple(
            self._set(tensor, apart and (known or (tensor.dim() > 0 and len(tensor) in alike))) for tensor in written
        )
        self._ops.append(Op(name, does, reads, numbers))
        self._path.append((name, type(does).__name__, reads, numbers))

    def _set(self, tensor: torch.Tensor, apart: bool = False) -> int:
        """Write down a tensor's values; their number is its own until it is changed in place."""
        number = len(self._values)
        self._number[id(tensor)] = (number, tensor)
        values = _numbers(tensor)
        if apart and values.ndim and len(values) > len(self.x) and len(values) % len(self.x) == 0:
            self._n_rows[number] = len(values)
            values = values.reshape(len(self.x), -1, *values.shape[1:])
        self._values[number] = values
        if tensor.is_floating_point() and torch.finfo(tensor.dtype).eps > torch.finfo(self._coarsest).eps:
            self._coarsest = tensor.dtype
        return number


def _numbers(tensor: torch.Tensor, copy: bool = True) -> NDArray[np.floating]:
    """The values as NumPy has them; of complex numbers the real part, since no layer reads them."""
    dense = tensor.detach().to_dense() if tensor.layout != torch.strided else tensor.detach()
    dtype = torch.float32 if dense.dtype == torch.float32 else torch.float64
    return (dense.real if dense.is_complex() else dense).cpu().to(dtype, copy=copy).numpy()


@dataclass
class RunBlock:
    """A module as the function of a `Function`."""

    module: nn.Module
    shape: tuple[int, ...]
    more: tuple[Any, ...]
    dtype: torch.dtype
    as_it_is: Callable[[], AbstractContextManager[None]]

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        # Copies: the module may write to what goes in, and use again what came out.
        rows = torch.from_numpy(np.array(x)).to(self.dtype).reshape(len(x), *self.shape)
        with torch.no_grad(), self.as_it_is():
            y = _tensors(self.module(rows, *self.more))[0]
        return _numbers(y.reshape(len(x), -1)).astype(np.float64, copy=False)


def _bounded_by(y: torch.Tensor, steps: list[tuple[Any, torch.Tensor]]) -> Range | None:
    """The range that the last step of a block has whatever goes in."""
    for (function, args, kwargs), tensor in reversed(steps):
        if tensor is y:
            if plain_name(function) in BOUNDED:
                return BOUNDED[plain_name(function)]
            does = meaning_of(function, args, kwargs, 0, tensor)
            low, high = getattr(getattr(does, "activation", None), "codomain", (-np.inf, np.inf))
            return (low, high) if np.isfinite(low) and np.isfinite(high) else None
    return None


def _given(args: tuple, kwargs: Mapping[str, Any], position: int, name: str) -> Any:
    return args[position] if len(args) > position else kwargs.get(name)


def _tensors(values: Any) -> list[torch.Tensor]:
    """All tensors in nested tuples, lists and dicts, in order."""
    if isinstance(values, torch.Tensor):
        return [values]
    if is_dataclass(values) or isinstance(values, SimpleNamespace):
        values = vars(values) if hasattr(values, "__dict__") else {}
    if isinstance(values, Mapping):
        values = list(values.values())
    if isinstance(values, (list, tuple)):
        return [tensor for value in values for tensor in _tensors(value)]
    return []
