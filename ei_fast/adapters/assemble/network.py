"""From what a model was seen to do with its inputs to a `Network`.

Operations are put together to layers: a dense map or a convolution, what can be folded into it, its activation and,
of a convolution, the pool behind it. Whatever else there is stands in `skipped` with a reason, and the layer after it
starts anew: its inputs are not the outputs of the one before.
"""

from dataclasses import dataclass, field
from math import prod

import numpy as np

from ei_fast.adapters.activations.each_neuron import with_each_neuron
from ei_fast.adapters.activations.steps import put_together
from ei_fast.adapters.assemble.auto_blocks import joins_found
from ei_fast.adapters.assemble.each_neuron import EachNeuronOf
from ei_fast.adapters.assemble.functions import PooledOf, SoftmaxOf
from ei_fast.adapters.assemble.parts import Parts
from ei_fast.adapters.assemble.patches import MAX_GATHERED, border_patch, patches
from ei_fast.adapters.assemble.ranges import Known, Outputs, Ranged
from ei_fast.adapters.assemble.tail import Tail
from ei_fast.adapters.graph import (
    Block,
    Conv,
    Op,
    Places,
    Readers,
    Recording,
    Role,
    Same,
    Start,
    Transposed,
    View,
    spread,
)
from ei_fast.network.bins import Range, Ranges
from ei_fast.network.chain import feeds
from ei_fast.network.layer import Function, Layer
from ei_fast.network.names import unique_name
from ei_fast.network.network import Network

# Pre-activations for which an activation must be a number.
_TRIED = 4097
# Places at which a block that sees a box of an image is compared.
_MOST_BOXES = 3
# Products that the verification of a layer takes.
_MAX_PRODUCTS = 2**31


@dataclass(frozen=True, eq=False)
class Piece:
    """A layer and where it is in the model.

    Attributes
    ----------
    start, end : int
        The values that it begins and ends with.
    inputs, outputs : ndarray of int (m, n_in), (m, n_out)
        Where in a sample of them its inputs and outputs are, at each of the m places where it is.
    reads, writes : ndarray of int, optional
        Which numbers of a sample are its inputs and outputs anywhere; all where not given.
    """

    layer: Layer | Function
    start: int
    end: int
    inputs: Places
    outputs: Places
    reads: Places | None = None
    writes: Places | None = None


def assemble(recording: Recording, in_range: Range) -> tuple[Network, list[Piece]]:
    """The network in a recording whose inputs were drawn from `in_range`, and where its layers are.

    Raises
    ------
    TypeError
        Where nothing was found that can be measured.
    """
    by_auto = joins_found(recording)
    recording = with_each_neuron(put_together(recording))
    ops, dead = recording.alive()
    readers = Readers(ops, recording.outputs)
    found = _Assembly(recording, in_range, readers, Parts.in_recording(recording), by_auto)
    for op in ops:
        if op not in found.done:
            found.take(op)
    unread = "nothing that the model returns was seen to depend on it"
    found.skipped += [(op.name, unread) for op in dead if op.does.role is Role.STARTS]
    # Affine maps and padding that no layer took in.
    found.skipped += [(found.parts.name(op), found.why(op)) for op in ops if op not in found.done]
    measured = {piece.layer.name for piece in found.pieces}
    # What else a module does that is a layer, or was one when it was called before.
    found.skipped = [(f"in {name}" if name in measured else name, reason) for name, reason in found.skipped]
    # What is done in several steps has several times the same reason.
    found.skipped = found.parts.once(list(dict.fromkeys(found.skipped)))
    if not found.pieces:
        raise TypeError(
            "The model has no dense layer or convolution that could be measured. It has "
            + ("; ".join(f"{name}: {reason}" for name, reason in found.skipped) or "nothing that depends on its input")
            + ". Measure it as a Function of your own."
        )
    network = found.network()
    if recording.held is not None:
        parts = found.done.difference(found.alone)
        network = network.counted(recording.held.count({name for op in ops if op in parts for name in op.uses}))
    return network, found.pieces


