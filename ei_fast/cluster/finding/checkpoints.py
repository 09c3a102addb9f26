"""Which checkpoints there are: the run each belongs to, its step, and what was noted of it."""

import csv
import glob
import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from ei_fast.cluster.finding.runs import step_group, sure_runs, told_by_names
from ei_fast.training.trajectory import COLUMNS, check_metric_name

FURTHER = (
    *("degeneracy_stderr", "phi_ff_stderr", "output_entropy", "conditional_entropy", "share_outside"),
    *("n_in", "n_out", "activation", "joint_method", "pairwise_method", "n_samples"),
)
"""Columns of a batch's table beside those of a trajectory's and the metrics, and the checkpoint."""

_INDEX = ".safetensors.index.json"
SUFFIXES = (_INDEX, ".npz", ".safetensors", ".pt", ".pth", ".ckpt", ".keras", ".onnx", ".weights.h5", ".h5", ".hdf5")
"""Of files that `as_network` reads."""

_SHARD = re.compile(r"-\d+-of-\d+\.safetensors$")


@dataclass(frozen=True)
class Checkpoint:
    """One file of weights.

    Attributes
    ----------
    run : str
        The training it belongs to: its folder, and what its name says of it where a folder holds several; "" where
        there is one.
    step : int
    path : str
        Below the folder of the checkpoints, with slashes.
    metrics : dict of str to float
        Losses and the like.
    """

    run: str
    step: int
    path: str
    metrics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """What the path of a file says.

    Attributes
    ----------
    run : str
    step : int or None
        Where a pattern finds it.
    in_folder : bool
        Whether it does in the name of a folder.
    is_run_told : bool
        Whether a pattern or a table says the run.
    step_end : int
        Where the digits of the step end in the file's name; 0 where no pattern finds them there.
    """

    run: str
    step: int | None = None
    in_folder: bool = False
    is_run_told: bool = False
    step_end: int = 0


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
    indexed = {path.parent for path in files if path.name.endswith(_INDEX)}
    known = {path: path.name.endswith(SUFFIXES) and not _is_part_of_another(path, indexed) for path in files}
    taken = [path for path in files if known[path]]
    ignored = [path.relative_to(base).as_posix() for path in files if not known[path]]
    if not taken:
        raise ValueError(
            f"The checkpoints {where!r} must be a folder or a glob with files that end in {', '.join(SUFFIXES)}. "
            f"Found none among {len(files)} files."
        )
    names = [path.relative_to(base).as_posix() for path in taken]
    compiled = None if step_pattern is None else _compiled(step_pattern)
    if table is None:
        found = [(_place(name, compiled), Checkpoint("", 0, name)) for name in names]
    else:
        found = _listed(table, names, compiled)
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

    def is_seen(path: Path) -> bool:
        hidden = any(part.startswith(".") for part in path.relative_to(base).parts)
        return not hidden and (apart is None or apart not in path.parents) and path.is_file()

    return base, [path for path in files if is_seen(path)]


def _is_part_of_another(path: Path, indexed: Collection[Path]) -> bool:
    """Whether a file is one of the shards that an index beside it names."""
    return bool(_SHARD.search(path.name)) and path.parent in indexed


def _compiled(pattern: str) -> re.Pattern:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"The step pattern {pattern!r} is no regular expression: {error}. Write one like 'step=(\\d+)'."
        ) from None
    others = compiled.groups - ("run" in compiled.groupindex)
    if others != 1:
        raise ValueError(
            f"The step pattern {pattern!r} must have one group, around the digits of the step, like 'step=(\\d+)', and "
            f"may have another that is called run, like '(?P<run>.*)-step=(\\d+)'. Got {others} groups for the step."
        )
    return compiled


def _bare(name: str) -> str:
    """A file's name without its folders and its suffix."""
    bare = PurePosixPath(name).name
    return bare.removesuffix(next(suffix for suffix in SUFFIXES if bare.endswith(suffix)))


