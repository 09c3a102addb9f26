"""Pictures, the video and the player of a chapter, and the pictures that explain what is measured."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.style
from matplotlib.figure import Figure

from ei_fast._version import __version__
from ei_fast.demo.chapters import Chapter
from ei_fast.demo.runs import video_suffix
from ei_fast.figures.animation import animate_causal_plane
from ei_fast.figures.explained import DEFINITIONS, plot_definition, plot_explained_plane
from ei_fast.figures.multiples import plot_bands, plot_layers, plot_multiples
from ei_fast.figures.player import write_player
from ei_fast.runtime.files import write_whole

STYLES = {"light": "default", "dark": "dark_background"}
"""Each picture is drawn for bright and for dark screens."""

_DOTS = 144
"""Dots an inch of the pictures."""
_NOTE = "drawn"
"""The file in each folder that says of what it was drawn, and what it holds since then."""
_DRAWN = (".png", ".mp4", ".gif")
"""Suffixes of what is drawn into a folder, beside the player."""
_PLAYER = "player.html"


def draw_chapter(chapter: Chapter, folder: Path, script: str) -> None:
    """Draw what a chapter shows, unless that has been drawn of the same runs already.

    Parameters
    ----------
    chapter : Chapter
    folder : Path
        That exists.
    script : str
        Where the player finds its library, from that folder.
    """
    content = [chapter.title, script, *(part for name, run in chapter.runs.items() for part in (name, run.to_bytes()))]
    with _once(folder, content) as is_new:
        if not is_new:
            return
        animate_causal_plane(chapter.first, folder / f"motion{video_suffix()}", verbose=0)
        write_player(chapter.runs, folder / _PLAYER, title=chapter.title, script=script)
        for style, sheet in STYLES.items():
            with matplotlib.style.context(sheet):
                _save(plot_multiples(chapter.runs), folder / f"seeds-{style}.png")
                _save(plot_bands(chapter.runs), folder / f"measures-{style}.png")
                _save(plot_layers(chapter.first), folder / f"layers-{style}.png")


def draw_explanations(folder: Path) -> None:
    """Draw the causal plane as it is read, and what each measure is, unless that has been drawn already."""
    with _once(folder, []) as is_new:
        if not is_new:
            return
        for style, sheet in STYLES.items():
            with matplotlib.style.context(sheet):
                _save(plot_explained_plane(), folder / f"plane-{style}.png")
                for name in DEFINITIONS:
                    _save(plot_definition(name), folder / f"{name}-{style}.png")


@contextmanager
def _once(folder: Path, content: Iterable[str | bytes]) -> Iterator[bool]:
    """Whether a folder is still to be drawn of this content.

    A note in it says of what it was drawn, and which files that made. It is written at the end, and not before.
    """
    digest = hashlib.sha256(f"{__version__} {video_suffix()}".encode())
    for part in content:
        digest.update(part if isinstance(part, bytes) else part.encode())
    note = folder / _NOTE
    drawn_of, *names = note.read_text().splitlines() if note.exists() else [""]
    is_new = drawn_of != digest.hexdigest() or not all((folder / name).exists() for name in names)
    if is_new:
        # What is drawn from now on is of other runs than the note says.
        note.unlink(missing_ok=True)
    yield is_new
    if is_new:
        names = sorted(path.name for path in folder.iterdir() if path.suffix in _DRAWN or path.name == _PLAYER)
        write_whole(note, "\n".join([digest.hexdigest(), *names]).encode())


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=_DOTS)
