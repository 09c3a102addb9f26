"""Over whose ranges the checkpoints of every run are measured; and the first of each run, which tells what to plan."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ei_fast.adapters import as_network
from ei_fast.cluster.finding.checkpoint import Checkpoint
from ei_fast.cluster.finding.content import size_of
from ei_fast.errors import BatchWarning
from ei_fast.estimator import EffectiveInformation
from ei_fast.network.network import Network
from ei_fast.parameters import Settings
from ei_fast.training.continuation import Widths, widths_of
from ei_fast.training.ranges import LayerRanges, hull_of_records, ranges_of_record

# Warnings are of the line that calls `plan`, which calls each function here.
_CALLER_OF_PLAN = 3
_ONE_FURTHER = _CALLER_OF_PLAN + 1


@dataclass(frozen=True)
class Reader:
    """How all checkpoints of a batch are read, and measured.

    Attributes
    ----------
    base : Path
        Folder of the checkpoints.
    estimator : EffectiveInformation
    settings : Settings
        Its own.
    options : dict
        Of `as_network`: those that differ from what is so anyway.
    """

    base: Path
    estimator: EffectiveInformation
    settings: Settings
    options: Mapping[str, Any]

    def network(self, checkpoint: Checkpoint, **others: Any) -> Network:
        """What a checkpoint holds, some options replaced."""
        options = {**self.options, **others}
        return as_network(
            self.base / checkpoint.path, self.estimator.activation, self.settings.range_of_model, **options
        )

    def ranges(self, network: Network) -> LayerRanges:
        """What a network reaches by itself."""
        return tuple(network.ranges(self.settings.in_range, self.settings.out_range))

    def check_measurable(self, network: Network, ranges: LayerRanges) -> None:
        """Raise where a network cannot be measured over these ranges."""
        self.estimator.binned_layers(network, self.settings, ranges)


@dataclass(frozen=True)
class First:
    """The first checkpoint of a run that can be measured.

    Attributes
    ----------
    network : Network
    size : int
        Of its file, bytes.
    ranges : ranges
        Its own.
    """

    network: Network
    size: int
    ranges: LayerRanges


def firsts_of_runs(reader: Reader, found: Sequence[Checkpoint]) -> dict[str, First]:
    """The first checkpoint of each run that can be measured.

    Raises
    ------
    ValueError
        Where a run has none.
    """
    firsts: dict[str, First] = {}
    failed: dict[str, tuple[str, Exception]] = {}
    for one in found:
        if one.run in firsts:
            continue
        try:
            network = reader.network(one)
            ranges = reader.ranges(network)
            reader.check_measurable(network, ranges)
            firsts[one.run] = First(network, size_of(reader.base / one.path), ranges)
        except ImportError:
            raise
        except Exception as error:
            # Whatever reading a damaged file may raise: it will be recorded as failed when its turn comes.
            failed.setdefault(one.run, (one.path, error))
    for run, (name, reason) in failed.items():
        if run not in firsts:
            which = f"of run {run!r} " if run else ""
            raise ValueError(f"No checkpoint {which}can be measured. The first says: {reason}") from reason
        warnings.warn(
            f"{name!r} gives no ranges, the next one of its run does: {reason}",
            BatchWarning,
            stacklevel=_CALLER_OF_PLAN,
        )
    return firsts


def common_layers(networks: Mapping[str, Network]) -> Widths:
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


def ranges_by(
    convention: str, reader: Reader, found: Sequence[Checkpoint]
) -> tuple[dict[str, LayerRanges], dict[str, dict[str, int]]]:
    """What `Batch` keeps as `ranges` and `waiting` under a convention."""
    if convention == "first":
        return _ranges_of_first(reader, found)
    if convention == "all":
        return _ranges_of_all(reader, found), {}
    return {one.run: () for one in found}, {}


def _ranges_of_first(
    reader: Reader, found: Sequence[Checkpoint]
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
            network = reader.network(one)
            ranges, following = ranges_of_record("first", network, reader.settings, known)
            reader.check_measurable(network, ranges)
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
                BatchWarning,
                stacklevel=_ONE_FURTHER,
            )
    return kept, waiting


def _ranges_of_all(reader: Reader, found: Sequence[Checkpoint]) -> dict[str, LayerRanges]:
    """The hull of what all checkpoints of each run reach; those that cannot be read are left out, and fail later."""
    records: dict[str, list[LayerRanges]] = {}
    widths: dict[str, Widths] = {}
    for one in tqdm(found, desc="reading ranges", unit="checkpoint", disable=None):
        try:
            network = reader.network(one, verify=False)
            expected = widths.setdefault(one.run, widths_of(network))
            if widths_of(network) != expected:
                raise ValueError(f"its layers are not those of the first of its run, {expected}")
            ranges = reader.ranges(network)
        except ImportError:
            raise
        except Exception as error:
            warnings.warn(f"{one.path!r} gives no ranges: {error}", BatchWarning, stacklevel=_ONE_FURTHER)
            continue
        records.setdefault(one.run, []).append(ranges)
    return {run: hull_of_records(of_run) for run, of_run in records.items()}
