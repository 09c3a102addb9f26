"""The measures as functions: of groups of neurons, of edges, of two vectors, over several bins; and `describe`."""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, Unpack, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from ei_fast.adapters import as_network
from ei_fast.estimator import EffectiveInformation, flags_of
from ei_fast.intervention.streams import resolve_seed
from ei_fast.kernels.histograms import add_to_histograms, histogram_information
from ei_fast.kernels.keys import NEVER
from ei_fast.measures.constants import TABLE_OF_COUNTS
from ei_fast.measures.counting.estimators import estimator_named
from ei_fast.measures.edges.auto import edge_measure
from ei_fast.measures.edges.estimate import EdgeEstimate, Matrix
from ei_fast.measures.joint.auto import joint_ei
from ei_fast.measures.quantities import NAMES
from ei_fast.measures.stages import run_here
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.bins import Range, Ranges, check_bins, hull_of
from ei_fast.network.layer import Layer
from ei_fast.network.network import Network
from ei_fast.network.vectors import as_vector, codes_of, two_ranges
from ei_fast.parameters import (
    CONSTRAINTS,
    OWNER,
    AdapterOptions,
    MeasuringOptions,
    ReadingOptions,
    Settings,
    SweepOptions,
    check_adapter_options,
    check_no_files,
    measuring_and_reading,
    shows_keywords,
)
from ei_fast.results.report import ENDS, LayerReport
from ei_fast.results.tables import frame_of, lines_of, widths_of
from ei_fast.runtime.threads import Threads
from ei_fast.validation import as_numpy_ships
from ei_fast.warmup import compile_kernels

if TYPE_CHECKING:
    from pandas import DataFrame


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


@shows_keywords(EffectiveInformation, as_network)
@as_numpy_ships
def effective_information(
    layer: Any,
    inputs: Sequence[int] | int | None = None,
    outputs: Sequence[int] | int | None = None,
    **params: Unpack[MeasuringOptions],
) -> GroupEI:
    """Effective information from a group of inputs to a group of outputs.

    Parameters
    ----------
    layer : Layer, Function, 2-D array (n_in, n_out), or a network of one layer
        What is measured.
    inputs, outputs : int or sequence of int, optional
        The groups A and B, by the numbers of their neurons; all neurons where not given.
    bins, activation, in_range, out_range, out_of_range, baseline : optional
        What is measured: see `EffectiveInformation`.
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        How it is measured: see `EffectiveInformation`.
    order, prefix, layout, norm_place, norm_eps, blocks, verify, input_shape, example_inputs, names : optional
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
    estimator = EffectiveInformation(**parameters)
    settings = Settings.checked(estimator.get_params(deep=False))
    binned = _only_layer(layer, estimator, settings, reading)
    a = _group(inputs, "inputs", binned.layer.n_in)
    b = _group(outputs, "outputs", binned.layer.n_out)
    seed = resolve_seed(estimator.random_state, OWNER)
    with Threads(settings.n_jobs) as threads:
        joint = run_here(joint_ei(binned, settings.options, seed, a, b), threads)
    flags = tuple(flags_of(joint, settings.options))
    return GroupEI(joint.value, joint.stderr, (joint.low, joint.high), flags, joint.bounds)


@shows_keywords(EffectiveInformation, as_network)
def sensitivity_matrix(layer: Any, **params: Unpack[MeasuringOptions]) -> Matrix:
    """Measure the sensitivity of every edge of a layer.

    Parameters
    ----------
    layer : Layer, Function, 2-D array (n_in, n_out), or a network of one layer
        What is measured.
    bins, activation, in_range, out_range, out_of_range, baseline : optional
        What is measured: see `EffectiveInformation`.
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        How it is measured: see `EffectiveInformation`.
    order, prefix, layout, norm_place, norm_eps, blocks, verify, input_shape, example_inputs, names : optional
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
    return _edges(layer, params, "sensitivity").matrix


