"""Which checkpoints there are: the run each belongs to, its step, and what was noted of it."""

import glob
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ei_fast.cluster.finding.checkpoint import Checkpoint
from ei_fast.cluster.finding.paths import BINARY, INDICES, SUFFIXES, FromPath, bare_name, checked_step, from_path
from ei_fast.cluster.finding.patterns import compiled_pattern
from ei_fast.cluster.finding.runs import sure_runs, told_by_names
from ei_fast.cluster.finding.tables import listed_in

_SHARD = re.compile(r"-\d+-of-\d+\.(safetensors|bin)$")
# What Hugging Face's trainings write beside the weights.
_NO_WEIGHTS = ("training_args.bin", "optimizer.bin", "scheduler.bin")


def find_checkpoints(
    where: str, step_pattern: str | None = None, table: Path | None = None, apart_from: Path | None = None
) -> tuple[Path, list[Checkpoint], list[str]]:
    """Checkpoints by run and step.

    Parameters
    ----------
    where : str
        A folder, searched with all folders in it; or a glob, in which ``**`` stands for any folders. Folders
        below it are runs, and so are files of one folder whose names differ in more than the step, see
        `told_by_names`.
    step_pattern : str, optional
        Regular expression with one group, searched in the file's name without its suffix, and where it is not found
        there in the path below `base`. A folder whose name holds the step is no part of the run's. A second group
        ``(?P<run>...)`` is the run; without one files of one folder are one run, unless words like seed or fold in
        their names tell them apart. Where not given, the number of each name that its words call the step, see
        `steps_of`.
    table : path, optional
        CSV with a column ``file``, below the folder or in it, and optional columns ``step`` and ``run``; any
        other is a metric. Only files that it lists are taken.
    apart_from : path, optional
        A folder that is not searched.

    Returns
    -------
    base : Path
        The folder of the checkpoints.
    checkpoints : list of Checkpoint
    ignored : list of str
        Files that were found and are none, or are not in the table.

    Raises
    ------
    ValueError
        Where there is none, a step cannot be told or may be told in two ways, or two files have the same; naming
        the files.
    """
    base, files = _matching(where, apart_from)
    indexed = {path.parent for path in files if path.name.endswith(INDICES)}
    safe = {path.parent for path in files if path.name.endswith((".safetensors", INDICES[0]))}
    known = {
        path: path.name.endswith(SUFFIXES)
        and not _is_part_of_another(path, indexed)
        and not _is_beside_the_weights(path, safe)
        for path in files
    }
    taken = [path for path in files if known[path]]
    others = [path for path in files if not known[path] and not _is_part_of_another(path, indexed)]
    ignored = [path.relative_to(base).as_posix() for path in others]
    if not taken:
        raise ValueError(
            f"The checkpoints {where!r} must be a folder or a glob with files that end in {', '.join(SUFFIXES)}. "
            f"Found none among {len(files)} files."
        )
    names = [path.relative_to(base).as_posix() for path in taken]
    compiled = None if step_pattern is None else compiled_pattern(step_pattern)
    if table is None:
        found = [(from_path(name, compiled), Checkpoint("", 0, name)) for name in names]
    else:
        found = listed_in(table, names, compiled)
        listed = {one.path for _, one in found}
        ignored += [name for name in names if name not in listed]
    made = _checked(_with_steps(found))
    return base, sorted(_with_short_runs(made), key=lambda one: (one.run, one.step)), sorted(ignored)


def _matching(where: str, apart_from: Path | None) -> tuple[Path, list[Path]]:
    """The folder that holds all files of a folder or a glob, and the files; what is hidden is not looked at."""
    if Path(where).is_dir():
        base = Path(os.path.abspath(where))
        files = sorted(base.rglob("*"))
    elif glob.has_magic(where):
        parts = Path(where).parts
        first = next(k for k, part in enumerate(parts) if glob.has_magic(part))
        base = Path(os.path.abspath(Path(*parts[:first])))
        files = sorted(base.glob(str(Path(*parts[first:])))) if base.is_dir() else []
    else:
        raise ValueError(f"The checkpoints {where!r} must be a folder that exists, or a glob like 'runs/*/*.npz'.")
    apart = None if apart_from is None else Path(os.path.abspath(apart_from))

    n_base = len(base.parts)

    def is_seen(path: Path) -> bool:
        hidden = any(part.startswith(".") for part in path.parts[n_base:])
        return not hidden and not (apart is not None and _is_inside(path, apart)) and path.is_file()

    return base, [path for path in files if is_seen(path)]


def _is_inside(path: Path, folder: Path) -> bool:
    n = len(folder.parts)
    return len(path.parts) > n and path.parts[:n] == folder.parts


def _is_part_of_another(path: Path, indexed: Collection[Path]) -> bool:
    """Whether a file is one of the shards that an index beside it names."""
    return bool(_SHARD.search(path.name)) and path.parent in indexed


