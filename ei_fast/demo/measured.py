"""Chapters of networks of the paper: trained and measured in several processes, what is there already left as it is."""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from ei_fast.demo.chapters import Chapter, folder_name
from ei_fast.demo.processes import in_processes
from ei_fast.demo.trainings import Training, counted, recorded
from ei_fast.training.trajectory import Trajectory

EFFORT = 0.1
"""Of measuring: errors of a hundredth of a bit, of two hundredths where layers are annealed."""


def measured_chapters(
    trainings: Sequence[Training], first_seed: int, data: Path, n_processes: int, verbose: bool
) -> list[Chapter]:
    """Train and measure what is not in the folder `data` yet, and read all of it.

    A run is written when it is complete, and holds the same bytes whoever made it and when.

    Parameters
    ----------
    trainings : sequence of Training
    first_seed : int
        The seeds are this one and those that follow.
    data : Path
        Folder with one for each training.
    n_processes : int
    verbose : bool
        Whether a progress bar counts the runs.
    """
    all_work = [(one, seed) for one in trainings for seed in range(first_seed, first_seed + one.n_seeds)]
    missing = [work for work in all_work if not all(path.exists() for path in _files(data, *work))]
    # Long ones first, so that no process is left with one at the end.
    missing.sort(key=lambda work: -len(work[0].widths) * (1 + (work[0].hidden == "tanh")))
    calls = [(_measure, training, seed, data) for training, seed in missing]
    with tqdm(
        total=len(all_work),
        initial=len(all_work) - len(missing),
        unit="run",
        desc="training and measuring",
        disable=not verbose,
    ) as bar:
        for _ in in_processes(calls, n_processes):
            bar.update(1)
    return [_read(one, range(first_seed, first_seed + one.n_seeds), data) for one in trainings]


def _measure(training: Training, seed: int, data: Path) -> None:
    """Train, measure, and write both files of a run."""
    path, counted_path = _files(data, training, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    trajectory = recorded(training, seed, effort=EFFORT, n_jobs=1)
    counted(trajectory, training.counted_samples, n_jobs=1).save(counted_path)
    trajectory.save(path)


def _read(training: Training, seeds: Sequence[int], data: Path) -> Chapter:
    files = {_name(seed): _files(data, training, seed) for seed in seeds}
    runs = {name: Trajectory.load(path) for name, (path, _) in files.items()}
    by_counting = {name: Trajectory.load(path) for name, (_, path) in files.items()}
    return Chapter(training.name, training.title, runs, by_counting)


def _files(data: Path, training: Training, seed: int) -> tuple[Path, Path]:
    """Where a run is kept, and where its EI by counting."""
    folder, name = data / training.name, folder_name(_name(seed))
    return folder / f"{name}.npz", folder / f"{name}-counted.npz"


def _name(seed: int) -> str:
    return f"seed {seed}"
