"""Recurrent layers of Keras: the cells that they have, and what these did at each step.

Weights lie one gate beside the other, (n_in, gates * n): those of an LSTM in the order i, f, c, o, those of a GRU in
the order z, r, h.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.graph import spread
from ei_fast.adapters.graph.cells import Cell, SimpleCell, Weights, gru_cell, lstm_cell
from ei_fast.adapters.graph.passages import MOST_SAMPLES, Passage, Step
from ei_fast.adapters.keras.numbers import as_numbers, elementwise
from ei_fast.network.activations import Activation

Array = NDArray[np.float64]

MOVES = {
    "GetItem", "Reshape", "Transpose", "Swapaxes", "Moveaxis", "Concatenate", "Stack", "Hstack", "Vstack", "Split",
    "ArraySplit", "Unstack", "Squeeze", "ExpandDims", "Flip", "Repeat", "Tile", "Take", "TakeAlongAxis", "Copy",
    "BroadcastTo", "Roll", "Cast", "Slice", "Ravel",
}  # fmt: skip
"""Operations of which all numbers are among those that they are given."""

_NAMES = {
    keras.layers.LSTMCell: ("input_gate", "forget_gate", "cell_gate", "output_gate"),
    keras.layers.GRUCell: ("update_gate", "reset_gate", "new_gate"),
    keras.layers.SimpleRNNCell: ("",),
}
"""Cells that are known, and their gates in the order of their weights."""

# Values of which it is asked what an activation makes of them.
_TRIED = np.linspace(-6.0, 6.0, 241)


@dataclass
class Ran:
    """A cell that has run: what it gave at each step, of some samples, and its passage."""

    cell: keras.Layer
    gave: Array
    passage: Passage


@dataclass
class Called:
    """A recurrent layer and what it was called with.

    Attributes
    ----------
    layer : keras.layers.RNN
    name : str
    x : tensor
    more : dict
        What else it was given.
    output : tensor, or sequence of tensor
        What it returned.
    """

    layer: keras.layers.RNN
    name: str
    x: Any
    more: Mapping[str, Any]
    output: Any
    _rows: NDArray[np.intp] = field(init=False)

    def __post_init__(self) -> None:
        self._rows = spread(int(self.x.shape[0]), MOST_SAMPLES)

    def cells(self) -> list[Ran] | None:
        """Its cells, one above the other, and their passages; None where one of them is not known."""
        layer = self.layer
        stacked = isinstance(layer.cell, keras.layers.StackedRNNCells)
        held = list(layer.cell.cells) if stacked else [layer.cell]
        known = [cell_of(cell) for cell in held]
        state, mask = self.more.get("initial_state"), self.more.get("mask")
        if any(cell is None for cell in known) or layer.stateful or (stacked and (state or mask is not None)):
            return None
        names = [f"{self.name}.{cell.name}" for cell in held] if stacked else [self.name]
        x, gave = self._in_order(self._some(self.x)), self._gave()
        lower = self._lower(held, x) if stacked else []
        steps = self._steps(mask, len(x[0]))
        ran: list[Ran] = []
        for number, (cell, name, outputs) in enumerate(zip(known, names, [*lower, gave], strict=True)):
            assert cell is not None
            h, c = _begun(cell, len(x), [] if state is None else [self._some(one) for one in keras.tree.flatten(state)])
            taken = [Step(rows, x[rows, t], outputs[rows, t]) for t, rows in enumerate(steps)]
            # Of the last one the layer tells how it ends.
            h_end = self._end(mask) if number + 1 == len(known) else None
            passage = Passage(cell, name, (name, id(held[number])), (), taken, h, c, h_end)
            ran.append(Ran(held[number], outputs, passage))
            x = outputs
        return ran

    def _some(self, values: Any) -> Array:
        return as_numbers(values).astype(np.float64)[self._rows]

    def _in_order(self, values: NDArray[Any]) -> NDArray[Any]:
        """As the cell goes through them."""
        return values[:, ::-1] if self.layer.go_backwards else values

    def _steps(self, mask: Any, n: int) -> list[NDArray[np.intp]]:
        """Which of the samples take each step."""
        if mask is None:
            return [np.arange(len(self._rows))] * n
        taken = self._in_order(self._some(mask)) != 0
        return [np.flatnonzero(taken[:, t]) for t in range(n)]

    def _gave(self) -> Array:
        """What the layer itself gives at each step, in the order in which it takes them."""
        rows = keras.ops.convert_to_tensor(self._rows)

        def some(values: Any) -> Any:
            return keras.ops.take(values, rows, axis=0) if hasattr(values, "shape") else values

        more = keras.tree.map_structure(some, dict(self.more))
        with _set(self.layer, return_sequences=True, return_state=False):
            return as_numbers(self.layer.call(some(self.x), **more)).astype(np.float64)

    def _lower(self, held: Sequence[Any], x: Array) -> list[Array]:
        """What cells below another one give at each step, as they do it themselves."""
        dtype = self.layer.compute_dtype
        states = [keras.tree.flatten(cell.get_initial_state(batch_size=len(x))) for cell in held]
        gave: list[list[Array]] = [[] for _ in held]
        for t in range(x.shape[1]):
            inputs = keras.ops.convert_to_tensor(x[:, t], dtype)
            for k, cell in enumerate(held):
                inputs, states[k] = cell.call(inputs, states[k], training=False)
                gave[k].append(as_numbers(inputs).astype(np.float64))
        return [np.stack(of_cell, axis=1) for of_cell in gave[:-1]]

    def _end(self, mask: Any) -> Array | None:
        first = keras.tree.flatten(self.output)[0]
        if self.layer.return_sequences:
            # What it gives at a step that is left out is no state.
            return None if mask is not None else self._some(first)[:, -1]
        return None if mask is not None and self.layer.zero_output_for_mask else self._some(first)


def cell_of(cell: Any) -> Cell | None:
    """What a cell of Keras does; None where it is not known, or has been written anew."""
    kind = next((known for known in _NAMES if isinstance(cell, known)), None)
    if kind is None or type(cell).call is not kind.call or getattr(cell, "quantization_mode", None) is not None:
        return None
    outer = _activation(cell.activation)
    inner = _activation(getattr(cell, "recurrent_activation", keras.activations.sigmoid))
    if inner is None or outer is None:
        return None
    of_x, of_h = (as_numbers(part).astype(np.float64) for part in (cell.kernel, cell.recurrent_kernel))
    bias = np.zeros(of_x.shape[1]) if cell.bias is None else as_numbers(cell.bias).astype(np.float64)
    # A GRU may have one of the inputs and one of the hidden state.
    bias_x, bias_h = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
    parts = [np.split(part, len(_NAMES[kind]), axis=-1) for part in (of_x, of_h, bias_x, bias_h)]
    gates = {name: Weights(*each) for name, *each in zip(_NAMES[kind], *parts, strict=True)}
    if kind is keras.layers.LSTMCell:
        return lstm_cell(gates, inner, outer)
    if kind is keras.layers.GRUCell:
        return gru_cell(gates, inner, outer, cell.reset_after)
    return SimpleCell(gates[""].gate("", outer), len(of_x))


def _activation(function: Any) -> Activation | None:
    if function is None:
        return Activation("linear")
    x = keras.ops.convert_to_tensor(_TRIED, "float32")
    return elementwise(function, x, function(x), str(getattr(function, "__name__", "activation")))


def _begun(cell: Cell, n: int, given: Sequence[Array]) -> tuple[Array, Array]:
    """The state before the first step."""
    state = given or [np.zeros((n, cell.n_hidden)), np.zeros((n, cell.n_cell))]
    return state[0], state[1] if len(state) > 1 else np.zeros((n, 0))


@contextmanager
def _set(layer: Any, **values: Any) -> Iterator[None]:
    """Within this, a layer has other attributes, past what Keras tracks."""
    before = {name: layer.__dict__[name] for name in values}
    layer.__dict__.update(values)
    try:
        yield
    finally:
        layer.__dict__.update(before)
