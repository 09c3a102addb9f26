"""Chapters of somebody's own recordings: runs of one network belong together, whatever files they come in."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ei_fast._version import __version__
from ei_fast.demo.chapters import Chapter, folder_name, names_apart
from ei_fast.demo.trainings import counted, widths_said
from ei_fast.figures.player import runs_of
from ei_fast.runtime.files import plain
from ei_fast.training.losses import split_metrics
from ei_fast.training.trajectory import Trajectory

_OF_THE_RUN = ("random_state", "n_jobs", "verbose")
"""What may differ between seeds of one network: all else that was set changes what is measured."""


def given_chapters(trajectories: Mapping[str, Trajectory], taken: Sequence[str]) -> list[Chapter]:
    """Put runs of one network, measured in one way, together.

    Parameters
    ----------
    trajectories : mapping of str to Trajectory
        By name, each of one run.
    taken : sequence of str
        Names that no folder of a chapter may have.

    Raises
    ------
    ValueError
        Where two runs of a network are one training: they would count as two seeds.
    """
    groups: dict[str, dict[str, Trajectory]] = {}
    for name, trajectory in trajectories.items():
        groups.setdefault(_kind_of(trajectory), {})[name] = trajectory
    for runs in groups.values():
        _check_different(runs)
    names = names_apart([folder_name(next(iter(runs))) for runs in groups.values()], taken)
    return [Chapter(name, _title(runs), runs, {}) for name, runs in zip(names, groups.values(), strict=True)]


def _kind_of(trajectory: Trajectory) -> str:
    """The same for trainings of one network that were measured in one way."""
    provenance = plain(trajectory.provenance)
    parameters = provenance.get("parameters", {})
    how = {name: parameters[name] for name in sorted(parameters) if name not in _OF_THE_RUN}
    layers = provenance.get("layers", list(trajectory.layers))
    return repr((layers, how, trajectory.ranges, provenance.get("n_samples_at_last")))


def _check_different(runs: Mapping[str, Trajectory]) -> None:
    """Raise ValueError where two runs are one training."""
    seen: dict[tuple[bytes, ...], str] = {}
    for name, trajectory in runs.items():
        known = [values for values in split_metrics(trajectory)[0].values() if np.isfinite(values).any()]
        those = known or [trajectory.sensitivity, trajectory.ei]
        training = trajectory.steps.tobytes(), *(values.tobytes() for values in those)
        if training in seen:
            raise ValueError(
                f"The 'runs' parameter of page must hold trainings of different seeds. Got {seen[training]!r} and "
                f"{name!r}, which have the same {'losses' if known else 'figures'} at the same steps. Leave one out."
            )
        seen[training] = name


def _title(runs: Mapping[str, Trajectory]) -> str:
    first, trajectory = next(iter(runs.items()))
    return f"{widths_said(trajectory)}: {first}" + (f" and {len(runs) - 1} more" if len(runs) > 1 else "")


def with_counting(chapters: Sequence[Chapter], data: Path, n_jobs: int | None, verbose: bool) -> Iterator[Chapter]:
    """Count joint states too, in chapters whose runs all have weights; what is in `data` is not counted again.

    Parameters
    ----------
    chapters : sequence of Chapter
    data : Path
        Folder with one for each chapter.
    n_jobs : int, optional
        Threads that count.
    verbose : bool
        Whether a progress bar counts the runs.
    """
    countable = [chapter for chapter in chapters if not chapter.lacks_weights]
    with tqdm(
        total=sum(len(chapter.runs) for chapter in countable), unit="run", desc="counting", disable=not verbose
    ) as bar:
        for chapter in chapters:
            by_counting: dict[str, Trajectory] = {}
            for name in chapter.runs if chapter in countable else ():
                by_counting[name] = _counted_before(chapter, name, data) or counted(chapter.runs[name], n_jobs=n_jobs)
                bar.update(1)
            yield replace(chapter, counted=by_counting)


def _counted_before(chapter: Chapter, name: str, data: Path) -> Trajectory | None:
    """What was counted of the same run before; it is written before the run itself is."""
    run, by_counting = (
        data / chapter.name / f"{file}.npz" for file in (chapter.files[name], chapter.counted_files[name])
    )
    if not run.exists() or not by_counting.exists() or run.read_bytes() != chapter.runs[name].to_bytes():
        return None
    trajectory = Trajectory.load(by_counting)
    return trajectory if trajectory.provenance.get("ei_fast") == __version__ else None


def read_runs(paths: Sequence[Path]) -> dict[str, Trajectory]:
    """The runs in trajectory files, by the shortest names that tell them apart.

    Raises
    ------
    ValueError
        Where a file is no trajectory, or has no step.
    """
    names = _names_of(paths)
    runs: dict[str, Trajectory] = {}
    for name, path in zip(names, paths, strict=True):
        trajectory = Trajectory.load(path)
        if not len(trajectory):
            raise ValueError(f"The file {str(path)!r} holds no step. Record at least one, or leave the file out.")
        own = runs_of(trajectory)
        runs |= {f"{name}/{run}": one for run, one in own.items()} if len(own) > 1 else {name: trajectory}
    return runs


def _names_of(paths: Sequence[Path]) -> list[str]:
    """The stem of every file, with as many folders before it as tell all of them apart."""
    wholes = [path.resolve().with_suffix("").parts for path in paths]
    if len(set(wholes)) < len(wholes):
        raise ValueError(f"The files {', '.join(map(str, paths))} are not all different. Give each of them once.")
    endings = (["/".join(whole[-n:]) for whole in wholes] for n in range(1, max(map(len, wholes)) + 1))
    return next(names for names in endings if len(set(names)) == len(names))
