"""From what a model was seen to do with its inputs to a `Network`, and the proof that the two agree.

An adapter watches a model run and writes down every operation on values that depend on the input. Here those
are put together to layers: a dense map, what can be folded into it, and its activation. Whatever else there is
stands in `skipped` with a reason, and the layer after it starts anew: its inputs are not the outputs of the one before.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, logsumexp, softmax

from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range
from ei_fast.network.layer import Function, Layer
from ei_fast.network.network import Network

Array = NDArray[np.float64]
Step = tuple[Hashable, ...]
LINEAR = Activation("linear")


@dataclass(frozen=True, eq=False)
class Dense:
    """x @ weight + bias; weight (n_in, n_out)."""

    weight: Array
    bias: Array


@dataclass(frozen=True, eq=False)
class Affine:
    """scale * x + shift, neuron by neuron; each (n,) or a number."""

    scale: Array
    shift: Array


@dataclass(frozen=True)
class Pointwise:
    """An activation."""

    activation: Activation


@dataclass(frozen=True)
class Softmax:
    """Softmax over the neurons, or its logarithm."""

    log: bool = False


@dataclass(frozen=True)
class Same:
    """The values as they are, perhaps in another shape."""


@dataclass(frozen=True, eq=False)
class Block:
    """Part of the model that is measured as one map."""

    function: Function


@dataclass(frozen=True)
class Unknown:
    """Anything else, and why it is no layer."""

    reason: str


@dataclass(frozen=True, eq=False)
class Op:
    """One operation: which values it reads and writes, by number."""

    name: str
    does: Dense | Affine | Pointwise | Softmax | Same | Block | Unknown
    reads: tuple[int, ...]
    writes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Recording:
    """One run of a model.

    Attributes
    ----------
    ops : list of Op
        In the order in which they were done.
    values : dict of ndarray
        By number, (rows, ..., neurons). The model's input is number 0.
    outputs : tuple of int
        Numbers of the values that the model returns.
    path : tuple of tuple
        What was done, each time beginning with a name, for comparison with another run.
    """

    ops: list[Op]
    values: dict[int, Array]
    outputs: tuple[int, ...]
    path: tuple[Step, ...]

    def rows(self, value: int, width: int) -> Array:
        """A value as (rows, width)."""
        return self.values[value].reshape(-1, width)


@dataclass(frozen=True, eq=False)
class Piece:
    """A layer and where it is in the model: from the value `start` to the value `end`."""

    layer: Layer | Function
    start: int
    end: int


@dataclass
class SoftmaxOf:
    """A dense layer that ends in softmax, as the function of a `Function`: no output depends on its own sum alone."""

    linear: Layer
    log: bool = False

    @property
    def n_in(self) -> int:
        return self.linear.n_in

    @property
    def name(self) -> str | None:
        return self.linear.name

    def __call__(self, x: Array) -> Array:
        y = self.linear(x)
        return log_softmax(y, axis=1) if self.log else softmax(y, axis=1)

    def function(self, in_range: Range) -> Function:
        """The layer over inputs in `in_range`: its outputs' range is (0, 1), or for the logarithm their hull."""
        linear = self.linear
        out_range = (0.0, 1.0)
        if self.log:
            smallest, largest = linear.preactivation_hull(in_range)
            # An output is smallest where its own sum is, and all others are largest.
            others = np.where(np.eye(linear.n_out, dtype=bool), smallest[:, None], largest[None, :])
            low = float(np.min(smallest - logsumexp(others, axis=1)))
            out_range = (min(low, -1e-9), 0.0)
        return Function(self, linear.n_in, linear.n_out, out_range, name=linear.name)


@dataclass
class _Assembly:
    """Layers found so far."""

    recording: Recording
    in_range: Range
    pieces: list[Piece] = field(default_factory=list)
    restarts: list[int] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def add(self, layer: Layer | Function | SoftmaxOf, start: int, end: int) -> None:
        # Behind a value of another width, as that of one token of many, a layer starts anew as well.
        width = self.pieces[-1].layer.n_out if self.pieces else layer.n_in
        follows = start == (self.pieces[-1].end if self.pieces else 0) and layer.n_in == width
        own_range = None if follows else self.in_range if start == 0 else self._seen(start, layer.name)
        if isinstance(layer, SoftmaxOf):
            layer = layer.function(own_range or self._range_before())
        if own_range is not None:
            layer = layer.over(own_range)
            self.restarts.append(len(self.pieces))
            if self.skipped and start != 0:
                name, reason = self.skipped[-1]
                seen = f"the inputs of {layer.name!r} after it are binned over the range seen for random inputs"
                self.skipped[-1] = (name, f"{reason}; {seen}")
        self.pieces.append(Piece(layer, start, end))

    def network(self) -> Network:
        network = Network([piece.layer for piece in self.pieces], self.in_range, self.restarts)
        network.skipped = self.skipped
        return network

    def _range_before(self) -> Range:
        return self.network().ranges()[-1][1] if self.pieces else self.in_range

    def _seen(self, value: int, name: str | None) -> Range:
        """Hull of what the neurons of a value were seen to be, widened where it is one point."""
        seen = self.recording.values[value]
        if not seen.size or not np.isfinite(seen).all():
            what = "not finite" if seen.size else "missing"
            after = f" (after {self.skipped[-1][0]!r})" if self.skipped else ""
            raise ValueError(
                f"The inputs of layer {name!r}{after} are {what} where the model runs on random inputs, so that its "
                "range cannot be told. Give an 'in_range' on which they are numbers."
            )
        low, high = float(seen.min()), float(seen.max())
        return (low, high) if high > low else (low - 0.5, high + 0.5)


