"""A model as one map that can be differentiated, and over which inputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters import as_network
from ei_fast.adapters.table import adapter_of
from ei_fast.measures.noise.chains import chain_of, chain_of_jacobian, is_differenced, links_of
from ei_fast.measures.noise.log_volume import STEPS
from ei_fast.measures.noise.maps import DifferencedBlock, MapChain
from ei_fast.network.bins import Range, Ranges, check_ranges, ends_of, hull_of
from ei_fast.network.chain import AnyLayer, Through, check_one_place
from ei_fast.network.function import Function
from ei_fast.network.network import Network
from ei_fast.network.seen import seen_at
from ei_fast.parameters import CONSTRAINTS, Activations, AdapterOptions
from ei_fast.validation import check_unmasked, without_gradient

Array = NDArray[np.float64]
OWNER = "jacobian_ei"

_WHOSE = {
    "given": "Let entry [j, i] of what 'jacobian' returns be the derivative of output j by input i.",
    "autodiff": "It keeps gradients from passing, as detach does. Give it as a Function of arrays.",
}

_DIFFERENCED = 16
"""Points at which a Jacobian is compared with differences."""

_COMPARED = 32
"""Points at which a network is compared with the module that it was read from."""


@dataclass(frozen=True)
class DifferentiableMap:
    """A map with its input ranges.

    Attributes
    ----------
    name : str
    n_in, n_out : int
    in_range : (float, float), or a tuple of one such pair for each input
    layers : sequence of Layer or Function
        That feed each other; empty where `chain` is given.
    chain : MapChain, optional
        Of a map whose Jacobian is given, or found by automatic differentiation.
    """

    name: str
    n_in: int
    n_out: int
    in_range: Ranges
    layers: Sequence[AnyLayer]
    chain: MapChain | None = None

    @property
    def is_differenced(self) -> bool:
        """Whether some slopes are found by differences."""
        return self.chain is None and is_differenced(self.layers)

    def chain_with(self, step: float) -> MapChain:
        """The chain; with central differences of this step where there are differences."""
        return self.chain if self.chain is not None else chain_of(self.layers, self.in_range, step)


def differentiable(
    model: Any, jacobian: Any, activation: Activations, in_range: Any, reading: AdapterOptions
) -> DifferentiableMap:
    """The map of a model from its inputs to its outputs.

    Raises
    ------
    TypeError, ValueError
        For what is not one map of which all is known, and for a map with less outputs than inputs on its way.
    """
    if jacobian is not None and not callable(jacobian):
        raise TypeError(
            f"The 'jacobian' parameter of {OWNER} must be None or callable: (m, n_in) array -> (m, n_out, n_in) array. "
            f"Got {jacobian!r} instead."
        )
    limits = in_range if _is_of_each(in_range) else CONSTRAINTS["in_range"].checked("in_range", in_range, OWNER)
    of_model = hull_of(_pairs(limits)) if _is_of_each(limits) else None if isinstance(limits, str) else limits
    network = as_network(model, activation=activation, in_range=of_model, **reading)
    layers = links_of(network.layers)
    name = str(network[0].name) if len(network) == 1 else f"{network[0].name} -> {network[len(network) - 1].name}"
    ranges = _ranges_of(network, limits)
    is_one_map = not network.skipped and not network.restarts
    if jacobian is not None:
        check_one_map(network, is_one_map)
        found = _with_jacobian(name, Through(tuple(layers)), jacobian, (layers[0].n_in, layers[-1].n_out), ranges)
    elif adapter_of(model).module == "torch.model":
        found = _of_module(model, layers if is_one_map else [], network, ranges, reading)
    else:
        check_one_map(network, is_one_map)
        found = DifferentiableMap(name, layers[0].n_in, layers[-1].n_out, ranges, layers)
    _check_widths(found)
    return found


def _pairs(limits: Any) -> tuple[Range, ...]:
    return tuple((float(low), float(high)) for low, high in limits)


def _is_of_each(limits: Any) -> bool:
    return isinstance(limits, (list, tuple, np.ndarray)) and len(limits) > 0 and np.ndim(limits[0]) == 1


def _ranges_of(network: Network, limits: Any) -> Ranges:
    first = network[0]
    if limits is None:
        return first.in_range or network.in_range
    if isinstance(limits, str):
        return seen_at(network.seen, 0, first, "in_range")
    return check_ranges(limits, first.n_in, "in_range", OWNER)


def check_one_map(network: Network, is_one_map: bool) -> None:
    """Raise ValueError where the layers of a network are not one map after the other, and nothing else."""
    check_one_place(network.layers, 0, len(network) - 1)
    if not is_one_map:
        named = ", ".join(name for name, _ in network.skipped[:3]) or "what is between its layers"
        raise ValueError(
            f"The 'model' parameter of {OWNER} must be one map from inputs to outputs, of which every step is a layer. "
            f"Got a model of which {named} is none. Give a layer of it, as_network(model).between(0, 0), or the whole "
            "map as a Function."
        )


def _of_module(
    model: Any, layers: Sequence[AnyLayer], network: Network, ranges: Ranges, reading: AdapterOptions
) -> DifferentiableMap:
    """The map of a module of PyTorch: its layers where they are all of it, or by automatic differentiation."""
    # PyTorch is there where such a model has come.
    from ei_fast.adapters.torch.jacobians import TorchMap

    first = network[0]
    shape = reading.get("input_shape")
    if shape is None and (first.patch is not None or first.per_position or reading.get("example_inputs") is not None):
        raise ValueError(
            f"The 'input_shape' parameter of {OWNER} must be the shape of one sample for a module of PyTorch whose "
            "first layer is not the map of all inputs. Got None instead. Give it, as (3, 8, 8)."
        )
    module = TorchMap(model, (first.n_in,) if shape is None else shape)
    n_in = first.n_in if shape is None else prod(shape)
    ranges = ranges if n_in == first.n_in else hull_of(ranges)
    low, high = ends_of(ranges, n_in)
    points = low + (high - low) * np.random.default_rng(0).random((_COMPARED, n_in))
    outputs = module(points)
    name = type(model).__name__
    if layers and not any(isinstance(layer, Function) for layer in layers) and layers[0].n_in == n_in:
        x = points
        is_chain = all(a.n_out == b.n_in for a, b in pairwise(layers))
        for layer in layers if is_chain else ():
            x = layer(x)
        if x.shape == outputs.shape and np.allclose(x, outputs, rtol=1e-9, atol=1e-9 * np.abs(outputs).max()):
            return DifferentiableMap(name, n_in, layers[-1].n_out, ranges, layers)
    return _with_jacobian(name, module, module.jacobian, (n_in, outputs.shape[1]), ranges, "autodiff")


def _with_jacobian(
    name: str,
    outputs: Callable[[Array], Array],
    jacobian: Callable[[Array], Any],
    widths: tuple[int, int],
    ranges: Ranges,
    derivative: str = "given",
) -> DifferentiableMap:
    """A map with a function that returns its Jacobian, compared with differences of its outputs at a few points."""
    n_in, n_out = widths
    checked = CheckedJacobian(jacobian, n_in, n_out)
    low, high = ends_of(ranges, n_in)
    # Well inside, so that differences of any step stay inside too.
    points = low + (high - low) * (0.05 + 0.9 * np.random.default_rng(0).random((_DIFFERENCED, n_in)))
    told = checked(points)
    agree = np.zeros(len(points), np.bool_)
    for step in STEPS:
        seen = DifferencedBlock(n_in, n_out, outputs, low, high, step).linear(points)
        # Of a map in single precision the differences are only some digits right.
        allowed = 0.02 * np.abs(told).max(axis=(1, 2)) + 1e-6 * (np.abs(seen[0]).max(axis=1) / (high - low).max())
        agree |= np.abs(told - seen[2]).max(axis=(1, 2)) <= allowed
    if 2 * agree.sum() < len(points):
        raise ValueError(
            f"The Jacobian of {name!r} is not that of its outputs: at {(~agree).sum()} of {len(points)} points "
            f"differences of the outputs say otherwise. {_WHOSE[derivative]}"
        )
    return DifferentiableMap(name, n_in, n_out, ranges, (), chain_of_jacobian(n_in, n_out, ranges, checked, derivative))


def _check_widths(found: DifferentiableMap) -> None:
    """Raise ValueError where there are less numbers on the way, or at its end, than inputs."""
    links = [(str(layer.name), layer.n_out) for layer in found.layers] or [(found.name, found.n_out)]
    for name, width in links:
        if width < found.n_in:
            raise ValueError(
                f"{OWNER} takes maps with at least as many outputs as inputs, at the end and on the way. Got "
                f"{found.n_in} inputs, and {width} outputs of {name!r}: inputs that differ in what is lost there are "
                "not told apart, however small the noise is, so that the formula would give -inf. Use analyze, whose "
                "EI is of binned neurons."
            )


@dataclass(frozen=True)
class CheckedJacobian:
    """A function that returns Jacobians, and what it returns checked as it comes."""

    function: Callable[[Array], Any]
    n_in: int
    n_out: int

    def __call__(self, x: Array) -> Array:
        returned = self.function(x)
        check_unmasked(returned, f"The 'jacobian' parameter of {OWNER} must return numbers")
        found = np.asarray(without_gradient(returned))
        shape = (len(x), self.n_out, self.n_in)
        if found.shape != shape or found.dtype.kind not in "fiub":
            raise ValueError(
                f"The 'jacobian' parameter of {OWNER} must return an array of real numbers of shape {shape}, (m, "
                f"n_out, n_in), for inputs of shape {x.shape}. Got shape {found.shape} and dtype {found.dtype} instead."
            )
        if not np.isfinite(found).all():
            raise ValueError(
                f"The Jacobian must be finite on the whole input range of {OWNER}. Got NaN or infinite entries. Give "
                "an 'in_range' on which the map has one."
            )
        return found.astype(np.float64, copy=False)
