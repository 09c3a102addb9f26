"""A report as a file, and what a file of ours is for."""

import csv
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ei_fast.results.report import Report
from ei_fast.runtime.files import kind_of, plain, write_whole


def write_report(report: Report, path: Path) -> None:
    """Write a report by the suffix of `path`, whole or not at all.

    ``.npz`` is what `Report.save` writes, the matrices of all edges included; ``.csv`` has the columns of
    `Report.to_frame`; ``.json`` the same rows, what was skipped, and the provenance, NaN and infinities as null.
    """
    check_report_path(path)
    _WRITERS[path.suffix](report, path)


def check_report_path(path: Path) -> None:
    """Raise ValueError where no report can be written to `path`, before anything is measured."""
    if path.suffix not in _WRITERS:
        raise ValueError(f"The option --out must end in .npz, .csv or .json. Got {str(path)!r} instead.")
    if not path.parent.is_dir():
        raise ValueError(f"The option --out must be in a folder that exists. Got {str(path)!r} instead.")


def refuse_measured(path: Path) -> None:
    """Raise ValueError where a file that is to be measured holds what was measured already, saying what draws it."""
    kind = kind_of(path)
    if kind == "trajectory":
        raise ValueError(
            f"The file {str(path)!r} is a trajectory: its layers are measured already. Draw it with ei-fast plot "
            f"{path} {path.stem}.png, or with ei-fast animate {path} {path.stem}.gif."
        )
    if kind == "report":
        raise ValueError(
            f"The file {str(path)!r} is a report: its layers are measured already. Print it in Python with "
            "print(ei_fast.Report.load(path)), and draw it with "
            "ei_fast.CausalPlaneDisplay.from_report(report).plot() or ei_fast.plot_edges(report)."
        )


def refuse_unmeasured(path: Path) -> None:
    """Raise ValueError where a file that is to be drawn is no trajectory, saying what measures or draws it."""
    kind = kind_of(path)
    if kind == "report":
        raise ValueError(
            f"The file {str(path)!r} is a report of one moment, and no trajectory. Draw it in Python with "
            "ei_fast.CausalPlaneDisplay.from_report(ei_fast.Report.load(path)).plot()."
        )
    if kind is None and _holds_weights(path):
        raise ValueError(
            f"The file {str(path)!r} holds weights, and no trajectory. Measure them with ei-fast analyze {path}; a "
            "trajectory is what ei_fast.Recorder records along a training, and ei-fast batch of many checkpoints."
        )


def _holds_weights(path: Path) -> bool:
    from ei_fast.adapters import as_network

    try:
        as_network(path)
    except (ValueError, TypeError, OSError, ImportError):
        return False
    return True


def _csv_of(report: Report) -> str:
    """Comma-separated columns of `Report.to_frame`, nothing where there is no number."""
    rows = report.rows()
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    # As pandas has it: nothing where there is no number.
    writer.writerows({name: "" if value != value else value for name, value in row.items()} for row in rows)
    return text.getvalue()


def _json_of(report: Report) -> str:
    """The same rows, what was skipped, and the provenance; null where there is no finite number."""
    content = {"layers": report.rows(), "skipped": report.skipped, "provenance": report.provenance}
    return json.dumps(_without_nan(plain(content)), indent=1, allow_nan=False)


def _writes(text_of: Callable[[Report], str]) -> Callable[[Report, Path], None]:
    return lambda report, path: write_whole(path, text_of(report).encode())


def _without_nan(value: Any) -> Any:
    """Plain values with null for numbers that JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_nan(entry) for key, entry in value.items()}
    return [_without_nan(entry) for entry in value] if isinstance(value, list) else value


TEXTS: dict[str, Callable[[Report], str]] = {"csv": _csv_of, "json": _json_of}
"""A report as text that other programs read, by the name of its format."""

_WRITERS: dict[str, Callable[[Report, Path], None]] = {
    ".npz": Report.save,
    **{f".{form}": _writes(text_of) for form, text_of in TEXTS.items()},
}
