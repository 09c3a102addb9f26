"""Recurrent cells: what one step makes of an input and of the state before, as the dense maps that it consists of.

All frameworks have the same three cells, with their gates in different orders. An adapter makes one of these classes of
the numbers that its framework holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ei_fast.adapters.graph.view import Array
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range, hull_of
from ei_fast.network.layer import Layer
from ei_fast.network.reach import derived_range

SIGMOID, TANH, LINEAR = Activation("sigmoid"), Activation("tanh"), Activation("linear")

Found = dict[str, Array]
"""What a step computes with, (m, n) each: "x", the hidden state "h", the cell state "c", and what follows of them."""


@dataclass(frozen=True, eq=False)
class Gate:
    """A dense map of a cell: activation(inputs @ weight + bias).

    Attributes
    ----------
    name : str
        What it is called in its cell; "" where the cell is nothing else.
    weight : ndarray (n_in, n_out)
    bias : ndarray (n_out,)
    activation : Activation
    reads : tuple of str
        What its inputs are, one after the other: names of a `Found`.
    """

    name: str
    weight: Array
    bias: Array
    activation: Activation
    reads: tuple[str, ...] = ("x", "h")

    @property
    def n_out(self) -> int:
        return len(self.bias)

    def sums(self, x: Array) -> Array:
        """What the activation is given."""
        made: Array = x @ self.weight + self.bias
        return made

    def __call__(self, x: Array) -> Array:
        return self.activation(self.sums(x))

    def size_of(self, largest: Array) -> float:
        """Bound on the terms of any of its sums, for inputs that are no larger than this, (n_in,)."""
        return float(np.max(largest @ np.abs(self.weight) + np.abs(self.bias)))


@dataclass(frozen=True, eq=False)
class ResetGate:
    """The new gate of a GRU that resets what comes of the hidden state: activation(x W + b + r (h U + d)).

    It is no dense layer, since the reset gate r multiplies a sum: a function of the input, the hidden state and r.
    """

    name: str
    of_input: Gate
    of_hidden: Gate
    activation: Activation
    reads: tuple[str, ...] = ("x", "h", "r")

    @property
    def n_out(self) -> int:
        return self.of_input.n_out

    def __call__(self, x: Array) -> Array:
        n_in, n_hidden = len(self.of_input.weight), len(self.of_hidden.weight)
        of_input, of_hidden = self.of_input(x[:, :n_in]), self.of_hidden(x[:, n_in : n_in + n_hidden])
        return self.activation(of_input + x[:, n_in + n_hidden :] * of_hidden)

    def size_of(self, largest: Array) -> float:
        """As of a `Gate`; the reset gate is at most as large as it was seen to be."""
        n_in, n_hidden = len(self.of_input.weight), len(self.of_hidden.weight)
        hidden = self.of_hidden.size_of(largest[n_in : n_in + n_hidden])
        return self.of_input.size_of(largest[:n_in]) + hidden * float(np.max(largest[n_in + n_hidden :]))

    def size_of_sums(self, x: Array) -> float:
        """Largest sum of the sizes of what a pre-activation adds up."""
        return self.size_of(np.abs(x).max(axis=0))


Map = Gate | ResetGate


class Cell:
    """What is done at each step of a sequence.

    Attributes
    ----------
    maps : tuple of Gate or ResetGate
        In the order in which a report lists them.
    n_in, n_hidden, n_cell : int
        Numbers of inputs, and of what the hidden state and the cell state are; 0 where there is no cell state.
    """

    n_in: int

    @property
    def maps(self) -> tuple[Map, ...]:
        raise NotImplementedError

    @property
    def n_hidden(self) -> int:
        raise NotImplementedError

    @property
    def n_cell(self) -> int:
        return 0

    def step(self, found: Found) -> list[Array]:
        """What each of the maps gives, from "x", "h" and, where there is one, "c".

        What else they read is added to `found`, and so is the state that follows: "next h", and "next c".
        """
        raise NotImplementedError

    @property
    def out_range(self) -> Range | None:
        """What the hidden state lies in after a step, unless it began elsewhere; None where it is not bounded."""
        raise NotImplementedError

    def range_of(self, what: str, hidden: Range) -> Range | None:
        """The range of what a map reads beside inputs and hidden state; None where it is not bounded."""
        return None


@dataclass(frozen=True, eq=False)
class SimpleCell(Cell):
    """h' = activation(x W + h U + b)."""

    gate: Gate
    n_in: int

    @property
    def maps(self) -> tuple[Map, ...]:
        return (self.gate,)

    @property
    def n_hidden(self) -> int:
        return self.gate.n_out

    def step(self, found: Found) -> list[Array]:
        made = _made(self.gate, found)
        found["next h"] = made
        return [made]

    @property
    def out_range(self) -> Range | None:
        return bounded(self.gate.activation)


