"""From what a model was seen to do with its inputs to a `Network`.

Operations are put together to layers: a dense map or a convolution, what can be folded into it, its activation and,
of a convolution, the pool behind it. Whatever else there is stands in `skipped` with a reason, and the layer after it
starts anew: its inputs are not the outputs of the one before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile
from math import prod

import numpy as np

from ei_fast.adapters.maps import PooledOf, SoftmaxOf, pooled, size_pooled
from ei_fast.adapters.operations import (
    Affine,
    Array,
    Block,
    Combine,
    Conv,
    Dense,
    Op,
    Pad,
    Places,
    Pointwise,
    Pool,
    Recording,
    Reduce,
    Same,
    Softmax,
    Unknown,
    Window,
    alive,
)
from ei_fast.adapters.pointwise import put_together
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range, hull_of
from ei_fast.network.layer import Function, Layer
from ei_fast.network.network import Network, feeds

LINEAR = Activation("linear")
_PADDING = -1
# Weights of a convolution at all places that its pool sees.
_MAX_WEIGHTS = 2**24
# Pre-activations for which an activation must be a number.
_TRIED = 4097
# Numbers that the verification of a layer gathers, and products that it takes.
_MAX_GATHERED, _MAX_PRODUCTS = 2**22, 2**31


@dataclass(frozen=True, eq=False)
class Piece:
    """A layer and where it is in the model.

    Attributes
    ----------
    start, end : int
        The values that it begins and ends with.
    inputs, outputs : ndarray of int (m, n_in), (m, n_out)
        Where in a sample of them its inputs and outputs are, at each of the m places where it is.
    """

    layer: Layer | Function
    start: int
    end: int
    inputs: Places
    outputs: Places


@dataclass(frozen=True, eq=False)
class _View:
    """A value as it comes from an earlier one: which of its numbers are where, and the affine maps on the way."""

    source: int
    places: Places
    scale: Array | None = None
    shift: Array | None = None
    by: tuple[Op, ...] = ()

    @classmethod
    def of(cls, value: int, recording: Recording) -> "_View":
        shape = recording.shape(value)
        return cls(value, np.arange(prod(shape)).reshape(shape))

    def after(self, op: Op, shape: tuple[int, ...]) -> "_View":
        """The view of what `op` makes of the value, `shape` being that of a sample of it."""
        does = op.does
        if isinstance(does, Affine):
            scale, shift = (np.broadcast_to(part, shape) for part in (does.scale, does.shift))
            if self.scale is not None and self.shift is not None:
                scale, shift = scale * self.scale, scale * self.shift + shift
            return replace(self, scale=scale, shift=shift, by=(*self.by, op))

        def moved(values: np.ndarray | None, padding: float = np.nan) -> np.ndarray | None:
            if values is None:
                return None
            if isinstance(does, Pad):
                return np.pad(values, does.widths, constant_values=padding)
            order = does.order if isinstance(does, Same) else None
            return values.reshape(shape) if order is None else values.reshape(-1)[order]

        places = moved(self.places, _PADDING)
        assert places is not None
        return _View(self.source, places, moved(self.scale), moved(self.shift), (*self.by, op))

    @property
    def is_identity(self) -> bool:
        """Whether all is in the order that it was in."""
        return np.array_equal(self.places.reshape(-1), np.arange(self.places.size))

    def back(self, values: np.ndarray) -> np.ndarray:
        """What stands at the places of the view, at those of the source; flat."""
        result = np.empty(self.places.size, dtype=values.dtype)
        result[self.places.reshape(-1)] = np.broadcast_to(values, self.places.shape).reshape(-1)
        return result


def assemble(recording: Recording, in_range: Range) -> tuple[Network, list[Piece]]:
    """The network in a recording whose inputs were drawn from `in_range`, and where its layers are.

    Raises
    ------
    TypeError
        Where nothing was found that can be measured.
    """
    recording = put_together(recording)
    ops, dead = alive(recording)
    found = _Assembly(recording, in_range, _Readers(ops, recording))
    for op in ops:
        if op not in found.done:
            found.take(op)
    unread = "nothing that the model returns was seen to depend on it"
    found.skipped += [(op.name, unread) for op in dead if isinstance(op.does, (Dense, Conv, Block))]
    # Affine maps that no layer took in.
    found.skipped += [(op.name, _why_skipped(op, recording)) for op in ops if op not in found.done]
    measured = {piece.layer.name for piece in found.pieces}
    # What else a module does that is a layer, or was one when it was called before.
    found.skipped = [(f"in {name}" if name in measured else name, reason) for name, reason in found.skipped]
    # What is done in several steps has several times the same reason.
    found.skipped = list(dict.fromkeys(found.skipped))
    if not found.pieces:
        raise TypeError(
            "The model has no dense layer or convolution that could be measured. It has "
            + ("; ".join(f"{name}: {reason}" for name, reason in found.skipped) or "nothing that depends on its input")
            + ". Measure it as a Function of your own."
        )
    network = found.network()
    # Under the names that the layers have in the network: one that is used twice has two.
    return network, [replace(piece, layer=layer) for layer, piece in zip(network, found.pieces, strict=True)]


@dataclass
class _Assembly:
    """Layers found so far."""

    recording: Recording
    in_range: Range
    readers: "_Readers"
    done: set[Op] = field(default_factory=set)
    pieces: list[Piece] = field(default_factory=list)
    out_ranges: list[Range] = field(default_factory=list)
    restarts: list[int] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    views: dict[int, _View] = field(default_factory=dict)
    ranges_before: dict[int, Range] = field(default_factory=dict)
    # Activations that no layer takes in, and why not.
    refused: dict[Op, str] = field(default_factory=dict)
    in_order: bool = True

    def take(self, op: Op) -> None:
        """Make a layer of an operation, or follow it, or skip it."""
        does = op.does
        view = self.view(op.reads[0]) if op.reads else None
        if view is not None and isinstance(does, (Same, Affine, Pad)):
            self.views[op.writes[0]] = view.after(op, self.recording.shape(op.writes[0]))
            if isinstance(does, Same):
                self.done.add(op)
            return
        self.done.add(op)
        why: str | None = None
        if view is not None and isinstance(does, Dense):
            self._dense(op, does, view)
        elif view is not None and isinstance(does, Conv):
            why = self._conv(op, does, view)
        elif view is not None and isinstance(does, Block) and view.scale is None:
            self._block(op, does, view)
        else:
            why = self.refused.get(op) or _why_skipped(op, self.recording)
        if why is not None:
            self.skipped.append((op.name, why + self._measured_without(op)))

    def _measured_without(self, op: Op) -> str:
        """Which layer ends before an operation that is skipped, though it might have been part of it."""
        sources = {self.view(value).source for value in op.reads}
        # What joins several values is part of none.
        if isinstance(op.does, (Dense, Conv, Block)) or len(sources) != 1:
            return ""
        before = [piece.layer.name for piece in self.pieces if piece.end in sources]
        return f"; layer {before[0]!r} is measured without it" if before else ""

    def view(self, value: int) -> _View:
        return self.views.get(value) or _View.of(value, self.recording)

    def network(self) -> Network:
        network = Network([piece.layer for piece in self.pieces], self.in_range, self.restarts)
        network.skipped = self.skipped
        return network

    def _dense(self, op: Op, does: Dense, view: _View) -> None:
        n_in = does.weight.shape[0]
        # What was padded is no output of the layer before; and values may be scaled each in its own way.
        folded = None if (view.places < 0).any() else _folded_before(does, view, axis=-1)
        if folded is None:
            view, folded = _View.of(op.reads[0], self.recording), does
        tail = self._tail(view, op, folded)
        self._add(tail.layer(), view, view.places.reshape(-1, n_in), tail)

    def _conv(self, op: Op, does: Conv, view: _View) -> str | None:
        """Why the convolution is skipped, if it is."""
        folded = _folded_before(does, view, axis=0)
        if folded is None:
            view, folded = _View.of(op.reads[0], self.recording), does
        assert isinstance(folded, Conv)
        channels = view.places.shape[0]
        # Where no pool lies wholly inside, single places of the convolution may.
        for with_pools in (True, False):
            tail = self._tail(view, op, folded, channels, with_pools)
            inputs, at = _patches(view.places, tail.window, tail.shape[1:])
            if len(inputs):
                break
        else:
            size = "x".join(map(str, tail.window.size))
            return f"its window of {size} lies nowhere wholly inside what it reads, so that no patch is free to move"
        self._add(tail.layer(), view, inputs, tail, at)
        return None

    def _block(self, op: Op, does: Block, view: _View) -> None:
        if (view.places < 0).any():
            view = _View.of(op.reads[0], self.recording)
        inputs = view.places.reshape(-1, does.function.n_in)
        self._add(does.function, view, inputs, _Tail(op, None, self.recording, self.readers))

    def _tail(self, view: _View, op: Op, does: Dense | Conv, channels: int = 0, with_pools: bool = True) -> "_Tail":
        """What follows a map, up to an activation that is no number for all that the map can reach."""
        tail = _Tail(op, does, self.recording, self.readers, channels, with_pools)
        layer = tail.layer()
        linear = layer if isinstance(layer, Layer) else layer.linear
        if linear.activation.is_named or _is_a_number(linear, self._range_before(view.source, op.name)):
            return tail
        [refused] = [one for one in tail.ops if isinstance(one.does, Pointwise)][:1]
        self.refused[refused] = f"its values are no numbers for all that layer {op.name!r} can reach"
        return _Tail(op, does, self.recording, self.readers, channels, with_pools, refused)

    def _range_before(self, start: int, name: str | None) -> Range:
        """The range of what a layer reads."""
        if start not in self.ranges_before:
            origin = next((k for k in range(len(self.pieces))[::-1] if self.pieces[k].end == start), None)
            if origin is not None:
                self.ranges_before[start] = self.out_ranges[origin]
            else:
                self.ranges_before[start] = self.in_range if start == 0 else self._seen(start, name)
        return self.ranges_before[start]

    def _add(
        self,
        layer: Layer | Function | SoftmaxOf | PooledOf,
        view: _View,
        inputs: Places,
        tail: "_Tail",
        at: Places | None = None,
    ) -> None:
        self.done.update(view.by, tail.ops)
        start, before = view.source, self.pieces[-1] if self.pieces else None
        name = layer.linear.name if isinstance(layer, (SoftmaxOf, PooledOf)) else layer.name
        map_of = layer if isinstance(layer, (Layer, Function)) else layer.function((0.0, 1.0))
        if start == (before.end if before else 0):
            # From patch to patch no neuron feeds another; else it must be the one in the same place.
            in_order = (view.is_identity and self.in_order) or map_of.patch or (before and before.layer.patch)
            follows = before is None or (feeds(before.layer, map_of) and in_order)
        else:
            follows = False
        range_before = self._range_before(start, name)
        if isinstance(layer, (SoftmaxOf, PooledOf)):
            layer = layer.function(range_before)
        if not follows:
            layer = layer.over(range_before)
            self.restarts.append(len(self.pieces))
        outputs = tail.outputs(layer.n_out)
        if at is not None:
            outputs = outputs[at]
        # Some of many places are enough.
        cost = len(self.recording.values[start]) * layer.n_in
        some = _spread(len(inputs), max(1, min(_MAX_GATHERED // cost, _MAX_PRODUCTS // (cost * layer.n_out))))
        self.out_ranges.append(hull_of(Network([layer], range_before).ranges()[0][1]))
        self.pieces.append(Piece(layer, start, tail.end, inputs[some], outputs[some]))
        self.views[tail.end] = _View.of(tail.end, self.recording)
        self.in_order = tail.in_order

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
        writer = next((op.name for op in self.recording.ops if value in op.writes), None)
        told = f"the inputs of {name!r} after it are binned over the range seen for random inputs"
        for place in range(len(self.skipped))[::-1]:
            skipped, reason = self.skipped[place]
            if skipped == writer:
                self.skipped[place] = (skipped, f"{reason}; {told}")
                break
        low, high = float(seen.min()), float(seen.max())
        return (low, high) if high > low else (low - 0.5, high + 0.5)


def _folded_before(does: Dense | Conv, view: _View, axis: int) -> Dense | Conv | None:
    """A map with the affine ones before it folded in; None where these differ from place to place."""
    if view.scale is None or view.shift is None:
        return does
    scale, shift = (_per_neuron(part, axis) for part in (view.scale, view.shift))
    if scale is None or shift is None:
        return None
    per_channel = len(does.weight) // len(scale)
    scale, shift = np.repeat(scale, per_channel), np.repeat(shift, per_channel)
    return replace(does, weight=scale[:, None] * does.weight, bias=does.bias + shift @ does.weight)


def _per_neuron(values: Array, axis: int) -> Array | None:
    """One number a neuron, or a channel, along `axis`; None where they differ; what is padded is NaN and no matter."""
    rows = np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])
    low, high = np.fmin.reduce(rows), np.fmax.reduce(rows)
    return low if np.array_equal(low, high) else None


def _patches(places: Places, window: Window, extent: Sequence[int]) -> tuple[Places, Places]:
    """Of the windows that lie wholly inside the values at `places` (channels, ...), what they see and which they are.

    Returns
    -------
    inputs : ndarray of int (m, n_in)
    which : ndarray of int (m,)
        Their numbers among all windows.
    """
    along = window.coordinates(extent)
    inner = [np.flatnonzero(((at >= 0) & (at < n)).all(axis=1)) for at, n in zip(along, places.shape[1:], strict=True)]
    counts = [len(which) for which in inner]
    n_in = places.shape[0] * prod(window.size)
    if 0 in counts:
        return np.empty((0, n_in), dtype=np.intp), np.empty(0, dtype=np.intp)
    most = max(64, _MAX_GATHERED // n_in)
    some = _spread(prod(counts), most)
    which = [one[k] for one, k in zip(inner, np.unravel_index(some, counts), strict=True)]
    # (m, channels, size, ...): each axis of the window along an axis of its own.
    grid = [
        np.expand_dims(at[k], tuple(d for d in range(1, len(along) + 2) if d != axis + 2))
        for axis, (at, k) in enumerate(zip(along, which, strict=True))
    ]
    channels = np.arange(len(places)).reshape(-1, *(1 for _ in along))
    inputs = places[(channels, *grid)].reshape(len(some), n_in)
    inside = (inputs >= 0).all(axis=1)
    return inputs[inside], np.ravel_multi_index(which, tuple(extent))[inside]


def _is_a_number(layer: Layer, in_range: Range) -> bool:
    """Whether a layer's activation has values for all that its inputs can lead to."""
    function = layer.activation.function
    smallest, largest = layer.preactivation_hull(in_range)
    ends = float(np.min(smallest)), float(np.max(largest))
    if function is None or not np.isfinite(ends).all():
        return True
    with np.errstate(all="ignore"):
        return not np.isnan(np.asarray(function(np.linspace(*ends, _TRIED)), dtype=np.float64)).any()