def _place(name: str, pattern: re.Pattern | None) -> Place:
    """What a pattern finds in the name of a file, or in its path: first without the suffix, then with it."""
    bare, folder = _bare(name), _folder(name)
    if pattern is None:
        return Place(folder)
    begin = len(folder) + 1 if folder else 0
    for text, offset in ((bare, begin), (name[: begin + len(bare)], 0), (name, 0)):
        found, of_step = pattern.search(text), step_group(pattern)
        if found is None or found[of_step] is None:
            continue
        if not (found[of_step].isascii() and found[of_step].isdecimal()):
            break
        which = name.count("/", 0, offset + found.start(of_step))
        parts = folder.split("/") if folder else []
        run = "/".join(part for k, part in enumerate(parts) if k != which)
        told = (found["run"] or "").strip("/") if "run" in pattern.groupindex else ""
        if told:
            # What is found in the path has the folders that matter in it.
            run = told if text is not bare or not run else f"{run}/{told}"
        end = max(0, offset + found.end(of_step) - begin)
        return Place(run, _checked_step(int(found[of_step]), name), which < len(parts), bool(told), end)
    raise ValueError(
        f"The step of {name!r} cannot be told: {pattern.pattern!r} finds no number in {bare!r}, nor in the path below "
        "the folder of the checkpoints. Give step_pattern=, a regular expression with one group around the digits of "
        "the step; or table=, a CSV with columns file and step; or a glob that leaves the file out."
    )


def _check_one_place(places: Sequence[tuple[Place, Checkpoint]]) -> None:
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


def _with_steps(found: Sequence[tuple[Place, Checkpoint]]) -> list[Checkpoint]:
    """The checkpoints with run and step, which are told from the names in a folder where nothing else gives them."""
    _check_one_place(found)
    untold: dict[str, dict[str, str]] = {}
    by_folder: dict[str, dict[str, str]] = {}
    ends = {one.path: place.step_end for place, one in found}
    for place, one in found:
        if not place.is_run_told:
            by_folder.setdefault(place.run, {})[one.path] = _bare(one.path)
        if place.step is None:
            untold.setdefault(place.run, {})[one.path] = _bare(one.path)
    # Of files some of which a table gives steps the others alone do not say what runs there are.
    whole_folders = {folder for folder, names in by_folder.items() if len(untold.get(folder, {})) == len(names)}
    told = {path: said for folder, names in untold.items() for path, said in told_by_names(names, folder).items()}
    sure = {path: run for names in by_folder.values() for path, run in sure_runs(names, ends).items()}
    made = []
    for place, one in found:
        step = told[one.path].step if place.step is None else place.step
        # A pattern or a table that says nothing of runs has files of a folder as one, but for those of other seeds.
        run = "" if place.is_run_told else told[one.path].run if place.run in whole_folders else sure[one.path]
        whole = "/".join(part for part in (place.run, run) if part)
        made.append(replace(one, run=whole, step=_checked_step(step, one.path)))
    return made


def _checked_step(step: int, name: str) -> int:
    if not 0 <= step < 2**63:
        raise ValueError(f"The step of {name!r} must be from 0 to 2**63 - 1. Got {step}.")
    return step


def _folder(name: str) -> str:
    folder = PurePosixPath(name).parent.as_posix()
    return "" if folder == "." else folder


def _listed(table: Path, names: Sequence[str], pattern: re.Pattern | None) -> list[tuple[Place, Checkpoint]]:
    """What a CSV says of the files; where it says no step, what a pattern does."""
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if "file" not in (reader.fieldnames or ()):
            raise ValueError(f"The table {str(table)!r} must have a column 'file'. Got {reader.fieldnames}.")
        for metric in {*(reader.fieldnames or ())} - {"file", "step", "run"}:
            check_metric_name(metric, f"the table {str(table)!r}", (*COLUMNS, *FURTHER, "checkpoint"))
        known, result = set(names), []
        for line, row in enumerate(reader, start=2):
            where = f"The table {str(table)!r}, line {line}"
            if None in row or None in row.values():
                raise ValueError(f"{where}, must have one entry for each of {', '.join(reader.fieldnames or ())}.")
            name = PurePosixPath(row.pop("file").strip()).as_posix()
            if name not in known:
                raise ValueError(
                    f"{where}, names {name!r}, which is not among the checkpoints, like {names[0]!r}. Remove the line."
                )
            step, run = row.pop("step", ""), row.pop("run", "").strip()
            place = Place(_folder(name), _whole(step, name, where)) if step.strip() else _place(name, pattern)
            metrics = {metric: _number(value, metric, where) for metric, value in row.items() if value.strip()}
            place = replace(place, run=run, is_run_told=True) if run else place
            result.append((place, Checkpoint("", 0, name, metrics)))
    return result


def _whole(text: str, name: str, where: str) -> int:
    if not text.strip().isdecimal():
        raise ValueError(f"{where}, must have a whole number >= 0 as step. Got {text!r}.")
    return _checked_step(int(text), name)


def _number(text: str, metric: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{where}, must have numbers or nothing as {metric!r}. Got {text!r}.") from None


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
