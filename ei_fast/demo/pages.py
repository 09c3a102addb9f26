"""The page with a verdict on each claim, made anew from nothing, or of somebody's own recordings."""

import json
import os
import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from tqdm import tqdm

from ei_fast._version import __version__
from ei_fast.demo.chapters import Chapter, folder_name
from ei_fast.demo.drawn import draw_chapter, draw_explanations
from ei_fast.demo.given import given_chapters, read_runs, with_counting
from ei_fast.demo.measured import EFFORT, measured_chapters
from ei_fast.demo.processes import in_processes
from ei_fast.demo.runs import video_suffix
from ei_fast.demo.trainings import FLIPPED, TRAININGS, Training, shortened
from ei_fast.demo.written import write_data, write_pages
from ei_fast.errors import Busy, missing_extra
from ei_fast.figures.player import script_of_bokeh
from ei_fast.parameters import Integer
from ei_fast.runtime.files import plain, write_whole
from ei_fast.runtime.threads import resolve_n_jobs
from ei_fast.training.trajectory import Trajectory
from ei_fast.warmup import compile_kernels

OWNER = "page"

_SEED = Integer(0)
_HOW = "how.json"
"""The file that says how a page was made."""
_SCRIPT = "player.js"
"""The library that all players of a page share."""
_TAKEN = ("data", "explained", "index.html", _HOW, _SCRIPT)
"""What there is in the folder of a page beside the folders of its networks."""
_RECORDINGS, _PYTHON = "recordings", "python"
"""In `_HOW`: which runs are shown, and what may change without any consequence."""
_NEEDED = ("bokeh", "jinja2", "pandas")
"""Packages of the extra "page". Whether they are there is asked before anything is trained."""

Runs = Sequence[str | os.PathLike[str]] | Mapping[str, Trajectory]


def make_page(
    out: str | os.PathLike[str],
    runs: Runs | None,
    *,
    quick: bool,
    seed: int,
    counting: bool,
    n_jobs: int | None,
    verbose: bool,
) -> Path:
    """What `ei_fast.demo.page` does; the same parameters."""
    out = Path(out)
    seed, n_processes = _SEED.checked("seed", seed, OWNER), resolve_n_jobs(n_jobs, OWNER)
    for package in _NEEDED:
        if find_spec(package) is None:
            raise missing_extra("A page", package, "page")
    _check_options(runs is not None, quick, seed, counting)
    trainings = [shortened(one) for one in TRAININGS if one.is_of_videos] if quick else list(TRAININGS)
    chapters = [] if runs is None else given_chapters(_checked_runs(runs), _TAKEN)
    how = _how(trainings, quick, seed) if runs is None else _how_given(chapters, counting)
    _check_folder(out, how)
    out.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        _remove_others(out, [chapter.name for chapter in chapters])
        write_whole(out / _HOW, _json(how))
        if runs is None:
            compile_kernels()
            chapters = measured_chapters(trainings, seed, out / "data", n_processes, verbose)
        elif counting:
            chapters = list(with_counting(chapters, out / "data", n_jobs, verbose))
        write_data(chapters, out / "data")
        _draw(chapters, out, n_processes, verbose)
        return write_pages(chapters, out, how, video_suffix())


def _check_options(is_given: bool, quick: bool, seed: int, counting: bool) -> None:
    """Raise ValueError for what would be without effect."""
    if is_given and (quick or seed):
        raise ValueError(
            "The 'quick' and 'seed' parameters of page are of the networks that it trains. "
            f"Got quick={quick}, seed={seed} and runs that are trained already. Leave them out."
        )
    if not is_given and not counting:
        raise ValueError(
            "The 'counting' parameter of page may be False where runs are given: the networks that it trains are "
            "counted. Got False, and no runs. Leave it out, or give runs."
        )