def _is_beside_the_weights(path: Path, safe: Collection[Path]) -> bool:
    """Whether a file is of a training, or the same weights as those of safetensors in its folder."""
    return path.name in _NO_WEIGHTS or (path.name.endswith(BINARY) and path.parent in safe)


def _check_one_place(places: Sequence[tuple[FromPath, Checkpoint]]) -> None:
    """A pattern must find the steps of all files in their names, or of all in their folders: runs are named so."""
    within = next(((place.step, one.path) for place, one in places if place.in_folder), None)
    at_end = next(((place.step, one.path) for place, one in places if not place.in_folder), None)
    if within is not None and at_end is not None:
        raise ValueError(
            "The step pattern must find the steps of all checkpoints in the names of files, or of all in those of "
            f"folders. It finds {within[0]} in a folder of {within[1]!r} and {at_end[0]} in the name of "
            f"{at_end[1]!r}. Give a pattern that ends in a slash for folders, like 'checkpoint-(\\d+)/', or a "
            "narrower glob."
        )


def _with_steps(found: Sequence[tuple[FromPath, Checkpoint]]) -> list[Checkpoint]:
    """The checkpoints with run and step, which are told from the names in a folder where nothing else gives them."""
    _check_one_place(found)
    untold: dict[str, dict[str, str]] = {}
    by_folder: dict[str, dict[str, str]] = {}
    ends = {one.path: place.step_end for place, one in found}
    for place, one in found:
        if not place.is_run_told:
            by_folder.setdefault(place.run, {})[one.path] = bare_name(one.path)
        if place.step is None:
            untold.setdefault(place.run, {})[one.path] = bare_name(one.path)
    # Of files some of which a table gives steps the others alone do not say what runs there are.
    whole_folders = {folder for folder, names in by_folder.items() if len(untold.get(folder, {})) == len(names)}
    by_name = {path: said for folder, names in untold.items() for path, said in told_by_names(names, folder).items()}
    others = (names for folder, names in by_folder.items() if folder not in whole_folders)
    sure = {path: run for names in others for path, run in sure_runs(names, ends).items()}
    made = []
    for place, one in found:
        step = by_name[one.path].step if place.step is None else place.step
        # A pattern or a table that says nothing of runs has files of a folder as one, but for those of other seeds.
        run = "" if place.is_run_told else by_name[one.path].run if place.run in whole_folders else sure[one.path]
        whole = "/".join(part for part in (place.run, run) if part)
        made.append(replace(one, run=whole, step=checked_step(step, one.path)))
    return made


def _checked(found: Sequence[Checkpoint]) -> Sequence[Checkpoint]:
    """The checkpoints, each step of a run once, and all of them in runs or none."""
    seen: dict[tuple[str, int], str] = {}
    for one in found:
        if (one.run, one.step) in seen:
            raise ValueError(
                f"The checkpoints {seen[one.run, one.step]!r} and {one.path!r} have the same step, {one.step}. "
                "Give a glob that leaves one of them out; or step_pattern=, a regular expression with one group around "
                "the step, and another called run where they are of two, like '^(?P<run>[a-z]+).*?(\\d+)'; or table=, "
                "a CSV with columns file, step and run."
            )
        seen[one.run, one.step] = one.path
        run = PurePosixPath(one.run)
        if run.is_absolute() or ".." in run.parts or (one.run and not run.parts):
            raise ValueError(f"The run of {one.path!r} must be a name. Got {one.run!r}.")
    inside = next((one.path for one in found if one.run), None)
    outside = next((one.path for one in found if not one.run), None)
    if inside is not None and outside is not None and PurePosixPath(inside).parent == PurePosixPath(outside).parent:
        raise ValueError(
            f"The names of some checkpoints say of which run they are, like {inside!r}, and of others do not, like "
            f"{outside!r}. Give a glob that leaves the latter out; or table=, a CSV with columns file, step and run."
        )
    if inside is not None and outside is not None:
        raise ValueError(
            f"The checkpoints must lie all in one folder, or all in folders, one a run. Found {outside!r} and "
            f"{inside!r}. Give a glob like 'runs/*/*.npz'."
        )
    return found


def _with_short_runs(found: Sequence[Checkpoint]) -> list[Checkpoint]:
    """Without what the names of all runs end in: seed0 and seed1, of seed0/checkpoints and seed1/checkpoints."""
    runs = {one.run: PurePosixPath(one.run).parts for one in found}
    while len(runs) > 1 and all(len(parts) > 1 for parts in runs.values()):
        if len({parts[-1] for parts in runs.values()}) > 1:
            break
        runs = {run: parts[:-1] for run, parts in runs.items()}
    return [replace(one, run="/".join(runs[one.run])) for one in found]
