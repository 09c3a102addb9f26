"""Make a plan: find the checkpoints, fix settings and ranges, share out the work."""

import heapq
import os
import warnings
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, Unpack

from tqdm import tqdm

from ei_fast.adapters import as_network
from ei_fast.cluster.finding.checkpoints import Checkpoint, find_checkpoints
from ei_fast.cluster.planning.batch import PLAN, Batch, Part, Task
from ei_fast.cluster.planning.costs import PartCounts, bytes_of, bytes_of_file, part_counts_of, seconds_of
from ei_fast.cluster.store.locks import check_idle, check_writable
from ei_fast.cluster.store.results import size_of, writing
from ei_fast.estimator import SIDE_BY_SIDE, EffectiveInformation
from ei_fast.intervention.streams import resolve_seed
from ei_fast.measures.layer import MEASURES
from ei_fast.network.network import Network
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
from ei_fast.training.continuation import FREE, Widths, widths_of
from ei_fast.training.ranges import SAID, LayerRanges, hull_of_records, ranges_of_record

_CONVENTION = OneOf(tuple(SAID))
_OWN_PARAMETERS = ("checkpoints", "out", "shards", "estimator", "step_pattern", "table", "ranges", "longest", "replace")
_LONGEST = Number("a number of seconds > 0", 1e-9)


