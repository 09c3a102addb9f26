"""Are my bins small enough? The measures of a network over several numbers of bins."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from ei_fast.adapters import as_network
from ei_fast.estimator import EffectiveInformation
from ei_fast.frames import frame_of
from ei_fast.warmup import compile_kernels

if TYPE_CHECKING:
    from pandas import DataFrame

_COLUMNS = ("ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts", "phi_ff")


def bin_sweep(model: Any, bins: Sequence[int | tuple[int, int]] = (4, 8, 16, 32, 64), **params: Any) -> "DataFrame":
    """Measures of every layer at several numbers of bins, a frame with one row for each of them.

    Parameters
    ----------
    model : Network, Layer, Function, array, list, dict or path
        Whatever `as_network` accepts.
    bins : sequence of int or (int, int)
    **params
        Of `EffectiveInformation`, other than `bins`.

    Returns
    -------
    pandas.DataFrame
        Columns in_bins, out_bins, layer, the measures in bits, and flags.

    Raises
    ------
    ImportError
        Where pandas is not installed.
    TypeError, ValueError
        Before any work, as `EffectiveInformation.fit`.
    """
    frame_of([], [], "ei_fast.bin_sweep")
    if "bins" in params or isinstance(bins, (int, str)):
        raise TypeError(
            f"The 'bins' parameter of bin_sweep must be a sequence of numbers of bins. Got {bins!r} instead."
        )
    network = as_network(model, activation=params.get("activation", "sigmoid"))
    estimators = [EffectiveInformation(**params, bins=one) for one in bins]
    for estimator in estimators:
        estimator.check(network)
    if params.get("verbose", 0):
        compile_kernels()
    rows = []
    for estimator in tqdm(estimators, desc="sweeping bins") if params.get("verbose", 0) else estimators:
        for layer in estimator.set_params(verbose=0).fit(network).report_:
            row = {"in_bins": layer.in_bins, "out_bins": layer.out_bins, "layer": layer.name}
            rows.append(row | {name: getattr(layer, name) for name in _COLUMNS} | {"flags": ", ".join(layer.flags)})
    return frame_of(rows, ["in_bins", "out_bins", "layer", *_COLUMNS, "flags"], "ei_fast.bin_sweep")