def assemble(recording: Recording, in_range: Range) -> tuple[Network, list[Piece]]:
    """The network in a recording whose inputs were drawn from `in_range`, and where its layers are.

    Raises
    ------
    TypeError
        Where nothing was found that can be measured.
    """
    ops, dead = _alive(recording)
    readers = _Readers(ops, recording)
    # Where a value comes from: an earlier one, and the affine maps on the way from there.
    origin: dict[int, tuple[int, tuple[Op, ...]]] = {0: (0, ())}
    done: set[Op] = set()
    found = _Assembly(recording, in_range)
    for op in ops:
        if op in done:
            continue
        if not isinstance(op.does, Affine):
            done.add(op)
        start, affines = origin.get(op.reads[0], (op.reads[0], ())) if op.reads else (-1, ())
        if isinstance(op.does, Same) and not (affines and readers.change_width(op)):
            origin[op.writes[0]] = (start, affines)
        elif isinstance(op.does, Affine):
            origin[op.writes[0]] = (start, (*affines, op))
        elif isinstance(op.does, Dense):
            done.update(affines)
            layer, end = _dense_layer(op, affines, readers, done)
            found.add(layer, start, end)
            origin[end] = (end, ())
        elif isinstance(op.does, Block) and not affines:
            end = _through_same(op.writes[0], readers, done)
            found.add(op.does.function, start, end)
            origin[end] = (end, ())
        else:
            found.skipped.append((op.name, _why_skipped(op)))
    unread = "nothing that the model returns was seen to depend on it"
    found.skipped += [(op.name, unread) for op in dead if isinstance(op.does, (Dense, Block))]
    # Affine maps that no dense layer took in.
    found.skipped += [(op.name, _why_skipped(op)) for op in ops if op not in done]
    if not found.pieces:
        raise TypeError(
            "The model has no dense layer that could be measured. It has "
            + ("; ".join(f"{name}: {reason}" for name, reason in found.skipped) or "nothing that depends on its input")
            + "."
        )
    network = found.network()
    # Under the names that the layers have in the network: one that is used twice has two.
    pieces = [Piece(layer, piece.start, piece.end) for layer, piece in zip(network, found.pieces, strict=True)]
    return network, pieces


def verify(pieces: Sequence[Piece], recordings: Sequence[Recording], digits: float, eps: float) -> None:
    """Raise ValueError where a layer does not do what the model was seen to do.

    Parameters
    ----------
    digits : float
        What rounding may make of a sum of products, as a share of the sum of their sizes.
    eps : float
        Of the arithmetic that the model ran in: what rounding may make of an output, as a share of it.
    """
    first = recordings[0]
    for other in recordings[1:]:
        if other.path != first.path:
            raise ValueError(
                f"The model does not do the same for all inputs: {_where_they_part(first.path, other.path)}. "
                "Name the module that decides in 'blocks' to measure it whole, or use verify=False to measure what it "
                "does inside in_range."
            )
    for piece in pieces:
        for recording in recordings:
            layer = piece.layer
            x, expected = recording.rows(piece.start, layer.n_in), recording.rows(piece.end, layer.n_out)
            allowed = digits * _size_of_sums(layer, x, expected) + 64 * eps * np.max(np.abs(expected), initial=0.0)
            off = np.abs(layer(x) - expected)
            if not np.all(off <= allowed):
                raise ValueError(
                    f"Layer {layer.name!r} as extracted differs from the model's by up to {np.max(off):.3g} on random "
                    "inputs: it would be measured wrongly. Name it, or the module around it, in 'blocks' to measure it "
                    "as it runs."
                )
            if isinstance(layer, Function):
                _check_row_by_row(layer, x, expected, allowed)