@shows_keywords(as_network)
def plan(
    checkpoints: str | os.PathLike,
    out: str | os.PathLike,
    shards: int,
    estimator: EffectiveInformation | None = None,
    *,
    step_pattern: str | None = None,
    table: str | os.PathLike | None = None,
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
    order, prefix, layout, norm_place, norm_eps, blocks, verify, input_shape, example_inputs, names : optional
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
    parameters = {name: value for name, value in estimator.get_params(deep=False).items() if name not in FREE}
    settings = Settings.checked(estimator.get_params(deep=False))
    check_no_files(settings, "plan")
    _check_names(parameters["activation"])
    folder = Path(os.path.abspath(out))
    if (folder / PLAN).exists() and not replace:
        raise ValueError(f"The folder {str(folder)!r} holds a plan already. Give another, or replace=True.")
    base, found, ignored = find_checkpoints(
        os.fspath(checkpoints), step_pattern, None if table is None else Path(table), folder
    )
    for name in ignored:
        warnings.warn(f"{name!r} is left out: it is not listed, or no file of weights by its name.", stacklevel=2)
    reading = _other_than_default(adapter_options)
    networks = _firsts(base, found, estimator, settings, reading)
    of_first = {
        run: tuple(network.ranges(settings.in_range, settings.out_range)) for run, (network, _) in networks.items()
    }
    kept: dict[str, LayerRanges] = dict.fromkeys(of_first, ())
    waiting: dict[str, dict[str, int]] = {}
    if convention == "first":
        kept, waiting = _ranges_of_first(base, found, estimator, settings, reading)
    elif convention == "all":
        kept = _ranges_of_all(base, found, estimator, settings, reading)
    layers = _common_layers({run: network for run, (network, _) in networks.items()})
    run, (network, size) = next(iter(networks.items()))
    binned = estimator.binned_layers(network, settings, of_first[run])
    part_counts = part_counts_of(binned, settings, seconds)
    unsplit = sum(
        seconds_of(one, settings, measure)
        for one in binned
        for measure in MEASURES
        if (one.index, measure) not in part_counts
    )
    batch = Batch(
        folder,
        base,
        plain(parameters),
        plain(reading),
        resolve_seed(estimator.random_state, OWNER),
        layers,
        convention,
        kept,
        waiting,
        tuple(found),
        unsplit,
        max(bytes_of_file(size), sum(sorted(bytes_of(one, settings) for one in binned)[-SIDE_BY_SIDE:])),
        part_counts,
        _shared_out(_tasks(len(found), unsplit, part_counts, seconds), n_shards),
    )
    folder.mkdir(parents=True, exist_ok=True)
    check_writable(folder)
    check_idle(folder, "The plan cannot be replaced")
    with writing(folder / PLAN):
        batch.save()
    return batch


def _other_than_default(adapter_options: Mapping[str, Any]) -> dict[str, Any]:
    """Options that change how checkpoints are read: those that plans and the names of results have in them."""
    parameters = signature(as_network).parameters
    return {name: value for name, value in adapter_options.items() if value is not parameters[name].default}


def _check_names(activation: Any) -> None:
    """A plan is a file, which holds no functions."""
    names = activation if isinstance(activation, (list, tuple)) else [activation]
    if not all(isinstance(one, str) for one in names):
        raise TypeError(f"The activations of a plan must be given by name. Got {activation!r}.")


def _firsts(
    base: Path,
    found: Sequence[Checkpoint],
    estimator: EffectiveInformation,
    settings: Settings,
    reading: Mapping[str, Any],
) -> dict[str, tuple[Network, int]]:
    """The first checkpoint of each run that can be read, and the size of its file."""
    networks: dict[str, tuple[Network, int]] = {}
    failed: dict[str, tuple[str, Exception]] = {}
    for one in found:
        if one.run in networks:
            continue
        path = base / one.path
        try:
            network = as_network(path, estimator.activation, settings.in_range, **reading)
            ranges = tuple(network.ranges(settings.in_range, settings.out_range))
            estimator.binned_layers(network, settings, ranges)
            networks[one.run] = network, size_of(path)
        except ImportError:
            raise
        except Exception as error:
            # Whatever reading a damaged file may raise: it will be recorded as failed when its turn comes.
            failed.setdefault(one.run, (one.path, error))
    for run, (name, reason) in failed.items():
        if run not in networks:
            which = f"of run {run!r} " if run else ""
            raise ValueError(f"No checkpoint {which}can be measured. The first says: {reason}") from reason
        warnings.warn(f"{name!r} gives no ranges, the next one of its run does: {reason}", stacklevel=3)
    return networks


def _ranges_of_first(
    base: Path,
    found: Sequence[Checkpoint],
    estimator: EffectiveInformation,
    settings: Settings,
    reading: Mapping[str, Any],
) -> tuple[dict[str, LayerRanges], dict[str, dict[str, int]]]:
    """What a `Recorder` would keep of each run: ranges, and of how many layers where there are not yet those of all."""
    kept: dict[str, LayerRanges] = {}
    waiting: dict[str, dict[str, int]] = {}
    complete: set[str] = set()
    said: set[str] = set()
    for one in found:
        if one.run in complete:
            continue
        known = kept.get(one.run, ())
        try:
            network = as_network(base / one.path, estimator.activation, settings.in_range, **reading)
            ranges, following = ranges_of_record("first", network, settings, known)
            estimator.binned_layers(network, settings, ranges)
        except ImportError:
            raise
        except Exception:
            # It was said already, or will be recorded as failed when its turn comes.
            continue
        kept[one.run] = following
        if len(following) == len(network):
            complete.add(one.run)
            continue
        waiting.setdefault(one.run, {})[one.path] = len(known)
        if one.run not in said:
            said.add(one.run)
            name = network.layers[len(kept[one.run])].name
            warnings.warn(
                f"All outputs of the layer {name!r} in {one.path!r} are one point, which makes no range. The next "
                "checkpoint of its run that has one gives it.",
                stacklevel=3,
            )
    return kept, waiting


def _ranges_of_all(
    base: Path,
    found: Sequence[Checkpoint],
    estimator: EffectiveInformation,
    settings: Settings,
    reading: Mapping[str, Any],
) -> dict[str, LayerRanges]:
    """The hull of what all checkpoints of each run reach; those that cannot be read are left out, and fail later."""
    records: dict[str, list[LayerRanges]] = {}
    for one in tqdm(found, desc="reading ranges", unit="checkpoint", disable=None):
        try:
            network = as_network(
                base / one.path, estimator.activation, settings.in_range, **(dict(reading) | {"verify": False})
            )
            ranges = tuple(network.ranges(settings.in_range, settings.out_range))
        except ImportError:
            raise
        except Exception as error:
            warnings.warn(f"{one.path!r} gives no ranges: {error}", stacklevel=3)
            continue
        records.setdefault(one.run, []).append(ranges)
    return {run: hull_of_records(of_run) for run, of_run in records.items()}


def _common_layers(networks: Mapping[str, Network]) -> Widths:
    """Name and widths of every layer, which must be the same in all runs."""
    first, *others = networks
    layers = widths_of(networks[first])
    for run in others:
        if widths_of(networks[run]) != layers:
            raise ValueError(
                f"The runs of a batch must have the same layers. {first!r} has {layers}, {run!r} has "
                f"{widths_of(networks[run])}. Plan them apart."
            )
    return layers


def _tasks(n_checkpoints: int, unsplit: float, part_counts: PartCounts, longest: float) -> list[Task]:
    parts = [Part(layer, measure, k, n) for (layer, measure), n in part_counts.items() for k in range(n)]
    if not parts:
        return [Task(index, None, unsplit) for index in range(n_checkpoints)]
    # Whoever has the last part measures what is not split as well.
    return [
        Task(index, part, longest + (unsplit if part is parts[-1] else 0.0))
        for index in range(n_checkpoints)
        for part in parts
    ]


def _shared_out(tasks: Sequence[Task], n_shards: int) -> tuple[tuple[Task, ...], ...]:
    """The tasks of every shard, in their order: the longest first to whoever has least."""
    loads = [(0.0, shard) for shard in range(n_shards)]
    given: list[list[int]] = [[] for _ in range(n_shards)]
    for index in sorted(range(len(tasks)), key=lambda index: -tasks[index].seconds):
        load, shard = heapq.heappop(loads)
        given[shard].append(index)
        heapq.heappush(loads, (load + tasks[index].seconds, shard))
    return tuple(tuple(tasks[index] for index in sorted(indices)) for indices in given)
