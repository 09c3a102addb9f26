"""The EI of groups of neurons, and single measures as functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters import as_network
from ei_fast.estimator import EffectiveInformation, edges_of, flags_of
from ei_fast.intervention.streams import resolve_seed
from ei_fast.measures.conditional import Plan
from ei_fast.measures.entropy import estimator_named
from ei_fast.measures.estimate import JointEI
from ei_fast.measures.histogram import Edges
from ei_fast.measures.joint import joint_ei
from ei_fast.measures.parts import edge_parts
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.layer import Layer
from ei_fast.network.numbers import as_numpy_ships
from ei_fast.parallel import Workers
from ei_fast.settings import OWNER, Settings


@dataclass(frozen=True)
class GroupEI:
    """Effective information from a group of inputs to a group of outputs; ``float()`` gives its value.

    Attributes
    ----------
    value, stderr : float
        Bits, and the standard error; 0.0 where exact.
    interval : (float, float)
        95 % interval, what bias may be left included; a bracket of bounds where undersampled.
    flags : tuple of str
        As in a `LayerReport`.
    """

    value: float
    stderr: float
    interval: tuple[float, float]
    flags: tuple[str, ...]

    def __float__(self) -> float:
        return self.value


@as_numpy_ships
def effective_information(
    layer: Any, inputs: Sequence[int] | int | None = None, outputs: Sequence[int] | int | None = None, **params: Any
) -> GroupEI:
    """Group EI: I(X_A; Y_B) with every input of the layer uniform, those outside A as well.

    Parameters
    ----------
    layer : Layer, Function or 2-D array
        Or a network of one layer.
    inputs, outputs : int or sequence of int, optional
        The groups A and B; all neurons where not given.
    **params
        Of `EffectiveInformation`.

    Returns
    -------
    GroupEI
        Of everything, the layer's EI; of one edge, its entry of EI_parts.
    """
    estimator = EffectiveInformation(**params)
    settings = Settings.checked(estimator.get_params(deep=False))
    binned = _only_layer(layer, estimator, settings)
    a = _group(inputs, "inputs", binned.layer.n_in)
    b = _group(outputs, "outputs", binned.layer.n_out)
    seed = resolve_seed(estimator.random_state, OWNER)
    with Workers(settings.n_jobs) as workers:
        an_edge = isinstance(binned.layer, Layer) and a is not None and b is not None and len(a) == len(b) == 1
        if an_edge and settings.joint != "plugin":
            assert a is not None
            assert b is not None
            bits = float(edge_parts(binned, workers)[a[0], b[0]])
            joint = JointEI.undefined(0) if np.isnan(bits) else JointEI.exact(bits, bits)
        else:
            plan = Plan(settings.tol, settings.n_samples, estimator_named(settings.entropy))
            joint = joint_ei(binned, seed, plan, workers, settings.joint, a, b)
    return GroupEI(joint.value, joint.stderr, (joint.low, joint.high), tuple(flags_of(joint, settings)))


def sensitivity_matrix(layer: Any, **params: Any) -> NDArray[np.float64]:
    """Sensitivity of every edge of a layer in bits, (n_in, n_out).

    Parameters
    ----------
    layer : Layer, Function or 2-D array
    **params
        Of `EffectiveInformation`.
    """
    return _edges(layer, params, "sensitivity").matrix


def ei_parts_matrix(layer: Any, **params: Any) -> NDArray[np.float64]:
    """EI_parts of every edge of a layer in bits, (n_in, n_out).

    Parameters
    ----------
    layer : Layer, Function or 2-D array
    **params
        Of `EffectiveInformation`.
    """
    return _edges(layer, params, "parts").matrix


@as_numpy_ships
def _edges(layer: Any, params: dict[str, Any], measure: str) -> Edges:
    estimator = EffectiveInformation(**params)
    settings = Settings.checked(estimator.get_params(deep=False))
    binned = _only_layer(layer, estimator, settings)
    seed = resolve_seed(estimator.random_state, OWNER)
    with Workers(settings.n_jobs) as workers:
        return edges_of(binned, settings, seed, workers, measure)


def _only_layer(layer: Any, estimator: EffectiveInformation, settings: Settings) -> BinnedLayer:
    network = as_network(layer, activation=estimator.activation, in_range=settings.in_range)
    if len(network) != 1:
        raise ValueError(
            f"The 'layer' parameter must be a single layer. Got {len(network)} layers instead. "
            "Use Network.between for several as one."
        )
    return estimator.binned_layers(network, settings, network.ranges(settings.in_range, settings.out_range))[0]


def _group(neurons: Any, name: str, width: int) -> NDArray[np.intp] | None:
    if neurons is None:
        return None
    rule = f"The {name!r} parameter of effective_information must be None, or different integers from 0 to {width - 1}"
    chosen: list[Any] = [neurons] if isinstance(neurons, Integral) else _listed(neurons, rule)
    if not all(isinstance(k, Integral) and not isinstance(k, (bool, np.bool_)) for k in chosen):
        raise TypeError(f"{rule}. Got {neurons!r} instead.")
    group = sorted(int(k) for k in chosen)
    if not group or len(set(group)) < len(group) or group[0] < 0 or group[-1] >= width:
        raise ValueError(f"{rule}, at least one. Got {neurons!r} instead.")
    return np.array(group, dtype=np.intp)


def _listed(values: Any, rule: str) -> list:
    try:
        return list(values)
    except TypeError:
        raise TypeError(f"{rule}. Got {values!r} instead.") from None
