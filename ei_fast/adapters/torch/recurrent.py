"""Recurrent layers and cells of PyTorch, whose weights lie one gate below the other: (gates * n, n_in)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ei_fast.adapters.graph.cells import SIGMOID, TANH, Cell, SimpleCell, gru_cell, lstm_cell
from ei_fast.adapters.graph.cells import Weights as GateWeights
from ei_fast.adapters.graph.passages import MOST_SAMPLES, Passage, Step
from ei_fast.adapters.graph.window import spread
from ei_fast.adapters.torch.call import Call, numbers_of
from ei_fast.network.activations import Activation

Array = NDArray[np.float64]

SEQUENCES = ("lstm", "gru", "rnn_tanh", "rnn_relu")
"""Functions that take cells through sequences, in several layers and both directions."""

CELLS = ("lstm_cell", "gru_cell", "rnn_tanh_cell", "rnn_relu_cell")
"""Functions of one step."""

MOVES = {
    "getitem", "select", "narrow", "index_select", "transpose", "swapaxes", "swapdims", "permute", "movedim",
    "moveaxis", "t", "chunk", "split", "split_with_sizes", "tensor_split", "unbind", "unsafe_chunk", "unsafe_split",
    "stack", "cat", "concat", "concatenate", "hstack", "vstack", "dstack", "squeeze", "unsqueeze", "flatten",
    "unflatten", "view", "reshape", "flip", "contiguous", "clone", "detach", "expand", "expand_as", "repeat", "gather",
    "take_along_dim", "pack_padded_sequence", "pad_packed_sequence", "to", "float", "double", "roll",
}  # fmt: skip
"""Functions of which all numbers are among those that they are given, or 0 beside them."""


@dataclass
class Known:
    """Cells that were met, so that the weights of one that is called at every step are read once."""

    _of: dict[tuple[int, ...], tuple["Weights", Cell, bytes]] = field(default_factory=dict)

    def cell(self, kind: str, weights: "Weights") -> tuple[Cell, bytes]:
        """The cell that has these weights, and what tells it from others, wherever its tensors are."""
        key = tuple(id(tensor) for tensor in weights)
        if key not in self._of:
            digest = blake2b(kind.encode())
            for tensor in weights:
                digest.update(b"-" if tensor is None else np.ascontiguousarray(numbers_of(tensor)).tobytes())
            # Tensors are kept, so that none is taken for another that had its place in memory.
            self._of[key] = weights, cell_of(kind, weights), digest.digest()
        return self._of[key][1:]

    def passage(self, name: str, kind: str, weights: "Weights", **way: Any) -> Passage:
        """A way of the cell that has these weights."""
        cell, digest = self.cell(kind, weights)
        return Passage(cell, name, (name, digest), (), **way)


class Weights(NamedTuple):
    """Of a layer in one direction, as PyTorch has them; None where there are none."""

    of_x: torch.Tensor
    of_h: torch.Tensor
    bias_x: torch.Tensor | None
    bias_h: torch.Tensor | None
    projection: torch.Tensor | None = None


@dataclass(frozen=True)
class Layers:
    """What a function that takes cells through sequences was called with, and what it gave.

    Attributes
    ----------
    call : Call
    x, h, c : tensor
        Inputs, and states of all layers before them; no cell state where there is none.
    gave : sequence of tensor
        Hidden states of the last layer at all steps, and the states of all layers behind them.
    batch_sizes : tensor, optional
        How many samples take each step, where sequences are packed.
    batch_axis : int
        Of what is not packed, the axis of its samples.
    weights : list of list of Weights
        By layer and direction.
    flat : list of list of tensor
        The weights of a layer in both directions, as they are handed over.
    has_biases : bool
    """

    call: Call
    x: torch.Tensor
    h: torch.Tensor
    c: torch.Tensor | None
    gave: Sequence[torch.Tensor]
    batch_sizes: torch.Tensor | None
    batch_axis: int
    weights: list[list[Weights]]
    flat: list[list[torch.Tensor]]
    has_biases: bool

    def of(self, rows: torch.Tensor) -> "Layers":
        """The same of some samples, told by their numbers in order."""
        c = None if self.c is None else self.c[:, rows]
        if self.batch_sizes is None:
            x, out = (one.index_select(self.batch_axis, rows) for one in (self.x, self.gave[0]))
            sizes = None
        else:
            at, sizes = _packed_places(self.batch_sizes, rows)
            x, out = self.x[at], self.gave[0][at]
        return replace(
            self, x=x, h=self.h[:, rows], c=c, batch_sizes=sizes, gave=[out, *(one[:, rows] for one in self.gave[1:])]
        )

    def run(self, x: torch.Tensor, layer: int) -> torch.Tensor:
        """What a layer alone makes of inputs."""
        directions = len(self.weights[layer])
        mine = slice(layer * directions, (layer + 1) * directions)
        h = self.h[mine].contiguous()
        state = h if self.c is None else (h, self.c[mine].contiguous())
        before = (x,) if self.batch_sizes is None else (x, self.batch_sizes)
        behind = (self.batch_axis == 0,) if self.batch_sizes is None else ()
        told = (self.has_biases, 1, 0.0, False, directions == 2)
        made: torch.Tensor = self.call.function(*before, state, self.flat[layer], *told, *behind)[0]
        return made


class Ran(NamedTuple):
    """One layer that has run: what it gave, and its passages through that."""

    gave: torch.Tensor
    passages: list[Passage]


def layers_of(call: Call, result: Sequence[torch.Tensor]) -> Layers | None:
    """What was called, or None where it draws at random, as dropout does in training."""
    args = call.args
    at = next((k for k in (2, 3) if len(args) > k and isinstance(args[k], (list, tuple)) and _weights(args[k])), None)
    if at is None or call.kwargs or len(args) < at + 6:
        return None
    is_packed = at == 3
    hx, flat, has_biases, n_layers, dropout, train, bidirectional = args[at - 1 : at + 6]
    if train and dropout:
        return None
    h, c = hx if call.name == "lstm" else (hx, None)
    n_directions = 2 if bidirectional else 1
    n_each = len(flat) // (n_layers * n_directions)
    weights = [_named(flat[k : k + n_each], has_biases) for k in range(0, len(flat), n_each)]
    return Layers(
        call,
        args[0],
        h,
        c,
        result,
        args[1] if is_packed else None,
        0 if not is_packed and len(args) > at + 6 and args[at + 6] else 1,
        [weights[k : k + n_directions] for k in range(0, len(weights), n_directions)],
        [list(flat[k : k + n_directions * n_each]) for k in range(0, len(flat), n_directions * n_each)],
        has_biases,
    )


def is_projected(call: Call) -> bool:
    """Whether a call takes LSTMs through sequences that end in a projection, which bounds nothing."""
    layers = layers_of(call, ()) if call.name == "lstm" else None
    return layers is not None and any(one.projection is not None for several in layers.weights for one in several)


def _weights(values: Sequence[Any]) -> bool:
    return len(values) > 1 and all(isinstance(one, torch.Tensor) for one in values) and values[0].dim() == 2


def _named(tensors: Sequence[torch.Tensor], has_biases: bool) -> Weights:
    biases = tensors[2:4] if has_biases else (None, None)
    behind = tensors[4:] if has_biases else tensors[2:]
    return Weights(tensors[0], tensors[1], biases[0], biases[1], behind[0] if behind else None)


def run_layers(known: Known, name: str, layers: Layers) -> list[Ran]:
    """Each layer, of some samples, as the framework itself runs it alone; the last as the model has run it."""
    layers = layers.of(torch.from_numpy(spread(layers.h.shape[1], MOST_SAMPLES)))
    ran, x = [], layers.x
    for number, weights in enumerate(layers.weights):
        is_last = number + 1 == len(layers.weights)
        gave = layers.gave[0] if is_last else layers.run(x, number)
        names = [f"{name}.l{number}", f"{name}.l{number}_reverse"]
        passages = [
            known.passage(names[k], layers.call.name, one, **_way(layers, (number, k), x, gave))
            for k, one in enumerate(weights)
        ]
        ran.append(Ran(gave, passages))
        x = gave
    return ran


def _way(layers: Layers, place: tuple[int, int], x: torch.Tensor, gave: torch.Tensor) -> dict[str, Any]:
    """A layer's way in one direction; `place` is its number, and whether it is that backwards."""
    layer, backwards = place
    which = layer * len(layers.weights[layer]) + backwards
    n_hidden = layers.h.shape[-1]
    made = gave[..., backwards * n_hidden : (backwards + 1) * n_hidden]
    h, ends = _float64(layers.h[which]), [_float64(one[which]) for one in layers.gave[1:]]
    return {
        "steps": _steps(_float64(x), _float64(made), layers, bool(backwards)),
        "h": h,
        "c": np.zeros((len(h), 0)) if layers.c is None else _float64(layers.c[which]),
        "h_end": ends[0],
        "c_end": ends[1] if len(ends) > 1 else None,
    }


