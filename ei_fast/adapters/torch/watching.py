"""What is done to values that depend on a model's input, written down while it runs on PyTorch.

A `TorchFunctionMode` sees the functions of PyTorch that are called from Python: module or functional, each looks the
same there. What is no dense layer, activation or the like is named, and so is what reads values that came about unseen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ei_fast.adapters.blocks import range_of_block
from ei_fast.adapters.graph import (
    Combine,
    Dense,
    Operation,
    Recording,
    Role,
    Same,
    Unknown,
)
from ei_fast.adapters.graph.attention import Attention
from ei_fast.adapters.graph.contractions import CONTRACTIONS
from ei_fast.adapters.graph.each_place import block_of
from ei_fast.adapters.torch.again import Again
from ei_fast.adapters.torch.attention import ATTENDS, MOVING, MULTI_HEAD
from ei_fast.adapters.torch.blocks import RunBlock, bounded_by, ends_of_block
from ei_fast.adapters.torch.book import Book
from ei_fast.adapters.torch.call import Call, numbers_of, tensors_in
from ei_fast.adapters.torch.constants import SAME_FOR_ALL, OfConstants, Steps, layer_of
from ei_fast.adapters.torch.contractions import over_last_axis
from ei_fast.adapters.torch.decisions import OF_FINITE, ReadOuts, is_finite
from ei_fast.adapters.torch.each import TAKES_FORM, each_by_itself, makes_anew
from ei_fast.adapters.torch.given import LOOKED_UP, drawn_beyond, why_followed
from ei_fast.adapters.torch.in_parts import write_attention, write_cells, write_maps, write_turned
from ei_fast.adapters.torch.operations import COMBINATIONS, is_reshaped, meaning_of
from ei_fast.adapters.torch.products import weights_first
from ei_fast.adapters.torch.recurrent import (
    CELLS,
    MOVES,
    SEQUENCES,
    Known,
    of_lengths,
)
from ei_fast.network.bins import Range
from ei_fast.network.layer import Function

RECURRENT = (*SEQUENCES, *CELLS)


@dataclass(eq=False)
class Watcher(Book, TorchFunctionMode):
    """Everything that is done to values that depend on the input; it writes that down in itself.

    Attributes
    ----------
    ranges : dict of str to (float, float) or None
        Output ranges of the modules that are blocks.
    read_out : ReadOuts
        What Python reads out of values that depend on the input.
    """

    ranges: dict[str, Range | None] = field(default_factory=dict)
    read_out: ReadOuts = field(default_factory=ReadOuts)
    _known: Known = field(default_factory=Known)
    _blocks_met: set[str] = field(default_factory=set)
    # Integers that the user has given, and what is made of such.
    _given: dict[int, torch.Tensor] = field(default_factory=dict)
    _n_called: int = 0
    _of_constants: OfConstants = field(default_factory=OfConstants)
    _block: list[tuple[Call, torch.Tensor]] | None = None

    def __post_init__(self) -> None:
        TorchFunctionMode.__init__(self)
        super().__post_init__()
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
        reads = self.read((args, kwargs))
        self.uses.by(call)
        shapes = [tensor.shape for tensor in call.tensors if id(tensor) in self.numbers]
        self._check_takes_numbers(call)
        again = Again.of(call, self.number_of) if reads else None
        result = function(*args, **kwargs)
        if not reads:
            return self._without_values(call, result)
        at = next((k for k, value in enumerate(args) if id(value) in self.numbers), 0 if "input" in kwargs else -1)
        return self._written(replace(call, at=at), reads, shapes, result, again)

    def _without_values(self, call: Call, result: Any) -> Any:
        """Write down what was done to nothing that depends on floating inputs; return what the model gets."""
        written = tensors_in(call.args)[:1] if call.name in ("setitem", "set") else tensors_in(result)
        self.take_as_constants(written, call.tensors)
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
            self.write((self.modules[-1] if self.modules else "") or call.name, Unknown(why), (), written)
        return result

    def _apply_to_constants(self, call: Call, written: Sequence[torch.Tensor]) -> None:
        """Write down a layer that is applied to vectors which are the same for all inputs, and what follows it."""
        module = self.modules[-1] if self.modules else ""
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
            number, reads = self.values.add(numbers_of(gave)), (self._of_constants.number_of(x),)
            self.note(name, does, reads, (number,))
            self._of_constants.put(gave, number, weight)
            x = gave

    def _begin_with(self, x: torch.Tensor, name: str, weight: str) -> None:
        """Write down vectors that are the same for all inputs, and go into a layer."""
        number, now = self.values.add(numbers_of(x)), self.uses.now
        self.uses.begin()
        self.note(f"the inputs of {name}", Unknown(SAME_FOR_ALL), (), (number,))
        self.uses.now = now
        self._of_constants.put(x, number, weight)

    def _written(
        self, call: Call, reads: tuple[int, ...], shapes: Sequence[torch.Size], result: Any, again: Again | None
    ) -> Any:
        """Write down what was done to values that depend on the input; return what the model gets."""
        written = tensors_in(result)
        if call.name in TAKES_FORM and self.is_constant(call.args[0]):
            self.take_as_constants(written, call.args[:1])
            return result
        if makes_anew(call.name, reads) or (call.name in OF_FINITE and is_finite(call.tensors)):
            self.take_as_constants(written)
            return result
        if result is None and call.name in ("setitem", "set"):
            written = tensors_in(call.args)[:1]
        module = self.modules[-1] if self.modules else ""
        if not written:
            return self.read_out.answered(module, call.name, call.tensors, result)
        self.read_out.made(call.name, call.tensors, written)
        if call.name == MULTI_HEAD and write_attention(self, self.moved, module, call, result):
            return result
        if (told := of_lengths(call, written)) and all(self.is_constant(one) for one in call.tensors[1:]):
            self.take_as_constants(told)
            written = written[:1]
        if call.name in RECURRENT and write_cells(self, self._known, module or call.name, call, reads, result):
            return result
        dense = weights_first(call, written[0]) if len(reads) == len(written) == 1 else None
        if dense is not None and self.values[reads[0]].shape == tuple(call.x.shape):
            write_turned(self, module or call.name, dense, call.x, written[0])
            return result
        does, reads = self._meaning(call, reads, written, shapes)
        if isinstance(does, Unknown) and len(written) == 1 and write_maps(self, module, call, reads, written[0]):
            return result
        does = self.cells.taken_for(len(self.ops), does, reads, call.name in MOVES)
        self.write(module or call.name, does, reads, written, again)
        return result

    def _check_takes_numbers(self, call: Call) -> None:
        """Raise ValueError where the model's input is looked up in a table of vectors."""
        if call.name not in ("embedding", "embedding_bag") or self.number_of(call.given(0, "input")) is None:
            return
        if any(op.does.role is Role.STARTS for op in self.ops):
            # It chooses by what layers have computed from numbers.
            return
        name = self.modules[-1] if self.modules else ""
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
            self.moved.note(call, written[0])
            first, order = self.moved.first(written[0])
            if order == tuple(range(len(order))) and first is not call.given(0, "input"):
                return Same(), self.read(first)
        if len(written) == 1:
            does, reads = self._does(call, reads, written[0], shapes) or (None, reads)
        # What is not known may say why.
        if does is not None and not isinstance(does, Unknown):
            # A single number has no rows.
            has_rows = bool(shapes[0]) and all(self.values[number].ndim for number in reads)
            known = has_rows and self.values.are_known_behind([(does, written[0])], reads, shapes[0][0])
            does = does if known else None
        attends = call.name == ATTENDS
        return does or (Attention() if attends else Unknown.function(call.name, len(reads))), reads

    def _does(
        self, call: Call, reads: tuple[int, ...], made: torch.Tensor, shapes: Sequence[torch.Size]
    ) -> tuple[Operation, tuple[int, ...]] | None:
        """What a function that has made one tensor did, and which values it read; None where that is not known."""
        args, name = call.args, call.name
        operands = tuple(self.numbers[id(value)][0] for value in args[:2] if id(value) in self.numbers)
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
        given = [tensor for tensor in call.tensors if id(tensor) in self.numbers]
        return over_last_axis(call, given[0], made) if len(given) == 1 else None

    def recording(self, output: Any) -> Recording:
        self.uses.begin()
        reads = self.read(output)
        if not reads:
            raise TypeError(
                "What the model returns does not depend on its input in a way that could be followed. Measure it as a "
                "Function of your own."
            )
        arithmetic = str(self.coarsest).removeprefix("torch.")
        met, read_out = frozenset(self._blocks_met), tuple(self.read_out.found)
        inputs, path = tuple(range(len(self.inputs.drawn))), tuple(self.path)
        more: Any = {"read_out": read_out, "inputs": inputs, "held": self.uses.held()}
        ops = self.cells.written(self.ops, self.values, reads)
        ops, ends = self._of_constants.written(ops, reads)
        self.close()
        return Recording(ops, self.values, ends, path, arithmetic, met, **more)

    def let_go(self, identities: Sequence[int]) -> None:
        """Tensors with these identities are gone; others may have them."""
        self.read_out.let_go(identities)

    def enter(self, name: str) -> None:
        """What follows is done by the module of that name."""
        if self._pausing:
            return
        self.modules.append(name)
        self._n_called += 1
        self.calls.append(self._n_called)
        if name in self.ranges and self._block is None:
            self._block = []

    def leave(
        self, name: str, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], result: Any
    ) -> None:
        """The module has returned `result` for those arguments, or None where it raised."""
        if self._pausing:
            return
        self.modules.pop()
        self.calls.pop()
        if name not in self.ranges or any(outer in self.ranges for outer in self.modules):
            return
        steps, self._block = self._block, None
        if result is None:
            return
        self._blocks_met.add(name)
        self.uses.by_all_of(module)
        with self.paused():
            self.write(name, *self._block_of(name, module, args, kwargs, result, steps or []))

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
        inputs = [tensor for tensor in tensors_in((args, kwargs)) if id(tensor) in self.numbers]
        x, y = ends_of_block(name, args, kwargs, inputs, result)
        out_range = range_of_block(name, self.ranges[name], bounded_by(y, steps), float(y.min()), float(y.max()))
        run = RunBlock(module, tuple(x.shape[1:]), args[1:], self.dtype)
        function = Function(run, x[0].numel(), y[0].numel(), out_range, name=name)
        arithmetic = str(self.dtype).removeprefix("torch.")
        seen, shapes = (float(x.min()), float(x.max())), (x.shape[1:], y.shape[1:])
        block = block_of(function, shapes, seen, arithmetic, images_first=True)
        return block, (self.numbers[id(x)][0],), tensors_in(result)