@shows_keywords(EffectiveInformation, as_network)
def ei_parts_matrix(layer: Any, **params: Unpack[MeasuringOptions]) -> Matrix:
    """Measure EI_parts of every edge of a layer.

    Parameters
    ----------
    layer : Layer, Function, 2-D array (n_in, n_out), or a network of one layer
        What is measured.
    bins, activation, in_range, out_range, out_of_range, baseline : optional
        What is measured: see `EffectiveInformation`.
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        How it is measured: see `EffectiveInformation`.
    order, prefix, layout, norm_place, norm_eps, blocks, verify, input_shape, example_inputs, names : optional
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
    return _edges(layer, params, "ei_parts").matrix


@as_numpy_ships
def _edges(layer: Any, params: MeasuringOptions, measure: str) -> EdgeEstimate:
    parameters, reading = measuring_and_reading(params, f"{measure}_matrix")
    estimator = EffectiveInformation(**parameters)
    settings = Settings.checked(estimator.get_params(deep=False))
    binned = _only_layer(layer, estimator, settings, reading)
    seed = resolve_seed(estimator.random_state, OWNER)
    with Threads(settings.n_jobs) as threads:
        return run_here(edge_measure(binned, measure, settings.options, seed), threads)


def _only_layer(
    layer: Any, estimator: EffectiveInformation, settings: Settings, reading: AdapterOptions
) -> BinnedLayer:
    network = as_network(layer, activation=estimator.activation, in_range=settings.in_range, **reading)
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


_OWNER = "mutual_information"
HistogramEstimator = Literal["plugin", "miller-madow", "grassberger", "chao-shen"]
_ESTIMATORS = get_args(HistogramEstimator)


@as_numpy_ships
def mutual_information(
    x: ArrayLike,
    y: ArrayLike,
    bins: int | tuple[int, int] = 8,
    range: tuple[Range, Range] | None = None,
    entropy: HistogramEstimator = "plugin",
) -> float:
    """Estimate the mutual information of two sample vectors, from their joint histogram.

    Parameters
    ----------
    x, y : array-like (n,)
        Paired samples, real and finite.
    bins : int or (int, int), default 8
        Number of equal bins over the range of each vector, or one number for x and one for y.
    range : ((float, float), (float, float)), optional
        Ranges of x and of y: from the smallest to the largest value where not given. Values outside are counted in
        the outermost bins.
    entropy : "plugin", "miller-madow", "grassberger" or "chao-shen", default "plugin"
        Estimator of the three entropies. With all but the first the result may be below 0.

    Returns
    -------
    float
        I(X; Y) in bits.

    Raises
    ------
    TypeError, ValueError
        The message names the parameter, the rule and the value.

    Notes
    -----
    I(X; Y) = H(X) + H(Y) - H(X, Y), each entropy of the binned samples (Shannon 1948).

    Examples
    --------
    >>> import ei_fast as ef
    >>> ef.mutual_information([0, 0, 1, 1], [0, 1, 2, 3], bins=(2, 4))
    1.0
    """
    vectors = [as_vector(values, name, _OWNER) for name, values in (("x", x), ("y", y))]
    if len(vectors[0]) != len(vectors[1]):
        raise ValueError(
            f"The 'x' and 'y' parameters of {_OWNER} must be of one length. "
            f"Got {len(vectors[0])} and {len(vectors[1])} instead."
        )
    if not isinstance(entropy, str) or entropy not in _ESTIMATORS:
        raise ValueError(
            f"The 'entropy' parameter of {_OWNER} must be one of {', '.join(map(repr, _ESTIMATORS))}. "
            f"Got {entropy!r} instead."
        )
    n_bins = check_bins(bins, _OWNER)
    ranges = [None, None] if range is None else two_ranges(range, _OWNER)
    codes = [codes_of(*given, _OWNER) for given in zip(vectors, ranges, n_bins, strict=True)]
    histogram = np.zeros((1, 1, *n_bins), np.int32)
    add_to_histograms(codes[0][None], codes[1][None], NEVER, histogram)
    bits, _, _ = histogram_information(histogram[0, 0], *estimator_named(entropy).histogram_tables(TABLE_OF_COUNTS))
    return max(bits, 0.0) if entropy == "plugin" else bits


_SWEEP_COLUMNS = ("ei", "ei_stderr", *NAMES[1:])


@shows_keywords(EffectiveInformation, as_network)
def bin_sweep(
    model: Any, bins: Sequence[int | tuple[int, int]] = (4, 8, 16, 32, 64), **params: Unpack[SweepOptions]
) -> "DataFrame":
    """Measure every layer at several numbers of bins.

    Parameters
    ----------
    model : Network, Layer, Function, array, list, dict, path, or a model of a framework
        Whatever `as_network` accepts.
    bins : sequence of int or (int, int), default (4, 8, 16, 32, 64)
        The numbers of bins, each as of `EffectiveInformation`.
    activation, in_range, out_range, out_of_range, baseline : optional
        What is measured: see `EffectiveInformation`.
    joint, pairwise, entropy, n_samples, tol, effort, random_state, n_jobs, verbose, pairwise_edges, matrices : optional
        How it is measured: see `EffectiveInformation`.
    order, prefix, layout, norm_place, norm_eps, blocks, verify, input_shape, example_inputs, names : optional
        How the model is read: see `as_network`.

    Returns
    -------
    pandas.DataFrame
        One row for each number of bins and layer, with the columns in_bins, out_bins, layer, the measures in bits,
        flags, and the ends of interval and bounds of EI in bits.

    Raises
    ------
    ImportError
        Where pandas is not installed.
    TypeError, ValueError
        Before any work: the message names the parameter or layer, the rule, the value and the remedy.

    See Also
    --------
    plot_bins : Draws the frame.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> sweep = ef.bin_sweep([np.eye(2)], bins=(2, 4, 8), activation="linear")
    >>> sweep["ei"].tolist()
    [2.0, 4.0, 6.0]
    """
    frame_of([], [], "ei_fast.bin_sweep")
    _check_several(bins)
    parameters, reading = measuring_and_reading(params, "bin_sweep")
    estimators = [EffectiveInformation(**parameters, bins=n_bins) for n_bins in bins]
    # What a model that runs is seen to do depends on its range.
    in_range = CONSTRAINTS["in_range"].checked("in_range", params.get("in_range", "auto"))
    network = as_network(model, params.get("activation", "sigmoid"), in_range, **reading)
    for one in estimators:
        check_no_files(one.check(network)[1], "bin_sweep")
    if params.get("verbose", 0):
        compile_kernels()
    rows: list[dict[str, Any]] = []
    for estimator in tqdm(estimators, desc="sweeping bins") if params.get("verbose", 0) else estimators:
        rows += map(_swept, estimator.set_params(verbose=0).fit(network).report_)
    return frame_of(rows, ["in_bins", "out_bins", "layer", *_SWEEP_COLUMNS, "flags", *ENDS], "ei_fast.bin_sweep")


def _check_several(bins: Any) -> None:
    if isinstance(bins, (int, str)):
        raise TypeError(
            f"The 'bins' parameter of bin_sweep must be a sequence of numbers of bins. Got {bins!r} instead."
        )


def _swept(layer: LayerReport) -> dict[str, Any]:
    """A row of `bin_sweep`."""
    row = {"in_bins": layer.in_bins, "out_bins": layer.out_bins, "layer": layer.name}
    row |= {name: getattr(layer, name) for name in _SWEEP_COLUMNS}
    return row | {"flags": ", ".join(layer.flags)} | {name: layer.end(name) for name in ENDS}


_DESCRIPTION_HEADER = ("layer", "kind", "neurons", "activation", "inputs", "outputs")


@shows_keywords(as_network)
def describe(model: Any, **options: Unpack[ReadingOptions]) -> None:
    """Print what would be measured, layer by layer, and what is skipped and why.

    Parameters
    ----------
    model : Network, Layer, Function, array, list, dict, path, or a model of a framework
        Whatever `as_network` accepts.
    activation, in_range : optional
        How the model is read: see `as_network`.
    order, prefix, layout, norm_place, norm_eps, blocks, verify, input_shape, example_inputs, names : optional
        How the model is read: see `as_network`.

    Raises
    ------
    TypeError, ValueError
        As `as_network`.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> ef.describe({"w0": np.eye(2), "w1": np.ones((2, 1))}, activation="tanh")
    layer   kind   neurons  activation  inputs   outputs
    ----------------------------------------------------
    layer0  dense  2 -> 2   tanh        (0, 1)   (-1, 1)
    layer1  dense  2 -> 1   tanh        (-1, 1)  (-1, 1)
    """
    check_adapter_options(options, "describe", ("model", "activation", "in_range"))
    print(description(as_network(model, **options)))


def description(network: Network) -> str:
    """The text of `describe`: a line for each layer, with the ranges over which it is binned."""
    rows = []
    for index, (layer, (in_range, out_range)) in enumerate(zip(network, network.ranges(), strict=True)):
        kind, activation = ("dense", str(layer.activation)) if isinstance(layer, Layer) else ("function", "")
        inputs = f"{_range_text(in_range)} *" if index in network.restarts else _range_text(in_range)
        rows.append((str(layer.name), kind, widths_of(layer), activation, inputs, _range_text(out_range)))
    lines = lines_of(_DESCRIPTION_HEADER, rows)
    if network.restarts:
        lines.append(
            "* not the outputs of the layer before, one for one: the model's own input, another arrangement of those "
            "outputs, or the range seen for random inputs"
        )
    lines += [f"note on {name}: {note}" for name, note in network.notes]
    lines += [f"skipped {name}: {reason}" for name, reason in network.skipped]
    return "\n".join(lines)


def _range_text(ranges: Ranges) -> str:
    limits = hull_of(ranges)
    return f"({limits[0]:.4g}, {limits[1]:.4g})"
