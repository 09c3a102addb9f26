"""What a plan fixes, and the file that keeps it: all that two jobs must agree on without speaking to each other."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ei_fast._version import __version__
from ei_fast.adapters import as_network
from ei_fast.cluster.finding.checkpoint import Checkpoint
from ei_fast.cluster.planning.costs import PartCounts
from ei_fast.cluster.store.files import PLAN
from ei_fast.estimator import EffectiveInformation
from ei_fast.network.bins import Ranges, ranges_from
from ei_fast.network.network import Network
from ei_fast.parameters import RangesAndSeed, Settings
from ei_fast.runtime.files import plain, sealed, unsealed, write_whole
from ei_fast.training.continuation import Widths, as_given

_KIND, _FORMAT = "ei_fast batch plan", 3
# Another command than the one that says so.
_REPLACE = "ei-fast batch plan --replace"


@dataclass(frozen=True)
class Part:
    """Part number `k` of `n` of every stage of one measure of one layer."""

    layer: int
    measure: str
    k: int
    n: int


@dataclass(frozen=True)
class Task:
    """What is done in one go: a checkpoint, or a part of one of its layers that is too large.

    Attributes
    ----------
    checkpoint : int
        Index in the plan.
    part : Part or None
    seconds : float
        Estimated.
    """

    checkpoint: int
    part: Part | None
    seconds: float


@dataclass(frozen=True)
class Batch:
    """A plan.

    Attributes
    ----------
    folder : Path
        Where plan and results lie.
    base : Path
        Folder of the checkpoints.
    parameters : dict
        Of `EffectiveInformation`, as plain values; those that change no figure left out.
    reading : dict
        Options of `as_network`.
    seed : int
    layers : list of (str, int, int)
        Name and widths, the same in all runs.
    convention : str
        ``"each"``, ``"first"`` or ``"all"``: over whose ranges a run's checkpoints are measured.
    ranges : dict of str to ranges
        Of each run, input and output range of every layer; none where every checkpoint has its own, and of the first
        layers only where no checkpoint has one for the next.
    waiting : dict of str to dict of str to int
        Of each run, by path: of the first checkpoints, where a layer has no range yet, how many layers before it have.
    checkpoints : tuple of Checkpoint
    seconds, bytes : float
        Estimated of one checkpoint, its memory over all that it takes to have the package loaded.
    part_counts : dict
        Measures of layers that are split, and into how many parts.
    shards : tuple of tuple of Task
        What each shard does.
    """

    folder: Path
    base: Path
    parameters: Mapping[str, Any]
    reading: Mapping[str, Any]
    seed: int
    layers: Widths
    convention: str
    ranges: Mapping[str, tuple[tuple[Ranges, Ranges], ...]]
    waiting: Mapping[str, Mapping[str, int]]
    checkpoints: tuple[Checkpoint, ...]
    seconds: float
    bytes: int
    part_counts: PartCounts
    shards: tuple[tuple[Task, ...], ...]

    @cached_property
    def estimator(self) -> EffectiveInformation:
        """Says what is measured and how."""
        return EffectiveInformation(**{name: as_given(value) for name, value in self.parameters.items()})

    @cached_property
    def settings(self) -> Settings:
        """The estimator's parameters, checked."""
        return Settings.checked(self.estimator.parameters)

    def ranges_and_seed(self, run: str) -> RangesAndSeed:
        """What all measurements of a run share."""
        return RangesAndSeed(self.ranges[run], self.seed, self.convention)

    def ranges_and_seed_of(self, checkpoint: Checkpoint, network: Network) -> RangesAndSeed:
        """What a checkpoint is measured with: the ranges of its run, and its own where that has none."""
        known = self.ranges[checkpoint.run][: self.waiting.get(checkpoint.run, {}).get(checkpoint.path)]
        ranges = tuple(network.ranges(self.settings.in_range, self.settings.out_range, known))
        return RangesAndSeed(ranges, self.seed, self.convention)

    def network(self, checkpoint: Checkpoint) -> Network:
        """What a checkpoint holds, read as all of them are."""
        path, activation = self.base / checkpoint.path, self.estimator.activation
        return as_network(path, activation, self.settings.range_of_model, **self.reading)

    def settings_hash(self, run: str) -> str:
        """Of all but the weights that figures depend on."""
        said = [__version__, self.parameters, self.reading, self.seed, run, self.convention, self.ranges[run]]
        said += [self.layers, self.waiting.get(run, {})]
        return hashlib.sha256(json.dumps(plain(said), sort_keys=True).encode()).hexdigest()

    @property
    def n_shards(self) -> int:
        """Number of shards."""
        return len(self.shards)

    @property
    def has_runs(self) -> bool:
        """Whether there are several runs, or one that has a name."""
        return set(self.ranges) != {""}

    def of_run(self, run: str) -> "Batch":
        """All that a single task of a run needs to know: the same without what grows with the batch."""
        waiting = {run: self.waiting[run]} if run in self.waiting else {}
        return replace(self, ranges={run: self.ranges[run]}, waiting=waiting, checkpoints=(), shards=())

    def save(self) -> None:
        """Write the plan, whole or not at all."""
        content = {
            "kind": _KIND,
            "format": _FORMAT,
            "ei_fast": __version__,
            "checkpoints_in": str(self.base),
            "parameters": self.parameters,
            "reading": self.reading,
            "seed": self.seed,
            "layers": self.layers,
            "convention": self.convention,
            "ranges": self.ranges,
            "waiting": self.waiting,
            "seconds": self.seconds,
            "bytes": self.bytes,
            "pieces": [[layer, measure, n] for (layer, measure), n in self.part_counts.items()],
            "checkpoints": [[one.run, one.step, one.path, one.metrics] for one in self.checkpoints],
            "shards": [
                [[one.checkpoint, one.part and asdict(one.part), one.seconds] for one in s] for s in self.shards
            ],
        }
        write_whole(self.folder / PLAN, sealed(content))

    @classmethod
    def load(cls, folder: Path) -> "Batch":
        """The plan in a folder.

        Raises
        ------
        ValueError
            Where there is none, it is damaged, or another version of ei_fast made it.
        """
        path = folder / PLAN
        content = _content_of(path)
        try:
            return cls(
                folder=folder,
                base=Path(content["checkpoints_in"]),
                parameters=dict(content["parameters"]),
                reading=dict(content["reading"]),
                seed=int(content["seed"]),
                layers=[(str(name), int(n_in), int(n_out)) for name, n_in, n_out in content["layers"]],
                convention=str(content["convention"]),
                ranges={run: ranges_from(ranges) for run, ranges in content["ranges"].items()},
                waiting={run: dict(of_run) for run, of_run in content["waiting"].items()},
                checkpoints=tuple(Checkpoint(*values) for values in content["checkpoints"]),
                seconds=float(content["seconds"]),
                bytes=int(content["bytes"]),
                part_counts={(int(layer), str(measure)): int(n) for layer, measure, n in content["pieces"]},
                shards=tuple(
                    tuple(Task(int(of), part and Part(**part), float(seconds)) for of, part, seconds in tasks)
                    for tasks in content["shards"]
                ),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _damaged(path, error) from error


def _content_of(path: Path) -> dict[str, Any]:
    """What the file of a plan says, which this version of ei_fast has made."""
    if not path.is_file():
        folder = path.parent
        raise ValueError(
            f"The folder {str(folder)!r} holds no plan. Make one: ei-fast batch plan CHECKPOINTS --out {folder} "
            "--shards 1"
        )
    try:
        content: dict[str, Any] = unsealed(path.read_bytes())
        kind, version = content["kind"], content["ei_fast"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise _damaged(path, error) from error
    if kind != _KIND:
        raise ValueError(f"The file {str(path)!r} is not an {_KIND}, but {kind!r}. Give another folder.")
    if version != __version__ or content.get("format") != _FORMAT:
        raise ValueError(
            f"The plan {str(path)!r} was made by ei_fast {version}, and this is {__version__}: figures may "
            f"differ. Use that version, or plan again with replace=True ({_REPLACE})."
        )
    return content


def _damaged(path: Path, error: Exception) -> ValueError:
    return ValueError(f"The plan {str(path)!r} is damaged ({error!r}). Plan again with replace=True ({_REPLACE}).")
