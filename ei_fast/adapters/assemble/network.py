"""From what a model was seen to do with its inputs to a `Network`.

Operations are put together to layers: a dense map or a convolution, what can be folded into it, its activation and,
of a convolution, the pool behind it. Whatever else there is stands in `skipped` with a reason, and the layer after it
starts anew: its inputs are not the outputs of the one before.
"""

from dataclasses import dataclass, field, replace
from math import prod

import numpy as np

from ei_fast.adapters.activations.steps import put_together
from ei_fast.adapters.assemble.functions import PooledOf, SoftmaxOf
from ei_fast.adapters.assemble.patches import MAX_GATHERED, patches, spread
from ei_fast.adapters.assemble.tail import Tail
from ei_fast.adapters.graph import Conv, Op, Places, Readers, Recording, Role, Same, Start, View
from ei_fast.network.bins import Range, hull_of
from ei_fast.network.layer import Function, Layer
from ei_fast.network.network import Network, feeds

# Pre-activations for which an activation must be a number.
_TRIED = 4097
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
    recording = put_together(recording)
    ops, dead = recording.alive()
    found = _Assembly(recording, in_range, Readers(ops, recording.outputs))
    for op in ops:
        if op not in found.done:
            found.take(op)
    unread = "nothing that the model returns was seen to depend on it"
    found.skipped += [(op.name, unread) for op in dead if op.does.role is Role.STARTS]
    # Affine maps and padding that no layer took in.
    found.skipped += [(op.name, recording.why_skipped(op)) for op in ops if op not in found.done]
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
    readers: Readers
    done: set[Op] = field(default_factory=set)
    pieces: list[Piece] = field(default_factory=list)
    out_ranges: list[Range] = field(default_factory=list)
    restarts: list[int] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    views: dict[int, View] = field(default_factory=dict)
    # The operations between a value in view and where it is seen.
    between: dict[int, tuple[Op, ...]] = field(default_factory=dict)
    ranges_before: dict[int, Range] = field(default_factory=dict)
    # Activations that no layer takes in, and why not.
    refused: dict[Op, str] = field(default_factory=dict)
    in_order: bool = True

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
        if view is not None and isinstance(does, Start):
            why = self._start(op, does, view)
        else:
            why = self.refused.get(op) or self.recording.why_skipped(op)
        if why is not None:
            self.skipped.append((op.name, why + self._measured_without(op)))

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
        return Network([piece.layer for piece in self.pieces], self.in_range, self.restarts, skipped=self.skipped)

    def _start(self, op: Op, does: Start, view: View) -> str | None:
        """Why a map is skipped, if it is."""
        entered = does.entered(view, View.of(op.reads[0], self.recording.shape(op.reads[0])))
        if entered is None:
            return self.recording.why_skipped(op)
        view, start = entered
        if isinstance(start, Conv):
            return self._convolution(op, start, view)
        self._add(op, self._tail(op, start, view.source), view, view.places.reshape(-1, start.n_in))
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
        return f"its window of {size} lies nowhere wholly inside what it reads, so that no patch is free to move"

    def _tail(self, op: Op, start: Start, source: int, with_pools: bool = True) -> Tail:
        """What follows a map, up to an activation that is no number for all that the map can reach."""
        tail = Tail(op, start, self.recording, self.readers, with_pools=with_pools, refused=None)
        layer = tail.layer()
        if isinstance(layer, Function):
            return tail
        linear = layer if isinstance(layer, Layer) else layer.linear
        if linear.activation.is_named or _is_a_number(linear, self._range_before(source, op.name)):
            return tail
        refused = next(one for one in tail.ops if one.does.role is Role.ACTIVATES)
        self.refused[refused] = f"its values are no numbers for all that layer {op.name!r} can reach"
        return Tail(op, start, self.recording, self.readers, with_pools=with_pools, refused=refused)

    def _range_before(self, start: int, name: str | None) -> Range:
        """The range of what a layer reads."""
        if start not in self.ranges_before:
            origin = next((k for k in range(len(self.pieces))[::-1] if self.pieces[k].end == start), None)
            if origin is not None:
                self.ranges_before[start] = self.out_ranges[origin]
            else:
                self.ranges_before[start] = self.in_range if start in self.recording.inputs else self._seen(start, name)
        return self.ranges_before[start]

    def _add(self, op: Op, tail: Tail, view: View, inputs: Places, at: Places | None = None) -> None:
        """Add the layer that an operation has begun, with inputs at these places of each sample.

        Parameters
        ----------
        at : ndarray of int, optional
            Which of its places these are; all where not given.
        """
        # What the view was looked through for is part of the layer.
        self.done.update(self.between.get(op.reads[0], ()) if view.source != op.reads[0] else (), tail.ops)
        layer, source, before = tail.layer(), view.source, self.pieces[-1] if self.pieces else None
        map_of = layer if isinstance(layer, (Layer, Function)) else layer.function((0.0, 1.0))
        if source == before.end if before else source in self.recording.inputs:
            # From patch to patch no neuron feeds another; else it must be the one in the same place.
            in_order = (view.is_identity and self.in_order) or map_of.patch or (before and before.layer.patch)
            follows = before is None or (feeds(before.layer, map_of) and in_order)
        else:
            follows = False
        range_before = self._range_before(source, op.name)
        if isinstance(layer, (SoftmaxOf, PooledOf)):
            layer = layer.function(range_before)
        if not follows:
            layer = layer.over(range_before)
            self.restarts.append(len(self.pieces))
        outputs = tail.outputs(layer.n_out)
        if at is not None:
            outputs = outputs[at]
        # Some of many places are enough.
        cost = len(self.recording.values[source]) * layer.n_in
        some = spread(len(inputs), max(1, min(MAX_GATHERED // cost, _MAX_PRODUCTS // (cost * layer.n_out))))
        self.out_ranges.append(hull_of(Network([layer], range_before).ranges()[0][1]))
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
        seen_range = f"the inputs of {name!r} after it are binned over the range seen for {self._drawn}"
        for place in range(len(self.skipped))[::-1]:
            skipped, reason = self.skipped[place]
            if skipped == writer:
                self.skipped[place] = (skipped, f"{reason}; {seen_range}")
                break
        low, high = float(seen.min()), float(seen.max())
        return (low, high) if high > low else (low - 0.5, high + 0.5)


def _is_a_number(layer: Layer, in_range: Range) -> bool:
    """Whether a layer's activation has values for all that its inputs can lead to."""
    function = layer.activation.function
    smallest, largest = layer.preactivation_hull(in_range)
    ends = float(np.min(smallest)), float(np.max(largest))
    if function is None or not np.isfinite(ends).all():
        return True
    with np.errstate(all="ignore"):
        return not np.isnan(np.asarray(function(np.linspace(*ends, _TRIED)), dtype=np.float64)).any()
