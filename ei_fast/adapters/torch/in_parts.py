"""One function of PyTorch that is several operations: attention, recurrent cells, experts, sums over several axes."""

from dataclasses import replace
from typing import Any

import torch

from ei_fast.adapters.graph import Dense, Operation, Recurs, Unknown
from ei_fast.adapters.graph.attention import Attention
from ei_fast.adapters.graph.experts import Gathered, Sent
from ei_fast.adapters.graph.passages import Passage
from ei_fast.adapters.torch.attention import MovedRows, Projection, written_out
from ei_fast.adapters.torch.book import Book
from ei_fast.adapters.torch.call import Call, numbers_of, tensors_in
from ei_fast.adapters.torch.contractions import contracted
from ei_fast.adapters.torch.experts import experts, weights_of_experts
from ei_fast.adapters.torch.operations import dense_of_linear
from ei_fast.adapters.torch.products import turned
from ei_fast.adapters.torch.recurrent import CELLS, Known, layers_of, run_layers, step_of_cell


def write_attention(book: Book, moved: MovedRows, module: str, call: Call, result: Any) -> bool:
    """Write down what `multi_head_attention_forward` does inside; whether that is known."""
    parts = written_out(call, result, moved)
    if parts is None or any(book.number_of(one) is not None for one in parts.held):
        return False
    name = module or "attention"
    for part in parts.inputs:
        _project(book, name, part)
    attended = [parts.out.x, *(one for one in result[1:] if one is not None)]
    book.write(name, Attention(), book.read([*(part.made for part in parts.inputs), *parts.also]), attended)
    _project(book, name, parts.out)
    if parts.order[0] == 0:
        book.numbers[id(result[0])] = (book.numbers[id(parts.out.made)][0], result[0])
    else:
        book.write(name, Unknown.function("transpose", 1), book.read(parts.out.made), [result[0]])
        moved.put(result[0], parts.out.made, parts.order)
    return True


def _project(book: Book, name: str, part: Projection) -> None:
    """Write down a dense map that `multi_head_attention_forward` holds."""
    reads = book.read(part.x)
    does: Operation = dense_of_linear(part.weight, part.bias)
    if not reads or not book.values.are_known_behind([(does, part.made)], reads, len(part.x)):
        same = Unknown("what it reads is the same for all inputs")
        does = Unknown.function("linear", 1) if reads else same
    book.write(f"{name}.{part.name}", does, reads, [part.made])


def write_cells(book: Book, known: Known, name: str, call: Call, reads: tuple[int, ...], result: Any) -> bool:
    """Write down the recurrent cells that a function has run; return whether it could be told what they are."""
    if call.name in CELLS:
        passage = step_of_cell(known, name, call, result)
        if passage is None:
            return False
        inputs, hidden = (book.numbers_in(one) for one in (call.args[:1], call.args[1:2]))
        begins = hidden[0] if hidden else None
        # The number that the state behind will have.
        passage = replace(passage, inputs=inputs, begins=begins, ends=len(book.values))
        _write_steps(book, name, reads, tensors_in(result), [passage])
        return True
    layers = layers_of(call, tensors_in(result))
    if layers is None:
        return False
    inputs = book.numbers_in(layers.x)
    ran = run_layers(known, name, layers)
    for layer in ran:
        passages = [replace(passage, inputs=inputs) for passage in layer.passages]
        is_last = layer is ran[-1]
        _write_steps(book, name, reads, tensors_in(result) if is_last else [layer.gave], passages)
        # The state behind all layers is made of what each of them gave.
        inputs = book.numbers_in(layer.gave)
        reads = (*reads, *inputs)
    return True


def _write_steps(
    book: Book, name: str, reads: tuple[int, ...], written: list[torch.Tensor], passages: list[Passage]
) -> None:
    states = ("h", "c") if len(written) == 2 and written[0].dim() == 2 == written[1].dim() else ("h", "h", "c")
    book.cells.ran(len(book.ops), passages)
    book.write(name, Recurs(passages[0].name, states), reads, written)


def write_turned(book: Book, name: str, dense: Dense, x: torch.Tensor, y: torch.Tensor) -> None:
    """Write down a dense map over the last axis but one, as one over the last of what is turned before and back."""
    with book.paused():
        (before, x_turned), (_, y_turned) = turned(x), turned(y)
        after, _ = turned(y_turned)
    for does, read, written in ((before, x, x_turned), (dense, x_turned, y_turned), (after, y_turned, y)):
        book.write(name, does, (book.numbers[id(read)][0],), [written])


def write_maps(book: Book, module: str, call: Call, reads: tuple[int, ...], made: torch.Tensor) -> bool:
    """Write down the dense maps that a product consists of; whether it does."""
    weights = weights_of_experts(call)
    if weights is not None:
        return _sent(book, module, call, weights, reads, made)
    return len(reads) == 1 and _contracts(book, module, call, made)


def _sent(
    book: Book, module: str, call: Call, weights: torch.Tensor, reads: tuple[int, ...], made: torch.Tensor
) -> bool:
    """Write down the maps of experts to which rows of a value are sent; whether they are such."""
    x = book.number_of(call.given(0, "input"))
    if x is None or not book.is_constant(weights) or not book.is_learned(weights):
        return False
    name, gave = book.uses.name_of(weights, module) or call.name, []
    with book.paused():
        found = list(experts(call, made))
    for k, (dense, rows, of_rows) in enumerate(found):
        # How many rows there are differs from run to run.
        numbers = [book.values.add(numbers_of(one)) for one in (rows, of_rows)]
        book.note(name, Sent(), (x,), (numbers[0],))
        book.note(f"{name}.{k}", dense, (numbers[0],), (numbers[1],))
        gave.append(numbers[1])
    apart = book.values.stand_apart(Unknown(""), reads, tuple(made.shape))
    book.note(module or call.name, Gathered(), (*reads, *gave), (book.set(made, apart),))
    return True


def _contracts(book: Book, module: str, call: Call, made: torch.Tensor) -> bool:
    """Write down the dense map that a product over several axes is of a value; whether it is one."""
    x = next((tensor for tensor in call.tensors if id(tensor) in book.numbers), None)
    with book.paused():
        product = None if x is None else contracted(call, x, made)
    if x is None or product is None or book.values[book.numbers[id(x)][0]].shape != tuple(x.shape):
        return False
    if not book.is_constant(product.constant) or not book.is_learned(product.constant):
        return False
    name, read = book.uses.name_of(product.constant, module) or call.name, x
    for does, written in product.steps:
        book.write(name, does, (book.numbers[id(read)][0],), [written])
        read = written
    return True
