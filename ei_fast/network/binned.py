"""A layer together with the bins of its inputs and outputs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from math import frexp

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.marginals import marginal_cdfs
from ei_fast.network.bins import Range, Ranges, bin_edges, ends_of, hull_of, is_each
from ei_fast.network.column_blocks import blocks_of, in_parts
from ei_fast.network.components import Component, connected
from ei_fast.network.function import Function
from ei_fast.network.grouped import spread_out
from ei_fast.network.input_histograms import InputHistograms
from ei_fast.network.layer import Layer
from ei_fast.network.step_functions import TooFast
from ei_fast.network.steps import StepTable
from ei_fast.network.stored import StoredLayer, in_memory
from ei_fast.runtime.threads import Threads

_NOTICEABLE = 1e-8
"""Probability that a sample is dropped up to which dropping changes joint entropies by less than 1e-6 bits."""

_IN_ONE_GO = 2**22
"""Weights whose absolute values are taken in one go."""

_WEIGHTS_A_TASK = 2**11
"""Weights whose outputs' exact distributions are one thread's task, about 0.5 ms."""

_ORDINARY = 100
"""Largest exponent of two, of either sign, at which the sixth power of a number neither overflows nor underflows."""


def reach_of(
    weight: NDArray[np.float64], bias: NDArray[np.float64], in_range: Range, width: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    """Largest distance of each pre-activation from its value at the centre of a cell, (n_out,), as inputs move.

    A breakpoint at the very end of a cell is not inside it. So the distance is shortened by what rounding may add, and
    by a share of 1e-12, which holds no more than that share of the samples.

    Parameters
    ----------
    weight : ndarray (n_in, n_out)
        Weights.
    bias : ndarray (n_out,)
        Biases, which enter the rounding error.
    in_range : (float, float)
        Range of all inputs, which enters the rounding error.
    width : float or ndarray (n_in,)
        Width of the cell along each input.
    """
    n_in, n_out = weight.shape
    if weight.size > _IN_ONE_GO and n_out > 1:
        # By halves, so that no copy is large.
        halves = (slice(n_out // 2), slice(n_out // 2, n_out))
        return np.concatenate([reach_of(weight[:, half], bias[half], in_range, width) for half in halves])
    sizes = np.abs(weight)
    moves = sizes.T @ (width if isinstance(width, np.ndarray) else np.full(n_in, width))
    rounding = 8 * np.finfo(float).eps * (np.abs(bias) + sizes.sum(axis=0) * max(map(abs, in_range)))
    reach: NDArray[np.float64] = 0.5 * moves * (1 - 1e-12) - rounding
    return reach


def probabilities_of(
    weight: NDArray[np.float64],
    bias: NDArray[np.float64],
    in_range: Range,
    steps: StepTable,
    threads: Threads | None = None,
) -> NDArray[np.float64]:
    """Exact probability of the bins of every output under uniform inputs, (n_out, n_bins + 1); last: of being dropped.

    Parameters
    ----------
    weight : ndarray (n_in, n_out)
    bias : ndarray (n_out,)
    in_range : (float, float)
        Range of all inputs.
    steps : StepTable
        Binned activation of every output.
    threads : Threads, optional
        Share the outputs out.
    """
    low, high = in_range
    centres = bias + 0.5 * (low + high) * weight.sum(axis=0)
    cdfs = np.empty((weight.shape[1], steps.breaks.shape[1]))

    def fill(some: slice) -> None:
        weights = np.ascontiguousarray(weight[:, some].T)
        orders = np.argsort(-np.abs(weights), axis=1, kind="stable")
        rows = steps.rows[some]
        marginal_cdfs(weights, orders, centres[some], high - low, steps.breaks, steps.sizes, rows, cdfs[some])

    if threads is None:
        for some in blocks_of(weight.shape[1], len(weight)):
            fill(some)
    else:
        per_task = max(1, _WEIGHTS_A_TASK // len(weight))
        threads.map(fill, [slice(first, first + per_task) for first in range(0, weight.shape[1], per_task)])
    return steps.probabilities(cdfs)


@dataclass(frozen=True, eq=False)
class BinnedLayer:
    """A layer with its ranges and numbers of bins: what every measure is a function of.

    A dense layer is measured in coordinates in which all its inputs move over the same range, `span`: where they have
    a range each, x_i = low_i + width_i u_i with u_i on (0, 1). Numbers so far from 1 that products would overflow or
    underflow are scaled by a power of two, which changes no measure.

    Attributes
    ----------
    layer : Layer or Function
        The layer.
    index : int
        Index of the layer in the measured network; random streams differ from layer to layer.
    in_range, out_range : (float, float), or one such pair for each neuron
        Ranges over which inputs and outputs are binned.
    in_bins, out_bins : int
        Numbers of bins of each input and of each output.
    drop : bool
        Whether samples with outputs outside the range are left out, or counted in the outermost bins.
    baseline : float
        Value of the other inputs in sensitivity.
    histograms : InputHistograms or None
        What inputs are drawn from, each for itself; None stands for uniform inputs.
    """

    layer: Layer | Function
    index: int
    in_range: Ranges
    out_range: Ranges
    in_bins: int
    out_bins: int
    drop: bool = False
    baseline: float = 0.0
    histograms: InputHistograms | None = None

    @property
    def title(self) -> str:
        """Name of the layer in messages."""
        return f"layer {self.index} ({self.layer.name!r})"

    @property
    def function(self) -> Function:
        """The layer, where it is a `Function`."""
        assert isinstance(self.layer, Function)
        return self.layer

    @property
    def weight(self) -> NDArray[np.float64]:
        """Weights (n_in, n_out) of a dense layer whose inputs move over `span`; made anew of a layer of groups."""
        columns, groups = self.columns, self.groups
        return columns if groups == 1 else spread_out(columns, groups)

    @property
    def columns(self) -> NDArray[np.float64]:
        """Of these the weights from the inputs of each output's group, (n_in / groups, n_out): all where it is one."""
        return self._coordinates.columns

    @property
    def groups(self) -> int:
        """Number of groups of a dense layer's neurons that are known to share no edge."""
        assert isinstance(self.layer, Layer)
        return self.layer.groups

    @property
    def bias(self) -> NDArray[np.float64]:
        """Biases (n_out,) of a dense layer whose inputs move over `span`."""
        return self._coordinates.bias

    @property
    def span(self) -> Range:
        """The common range of all inputs of a dense layer."""
        return self._coordinates.span

    @property
    def baselines(self) -> NDArray[np.float64]:
        """Value (n_in,) of each input while another input moves alone."""
        if self.layer.kind == "function":
            return np.full(self.layer.n_in, self.baseline)
        return self._coordinates.baselines

    @property
    def _coordinates(self) -> "_Coordinates":
        # What is kept would hold the weights of all stored layers.
        return self._read_coordinates() if isinstance(self.layer, StoredLayer) else self._kept_coordinates

    @cached_property
    def _kept_coordinates(self) -> "_Coordinates":
        return self._read_coordinates()

    def _read_coordinates(self) -> "_Coordinates":
        assert isinstance(self.layer, Layer)
        return _Coordinates.of(self.layer, self.in_range, self.baseline)

    def in_memory(self) -> "BinnedLayer":
        """The same with the weights of the layer in memory, which go with it: itself, unless they are stored."""
        return replace(self, layer=in_memory(self.layer)) if isinstance(self.layer, StoredLayer) else self

    @property
    def in_edges(self) -> NDArray[np.float64]:
        """Edges of the bins of a dense layer's inputs on their `span`, (in_bins + 1,)."""
        return bin_edges(self.span, self.in_bins)

    @cached_property
    def steps(self) -> StepTable:
        """The binned activation of a dense layer."""
        return self._steps(self.drop)

    @cached_property
    def joint_steps(self) -> StepTable:
        """The binned activation of components: clipped, where too little is dropped to change their joint EI."""
        hardly_ever = self.drop and self.share_outside() * self.layer.n_out < _NOTICEABLE
        return self._steps(drop=False) if hardly_ever else self.steps

    def _steps(self, drop: bool) -> StepTable:
        layer = self.layer
        assert isinstance(layer, Layer)
        ranges: Sequence[Range] = self.out_range if is_each(self.out_range) else [self.out_range]  # type: ignore[assignment, list-item]
        # Only a user's function is searched for its steps.
        reach = (-np.inf, np.inf) if layer.activation.is_named else self.reach
        try:
            functions = [layer.activation.steps(of_output, self.out_bins, reach, drop) for of_output in ranges]
        except TooFast as error:
            raise TooFast(f"Layer {layer.name!r}: {error}") from None
        return StepTable.of(functions, layer.n_out, drop).scaled(self._coordinates.exponent)

    @cached_property
    def reach(self) -> Range:
        """Smallest and largest pre-activation of the layer under any intervention on its inputs."""
        assert isinstance(self.layer, Layer)
        low, high = ends_of(self.in_range, self.layer.n_in)
        wide = np.stack([np.minimum(low, self.baseline), np.maximum(high, self.baseline)], axis=1)
        smallest, largest = self.layer.preactivation_hull(wide)
        bottom, top = float(smallest.min()), float(largest.max())
        return (bottom, top) if bottom < top else (bottom - 0.5, top + 0.5)

    @cached_property
    def marginals(self) -> NDArray[np.float64]:
        """Exact probability of the bins of a dense layer's outputs, (n_out, out_bins + 1); last: of being dropped."""
        return self._probabilities(self.steps)

    def know_marginals(self, threads: Threads) -> None:
        """Have threads compute the `marginals` of a dense layer before they are asked for."""
        if self.layer.kind == "dense" and "marginals" not in self.__dict__:
            self.__dict__["marginals"] = self._probabilities(self.steps, threads)

    def _probabilities(self, steps: StepTable, threads: Threads | None = None) -> NDArray[np.float64]:
        if self.histograms is None:
            return probabilities_of(self.columns, self.bias, self.span, steps, threads)
        return self.histograms.output_probabilities(self.weight, self.bias, self.span, steps)

    @property
    def holds_its_codomain(self) -> bool:
        """Whether the outputs' range of a dense layer contains the codomain of its activation."""
        assert isinstance(self.layer, Layer)
        (low, high), codomain = hull_of(self.out_range), self.layer.activation.codomain
        return self.out_range == (low, high) and low <= codomain[0] and codomain[1] <= high

    def share_outside(self) -> float:
        """Probability that an output of a dense layer lies outside its range, averaged over the outputs."""
        steps = self.steps if self.drop else self._steps(drop=True)
        return float(self._probabilities(steps)[:, -1].mean())

    def ceiling(self, inputs: NDArray[np.intp] | None = None, outputs: NDArray[np.intp] | None = None) -> float:
        """Upper bound on joint EI in bits, of all neurons or subsets: min(H(X), n_out log2 out_bins).

        H(X) is n_in log2 in_bins where inputs are uniform, and the sum of what their histograms have elsewhere.
        """
        n_in = self.layer.n_in if inputs is None else len(inputs)
        n_out = self.layer.n_out if outputs is None else len(outputs)
        of_inputs = n_in * np.log2(self.in_bins)
        if self.histograms is not None:
            of_inputs = self.histograms.entropies[slice(None) if inputs is None else inputs].sum()
        return float(min(of_inputs, n_out * np.log2(self.out_bins)))

    def components(self, outputs: NDArray[np.intp] | None = None) -> list[Component]:
        """The connected components of a dense layer, without what cannot contribute to EI.

        Outputs that stay in one bin over the whole input range are left out, and so are repetitions of an output
        (equal weights, bias and range) and inputs with no weight to a remaining output. This changes neither
        H(output) nor H(output | input).

        Parameters
        ----------
        outputs : ndarray of int, optional
            Numbers of the outputs that are measured; all of them where not given.

        Returns
        -------
        list of Component
            Components in the order of their first outputs; none where no output leaves its bin.
        """
        columns, bias, moves = self.columns, self.bias, self.outputs_that_move()
        measured = np.arange(len(bias)) if outputs is None else outputs
        kept = self._first_of_each(measured[moves[measured]])
        per_group = len(bias) // self.groups
        of_groups = np.split(kept, np.searchsorted(kept, per_group * np.arange(1, self.groups)))
        return [
            component
            for group, outputs in enumerate(of_groups)
            if outputs.size
            for component in connected(columns, bias, group * len(columns), outputs)
        ]

    def _first_of_each(self, outputs: NDArray[np.intp]) -> NDArray[np.intp]:
        """Of outputs with the same inputs, weights, bias and range the first in their order; in ascending order."""
        firsts: dict[bytes, int] = {}
        columns, per_group = self.columns, len(self.bias) // self.groups
        for some in in_parts(outputs, len(columns)):
            below = np.vstack([self.bias[some], self.steps.rows[some], some // per_group])
            numbers = np.vstack([columns[:, some], below]).T + 0.0  # -0.0 is 0.0
            for j, of_output in zip(some.tolist(), numbers, strict=True):
                # A digest of 256 bits: no two outputs that differ have the same.
                firsts.setdefault(sha256(of_output.tobytes()).digest(), j)
        return np.array(sorted(firsts.values()), np.intp)

    def outputs_that_move(self) -> NDArray[np.bool_]:
        """Whether each output of a dense layer takes more than one bin on the input range, (n_out,)."""
        passed, met = self._steps_met
        return met > passed

    def outputs_never_kept(self) -> NDArray[np.intp]:
        """Numbers of the outputs of a dense layer that lie outside the range, and are dropped, whatever the input."""
        if not self.drop:
            return np.empty(0, np.intp)
        passed, met = self._steps_met
        codes = self.steps.codes[self.steps.rows, passed]
        return np.flatnonzero((met == passed) & (codes == self.steps.outside))

    @cached_property
    def _steps_met(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Number of breakpoints below each output's smallest pre-activation, and below its largest, (n_out,) each."""
        low, high = self.span
        columns = self.columns
        centre = self.bias + 0.5 * (low + high) * columns.sum(axis=0)
        reach = np.maximum(reach_of(columns, self.bias, self.span, high - low), 0.0)
        passed = self.steps.passed(centre - reach, side="right")
        return passed, np.maximum(passed, self.steps.passed(centre + reach, side="left"))


@dataclass(frozen=True, eq=False)
class _Coordinates:
    """A dense layer in coordinates in which all inputs move over the same range."""

    columns: NDArray[np.float64]
    bias: NDArray[np.float64]
    span: Range
    baselines: NDArray[np.float64]
    exponent: int
    """Pre-activations are multiplied by 2**exponent."""

    @classmethod
    def of(cls, layer: Layer, in_range: Ranges, baseline: float) -> "_Coordinates":
        if is_each(in_range):
            low, high = ends_of(in_range, layer.n_in)
            width = high - low
            columns = layer.columns
            weight, bias = columns * layer.of_inputs(width), layer.bias + (layer.of_inputs(low) * columns).sum(axis=0)
            span, baselines = (0.0, 1.0), (baseline - low) / width
        else:
            weight, bias, span = layer.columns, layer.bias, hull_of(in_range)
            baselines = np.full(layer.n_in, baseline)
        of_inputs = -_exponent_of(max(map(abs, span)))
        # Without a copy of them all.
        of_weights = float(max(abs(weight.max()), abs(weight.min())))
        of_bias = float(np.abs(bias).max())
        sizes = [_exponent_of(of_weights) - of_inputs] if of_weights else []
        exponent = -max([*sizes, *([_exponent_of(of_bias)] if of_bias else [])], default=0)
        of_inputs, exponent = (0 if abs(power) <= _ORDINARY else power for power in (of_inputs, exponent))
        if of_inputs or exponent:
            weight, bias = np.ldexp(weight, exponent - of_inputs), np.ldexp(bias, exponent)
            span = (float(np.ldexp(span[0], of_inputs)), float(np.ldexp(span[1], of_inputs)))
            baselines = np.ldexp(baselines, of_inputs)
        return cls(weight, bias, span, baselines, exponent)


def _exponent_of(number: float) -> int:
    """The binary exponent of a number, as of `math.frexp`."""
    return frexp(number)[1]
