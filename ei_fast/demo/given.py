"""Chapters of somebody's own recordings: runs of one network belong together, whatever files they come in."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ei_fast.demo.chapters import Chapter, folder_name
from ei_fast.demo.trainings import counted, widths_said
from ei_fast.figures.player import runs_of
from ei_fast.training.trajectory import Trajectory


def given_chapters(trajectories: Mapping[str, Trajectory], n_jobs: int | None = None) -> list[Chapter]:
    """Put runs of networks with the same layers together, and count joint states where weights were kept.

    Parameters
    ----------
    trajectories : mapping of str to Trajectory
        By name, each of one run.
    n_jobs : int, optional
        Threads that count.
    """
    groups: dict[object, dict[str, Trajectory]] = {}
    for name, trajectory in trajectories.items():
        groups.setdefault((trajectory.layers, trajectory.widths), {})[name] = trajectory
    return [_chapter(runs, n_jobs) for runs in groups.values()]


def _chapter(runs: Mapping[str, Trajectory], n_jobs: int | None) -> Chapter:
    first, trajectory = next(iter(runs.items()))
    title = f"{widths_said(trajectory)}: {first}" + (f" and {len(runs) - 1} more" if len(runs) > 1 else "")
    kept = all(one.networks is not None for one in runs.values())
    by_counting = {name: counted(one, n_jobs=n_jobs) for name, one in runs.items()} if kept else {}
    return Chapter(folder_name(first), title, runs, by_counting)


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