def _size_of_sums(layer: Layer | Function, x: Array, expected: Array) -> float:
    """Largest sum of the sizes of what a pre-activation adds up; of a map that shows none, the size of its outputs."""
    linear = layer if isinstance(layer, Layer) else getattr(layer.fn, "linear", None)
    if linear is None:
        return float(np.max(np.abs(expected), initial=0.0))
    return float(np.max(np.abs(x) @ np.abs(linear.weight) + np.abs(linear.bias), initial=0.0))


def _check_row_by_row(layer: Function, x: Array, expected: Array, allowed: float) -> None:
    """Raise ValueError where what a map makes of a row depends on the other rows, or on their number."""
    few = len(x) // 3
    again = np.concatenate([layer(x[:few]), layer(x[few:][::-1])[::-1]])
    if not np.all(np.abs(again - expected) <= allowed):
        raise ValueError(
            f"The block {layer.name!r} must map every row by itself. What it makes of one depends on the others, or on "
            "what it did before. It has no effective information; name a smaller block."
        )


def _alive(recording: Recording) -> tuple[list[Op], list[Op]]:
    """The operations on which the outputs depend, and the others."""
    needed = set(recording.outputs)
    alive, dead = [], []
    for op in reversed(recording.ops):
        if needed.intersection(op.writes):
            needed.update(op.reads)
            alive.append(op)
        else:
            dead.append(op)
    return alive[::-1], dead[::-1]


class _Readers:
    """Who reads which value."""

    def __init__(self, ops: Sequence[Op], recording: Recording):
        self._recording = recording
        self._of: dict[int, list[Op]] = {}
        for op in ops:
            for value in op.reads:
                self._of.setdefault(value, []).append(op)

    def only(self, value: int) -> Op | None:
        """The one operation that reads a value which nobody else sees: what is returned is seen by the user."""
        readers = self._of.get(value, ())
        return readers[0] if len(readers) == 1 and value not in self._recording.outputs else None

    def width(self, value: int) -> int:
        """Numbers along the last axis of a value."""
        return self._recording.values[value].shape[-1] if self._recording.values[value].ndim else 0

    def change_width(self, op: Op) -> bool:
        """Whether what an operation writes has another width than what it reads."""
        return self.width(op.reads[0]) != self.width(op.writes[0])


def _dense_layer(op: Op, before: tuple[Op, ...], readers: _Readers, done: set[Op]) -> tuple[Layer | SoftmaxOf, int]:
    """The layer that begins with a dense map, and the value at which it ends."""
    assert isinstance(op.does, Dense)
    weight, bias = op.does.weight, op.does.bias
    for earlier in reversed(before):
        assert isinstance(earlier.does, Affine)
        bias = bias + np.broadcast_to(earlier.does.shift, weight.shape[:1]) @ weight
        weight = np.reshape(earlier.does.scale, (-1, 1)) * weight
    activation, log = LINEAR, None
    end = _through_same(op.writes[0], readers, done)
    while (following := readers.only(end)) is not None:
        does = following.does
        if isinstance(does, Affine):
            weight, bias = weight * does.scale, bias * does.scale + does.shift
        elif isinstance(does, Pointwise):
            activation = does.activation
        elif isinstance(does, Softmax) and readers.width(end) == weight.shape[1]:
            log = does.log
        else:
            break
        done.add(following)
        end = _through_same(following.writes[0], readers, done)
        if not isinstance(does, Affine):
            break
    layer = Layer(weight, bias, activation, name=op.name)
    return (layer if log is None else SoftmaxOf(layer, log)), end


def _through_same(value: int, readers: _Readers, done: set[Op]) -> int:
    """The value behind all that leave it as it is and are its only readers."""
    while (reader := readers.only(value)) is not None and isinstance(reader.does, Same):
        done.add(reader)
        value = reader.writes[0]
    return value


def _why_skipped(op: Op) -> str:
    if isinstance(op.does, Unknown):
        return op.does.reason
    what = {
        Affine: "a scale and shift that belongs to no dense layer",
        Pointwise: "an activation that follows no dense layer",
        Softmax: "a softmax that follows no dense layer",
        Block: "a block whose inputs are scaled and shifted on the way to it",
        Same: "another shape of values that are scaled and shifted",
    }
    return f"{what[type(op.does)]}: name what holds it in 'blocks' to measure it"


def _where_they_part(one: Sequence[Step], other: Sequence[Step]) -> str:
    after = "the input"
    for first, second in zip_longest(one, other):
        if first != second:
            break
        after = repr(first[0])
    told = " or ".join("ended" if step is None else f"went on with {step[0]!r}" for step in (first, second))
    return f"after {after} it {told}"
