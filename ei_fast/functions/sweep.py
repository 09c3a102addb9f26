"""The measures at several numbers of bins."""

from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any, Unpack

from tqdm import tqdm

from ei_fast.adapters import as_network
from ei_fast.estimator.measurement import Measurement
from ei_fast.measures.quantities import NAMES
from ei_fast.parameters import CONSTRAINTS, SweepOptions, check_no_files, measuring_and_reading, shows_keywords
from ei_fast.results.report import ENDS, LayerReport
from ei_fast.results.tables import frame_of
from ei_fast.warmup import compile_kernels

if TYPE_CHECKING:
    from pandas import DataFrame


_SWEEP_COLUMNS = ("ei", "ei_stderr", *NAMES[1:])


@shows_keywords(Measurement, as_network)
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
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
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
    estimators = [Measurement(**parameters, bins=n_bins) for n_bins in bins]
    # What a model that runs is seen to do depends on its range.
    in_range = CONSTRAINTS["in_range"].checked("in_range", params.get("in_range", "auto"))
    network = as_network(
        model, params.get("activation", "sigmoid"), None if isinstance(in_range, str) else in_range, **reading
    )
    for one in estimators:
        check_no_files(one.check(network)[1], "bin_sweep")
    if params.get("verbose", 0):
        compile_kernels()
    rows: list[dict[str, Any]] = []
    for estimator in tqdm(estimators, desc="sweeping bins") if params.get("verbose", 0) else estimators:
        estimator.verbose = 0
        rows += map(_swept, estimator.fit(network).report_)
    return frame_of(rows, ["in_bins", "out_bins", "layer", *_SWEEP_COLUMNS, "flags", *ENDS], "ei_fast.bin_sweep")


def _check_several(bins: Any) -> None:
    if isinstance(bins, (Integral, str)):
        raise TypeError(
            f"The 'bins' parameter of bin_sweep must be a sequence of numbers of bins. Got {bins!r} instead."
        )


def _swept(layer: LayerReport) -> dict[str, Any]:
    """A row of `bin_sweep`."""
    row = {"in_bins": layer.in_bins, "out_bins": layer.out_bins, "layer": layer.name}
    row |= {name: getattr(layer, name) for name in _SWEEP_COLUMNS}
    return row | {"flags": ", ".join(layer.flags)} | {name: layer.end(name) for name in ENDS}
