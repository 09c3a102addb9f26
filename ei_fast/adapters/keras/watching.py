"""What a Keras model does to its input, written down while it is called on symbolic tensors.

Keras tells every operation that a symbolic tensor meets, `keras.ops` and layers alike, on each of its backends. Each is
done at once, on the backend, to the numbers that the symbolic tensor stands for, so that all values are in sight. A
layer is looked into by its own `call`; one that does not take symbolic tensors is run as it is, and named.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from threading import RLock, get_ident
from typing import Any

import keras
import numpy as np

from ei_fast.adapters.blocks import range_of_block
from ei_fast.adapters.graph import (
    Block,
    Conv,
    Dense,
    Operation,
    Pointwise,
    Recording,
    Recurs,
    Same,
    Softmax,
    Unknown,
)
from ei_fast.adapters.graph.each_place import block_of
from ei_fast.adapters.keras.activations import as_steps
from ei_fast.adapters.keras.again import CalledAgain
from ei_fast.adapters.keras.attention import unknown
from ei_fast.adapters.keras.blocks import RunBlock
from ei_fast.adapters.keras.book import Book, is_floating
from ei_fast.adapters.keras.call import Call, done
from ei_fast.adapters.keras.layers import call_of, is_bounded, meaning_of_layer
from ei_fast.adapters.keras.numbers import as_numbers, elementwise
from ei_fast.adapters.keras.operations import steps_of_call
from ei_fast.adapters.keras.recurrent import MOVES, Called
from ei_fast.network.bins import Range
from ei_fast.network.layer import Function

_PROCESS = RLock()
"""Held while Keras tells what is done: its classes are the same for all threads."""

AUGMENTING = tuple(
    getattr(keras.layers, name)
    for name in dir(keras.layers)
    if name.startswith("Random") or name in ("AugMix", "CutMix", "MixUp", "RandAugment")
)
"""What changes images while a model is trained, and calls its backend instead of operations."""

_LOOKED_UP = "a table of vectors, in which the integers of the example inputs are looked up, and no layer"


@dataclass(eq=False, kw_only=True)
class Watcher(Book):
    """Everything that is done to values that depend on the input.

    Attributes
    ----------
    names : dict of int to str
        Of the model's layers, by the identity of each.
    ranges : dict of str to (float, float) or None
        Output ranges of the layers that are blocks.
    as_it_is : callable
        Takes a layer that is to be a block, and returns what gives a context in which it is what it is now.
    both_ways : frozenset of str
        Names of layers that take cells through sequences in both directions.
    """

    names: dict[int, str] = field(default_factory=dict)
    ranges: dict[str, Range | None] = field(default_factory=dict)
    as_it_is: Callable[[keras.Layer], Callable[[], AbstractContextManager[None]]]
    both_ways: frozenset[str] = frozenset()
    _n_called: int = 0
    _blocks_met: set[str] = field(default_factory=set)
    _nodes: dict[int, tuple[keras.Layer, int, int]] = field(default_factory=dict)

    def recording(self, output: Any) -> Recording:
        reads = self.read(output)
        if not reads:
            raise TypeError(
                "What the model returns does not depend on its input in a way that could be followed. Measure it as a "
                "Function of your own."
            )
        path, met, held = tuple(self.path), frozenset(self._blocks_met), self.uses.held()
        ops, inputs = self.cells.written(self.ops, self.values, reads), tuple(range(self.n_inputs))
        more: Any = {"inputs": inputs, "held": held, "images_first": False}
        return Recording(ops, self.values, reads, path, self.coarsest, met, **more)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Within this, what is done to symbolic tensors in this thread is written down."""
        thread = get_ident()
        with _PROCESS:
            own = keras.Operation.symbolic_call, keras.Layer.symbolic_call, keras.Layer.add_loss

            def operation(op: Any, *args: Any, **kwargs: Any) -> Any:
                here = get_ident() == thread
                return self._operation(op, args, kwargs) if here else own[0](op, *args, **kwargs)

            def layer(one: Any, *args: Any, **kwargs: Any) -> Any:
                here = get_ident() == thread
                return self._layer(one, args, kwargs) if here else own[1](one, *args, **kwargs)

            def loss(one: Any, value: Any) -> None:
                # Keras takes none of symbolic tensors, and what a training is fined for is no part of what is measured.
                if get_ident() != thread:
                    own[2](one, value)

            keras.Operation.symbolic_call, keras.Layer.symbolic_call, keras.Layer.add_loss = operation, layer, loss
            try:
                yield
            finally:
                keras.Operation.symbolic_call, keras.Layer.symbolic_call, keras.Layer.add_loss = own
                # Keras tells a layer of every symbolic call, and that was none of its model's.
                for one, n_in, n_out in self._nodes.values():
                    del one._inbound_nodes[n_in:], one._outbound_nodes[n_out:]

    def activation(self, name: str, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """An activation of several steps, written down as one if it maps each value by itself."""
        function_name = str(getattr(function, "__name__", type(function).__name__))

        def watched(x: Any) -> Any:
            if not isinstance(x, keras.KerasTensor):
                return function(x)
            start, before = self.read(x)[0], len(self.ops)
            try:
                y = function(x)
            except Exception:
                # It takes arrays alone.
                self.forget(before)
                actual = function(self.actual(x))
            else:
                if y is x:
                    return y
                actual = self.actual(y)
                composed = as_steps(self.ops[before:], start, self.read(y), self.values, function_name)
                if composed is not None:
                    self.forget(before)
                    return self.write(name, Pointwise(composed), (start,), actual)
                if not any(isinstance(op.does, Unknown) for op in self.ops[before:]):
                    return y
            one_by_one = elementwise(function, self.actual(x), actual, function_name)
            self.forget(before)
            reason = "its activation does not map each value by itself; name it in 'blocks' to measure it"
            does = Unknown(reason) if one_by_one is None else Pointwise(one_by_one)
            return self.write(name, does, (start,), actual)

        return watched

    def _operation(self, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        actual_args, actual_kwargs = self.actual(args), self.actual(kwargs)
        actual = done(op, actual_args, actual_kwargs)
        reads = self.read((args, kwargs))
        kind = type(op).__name__.lower()
        self.uses.by((args, kwargs), self.inside[-1] if self.inside else "")
        name = self.inside[-1] if self.inside and self.inside[-1] else kind
        if not hasattr(actual, "shape"):
            again = CalledAgain.of(op, args, kwargs, lambda one: self.of[id(one)].number, self.shape)
            does = self.cells.taken_for(len(self.ops), unknown(kind, len(reads)), reads, type(op).__name__ in MOVES)
            return self.write(name, does, reads, actual, again)
        if self.integers and self.integers.issuperset(reads) and not is_floating(actual):
            # What is made of integers that were given is taken as it is, as they are.
            self.integers.add(len(self.values))
            return self.set(actual)
        moving = [k for k, value in enumerate(args) if isinstance(value, keras.KerasTensor)]
        within = len(self.read(kwargs)) or any(
            not isinstance(value, keras.KerasTensor) and self.read(value) for value in args
        )
        steps = None
        if not within:
            operands = tuple(self.read(args[k])[0] for k in moving)
            steps = steps_of_call(Call(op, actual_args, actual_kwargs, tuple(moving), actual))
            reads = operands if steps is not None else reads
        if steps is None or not self.values.are_known_behind(steps, reads, actual_args[moving[0]].shape[0]):
            again = CalledAgain.of(op, args, kwargs, lambda one: self.of[id(one)].number, self.shape)
            moves = type(op).__name__ in MOVES and bool(reads)
            does = self.cells.taken_for(len(self.ops), unknown(kind, len(reads)), reads, moves)
            return self.write(name, does, reads, actual, again)
        for does, between in steps:
            written = self.write(name, does, reads, between)
            reads = self.read(written)
        # What the last of them gives is what the operation gave.
        return written

    def _layer(self, layer: keras.Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = self.names.get(id(layer), layer.name)
        self._nodes.setdefault(id(layer), (layer, len(layer._inbound_nodes), len(layer._outbound_nodes)))
        if name in self.ranges and not any(outer in self.ranges for outer in self.inside):
            return self._block(name, layer, args, kwargs)
        if isinstance(layer, keras.layers.Embedding):
            self._check_takes_numbers(name, layer)
            if self.integers.issuperset(self.read(args)):
                return self._as_it_runs(name, layer, args, kwargs, Unknown(_LOOKED_UP))
        if isinstance(layer, keras.layers.RNN) and (written := self._recurrent(name, layer, args, kwargs)) is not None:
            return written
        if isinstance(layer, keras.layers.TimeDistributed) and not kwargs.get("mask"):
            return self._at_each_step(name, layer, args[0])
        if (does := meaning_of_layer(layer)) is not None:
            return self._as_it_runs(name, layer, args, kwargs, does)
        before, met = len(self.ops), set(self._blocks_met)
        self.inside.append(name)
        self._n_called += 1
        self.calls.append(self._n_called)
        try:
            return layer.call(*args, **kwargs)
        except Refused:
            raise
        except Exception as error:
            self.forget(before)
            self._blocks_met = met
            why = f"takes no symbolic tensors ({type(error).__name__}: {_first_line(error)})"
        finally:
            self.inside.pop()
            self.calls.pop()
        reason = f"{type(layer).__name__} {why}; name it in 'blocks' to measure it as one map"
        written = self._as_it_runs(name, layer, args, kwargs, Unknown(reason))
        if not self.inside:
            raise Refused(
                f"The Keras model {layer.name!r} cannot be followed: its call {why}. Write it with keras.ops, which "
                "take them on every backend, or measure a part of it."
            )
        return written

    def _check_takes_numbers(self, name: str, layer: keras.layers.Embedding) -> None:
        """Raise Refused where the model's input is looked up in a table of vectors."""
        if self.integers or any(isinstance(op.does, (Dense, Conv, Block)) for op in self.ops):
            # It chooses by what layers have computed from numbers.
            return
        raise Refused(
            f"The Keras model takes indices, as of tokens: {name!r} looks them up in a table of {layer.input_dim}, and "
            "they are no numbers in a range. Give example_inputs=, a batch of integers as the model is called with, as "
            f"example_inputs=numpy.random.randint({layer.input_dim}, size=(4, 16)) for 16 of them in a sample. What is "
            "measured begins behind the table."
        )

    def _as_it_runs(
        self, name: str, layer: keras.Layer, args: tuple[Any, ...], kwargs: dict[str, Any], does: Operation
    ) -> Any:
        """What a layer that is not looked into makes of the numbers."""
        self.uses.by_all_of(layer)
        actual = call_of(layer)(*self.actual(args), **self.actual(kwargs))
        if isinstance(layer, AUGMENTING) and _same_bits(actual, self.actual(args)[0]):
            does = Same()
        return self.write(name, does, self.read((args, kwargs)), actual)

    def _recurrent(self, name: str, layer: keras.layers.RNN, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Write down the cells of a layer that takes them through sequences; None where they are not known."""
        if len(args) != 1:
            return None
        outer = self.inside[-1] if self.inside else ""
        x, more = self.actual(args[0]), self.actual(kwargs)
        actual = layer.call(x, **more)
        # A layer that goes both ways holds two, which are named after it.
        title = f"{outer}.{name}" if outer in self.both_ways else name
        ran = Called(layer, title, x, more, actual).cells()
        if ran is None:
            return None
        inputs, reads = self.read(args[0]), self.read((args, kwargs))
        for one in ran:
            passage, is_last = replace(one.passage, inputs=inputs), one is ran[-1]
            self.cells.ran(len(self.ops), [passage])
            self.uses.by_all_of(one.cell)
            does = Recurs(passage.name, ("h", "h", "c"))
            if is_last:
                return self.write(title, does, reads, actual)
            inputs = (self.values.add(one.gave),)
            self.note(title, does, reads, inputs)
            reads = (*reads, *inputs)
        return None

    def _at_each_step(self, name: str, layer: keras.layers.TimeDistributed, x: Any) -> Any:
        """A layer that is done at each step of a sequence is one that is done to more rows."""
        inner = layer.layer
        if not list(inner._flatten_layers(include_self=False)):
            self.names[id(inner)] = name
        rows = keras.ops.reshape(x, (-1, *x.shape[2:]))
        y = inner(rows)
        return keras.ops.reshape(y, (*x.shape[:2], *y.shape[1:]))

    def _block(self, name: str, layer: keras.Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        reads = self.read((args, kwargs))
        given = {key: value for key, value in kwargs.items() if key != "training" and value is not None}
        if len(reads) != 1 or given or not args or not isinstance(args[0], keras.KerasTensor):
            raise Refused(
                f"The block {name!r} must be called with one value that depends on the model's input, as its first "
                f"argument and without keywords. Got {len(reads)} such values, {len(args)} arguments and "
                f"{len(given)} keywords instead. Name the layer around it."
            )
        x, more, also = self.actual(args[0]), self.actual(args[1:]), self.actual(kwargs)
        y = keras.tree.flatten(call_of(layer)(x, *more, **also))[0]
        if tuple(y.shape[:1]) != tuple(x.shape[:1]):
            raise Refused(
                f"The block {name!r} must map rows to rows. Got {tuple(y.shape)} for {tuple(x.shape)} instead. "
                "Name the layer around it."
            )
        self._blocks_met.add(name)
        numbers, derived = as_numbers(y), self._bounded(name, layer, args, kwargs)
        try:
            out_range = range_of_block(name, self.ranges[name], derived, float(numbers.min()), float(numbers.max()))
        except ValueError as error:
            raise Refused(str(error)) from None
        dtype = keras.backend.standardize_dtype(x.dtype)
        run = RunBlock(layer, tuple(x.shape[1:]), more, also, dtype, self.as_it_is(layer))
        n_in, n_out = int(np.prod(x.shape[1:])), int(np.prod(y.shape[1:]))
        self.uses.by_all_of(layer)
        function = Function(run, n_in, n_out, out_range, name=name)
        read = as_numbers(x)
        seen, shapes = (float(read.min()), float(read.max())), (tuple(x.shape[1:]), tuple(y.shape[1:]))
        return self.write(name, block_of(function, shapes, seen, dtype, images_first=False), reads, y)

    def _bounded(self, name: str, layer: keras.Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Range | None:
        """The range that the last step inside a block has whatever goes in."""
        if is_bounded(layer):
            return (-1.0, 1.0)
        before = len(self.ops)
        self.inside.append(name)
        try:
            written = self.read(call_of(layer)(*args, **kwargs))[:1]
            does = next((op.does for op in reversed(self.ops[before:]) if op.writes == written), None)
        except Exception:
            return None
        finally:
            self.inside.pop()
            self.forget(before)
        if isinstance(does, Softmax) and not does.log:
            return (0.0, 1.0)
        low, high = getattr(getattr(does, "activation", None), "codomain", (-np.inf, np.inf))
        return (low, high) if np.isfinite(low) and np.isfinite(high) else None


class Refused(ValueError):
    """What is wrong with how a model was to be measured, not with a layer of it."""

    # Keras adds nothing to it on its way through calls.
    _keras_call_info_injected = True


def _same_bits(one: Any, other: Any) -> bool:
    return hasattr(one, "shape") and np.array_equal(as_numbers(one), as_numbers(other))


def _first_line(error: BaseException) -> str:
    """What an exception says, without what Keras adds about the call, and without colours."""
    lines = [line.strip() for line in re.sub(r"\x1b\[\d*m", "", str(error)).splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("Exception encountered")), "")