@dataclass(frozen=True, eq=False)
class LSTMCell(Cell):
    """c' = f c + i g and h' = o activation(c'), behind which a projection may stand.

    Attributes
    ----------
    input_gate, forget_gate, cell_gate, output_gate : Gate
        They may read "c" as well, the last "next c": peepholes.
    activation : Activation
        Of the cell state.
    projection : Gate, optional
        Reads "m", o activation(c').
    """

    input_gate: Gate
    forget_gate: Gate
    cell_gate: Gate
    output_gate: Gate
    n_in: int
    activation: Activation = TANH
    projection: Gate | None = None

    @property
    def maps(self) -> tuple[Map, ...]:
        gates = (self.input_gate, self.forget_gate, self.cell_gate, self.output_gate)
        return gates if self.projection is None else (*gates, self.projection)

    @property
    def n_hidden(self) -> int:
        return self.n_cell if self.projection is None else self.projection.n_out

    @property
    def n_cell(self) -> int:
        return self.input_gate.n_out

    def step(self, found: Found) -> list[Array]:
        i, f, g = (_made(gate, found) for gate in (self.input_gate, self.forget_gate, self.cell_gate))
        found["next c"] = f * found["c"] + i * g
        o = _made(self.output_gate, found)
        found["next h"] = found["m"] = o * self.activation(found["next c"])
        if self.projection is None:
            return [i, f, g, o]
        found["next h"] = _made(self.projection, found)
        return [i, f, g, o, found["next h"]]

    @property
    def _range_within(self) -> Range | None:
        """Of o activation(c')."""
        return _product(bounded(self.output_gate.activation), bounded(self.activation))

    @property
    def out_range(self) -> Range | None:
        within, projection = self._range_within, self.projection
        if within is None or projection is None:
            return within
        # As of any linear layer: what it reaches.
        reached: Range = hull_of(derived_range(Layer(projection.weight, None, LINEAR), within, "auto"))
        return reached

    def range_of(self, what: str, hidden: Range) -> Range | None:
        return self._range_within if what == "m" else None


@dataclass(frozen=True, eq=False)
class GRUCell(Cell):
    """h' = (1 - z) n + z h."""

    reset_gate: Gate
    update_gate: Gate
    new_gate: Map
    n_in: int

    @property
    def maps(self) -> tuple[Map, ...]:
        return self.reset_gate, self.update_gate, self.new_gate

    @property
    def n_hidden(self) -> int:
        return self.new_gate.n_out

    def step(self, found: Found) -> list[Array]:
        r, z = _made(self.reset_gate, found), _made(self.update_gate, found)
        found["r"], found["rh"] = r, r * found["h"]
        n = _made(self.new_gate, found)
        found["next h"] = (1.0 - z) * n + z * found["h"]
        return [r, z, n]

    @property
    def out_range(self) -> Range | None:
        # Between the state before, which begins at 0, and n, if z is a share.
        share, new = bounded(self.update_gate.activation), bounded(self.new_gate.activation)
        if share is None or new is None or not 0.0 <= share[0] <= share[1] <= 1.0:
            return None
        return min(new[0], 0.0), max(new[1], 0.0)

    def range_of(self, what: str, hidden: Range) -> Range | None:
        reset = bounded(self.reset_gate.activation)
        return reset if what == "r" else _product(reset, hidden)


class Weights(NamedTuple):
    """Of a gate: weights of the input and of the hidden state, (n, n_out) each, and the biases of both, (n_out,)."""

    of_x: Array
    of_h: Array
    bias_x: Array
    bias_h: Array

    def gate(self, name: str, activation: Activation, reads: tuple[str, str] = ("x", "h")) -> Gate:
        """The dense map of both, one after the other."""
        return Gate(name, np.vstack([self.of_x, self.of_h]), self.bias_x + self.bias_h, activation, reads)


