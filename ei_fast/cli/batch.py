"""The commands ``ei-fast batch``: many checkpoints on a cluster."""

import signal
import sys
import tomllib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any

import click

from ei_fast.cli.reading import NAMES, activations_in, how_to_read, taken_out
from ei_fast.cli.said import Given, Returned, as_typed, said_plainly
from ei_fast.errors import Incomplete

FAILED_OR_MISSING = 3

_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
"""Bytes, by the letter behind a number of them."""

_folder = click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))


def _warnings_as_lines(command: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """What is warned of is a line on standard error, without a line of code below it."""

    @wraps(command)
    def wrapped(*args: Given.args, **kwargs: Given.kwargs) -> Returned:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = _show_as_line
            return command(*args, **kwargs)

    return wrapped


def _show_as_line(message: Warning | str, *rest: Any, **more: Any) -> None:
    click.echo(as_typed(f"Warning: {message}"), err=True)


def _reasons_as_planned(command: Callable[Given, Returned]) -> Callable[Given, Returned]:
    """Why checkpoints failed is said with the options of ``plan``, which fixes how they are read."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        from ei_fast.cluster.running.log import AS_SHOWN

        token = AS_SHOWN.set(_as_planned)
        try:
            return command(*args, **kwargs)
        finally:
            AS_SHOWN.reset(token)

    return wrapped


def _as_planned(reason: str) -> str:
    typed = as_typed(reason, plan)
    if typed == reason:
        return reason
    return f"{typed} These are options of ei-fast batch plan: plan again with them, and with --replace."


@click.group()
def batch() -> None:
    """Measure thousands of checkpoints: plan, run the shards, merge.

    All jobs must see DIR. A run that was stopped anywhere, by anything, is run again and goes on.
    """


@batch.command()
@click.argument("checkpoints")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder of the batch.")
@click.option("--shards", required=True, type=click.IntRange(min=1), help="Jobs that share the work.")
@click.option("--seed", type=click.IntRange(min=0), help="Of the sampling [0].")
@click.option(
    "--settings",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="TOML file with parameters of EffectiveInformation and options of as_network; options here go before.",
)
@click.option("--bins", type=int, help="Bins of each neuron [8].")
@click.option("--out-range", nargs=2, type=float, metavar="LOW HIGH", help="Range of every layer's outputs [derived].")
@click.option("--tol", type=float, help="Error of EI to aim for, in bits [0.01].")
@click.option("--effort", type=float, help="Multiplies the ceiling of work [1].")
@how_to_read(activation=None)
@click.option(
    "--step-pattern",
    help="Regular expression whose one group is the step, in the file's name or in its path below the folder, where "
    "that of a folder is no part of the run; a second group (?P<run>...) is the run [the number called step, iter, "
    "epoch or checkpoint, or the only one; what else differs in the names tells runs apart, or is refused].",
)
@click.option(
    "--table",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with a column file, and step, run, or metrics like loss.",
)
@click.option(
    "--ranges",
    type=click.Choice(["each", "first", "all"]),
    default="each",
    show_default=True,
    help="Over what unbounded outputs are binned: what each checkpoint of a run reaches, its first, or all of them.",
)
@click.option(
    "--longest",
    type=float,
    default=1800.0,
    show_default=True,
    help="Seconds; a measure of one layer that is expected to take longer is split.",
)
@click.option("--replace", is_flag=True, help="Replace the plan that is there; results that still hold are kept.")
@said_plainly
@_warnings_as_lines
def plan(
    checkpoints: str,
    out: Path,
    shards: int,
    seed: int | None,
    settings: Path | None,
    step_pattern: str | None,
    table: Path | None,
    ranges: str,
    longest: float,
    replace: bool,
    **given: Any,
) -> None:
    """Fix what CHECKPOINTS, a folder or a quoted glob, are measured with, and which shard does what.

    Folders below it are runs, and so are files in one whose names differ in a seed, a fold or the like.
    """
    from ei_fast import EffectiveInformation
    from ei_fast.cluster import plan as make_plan
    from ei_fast.cluster.running.log import duration, runs_and_steps

    reading = taken_out(given)
    values = {} if settings is None else _from_toml(settings)
    values |= {name: value for name, value in given.items() if value is not None}
    if given["activation"] is not None:
        values["activation"] = activations_in(given["activation"])
    reading = {name: values.pop(name) for name in NAMES if name in values} | reading
    values["random_state"] = seed if seed is not None else values.get("random_state", 0)
    made = make_plan(
        checkpoints,
        out,
        shards,
        EffectiveInformation(**values),
        step_pattern=step_pattern,
        table=table,
        ranges=ranges,
        longest=longest,
        replace=replace,
        **reading,
    )
    click.echo(f"{runs_and_steps(made.checkpoints)}\n")
    click.echo(
        f"{len(made.checkpoints)} checkpoints of {len(made.ranges)} runs, {len(made.layers)} layers each; "
        f"about {duration(max(sum(task.seconds for task in tasks) for tasks in made.shards))} of one core a shard, "
        f"{made.bytes / 2**30:.2f} GiB a process"
    )
    click.echo(f"wrote {out / 'plan.json'}; next: ei-fast batch run {out}, for a Slurm array --array=0-{shards - 1}")


@batch.command()
@_folder
@click.option("--shard", type=int, help="From 0 on [SLURM_ARRAY_TASK_ID where there is one, else all].")
@click.option("--processes", type=click.IntRange(min=1), help="Worker processes [the job's cores].")
@click.option("--max-memory", metavar="SIZE", help="Of all processes together, like 12G [the job's limit].")
@click.option("--dask-scheduler", metavar="ADDRESS", help="Let the workers of a Dask cluster do it: tcp://host:8786.")
@said_plainly
@_warnings_as_lines
@_reasons_as_planned
def run(
    folder: Path, shard: int | None, processes: int | None, max_memory: str | None, dask_scheduler: str | None
) -> None:
    """Do what is not done yet.

    The exit code is 0 when all is done, 3 when checkpoints failed (they are named, and tried again by the next run),
    143 after SIGTERM, 130 after SIGINT, 1 for any other error and 2 for wrong usage. Whatever it is, what was
    measured is kept.
    """
    from ei_fast.cluster import run as run_shards

    with _ended_by_signals():
        summary = run_shards(
            folder,
            shard,
            processes=processes,
            max_memory=None if max_memory is None else _bytes_in(max_memory),
            dask_scheduler=dask_scheduler,
        )
    click.echo(str(summary))
    if summary.failed:
        sys.exit(FAILED_OR_MISSING)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let signals end what is done here, and nothing that the process does afterwards."""
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            # One that has come stays ignored until the process has ended.
            if signal.getsignal(number) is _end:
                signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _end(number: int, frame: FrameType | None) -> None:
    """Abandon what is being measured: files are written whole or not at all, so that nothing needs to be finished."""
    # Another one would interrupt the tidying up.
    signal.signal(number, signal.SIG_IGN)
    click.echo(f"Ended by {signal.Signals(number).name}; run again to go on.", err=True)
    sys.exit(128 + number)


@batch.command()
@_folder
@said_plainly
@_warnings_as_lines
@_reasons_as_planned
def status(folder: Path) -> None:
    """Say what is done, running, failed and missing."""
    from ei_fast.cluster import status as status_of

    click.echo(str(status_of(folder)))


@batch.command()
@_folder
@click.option("--allow-incomplete", is_flag=True, help="Leave out checkpoints that are missing or failed.")
@said_plainly
@_warnings_as_lines
@_reasons_as_planned
def merge(folder: Path, allow_incomplete: bool) -> None:
    """Write trajectory.npz, a table of it, and run_info.json.

    The exit code is 3 where checkpoints are missing or failed, which are named.
    """
    from ei_fast.cluster import merge as merge_results

    try:
        written = merge_results(folder, allow_incomplete)
    except Incomplete as error:
        click.echo(f"Error: {as_typed(str(error))}", err=True)
        sys.exit(FAILED_OR_MISSING)
    for path in written:
        click.echo(f"wrote {path}")


def _from_toml(path: Path) -> dict[str, Any]:
    from ei_fast import EffectiveInformation

    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"The settings {str(path)!r} are no TOML: {error}. Write lines like bins = 8.") from error
    known = [*EffectiveInformation().parameters, *NAMES]
    for name in values:
        if name not in known:
            raise ValueError(
                f"The settings {str(path)!r} have {name!r}, which is none of {', '.join(known)}. Leave it out, or "
                "correct it."
            )
    return {name: tuple(value) if _is_pair(name, value) else value for name, value in values.items()}


def _is_pair(name: str, value: Any) -> bool:
    return name in ("bins", "in_range", "out_range") and isinstance(value, list)


def _bytes_in(text: str) -> int:
    number, unit = (text[:-1], text[-1].upper()) if text[-1:].upper() in _UNITS else (text, "M")
    try:
        return int(float(number) * _UNITS[unit])
    except ValueError:
        raise ValueError(
            f"The option --max-memory must be a number with K, M, G or T, like 12G; M if none. Got {text!r}."
        ) from None