@dataclass
class _Assembly:
    """Layers found so far."""

    recording: Recording
    in_range: Range
    readers: Readers
    parts: Parts
    # Sums and products that could be part of a block.
    by_auto: frozenset[Op]
    done: set[Op] = field(default_factory=set)
    pieces: list[Piece] = field(default_factory=list)
    out_ranges: list[Outputs] = field(default_factory=list)
    restarts: list[int] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    # Operations that are skipped.
    alone: set[Op] = field(default_factory=set)
    views: dict[int, View] = field(default_factory=dict)
    # The operations between a value in view and where it is seen.
    between: dict[int, tuple[Op, ...]] = field(default_factory=dict)
    ranges_before: dict[int, Ranged] = field(default_factory=dict)
    # Activations that no layer takes in, and why not.
    refused: dict[Op, str] = field(default_factory=dict)
    in_order: bool = True
    # Of layers, by their place.
    notes: dict[int, str] = field(default_factory=dict)
    # Who has written each value.
    writers: dict[int, Op] = field(init=False)

    def __post_init__(self) -> None:
        self.writers = {value: op for op in self.recording.ops for value in op.writes}

    def take(self, op: Op) -> None:
        """Make a layer of an operation, or follow it, or skip it."""
        does = op.does
        view = self.view(op.reads[0]) if op.reads else None
        seen = None if view is None else does.seen(view, self.recording.shape(op.writes[0]))
        if seen is not None:
            self.views[op.writes[0]] = seen
            self.between[op.writes[0]] = (*self.between.get(op.reads[0], ()), op)
            if isinstance(does, Same):
                self.done.add(op)
            return
        self.done.add(op)
        if does.role is Role.WITHIN:
            return
        if view is not None and isinstance(does, Start):
            why = self._start(op, does, view)
        else:
            why = self.refused.get(op) or self.why(op)
        if why is not None:
            more = "" if op in self.parts.of else self._found_by_auto(op) + self._measured_without(op)
            self.skipped.append((self.parts.name(op), why + more))
            self.alone.add(op)

    def why(self, op: Op) -> str:
        """Why an operation is no layer."""
        return self.parts.of[op][1] if op in self.parts.of else self.recording.why_skipped(op)

    def _found_by_auto(self, op: Op) -> str:
        """Another remedy of what is skipped, where it helps."""
        return "; use blocks='auto' to have it found" if op in self.by_auto else ""

    def _measured_without(self, op: Op) -> str:
        """Which layer ends before an operation that is skipped, though it might have been part of it."""
        sources = {self.view(value).source for value in op.reads}
        # What joins several values is part of none.
        if op.does.role is Role.STARTS or len(sources) != 1:
            return ""
        before = [piece.layer.name for piece in self.pieces if piece.end in sources]
        return f"; layer {before[0]!r} is measured without it" if before else ""

    def view(self, value: int) -> View:
        return self.views.get(value) or View.of(value, self.recording.shape(value))

    def network(self) -> Network:
        layers = [piece.layer for piece in self.pieces]
        network = Network(layers, self.in_range, self.restarts, skipped=self.skipped)
        return network.noted([(str(network[k].name), note) for k, note in self.notes.items()])

    def _start(self, op: Op, does: Start, view: View) -> str | None:
        """Why a map is skipped, if it is."""
        entered = does.entered(view, View.of(op.reads[0], self.recording.shape(op.reads[0])))
        if entered is None:
            return self.recording.why_skipped(op)
        view, start = entered
        if isinstance(start, Conv):
            return self._convolution(op, start, view)
        if isinstance(start, Transposed):
            return self._transposed(op, start, view)
        if isinstance(does, Block) and does.note:
            self.notes[len(self.pieces)] = does.note
        if isinstance(start, Block) and start.window is not None:
            tail = self._tail(op, start, view.source)
            inputs, at = patches(view.places, start.window, self.recording.shape(op.writes[0])[1:])
            # To each of them belongs a run on a whole image.
            some = spread(len(inputs), _MOST_BOXES)
            self._add(op, tail, view, inputs[some], at[some])
            return None
        inputs = np.moveaxis(view.places, start.axis, -1).reshape(-1, start.n_in)
        self._add(op, self._tail(op, start, view.source), view, inputs)
        return None

    def _convolution(self, op: Op, start: Conv, view: View) -> str | None:
        # Where no pool lies wholly inside, single places of the convolution may.
        for with_pools in (True, False):
            tail = self._tail(op, start, view.source, with_pools)
            inputs, at = patches(view.places, tail.window, tail.shape[1:])
            if len(inputs):
                self._add(op, tail, view, inputs, at)
                return None
        size = "x".join(map(str, tail.window.size))
        found = self._at_border(op, start, view)
        if found is None:
            return f"its window of {size} lies nowhere wholly inside what it reads, so that no patch is free to move"
        border, view, inputs, at = found
        seen = "x".join(map(str, border.window.size))
        self.notes[len(self.pieces)] = (
            f"its window of {size} lies nowhere wholly inside what it reads: measured is the patch of {seen} at the "
            "border, of which most is inside; what is padded there is 0 and no input"
        )
        self._add(op, self._tail(op, border, view.source, with_pools=False), view, inputs, at)
        return None

    def _transposed(self, op: Op, start: Transposed, view: View) -> str | None:
        tail = self._tail(op, start, view.source)
        inputs, at = patches(view.places, start.window, start.blocks(tail.shape[1:]))
        if not len(inputs):
            remedy = ": name what holds it in 'blocks' to measure it" if self.recording.has_blocks else ""
            return f"no block of its outputs lies wholly inside and is fed by inputs alone{remedy}"
        size = "x".join(map(str, start.stride))
        self.notes[len(self.pieces)] = f"measured is the map from the patch that feeds a block of {size} outputs to all"
        self._add(op, tail, view, inputs, at)
        return None

    def _at_border(self, op: Op, start: Conv, view: View) -> tuple[Conv, View, Places, Places] | None:
        """Where no window lies wholly inside: the convolution of one that lies partly, and where it is."""
        does = op.does
        if view.scale is not None and isinstance(does, Conv):
            if view.is_padded:
                return None
            # What is scaled and shifted before it is padded is no more than what it reads.
            start, view = does, View.of(op.reads[0], self.recording.shape(op.reads[0]))
        padded = view.places.reshape(-1) < 0
        read = self.recording.values[op.reads[0]]
        if padded.any() and np.any(read.reshape(len(read), -1)[:, padded]):
            return None
        found = border_patch(start, view.places, self.recording.shape(op.writes[0])[1:])
        return None if found is None else (found[0], view, *found[1:])

    def _tail(self, op: Op, start: Start, source: int, with_pools: bool = True) -> Tail:
        """What follows a map, up to an activation that is no number for all that the map can reach."""
        tail = Tail(op, start, self.recording, self.readers, with_pools=with_pools, refused=None)
        layer = tail.layer
        if isinstance(layer, Function):
            return tail
        # What is named has values for all numbers.
        linear = layer if isinstance(layer, (Layer, PooledOf)) else layer.linear
        if linear.activation.is_named or _is_a_number(linear, self._before(source, self._name_of(op)).range):
            return tail
        refused = next(one for one in tail.ops if one.does.role is Role.ACTIVATES)
        self.refused[refused] = f"its values are no numbers for all that layer {self._name_of(op)!r} can reach"
        return Tail(op, start, self.recording, self.readers, with_pools=with_pools, refused=refused)

    def _name_of(self, op: Op) -> str:
        """Under which name the layer that an operation begins is to stand in the network, as the next of them."""
        return unique_name(op.name or f"layer{len(self.pieces)}", {str(piece.layer.name) for piece in self.pieces})

    def _before(self, start: int, name: str) -> Ranged:
        """What a layer reads."""
        if start not in self.ranges_before:
            origin = next((k for k in range(len(self.pieces))[::-1] if self.pieces[k].end == start), None)
            if origin is not None:
                self.ranges_before[start] = self.out_ranges[origin]
            elif start in self.recording.inputs:
                self.ranges_before[start] = Known(self.in_range)
            else:
                written = self._range_written(start, name)
                self.ranges_before[start] = Known(written or self._seen(start, name))
        return self.ranges_before[start]

    def _range_written(self, value: int, name: str) -> Ranges | None:
        """The range of what a cell reads or gives, where it is told by what that is made of."""
        writer = self.writers.get(value)
        if writer is None:
            return None

        def range_of(read: int) -> Ranges:
            view = self.view(read)
            if view.scale is not None or view.is_padded:
                return self._seen(read, name)
            return self._before(view.source, name).range

        return writer.does.range_of(writer.writes.index(value), writer.reads, range_of)

    def _add(self, op: Op, tail: Tail, view: View, inputs: Places, at: Places | None = None) -> None:
        """Add the layer that an operation has begun, with inputs at these places of each sample.

        Parameters
        ----------
        at : ndarray of int, optional
            Which of its places these are; all where not given.
        """
        # What the view was looked through for is part of the layer.
        self.done.update(self.between.get(op.reads[0], ()) if view.source != op.reads[0] else (), tail.ops)
        layer, source, before = tail.layer, view.source, self.pieces[-1] if self.pieces else None
        map_of = layer if isinstance(layer, (Layer, Function)) else layer.function((0.0, 1.0))
        if source == before.end if before else source in self.recording.inputs:
            follows = before is None or (feeds(before.layer, map_of) and self._is_in_order(before.layer, map_of, view))
        else:
            follows = False
        name = self._name_of(op)
        read = self._before(source, name)
        if isinstance(layer, (SoftmaxOf, PooledOf, EachNeuronOf)):
            layer = layer.function(read.range)
        if not follows:
            layer = layer.over(read.range)
            self.restarts.append(len(self.pieces))
        outputs = tail.outputs(layer.n_out)
        if at is not None:
            outputs = outputs[at]
        # Some of many places are enough.
        cost = len(self.recording.values[source]) * layer.n_in
        some = spread(len(inputs), max(1, min(MAX_GATHERED // cost, _MAX_PRODUCTS // (cost * layer.n_out))))
        layer = layer if layer.name == name else layer.named(name)
        self.out_ranges.append(Outputs(layer, read))
        of_whole = self._part(source, view.places[view.places >= 0]), self._part(tail.end, outputs)
        self.pieces.append(Piece(layer, source, tail.end, inputs[some], outputs[some], *of_whole))
        self.views[tail.end] = View.of(tail.end, self.recording.shape(tail.end))
        self.in_order = tail.in_order

    @property
    def _drawn(self) -> str:
        """What the model ran on."""
        return "random inputs" if self.recording.inputs else "the example inputs"

    def _part(self, value: int, places: Places) -> Places | None:
        """Places of a sample of a value, each once; None where they are all."""
        is_whole = places.size == prod(self.recording.shape(value))
        return None if is_whole else np.unique(places)

    def _is_in_order(self, before: Layer | Function, layer: Layer | Function, view: View) -> bool:
        """Whether the inputs of a layer are the outputs of the one before, one for one or patch by patch."""
        # From patch to patch no neuron feeds another; else it must be the one in the same place, which from one
        # position to all of them it is not.
        if layer.patch or before.patch:
            return True
        return layer.per_position == before.per_position and view.is_identity and self.in_order

    def _seen(self, value: int, name: str) -> Range:
        """Hull of what the neurons of a value were seen to be, widened where it is one point."""
        seen = self.recording.values[value]
        if not seen.size or not np.isfinite(seen).all():
            what = "not finite" if seen.size else "missing"
            after = f" (after {self.skipped[-1][0]!r})" if self.skipped else ""
            raise ValueError(
                f"The inputs of layer {name!r}{after} are {what} where the model runs on random inputs, so that its "
                "range cannot be told. Give an 'in_range' on which they are numbers."
            )
        writer = next((self.parts.name(op) for op in self.recording.ops if value in op.writes), None)
        seen_range = f"the inputs of {name!r} after it are binned over the range seen for {self._drawn}"
        for place in range(len(self.skipped))[::-1]:
            skipped, reason = self.skipped[place]
            if skipped == writer:
                self.skipped[place] = (skipped, f"{reason}; {seen_range}")
                break
        low, high = float(seen.min()), float(seen.max())
        return (low, high) if high > low else (low - 0.5, high + 0.5)


def _is_a_number(layer: Layer | PooledOf, in_range: Ranges) -> bool:
    """Whether a layer's activation has values for all that its inputs can lead to."""
    function = layer.activation.function
    smallest, largest = layer.preactivation_hull(in_range)
    ends = float(np.min(smallest)), float(np.max(largest))
    if function is None or not np.isfinite(ends).all():
        return True
    with np.errstate(all="ignore"):
        return not np.isnan(np.asarray(function(np.linspace(*ends, _TRIED)), dtype=np.float64)).any()
