"""What is done to values that depend on a model's input, written down while it runs on PyTorch.

A `TorchFunctionMode` sees the functions of PyTorch that are called from Python: module or functional, each looks the
same there. What is no dense layer, activation or the like is named, and so is what reads values that came about unseen.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.overrides import TorchFunctionMode

from ei_fast.adapters.blocks import range_of_block
from ei_fast.adapters.graph import (
    Combine,
    Dense,
    Op,
    Operation,
    Recording,
    Recurrences,
    Recurs,
    Role,
    Same,
    Unknown,
    Values,
)
from ei_fast.adapters.graph.attention import Attention
from ei_fast.adapters.graph.contractions import CONTRACTIONS
from ei_fast.adapters.graph.each_place import block_of
from ei_fast.adapters.graph.experts import Gathered, Sent
from ei_fast.adapters.graph.passages import Passage
from ei_fast.adapters.torch.again import Again
from ei_fast.adapters.torch.attention import ATTENDS, MOVING, MULTI_HEAD, MovedRows, Projection, written_out
from ei_fast.adapters.torch.blocks import RunBlock, bounded_by, ends_of_block
from ei_fast.adapters.torch.call import Call, numbers_of, tensors_in
from ei_fast.adapters.torch.constants import SAME_FOR_ALL, OfConstants, Steps, layer_of
from ei_fast.adapters.torch.contractions import contracted, over_last_axis
from ei_fast.adapters.torch.decisions import OF_FINITE, ReadOuts, is_finite
from ei_fast.adapters.torch.each import TAKES_FORM, each_by_itself, makes_anew
from ei_fast.adapters.torch.examples import Inputs
from ei_fast.adapters.torch.experts import experts, weights_of_experts
from ei_fast.adapters.torch.given import LOOKED_UP, drawn_beyond, why_followed
from ei_fast.adapters.torch.operations import COMBINATIONS, dense_of_linear, is_reshaped, meaning_of
from ei_fast.adapters.torch.products import turned, weights_first
from ei_fast.adapters.torch.recurrent import (
    CELLS,
    MOVES,
    SEQUENCES,
    Known,
    layers_of,
    of_lengths,
    run_layers,
    step_of_cell,
)
from ei_fast.adapters.torch.uses import Uses
from ei_fast.network.bins import Range
from ei_fast.network.layer import Function

RECURRENT = (*SEQUENCES, *CELLS)


@dataclass(eq=False)
class Watcher(TorchFunctionMode):
    """Everything that is done to values that depend on the input.

    Attributes
    ----------
    inputs : Inputs
        What the model is run on.
    held : sequence of tensor
        What the model holds.
    ranges : dict of str to (float, float) or None
        Output ranges of the modules that are blocks.
    dtype : torch.dtype
        In which the model is run.
    read_out : ReadOuts
        What Python reads out of values that depend on the input.
    uses : Uses
        Which parameters of the model are used.
    cells : Recurrences
        Recurrent cells that the model runs.
    """

    inputs: Inputs
    held: Sequence[torch.Tensor]
    ranges: dict[str, Range | None]
    dtype: torch.dtype
    read_out: ReadOuts = field(default_factory=ReadOuts)
    uses: Uses = field(default_factory=Uses)
    cells: Recurrences = field(default_factory=Recurrences)
    _known: Known = field(default_factory=Known)
    _blocks_met: set[str] = field(default_factory=set)
    _ops: list[Op] = field(default_factory=list)
    _values: Values = field(init=False)
    _path: list[tuple[Any, ...]] = field(default_factory=list)
    # Tensors are kept, so that none is taken for another that had its place in memory.
    _number: dict[int, tuple[int, torch.Tensor]] = field(default_factory=dict)
    _constants: dict[int, tuple[int, torch.Tensor]] = field(default_factory=dict)
    # Of constants: what the model holds, and what is made of that.
    _learned: set[int] = field(default_factory=set)
    # Integers that the user has given, and what is made of such.
    _given: dict[int, torch.Tensor] = field(default_factory=dict)
    _modules: list[str] = field(default_factory=list)
    _moved: MovedRows = field(default_factory=MovedRows)
    # Which of all calls of modules these are.
    _calls: list[int] = field(default_factory=list)
    _n_called: int = 0
    _pausing: bool = False
    _of_constants: OfConstants = field(default_factory=OfConstants)
    _block: list[tuple[Call, torch.Tensor]] | None = None

    def __post_init__(self) -> None:
        super().__init__()
        self._coarsest = self.dtype
        self._take_as_constants(self.held)
        self._learned.update(map(id, self.held))
        self._values = Values(self.inputs.rows)
        for tensor in self.inputs.drawn:
            self._set(tensor)
        self._take_as_constants((*self.inputs.given, *self.inputs.fixed))
        self._given.update((id(tensor), tensor) for tensor in self.inputs.given)

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._pausing:
            return function(*args, **kwargs)
        call = Call(function, args, kwargs)
        if self._block is not None:
            result = function(*args, **kwargs)
            self._block.extend((call, tensor) for tensor in tensors_in(result))
            return result
        self.read_out.called()
        self.uses.begin()
        reads = self._read((args, kwargs))
        self.uses.by(call)
        shapes = [tensor.shape for tensor in call.tensors if id(tensor) in self._number]
        self._check_takes_numbers(call)
        again = Again.of(call, self.number_of) if reads else None
        result = function(*args, **kwargs)
        if not reads:
            return self._without_values(call, result)
        at = next((k for k, value in enumerate(args) if id(value) in self._number), 0 if "input" in kwargs else -1)
        return self._written(replace(call, at=at), reads, shapes, result, again)

    def _without_values(self, call: Call, result: Any) -> Any:
        """Write down what was done to nothing that depends on floating inputs; return what the model gets."""
        written = tensors_in(call.args)[:1] if call.name in ("setitem", "set") else tensors_in(result)
        self._take_as_constants(written, call.tensors)
        why = why_followed(call, written, self._given, self.is_learned)
        if why is None:
            self._apply_to_constants(call, written)
        elif why == "":
            self._given.update((id(tensor), tensor) for tensor in written)
        else:
            self.uses.let_go(written)
            if self.inputs.beyond and why == LOOKED_UP:
                with self.paused():
                    drawn_beyond(written)
            self._write((self._modules[-1] if self._modules else "") or call.name, Unknown(why), (), written)
        return result

    def _apply_to_constants(self, call: Call, written: Sequence[torch.Tensor]) -> None:
        """Write down a layer that is applied to vectors which are the same for all inputs, and what follows it."""
        module = self._modules[-1] if self._modules else ""
        followed = self._of_constants.follows(call, written[0]) if len(written) == 1 else None
        found = layer_of(call, written[0], self.is_learned) if len(written) == 1 and followed is None else None
        steps: Steps
        if followed is not None:
            x, does = followed
            name, steps = module or call.name, [(does, written[0])]
            weight = self.uses.by_weights(one for one in call.tensors if one is not x)
            weight = weight if isinstance(does, Dense) else self._of_constants.weight_of(x)
        elif found is not None:
            x, weights, steps = found
            weight = self.uses.by_weights(weights)
            name = (module if call.name == "linear" else self.uses.name_of(weights[0], module)) or call.name
            self._begin_with(x, name, weight)
        else:
            self._of_constants.let_go(written)
            return
        for does, gave in steps:
            number, reads = self._values.add(numbers_of(gave)), (self._of_constants.number_of(x),)
            self._note(name, does, reads, (number,))
            self._of_constants.put(gave, number, weight)
            x = gave

    def _begin_with(self, x: torch.Tensor, name: str, weight: str) -> None:
        """Write down vectors that are the same for all inputs, and go into a layer."""
        number, now = self._values.add(numbers_of(x)), self.uses.now
        self.uses.begin()
        self._note(f"the inputs of {name}", Unknown(SAME_FOR_ALL), (), (number,))
        self.uses.now = now
        self._of_constants.put(x, number, weight)

    def _written(
        self, call: Call, reads: tuple[int, ...], shapes: Sequence[torch.Size], result: Any, again: Again | None
    ) -> Any:
        """Write down what was done to values that depend on the input; return what the model gets."""
        written = tensors_in(result)
        if call.name in TAKES_FORM and self._is_constant(call.args[0]):
            self._take_as_constants(written, call.args[:1])
            return result
        if makes_anew(call.name, reads) or (call.name in OF_FINITE and is_finite(call.tensors)):
            self._take_as_constants(written)
            return result
        if result is None and call.name in ("setitem", "set"):
            written = tensors_in(call.args)[:1]
        module = self._modules[-1] if self._modules else ""
        if not written:
            return self.read_out.answered(module, call.name, call.tensors, result)
        self.read_out.made(call.name, call.tensors, written)
        if call.name == MULTI_HEAD and self._in_parts(module, call, result):
            return result
        if (told := of_lengths(call, written)) and all(self._is_constant(one) for one in call.tensors[1:]):
            self._take_as_constants(told)
            written = written[:1]
        if call.name in RECURRENT and self._ran(module or call.name, call, reads, result):
            return result
        dense = weights_first(call, written[0]) if len(reads) == len(written) == 1 else None
        if dense is not None and self._values[reads[0]].shape == tuple(call.x.shape):
            self._write_turned(module or call.name, dense, call.x, written[0])
            return result
        does, reads = self._meaning(call, reads, written, shapes)
        if isinstance(does, Unknown) and len(written) == 1 and self._has_maps(module, call, reads, written[0]):
            return result
        does = self.cells.taken_for(len(self._ops), does, reads, call.name in MOVES)
        self._write(module or call.name, does, reads, written, again)
        return result

    def _in_parts(self, module: str, call: Call, result: Any) -> bool:
        """Write down what `multi_head_attention_forward` does inside; whether that is known."""
        parts = written_out(call, result, self._moved)
        if parts is None or any(self.number_of(one) is not None for one in parts.held):
            return False
        name = module or "attention"
        for part in parts.inputs:
            self._project(name, part)
        attended = [parts.out.x, *(one for one in result[1:] if one is not None)]
        self._write(name, Attention(), self._read([*(part.made for part in parts.inputs), *parts.also]), attended)
        self._project(name, parts.out)
        if parts.order[0] == 0:
            self._number[id(result[0])] = (self._number[id(parts.out.made)][0], result[0])
        else:
            self._write(name, Unknown.function("transpose", 1), self._read(parts.out.made), [result[0]])
            self._moved.put(result[0], parts.out.made, parts.order)
        return True

    def _project(self, name: str, part: Projection) -> None:
        """Write down a dense map that `multi_head_attention_forward` holds."""
        reads = self._read(part.x)
        does: Operation = dense_of_linear(part.weight, part.bias)
        if not reads or not self._values.are_known_behind([(does, part.made)], reads, len(part.x)):
            same = Unknown("what it reads is the same for all inputs")
            does = Unknown.function("linear", 1) if reads else same
        self._write(f"{name}.{part.name}", does, reads, [part.made])

    def _ran(self, name: str, call: Call, reads: tuple[int, ...], result: Any) -> bool:
        """Write down the recurrent cells that a function has run; return whether it could be told what they are."""
        if call.name in CELLS:
            passage = step_of_cell(self._known, name, call, result)
            if passage is None:
                return False
            inputs, hidden = (self._numbers_in(one) for one in (call.args[:1], call.args[1:2]))
            begins = hidden[0] if hidden else None
            # The number that the state behind will have.
            passage = replace(passage, inputs=inputs, begins=begins, ends=len(self._values))
            self._write_steps(name, reads, tensors_in(result), [passage])
            return True
        layers = layers_of(call, tensors_in(result))
        if layers is None:
            return False
        inputs = self._numbers_in(layers.x)
        ran = run_layers(self._known, name, layers)
        for layer in ran:
            passages = [replace(passage, inputs=inputs) for passage in layer.passages]
            is_last = layer is ran[-1]
            self._write_steps(name, reads, tensors_in(result) if is_last else [layer.gave], passages)
            # The state behind all layers is made of what each of them gave.
            inputs = self._numbers_in(layer.gave)
            reads = (*reads, *inputs)
        return True

    def _write_steps(
        self, name: str, reads: tuple[int, ...], written: list[torch.Tensor], passages: list[Passage]
    ) -> None:
        states = ("h", "c") if len(written) == 2 and written[0].dim() == 2 == written[1].dim() else ("h", "h", "c")
        self.cells.ran(len(self._ops), passages)
        self._write(name, Recurs(passages[0].name, states), reads, written)

    def _numbers_in(self, values: Any) -> tuple[int, ...]:
        """Numbers of the tensors that depend on the input."""
        numbers = (self.number_of(tensor) for tensor in tensors_in(values))
        return tuple(number for number in numbers if number is not None)

    def _write_turned(self, name: str, dense: Dense, x: torch.Tensor, y: torch.Tensor) -> None:
        """Write down a dense map over the last axis but one, as one over the last of what is turned before and back."""
        with self.paused():
            (before, x_turned), (_, y_turned) = turned(x), turned(y)
            after, _ = turned(y_turned)
        for does, read, written in ((before, x, x_turned), (dense, x_turned, y_turned), (after, y_turned, y)):
            self._write(name, does, (self._number[id(read)][0],), [written])

    def _check_takes_numbers(self, call: Call) -> None:
        """Raise ValueError where the model's input is looked up in a table of vectors."""
        if call.name not in ("embedding", "embedding_bag") or self.number_of(call.given(0, "input")) is None:
            return
        if any(op.does.role is Role.STARTS for op in self._ops):
            # It chooses by what layers have computed from numbers.
            return
        name = self._modules[-1] if self._modules else ""
        raise ValueError(
            f"The model takes indices, as of tokens: {name or 'embedding'!r} looks them up in a table of "
            f"{len(call.given(1, 'weight'))}, and they are no numbers in a range. Give example_inputs=, a batch of "
            f"integers as the model is called with, as "
            f"example_inputs=torch.randint({len(call.given(1, 'weight'))}, (4, 16)) for 16 of them in a sample. What "
            "is measured begins behind the table."
        )

    def _meaning(
        self, call: Call, reads: tuple[int, ...], written: Sequence[torch.Tensor], shapes: Sequence[torch.Size]
    ) -> tuple[Operation, tuple[int, ...]]:
        """What a function did, and which values it reads for that."""
        does: Operation | None = None
        if len(written) == 1 and call.name in MOVING and len(shapes) == 1:
            self._moved.note(call, written[0])
            first, order = self._moved.first(written[0])
            if order == tuple(range(len(order))) and first is not call.given(0, "input"):
                return Same(), self._read(first)
        if len(written) == 1:
            does, reads = self._does(call, reads, written[0], shapes) or (None, reads)
        # What is not known may say why.
        if does is not None and not isinstance(does, Unknown):
            # A single number has no rows.
            has_rows = bool(shapes[0]) and all(self._values[number].ndim for number in reads)
            known = has_rows and self._values.are_known_behind([(does, written[0])], reads, shapes[0][0])
            does = does if known else None
        attends = call.name == ATTENDS
        return does or (Attention() if attends else Unknown.function(call.name, len(reads))), reads

    def _does(
        self, call: Call, reads: tuple[int, ...], made: torch.Tensor, shapes: Sequence[torch.Size]
    ) -> tuple[Operation, tuple[int, ...]] | None:
        """What a function that has made one tensor did, and which values it read; None where that is not known."""
        args, name = call.args, call.name
        operands = tuple(self._number[id(value)][0] for value in args[:2] if id(value) in self._number)
        two = len(operands) == len(args) == 2 and not call.kwargs
        if name in COMBINATIONS and two and len({*shapes, made.shape}) == 1:
            return Combine(COMBINATIONS[name]), operands
        if len(shapes) == 1:
            known = meaning_of(call, made) if made.shape[:1] == shapes[0][:1] else None
            if known is None and is_reshaped(call, made):
                known = Same()
            if known is not None:
                return known, reads
        found = each_by_itself(call, self, made)
        if found is None and name in CONTRACTIONS and len(reads) == 1:
            dense = self._contraction(call, made)
            found = None if dense is None else (dense, reads)
        return found

    def _contraction(self, call: Call, made: torch.Tensor) -> Dense | None:
        """The dense map that a sum of products is of the one value that it reads, if it is one."""
        given = [tensor for tensor in call.tensors if id(tensor) in self._number]
        return over_last_axis(call, given[0], made) if len(given) == 1 else None

    def _has_maps(self, module: str, call: Call, reads: tuple[int, ...], made: torch.Tensor) -> bool:
        """Write down the dense maps that a product consists of; whether it does."""
        weights = weights_of_experts(call)
        if weights is not None:
            return self._sent(module, call, weights, reads, made)
        return len(reads) == 1 and self._contracts(module, call, made)

    def _sent(self, module: str, call: Call, weights: torch.Tensor, reads: tuple[int, ...], made: torch.Tensor) -> bool:
        """Write down the maps of experts to which rows of a value are sent; whether they are such."""
        x = self.number_of(call.given(0, "input"))
        if x is None or not self._is_constant(weights) or not self.is_learned(weights):
            return False
        name, gave = self.uses.name_of(weights, module) or call.name, []
        with self.paused():
            found = list(experts(call, made))
        for k, (dense, rows, of_rows) in enumerate(found):
            # How many rows there are differs from run to run.
            numbers = [self._values.add(numbers_of(one)) for one in (rows, of_rows)]
            self._note(name, Sent(), (x,), (numbers[0],))
            self._note(f"{name}.{k}", dense, (numbers[0],), (numbers[1],))
            gave.append(numbers[1])
        apart = self._values.stand_apart(Unknown(""), reads, tuple(made.shape))
        self._note(module or call.name, Gathered(), (*reads, *gave), (self._set(made, apart),))
        return True

    def _contracts(self, module: str, call: Call, made: torch.Tensor) -> bool:
        """Write down the dense map that a product over several axes is of a value; whether it is one."""
        x = next((tensor for tensor in call.tensors if id(tensor) in self._number), None)
        with self.paused():
            product = None if x is None else contracted(call, x, made)
        if x is None or product is None or self._values[self._number[id(x)][0]].shape != tuple(x.shape):
            return False
        if not self._is_constant(product.constant) or not self.is_learned(product.constant):
            return False
        name, read = self.uses.name_of(product.constant, module) or call.name, x
        for does, written in product.steps:
            self._write(name, does, (self._number[id(read)][0],), [written])
            read = written
        return True

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
        self.uses.begin()
        reads = self._read(output)
        if not reads:
            raise TypeError(
                "What the model returns does not depend on its input in a way that could be followed. Measure it as a "
                "Function of your own."
            )
        arithmetic = str(self._coarsest).removeprefix("torch.")
        met, read_out = frozenset(self._blocks_met), tuple(self.read_out.found)
        inputs, path = tuple(range(len(self.inputs.drawn))), tuple(self._path)
        more: Any = {"read_out": read_out, "inputs": inputs, "held": self.uses.held()}
        ops = self.cells.written(self._ops, self._values, reads)
        ops, ends = self._of_constants.written(ops, reads)
        return Recording(ops, self._values, ends, path, arithmetic, met, **more)

    def _take_as_constants(self, tensors: Sequence[torch.Tensor], made_of: Sequence[torch.Tensor] = ()) -> None:
        """Take tensors for what does not depend on the input; what is made of learned tensors is learned too."""
        self._constants.update((id(tensor), (tensor._version, tensor)) for tensor in tensors)
        if any(self.is_learned(tensor) for tensor in made_of):
            self._learned.update(map(id, tensors))
        self.uses.made(tensors, made_of)

    def enter(self, name: str) -> None:
        """What follows is done by the module of that name."""
        if self._pausing:
            return
        self._modules.append(name)
        self._n_called += 1
        self._calls.append(self._n_called)
        if name in self.ranges and self._block is None:
            self._block = []

    def leave(
        self, name: str, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any
    ) -> None:
        """The module has returned `result` for those arguments, or None where it raised."""
        if self._pausing:
            return
        self._modules.pop()
        self._calls.pop()
        if name not in self.ranges or any(outer in self.ranges for outer in self._modules):
            return
        steps, self._block = self._block, None
        if result is None:
            return
        self._blocks_met.add(name)
        self.uses.by_all_of(module)
        with self.paused():
            self._write(name, *self._block_of(name, module, args, kwargs, result, steps or []))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within this, what is done is not the model's."""
        before, self._pausing = self._pausing, True
        try:
            yield
        finally:
            self._pausing = before

    def _block_of(
        self,
        name: str,
        module: nn.Module,
        args: Any,
        kwargs: Any,
        result: Any,
        steps: Sequence[tuple[Call, torch.Tensor]],
    ) -> tuple[Operation, tuple[int, ...], list[torch.Tensor]]:
        """A module as one map, what it reads and what it writes."""
        inputs = [tensor for tensor in tensors_in((args, kwargs)) if id(tensor) in self._number]
        x, y = ends_of_block(name, args, kwargs, inputs, result)
        out_range = range_of_block(name, self.ranges[name], bounded_by(y, steps), float(y.min()), float(y.max()))
        run = RunBlock(module, tuple(x.shape[1:]), args[1:], self.dtype)
        function = Function(run, x[0].numel(), y[0].numel(), out_range, name=name)
        arithmetic = str(self.dtype).removeprefix("torch.")
        seen, shapes = (float(x.min()), float(x.max())), (x.shape[1:], y.shape[1:])
        block = block_of(function, shapes, seen, arithmetic, images_first=True)
        return block, (self._number[id(x)][0],), tensors_in(result)

    def _read(self, values: Any) -> tuple[int, ...]:
        """Numbers of the values among tensors.

        What is not what it was, though nobody saw it change (a view of it was written to, say), gets a number of its
        own, and so does what has come from the input in a way that nobody saw.
        """
        reads: list[int] = []
        for tensor in tensors_in(values):
            number = self._number.get(id(tensor), (None,))[0]
            if number is not None and not self._is_unchanged(tensor, number):
                self._write("in place", Unknown("a change in place that was not seen"), (number,), [tensor])
            elif number is None and self._is_unseen(tensor):
                self._write("unseen", Unknown("it came from the input in a way that cannot be seen"), (), [tensor])
            if id(tensor) in self._number:
                reads.append(self._number[id(tensor)][0])
        return tuple(dict.fromkeys(reads))

    def _is_unseen(self, tensor: torch.Tensor) -> bool:
        known = self._constants.get(id(tensor))
        return (
            bool(tensor.dim()) and len(tensor) == self._values.rows and (known is None or known[0] != tensor._version)
        )

    def _is_unchanged(self, tensor: torch.Tensor, number: int) -> bool:
        now, before = numbers_of(tensor, copy=False), self._values[number]
        if now.size != before.size:
            return False
        now = now.reshape(before.shape)
        # The second comparison takes several times as long, and only NaN needs it.
        return np.array_equal(now, before) or np.array_equal(now, before, equal_nan=True)

    def _write(
        self, name: str, does: Any, reads: tuple[int, ...], written: list[torch.Tensor], again: Again | None = None
    ) -> None:
        numbers = tuple(
            self._set(tensor, self._values.stand_apart(does, reads, tuple(tensor.shape))) for tensor in written
        )
        self._note(name, does, reads, numbers, again)

    def _note(
        self, name: str, does: Any, reads: tuple[int, ...], numbers: tuple[int, ...], again: Again | None = None
    ) -> None:
        inside = tuple(zip(self._modules, self._calls, strict=True))[1:]
        self._ops.append(Op(name, does, reads, numbers, self.uses.now, again, inside))
        self._path.append((name, type(does).__name__, reads, numbers))
        self.cells.wrote(does, reads, numbers)

    def _set(self, tensor: torch.Tensor, apart: bool = False) -> int:
        """Write down a tensor's values; their number is its own until it is changed in place."""
        number = self._values.add(numbers_of(tensor), apart)
        self._number[id(tensor)] = (number, tensor)
        if tensor.is_floating_point() and torch.finfo(tensor.dtype).eps > torch.finfo(self._coarsest).eps:
            self._coarsest = tensor.dtype
        return number
