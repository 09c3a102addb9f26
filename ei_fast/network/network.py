"""A sequence of layers whose widths chain, and the ranges over which each is binned."""

from collections.abc import Collection, Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from ei_fast.network.bins import Range, Ranges, check_range, hull_of
from ei_fast.network.chain import AnyLayer, check_chain, check_one_place, inputs_from, joined, with_names
from ei_fast.network.function import Function
from ei_fast.network.layer import Layer
from ei_fast.network.notebook import network_in_html
from ei_fast.network.parameter_count import ParameterCount
from ei_fast.network.reach import check_reach, outputs_over
from ei_fast.network.seen import Seen, check_seen, seen_at
from ei_fast.validation import as_numpy_ships


class Network:
    """Layers that feed each other: the outputs of each are the inputs of the next.

    Parameters
    ----------
    layers : sequence of Layer or Function
        At least one; each has as many inputs as the layer before has outputs. Where a layer has a `patch`, the widths
        are those of the model and not of a patch: the layer has as many channels as there are outputs before it, or a
        share of them, and the number of inputs of the layer after it is a multiple of its number of outputs. Layers
        `per_position` feed each other place by place; the number of inputs of a layer on all places is a multiple of
        the number of outputs before it, and the other way round.
    in_range : (float, float), default (0.0, 1.0)
        Range of the first layer's inputs.
    restarts : sequence of int, default ()
        Places of layers whose inputs are not the outputs of the layer before, because the model does something in
        between that is not a layer. Each of them needs an `in_range` of its own.
    skipped, notes : sequence of (str, str), default ()
        What an adapter has to say of the model, see below.
    seen : sequence of ((float, float), (float, float)) or None, default ()
        The smallest and largest number that each layer received and gave while the model ran on example inputs: one
        entry a layer, None where it is not known; empty where there were no examples.
    parameters : ParameterCount, optional
        How many parameters the model has, and how many of them are in these layers.

    Attributes
    ----------
    layers : tuple of Layer or Function
        The layers, each with a name that no other has.
    in_range : (float, float)
        Range of the first layer's inputs.
    restarts : frozenset of int
        Places of layers whose inputs are not the outputs of the layer before.
    skipped : list of (str, str)
        Name and reason of what an adapter left out.
    notes : list of (str, str)
        Name of a layer, or of a part of the model, and what is to be known of it: scales applied, a batch norm taken
        in.
    seen : tuple of ((float, float), (float, float)) or None
        Ranges seen at the inputs and outputs of each layer; empty where there were no example inputs.
    parameters : ParameterCount or None
        How many parameters the model has, and how many of them are in these layers; None where no adapter has counted.

    Raises
    ------
    TypeError, ValueError
        The message names the layer, the rule and the remedy.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> network = ef.Network([ef.Layer(np.eye(3), name="fc1"), ef.Layer(np.ones((3, 2)))], in_range=(-1.0, 1.0))
    >>> network
    Network(3 -> 3 -> 2, in_range=(-1.0, 1.0))
    >>> [layer.name for layer in network]
    ['fc1', 'layer1']
    """

    # Of networks that older versions have pickled.
    parameters: ParameterCount | None = None

    def __init__(
        self,
        layers: Sequence[AnyLayer],
        in_range: Range = (0.0, 1.0),
        restarts: Collection[int] = (),
        *,
        skipped: Sequence[tuple[str, str]] = (),
        notes: Sequence[tuple[str, str]] = (),
        seen: Seen = (),
        parameters: ParameterCount | None = None,
    ):
        if isinstance(layers, (Layer, Function)):
            layers = [layers]
        layers = list(layers)
        if not layers:
            raise ValueError("The 'layers' parameter of Network must hold at least one layer. Got none instead.")
        for index, layer in enumerate(layers):
            if not isinstance(layer, (Layer, Function)):
                raise TypeError(
                    "The 'layers' parameter of Network must hold Layer or Function objects. "
                    f"Got {type(layer).__name__} at index {index} instead. Use ei_fast.as_network for bare arrays."
                )
        self.layers: tuple[AnyLayer, ...] = with_names(layers)
        self.in_range = check_range(in_range, "in_range", "Network")
        self.skipped = list(skipped)
        self.notes = list(notes)
        self.parameters = parameters
        self.restarts = frozenset(restarts)
        for index in self.restarts:
            if not isinstance(index, Integral) or not 0 <= index < len(self.layers):
                raise ValueError(
                    f"The 'restarts' parameter of Network must hold places from 0 to {len(self.layers) - 1}. "
                    f"Got {index!r} instead."
                )
            if self.layers[index].in_range is None:
                raise ValueError(
                    f"Layer {index} ({self.layers[index].name!r}) of Network must have an 'in_range': "
                    "no layer before it tells what its inputs are. Got None instead."
                )
        check_chain(self.layers, self.restarts)
        self.seen = check_seen(seen, len(self.layers))

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[AnyLayer]:
        return iter(self.layers)

    def __getitem__(self, index: int) -> AnyLayer:
        return self.layers[index]

    def __repr__(self) -> str:
        widths = " -> ".join(str(n) for n in [self.layers[0].n_in, *(layer.n_out for layer in self.layers)])
        return f"Network({widths}, in_range={self.in_range})"

    def _repr_html_(self) -> str:
        return network_in_html(self)

    def over(self, in_range: Range) -> "Network":
        """Return the same network with another range of the first layer's inputs.

        Parameters
        ----------
        in_range : (float, float)
            Range of the first layer's inputs.

        Returns
        -------
        Network
            A new network of the same layers; this one stays as it is.

        Raises
        ------
        ValueError
            Where layers have ranges that were seen while the model ran on the network's own range.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.Network([ef.Layer(np.eye(2))]).over((-1.0, 1.0))
        Network(2 -> 2, in_range=(-1.0, 1.0))
        """
        if self.restarts and in_range != self.in_range:
            index = min(self.restarts)
            raise ValueError(
                f"The inputs of layer {index} ({self.layers[index].name!r}) are binned over what was seen of the model "
                f"on {self.in_range}. Got the range {in_range} for the network instead. Read the model over it: "
                f"as_network(model, in_range={in_range})."
            )
        return self.replaced(in_range=in_range)

    def counted(self, parameters: ParameterCount | None) -> "Network":
        """Return the same network with the number of its model's parameters.

        Parameters
        ----------
        parameters : ParameterCount or None
            How many parameters the model has, and how many of them are in these layers.

        Returns
        -------
        Network
            A new network of the same layers; this one stays as it is.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.Network([ef.Layer(np.eye(2))]).counted(ef.ParameterCount(8, 6)).parameters.share
        0.75
        """
        return self.replaced(parameters=parameters)

    def noted(self, notes: Sequence[tuple[str, str]], skipped: Sequence[tuple[str, str]] = ()) -> "Network":
        """Return the same network with more said of the model.

        Parameters
        ----------
        notes : sequence of (str, str)
            Name of a layer, or of a part of the model, and what is to be known of it.
        skipped : sequence of (str, str), default ()
            Name and reason of what else is left out.

        Returns
        -------
        Network
            A new network of the same layers; this one stays as it is.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.Network([ef.Layer(np.eye(2), name="fc")]).noted([("fc", "is frozen")]).notes
        [('fc', 'is frozen')]
        """
        return self.replaced(skipped=[*self.skipped, *skipped], notes=[*self.notes, *notes])

    def with_seen(self, seen: Seen) -> "Network":
        """Return the same network with the ranges seen at the ends of its layers.

        Parameters
        ----------
        seen : sequence of ((float, float), (float, float)) or None
            The smallest and largest number that each layer received and gave; None where it is not known.

        Returns
        -------
        Network
            A new network of the same layers; this one stays as it is.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> network = ef.Network([ef.Layer(np.eye(2))]).with_seen([((-1.0, 2.0), (0.2, 0.9))])
        >>> network.ranges("seen", "seen")
        [((-1.0, 2.0), (0.2, 0.9))]
        """
        return self.replaced(seen=seen)

    def replaced(self, **parameters: Any) -> "Network":
        """Return the same network with other values of some of its parameters.

        Parameters
        ----------
        **parameters
            Those of `Network` that change, by name.

        Returns
        -------
        Network
            A new network; this one stays as it is.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.Network([ef.Layer(np.eye(2))]).replaced(in_range=(-1.0, 1.0))
        Network(2 -> 2, in_range=(-1.0, 1.0))
        """
        kept = ("layers", "in_range", "restarts", "skipped", "notes", "seen", "parameters")
        return Network(**({name: getattr(self, name) for name in kept} | parameters))

    @as_numpy_ships
    def ranges(
        self,
        in_range: Range | str | None = None,
        out_range: Range | str = "auto",
        known: Sequence[tuple[Ranges, Ranges]] = (),
    ) -> list[tuple[Ranges, Ranges]]:
        """Return the input and output range of every layer.

        The first input range is `in_range`, else the first layer's own, else the network's. An output range is
        `out_range`, else the layer's own, else derived: the codomain of a bounded activation, or what the layer
        reaches under do(L1 = H^max). The inputs of the next layer have that range.

        Parameters
        ----------
        in_range : (float, float) or "seen", optional
            Range of the first layer's inputs; or the ranges seen at the inputs of every layer.
        out_range : (float, float), "auto", "hull", "neuron", "dynamic" or "seen", default "auto"
            Range of the outputs of every layer; how ranges are derived, as of `EffectiveInformation`, for layers
            that have none of their own; or the ranges seen at the outputs of every layer.
        known : sequence of (range, range), default ()
            Ranges of the first layers, where they are known already.

        Returns
        -------
        list of (range, range)
            Input and output range of every layer. A range is (low, high); under ``"neuron"`` and
            ``"dynamic"`` a tuple of one such pair for each neuron.

        Raises
        ------
        ValueError
            Where the outputs of finite weights overflow, or where ranges are to be those seen, and none were.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.Network([ef.Layer(np.eye(2), activation="tanh"), ef.Layer(np.eye(2))]).ranges()
        [((0.0, 1.0), (-1.0, 1.0)), ((-1.0, 1.0), (0.0, 1.0))]
        """
        rule = out_range if isinstance(out_range, str) else "auto"
        given = None if isinstance(out_range, str) else out_range
        current: Ranges = in_range if in_range and not isinstance(in_range, str) else self.in_range
        result: list[tuple[Ranges, Ranges]] = []
        for index, layer in enumerate(self.layers):
            if layer.in_range is not None and (in_range is None or index or index in self.restarts):
                current = layer.in_range
            following: Ranges | None = given or layer.out_range
            if in_range == "seen":
                current = seen_at(self.seen, index, layer, "in_range")
            if rule == "seen":
                following = seen_at(self.seen, index, layer, "out_range")
            if index < len(known):
                current, following = known[index]
            following = outputs_over(index, layer, current, following, rule)
            result.append((current, following))
            if index + 1 < len(self.layers):
                current = inputs_from(following, layer, self.layers[index + 1])
        return result

    def between(self, first: int, last: int) -> Function:
        """Return layers `first` to `last`, both included, as one `Function`.

        Parameters
        ----------
        first, last : int
            Places in the network; negative numbers count from its end.

        Returns
        -------
        Function
            The map through these layers, with the input range of the first and the output range of the last, as
            `ranges` returns them.

        Raises
        ------
        TypeError, ValueError
            For places that the network does not have, for places in the wrong order, and for layers that do not feed
            each other.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> network = ef.Network([ef.Layer(np.eye(3), name="fc1"), ef.Layer(np.ones((3, 2)), name="fc2")])
        >>> network.between(0, 1)
        Function(3 -> 2, name='fc1 -> fc2')
        """
        n = len(self.layers)
        rule = f"The 'first' and 'last' parameters of Network.between must be places from 0 to {n - 1}, first <= last"
        places: list[int] = []
        for place in (first, last):
            if not isinstance(place, Integral) or isinstance(place, (bool, np.bool_)):
                raise TypeError(f"{rule}. Got {first!r} and {last!r} instead.")
            places.append(int(place) + (n if place < 0 else 0))
        start, stop = places
        if not 0 <= start <= stop < n:
            raise ValueError(f"{rule}. Got {first} and {last} instead.")
        check_one_place(self.layers[start : stop + 1], start, stop)
        if any(start < place <= stop for place in self.restarts):
            raise ValueError(
                f"Layers {start} to {stop} do not feed each other: the model does something between them that is no "
                "layer. Name it in 'blocks' of as_network."
            )
        ranges = self.ranges()
        return joined(self.layers[start : stop + 1], ranges[start][0], hull_of(ranges[stop][1]))

    def check_ranges(self, ranges: Sequence[tuple[Ranges, Ranges]]) -> None:
        """Raise ValueError where pre-activations of a layer overflow on its input range.

        Parameters
        ----------
        ranges : sequence of (range, range)
            Input and output range of every layer, as `ranges` returns them.

        Raises
        ------
        ValueError
            For the first such layer, with its name and the remedy.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> network = ef.Network([ef.Layer(np.eye(2))])
        >>> network.check_ranges(network.ranges())
        """
        for index, (layer, (in_range, _)) in enumerate(zip(self.layers, ranges, strict=True)):
            check_reach(index, layer, in_range)