def gru_cell(gates: Mapping[str, Weights], inner: Activation, outer: Activation, reset_after: bool) -> GRUCell:
    """A cell from the weights of "reset_gate", "update_gate" and "new_gate", and the activations of gates and state.

    Parameters
    ----------
    reset_after : bool
        Whether what comes of the hidden state is reset, or the hidden state itself.
    """
    reset, update = (gates[name].gate(name, inner) for name in ("reset_gate", "update_gate"))
    new = gates["new_gate"]
    if reset_after:
        parts = Gate("", new.of_x, new.bias_x, LINEAR, ("x",)), Gate("", new.of_h, new.bias_h, LINEAR, ("h",))
        return GRUCell(reset, update, ResetGate("new_gate", *parts, outer), len(new.of_x))
    return GRUCell(reset, update, new.gate("new_gate", outer, ("x", "rh")), len(new.of_x))


def lstm_cell(
    gates: Mapping[str, Weights], inner: Activation, outer: Activation, projection: Array | None = None
) -> LSTMCell:
    """A cell from the weights of "input_gate", "forget_gate", "cell_gate" and "output_gate".

    Parameters
    ----------
    inner, outer : Activation
        Of gates, and of the cell gate and the cell state.
    projection : ndarray (n, n_out), optional
        Weights of a projection.
    """
    made = {name: weights.gate(name, outer if name == "cell_gate" else inner) for name, weights in gates.items()}
    n_in = len(gates["input_gate"].of_x)
    if projection is None:
        return LSTMCell(**made, n_in=n_in, activation=outer)
    behind = Gate("projection", projection, np.zeros(projection.shape[1]), LINEAR, ("m",))
    return LSTMCell(**made, n_in=n_in, activation=outer, projection=behind)


@dataclass(frozen=True, eq=False)
class Unrolled:
    """Several steps of a cell as one map: from their inputs and the state before to the hidden state behind them."""

    cell: Cell
    steps: int
    reads: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reads", ("h", "c") if self.cell.n_cell else ("h",))

    @property
    def n_in(self) -> int:
        return self.steps * self.cell.n_in + self.cell.n_hidden + self.cell.n_cell

    def __call__(self, x: Array) -> Array:
        cell, of_inputs = self.cell, self.steps * self.cell.n_in
        state = {"h": x[:, of_inputs : of_inputs + cell.n_hidden], "c": x[:, of_inputs + cell.n_hidden :]}
        for k in range(self.steps):
            found = {"x": x[:, k * cell.n_in : (k + 1) * cell.n_in], **state}
            cell.step(found)
            state = {"h": found["next h"], "c": found.get("next c", state["c"])}
        return state["h"]

    def size_of_sums(self, x: Array) -> float:
        """Largest sum of the sizes of what a pre-activation of the last step adds up, roughly."""
        cell = self.cell
        largest = np.abs(x).max(axis=0)
        of_inputs = largest[: self.steps * cell.n_in].reshape(self.steps, cell.n_in).max(axis=0)
        hidden = np.maximum(largest[self.steps * cell.n_in :][: cell.n_hidden], np.abs(self(x)).max(axis=0))
        both = np.concatenate([of_inputs, hidden])
        sizes = [gate.size_of(both) for gate in cell.maps if gate.reads == ("x", "h")]
        return self.steps * max([*sizes, float(largest.max())])


def _made(gate: Map, found: Found) -> Array:
    return gate(joined(gate.reads, found))


def joined(reads: Sequence[str], found: Found) -> Array:
    """What a map reads, side by side."""
    return np.hstack([found[what] for what in reads])


def bounded(activation: Activation) -> Range | None:
    """The codomain of an activation, where it is bounded."""
    low, high = activation.codomain
    return (low, high) if np.isfinite(low) and np.isfinite(high) else None


def _product(one: Range | None, other: Range | None) -> Range | None:
    if one is None or other is None:
        return None
    ends = [a * b for a in one for b in other]
    return min(ends), max(ends)
