"""Pictures, the video and the player of a chapter, and the pictures that explain what is measured."""

from pathlib import Path

import matplotlib.style
from matplotlib.figure import Figure

from ei_fast.demo.chapters import Chapter
from ei_fast.demo.runs import video_suffix
from ei_fast.figures.animation import animate_causal_plane
from ei_fast.figures.explained import DEFINITIONS, plot_definition, plot_explained_plane
from ei_fast.figures.multiples import plot_bands, plot_layers, plot_multiples
from ei_fast.figures.player import write_player

STYLES = {"light": "default", "dark": "dark_background"}
"""Each picture is drawn for bright and for dark screens."""

_DOTS = 144


def draw_chapter(chapter: Chapter, folder: Path, script: str) -> None:
    """Draw what a chapter shows; videos and players that are there already are left as they are.

    Parameters
    ----------
    chapter : Chapter
    folder : Path
        That exists.
    script : str
        Where the players find their library, from that folder.
    """
    video = folder / f"motion{video_suffix()}"
    if not video.exists():
        animate_causal_plane(chapter.first, video, verbose=0)
    if not (folder / "player.html").exists():
        write_player(chapter.runs, folder / "player.html", title=chapter.title, script=script)
    for style, sheet in STYLES.items():
        with matplotlib.style.context(sheet):
            _save(plot_multiples(chapter.runs), folder / f"seeds-{style}.png")
            _save(plot_bands(chapter.runs), folder / f"measures-{style}.png")
            _save(plot_layers(chapter.first), folder / f"layers-{style}.png")


def draw_explanations(folder: Path) -> None:
    """Draw the causal plane as it is read, and what each measure is."""
    for style, sheet in STYLES.items():
        with matplotlib.style.context(sheet):
            _save(plot_explained_plane(), folder / f"plane-{style}.png")
            for name in DEFINITIONS:
                _save(plot_definition(name), folder / f"{name}-{style}.png")


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=_DOTS)
