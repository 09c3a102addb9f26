"""The files of a page: data as .npz and .csv, verdicts as .csv, and HTML that opens from disk."""

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ei_fast.claims.outcomes import LEAST_RUNS, Outcome, Role
from ei_fast.claims.verdicts import rows_of
from ei_fast.demo.chapters import Chapter
from ei_fast.runtime.files import plain, write_whole
from ei_fast.training.trajectory import Trajectory

_SIGNS = {
    Outcome.YES: "✓",
    Outcome.PARTLY: "◐",
    Outcome.NOT_SHOWN: "?",
    Outcome.NO: "✗",
    Outcome.NO_VERDICT: "–",
}


def write_data(chapters: Sequence[Chapter], data: Path) -> None:
    """Write the runs of all chapters as .npz and .csv, and all verdicts as one .csv."""
    rows: list[dict[str, Any]] = []
    for chapter in chapters:
        folder = data / chapter.name
        folder.mkdir(parents=True, exist_ok=True)
        # A run last: where it is there, so is what was counted of it.
        files = {chapter.counted_files[name]: trajectory for name, trajectory in chapter.counted.items()}
        files |= {chapter.files[name]: trajectory for name, trajectory in chapter.runs.items()}
        for file, trajectory in files.items():
            _write_run(trajectory, folder / file)
        for path in folder.iterdir():
            if path.suffix in (".npz", ".csv") and path.stem not in files:
                path.unlink()
        for estimator, claims in (("conditional", chapter.claims), ("counted", chapter.counted_claims)):
            rows += [{"network": chapter.name, "ei": estimator} | row for row in rows_of(claims)]
    write_whole(data / "verdicts.csv", _csv(rows))


def _write_run(trajectory: Trajectory, stem: Path) -> None:
    content = trajectory.to_bytes()
    path = stem.with_name(f"{stem.name}.npz")
    # Of a run that was read from here nothing has changed.
    if not path.exists() or path.read_bytes() != content:
        write_whole(path, content)
    write_whole(stem.with_name(f"{stem.name}.csv"), trajectory.to_frame().to_csv(index=False).encode())


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: "" if value != value else value for key, value in row.items()} for row in rows)
    return text.getvalue().encode()


def write_pages(chapters: Sequence[Chapter], out: Path, how: Mapping[str, Any], video: str) -> Path:
    """Write the index and a page for each chapter.

    Parameters
    ----------
    chapters : sequence of Chapter
    out : Path
    how : mapping
        How all of it was made, as plain values.
    video : str
        Suffix of the videos.

    Returns
    -------
    Path
        Of the index.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ei_fast.demo"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters |= {"figure": _figure, "exact": _exact, "sign": _SIGNS.__getitem__}
    shared = {"how": how, "video": video, "Outcome": Outcome, "Role": Role, "least_runs": LEAST_RUNS}
    for chapter in chapters:
        text = environment.get_template("chapter.html").render(shared, chapter=chapter)
        write_whole(out / chapter.name / "index.html", text.encode())
    index = environment.get_template("index.html").render(
        shared, chapters=chapters, summary=_summary(chapters), made=json.dumps(plain(how), indent=1, ensure_ascii=False)
    )
    write_whole(out / "index.html", index.encode())
    return out / "index.html"


def _summary(chapters: Sequence[Chapter]) -> list[dict[str, Any]]:
    """Of each claim, how many chapters have which verdict, and how many another one by counting."""
    found = []
    for k, claim in enumerate(chapters[0].claims):
        outcomes = Counter(chapter.claims[k].outcome for chapter in chapters)
        flipped = sum(
            {chapter.claims[k].outcome, chapter.counted_claims[k].outcome} == {Outcome.YES, Outcome.NO}
            for chapter in chapters
            if chapter.counted
        )
        found.append({"claim": claim, "outcomes": outcomes, "flipped": flipped})
    return found


def _figure(value: float) -> str:
    """A number with three digits that count, and a true minus sign."""
    if not math.isfinite(value):
        return "–"
    text = np.format_float_positional(value, precision=3, unique=False, fractional=False, trim="-")
    return ("0" if float(text) == 0.0 else text).replace("-", "−")


def _exact(value: float) -> str:
    """A number as it is, for programs."""
    return repr(float(value))
