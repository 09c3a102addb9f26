"""Effective information of groups of a layer's neurons, and the measures of its edges."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.adapters import as_network
from ei_fast.estimator import flags_of
from ei_fast.estimator.measurement import Measurement
from ei_fast.functions.notebook import group_in_html
from ei_fast.intervention.streams import resolve_seed
from ei_fast.measures.edges.auto import edge_measure, pairwise_method
from ei_fast.measures.edges.estimate import EdgeEstimate, Matrix
from ei_fast.measures.joint.auto import joint_ei
from ei_fast.measures.stages import run_here
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.input_histograms import check_histograms
from ei_fast.parameters import OWNER, AdapterOptions, MeasuringOptions, Settings, measuring_and_reading, shows_keywords
from ei_fast.results.flags import Flag
from ei_fast.runtime.threads import Threads
from ei_fast.validation import as_numpy_ships


@dataclass(frozen=True)
class GroupEI:
    """Effective information from a group of inputs to a group of outputs; ``float()`` gives its value.

    Parameters
    ----------
    value : float
        The estimate, in bits.
    stderr : float
        Its standard error in bits; 0.0 where the value is exact.
    interval : (float, float)
        95 % interval in bits, which allows for the bias that may be left; lower and upper bound where undersampled.
    flags : tuple of str
        What to know before trusting the value, as in a `LayerReport`.
    bounds : (float, float)
        Bounds in bits that rest on no model of the layer, each with 97.5 % confidence; the value twice where exact.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> group = ef.effective_information(np.eye(3), inputs=[0, 1], activation="linear", bins=4)
    >>> group
    GroupEI(value=4.0, stderr=0.0, interval=(4.0, 4.0), flags=(), bounds=(4.0, 4.0))
    >>> float(group)
    4.0
    """

    value: float
    stderr: float
    interval: tuple[float, float]
    flags: tuple[str, ...]
    bounds: tuple[float, float] = (float("nan"), float("nan"))

    def __float__(self) -> float:
        return self.value

    def _repr_html_(self) -> str:
        return group_in_html(self)


@shows_keywords(Measurement, as_network)
@as_numpy_ships
def effective_information(
    layer: Any,
    inputs: Sequence[int] | int | None = None,
    outputs: Sequence[int] | int | None = None,
    *,
    in_distribution: ArrayLike | None = None,
    **params: Unpack[MeasuringOptions],
) -> GroupEI:
    """Effective information from a group of inputs to a group of outputs.

    Parameters
    ----------
    layer : Layer, Function, 2-D array (n_in, n_out), or a network of one layer
        What is measured.
    inputs, outputs : int or sequence of int, optional
        The groups A and B, by the numbers of their neurons; all neurons where not given.
    in_distribution : array (in_bins,) or (n_in, in_bins), optional
        Histograms that the inputs are drawn from, each for itself, in place of uniform distributions: non-negative
        weights of the bins of all inputs, or of each. Inside a bin an input is uniform. `input_histograms` makes them
        of observed activations.
    bins, activation, in_range, out_range, out_of_range, baseline : optional
        What is measured: see `EffectiveInformation`.
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        How it is measured: see `EffectiveInformation`.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the model is read: see `as_network`.

    Returns
    -------
    GroupEI
        The value in bits, with its error. The group EI of all neurons is the layer's EI; that of one input and one
        output is the edge's entry of EI_parts.

    Raises
    ------
    TypeError, ValueError
        Before any work: the message names the parameter or layer, the rule, the value and the remedy.

    Notes
    -----
    The value is I(X_A; Y_B) with every input of the layer uniform and independent, those outside A as well: the group
    form of EI = I(X; Y) of Mattsson et al. (2020), section 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> float(ef.effective_information(np.eye(3), inputs=0, outputs=[0, 1], activation="linear"))
    3.0
    """
    parameters, reading = measuring_and_reading(params, "effective_information")
    estimator = Measurement(**parameters)
    settings = Settings.checked(estimator.parameters)
    binned = _with_inputs(only_layer(layer, estimator, settings, reading), in_distribution, "effective_information")
    a = _group(inputs, "inputs", binned.layer.n_in)
    b = _group(outputs, "outputs", binned.layer.n_out)
    seed = resolve_seed(estimator.random_state, OWNER)
    with Threads(settings.n_jobs) as threads:
        joint = run_here(joint_ei(binned, settings.options, seed, a, b), threads)
    flags = tuple(flags_of(joint, settings.options))
    if binned.histograms is not None:
        flags = (Flag.NOT_UNIFORM, *flags)
    return GroupEI(joint.value, joint.stderr, (joint.low, joint.high), flags, joint.bounds)


@shows_keywords(Measurement, as_network)
def sensitivity_matrix(
    layer: Any, *, in_distribution: ArrayLike | None = None, **params: Unpack[MeasuringOptions]
) -> Matrix:
    """Measure the sensitivity of every edge of a layer.

    Parameters
    ----------
    layer : Layer, Function, 2-D array (n_in, n_out), or a network of one layer
        What is measured.
    in_distribution : array (in_bins,) or (n_in, in_bins), optional
        Histograms that the inputs are drawn from, each for itself, in place of uniform distributions: non-negative
        weights of the bins of all inputs, or of each. Inside a bin an input is uniform. `input_histograms` makes them
        of observed activations.
    bins, activation, in_range, out_range, out_of_range, baseline : optional
        What is measured: see `EffectiveInformation`.
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        How it is measured: see `EffectiveInformation`.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the model is read: see `as_network`.

    Returns
    -------
    ndarray (n_in, n_out)
        I(X_i; Y_j) of every edge in bits, with only X_i moving and the other inputs at the baseline; NaN where every
        sample is dropped, where an edge was not drawn, or with ``pairwise="none"``.

    Raises
    ------
    TypeError, ValueError
        Before any work: the message names the parameter or layer, the rule, the value and the remedy.

    Notes
    -----
    The sum of the matrix is the layer's sensitivity (Mattsson et al. 2020, section 2.3).

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> ef.sensitivity_matrix(np.eye(2), activation="linear", bins=4)
    array([[2., 0.],
           [0., 2.]])
    """
    return _edges(layer, in_distribution, params, "sensitivity").matrix


@shows_keywords(Measurement, as_network)
def ei_parts_matrix(
    layer: Any, *, in_distribution: ArrayLike | None = None, **params: Unpack[MeasuringOptions]
) -> Matrix:
    """Measure EI_parts of every edge of a layer.

    Parameters
    ----------
    layer : Layer, Function, 2-D array (n_in, n_out), or a network of one layer
        What is measured.
    in_distribution : array (in_bins,) or (n_in, in_bins), optional
        Histograms that the inputs are drawn from, each for itself, in place of uniform distributions: non-negative
        weights of the bins of all inputs, or of each. Inside a bin an input is uniform. `input_histograms` makes them
        of observed activations.
    bins, activation, in_range, out_range, out_of_range, baseline : optional
        What is measured: see `EffectiveInformation`.
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        How it is measured: see `EffectiveInformation`.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the model is read: see `as_network`.

    Returns
    -------
    ndarray (n_in, n_out)
        I(X_i; Y_j) of every edge in bits, with every input moving; NaN where every sample is dropped, where an edge
        was not drawn, or with ``pairwise="none"``.

    Raises
    ------
    TypeError, ValueError
        Before any work: the message names the parameter or layer, the rule, the value and the remedy.

    Notes
    -----
    The sum of the matrix is the layer's EI_parts (Mattsson et al. 2020, section 2.4).

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> ef.ei_parts_matrix(np.ones((2, 1)), activation="linear", bins=2)
    array([[0.18872188],
           [0.18872188]])
    """
    return _edges(layer, in_distribution, params, "ei_parts").matrix


@as_numpy_ships
def _edges(layer: Any, in_distribution: Any, params: MeasuringOptions, measure: str) -> EdgeEstimate:
    owner = f"{measure}_matrix"
    parameters, reading = measuring_and_reading(params, owner)
    estimator = Measurement(**parameters)
    settings = Settings.checked(estimator.parameters)
    binned = _with_inputs(only_layer(layer, estimator, settings, reading), in_distribution, owner)
    pairwise_method(binned, settings.options)
    seed = resolve_seed(estimator.random_state, OWNER)
    with Threads(settings.n_jobs) as threads:
        return run_here(edge_measure(binned, measure, settings.options, seed), threads)


def only_layer(layer: Any, estimator: Measurement, settings: Settings, reading: AdapterOptions) -> BinnedLayer:
    network = as_network(layer, activation=estimator.activation, in_range=settings.range_of_model, **reading)
    if len(network) != 1:
        raise ValueError(
            f"The 'layer' parameter must be a single layer. Got {len(network)} layers instead. "
            "Use Network.between for several as one."
        )
    return estimator.binned_layers(network, settings, network.ranges(settings.in_range, settings.out_range))[0]


def _with_inputs(binned: BinnedLayer, in_distribution: Any, owner: str) -> BinnedLayer:
    """The layer with inputs drawn from histograms; as it is where there are none, or only uniform ones."""
    histograms = check_histograms(in_distribution, binned.layer.n_in, binned.in_bins, owner)
    return binned if histograms is None else replace(binned, histograms=histograms)


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


def _listed(values: Any, rule: str) -> list[Any]:
    try:
        return list(values)
    except TypeError:
        raise TypeError(f"{rule}. Got {values!r} instead.") from None