def _steps(x: Array, made: Array, layers: Layers, backwards: bool) -> list[Step]:
    if layers.batch_sizes is not None:
        sizes = layers.batch_sizes.tolist()
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        several = [Step(np.arange(n), x[k : k + n], made[k : k + n]) for k, n in zip(starts, sizes, strict=True)]
        return several[::-1] if backwards else several
    if layers.batch_axis == 0:
        x, made = x.swapaxes(0, 1), made.swapaxes(0, 1)
    rows = np.arange(x.shape[1])
    order = range(len(x))[::-1] if backwards else range(len(x))
    return [Step(rows, x[t], made[t]) for t in order]


def _packed_places(batch_sizes: torch.Tensor, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where some samples stand in packed sequences, and how many of them take each step that one of them takes."""
    starts = [0, *batch_sizes.cumsum(0).tolist()]
    places = [start + rows[rows < n] for start, n in zip(starts, batch_sizes.tolist(), strict=False)]
    sizes = torch.tensor([len(one) for one in places if len(one)])
    return torch.cat(places), sizes


def step_of_cell(known: Known, name: str, call: Call, result: torch.Tensor | Sequence[torch.Tensor]) -> Passage | None:
    """The one step that a function of one step has taken, of some samples."""
    if call.kwargs or len(call.args) < 4 or not isinstance(call.args[0], torch.Tensor) or call.args[0].dim() != 2:
        return None
    x, hx, *weights = call.args
    h, c = hx if call.name == "lstm_cell" else (hx, None)
    made, c_end = result if isinstance(result, (tuple, list)) else (result, None)
    of_cell = Weights(weights[0], weights[1], *(weights[2:4] if len(weights) > 3 else (None, None)))
    some = torch.from_numpy(spread(len(x), MOST_SAMPLES))
    before = _float64(x[some]), _float64(h[some]), None if c is None else _float64(c[some])
    way = {
        "steps": [Step(np.arange(len(some)), before[0], _float64(made[some]))],
        "h": before[1],
        "c": np.zeros((len(some), 0)) if before[2] is None else before[2],
        "c_end": None if c_end is None else _float64(c_end[some]),
    }
    return known.passage(name, call.name.removesuffix("_cell"), of_cell, **way)


def of_lengths(call: Call, written: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """What a function that packs or unpacks sequences writes that is told by their lengths alone."""
    return list(written[1:]) if call.name in ("pack_padded_sequence", "pad_packed_sequence") else []


def cell_of(kind: str, weights: Weights) -> Cell:
    """The cell that "lstm", "gru", "rnn_tanh" or "rnn_relu" has with these weights."""
    n_gates = {"lstm": 4, "gru": 3}.get(kind, 1)
    of_x, of_h = (_float64(one).T for one in (weights.of_x, weights.of_h))
    n = of_x.shape[1]
    bias_x, bias_h = (np.zeros(n) if one is None else _float64(one) for one in (weights.bias_x, weights.bias_h))
    parts = [np.split(one, n_gates, axis=-1) for one in (of_x, of_h, bias_x, bias_h)]
    each = [GateWeights(*several) for several in zip(*parts, strict=True)]
    if kind == "gru":
        gates = dict(zip(("reset_gate", "update_gate", "new_gate"), each, strict=True))
        return gru_cell(gates, SIGMOID, TANH, reset_after=True)
    if kind == "lstm":
        gates = dict(zip(("input_gate", "forget_gate", "cell_gate", "output_gate"), each, strict=True))
        return lstm_cell(gates, SIGMOID, TANH, None if weights.projection is None else _float64(weights.projection).T)
    return SimpleCell(each[0].gate("", TANH if kind == "rnn_tanh" else Activation("relu")), len(of_x))


def _float64(tensor: torch.Tensor) -> Array:
    return numbers_of(tensor).astype(np.float64, copy=False)
