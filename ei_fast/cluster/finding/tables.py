"""What a table says of checkpoints: a CSV with a line for each."""

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ei_fast.cluster.finding.checkpoint import Checkpoint
from ei_fast.cluster.finding.paths import FromPath, checked_step, folder_of, from_path
from ei_fast.training.columns import COLUMNS, check_metric_name

FURTHER = (
    *("degeneracy_stderr", "phi_ff_stderr", "output_entropy", "conditional_entropy", "share_outside"),
    *("n_in", "n_out", "activation", "joint_method", "pairwise_method", "n_samples"),
)
"""Columns of a batch's table beside those of a trajectory's and the metrics, and the checkpoint."""


def listed_in(table: Path, names: Sequence[str], pattern: re.Pattern[str] | None) -> list[tuple[FromPath, Checkpoint]]:
    """What a CSV says of the files; where it says no step, what a pattern does."""
    with table.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if "file" not in (reader.fieldnames or ()):
            raise ValueError(f"The table {str(table)!r} must have a column 'file'. Got {reader.fieldnames}.")
        for metric in {*(reader.fieldnames or ())} - {"file", "step", "run"}:
            check_metric_name(metric, f"the table {str(table)!r}", (*COLUMNS, *FURTHER, "checkpoint"))
        known, listed, result = set(names), set[str](), []
        for line, row in enumerate(reader, start=2):
            where = f"The table {str(table)!r}, line {line}"
            if None in row or None in row.values():
                raise ValueError(f"{where}, must have one entry for each of {', '.join(reader.fieldnames or ())}.")
            name = PurePosixPath(row.pop("file").strip()).as_posix()
            if name not in known:
                raise ValueError(
                    f"{where}, names {name!r}, which is not among the checkpoints, like {names[0]!r}. Remove the line."
                )
            if name in listed:
                raise ValueError(f"{where}, names {name!r}, which a line before it does. Remove one of them.")
            listed.add(name)
            step, run = row.pop("step", ""), row.pop("run", "").strip()
            place = FromPath(folder_of(name), _whole(step, name, where)) if step.strip() else from_path(name, pattern)
            metrics = {metric: _number(value, metric, where) for metric, value in row.items() if value.strip()}
            place = replace(place, run=run, is_run_told=True) if run else place
            result.append((place, Checkpoint("", 0, name, metrics)))
    return result


def _whole(text: str, name: str, where: str) -> int:
    if not text.strip().isdecimal():
        raise ValueError(f"{where}, must have a whole number >= 0 as step. Got {text!r}.")
    return checked_step(int(text), name)


def _number(text: str, metric: str, where: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{where}, must have numbers or nothing as {metric!r}. Got {text!r}.") from None