def _spread(n: int, most: int) -> Places:
    """At most so many of n numbers, from the first to the last."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(np.intp))


class _Tail:
    """What follows a map and nobody else reads: scales, shifts and its activation, and of a convolution its pool.

    Attributes
    ----------
    ops : list of Op
        That became part of the layer.
    base : int
        The value whose channels and places the outputs are: that of the map, or of the pool.
    shape : tuple of int
        Of a sample of it; behind the channels of a convolution, of its places.
    end : int
        The value at which the layer ends.
    """

    def __init__(
        self,
        op: Op,
        does: Dense | Conv | None,
        recording: Recording,
        readers: "_Readers",
        channels: int = 0,
        with_pools: bool = True,
        refused: Op | None = None,
    ):
        self._refused = refused
        self._name, self._does, self._recording, self._channels = op.name, does, recording, channels
        self._axis, self._with_pools = 0 if isinstance(does, Conv) else -1, with_pools
        self._steps: list[Affine | Pointwise | Softmax | Pool] = []
        self.ops: list[Op] = []
        self.base = self.end = op.writes[0]
        self.shape = recording.shape(self.base)
        self._view = _View.of(self.end, recording)
        # After each step: the number of operations, the base and the end, and how the latter comes from the former.
        states = [self._follow_same(readers)]
        while (following := readers.only(self.end)) is not None:
            taken = [following]
            if isinstance(following.does, Pad) and (pool := readers.only(following.writes[0])) is not None:
                taken.append(pool)
            step = self._step(taken)
            if step is None:
                break
            self._steps.append(step)
            self.ops += taken
            self.end = taken[-1].writes[0]
            if isinstance(step, Pool):
                self.base, self._view = self.end, _View.of(self.end, recording)
                reduced = isinstance(taken[-1].does, Reduce)
                self.shape = (self.shape[0], *(1 for _ in self.shape[1:])) if reduced else recording.shape(self.base)
            states.append(self._follow_same(readers))
        n_steps = self._n_taken() - self._n_left_out(readers.only(self.end))
        n_ops, self.base, self.shape, self.end, self._view = states[n_steps]
        self._steps, self.ops = self._steps[:n_steps], self.ops[:n_ops]

    @property
    def in_order(self) -> bool:
        """Whether the outputs stand in the end as the map has them."""
        return self._view.is_identity

    @property
    def window(self) -> Window:
        """What an output sees of the value that the convolution reads."""
        assert isinstance(self._does, Conv)
        pool = next((step for step in self._steps if isinstance(step, Pool)), None)
        return self._does.window if pool is None else self._does.window.seen_through(pool.window)

    def outputs(self, n_out: int) -> Places:
        """Where in a sample of the end the outputs are, (m, n_out)."""
        at = self._view.back(np.arange(self._view.places.size).reshape(self._view.places.shape)).reshape(self.shape)
        at = np.moveaxis(at, 0, -1) if self._axis == 0 else at
        return at.reshape(-1, n_out)

    def layer(self) -> Layer | SoftmaxOf | PooledOf:
        """The map with all that was taken."""
        assert self._does is not None
        weight, bias, steps = self._does.weight, self._does.bias, list(self._steps)
        while steps and isinstance(step := steps[0], Affine):
            weight, bias, steps = weight * step.scale, bias * step.scale + step.shift, steps[1:]
        activation = LINEAR
        if steps and isinstance(step := steps[0], Pointwise):
            activation, steps = step.activation, steps[1:]
        patch = (self._channels, *self._does.window.size) if isinstance(self._does, Conv) else None
        layer = Layer(weight, bias, activation, name=self._name, patch=patch)
        if not steps:
            return layer
        if isinstance(step := steps[0], Softmax):
            return SoftmaxOf(layer, step.log)
        assert isinstance(self._does, Conv)
        return pooled(layer, self._does.window, [step for step in steps if not isinstance(step, Softmax)])

    def _follow_same(self, readers: "_Readers") -> tuple[int, int, tuple[int, ...], int, _View]:
        while (reader := readers.only(self.end)) is not None and isinstance(reader.does, Same):
            self.ops.append(reader)
            self.end = reader.writes[0]
            self._view = self._view.after(reader, self._recording.shape(self.end))
        return len(self.ops), self.base, self.shape, self.end, self._view

    def _step(self, ops: Sequence[Op]) -> Affine | Pointwise | Softmax | Pool | None:
        """What an operation, or padding and a pool, does to each neuron or channel; None if nothing of the kind."""
        *before, does = (op.does for op in ops)
        if self._does is None or (before and not isinstance(does, Pool)):
            return None
        if isinstance(does, Affine):
            parts = [
                _per_neuron(self._view.back(part).reshape(self.shape), self._axis) for part in (does.scale, does.shift)
            ]
            return None if parts[0] is None or parts[1] is None else Affine(parts[0], parts[1])
        if isinstance(does, Pointwise):
            return None if ops[-1] is self._refused else does
        if isinstance(does, Softmax) and self._axis == -1:
            neurons = self._view.is_identity and self._recording.shape(self.end)[-1] == self._does.weight.shape[1]
            return does if neurons else None
        if isinstance(does, Reduce) and isinstance(self._does, Conv) and self._with_pools:
            return self._over_all_places(does, self._does)
        if isinstance(does, Pool) and isinstance(self._does, Conv) and self._with_pools:
            fits = size_pooled(self._does, does, self._channels) <= _MAX_WEIGHTS
            arranged = self._view.is_identity and self._recording.shape(self.end) == self._recording.shape(self.base)
            for padding in before:
                assert isinstance(padding, Pad)
                arranged = arranged and padding.widths[0] == (0, 0)
                does = replace(does, window=does.window.begun_before([n for n, _ in padding.widths[1:]]))
            return does if fits and arranged else None
        return None

    def _n_left_out(self, following: Op | None) -> int:
        """How many of the last steps scale all neurons alike before their product with another value, as in attention.

        The scale is that of the product, and the weights are those that the model has.
        """
        joined = following is not None and isinstance(following.does, Unknown) and len(following.reads) > 1
        if not joined or isinstance(self._does, Conv) or not all(isinstance(step, Affine) for step in self._steps):
            return 0
        alike = (isinstance(step, Affine) and _scales_all_alike(step) for step in reversed(self._steps))
        return sum(1 for _ in takewhile(bool, alike))

    def _over_all_places(self, does: Reduce, conv: Conv) -> Pool | None:
        """A reduction as a pool, if it takes in every place of a channel and leaves the channels in their order."""
        n_places = prod(self.shape[1:])
        kept = [axis for axis in range(self._view.places.ndim) if axis not in does.axes]
        n_channels = self.shape[0]
        if prod(self._view.places.shape[axis] for axis in kept) != n_channels:
            return None
        channels = self._view.places.transpose(*kept, *does.axes).reshape(n_channels, -1) // n_places
        in_order = (channels == np.arange(n_channels)[:, None]).all()
        pool = Pool(Window.over(self.shape[1:]), does.mean)
        return pool if in_order and size_pooled(conv, pool, self._channels) <= _MAX_WEIGHTS else None

    def _n_taken(self) -> int:
        """How many of the steps belong to the layer: up to its activation, or to its pool and the activation then."""
        kinds = [type(step) for step in self._steps]
        if Pool in kinds:
            pool = kinds.index(Pool)
            if Pointwise in kinds[:pool]:
                return pool + 1
            after = next((k for k in range(pool + 1, len(kinds)) if kinds[k] is not Affine), len(kinds))
            return after + 1 if after < len(kinds) and kinds[after] is Pointwise else pool + 1
        n_affine = next((k for k, kind in enumerate(kinds) if kind is not Affine), len(kinds))
        return min(n_affine + 1, len(kinds))


def _scales_all_alike(step: Affine) -> bool:
    return not np.any(step.shift) and np.size(step.scale) > 0 and bool(np.all(step.scale == np.ravel(step.scale)[0]))


def convolution_first(recording: Recording) -> str | None:
    """Name of the convolution that the input of a model comes to before any dense layer; None where there is none.

    How long a sample is cannot be told behind it.
    """
    reached, found = {0}, None
    for op in recording.ops:
        if not reached.intersection(op.reads):
            continue
        reason = op.does.reason if isinstance(op.does, Unknown) else ""
        if isinstance(op.does, Dense):
            # It takes the model's own inputs, and tells how many.
            return None
        if isinstance(op.does, Conv) or reason.startswith("conv"):
            found = found or op.name
        elif not isinstance(op.does, Block):
            reached.update(op.writes)
    return found


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


def _why_skipped(op: Op, recording: Recording) -> str:
    if isinstance(op.does, Unknown):
        return op.does.reason
    if isinstance(op.does, Combine):
        return no_layer(getattr(op.does.function, "__name__", op.name), len(op.reads), recording.has_blocks)
    what = {
        Affine: "a scale and shift that belongs to no layer",
        Pointwise: "an activation that follows no dense layer or convolution",
        Softmax: "a softmax that follows no dense layer",
        Pool: "a pool that follows no convolution, or sees too much of it at once, or nowhere without padding",
        Reduce: "a mean or maximum that is no pool over all places of a convolution, or sees too much of it at once",
        Pad: "padding that is no convolution's",
        Block: "a block whose inputs are scaled and shifted on the way to it",
    }
    return what[type(op.does)] + (": name what holds it in 'blocks' to measure it" if recording.has_blocks else "")


def no_layer(name: str, n_reads: int, has_blocks: bool = True) -> str:
    """Why a function of so many values is skipped."""
    what = f"{name} of {n_reads} values" if n_reads > 1 else name
    remedy = "; name the module that holds it in 'blocks' to measure it as one map" if has_blocks else ""
    return f"{what} is no dense layer{remedy}"
