"""Operators RNN, LSTM and GRU of ONNX: their cells, and what these did at each step.

Weights are (directions, gates * n, n_in): those of an LSTM in the order i, o, f, c, those of a GRU in the order z, r,
h.
Sequences are (time, batch, n), or (batch, time, n) where `layout` is 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from ei_fast.adapters.graph import spread
from ei_fast.adapters.graph.cells import Cell, LSTMCell, SimpleCell, Weights, gru_cell, lstm_cell
from ei_fast.adapters.graph.passages import MOST_SAMPLES, Passage, Step
from ei_fast.adapters.onnx.names import Names
from ei_fast.network.activations import Activation

Array = NDArray[np.float64]

GATES = {
    "LSTM": ("input_gate", "output_gate", "forget_gate", "cell_gate"),
    "GRU": ("update_gate", "reset_gate", "new_gate"),
    "RNN": ("",),
}
"""Operators, and their gates in the order of their weights."""

STATES = ("h", "h", "c")
"""What their outputs are made of."""

MOVES = {
    "Transpose", "Squeeze", "Unsqueeze", "Gather", "GatherND", "GatherElements", "Slice", "Split", "Concat", "Reshape",
    "Flatten", "Identity", "Expand", "Tile", "Cast", "ReverseSequence",
}  # fmt: skip
"""Operators of which all numbers are among those that they are given."""

_ACTIVATIONS = {
    "LSTM": ("Sigmoid", "Tanh", "Tanh"),
    "GRU": ("Sigmoid", "Tanh"),
    "RNN": ("Tanh",),
}
_KNOWN = {name.lower(): name.lower() for name in ("Sigmoid", "Tanh", "Relu", "Softsign", "Softplus")}


@dataclass(frozen=True)
class Sequences:
    """A node that takes cells through sequences.

    Attributes
    ----------
    kind, name : str
    attributes : dict
    inputs : sequence of ndarray or None
        X, W, R, B, lengths, the state before, and peepholes; missing ones are None.
    outputs : sequence of ndarray or None
        Hidden states at all steps, and the states behind.
    moving : sequence of bool
        Which of the inputs depend on the model's.
    batches : int
        How often the model was run, each time on one sample; 1 where it was run on all at once.
    """

    kind: str
    name: str
    attributes: Mapping[str, Any]
    inputs: Sequence[NDArray[Any] | None]
    outputs: Sequence[NDArray[Any] | None]
    moving: Sequence[bool]
    batches: int = 1

    def passages(self, numbers: tuple[int, ...]) -> list[Passage] | None:
        """Its cells and their passages through values of these numbers; None where they are not known."""
        cells = self._cells()
        x, gave = self._input(0), self.outputs[0]
        if cells is None or x is None or gave is None or any(self.moving[1:4]):
            return None
        x, gave = self._time_first(x), self._time_first(gave)
        rows = spread(x.shape[1], MOST_SAMPLES)
        lengths = self._input(4)
        ends = [None if one is None else self._state(one, True, rows) for one in (*self.outputs[1:3], None, None)][:2]
        states = [
            None if (given := self._input(k)) is None else self._state(given, self.moving[k], rows) for k in (5, 6)
        ]
        found = []
        for k, cell in enumerate(cells):
            backwards = k == 1 or self._text("direction", "forward") == "reverse"
            order = range(len(x))[::-1] if backwards else range(len(x))
            taken = [np.arange(len(rows)) if lengths is None else np.flatnonzero(t < lengths[rows]) for t in order]
            steps = [Step(some, x[t][rows][some], gave[t, k][rows][some]) for t, some in zip(order, taken, strict=True)]
            zeros = np.zeros((len(rows), cell.n_hidden)), np.zeros((len(rows), cell.n_cell))
            h, c = (zero if one is None else one[k] for zero, one in zip(zeros, states, strict=True))
            h_end, c_end = (None if one is None else one[k] for one in ends)
            title = self.name + ("_reverse" if k else "")
            found.append(Passage(cell, title, title, numbers, steps, h, c if cell.n_cell else zeros[1], h_end, c_end))
        return found

    def _input(self, k: int) -> NDArray[Any] | None:
        return self.inputs[k] if k < len(self.inputs) else None

    def _text(self, key: str, default: str) -> str:
        value = self.attributes.get(key, default)
        return value.decode() if isinstance(value, bytes) else value

    def _time_first(self, values: NDArray[Any]) -> Array:
        """As (time, batch, n); of what is given at all steps and directions, (time, directions, batch, n)."""
        values = values.astype(np.float64)
        if self.attributes.get("layout", 0):
            return np.moveaxis(values, 0, -2)
        if self.batches == 1:
            return values
        # Samples that were run one after the other stand one behind the other.
        apart = values.reshape(self.batches, -1, *values.shape[1:])
        return np.moveaxis(apart, 0, -2).squeeze(-3) if apart.ndim == 4 else np.moveaxis(apart[..., 0, :], 0, -2)

    def _state(self, values: NDArray[Any], moves: bool, rows: NDArray[np.intp]) -> Array:
        """A state as (directions, rows, n)."""
        values = values.astype(np.float64)
        if self.attributes.get("layout", 0):
            values = values.swapaxes(0, 1)
        if self.batches > 1:
            apart = values.reshape(self.batches, -1, values.shape[-1]) if moves else values.swapaxes(0, 1)
            values = np.broadcast_to(apart, (self.batches, *apart.shape[1:])).swapaxes(0, 1)
        return values[:, rows]

    def _cells(self) -> list[Cell] | None:
        """One for each direction."""
        weights, recurrent, bias, peepholes = (self._input(k) for k in (1, 2, 3, 7))
        if weights is None or recurrent is None or "clip" in self.attributes or self.attributes.get("input_forget", 0):
            return None
        several = len(weights)
        named = [one.decode() if isinstance(one, bytes) else one for one in self.attributes.get("activations", ())]
        named = named or list(_ACTIVATIONS[self.kind]) * several
        told = any(self.attributes.get(key) for key in ("activation_alpha", "activation_beta"))
        if told or any(name.lower() not in _KNOWN for name in named):
            return None
        each = len(named) // several
        cells = []
        for k in range(several):
            activations = [Activation(_KNOWN[name.lower()]) for name in named[k * each : (k + 1) * each]]
            cell = self._cell(weights[k], recurrent[k], None if bias is None else bias[k], activations)
            cells.append(cell if peepholes is None else _with_peepholes(cell, peepholes[k]))
        return cells

    def _cell(
        self, of_x: NDArray[Any], of_h: NDArray[Any], bias: NDArray[Any] | None, activations: Sequence[Activation]
    ) -> Cell:
        names = GATES[self.kind]
        n = len(of_x)
        biases = np.zeros(2 * n) if bias is None else bias.astype(np.float64)
        parts = [
            np.split(one, len(names), axis=-1)
            for one in (of_x.T.astype(np.float64), of_h.T.astype(np.float64), biases[:n], biases[n:])
        ]
        gates = {name: Weights(*each) for name, *each in zip(names, *parts, strict=True)}
        if self.kind == "LSTM":
            inner, outer, of_state = activations
            return replace(lstm_cell(gates, inner, outer), activation=of_state)
        if self.kind == "GRU":
            inner, outer = activations
            return gru_cell(gates, inner, outer, bool(self.attributes.get("linear_before_reset", 0)))
        return SimpleCell(gates[""].gate("", activations[0]), of_x.shape[1])


def _with_peepholes(cell: Cell, weights: NDArray[Any]) -> LSTMCell:
    """An LSTM whose gates see the cell state, each number its own: the output gate the one behind the step."""
    assert isinstance(cell, LSTMCell)
    of_input, of_output, of_forget = np.split(weights.astype(np.float64), 3)
    seen = ("input_gate", of_input, "c"), ("output_gate", of_output, "next c"), ("forget_gate", of_forget, "c")
    return replace(
        cell,
        **{
            name: replace(
                getattr(cell, name),
                weight=np.vstack([getattr(cell, name).weight, np.diag(part)]),
                reads=("x", "h", state),
            )
            for name, part, state in seen
        },
    )


def titles(nodes: Sequence[onnx.NodeProto], names: Names) -> dict[int, str]:
    """What the nodes that take cells through sequences are called, by their place: as PyTorch calls their layers."""
    found: dict[int, str] = {}
    met: dict[str, int] = {}
    for place, node in enumerate(nodes):
        if node.op_type not in GATES:
            continue
        module = names.module_of(node)
        if module is None:
            found[place] = node.name.strip("/") or f"{node.op_type}{'' if not found else len(found)}"
            continue
        # A module of several layers is exported as several nodes.
        found[place] = f"{module}.l{met.get(module, 0)}"
        met[module] = met.get(module, 0) + 1
    return found