def _checked_runs(runs: Runs) -> dict[str, Trajectory]:
    """The runs by name, each of which can be shown."""
    if not len(runs):
        raise ValueError("The 'runs' parameter of page must hold one run at least. Got none. Record one with Recorder.")
    if not isinstance(runs, Mapping):
        return read_runs([Path(path) for path in runs])
    for name, trajectory in runs.items():
        if not isinstance(trajectory, Trajectory) or not len(trajectory):
            raise (ValueError if isinstance(trajectory, Trajectory) else TypeError)(
                f"The 'runs' parameter of page must hold trajectories of one step at least. Got {trajectory!r} for "
                f"{name!r} instead."
            )
        trajectory.check_one_run()
    return dict(runs)


def _how(trainings: Sequence[Training], quick: bool, seed: int) -> dict[str, Any]:
    """All that decides about the data."""
    return {
        "ei_fast": __version__,
        "quick": quick,
        "first seed": seed,
        "bins": 8,
        "effort": EFFORT,
        "labels wrong, where rows are few": FLIPPED,
        "trainings": {one.name: one.settings for one in trainings},
        **_versions(),
    }


def _how_given(chapters: Sequence[Chapter], counting: bool) -> dict[str, Any]:
    return {
        "ei_fast": __version__,
        _RECORDINGS: {chapter.name: list(chapter.runs) for chapter in chapters},
        "counting": counting,
        **_versions(),
    }


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("numpy", "numba", "scipy", "scikit-learn")} | {
        _PYTHON: platform.python_version()
    }


def _check_folder(out: Path, how: Mapping[str, Any]) -> None:
    """Raise ValueError where the folder holds something else than what is to be made."""
    before = _how_before(out)
    if before is None:
        if (out / _HOW).exists() or (out / "index.html").exists():
            raise ValueError(f"The folder {str(out)!r} holds another page. Give another folder.")
        return
    # Whatever the Python, the same data come out; recordings may be others each time.
    differing = [key for key in how if key != _PYTHON and before.get(key) != plain(how[key])]
    if differing and not (_RECORDINGS in how and _RECORDINGS in before):
        raise ValueError(
            f"The folder {str(out)!r} holds a page that was made with other settings: {', '.join(differing)}, as "
            f"{str(out / _HOW)!r} says. Give another folder, or remove this one."
        )


def _how_before(out: Path) -> dict[str, Any] | None:
    """How the page in a folder was made; None where there is none."""
    try:
        before = json.loads((out / _HOW).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return before if isinstance(before, dict) and "ei_fast" in before else None


def _remove_others(out: Path, names: Sequence[str]) -> None:
    """Remove the networks of other recordings that a page in this folder showed before."""
    before = (_how_before(out) or {}).get(_RECORDINGS, {})
    for name in before:
        # Names of folders that a page has made, whatever the file says.
        if name not in names and name == folder_name(name) and name not in _TAKEN:
            for folder in (out / name, out / "data" / name):
                shutil.rmtree(folder, ignore_errors=True)


def _json(how: Mapping[str, Any]) -> bytes:
    return json.dumps(plain(how), indent=1, ensure_ascii=False).encode()


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """The folder for this process alone, without what one that was killed while it wrote has left in it."""
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Busy(
            f"The folder {str(out)!r} is in use: another process makes a page in it. "
            "Wait for it, or give another folder."
        ) from None
    try:
        for path in out.rglob(".*.tmp*"):
            path.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


def _draw(chapters: Sequence[Chapter], out: Path, n_processes: int, verbose: bool) -> None:
    write_whole(out / _SCRIPT, script_of_bokeh().encode())
    (out / "explained").mkdir(exist_ok=True)
    draw_explanations(out / "explained")
    for chapter in chapters:
        (out / chapter.name).mkdir(exist_ok=True)
    calls = [(draw_chapter, chapter, out / chapter.name, f"../{_SCRIPT}") for chapter in chapters]
    with tqdm(total=len(chapters), unit="network", desc="drawing", disable=not verbose) as bar:
        for _ in in_processes(calls, n_processes):
            bar.update(1)
