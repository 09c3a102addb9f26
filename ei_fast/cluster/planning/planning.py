"""Make a plan: find the checkpoints, fix settings and ranges, share out the work."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from ei_fast.adapters import as_network
from ei_fast.cluster.finding.checkpoints import find_checkpoints
from ei_fast.cluster.planning.batch import Batch
from ei_fast.cluster.planning.costs import (
    SECONDS_A_CHECKPOINT,
    PartCounts,
    bytes_of,
    bytes_of_file,
    part_counts_of,
    seconds_of,
)
from ei_fast.cluster.planning.ranges import (
    First,
    Reader,
    common_layers,
    firsts_of_runs,
    ranges_by,
)
from ei_fast.cluster.planning.shares import shared_out, tasks_of
from ei_fast.cluster.store.files import PLAN
from ei_fast.cluster.store.locks import check_idle, check_writable
from ei_fast.cluster.store.results import writing
from ei_fast.errors import BatchWarning
from ei_fast.estimator import SIDE_BY_SIDE, EffectiveInformation
from ei_fast.intervention.streams import resolve_seed
from ei_fast.measures.layer import MEASURES_OF_LAYER
from ei_fast.network.stored import StoredLayer
from ei_fast.parameters import (
    OWNER,
    AdapterOptions,
    Integer,
    Number,
    OneOf,
    Settings,
    check_adapter_options,
    check_no_files,
    shows_keywords,
)
from ei_fast.runtime.files import plain
from ei_fast.training.continuation import FREE
from ei_fast.training.ranges import SAID

_CONVENTION = OneOf(tuple(SAID))
_OWN_PARAMETERS = ("checkpoints", "out", "shards", "estimator", "step_pattern", "table", "ranges", "longest", "replace")
_LONGEST = Number("a number of seconds > 0", 1e-9)


@shows_keywords(as_network)
def plan(
    checkpoints: str | os.PathLike[str],
    out: str | os.PathLike[str],
    shards: int,
    estimator: EffectiveInformation | None = None,
    *,
    step_pattern: str | None = None,
    table: str | os.PathLike[str] | None = None,
    ranges: str = "each",
    longest: float = 1800.0,
    replace: bool = False,
    **adapter_options: Unpack[AdapterOptions],
) -> Batch:
    """Fix what a batch is: settings, over whose ranges is measured, the seed, and which shard does what.

    Parameters
    ----------
    checkpoints : str or path
        A folder or a glob of files that `as_network` reads; folders below it are runs, and so are files of one folder
        whose names differ in more than the step (``seed1_epoch1``, ``seed2_epoch1``); what may be either is refused.
    out : str or path
        Folder for the plan and all results; all jobs must see it.
    shards : int
        Number of jobs.
    estimator : EffectiveInformation, optional
        Says what is measured and how. Its `random_state` is the seed of the whole batch.
    step_pattern, table
        How the step of a checkpoint is told; see `find_checkpoints`.
    ranges : "each", "first" or "all", default "each"
        Over what the outputs of unbounded activations are binned, where no range is given: over what each checkpoint
        reaches, what the first one of its run does, or the hull of what all of its run do, which reads them all now.
    longest : float, default 1800.0
        Seconds: a measure of one layer that is expected to take longer is split into parts.
    replace : bool, default False
        Whether another plan may be there already. Results that it shares with this one are kept.
    order, prefix, layout, norm_place, norm_eps, chain, layers : optional
        How a dict or file of weights is read: see `as_network`.
    blocks, heads, verify, input_shape, example_inputs, unroll, names : optional
        How the checkpoints are read: see `as_network`.

    Returns
    -------
    Batch

    Raises
    ------
    TypeError, ValueError, OSError
        Naming the parameter or file, before anything is written.
    """
    check_adapter_options(adapter_options, "plan", _OWN_PARAMETERS)
    estimator = EffectiveInformation() if estimator is None else estimator
    if not isinstance(estimator, EffectiveInformation):
        raise TypeError(
            f"The 'estimator' parameter of plan must be an EffectiveInformation. Got {estimator!r} instead."
        )
    convention = _CONVENTION.checked("ranges", ranges, "plan")
    n_shards = Integer(1).checked("shards", shards, "plan")
    seconds = _LONGEST.checked("longest", longest, "plan")
    settings = _settings_in_a_file(estimator)
    folder = Path(os.path.abspath(out))
    if (folder / PLAN).exists() and not replace:
        raise ValueError(f"The folder {str(folder)!r} holds a plan already. Give another, or replace=True.")
    base, found, ignored = find_checkpoints(
        os.fspath(checkpoints), step_pattern, None if table is None else Path(table), folder
    )
    for name in ignored:
        warnings.warn(
            f"{name!r} is left out: it is not listed, or no file of weights by its name.", BatchWarning, stacklevel=2
        )
    reader = Reader(base, estimator, settings, _other_than_default(adapter_options))
    firsts = firsts_of_runs(reader, found)
    kept, waiting = ranges_by(convention, reader, found)
    layers = common_layers({run: first.network for run, first in firsts.items()})
    expected = _expected(reader, next(iter(firsts.values())), seconds)
    batch = Batch(
        folder=folder,
        base=base,
        parameters=plain(_parameters(estimator)),
        reading=plain(reader.options),
        seed=resolve_seed(estimator.random_state, OWNER),
        layers=layers,
        convention=convention,
        ranges=kept,
        waiting=waiting,
        checkpoints=tuple(found),
        seconds=expected.seconds,
        bytes=expected.bytes,
        part_counts=expected.part_counts,
        shards=shared_out(tasks_of(len(found), expected.seconds, expected.part_counts, seconds), n_shards),
    )
    folder.mkdir(parents=True, exist_ok=True)
    check_writable(folder)
    check_idle(folder, "The plan cannot be replaced")
    with writing(folder / PLAN):
        batch.save()
    return batch


def _settings_in_a_file(estimator: EffectiveInformation) -> Settings:
    """The settings of a batch, which a plan can hold: it is a file, and files hold no functions."""
    settings = Settings.checked(estimator.parameters)
    check_no_files(settings, "plan")
    activation = estimator.activation
    names = activation if isinstance(activation, (list, tuple)) else [activation]
    if not all(isinstance(one, str) for one in names):
        raise TypeError(f"The activations of a plan must be given by name. Got {activation!r}.")
    return settings


def _parameters(estimator: EffectiveInformation) -> dict[str, Any]:
    """Those that figures depend on."""
    return {name: value for name, value in estimator.parameters.items() if name not in FREE}


def _other_than_default(adapter_options: Mapping[str, Any]) -> dict[str, Any]:
    """Options that change how checkpoints are read: those that plans and the names of results have in them."""
    parameters = signature(as_network).parameters
    given = {name: value for name, value in adapter_options.items() if value is not parameters[name].default}
    if "example_inputs" in given:
        given["example_inputs"] = _as_array(given["example_inputs"])
    return given


def _as_array(examples: Any) -> Any:
    """Example inputs as one array, which a plan can hold."""
    array = examples.detach().cpu().numpy() if hasattr(examples, "detach") else examples
    try:
        array = np.asarray(array) if isinstance(array, list) else array
    except ValueError:
        # Lists of several lengths are none.
        array = None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise ValueError(
            "The 'example_inputs' parameter of plan must be one array of numbers, which the file of a plan can hold. "
            f"Got {type(examples).__name__} instead. Give an array (rows, ...)."
        )
    return array


@dataclass(frozen=True)
class _Expected:
    """What a checkpoint is expected to take, besides the measures that are split: seconds of one core, and bytes."""

    seconds: float
    bytes: int
    part_counts: PartCounts


def _expected(reader: Reader, first: First, longest: float) -> _Expected:
    """What is expected of all checkpoints, by the first."""
    settings = reader.settings
    binned = reader.estimator.binned_layers(first.network, settings, first.ranges)
    part_counts = part_counts_of(binned, settings, longest)
    unsplit = SECONDS_A_CHECKPOINT + sum(
        seconds_of(one, settings, measure)
        for one in binned
        for measure in MEASURES_OF_LAYER
        if (one.index, measure) not in part_counts
    )
    sizes = sorted(bytes_of(one, settings) for one in binned)
    if all(isinstance(one, StoredLayer) for one in first.network):
        # They are read one at a time, whatever else the file holds.
        return _Expected(unsplit, sizes[-1], part_counts)
    return _Expected(unsplit, max(bytes_of_file(first.size), sum(sizes[-SIDE_BY_SIDE:])), part_counts)
